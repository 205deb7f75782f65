"""Answers to queries become arrays, and what is no answer is named with its field."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.history_source import matrix

from tocsin.canary.decode import decode, decode_raw
from tocsin.canary.source import Unfit
from tocsin.canary.stored import cut, joined, moved, pack, unpack
from tocsin.canary.values import Grid, Presence
from tocsin.errors import WrongShape

GRID = Grid(start_ms=1_700_000_000_123, step_ms=30_000, count=5)


def at(index: int) -> float:
    return (GRID.start_ms + index * GRID.step_ms) / 1000


def one(**more: Any) -> dict[str, Any]:
    return {"metric": {"__name__": "up", "job": "b", "empty": ""}, **more}


def rows(presence: Presence) -> list[tuple[int, int]]:
    return list(zip(presence.row.tolist(), presence.at.tolist(), strict=True))


def test_samples_lie_on_the_grid() -> None:
    body = matrix(
        [
            {"metric": {"job": "b", "a": "1"}, "values": [[at(0), "1"], [at(3), "NaN"]]},
            {"metric": {}, "values": [[at(4), "-Inf"]]},
        ]
    )
    found = decode(body, GRID, values=True)
    assert found.series == ((("a", "1"), ("job", "b")), ())
    assert rows(found) == [(0, 0), (0, 3), (1, 4)]
    assert found.row.dtype == found.at.dtype == np.int32
    assert found.value is not None
    assert np.array_equal(found.value, [1.0, np.nan, -np.inf], equal_nan=True)
    assert decode(body, GRID).value is None


def test_an_empty_answer_is_no_series() -> None:
    for body in (matrix([]), b'{"status":"success","data":{"resultType":"matrix","result":null}}'):
        assert decode(body, GRID).series == ()


def test_a_native_histogram_is_a_sample_between_others() -> None:
    body = matrix(
        [one(values=[[at(1), "5"], [at(4), "6"]], histograms=[[at(2), {"count": "3"}]]), one(metric={})]
    )
    found = decode(body, GRID, values=True)
    assert rows(found) == [(0, 1), (0, 2), (0, 4)]
    assert found.value is not None
    assert np.array_equal(found.value, [5.0, np.nan, 6.0], equal_nan=True)
    assert found.series[0] == (("__name__", "up"), ("job", "b"))


@pytest.mark.parametrize("beside", [-0.001, 0.5, 30.0 * 5, -30.0])
def test_a_sample_beside_the_grid_is_no_answer(beside: float) -> None:
    with pytest.raises(WrongShape, match="no time that was asked for") as raised:
        decode(matrix([one(values=[[at(0) + beside, "1"]])]), GRID, endpoint="POST http://x/query_range")
    assert raised.value.endpoint == "POST http://x/query_range"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"<html>", ""),
        (matrix([one(values=[[at(0), "1"]])])[:-20], ""),
        (b"[]", ""),
        (b'{"status":"error"}', "status"),
        (b'{"status":"success"}', "data"),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', "data.resultType"),
        (b'{"status":"success","data":{"resultType":"matrix","result":{}}}', "data.result"),
        (matrix([{"values": []}]), "data.result[0].metric"),
        (matrix([{"metric": {"a": 1}}]), "data.result[0].metric.a"),
        (matrix([one(values=5)]), "data.result[0].values"),
        (matrix([one(values=[[at(0), "1"], [at(1)]])]), "data.result[0].values[1]"),
        (matrix([one(values=[[at(0), "1"], [at(1), "x"]])]), "data.result[0].values[1]"),
        (matrix([one(values=[]), one(values=[])]), "data.result[].metric"),
    ],
)
def test_what_is_no_matrix_is_named(body: bytes, field: str) -> None:
    with pytest.raises(WrongShape) as raised:
        decode(body, GRID, values=True)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"isPartial": True}, "partial"),
        ({"warnings": ["store 3 is not there"]}, "store 3"),
        ({"warnings": ["PromQL info: x", "no storage"]}, "no storage"),
    ],
)
def test_a_partial_answer_is_not_used(more: dict[str, Any], said: str) -> None:
    with pytest.raises(Unfit, match=said):
        decode(matrix([], **more), GRID)


@pytest.mark.parametrize(
    "more",
    [
        {"infos": ["PromQL info: metric might not be a counter"]},
        {"warnings": ["PromQL info: metric might not be a counter"]},
        {"warnings": []},
        {"isPartial": False, "stats": {"seriesFetched": "1"}},
    ],
)
def test_remarks_are_no_reason(more: dict[str, Any]) -> None:
    assert decode(matrix([], **more), GRID).series == ()


def long(count: int = 300, points: int = 100) -> list[dict[str, Any]]:
    """An answer of several slices, with what is to mislead whoever looks for a series in the text."""
    return [
        {
            "metric": {"n": f'{each:03d},{{"metric":{{"n":]]}}', "metric": "{"},
            "values": [[at(index % 5) + index // 5 * 150, f"{each}.{index}"] for index in range(points)],
        }
        for each in range(count)
    ]


LONG = Grid(start_ms=GRID.start_ms, step_ms=30_000, count=100)


@pytest.mark.parametrize("spaces", [False, True])
def test_a_long_answer_is_the_same_in_slices(spaces: bool) -> None:
    """With spaces it is read in one, as a proxy might have rewritten it."""
    result = long()
    result[7]["histograms"] = [[at(0) + 30 * 99 + 0.0, {"count": "1"}]]
    body = matrix(result, infos=["x ]]} y"])
    body = json.dumps(json.loads(body)).encode() if spaces else body
    assert len(body) > 600_000
    found = decode(body, LONG, values=True)
    assert len(found.series) == 300
    assert found.row.tolist() == [row for row in range(300) for _ in range(100)]
    assert found.at.tolist() == list(range(100)) * 300
    assert found.value is not None
    assert found.value[7 * 100 + 42] == 7.42
    assert found.series[299] == (("metric", "{"), ("n", '299,{"metric":{"n":]]}'))


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 40, 400_000])
def test_a_long_answer_that_is_cut_off_is_none(cut: int) -> None:
    body = matrix(long())
    with pytest.raises(WrongShape, match="its end is missing"):
        decode(body[:-cut], LONG)


def test_a_fault_in_a_later_slice_has_its_number() -> None:
    result = long()
    result[250]["values"][3] = [at(3)]
    body = matrix(result)
    with pytest.raises(WrongShape) as raised:
        decode(body, LONG, values=True)
    assert raised.value.field == "data.result[250].values[3]"
    result = [*long(), long(1)[0]]
    with pytest.raises(WrongShape, match="twice"):
        decode(matrix(result), LONG)


def test_stored_samples_have_their_own_times() -> None:
    found = decode_raw(matrix([one(values=[[1700000000.001, "1"], [1700000000.999, "2"]])]))
    assert found.at_ms.tolist() == [1_700_000_000_001, 1_700_000_000_999]
    assert found.value.tolist() == [1.0, 2.0]


def presence(points: list[tuple[int, int]], *, values: bool, series: int = 3) -> Presence:
    return Presence(
        series=tuple((("n", str(each)),) for each in range(series)),
        row=np.array([row for row, _ in points], dtype=np.int32),
        at=np.array([at for _, at in points], dtype=np.int32),
        value=np.array([row + at / 7 for row, at in points]) if values else None,
    )


@pytest.mark.parametrize("values", [True, False])
@pytest.mark.parametrize("points", [[], [(0, 0)], [(0, 3), (0, 4), (0, 6), (2, 0), (2, 1), (2, 9)]])
def test_what_is_kept_comes_back(points: list[tuple[int, int]], values: bool) -> None:
    kept = unpack(pack(presence(points, values=values), np.array([2, 5], dtype=np.int32)))
    assert kept is not None
    assert rows(kept[0]) == points
    assert kept[1].tolist() == [2, 5]
    assert kept[0].series == presence(points, values=values).series
    assert (kept[0].value is not None) == values
    if kept[0].value is not None:
        assert kept[0].value.tolist() == [row + at / 7 for row, at in points]


@pytest.mark.parametrize(
    "data", [b"", b"x", pack(presence([(0, 1)], values=True), np.zeros(0, np.int32))[:-3]]
)
def test_damage_counts_as_absence(data: bytes) -> None:
    assert unpack(data) is None


def test_parts_are_cut_moved_and_joined() -> None:
    whole = presence([(0, 0), (0, 4), (1, 8), (2, 12), (2, 20)], values=True)
    parts = [cut(whole, first, 2, 4) for first in (16, 0, 8)]
    assert [rows(each) for each in parts] == [[(0, 1)], [(0, 0), (0, 1)], [(0, 0), (1, 1)]]
    back = joined([moved(each, first, 4) for each, first in zip(parts, (16, 0, 8), strict=True)], values=True)
    assert rows(back) == rows(whole)
    assert back.series == whole.series
    assert json.dumps(back.series)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), unique=True), max_size=5),
    st.booleans(),
)
def test_joined_parts_are_the_samples_of_all_in_order(
    drawn: list[list[tuple[int, int]]], values: bool
) -> None:
    """Whatever part is told first, whatever series it knows, and where two touch."""
    parts = [
        moved(presence(sorted(each), values=values, series=5), 9 * number, 1)
        for number, each in enumerate(drawn)
    ]
    whole = joined(parts[::-1], values=values)
    named = [
        (each.series[row], at, number)
        for number, each in enumerate(parts)
        for row, at in zip(each.row.tolist(), each.at.tolist(), strict=True)
    ]
    told = [whole.series[row] for row in whole.row.tolist()]
    assert list(zip(told, whole.at.tolist(), strict=True)) == [each[:2] for each in sorted(named)]
    assert list(whole.series) == sorted({labels for each in parts for labels in each.series})
    assert (whole.value is not None and whole.value.size == len(named)) if values else whole.value is None
