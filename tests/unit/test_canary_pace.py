"""A source that slows down under the asking is left alone, and heavy rules behind light ones are no slow source; told by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.history_source import START, Asked, FakeSource, pair, version, wave

from tocsin.canary.capabilities import CAPS
from tocsin.canary.pace import ANSWERS, CONTROLS, Pace, Timed
from tocsin.canary.planner import Budget, Savings, Watch
from tocsin.canary.replay import replay
from tocsin.canary.source import TooMuch, Unanswerable
from tocsin.canary.values import Window

HOUR = 3_600_000
WINDOW = Window(start_ms=START + HOUR, end_ms=START + 3 * HOUR)
SERIES = {(("__name__", "load"), ("host", "h0")): wave(0)}
APART = Savings(share=False, limits=False, coarse=False)
RULES = 50


def run(
    takes: Callable[[int], float],
    fault: Callable[[int], None] = lambda _: None,
    heavy: Callable[[str], float] = lambda _: 0.0,
    budget: Budget | None = None,
) -> list[str]:
    """How fifty rules come out, one request each: the n-th request takes so many seconds, and as many more as its expression is heavy."""
    now, asked = [0.0], [0]

    def answering(what: Asked) -> None:
        now[0] += takes(asked[0]) + heavy(what.expr)
        asked[0] += 1
        fault(asked[0] - 1)

    source = FakeSource(series=SERIES, caps=replace(CAPS["prometheus"], workers=1), fault=answering)
    pairs = [pair(None, version(f"load > 0.{each}", name=f"R{each}")) for each in range(50, 50 + RULES)]
    watch = Watch(now_ms=START + 10 * 24 * HOUR, monotonic=lambda: now[0])
    found = replay(pairs, WINDOW, source, None, budget or Budget(seconds=10_000), watch, savings=APART)
    return [each.new.exactness.text for each in found if each.new is not None]


def test_a_source_that_takes_three_times_as_long_is_asked_no_more() -> None:
    levels = run(lambda number: 0.5 if number < ANSWERS else 1.5)
    assert levels[: 2 * ANSWERS] == ["phase-assumed"] * (2 * ANSWERS)
    assert levels[2 * ANSWERS :] == ["not-backtestable(the source slowed down)"] * (RULES - 2 * ANSWERS)


@pytest.mark.parametrize(
    ("first", "later"),
    [(0.5, 1.4), (0.01, 0.9), (2.0, 2.0), (3.0, 0.1)],
    ids=["not yet three times", "never a second", "always slow", "faster"],
)
def test_another_source_is_asked_to_the_end(first: float, later: float) -> None:
    assert set(run(lambda number: first if number < ANSWERS else later)) == {"phase-assumed"}


LIGHT = [f"load > 0.{each}" for each in range(50, 50 + ANSWERS)]


def test_heavy_rules_behind_light_ones_are_no_slow_source() -> None:
    asked: list[str] = []

    def heavy(expr: str) -> float:
        asked.append(expr)
        return 0.1 if expr in LIGHT else 5.0

    assert set(run(lambda _: 0.0, heavy=heavy)) == {"phase-assumed"}
    # Three were asked again, once: from then on heavy ones are compared with heavy ones.
    again = [expr for expr in asked if asked.count(expr) > 1]
    assert len(again) == 2 * CONTROLS and set(again) < set(LIGHT)


def test_heavy_rules_on_a_source_that_does_slow_down_are_asked_no_more() -> None:
    levels = run(
        lambda number: 0.0 if number < ANSWERS else 2.0, heavy=lambda expr: 0.1 if expr in LIGHT else 5.0
    )
    assert levels[2 * ANSWERS :] == ["not-backtestable(the source slowed down)"] * (RULES - 2 * ANSWERS)


def test_a_budget_that_ends_within_the_doubt_is_what_is_said() -> None:
    budget = Budget(requests=2 * ANSWERS + 3, seconds=10_000)
    assert run(lambda number: 0.5 if number < ANSWERS else 1.5, budget=budget)[-1] == (
        f"not-backtestable(budget: {budget.requests} requests are used up)"
    )


@pytest.mark.parametrize(("outliers", "doubt"), [(1, False), (2, True)])
def test_one_answer_of_twenty_says_nothing(outliers: int, doubt: bool) -> None:
    pace = Pace()
    found = [
        pace.took(Timed(each, (str(number), 0, 0, 0)))
        for number, each in enumerate((*[0.5] * ANSWERS, *[0.5] * (ANSWERS - outliers), *[60.0] * outliers))
    ]
    assert [each is not None for each in found] == [False] * (2 * ANSWERS - 1) + [doubt]


@pytest.mark.parametrize(
    ("late", "slow"),
    [([True, True, False], True), ([True, False, False], False), ([], True)],
    ids=["most are late", "most are not", "nothing can be asked again"],
)
def test_most_of_what_is_asked_again_decides_and_what_was_slow_stays_so(late: list[bool], slow: bool) -> None:
    pace = Pace()
    for each in (*[0.5] * ANSWERS, *[4.0] * ANSWERS):
        pace.took(Timed(each))
    assert not pace.slow
    pace.settle(late)
    for each in [0.1] * 2 * ANSWERS:
        pace.took(Timed(each))
    assert pace.slow is slow


def test_a_refusal_for_size_counts_and_a_failing_query_does_not() -> None:
    """Queries that fail at once would make a first twenty that everything is slow against."""

    def failing(number: int) -> None:
        if number < 2 * ANSWERS:
            raise Unanswerable("two series meet")

    assert "slowed down" not in str(run(lambda number: 0.001 if number < 2 * ANSWERS else 1.2, failing))

    def refusing(number: int) -> None:
        if number >= ANSWERS:
            raise TooMuch("query timed out")

    levels = run(lambda number: 0.5 if number < ANSWERS else 30.0, refusing)
    assert levels[-1] == "not-backtestable(the source slowed down)"
