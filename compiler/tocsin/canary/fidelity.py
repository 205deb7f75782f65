"""Does the model agree with reality? The canary as it was simulated, beside the `ALERTS` that its server really wrote.

Both are sets of (alert, state, evaluation), pending and firing alike, over the same evaluations. One evaluation of shift is forgiven, for a reload
or a late sample moves one. An evaluation that a busy server left out is neither side's: nothing of it is stored, and no mark of an end either, so that
the server goes on telling what was there before. Where neither side has anything the comparison is `vacuous`: nothing was shown, and nothing may be
claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tocsin.canary.calibrate import store_labels
from tocsin.canary.decode import Samples, decode, decode_raw
from tocsin.canary.machine import firing, pending
from tocsin.canary.source import MetricSource, TooMuch, Unanswerable, Unfit
from tocsin.canary.values import Grid, Labels, RuleVersion, Timeline, Window
from tocsin.promql.lex import quoted

State = Literal["pending", "firing"]
Seen = frozenset[tuple[Labels, State, int]]
_STATES: Final[tuple[State, ...]] = ("pending", "firing")
_DROPPED: Final = frozenset({"__name__", "alertstate", "grafana_alertstate", "grafana_rule_uid"})
_HOURS: Final = 6 * 3_600_000
"""Of raw samples asked for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """|both| / |either| over evaluations at which an alert is pending or firing; None where there was none on either side."""

    agreement: float | None
    n: int
    live: int
    simulated: int
    left_out: int = 0
    """Evaluations that the server did not make, of which nothing is claimed."""

    @property
    def vacuous(self) -> bool:
        """Whether nothing happened on either side."""
        return self.agreement is None


def fidelity_of(
    timeline: Timeline,
    live: Samples,
    version: RuleVersion,
    window: Window,
    left_out: frozenset[int] = frozenset(),
) -> Fidelity:
    """How far the simulated canary and the live one agree inside `window`. `live` are the samples of its ALERTS; at the evaluations `left_out` nobody
    can agree, and what came about among them may show as much later."""
    simulated = _simulated(timeline, window)
    really = _live(live, version, timeline, window)
    really = _projected(really, simulated)
    either = {each for each in simulated | really if each[2] not in left_out}
    if not either:
        return Fidelity(agreement=None, n=0, live=0, simulated=0, left_out=len(left_out))
    slack = 1 + _longest(left_out)
    agreed = sum(_near(each, simulated, slack) and _near(each, really, slack) for each in either)
    return Fidelity(
        agreement=agreed / len(either),
        n=len(either),
        live=sum(at not in left_out for _, _, at in really),
        simulated=sum(at not in left_out for _, _, at in simulated),
        left_out=len(left_out),
    )


def left_out(
    timeline: Timeline,
    live: Samples,
    version: RuleVersion,
    label: tuple[str, str],
    window: Window,
    source: MetricSource,
) -> frozenset[int]:
    """The evaluations inside `window` that a Prometheus did not make while the canary had alerts. Asked only between those at which the simulated one
    has alerts and the live one none; nothing is asked of another server, which may not keep the marks of what ended."""
    if version.machine != "prometheus" or not source.caps.exact:
        return frozenset()
    stored = {at for _, _, at in _live(live, version, timeline, window)}
    silent = sorted({at for _, _, at in _simulated(timeline, window)} - stored)
    found: set[int] = set()
    grid = timeline.grid
    # Just before the next evaluation: whatever this one did is told then.
    start = grid.start_ms - version.query_offset_ms + grid.step_ms // 2
    while silent:
        first = silent[0]
        count = min(silent[-1] - first + 1, source.caps.points)
        part = Grid(start_ms=start + first * grid.step_ms, step_ms=grid.step_ms, count=count)
        try:
            body = source.range(_selector(version, label), part.start_ms, part.end_ms, part.step_ms)
            found |= {first + int(at) for at in decode(body, part).at}
        except (TooMuch, Unanswerable, Unfit):
            return frozenset()  # nothing is excused that cannot be seen
        silent = [each for each in silent if each >= first + count]
    return frozenset(found - stored)


def live_alerts(
    version: RuleVersion, label: tuple[str, str], window: Window, source: MetricSource
) -> Samples:
    """The stored samples of the ALERTS of one canary: those with that label. Of Grafana's own alerts where it keeps them as series."""
    selector = _selector(version, label)
    bodies = []
    end = window.end_ms
    while end > window.start_ms:
        back = min(_HOURS, end - window.start_ms)
        bodies.append(decode_raw(source.raw(selector, end, back)))
        end -= back
    return _together(bodies)


def _selector(version: RuleVersion, label: tuple[str, str]) -> str:
    metric = "GRAFANA_ALERTS" if version.machine == "grafana" else "ALERTS"
    return f"{metric}{{{label[0]}={quoted(label[1])}}}"


def _together(parts: list[Samples]) -> Samples:
    series = tuple(dict.fromkeys(labels for part in parts for labels in part.series))
    index = {labels: row for row, labels in enumerate(series)}
    rows: list[NDArray[np.int32]] = [
        np.array([index[labels] for labels in part.series], dtype=np.int32)[part.row]
        for part in parts
        if part.series
    ]
    if not rows:
        return Samples(
            series=(), row=np.zeros(0, np.int32), at_ms=np.zeros(0, np.int64), value=np.zeros(0, np.float64)
        )
    kept = [part for part in parts if part.series]
    row, at = np.concatenate(rows), np.concatenate([part.at_ms for part in kept])
    value = np.concatenate([part.value for part in kept])
    order = np.lexsort((at, row))
    return Samples(series=series, row=row[order], at_ms=at[order], value=value[order])


def _simulated(timeline: Timeline, window: Window) -> Seen:
    times = timeline.grid.times()
    # A Grafana's alert has the name of its series, and the series of its states has another.
    names = [tuple(each for each in labels if each[0] != "__name__") for labels in timeline.identities]
    seen: set[tuple[Labels, State, int]] = set()
    for state, (row, at) in (("pending", pending(timeline)), ("firing", firing(timeline))):
        inside = (times[at] >= window.start_ms) & (times[at] < window.end_ms)
        for one, index in zip(row[inside].tolist(), at[inside].tolist(), strict=True):
            seen.add((names[one], "firing" if state == "firing" else "pending", index))
    return frozenset(seen)


def _live(live: Samples, version: RuleVersion, timeline: Timeline, window: Window) -> Seen:
    """What was written, at the evaluation it was written for: ALERTS has the time of the query, which is before that of the evaluation."""
    grid = timeline.grid
    seen: set[tuple[Labels, State, int]] = set()
    names: list[tuple[Labels, State | None]] = []
    for labels in live.series:
        has = dict(labels)
        said = (has.get("alertstate") or has.get("grafana_alertstate", "")).lower()
        state: State | None = (
            "firing" if said in ("firing", "alerting") else "pending" if said == "pending" else None
        )
        kept = tuple(each for each in labels if each[0] not in _DROPPED)
        names.append((kept, state))
    for row, at in zip(live.row.tolist(), live.at_ms.tolist(), strict=True):
        labels, state = names[row]
        when = at + version.query_offset_ms
        if state is not None and window.start_ms <= when < window.end_ms:
            seen.add((labels, state, round((when - grid.start_ms) / grid.step_ms)))
    return frozenset(seen)


def _projected(live: Seen, simulated: Seen) -> Seen:
    """The live side without the labels that a store adds to every series."""
    added = store_labels({labels for labels, _, _ in live}, (labels for labels, _, _ in simulated))
    if not added:
        return live
    return frozenset(
        (tuple(each for each in labels if each[0] not in added), state, at) for labels, state, at in live
    )


def _near(one: tuple[Labels, State, int], seen: Seen, slack: int) -> bool:
    labels, state, at = one
    return any((labels, state, at + shift) in seen for shift in range(-slack, slack + 1))


def _longest(numbers: frozenset[int]) -> int:
    """How many of these follow one another at most."""
    longest = run = 0
    for each in sorted(numbers):
        run = run + 1 if each - 1 in numbers else 1
        longest = max(longest, run)
    return longest
