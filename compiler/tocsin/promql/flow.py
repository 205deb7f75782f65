"""Which selectors to narrow so that the whole expression is narrowed: the law behind `inject`.

For a label L and any condition on it, `narrowing` finds selectors S such that putting the condition on S
gives just the results of the unchanged expression that satisfy the condition. A result without L counts as
having L empty, as matchers do. Each operator has its own argument, given beside it; where there is none, the
answer is a sentence that says why, and nothing is injected. The law holds for expressions that evaluate
without an error.

Filtering commutes with everything that treats each series alone, or treats whole groups of equal L as one.
"""

from __future__ import annotations

from tocsin.promql.effects import FUNCTIONS, series_argument
from tocsin.promql.tree import (
    NAME,
    Aggregate,
    Binary,
    Call,
    Expr,
    Kind,
    Negate,
    Node,
    Range,
    Selector,
    String,
    Subquery,
)

Narrowing = frozenset[int] | str
"""Positions in the tree of the selectors to narrow, or why there are none."""


def narrowing(expr: Expr, label: str) -> Narrowing:
    """The selectors that narrow the whole of `expr` by `label`, or why it cannot be done."""
    if label == NAME:
        return "the metric name is not a label to filter results by"
    found: list[Narrowing] = []
    for at, node in enumerate(expr.tree):
        found.append(_of(at, node, [found[kid] for kid in node.kids], expr, label))
    return found[-1]


def _of(at: int, node: Node, kids: list[Narrowing], expr: Expr, label: str) -> Narrowing:
    match node:
        case Selector():
            return frozenset({at})
        case Range() | Subquery() | Negate():
            return kids[0]
        case Call():
            return _of_call(node, kids, expr, label)
        case Aggregate():
            return _of_aggregate(node, kids, expr, label)
        case Binary():
            return _of_binary(node, kids, [expr.kinds[kid] for kid in node.kids], label)
        case _:
            return "a constant has no labels"


def _of_call(call: Call, kids: list[Narrowing], expr: Expr, label: str) -> Narrowing:
    match FUNCTIONS.get(call.name):
        case "keep" | "drop_name":
            return kids[series_argument(call)]
        case "date" if kids:
            return kids[0]
        case "histogram":
            # Buckets merge over all labels but `le`, so each histogram has one value of any other label.
            return (
                f"`{call.name}` merges the buckets of all `le`"
                if label == "le"
                else kids[series_argument(call)]
            )
        case "replace" | "join":
            target = expr.tree[call.kids[1]]
            if isinstance(target, String) and target.value != label:
                return kids[0]
            return f"`{call.name}` writes `{label}`"
        case "absent":
            return (
                f"`{call.name}` answers for series that do not exist, and copies its matchers into its result"
            )
        case "info":
            return f"`{call.name}` may take `{label}` from other series"
        case None:
            return f"what `{call.name}` does to labels is not known"
        case _:
            return f"`{call.name}` has no labels"


def _of_aggregate(node: Aggregate, kids: list[Narrowing], expr: Expr, label: str) -> Narrowing:
    if node.op in ("limitk", "limit_ratio"):
        return f"`{node.op}` picks its series by an order of its own"
    if node.op == "count_values":
        target = expr.tree[node.kids[0]]
        if not isinstance(target, String) or target.value == label:
            return f"`count_values` writes `{label}`"
    if (label in node.labels) == node.without:
        # Groups mix values of the label: their result (or their best k) depends on series the filter would
        # remove.
        return f"`{node.op}` puts different values of `{label}` into one group"
    return kids[-1]


def _of_binary(node: Binary, kids: list[Narrowing], kinds: list[Kind], label: str) -> Narrowing:
    left, right = kids
    if "scalar" in kinds:
        return "a scalar has no labels" if kinds[0] == kinds[1] else left if kinds[0] == "vector" else right
    matching = node.matching
    compared = matching.compares(label)
    if node.op == "unless":
        # The left side decides what there is; those it loses only depend on the right side, which stays
        # whole.
        return left
    if node.op == "or":
        # The right side fills in where the left has no match, so a filtered left must not uncover what it
        # hid.
        if not compared:
            return f"`or` hides results of its right side whatever their `{label}`"
        return _both(left, right)
    if node.op == "and":
        return _either(left, right) if compared else left
    if matching.many is not None and label in matching.include:
        # The result's label is the one side's own, so filtering that side filters the results.
        return left if matching.many == "right" else right
    if compared:
        # A pair agrees on the label, so filtering one side alone would do; both read less.
        return _either(left, right)
    if matching.many is None:
        return f"`{node.op}` drops `{label}` when it matches its sides"
    return left if matching.many == "left" else right


def _both(left: Narrowing, right: Narrowing) -> Narrowing:
    if isinstance(left, str):
        return left
    return right if isinstance(right, str) else left | right


def _either(left: Narrowing, right: Narrowing) -> Narrowing:
    if isinstance(left, str):
        return right
    return left if isinstance(right, str) else left | right
