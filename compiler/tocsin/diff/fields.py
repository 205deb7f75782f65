"""One rule before and after, field by field, as its author would say it.

In: two sides of one key. Out: `FieldChange`s, mildest and most derived ones left out: a number that a parameter brings into the expression is a change
of that parameter, a summary that quotes it is not another one, and a label that the severity gives is the severity's. What the digest doesn't cover is
looked at always; what it covers only where digests differ, so that a class above `text` and another digest are the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tocsin.diff.changes import ChangeClass, FieldChange, Side
from tocsin.diff.classes import direction_of, worst
from tocsin.diff.expressions import ExprChange, compare_expressions
from tocsin.diff.parameters import Authored, authored_of, parameter_changes
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRecord
from tocsin.ir.digest import GRAFANA_INTERVAL
from tocsin.ir.duration import Duration, format_duration
from tocsin.promql import Expr, parse
from tocsin.resolve.params import uses

_REPEATED = frozenset({"sop_ref", "service", "owner", "rule_version"})
"""Annotations the project adds that repeat a field of their own, or the ledger."""


def alert_fields(old: Side, new: Side, mirrors: tuple[str, str]) -> list[FieldChange]:
    """What differs in an alert; `mirrors` are the names of the Grafanas that hold a paused copy, before and after."""
    one, other = old.rule, new.rule
    assert isinstance(one, CompiledAlert) and isinstance(other, CompiledAlert)
    found: list[FieldChange] = []
    before, after = authored_of(one), authored_of(other)
    changed = one.digest != other.digest or not one.digest
    exprs: tuple[ExprChange, ...] = ()
    if changed:
        exprs = compare_expressions(parsed(one.expr), parsed(other.expr))
        found.extend(_timing(one, other))
        found.extend(_labels(old, new, one, other))
    params, rest = parameter_changes(one, other, before, after, exprs)
    found.extend(params)
    if rest:
        found.append(
            FieldChange(
                field="expr",
                old=one.expr.strip(),
                new=other.expr.strip(),
                class_=worst(each.class_ for each in rest),
                direction=direction_of(each.direction for each in rest),
            )
        )
    found.extend(group_fields(old, new))
    found.extend(_annotations(one, other, before, after, {each.field for each in params}))
    found.extend(_plain(one, other, mirrors, changed=changed))
    return found


def record_fields(old: Side, new: Side) -> list[FieldChange]:
    """What differs in a recording rule. A value that others read has no direction of its own."""
    one, other = old.rule, new.rule
    assert isinstance(one, CompiledRecord) and isinstance(other, CompiledRecord)
    found: list[FieldChange] = []
    if one.digest != other.digest or not one.digest:
        exprs = compare_expressions(parsed(one.expr), parsed(other.expr))
        if exprs:
            class_ = worst(each.class_ for each in exprs)
            found.append(
                FieldChange(field="expr", old=one.expr.strip(), new=other.expr.strip(), class_=class_)
            )
        if one.record != other.record:
            found.append(FieldChange(field="record", old=one.record, new=other.record, class_="meaning"))
        before, after = {**old.group.labels, **one.labels}, {**new.group.labels, **other.labels}
        for name in _differing(before, after):
            found.append(
                FieldChange(
                    field=f"labels.{name}",
                    old=before.get(name, ""),
                    new=after.get(name, ""),
                    class_="meaning",
                )
            )
    found.extend(group_fields(old, new))
    found.extend(_pairs(("evaluator", one.evaluator.name, other.evaluator.name)))
    return found


def parsed(text: str) -> Expr:
    """The expression of a compiled rule, which parses or would not have been compiled."""
    expr = parse(text)
    assert isinstance(expr, Expr), text
    return expr


def group_fields(old: Side, new: Side) -> Iterator[FieldChange]:
    """What the group brings: how it is evaluated, and where the rule stands."""
    before, after = old.group, new.group
    grafana = (before.evaluator.kind == "grafana", after.evaluator.kind == "grafana")
    spans = [
        _interval(group, is_grafana=is_it) for group, is_it in zip((before, after), grafana, strict=True)
    ]
    if spans[0] != spans[1]:
        # Looking more often finds shorter peaks and also ends a pending alert sooner.
        yield _duration("group.interval", spans[0], spans[1], 0)
    yield from _durations(("group.query_offset", before.query_offset, after.query_offset, -1))
    if before.limit != after.limit:
        more = not after.limit or (before.limit and after.limit > before.limit)
        yield FieldChange(
            field="group.limit",
            old=str(before.limit or ""),
            new=str(after.limit or ""),
            class_="sensitivity",
            direction="up" if more else "down",
        )
    yield from _pairs(
        ("group", before.name, after.name),
        ("service", before.service, after.service),
        ("file", before.file, after.file),
    )


def _interval(group: CompiledGroup, *, is_grafana: bool) -> Duration:
    return group.interval or (GRAFANA_INTERVAL if is_grafana else Duration(0))


def _timing(one: CompiledAlert, other: CompiledAlert) -> Iterator[FieldChange]:
    yield from _durations(
        ("for", one.for_, other.for_, -1),
        ("keep_firing_for", one.keep_firing_for, other.keep_firing_for, 1),
    )


def _durations(*rows: tuple[str, Duration | None, Duration | None, int]) -> Iterator[FieldChange]:
    for field, old, new, longer in rows:
        if (old or 0) != (new or 0):
            yield _duration(field, old or Duration(0), new or Duration(0), longer)


def _duration(field: str, old: Duration, new: Duration, longer: int) -> FieldChange:
    sign = longer if new > old else -longer
    return FieldChange(
        field=field,
        old=format_duration(old) if old else "",
        new=format_duration(new) if new else "",
        class_="sensitivity",
        direction="up" if sign > 0 else "down" if sign < 0 else "",
    )


def _labels(old: Side, new: Side, one: CompiledAlert, other: CompiledAlert) -> Iterator[FieldChange]:
    if one.name != other.name:
        yield FieldChange(field="name", old=one.name, new=other.name, class_="routing")
    before, after = {**old.group.labels, **one.labels}, {**new.group.labels, **other.labels}
    differing = _differing(before, after)
    given = (_by_severity(one) | _by_severity(other)) if one.severity != other.severity else frozenset[str]()
    if one.severity != other.severity:
        class_: ChangeClass = "routing" if given & set(differing) else "text"
        yield FieldChange(field="severity", old=one.severity or "", new=other.severity or "", class_=class_)
    for name in differing:
        if name not in given:
            yield FieldChange(
                field=f"labels.{name}", old=before.get(name, ""), new=after.get(name, ""), class_="routing"
            )


def _by_severity(rule: CompiledAlert) -> frozenset[str]:
    """The label that the severity gave: the author's own that no author wrote."""
    level = next((each for each in rule.source.levels if each.key == rule.key.level), None)
    return rule.own_labels - rule.source.labels.keys() - (level.labels.keys() if level is not None else set())


def _annotations(
    one: CompiledAlert, other: CompiledAlert, before: Authored, after: Authored, reported: set[str]
) -> Iterator[FieldChange]:
    for name in _differing(one.annotations, other.annotations):
        old, new = one.annotations.get(name), other.annotations.get(name)
        written = before.annotations.get(name)
        own = name in one.own_annotations or name in other.own_annotations
        same = own and written is not None and written == after.annotations.get(name)
        if same and any(f"params.{each}" in reported for each in uses(written or "")):
            continue
        repeats = name in _REPEATED or (name == "runbook_url" and _leads_elsewhere(one, other))
        if not own and repeats and old is not None and new is not None:
            continue
        yield FieldChange(field=f"annotations.{name}", old=old or "", new=new or "", class_="text")


def _leads_elsewhere(one: CompiledAlert, other: CompiledAlert) -> bool:
    """Whether the address changed because what it is made of did."""
    return (one.sop_ref, one.identity) != (other.sop_ref, other.identity)


def _plain(
    one: CompiledAlert, other: CompiledAlert, mirrors: tuple[str, str], *, changed: bool
) -> Iterator[FieldChange]:
    shown = one.annotations.get("owner") != other.annotations.get("owner")
    if not changed and one.severity != other.severity:
        yield FieldChange(field="severity", old=one.severity or "", new=other.severity or "", class_="text")
    if one.sop_ref != other.sop_ref:
        yield FieldChange(field="sop_ref", old=one.sop_ref or "", new=other.sop_ref or "", class_="text")
    if one.owner != other.owner:
        class_: ChangeClass = "text" if shown else "none"
        yield FieldChange(field="owner", old=one.owner or "", new=other.owner or "", class_=class_)
    if one.identity != other.identity:
        # It fills the link's query, and says which instances mute each other; the digest does not cover it.
        old, new = ", ".join(one.identity), ", ".join(other.identity)
        yield FieldChange(field="identity", old=old, new=new, class_="text")
    if one.evaluator.name != other.evaluator.name or one.evaluator.kind != other.evaluator.kind:
        class_ = "meaning" if one.evaluator.kind != other.evaluator.kind else "none"
        yield FieldChange(field="evaluator", old=one.evaluator.name, new=other.evaluator.name, class_=class_)
    if one.shape != other.shape:
        yield FieldChange(field="shape", old=one.shape, new=other.shape, class_="sensitivity")
    grafana = other.evaluator.kind == "grafana"
    if grafana:
        before, after = (each.datasource.name if each.datasource else "" for each in (one, other))
        if before != after:
            asks = one.evaluator.kind == "grafana"
            yield FieldChange(field="datasource", old=before, new=after, class_="meaning" if asks else "none")
        elif one.datasource != other.datasource and one.datasource and other.datasource:
            yield from _pairs(("datasource.uid", one.datasource.uid, other.datasource.uid))
        yield from _pairs(("uid", one.uid, other.uid))
    yield from _pairs(
        ("mirror", *mirrors),
        ("signal", one.signal or "", other.signal or ""),
        ("sli", one.source.sli or "", other.source.sli or ""),
        ("routes_to", _listed(one), _listed(other)),
    )


def _listed(rule: CompiledAlert) -> str:
    """The receiver that the author expects this level to reach."""
    return rule.source.routes_to.get(rule.key.level, "")


def _pairs(*rows: tuple[str, str, str]) -> Iterator[FieldChange]:
    """Fields without effect at run time."""
    for field, old, new in rows:
        if old != new:
            yield FieldChange(field=field, old=old, new=new, class_="none")


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> Sequence[str]:
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
