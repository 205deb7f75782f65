"""Holds as values: ends, names, whose rule it is, what of it changes, which silences are ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.errors import UsageError
from tocsin.ir.compiled import Datasource
from tocsin.sync import hold as holds
from tocsin.sync.grafana import rule_from_grafana
from tocsin.sync.values import Hold
from tocsin.wire.grafana import GrafanaRule, promql_nodes
from tocsin.wire.live import LiveRule, Silence

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HOLD = Hold(by="ann", until="2026-11-21T12:00:00+00:00", reason="disk is {{ replaced }}")
PROM = Datasource(name="main", uid="prom-main", type="prometheus")


def live(key: str, *, owner: str = "shop/prod", paused: bool = False, **annotations: str) -> LiveRule:
    marks: dict[str, Any] = {"tocsin_owner": owner, "tocsin_rule": f"db {key}"} if owner else {}
    rule = GrafanaRule(
        uid=key.replace("/", "-"),
        title=key,
        condition="C",
        data=promql_nodes("up == 0", PROM, 0),
        no_data="OK",
        exec_err="OK",
        annotations={"summary": "s", **marks, **annotations},
        paused=paused,
        extra={"notification_settings": {"receiver": "ops"}},
    )
    return LiveRule(rule=rule, folder_uid="f", group="g", provenance="api", updated="")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2h", "2026-11-21T12:00:00+00:00"),
        ("30m", "2026-11-21T10:30:00+00:00"),
        ("7d", "2026-11-28T10:00:00+00:00"),
        ("2026-11-21T15:00:00Z", "2026-11-21T15:00:00+00:00"),
        ("2026-11-21T15:00:00+02:00", "2026-11-21T13:00:00+00:00"),
    ],
)
def test_an_end(text: str, end: str) -> None:
    assert holds.until_of(text, NOW) == end


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8d", "7 days at most"),
        ("9999999y", "no time"),
        ("2026-11-29T15:00:00Z", "7 days at most"),
        ("2026-11-21T09:00:00Z", "not in the future"),
        ("0", "not in the future"),
        ("2026-11-21T15:00:00", "time zone"),
        ("tomorrow", "no time"),
        ("", "no time"),
    ],
)
def test_no_end(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        holds.until_of(text, NOW)


def test_an_id_means_all_of_it_and_nothing_that_only_begins_like_it() -> None:
    rules = [live("lag/page"), live("lag/page/batch"), live("lag/ticket"), live("lag-two"), live("la")]
    keys = {
        name: [holds.key_of(each) for each in holds.find(rules, name).rules]
        for name in ("lag", "lag/page", "lag/page/batch", "lag-two")
    }
    assert keys == {
        "lag": ["lag/page", "lag/page/batch", "lag/ticket"],
        "lag/page": ["lag/page", "lag/page/batch"],
        "lag/page/batch": ["lag/page/batch"],
        "lag-two": ["lag-two"],
    }


def test_whose_rule_it_is() -> None:
    rules = [live("lag"), live("lag", owner="shop/staging"), live("lag", owner="")]
    assert len(holds.find(rules, "lag", owner="shop/prod").rules) == 1
    assert len(holds.find(rules, "lag", environment="staging").rules) == 1
    with pytest.raises(UsageError, match="shop/prod and to shop/staging"):
        holds.find(rules, "lag")
    assert holds.find(rules, "lag", owner="other/prod").rules == ()
    assert holds.find([live("lag", owner="")], "lag").rules == ()


def test_what_is_paused_already_or_not_held_is_left() -> None:
    by_hand, marked = live("lag", paused=True), live("lag", paused=True, tocsin_hold="{}")
    assert [why for _, why in holds.find([by_hand], "lag").left] == [
        "is paused already, by hand or by its source, and stays so without a hold"
    ]
    assert holds.find([marked], "lag").rules == (marked,)
    assert holds.find([live("lag")], "lag", release=True).rules == ()
    assert holds.find([by_hand], "lag", release=True).rules == ()
    assert holds.find([marked], "lag", release=True).rules == (marked,)


def test_nothing_else_of_the_rule_changes_and_it_comes_back_whole() -> None:
    rule = live("lag").rule
    held = holds.held(rule, HOLD)
    assert replace(held, paused=False, annotations=rule.annotations) == rule
    assert (held.paused, rule_from_grafana(held).body) == (True, rule_from_grafana(rule).body)
    assert "{{" not in held.annotations["tocsin_hold"]
    found = holds.hold_of(held)
    assert found is not None and (found.by, found.until) == ("ann", HOLD.until)
    assert holds.released(held) == rule


@pytest.mark.parametrize(
    ("until", "goes_on", "long"),
    [
        ("2026-11-21T10:00:01+00:00", True, False),
        ("2026-11-21T10:00:00+00:00", False, False),
        ("2026-11-21T11:00:00+02:00", False, False),
        ("2026-11-21T12:30:00+02:00", True, False),
        ("2026-11-21T11:00:00Z", True, False),
        ("2026-11-28T10:00:00+00:00", True, False),
        ("2026-11-28T10:00:01+00:00", True, True),
        ("some day", True, True),
    ],
)
def test_how_long_it_goes_on(until: str, goes_on: bool, long: bool) -> None:
    hold = replace(HOLD, until=until)
    assert holds.lasts(hold, NOW.isoformat()) is goes_on
    assert holds.too_long(hold, NOW.isoformat()) is long


def test_a_silence_is_found_again_by_what_it_means() -> None:
    made = replace(
        holds.silence("lag/page", {"level": "page"}, HOLD, NOW.isoformat()), id="1", state="active"
    )
    assert [(each.name, each.value) for each in made.matchers] == [("rule_id", "lag"), ("level", "page")]
    other = replace(made, id="2", comment="the team's own: lag")
    ended = replace(made, id="3", state="expired")
    longer = replace(holds.silence("lag-two", {}, HOLD, NOW.isoformat()), id="4")
    every: list[Silence] = [made, other, ended, longer]
    assert [each.id for each in holds.silences_of(every, "lag/page", {"level": "page"})] == ["1"]
    assert [each.id for each in holds.silences_of(every, "lag", {})] == ["1"]
    assert [each.id for each in holds.silences_of(every, "lag-two", {})] == ["4"]
    assert timedelta(days=7) == holds.LONGEST
