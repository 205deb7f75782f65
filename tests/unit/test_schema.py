"""Schema findings in sentences, at their places; and two validators that must agree."""
# ruff: noqa: E501 - a table of findings reads best with one finding on a line

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag import Diagnostic, Severity, SourceFile
from tocsin.source.schema import KINDS, Kind, conform, faults, schema_text, with_python, with_rust
from tocsin.source.shapes import SHAPES
from tocsin.source.tree import read_document

RULES = """\
version: 1
service: kafka
owner: team-streaming
groups:
  - name: lag
    interval: 30s
    rules:
      - record: consumergroup:kafka_lag:sum
        expr: sum by (cluster, consumergroup) (kafka_consumergroup_lag)
      - alert: KafkaConsumerLag
        id: kafka-consumer-lag
        sop_ref: SOP-KAFKA-007#mitigate
        identity: [cluster, consumergroup]
        signal: saturation
        expr: consumergroup:kafka_lag:sum > ${limit}
        keep_firing_for: 5m
        labels: {area: edge}
        levels:
          ticket: {severity: P2, limit: 5000, for: 10m}
          page: {severity: P1, limit: 10000, for: "${window}"}
        overrides:
          batch: {env: [staging, prod], where: {consumergroup: "batch-.+"}, set: {ticket.limit: 200000}}
        routes_to: {page: streaming-oncall}
        grafana: {uid: abc, shape: split, series_bound: 10}
tests:
  - name: steady growth
    env: [prod]
    step: 1m
    series: {'kafka_consumergroup_lag{cluster="a"}': 0+500x60}
    firing: {20m: [], 22m: [ticket, {level: page, labels: {area: edge}}]}
"""
PROJECT = """\
version: 1
project: shop
severities:
  P1: {label: {severity: critical}, respond_within: 5m, requires: [sop, test]}
teams: {team-streaming: {name: Streaming}}
checks: {TOC512: note}
environments:
  prod:
    evaluators:
      - {name: main, kind: prometheus, version: "2.53", url_env: PROMETHEUS_URL_PROD}
    datasources: {main: {uid: abc}}
site: {url: https://runbooks.example.org, languages: [en, zh]}
"""
SOP = """\
id: SOP-KAFKA-007
title: Consumers fall behind
status: active
services: [kafka]
owner: team-streaming
review: {last: 2026-05-02, every: 90d}
escalation: [{after: 15m, to: secondary}]
quick_checks: [{symptom: slow, check: look}]
"""
INCIDENT = """\
id: INC-2026-004
title: Orders stopped
start: 2026-05-02T03:10:00Z
services: [orders]
found_by: alert
metrics: [{name: lag, normal: 5, fault: 12.8 s}]
"""
GOOD: dict[Kind, str] = {"rules": RULES, "project": PROJECT, "sop": SOP, "incident": INCIDENT}


def found(text: str, kind: Kind = "rules") -> list[Diagnostic]:
    document, said = read_document(SourceFile(path="x.yaml", text=text))
    assert document is not None and not [each for each in said if each.severity is Severity.error], said
    return list(conform(document, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_source_has_no_findings(kind: Kind) -> None:
    assert found(GOOD[kind], kind) == []


def changed(kind: Kind, old: str, new: str) -> str:
    assert old in GOOD[kind]
    return GOOD[kind].replace(old, new, 1)


CASES: list[tuple[Kind, str, str, str, str, str, str]] = [
    # kind, what is replaced, by what, code, text under the span, message, help
    ("rules", "        keep_firing_for: 5m", "        fro: 5m", "TOC201", "fro", "`fro` is not a key of an alert", "did you mean `for`?"),
    ("rules", "    interval: 30s", "    interal: 30s", "TOC201", "interal", "`interal` is not a key of a group", "did you mean `interval`?"),
    ("rules", "        signal: saturation", "        interval: 1m", "TOC201", "interval", "`interval` is not a key of an alert", "`interval` belongs to the group"),
    ("rules", "owner: team-streaming", "team: team-streaming", "TOC201", "team", "`team` is not a key of a rule file", "did you mean `owner`?"),
    ("rules", "    step: 1m", "    eval_time: 1m", "TOC201", "eval_time", "`eval_time` is not a key of a test", "did you mean `firing`?"),
    ("rules", "shape: split", "form: split", "TOC201", "form", "`form` is not a key of `grafana`", "known keys: uid, shape, series_bound"),
    ("rules", "level: page, labels", "levels: page, labels", "TOC201", "levels", "`levels` is not a key of an item of `22m`", "did you mean `level`?"),
    ("rules", "service: kafka\n", "", "TOC202", "version: 1", "a rule file has no `service`", "write `service: kafka-lag`: the service; must equal the folder's name"),
    ("rules", "version: 1\n", "", "TOC202", "service: kafka", "a rule file has no `version`", "write `version: 1`"),
    ("rules", "        id: kafka-consumer-lag\n", "", "TOC202", "alert: KafkaConsumerLag", "an alert has no `id`", "write `id: kafka-lag`: the identity: never reused, survives renames and moves; uid and rule_id derive from it"),
    ("rules", "alert: KafkaConsumerLag", "alrt: KafkaConsumerLag", "TOC201", "alrt", "`alrt` is not a key of an alert", "did you mean `alert`?"),
    ("rules", "- alert: KafkaConsumerLag", "- x: y", "TOC201|TOC202", "x|x: y", "`x` is not a key of an alert|a rule needs `alert` or `record`", "remove it|start it with `- alert: Name` or `- record: name`"),
    ("rules", "env: [staging, prod], where: {consumergroup: \"batch-.+\"}, ", "", "TOC202", "batch", "an override needs `env` or `where`", "add `env` or `where`"),
    ("rules", "    firing: {20m", "    x-y: {20m", "TOC202|TOC201", "name: steady growth|x-y", "a test needs `firing` or `samples`|`x-y` is not a key of a test", "add `firing` or `samples`|known keys: name, alert, env, step, series, firing, samples"),
    ("rules", "keep_firing_for: 5m", "keep_firing_for: 5", "TOC203", "5", "`keep_firing_for` must be text: a duration, not 5", 'write "5m" or "5s"'),
    ("rules", "labels: {area: edge}", "labels: {area: 1.50}", "TOC203", "1.50", "`area` must be text, not 1.5", 'write "1.50"'),
    ("rules", "labels: {area: edge}", "labels: [area]", "TOC203", "[area]", "`labels` must be a mapping of keys to values, not a list", "write keys, not a list: remove the dashes"),
    ("rules", "labels: {area: edge}", "labels: {area: }", "TOC203", "", "`area` is empty", "write text, or remove the key"),
    ("rules", "labels: {area: edge}", "labels: {area: true}", "TOC203", "true", "`area` must be text, not true", 'write "true"'),
    ("rules", "identity: [cluster, consumergroup]", "identity: cluster", "TOC203", "cluster", "`identity` must be a list, not `cluster`", "write [cluster]"),
    ("rules", "identity: [cluster, consumergroup]", "identity: [cluster, 5]", "TOC203", "5", "item 2 of `identity` must be text, not 5", 'write "5"'),
    ("rules", "routes_to: {page: streaming-oncall}", "routes_to: 3", "TOC203", "3", "`routes_to` must be text or a mapping of keys to values, not 3", 'write "3"'),
    ("rules", "routes_to: {page: streaming-oncall}", "routes_to: {page: 3}", "TOC203", "3", "`page` must be text, not 3", 'write "3"'),
    ("rules", "series_bound: 10", "series_bound: ten", "TOC203", "ten", "`series_bound` must be a whole number, not `ten`", "write a number"),
    ("rules", "series_bound: 10", "series_bound: '10'", "TOC203", "'10'", "`series_bound` must be a whole number, not `10`", "write 10 without quotes"),
    ("rules", "series_bound: 10", "series_bound: 0", "TOC204", "0", "`series_bound` must be at least 1, not 0", "write 1"),
    ("rules", "- name: lag", "- name: ''", "TOC204", "''", "`name` is empty", "write something here, or remove the key"),
    ("rules", "env: [staging, prod]", "env: []", "TOC204", "[]", "`env` is empty", "write something here, or remove the key"),
    ("rules", "where: {consumergroup: \"batch-.+\"}", "where: {a: b, c: d}", "TOC204", "{a: b, c: d}", "`where` takes at most 1, not 2", ""),
    ("rules", "identity: [cluster, consumergroup]", "identity: [cluster, cluster]", "TOC204", "[cluster, cluster]", "`cluster` stands twice in `identity`", "keep one of the two"),
    ("rules", "signal: saturation", "signal: saturatoin", "TOC204", "saturatoin", "`signal` cannot be `saturatoin`", "did you mean saturation? one of latency, traffic, errors, saturation"),
    ("rules", "service: kafka", "service: Kafka Lag", "TOC204", "Kafka Lag", "`Kafka Lag` is not a key: lower case letters, digits and dashes, at most 80", "did you mean kafka-lag?"),
    ("rules", "sop_ref: SOP-KAFKA-007#mitigate", "sop_ref: sop-kafka-7#mitigate", "TOC204", "sop-kafka-7#mitigate", "`sop-kafka-7#mitigate` is not a reference to a SOP", "did you mean SOP-KAFKA-007#mitigate?"),
    ("rules", "labels: {area: edge}", "labels: {my-area: edge}", "TOC204", "my-area", "`my-area` is not a label name: letters, digits and underscores", "did you mean my_area?"),
    ("rules", "          page: {sev", "          Page: {sev", "TOC204", "Page", "`Page` is not a level's key: lower case letters, digits and dashes, at most 80", "did you mean page?"),
    ("rules", "limit: 5000,", "Limit: 5000,", "TOC204", "Limit", "`Limit` is not a parameter name: lower case letters, digits and underscores", "did you mean limit?"),
    ("rules", "keep_firing_for: 5m", "keep_firing_for: 10 minutes", "TOC205", "10 minutes", "`10 minutes` is not a duration", "did you mean 10m?"),
    ("rules", "keep_firing_for: 5m", "keep_firing_for: 1.5h", "TOC205", "1.5h", "`1.5h` is not a duration", "did you mean 1h30m?"),
    ("rules", "keep_firing_for: 5m", "keep_firing_for: 5min", "TOC205", "5min", "`5min` is not a duration", "did you mean 5m?"),
    ("rules", "keep_firing_for: 5m", "keep_firing_for: 30m1h", "TOC205", "30m1h", "`30m1h` is not a duration", "did you mean 1h30m?"),
    ("rules", "keep_firing_for: 5m", "keep_firing_for: soon", "TOC205", "soon", "`soon` is not a duration", "write, for example, 5m, 1h30m, or a parameter like ${window}"),
    ("rules", "keep_firing_for: 5m", "keep_firing_for: ''", "TOC205", "''", "`keep_firing_for` is empty", "write 5m, 1h30m, or a parameter like ${window}"),
    ("rules", "22m: [ticket", "22 m: [ticket", "TOC205", "22 m", "`22 m` is not a duration", "did you mean 22m?"),
    ("rules", "version: 1", "version: 2", "TOC206", "2", "version 2 of this format is unknown; this tocsin reads version 1", "update tocsin"),
    ("rules", "version: 1", "version: '1'", "TOC206", "'1'", "version `1` of this format is unknown; this tocsin reads version 1", "write `version: 1`"),
    ("project", "kind: prometheus", "kind: promethius", "TOC204", "promethius", "`kind` cannot be `promethius`", "did you mean prometheus? one of prometheus, mimir, grafana"),
    ("project", 'version: "2.53"', "version: 2.53", "TOC203", "2.53", "`version` must be text, not 2.53", 'write "2.53"'),
    ("project", "url_env: PROMETHEUS_URL_PROD", "url_env: AWS_SECRET", "TOC204", "AWS_SECRET", "`AWS_SECRET` is not the name of an environment variable that starts with TOCSIN_, GRAFANA_ or PROMETHEUS_", "did you mean TOCSIN_AWS_SECRET?"),
    ("project", "url_env:", "url:", "TOC201", "url", "`url` is not a key of an evaluator", "did you mean `url_env`?"),
    ("project", "    evaluators:", "    evaluator:", "TOC201", "evaluator", "`evaluator` is not a key of an environment", "did you mean `evaluators`?"),
    ("project", "TOC512: note", "TOC12: note", "TOC204", "TOC12", "`TOC12` is not the code of a check", "write, for example, TOC512"),
    ("project", "  prod:\n", "  Prod:\n", "TOC204", "Prod", "`Prod` is not an environment's name: lower case letters, digits and dashes, at most 80", "did you mean prod?"),
    ("sop", "status: active", "status: actve", "TOC204", "actve", "`status` cannot be `actve`", "did you mean active? one of draft, active, deprecated, retired"),
    ("sop", "last: 2026-05-02", "last: 2026/5/2", "TOC204", "2026/5/2", "`2026/5/2` is not a day", "did you mean 2026-05-02?"),
    ("sop", "title: Cons", "titel: Cons", "TOC201", "titel", "`titel` is not a key of a SOP's front matter", "did you mean `title`?"),
    ("sop", "symptom: slow", "symptoms: slow", "TOC201", "symptoms", "`symptoms` is not a key of an item of `quick_checks`", "did you mean `symptom`?"),
    ("sop", "id: SOP-KAFKA-007", "id: KAFKA7", "TOC204", "KAFKA7", "`KAFKA7` is not the id of a SOP", "did you mean KAFKA-007?"),
    ("incident", "start: 2026-05-02T03:10:00Z", "start: 2026-05-02 03:10", "TOC204", "2026-05-02 03:10", "`2026-05-02 03:10` is not a time with its zone", "did you mean 2026-05-02T03:10Z?"),
    ("incident", "found_by: alert", "", "TOC202", "id: INC-2026-004", "an incident's front matter has no `found_by`", "write `found_by:` and one of alert, person, customer"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "old", "new", "codes", "under", "messages", "helps"), CASES)
def test_each_mistake_is_said_once(
    kind: Kind, old: str, new: str, codes: str, under: str, messages: str, helps: str
) -> None:
    text = changed(kind, old, new)
    said = found(text, kind)
    assert [each.code for each in said] == codes.split("|"), said
    assert [each.message for each in said] == messages.split("|")
    assert [each.span.slice(text) for each in said] == under.split("|")
    assert [each.help for each in said] == (helps.split("|") if helps else [""])


def test_a_subject_does_not_know_positions() -> None:
    text = changed("rules", "for: 10m", "for: zz")
    assert [each.subject for each in found(text)] == ["lag.kafka-consumer-lag.levels.ticket.for"]
    moved = text.replace("      - record:", "      - record: another\n        expr: up\n      - record:")
    assert [each.subject for each in found(moved)] == ["lag.kafka-consumer-lag.levels.ticket.for"]


@pytest.mark.parametrize(("text", "kind"), [("- a\n", "rules"), ("text\n", "project"), ("5\n", "sop")])
def test_a_document_that_is_no_mapping(text: str, kind: Kind) -> None:
    said = found(text, kind)
    assert [(each.code, each.span.place) for each in said] == [("TOC203", "x.yaml:1:1")]


def patterns(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for each in node.values():
            yield from patterns(each)
    elif isinstance(node, list):
        for each in node:
            yield from patterns(each)


@pytest.mark.parametrize("kind", KINDS)
def test_every_pattern_of_a_schema_is_said_in_words(kind: Kind) -> None:
    used = set(patterns(json.loads(schema_text(kind))))
    assert used and used <= set(SHAPES)


def test_no_words_are_kept_for_patterns_of_the_past() -> None:
    assert set(SHAPES) == {each for kind in KINDS for each in patterns(json.loads(schema_text(kind)))}


@pytest.mark.parametrize("pattern", SHAPES)
def test_every_example_fits_its_pattern(pattern: str) -> None:
    for example in re.split(r", (?:or a parameter like )?| or ", SHAPES[pattern].example):
        assert re.search(pattern, example), example


# --- the second opinion: jsonschema finds the same faults at the same places

VALUES = st.none() | st.booleans() | st.integers(-2, 99) | st.floats(-2, 2) | st.sampled_from(
    ["", "5m", "x", "A-b", "${x}", "P1", "zz!", "2026-01-01", "prometheus"]
) | st.lists(st.sampled_from(["a", 1]), max_size=2) | st.dictionaries(st.sampled_from(["for", "a", "level", "X"]), st.just("x"), max_size=2)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> tuple[Kind, object]:
    """A good source with up to four random changes anywhere."""
    kind = draw(st.sampled_from(KINDS))
    document, _ = read_document(SourceFile(path="x.yaml", text=GOOD[kind]))
    assert document is not None
    data = json.loads(json.dumps(document.data))
    for _ in range(draw(st.integers(1, 4))):
        node, path = data, []
        while isinstance(node, dict | list) and node and (not path or draw(st.integers(0, 3))):
            path.append(
                (node, draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))))
            )
            node = path[-1][0][path[-1][1]]
        holder, key = path[-1]
        match draw(st.sampled_from(["replace", "delete", "add"])):
            case "replace":
                holder[key] = draw(VALUES)
            case "delete":
                del holder[key]
            case _ if isinstance(holder, dict):
                holder[draw(st.sampled_from(["fro", "For", "x-own", "name", "alrt", "a b"]))] = draw(VALUES)
            case _:
                holder.append(draw(VALUES))
    return kind, data


VALIDATORS = {kind: (with_rust(json.loads(schema_text(kind))), with_python(json.loads(schema_text(kind)))) for kind in KINDS}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(broken())
def test_both_validators_find_the_same(case: tuple[Kind, object]) -> None:
    kind, data = case
    fast, slow = ({(each.path, each.keyword, each.named) for each in ask(data)} for ask in VALIDATORS[kind])
    assert fast == slow


@settings(max_examples=300, deadline=None)
@given(broken())
def test_both_validators_end_in_the_same_sentences(case: tuple[Kind, object]) -> None:
    """And every broken source gets at least one finding, in words without a trace of the schema's language."""
    from tocsin.source.wording import worded

    kind, data = case
    text = json.dumps(data, indent=1)
    document, _ = read_document(SourceFile(path="x.json", text=text))
    if document is None or document.origin is None:
        return
    fast, slow = (worded(document.origin, kind, tuple(ask(document.data))) for ask in VALIDATORS[kind])
    assert fast == slow
    assert bool(fast) == bool(list(faults(document.data, kind)))
    for each in fast:
        assert not re.search(
            r"oneOf|anyOf|propertyNames|\[a-z|additionalProp|\^", each.message + each.help
        ), each
        assert each.span.line <= text.count("\n") + 1


def test_conform_changes_nothing() -> None:
    document, _ = read_document(SourceFile(path="x.yaml", text=changed("rules", "for: 10m", "for: 5")))
    assert document is not None
    before = copy.deepcopy(document.data)
    conform(document, "rules")
    assert document.data == before
