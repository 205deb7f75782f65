"""Alarms of stage 3, fidelity of stage 2, and the way back: on values, without a server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from tocsin.canary.decode import decode_raw
from tocsin.canary.fidelity import fidelity_of
from tocsin.canary.machine import simulate
from tocsin.canary.values import Grid, Labels, Presence, RuleVersion, Timeline, Window
from tocsin.canary.watch import Counts, Expected, alarms_of, p99
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


def test_nothing_on_either_side_is_vacuous() -> None:
    found = fidelity_of(timeline([]), decode_raw(alerts([], [])), VERSION, WINDOW)
    assert found.vacuous and found.agreement is None
    outside = Window(start_ms=50 * MINUTE, end_ms=60 * MINUTE)
    assert fidelity_of(timeline(range(10, 20)), decode_raw(alerts([10], [])), VERSION, outside).vacuous
