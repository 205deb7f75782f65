"""What flows through the replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tocsin.ir.compiled import RuleKey

Ints: TypeAlias = NDArray[np.int32]
Times: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = tuple[tuple[str, str], ...]
"""A label set, sorted by name: hashable, and equal where Prometheus says equal. No empty values."""
Machine = Literal["prometheus", "grafana"]
Level = Literal[
    "exact", "exact-modulo-late-samples", "phase-assumed", "approx", "modelled", "not-backtestable"
]
_ORDER: Mapping[str, int] = {
    "exact": 0,
    "exact-modulo-late-samples": 1,
    "phase-assumed": 2,
    "modelled": 3,
    "approx": 4,
    "not-backtestable": 5,
}
CARRIED_IN, OPEN, VIA_KEEP = 1, 2, 4
"""Flags of a spell: it began before the window; it goes on after it; `keep_firing_for` bridged a gap in it."""
NEVER = -1
"""The time of what did not happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """How far a replay is what the server would have done, and every reason why it is no better."""

    level: Level
    why: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`exact`, `approx(vm)`, `not-backtestable(reads ALERTS)`."""
        return f"{self.level}({', '.join(self.why)})" if self.why else self.level

    def and_(self, other: Exactness) -> Exactness:
        """The weaker of the two, with the reasons of both where they are equally weak."""
        mine, others = _ORDER[self.level], _ORDER[other.level]
        if mine == others:
            return Exactness(level=self.level, why=tuple(dict.fromkeys((*self.why, *other.why))))
        return self if mine > others else other


EXACT = Exactness(level="exact")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """One version of one alert, as its server evaluates it. Durations are milliseconds.

    `labels` are those of group and rule together, templates unexpanded. `missing_evals`, `no_data` and `exec_err` are Grafana's settings
    (`wire.grafana`), without meaning for a Prometheus.
    """

    key: RuleKey
    digest: str
    name: str
    expr: str
    for_ms: int
    keep_ms: int
    labels: Mapping[str, str]
    interval_ms: int
    query_offset_ms: int = 0
    limit: int = 0
    machine: Machine = "prometheus"
    missing_evals: int = 1
    no_data: str = "OK"
    exec_err: str = "KeepLast"
    shape: str = "promql"
    """`split` where Grafana compares with the number itself: a series that recovers is then in the answer still."""
    group: str = ""
    file: str = ""
    """The rule file's path as the server sees it, `""` where nobody knows."""
    service: str = ""
    severity: str | None = None
    identity: tuple[str, ...] = ()
    exactness: Exactness = EXACT
    """What the expression and labels alone allow; `not-backtestable` with its reason is never fetched."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """The evaluation times of a group: `start_ms + i * step_ms` for i in [0, count). At the indices in `missed` (sorted) the evaluation failed
    or did not happen: nothing changes there, and time passes."""

    start_ms: int
    step_ms: int
    count: int
    missed: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def times(self) -> Times:
        """Every time of the grid, missed ones included."""
        return self.start_ms + self.step_ms * np.arange(self.count, dtype=np.int64)

    @property
    def end_ms(self) -> int:
        """The last time of the grid."""
        return self.start_ms + self.step_ms * (self.count - 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Presence:
    """Where an expression had a sample: `series[row[k]]` at grid index `at[k]`, sorted by (row, at), each pair once. `value` is None where
    nobody asked for it. `series` are label sets: of the result as the server gave it, or of alerts once `identities` has been at work."""

    series: tuple[Labels, ...]
    row: Ints
    at: Ints
    value: Floats | None = None

    def where(self, keep: NDArray[np.bool_]) -> Presence:
        """The samples that `keep` is True of, without the series of which none is left."""
        left, row = np.unique(self.row[keep], return_inverse=True)
        return Presence(
            series=tuple(self.series[each] for each in left),
            row=row.astype(np.int32),
            at=self.at[keep],
            value=None if self.value is None else self.value[keep],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Every spell of activity of one version: pending since `active_ms`, firing since `fired_ms` (NEVER where it did not), gone at
    `resolved_ms` (the first evaluation without it; NEVER where `flags` has OPEN). Sorted by (row, active_ms)."""

    grid: Grid
    identities: tuple[Labels, ...]
    row: Ints
    active_ms: Times
    fired_ms: Times
    resolved_ms: Times
    flags: NDArray[np.uint8]
    failed: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    """Grid indices at which the rule itself fails (two series of one identity, the limit), beyond those the grid misses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is judged, [start, end). Replays begin earlier, to be warm at `start_ms`."""

    start_ms: int
    end_ms: int

    @property
    def days(self) -> float:
        """Its length in days."""
        return (self.end_ms - self.start_ms) / 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """One version over the window. `timeline` is None where it could not be replayed; `exactness` says why."""

    version: RuleVersion
    timeline: Timeline | None
    exactness: Exactness
    phase_ms: int = 0
    phase_how: str = ""
    """`ALERTS`, `rules`, `hash`, `grafana`, `assumed`."""
    requests: int = 0
    stride: int = 1
    """Every how many-th evaluation was looked at where nothing fires; around what fires all were."""
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The replayed old version against what really fired: |both| / |either| over firing evaluations, one evaluation of shift forgiven; `n` is
    |either|. `causes` are the likely reasons where it is low."""

    agreement: float
    n: int
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A changed rule as it is replayed: `old` is None where it is added, `new` where it is removed."""

    key: RuleKey
    old: RuleVersion | None
    new: RuleVersion | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """A pair after the replay. Where nobody knows when the group is evaluated, `elsewhere` has the same pair at other times of the interval;
    `left_out` says why it has fewer of them than there should be. `held_ms` is how much of the window the history has, None for all of it."""

    pair: Pair
    old: Replay | None
    new: Replay | None
    elsewhere: tuple[Replayed, ...] = ()
    left_out: str = ""
    held_ms: int | None = None
