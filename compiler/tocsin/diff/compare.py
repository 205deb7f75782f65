"""Two compilations -> what they mean differently, rule by rule.

    compare(old, new)   Resolved of any environments and services, before and after -> RuleChange*

A rule is the same rule as long as its key is: id, level, override and environment. Name, text, file, service and group may change. Recording rules
have no such promise, so one that moved to another service is found by its name there. A changed record changes every rule that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.diff.changes import ChangeClass, FieldChange, RuleChange, Side
from tocsin.diff.classes import at_least, direction_of, worst
from tocsin.diff.fields import alert_fields, parsed, record_fields
from tocsin.ir.compiled import CompiledAlert, CompiledRecord, Resolved, RuleKey
from tocsin.promql import metrics

_Identity = tuple[str, RuleKey, str, int]
"""Kind, key, service (of records alone), and the place among rules that share all of these, which only mistaken sources have."""


@dataclass(slots=True)
class _Index:
    """One revision by identity."""

    rules: dict[_Identity, Side] = field(default_factory=dict)
    mirrors: dict[RuleKey, list[str]] = field(default_factory=dict)
    records: dict[tuple[str, str], list[Side]] = field(default_factory=dict)
    """(environment, series) -> who writes it."""


def compare(old: Iterable[Resolved], new: Iterable[Resolved]) -> tuple[RuleChange, ...]:
    """Every rule that differs, in the order of environment, service and key; nothing of two equal revisions."""
    before, after = _index(old), _index(new)
    pairs = _pairs(before, after)
    own: dict[_Identity, list[FieldChange]] = {}
    for identity, (one, other) in pairs.items():
        if one is not None and other is not None:
            own[identity] = _fields(identity, one, other, before, after)
    classes = _record_classes(pairs, own, before, after)
    found: list[RuleChange] = []
    for identity, (one, other) in pairs.items():
        fields = own.get(identity, [])
        if one is not None and other is not None and one.rule.digest != other.rule.digest:
            fields = [*fields, *_reads(one, other, before, after, classes, fields)]
            if not any(at_least(each.class_, "routing") for each in fields):
                # Something that is not here differs: a record of a service that did not compile.
                fields.append(FieldChange(field="reads", old="", new="", class_="meaning"))
        change = _change(identity[1], one, other, fields)
        if change is not None:
            found.append(change)
    return tuple(sorted(found, key=_order))


def _order(change: RuleChange) -> tuple[str, str, bool, str, str]:
    side = change.side
    return (change.key.env, side.group.service, change.is_alert, change.key.text, side.group.file)


def _change(
    key: RuleKey, one: Side | None, other: Side | None, fields: list[FieldChange]
) -> RuleChange | None:
    if one is None or other is None:
        return RuleChange(key=key, old=one, new=other, class_="added" if one is None else "removal")
    if not fields:
        return None
    class_ = worst(each.class_ for each in fields)
    named = {each.field for each in fields}
    return RuleChange(
        key=key,
        old=one,
        new=other,
        class_=class_,
        direction=direction_of(each.direction for each in fields if each.class_ == "sensitivity")
        if class_ == "sensitivity"
        else "",
        fields=tuple(fields),
        renamed=bool(named & {"name", "record"}),
        moved=bool(named & {"file", "service", "group", "evaluator"}),
    )


def _index(every: Iterable[Resolved]) -> _Index:
    index = _Index()
    seen: dict[tuple[str, RuleKey, str], int] = {}
    for resolved in every:
        for group in resolved.groups:
            for rule in group.rules:
                if isinstance(rule, CompiledAlert):
                    if rule.mirror:
                        index.mirrors.setdefault(rule.key, []).append(rule.evaluator.name)
                        continue
                    place = ("alert", rule.key, "")
                else:
                    place = ("record", rule.key, rule.service)
                    index.records.setdefault((rule.key.env, rule.record), []).append(
                        Side(rule=rule, group=group)
                    )
                seen[place] = seen.get(place, -1) + 1
                index.rules[(*place, seen[place])] = Side(rule=rule, group=group)
    return index


def _pairs(before: _Index, after: _Index) -> Mapping[_Identity, tuple[Side | None, Side | None]]:
    pairs: dict[_Identity, tuple[Side | None, Side | None]] = {
        identity: (before.rules.get(identity), after.rules.get(identity))
        for identity in (*before.rules, *(each for each in after.rules if each not in before.rules))
    }
    gone: dict[RuleKey, list[_Identity]] = {}
    come: dict[RuleKey, list[_Identity]] = {}
    for identity, (one, other) in pairs.items():
        if identity[0] == "record" and (one is None or other is None):
            (come if one is None else gone).setdefault(identity[1], []).append(identity)
    for key, lost in gone.items():
        # Moved to another service: certain only where there is one candidate on each side.
        if len(lost) == 1 and len(come.get(key, ())) == 1:
            pairs[come[key][0]] = (pairs.pop(lost[0])[0], pairs[come[key][0]][1])
    return pairs


def _fields(identity: _Identity, one: Side, other: Side, before: _Index, after: _Index) -> list[FieldChange]:
    if identity[0] == "record":
        return record_fields(one, other)
    key = identity[1]
    mirrors = [", ".join(sorted(set(index.mirrors.get(key, ())))) for index in (before, after)]
    return alert_fields(one, other, (mirrors[0], mirrors[1]))


def _record_classes(
    pairs: Mapping[_Identity, tuple[Side | None, Side | None]],
    own: Mapping[_Identity, list[FieldChange]],
    before: _Index,
    after: _Index,
) -> Mapping[tuple[str, str], ChangeClass]:
    """(environment, series) -> what its change does to readers, through other records too."""
    classes: dict[tuple[str, str], ChangeClass] = {}
    readers: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for identity, (one, other) in pairs.items():
        if identity[0] != "record" or _digest(one) == _digest(other):
            continue
        fields = own.get(identity)
        class_ = worst(each.class_ for each in fields) if fields is not None else "meaning"
        for side in (one, other):
            if side is not None and isinstance(side.rule, CompiledRecord):
                name = (side.rule.key.env, side.rule.record)
                classes[name] = worst((classes.get(name, "none"), _to_readers(class_)))
                readers.setdefault(name, set()).update(_read_names(side, before, after))
    settled = False
    while not settled:
        settled = True
        for name, reads in readers.items():
            class_ = worst((classes[name], *(classes.get(each, "none") for each in reads)))
            if class_ != classes[name]:
                classes[name], settled = class_, False
    return classes


def _digest(side: Side | None) -> str | None:
    return side.rule.digest if side is not None else None


def _to_readers(class_: ChangeClass) -> ChangeClass:
    """Another label of a record is, to those who match and group by it, another series."""
    return class_ if class_ in ("none", "text", "sensitivity") else "meaning"


def _read_names(side: Side, before: _Index, after: _Index) -> set[tuple[str, str]]:
    names = {(side.rule.key.env, name) for name in metrics(parsed(side.rule.expr))}
    return {each for each in names if each in before.records or each in after.records}


def _reads(
    one: Side,
    other: Side,
    before: _Index,
    after: _Index,
    classes: Mapping[tuple[str, str], ChangeClass],
    fields: Sequence[FieldChange],
) -> list[FieldChange]:
    """The records that both versions read and that are not what they were. `fields` are the rule's own."""
    found: list[FieldChange] = []
    for env, name in sorted(_read_names(one, before, after) & _read_names(other, before, after)):
        old, new = before.records.get((env, name), []), after.records.get((env, name), [])
        if sorted(each.rule.digest for each in old) == sorted(each.rule.digest for each in new):
            continue
        texts = [" / ".join(each.rule.expr.strip() for each in sides) for sides in (old, new)]
        if texts[0] == texts[1] and len(old) == len(new) == 1:
            said = [each for each in record_fields(old[0], new[0]) if each not in fields]
            if not said and any(at_least(each.class_, "routing") for each in fields):
                # One group evaluates both, and what changed is the group's.
                continue
            texts = ["; ".join(f"{each.field} {each.old or 'none'}" for each in said)]
            texts.append("; ".join(f"{each.field} {each.new or 'none'}" for each in said))
        class_ = worst(("sensitivity", classes.get((env, name), "meaning")))
        found.append(FieldChange(field=f"reads.{name}", old=texts[0], new=texts[1], class_=class_))
    return found
