"""How long a test waits for what other programs do in their own time: long, for it bounds a failure and is not felt by a success."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 300.0
"""Seconds; a busy machine of two cores is ten times slower than a quiet one."""


def eventually(check: Callable[[], object], what: str) -> None:
    """Until `check` holds; AssertionError that says what never came about."""
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.1)
