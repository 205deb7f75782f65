"""Spells of activity as arrays: what both state machines are made of.

    Presence, Grid -> positions -> Spells -> Timeline

A position counts the evaluations that a machine looks at; the list of their times says how far apart they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.canary.values import NEVER, OPEN, VIA_KEEP, Grid, Ints, Presence, Timeline, Times

Bools = NDArray[np.bool_]
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spells:
    """Spells of activity by position in a list of n times: from `start`, firing from `fire` (NEVER where it does not), gone at `end`
    (n where it is still there). Sorted by (row, start)."""

    row: Ints
    start: Positions
    fire: Positions
    end: Positions
    bridged: Bools


def positions(presence: Presence, grid: Grid, failed: Ints) -> tuple[Ints, Ints, Positions]:
    """The presence among the evaluations that neither miss nor fail: row, position among those, and the grid index of each position."""
    good = np.ones(grid.count, dtype=np.bool_)
    good[grid.missed] = False
    good[failed] = False
    if good.all():
        return presence.row, presence.at, np.arange(grid.count, dtype=np.intp)
    number = (np.cumsum(good) - 1).astype(np.int32)
    there = good[presence.at]
    return presence.row[there], number[presence.at[there]], np.flatnonzero(good)


def spells(
    row: Ints,
    pos: Ints,
    times: Times,
    for_ms: int,
    keep_ms: int,
    ends: Positions | None = None,
) -> Spells:
    """The spells of what is there at `times[pos]`, sorted by (row, pos). `ends[p]`, where given, is the first position from p on at which what is
    absent ends, whatever `keep_ms` says (n + 1 of them, at most n)."""
    count = times.size
    if not row.size:
        return none()
    begins = np.ones(row.size, dtype=np.bool_)
    begins[1:] = (row[1:] != row[:-1]) | (pos[1:] != pos[:-1] + 1)
    at = np.flatnonzero(begins)
    runs = row[at]
    start = pos[at].astype(np.intp)
    gone = np.append(pos[at[1:] - 1], pos[-1]).astype(np.intp) + 1
    fire = np.searchsorted(times, times[start] + for_ms)
    fires = fire < gone
    over = np.full(gone.size, count, dtype=np.intp)
    inside = gone < count
    over[inside] = np.searchsorted(times, times[gone[inside]] + keep_ms)
    if ends is not None:
        over = np.minimum(over, ends[gone])
    # A chain is a row of runs none of which would have ended before the next began, were they all firing. The first that fires carries the
    # rest of its chain; those before it come and go pending.
    chained = np.zeros(at.size, dtype=np.bool_)
    chained[1:] = (runs[1:] == runs[:-1]) & (start[1:] <= over[:-1])
    chain = np.cumsum(~chained) - 1
    heads = np.flatnonzero(~chained)
    number = np.arange(at.size, dtype=np.intp)
    carrier = np.minimum.reduceat(np.where(fires, number, at.size), heads)[chain]
    last = np.append(heads[1:] - 1, at.size - 1)[chain]
    own = number <= carrier
    return Spells(
        row=runs[own],
        start=start[own],
        fire=np.where(fires, fire, NEVER)[own],
        end=np.where(fires, over[last], gone)[own],
        bridged=(fires & (last > number))[own],
    )


def timeline_of(found: Spells, presence: Presence, grid: Grid, times: Times, failed: Ints) -> Timeline:
    """Positions as times, and flags."""
    count = times.size
    ends = np.append(times, NEVER)
    fire = np.where(found.fire == NEVER, count, found.fire)
    flags = np.where(found.end >= count, OPEN, 0) | np.where(found.bridged, VIA_KEEP, 0)
    return Timeline(
        grid=grid,
        identities=presence.series,
        row=found.row,
        active_ms=ends[found.start],
        fired_ms=ends[fire],
        resolved_ms=ends[found.end],
        flags=flags.astype(np.uint8),
        failed=np.setdiff1d(failed, grid.missed).astype(np.int32),
    )


def none() -> Spells:
    nothing = np.zeros(0, dtype=np.intp)
    return Spells(
        row=np.zeros(0, dtype=np.int32),
        start=nothing,
        fire=nothing,
        end=nothing,
        bridged=np.zeros(0, dtype=np.bool_),
    )
