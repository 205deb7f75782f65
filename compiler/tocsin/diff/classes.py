"""What several changes come to together: the strongest class, and one direction where they agree on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from tocsin.diff.changes import ChangeClass, Direction

CLASSES: Sequence[ChangeClass] = get_args(ChangeClass)
"""The mildest first."""


def at_least(class_: ChangeClass, other: ChangeClass) -> bool:
    """Whether a class is as strong as another."""
    return CLASSES.index(class_) >= CLASSES.index(other)


def worst(classes: Iterable[ChangeClass]) -> ChangeClass:
    """The strongest; `none` of nothing."""
    return max(classes, key=CLASSES.index, default="none")


def direction_of(directions: Iterable[Direction]) -> Direction:
    """`up` or `down` where all say so, `both` where they differ, unknown where one is."""
    said = set(directions)
    if not said or "" in said:
        return ""
    return next(iter(said)) if len(said) == 1 else "both"
