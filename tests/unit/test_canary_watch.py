"""Alarms of stage 3, fidelity of stage 2, and the way back: on values, without a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from tocsin.canary.decode import decode_raw
from tocsin.canary.fidelity import fidelity_of, left_out
from tocsin.canary.machine import simulate
from tocsin.canary.source import SourceCaps, SourceInfo
from tocsin.canary.tally import Counts, Watched, before, since
from tocsin.canary.values import Grid, Labels, Presence, RuleVersion, Timeline, Window
from tocsin.canary.watch import Expected, alarms_of, failures, p99
from tocsin.ir.compiled import RuleKey

MINUTE = 60_000
QUIET = Expected(peak=4, p99=1.0)


def kinds(
    counts: list[int], expected: Expected = QUIET, total: list[int] | None = None, usual: float | None = None
) -> list[str]:
    times = [index * 2 * MINUTE for index in range(len(counts))]
    return [each.kind for each in alarms_of(times, counts, expected, total or [], usual)]


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ([0, 4, 4, 4, 0], []),
        ([0, 9, 0, 9, 0], []),
        ([0, 5, 5, 0], ["peak"]),
        ([], []),
        ([0, 1, 0, 1, 0, 1, 0], []),
        ([0, 1, 0, 1, 0, 1, 0, 1], ["flapping"]),
    ],
)
def test_alarms(counts: list[int], wanted: list[str]) -> None:
    assert kinds(counts) == wanted


def test_flapping_is_within_an_hour() -> None:
    slow = [index % 2 for index in range(12)]
    times = [index * 15 * MINUTE for index in range(12)]
    assert alarms_of(times, slow, QUIET) == ()


def test_the_total_may_not_double() -> None:
    assert kinds([0, 0, 0], total=[10, 20, 20], usual=10.0) == []
    assert kinds([0, 0, 0], total=[10, 21, 10], usual=10.0) == []
    assert kinds([0, 0, 0], total=[10, 21, 22], usual=10.0) == ["total"]


@pytest.mark.parametrize(
    ("expected", "limit"),
    [
        (Expected(peak=4, p99=1.0), 4),
        (Expected(peak=4, p99=2.0), 6),
        (Expected(peak=None, p99=2.0), 6),
        (Expected(peak=0, p99=0.0), 1),
        (Expected(peak=7, p99=None), 7),
        (Expected(peak=None, p99=None), float("inf")),
    ],
)
def test_what_is_expected(expected: Expected, limit: float) -> None:
    assert expected.limit == limit


def test_p99_counts_zeros() -> None:
    assert p99([0] * 99 + [5]) == 0 and p99([0] * 98 + [5, 5]) == 5 and p99([]) == 0


def test_counts_are_of_what_has_the_labels() -> None:
    counts = Counts(
        times=(0, 1),
        by={
            (("rule_id", "a"), ("severity", "page")): (1, 2),
            (("rule_id", "a"), ("severity", "ticket")): (4, 4),
            (("rule_id", "b"),): (8, 8),
        },
    )
    assert counts.of({"rule_id": "a"}) == (5, 6)
    assert counts.of({"rule_id": "a", "severity": "page"}) == (1, 2)
    assert counts.of({"rule_id": "c"}) == (0, 0) and counts.total == (13, 14)


# What is asked of the server ---------------------------------------------------------------------------------------------------

DAY = 24 * 60 * MINUTE
CAPS = SourceCaps(flavour="prometheus", points=11_000, workers=1)
Fired = tuple[Mapping[str, str], int, int]


class Asked:
    """A server on which these alerts fire, each from a time to a time. Answers a count by labels as a Prometheus does, and keeps what it was asked."""

    def __init__(self, *fired: Fired) -> None:
        self.fired, self.asked, self.caps = fired, list[str](), CAPS

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        self.asked.append(expr)
        found = re.fullmatch(
            r"count by \(([^)]*)\) \(ALERTS\{alertstate='firing',tocsin_canary=''(.*)\}\)", expr
        )
        assert found is not None, expr
        by = found[1].split(", ")
        only = re.fullmatch(r',(\w+)=~"(.*)"', found[2])
        rows: dict[tuple[tuple[str, str], ...], dict[int, int]] = {}
        for labels, first, last in self.fired:
            if only is not None and not re.fullmatch(only[2].replace("\\\\", "\\"), labels.get(only[1], "")):
                continue
            row = rows.setdefault(tuple((name, labels[name]) for name in by if name in labels), {})
            for at in range(start_ms, end_ms + 1, step_ms):
                if first <= at <= last:
                    row[at] = row.get(at, 0) + 1
        result = [
            {"metric": dict(metric), "values": [[at / 1000, str(count)] for at, count in row.items()]}
            for metric, row in rows.items()
            if row
        ]
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()

    def raw(self, selector: str, at_ms: int, back_ms: int) -> bytes:
        raise AssertionError(selector)

    def groups(self) -> tuple[()]:
        raise AssertionError

    def info(self) -> SourceInfo:
        raise AssertionError


def fired(rule: str, severity: str, first: int, last: int, **more: str) -> Fired:
    return {"alertname": rule.title(), "rule_id": rule, "severity": severity, **more}, first, last


def promoted(rule: str, since_ms: int, *, end_ms: int = 21 * DAY, interval_ms: int = MINUTE) -> Watched:
    labels = {"rule_id": rule, "severity": "page"}
    old = {"rule_id": rule, "severity": "ticket"}
    return Watched(
        title=rule.title(), labels=labels, old=old, since_ms=since_ms, end_ms=end_ms, interval_ms=interval_ms
    )


def test_all_rules_are_counted_in_one_query() -> None:
    start = 21 * DAY - 40 * MINUTE
    source = Asked(
        fired("a.b", "page", start + 4 * MINUTE, start + 8 * MINUTE, n="1"),
        fired("a.b", "page", start + 8 * MINUTE, start + 8 * MINUTE, n="2"),
        fired("a.b", "ticket", 0, 21 * DAY),
        fired("axb", "page", 0, 21 * DAY),
        fired("b", "page", start, 21 * DAY),
    )
    rules = (
        promoted("a.b", start),
        promoted("b", start + 20 * MINUTE, interval_ms=4 * MINUTE),
        promoted("c", start),
    )
    one, two, three = since(source, rules, "ALERTS")
    assert source.asked == [
        """count by (rule_id, severity) (ALERTS{alertstate='firing',tocsin_canary='',rule_id=~"a\\\\.b|b|c"})""",
        """count by (alertname) (ALERTS{alertstate='firing',tocsin_canary=''})""",
    ]
    assert one.times == tuple(start + 2 * each * MINUTE for each in range(21))
    assert one.mine == (0, 0, 1, 1, 2, *[0] * 16) and one.total[:6] == (3, 3, 4, 4, 5, 3)
    assert (one.named, one.usual) == (1, 2.0)
    assert two.times == tuple(start + (20 + 8 * each) * MINUTE for each in range(3)), (
        "as often as it is evaluated"
    )
    assert two.mine == (1, 1, 1) and (two.named, two.usual) == (1, 5.0)
    assert three.mine == (0,) * 21 and three.named == 0, "what is absent is zero"


def test_a_rule_without_an_id_is_counted_by_its_name() -> None:
    start = 21 * DAY - 10 * MINUTE
    source = Asked(
        ({"alertname": "Old"}, start, start + 2 * MINUTE), ({"alertname": "Old"}, start - 20 * DAY, start - 1)
    )
    rule = Watched(
        title="Old", labels={"alertname": "Old"}, old={"alertname": "Old"},
        since_ms=start, end_ms=21 * DAY, interval_ms=MINUTE,
    )  # fmt: skip
    (found,) = since(source, [rule], "ALERTS")
    assert found.mine == (1, 1, 0, 0, 0, 0) and len(source.asked) == 1
    assert before(source, [rule], "ALERTS") == (1.0,)
    assert source.asked[1].endswith("""tocsin_canary='',alertname=~"Old"})""")


def test_the_days_before_are_one_query_too() -> None:
    source = Asked(
        fired("a", "ticket", 5 * DAY, 19 * DAY, n="1"),
        fired("a", "ticket", 12 * DAY, 13 * DAY, n="2"),
        fired("b", "ticket", 0, 6 * DAY),
        fired("b", "page", 0, 21 * DAY),
    )
    rules = (promoted("a", 19 * DAY), promoted("b", 21 * DAY), replace(promoted("c", 20 * DAY), old=None))
    assert before(source, rules, "ALERTS") == (2.0, 0.0, None)
    assert len(source.asked) == 1


# Evaluations that were missed ------------------------------------------------------------------------------------------------


class Counting(Asked):
    """A server that scrapes itself: of 100 evaluations, so many were missed by the group and so many by all others."""

    def __init__(self, mine: int, others: int) -> None:
        super().__init__()
        self.missed = {"=~": mine, "!~": others}

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        (whose,) = set(re.findall(r"rule_group(=~|!~)", expr))
        value = 0.0 if "failures" in expr else float(self.missed[whose])
        if "iterations_total" in expr:
            value /= 100
        row = {"metric": {}, "values": [[start_ms / 1000, str(value)]]}
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [row]}}).encode()


@pytest.mark.parametrize(
    ("mine", "others", "alarms"), [(0, 0, 0), (0, 9, 0), (7, 0, 1), (7, 3, 1), (7, 4, 0), (7, 90, 0)]
)
def test_what_all_groups_miss_is_the_server_s_trouble(mine: int, others: int, alarms: int) -> None:
    found = failures(Counting(mine, others), "main", 0, 60 * MINUTE)
    assert len(found) == alarms
    assert all("7 evaluations of its group were missed" in each.say for each in found)


# Fidelity --------------------------------------------------------------------------------------------------------------------

ONE: Labels = (("alertname", "A"), ("instance", "one"))
WINDOW = Window(start_ms=0, end_ms=100 * MINUTE)
VERSION = RuleVersion(
    key=RuleKey("prod", "a"),
    digest="",
    name="A",
    expr="up",
    for_ms=2 * MINUTE,
    keep_ms=0,
    labels={},
    interval_ms=MINUTE,
)


def timeline(at: Iterable[int]) -> Timeline:
    found = np.array(sorted(at), dtype=np.int32)
    presence = Presence(series=(ONE,), row=np.zeros(found.size, dtype=np.int32), at=found)
    return simulate(presence, Grid(start_ms=0, step_ms=MINUTE, count=100), VERSION)


def alerts(pending: Iterable[int], firing: Iterable[int], **more: str) -> bytes:
    rows = []
    for state, found in (("pending", list(pending)), ("firing", list(firing))):
        metric = {"__name__": "ALERTS", "alertstate": state} | dict(ONE) | more
        if found:
            rows.append({"metric": metric, "values": [[at * 60, "1"] for at in found]})
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": rows}}).encode()


def test_a_faithful_canary() -> None:
    found = fidelity_of(timeline(range(10, 20)), decode_raw(alerts([10, 11], range(12, 20))), VERSION, WINDOW)
    assert (found.agreement, found.n, found.live, found.simulated) == (1.0, 10, 10, 10)


def test_a_store_that_adds_a_label_is_seen_through() -> None:
    body = alerts([10, 11], range(12, 20), replica="a")
    assert fidelity_of(timeline(range(10, 20)), decode_raw(body), VERSION, WINDOW).agreement == 1.0


def test_a_grafana_that_keeps_its_states_as_series() -> None:
    """Its alert has the name of its series; the series of its states has a name, a folder and a uid of their own."""
    named = replace(timeline(range(10, 20)), identities=((("__name__", "up"), *ONE),))
    body = alerts([10, 11], range(12, 20), grafana_folder="web prod", grafana_rule_uid="x")
    body = body.replace(b'"ALERTS"', b'"GRAFANA_ALERTS"')
    assert fidelity_of(named, decode_raw(body), VERSION, WINDOW).agreement == 1.0


def test_one_evaluation_of_shift_is_forgiven_and_two_are_not() -> None:
    one = fidelity_of(timeline(range(10, 20)), decode_raw(alerts([11, 12], range(13, 21))), VERSION, WINDOW)
    assert one.agreement == 1.0
    two = fidelity_of(timeline(range(10, 20)), decode_raw(alerts([12, 13], range(14, 22))), VERSION, WINDOW)
    assert two.agreement is not None and two.agreement < 0.9


@pytest.mark.parametrize(
    ("live", "agreement"), [(alerts([], []), 0.0), (alerts([10, 11], range(12, 16)), 0.7)]
)
def test_an_unfaithful_canary(live: bytes, agreement: float) -> None:
    found = fidelity_of(timeline(range(10, 20)), decode_raw(live), VERSION, WINDOW)
    assert found.agreement == agreement and found.n == 10


def test_only_the_live_one_fires() -> None:
    found = fidelity_of(timeline([]), decode_raw(alerts([], range(5))), VERSION, WINDOW)
    assert (found.agreement, found.simulated, found.live) == (0.0, 0, 5)


class Carried(Asked):
    """A Prometheus that tells, at each time asked for, what its last evaluation before left standing."""

    def __init__(self, times: Iterable[int]) -> None:
        super().__init__()
        self.times = set(times)

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        self.asked.append(expr)
        values = [
            [at / 1000, "1"] for at in range(start_ms, end_ms + 1, step_ms) if at // MINUTE in self.times
        ]
        rows = [{"metric": {"__name__": "ALERTS"}, "values": values}] if values else []
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": rows}}).encode()


def test_what_a_busy_server_left_out_is_no_disagreement() -> None:
    """Evaluations 13 to 15 were not made: nothing is stored of them, and what was there before still stands."""
    made, live = timeline(range(10, 20)), decode_raw(alerts([10, 11], [12, 16, 17, 18, 19]))
    assert (fidelity_of(made, live, VERSION, WINDOW).agreement or 1) < 0.98
    source = Carried(range(10, 20))
    gone = left_out(made, live, VERSION, ("tocsin_canary", "c-1"), WINDOW, source)
    assert gone == {13, 14, 15} and source.asked == ['ALERTS{tocsin_canary="c-1"}']
    found = fidelity_of(made, live, VERSION, WINDOW, gone)
    assert (found.agreement, found.n, found.left_out) == (1.0, 7, 3)


def test_what_ended_too_early_was_not_left_out() -> None:
    """A mark of the end is stored, so nothing stands: the canary did something else."""
    made, live = timeline(range(10, 20)), decode_raw(alerts([10, 11], range(12, 16)))
    assert left_out(made, live, VERSION, ("a", "b"), WINDOW, Carried(range(10, 16))) == frozenset()
    elsewhere = replace(VERSION, machine="grafana")
    assert left_out(made, live, elsewhere, ("a", "b"), WINDOW, Carried(range(10, 30))) == frozenset()


def test_nothing_on_either_side_is_vacuous() -> None:
    found = fidelity_of(timeline([]), decode_raw(alerts([], [])), VERSION, WINDOW)
    assert found.vacuous and found.agreement is None
    outside = Window(start_ms=50 * MINUTE, end_ms=60 * MINUTE)
    assert fidelity_of(timeline(range(10, 20)), decode_raw(alerts([10], [])), VERSION, outside).vacuous
