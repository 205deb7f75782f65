"""Whether a server answers more slowly the longer one asks: then the asking may be why, and nobody's alerts are to wait for a backtest.

Compared are the first answers of a run with its latest: the time within which 95 % of each came. Only what the server worked on counts, an answer or
a refusal for size; a query that fails at once says nothing about how busy it is. An answer that takes less than a second is no burden, whatever came before.

Heavy rules may simply follow light ones. So late answers are only a doubt, and it is settled by asking a few of the first questions again: where most
of those take three times as long as they did, the server is slow; else the latest answers are what is compared with from now on. A server that keeps
answers gives them again at once and is never found slow so; the run's budget is what protects it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

ANSWERS: Final = 20
"""How many answers are the first, and how many the latest."""
TIMES: Final = 3
LEAST_S: Final = 1.0
"""Below this nothing is slow."""
CONTROLS: Final = 3
"""How many questions settle a doubt."""
_SHARE: Final = 95
"""Percent."""
Request: TypeAlias = tuple[str, int, int, int]
"""Expression, start, end and step in milliseconds."""


@dataclass(frozen=True, slots=True)
class Timed:
    """How long the server worked on a request. `request` is None where it refused it."""

    seconds: float
    request: Request | None = None

    def late(self, now: float) -> bool:
        """Whether the same, having taken `now` seconds, is slow."""
        return now >= LEAST_S and now >= TIMES * self.seconds


class Pace:
    """The answers of one run. From the moment it is `slow` it stays so: a server that recovers has recovered from us."""

    def __init__(self) -> None:
        self._first: list[Timed] = []
        self._latest: deque[Timed] = deque(maxlen=ANSWERS)
        self._lock = threading.Lock()
        self._in_doubt = False
        self.slow = False

    def took(self, timed: Timed) -> Sequence[Timed] | None:
        """One more answer. Any thread. Where it raises a doubt: the questions to ask again, after which the caller says `settle`; else None."""
        with self._lock:
            if len(self._first) < ANSWERS:
                self._first.append(timed)
                return None
            self._latest.append(timed)
            if self._in_doubt or len(self._latest) < ANSWERS:
                return None
            if not Timed(within(self._first)).late(within(self._latest)):
                return None
            self._in_doubt = True
            # The slowest says most, but for the one that one of twenty may be by chance.
            known = sorted((each for each in self._first if each.request), key=lambda each: -each.seconds)
            return known[1 : 1 + CONTROLS]

    def settle(self, late: Sequence[bool]) -> None:
        """Of each question that was asked again, whether it was late. Nothing to ask is no excuse: then the latest answers stand."""
        with self._lock:
            self._in_doubt = False
            if 2 * sum(late) >= len(late):
                self.slow = True
                return
            self._first = list(self._latest)
            self._latest.clear()


def within(answers: Iterable[Timed]) -> float:
    """The time within which 95 % of the answers came: the nearest rank, so that one of twenty counts for nothing."""
    seconds = sorted(each.seconds for each in answers)
    return seconds[-(-len(seconds) * _SHARE // 100) - 1]
