"""Which labels the results of an expression can carry: an upper bound, computed operator by operator.

For every series of every result, each of its labels satisfies `can`. The bound is about label names, not
values. The metric name counts as the label `__name__`: selectors and filters keep it, arithmetic and most
functions drop it, and alerts and recording rules drop it after evaluation, which is their caller's business,
not this module's.

The rules are those of promql/engine.go of Prometheus 3.5 (resultMetric, aggregation, VectorAnd and its
siblings) and are held against real servers by tests/contract/test_labels_out.py. Where a label must be equal
on both sides to match, it can appear only if both sides can carry it; that is what lets `foo / sum by (job)
(bar)` be just {job}.

One deliberate tightness: `histogram_quantile` is said to drop `le`. Only a native histogram that also carries
a label of that name, which no client writes, would keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tocsin.promql.effects import FUNCTIONS, series_argument
from tocsin.promql.tree import (
    COMPARISONS,
    NAME,
    Aggregate,
    Binary,
    Call,
    Expr,
    Kind,
    Matcher,
    Matching,
    Negate,
    Node,
    Range,
    Selector,
    String,
    Subquery,
    Tree,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """`named`: labels known to be able to appear. `open`: any other label may appear too, except those
    `dropped`.
    """

    named: frozenset[str] = frozenset()
    open: bool = False
    dropped: frozenset[str] = frozenset()

    def can(self, label: str) -> bool:
        """Whether some result might carry `label`; False is a proof that none does."""
        return label in self.named or (self.open and label not in self.dropped)

    def names(self, label: str) -> bool:
        """Whether something in the expression or its records speaks for `label`, rather than merely not
        excluding it.
        """
        return label in self.named

    def without(self, *labels: str) -> Labels:
        """These labels with `labels` gone for certain."""
        gone = frozenset(labels)
        return Labels(
            named=self.named - gone, open=self.open, dropped=self.dropped | gone if self.open else frozenset()
        )

    def plus(self, *labels: str) -> Labels:
        """These labels and `labels`."""
        more = frozenset(labels)
        return Labels(named=self.named | more, open=self.open, dropped=self.dropped - more)

    def only(self, labels: frozenset[str]) -> Labels:
        """No labels but those of `labels` that can appear."""
        return Labels(named=frozenset(filter(self.can, labels)))

    def either(self, other: Labels) -> Labels:
        """What can appear here or there."""
        dropped = self.dropped | other.dropped
        return Labels(
            named=self.named | other.named,
            open=self.open or other.open,
            dropped=frozenset(each for each in dropped if not self.can(each) and not other.can(each)),
        )

    def agreeing(self, other: Labels, matching: Matching) -> Labels:
        """What can appear here when the labels that `matching` compares must be equal in `other`."""
        if matching.on:
            return self.without(*(each for each in matching.labels if not other.can(each)))
        free = matching.labels | {NAME}
        if other.open:
            return self.without(*(each for each in other.dropped - free if not other.can(each)))
        reached = other.named | frozenset(filter(self.can, free))
        return self.only(frozenset(filter(self.can, reached)))


NO_LABELS = Labels()
ANY_LABEL = Labels(open=True)
Known = Callable[[str], Labels | None]


def _unknown(metric: str) -> Labels | None:
    return None


def labels_out(expr: Expr, known: Known = _unknown) -> Labels:
    """The labels a result of `expr` can carry.

    `known` gives the labels of a metric some recording rule writes, None for any other metric.
    A scalar or string has no labels; a range vector has those of its series.
    """
    return flow_of_labels(expr, known)[-1]


def flow_of_labels(expr: Expr, known: Known = _unknown) -> tuple[Labels, ...]:
    """`labels_out` for every node of `expr.tree`."""
    flow: list[Labels] = []
    for node in expr.tree:
        flow.append(_labels(node, [flow[kid] for kid in node.kids], expr, known))
    return tuple(flow)


def _labels(node: Node, kids: list[Labels], expr: Expr, known: Known) -> Labels:
    match node:
        case Selector():
            return _selected(node.matchers, known)
        case Range() | Subquery():
            return kids[0]
        case Negate():
            return kids[0].without(NAME)
        case Call():
            return _called(node, kids, expr.tree)
        case Aggregate():
            return _aggregated(node, kids, expr.tree)
        case Binary():
            return _combined(node, kids, [expr.kinds[kid] for kid in node.kids])
        case _:
            return NO_LABELS


def _selected(matchers: tuple[Matcher, ...], known: Known) -> Labels:
    name = next((each.value for each in matchers if each.label == NAME and each.op == "="), None)
    series = (known(name) if name is not None else None) or ANY_LABEL
    absent = {each.label for each in matchers if _is_empty(each)}
    spoken = {each.label for each in matchers} - absent
    return series.plus(*filter(series.can, spoken), NAME).without(*absent)


def _is_empty(matcher: Matcher) -> bool:
    """Whether only series without the label match."""
    if matcher.op in ("=", "=~"):
        return matcher.value == ""
    return matcher.op == "!~" and matcher.value == ".+"


def _called(call: Call, kids: list[Labels], tree: Tree) -> Labels:
    series = kids[0] if kids else NO_LABELS
    match FUNCTIONS.get(call.name):
        case "keep":
            return series
        case "drop_name":
            return kids[series_argument(call)].without(NAME)
        case "date":
            return series.without(NAME)
        case "histogram":
            return kids[series_argument(call)].without(NAME, "le")
        case "absent":
            return _absent(tree[call.kids[0]], tree)
        case "replace":
            target, replacement = _text(tree[call.kids[1]]), _text(tree[call.kids[2]])
            return series if replacement == "" else series.plus(target)
        case "join":
            target = _text(tree[call.kids[1]])
            return series.plus(target) if len(call.kids) > 3 else series.without(target)
        case "no_labels":
            return NO_LABELS
        case _:
            # info() adds labels of other series; a function we do not know may do anything.
            return Labels(named=series.named, open=True)


def _text(node: Node) -> str:
    assert isinstance(node, String)
    return node.value


def _absent(argument: Node, tree: Tree) -> Labels:
    """The labels that one matcher alone mentions, an equality; what is no plain selector has none."""
    if isinstance(argument, Range):
        argument = tree[argument.kids[0]]
    if not isinstance(argument, Selector):
        return NO_LABELS
    mentioned = [each.label for each in argument.matchers]
    return Labels(
        named=frozenset(
            each.label
            for each in argument.matchers
            if each.op == "=" and each.value and each.label != NAME and mentioned.count(each.label) == 1
        )
    )


def _aggregated(node: Aggregate, kids: list[Labels], tree: Tree) -> Labels:
    series = kids[-1]
    if node.op in ("topk", "bottomk", "limitk", "limit_ratio"):
        return series
    out = series.without(*node.labels, NAME) if node.without else series.only(node.labels)
    return out.plus(_text(tree[node.kids[0]])) if node.op == "count_values" else out


def _combined(node: Binary, kids: list[Labels], kinds: list[Kind]) -> Labels:
    left, right = kids
    # atan2 kept the metric name, against the documentation, in Prometheus 2.42 and older.
    keeps_name = (node.op in COMPARISONS and not node.bool_) or node.op == "atan2"
    if "scalar" in kinds:
        series = left if kinds[0] == "vector" else right
        return series if keeps_name else series.without(NAME)
    matching = node.matching
    match node.op:
        case "or":
            return left.either(right)
        case "unless":
            return left
        case "and":
            return left.agreeing(right, matching)
    many, one = (right, left) if matching.many == "right" else (left, right)
    out = many.agreeing(one, matching)
    if not keeps_name:
        out = out.without(NAME)
    if matching.many is None:
        return out.only(matching.labels) if matching.on else out.without(*matching.labels)
    for label in matching.include:
        out = out.plus(label) if one.can(label) else out.without(label)
    return out
