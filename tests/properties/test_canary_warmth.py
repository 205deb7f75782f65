"""A replay that begins at its warm-up knows at the window's start what one knows that saw everything before, or says that it does not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.history_source import version

from tocsin.canary.machine import simulate
from tocsin.canary.planner import grid_of, warmup_ms
from tocsin.canary.values import NEVER, Grid, Presence, RuleVersion, Timeline, Window
from tocsin.canary.warmth import cut_to, unsettled

STEP, COUNT = 30_000, 160
Rows = list[list[bool]]


def case(chance: random.Random) -> tuple[Rows, list[int], RuleVersion, Window]:
    """Where alerts are present, which evaluations fail, a rule whose durations need not be whole evaluations, and a window that begins beside one."""
    rows = []
    for _ in range(chance.randrange(1, 5)):
        row: list[bool] = []
        while len(row) < COUNT:
            row += [chance.random() < 0.5] * chance.choice([1, 1, 2, 3, 4, 6, 9])
        rows.append(row[:COUNT])
    for_ms, keep_ms = (chance.choice([0, 1, 10, 30, 40, 60, 90, 100, 150, 160]) * 1_000 for _ in range(2))
    rule = version(for_ms=for_ms, keep_ms=keep_ms, limit=chance.choice([0, 0, 1, 2, 3]))
    breaks = [(chance.randrange(COUNT - 8), chance.choice([1, 1, 3, 8])) for _ in range(chance.randrange(4))]
    failed = {each for first, length in breaks for each in range(first, first + length)}
    start = chance.randrange(90, 110) * STEP - chance.choice([0, 10_000])
    return rows, sorted(failed), rule, Window(start_ms=start, end_ms=COUNT * STEP)


def test_what_was_before_the_warm_up_changes_nothing() -> None:
    sure = 0
    for seed in range(4_000):
        rows, failed, rule, window = case(random.Random(seed))
        grid, warm = grid_of(window, 0, STEP, warmup_ms(rule))
        seen = replayed(rows, failed, rule, window, grid.start_ms // STEP, warm)
        assert seen in (None, replayed(rows, failed, rule, window, 0)), seed
        sure += seen is not None
    assert sure > 2_800


@pytest.mark.parametrize(("for_ms", "keep_ms"), [(100_000, 0), (0, 100_000), (100_000, 100_000)])
def test_a_warm_up_is_long_enough_for_most(for_ms: int, keep_ms: int) -> None:
    """What has been there, or gone, all through the warm-up needs none that is longer, whatever the interval."""
    for there in (True, False):
        rows = [[there] * 100 + [not there] * (COUNT - 100)]
        rule = version(for_ms=for_ms, keep_ms=keep_ms)
        window = Window(start_ms=99 * STEP - 10_000, end_ms=COUNT * STEP)
        grid, warm = grid_of(window, 0, STEP, warmup_ms(rule))
        seen = replayed(rows, [], rule, window, grid.start_ms // STEP, warm)
        assert seen == replayed(rows, [], rule, window, 0) != []


def replayed(
    rows: Rows, failed: list[int], rule: RuleVersion, window: Window, begin: int, warm: int | None = None
) -> list[tuple[str, int, int, int]] | None:
    """What fires in the window; None where `warm` evaluations before it are said to be too few."""
    held = np.array(rows)[:, begin:]
    row, at = (each.astype(np.int32) for each in np.nonzero(held))
    alerts = Presence(series=tuple((("host", str(each)),) for each in range(len(rows))), row=row, at=at)
    missed = np.array([each - begin for each in failed if each >= begin], dtype=np.int32)
    grid = Grid(start_ms=begin * STEP, step_ms=STEP, count=COUNT - begin, missed=missed)
    if warm is not None and unsettled(alerts, grid, rule, warm, missed):
        return None
    return fired(cut_to(simulate(alerts, grid, rule), window))


def fired(line: Timeline) -> list[tuple[str, int, int, int]]:
    found = zip(line.row, line.fired_ms, line.resolved_ms, line.flags, strict=True)
    return sorted(
        (line.identities[row][0][1], int(since), int(until), int(flags) & 3)
        for row, since, until, flags in found
        if since != NEVER
    )
