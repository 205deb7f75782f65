"""What differs between two rules, and what changing one into the other does to its alerts and to the silences on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tocsin.promql import Expr, parse
from tocsin.promql.tree import COMPARISONS, Aggregate, Binary, Node, Number, Range, Selector, Subquery, Tree
from tocsin.sync.values import Effect, FieldChange, Rule, TargetKind
from tocsin.wire.grafana import Json
from tocsin.wire.live import Silence

TEXTS = ("annotations",)
"""What a rule says and does not do: neither a verdict nor a Prometheus' alert state depends on it."""


def differences(old: Json, new: Json, path: str = "") -> tuple[FieldChange, ...]:
    """Every leaf that differs between two bodies, by path, in order of the path."""
    return tuple(sorted(_leaves(old, new, path), key=lambda each: each.path))


def _leaves(old: Json, new: Json, path: str) -> Iterator[FieldChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            yield from _leaves(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _leaves(one, other, f"{path}[{index}]")
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield FieldChange(path=path, old=old, new=new)


def changes_meaning(fields: Iterable[FieldChange]) -> bool:
    """Whether any of the differences is one that a verdict is about: everything but texts."""
    return any(each.path.partition(".")[0] not in TEXTS for each in fields)


def effect_of(
    kind: TargetKind, before: Rule, after: Rule, fields: Sequence[FieldChange], *, moved: bool
) -> Effect:
    """What an update does to alert state.

    Grafana drops a rule's states when it picks up a changed rule, whatever changed (grafana#61917, #53302, #93200). Prometheus and Mimir
    carry them over to a rule of the same name and labels in the same group of the same file (Group.CopyState of prometheus/rules/group.go), one
    alert after another: what fires or waits under labels that the new expression gives too goes on with its old time, whatever `for` is now;
    any other ends. Measured on Prometheus 2.42 and 3.5 by tests/contract/test_sync_alert_state_real.py.
    """
    if after.paused and not before.paused:
        return "resolves"
    if before.paused:
        return "none" if after.paused else "starts"
    if kind in ("grafana", "directory"):
        return "resolves-and-refires" if fields or moved else "none"
    if before.kind == "record":
        return "none"
    if moved or before.title != after.title or before.labels != after.labels:
        return "resolves-and-refires"
    return "resolves-and-refires" if may_lose_alerts(before, after) else "none"


def may_lose_alerts(before: Rule, after: Rule) -> bool:
    """Whether the new expression of a rule might give alerts other labels than the old one. False is a proof: the two differ in numbers,
    times and comparisons alone, and no label is made of a value."""
    old, new = before.body.get("expr"), after.body.get("expr")
    if old == new:
        return False
    if any("{{" in each for each in after.labels.values()):
        return True
    parsed = parse(str(old)), parse(str(new))
    trees = [_unmeasured(each.tree) for each in parsed if isinstance(each, Expr)]
    return len(trees) < 2 or trees[0] is None or trees[0] != trees[1]


def _unmeasured(tree: Tree) -> Tree | None:
    """The tree with every number, time and comparison made the same; None where a number becomes a label."""
    made: list[Node] = []
    for node in tree:
        match node:
            case Number():
                made.append(Number(value=0, written="0"))
            case Selector():
                made.append(replace(node, offset=0, at=None))
            case Range():
                made.append(replace(node, range=0))
            case Subquery():
                made.append(replace(node, range=0, step=None, offset=0, at=None))
            case Binary(op=op) if op in COMPARISONS:
                made.append(replace(node, op="=="))
            case Aggregate(op="count_values"):
                return None
            case _:
                made.append(node)
    return tuple(made)


def silences_lost(silences: Iterable[Silence], before: Rule, after: Rule | None) -> tuple[Silence, ...]:
    """The silences that can match an alert of `before` and can match none of `after`."""
    return tuple(
        each
        for each in silences
        if _can_match(each, before.labels) and (after is None or not _can_match(each, after.labels))
    )


def _can_match(silence: Silence, labels: Mapping[str, str]) -> bool:
    """Whether some series could make this rule's alert match: a label the rule does not set itself may have any value."""
    for matcher in silence.matchers:
        value = labels.get(matcher.name)
        if value is None or "{{" in value:
            continue
        if matcher.is_regex:
            try:
                equal = re.fullmatch(matcher.value, value) is not None
            except re.error:
                continue
        else:
            equal = matcher.value == value
        if equal is not matcher.is_equal:
            return False
    return True
