"""A changed recording rule, written into the alerts that read it: history holds what the old rule recorded.

In: an expression and the records that changed with it. Out: the expression with each of them in place of its series, or why that would not be
the same. It is never exact, because a recorded series is sampled at its own group's times and the inlined one at the alert's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tocsin.promql import Expr, PromqlProblem, canonical, metrics, parse
from tocsin.promql.tree import NAME, Call, Node, Range, Selector, String, Subquery, Tree

_ABSENCE = ("absent", "absent_over_time")
_MOST = 2_000
"""Nodes of an inlined expression: beyond, a server would refuse it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recording rule as it will be. `expr` is `""` where it goes; `alone` is False where other rules write series of the same name."""

    name: str
    expr: str
    labels: Mapping[str, str]
    interval_ms: int
    alone: bool = True


class _Cannot(Exception):
    """Why a record cannot stand in the place of its series."""


def inlined(expr: Expr, changed: Mapping[str, Recorded]) -> str | PromqlProblem:
    """`expr` with every changed record it reads (through others, too) written out; PromqlProblem with the reason where that is not the same."""
    try:
        tree = _inlined(expr.tree, changed, frozenset())
    except _Cannot as why:
        return PromqlProblem(message=str(why))
    text = canonical(Expr(text="", _build=lambda: tree))
    again = parse(text)
    return again if isinstance(again, PromqlProblem) else text


def reads_changed(expr: Expr, changed: Mapping[str, Recorded]) -> bool:
    """Whether the expression itself names a changed record."""
    return any(name in changed for name in metrics(expr))


def _inlined(tree: Tree, changed: Mapping[str, Recorded], open_names: frozenset[str]) -> Tree:
    made: list[Node] = []
    place: dict[int, int] = {}
    above = {kid: node for node in tree for kid in node.kids}
    pending: dict[int, Recorded] = {}
    for at, node in enumerate(tree):
        if isinstance(node, Selector) and (record := _record(node, changed)) is not None:
            if record.name in open_names:
                raise _Cannot(f"the record `{record.name}` reads itself")
            _fits(node, record, above.get(at))
            body = _body(record, changed, open_names)
            shift = len(made)
            made.extend(replace(each, kids=tuple(kid + shift for kid in each.kids)) for each in body)
            pending[at] = record
            place[at] = len(made) - 1
        elif isinstance(node, Range) and node.kids[0] in pending:
            inner = tree[node.kids[0]]
            assert isinstance(inner, Selector)
            step = pending[node.kids[0]].interval_ms
            made.append(
                Subquery(
                    range=node.range, step=step, offset=inner.offset, at=inner.at, kids=(place[node.kids[0]],)
                )
            )
            place[at] = len(made) - 1
        else:
            made.append(replace(node, kids=tuple(place[kid] for kid in node.kids)))
            place[at] = len(made) - 1
        if len(made) > _MOST:
            raise _Cannot("the records written out are too long an expression")
    return tuple(made)


def _record(node: Selector, changed: Mapping[str, Recorded]) -> Recorded | None:
    for each in node.matchers:
        if each.label == NAME and each.op == "=":
            return changed.get(each.value)
    return None


def _fits(node: Selector, record: Recorded, parent: Node | None) -> None:
    """Raises where the record's expression in that place is not what its series would be."""
    if not record.expr:
        raise _Cannot(f"reads the record `{record.name}`, which goes")
    if not record.alone:
        raise _Cannot(f"reads the changed record `{record.name}`, which several rules write")
    if any(each.label != NAME for each in node.matchers):
        raise _Cannot(f"selects among the series of the changed record `{record.name}`")
    if (node.offset or node.at is not None) and not isinstance(parent, Range):
        raise _Cannot(f"reads the changed record `{record.name}` at another time")
    if isinstance(parent, Call) and parent.name in _ABSENCE:
        raise _Cannot(f"asks whether the changed record `{record.name}` is absent")
    if isinstance(parent, Call) and parent.name == "timestamp":
        raise _Cannot(f"asks when the changed record `{record.name}` was written")


def _body(record: Recorded, changed: Mapping[str, Recorded], open_names: frozenset[str]) -> Tree:
    """The record's own expression, changed records in it written out, its labels added."""
    expr = parse(record.expr)
    if isinstance(expr, PromqlProblem):
        raise _Cannot(f"reads the changed record `{record.name}`, which cannot be read: {expr.message}")
    if expr.kind != "vector":
        raise _Cannot(f"reads the changed record `{record.name}`, which is a single number")
    tree = list(_inlined(expr.tree, changed, open_names | {record.name}))
    for name, value in sorted(record.labels.items()):
        if "$" in value:
            raise _Cannot(f"reads the changed record `{record.name}`, whose label `{name}` holds a `$`")
        start = len(tree) - 1
        arguments = [String(value=text) for text in (name, value, "", "")]
        tree.extend(arguments)
        kids = (start, *range(start + 1, start + 5))
        tree.append(Call(name="label_replace", returns="vector", experimental=False, kids=kids))
    return tuple(tree)
