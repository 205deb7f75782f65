"""Names that adoption invents: kebab words, services, ids."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adopting import named, placed

from tocsin.adopt.ids import alert_ids, record_ids
from tocsin.adopt.naming import kebab


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("KafkaConsumerLag", "kafka-consumer-lag"),
        ("HTTPErrors5xx", "http-errors5xx"),
        ("etcdNoLeader", "etcd-no-leader"),
        ("jvm_memory_heap_usage", "jvm-memory-heap-usage"),
        ("Disk full (root)", "disk-full-root"),
        ("磁盘", ""),
    ],
)
def test_kebab(name: str, word: str) -> None:
    assert kebab(name) == word


def test_a_long_name_is_cut_and_stays_unique() -> None:
    one, other = kebab("Very" * 40 + "A"), kebab("Very" * 40 + "B")

    assert len(one) <= 80 and len(other) <= 80 and one != other


@pytest.mark.parametrize(
    ("path", "service", "topic"),
    [
        ("rules/kafka.rules.yml", "kafka", "alerts"),
        ("rules/kafka/lag.yml", "kafka", "lag"),
        ("monitoring/prometheus/alerts.yaml", "prometheus", "alerts"),
        ("redis-mixin/prometheus_rules_out/prometheus_alerts.yaml", "redis", "alerts"),
        ("deploy/alertmanager/prometheus-rule.yaml", "alertmanager", "alerts"),
        ("kafka-alerting-rules.yaml", "kafka", "alerts"),
        ("../elsewhere/node-exporter/manifests/rules.yaml", "node-exporter", "alerts"),
        ("rules.yaml", "disk", "alerts"),  # nothing but its group has a name
    ],
)
def test_the_path_names_the_service_and_the_topic(path: str, service: str, topic: str) -> None:
    place = placed(path, "groups: [{name: disk.rules, rules: [{alert: A, expr: up}]}]")

    assert (place.service, place.topic) == (service, topic)


def test_a_label_that_every_alert_carries_names_the_service_before_the_path() -> None:
    text = "groups: [{name: g, rules: [{alert: A, expr: up, labels: {service: Billing}}, {alert: B, expr: up, labels: {service: Billing}}]}]"

    assert placed("rules/kafka/lag.yml", text).service == "billing"


def test_a_label_that_differs_or_is_a_template_names_nothing() -> None:
    text = "groups: [{name: g, rules: [{alert: A, expr: up, labels: {service: a}}, {alert: B, expr: up, labels: {service: b}}]}]"
    template = "groups: [{name: g, rules: [{alert: A, expr: up, labels: {service: '{{ $labels.x }}'}}]}]"

    assert placed("rules/kafka/lag.yml", text).service == "kafka"
    assert placed("rules/kafka/lag.yml", template).service == "kafka"


def test_an_object_is_named_after_itself() -> None:
    text = (
        "kind: PrometheusRule\nmetadata: {name: ingress-prometheus-rules}\n"
        "spec: {groups: [{name: g, rules: [{alert: A, expr: up}]}]}"
    )

    assert placed("manifests/rules.yaml", text).service == "ingress"


def test_the_only_alert_of_a_name_has_that_name_as_its_id() -> None:
    assert alert_ids([named("KafkaLag")], set()) == ["kafka-lag"]


def test_namesakes_are_told_apart_by_what_differs() -> None:
    by_severity = [named("Lag", severity="critical"), named("Lag", severity="warning")]
    by_label = [named("Lag", labels={"window": "1h"}), named("Lag", labels={"window": "6h"})]
    by_for = [named("Lag", for_="5m"), named("Lag", for_="1h")]
    by_service = [named("Lag", service="kafka"), named("Lag", service="rabbit")]

    assert alert_ids(by_severity, set()) == ["lag-critical", "lag-warning"]
    assert alert_ids(by_label, set()) == ["lag-1h", "lag-6h"]
    assert alert_ids(by_for, set()) == ["lag-5m", "lag-1h"]
    assert alert_ids(by_service, set()) == ["kafka-lag", "rabbit-lag"]


def test_an_id_the_repository_uses_is_left_to_it() -> None:
    assert alert_ids([named("Lag", service="kafka")], {"lag"}) == ["kafka-lag"]
    assert alert_ids([named("Lag", service="kafka")], {"lag", "kafka-lag"}) == ["kafka-lag-2"]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["Lag", "lag", "Down", "磁盘", "X" * 90]),
            st.sampled_from(["a", "b"]),
            st.sampled_from(["", "critical", "warning"]),
            st.sampled_from(["up", "up == 0", "up > 1"]),
            st.sampled_from([None, "5m"]),
        ),
        max_size=9,
        unique=True,
    ),
    seed=st.integers(0, 99),
)
def test_ids_are_unique_valid_and_do_not_depend_on_the_order(
    rows: list[tuple[str, str, str, str, str | None]], seed: int
) -> None:
    rules = [
        named(name, service=service, severity=severity, expr=expr, for_=for_)
        for name, service, severity, expr, for_ in rows
    ]
    ids = alert_ids(rules, set())
    shuffled = list(enumerate(rules))
    random.Random(seed).shuffle(shuffled)
    again = alert_ids([each for _, each in shuffled], set())

    assert len(set(ids)) == len(ids)
    assert all(kebab(each) == each and each for each in ids)
    if len({kebab(name) for name, *_ in rows}) == len({name for name, *_ in rows}):
        assert {index: id for (index, _), id in zip(shuffled, again, strict=True)} == dict(enumerate(ids))


def test_only_records_that_share_a_name_need_an_id() -> None:
    records = [
        named("a:b", kind="record"),
        named("c:d", kind="record", labels={"q": "0.9"}),
        named("c:d", kind="record", labels={"q": "0.5"}),
    ]

    assert record_ids(records, set()) == [None, "c:d-0-9", "c:d-0-5"]
