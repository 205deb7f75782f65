"""Laws of the semantic digest: what is said about a rule keeps it, what the rule does changes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.properties.strategies import NUMBERS, PROJECT, Texts, laid_out, plain, repositories, seed
from tests.properties.test_laws import compiled, errors, some

from tocsin.ir.compiled import CompiledRule

Key = tuple[str, str]


def digests(repository: Mapping[str, Any] | Texts) -> dict[Key, str]:
    """Environment and rule -> digest, of a repository without errors."""
    compilation = compiled(plain(repository))
    assert not errors(compilation), errors(compilation)
    everything = [each for service in compilation.services for each in service.resolved]
    rules: list[CompiledRule] = [rule for each in everything for group in each.groups for rule in group.rules]
    return {(rule.key.env, rule.key.text): rule.digest for rule in rules}


def alert_of(repository: Mapping[str, Any]) -> dict[str, Any]:
    """The alert of the queue: one level, evaluated by Grafana in prod and by Prometheus in staging."""
    alert: dict[str, Any] = repository["rules/queue/depth.yaml"]["groups"][0]["rules"][0]
    return alert


def group_of(repository: Mapping[str, Any]) -> dict[str, Any]:
    group: dict[str, Any] = repository["rules/queue/depth.yaml"]["groups"][0]
    return group


QUEUE: Key = ("prod", "queue-deep")
STAGED: Key = ("staging", "queue-deep")


@some
@given(repositories(), st.integers(0, 2**32))
def test_layout_comments_and_key_order_keep_every_digest(repository: dict[str, Any], number: int) -> None:
    chance, before = random.Random(number), digests(repository)
    for path, data in repository.items():
        if not isinstance(data, str):
            repository[path] = laid_out(data, chance)
    assert digests(repository) == before


def _reworded(repository: dict[str, Any]) -> None:
    alert_of(repository)["summary"] = "other words"


def _annotated(repository: dict[str, Any]) -> None:
    alert_of(repository)["annotations"] = {"dashboard": "https://example.org/{{ $labels.zone }}"}


def _described(repository: dict[str, Any]) -> None:
    alert_of(repository)["description"] = "at length"


def _linked_elsewhere(repository: dict[str, Any]) -> None:
    alert_of(repository)["sop_ref"] = "SOP-SHOP-001"


def _signalled(repository: dict[str, Any]) -> None:
    alert_of(repository).update(signal="saturation", sli="freshness")


def _owned_by_others(repository: dict[str, Any]) -> None:
    repository["rules/queue/depth.yaml"]["owner"] = "team-shop"


def _formatted(repository: dict[str, Any]) -> None:
    alert_of(repository)["expr"] = (
        "sum(queue_depth) by (zone)   # how deep\n  > ((${factor} * (shop:requests:rate5m:total)))"
    )


def _renamed_parameter(repository: dict[str, Any]) -> None:
    alert = alert_of(repository)
    alert["expr"] = alert["expr"].replace("${factor}", "${times}")
    alert["params"] = {"times": 2}
    del repository[PROJECT]["params"]["factor"]


def _longhand(repository: dict[str, Any]) -> None:
    alert_of(repository)["for"] = "600s"
    group_of(repository)["interval"] = "60s"


def _moved(repository: dict[str, Any]) -> None:
    repository["rules/queue/elsewhere.yaml"] = repository.pop("rules/queue/depth.yaml")


def _tested(repository: dict[str, Any]) -> None:
    # Names its alert, because another change may give the file a second one.
    test = {"name": "deep", "alert": alert_of(repository)["id"], "series": {'queue_depth{zone="a"}': "1x9"}}
    repository["rules/queue/depth.yaml"]["tests"] = [{**test, "firing": {"5m": []}}]


def _renamed_group(repository: dict[str, Any]) -> None:
    group_of(repository)["name"] = "deeper"


def _grafana_uid(repository: dict[str, Any]) -> None:
    alert_of(repository)["grafana"] = {"uid": "kept-from-before"}


def _with_company(repository: dict[str, Any]) -> None:
    group_of(repository)["rules"].append(
        {"alert": "Other", "id": "other", "expr": "up == 0", "severity": "P2", "summary": "down"}
    )


KEEPING = [
    *(_reworded, _annotated, _described, _linked_elsewhere, _signalled, _owned_by_others, _formatted, _tested),
    *(_renamed_parameter, _longhand, _moved, _renamed_group, _grafana_uid, _with_company),
]  # fmt: skip


@settings(some, max_examples=30)
@given(st.lists(st.sampled_from(KEEPING), min_size=1, max_size=4, unique=True), st.permutations([0, 1, 2, 3]))
def test_what_is_only_said_about_a_rule_keeps_its_digest(
    changes: list[Callable[[dict[str, Any]], None]], order: list[int]
) -> None:
    # Two of them write the same expression, and one takes the file away from the others.
    assume(not {_formatted, _renamed_parameter} <= set(changes))
    repository = seed()
    before = digests(repository)
    for change in sorted(
        (changes[index] for index in order if index < len(changes)), key=lambda it: it is _moved
    ):
        change(repository)
    after = digests(repository)
    assert {key: after[key] for key in before} == before


def _expr(text: str) -> Callable[[dict[str, Any]], None]:
    def change(repository: dict[str, Any]) -> None:
        alert = alert_of(repository)
        assert alert["expr"].count(text.split("->")[0]) == 1
        alert["expr"] = alert["expr"].replace(*text.split("->"))

    return change


def _on_alert(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda repository: alert_of(repository).update(fields)


def _on_group(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda repository: group_of(repository).update(fields)


def _on_record(number: int, **fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda repository: repository["rules/traffic/totals.yaml"]["groups"][0]["rules"][number].update(
        fields
    )


def _on_records_group(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda repository: repository["rules/traffic/totals.yaml"]["groups"][0].update(fields)


def _by_prometheus(repository: dict[str, Any]) -> None:
    del repository[PROJECT]["environments"]["prod"]["services"]


def _other_datasource(repository: dict[str, Any]) -> None:
    repository[PROJECT]["environments"]["prod"]["default_datasource"] = "other"


def _other_factor(repository: dict[str, Any]) -> None:
    repository[PROJECT]["params"]["factor"] = 3


def _relabelled_severity(repository: dict[str, Any]) -> None:
    repository[PROJECT]["severities"]["P2"]["label"] = {"severity": "warn"}


def _less_injected(repository: dict[str, Any]) -> None:
    repository[PROJECT]["labels"] = {"inject": []}


CHANGING: dict[str, Callable[[dict[str, Any]], None]] = {
    "operator": _expr("> ${->>= ${"),
    "number": _expr("${factor}->7"),
    "aggregation": _expr("sum by->max by"),
    "grouping": _expr("(zone)->(zone, job)"),
    "metric": _expr("queue_depth->queue_length"),
    "matcher": _expr('queue_depth->queue_depth{app="a"}'),
    "offset": _expr("(queue_depth)->(queue_depth offset 5m)"),
    "record it reads": _expr("shop:requests:rate5m:total->shop:requests:rate5m"),
    "parameter": _other_factor,
    "alertname": _on_alert(alert="QueueVeryDeep"),
    "for": _on_alert(**{"for": "11m"}),
    "no for": _on_alert(**{"for": "0s"}),
    "keep_firing_for": _on_alert(keep_firing_for="5m"),
    "label": _on_alert(labels={"tier": "front"}),
    "another label": _on_alert(labels={"tier": "back", "more": "x"}),
    "no label": _on_alert(labels={}),
    "severity": _on_alert(severity="P1"),
    "severity's label": _relabelled_severity,
    "injected label": _less_injected,
    "interval": _on_group(interval="2m"),
    "query_offset": _on_group(query_offset="1m"),
    "evaluator": _by_prometheus,
    "data source": _other_datasource,
    "shape": _on_alert(
        grafana={"shape": "split", "series_bound": 100}, expr="sum by (zone) (queue_depth) > 5"
    ),
    "record's expression": _on_record(1, expr="max by (zone) (shop:requests:rate5m)"),
    "record's label": _on_record(1, labels={"team": "x"}),
    "record of the record": _on_record(0, expr="sum by (job, zone) (rate(requests_total[6m]))"),
    "label of the record's record": _on_record(0, labels={"team": "x"}),
    "interval of the records": _on_records_group(interval="1m"),
    "query_offset of the records": _on_records_group(query_offset="1m"),
    "limit of the records": _on_records_group(limit=7),
}
BESIDES: dict[str, Callable[[dict[str, Any]], None]] = {
    "limit": _on_group(limit=5),
    "group label": _on_group(labels={"region": "eu"}),
}
"""Changes that not every evaluator takes: made where all are a Prometheus of today."""


def _modern(repository: dict[str, Any]) -> dict[str, Any]:
    _by_prometheus(repository)
    repository[PROJECT]["environments"]["staging"]["evaluators"][0]["version"] = "3.5"
    return repository


def _needed(repository: dict[str, Any]) -> dict[str, Any]:
    """P1 demands a test and staging turns it into P2: leave only what the severity is about."""
    repository[PROJECT]["severities"]["P1"]["requires"] = []
    repository[PROJECT]["checks"] = {"TOC502": "off"}
    return repository


@pytest.mark.parametrize("what", [*CHANGING, *BESIDES])
def test_a_change_of_what_a_rule_does_changes_its_digest(what: str) -> None:
    change = (CHANGING | BESIDES)[what]
    before, after = _needed(seed()), _needed(seed())
    if what in BESIDES:
        before, after = _modern(before), _modern(after)
    if what == "shape":
        alert_of(before)["expr"] = "sum by (zone) (queue_depth) > 5"
    change(after)
    assert digests(before)[QUEUE] != digests(after)[QUEUE]


@pytest.mark.parametrize("what", ["evaluator", "data source"])
def test_what_concerns_one_environment_leaves_the_others_alone(what: str) -> None:
    before, after = seed(), seed()
    CHANGING[what](after)
    assert digests(before)[QUEUE] != digests(after)[QUEUE]
    assert digests(before)[STAGED] == digests(after)[STAGED]


@pytest.mark.parametrize("changes", [("label", "for"), ("interval", "record's label"), ("metric", "number")])
def test_changes_do_not_cancel_each_other(changes: tuple[str, str]) -> None:
    seen = set()
    for chosen in ((), changes[:1], changes[1:], changes):
        repository = _needed(seed())
        for each in chosen:
            CHANGING[each](repository)
        seen.add(digests(repository)[QUEUE])
    assert len(seen) == 4


@some
@given(NUMBERS, NUMBERS)
def test_two_thresholds_have_one_digest_only_if_they_are_one_number(one: float, two: float) -> None:
    found = []
    for number in (one, two):
        repository = seed()
        repository[PROJECT]["params"]["factor"] = number
        found.append(digests(repository)[QUEUE])
    assert (found[0] == found[1]) == (float(one) == float(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("max_over_time(foo[5m:]) > 1", "max_over_time(foo[5m]) > 1"),
        ("max_over_time(foo[5m:1m]) > 1", "max_over_time(foo[5m:]) > 1"),
        ("foo offset 5m > 1", "foo > 1"),
        ("foo @ start() > 1", "foo @ end() > 1"),
        ("foo > bool 1", "foo > 1"),
        ('foo{a="1"} > 1', 'foo{a=~"1"} > 1'),
        ("foo - on (a) bar - on (a) baz", "foo - on (a) (bar - on (a) baz)"),
        ("foo * on (a) group_left bar > 1", "foo * on (a) group_right bar > 1"),
        ("foo * on (a) group_left (b) bar > 1", "foo * on (a) group_left (c) bar > 1"),
        ("foo * ignoring (a) bar > 1", "foo * on (a) bar > 1"),
        ("sum without (a) (foo) > 1", "sum by (a) (foo) > 1"),
        ("-foo ^ 2 > 1", "(-foo) ^ 2 > 1"),
        ("foo == 1 / 0", "foo == -1 / 0"),
    ],
)
def test_expressions_that_differ_have_digests_that_differ(one: str, two: str) -> None:
    found = []
    for expr in (one, two):
        repository = seed()
        alert_of(repository).update(expr=expr, identity=[], summary="x")
        repository[PROJECT]["params"].pop("factor")
        found.append(digests(repository)[QUEUE])
    assert found[0] != found[1]


def test_no_two_rules_of_an_environment_share_a_digest() -> None:
    for env in ("prod", "staging"):
        found = [digest for key, digest in digests(seed()).items() if key[0] == env]
        assert len(set(found)) == len(found) > 5
