"""A rule on a part of its series: the scope's matchers in every selector, whether that still means the same, and how much it still sees.

What is injected here narrows everything, also below `absent`, in subqueries and on both sides of joins: the rule sees one cluster and nothing
else. That is another rule where a number is compared with a sum over clusters (a twentieth of the traffic never reaches it), and where an order
or a spread across clusters is asked for; those are refused, by one walk over the tree that follows what grows with the number of clusters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from tocsin.canary.source import Unanswerable
from tocsin.errors import UsageError
from tocsin.promql import Expr, PromqlProblem, canonical, inject, parse
from tocsin.promql.effects import series_argument
from tocsin.promql.tree import COMPARISONS, Aggregate, Binary, Call, Negate, Number, Range, Selector, Subquery

WISHED: Final = 0.05
FEW, MANY = 0.02, 0.20
"""Below and above these shares of the series a scope is warned about."""
_LOOK_BACK: Final = "1h"
"""Over which a selector counts as matching: a counter of errors may be away for a while."""

_NAMED: Final = re.compile(r'\{__name__="([A-Za-z_:][A-Za-z0-9_:]*)"(?:,(.*))?\}', re.DOTALL)
Size = Literal["free", "grows"]
"""What more clusters do to a value: nothing, or they add to it."""
_GROWING = frozenset({"sum", "count", "count_values"})
_ORDERING = frozenset({"quantile", "topk", "bottomk", "limitk", "limit_ratio", "stddev", "stdvar"})
_SIZELESS_CALLS = frozenset(
    {
        *("absent", "absent_over_time", "present_over_time", "count_over_time", "changes", "resets", "sgn"),
        *("timestamp", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time"),
        *("ts_of_min_over_time", "histogram_quantile", "histogram_fraction", "histogram_avg"),
        *("histogram_stddev", "histogram_stdvar"),
    }
)
Count = Callable[[str], float]
"""An instant query's single number; 0 where it has no sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One selector: its text, and how many series it matches in the scope and without it."""

    selector: str
    scoped: float
    whole: float

    @property
    def share(self) -> float:
        """The part of the series that the scope has."""
        return self.scoped / self.whole if self.whole else 0.0


class ScopeRefused(UsageError):
    """The rule cannot be tried in that scope."""

    exit_code = 7


def scoped(expr: str, scope: Mapping[str, str]) -> str:
    """The expression with every matcher of `scope` in every selector. ScopeRefused where it cannot be written, or would mean something else."""
    parsed = parse(expr)
    if isinstance(parsed, PromqlProblem):
        raise ScopeRefused(f"the expression cannot be read: {parsed.message}")
    for label in scope:
        why = sensitive(parsed, label)
        if why:
            raise ScopeRefused(
                f"the expression means something else in a scope: {why}",
                help="try it with --mode shadow: the new version at full scope, muted",
            )
    text = expr
    for label, value in sorted(scope.items()):
        written = inject(text, label, "=", value, selectors="all")
        if isinstance(written, PromqlProblem):
            raise ScopeRefused(
                f"the scope cannot be written into it: {written.message}", help="try --mode shadow"
            )
        text = written
    return text


def sensitive(expr: Expr, label: str) -> str:
    """Why fewer values of `label` make `expr` another question, `""` where they do not."""
    sizes: list[Size] = []
    for node in expr.tree:
        kids = [sizes[kid] for kid in node.kids]
        match node:
            case Aggregate():
                mixes = (label in node.labels) == node.without
                if mixes and node.op in _ORDERING:
                    return f"`{node.op}` is taken across values of `{label}`"
                sizes.append("grows" if mixes and node.op in _GROWING else kids[-1])
            case Binary():
                if node.op in COMPARISONS and _compared(node, sizes, expr):
                    what = (
                        "a number"
                        if any(isinstance(expr.tree[kid], Number) for kid in node.kids)
                        else "another"
                    )
                    return f"a sum or count over values of `{label}` is compared with {what} (`{node.op}`)"
                sizes.append(_combined(node, kids))
            case Call():
                sizes.append(_called(node, kids))
            case Negate() | Range() | Subquery():
                sizes.append(kids[0])
            case _:
                sizes.append("free")
    return ""


def _compared(node: Binary, sizes: list[Size], expr: Expr) -> bool:
    """Whether what grows is held against what does not. Zero is the same in every scope."""
    left, right = node.kids
    if sizes[left] == sizes[right]:
        return False
    other = expr.tree[right if sizes[left] == "grows" else left]
    return not (isinstance(other, Number) and other.value == 0)


def _combined(node: Binary, kids: list[Size]) -> Size:
    left, right = kids
    if node.op == "/":
        # A ratio of two sums is the same question; a sum divided by a number is a smaller sum.
        return "grows" if left != right else "free"
    if node.op in ("and", "unless") or (node.op in COMPARISONS and not node.bool_):
        return left
    if node.op in COMPARISONS:
        return "free"
    return "grows" if "grows" in kids else "free"


def _called(node: Call, kids: list[Size]) -> Size:
    if not kids or node.name in _SIZELESS_CALLS:
        return "free"
    return kids[min(series_argument(node), len(kids) - 1)]


def coverage(expr: str, scope: Mapping[str, str], count: Count) -> tuple[Seen, ...]:
    """What each selector of `expr` matches with the scope and without it, each selector once. ScopeRefused where one matches nothing in it: there
    the rule would be blind, or, below `absent`, fire for ever."""
    parsed = parse(expr)
    assert isinstance(parsed, Expr)
    found: dict[str, Seen] = {}
    for node in parsed.tree:
        if not isinstance(node, Selector):
            continue
        bare = _text(node)
        narrow = bare
        for label, value in sorted(scope.items()):
            written = inject(narrow, label, "=", value, selectors="all")
            narrow = written if isinstance(written, str) else narrow
        if bare not in found:
            found[bare] = Seen(
                selector=bare, scoped=_series(narrow, count), whole=_series(bare, count) if scope else 0.0
            )
    where = ", ".join(f"{label}={value}" for label, value in sorted(scope.items()))
    for each in found.values():
        if not each.scoped:
            raise ScopeRefused(
                f"{each.selector} matches no series where {where or 'it is evaluated'}",
                help=f"without the scope it matches {each.whole:.0f}; choose another `canary.scope`, or --mode shadow"
                if scope
                else "nothing would be tried",
            )
    return tuple(found[name] for name in sorted(found))


def _series(selector: str, count: Count) -> float:
    try:
        return count(f"count(present_over_time({selector}[{_LOOK_BACK}]))")
    except Unanswerable:
        return count(f"count({selector})")


def _text(node: Selector) -> str:
    """The selector as PromQL, where it looks now: without offset and time."""
    plain = replace(node, offset=0, at=None)
    text = canonical(Expr(text="", _build=lambda: (plain,)))
    named = _NAMED.fullmatch(text)
    return text if named is None else f"{named[1]}{{{named[2]}}}" if named[2] else named[1]


def share_of(seen: tuple[Seen, ...]) -> float:
    """The share of all series that the scope has."""
    whole = sum(each.whole for each in seen)
    return sum(each.scoped for each in seen) / whole if whole else 0.0


def warning_of(seen: tuple[Seen, ...]) -> str:
    """What is odd about the scope's size, `""` where nothing is."""
    share = share_of(seen)
    if share < FEW:
        return f"the scope has {share:.1%} of the series: little will happen there"
    if share > MANY:
        return f"the scope has {share:.1%} of the series: {WISHED:.0%} is a canary"
    return ""
