"""The alert state machine of Prometheus over a whole grid at once, and what a timeline shows at each evaluation.

    Presence of alerts, Grid, RuleVersion -> Timeline

From AlertingRule.Eval (rules/alerting.go; 2.42 and 3.x agree on everything here). With T the times of the evaluations that happened and did not fail:

- What is there at s..e, and not before or after, is pending from T[s] and fires at the first k in s..e with T[k] - T[s] >= `for`.
- What fires and is gone at g = e + 1 goes on firing while T[k] - T[g] < `keep_firing_for`. If it comes back at or before the first k for which that
  is over, it never stopped: it fires on, however short the new presence is.
- A failed evaluation changes nothing, but time passes. So it is taken out of T, and not taken for an absence.
- More alerts than `limit`, pending and firing together, fail the evaluation, and every alert of the rule is forgotten.

That a firing alert becomes pending again where its `for` grew (3.11) is a matter of reloads, which no replay has. Nor has it restarts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tocsin.canary.grafana_machine import simulate_grafana
from tocsin.canary.spells import Bools, Positions, Spells, none, positions, spells, timeline_of
from tocsin.canary.values import NEVER, Grid, Ints, Presence, RuleVersion, Timeline, Times


def simulate(presence: Presence, grid: Grid, version: RuleVersion, failed: Ints | None = None) -> Timeline:
    """What the version's server would have shown, given where each alert's expression had a sample. `failed` are the grid indices at which the
    rule itself fails although the query does not (the second value of `identities`)."""
    failed = np.zeros(0, dtype=np.int32) if failed is None else failed
    if version.machine == "grafana":
        return simulate_grafana(presence, grid, version, failed)
    row, pos, index = positions(presence, grid, failed)
    times = grid.times()[index]
    if version.limit > 0:
        found, over = _limited(row, pos, times, version)
        failed = np.union1d(failed, index[over]).astype(np.int32)
    else:
        found = spells(row, pos, times, version.for_ms, version.keep_ms)
    return timeline_of(found, presence, grid, times, failed)


def firing(timeline: Timeline) -> tuple[Ints, Ints]:
    """(row, at) of every evaluation at which an alert fires, sorted. A failed evaluation shows nothing."""
    fired = timeline.fired_ms != NEVER
    return _states(timeline, timeline.fired_ms, timeline.resolved_ms, fired)


def pending(timeline: Timeline) -> tuple[Ints, Ints]:
    """(row, at) of every evaluation at which an alert is pending, sorted. A failed evaluation shows nothing."""
    until = np.where(timeline.fired_ms != NEVER, timeline.fired_ms, timeline.resolved_ms)
    return _states(timeline, timeline.active_ms, until, np.ones(until.size, dtype=np.bool_))


def _limited(row: Ints, pos: Ints, times: Times, version: RuleVersion) -> tuple[Spells, Positions]:
    """The spells under a limit, and the positions at which it is exceeded. Where more are present than the limit allows, the evaluation fails
    whatever was before; those positions cut the rest into stretches that know nothing of each other."""
    count = times.size
    order = np.argsort(pos, kind="stable")
    row, pos = row[order], pos[order]
    crowded = np.flatnonzero(np.bincount(pos, minlength=count) > version.limit)
    parts: list[Spells] = []
    over = [int(each) for each in crowded]
    bounds = [-1, *over, count]
    for before, stop in pairwise(bounds):
        for part, failing in _stretch(row, pos, times, before + 1, stop, version):
            parts.append(part)
            over.extend(failing)
    return _together(parts), np.array(sorted(over), dtype=np.intp)


def _stretch(
    row: Ints, pos: Ints, times: Times, start: int, stop: int, version: RuleVersion
) -> Iterator[tuple[Spells, tuple[int, ...]]]:
    """Spells from `start`, where no alert is known, to `stop`, where all are forgotten. Alerts that are kept firing count, so the limit may be
    exceeded in between; then the stretch begins again behind that."""
    while start < stop:
        whole = _between(row, pos, times, start, stop, version)
        change = np.bincount(whole.start, minlength=stop + 1) - np.bincount(whole.end, minlength=stop + 1)
        crowded = np.flatnonzero(np.cumsum(change) > version.limit)
        if not crowded.size:
            yield whole, ()
            return
        first = int(crowded[0])
        yield _between(row, pos, times, start, first, version), (first,)
        start = first + 1


def _between(row: Ints, pos: Ints, times: Times, start: int, stop: int, version: RuleVersion) -> Spells:
    """The spells of the positions in [start, stop), of presence sorted by position; what is still there ends at `stop`."""
    low, high = np.searchsorted(pos, (start, stop))
    inside, at = row[low:high], pos[low:high] - np.int32(start)
    order = np.argsort(inside, kind="stable")
    found = spells(inside[order], at[order], times[start:stop], version.for_ms, version.keep_ms)
    return Spells(
        row=found.row,
        start=found.start + start,
        fire=np.where(found.fire == NEVER, NEVER, found.fire + start),
        end=found.end + start,
        bridged=found.bridged,
    )


def _together(parts: list[Spells]) -> Spells:
    if not parts:
        return none()
    row = np.concatenate([each.row for each in parts])
    start = np.concatenate([each.start for each in parts])
    order = np.lexsort((start, row))
    return Spells(
        row=row[order],
        start=start[order],
        fire=np.concatenate([each.fire for each in parts])[order],
        end=np.concatenate([each.end for each in parts])[order],
        bridged=np.concatenate([each.bridged for each in parts])[order],
    )


def _states(timeline: Timeline, since: Times, until: Times, wanted: Bools) -> tuple[Ints, Ints]:
    """Every grid index in [since, until) of the wanted spells but those that fail."""
    grid = timeline.grid
    first = _index(grid, since[wanted])
    stop = np.where(until[wanted] == NEVER, grid.count, _index(grid, until[wanted]))
    length = np.maximum(stop - first, 0)
    row = np.repeat(timeline.row[wanted], length)
    at = np.arange(length.sum(), dtype=np.int64) + np.repeat(first - (np.cumsum(length) - length), length)
    shown = np.ones(grid.count, dtype=np.bool_)
    shown[grid.missed] = False
    shown[timeline.failed] = False
    seen = shown[at]
    return row[seen], at[seen].astype(np.int32)


def _index(grid: Grid, times: Times) -> Times:
    """The first grid index at or after each time, inside the grid or just behind it."""
    return np.clip(-((grid.start_ms - times) // grid.step_ms), 0, grid.count)
