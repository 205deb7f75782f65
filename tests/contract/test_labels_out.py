"""Label flow against real servers: every label of every result of an expression lies in its `labels_out`.

Each expression is asked of a Prometheus that holds series made for it (`promql_series`), and of nothing else.
The expressions are our own list, which names every operator and function, and those of TOCSIN_CORPORA if it
is set. That the comparison can fail is shown by breaking the analysis on purpose, one rule at a time.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.promql_corpora import corpora, everything
from tests.contract.promql_expressions import EXPRESSIONS, NEWER, OLDER
from tests.contract.promql_series import Case, cases, loaded
from tests.real.components import NEWEST, VERSIONS, promtool
from tests.real.servers import Server, ServerFailedError

from tocsin.promql import Expr, Labels, canonical, functions, labels_out, parse
from tocsin.promql import labels as analysis
from tocsin.promql.effects import FUNCTIONS
from tocsin.promql.scan import AGGREGATIONS
from tocsin.promql.tree import NAME

Results = list[tuple[Case, list[dict[str, Any]]]]
_NATIVE = (
    "histogram_avg",
    "histogram_count",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
)


@pytest.fixture(scope="module", params=VERSIONS)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """What that Prometheus answers to each case; those that it does not evaluate are left out."""
    version: str = request.param
    texts = everything() if version == NEWEST else EXPRESSIONS
    made, series = cases([each for each in map(vector, texts) if each], seed=1)
    with loaded(version, series, tmp_path_factory.mktemp("labels")) as server:
        yield [
            (case, answer) for case in made if (answer := asked(server, case.expr.text, case.at)) is not None
        ]


def vector(text: str) -> Expr | None:
    expr = parse(text)
    return expr if isinstance(expr, Expr) and expr.kind == "vector" else None


def asked(server: Server, text: str, at: float) -> list[dict[str, Any]] | None:
    try:
        return server.query(text, at)
    except ServerFailedError:
        return None


def test_every_label_of_every_result_lies_in_labels_out(results: Results) -> None:
    assert violations(results, labels_out) == []
    asked_of = {case.expr.text for case, _ in results}
    answered = {case.expr.text for case, answer in results if answer}
    assert len(asked_of) >= len(EXPRESSIONS) - len((*NEWER, *OLDER)) - 10
    assert len(answered) >= 0.9 * len(asked_of), sorted(asked_of - answered)
    print(f"{sum(len(answer) for _, answer in results)} results of {len(answered)} expressions")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_canonical_text_means_the_same(version: str, tmp_path: Path) -> None:
    """Digests are made of it, so it must say what the author's text says: a server runs both."""
    texts = [each for each in EXPRESSIONS if each not in (*NEWER, *OLDER)]
    made, series = cases([each for each in map(vector, texts) if each], seed=2)
    compared = 0
    with loaded(version, series, tmp_path) as server:
        for case in made:
            answer = asked(server, case.expr.text, case.at)
            if answer is not None:
                again = asked(server, canonical(case.expr), case.at)
                assert again is not None and in_order(again) == in_order(answer), case.expr.text
                compared += bool(answer)
    assert compared > len(texts)


def in_order(answer: list[dict[str, Any]]) -> list[tuple[list[tuple[str, str]], str]]:
    return sorted((sorted(each["metric"].items()), each["value"][1]) for each in answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule of the analysis, by its name there, and a wrong one to put in its place."""

    where: str
    wrong: Callable[..., Labels]


_AGGREGATED, _COMBINED, _CALLED = analysis._aggregated, analysis._combined, analysis._called
FAULTS = {
    "aggregations forget their by-clause": Fault(
        where="_aggregated", wrong=lambda node, kids, tree: Labels()
    ),
    "without keeps only what it names": Fault(
        where="_aggregated",
        wrong=lambda node, kids, tree: _AGGREGATED(replace(node, without=False), kids, tree),
    ),
    "count_values writes no label": Fault(
        where="_aggregated",
        wrong=lambda node, kids, tree: _AGGREGATED(
            replace(node, op="sum") if node.op == "count_values" else node, kids, tree
        ),
    ),
    "topk groups like sum": Fault(
        where="_aggregated",
        wrong=lambda node, kids, tree: _AGGREGATED(
            replace(node, op="sum") if node.op == "topk" else node, kids, tree
        ),
    ),
    "group_left brings no labels": Fault(
        where="_combined",
        wrong=lambda node, kids, kinds: _COMBINED(
            replace(node, matching=replace(node.matching, include=frozenset())),
            [kids[0].without("team")] * 2,
            kinds,
        ),
    ),
    "group_right reads as group_left": Fault(
        where="_combined",
        wrong=lambda node, kids, kinds: _COMBINED(
            replace(node, matching=replace(node.matching, many=node.matching.many and "left")), kids, kinds
        ),
    ),
    "or takes its left side only": Fault(
        where="_combined",
        wrong=lambda node, kids, kinds: kids[0] if node.op == "or" else _COMBINED(node, kids, kinds),
    ),
    "comparisons drop the name": Fault(
        where="_combined", wrong=lambda node, kids, kinds: _COMBINED(node, kids, kinds).without(NAME)
    ),
    "label_replace writes nothing": Fault(
        where="_called",
        wrong=lambda call, kids, tree: kids[0].without("place")
        if call.name == "label_replace"
        else _CALLED(call, kids, tree),
    ),
    "label_join writes nothing": Fault(
        where="_called",
        wrong=lambda call, kids, tree: kids[0].without("place")
        if call.name == "label_join"
        else _CALLED(call, kids, tree),
    ),
    "absent has no labels": Fault(where="_absent", wrong=lambda argument, tree: Labels()),
    "last_over_time drops the name": Fault(
        where="_called", wrong=lambda call, kids, tree: _CALLED(call, kids, tree).without(NAME)
    ),
    "matchers with an empty alternative exclude the label": Fault(
        where="_selected",
        wrong=lambda matchers, known: Labels(open=True, dropped=frozenset(each.label for each in matchers)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_rule_is_found_out(results: Results, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert violations(results, labels_out) == []
    monkeypatch.setattr(analysis, FAULTS[fault].where, FAULTS[fault].wrong)
    assert violations(results, labels_out) != []


def violations(results: Results, bound: Callable[[Expr], Labels]) -> list[tuple[str, str]]:
    """(expression, label) for each label of a result outside the bound."""
    return [
        (case.expr.text, label)
        for case, answer in results
        for series in answer
        for label in series["metric"]
        if not bound(case.expr).can(label)
    ]


def test_our_expressions_use_every_function_and_aggregation() -> None:
    used = {name for text in EXPRESSIONS if (expr := vector(text)) for name in functions(expr)}
    later = {"first_over_time", "ts_of_first_over_time"}  # newer than the newest server here
    assert sorted((FUNCTIONS.keys() | AGGREGATIONS) - used - later - {*_NATIVE, "histogram_fraction"}) == []
    assert len(EXPRESSIONS) >= 150


def test_functions_of_native_histograms_keep_labels_as_promised(tmp_path: Path) -> None:
    """They cannot be loaded as text, so promtool's own engine evaluates them and says what it got."""
    sample = "{{schema:1 sum:5 count:4 buckets:[1 2 1]}}x20"
    texts = [f"{name}(native)" for name in _NATIVE]
    texts += ["histogram_fraction(0, 1, native)", "histogram_quantile(0.5, sum by (site) (rate(native[5m])))"]
    texts += ["sum without (zone) (native)", "native and on (site) native", "last_over_time(native[5m])"]
    asked_of = "".join(f"      - expr: {text}\n        eval_time: 10m\n" for text in texts)
    file = tmp_path / "native.yml"
    file.write_text(
        "evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n"
        f"      - {{series: 'native{{site=\"a\",zone=\"z\"}}', values: '{sample}'}}\n"
        f"    promql_expr_test:\n{asked_of}",
        encoding="utf-8",
    )
    done = subprocess.run(
        [str(promtool()), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    got = re.findall(r'expr: "(.*)", time.*\n\s+exp: nil\n\s+got: \{(.*?)\}', done.stdout + done.stderr)
    assert [text for text, _ in got] == texts, done.stdout + done.stderr
    for text, labels in got:
        expr = vector(text)
        assert expr
        names = re.findall(r"(\w+)=", labels)
        assert names and [each for each in names if not labels_out(expr).can(each)] == [], text


def test_corpora_are_read_when_given() -> None:
    assert set(corpora()) <= set(everything())
