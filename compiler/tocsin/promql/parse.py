"""The one door to the parser library: text in, our own tree or a problem out.

What surprised us in the library, each handled here or in `guard`: no positions, neither in errors nor in
nodes; it dies on deep input; it compiles regular expressions with Rust's engine, which knows another dialect
than Go's and takes minutes over some; it reads `\\d` in a backtick string as an escape; it takes `{a="1" or
b="2"}` and `fill()`, which Prometheus 3.5 does not; it refuses the colon of `by (a:b)`, a comment inside
brackets, numbers like `1_000` and `01e3`, and holt_winters (Prometheus 2); it panics over ranges of 1e30 and
an offset of NaN; it turns a negative `@` time into 0; it drops a plus before a string unseen; a range may be
`[0]`, or exceed the 292 years of Go; its text and its equality are not faithful (`foo[5m:]` prints as
`foo[5m]`). So nothing of it leaves this module: its objects become the nodes of `tree`.

A text without any of that goes straight to the library; the others, and those it refuses, are scanned and
reworded first. Parsing is cheap (some 20 us) and converting is not, so the tree is built when first asked
for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

import promql_parser as library

from tocsin.promql.guard import hostile, pattern_number, reworded
from tocsin.promql.lex import plain_number, unquoted
from tocsin.promql.locate import located
from tocsin.promql.regex import BadRegexError
from tocsin.promql.scan import scan
from tocsin.promql.tree import (
    NAME,
    Aggregate,
    Binary,
    Call,
    Expr,
    Kind,
    Matcher,
    Matching,
    MatchOp,
    Negate,
    Node,
    Number,
    PromqlProblem,
    Range,
    Selector,
    String,
    Subquery,
    Tree,
)

# The longest duration Go's int64 of nanoseconds holds.
_LONGEST = timedelta(microseconds=(2**63 - 1) // 1000)
_LATEST_MS = 2**63 - 1

# Texts that the library may misread. Being here costs time, not a verdict.
_SUSPECT = re.compile(
    r"""["']\s*(?:\#[^\n]*\s*)*[oO][rR]\b|\b[fF][iI][lL][lL]|\b[nN][aA][nN]\b|\b[iI][nN][fF]\b"""
    r"""|[0-9](?:[0-9]{2,}[wWyY]|[0-9]{5,}|[eE])|[@`\f]|[\[:]\s*[0.]|[-+]\s*["']"""
)
# Regular expressions that Rust and Go may read differently, or that can grow: counts, rare escapes, groups
# with a question mark, doubled repetition, and anything but plain ranges in a class. Asked only where a `~`
# stands.
_ODD_PATTERN = re.compile(
    r"""\{\d|\\[A-CE-RT-VX-Za-ce-mo-qu-vx-z0-9]|\(\?(?!:|i\))|[*+?}]\??[*+]|\[[^]]*(?:\[|--|&&|~~|\\[a-zA-Z]-|-\\)"""
)
_LONG = 2_000

_OPS: dict[str, MatchOp] = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
_KINDS: dict[str, Kind] = {
    "ValueType.Vector": "vector",
    "ValueType.Scalar": "scalar",
    "ValueType.Matrix": "matrix",
    "ValueType.String": "string",
}

_HOLT_WINTERS = library.Function(
    "holt_winters",
    [library.ValueType.Matrix, library.ValueType.Scalar, library.ValueType.Scalar],
    library.ValueType.Vector,
)
library.register_extra_functions([_HOLT_WINTERS])


@lru_cache(maxsize=1_024)
def parse(text: str) -> Expr | PromqlProblem:
    """The expression in `text`, or why there is none. Never raises, and no input can end the process."""
    refused = hostile(text)
    if refused is not None:
        return refused
    if not _SUSPECT.search(text) and not ("~" in text and (len(text) > _LONG or _ODD_PATTERN.search(text))):
        raw = _read(text)
        if not isinstance(raw, str):
            return Expr(text=text, _build=lambda: _tree(raw, _Words()))
    return _carefully(text)


def _carefully(text: str) -> Expr | PromqlProblem:
    scanned = scan(text)
    if scanned.problem is not None:
        return scanned.problem
    try:
        raw = _read(reworded(text, scanned))
    except BadRegexError as error:
        return PromqlProblem(message=error.args[0], offset=error.args[1].start)
    if isinstance(raw, str):
        return located(scanned, raw)
    problem = _too_lenient(raw)
    if problem is not None:
        return problem
    patterns = tuple(unquoted(token) for token in scanned.patterns)
    return Expr(text=text, _build=lambda: _tree(raw, _Words(iter(scanned.ats), patterns)))


@dataclass(frozen=True, slots=True)
class _Words:
    """What the tree must take from the author's text, because the library lost it or never saw it."""

    ats: Iterator[str] = field(default_factory=lambda: iter(()))
    patterns: tuple[str, ...] | None = None


def _read(text: str) -> library.Expr | str:
    try:
        return library.parse(text)
    except ValueError as error:
        return str(error)
    except BaseException as error:
        # A panic of Rust is neither an Exception nor importable. None is known to be left; see `guard` and
        # `scan`.
        if type(error).__name__ != "PanicException":
            raise
        return "the parser failed on this text"


def _too_lenient(root: library.Expr) -> PromqlProblem | None:
    """What Prometheus refuses and the library took."""
    for node, _ in _post_order(root):
        match node:
            case library.VectorSelector() if node.matchers.or_matchers:
                return PromqlProblem(message="matchers are joined by `,`; `or` between them is not PromQL")
            case library.BinaryExpr() if node.modifier and _fills(node.modifier.fill_values):
                return PromqlProblem(message="`fill` modifiers are newer than Prometheus 3.5")
        if not _are_durations(node):
            return PromqlProblem(message="a range, step or offset is 0 or longer than 292 years")
    return None


def _are_durations(node: library.Expr) -> bool:
    zero = timedelta()
    try:
        match node:
            case library.MatrixSelector():
                return zero < node.range <= _LONGEST
            case library.SubqueryExpr():
                lengths = [each for each in (node.range, node.step) if each is not None]
                return (
                    all(zero < each <= _LONGEST for each in lengths) and abs(node.offset or zero) <= _LONGEST
                )
            case library.VectorSelector():
                return abs(node.offset or zero) <= _LONGEST
    except OverflowError:
        return False
    return True


def _fills(values: library.VectorMatchFillValues) -> bool:
    return values.lhs is not None or values.rhs is not None


def _tree(root: library.Expr, words: _Words) -> Tree:
    nodes: list[Node] = []
    done: list[int] = []
    for raw, count in _post_order(root):
        kids = tuple(done[len(done) - count :])
        del done[len(done) - count :]
        nodes.append(_node(raw, kids, words))
        done.append(len(nodes) - 1)
    return tuple(nodes)


def _post_order(root: library.Expr) -> Iterator[tuple[library.Expr, int]]:
    """Each node after its operands, with their number; parentheses are passed through. Not recursive: see
    `tree`.
    """
    waiting: list[tuple[library.Expr, int]] = [(root, -1)]
    while waiting:
        node, count = waiting.pop()
        if count >= 0:
            yield node, count
            continue
        while isinstance(node, library.ParenExpr):
            node = node.expr
        kids = _operands(node)
        if kids:
            waiting.append((node, len(kids)))
            waiting.extend((kid, -1) for kid in reversed(kids))
        else:
            yield node, 0


_LEAVES = frozenset({library.VectorSelector, library.NumberLiteral, library.StringLiteral})


def _operands(node: library.Expr) -> list[library.Expr]:
    if type(node) in _LEAVES:
        return []
    match node:
        case library.BinaryExpr():
            return [node.lhs, node.rhs]
        case library.Call():
            return node.args
        case library.AggregateExpr():
            return [node.expr] if node.param is None else [node.param, node.expr]
        case library.MatrixSelector():
            return [node.vector_selector]
        case library.UnaryExpr() | library.SubqueryExpr():
            return [node.expr]
    return []


_CALLS: dict[str, tuple[Kind, bool]] = {}
"""Function -> what it returns, and whether it is experimental: asked of the library once."""


def _node(raw: library.Expr, kids: tuple[int, ...], words: _Words) -> Node:
    match raw:
        case library.VectorSelector():
            return _selector(raw, words)
        case library.NumberLiteral():
            return Number(value=raw.val, written=repr(raw.val))
        case library.BinaryExpr():
            return _binary(raw, kids)
        case library.Call():
            func = raw.func
            name = func.name
            known = _CALLS.get(name)
            if known is None:
                known = _CALLS[name] = (_KINDS[str(func.return_type)], func.experimental)
            return Call(name=name, returns=known[0], experimental=known[1], kids=kids)
        case library.AggregateExpr():
            by = raw.modifier
            without = by is not None and by.type == library.AggModifierType.Without
            labels = frozenset(by.labels) if by else frozenset[str]()
            return Aggregate(op=str(raw.op), without=without, labels=labels, kids=kids)
        case library.MatrixSelector():
            return Range(range=_ms(raw.range), kids=kids)
        case library.SubqueryExpr():
            step = None if raw.step is None else _ms(raw.step)
            return Subquery(
                range=_ms(raw.range), step=step, offset=_ms(raw.offset), at=_moment(raw.at, words), kids=kids
            )
        case library.StringLiteral():
            return String(value=raw.val)
        case library.UnaryExpr():
            return Negate(kids=kids)
    raise TypeError(f"the PromQL library has a node we do not know: {type(raw).__name__}")


def _selector(raw: library.VectorSelector, words: _Words) -> Selector:
    named = (Matcher(NAME, "=", raw.name),) if raw.name else ()
    matchers = tuple(_matcher(each, words) for each in raw.matchers.matchers)
    return Selector(matchers=named + matchers, offset=_ms(raw.offset), at=_moment(raw.at, words))


def _matcher(raw: library.Matcher, words: _Words) -> Matcher:
    op = _OPS[str(raw.op)]
    if words.patterns is None or op in ("=", "!="):
        return Matcher(raw.name, op, raw.value)
    return Matcher(raw.name, op, words.patterns[pattern_number(raw.value)])


def _binary(raw: library.BinaryExpr, kids: tuple[int, ...]) -> Binary:
    op, modifier = str(raw.op), raw.modifier
    bool_ = modifier is not None and modifier.return_bool
    if modifier is None:
        return Binary(op=op, bool_=bool_, matching=Matching(on=False, labels=frozenset()), kids=kids)
    matching = modifier.matching
    card = str(modifier.card)
    return Binary(
        op=op,
        bool_=bool_,
        matching=Matching(
            on=matching is not None and matching.type == library.LabelModifierType.Include,
            labels=frozenset(matching.labels) if matching else frozenset(),
            many="left" if card.endswith("ManyToOne") else "right" if card.endswith("OneToMany") else None,
            include=frozenset(modifier.group_labels or ()),
        ),
        kids=kids,
    )


def _ms(length: timedelta | None) -> float:
    """Milliseconds: whole where the author wrote whole ones."""
    if length is None:
        return 0
    micros = (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds
    return micros / 1000 if micros % 1000 else micros // 1000


def _moment(at: library.AtModifier | None, words: _Words) -> str | None:
    """The value of an @ as the author wrote it, since the library's own loses the sign and the far future."""
    if at is None:
        return None
    written = next(words.ats)
    if written.endswith(")"):
        return written
    number = library.parse(plain_number(written))
    assert isinstance(number, library.NumberLiteral)
    return repr(number.val)
