"""Versions that differ in a limit alone: `rate(x[5m]) > 0.8` and `> 0.9` are one question, asked once, for the looser of the two.

Exact, because a comparison without `bool` hands the value through, a server writes the shortest text that reads back as the same number, and the
comparison here is the one there. The name of the metric stays in either case, so the series are the same ones too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tocsin.canary.values import Presence
from tocsin.promql import Expr, parse
from tocsin.promql.canonical import canonical
from tocsin.promql.tree import Binary, Number, Tree

_TURNED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
_PLACE: Final = Number(value=0.0, written="0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The comparison at the top of an expression, turned so that the vector stands on the left."""

    above: bool
    strict: bool
    value: float

    @property
    def looseness(self) -> tuple[float, bool]:
        """The looser of two limits of one direction has the greater one."""
        return (-self.value if self.above else self.value, not self.strict)


def question(expr: str) -> tuple[str, Limit | None]:
    """(what is asked, the limit at its top): equal first parts are one question. Without a limit the first part is the canonical text, or the
    text itself where it is no PromQL of a Prometheus."""
    parsed = parse(expr)
    if not isinstance(parsed, Expr):
        return expr.strip(), None
    found = _top(parsed)
    if found is None:
        return canonical(parsed), None
    tree, limit = found
    return canonical(Expr(text="", _build=lambda: tree)), limit


def same(expr: str) -> str:
    """The canonical text, or the text itself where it is no PromQL of a Prometheus: equal for one question, limit included."""
    parsed = parse(expr)
    return canonical(parsed) if isinstance(parsed, Expr) else expr.strip()


def loosest(limits: Iterable[Limit]) -> Limit:
    """The one whose answer holds all the others'."""
    return max(limits, key=lambda each: each.looseness)


def within(presence: Presence, limit: Limit) -> Presence:
    """What is left of an answer with values beyond a limit."""
    if presence.value is None:
        raise ValueError("an answer without values cannot be compared")
    value = presence.value
    match limit.above, limit.strict:
        case True, True:
            keep = value > limit.value
        case True, False:
            keep = value >= limit.value
        case False, True:
            keep = value < limit.value
        case _:
            keep = value <= limit.value
    # A series that is never beyond the limit would not be in the stricter answer either.
    return presence.where(keep)


def _top(expr: Expr) -> tuple[Tree, Limit] | None:
    """The tree with its limit taken out, and the limit."""
    top = expr.tree[-1]
    if not isinstance(top, Binary) or top.op not in _TURNED or top.bool_:
        return None
    left, right = top.kids
    kinds = expr.kinds
    number = expr.tree[right]
    if kinds[left] == "vector" and isinstance(number, Number):
        place, op = right, top.op
    else:
        number = expr.tree[left]
        if kinds[right] != "vector" or not isinstance(number, Number):
            return None
        place, op = left, _TURNED[top.op]
    if math.isnan(number.value):
        return None
    above, strict = op[0] == ">", len(op) == 1
    tree = list(expr.tree)
    tree[place] = _PLACE
    tree[-1] = replace(top, op=top.op[0])
    return tuple(tree), Limit(above=above, strict=strict, value=number.value)
