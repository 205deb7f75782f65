"""What is replayed: the values of a version, the pairs of a diff, what cannot be replayed and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import evaluator, group, record, rule

from tocsin.canary.source import Seen
from tocsin.canary.values import RuleVersion
from tocsin.canary.versions import pairs_of, unchanged, version_of
from tocsin.diff.changes import RuleChange, Side
from tocsin.ir.compiled import CompiledRule, Datasource
from tocsin.promql import Expr, parse

PROMETHEUS = Datasource(name="main", uid="prom-main", type="prometheus")
LOKI = Datasource(name="logs", uid="loki", type="loki")
RECORD = "consumergroup:kafka_lag:sum"


def side(made: CompiledRule, **of_group: Any) -> Side:
    return Side(rule=made, group=group(made, **of_group))


def change(old: Side | None, new: Side | None) -> RuleChange:
    found = new or old
    assert found is not None
    return RuleChange(key=found.rule.key, old=old, new=new, class_="meaning")


def version(expr: str = "up == 0", *, labels: dict[str, str] | None = None, **more: Any) -> RuleVersion:
    of_group = {"interval": "30s"} | more.pop("of_group", {})
    return version_of(side(rule(expr=expr, labels=labels or {}, **more), **of_group))


def test_a_version_has_what_its_server_evaluates() -> None:
    made = version(
        for_="5m",
        keep_firing_for="90s",
        labels={"severity": "own"},
        of_group={
            "labels": {"severity": "of the group", "tier": "1"},
            "limit": 7,
            "query_offset": "20s",
        },
    )
    assert (made.for_ms, made.keep_ms, made.interval_ms, made.query_offset_ms) == (
        300_000,
        90_000,
        30_000,
        20_000,
    )
    assert dict(made.labels) == {"severity": "critical", "tier": "1", "rule_id": "kafka-consumer-lag"}
    assert (made.limit, made.machine, made.group) == (7, "prometheus", "lag")
    assert (made.service, made.severity, made.identity) == ("kafka", "P1", ("cluster", "consumergroup"))
    assert made.exactness.text == "exact"


@pytest.mark.parametrize(
    ("of_grafana", "settings"),
    [((12, 0, 0), (1, "OK", "KeepLast")), ((11, 2, 0), (2, "OK", "KeepLast")), ((10, 4, 0), (2, "OK", "OK"))],
)
def test_a_grafana_has_the_settings_that_are_emitted(
    of_grafana: tuple[int, int, int], settings: tuple[int, str, str]
) -> None:
    made = version(evaluator=evaluator(kind="grafana", version=of_grafana), datasource=PROMETHEUS)
    assert made.machine == "grafana"
    assert (made.missing_evals, made.no_data, made.exec_err) == settings


def test_a_group_without_an_interval_has_the_servers() -> None:
    alone = side(rule(expr="up == 0"))
    seen = Seen(
        group="lag",
        file="/etc/r.yml",
        interval_ms=15_000,
        evaluated_ms=0,
        alerts=frozenset({"KafkaConsumerLag"}),
    )
    told = version_of(alone, [seen])
    assert (told.interval_ms, told.file, told.exactness.text) == (15_000, "/etc/r.yml", "exact")
    assumed = version_of(alone, [replace(seen, group="another")])
    assert (assumed.interval_ms, assumed.exactness.level) == (60_000, "phase-assumed")
    assert version_of(alone, [seen, replace(seen, file="/etc/s.yml")]).interval_ms == 60_000


@pytest.mark.parametrize(
    ("expr", "reason"),
    [
        ("rate(foo[5m] @ end()) > 1", "`@ end()`"),
        ("max_over_time(up[1h:1m] @ start()) > 1", "`@ start()`"),
        ("foo > step()", "`step()`"),
        ("foo @ end() > range()", "`range()`"),
        ("rate(foo[5i]) > 1", "MetricsQL"),
        ("rate(foo) > 1", "cannot be read"),
        ('ALERTS{alertname="Other"} == 1', "reads ALERTS"),
        ('count({__name__=~"ALERTS.*"}) > 3', "reads ALERTS"),
        ('count({__name__="GRAFANA_ALERTS"}) > 3', "reads GRAFANA_ALERTS"),
    ],
)
def test_what_a_range_query_answers_otherwise_is_never_fetched(expr: str, reason: str) -> None:
    made = version(expr)
    assert made.exactness.level == "not-backtestable"
    assert reason in made.exactness.text


@pytest.mark.parametrize(
    "expr",
    ["foo @ 1700000000 > 1", 'count({__name__=~".+"}) > 9', 'ALERTSMANAGER{a="ALERTS"} > 1', "foo[5m:] > 0"],
)
def test_what_only_looks_like_it_is_replayed(expr: str) -> None:
    assert "ALERTS" not in version(expr).exactness.text


def test_another_language_is_not_replayed() -> None:
    made = version(evaluator=evaluator(kind="grafana", version=(12, 0, 0)), datasource=LOKI)
    assert made.exactness.text == "not-backtestable(the data source `logs` is of type `loki`)"


@pytest.mark.parametrize("op", ["topk", "bottomk", "limitk"])
def test_what_chooses_among_equals_is_not_exact(op: str) -> None:
    assert version(f"{op}(3, up) == 0").exactness.text == f"approx(`{op}` takes any of equal values)"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("{{ $labels.cluster }}-kafka", "exact"),
        ("plain", "exact"),
        ("{{ $value }}", "approx"),
        ('{{ with query "up" }}{{ . | first | value }}{{ end }}', "approx"),
        ("{{ $labels.cluster | toUpper }}", "approx"),
    ],
)
def test_labels_that_the_series_alone_do_not_decide_are_not_exact(text: str, level: str) -> None:
    assert version(labels={"who": text}).exactness.level == level


def test_pairs_are_the_alerts_whose_meaning_changed() -> None:
    same, text = rule(digest="a"), rule(digest="a", annotations={"summary": "other words"})
    wording = change(side(same), side(text))
    longer = change(side(rule("b", digest="b")), side(rule("b", digest="c", for_="9m")))
    added, removed = change(None, side(rule("c"))), change(side(rule("d")), None)
    of_record = change(side(record()), side(record(expr="sum(x)", digest="n")))
    changes = [wording, longer, added, removed, of_record]
    pairs = pairs_of(changes)
    assert [(each.key.id, each.old is None, each.new is None) for each in pairs] == [
        ("b", False, False), ("c", True, False), ("d", False, True),
    ]  # fmt: skip
    assert unchanged(changes) == (wording,)


def reading(expr: str, *others: RuleChange, records: tuple[Side, ...] = ()) -> RuleVersion:
    """The new version of an alert on `expr`, the digests of whose records changed."""
    both = change(side(rule(expr=expr, digest="a")), side(rule(expr=expr, digest="b")))
    (pair,) = pairs_of([both, *others], records)
    assert pair.old is not None and pair.new is not None
    assert (pair.old.expr, pair.old.exactness.level) != (pair.new.expr, "approx")
    return pair.new


def changed_record(expr: str, name: str = RECORD, old: str = "sum(old)", **more: Any) -> RuleChange:
    before = side(record(name, expr=old, digest=f"old {name}"), interval="30s")
    return change(before, side(record(name, expr=expr, digest=f"new {name}", **more), interval="30s"))


@pytest.mark.parametrize(
    ("alert", "same_as"),
    [
        (f"{RECORD} > 5", "(sum by (cluster) (lag)) > 5"),
        (f"max_over_time({RECORD}[5m] offset 1m) > 5", "max_over_time((sum by (cluster) (lag))[5m:30s] offset 1m) > 5"),
        (f"{RECORD} / on(cluster) group_left() limit > 5", "(sum by (cluster) (lag)) / on(cluster) group_left() limit > 5"),
    ],
)  # fmt: skip
def test_a_changed_record_is_written_into_what_reads_it(alert: str, same_as: str) -> None:
    made = reading(alert, changed_record("sum by (cluster) (lag)"))
    assert made.exactness.text == "approx(recording-inlined)"
    wanted, found = parse(same_as), parse(made.expr)
    assert isinstance(wanted, Expr) and isinstance(found, Expr) and found.tree == wanted.tree


def test_a_record_of_a_record_is_written_out_with_its_labels() -> None:
    outer = changed_record("max by (cluster) (inner:sum)", labels={"team": "a"})
    made = reading(f"{RECORD} > 5", outer, changed_record("sum(lag)", name="inner:sum"))
    wanted = parse('label_replace(max by (cluster) ((sum(lag))), "team", "a", "", "") > 5')
    found = parse(made.expr)
    assert isinstance(wanted, Expr) and isinstance(found, Expr) and found.tree == wanted.tree


@pytest.mark.parametrize(
    ("alert", "others", "reason"),
    [
        (f'{RECORD}{{cluster="a"}} > 5', [changed_record("sum(lag)")], "selects among"),
        (f"{RECORD} offset 5m > 5", [changed_record("sum(lag)")], "at another time"),
        (f"absent({RECORD})", [changed_record("sum(lag)")], "absent"),
        (f"{RECORD} > 5", [changed_record("vector(1) < bool 1 + scalar(x)")], None),
        (f"{RECORD} > 5", [changed_record("1 + 1")], "a single number"),
        (f"{RECORD} > 5", [changed_record(f"{RECORD} offset 5m + 1")], "reads itself"),
        (f"{RECORD} > 5", [change(side(record()), None)], "which goes"),
        (f"{RECORD} > 5", [changed_record("sum(x @ end())")], "another time in a range query"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_stand_there_is_refused(
    alert: str, others: list[RuleChange], reason: str | None
) -> None:
    made = reading(alert, *others)
    if reason is None:
        assert made.exactness.level == "approx"
    else:
        assert made.exactness.level == "not-backtestable" and reason in made.exactness.text


def test_a_series_of_several_records_is_not_written_out() -> None:
    others = (side(record()), side(record(id="second")))
    made = reading(f"{RECORD} > 5", changed_record("sum(lag)"), records=others)
    assert "several rules write" in made.exactness.text


def test_an_added_record_has_no_history_and_is_written_out() -> None:
    made = reading(f"{RECORD} > 5", change(None, side(record(expr="sum(lag)"), interval="30s")))
    assert made.exactness.text == "approx(recording-inlined)"
