"""Laws of the PromQL room that hold for every expression the strategies can make, and every text at all."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tocsin.promql import Expr, PromqlProblem, canonical, inject, labels_out, parse
from tocsin.promql.lex import Token, lex, quoted, unquoted
from tocsin.promql.scan import scan
from tocsin.promql.tree import Selector

NAMES = st.sampled_from(["up", "sum", "by", "foo:bar", "offset", "start", "and", "x1"])
LABELS = st.sampled_from(["job", "instance", "le", "by", "sum"])
VALUES = st.text(max_size=6).filter(lambda text: text.isprintable() or "\n" in text).map(quoted)
NUMBERS = st.one_of(st.integers(0, 10**6).map(str), st.floats(0, 1e9, allow_nan=False).map(repr))
DURATIONS = st.sampled_from(["1m", "90s", "5m", "1h30m", "1d"])


@dataclass(frozen=True, slots=True)
class Noise:
    """Pieces of an expression, joined plainly or with white space and comments between."""

    pieces: tuple[str, ...]

    def plain(self) -> str:
        return " ".join(self.pieces)

    def noisy(self, gaps: list[str]) -> str:
        text = ""
        for number, piece in enumerate(self.pieces):
            text += gaps[number % len(gaps)] + piece
        return text + gaps[0]


GAPS = st.lists(st.sampled_from([" ", "\n", "\t ", " # a (comment\n", "  "]), min_size=1, max_size=5)


@st.composite
def selectors(draw: st.DrawFn) -> tuple[str, ...]:
    matchers: list[str] = []
    for _ in range(draw(st.integers(0, 3))):
        matchers += [draw(LABELS), draw(st.sampled_from(["=", "!="])), draw(VALUES), ","]
    name = draw(NAMES)
    braces: bool = draw(st.booleans())
    return (name, "{", *matchers, "}") if matchers or braces else (name,)


def extended(inner: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[tuple[str, ...]]:
    ranged = st.tuples(selectors(), DURATIONS).map(lambda it: (*it[0], "[", it[1], "]"))
    labels = st.lists(LABELS, max_size=3, unique=True).map(
        lambda names: ("(", *", ".join(names).split(" "), ")")
    )
    operator = st.sampled_from(["+", "-", "/", "^", ">", "==", "and", "or", "unless", "atan2"])
    return st.one_of(
        st.tuples(st.sampled_from(["rate", "max_over_time"]), ranged).map(
            lambda it: (it[0], "(", *it[1], ")")
        ),
        st.tuples(st.sampled_from(["by", "without"]), labels, inner).map(
            lambda it: ("sum", it[0], *it[1], "(", *it[2], ")")
        ),
        st.tuples(inner, operator, st.sampled_from(["", "on", "ignoring"]), labels, inner).map(
            lambda it: ("(", *it[0], it[1], *((it[2], *it[3]) if it[2] else ()), *it[4], ")")
        ),
        st.tuples(inner, st.sampled_from([">", "*"]), NUMBERS).map(
            lambda it: ("(", *it[0], it[1], it[2], ")")
        ),
        st.tuples(inner, DURATIONS).map(
            lambda it: ("max_over_time", "(", "(", *it[0], ")", "[", it[1], ":", "]", ")")
        ),
        inner.map(lambda pieces: ("(", *pieces, ")")),
        inner.map(lambda pieces: ("-", "(", *pieces, ")")),
    )


EXPRESSIONS = st.recursive(selectors(), extended, max_leaves=6).map(Noise)


def parsed(text: str) -> Expr:
    found = parse(text)
    assert isinstance(found, Expr), (text, found)
    return found


@given(EXPRESSIONS, GAPS)
def test_white_space_and_comments_do_not_reach_the_canonical_text(made: Noise, gaps: list[str]) -> None:
    assert canonical(parsed(made.plain())) == canonical(parsed(made.noisy(gaps)))


@given(EXPRESSIONS)
def test_the_canonical_text_is_its_own(made: Noise) -> None:
    text = canonical(parsed(made.plain()))
    assert canonical(parsed(text)) == text


@given(EXPRESSIONS, st.data())
def test_one_changed_word_changes_the_canonical_text(made: Noise, data: st.DataObject) -> None:
    """Any number, duration, string, or name of a metric or function that becomes another makes another
    expression.
    """
    changes = {
        "sum": "max",
        "rate": "increase",
        "max_over_time": "min_over_time",
        "+": "*",
        "and": "unless",
        "5m": "6m",
    }
    places = [
        at for at, piece in enumerate(made.pieces) if piece in changes or piece[:1] in tuple('"0123456789')
    ]
    assume(places)
    at = data.draw(st.sampled_from(places))
    old = made.pieces[at]
    new = changes.get(old) or (quoted(old + "'") if old[0] == '"' else "7" + old)
    pieces = (*made.pieces[:at], new, *made.pieces[at + 1 :])
    found = parse(" ".join(pieces))
    assume(isinstance(found, Expr))
    assert isinstance(found, Expr)
    assert canonical(found) != canonical(parsed(made.plain()))


@given(EXPRESSIONS, GAPS)
def test_every_selector_of_the_tree_stands_where_the_scanner_says(made: Noise, gaps: list[str]) -> None:
    text = made.noisy(gaps)
    found = [node for node in parsed(text).tree if isinstance(node, Selector)]
    spots = scan(text).spots
    assert len(spots) == len(found)
    for spot, node in zip(spots, found, strict=True):
        alone = parsed(text[spot.start : spot.end]).tree[0]
        assert isinstance(alone, Selector) and alone.matchers == node.matchers


@given(
    EXPRESSIONS,
    GAPS,
    LABELS,
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.sampled_from(["a", "", "b|c", '"\\\n']),
)
def test_what_is_injected_is_there_and_nothing_else_changed(
    made: Noise, gaps: list[str], label: str, op: str, value: str
) -> None:
    text = made.noisy(gaps)
    assume(not (value == '"\\\n' and "~" in op))
    written = inject(text, label, op, value, selectors="all")  # type: ignore[arg-type]
    assert isinstance(written, str)
    old, new = parsed(text).tree, parsed(written).tree
    for before, after in zip(old, new, strict=True):
        if isinstance(before, Selector):
            assert isinstance(after, Selector) and after.matchers == (*before.matchers, (label, op, value))
        else:
            assert before == after


@given(EXPRESSIONS, LABELS)
def test_a_narrowed_expression_has_no_labels_that_it_had_not(made: Noise, label: str) -> None:
    expr = parsed(made.plain())
    written = inject(expr.text, label, "=~", ".*")
    if isinstance(written, str):
        before, after = labels_out(expr), labels_out(parsed(written))
        for each in {*after.named, *before.dropped}:
            assert not after.can(each) or before.can(each)


@settings(max_examples=500)
@given(st.text(alphabet="ab{}()[],\"'`=~!<>+-*/^%@#\\ \n0159.eEmsx:_é", max_size=40))
def test_no_text_raises_and_its_tokens_add_up(text: str) -> None:
    found = parse(text)
    assert "".join(token.text for token in lex(text)) == text
    if isinstance(found, PromqlProblem):
        assert found.offset is None or 0 <= found.offset <= len(text)
    else:
        canonical(found), labels_out(found)


@given(st.text())
def test_a_quoted_text_reads_back(text: str) -> None:
    written = quoted(text)
    assert [token.kind for token in lex(written)] == ["string"]
    assert unquoted(Token("string", written, 0, len(written))) == text
