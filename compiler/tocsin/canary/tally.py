"""What fires of the rules that are watched: the same few queries however many they are.

Everything is counted from the server's own series, from the promotions until now: the alerts of all watched rules by `rule_id` and severity in one
query, and the count by alertname that everybody knows in another, which tells of all alerts and of rules without an id. So a job that runs an hour
later sees what a job that stayed would have seen. What is absent is zero.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tocsin.canary.decode import decode
from tocsin.canary.overlay import LABEL
from tocsin.canary.source import MetricSource
from tocsin.canary.values import Grid, Labels
from tocsin.canary.watch import DAYS, escaped, p99
from tocsin.promql.lex import quoted

NAME: Final = "alertname"
ID: Final = "rule_id"
_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR
_MOST_POINTS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A promoted rule: the labels that tell its alerts from all others, and those of the version before it (None where there was none). It is
    watched from `since_ms` to `end_ms`."""

    title: str
    labels: Mapping[str, str]
    old: Mapping[str, str] | None
    since_ms: int
    end_ms: int
    interval_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted of one rule since its promotion, at every second evaluation."""

    times: tuple[int, ...]
    mine: tuple[int, ...]
    total: tuple[int, ...]
    named: int
    """How many alerts of the same name fire now, whoever's they are."""
    usual: float
    """The most that fired in all in the hour before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many alerts fired at each of `times` (ms), by the labels they are grouped by; what is not there is zero."""

    times: tuple[int, ...]
    by: Mapping[Labels, tuple[int, ...]]

    def of(self, wanted: Mapping[str, str]) -> tuple[int, ...]:
        """The count of what has all these labels."""
        rows = [row for labels, row in self.by.items() if wanted.items() <= dict(labels).items()]
        return tuple(sum(each) for each in zip(*rows, strict=True)) if rows else (0,) * len(self.times)

    @property
    def total(self) -> tuple[int, ...]:
        """The count of everything."""
        return self.of({})


def since(source: MetricSource, rules: Sequence[Watched], metric: str) -> tuple[Tally, ...]:
    """How each of these rules did since its promotion, in their order. Two queries."""
    start = min(each.since_ms for each in rules)
    end = max(start, *(each.end_ms for each in rules))
    step = _step(rules, end - start + _HOUR)
    early = start - -(-_HOUR // step) * step  # what fired just before is what more is compared with
    labels = [each.labels for each in rules]
    ids = _of_ids(source, labels, early, end, step, metric)
    names = _counted(source, (NAME,), early, end, step, metric)
    return tuple(_tally(each, ids, names, step) for each in rules)


def before(source: MetricSource, rules: Sequence[Watched], metric: str) -> tuple[float | None, ...]:
    """The p99 of each version before, over the 14 days before its promotion; None where there was none. One query, one more where a version had
    no id: as finely as one answer allows."""
    start = min(each.since_ms for each in rules) - DAYS * _DAY
    end = max(each.since_ms for each in rules)
    step = _step(rules, end - start)
    start = end - -(-(end - start) // step) * step
    labels = [each.old for each in rules if each.old is not None]
    ids = _of_ids(source, labels, start, end, step, metric)
    titles = {each[NAME] for each in labels if ID not in each}
    names = _counted(source, (NAME,), start, end, step, metric, {NAME: titles}) if titles else None
    return tuple(_p99(each, ids, names) for each in rules)


def _p99(rule: Watched, ids: Counts | None, names: Counts | None) -> float | None:
    counts = ids if rule.old is not None and ID in rule.old else names
    if rule.old is None or counts is None:
        return None
    row = counts.of(rule.old)
    first = rule.since_ms - DAYS * _DAY
    return p99([count for at, count in zip(counts.times, row, strict=True) if first <= at < rule.since_ms])


def _tally(rule: Watched, ids: Counts | None, names: Counts, step: int) -> Tally:
    counts = ids if ids is not None and ID in rule.labels else names
    # A rule that is evaluated less often than others is looked at less often: two samples are two evaluations at least.
    stride = -(-2 * rule.interval_ms // step)
    last = max(rule.since_ms, rule.end_ms)
    at = [index for index, time in enumerate(names.times) if rule.since_ms <= time <= last][::stride]
    mine, total, named = counts.of(rule.labels), names.total, names.of({NAME: rule.title})
    hour = [
        count
        for time, count in zip(names.times, total, strict=True)
        if rule.since_ms - _HOUR <= time < rule.since_ms
    ]
    return Tally(
        times=tuple(names.times[each] for each in at),
        mine=tuple(mine[each] for each in at),
        total=tuple(total[each] for each in at),
        named=named[at[-1]] if at else 0,
        usual=float(max(hour, default=0)),
    )


def _of_ids(
    source: MetricSource,
    rules: Iterable[Mapping[str, str]],
    start_ms: int,
    end_ms: int,
    step_ms: int,
    metric: str,
) -> Counts | None:
    """The alerts of all rules with an id, by what tells them apart; None where no rule has one."""
    mine = [each for each in rules if ID in each]
    if not mine:
        return None
    by = [ID, *sorted({name for each in mine for name in each} - {ID})]
    return _counted(source, by, start_ms, end_ms, step_ms, metric, {ID: {each[ID] for each in mine}})


def _counted(
    source: MetricSource,
    by: Iterable[str],
    start_ms: int,
    end_ms: int,
    step_ms: int,
    metric: str,
    only: Mapping[str, Collection[str]] | None = None,
) -> Counts:
    """The firing alerts of everything but canaries by these labels, `only` of those that have one of these values."""
    parts = ["alertstate='firing'", f"{LABEL}=''"]
    for name, values in (only or {}).items():
        parts.append(f"{name}=~{quoted('|'.join(escaped(each) for each in sorted(values)))}")
    expr = f"count by ({', '.join(by)}) ({metric}{{{','.join(parts)}}})"
    grid = Grid(start_ms=start_ms, step_ms=step_ms, count=max(1, (end_ms - start_ms) // step_ms + 1))
    found = decode(source.range(expr, start_ms, grid.end_ms, step_ms), grid, values=True)
    assert found.value is not None
    rows: dict[Labels, tuple[int, ...]] = {}
    for index, labels in enumerate(found.series):
        mine = found.row == index
        line = np.zeros(grid.count, dtype=np.int64)
        line[found.at[mine]] = found.value[mine].astype(np.int64)
        rows[labels] = tuple(line.tolist())
    return Counts(times=tuple(grid.times().tolist()), by=rows)


def _step(rules: Sequence[Watched], length_ms: int) -> int:
    """Twice the shortest interval, or as finely as one answer allows; in whole seconds: a Prometheus reads a fraction as a float, and may be a
    millisecond beside it."""
    step = max(2 * min(each.interval_ms for each in rules), length_ms // _MOST_POINTS)
    return max(1000, -(-step // 1000) * 1000)
