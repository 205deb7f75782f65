"""A rule on a part of its series: what is injected, what would mean something else, and how much is left to see."""

from __future__ import annotations

import pytest

from tocsin.canary.scope import ScopeRefused, Seen, coverage, scoped, sensitive, share_of, warning_of
from tocsin.canary.source import Unanswerable
from tocsin.promql import Expr, parse

SCOPE = {"cluster": "canary-1"}
SAME = [
    "up == 0",
    "rate(errors[5m]) / rate(requests[5m]) > 0.1",
    "sum(rate(errors[5m])) / sum(rate(requests[5m])) > 0.1",
    "sum by (cluster) (up) < 3",
    "sum without (instance) (up) < 3",
    "avg(latency) > 2",
    "max by (job) (sum by (job, cluster) (queue)) > 100",
    "sum(errors) > 0.05 * sum(requests)",
    "sum(errors) > 0",
    "100 * (1 - sum(free) / sum(size)) > 90",
    "histogram_quantile(0.9, sum by (le) (rate(b[5m]))) > 1",
    'absent(up{job="a"})',
    "quantile by (cluster) (0.9, latency) > 1",
    "count_over_time((sum(errors))[1h:1m]) > 5",
    "(up == 0) and on (job) (sum by (job) (errors) > 0)",
]
OTHER = {
    "sum(rate(requests[5m])) > 500": "compared with a number (`>`)",
    "count(up == 0) > 2": "compared with a number",
    "sum(requests) / 60 > 5": "compared with a number",
    "5 < sum by (job) (requests)": "compared with a number",
    "rate((sum(requests))[1h:1m]) > 3": "compared with a number",
    "abs(-sum(errors)) > 3": "compared with a number",
    "sum(errors) > on () limit": "compared with another",
    "up == 0 and on () (sum(up) < 9)": "compared with a number (`<`)",
    "topk(3, latency) > 1": "`topk` is taken across",
    "quantile(0.9, latency) > 1": "`quantile` is taken across",
    "stddev by (job) (latency) > 1": "`stddev` is taken across",
    "sum without (cluster) (up) < 3": "compared with a number",
}


def tree(text: str) -> Expr:
    found = parse(text)
    assert isinstance(found, Expr), found
    return found


@pytest.mark.parametrize("text", SAME)
def test_what_means_the_same(text: str) -> None:
    assert sensitive(tree(text), "cluster") == ""
    assert scoped(text, SCOPE).count('cluster="canary-1"') >= 1


@pytest.mark.parametrize("text", OTHER)
def test_what_means_something_else(text: str) -> None:
    assert OTHER[text] in sensitive(tree(text), "cluster")
    with pytest.raises(ScopeRefused, match="means something else in a scope") as refused:
        scoped(text, SCOPE)
    assert "--mode shadow" in refused.value.help


def test_every_selector_is_narrowed() -> None:
    text = "absent(up) or on (job) (max_over_time((rate(a[1m] offset 5m))[1h:]) * on (i) group_left () b{x='y'})  # why"
    written = scoped(text, {"cluster": "canary-1", "zone": "z"})
    assert written.count('cluster="canary-1"') == written.count('zone="z"') == 3
    assert written.endswith("# why")


def test_what_is_seen_is_counted() -> None:
    asked: list[str] = []

    def count(query: str) -> float:
        asked.append(query)
        return 3.0 if "canary-1" in query else 60.0

    seen = coverage("rate(errors{code='500'}[5m] offset 1h) / errors > 1 and up", SCOPE, count)
    assert [each.selector for each in seen] == ["errors", 'errors{code="500"}', "up"]
    assert {each.share for each in seen} == {0.05} and share_of(seen) == 0.05
    assert warning_of(seen) == "" and len(asked) == 6
    assert any("count(present_over_time(" in each and "canary-1" in each for each in asked)


def test_a_blind_selector_stops() -> None:
    with pytest.raises(ScopeRefused, match="down matches no series where cluster=canary-1"):
        coverage("up and down", SCOPE, lambda query: 0.0 if "down" in query else 1.0)


def test_a_server_without_present_over_time_is_asked_plainly() -> None:
    def count(query: str) -> float:
        if "present_over_time" in query:
            raise Unanswerable("unknown function")
        return 2.0

    assert coverage("up", SCOPE, count) == (Seen(selector="up", scoped=2.0, whole=2.0),)


@pytest.mark.parametrize(
    ("scoped_", "whole", "said"), [(1, 100, "1.0%"), (2, 100, ""), (20, 100, ""), (21, 100, "21.0%")]
)
def test_odd_sizes_are_warned_about(scoped_: int, whole: int, said: str) -> None:
    warning = warning_of((Seen(selector="up", scoped=scoped_, whole=whole),))
    assert said in warning and bool(warning) == bool(said)
