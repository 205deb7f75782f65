"""What of which series is still to be asked for once samples have hit: a mask of evaluations for each key of a `Narrow`.

    hit* -> next -> (ask) -> kept, hit* -> next -> ... -> nothing more

A key's mask is what one question about all series would have had for these; so each series that fires is seen from before its first sample to where
it has resolved, whoever else is asked for with it. Nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tocsin.canary.narrow import Key, Narrow
from tocsin.canary.planner import Question, pieces
from tocsin.canary.stretches import around, closed, runs
from tocsin.canary.values import Ints, Presence

FLOOR: Final = 60
"""Points below which a request is not halved any more, and evaluations below which two neighbourhoods of hits are asked for as one."""
_OFTEN: Final = 0.3
"""The share of evaluations that somebody wants, above which all are asked for, day by day. A request counts as `FLOOR` of them."""
Stretch = tuple[int, int]
"""The first index of the question's grid, and how many."""


class Closeups:
    """The masks of one question. `keys` are all that were hit, `()` alone where the question is about all series."""

    def __init__(self, question: Question, part: Narrow, keys: Collection[Key], points: int) -> None:
        self._question, self._part, self._points = question, part, points
        self._row = {key: row for row, key in enumerate(sorted(keys))}
        shape = (len(self._row), question.grid.count)
        self._wanted, self._covered = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
        self._asked = np.zeros(shape, dtype=np.bool_)

    def want(self, count: int, *, there: bool) -> None:
        """The first evaluations of all series; `there` where they have been asked for."""
        (self._covered if there else self._wanted)[:, :count] = True

    def hit(self, presence: Presence, left: int, right: int) -> None:
        """From `left` before to `right` behind each sample of each series."""
        rows = self._rows(presence)
        for row in np.unique(rows).tolist():
            self._wanted[row] |= around(
                np.unique(presence.at[rows == row]), left, right, self._wanted.shape[1]
            )

    def failed(self, missed: Ints, settle: int) -> None:
        """Behind an evaluation that fails, too: what is kept firing resolves as much later, and may be back by then."""
        self._wanted |= around(missed, 0, settle, self._wanted.shape[1])

    def next(self, *, most: int) -> list[tuple[str | None, list[Stretch]]]:
        """(expression, stretches) of what is wanted and was not asked for; None for an expression that cannot be written. `kept` is about these.
        Everything there is where that would be more than `most` stretches."""
        if not (self._wanted & ~self._covered).any():
            return []
        near = closed(_anyone(self._wanted | self._covered), FLOOR)
        stretches = len(runs(near))
        everything = stretches > most
        often = everything or bool(near.sum() + FLOOR * stretches > _OFTEN * near.size)
        if everything:
            self._wanted[:] = True
        elif not self._part.labels:
            self._wanted[0] = True if often else near
        new = self._wanted & ~self._covered
        self._asked[:] = False
        found: dict[tuple[int, ...], list[Stretch]] = {}
        for rows, (first, count) in self._stretches(new, often=often):
            self._asked[list(rows), first : first + count] = True
            spans = found.setdefault(rows, [])
            if spans and sum(spans[-1]) == first:
                spans[-1] = (spans[-1][0], spans[-1][1] + count)
            else:
                spans.append((first, count))
        self._asked &= ~self._covered
        self._covered |= self._asked
        keys = list(self._row)
        return [(self._part.about([keys[row] for row in rows]), spans) for rows, spans in found.items()]

    def kept(self, presence: Presence) -> Presence:
        """What of an answer was asked for the first time, without series of which nothing is left."""
        rows = self._rows(presence)
        known = rows >= 0
        known[known] = self._asked[rows[known], presence.at[known]]
        return presence if known.all() else presence.where(known)

    def _stretches(self, new: NDArray[np.bool_], *, often: bool) -> Iterator[tuple[tuple[int, ...], Stretch]]:
        """What is new by the keys that want it: within a stretch (a day where much is wanted) all of them get what one of them needs."""
        together = _anyone(new)
        if not self._part.labels:
            for stretch in runs(together):
                yield (0,), stretch
            return
        for first, count in [(0, together.size)] if often else runs(closed(together, FLOOR)):
            for piece in pieces(self._question, first, count, 1, self._points):
                inside = new[:, piece.first : piece.first + piece.count]
                rows = np.flatnonzero(inside.any(axis=1))
                if rows.size:
                    at = np.flatnonzero(inside.any(axis=0))
                    yield tuple(rows.tolist()), (piece.first + int(at[0]), int(at[-1] - at[0]) + 1)

    def _rows(self, presence: Presence) -> Ints:
        """The mask of each sample; -1 for a key that was not hit."""
        of = [self._row.get(self._part.key(labels), -1) for labels in presence.series]
        return np.array(of, dtype=np.int32)[presence.row]


def _anyone(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What some key's mask has."""
    found: NDArray[np.bool_] = np.any(masks, axis=0)
    return found
