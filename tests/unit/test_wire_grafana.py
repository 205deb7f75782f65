"""The canonical Grafana rule: both codecs, what a server does to a rule, and reading one back."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tocsin.ir.compiled import Datasource, Version
from tocsin.ir.duration import ZERO, Duration
from tocsin.wire.grafana import (
    Comparison,
    Facts,
    GrafanaGroup,
    GrafanaRule,
    Node,
    Opaque,
    Unreadable,
    canonical,
    canonical_group,
    decode,
    file_text,
    from_http,
    promql_nodes,
    rule_from_http,
    split_nodes,
    to_file,
    to_http,
    watch_nodes,
)

PROM = Datasource(name="main", uid="prom-main", type="prometheus")
NEWEST: Version = (13, 3, 0)
MINUTE = Duration(60_000)


def rule(**changes: Any) -> GrafanaRule:
    """A rule as tocsin makes them."""
    base = GrafanaRule(
        uid="kafka-lag-0123456789abcdef",
        title="KafkaLag",
        condition="C",
        data=promql_nodes("kafka_lag > 5", PROM, ZERO),
        no_data="OK",
        exec_err="KeepLast",
        for_=Duration(600_000),
        missing_series=1,
        labels={"severity": "critical", "cluster_copy": "{{ $labels.cluster }}"},
        annotations={"summary": "{{ $values.A.Value }} behind, $5 each"},
    )
    return replace(base, **changes)


def group(*rules: GrafanaRule, **changes: Any) -> GrafanaGroup:
    """A group of one minute in folder kafka."""
    base = GrafanaGroup(
        name="lag", interval=MINUTE, rules=rules or (rule(),), folder="kafka", folder_uid="tocsin-kafka"
    )
    return replace(base, **changes)


def stored(sent: Any) -> Any:
    """What a server answers after a PUT of `sent`: defaults, a copied field, its own durations, read-only
    fields, keys in another order."""
    answer = copy.deepcopy(sent)
    for number, each in enumerate(answer["rules"]):
        each |= {"id": 40 + number, "orgID": 1, "provenance": "api", "updated": "2026-11-02T10:00:00Z"}
        each["labels"] = each["labels"] or None
        for node in each["data"]:
            node["model"] = dict(reversed(node["model"].items())) | {
                "intervalMs": 1000,
                "maxDataPoints": 43200,
            }
            node["queryType"] = node["model"].get("queryType", "")
    return answer


def test_http_speaks_the_names_the_server_reads() -> None:
    body: Any = to_http(group(rule(keep_firing_for=Duration(300_000), paused=True)), NEWEST)
    assert list(body) == ["title", "folderUid", "interval", "rules"]
    assert (body["title"], body["folderUid"], body["interval"]) == ("lag", "tocsin-kafka", 60)
    (only,) = body["rules"]
    assert only.keys() == {
        *(
            "uid",
            "folderUID",
            "ruleGroup",
            "title",
            "condition",
            "data",
            "noDataState",
            "execErrState",
            "for",
        ),
        *("keep_firing_for", "missingSeriesEvalsToResolve", "annotations", "labels", "isPaused"),
    }
    assert (only["for"], only["keep_firing_for"], only["missingSeriesEvalsToResolve"]) == ("10m", "5m", 1)
    assert (only["folderUID"], only["ruleGroup"], only["isPaused"]) == ("tocsin-kafka", "lag", True)


def test_files_speak_their_own_names() -> None:
    document: Any = to_file([group(rule(keep_firing_for=Duration(300_000)))], NEWEST)
    (only_group,) = document["groups"]
    assert {key: only_group[key] for key in ("orgId", "name", "folder", "interval")} == {
        "orgId": 1,
        "name": "lag",
        "folder": "kafka",
        "interval": "1m",
    }
    (only,) = only_group["rules"]
    assert (only["keepFiringFor"], only["missing_series_evals_to_resolve"]) == ("5m", 1)
    assert "folderUID" not in only and "ruleGroup" not in only and "keep_firing_for" not in only


def test_a_dollar_is_doubled_where_files_expand_it_and_nowhere_else() -> None:
    priced = rule(
        title="Costs$5",
        labels={"cost": "$5 {{ $labels.x }}"},
        data=promql_nodes('label_replace(a, "b", "$1", "c", "(.*)")', PROM, ZERO),
    )
    document: Any = to_file([group(priced, name="$group", folder="$folder")], NEWEST)
    (written_group,) = document["groups"]
    (written,) = written_group["rules"]
    assert (written_group["name"], written_group["folder"], written["title"]) == (
        "$$group",
        "$$folder",
        "Costs$$5",
    )
    assert written["labels"] == {"cost": "$$5 {{ $$labels.x }}"}
    assert written["annotations"] == {"summary": "{{ $values.A.Value }} behind, $5 each"}
    assert written["data"][0]["model"]["expr"].count("$") == 1
    http: Any = to_http(group(priced), NEWEST)
    assert http["rules"][0]["labels"] == {"cost": "$5 {{ $labels.x }}"}


def test_a_file_survives_a_yaml_reader_whatever_it_says() -> None:
    hostile = 'nel \x85 del \x7f ls \u2028 bom \ufeff crab \U0001f980 tab \t quote " back \\ 中文'
    document = to_file([group(rule(annotations={"summary": hostile}))], NEWEST)
    text = file_text(document)
    assert yaml.safe_load(text) == json.loads(text) == document
    assert "\U0001f980" in text and "中文" in text and "\x85" not in text and text.endswith("}\n")


@pytest.mark.parametrize(
    ("version", "http", "file"),
    [
        ((11, 5, 2), False, False),
        ((11, 6, 0), True, False),
        ((12, 1, 1), True, False),
        ((12, 1, 2), True, True),
    ],
)
def test_the_missing_series_setting_goes_where_it_is_read(version: Version, http: bool, file: bool) -> None:
    sent: Any = to_http(group(), version)
    written: Any = to_file([group()], version)
    assert ("missingSeriesEvalsToResolve" in sent["rules"][0]) is http
    assert ("missing_series_evals_to_resolve" in written["groups"][0]["rules"][0]) is file


def test_keep_firing_for_is_never_left_out_in_silence() -> None:
    kept = group(rule(keep_firing_for=Duration(60_000)))
    with pytest.raises(ValueError, match="keep_firing_for"):
        to_http(kept, (11, 6, 0))
    with pytest.raises(ValueError, match="keepFiringFor"):
        to_file([kept], (12, 1, 1))


def test_a_rule_is_equal_to_itself_after_a_trip_through_a_server() -> None:
    bare = Node(
        ref_id="A",
        datasource_uid="prom-main",
        range_from=600,
        model={"refId": "A", "expr": "up", "instant": True, "queryType": "q"},
    )
    sent = group(rule(), rule(uid="other", labels={}, data=(bare,), keep_firing_for=Duration(90_000)))
    read = from_http(stored(to_http(sent, NEWEST)))
    assert isinstance(read, GrafanaGroup)
    assert read.rules != sent.rules
    assert canonical_group(read) == canonical_group(replace(sent, folder=""))


def test_durations_are_compared_as_numbers() -> None:
    sent: Any = to_http(group(), NEWEST)
    sent["rules"][0]["for"] = "600s"
    read = from_http(sent)
    assert isinstance(read, GrafanaGroup) and canonical(read.rules[0]) == canonical(rule())


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Other"},
        {"for_": Duration(1)},
        {"no_data": "Alerting"},
        {"missing_series": None},
        {"labels": {}},
        {"annotations": {}},
        {"paused": True},
        {"extra": {"notification_settings": {"receiver": "sms"}}},
        {"data": promql_nodes("kafka_lag > 6", PROM, ZERO)},
    ],
)
def test_a_real_difference_stays_one(changes: dict[str, Any]) -> None:
    assert canonical(rule(**changes)) != canonical(rule())


def test_empty_is_empty_however_it_is_spelt() -> None:
    body: Any = to_http(group(rule(labels={}, annotations={})), NEWEST)["rules"]
    spellings: list[Any] = [{}, None]
    found = [
        rule_from_http(body[0] | {"labels": each, "annotations": each, "notification_settings": each})
        for each in spellings
    ]
    assert all(
        isinstance(each, GrafanaRule) and canonical(each) == canonical(rule(labels={}, annotations={}))
        for each in found
    )


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"interval": "1m"}, "interval"),
        ({"interval": True}, "interval"),
        ({"rules": {"0": {}}}, "rules"),
        ({"rules": ["x"]}, "rules[0]"),
        ({"rules": [{"uid": 5}]}, "rules[0].uid"),
        ({"rules": [{"uid": "a", "title": "t", "for": "soon"}]}, "rules[0].for"),
        ({"rules": [{"uid": "a", "title": "t", "labels": {"x": 1}}]}, "rules[0].labels.x"),
        (
            {"rules": [{"uid": "a", "title": "t", "missingSeriesEvalsToResolve": "1"}]},
            "rules[0].missingSeriesEvalsToResolve",
        ),
        (
            {
                "rules": [
                    {"uid": "a", "title": "t", "data": [{"refId": "A", "relativeTimeRange": {"from": "10m"}}]}
                ]
            },
            "rules[0].data[0].relativeTimeRange.from",
        ),
    ],
)
def test_an_answer_that_is_no_group_says_where(change: dict[str, Any], path: str) -> None:
    found = from_http({**to_http(group(), NEWEST), **change})
    assert isinstance(found, Unreadable)
    assert found.path == path


def test_text_is_no_group() -> None:
    assert from_http("Bad Gateway") == Unreadable("", "is no object")


@pytest.mark.parametrize("version", [(9, 4, 0), (11, 5, 0), (11, 6, 0), NEWEST])
@pytest.mark.parametrize("operator", [">", "<", ">=", "<=", "==", "!="])
@pytest.mark.parametrize("number", [0.0, 5.0, -0.25, 1e-7, 1e15])
def test_what_a_split_says_is_read_back(version: Version, operator: Any, number: float) -> None:
    comparison = Comparison(query="sum by (x) (a)", operator=operator, number=number)
    data = split_nodes(comparison, PROM, ZERO, version)
    found = decode(rule(data=data), MINUTE)
    assert isinstance(found, Facts)
    assert (found.shape, found.expr) == ("split", comparison.text)
    assert [node.ref_id for node in data] == ["A", "C"]


def test_a_split_before_11_6_keeps_nan_quiet_as_prometheus_does() -> None:
    def condition(operator: Any, version: Version) -> Any:
        return split_nodes(Comparison(query="a", operator=operator, number=1e-7), PROM, ZERO, version)[
            1
        ].model

    assert condition(">", (11, 5, 0))["expression"] == "is_nan($A) == 0 && $A > 0.0000001"
    assert condition("!=", (13, 0, 0))["expression"] == "$A != 0.0000001"
    assert condition(">=", (11, 6, 0))["conditions"] == [{"evaluator": {"type": "gte", "params": [1e-7]}}]


def test_a_comment_at_the_end_of_the_query_does_not_swallow_the_comparison() -> None:
    assert Comparison(query="a # b", operator=">", number=5.0).text == "a # b\n> 5"


def test_decode_finds_everything_the_digest_asks_for() -> None:
    found = decode(
        rule(data=promql_nodes("kafka_lag > 5", PROM, Duration(60_000)), keep_firing_for=Duration(1_000)),
        MINUTE,
    )
    assert found == Facts(
        name="KafkaLag",
        expr="kafka_lag > 5",
        for_=Duration(600_000),
        keep_firing_for=Duration(1_000),
        labels={"severity": "critical", "cluster_copy": "{{ $labels.cluster }}"},
        interval=MINUTE,
        query_offset=MINUTE,
        shape="promql",
        states=("OK", "KeepLast", 1),
        datasource_uid="prom-main",
        paused=False,
    )


def with_model(at: int, **changes: Any) -> tuple[Node, ...]:
    """The nodes of the default shape with one model changed."""
    nodes = list(promql_nodes("a > 5", PROM, ZERO))
    nodes[at] = replace(nodes[at], model={**nodes[at].model, **changes})
    return tuple(nodes)


@pytest.mark.parametrize(
    "changes",
    [
        {"condition": "B"},
        {"data": ()},
        {"data": watch_nodes(PROM)[:1]},
        {"data": with_model(0, range=True)},
        {"data": with_model(0, instant=False)},
        {"data": with_model(0, intervalMs=15000)},
        {"data": with_model(0, interval="5m")},
        {"data": with_model(1, expression="$A > 3")},
        {"data": with_model(2, conditions=[{"evaluator": {"type": "gt", "params": [1]}}])},
        {
            "data": with_model(
                2,
                conditions=[
                    {
                        "evaluator": {"type": "gt", "params": [0]},
                        "unloadEvaluator": {"type": "lt", "params": [0]},
                    }
                ],
            )
        },
        {"data": with_model(2, settings={"mode": "dropNN"})},
        {"labels": {"value": "{{ $values.A.Value }}"}},
        {"extra": {"notification_settings": {"receiver": "sms"}}},
    ],
)
def test_what_tocsin_did_not_write_is_opaque(changes: dict[str, Any]) -> None:
    assert isinstance(decode(rule(**changes), MINUTE), Opaque)


def test_an_editor_may_leave_its_marks_on_a_query() -> None:
    assert isinstance(decode(rule(data=with_model(0, editorMode="code", legendFormat="x")), MINUTE), Facts)
