"""An answer as it is kept between runs: where the series were, as runs, and the numbers where they were asked for.

`_FORMAT` is part of every key: whoever changes what is written here, or what `decode` makes of an answer, raises it, and old entries are never
read again. What cannot be read counts as absent.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Final

import numpy as np

from tocsin.canary.values import Ints, Presence

FORMAT: Final = "1"


def pack(presence: Presence, missed: Ints) -> bytes:
    """Bytes for a cache. `at` is relative to the chunk."""
    jump = np.ones(len(presence.at), dtype=bool)
    jump[1:] = (np.diff(presence.at) != 1) | (np.diff(presence.row) != 0)
    first = np.flatnonzero(jump)
    length = np.diff(np.append(first, len(presence.at))).astype(np.int32)
    head = json.dumps(
        {
            "series": presence.series,
            "runs": len(first),
            "missed": len(missed),
            "values": presence.value is not None,
        }
    ).encode()
    columns = [presence.row[first], presence.at[first], length, missed.astype(np.int32)]
    tail = b"".join(np.ascontiguousarray(each, dtype="<i4").tobytes() for each in columns)
    if presence.value is not None:
        tail += np.ascontiguousarray(presence.value, dtype="<f8").tobytes()
    return zlib.compress(head + b"\n" + tail, 1)


def unpack(data: bytes) -> tuple[Presence, Ints] | None:
    """What `pack` was given; None where the bytes are not its own."""
    try:
        head, _, tail = zlib.decompress(data).partition(b"\n")
        said = json.loads(head)
        series = tuple(tuple((str(name), str(value)) for name, value in each) for each in said["series"])
        runs, lost = int(said["runs"]), int(said["missed"])
        numbers = np.frombuffer(tail, dtype="<i4", count=3 * runs + lost)
        row, first, length = numbers[:runs], numbers[runs : 2 * runs], numbers[2 * runs : 3 * runs]
        before = np.cumsum(length) - length
        at = np.repeat(first - before, length) + np.arange(int(length.sum()))
        value = None
        if said["values"]:
            value = np.frombuffer(tail, dtype="<f8", count=len(at), offset=4 * (3 * runs + lost)).copy()
        presence = Presence(
            series=series, row=np.repeat(row, length).astype(np.int32), at=at.astype(np.int32), value=value
        )
        return presence, numbers[3 * runs :].astype(np.int32)
    except (zlib.error, ValueError, KeyError, TypeError):
        return None


def cut(presence: Presence, first: int, count: int, stride: int) -> Presence:
    """The part at indices `first`, `first + stride`, ..., with indices of its own from 0 and no series that is not in it."""
    inside = presence.where((presence.at >= first) & (presence.at <= first + stride * (count - 1)))
    return replace(inside, at=((inside.at - first) // stride).astype(np.int32))


def moved(presence: Presence, first: int, stride: int) -> Presence:
    """The part back in its place: what `cut` took out."""
    at = (presence.at * stride + first).astype(np.int32)
    return Presence(series=presence.series, row=presence.row, at=at, value=presence.value)


def joined(parts: list[Presence], *, values: bool) -> Presence:
    """Answers over times that at most touch as one: each series once, in the order of its labels, its times ascending."""
    series = sorted({labels for part in parts for labels in part.series})
    if len(parts) == 1 and parts[0].series == tuple(series):
        return parts[0]
    place = {labels: index for index, labels in enumerate(series)}
    there = sorted(
        (each for each in parts if len(each.at)), key=lambda each: (int(each.at.min()), int(each.at.max()))
    )
    # Copied series by series: to sort two million samples takes forty bytes for each, and a third of a second.
    held = [np.bincount(each.row, minlength=len(each.series)) for each in there]
    places = [np.array([place[labels] for labels in each.series], dtype=np.intp) for each in there]
    total = np.zeros(len(series), dtype=np.intp)
    for counts, where in zip(held, places, strict=True):
        total[where] += counts
    at = np.empty(int(total.sum()), dtype=np.int32)
    value = np.empty(at.size) if values else None
    free = (np.cumsum(total) - total).tolist()
    for part, counts, where in zip(there, held, places, strict=True):
        first = 0
        for index, count in zip(where.tolist(), counts.tolist(), strict=True):
            to, free[index] = free[index], free[index] + count
            at[to : to + count] = part.at[first : first + count]
            if value is not None:
                assert part.value is not None
                value[to : to + count] = part.value[first : first + count]
            first += count
    row = np.repeat(np.arange(len(series), dtype=np.int32), total)
    return Presence(series=tuple(series), row=row, at=at, value=value)


def ordered(presence: Presence) -> Presence:
    """The same, each series' times ascending: what was put together of answers about other series in the same times."""
    if not ((np.diff(presence.at) <= 0) & (np.diff(presence.row) == 0)).any():
        return presence
    order = np.lexsort((presence.at, presence.row))
    value = None if presence.value is None else presence.value[order]
    return Presence(series=presence.series, row=presence.row[order], at=presence.at[order], value=value)
