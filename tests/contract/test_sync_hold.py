"""`tocsin hold` against the stand-in, on every version, and against a real Alertmanager: what is written, what sync and drift make of it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.real.servers import Server
from tests.standin import DEFAULT_TOKEN, PROFILES, Fault, StandIn
from tests.syncing import PROJECT, plan_of, rule_file, synced, target_on, wanted

from tocsin.cli import main
from tocsin.sync.drift import drift_of

FILES = (
    rule_file("db", {"db-down": {}, "db-slow": {"expr": "latency > 5", "keep_firing_for": "1m"}}),
    rule_file("web", {"web-down": {}}),
)
OLD_FILES = (
    rule_file("db", {"db-down": {}, "db-slow": {"expr": "latency > 5"}}),
    rule_file("web", {"web-down": {}}),
)
CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
ALERTMANAGED = """\
version: 1
project: shop
severities: {P2: {label: {severity: warning}}}
teams: {ops: {name: Ops}}
labels: {inject: [rule_id, level]}
environments:
  prod:
    evaluators: [{name: main, kind: prometheus, version: "2.53"}]
"""


def files_for(version: str) -> tuple[Any, ...]:
    return FILES if version.startswith("13") else OLD_FILES


@contextmanager
def filled(version: str) -> Iterator[StandIn]:
    with StandIn(version) as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        for env in ("prod", "staging"):
            synced(wanted(*files_for(version), env=env, version=version), grafana, version=version)
        grafana.log.clear()
        yield grafana


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[StandIn], Path]:
    """A repository whose rules do not even load: hold must not care."""

    def made(grafana: StandIn) -> Path:
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
        (tmp_path / "tocsin.yaml").write_text(
            PROJECT.replace("VERSION", "12.0").replace("FOLDER", "{service} {env}")
        )
        (tmp_path / "rules" / "db").mkdir(parents=True)
        (tmp_path / "rules" / "db" / "broken.yaml").write_text("groups: [")
        return tmp_path

    return made


def rules_of(grafana: StandIn) -> dict[str, dict[str, Any]]:
    request = urllib.request.Request(
        f"{grafana.url}/api/v1/provisioning/alert-rules", headers={"Authorization": f"Bearer {DEFAULT_TOKEN}"}
    )
    with urllib.request.urlopen(request) as answer:
        return {each["uid"]: each for each in json.load(answer)}


def plain(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule but for what a hold may change and what the server counts by itself."""
    return {
        key: {name: text for name, text in value.items() if name != "tocsin_hold"}
        if key == "annotations"
        else value
        for key, value in rule.items()
        if key not in ("isPaused", "updated", "updatedBy", "version")
    }


@pytest.mark.parametrize("version", PROFILES)
@pytest.mark.parametrize("editable", [False, True])
def test_one_rule_is_paused_and_everything_else_stays(
    version: str, editable: bool, repo: Callable[[StandIn], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with filled(version) as grafana:
        uid = next(
            each.uid
            for group in wanted(*files_for(version), version=version).groups
            for each in group.rules
            if each.key == "db-slow"
        )
        if editable:
            with grafana.edit() as edit:
                edit.rule(uid, provenance="")
        before = rules_of(grafana)
        top = repo(grafana)
        held = ["hold", "db-slow", "--env", "prod", "--until", "2h", "--reason", "disk swap", "-C", str(top)]
        assert main(held) == 0
        after = rules_of(grafana)
        assert {each for each in after if after[each] != before[each]} == {uid}
        assert plain(after[uid]) == plain(before[uid])
        assert after[uid]["isPaused"] is True
        assert json.loads(after[uid]["annotations"]["tocsin_hold"])["reason"] == "disk swap"
        assert [entry.method for entry in grafana.log.writes()] == ["PUT"]
        said = capsys.readouterr().out
        assert "db-slow" in said and "--release --env prod" in said

        desired = wanted(*files_for(version), version=version)
        grafana.log.clear()
        plan, _ = synced(desired, grafana, version=version)
        assert grafana.log.writes() == []
        (notes,) = [each.notes for group in plan.groups for each in group.changes if each.notes]
        assert "disk swap" in notes[0]
        with target_on(grafana) as target:
            rows = drift_of(desired, target.read(), "2026-11-21T10:00:00+00:00").rows
        assert [(each.kind, each.key) for each in rows] == [("paused", "db-slow")]

        assert main(["hold", "db-slow", "--env", "prod", "--release", "-C", str(top)]) == 0
        released = rules_of(grafana)
        assert (plain(released[uid]), released[uid]["isPaused"]) == (plain(before[uid]), False)
        assert "tocsin_hold" not in released[uid]["annotations"]
        assert synced(desired, grafana, version=version)[1].results == ()


def test_a_hold_ends_with_the_next_sync_after_its_time(repo: Callable[[StandIn], Path]) -> None:
    with filled("12.0") as grafana:
        top = repo(grafana)
        assert (
            main(["hold", "db-down", "--env", "prod", "--until", "1h", "--reason", "r", "-C", str(top)]) == 0
        )
        desired = wanted(*OLD_FILES)
        with target_on(grafana) as target:
            plan = plan_of(desired, target, now="2999-01-01T00:00:00+00:00")
        (change,) = [each for group in plan.groups for each in group.changes if each.action != "none"]
        assert change.rule.key == "db-down" and not change.rule.paused and change.rule.hold is None
        assert {each.path for each in change.fields} == {"paused", "hold"}


def test_a_hold_somebody_wrote_for_longer_is_kept_and_said(repo: Callable[[StandIn], Path]) -> None:
    with filled("12.0") as grafana:
        desired = wanted(*OLD_FILES)
        rule = desired.groups[0].rules[0]
        with grafana.edit() as edit:
            marked = {
                **rules_of(grafana)[rule.uid]["annotations"],
                "tocsin_hold": '{"by":"x","until":"2999-01-01T00:00:00+00:00","reason":"r"}',
            }
            edit.rule(rule.uid, paused=True, annotations=marked)
        plan, outcome = synced(desired, grafana)
        assert outcome.results == ()
        assert any("7 days" in note for group in plan.groups for each in group.changes for note in each.notes)


def test_without_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    with filled("12.0") as grafana:
        words = [
            "hold",
            "web-down",
            "--until",
            "30m",
            "--reason",
            "r",
            "--url",
            grafana.url,
            "-C",
            str(tmp_path),
        ]
        assert main(words) == 2
        assert "shop/prod and to shop/staging" in capsys.readouterr().err
        assert main([*words, "--env", "prod"]) == 0
        assert sum(each["isPaused"] for each in rules_of(grafana).values()) == 1
        assert main([*words, "--env", "nowhere"]) == 2


def test_a_typing_error_is_answered_with_what_is_there(
    repo: Callable[[StandIn], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with filled("12.0") as grafana:
        top = repo(grafana)
        assert (
            main(["hold", "db-dwon", "--env", "prod", "--until", "1h", "--reason", "r", "-C", str(top)]) == 2
        )
        assert "db-down" in capsys.readouterr().err
        assert grafana.log.writes() == []


@pytest.mark.parametrize(
    "words",
    [
        ["--until", "8d", "--reason", "r"],
        ["--until", "1h"],
        ["--reason", "r"],
        ["--until", "1h", "--reason", " "],
    ],
)
def test_nothing_is_asked_where_the_words_are_wrong(
    words: list[str], repo: Callable[[StandIn], Path]
) -> None:
    with filled("12.0") as grafana:
        top = repo(grafana)
        assert main(["hold", "db-down", "--env", "prod", *words, "-C", str(top)]) == 2
        assert grafana.log.count() == 0


def test_a_write_whose_answer_is_lost_is_read_back(repo: Callable[[StandIn], Path]) -> None:
    with filled("12.0") as grafana:
        top = repo(grafana)
        grafana.plan(Fault(kind="reset-after", method="PUT", path=".*/alert-rules/.*"))
        assert (
            main(["hold", "db-down", "--env", "prod", "--until", "1h", "--reason", "r", "-C", str(top)]) == 0
        )
        assert sum(each["isPaused"] for each in rules_of(grafana).values()) == 1


def test_a_write_that_fails_is_said(
    repo: Callable[[StandIn], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with filled("12.0") as grafana:
        top = repo(grafana)
        with grafana.edit() as edit:
            for uid in rules_of(grafana):
                edit.rule(uid, provenance="file")
        assert (
            main(["hold", "db-down", "--env", "prod", "--until", "1h", "--reason", "r", "-C", str(top)]) == 4
        )
        assert "NOT" in capsys.readouterr().out


def test_a_prometheus_rule_is_silenced_in_a_real_alertmanager(
    alertmanager_server: Callable[..., Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = alertmanager_server(CONFIG)
    monkeypatch.setenv("ALERTMANAGER_URL", server.url)
    (tmp_path / "tocsin.yaml").write_text(ALERTMANAGED)
    folder = tmp_path / "rules" / "db"
    folder.mkdir(parents=True)
    (folder / "main.yaml").write_text("groups:\n  - rules:\n      - alert: A\n        id: db-down  # it\n")
    server.post(
        "/api/v2/alerts",
        [
            {"labels": {"alertname": "A", "rule_id": "db-down", "level": level}}
            for level in ("page", "ticket")
        ],
    )

    def silenced() -> dict[str, str]:
        return {each["labels"]["level"]: each["status"]["state"] for each in server.get("/api/v2/alerts")}

    words = ["hold", "db-down/page", "--until", "1h", "--reason", "r", "-C", str(tmp_path)]
    assert main(words) == 0
    (made,) = server.get("/api/v2/silences")
    said = capsys.readouterr().out
    assert made["id"] in said
    assert silenced() == {"page": "suppressed", "ticket": "active"}
    assert main(["hold", "db-down/page", "--release", "-C", str(tmp_path)]) == 0
    assert made["id"] in capsys.readouterr().out
    assert [each["status"]["state"] for each in server.get("/api/v2/silences")] == ["expired"]
    assert main(["hold", "db-dow", "--until", "1h", "--reason", "r", "-C", str(tmp_path)]) == 2


def test_a_rule_by_option_and_only_of_its_service(
    repo: Callable[[StandIn], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with filled("12.0") as grafana:
        top = repo(grafana)
        more = ["--env", "prod", "--until", "2h", "--reason", "x", "-C", str(top)]
        assert main(["hold", "--rule", "db-slow", "--service", "web", *more]) == 2
        assert "no rule `db-slow` of ours" in capsys.readouterr().err and grafana.log.writes() == []
        assert main(["hold", *more]) == main(["hold", "db-slow", "--rule", "db-slow", *more]) == 2
        assert main(["hold", "--rule", "db-slow", "--service", "db", *more]) == 0
        assert [each["title"] for each in rules_of(grafana).values() if each["isPaused"]] == ["DbSlow"]
