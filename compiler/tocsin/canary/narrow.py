"""Close-ups of some series instead of all: those that a sample hit. What a server reads for the others would be thrown away.

    hits' labels -> which labels tell them apart -> the expression with `label=~"a|b"` in its selectors

Exact, where three things hold, and else not done:

- the matchers narrow the results and change none (`promql.inject`, "flowing": the law and its proof are there);
- no evaluation fails (`promql.cannot_fail`), for one that does fails whole, because of series nobody asked for;
- no series carries a label that the rule sets itself. Two such series may be one alert, or fail an evaluation by being one; whether there are any is
  asked of the server (`carried`), over all that the window reads, where the expression does not say so.

Measured: `predict_linear(free[6h], 86400) < 0` over 200 disks, of which some are always filling up, costs a Prometheus as much as twenty rules without
a range; sampling saves nothing there, for one disk or another is always hit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tocsin.canary.identity import ALERT_NAME
from tocsin.canary.planner import Question
from tocsin.canary.values import Labels
from tocsin.promql import Expr, PromqlProblem, cannot_fail, canonical, inject, labels_out, parse
from tocsin.promql.tree import NAME, Call, Matcher, Node, Range, Selector, Subquery

Key = tuple[str, ...]
"""A series' values of the labels that tell apart; "" where it has none."""
_LABELS: Final = 2
"""So many labels are written into an expression at most."""
MOST: Final = 128
"""So many keys are told apart at most: a question of 128 names is some kilobytes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """How a question is put about some of its series."""

    expr: str
    labels: tuple[str, ...] = ()
    """Nothing: it is about all of them, which are one key."""

    def key(self, series: Labels) -> Key:
        """To which part a series belongs."""
        had = dict(series)
        return tuple(had.get(label, "") for label in self.labels)

    def about(self, keys: Iterable[Key]) -> str | None:
        """The expression about these keys (and others made of their values); None where it cannot be written."""
        text = self.expr
        for place, label in enumerate(self.labels):
            values = sorted({key[place] for key in keys})
            one = len(values) == 1
            written = inject(text, label, "=" if one else "=~", values[0] if one else _any(values))
            if isinstance(written, PromqlProblem):
                return None
            text = written
        return text


def _any(values: Iterable[str]) -> str:
    """A pattern for just these texts; a server looks up each of them instead of trying all it has."""
    return "|".join(map(re.escape, values))


def narrowed(question: Question, hits: Sequence[Labels]) -> Narrow:
    """By which labels to ask for the series that were hit; by none where that is not known to be exact, but for `carried`."""
    whole = Narrow(expr=question.expr)
    expr = parse(question.expr)
    if not hits or isinstance(expr, PromqlProblem) or not cannot_fail(expr):
        return whole
    values: dict[str, set[str]] = {}
    for series in hits:
        for label, value in series:
            if label != NAME:
                values.setdefault(label, set()).add(value)
    if not _own(question).isdisjoint(values):
        return whole
    chosen: list[str] = []
    for label in sorted(values, key=lambda each: (-len(values[each]), each)):
        if len(chosen) == _LABELS:
            break
        if not isinstance(inject(question.expr, label, "=", "x"), PromqlProblem):
            chosen.append(label)
    return Narrow(expr=question.expr, labels=tuple(chosen))


def carried(question: Question, lookback_ms: int) -> tuple[str, int] | None:
    """(query, time in ms) whose answer is empty where no series that the question reads carries a label its rules set; "" where none can. None where
    that cannot be asked."""
    expr = parse(question.expr)
    if isinstance(expr, PromqlProblem):
        return None
    out = labels_out(expr)
    own = sorted(label for label in _own(question) if out.can(label))
    end = question.time_ms(question.grid.count - 1)
    selectors = [node for node in expr.tree if isinstance(node, Selector)]
    back = lookback_ms + end - question.time_ms(0)
    for node in expr.tree:
        if isinstance(node, Selector | Subquery):
            if node.at is not None or node.offset < 0:
                return None
            back += int(node.offset)
        if isinstance(node, Range | Subquery):
            back += int(node.range)
    texts = [_any_of(each, label, back) for each in selectors for label in own]
    return (f"count({' or '.join(dict.fromkeys(texts))})" if texts else "", end)


def _own(question: Question) -> frozenset[str]:
    """The labels that some rule of the question lays over those of a series."""
    return frozenset({ALERT_NAME}.union(*(want.version.labels for want in question.wants)))


def _any_of(selector: Selector, label: str, back_ms: int) -> str:
    """The series of a selector that carried the label at any time in so many milliseconds."""
    tree: tuple[Node, ...] = (
        Selector(matchers=(*selector.matchers, Matcher(label, "!=", ""))),
        Range(range=back_ms, kids=(0,)),
        Call(name="present_over_time", returns="vector", experimental=False, kids=(1,)),
    )
    return canonical(Expr(text="", _build=lambda: tree))
