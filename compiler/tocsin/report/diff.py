"""A diff for people, programs and GitHub: text, JSON in the shape of `schemas/diff.schema.json`, an annotation on each changed line.

The report of a pull request, with who is called and how to undo it, is made from the same `Difference` elsewhere.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from tocsin.diff.changes import RuleChange, Side
from tocsin.diff.classes import CLASSES
from tocsin.diff.places import place_of, rule_place
from tocsin.ir.compiled import CompiledAlert, CompiledRecord
from tocsin.ir.duration import format_duration
from tocsin.ir.project import Project
from tocsin.report.as_github import command, placed
from tocsin.report.difference import (
    Difference,
    Row,
    class_words,
    field_words,
    headline,
    reroute_words,
    sentences,
    why_words,
)
from tocsin.report.visible import encodable, visible

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
FORMAT = 1
_SHORT = 12
_MOST = 8


def as_text(difference: Difference) -> str:
    """The headline, then a paragraph for each rule, the strongest change first."""
    head = difference.head[:_SHORT] or "work tree"
    lines = [f"{visible(headline(difference))}; {difference.base[:_SHORT]} -> {head}"]
    together: dict[tuple[str, ...], list[str]] = {}
    for row in difference.rows:
        # A group's interval is a change of each of its rules, and one paragraph.
        together.setdefault(tuple(_paragraph(row, difference.project)), []).append(row.rule)
    for (first, *rest), rules in together.items():
        lines += ["", visible(f"{_names(rules)} {first}"), *(visible(each) for each in rest)]
    if difference.sops:
        lines.append("")
    for each in difference.sops:
        where = each.new_path or each.old_path
        moved = f" from {each.old_path}" if each.old_path not in ("", where) and each.new_path else ""
        lines.append(visible(f"{each.id} ({each.language}) {each.kind}: {where}{moved}"))
    lines += [visible(each) for each in unsaid(difference)]
    return "\n".join(lines) + "\n"


def _names(rules: Sequence[str]) -> str:
    if len(rules) <= _MOST:
        return ", ".join(rules)
    return f"{', '.join(rules[:_MOST])} and {len(rules) - _MOST} more rules"


def _paragraph(row: Row, project: Project | None) -> Iterator[str]:
    change = row.change
    words = class_words(change)
    also = reroute_words(change)
    also = f", {also}" if also and also != words else ""
    place = place_of(change, project)
    yield f"({', '.join(row.envs)}): {words}{also}"
    yield f"    {place.file}" + (f":{place.line}" if change.new is not None else "")
    for each in sentences(change):
        yield f"    {each}"
    for field in change.fields:
        yield f"    {field_words(field)}"
    why = why_words(row.why)
    if why:
        yield f"    {why}"


def unsaid(difference: Difference) -> Iterator[str]:
    """What could not be compared, in a sentence each."""
    for service in difference.frozen:
        yield f"{service} does not compile on one side: nothing is said about its rules"
    for path in difference.unread:
        yield f"{path} cannot be read on one side: nothing is said about it"


def as_github(difference: Difference) -> str:
    """A notice on each changed line, a warning where a rule means something else or is gone; then the headline."""
    lines: list[str] = []
    for row in difference.rows:
        change = row.change
        kind = "warning" if change.class_ in ("meaning", "removal") else "notice"
        said = [visible(each) for each in (*sentences(change), *map(field_words, change.fields))]
        why = why_words(row.why)
        title = visible(f"{row.rule}: {class_words(change)} in {', '.join(row.envs)}")
        said += [visible(why)] if why else []
        place = placed(place_of(change, difference.project), difference.within)
        lines.append(command(kind, place, title, "\n".join(said) or title))
    lines += [f"{visible(each)}\n" for each in unsaid(difference)]
    return "".join(lines) + visible(headline(difference)) + "\n"


def as_json(difference: Difference) -> str:
    """The document, newline-terminated."""
    classes = Counter(each.class_ for each in difference.rules)
    document: dict[str, Json] = {
        "format": FORMAT,
        "tool": {"name": "tocsin", "version": difference.version},
        "base": difference.base,
        "head": difference.head or None,
        "headline": encodable(headline(difference)),
        "summary": {
            "rules": len(difference.rules),
            "classes": {each: classes[each] for each in CLASSES},
            "sops": len(difference.sops),
        },
        "rules": [_rule(each, difference) for each in difference.rules],
        "sops": [
            {
                "id": each.id,
                "language": each.language,
                "kind": each.kind,
                "old_hash": each.old_hash or None,
                "new_hash": each.new_hash or None,
                "old_path": encodable(each.old_path) or None,
                "new_path": encodable(each.new_path) or None,
                "title": encodable(each.title),
            }
            for each in difference.sops
        ],
        "frozen": [encodable(each) for each in difference.frozen],
        "unread": [encodable(each) for each in difference.unread],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _rule(change: RuleChange, difference: Difference) -> Json:
    why = difference.whys.get(change.key.id)
    place = place_of(change, difference.project)
    return {
        "rule": {
            "env": change.key.env,
            "id": change.key.id,
            "level": change.key.level,
            "override": change.key.override,
            "kind": "alert" if change.is_alert else "record",
            "service": change.side.rule.service,
        },
        "class": change.class_,
        "direction": change.direction,
        "renamed": change.renamed,
        "moved": change.moved,
        "fields": [
            {
                "field": encodable(each.field),
                "old": encodable(each.old),
                "new": encodable(each.new),
                "class": each.class_,
                "direction": each.direction,
            }
            for each in change.fields
        ],
        "old": _side(change.old),
        "new": _side(change.new),
        "place": {"file": encodable(place.file), "line": place.line},
        "reasons": [encodable(each) for each in why.reasons] if why is not None else [],
        "tickets": [encodable(each) for each in why.tickets] if why is not None else [],
    }


def _side(side: Side | None) -> Json:
    if side is None:
        return None
    rule = side.rule
    said: dict[str, Json] = {
        "digest": rule.digest,
        "version": rule.version,
        "expr": encodable(rule.expr),
        "labels": {name: encodable(text) for name, text in {**side.group.labels, **rule.labels}.items()},
        "evaluator": rule.evaluator.name,
        "group": encodable(side.group.name),
        "file": encodable(side.group.file),
        "line": rule_place(side).line,
    }
    if isinstance(rule, CompiledRecord):
        return {**said, "name": encodable(rule.record)}
    assert isinstance(rule, CompiledAlert)
    return {
        **said,
        "name": encodable(rule.name),
        "for": format_duration(rule.for_),
        "keep_firing_for": format_duration(rule.keep_firing_for),
        "severity": rule.severity,
        "owner": rule.owner,
        "sop_ref": rule.sop_ref,
        "annotations": {name: encodable(text) for name, text in rule.annotations.items()},
    }


FORMATS: Mapping[str, Callable[[Difference], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
}
