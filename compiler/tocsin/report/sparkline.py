"""A version's two weeks in 48 characters, for where no picture can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tocsin.canary.comparison import Spell

if TYPE_CHECKING:  # values of the canary that come with arrays
    from tocsin.canary.values import Window

CELLS = 48
_LEVELS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


def counts(spells: Sequence[Spell], window: Window, cells: int) -> list[int]:
    """How many of the spells touch each of `cells` equal parts of the window."""
    steps = [0] * (cells + 1)
    length = window.end_ms - window.start_ms
    for each in spells:
        first = max(0, (each.fired_ms - window.start_ms) * cells // length)
        # A spell that ends where a part begins does not touch it, and one without length touches its own.
        last = max(first, ((each.resolved_ms - window.start_ms) * cells - 1) // length)
        if first < cells:
            steps[first] += 1
            steps[min(last, cells - 1) + 1] -= 1
    found, level = [], 0
    for step in steps[:cells]:
        level += step
        found.append(level)
    return found


def sparklines(old: Sequence[Spell], new: Sequence[Spell], window: Window) -> tuple[str, str]:
    """Both versions on one scale: a dot where nothing fires, the full block where most does."""
    sides = [counts(each, window, CELLS) for each in (old, new)]
    most = max(map(max, sides))
    first, second = ("".join(_cell(each, most) for each in side) for side in sides)
    return first, second


def _cell(number: int, most: int) -> str:
    return _LEVELS[-(-number * len(_LEVELS) // most) - 1] if number else _NOTHING
