"""Two replayed versions of one rule, laid over each other: what was kept, lost and gained, and what that means for pages and incidents.

    Replayed x incidents x verdicts x other rules -> Comparison

Series of the two versions are paired by what they share: the identity without alertname and without the labels a rule adds, so that a new severity
does not look like a new series. Where an aggregation changed nothing can be paired, and pages are compared instead. Pure: the same history gives
the same comparison, byte for byte.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from tocsin.canary.bootstrap import page_ratio, seed_of
from tocsin.canary.comparison import (
    Change,
    Comparison,
    IncidentSpan,
    Metrics,
    Page,
    Ratio,
    Run,
    Spell,
    SpellKind,
)
from tocsin.canary.figures import figures_of
from tocsin.canary.incidents import Known, OtherRule, caught_by, episodes, of_service, span_of
from tocsin.canary.labels import Said, Words
from tocsin.canary.planner import DAY_MS
from tocsin.canary.score import pages_of, score
from tocsin.canary.values import Labels, Replay, Replayed, RuleVersion, Window
from tocsin.ir.canary import CanaryPolicy

K = TypeVar("K", bound=Hashable)
_Interval = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks beside the replays. `others` are the other rules over the same window, by key; None where none was replayed, so that nobody can
    know whether one of them would have caught an incident."""

    incidents: tuple[Known, ...] = ()
    said: tuple[Said, ...] = ()
    others: Mapping[str, OtherRule] | None = None


NO_EVIDENCE = Evidence()


def compare(
    replayed: Replayed, window: Window, policy: CanaryPolicy, evidence: Evidence = NO_EVIDENCE
) -> Comparison:
    """The comparison of one pair. A version that could not be replayed has a `Run` with the reason, and no metrics."""
    pair = replayed.pair
    version = pair.new or pair.old
    assert version is not None
    complete = version.service in policy.complete
    mine = of_service(evidence.incidents, version.service, window)
    others = _others(evidence.others, pair.key.text)
    spans = tuple(span_of(each, window, None if others is None else caught_by(each, others)) for each in mine)
    names = frozenset(each.name for each in (pair.old, pair.new) if each is not None)
    said = Words((each for each in evidence.said if each.about_rule(pair.key, names)), window)
    old, new = (
        None if side is None or side.timeline is None else _spells(side, window, mine, said)
        for side in (replayed.old, replayed.new)
    )
    change: Change = "added" if pair.old is None else "removed" if pair.new is None else "changed"
    found = Comparison(
        key=pair.key,
        name=version.name,
        service=version.service,
        severity=version.severity,
        severities=tuple(dict.fromkeys(e.severity for e in (pair.old, pair.new) if e is not None)),
        change=change,
        window=window,
        days=window.days if replayed.held_ms is None else min(replayed.held_ms / DAY_MS, window.days),
        old=None,
        new=None,
        old_run=_run(pair.old, replayed.old, window),
        new_run=_run(pair.new, replayed.new, window),
        calibration=replayed.old.calibration if replayed.old is not None else None,
        incidents=spans,
        complete=complete,
    )
    if (old is None and pair.old is not None) or (new is None and pair.new is not None):
        return found
    return _overlaid(found, old or (), new or (), policy, pair.old, pair.new)


def _others(others: Mapping[str, OtherRule] | None, key: str) -> tuple[OtherRule, ...] | None:
    return None if others is None else tuple(rule for name, rule in sorted(others.items()) if name != key)


def _overlaid(
    found: Comparison,
    old: tuple[Spell, ...],
    new: tuple[Spell, ...],
    policy: CanaryPolicy,
    old_version: RuleVersion | None,
    new_version: RuleVersion | None,
) -> Comparison:
    added = [
        {"alertname", *each.labels} if each is not None else set() for each in (old_version, new_version)
    ]
    ignored = frozenset(added[0] | added[1])
    paired = _pairable(old, new, ignored)
    if paired:
        old, new = _matched(old, new, ignored)
    old_pages, new_pages = _paged(old, new, policy.group_by, ignored)
    if not paired:
        old, new = _by_pages(old, old_pages), _by_pages(new, new_pages)
    incidents: Sequence[IncidentSpan] = found.incidents
    measures: list[Metrics | None] = [
        score(spells, pages, found.window, found.days, incidents, complete=found.complete)
        if version is not None
        else None
        for version, spells, pages in ((old_version, old, old_pages), (new_version, new, new_pages))
    ]
    things: tuple[Sequence[Spell | Page], ...] = (old, new) if paired else (old_pages, new_pages)
    counts = Counter(each.kind for each in things[0] if not each.carried_in)
    kept = [(each, new[each.partners[0]]) for each in old if paired and each.kind == "kept"]
    both = old_version is not None and new_version is not None
    return replace(
        found,
        old=measures[0],
        new=measures[1],
        paired_by="identity" if paired else "page",
        kept=counts["kept"],
        lost=counts["lost"],
        gained=sum(each.kind == "gained" and not each.carried_in for each in things[1]),
        split=counts["split"],
        merged=counts["merged"],
        matched_duration_ratio=_duration_ratio(old, new) if paired else None,
        shift_s=_middle(
            (after.fired_ms - before.fired_ms) / 1000
            for before, after in kept
            if not before.carried_in and not after.carried_in
        ),
        page_ratio=_ratio(found, old_pages, new_pages) if both else None,
        figures=figures_of(measures[0], measures[1]),
        old_spells=old,
        new_spells=new,
        old_pages=old_pages,
        new_pages=new_pages,
    )


def _spells(replay: Replay, window: Window, incidents: Sequence[Known], said: Words) -> tuple[Spell, ...]:
    assert replay.timeline is not None
    found = []
    own = replay.version.labels.keys() | {"alertname"}
    step = replay.version.interval_ms
    # What depends on the labels alone is asked once for each alert, not for each of its firings.
    known: dict[Labels, tuple[Mapping[str, str], Sequence[Known]]] = {}
    for labels, active, fired, end, on, before in episodes(replay.timeline, window):
        if labels not in known:
            # What a rule adds says which version fired, not what about: a verdict on the old one holds for the new one.
            bare = {name: value for name, value in labels if name not in own}
            known[labels] = bare, [each for each in incidents if each.about(dict(labels))]
        about, mine = known[labels]
        word = said.about(about, fired, end, step)
        found.append(
            Spell(
                labels=labels,
                active_ms=active,
                fired_ms=fired,
                resolved_ms=end,
                kind="kept",
                open=on,
                carried_in=before,
                incidents=tuple(each.id for each in mine if each.overlaps(fired, end)),
                verdict=word.verdict if word is not None else None,
                judged_by=word.by if word is not None else "",
            )
        )
    return tuple(found)


def _run(version: RuleVersion | None, replay: Replay | None, window: Window) -> Run | None:
    if version is None:
        return None
    if replay is None or replay.timeline is None:
        return Run(
            exactness=version.exactness if replay is None else replay.exactness,
            digest=version.digest,
            expr=version.expr,
            interval_ms=version.interval_ms,
            for_ms=version.for_ms,
            keep_ms=version.keep_ms,
            machine=version.machine,
        )
    grid = replay.timeline.grid
    first, last = (-(-(at - grid.start_ms) // grid.step_ms) for at in (window.start_ms, window.end_ms))
    first, last = max(0, first), min(grid.count, last)
    failed = np.union1d(grid.missed, replay.timeline.failed)
    return Run(
        exactness=replay.exactness,
        digest=version.digest,
        expr=version.expr,
        interval_ms=version.interval_ms,
        evaluations=max(0, last - first),
        failed=int(np.count_nonzero((failed >= first) & (failed < last))),
        stride=replay.stride,
        phase_ms=replay.phase_ms,
        phase_how=replay.phase_how,
        for_ms=version.for_ms,
        keep_ms=version.keep_ms,
        machine=version.machine,
    )


def _shared(labels: Labels, ignored: frozenset[str]) -> Labels:
    return tuple(each for each in labels if each[0] not in ignored)


def _pairable(old: Sequence[Spell], new: Sequence[Spell], ignored: frozenset[str]) -> bool:
    """Whether any identity of one version could be one of the other's: they have the same label names somewhere. A version that never fired
    contradicts nothing."""
    before, after = (
        {frozenset(name for name, _ in _shared(labels, ignored)) for labels in {each.labels for each in side}}
        for side in (old, new)
    )
    return not before or not after or bool(before & after)


def _matched(
    old: tuple[Spell, ...], new: tuple[Spell, ...], ignored: frozenset[str]
) -> tuple[tuple[Spell, ...], tuple[Spell, ...]]:
    """Both with their partners and kinds."""
    shared = {
        labels: _shared(labels, ignored) for labels in {each.labels for side in (old, new) for each in side}
    }
    sides = (
        [(shared[each.labels], (each.fired_ms, each.resolved_ms)) for each in side] for side in (old, new)
    )
    links = overlaps(*sides)
    sizes = _components(links, len(old), len(new))
    back: dict[int, list[int]] = defaultdict(list)
    for index, partners in links.items():
        for each in partners:
            back[each].append(index)

    def kind(node: int, alone: SpellKind) -> SpellKind:
        before, after = sizes[node]
        if not before or not after:
            return alone
        return "kept" if before == after == 1 else "split" if after >= before else "merged"

    return (
        tuple(
            replace(each, kind=kind(index, "lost"), partners=tuple(links.get(index, ())))
            for index, each in enumerate(old)
        ),
        tuple(
            replace(each, kind=kind(len(old) + index, "gained"), partners=tuple(sorted(back[index])))
            for index, each in enumerate(new)
        ),
    )


def overlaps(old: Sequence[tuple[K, _Interval]], new: Sequence[tuple[K, _Interval]]) -> dict[int, list[int]]:
    """Index of an old interval -> indices of the new ones of the same key that overlap it, [start, end) both. Each side is sorted by start."""
    theirs: dict[K, list[int]] = defaultdict(list)
    for index, (key, _) in enumerate(new):
        theirs[key].append(index)
    begun: dict[K, int] = defaultdict(int)
    found: dict[int, list[int]] = {}
    for index, (key, (start, end)) in enumerate(old):
        mine = theirs.get(key, [])
        # Old ones come in the order of their start: what ended before this one ended before all later ones.
        while begun[key] < len(mine) and new[mine[begun[key]]][1][1] <= start:
            begun[key] += 1
        for each in mine[begun[key] :]:
            if new[each][1][0] >= end:
                break
            if new[each][1][1] > start:
                found.setdefault(index, []).append(each)
    return found


def _components(links: Mapping[int, Iterable[int]], old: int, new: int) -> list[tuple[int, int]]:
    """For every old, then every new one: how many old and new ones hang together with it."""
    root = list(range(old + new))

    def find(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for index, partners in links.items():
        for each in partners:
            root[find(index)] = find(old + each)
    before, after = Counter(map(find, range(old))), Counter(map(find, range(old, old + new)))
    return [(before[find(node)], after[find(node)]) for node in range(old + new)]


def _paged(
    old: Sequence[Spell], new: Sequence[Spell], group_by: Sequence[str], ignored: frozenset[str]
) -> tuple[tuple[Page, ...], tuple[Page, ...]]:
    """The pages of both, each `kept` where the other has one at that time in the group that both can tell apart."""
    sides = [pages_of(each, group_by) for each in (old, new)]
    names = [{name for page in pages for name, _ in page.group} for pages in sides]
    told = (names[0] & names[1] if all(names) else names[0] | names[1]) - ignored
    keyed = [
        [
            (tuple(each for each in page.group if each[0] in told), (page.start_ms, page.end_ms))
            for page in pages
        ]
        for pages in sides
    ]
    links = overlaps(keyed[0], keyed[1])
    met = {each for partners in links.values() for each in partners}
    return (
        tuple(replace(page, kind="kept" if i in links else "lost") for i, page in enumerate(sides[0])),
        tuple(replace(page, kind="kept" if i in met else "gained") for i, page in enumerate(sides[1])),
    )


def _by_pages(spells: Sequence[Spell], pages: Iterable[Page]) -> tuple[Spell, ...]:
    """The spells with the kind of the page they belong to."""
    kinds: dict[int, Literal["kept", "lost", "gained"]] = {
        i: page.kind for page in pages for i in page.spells
    }
    return tuple(replace(each, kind=kinds[index]) for index, each in enumerate(spells))


def _ratio(found: Comparison, old: Iterable[Page], new: Iterable[Page]) -> Ratio:
    before, after = ([each.start_ms for each in pages if not each.carried_in] for pages in (old, new))
    return page_ratio(before, after, found.window, seed_of(found.key.text))


def _duration_ratio(old: Sequence[Spell], new: Sequence[Spell]) -> float | None:
    """Firing time of new to old ones, of those that have partners and began in the window."""
    before, after = (
        sum(each.resolved_ms - each.fired_ms for each in side if each.partners and not each.carried_in)
        for side in (old, new)
    )
    return after / before if before else None


def _middle(values: Iterable[float]) -> float | None:
    ordered = sorted(values)
    if not ordered:
        return None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
