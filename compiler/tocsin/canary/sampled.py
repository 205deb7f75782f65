"""Whether asking for every L-th evaluation first is cheaper, and finds what asking for all finds. That hangs on the expression and on who evaluates it.

A Prometheus reads the samples of an instant selector once, however few evaluations there are (0.86 to 1.23 times the cost of all, without a single
hit, measured); of a range each evaluation costs as much as the range is long.

A VictoriaMetrics reads so quickly that only windows of many samples cost more than reading them: `predict_linear(free[6h], 86400)` as much as eight
rules without one. And what it answers hangs on the step of the question, for everything but functions of the samples in the window alone: an instant
selector looks as far back as the step is long, `rate` and `increase` take a sample before the window (VictoriaMetrics app/vmselect/promql/rollup.go).
"""

from __future__ import annotations

from typing import Final, Literal

from tocsin.promql import Expr, parse
from tocsin.promql.tree import Call, Range, Selector, Subquery

Coarse = Literal["ranges", "long windows"]
"""What a server is sampled for: any range; or windows of `LONG` evaluations and more, where nothing else is read."""
LONG: Final = 120
_OF_WINDOW: Final = frozenset(
    {
        *("predict_linear", "deriv", "quantile_over_time", "stddev_over_time", "stdvar_over_time"),
        *("avg_over_time", "sum_over_time", "count_over_time", "min_over_time", "max_over_time"),
    }
)


def sampled(expr: str, interval_ms: int, coarse: Coarse) -> bool:
    """Whether a question is asked in samples first, if `for` is long enough."""
    parsed = parse(expr)
    if not isinstance(parsed, Expr):
        return False
    tree = parsed.tree
    if coarse == "ranges":
        return any(isinstance(each, Range | Subquery) for each in tree)
    windows = (
        tree[kid] for each in tree if isinstance(each, Call) and each.name in _OF_WINDOW for kid in each.kids
    )
    long = {
        kid
        for each in windows
        if isinstance(each, Range) and each.range >= LONG * interval_ms
        for kid in each.kids
    }
    selectors = {at for at, each in enumerate(tree) if isinstance(each, Selector)}
    # A selector is read by what stands around it alone: all of them so means that nothing else is read.
    return bool(long) and selectors == long and not any(isinstance(each, Subquery) for each in tree)
