"""The three figures teams ask for: how often, how often wrongly, how long; old, new, and the change in percent.

Rounded as people do by hand: half away from zero, from the decimal digits of the number and not from its binary neighbour.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from tocsin.canary.comparison import Figure, Metrics


def figures_of(old: Metrics | None, new: Metrics | None) -> tuple[Figure, ...]:
    """Pages per day, false-positive rate (in percent; absent where nobody may call it that), mean firing time in seconds."""
    per_day = [None if each is None else each.pages_per_day for each in (old, new)]
    wrong = [
        None if each is None or each.false_positive_rate is None else each.false_positive_rate * 100
        for each in (old, new)
    ]
    mean = [None if each is None else each.mean_s for each in (old, new)]
    return (
        Figure(name="pages per day", unit="/d", old=per_day[0], new=per_day[1], percent=percent(*per_day)),
        Figure(name="false-positive rate", unit="%", old=wrong[0], new=wrong[1], percent=percent(*wrong)),
        Figure(name="mean firing time", unit="s", old=mean[0], new=mean[1], percent=percent(*mean)),
    )


def percent(old: float | None, new: float | None) -> float | None:
    """The change from old to new in percent, one decimal: 124 -> 118 is -4.8. None where there is no number to start from; nothing to nothing is
    no change."""
    if old is None or new is None or not (math.isfinite(old) and math.isfinite(new)):
        return None
    before, after = Decimal(repr(old)), Decimal(repr(new))
    if not before:
        return 0.0 if not after else None
    change = (after - before) * 100 / abs(before)
    # Adding zero turns -0.0, a change that is too small to see, into 0.0.
    return float(change.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)) + 0.0


def percent_text(change: float | None) -> str:
    """`-4.8%`, `+12.0%`, `0.0%`; `-` where there is none."""
    if change is None:
        return "-"
    return f"{change:+.1f}%" if change else "0.0%"
