"""The rows of the equivalence table for a Grafana older than the one its column was written for (12.1.2).

`keep_firing_for` cannot be sent to an older one, and a failed evaluation is another state there. A series that is missing while others are
there resolves at once from 11.6 on (`missingSeriesEvalsToResolve: 1`); before, Grafana keeps its last state until it has been missing longer
than two evaluations (pkg/services/ngalert/state/manager.go, staleResultsHandler).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.equivalence.table import Row, expected
from tests.grafana.capabilities import Version

OUT: Mapping[str, str] = {
    "keep": "keep_firing_for is sent from 12.1.2 on",
    "error": "execErrState KeepLast and keep_firing_for are sent from 11.0 and 12.1.2 on",
    "restart": "one of its rules has keep_firing_for",
}
_KEEPS = {"JobKept"}


def rows_for(version: Version) -> tuple[tuple[Row, ...], Mapping[str, str]]:
    """The rows that hold for that version before the restart, and why others are left out, by case."""
    every = expected().rows
    if version >= (12, 1, 2):
        return every, {}
    rows = tuple(row for row in every if row.case not in ("keep", "error") and row.alert not in _KEEPS)
    if version >= (11, 6, 0):
        return rows, OUT
    return tuple(
        replace(row, grafana=(LINGERS.get((row.alert, row.labels), row.grafana[0]), "")) for row in rows
    ), OUT


LINGERS: Mapping[tuple[str, tuple[tuple[str, str], ...]], str] = {}
"""Before 11.6: the rows in which a series goes missing while others are there."""
