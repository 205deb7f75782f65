"""Whether a server answers more slowly the longer one asks: then the asking may be why, and nobody's alerts are to wait for a backtest.

Compared are the first answers of a run with its latest: the time within which 95 % of each came. Only what the server worked on counts, an answer or
a refusal for size; a query that fails at once says nothing about how busy it is. An answer that takes less than a second is no burden, whatever came before.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

ANSWERS: Final = 20
"""How many answers are the first, and how many the latest."""
TIMES: Final = 3
LEAST_S: Final = 1.0
"""Below this nothing is slow."""
_SHARE: Final = 95
"""Percent."""


class Pace:
    """The answers of one run. From the moment it is `slow` it stays so: a server that recovers has recovered from us."""

    def __init__(self) -> None:
        self._first: list[float] = []
        self._latest: deque[float] = deque(maxlen=ANSWERS)
        self._lock = threading.Lock()
        self.slow = False

    def took(self, seconds: float) -> None:
        """One more answer, which came after so long. Any thread."""
        with self._lock:
            if len(self._first) < ANSWERS:
                self._first.append(seconds)
                return
            self._latest.append(seconds)
            if len(self._latest) == ANSWERS:
                late = within(self._latest)
                self.slow |= late >= LEAST_S and late >= TIMES * within(self._first)


def within(answers: list[float] | deque[float]) -> float:
    """The time within which 95 % of the answers came: the nearest rank, so that one of twenty counts for nothing."""
    rank = -(-len(answers) * _SHARE // 100)
    return sorted(answers)[rank - 1]
