"""How far a number found in a few weeks will hold: the interval of a ratio of pages, and of a rate.

Pages come in storms, so hours are not independent and a Poisson test of single events finds significance everywhere. Blocks of six hours are drawn
instead, old and new together (it is the same history), from a seed: the same comparison gives the same interval on every machine.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np

from tocsin.canary.comparison import Ratio
from tocsin.canary.values import Window

BLOCK_MS: Final = 6 * 3_600_000
DRAWS: Final = 2_000
_Z: Final = 1.959963984540054
"""The normal quantile of 97.5 %."""
_ONE_SIDED: Final = 0.05


def seed_of(text: str) -> int:
    """A seed that depends on what is compared and on nothing else."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def page_ratio(old: Iterable[int], new: Iterable[int], window: Window, seed: int) -> Ratio:
    """The ratio of pages with its 95 % interval; `old` and `new` are the times at which pages began, inside the window."""
    blocks = max(1, math.ceil((window.end_ms - window.start_ms) / BLOCK_MS))
    before, after = (_per_block(times, window, blocks) for times in (old, new))
    # RandomState's stream is frozen for good, a Generator's may change with numpy.
    drawn = np.random.RandomState(seed).randint(0, blocks, size=(DRAWS, blocks))
    ratios = np.sort(
        (np.sum(after[drawn], axis=1, dtype=np.float64) + 0.5)
        / (np.sum(before[drawn], axis=1, dtype=np.float64) + 0.5)
    )
    low, high = (float(ratios[math.floor(share * (DRAWS - 1) + 0.5)]) for share in (0.025, 0.975))
    return Ratio(value=(int(after.sum()) + 0.5) / (int(before.sum()) + 0.5), low=low, high=high)


def _per_block(
    times: Iterable[int], window: Window, blocks: int
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    at = np.asarray([(each - window.start_ms) // BLOCK_MS for each in times], dtype=np.intp)
    return np.bincount(at, minlength=blocks)


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """The 95 % interval of a rate; None of nothing. 0 of 3 is [0, 0.56]: three good ones prove little."""
    if of <= 0:
        return None
    rate, z = hits / of, _Z * _Z / of
    middle = rate + z / 2
    half = _Z * math.sqrt(rate * (1 - rate) / of + z / (4 * of))
    low, high = (middle - half) / (1 + z), (middle + half) / (1 + z)
    return (0.0 if hits == 0 else low), (1.0 if hits == of else high)


def more_than_chance(old: int, new: int, exposure: float = 1.0) -> bool:
    """Whether `new` events in `exposure` times the old ones' time are more than chance makes of the same rate: the conditional binomial test, one-sided
    5 %. After none, five are; after five, thirteen. For pages alone: single episodes come in storms."""
    of, share = old + new, exposure / (1 + exposure)
    if not new:
        return False
    whole, hit, miss = math.lgamma(of + 1), math.log(share), math.log1p(-share)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * hit + (of - k) * miss)
        for k in range(new, of + 1)
    )
    return math.fsum(terms) <= _ONE_SIDED
