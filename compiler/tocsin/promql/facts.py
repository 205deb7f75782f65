"""What an expression reads: metric names, labels its matchers mention, functions, and which way its threshold
works.
"""

from __future__ import annotations

from typing import Literal

from tocsin.promql.tree import (
    EXPERIMENTAL_AGGREGATIONS,
    NAME,
    Aggregate,
    Binary,
    Call,
    Expr,
    Matcher,
    Number,
    Selector,
)


def metrics(expr: Expr) -> tuple[str, ...]:
    """The metric names selected by equality, sorted, each once."""
    return tuple(
        sorted(
            {each.value for each in _matchers(expr) if each.label == NAME and each.op == "=" and each.value}
        )
    )


def opaque_names(expr: Expr) -> bool:
    """Whether some selector may read metrics that `metrics` does not list: no name, or a pattern in its
    place.
    """
    return any(
        not any(each.label == NAME and each.op == "=" for each in node.matchers)
        for node in expr.tree
        if isinstance(node, Selector)
    )


def matched_labels(expr: Expr) -> tuple[str, ...]:
    """The labels that matchers mention, sorted, the metric name not among them."""
    return tuple(sorted({each.label for each in _matchers(expr)} - {NAME}))


def functions(expr: Expr) -> tuple[str, ...]:
    """The functions and aggregations used, sorted, each once: what an evaluator's version must know."""
    return tuple(sorted({node.name if isinstance(node, Call) else node.op for node in _uses(expr)}))


def experimental_functions(expr: Expr) -> tuple[str, ...]:
    """Those that Prometheus takes only with its experimental functions switched on."""
    return tuple(
        sorted(
            {node.name for node in _uses(expr) if isinstance(node, Call) and node.experimental}
            | {
                node.op
                for node in _uses(expr)
                if isinstance(node, Aggregate) and node.op in EXPERIMENTAL_AGGREGATIONS
            }
        )
    )


def threshold_direction(expr: Expr, marker: float) -> Literal["rising", "falling"] | None:
    """Whether a bigger number in the place of `marker` makes the rule less sensitive ("rising") or more
    ("falling").

    None unless `marker` occurs once, as one side of one `<`, `<=`, `>`, `>=` that filters (no `bool`) and
    that is the expression itself, or stands in it on either side of `and` or on the left of `unless`: only
    there do fewer results of the comparison surely mean fewer results of the whole.
    """
    tree = expr.tree
    found = [at for at, node in enumerate(tree) if isinstance(node, Number) and node.value == marker]
    if len(found) != 1:
        return None
    parents = {kid: at for at, node in enumerate(tree) for kid in node.kids}
    at = parents.get(found[0])
    comparison = tree[at] if at is not None else None
    if at is None or not isinstance(comparison, Binary) or comparison.bool_:
        return None
    direction = _DIRECTIONS.get(comparison.op)
    if direction is None:
        return None
    while (above := parents.get(at)) is not None:
        node = tree[above]
        if not isinstance(node, Binary) or not (
            node.op == "and" or (node.op == "unless" and node.kids[0] == at)
        ):
            return None
        at = above
    if comparison.kids[0] == found[0]:
        return "falling" if direction == "rising" else "rising"
    return direction


_DIRECTIONS: dict[str, Literal["rising", "falling"]] = {
    ">": "rising",
    ">=": "rising",
    "<": "falling",
    "<=": "falling",
}


def _matchers(expr: Expr) -> list[Matcher]:
    return [each for node in expr.tree if isinstance(node, Selector) for each in node.matchers]


def _uses(expr: Expr) -> list[Call | Aggregate]:
    return [node for node in expr.tree if isinstance(node, Call | Aggregate)]
