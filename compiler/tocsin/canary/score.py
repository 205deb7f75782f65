"""One version's firing as numbers: spells into pages, and both into `Metrics`.

A page is a maximal union of overlapping spells in one notification group, for that is what wakes somebody: thirty series that break together are
one page. What fired before the window is drawn and counted in no rate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from tocsin.canary.bootstrap import wilson
from tocsin.canary.comparison import Detection, HumanVerdict, IncidentSpan, Metrics, Page, Spell
from tocsin.canary.values import Labels, Window

FLAP_MS: Final = 900_000
"""An episode that begins sooner than this after the same alert resolved is a flap."""


def pages_of(spells: Sequence[Spell], group_by: Sequence[str]) -> tuple[Page, ...]:
    """The pages of one version, in the order in which they begin; every one of them `kept` until it is compared. `spells` are sorted by
    `fired_ms`."""
    groups: dict[Labels, list[list[int]]] = {}
    ends: dict[Labels, int] = {}
    named = {labels: group_of(labels, group_by) for labels in {each.labels for each in spells}}
    for index, spell in enumerate(spells):
        group = named[spell.labels]
        runs = groups.setdefault(group, [])
        if runs and spell.fired_ms <= ends[group]:
            runs[-1].append(index)
            ends[group] = max(ends[group], spell.resolved_ms)
        else:
            runs.append([index])
            ends[group] = spell.resolved_ms
    found = [_page(group, run, spells) for group, runs in groups.items() for run in runs]
    return tuple(sorted(found, key=lambda each: (each.start_ms, each.group)))


def group_of(labels: Labels, group_by: Sequence[str]) -> Labels:
    """The labels a notification is grouped by; one the alert does not carry is empty for every Alertmanager, so it is left out."""
    return tuple((name, value) for name, value in labels if name in group_by)


def _page(group: Labels, run: Sequence[int], spells: Sequence[Spell]) -> Page:
    mine = [spells[index] for index in run]
    return Page(
        group=group,
        start_ms=min(each.fired_ms for each in mine),
        end_ms=max(each.resolved_ms for each in mine),
        spells=tuple(run),
        kind="kept",
        carried_in=any(each.carried_in for each in mine),
        open=any(each.open for each in mine),
        incidents=tuple(sorted({incident for each in mine for incident in each.incidents})),
        unmatched=all(each.unmatched for each in mine),
    )


def score(
    spells: Sequence[Spell],
    pages: Sequence[Page],
    window: Window,
    days: float,
    incidents: Sequence[IncidentSpan],
    *,
    complete: bool,
) -> Metrics:
    """The metrics of one version; rates are of `days`. `incidents` are those of its service; `complete` says that their log is."""
    counted = [each for each in spells if not each.carried_in]
    paged = [each for each in pages if not each.carried_in]
    durations = sorted((each.resolved_ms - each.fired_ms) / 1000 for each in counted if not each.open)
    flaps = _flaps(spells)
    peak, jump = _peak(spells, window)
    unmatched = sum(each.unmatched for each in paged)
    detections = tuple(_detection(each, spells) for each in incidents if each.in_scope)
    precision = (len(paged) - unmatched) / len(paged) if paged else None
    recall = sum(each.detected for each in detections) / len(detections) if detections else None
    rate, n, how = _false_positives(counted, complete=complete)
    return Metrics(
        pages=len(paged),
        pages_per_day=len(paged) / days,
        episodes=len(counted),
        carried_in=len(spells) - len(counted),
        firing_hours=sum(each.resolved_ms - max(each.fired_ms, window.start_ms) for each in spells)
        / 3_600_000,
        closed=len(durations),
        mean_s=math.fsum(durations) / len(durations) if durations else None,
        median_s=_quantile(durations, 0.5),
        p90_s=_quantile(durations, 0.9),
        flaps=flaps,
        flap_rate=flaps / len(counted) if counted else None,
        peak=peak,
        jump=jump,
        unmatched=unmatched,
        unmatched_rate=unmatched / len(paged) if paged else None,
        unmatched_interval=wilson(unmatched, len(paged)),
        unmatched_episodes=sum(each.unmatched for each in counted),
        judged=_judged(counted),
        false_positive_rate=rate,
        false_positive_n=n,
        false_positive_how=how,
        precision=precision,
        recall=recall,
        f1=None
        if precision is None or recall is None
        else 2 * precision * recall / (precision + recall)
        if precision + recall
        else 0.0,
        detections=detections,
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """Between the two nearest values, as spreadsheets do."""
    if not ordered:
        return None
    at = share * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def _flaps(spells: Iterable[Spell]) -> int:
    last: dict[Labels, int] = {}
    found = 0
    for each in spells:
        before = last.get(each.labels)
        found += not each.carried_in and before is not None and each.fired_ms - before < FLAP_MS
        last[each.labels] = each.resolved_ms
    return found


def _peak(spells: Iterable[Spell], window: Window) -> tuple[int, int]:
    """The most identities firing at once, and the largest net rise at one evaluation."""
    change: Counter[int] = Counter()
    firing = peak = jump = 0
    for each in spells:
        if each.carried_in:
            firing += 1
        else:
            change[each.fired_ms] += 1
        if not each.open:
            change[each.resolved_ms] -= 1
    peak = firing
    for at in sorted(change):
        if at < window.end_ms:
            firing += change[at]
            peak, jump = max(peak, firing), max(jump, change[at])
    return peak, jump


def _detection(incident: IncidentSpan, spells: Iterable[Spell]) -> Detection:
    mine = [each for each in spells if incident.id in each.incidents]
    if not mine:
        return Detection(incident=incident.id, detected=False, others=incident.caught_by_others)
    known_end = not incident.open and not any(each.open for each in mine)
    return Detection(
        incident=incident.id,
        detected=True,
        delay_s=max(0, min(each.fired_ms for each in mine) - incident.start_ms) / 1000,
        reset_s=(max(each.resolved_ms for each in mine) - incident.end_ms) / 1000 if known_end else None,
        others=incident.caught_by_others,
    )


def _judged(spells: Iterable[Spell]) -> Mapping[HumanVerdict, int]:
    counts = Counter(each.verdict for each in spells if each.verdict is not None)
    return {verdict: counts[verdict] for verdict in ("true", "false", "noise") if counts[verdict]}


def _false_positives(
    spells: Sequence[Spell], *, complete: bool
) -> tuple[float | None, int, Literal["", "incident log", "verdicts"]]:
    """The rate, of how many episodes, and who says so. Without a complete log only what people judged is known."""
    known = spells if complete else [each for each in spells if each.verdict is not None]
    if not known:
        return None, 0, ""
    wrong = sum(each.unmatched for each in known)
    return wrong / len(known), len(known), "incident log" if complete else "verdicts"
