"""The two ends of a window: whether the state at its start is sure, and how spells are cut to it.

A replay begins `for` + `keep_firing_for` + one interval early. What is there without a gap for `for` fires whatever was before; what is gone for
`keep_firing_for` has resolved whatever was before. Only a chain of presences, each too short to fire and each before the last one has been kept
long enough, hides whether something fired at its beginning (28 of 623 episodes differed without a warm-up, none with it; the chain is rarer still).
So does a limit that is exceeded or not by those that are kept firing. So do evaluations that fail: they leave everything as it was, and what nobody
evaluated warms nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tocsin.canary.values import CARRIED_IN, NEVER, OPEN, Grid, Ints, Presence, RuleVersion, Timeline, Window


def unsettled(alerts: Presence, grid: Grid, version: RuleVersion, warm: int, failed: Ints) -> bool:
    """Whether some alert's state at index `warm` hangs on what was before the grid. `failed` are the indices, sorted, of all evaluations that failed."""
    if version.limit and version.keep_ms:
        kept = -(-version.keep_ms // grid.step_ms)
        if (failed.size and failed[0] < warm) or _crowded_perhaps(alerts, version.limit, kept, warm):
            return True
        # From here on nobody is kept of whom nothing is known.
        later = alerts.at >= kept
        alerts, warm = replace(alerts, row=alerts.row[later], at=alerts.at[later] - kept), warm - kept
    failing = bool(failed.size) and failed[0] < warm
    if warm <= 0 or (not failing and (version.keep_ms == 0 or version.for_ms == 0)):
        return False
    # Evaluations that failed are left out: what is counted is places among the others, what is measured is their times.
    good = np.setdiff1d(np.arange(warm, dtype=np.int64), failed)
    time = good * grid.step_ms
    if not good.size or time[-1] - time[0] < version.keep_ms:
        return True
    place = np.minimum(np.searchsorted(good, alerts.at), good.size - 1)
    there = good[place] == alerts.at
    row, place = alerts.row[there], place[there]
    if not place.size:
        return False
    head = np.ones(place.size, dtype=np.bool_)
    head[1:] = (np.diff(row) != 0) | (np.diff(place) != 1)
    first = np.flatnonzero(head)
    last = np.append(first[1:], place.size) - 1
    run_row, start, end = row[first], place[first], place[last]
    fires = time[end] - time[start] >= version.for_ms
    new_row = np.ones(first.size, dtype=np.bool_)
    new_row[1:] = np.diff(run_row) != 0
    ends_row = np.append(new_row[1:], True)
    # Gone between two runs, before a row's first, and from its last one on until the window begins.
    before = np.where(new_row, 0, np.concatenate(([0], end[:-1] + 1)))
    resolves = (before < start) & (time[start - 1] - time[before] >= version.keep_ms)
    behind = np.minimum(end + 1, good.size - 1)
    resolves |= ends_row & (end < good.size - 1) & (time[-1] - time[behind] >= version.keep_ms)
    sure = np.zeros(len(alerts.series), dtype=np.bool_)
    sure[run_row[fires | resolves]] = True
    return bool((~sure[run_row]).any())


def _crowded_perhaps(alerts: Presence, limit: int, kept: int, warm: int) -> bool:
    """Whether it hangs on who is kept firing that more alerts are there than the limit allows, in which case all would be forgotten."""
    early = alerts.at < warm
    row, at = alerts.row[early], alerts.at[early]
    present = np.bincount(at, minlength=warm)
    last = np.ones(at.size, dtype=np.bool_)
    last[:-1] = (row[1:] != row[:-1]) | (at[1:] - at[:-1] > kept)
    first = np.roll(last, 1)
    change = np.bincount(at[first], minlength=warm + kept + 2)
    change -= np.bincount(at[last] + kept + 1, minlength=warm + kept + 2)
    most = np.cumsum(change)[:warm]
    return bool(((most > limit) & (present <= limit))[kept:].any())


def cut_to(timeline: Timeline, window: Window, *, pending: bool = True) -> Timeline:
    """The spells that are in the window; without `pending`, those that fired. What fired before it began (or, if it never fired, was pending
    before) is CARRIED_IN; since when a carried one fires depends on how early the replay began, so it is said to fire since the window's start."""
    start = window.start_ms
    alive = (timeline.resolved_ms == NEVER) | (timeline.resolved_ms > start)
    if not pending:
        alive &= timeline.fired_ms != NEVER
    active, fired = timeline.active_ms[alive], timeline.fired_ms[alive]
    resolved, flags = timeline.resolved_ms[alive], timeline.flags[alive].copy()
    before = np.where(fired != NEVER, fired, active) < start
    flags[before] |= CARRIED_IN
    flags[resolved == NEVER] |= OPEN
    carried = before & (fired != NEVER)
    return replace(
        timeline,
        row=timeline.row[alive],
        active_ms=np.where(carried, start, active),
        fired_ms=np.where(carried, start, fired),
        resolved_ms=resolved,
        flags=flags,
    )
