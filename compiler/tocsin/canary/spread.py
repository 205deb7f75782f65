"""The verdict on a rule of which nobody knows when its group is evaluated: that of the worst of several phases.

    Replayed (with `elsewhere`) x incidents x policy -> Judged

Half an interval beside the true phase 2 to 5 % of the samples are others, and a firing that is just as long as `for` is there or not. So a rule must pass
wherever it may be evaluated, and the report says how far its numbers reach. Where the phase is known this is `compare` and `judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from tocsin.canary.compare import Evidence, compare
from tocsin.canary.comparison import (
    WORST_FIRST,
    AtPhase,
    Comparison,
    Extent,
    ExtentName,
    Judged,
    Metrics,
    Run,
    Spread,
)
from tocsin.canary.judge import judge
from tocsin.canary.values import Replayed, Window
from tocsin.ir.canary import CanaryPolicy


def judged_at_worst(
    found: Replayed, window: Window, policy: CanaryPolicy, evidence: Evidence, today: date, *, tested: bool
) -> Judged:
    """The gravest judgement of all phases, with its comparison; of equally grave ones the first. As `judge` where there is one phase."""
    every = [
        judge(compare(each, window, policy, evidence), policy, today, tested=tested)
        for each in (found, *found.elsewhere)
    ]
    worst = min(every, key=_gravity)
    if worst.comparison is None or not (found.elsewhere or found.left_out):
        return worst
    spread = _spread(every, found.left_out)
    return replace(worst, comparison=replace(worst.comparison, spread=spread))


def _gravity(judged: Judged) -> tuple[int, int, int]:
    """Smaller is graver: by the verdict, then by how many gates failed or warned."""
    failed, warned = (sum(each.verdict == end for each in judged.gates) for end in ("fail", "warn"))
    return WORST_FIRST.index(judged.verdict), -failed, -warned


def _spread(every: Sequence[Judged], left_out: str) -> Spread:
    found = [(each, each.comparison) for each in every if each.comparison is not None]
    comparisons = [comparison for _, comparison in found]
    return Spread(
        phases=tuple(
            AtPhase(old_ms=_phase(each.old_run), new_ms=_phase(each.new_run), verdict=judged.verdict)
            for judged, each in found
        ),
        extents=(
            _extent("pages", comparisons, lambda each: each.pages),
            _extent("episodes", comparisons, lambda each: each.episodes),
            _extent("firing hours", comparisons, lambda each: each.firing_hours),
            _extent("incidents caught", comparisons, lambda each: len(each.detected)),
        ),
        left_out=left_out,
    )


def _phase(run: Run | None) -> int | None:
    return run.phase_ms if run is not None else None


def _extent(name: ExtentName, found: Sequence[Comparison], of: Callable[[Metrics], float]) -> Extent:
    old, new = (
        [of(side) for side in sides if side is not None]
        for sides in ([each.old for each in found], [each.new for each in found])
    )
    return Extent(
        name=name,
        old=(min(old), max(old)) if old else None,
        new=(min(new), max(new)) if new else None,
    )
