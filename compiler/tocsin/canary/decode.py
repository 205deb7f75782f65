"""The one door to orjson: what a server answered to a query -> arrays on a grid.

Written for long answers: a week of a broad rule is 37 MB. Every sample is touched by C code alone (`itemgetter`, `fromiter`); a Python loop
over samples would cost more than the whole rest of the replay. The careful walk that names the wrong field runs only once the fast one failed.

A sample that does not lie on the grid is an error and no rounding: somebody moved start or step (VictoriaMetrics does, unless told `nocache`),
and every evaluation would be another one than the rule's. A native histogram is a sample like any other, without a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Final, NoReturn, TypeAlias

import numpy as np
import orjson

from tocsin.canary.source import Unfit
from tocsin.canary.values import Floats, Grid, Ints, Labels, Presence, Times
from tocsin.errors import WrongShape

_Json: TypeAlias = object
_INFO: Final = "PromQL info:"
"""How Prometheus 2 wrote what Prometheus 3 puts under `infos`: remarks on the expression, nothing is missing."""
_SERIES: Final = b'{"metric":{'
_SLICE: Final = 1 << 18
_NO_INTS: Final[Ints] = np.zeros(0, dtype=np.int32)
_NO_FLOATS: Final[Floats] = np.zeros(0)
_TIME = itemgetter(0)
_VALUE = itemgetter(1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Stored samples with their own times: `series[row[k]]` at `at_ms[k]`, sorted by (row, at_ms), each pair once."""

    series: tuple[Labels, ...]
    row: Ints
    at_ms: Times
    value: Floats


def decode(body: bytes, grid: Grid, *, values: bool = False, endpoint: str = "query_range") -> Presence:
    """The answer to a range query over `grid`, whose times are the query's. `values` keeps the numbers. `Unfit` for a partial answer, `WrongShape`
    for anything else than a matrix on the grid."""
    series: list[Labels] = []
    rows, ats, floats = [_NO_INTS], [_NO_INTS], [_NO_FLOATS]
    for part in _parts(body, endpoint, values=values):
        # Made small at once: an answer of two million samples is eight bytes for each, and its times alone were as much again.
        rows.append(part.row + np.int32(len(series)))
        ats.append(_placed(part.at_ms, grid, endpoint))
        floats.append(part.value)
        series.extend(part.series)
    _once(series, endpoint)
    return Presence(
        series=tuple(series),
        row=np.concatenate(rows),
        at=np.concatenate(ats),
        value=np.concatenate(floats) if values else None,
    )


def decode_raw(body: bytes, *, endpoint: str = "query") -> Samples:
    """The answer to a raw look-back (`selector[1h]`): a matrix whose samples lie wherever they were stored."""
    parts = list(_parts(body, endpoint, values=True))
    series = [labels for part in parts for labels in part.series]
    _once(series, endpoint)
    before = np.cumsum([0, *(len(part.series) for part in parts[:-1])], dtype=np.int32)
    rows = [part.row + first for part, first in zip(parts, before, strict=True)]
    return Samples(
        series=tuple(series),
        row=np.concatenate(rows),
        at_ms=np.concatenate([part.at_ms for part in parts]),
        value=np.concatenate([part.value for part in parts]),
    )


def _placed(at_ms: Times, grid: Grid, endpoint: str) -> Ints:
    """The grid indices of times, each of which must be one of the grid's."""
    at, beside = np.divmod(at_ms - grid.start_ms, grid.step_ms)
    wrong = (beside != 0) | (at < 0) | (at >= grid.count)
    if wrong.any():
        first = int(at_ms[int(np.argmax(wrong))])
        _wrong(
            endpoint,
            f"is a sample at {first} ms, which is no time that was asked for"
            f" (every {grid.step_ms} ms from {grid.start_ms} to {grid.end_ms})",
            "data.result[].values",
        )
    return at.astype(np.int32)


def _once(series: Sequence[Labels], endpoint: str) -> None:
    if len(set(series)) != len(series):
        _wrong(endpoint, "names one series twice", "data.result[].metric")


def _parts(body: bytes, endpoint: str, *, values: bool) -> Iterator[Samples]:
    """Every series of an answer, a slice of the text at a time where it is long and written as servers write it: numbers as Python objects take
    thirty times the memory of their arrays."""
    first = 0
    for result in _slices(body, endpoint):
        yield _samples(result, first, endpoint, values=values)
        first += len(result)


def _slices(body: bytes, endpoint: str) -> Iterator[Sequence[_Json]]:
    """`data.result` in parts. A series begins with `_SERIES`, which stands nowhere else: in a text its quotes are escaped."""
    first, last = body.find(_SERIES), body.rfind(b"]]}") + 3
    frame = body[:first] + body[last:]
    if len(body) <= _SLICE or first < 0 or body[first - 1 : first] != b"[" or body[last : last + 1] != b"]":
        yield _result(_parsed(body, body, endpoint), endpoint)
        return
    _result(_parsed(frame, body, endpoint), endpoint)
    while first < last:
        following = body.find(_SERIES, first + _SLICE, last)
        end = following if following >= 0 else last
        part = _parsed(b"[" + body[first:end].rstrip(b", \n") + b"]", body, endpoint)
        if not isinstance(part, list):
            _wrong(endpoint, "is no list", "data.result")
        yield part
        first = end


def _parsed(text: bytes, body: bytes, endpoint: str) -> _Json:
    try:
        found: _Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # Raised below, where the parser's error, which holds the whole text, does not hang on ours.
    else:
        return found
    _wrong(endpoint, f"is no JSON, or its end is missing ({len(body)} bytes)")


def _result(document: _Json, endpoint: str) -> Sequence[_Json]:
    """`data.result` of an answer that is whole."""
    if not isinstance(document, dict):
        _wrong(endpoint, "is no object")
    if document.get("status") != "success":
        _wrong(endpoint, "is no success", "status")
    _whole(document, endpoint)
    data = document.get("data")
    if not isinstance(data, dict):
        _wrong(endpoint, "is no object", "data")
    if data.get("resultType") != "matrix":
        _wrong(endpoint, f"is `{str(data.get('resultType'))[:20]}` and no matrix", "data.resultType")
    result = data.get("result")
    if result is None:
        return ()
    if not isinstance(result, list):
        _wrong(endpoint, "is no list", "data.result")
    return result


def _whole(document: Mapping[str, _Json], endpoint: str) -> None:
    """`Unfit` where something of the answer is missing. `infos` are no reason."""
    if document.get("isPartial") is True:
        raise Unfit("the server says that the answer is partial")
    warnings = document.get("warnings")
    if warnings is None:
        return
    if not isinstance(warnings, list):
        _wrong(endpoint, "is no list", "warnings")
    said = [str(each) for each in warnings if not str(each).startswith(_INFO)]
    if said:
        raise Unfit(f"the server warns: {' '.join(said[0].split())[:200]}")


def _samples(result: Sequence[_Json], first: int, endpoint: str, *, values: bool) -> Samples:
    """The samples of a part whose first series is number `first` of the answer."""
    numbered = list(enumerate(result, first))
    series = tuple(_labels(each, index, endpoint) for index, each in numbered)
    floats = [_points(each, "values", index, endpoint) for index, each in numbered]
    row, at, value = _columns(floats, "values", first, endpoint, values=values)
    histograms = [_points(each, "histograms", index, endpoint) for index, each in numbered]
    if any(histograms):
        row2, at2, value2 = _columns(histograms, "histograms", first, endpoint, values=False)
        row, at = np.concatenate((row, row2)), np.concatenate((at, at2))
        value = np.concatenate((value, value2 if values else value2[:0]))
    order_broken = (np.diff(row) == 0) & (np.diff(at) <= 0) | (np.diff(row) < 0)
    if order_broken.any():
        order = np.lexsort((at, row))
        row, at = row[order], at[order]
        value = value[order] if values else value
        keep = np.ones(len(row), dtype=bool)
        keep[1:] = (np.diff(row) != 0) | (np.diff(at) != 0)
        row, at, value = row[keep], at[keep], value[keep] if values else value
    return Samples(series=series, row=row, at_ms=at, value=value)


def _labels(read: _Json, index: int, endpoint: str) -> Labels:
    metric = read.get("metric") if isinstance(read, dict) else None
    if not isinstance(metric, dict):
        _wrong(endpoint, "is no object", f"data.result[{index}].metric")
    for name, value in metric.items():
        if not isinstance(value, str):
            _wrong(endpoint, "is no text", f"data.result[{index}].metric.{name}")
    return tuple(sorted((name, value) for name, value in metric.items() if value))


def _points(read: _Json, key: str, index: int, endpoint: str) -> list[_Json]:
    found = read.get(key) if isinstance(read, dict) else None
    if found is None:
        return []
    if not isinstance(found, list):
        _wrong(endpoint, "is no list", f"data.result[{index}].{key}")
    return found


def _columns(
    lists: Sequence[list[_Json]], key: str, first: int, endpoint: str, *, values: bool
) -> tuple[Ints, Times, Floats]:
    """(row, time in ms, value) of every point. Without `values` the third is empty; a histogram's value is NaN."""
    counts = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    total = int(counts.sum())
    row = np.repeat(np.arange(len(lists), dtype=np.int32), counts)
    try:
        seconds = np.fromiter(map(_TIME, chain.from_iterable(lists)), dtype=np.float64, count=total)  # type: ignore[arg-type]
        at = np.rint(seconds * 1000).astype(np.int64)
        if key == "histograms":
            return row, at, np.full(total, np.nan)
        if not values:
            return row, at, np.zeros(0)
        texts: Iterable[str] = map(_VALUE, chain.from_iterable(lists))  # type: ignore[arg-type]
        return row, at, np.fromiter(map(float, texts), dtype=np.float64, count=total)
    except (TypeError, ValueError, LookupError, OverflowError):
        pass
    _blame(lists, key, first, endpoint)


def _blame(lists: Sequence[list[_Json]], key: str, first: int, endpoint: str) -> NoReturn:
    """Names the first point that is no pair of a time and a number."""
    for index, points in enumerate(lists, first):
        for number, point in enumerate(points):
            match point:
                case [int() | float(), str() as text, *_] if _number(text):
                    continue
                case [int() | float(), dict(), *_] if key == "histograms":
                    continue
            _wrong(endpoint, "is no pair of a time and a number", f"data.result[{index}].{key}[{number}]")
    _wrong(endpoint, "holds a time that is none", f"data.result[].{key}")


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong(endpoint: str, reason: str, field: str = "") -> NoReturn:
    where = "".join(each if each.isprintable() else "?" for each in field[:200])
    raise WrongShape(f"{endpoint}: {where or 'the answer'} {reason}", endpoint=endpoint, field=where)
