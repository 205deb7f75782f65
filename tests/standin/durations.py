"""Prometheus durations as Grafana reads and prints them (contract 1.5): kept as milliseconds."""

from __future__ import annotations

import re

UNITS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_FORM = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)


def parse(text: str) -> int:
    """`1h30m` -> milliseconds. ValueError for what is no duration: a number with no unit, a fraction, ''."""
    if text == "0":
        return 0
    found = _FORM.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"not a valid duration string: {text!r}")
    return sum(int(number) * unit for number, unit in zip(found.groups("0"), UNITS.values(), strict=True))


def render(milliseconds: int) -> str:
    """Milliseconds as a read shows them: 60m becomes 1h, and years and weeks appear only when nothing is left over."""
    if milliseconds == 0:
        return "0s"
    text = ""
    for unit, size in UNITS.items():
        if unit in ("y", "w") and milliseconds % size:
            continue
        count, milliseconds = divmod(milliseconds, size)
        text += f"{count}{unit}" if count else ""
    return text


def go(seconds: int) -> str:
    """Seconds as Go prints a time.Duration, which is how errors spell an interval."""
    if seconds < 0:
        return f"-{go(-seconds)}"
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"
