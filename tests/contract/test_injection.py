"""Injection against real servers: what the new text gives is what the old one gives, filtered by the matcher.

Every expression of our own, and of TOCSIN_CORPORA if set, is narrowed by labels its results carry, may carry
and cannot carry, with each operator and with values that are there and one that is not. And by reading both
texts again: exactly the chosen selectors gained exactly that matcher. What is refused is counted, never
compared.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.promql_corpora import everything
from tests.contract.promql_expressions import EXPRESSIONS
from tests.contract.promql_series import Case, cases, loaded
from tests.real.components import NEWEST, VERSIONS
from tests.real.servers import Server, ServerFailedError

from tocsin.promql import Expr, MatchOp, PromqlProblem, inject, labels_out, parse
from tocsin.promql import flow as narrowings
from tocsin.promql.tree import Matcher, Selector

Answer = list[tuple[tuple[tuple[str, str], ...], str]]
Attempt = tuple[Case, str, MatchOp, str, list[dict[str, Any]]]
_OPS: tuple[MatchOp, ...] = ("=", "!=", "=~", "!~")


@pytest.fixture(scope="module", params=VERSIONS)
def stocked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, list[Attempt]]]:
    """A Prometheus with series for every expression, and matchers to try with the unfiltered results."""
    texts = everything()[:2500] if request.param == NEWEST else EXPRESSIONS
    exprs = [each for each in map(parse, texts) if isinstance(each, Expr) and each.kind == "vector"]
    made, series = cases(exprs, seed=3)
    with loaded(request.param, series, tmp_path_factory.mktemp("injection")) as server:
        yield server, list(attempts(server, made))


def attempts(server: Server, made: list[Case]) -> Iterator[Attempt]:
    for case in made:
        chance = random.Random(f"{case.expr.text} {case.at}")
        try:
            results = server.query(case.expr.text, case.at)
        except ServerFailedError:
            continue
        labels = chance.sample(case.words, min(3, len(case.words))) if results else []
        for label in labels:
            op = chance.choice(_OPS)
            value = chance.choice(sorted({each["metric"].get(label, "") for each in results} | {"nowhere"}))
            yield case, label, op, re.escape(value) if "~" in op else value, results


def test_narrowing_an_expression_is_filtering_its_results(stocked: tuple[Server, list[Attempt]]) -> None:
    server, tried = stocked
    wrong, counts = judged(server, tried)
    assert wrong == []
    assert counts["accepted"] > 2 * len(EXPRESSIONS) and counts["really filtered"] > len(EXPRESSIONS)
    assert 0 < counts["refused"] < counts["accepted"]
    print(dict(counts))


FAULTS: dict[str, tuple[str, Callable[..., object]]] = {
    "aggregations let any label through": ("_of_aggregate", lambda node, kids, expr, label: kids[-1]),
    "or needs its left side only": (
        "_both", lambda left, right: left,
    ),
    "functions all keep their first argument's labels": (
        "_of_call", lambda call, kids, expr, label: kids[0] if kids else "no argument",
    ),
    "joins always narrow the left side": (
        "_of_binary", lambda node, kids, kinds, label: kids[0] if kinds[0] == "vector" else kids[1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_rule_is_found_out(
    stocked: tuple[Server, list[Attempt]], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, tried = stocked
    monkeypatch.setattr(narrowings, *FAULTS[fault])
    wrong, _ = judged(server, [each for each in tried if each[0].expr.text in EXPRESSIONS], enough=1)
    assert wrong


def judged(server: Server, tried: list[Attempt], enough: int = 20) -> tuple[list[str], Counter[str]]:
    """The expressions whose narrowed form answers otherwise than it should, up to `enough`, and counts."""
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for case, label, op, value, results in tried:
        written = inject(case.expr.text, label, op, value)
        if isinstance(written, PromqlProblem):
            counts["refused"] += 1
            continue
        counts["accepted"] += 1
        wanted = plain([each for each in results if passes(each["metric"].get(label, ""), op, value)])
        counts["really filtered"] += len(wanted) < len(results)
        if plain(server.query(written, case.at)) != wanted:
            wrong.append(f"{case.expr.text}  ->  {written}")
            if len(wrong) >= enough:
                break
    return wrong, counts


def plain(results: list[dict[str, Any]]) -> Answer:
    return sorted((tuple(sorted(each["metric"].items())), each["value"][1]) for each in results)


def passes(value: str, op: MatchOp, asked: str) -> bool:
    equal = value == asked if op in ("=", "!=") else re.fullmatch(asked, value) is not None
    return equal == (op in ("=", "=~"))


def test_the_new_text_is_the_old_with_one_matcher_more_in_each_chosen_selector() -> None:
    changed = 0
    for text in everything():
        old = parse(text)
        if not isinstance(old, Expr):
            continue
        for selectors in ("flowing", "all"):
            written = inject(text, "zone", "=~", 'a|"b"', selectors=selectors)
            if isinstance(written, PromqlProblem):
                continue
            new = parse(written)
            assert isinstance(new, Expr)
            pairs = [(a, b) for a, b in zip(old.tree, new.tree, strict=True) if a != b]
            assert pairs
            for before, after in pairs:
                assert isinstance(before, Selector) and isinstance(after, Selector)
                assert after.matchers == (*before.matchers, Matcher("zone", "=~", 'a|"b"'))
                assert (after.offset, after.at) == (before.offset, before.at)
            if selectors == "all":
                assert len(pairs) == sum(isinstance(node, Selector) for node in old.tree)
            assert only_added(written, text, 'zone=~"a|\\"b\\""', len(pairs))
            changed += 1
    assert changed > len(EXPRESSIONS)


def only_added(written: str, text: str, matcher: str, times: int) -> bool:
    """Whether every character of the author is there in order, and the rest is the matcher, so often."""
    rest = iter(written)
    extra = len(written) - len(text) - times * len(matcher)
    return all(char in rest for char in text) and written.count(matcher) == times and 0 <= extra <= 2 * times


def test_a_label_that_may_be_there_is_narrowed_only_where_it_can_be() -> None:
    """Refusals of our own list, so that a rule that starts to refuse more is noticed."""
    refused = [
        text
        for text in EXPRESSIONS
        if isinstance(expr := parse(text), Expr)
        and expr.kind == "vector"
        and labels_out(expr).can("site")
        and isinstance(inject(text, "site", "=", "a"), PromqlProblem)
    ]
    assert len(refused) < 50, refused
