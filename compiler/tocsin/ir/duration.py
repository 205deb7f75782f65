"""Prometheus durations as whole milliseconds.

The grammar is Prometheus' own (model/time.go `ParseDuration`): `1d12h`, units `y w d h m s ms` once each and in this order; a bare `0` is zero.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

Duration = NewType("Duration", int)
"""Milliseconds."""

ZERO = Duration(0)
_UNITS: tuple[tuple[str, int], ...] = (
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
)
_GRAMMAR = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit, _ in _UNITS) + r"\Z")
_LONGEST = 2**63 // 1_000_000
"""Prometheus keeps nanoseconds in 64 bits."""


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> Duration | None:
    """`"1h30m"` -> 5,400,000; None where the text is no duration."""
    if text == "0":
        return ZERO
    match = _GRAMMAR.match(text)
    if not text or match is None:
        return None
    total = sum(int(count) * size for count, (_, size) in zip(match.groups(), _UNITS, strict=True) if count)
    return Duration(total) if total < _LONGEST else None


@lru_cache(maxsize=4096)
def format_duration(duration: Duration) -> str:
    """The shortest text Prometheus itself would print: `5400000` -> `"1h30m"`, zero -> `"0s"`."""
    if duration == 0:
        return "0s"
    rest = int(duration)
    parts: list[str] = []
    for unit, size in _UNITS:
        # Prometheus prints weeks and years only where they divide evenly, so 8 days stay `8d`.
        if unit in ("y", "w") and rest % size:
            continue
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts)
