"""Which groups may be written beside each other, and what must wait."""

from __future__ import annotations

import pytest
from tests.unit.test_sync_plan import group, rule

from tocsin.sync.apply import Step
from tocsin.sync.lanes import phases
from tocsin.sync.values import Group


def step(before: Group | None, after: Group | None) -> Step:
    place = (after or before).place  # type: ignore[union-attr]
    return Step(place=place, before=before, after=after)


def lanes(*steps: Step) -> list[list[list[int]]]:
    return [[list(lane) for lane in phase] for phase in phases(steps)]


def made(uid: str, folder: str, name: str = "g", kind: str = "alert") -> Group:
    return group(rule(uid, kind=kind), folder=folder, name=name)


def test_a_folder_is_a_lane() -> None:
    steps = [step(None, made("a", "f")), step(None, made("b", "g")), step(None, made("c", "f", "h"))]
    assert lanes(*steps) == [[[0, 2], [1]]]


def test_groups_that_exchange_a_rule_are_one_lane() -> None:
    steps = [
        step(made("x", "f"), group(rule("x"), rule("m"), folder="f")),
        step(None, made("y", "h")),
        step(group(rule("m"), rule("z"), folder="g"), group(rule("z", title="new"), folder="g")),
    ]
    assert lanes(*steps) == [[[0, 2], [1]]]


def test_records_first_and_deletions_last() -> None:
    steps = [
        step(None, made("r", "f", kind="record")),
        step(None, made("a", "g")),
        step(made("b", "h"), None),
        step(made("s", "i", kind="record"), None),
    ]
    assert lanes(*steps) == [[[0]], [[1]], [[2]], [[3]]]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_no_step_is_left_out_or_done_twice(count: int) -> None:
    steps = [step(None, made(f"u{index}", f"f{index % 3}", f"g{index}")) for index in range(count)]
    flat = [index for phase in phases(steps) for lane in phase for index in lane]
    assert sorted(flat) == list(range(count))
