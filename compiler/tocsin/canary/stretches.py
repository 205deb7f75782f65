"""Which evaluations of a grid are wanted, as a mask over it: around hits, without small gaps, as stretches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tocsin.canary.values import Ints


def around(hits: Ints, left: int, right: int, count: int) -> NDArray[np.bool_]:
    """True from `left` before to `right` behind each index."""
    edges = np.zeros(count + 1, dtype=np.int64)
    np.add.at(edges, np.maximum(hits - left, 0), 1)
    np.add.at(edges, np.minimum(hits + right + 1, count), -1)
    near: NDArray[np.bool_] = np.cumsum(edges[:-1]) > 0
    return near


def closed(mask: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """`mask` with its gaps of up to `longest` closed, in place."""
    inside = np.flatnonzero(mask)
    if not inside.size:
        return mask
    gap = np.diff(inside)
    for at in np.flatnonzero((gap > 1) & (gap <= longest)):
        mask[inside[at] : inside[at + 1]] = True
    return mask


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, count) of each stretch of True."""
    edges = np.diff(np.concatenate(([0], mask.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(start), int(end - start)) for start, end in zip(starts, ends, strict=True)]
