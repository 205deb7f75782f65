"""What Git says about the sources, as a value: `disk.git` reads it, the site and the checks on review dates use it.

No date is guessed: a shallow clone says so, and a path without a known change is simply absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit. `at` is the committer's time in UTC, ISO 8601 (`2026-05-02T10:11:12+00:00`); its first ten characters are the day."""

    commit: str
    at: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`head` is None where there is no repository. `shallow` says that changes before the cut are unknown."""

    head: Change | None = None
    shallow: bool = False
    files: Mapping[str, Change] = field(default_factory=dict)
    """Source path -> the commit that changed it last."""
    alerts: Mapping[str, Change] = field(default_factory=dict)
    """Alert id -> the last commit that changed what it says (not its layout or comments); only where that came after its SOP's last
    review, which is all anybody asks."""


NO_HISTORY = History()
