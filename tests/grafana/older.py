"""The rows of the equivalence table for a Grafana older than the one its column was written for (12.1.2).

`keep_firing_for` cannot be sent to an older one, and a failed evaluation is another state there: those rows are left out, with their reason.

A series that is not in the result resolves at once from 11.6 on, for tocsin sends `missingSeriesEvalsToResolve: 1`. Before, Grafana forgets it
when it was last seen two intervals ago: it stays what it was for one evaluation more, and one that is back by then was never away. Source:
pkg/services/ngalert/state/manager.go, stateIsStale; state.go, resultAlerting (`for` counts from the first time, whatever was between).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from tests.equivalence.table import Row, expected, grafana_rules
from tests.grafana.capabilities import Version

from tocsin.ir.duration import parse_duration

OUT: Mapping[str, str] = {
    "keep": "keep_firing_for is sent from 12.1.2 on",
    "error": "execErrState KeepLast and keep_firing_for are sent from 11.0 and 12.1.2 on",
    "restart": "one of its rules has keep_firing_for",
}
_EVERY = 10_000


def rows_for(version: Version) -> tuple[tuple[Row, ...], Mapping[str, str]]:
    """The rows that hold for that version before the restart, and why others are left out, by case."""
    every = expected().rows
    if version >= (12, 1, 2):
        return every, {}
    rows = tuple(row for row in every if row.case not in ("keep", "error") and row.alert != "JobKept")
    if version >= (11, 6, 0):
        return rows, OUT
    return tuple(
        replace(row, grafana=(lingering(row.prometheus[0], _wait(row.alert)), "")) for row in rows
    ), OUT


def lingering(active: str, wait: int) -> str:
    """The states before 11.6 of a series that is in the result wherever `active` has no dot; `wait` is `for` in evaluations."""
    shown, state, since, last = "", ".", 0, -2
    for number, each in enumerate(active):
        if each != ".":
            if state == ".":
                since = number
            state, last = ("F" if number - since >= wait else "P"), number
        elif number - last >= 2:
            state = "."
        shown += state
    return shown


def _wait(alert: str) -> int:
    return _waits()[alert]


@cache
def _waits() -> Mapping[str, int]:
    found = {rule["title"]: parse_duration(rule["for"]) for rule in grafana_rules()}
    return {title: int(wait) // _EVERY for title, wait in found.items() if wait is not None}
