"""The canary of a rule as an object: whose it is, what it is called, what it may wake and for how long, on every kind of server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.staging import GRAFANA, Staged

from tocsin.canary.overlay import (
    bounded,
    canaries,
    id_of,
    meant,
    name_of,
    overlay,
    owner_of,
    silence_for,
    silences_of,
    uid_of,
)
from tocsin.cli.targets import Compiled, compiled_for
from tocsin.diff.changes import Side
from tocsin.ir.compiled import CompiledAlert, RuleKey
from tocsin.promql import Expr, parse
from tocsin.sync.grafana import rule_from_grafana, rule_to_grafana
from tocsin.sync.ruler import group_from, group_node, owner_of_namespace
from tocsin.sync.values import Folder, Group, Live, Place, Rule, Server, TargetKind

UNTIL = datetime(2026, 11, 24, 10, tzinfo=UTC)
RULE = {
    "alert": "LoadHigh",
    "id": "load-high",
    "expr": "load > 50  # why",
    "labels": {"tier": "{{ $labels.tier }}"},
    "keep_firing_for": "5m",
}


def compiled(top: Path, kind: TargetKind, rule: dict[str, Any] | None = None) -> tuple[Compiled, Side]:
    repo = Staged(
        top,
        {},
        kind=kind,
        version={"prometheus": "3.5", "mimir": "2.13", "grafana": "12.0"}[kind],
        more=GRAFANA if kind == "grafana" else "",
    )
    repo.rules(rule or RULE, interval="1m")
    made = compiled_for(repo.top, "prod", None, datetime(2026, 11, 21, tzinfo=UTC).date())
    (side,) = (
        Side(rule=alert, group=group)
        for service in made.compilation.services
        for resolved in service.resolved
        for group in resolved.groups
        for alert in group.rules
        if isinstance(alert, CompiledAlert)
    )
    return made, side


def deployed(made: Compiled, side: Side, id: str = "c-0123456789") -> tuple[Group, Folder | None]:
    assert made.compilation.settings is not None
    return overlay(
        side,
        'load{cluster="canary-1"} > 50  # why',
        id,
        UNTIL,
        project=made.compilation.settings.project,
        environment=made.environment,
        kind=made.kind,
    )


@pytest.mark.parametrize("kind", ["prometheus", "mimir", "grafana"])
def test_it_is_another_owners_rule_by_another_name(tmp_path: Path, kind: TargetKind) -> None:
    made, side = compiled(tmp_path / "repo", kind)
    group, folder = deployed(made, side)
    (rule,) = group.rules
    assert group.place.group == "tocsin-canary-c-0123456789" and rule.owner == "shop/prod_canary"
    assert rule.title == "LoadHigh_canary_0123456789" and rule.key == "" and not rule.paused
    assert rule.labels["tocsin_canary"] == "c-0123456789" and rule.labels["alertname"] == rule.title
    # What inhibits by severity, rule or name does not inhibit because of a canary.
    assert (rule.labels["severity"], rule.labels["rule_id"]) == ("canary", "load-high.canary")
    assert rule.labels["tier"] == "{{ $labels.tier }}"
    if kind == "grafana":
        assert folder is not None and (folder.uid, folder.title) == (group.place.folder, "web prod")
        back = rule_from_grafana(rule_to_grafana(rule))
        assert (back.uid, back.owner, back.key) == ("load-high-" + back.uid[10:], rule.owner, "")
    else:
        assert folder is None
        name = group.place.folder.removesuffix(".rules.yaml")
        assert name == "tocsin.shop.prod_canary.web"
        owner, service = owner_of_namespace(name)
        again = group_from(group_node(group), group.place.folder, owner, service)
        (back,) = again.rules
        assert (back.uid, back.owner, back.body) == (rule.uid, rule.owner, rule.body)
    server = Server(kind=kind, identity="x", version="1")
    live = Live(server=server, groups=(replace(group, rules=(back,)),))
    (found,) = canaries(live, "shop/prod_canary")
    assert (found.id, found.key, found.service) == ("c-0123456789", "load-high", "web")
    assert found.until == UNTIL.isoformat() and not found.past(UNTIL - timedelta(seconds=1))
    assert found.past(UNTIL) and canaries(live, "shop/prod") == ()
    for name in ("c-0123456789", "load-high"):
        assert meant([found], name) == (found,)
    assert meant([found], "load") == ()


def test_it_ends_by_itself(tmp_path: Path) -> None:
    text = bounded("up == 0  # it is down", UNTIL)
    assert isinstance(parse(text), Expr)
    assert text.endswith(f"< {int(UNTIL.timestamp())})") and "# it is down\n" in text
    silence = silence_for("c-1", "load-high", UNTIL, 300_000, "2026-11-21T10:00:00+00:00", "me")
    assert datetime.fromisoformat(silence.ends_at) == UNTIL + timedelta(minutes=65)


def test_a_silence_is_of_one_canary_and_nothing_else() -> None:
    mine = silence_for("c-1", "a", UNTIL, 0, "2026-11-21T10:00:00+00:00", "me")
    other = silence_for("c-2", "a", UNTIL, 0, "2026-11-21T10:00:00+00:00", "me")
    over = replace(mine, state="expired")
    assert silences_of([mine, other, over], "c-1") == (mine,)


def test_a_mark_without_a_time_is_past() -> None:
    rule = Rule(
        uid="x", title="x", kind="alert", body={}, owner="a/b_canary", labels={"tocsin_canary": "c-1"}
    )
    group = Group(place=Place("f", "g"), interval=0, rules=(rule,))  # type: ignore[arg-type]
    live = Live(server=Server(kind="mimir", identity="", version=""), groups=(group,))
    (found,) = canaries(live, "a/b_canary")
    assert found.past(datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("uid", ["a", "x" * 32, "x" * 33, "x" * 40])
def test_uids_fit(uid: str) -> None:
    assert len(uid_of(uid)) <= 40 and uid_of(uid).endswith("--canary")
    assert uid_of(uid) != uid_of(uid[:-1] + "y")


def test_an_id_is_of_one_version_of_one_rule() -> None:
    key = RuleKey("prod", "a", "page")
    ids = {
        id_of(key, "1"),
        id_of(key, "2"),
        id_of(RuleKey("prod", "a", "ticket"), "1"),
        id_of(RuleKey("dev", "a", "page"), "1"),
    }
    assert len(ids) == 4 and id_of(key, "1") == id_of(RuleKey("prod", "a", "page"), "1")
    assert name_of("A", "c-1f") == "A_canary_1f"


def test_no_environment_can_be_called_like_it(tmp_path: Path) -> None:
    made, _ = compiled(tmp_path / "repo", "prometheus")
    assert made.compilation.settings is not None
    assert "_" in owner_of(made.compilation.settings.project, made.environment)
    text = (tmp_path / "repo/tocsin.yaml").read_text()
    (tmp_path / "repo/tocsin.yaml").write_text(text.replace("  prod:", "  prod_canary:"))
    from tocsin.errors import UsageError

    with pytest.raises(UsageError):
        compiled_for(tmp_path / "repo", None, None, datetime(2026, 11, 21, tzinfo=UTC).date())
