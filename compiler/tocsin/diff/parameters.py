"""Which parameter a difference came through: numbers exist once, so they are named once.

In: an alert before and after, the differences of its expression. Out: a `FieldChange` for each parameter that changed, with the class and direction of
what it moved, and the differences that no parameter explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tocsin.diag import Origin, SourceFile
from tocsin.diff.changes import FieldChange
from tocsin.diff.classes import direction_of, worst
from tocsin.diff.expressions import ExprChange
from tocsin.ir.compiled import CompiledAlert, CompiledRule
from tocsin.ir.duration import parse_duration
from tocsin.resolve.overrides import variants
from tocsin.resolve.params import uses
from tocsin.resolve.settings import settings_of
from tocsin.source.tree import read_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Authored:
    """The texts of one level as its author wrote them, parameters open."""

    expr: str
    annotations: Mapping[str, str]


def authored_of(rule: CompiledAlert) -> Authored:
    """What the author wrote for this rule."""
    source = rule.source
    level = next((each for each in source.levels if each.key == rule.key.level), None)
    said = {"summary": source.summary, "description": source.description}
    annotations = {name: text for name, text in said.items() if text is not None}
    annotations.update(source.annotations)
    if level is not None:
        annotations.update(level.annotations)
    expr = level.expr if level is not None and level.expr is not None else source.expr
    return Authored(expr=expr, annotations=annotations)


def parameter_changes(
    one: CompiledAlert, other: CompiledAlert, before: Authored, after: Authored, exprs: tuple[ExprChange, ...]
) -> tuple[list[FieldChange], list[ExprChange]]:
    """The parameters that changed, and what of `exprs` none of them explains."""
    changed = [
        name
        for name in sorted(one.params.keys() & other.params.keys())
        if one.params[name] != other.params[name]
    ]
    in_expr = uses(before.expr) & uses(after.expr)
    rest = list(exprs)
    explained: dict[str, list[ExprChange]] = {name: [] for name in changed}
    for name in changed:
        if name in in_expr:
            mine = [each for each in rest if _made_by(each, one.params[name], other.params[name])]
            explained[name] = mine
            rest = [each for each in rest if each not in mine]
    same_text = before.expr.strip() == after.expr.strip()
    unexplained = [name for name in changed if name in in_expr and not explained[name]]
    if same_text and rest and unexplained:
        # The text is the same, so what is left came through the parameters that are left.
        for name in unexplained:
            explained[name] = rest
        rest = []
    found: list[FieldChange] = []
    for name in changed:
        quoted = any(
            name in uses(text) and one.annotations.get(each) != other.annotations.get(each)
            for each, text in before.annotations.items()
            if after.annotations.get(each) == text
        )
        mine = explained[name]
        if mine or quoted:
            found.append(
                FieldChange(
                    field=f"params.{name}",
                    old=one.params[name],
                    new=other.params[name],
                    class_=worst(each.class_ for each in mine) if mine else "text",
                    direction=direction_of(each.direction for each in mine),
                )
            )
    return found, rest


def from_project(rule: CompiledRule) -> frozenset[str]:
    """The parameters that a rule uses and whose values tocsin.yaml gives: nothing in the rule's own file does."""
    origin = rule.origin
    if isinstance(rule, CompiledAlert):
        used = frozenset(rule.params)
        level = next((each for each in rule.source.levels if each.key == rule.key.level), None)
        inner: set[str] = set()
        for variant in variants(rule.source, rule.key.env)[0] if used else ():
            if variant.key == rule.key.override:
                inner = set(settings_of(rule.source, level, variant, {}).params)
    else:
        used, inner = uses(rule.source.expr), set(rule.source.params)
    if not used - inner:
        return frozenset()
    file = file_origin(origin.file, origin.text)
    return frozenset(name for name in used - inner if file is None or not file.wrote("params", name))


@lru_cache(maxsize=64)
def file_origin(path: str, text: str) -> Origin | None:
    """The top of a rule file; its rules come one after another, so that a few are remembered."""
    document, _ = read_document(SourceFile(path=path, text=text))
    return document.origin if document is not None else None


def _made_by(change: ExprChange, old: str, new: str) -> bool:
    """Whether a parameter that went from `old` to `new` is what changed there."""
    if change.kind == "number":
        return (change.old, change.new) == (_number(old), _number(new))
    if change.kind == "window":
        return (change.old, change.new) == (parse_duration(old), parse_duration(new))
    if change.kind == "filter":
        return str(change.old).replace(old, new) == change.new if old else False
    return False


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
