"""The three figures teams ask for: how often, how often wrongly, how long."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.replaying import compared, incident

from tocsin.canary.compare import Evidence
from tocsin.canary.figures import figures_of, percent, percent_text
from tocsin.ir.canary import CanaryPolicy


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (124, 118, "-4.8%"),
        (12.7, 3.1, "-75.6%"),
        (218, 194, "-11.0%"),
        (118, 124, "+5.1%"),
        (100, 100, "0.0%"),
        (100, 99.99, "0.0%"),
        (100, 100.01, "0.0%"),
        # Half way: away from zero, on both sides of it, and as the digits say (0.35 is a little less than 0.35 for a computer).
        (2000, 2001, "+0.1%"),
        (2000, 1999, "-0.1%"),
        (1000, 1000.5, "+0.1%"),
        (1000, 999.5, "-0.1%"),
        (100, 100.35, "+0.4%"),
        (100, 99.65, "-0.4%"),
        (100, 100.25, "+0.3%"),
        (4, 0, "-100.0%"),
        (0, 0, "0.0%"),
        (0, 3, "-"),
        (None, 3, "-"),
        (3, None, "-"),
        (3, float("inf"), "-"),
    ],
)
def test_changes_in_percent(old: float | None, new: float | None, text: str) -> None:
    assert percent_text(percent(old, new)) == text


def test_a_change_too_small_to_see_has_no_sign() -> None:
    assert str(percent(100, 99.99)) == "0.0"


def test_the_figures_of_the_case() -> None:
    """124 -> 118 a day, 12.7 % -> 3.1 %, 218 s -> 194 s."""
    found = compared({}, {}).old
    assert found is not None
    old = replace(found, pages_per_day=124.0, false_positive_rate=0.127, mean_s=218.0)
    new = replace(found, pages_per_day=118.0, false_positive_rate=0.031, mean_s=194.0)
    rows = [
        (each.name, each.unit, each.old, each.new, percent_text(each.percent))
        for each in figures_of(old, new)
    ]
    assert rows == [
        ("pages per day", "/d", 124.0, 118.0, "-4.8%"),
        ("false-positive rate", "%", pytest.approx(12.7), pytest.approx(3.1), "-75.6%"),
        ("mean firing time", "s", 218.0, 194.0, "-11.0%"),
    ]


def test_they_come_from_the_replays() -> None:
    complete = CanaryPolicy(complete=frozenset({"kafka"}))
    evidence = Evidence(incidents=(incident("INC-1", 0, 10),))
    before = {"a": [(0, 10), (600, 610), (1200, 1220), (1800, 1810)]}
    after = {"a": [(0, 10), (1200, 1220)]}
    figures = compared(before, after, policy=complete, evidence=evidence).figures
    assert [(each.old, each.new, each.percent) for each in figures] == [
        (pytest.approx(4 / 14), pytest.approx(2 / 14), -50.0),
        (75.0, 50.0, -33.3),
        (750.0, 900.0, 20.0),
    ]
    unclaimed = compared(before, after, evidence=evidence).figures[1]
    assert (unclaimed.old, unclaimed.new, unclaimed.percent) == (None, None, None)
    added = compared(None, after).figures
    assert [each.percent for each in added] == [None, None, None]
