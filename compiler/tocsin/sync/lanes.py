"""Which groups may be written beside each other. Pure: steps in, phases of lanes out.

A phase waits for the one before it: records are there before what reads them, and what was deleted last goes last. Within a phase, groups of one
folder and groups that share a rule are one lane, one after another: two writes into one Grafana folder race on the server, and a rule that
moves is in both of its groups.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby
from typing import Literal, Protocol

from tocsin.sync.values import Group, Place


class Way(Protocol):
    """From one form of a group to another."""

    @property
    def place(self) -> Place: ...
    @property
    def before(self) -> Group | None: ...
    @property
    def after(self) -> Group | None: ...


Lane = tuple[int, ...]
"""Indexes of steps, in their order."""


def phases(steps: Sequence[Way]) -> Iterator[tuple[Lane, ...]]:
    """The steps, none left out, each phase as its lanes. Read one lane after another they are in the order they came in, but for lanes."""
    for _, run in groupby(range(len(steps)), key=lambda index: _kind(steps[index])):
        yield _lanes(steps, tuple(run))


def _kind(step: Way) -> Literal["records", "alerts", "deletes", "deletes-records"]:
    before = {each.uid: each for each in step.before.rules} if step.before is not None else {}
    after = {each.uid: each for each in step.after.rules} if step.after is not None else {}
    changed = [each for uid, each in after.items() if before.get(uid) != each]
    if any(each.kind == "record" for each in changed):
        return "records"
    gone = [each for uid, each in before.items() if uid not in after]
    if changed or not gone:
        return "alerts"
    return "deletes-records" if any(each.kind == "record" for each in gone) else "deletes"


def _lanes(steps: Sequence[Way], indexes: Lane) -> tuple[Lane, ...]:
    """Joined while they share a folder or a uid."""
    parent = {index: index for index in indexes}

    def top(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[Hashable, int] = {}
    for index in indexes:
        for thing in _things(steps[index]):
            parent[top(index)] = top(first.setdefault(thing, index))
    lanes: dict[int, list[int]] = {}
    for index in indexes:
        lanes.setdefault(top(index), []).append(index)
    return tuple(tuple(each) for each in lanes.values())


def _things(step: Way) -> Iterator[Hashable]:
    yield ("folder", step.place.folder)
    for group in (step.before, step.after):
        if group is not None:
            yield from (("rule", each.uid) for each in group.rules)
