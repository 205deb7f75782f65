"""Takes the comparison out of an expression, for alerts that want it as a node of Grafana's own (`shape:
split`).

The parser says what the root is; the tokens say where it stands. Both must agree: the left side is parsed
again and has to be the tree's left side.
"""

from __future__ import annotations

import math

from tocsin.promql import Expr, parse
from tocsin.promql.lex import Token, tokens
from tocsin.promql.tree import COMPARISONS, Binary, Negate, Node, Number
from tocsin.wire.grafana import Comparison
from tocsin.wire.grafana.shape import Operator

_OPERATORS: dict[str, Operator] = {">": ">", "<": "<", ">=": ">=", "<=": "<=", "==": "==", "!=": "!="}
_OPEN, _CLOSE = "({[", ")}]"


def comparison_of(text: str) -> Comparison | str:
    """The comparison at the root of `text`, or why it cannot be a node of its own."""
    expr = parse(text)
    if not isinstance(expr, Expr):
        return "the expression does not parse"
    root = expr.tree[-1]
    if not isinstance(root, Binary) or root.op not in COMPARISONS:
        return "the expression is no comparison: the whole of it must be `QUERY > NUMBER`"
    if root.bool_:
        return "a comparison with `bool` always has a value; leave `bool` out"
    number = _number(expr.tree, root.kids[1])
    if number is None:
        return "the right side of the comparison is no number: write `QUERY > NUMBER`"
    if not math.isfinite(number):
        return "Grafana's nodes cannot compare with an infinity or NaN"
    left = _left(text)
    parsed = parse(left)
    if (
        expr.kinds[root.kids[0]] != "vector"
        or not isinstance(parsed, Expr)
        or parsed.tree != expr.tree[: root.kids[0] + 1]
    ):
        return "the left side of the comparison is no query of its own"
    return Comparison(query=left, operator=_OPERATORS[root.op], number=number)


def _number(tree: tuple[Node, ...], at: int) -> float | None:
    node = tree[at]
    if isinstance(node, Negate):
        inner = _number(tree, node.kids[0])
        return None if inner is None else -inner
    return node.value if isinstance(node, Number) else None


def _left(text: str) -> str:
    """What stands before the last comparison outside all brackets: comparisons bind to the left, so that
    one is the root."""
    found = _unwrapped(tokens(text))
    depth = 0
    operator = None
    for token in found:
        if token.kind == "mark" and token.text in _OPEN:
            depth += 1
        elif token.kind == "mark" and token.text in _CLOSE:
            depth -= 1
        elif depth == 0 and token.kind == "op" and token.text in _OPERATORS:
            operator = token
    if operator is None:
        return ""
    return text[found[0].start : operator.start].rstrip()


def _unwrapped(found: list[Token]) -> list[Token]:
    """Without parentheses around the whole."""
    while found and found[0].text == "(" and _closes(found) == len(found) - 1:
        found = found[1:-1]
    return found


def _closes(found: list[Token]) -> int:
    depth = 0
    for at, token in enumerate(found):
        if token.kind == "mark":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            if depth == 0:
                return at
    return -1
