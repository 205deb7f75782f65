"""Which way a change inside an expression works on its result: more series, fewer, or nobody can know.

In: a tree, the node that changed, and what changed there: the set of its series grows (+1) or shrinks (-1), or its values do. The way to the root is
walked once, and each operator passes that on, turns it round or makes it unknowable (None). Two things are taken for granted: counters only grow,
and a window has samples throughout. What isn't certain under these is unknown, never guessed: a reviewer must be able to trust an arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from tocsin.promql.tree import (
    COMPARISONS,
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    Negate,
    Node,
    Number,
    Subquery,
    Tree,
)

Sign: TypeAlias = Literal[-1, 0, 1] | None
"""Grows, stays, shrinks; None: unknown."""


class Effect(NamedTuple):
    """What became of a node's result: which series there are, and how large their values are."""

    series: Sign
    values: Sign


_POINTWISE = frozenset({
    "ceil", "floor", "round", "exp", "sgn", "clamp", "clamp_max", "clamp_min", "vector", "label_replace", "label_join",
    "sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "max_over_time", "min_over_time", "avg_over_time", "sum_over_time", "last_over_time",
    "quantile_over_time", "deg", "rad",
})  # fmt: skip
"""A larger value in, a larger one out."""
_ROOTS = frozenset({"sqrt", "ln", "log2", "log10"})
"""The same, but of a number below zero they make none at all."""
_COUNTING = frozenset({
    "rate", "irate", "increase", "count_over_time", "changes", "resets", "histogram_count", "present_over_time", "time", "timestamp", "abs", "sqrt",
})  # fmt: skip
"""Never below zero."""
_ABSENT = frozenset({"absent", "absent_over_time"})
_SUMS: dict[str, Sign] = {"sum": 1, "count": 1, "max": 1, "min": -1, "group": 0}
"""What more series do to an aggregation's value; unknown for all others."""
_MONOTONE = frozenset({"sum", "max", "min", "avg", "quantile"})
_GREATER = frozenset({">", ">="})
_LONGER: dict[str, Effect] = {
    "max_over_time": Effect(0, 1),
    "min_over_time": Effect(0, -1),
    "increase": Effect(0, 1),
    "count_over_time": Effect(0, 1),
    "changes": Effect(0, 1),
    "resets": Effect(0, 1),
    "present_over_time": Effect(1, 0),
    "last_over_time": Effect(1, 0),
    "absent_over_time": Effect(-1, 0),
}
"""What a longer window does to a function's result."""
_SAMPLES: dict[str, Sign] = {
    "count_over_time": 1,
    "max_over_time": 1,
    "min_over_time": -1,
    "present_over_time": 0,
}
"""What more samples in a window do to a function's value; unknown for all others."""


def times(one: Sign, other: Sign) -> Sign:
    """Turned round where one of them is negative."""
    if one == 0 or other == 0:
        return 0
    if one is None or other is None:
        return None
    return 1 if one == other else -1


def both(one: Sign, other: Sign) -> Sign:
    """Two effects at once: known where they agree."""
    if one == 0:
        return other
    return one if other in (0, one) else None


def parents_of(tree: Tree) -> Sequence[int]:
    """The parent of each node; of the root, -1."""
    parents = [-1] * len(tree)
    for at, node in enumerate(tree):
        for kid in node.kids:
            parents[kid] = at
    return parents


def longer_window(tree: Tree, at: int, parents: Sequence[int]) -> tuple[int, Effect]:
    """The call that reads the window at `at`, and what a longer window does to its result."""
    above = parents[at]
    call = tree[above] if above >= 0 else None
    if not isinstance(call, Call):
        return at, Effect(None, None)
    effect = _LONGER.get(call.name, Effect(0, None))
    if _has_holes(tree, at) and call.name not in _ABSENT:
        # A series that the short window missed may be in the long one.
        effect = Effect(both(effect.series, 1), effect.values)
    return above, effect


def _has_holes(tree: Tree, at: int) -> bool:
    """Whether a subquery looks at something that filters, so that its window is not full of samples."""
    if not isinstance(tree[at], Subquery):
        return False
    first = at
    while tree[first].kids:
        first = tree[first].kids[0]
    return any(
        isinstance(node, Binary) and (node.op in SET_OPERATORS or (node.op in COMPARISONS and not node.bool_))
        for node in tree[first:at]
    )


def effect_at_root(tree: Tree, at: int, effect: Effect, parents: Sequence[int]) -> Effect:
    """What `effect` on the node at `at` does to the whole expression."""
    positive = _never_negative(tree)
    while (above := parents[at]) >= 0:
        effect = _through(tree, above, at, effect, positive)
        if effect.series is None and effect.values is None:
            return effect
        at = above
    return effect


def _through(tree: Tree, above: int, at: int, effect: Effect, positive: Sequence[bool]) -> Effect:
    node, series, values = tree[above], effect.series, effect.values
    match node:
        case Negate():
            return Effect(series, times(values, -1))
        case Call(name=name):
            if isinstance(tree[at], Subquery) and series != 0 and name not in _ABSENT:
                # Fewer series at each step are fewer samples in the window.
                return Effect(series, both(times(series, _SAMPLES.get(name)), values))
            if name in _ROOTS and positive[at]:
                return effect
            return _through_call(name, node.kids.index(at), effect)
        case Aggregate(op=op):
            if at != node.kids[-1]:
                return Effect(None, None)
            if op not in _SUMS and op not in _MONOTONE:
                return Effect(series if op != "topk" and op != "bottomk" else times(series, None), None)
            more = _SUMS.get(op)
            if op == "sum" and not positive[at]:
                more = None
            passed = values if op in _MONOTONE else 0
            return Effect(series, both(times(series, more), passed))
        case Binary(op=op):
            return _through_binary(node, node.kids.index(at), effect, tree, positive)
    return effect


def _through_call(name: str, place: int, effect: Effect) -> Effect:
    if name in _ABSENT:
        return Effect(times(effect.series, -1), 0)
    if name == "scalar":
        return Effect(0, effect.values if effect.series == 0 else None)
    if name == "histogram_quantile":
        return Effect(0, effect.values) if place == 0 else Effect(effect.series, None)
    if name in _POINTWISE and not (name == "quantile_over_time" and place == 0):
        return effect
    return Effect(effect.series, 0 if effect.values == 0 else None)


def _through_binary(node: Binary, side: int, effect: Effect, tree: Tree, positive: Sequence[bool]) -> Effect:
    op, (series, values), other = node.op, effect, node.kids[1 - side]
    right = side == 1
    if op in COMPARISONS:
        passed: Sign = times(values, None)
        if op in _GREATER or op in ("<", "<="):
            passed = times(values, 1 if (op in _GREATER) != right else -1)
        if node.bool_:
            return Effect(series, passed)
        return Effect(both(series, passed), 0 if right else values)
    if op == "unless" and right:
        return Effect(times(series, -1), 0)
    if op == "or" and not right and series != 0:
        # What comes on the left puts its like on the right aside, whatever that is worth; under `on` several of them.
        return Effect(None if node.matching.on or node.matching.labels else series, None)
    if op in SET_OPERATORS:
        return Effect(series, 0 if right and op == "and" else values)
    if op in ("+", "-"):
        return Effect(series, times(values, -1 if op == "-" and right else 1))
    if op == "*":
        return Effect(series, times(values, _sign_of(tree, other, positive)))
    if op == "/" and not right:
        return Effect(series, times(values, _sign_of(tree, other, positive)))
    if op == "/" and _is_above_zero(tree[node.kids[1]]):
        return Effect(series, times(times(values, _sign_of(tree, other, positive)), -1))
    return Effect(series, 0 if values == 0 else None)


def _is_above_zero(node: Node) -> bool:
    return isinstance(node, Number) and node.value > 0


def _sign_of(tree: Tree, at: int, positive: Sequence[bool]) -> Sign:
    node = tree[at]
    if isinstance(node, Number):
        return 1 if node.value > 0 else -1 if node.value < 0 else None
    return 1 if positive[at] else None


def _never_negative(tree: Tree) -> Sequence[bool]:
    found: list[bool] = []
    for node in tree:
        found.append(_is_never_negative(node, found))
    return found


def _is_never_negative(node: Node, known: Sequence[bool]) -> bool:
    match node:
        case Number(value=value):
            return value >= 0
        case Call(name=name):
            kept = name in _POINTWISE and name not in ("clamp", "clamp_max", "quantile_over_time")
            return name in _COUNTING or (kept and bool(node.kids) and known[node.kids[0]])
        case Aggregate(op=op):
            return op in ("count", "group", "stddev", "stdvar") or (
                op in ("sum", "max", "min", "avg", "topk", "bottomk") and known[node.kids[-1]]
            )
        case Binary(op=op) if op in COMPARISONS and node.bool_:
            return True
        case Binary(op=op) if op in ("+", "*", "/", "%", "or"):
            return all(known[kid] for kid in node.kids)
        case Binary(op=op) if op in COMPARISONS or op in ("and", "unless"):
            return known[node.kids[0]]
    return False
