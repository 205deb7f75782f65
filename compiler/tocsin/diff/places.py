"""Where a change stands in the sources: the line a reviewer wants marked."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.diag import Span
from tocsin.diff.changes import FieldChange, RuleChange, Side
from tocsin.diff.classes import CLASSES
from tocsin.diff.parameters import file_origin
from tocsin.ir.compiled import CompiledAlert
from tocsin.ir.project import Project
from tocsin.resolve.overrides import variants

_GROUP = {"group": "name"}
_WORDS = ("summary", "description")


def place_of(change: RuleChange, project: Project | None = None) -> Span:
    """The line of its strongest field, which `project` may have written; of the rule itself where that is written elsewhere. An added one may be a level
    or an override of a rule that stands. Of a removed rule there is only the file it was in."""
    side = change.side
    if change.new is None:
        return Span(side.group.file)
    if change.old is None:
        return _added_place(side)
    strongest = max(change.fields, key=lambda each: CLASSES.index(each.class_), default=None)
    return field_place(side, strongest, project) if strongest is not None else rule_place(side)


def _added_place(side: Side) -> Span:
    key, origin = side.rule.key, side.rule.origin
    for path in (("overrides", key.override), ("levels", key.level)):
        if path[1] and origin.wrote(*path):
            return origin.key(*path)
    return rule_place(side)


def rule_place(side: Side) -> Span:
    """The rule's first line."""
    return side.rule.origin.key("alert" if isinstance(side.rule, CompiledAlert) else "record")


def field_place(side: Side, field: FieldChange, project: Project | None = None) -> Span:
    """The line that says what the field is now; the rule's own where nobody knows which one does."""
    if field.field.startswith("group."):
        return side.group.origin.value(field.field.partition(".")[2])
    if field.field in _GROUP:
        return side.group.origin.value(_GROUP[field.field])
    origin = side.rule.origin
    for path in _paths(side, field.field):
        if origin.wrote(*path):
            return origin.value(*path)
    kind, _, name = field.field.partition(".")
    if kind == "labels" and side.group.origin.wrote("labels", name):
        return side.group.origin.value("labels", name)
    return (_param_place(side, name, project) if kind == "params" else None) or rule_place(side)


def _param_place(side: Side, name: str, project: Project | None) -> Span | None:
    """Where the file or tocsin.yaml sets a parameter."""
    origin = side.rule.origin
    file = file_origin(origin.file, origin.text)
    if file is not None and file.wrote("params", name):
        return file.value("params", name)
    if project is not None:
        for path in (("environments", side.rule.key.env, "params", name), ("params", name)):
            if project.origin.wrote(*path):
                return project.origin.value(*path)
    return None


def _paths(side: Side, field: str) -> Iterator[tuple[str, ...]]:
    """Where an author may have written it, the innermost first."""
    kind, _, name = field.partition(".")
    key = side.rule.key
    own: list[tuple[str, ...]] = [(field,)]
    yield from _set_by_override(side, name if kind == "params" else field)
    if kind == "params":
        own = [("params", name)]
        if key.level:
            yield ("levels", key.level, name)
    elif kind in ("labels", "annotations"):
        own = [(kind, name), *([(name,)] if name in _WORDS else [])]
    elif field == "name":
        own = [("alert",)]
    for path in own:
        if key.level:
            yield ("levels", key.level, *(("name",) if field == "name" else path))
    yield from own


def _set_by_override(side: Side, name: str) -> Iterator[tuple[str, ...]]:
    """Where an override that holds for this rule sets it: one for its environment alone is no part of its key."""
    rule = side.rule
    if not isinstance(rule, CompiledAlert) or not rule.source.overrides:
        return
    for variant in variants(rule.source, rule.key.env)[0]:
        if variant.key == rule.key.override:
            for path in (f"{rule.key.level}.{name}", name):
                if path in variant.settings:
                    yield ("overrides", variant.settings[path][1].key, "set", path)
