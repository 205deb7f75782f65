"""Records and what reads them: an alert follows its record once the series is there and covers what the alert looks back on. Pure.

A plan goes in, and what a server answers to one question (`covered`: does this query give anything?). A plan comes out in which alerts that would
be blind are refused with `records-not-ready`, and in which nothing is deleted that a refused rule still reads, or that was to begin again in a
refused group. Of a group that brings the record itself, the record goes out and the alert waits: for the
next sync, or for this one where `waits` says that it is a matter of minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from tocsin.ir.duration import Duration, format_duration
from tocsin.promql import Expr, parse
from tocsin.promql.lex import quoted
from tocsin.promql.tree import NAME, Range, Selector, Subquery
from tocsin.sync.values import Change, Group, GroupPlan, Plan, Refusal, Rule

Covered = Callable[[str], bool]
NOT_READY = "records-not-ready"
_EVERY = 60_000
"""How often a group without an interval is evaluated, unless the server says otherwise."""
_WINDOW = 600_000
"""How long before the wanted moment a sample may lie: longer than any usual interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """A record as the server will have it."""

    rule: Rule
    group: Group
    new: bool


def held_back(plan: Plan, covered: Covered, blind: Duration | None) -> Plan:
    """The plan without the alerts whose records are not ready. `blind` is how long a look back may find nothing; None allows nothing."""
    records = _records(plan)
    asked: dict[str, bool] = {}

    def ready(query: str) -> bool:
        if query not in asked:
            asked[query] = covered(query)
        return asked[query]

    groups: list[GroupPlan] = []
    for each in plan.groups:
        waiting = {} if each.refusals else _waiting(each, records, ready, blind)
        groups.extend(_without(each, waiting) if waiting else (each,))
    return replace(plan, groups=tuple(_with_needed(groups)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a refused alert waits for: a record, the query that tells when it is there, and how long that takes at the latest."""

    record: str
    query: str
    within: Duration


def waits(plan: Plan, blind: Duration | None) -> tuple[Wait, ...]:
    """What the alerts wait for that `held_back` refused, each query once."""
    records = _records(plan)
    found = {
        query: Wait(record=name, query=query, within=_within(record, back))
        for each in plan.groups
        if any(why.code == NOT_READY for why in each.refusals)
        for _, name, record, back in _read(each, records, blind)
        if (query := coverage_query(record.rule, record.group, back))
    }
    return tuple(found.values())


def with_lost_records(plan: GroupPlan) -> Group | None:
    """The group on the way: changed, and with the records that go. None where it loses none, or nothing else happens in it."""
    lost = [each.rule for each in plan.changes if each.action == "delete" and each.rule.kind == "record"]
    others = any(each.action not in ("delete", "none") for each in plan.changes)
    if not lost or not others or plan.after is None:
        return None
    return replace(plan.after, rules=(*plan.after.rules, *lost))


@lru_cache(maxsize=16_384)
def reach(text: str) -> Mapping[str, int]:
    """Metric name -> how many milliseconds the expression looks back on it at most. Empty for what cannot be read."""
    expr = parse(text)
    if not isinstance(expr, Expr):
        return {}
    tree = expr.tree
    above = {kid: at for at, node in enumerate(tree) for kid in node.kids}
    found: dict[str, int] = {}
    for at, node in enumerate(tree):
        if not isinstance(node, Selector):
            continue
        name = next((each.value for each in node.matchers if each.label == NAME and each.op == "="), "")
        if not name:
            continue
        back = max(0.0, node.offset)
        place = at
        while place in above:
            place = above[place]
            outer = tree[place]
            if isinstance(outer, Range):
                back += outer.range
            elif isinstance(outer, Subquery):
                back += outer.range + max(0.0, outer.offset)
        found[name] = max(found.get(name, 0), round(back))
    return found


def coverage_query(record: Rule, group: Group, back: int) -> str:
    """A query that gives something where the record had a sample that long ago."""
    labels = {**_texts(group.settings.get("labels")), **_texts(record.body.get("labels"))}
    matchers = [f"__name__={quoted(record.title)}"]
    matchers += [f"{name}={quoted(text)}" for name, text in sorted(labels.items())]
    window = format_duration(Duration(max(_WINDOW, 2 * int(group.interval))))
    offset = f" offset {format_duration(Duration(back))}" if back else ""
    return f"count(last_over_time({{{','.join(matchers)}}}[{window}]{offset}))"


def _records(plan: Plan) -> dict[str, list[_Record]]:
    found: dict[str, list[_Record]] = {}
    for each in plan.groups:
        new = {change.rule.uid for change in each.changes if change.action == "create"}
        for rule in each.after.rules if each.after is not None else ():
            if rule.kind == "record" and each.after is not None:
                made = _Record(rule=rule, group=each.after, new=rule.uid in new)
                found.setdefault(rule.title, []).append(made)
    return found


def _waiting(
    plan: GroupPlan, records: Mapping[str, list[_Record]], ready: Covered, blind: Duration | None
) -> dict[str, Refusal]:
    """uid of an alert that must wait -> why."""
    found: dict[str, Refusal] = {}
    for change, name, record, back in _read(plan, records, blind):
        if not ready(coverage_query(record.rule, record.group, back)):
            found.setdefault(change.rule.uid, _refusal(change, name, back, _within(record, back)))
    return found


def _read(
    plan: GroupPlan, records: Mapping[str, list[_Record]], blind: Duration | None
) -> Iterator[tuple[Change, str, _Record, int]]:
    """(an alert that changes, a record it will read, how far back), for each of which it is not known that the series is there."""
    for change in plan.changes:
        if change.rule.kind != "alert" or change.action in ("none", "delete"):
            continue
        before = reach(str(change.before.body.get("expr"))) if change.before is not None else {}
        for name, back in sorted(reach(str(change.rule.body.get("expr"))).items()):
            for record in records.get(name, ()):
                known = not record.new and before.get(name, -1) >= back
                if known or (blind is not None and blind >= back) or _same_round(plan, change, record, back):
                    continue
                yield change, name, record, back


def _within(record: _Record, back: int) -> Duration:
    """When the record covers that much at the latest, counted from its being written: a server spreads its groups over an interval, and samples are
    asked for at the next evaluation."""
    return Duration(back + 2 * int(record.group.interval or _EVERY))


def _same_round(plan: GroupPlan, change: Change, record: _Record, back: int) -> bool:
    """Whether the record stands before the alert in one group and is read at this very moment: there it is always new."""
    if back or plan.after is None or record.group.place != plan.place:
        return False
    order = [each.uid for each in plan.after.rules]
    return order.index(record.rule.uid) < order.index(change.rule.uid)


def _refusal(change: Change, name: str, back: int, within: Duration) -> Refusal:
    span = format_duration(Duration(back))
    what = f"has no samples that cover the {span} it looks back on" if back else "has no samples yet"
    return Refusal(
        code=NOT_READY,
        message=f"{change.rule.title} reads {name}, which {what}",
        help=f"sync again when it has, {format_duration(within)} after the record is written at the latest; or --accept-blind {span}, "
        "if nobody needs this alert for so long",
        subject=change.rule.key or change.rule.uid,
    )


def _without(plan: GroupPlan, waiting: Mapping[str, Refusal]) -> Iterable[GroupPlan]:
    """The group refused; or, where it brings records, what can go now and, refused, what waits."""
    why = tuple(dict.fromkeys(waiting.values()))
    brings = any(
        each.rule.kind == "record" and each.action not in ("none", "delete") for each in plan.changes
    )
    if not brings or plan.after is None:
        return (replace(plan, refusals=why),)
    old = {each.rule.uid: each.before for each in plan.changes}
    rules = [old[each.uid] if each.uid in waiting else each for each in plan.after.rules]
    middle = replace(plan.after, rules=tuple(each for each in rules if each is not None))
    now = tuple(each for each in plan.changes if each.rule.uid not in waiting)
    later = tuple(each for each in plan.changes if each.rule.uid in waiting)
    return (
        replace(plan, after=middle, changes=now),
        replace(plan, before=middle, changes=later, refusals=why, leaving=()),
    )


def _with_needed(groups: list[GroupPlan]) -> Iterable[GroupPlan]:
    """What a refused group still reads, and what was to begin again in it, stays where it is."""
    refused = [each for each in groups if each.refusals]
    read = {
        name: rule.title
        for each in refused
        for rule in (each.before.rules if each.before is not None else ())
        for name in reach(str(rule.body.get("expr")))
    }
    made = {
        rule.title
        for each in groups
        if not each.refusals and each.after is not None
        for rule in each.after.rules
        if rule.kind == "record"
    }
    coming = {_which(change.rule) for each in refused for change in each.changes if change.action == "create"}
    for each in groups:
        yield each if each.refusals else _keeping(each, read.keys() - made, coming)


def _keeping(plan: GroupPlan, read: Iterable[str], coming: set[tuple[str, ...]]) -> GroupPlan:
    names = set(read)
    kept = [
        each
        for each in plan.changes
        if each.action == "delete"
        and ((each.rule.kind == "record" and each.rule.title in names) or _which(each.rule) in coming)
    ]
    if not kept or plan.before is None:
        return plan
    after = plan.after or replace(plan.before, rules=())
    stay = tuple(each.rule for each in kept)
    return replace(
        plan,
        after=replace(after, rules=(*after.rules, *stay)),
        changes=tuple(each for each in plan.changes if each not in kept),
    )


def _which(rule: Rule) -> tuple[str, ...]:
    """A rule wherever it lies."""
    if rule.kind == "alert":
        return (rule.service, rule.key or rule.title)
    labels = (f"{name}={text}" for name, text in sorted(_texts(rule.body.get("labels")).items()))
    return (rule.service, "record", rule.title, *labels)


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}
