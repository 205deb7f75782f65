"""Lanes: order inside one, side by side between them, and how they stop."""

from __future__ import annotations

import threading

import pytest

from tocsin.errors import MachineError
from tocsin.remote.lanes import in_lanes

Item = tuple[str, int]
ITEMS: list[Item] = [(lane, number) for number in range(5) for lane in "abc"]


def lane_of(item: Item) -> str:
    return item[0]


def test_outcomes_are_in_the_order_of_the_items() -> None:
    outcomes = in_lanes(ITEMS, lambda item: item[1] * 2, lane=lane_of, workers=3)
    assert [(each.item, each.result) for each in outcomes] == [(item, item[1] * 2) for item in ITEMS]


def test_a_lane_is_one_after_another_and_lanes_are_side_by_side() -> None:
    busy: set[str] = set()
    together = 0
    order: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    meet = threading.Barrier(3, timeout=300)

    def work(item: Item) -> None:
        nonlocal together
        assert item[0] not in busy
        busy.add(item[0])
        together = max(together, len(busy))
        order[item[0]].append(item[1])
        meet.wait()  # breaks unless three lanes run at once
        busy.discard(item[0])
        meet.wait()

    outcomes = in_lanes(ITEMS, work, lane=lane_of, workers=3)
    assert all(each.error is None and each.begun for each in outcomes)
    assert together == 3
    assert order == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2, 3, 4], "c": [0, 1, 2, 3, 4]}


def test_never_more_than_the_workers() -> None:
    running, most = 0, 0
    lock, both = threading.Lock(), threading.Event()

    def work(_item: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                both.set()
        both.wait(300)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    in_lanes(range(20), work, lane=lambda item: item, workers=2)
    assert most == 2


def test_an_error_ends_its_item_alone() -> None:
    def work(item: Item) -> int:
        if item == ("b", 1):
            raise MachineError("no")
        return item[1]

    outcomes = in_lanes(ITEMS, work, lane=lane_of, workers=2)
    failed = [each for each in outcomes if each.error]
    assert [each.item for each in failed] == [("b", 1)]
    assert sum(each.begun for each in outcomes) == len(ITEMS)


def test_after_an_error_nothing_more_is_begun_if_so_wished() -> None:
    done: list[Item] = []

    def work(item: Item) -> None:
        done.append(item)
        if item == ("a", 1):
            raise MachineError("no")

    outcomes = in_lanes(ITEMS, work, lane=lane_of, workers=1, stop_at_error=True)
    assert done == [("a", 0), ("a", 1)]
    assert [each.item for each in outcomes if each.begun] == done
    assert all(each.result is None and each.error is None for each in outcomes if not each.begun)


def test_a_bug_is_raised_and_stops_the_rest() -> None:
    done: list[Item] = []

    def work(item: Item) -> None:
        done.append(item)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_lanes(ITEMS, work, lane=lane_of, workers=1)
    assert done == [("a", 0)]
