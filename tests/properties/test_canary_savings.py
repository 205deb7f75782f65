"""Whatever the history and the rules: savings, cache and halving change no firing episode."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.history_source import (
    LOOKING_BACK,
    START,
    Asked,
    Episode,
    FakeSource,
    Value,
    episodes,
    pair,
    version,
)

from tocsin.canary.capabilities import CAPS
from tocsin.canary.planner import Budget, Savings, Watch
from tocsin.canary.replay import replay
from tocsin.canary.source import TooMuch, Unanswerable
from tocsin.canary.values import Pair, RuleVersion, Window

STEP, HOUR = 30_000, 3_600_000
WINDOW = Window(start_ms=START + 20 * HOUR, end_ms=START + 30 * HOUR)
NONE = Savings(share=False, limits=False, coarse=False)


@st.composite
def histories(draw: st.DrawFn) -> tuple[FakeSource, list[Pair], frozenset[int]]:
    """Series of long and short runs around midnight, rules over them, evaluations that fail."""

    def values() -> Value:
        lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=12))
        levels = draw(st.lists(st.sampled_from([None, 0.0, 0.5, 0.7, 0.9]), min_size=1, max_size=5))
        cycle = [levels[turn % len(levels)] for turn, length in enumerate(lengths) for _ in range(length)]
        # Long quiet, without which everything would be asked for in full.
        cycle += [None] * draw(st.sampled_from([0, 300, 900]))
        return lambda t: cycle[(t // STEP) % len(cycle)]

    series: dict[tuple[tuple[str, str], ...], Value] = {
        (("__name__", "load"), ("host", str(each)), ("rack", str(each % 2))): values()
        for each in range(draw(st.integers(1, 5)))
    }
    own = draw(st.sampled_from([{}, {"severity": "P1"}, {"host": "all"}, {"rack": "none"}, {"zone": "a"}]))
    read = draw(st.sampled_from(["load", LOOKING_BACK]))
    minutes = st.sampled_from([0, 1, 2, 5, 12]).map(lambda each: each * 60_000)

    def rule() -> RuleVersion:
        limit = draw(st.sampled_from(["> 0.4", ">= 0.5", "> 0.5", "> 0.8", "> 0.6"]))
        keep, offset = draw(minutes), draw(st.sampled_from([0, STEP]))
        expr = f"{read} {limit}"
        return version(expr, for_ms=draw(minutes), keep_ms=keep, query_offset_ms=offset, labels=own)

    pairs = [pair(rule(), rule()) for _ in range(draw(st.integers(1, 2)))]
    failing = draw(st.frozensets(st.integers(0, 400), max_size=2))
    return FakeSource(series=series), pairs, frozenset(START + 22 * HOUR + each * STEP for each in failing)


class Memory:
    """A cache in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.held.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.held[key] = value


def run(
    source: FakeSource, pairs: list[Pair], savings: Savings, cache: Memory | None = None
) -> list[list[Episode]]:
    ticks = itertools.count()
    watch = Watch(now_ms=START + 900 * HOUR, monotonic=lambda: next(ticks) / 1e6)
    budget = Budget(requests=100_000)
    found = replay(pairs, WINDOW, source, cache, budget, watch, savings=savings, calibrated=False)
    return [episodes(side) for each in found for side in (each.old, each.new)]


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(61, 400))
def test_nothing_that_saves_changes_what_fires(
    history: tuple[FakeSource, list[Pair], frozenset[int]], most: int
) -> None:
    source, pairs, failing = history

    def fault(asked: Asked) -> None:
        if any(t in failing for t in range(asked.start, asked.end + 1, asked.step)):
            raise Unanswerable("twice")

    def small(asked: Asked) -> None:
        if asked.points > most:
            raise TooMuch("too many samples")
        fault(asked)

    source.fault = fault
    plain = run(source, pairs, NONE)
    memory = Memory()
    for savings in (Savings(coarse=False), Savings(), Savings(share=False)):
        assert run(source, pairs, savings) == plain
        assert run(source, pairs, savings, memory) == plain
        asked = len(source.ranges)
        assert run(source, pairs, savings, memory) == plain
        # A sample that hit a failing evaluation is no answer to keep.
        assert len(source.ranges) == asked or failing
    source.fault = small
    source.caps = replace(CAPS["prometheus"], points=most + 100)
    assert run(source, pairs, Savings()) == plain
