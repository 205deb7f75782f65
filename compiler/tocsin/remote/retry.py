"""How long a door is patient: the clock it is given, the waits a server asks for, the pauses between attempts.

Nothing here reads a clock. Pauses are without chance, so that a test and a bug report see the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol


class Clock(Protocol):
    """Time, as cli passes it in."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def now(self) -> datetime:
        """The time of day, with its zone; only an HTTP date in a `Retry-After` needs it."""

    def sleep(self, seconds: float) -> None:
        """Returns after so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`attempts` in all; pauses of `pause`, twice that, ... up to `longest_pause`; a server that asks for more than `longest_wait` seconds is
    told no, and the error says what it asked."""

    attempts: int = 5
    pause: float = 0.5
    longest_pause: float = 15.0
    longest_wait: float = 120.0

    def between(self, attempt: int) -> float:
        """The pause after attempt number `attempt`, counted from 1."""
        return min(self.pause * 2.0 ** (attempt - 1), self.longest_pause)


def wait_asked(value: str | None, clock: Clock) -> float | None:
    """Seconds from a `Retry-After` header, which is a number or an HTTP date; 0 for a date that has passed, None for none or for nonsense."""
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - clock.now()).total_seconds())
