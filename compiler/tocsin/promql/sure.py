"""Whether an expression can fail while it is evaluated, so that it has no answer at some moment and one at the next.

What fails at one moment hangs on all series that are there, not on those of one result: two series of one match, two results of one label set.
So whoever asks about some series instead of all must know that nothing fails. `cannot_fail` is a proof, from promql/engine.go and functions.go of
Prometheus 3.5; False only says that there is none.

    a vector's series differ in their labels without the metric name      of every node; by `_keys` in which of them at least
"""

from __future__ import annotations

from tocsin.promql.effects import FUNCTIONS
from tocsin.promql.tree import (
    NAME,
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    Expr,
    Matching,
    Negate,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
)

_Keys = frozenset[str] | None
"""Labels that tell the series of a vector apart and are all that it has; None: all of its labels do."""
_SURE = frozenset({"keep", "drop_name", "histogram"})
_REFUSING = frozenset(
    {
        *("holt_winters", "double_exponential_smoothing"),
        *("count_values", "topk", "bottomk", "limitk", "limit_ratio"),
    }
)
"""These refuse a parameter out of range, or a text that is no label, but only when there is a series."""


def cannot_fail(expr: Expr) -> bool:
    """Whether `expr` has an answer at any moment, whatever series there are; limits of the server apart."""
    if any(isinstance(node, Subquery) for node in expr.tree) and any(
        isinstance(node, Binary) and node.op == "or" for node in expr.tree
    ):
        # At one moment the one side's name and at the next the other's: over time they are two series of one label set.
        return False
    keys: list[_Keys] = []
    for node in expr.tree:
        try:
            keys.append(_keys(node, [keys[kid] for kid in node.kids], expr))
        except _MayFail:
            return False
    return True


class _MayFail(Exception):
    """There is no proof for a node."""


def _keys(node: Node, kids: list[_Keys], expr: Expr) -> _Keys:
    match node:
        case Number():
            return frozenset()
        case Selector():
            if not any(each.label == NAME and each.op == "=" for each in node.matchers):
                raise _MayFail
            return None
        case Range() | Subquery() | Negate():
            return kids[0]
        case Call():
            if node.name in ("time", "pi"):
                return frozenset()
            series = [kid for kid in node.kids if expr.kinds[kid] != "scalar"]
            if FUNCTIONS.get(node.name) not in _SURE or node.name in _REFUSING or len(series) != 1:
                raise _MayFail
            return None
        case Aggregate():
            # By the metric's name: two groups may differ in nothing else.
            if node.op in _REFUSING or (NAME in node.labels and not node.without):
                raise _MayFail
            return None if node.without else node.labels
        case Binary():
            if "scalar" in (expr.kinds[kid] for kid in node.kids):
                return kids[0] if expr.kinds[node.kids[0]] == "vector" else kids[1]
            return _matched(node, kids)
        case _:
            raise _MayFail


def _matched(node: Binary, kids: list[_Keys]) -> _Keys:
    left, right = kids
    if node.op in SET_OPERATORS:
        # What `or` adds differs from everything on its left in a label that is compared.
        return None if node.op == "or" else left
    matching = node.matching
    for side, keys in (("left", left), ("right", right)):
        if matching.many != side and not _told_apart(keys, matching):
            raise _MayFail
    if matching.many is None:
        return matching.labels if matching.on else None if left is None else left - matching.labels
    if matching.include:
        raise _MayFail
    return left if matching.many == "left" else right


def _told_apart(keys: _Keys, matching: Matching) -> bool:
    """Whether no two series of a side agree in everything that is compared."""
    if keys is None:
        return not matching.on and not matching.labels
    return all(matching.compares(label) for label in keys)
