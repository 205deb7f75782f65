"""A field of a plan, as a person reads it."""

from __future__ import annotations

import pytest

from tocsin.report.plan import field_line
from tocsin.sync.values import FieldChange


@pytest.mark.parametrize(
    ("path", "old", "new", "line"),
    [
        ("for", 1_000, 600_000, "for: 1s -> 10m"),
        ("keep_firing_for", 0, 90_000, "keep_firing_for: 0s -> 1m30s"),
        ("for", None, 1_000, "for: (none) -> 1s"),
        ("labels.for", 1_000, "2", 'labels.for: 1000 -> "2"'),
    ],
)
def test_durations_are_no_milliseconds(path: str, old: object, new: object, line: str) -> None:
    assert field_line(FieldChange(path=path, old=old, new=new)) == line  # type: ignore[arg-type]
