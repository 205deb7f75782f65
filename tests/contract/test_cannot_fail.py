"""What is said never to fail, asked of real servers: every expression of our own, over series that meet wherever series can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from tests.contract.promql_corpora import everything
from tests.contract.promql_expressions import EXPRESSIONS
from tests.contract.promql_series import Case, cases, loaded
from tests.real.components import NEWEST, VERSIONS
from tests.real.servers import Server, ServerFailedError

from tocsin.promql import Expr, cannot_fail, parse, sure

OURS = (
    "foo / on (job) bar",
    "foo / ignoring (instance) bar",
    "foo * on (job) group_left bar",
    "foo * on (job) group_left (zone) sum by (job, zone) (bar)",
    "sum by (job, zone) (foo) / on (job) sum by (job, zone) (bar)",
    "sum by (job) (foo) / on (job, zone) sum by (job) (bar)",
    "sum by (job, zone) (foo) / ignoring (zone) sum by (job, zone) (bar)",
    "sum by (job, zone) (foo) > ignoring (zone) group_left sum by (job) (bar)",
    'rate({__name__=~"foo|bar",job!=""}[5m])',
    'abs({__name__=~"foo|bar",job!=""})',
    "max_over_time((foo or bar)[10m:1m])",
    "abs(foo or on (job) bar)",
    "-(foo or ignoring (zone, instance) bar)",
    "abs(max by (__name__) (foo or on (job, instance) bar))",
    "-max by (__name__, job) (foo or on (instance) bar)",
    "sum without (zone) (foo) / sum without (zone) (bar)",
    "sum without (zone) (foo) / on (job) sum without (zone) (bar)",
    'label_replace(foo, "instance", "x", "", "")',
    'label_join(foo, "instance", "-", "job")',
    'count_values("job", foo) / on (job) bar',
    "topk(scalar(bar), foo)",
    "double_exponential_smoothing(foo[10m], 5, 0.5)",
    "holt_winters(foo[10m], 0.5, 7)",
    "quantile(scalar(foo), bar)",
    "clamp(foo, 5, 1)",
    "histogram_quantile(0.9, foo_bucket) / on (job) bar",
    "predict_linear(foo[10m], 3600) < 0 and on (job) bar > 1",
    "foo > bool on (job) sum by (job) (bar)",
    "sum by (job) (foo) > bool on (job) sum by (job) (bar)",
)


@pytest.fixture(scope="module", params=VERSIONS)
def stocked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, list[Case]]]:
    """A Prometheus with series for every expression."""
    texts = [*OURS, *(everything()[:2500] if request.param == NEWEST else EXPRESSIONS)]
    exprs = [each for each in map(parse, texts) if isinstance(each, Expr)]
    made, series = cases(exprs, seed=11)
    with loaded(request.param, series, tmp_path_factory.mktemp("sure")) as server:
        yield server, made


def test_what_cannot_fail_does_not(stocked: tuple[Server, list[Case]]) -> None:
    server, made = stocked
    wrong, counts = judged(server, made)
    assert wrong == []
    assert counts["sure"] > len(EXPRESSIONS) / 2 and counts["failed"] > 10
    print(dict(counts))


FAULTS: dict[str, tuple[str, object]] = {
    "matches never meet": ("_told_apart", lambda keys, matching: True),
    "every function takes any parameter": ("_REFUSING", frozenset()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_proof_is_found_out(
    stocked: tuple[Server, list[Case]], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, made = stocked
    monkeypatch.setattr(sure, *FAULTS[fault])
    wrong, _ = judged(server, made)
    assert wrong


def judged(server: Server, made: list[Case]) -> tuple[list[str], Counter[str]]:
    """The expressions that failed and cannot, and counts."""
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for case in made:
        said = cannot_fail(case.expr)
        counts["sure"] += said
        try:
            server.query(case.expr.text, case.at)
        except ServerFailedError as error:
            if "unknown function" in str(error):
                continue
            counts["failed"] += 1
            if said:
                wrong.append(f"{case.expr.text}: {error}")
    return wrong, counts
