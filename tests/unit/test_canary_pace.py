"""A source that slows down under the asking is left alone; told by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.history_source import START, Asked, FakeSource, pair, version, wave

from tocsin.canary.capabilities import CAPS
from tocsin.canary.pace import ANSWERS, Pace
from tocsin.canary.planner import Budget, Savings, Watch
from tocsin.canary.replay import replay
from tocsin.canary.source import TooMuch, Unanswerable
from tocsin.canary.values import Window

HOUR = 3_600_000
WINDOW = Window(start_ms=START + HOUR, end_ms=START + 3 * HOUR)
SERIES = {(("__name__", "load"), ("host", "h0")): wave(0)}
APART = Savings(share=False, limits=False, coarse=False)
RULES = 50


def run(takes: Callable[[int], float], fault: Callable[[int], None] = lambda _: None) -> list[str]:
    """How many of fifty rules come out how, one request each: the n-th request takes so many seconds."""
    now, asked = [0.0], [0]

    def answering(_: Asked) -> None:
        now[0] += takes(asked[0])
        asked[0] += 1
        fault(asked[0] - 1)

    source = FakeSource(series=SERIES, caps=replace(CAPS["prometheus"], workers=1), fault=answering)
    pairs = [pair(None, version(f"load > 0.{each}", name=f"R{each}")) for each in range(50, 50 + RULES)]
    watch = Watch(now_ms=START + 10 * 24 * HOUR, monotonic=lambda: now[0])
    found = replay(pairs, WINDOW, source, None, Budget(seconds=10_000), watch, savings=APART)
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


@pytest.mark.parametrize(("outliers", "slow"), [(1, False), (2, True)])
def test_one_answer_of_twenty_says_nothing(outliers: int, slow: bool) -> None:
    pace = Pace()
    for each in (*[0.5] * ANSWERS, *[0.5] * (ANSWERS - outliers), *[60.0] * outliers):
        pace.took(each)
    assert pace.slow is slow


def test_twenty_answers_decide_and_what_was_slow_stays_so() -> None:
    pace = Pace()
    for each in (*[0.5] * ANSWERS, *[4.0] * (ANSWERS - 1)):
        pace.took(each)
    assert not pace.slow
    for each in (4.0, *[0.1] * 2 * ANSWERS):
        pace.took(each)
    assert pace.slow


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
