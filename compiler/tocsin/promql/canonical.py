"""One text for every way to write the same expression: what digests are made of.

White space, comments, superfluous parentheses, quoting, the case of keywords, the order of matchers and of
label lists, `by` before or after, and the spelling of numbers and durations are gone. Everything else stays:
the order of operands, the step of a subquery, each label and each number. The text is PromQL with all
parentheses written, so that it can be parsed again and canonicalised to itself; it is for hashing, never for
a rule file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from tocsin.promql.lex import quoted
from tocsin.promql.tree import (
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
    String,
    Subquery,
    Tree,
)

_PLAIN_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def canonical(expr: Expr) -> str:
    """The canonical text of `expr`: equal for two expressions exactly when they differ in writing alone."""
    texts: list[str] = []
    for node in expr.tree:
        texts.append(_write(node, [texts[kid] for kid in node.kids], expr.tree))
    return texts[-1]


def _write(node: Node, kids: list[str], tree: Tree) -> str:
    match node:
        case Number():
            return _number(node)
        case String():
            return quoted(node.value)
        case Selector():
            return _braces(node) + _moved(node.offset, node.at)
        case Range():
            selector = tree[node.kids[0]]
            assert isinstance(selector, Selector)
            # The grammar puts the range before the modifiers of the selector it belongs to.
            return f"{_braces(selector)}[{_duration(node.range)}]" + _moved(selector.offset, selector.at)
        case Subquery():
            step = "" if node.step is None else _duration(node.step)
            return f"({kids[0]})[{_duration(node.range)}:{step}]" + _moved(node.offset, node.at)
        case Call():
            return f"{node.name}({','.join(kids)})"
        case Aggregate():
            clause = "without" if node.without else "by"
            grouping = f" {clause}({_labels(node.labels)})" if node.without or node.labels else ""
            return f"{node.op}{grouping}({','.join(kids)})"
        case Negate():
            return f"(-({kids[0]}))"
        case Binary():
            bool_ = " bool" if node.bool_ else ""
            return f"({kids[0]} {node.op}{bool_}{_matching(node.op, node.matching)} {kids[1]})"


def _braces(selector: Selector) -> str:
    matchers = sorted({f"{_label(each.label)}{each.op}{quoted(each.value)}" for each in selector.matchers})
    return f"{{{','.join(matchers)}}}"


def _matching(op: str, matching: Matching) -> str:
    text = ""
    if matching.on or matching.labels or matching.many:
        text = f" {'on' if matching.on else 'ignoring'}({_labels(matching.labels)})"
    if matching.many and op not in SET_OPERATORS:
        text += f" group_{matching.many}({_labels(matching.include)})"
    return text


def _labels(labels: Iterable[str]) -> str:
    return ",".join(_label(each) for each in sorted(labels))


def _label(label: str) -> str:
    return label if _PLAIN_LABEL.fullmatch(label) else quoted(label)


def _number(number: Number) -> str:
    value = number.value
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "(-Inf)"
    return f"({value!r})" if math.copysign(1, value) < 0 else repr(value)


def _moved(offset: float, at: str | None) -> str:
    sign = "-" if offset < 0 else ""
    moved = f" offset {sign}{_duration(abs(offset))}" if offset else ""
    return moved if at is None else f"{moved} @ {at}"


def _duration(ms: float) -> str:
    """Whole milliseconds with their unit; finer ones, which only a bare number can say, as seconds."""
    return f"{ms}ms" if isinstance(ms, int) else repr(ms / 1000)
