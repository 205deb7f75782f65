"""A phase that is only assumed: the rule is replayed at three, the report says how far its numbers reach, and the worst counts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files

import jsonschema
import pytest
from tests.comparing import backtest
from tests.history_source import DAY, START, FakeSource, pair, version

from tocsin.canary.compare import NO_EVIDENCE, compare
from tocsin.canary.comparison import Judged
from tocsin.canary.judge import judge
from tocsin.canary.phase import others
from tocsin.canary.planner import Budget, Savings, Watch
from tocsin.canary.replay import replay
from tocsin.canary.source import Cache, Seen
from tocsin.canary.spread import judged_at_worst
from tocsin.canary.values import Pair, Replayed, RuleVersion, Window
from tocsin.ir.canary import CanaryPolicy
from tocsin.ir.compiled import RuleKey
from tocsin.report.canary_json import as_json
from tocsin.report.canary_markdown import as_markdown
from tocsin.report.canary_text import as_text

HOUR = 3_600_000
WINDOW = Window(start_ms=START + HOUR, end_ms=START + 2 * DAY + HOUR)
NOW = START + 10 * DAY
TODAY = date(2026, 11, 21)
KEY = RuleKey(env="prod", id="a")
CALM, NOISY = "load > 0.95", "load > 0.9"
EVERY_OTHER_HOUR = 24
"""Of the two days."""


def blinking(t: int) -> float:
    """High at the tenth second of each half minute of every other hour, which only who looks a third of the interval late sees; and once a day for all."""
    if t // HOUR % 2 == 0 and t % 30_000 == 10_000:
        return 0.93
    return 1.0 if t % DAY // (HOUR // 3) == 16 else 0.1


@dataclass
class Memory:
    held: dict[str, bytes] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        return self.held.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.held[key] = value


def server(*seen: Seen) -> FakeSource:
    return FakeSource(series={(("__name__", "load"), ("host", "h0")): blinking}, seen=seen)


def evaluated(group: str, at: int) -> Seen:
    return Seen(group=group, file="", interval_ms=30_000, evaluated_ms=START + at, alerts=frozenset("A"))


def run(
    one: Pair,
    source: FakeSource,
    *,
    budget: Budget | None = None,
    cache: Cache | None = None,
    spread: Container[RuleKey] = frozenset({KEY}),
) -> Replayed:
    ticks = itertools.count()
    watch = Watch(now_ms=NOW, monotonic=lambda: next(ticks) / 1000)
    (found,) = replay(
        [one], WINDOW, source, cache, budget or Budget(), watch, savings=Savings(coarse=False), spread=spread
    )
    return found


def judged(found: Replayed) -> Judged:
    return judged_at_worst(found, WINDOW, CanaryPolicy(), NO_EVIDENCE, TODAY, tested=False)


def phases(source: FakeSource) -> list[int]:
    return [each.start % 30_000 for each in source.ranges]


def changed() -> Pair:
    return pair(version(CALM), version(NOISY))


def test_the_worst_of_three_phases_counts() -> None:
    source = server()
    found = run(changed(), source)
    assert phases(source) == [0, 10_000, 20_000]
    each = [
        judge(compare(one, WINDOW, CanaryPolicy()), CanaryPolicy(), TODAY, tested=False)
        for one in (found, *found.elsewhere)
    ]
    # Two pages in two days everywhere, and one for every other hour where somebody sees them.
    assert [one.verdict for one in each] == ["quiet", "fail", "quiet"]
    worst = judged(found)
    assert worst.verdict == "fail"
    assert worst.gates == each[1].gates
    assert worst.comparison is not None
    assert worst.comparison.new_run is not None
    assert worst.comparison.new_run.phase_ms == 10_000
    spread = worst.comparison.spread
    assert spread is not None
    assert [(one.old_ms, one.new_ms, one.verdict) for one in spread.phases] == [
        (0, 0, "quiet"),
        (10_000, 10_000, "fail"),
        (20_000, 20_000, "quiet"),
    ]
    extents: dict[str, object] = {one.name: (one.old, one.new) for one in spread.extents}
    assert extents["pages"] == ((2, 2), (2, EVERY_OTHER_HOUR + 2))
    assert spread.left_out == ""


def test_each_report_shows_how_far_the_numbers_reach() -> None:
    report = backtest(judged(run(changed(), server())))
    said = "at 3 phases 2 -> 2..26 pages, 2 -> 2..26 episodes"
    for words in (as_text(report), as_markdown(report).replace("→", "->")):
        assert said in words
        assert "quiet, fail, quiet, of which the worst counts" in words
    document = json.loads(as_json(report))
    schema = json.loads(files("tocsin").joinpath("schemas/canary-report.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    spread = document["rules"][0]["comparison"]["spread"]
    assert spread["phases"][1] == {"old": 10, "new": 10, "verdict": "fail"}
    assert spread["metrics"][0] == {"name": "pages", "old": [2, 2], "new": [2, 26]}
    assert spread["left_out"] == ""


def test_a_phase_that_is_known_is_the_only_one() -> None:
    source = server(evaluated("g", 10_000))
    found = run(changed(), source)
    assert phases(source) == [10_000]
    assert found.elsewhere == ()
    result = judged(found)
    assert result.verdict == "fail"
    assert result.comparison is not None
    assert result.comparison.spread is None
    assert "phases" not in as_text(backtest(result))


def test_what_nobody_asked_to_spread_is_replayed_once() -> None:
    source = server()
    assert run(changed(), source, spread=()).elsewhere == ()
    assert phases(source) == [0]


def test_what_is_known_does_not_move() -> None:
    """The new version goes to a group that is not there yet."""
    source = server(evaluated("g", 10_000))
    found = run(pair(version(NOISY), version(NOISY, group="coming")), source)
    every = (found, *found.elsewhere)
    assert [each.old.phase_ms for each in every if each.old] == [10_000] * 3
    assert [each.new.phase_ms for each in every if each.new] == [0, 10_000, 20_000]
    # The old answer is one answer, and the new one at its phase is the same.
    assert [each.old.requests + each.new.requests for each in every if each.old and each.new] == [2, 1, 1]


@pytest.mark.parametrize(
    "one", [pair(None, version(NOISY)), pair(version(NOISY), None)], ids=["added", "removed"]
)
def test_one_side_has_a_spread_too(one: Pair) -> None:
    comparison = judged(run(one, server())).comparison
    assert comparison is not None
    assert comparison.spread is not None
    pages = comparison.spread.extents[0]
    assert [pages.old, pages.new].count(None) == 1
    assert f"{pages.old or pages.new}" == "(2, 26)"
    assert "at 3 phases 2..26 pages" in as_text(backtest(judged(run(one, server()))))


def test_a_spent_budget_is_said() -> None:
    """What is evaluated, the ALERTS, three looks for them, how far history reaches, and then the answers one by one."""
    enough = 10
    reasons = []
    for requests in range(enough):
        source = server()
        found = run(changed(), source, budget=Budget(requests=requests))
        assert len(source.ranges) == len([each for each in (found, *found.elsewhere) if _whole(each)])
        reasons.append((len(source.ranges), found.left_out))
        if source.ranges and found.left_out:
            assert found.left_out == f"budget: {requests} requests are used up"
            words = as_text(backtest(judged(found)))
            other = "at no other phase (budget" if len(source.ranges) == 1 else "at 2 phases (budget"
            assert other in words
    assert {number for number, why in reasons if why} == {1, 2}
    assert judged(run(changed(), server(), budget=Budget(requests=enough))).verdict == "fail"


def _whole(found: Replayed) -> bool:
    return found.new is not None and found.new.timeline is not None


def test_the_second_run_asks_for_nothing_and_says_the_same() -> None:
    kept = Memory()
    first = as_json(backtest(judged(run(changed(), server(), cache=kept))))
    again = server()
    assert as_json(backtest(judged(run(changed(), again, cache=kept)))) == first
    assert again.ranges == []


def of_grafana(seconds: int) -> RuleVersion:
    return version(machine="grafana", interval_ms=seconds * 1000)


def test_a_grafana_wakes_every_ten_seconds() -> None:
    assert others(version()) == (10_000, 20_000)
    assert others(version(interval_ms=10_000)) == (3_333, 6_666)
    assert others(of_grafana(60)) == (20_000, 40_000)
    assert others(of_grafana(20)) == (10_000,)
    assert others(of_grafana(10)) == ()
    source = server()
    assert run(pair(of_grafana(10), of_grafana(10)), source).elsewhere == ()
    assert judged(run(pair(None, of_grafana(20)), server())).comparison is not None
