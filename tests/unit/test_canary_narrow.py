"""Close-ups of the series that were hit: what they are told apart by, when they are not, and that nothing that fires is lost by it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from tests.history_source import (
    DAY,
    LOOKING_BACK,
    START,
    Asked,
    Episode,
    FakeSource,
    Fault,
    Value,
    episodes,
    no_fault,
    pair,
    version,
)

from tocsin.canary.narrow import MOST, carried, narrowed
from tocsin.canary.planner import Budget, Question, Savings, Want, Watch
from tocsin.canary.replay import replay
from tocsin.canary.source import TooMuch, Unanswerable, Unfit
from tocsin.canary.values import Grid, Labels, Pair, Window

MINUTE, HOUR = 60_000, 3_600_000
WINDOW = Window(start_ms=START + HOUR, end_ms=START + 4 * DAY)
NONE = Savings(share=False, limits=False, coarse=False)
Series = dict[Labels, Value]


def question(expr: str, **labels: str) -> Question:
    want = Want(pair=0, side="new", version=version(expr, labels=labels))
    grid = Grid(start_ms=START, step_ms=30_000, count=2_881)
    return Question(expr=expr, grid=grid, offset_ms=0, wants=(want,), warm=20, stride=20)


def hit(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


HITS = [
    hit(__name__="free", instance="a-1", mount="/", job="node"),
    hit(__name__="free", instance="b.2", mount="/", job="node"),
    hit(__name__="free", instance="b.2", mount="/data", job="node"),
]


@pytest.mark.parametrize(
    ("expr", "own", "labels"),
    [
        ("predict_linear(free[6h], 86400) < 0", {"severity": "P1"}, ("instance", "mount")),
        # Series that were hit carry what the rule sets itself: nobody needs to be asked whether any does.
        ("predict_linear(free[6h], 86400) < 0", {"instance": "all"}, ()),
        ("sum by (instance) (rate(free[5m])) > 1", {}, ("instance",)),
        ("sum without (instance) (rate(free[5m])) > 1", {}, ("mount", "job")),
        ("sum(rate(free[5m])) > 1", {}, ()),
        ("sum by (instance) (rate(a[5m])) / sum by (instance) (rate(b[5m])) > 1", {}, ("instance",)),
        # Two of a match fail an evaluation for all, those who were not asked for included.
        ("rate(free[5m]) / on (instance) rate(other[5m]) > 1", {}, ()),
        ("rate({job='node'}[5m]) > 1", {}, ()),
        ("absent_over_time(free[5m])", {}, ()),
        ("rate(free[5m]) > scalar(limit)", {}, ()),
        ("label_replace(rate(free[5m]), 'x', '$1', 'mount', '(.*)') > 1", {}, ()),
        ("this is no PromQL [", {}, ()),
    ],
)
def test_what_tells_series_apart(expr: str, own: dict[str, str], labels: tuple[str, ...]) -> None:
    assert narrowed(question(expr, **own), HITS).labels == labels


def test_nothing_hit_is_nothing_to_tell_apart() -> None:
    assert narrowed(question("rate(free[5m]) > 1"), []).labels == ()


def test_an_expression_about_some_series() -> None:
    part = narrowed(question("rate(free[5m]) > 1"), HITS)
    keys = [part.key(each) for each in HITS]
    assert keys == [("a-1", "/"), ("b.2", "/"), ("b.2", "/data")]
    assert part.about(keys[:1]) == 'rate(free{instance="a-1",mount="/"}[5m]) > 1'
    assert part.about(keys[1:]) == 'rate(free{instance="b.2",mount=~"/|/data"}[5m]) > 1'
    assert part.about([*keys, ("", "/")]) == (
        r'rate(free{instance=~"|a\\-1|b\\.2",mount=~"/|/data"}[5m]) > 1'
    )


@pytest.mark.parametrize(
    ("expr", "own", "asked"),
    [
        (
            "rate(free[5m]) > 1",
            {"severity": "P1"},
            'count(present_over_time({__name__="free",alertname!=""}[87000000ms])'
            ' or present_over_time({__name__="free",severity!=""}[87000000ms]))',
        ),
        ("sum by (instance) (rate(free[5m])) > 1", {"severity": "P1"}, ""),
        (
            "sum by (instance, severity) (rate(free[5m] offset 10m)) > 1",
            {"severity": "P1"},
            'count(present_over_time({__name__="free",severity!=""}[87600000ms]))',
        ),
        ("rate(free[5m] @ 1700000000) > 1", {}, None),
        ("rate(free[5m] offset -5m) > 1", {}, None),
    ],
)
def test_what_must_not_be_carried_is_asked(expr: str, own: dict[str, str], asked: str | None) -> None:
    # A day, the range, the look-back: 86,400 + 300 + 300 seconds; and the offset where there is one.
    assert carried(question(expr, **own), 300_000) == (None if asked is None else (asked, START + DAY))


def full(t: int) -> float:
    """Full for most of every day."""
    return 1.0 if t % DAY < 20 * HOUR else 0.0


def never(_t: int) -> float:
    """Nothing to tell."""
    return 0.0


def brief(t: int) -> float:
    """Twenty minutes at noon."""
    return 1.0 if 12 * HOUR <= t % DAY < 12 * HOUR + 20 * MINUTE else 0.0


def fleet(**more: Value) -> Series:
    values = {f"h{number}": never for number in range(20)} | more
    return {hit(__name__="load", host=host, job="j"): value for host, value in values.items()}


def run(
    series: Series, pairs: list[Pair], savings: Savings | None = None, fault: Fault = no_fault
) -> tuple[list[list[Episode]], FakeSource]:
    server = FakeSource(series=series, fault=fault)
    ticks = itertools.count()
    watch = Watch(now_ms=START + 30 * DAY, monotonic=lambda: next(ticks) / 1e6)
    found = replay(pairs, WINDOW, server, None, Budget(), watch, savings=savings, calibrated=False)
    return [episodes(each.new) for each in found], server


ONE = version(f"{LOOKING_BACK} > 0.5", for_ms=10 * MINUTE, keep_ms=5 * MINUTE)


def test_those_that_were_not_hit_are_not_asked_for() -> None:
    series = fleet(h3=full, h7=lambda t: brief(t) if t < START + 2 * DAY else 0.0)
    found, server = run(series, [pair(None, ONE)])
    assert found == run(series, [pair(None, ONE)], NONE)[0]
    assert len(found[0]) == 6
    closer = [each.expr for each in server.ranges if each.step == 30_000]
    assert closer[0] == ONE.expr and server.ranges[0].step == 600_000
    # The warm-up is everybody's.
    hosts = [("h3" in each, "h7" in each) for each in closer[1:]]
    assert set(hosts) == {(True, True), (True, False)}
    assert len(server.labels_asked) == 1


@pytest.mark.parametrize(
    ("own", "narrow"),
    [({"severity": "P1"}, True), ({"job": "all"}, False), ({"host": "all"}, False), ({"zone": "x"}, True)],
)
def test_a_label_that_series_carry_and_the_rule_sets_is_asked_about_all(
    own: dict[str, str], narrow: bool
) -> None:
    """With `host` set all hosts are one alert, which fails where two are there at once, and goes on in another host where one follows the other."""
    series = fleet(h3=full, h4=lambda t: 1.0 - full(t), h7=brief)
    one = pair(None, replace(ONE, labels=own))
    found, server = run(series, [one])
    assert found == run(series, [one], NONE)[0]
    assert found[0]
    assert any("=~" in each.expr or '="' in each.expr for each in server.ranges) == narrow


@pytest.mark.parametrize("problem", [Unanswerable, TooMuch, Unfit])
def test_a_part_that_fails_is_asked_for_whole(problem: type[Exception]) -> None:
    def fault(asked: Asked) -> None:
        if "host" in asked.expr:
            raise problem("a matcher too long")

    series = fleet(h3=full)
    found, server = run(series, [pair(None, ONE)], fault=fault)
    assert found == run(series, [pair(None, ONE)], NONE)[0]
    assert server.ranges[-1].expr == ONE.expr and server.ranges[-1].points > 2_000


def test_a_fleet_that_is_hit_everywhere_is_asked_for_whole() -> None:
    series = fleet(**{f"h{number}": brief for number in range(MOST + 1)})
    found, server = run(series, [pair(None, ONE)])
    assert found == run(series, [pair(None, ONE)], NONE)[0]
    assert len(found[0]) == 4 * (MOST + 1)
    assert all(each.expr == ONE.expr for each in server.ranges)


def test_a_run_that_has_used_half_of_its_requests_makes_no_more_of_them() -> None:
    series = fleet(h3=full, h7=brief)
    server = FakeSource(series=series)
    watch = Watch(now_ms=START + 30 * DAY, monotonic=lambda: 0.0)
    found = replay([pair(None, ONE)], WINDOW, server, None, Budget(requests=6), watch, calibrated=False)
    assert [episodes(each.new) for each in found] == run(series, [pair(None, ONE)], NONE)[0]
    assert all(each.expr == ONE.expr for each in server.ranges)
