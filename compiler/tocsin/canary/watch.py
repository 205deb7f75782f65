"""Stage 3: how the promoted rule behaves, against what stage 0 predicted and what its last 14 days showed.

Here is what counts mean; `canary.tally` gets them from the server.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from tocsin.canary.decode import decode
from tocsin.canary.source import MetricSource
from tocsin.canary.values import Grid
from tocsin.promql.lex import quoted

Kind = Literal["peak", "flapping", "errors", "total"]
DAYS: Final = 14
SAMPLES: Final = 2
"""In a row above a limit, before it is an alarm."""
FLAPS: Final = 6
_P99_TIMES: Final = 3
_OTHERS: Final = 2
_MISSED: Final = "prometheus_rule_group_iterations_missed_total"
_HOUR: Final = 3_600_000
_LEAST: Final = 1
"""A limit is never below this: one alert of a rule that never fired is what the rule is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that a promoted rule should not do. `kind` is what `canary.rollback` of the policy decides by."""

    kind: Kind
    say: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a rule may do: `peak` as stage 0 predicted it (None where it was not replayed), `p99` of its last 14 days (None where nobody knows)."""

    peak: int | None
    p99: float | None

    @property
    def limit(self) -> float:
        """The most alerts that are no alarm."""
        known = [
            each
            for each in (self.peak, None if self.p99 is None else _P99_TIMES * self.p99)
            if each is not None
        ]
        return max([*known, _LEAST]) if known else math.inf

    @property
    def text(self) -> str:
        """Where the limit comes from, in words."""
        peak = f"stage 0 predicted {self.peak}" if self.peak is not None else "stage 0 predicted nothing"
        p99 = (
            f"the p99 of {DAYS} days is {self.p99:g}"
            if self.p99 is not None
            else f"its last {DAYS} days are not known"
        )
        return f"{peak}, {p99}"


def p99(row: Sequence[int]) -> float:
    """The 99th percentile by nearest rank, zeros among them."""
    ordered = sorted(row)
    return float(ordered[math.ceil(0.99 * len(ordered)) - 1]) if ordered else 0.0


def alarms_of(
    times: Sequence[int],
    counts: Sequence[int],
    expected: Expected,
    total: Sequence[int] = (),
    usual_total: float | None = None,
) -> tuple[Alarm, ...]:
    """What one rule's counts, and those of all alerts, say. `usual_total` is the most that all alerts were just before the promotion."""
    found = []
    over = _run(counts, expected.limit)
    if over:
        found.append(
            Alarm(
                kind="peak",
                say=f"{over} alerts fire at once, and {expected.limit:g} were expected ({expected.text})",
            )
        )
    changes = _changes(times, counts)
    if changes > FLAPS:
        found.append(Alarm(kind="flapping", say=f"its count changed {changes} times within an hour"))
    if usual_total is not None:
        limit = 2 * max(usual_total, _LEAST)
        more = _run(total, limit)
        if more:
            found.append(
                Alarm(
                    kind="total",
                    say=f"{more} alerts fire in all, more than twice the {usual_total:g} of the hour before",
                )
            )
    return tuple(found)


def _run(counts: Sequence[int], limit: float) -> int:
    """The most that was there in samples above the limit that stand in a row; 0 where none do."""
    most = 0
    for one, other in pairwise(counts):
        if one > limit and other > limit:
            most = max(most, one, other)
    return most


def _changes(times: Sequence[int], counts: Sequence[int]) -> int:
    """The most changes of the count in any one hour."""
    at = [times[index] for index in range(1, len(counts)) if counts[index] != counts[index - 1]]
    return max((sum(since - _HOUR < each <= since for each in at) for since in at), default=0)


def failures(source: MetricSource, group: str, since_ms: int, now_ms: int) -> tuple[Alarm, ...]:
    """Evaluations of the group that failed or were missed since then, as far as the server scrapes itself; nothing where it does not. Where the other
    groups missed at least half as large a share of theirs it is the server that is busy, and not this rule that is ill."""
    back = max(60_000, now_ms - since_ms)
    found = []
    mine = f"rule_group=~{quoted(f'.*;{escaped(group)}')}"
    for metric, what in (
        ("prometheus_rule_evaluation_failures_total", "evaluations of its group failed"),
        (_MISSED, "evaluations of its group were missed"),
    ):
        rose = number(
            source,
            f"sum(increase({metric}{{{mine}}}[{back}ms]))",
            now_ms,
        )
        if rose >= 1 and not (metric == _MISSED and _others_too(source, mine, back, now_ms)):
            found.append(Alarm(kind="errors", say=f"{rose:.0f} {what} since the promotion"))
    return tuple(found)


def _others_too(source: MetricSource, mine: str, back_ms: int, now_ms: int) -> bool:
    """Whether the groups beside this one missed at least half as large a share of their evaluations."""
    shares = []
    for those in (mine, mine.replace("=~", "!~", 1)):
        missed = f"sum(increase({_MISSED}{{{those}}}[{back_ms}ms]))"
        made = f"sum(increase(prometheus_rule_group_iterations_total{{{those}}}[{back_ms}ms]))"
        shares.append(number(source, f"{missed} / ({made} > 0)", now_ms))
    return shares[1] >= shares[0] / _OTHERS > 0


def counts_itself(source: MetricSource, group: str, at_ms: int) -> bool:
    """Whether the history knows how the evaluations of that group went."""
    mine = f"{{rule_group=~{quoted(f'.*;{escaped(group)}')}}}"
    return number(source, f"count(prometheus_rule_group_iterations_total{mine})", at_ms) > 0


def number(source: MetricSource, expr: str, at_ms: int) -> float:
    """The one number an expression has at a time, 0 where it has none."""
    grid = Grid(start_ms=at_ms, step_ms=1_000, count=1)
    found = decode(source.range(expr, at_ms, at_ms, 1_000), grid, values=True)
    return float(found.value[0]) if found.value is not None and found.value.size else 0.0


def escaped(text: str) -> str:
    """A text as a regular expression that matches it alone."""
    return "".join(each if each.isalnum() or each in "_-/ " else f"\\{each}" for each in text)
