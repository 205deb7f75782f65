"""Adds one matcher to selectors of an expression by writing it into the author's own text.

The tree says which selectors, the scanner says where they stand, and the text between stays as it is,
comments and all. What was written is then parsed: it must be the old tree with that one matcher more in each
chosen selector and nothing else changed, or the whole is refused. So a misreading by the scanner can cost a
refusal, never a wrong rule.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from tocsin.promql.flow import narrowing
from tocsin.promql.lex import quoted
from tocsin.promql.parse import parse
from tocsin.promql.scan import scan
from tocsin.promql.tree import Expr, Matcher, MatchOp, PromqlProblem, Selector, Tree

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def inject(
    text: str, label: str, op: MatchOp, value: str, *, selectors: Literal["flowing", "all"] = "flowing"
) -> str | PromqlProblem:
    """`text` with the matcher `label op value` in the chosen selectors, or why it cannot be written there.

    "flowing" chooses the selectors from which `label` reaches the results, such that the new expression gives
    just those results of the old one that satisfy the matcher; it refuses where no such choice is known.
    "all" chooses every selector and promises nothing about the results.
    """
    expr = parse(text)
    if isinstance(expr, PromqlProblem):
        return expr
    if not _LABEL.fullmatch(label):
        return PromqlProblem(message=f"`{label}` is not a label name that every Prometheus can read")
    every = [at for at, node in enumerate(expr.tree) if isinstance(node, Selector)]
    chosen = narrowing(expr, label) if selectors == "flowing" else frozenset(every)
    if isinstance(chosen, str):
        return PromqlProblem(message=chosen)
    if not chosen:
        return PromqlProblem(message="the expression selects no series")
    written = _spliced(expr, every, chosen, f"{label}{op}{quoted(value)}")
    if isinstance(written, PromqlProblem):
        return written
    return _proved(written, _expected(expr.tree, chosen, Matcher(label, op, value)))


def _spliced(expr: Expr, every: list[int], chosen: frozenset[int], matcher: str) -> str | PromqlProblem:
    scanned = scan(expr.text)
    if scanned.problem is not None or len(scanned.spots) != len(every):
        return PromqlProblem(message="the places of the selectors in the text are not certain")
    text = expr.text
    for at, spot in reversed(list(zip(every, scanned.spots, strict=True))):
        if at in chosen:
            text = text[: spot.insert] + spot.splice(matcher) + text[spot.insert :]
    return text


def _expected(tree: Tree, chosen: frozenset[int], matcher: Matcher) -> Tree:
    return tuple(
        replace(node, matchers=(*node.matchers, matcher))
        if at in chosen and isinstance(node, Selector)
        else node
        for at, node in enumerate(tree)
    )


def _proved(written: str, expected: Tree) -> str | PromqlProblem:
    """`written`, if it parses to `expected`."""
    again = parse(written)
    if isinstance(again, PromqlProblem):
        return again
    if again.tree != expected:
        return PromqlProblem(
            message="the matcher cannot be written into the text without changing anything else"
        )
    return written
