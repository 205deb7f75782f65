"""Incidents as the ground truth of a comparison: which firing belongs to which, and which rule caught one.

A firing belongs to an incident when it overlaps [start - 5 min, end + 15 min], the rule's service was hit, and no label contradicts: a label the
alert does not carry (it was aggregated away) contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tocsin.canary.comparison import IncidentSpan
from tocsin.canary.values import CARRIED_IN, NEVER, OPEN, Labels, Timeline, Window
from tocsin.ir.sop import Incident

BEFORE_MS: Final = 300_000
AFTER_MS: Final = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An incident with its times as numbers. `end_ms` is None while it goes on."""

    id: str
    title: str
    start_ms: int
    end_ms: int | None
    services: frozenset[str]
    labels: tuple[tuple[str, str], ...]

    def about(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert of these labels may be about it."""
        return all(labels.get(name, value) == value for name, value in self.labels)

    def overlaps(self, start_ms: int, end_ms: int) -> bool:
        """Whether [start, end) touches it, a little before and after included."""
        return (
            self.end_ms is None or start_ms <= self.end_ms + AFTER_MS
        ) and end_ms > self.start_ms - BEFORE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One firing of any rule, [start, end)."""

    labels: Labels
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRule:
    """What another rule did in the same window: asked for who else caught an incident."""

    service: str
    firings: tuple[Firing, ...]


def known(incidents: Iterable[Incident]) -> tuple[Known, ...]:
    """The incidents in the order of their start. One whose times are no times is left out: `check` has said so (TOC618). Where `end` is missing
    `mitigated` stands for it."""
    found = []
    for each in incidents:
        start, end = _ms(each.start), _ms(each.end or each.mitigated)
        if start is None or (end is not None and end < start):
            continue
        found.append(
            Known(
                id=each.id,
                title=each.title,
                start_ms=start,
                end_ms=end,
                services=frozenset(each.services),
                labels=tuple(sorted(each.labels.items())),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.start_ms, each.id)))


def of_service(incidents: Iterable[Known], service: str, window: Window) -> tuple[Known, ...]:
    """Those that hit the service and touch the window."""
    return tuple(
        each
        for each in incidents
        if service in each.services and each.overlaps(window.start_ms, window.end_ms)
    )


def span_of(incident: Known, window: Window, others: bool | None) -> IncidentSpan:
    """The incident as a comparison shows it."""
    end = incident.end_ms
    return IncidentSpan(
        id=incident.id,
        title=incident.title,
        start_ms=incident.start_ms,
        end_ms=window.end_ms if end is None else end,
        open=end is None,
        in_scope=window.start_ms <= incident.start_ms < window.end_ms,
        caught_by_others=others,
    )


def caught_by(incident: Known, rules: Iterable[OtherRule]) -> bool:
    """Whether one of these rules fired about it."""
    return any(
        rule.service in incident.services
        and any(
            incident.overlaps(each.start_ms, each.end_ms) and incident.about(dict(each.labels))
            for each in rule.firings
        )
        for rule in rules
    )


def firings_of(timeline: Timeline, window: Window) -> tuple[Firing, ...]:
    """Every firing of a replayed rule that touches the window, cut at the window's end."""
    return tuple(
        Firing(labels=labels, start_ms=fired, end_ms=end)
        for labels, _, fired, end, _, _ in episodes(timeline, window)
    )


def episodes(timeline: Timeline, window: Window) -> list[tuple[Labels, int, int, int, bool, bool]]:
    """(labels, active, fired, end, open, carried in) of every spell that fired inside the window, in the order of (fired, labels). Where it goes
    on after the window the end is the window's."""
    found = []
    columns = (timeline.row, timeline.active_ms, timeline.fired_ms, timeline.resolved_ms, timeline.flags)
    for row, active, fired, resolved, flags in zip(*(each.tolist() for each in columns), strict=True):
        if fired == NEVER or fired >= window.end_ms:
            continue
        on = bool(flags & OPEN) or resolved == NEVER or resolved > window.end_ms
        end = window.end_ms if on else resolved
        if end <= window.start_ms:
            continue
        before = fired < window.start_ms or (bool(flags & CARRIED_IN) and fired <= window.start_ms)
        found.append((timeline.identities[row], active, fired, end, on, before))
    return sorted(found, key=lambda each: (each[2], each[0], each[3]))


def _ms(text: str | None) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return None if moment.tzinfo is None else round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
