"""What really fired: the `ALERTS` that a Prometheus, a Mimir or a vmalert stored while it evaluated the rule.

Read as stored samples, not as a range query: no look-back fills an evaluation that did not happen, and the server has nothing to compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from tocsin.canary.decode import decode, decode_raw
from tocsin.canary.phase import phase_of, plain_labels
from tocsin.canary.planner import grid_of
from tocsin.canary.source import MetricSource, TooMuch, Unanswerable, Unfit
from tocsin.canary.stored import joined
from tocsin.canary.values import Grid, Presence, RuleVersion, Window
from tocsin.promql.lex import quoted

_HOUR: Final = 3_600_000
_LONGEST: Final = 7 * 24 * _HOUR
_HIDDEN: Final = frozenset({"__name__", "alertstate"})


def _free() -> None:
    """A request that nobody counts."""


def real_alerts(
    version: RuleVersion,
    window: Window | Grid,
    source: MetricSource,
    take: Callable[[], None] = _free,
) -> Presence:
    """Which alerts of the version fired at which evaluation, by their labels as stored: on the grid given (a replay's own), or on the version's
    evaluations in the window. Empty where the server has no `ALERTS` of it. `take` is called before each request. TooMuch, Unanswerable, Unfit."""
    if isinstance(window, Window):
        phase, _ = phase_of(version, source, window.end_ms)
        grid, _ = grid_of(window, phase, version.interval_ms, 0)
    else:
        grid = window
    own = "".join(f",{name}={quoted(value)}" for name, value in plain_labels(version))
    selector = f'ALERTS{{alertname={quoted(version.name)},alertstate="firing"{own}}}'
    spans = [(grid.start_ms - version.query_offset_ms, grid.end_ms - version.query_offset_ms)]
    parts = []
    while spans:
        start, end = spans.pop()
        middle = (start + end) // 2
        if end - start > _LONGEST:
            spans += [(start, middle), (middle + 1, end)]
            continue
        take()
        try:
            # The start of a look-back is outside it, in Prometheus 3.
            body = source.raw(selector, end, end - start + 1)
        except TooMuch:
            if end - start <= _HOUR:
                raise
            spans += [(start, middle), (middle + 1, end)]
            continue
        parts.append(_placed(body, grid, version.query_offset_ms))
    return _once(joined(parts, values=False))


def fired_names(
    source: MetricSource, window: Window, take: Callable[[], None] = _free
) -> frozenset[str] | None:
    """The names of all alerts that fired in the window, in one request; None where the server does not say."""
    back = window.end_ms - window.start_ms
    expr = f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{back}ms]))'
    take()
    try:
        body = source.range(expr, window.end_ms, window.end_ms, 60_000)
        found = decode(body, Grid(start_ms=window.end_ms, step_ms=60_000, count=1))
    except (TooMuch, Unanswerable, Unfit):
        return None
    return frozenset(dict(labels).get("alertname", "") for labels in found.series)


def _placed(body: bytes, grid: Grid, offset_ms: int) -> Presence:
    """Stored samples at the nearest evaluations."""
    samples = decode_raw(body)
    at = np.rint((samples.at_ms + offset_ms - grid.start_ms) / grid.step_ms).astype(np.int64)
    inside = (at >= 0) & (at < grid.count)
    series = tuple(tuple(pair for pair in labels if pair[0] not in _HIDDEN) for labels in samples.series)
    return Presence(series=series, row=samples.row[inside], at=at[inside].astype(np.int32))


def _once(presence: Presence) -> Presence:
    """Each (row, at) once: a sample at the seam of two requests, or two at one evaluation."""
    keep = np.ones(len(presence.at), dtype=np.bool_)
    keep[1:] = (np.diff(presence.row) != 0) | (np.diff(presence.at) != 0)
    return Presence(series=presence.series, row=presence.row[keep], at=presence.at[keep])
