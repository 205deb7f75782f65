"""Is the model right? The replayed old version beside the `ALERTS` its server stored while the same hours really passed.

Agreement is |both| / |either| over evaluations at which an alert fires; what is one evaluation off is forgiven, because a late sample or a reload
moves one. It also finds drift: a live rule that is not the one in Git agrees with nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

import numpy as np

from tocsin.canary.machine import firing
from tocsin.canary.values import Calibration, Labels, Presence, Timeline, Times

_HIDDEN: Final = frozenset({"__name__", "alertstate"})
_NEAR: Final = 20
"""Evaluations; further away from any firing of the same alert, a disagreement is no matter of its edges."""


def calibrate(simulated: Timeline, real: Presence) -> Calibration:
    """How far both agree. `real` is on the grid of `simulated`; its series are the labels as stored, of firing alerts alone. Where neither has
    anything `n` is 0 and the agreement 1."""
    count = simulated.grid.count
    wide = count + 2
    really = _without_store(real, simulated.identities)
    index: dict[Labels, int] = {}
    ours = _keys(simulated.identities, *firing(simulated), index, wide)
    theirs = _keys(really, real.row, real.at, index, wide)
    shown = np.ones(count, dtype=np.bool_)
    shown[simulated.grid.missed] = False
    # Where the replay knows of no evaluation, what was stored is judged by nothing.
    theirs = theirs[shown[theirs % wide - 1]]
    either = np.union1d(ours, theirs)
    if not either.size:
        return Calibration(agreement=1.0, n=0)
    alone = either[~(_near(either, ours, 1) & _near(either, theirs, 1))]
    agreement = 1 - alone.size / either.size
    return Calibration(
        agreement=agreement,
        n=int(either.size),
        causes=_causes(alone, ours, theirs, wide) if alone.size else (),
    )


def store_labels(stored: Collection[Labels], known: Iterable[Labels]) -> frozenset[str]:
    """The names of what a store adds to every series (external labels): one value everywhere, and a name that none of the `known` alerts has.
    Nothing where no alert is known."""
    names = {name for labels in known for name, _ in labels}
    counts = Counter(each for labels in stored for each in labels)
    return frozenset(
        name for (name, _), count in counts.items() if names and name not in names and count == len(stored)
    )


def _without_store(real: Presence, known: tuple[Labels, ...]) -> tuple[Labels, ...]:
    bare = [tuple(each for each in labels if each[0] not in _HIDDEN) for labels in real.series]
    added = store_labels(bare, known)
    return tuple(tuple(each for each in labels if each[0] not in added) for labels in bare)


def _keys(
    series: tuple[Labels, ...],
    row: np.ndarray[tuple[int], np.dtype[np.int32]],
    at: np.ndarray[tuple[int], np.dtype[np.int32]],
    index: dict[Labels, int],
    wide: int,
) -> Times:
    """One number for each (alert, evaluation), sorted, each once; neighbours of one alert differ by 1 and two alerts never meet."""
    place = np.array([index.setdefault(labels, len(index)) for labels in series], dtype=np.int64)
    if not row.size:
        return np.zeros(0, dtype=np.int64)
    return np.unique(place[row] * wide + at.astype(np.int64) + 1)


def _near(wanted: Times, there: Times, slack: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of `wanted` have one of `there` at most `slack` away."""
    if not there.size:
        return np.zeros(wanted.size, dtype=np.bool_)
    after = np.searchsorted(there, wanted)
    right = np.abs(there[np.minimum(after, there.size - 1)] - wanted)
    left = np.abs(wanted - there[np.maximum(after - 1, 0)])
    near: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.minimum(left, right) <= slack
    return near


def _causes(alone: Times, ours: Times, theirs: Times, wide: int) -> tuple[str, ...]:
    """The likely reasons, each of which explains at least a quarter of what disagrees."""
    if not theirs.size:
        return ("nothing of it is stored: the rule was not evaluated, or is not the one in Git",)
    if not ours.size:
        return ("it fired, and its replay never does: the live rule is not the one in Git",)
    one_side = ~np.isin(alone // wide, np.intersect1d(ours // wide, theirs // wide))
    silent = _silent(alone, ours, theirs, wide) & ~one_side
    edges = _near(alone, ours, _NEAR) & _near(alone, theirs, _NEAR) & ~one_side & ~silent
    rest = ~(one_side | silent | edges)
    said = (
        (
            one_side,
            "alerts that one side alone has: the live rule is not the one in Git, or the store changes labels",
        ),
        (silent, "evaluations at which nothing is stored: a restart, or evaluations that were missed"),
        (edges, "firing begins or ends at other evaluations: late samples, another phase, or another `for`"),
        (rest, "episodes that one side alone has: late or lost samples, or another threshold"),
    )
    return tuple(text for which, text in said if 4 * int(which.sum()) >= alone.size)


def _silent(
    alone: Times, ours: Times, theirs: Times, wide: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Those at evaluations at which the replay has several alerts and the store none at all."""
    stored = np.unique(theirs % wide)
    at, alerts = np.unique(ours % wide, return_counts=True)
    several = at[alerts > 1]
    return np.isin(alone % wide, several) & ~np.isin(alone % wide, stored)
