"""The state machine of Grafana-managed rules, as tocsin emits them and with the other settings of missing series, no data and errors.

Read from Grafana's sources (pkg/services/ngalert/state: manager.go, state.go; 11.6 to 13), so what it says is `modelled`. A real 9.4 did, in its state
history, what is said here of such a one. Of the shape `promql` a series is in the answer only while it is wrong. At each evaluation there is then

- an answer with series: those in it are alerting. Another that Grafana still knows is missing: it stays what it is, and no clock of its own goes on, until
  it was last seen `missing_evals` intervals ago; then it is resolved at once, whatever `keep_firing_for` says.
- an answer with nothing in it: `no_data` says what becomes of every known instance. OK takes it for normal, so what fires becomes Recovering (fires on,
  for `keep_firing_for` from there) and what pends is gone; Alerting takes it for alerting.
- an error, `exec_err` likewise. An evaluation that the grid misses counts as one.

KeepLast takes what fires for alerting, lets what pends go on and fire when its time has come, and takes everything else, Recovering too, for normal.
The settings NoData and Error make an alert of their own (DatasourceNoData, DatasourceError), which is not in the timeline; to the rule's own instances
such an evaluation is one that misses them. So it is with every setting before 10.4, when an answer for all did not reach each instance yet; tocsin
says of those versions that they need two evaluations for a missing series and have no KeepLast, which is how they are known here.

Of the shape `split` a series that recovers is still in the answer, as normal; none is taken for missing, for history does not say which were.

Where this differs from a Prometheus for what tocsin emits: in failed evaluations, and for `promql` with `keep_firing_for` while another series fires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from tocsin.canary.spells import Bools, Positions, Spells, spells, timeline_of
from tocsin.canary.values import NEVER, Grid, Ints, Presence, RuleVersion, Timeline


def simulate_grafana(presence: Presence, grid: Grid, version: RuleVersion, failed: Ints) -> Timeline:
    """What a Grafana would have shown; `failed` are grid indices that fail beyond those the grid misses."""
    broken = np.zeros(grid.count, dtype=np.bool_)
    broken[grid.missed] = True
    broken[failed] = True
    there = ~broken[presence.at]
    row, at = presence.row[there], presence.at[there]
    simple = version.shape == "split" or (version.missing_evals == 1 and version.no_data == "OK")
    emitted = simple and version.exec_err in ("KeepLast", "OK") and not _apart(version)
    found = _emitted(row, at, broken, grid, version) if emitted else _walked(row, at, broken, grid, version)
    return timeline_of(found, presence, grid, grid.times(), failed)


def _apart(version: RuleVersion) -> bool:
    """Whether no data and errors are instances of their own, whatever the settings say."""
    return version.missing_evals > 1 and version.exec_err != "KeepLast"


def _emitted(row: Ints, at: Ints, broken: Bools, grid: Grid, version: RuleVersion) -> Spells:
    """The shape tocsin emits is a Prometheus whose kept alerts end where another series is in the answer, and for which KeepLast repeats in an error
    what was there before it."""
    ends = None if version.shape == "split" else _next(np.bincount(at, minlength=grid.count) > 0)
    if version.exec_err == "KeepLast" and broken.any():
        row, at = _repeated(row, at, broken)
    return spells(row, at, grid.times(), version.for_ms, version.keep_ms, ends)


def _repeated(row: Ints, at: Ints, broken: Bools) -> tuple[Ints, Ints]:
    """The presence, and what was there right before errors again in each of them."""
    behind = at.astype(np.intp) + 1
    length = _next(~broken)[behind] - behind
    more = np.repeat(behind - (np.cumsum(length) - length), length) + np.arange(length.sum())
    rows = np.concatenate([row, np.repeat(row, length)])
    ats = np.concatenate([at, more.astype(np.int32)])
    order = np.lexsort((ats, rows))
    return rows[order], ats[order]


def _next(wanted: Bools) -> Positions:
    """For each position, and for the one behind the last, the first wanted one at or after it; their count where there is none."""
    count = wanted.size
    found = np.where(wanted, np.arange(count, dtype=np.intp), count)
    return np.append(np.minimum.accumulate(found[::-1])[::-1], count)


class _State(Enum):
    NORMAL = 0
    PENDING = 1
    ALERTING = 2
    RECOVERING = 3


class _Result(Enum):
    ALERTING = 0
    NORMAL = 1
    KEEP_LAST = 2
    OTHER = 3
    """An alert of its own; the known instances get nothing."""


_RESULTS = {"Alerting": _Result.ALERTING, "OK": _Result.NORMAL, "KeepLast": _Result.KEEP_LAST}


@dataclass(slots=True)
class _Instance:
    """What Grafana knows of one series. Times are grid indices; `begun` and `fired` are of the spell it is in."""

    state: _State = _State.NORMAL
    since: int = 0
    seen: int = 0
    begun: int = 0
    fired: int = NEVER
    bridged: bool = False


@dataclass(slots=True)
class _Spell:
    row: int
    start: int
    fire: int
    end: int
    bridged: bool


def _walked(row: Ints, at: Ints, broken: Bools, grid: Grid, version: RuleVersion) -> Spells:
    """Any shape, evaluation by evaluation."""
    order = np.argsort(at, kind="stable")
    rows: list[int] = row[order].tolist()
    bounds: list[int] = np.searchsorted(at[order], np.arange(grid.count + 1)).tolist()
    no_data, error = (
        _Result.OTHER if _apart(version) else _RESULTS.get(setting, _Result.OTHER)
        for setting in (version.no_data, version.exec_err)
    )
    if version.shape == "split":
        no_data = _Result.NORMAL
    rule = _Rule(version, grid.step_ms)
    for number, fails in enumerate(broken.tolist()):
        present = rows[bounds[number] : bounds[number + 1]]
        if present:
            rule.answered(number, present)
        elif rule.known:
            rule.unanswered(number, error if fails else no_data)
    rule.close(grid.count)
    return _arrays(rule.done)


class _Rule:
    """One rule's instances in Grafana's memory, and the spells they had."""

    def __init__(self, version: RuleVersion, step_ms: int) -> None:
        self.known: dict[int, _Instance] = {}
        self.done: list[_Spell] = []
        self.step_ms = step_ms
        self.for_ms = version.for_ms
        self.keep_ms = version.keep_ms
        self.missing_evals = version.missing_evals
        self.split = version.shape == "split"

    def answered(self, number: int, present: Sequence[int]) -> None:
        """An answer with these series in it."""
        for row in present:
            instance = self.known.setdefault(row, _Instance())
            self._result(instance, row, number, _Result.ALERTING)
        if self.split:
            for row, instance in self.known.items():
                if instance.seen != number:
                    self._result(instance, row, number, _Result.NORMAL)
        self._missing(number)

    def unanswered(self, number: int, result: _Result) -> None:
        """An answer with nothing in it, or an error."""
        if result is not _Result.OTHER:
            for row, instance in self.known.items():
                self._result(instance, row, number, result)
        self._missing(number)

    def close(self, count: int) -> None:
        """The end of the grid: what is active stays open."""
        for row, instance in self.known.items():
            self._ended(instance, row, count)

    def _missing(self, number: int) -> None:
        stale = [row for row, it in self.known.items() if number - it.seen >= self.missing_evals]
        for row in stale:
            self._ended(self.known.pop(row), row, number)

    def _result(self, it: _Instance, row: int, number: int, result: _Result) -> None:
        it.seen = number
        if result is _Result.KEEP_LAST:
            held = it.state in (_State.PENDING, _State.ALERTING)
            result = _Result.ALERTING if held else _Result.NORMAL
        if result is _Result.ALERTING:
            self._alerting(it, number)
        else:
            self._normal(it, row, number)

    def _alerting(self, it: _Instance, number: int) -> None:
        if it.state is _State.NORMAL:
            it.state, it.since, it.begun = _State.PENDING, number, number
        if it.state is _State.PENDING and self._over(it, number, self.for_ms):
            it.state, it.fired = _State.ALERTING, number
        if it.state is _State.RECOVERING:
            it.state, it.bridged = _State.ALERTING, True

    def _normal(self, it: _Instance, row: int, number: int) -> None:
        if it.state is _State.ALERTING and self.keep_ms > 0:
            it.state, it.since = _State.RECOVERING, number
        elif it.state is not _State.RECOVERING or self._over(it, number, self.keep_ms):
            self._ended(it, row, number)

    def _over(self, it: _Instance, number: int, wait_ms: int) -> bool:
        return (number - it.since) * self.step_ms >= wait_ms

    def _ended(self, it: _Instance, row: int, number: int) -> None:
        if it.state is not _State.NORMAL:
            self.done.append(_Spell(row=row, start=it.begun, fire=it.fired, end=number, bridged=it.bridged))
        it.state, it.fired, it.bridged = _State.NORMAL, NEVER, False


def _arrays(done: list[_Spell]) -> Spells:
    done.sort(key=lambda each: (each.row, each.start))
    return Spells(
        row=np.array([each.row for each in done], dtype=np.int32),
        start=np.array([each.start for each in done], dtype=np.intp),
        fire=np.array([each.fire for each in done], dtype=np.intp),
        end=np.array([each.end for each in done], dtype=np.intp),
        bridged=np.array([each.bridged for each in done], dtype=np.bool_),
    )
