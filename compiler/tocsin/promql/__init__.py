"""PromQL: parse, compare, follow labels, and write matchers into an author's text.

    parse(text) -> Expr | PromqlProblem      canonical(expr) -> text for digests
    labels_out(expr, known) -> Labels        inject(text, label, op, value) -> text | PromqlProblem
    cannot_fail(expr) -> bool

`parse` is the only door to the parser library; everything else works on the flat tree of `tree.py`.
"""

from tocsin.promql.canonical import canonical
from tocsin.promql.facts import (
    experimental_functions,
    functions,
    matched_labels,
    metrics,
    opaque_names,
    threshold_direction,
)
from tocsin.promql.inject import inject
from tocsin.promql.labels import Labels, labels_out
from tocsin.promql.parse import parse
from tocsin.promql.sure import cannot_fail
from tocsin.promql.tree import Expr, Kind, MatchOp, PromqlProblem

__all__ = [
    "Expr",
    "Kind",
    "Labels",
    "MatchOp",
    "PromqlProblem",
    "cannot_fail",
    "canonical",
    "experimental_functions",
    "functions",
    "inject",
    "labels_out",
    "matched_labels",
    "metrics",
    "opaque_names",
    "parse",
    "threshold_direction",
]
