"""Unit tests of sources, run by the real promtools: what passes, what fails, and what a failure says and
where.
"""

# a case is one line, and is compared by eye with the next
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders import environment, evaluator, project
from tests.contract.compiled import load, outcome, planned, resolve

from tocsin.diag import SourceFile
from tocsin.disk.process import run
from tocsin.emit.outcomes import Printed, coverage, read_results
from tocsin.emit.series import wrong_series, wrong_values
from tocsin.ir.compiled import Datasource

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
        identity: [cluster, consumergroup]
        expr: consumergroup:kafka_lag:sum > ${limit}
        keep_firing_for: 5m
        levels:
          ticket: {severity: P2, limit: 5000, for: 10m}
          page: {severity: P1, limit: 10000, for: 5m}
        overrides:
          batch: {where: {consumergroup: "batch-.+"}, set: {ticket.limit: 200000, page.enabled: false}}
        summary: "{{ $labels.consumergroup }} is {{ $value | humanize }} behind (limit ${limit})"
  - name: down
    rules:
      - alert: KafkaDown
        id: kafka-down
        severity: P1
        expr: up == 0
tests:
"""
GROWTH = """\
  - name: steady growth opens a ticket, then pages
    alert: kafka-consumer-lag
    series: {'kafka_consumergroup_lag{cluster="a",consumergroup="billing"}': 0+500x60}
"""
TWO = """\
  - name: two
    alert: kafka-consumer-lag
    series:
      'kafka_consumergroup_lag{cluster="a",consumergroup="batch-x"}': 300000x60
      'kafka_consumergroup_lag{cluster="a",consumergroup="b"}': 7000x60
"""
DOWN = """\
  - name: down
    alert: kafka-down
    series: {'up{i="1"}': 0x10, 'up{i="2"}': 0x10, 'up{i="3"}': 1x10}
"""
PASSING = f"""\
{RULES}{GROWTH}    firing: {{20m: [], 22m: [ticket], 30m: [ticket, page]}}
{TWO}    firing:
      20m: [ticket, ticket]
      21m: [{{level: ticket, labels: {{consumergroup: b}}}}, {{level: ticket, labels: {{consumergroup: batch-x}}}}]
      22m: [ticket, {{level: ticket, labels: {{consumergroup: batch-x, severity: warning}}}}]
      25m:
        - level: ticket
          labels: {{cluster: a, consumergroup: b, severity: warning}}
          annotations: {{summary: "b is 7k behind (limit 5000)"}}
        - level: ticket
          labels: {{cluster: a, consumergroup: batch-x}}
          annotations: {{summary: "batch-x is 300k behind (limit 200000)"}}
    samples:
      5m:
        'consumergroup:kafka_lag:sum{{cluster="a",consumergroup="b"}}': 7000
        'consumergroup:kafka_lag:sum{{cluster="a",consumergroup="batch-x"}}': 3.0e+5
{DOWN}    firing: {{0: [firing, firing], 5m: [firing, {{labels: {{i: "2"}}}}]}}
"""
FAILURES = {
    "nothing fires": (
        f"{GROWTH}    firing: {{20m: [ticket]}}\n",
        [(31, "at 20m expected `ticket`, but nothing fires")],
    ),
    "one is missing": (
        f"{GROWTH}    firing: {{22m: [ticket, page]}}\n",
        [(31, "at 22m expected `page` and `ticket`, but only `ticket` fires")],
    ),
    "one too many": (
        f"{GROWTH}    firing:\n      22m: [ticket]\n      30m: [ticket]\n",
        [(33, "at 30m expected `ticket`, but `page` and `ticket` fire")],
    ),
    "nothing expected": (
        f"{TWO}    firing: {{20m: []}}\n",
        [(33, "at 20m expected nothing, but `ticket` fires for 2 series")],
    ),
    "one series too many": (
        f"{TWO}    firing: {{20m: [ticket]}}\n",
        [(33, "at 20m expected `ticket`, but `ticket` fires for 2 series")],
    ),
    "another series": (
        f"{TWO}    firing: {{20m: [{{level: ticket, labels: {{consumergroup: b}}}}, {{level: ticket, labels: {{consumergroup: c}}}}]}}\n",
        [
            (
                33,
                'at 20m expected `ticket` with {consumergroup="c"}, but it fires with {consumergroup="batch-x"}',
            )
        ],
    ),
    "another series among some without labels": (
        f"{TWO}    firing: {{20m: [ticket, {{level: ticket, labels: {{consumergroup: c}}}}]}}\n",
        [(33, 'at 20m expected `ticket` with {consumergroup="c"}, which does not fire')],
    ),
    "another text": (
        f"{GROWTH}    firing:\n      22m:\n        - level: ticket\n          labels: {{cluster: a, consumergroup: billing}}\n"
        '          annotations: {summary: "billing is 12k behind (limit 5000)"}\n',
        [
            (
                32,
                'at 22m `summary` of `ticket` is "billing is 11k behind (limit 5000)", '
                'not "billing is 12k behind (limit 5000)"',
            )
        ],
    ),
    "labels are not whole beside annotations": (
        f"{GROWTH}    firing:\n      22m:\n        - level: ticket\n          labels: {{cluster: a}}\n"
        '          annotations: {summary: "billing is 11k behind (limit 5000)"}\n',
        [
            (
                32,
                'at 22m expected `ticket` with {cluster="a"}, but what fires is {cluster="a",consumergroup="billing"}',
            )
        ],
    ),
    "another value": (
        f'{GROWTH}    samples:\n      5m: {{\'consumergroup:kafka_lag:sum{{cluster="a",consumergroup="billing"}}\': 2600}}\n',
        [
            (
                32,
                'at 5m expected `consumergroup:kafka_lag:sum{cluster="a",consumergroup="billing"}` to be 2600, '
                "but it is 2500",
            )
        ],
    ),
    "another record series": (
        f"{GROWTH}    samples:\n      5m: {{'consumergroup:kafka_lag:sum{{cluster=\"b\"}}': 1}}\n",
        [
            (
                32,
                'at 5m `consumergroup:kafka_lag:sum{cluster="a",consumergroup="billing"}` is 2500, and is not expected '
                'at all; expected `consumergroup:kafka_lag:sum{cluster="b"}` to be 1, but it does not exist',
            )
        ],
    ),
    "an alert without levels fires": (
        f"{DOWN}    firing: {{5m: []}}\n",
        [(31, "at 5m expected nothing, but it fires for 2 series")],
    ),
    "an alert without levels does not fire": (
        DOWN.replace(": 0x10", ": 1x10") + "    firing: {5m: [firing]}\n",
        [(31, "at 5m expected it to fire, but nothing fires")],
    ),
}


def test_right_tests_pass(promtool: Path, tmp_path: Path) -> None:
    plan, found = planned(PASSING)
    assert not found, found
    results = outcome(plan, tmp_path, promtool)
    assert [(each.test.name, each.failures) for each in results] == [
        ("steady growth opens a ticket, then pages", ()),
        ("two", ()),
        ("down", ()),
    ]


@pytest.mark.parametrize(("test", "expected"), FAILURES.values(), ids=FAILURES.keys())
def test_a_wrong_test_fails_at_its_line_in_words(
    promtool: Path, tmp_path: Path, test: str, expected: list[tuple[int, str]]
) -> None:
    plan, found = planned(RULES + test)
    assert not found, found
    (result,) = outcome(plan, tmp_path, promtool)
    lead = f"`{result.test.name}` (prod): "
    assert [(each.span.line, each.message) for each in result.failures] == [
        (line, lead + message) for line, message in expected
    ]
    assert all(each.code == "TOC804" and each.span.file == "rules/kafka/lag.yaml" for each in result.failures)


def test_a_failure_stays_with_its_own_test(promtool: Path, tmp_path: Path) -> None:
    # The second test asks the same at the same time of other series: only its place tells the two apart.
    other = GROWTH.replace("0+500x60", "0x60").replace("steady growth", "no growth")
    plan, _ = planned(f"{RULES}{GROWTH}    firing: {{22m: [ticket]}}\n{other}    firing: {{22m: [ticket]}}\n")
    results = outcome(plan, tmp_path, promtool)
    assert [len(each.failures) for each in results] == [0, 1]


def test_tests_run_at_the_interval_of_their_alert(promtool: Path, tmp_path: Path) -> None:
    # `for: 10m` from 11m on is over at 21m; at an interval of 7m the alert would fire at 21m + 7m at the
    # latest.
    slow = RULES.replace("interval: 30s", "interval: 7m")
    firing = "    firing: {27m: [], 28m: [ticket, page]}\n"
    plan, _ = planned(slow + GROWTH + firing)
    assert plan.runs == ("tests/prod/kafka.7m.test.yaml",)
    (result,) = outcome(plan, tmp_path, promtool)
    assert result.failures == ()


def test_rules_of_a_grafana_are_tested_too(promtool: Path, tmp_path: Path) -> None:
    env = environment(
        evaluators=(evaluator("g", "grafana", (12, 1, 2)), evaluator()),
        records="main",
        datasources=(Datasource(name="default", uid="x", type="prometheus"),),
        default_datasource="default",
    )
    plan, found = planned(PASSING, project(env))
    assert not found, found
    assert all(each.failures == () for each in outcome(plan, tmp_path, promtool))


def test_group_labels_and_a_limit_are_read_by_every_promtool(promtool: Path, tmp_path: Path) -> None:
    text = RULES.replace("    interval: 30s\n", "    interval: 30s\n    limit: 5\n    labels: {team: a}\n")
    plan, found = planned(f"{text}{GROWTH}    firing: {{22m: [{{level: ticket, labels: {{team: a}}}}]}}\n")
    assert not found, found
    (result,) = outcome(plan, tmp_path, promtool)
    assert result.failures == ()


KEPT = """\
# a test of its own
rule_files:
  - ../alerts/*.yaml
  - more.yaml   # and this

evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'up{i="1"}'
        values: '0x5'
    alert_rule_test:
      - alertname: KafkaDown
        eval_time: 3m
        exp_alerts:
          - exp_labels: {severity: critical, i: "1"}
    promql_expr_test:
      - expr: count(ALERTS)
        eval_time: 3m
        exp_samples: [{labels: '{}', value: 1}]
"""


def kept(text: str) -> SourceFile:
    return SourceFile(path="rules/kafka/old/lag.promtool.yaml", text=text)


def test_a_kept_promtool_file_runs_against_the_rules_as_authored(promtool: Path, tmp_path: Path) -> None:
    plan, found = planned(RULES.replace("tests:\n", ""), kept=[kept(KEPT)])
    assert not found, found
    assert plan.runs == ("tests/prod/kafka.old.lag.promtool.yaml",)
    (result,) = outcome(plan, tmp_path, promtool)
    assert (result.test.name, result.failures) == ("tests[0]", ())
    text = next(each.text for each in plan.artifacts if each.path in plan.runs)
    assert text.splitlines()[5:] == KEPT.splitlines()[5:]


def test_a_kept_file_s_failure_is_found_at_its_line(promtool: Path, tmp_path: Path) -> None:
    wrong = KEPT.replace("value: 1", "value: 2").replace('i: "1"}', 'i: "7"}')
    plan, _ = planned(RULES.replace("tests:\n", ""), kept=[kept(wrong)])
    (result,) = outcome(plan, tmp_path, promtool)
    assert sorted((each.span.line, each.span.file) for each in result.failures) == [
        (13, "rules/kafka/old/lag.promtool.yaml"),
        (18, "rules/kafka/old/lag.promtool.yaml"),
    ]


def test_a_file_promtool_cannot_read_fails_every_test_in_it(promtool: Path, tmp_path: Path) -> None:
    plan, _ = planned(PASSING)
    broken = [
        replace(each, text=each.text.replace("evaluation_interval", "evaluation_intervall"))
        if each.path.endswith("30s.test.yaml")
        else each
        for each in plan.artifacts
    ]
    results = outcome(replace(plan, artifacts=tuple(broken)), tmp_path, promtool)
    assert [(each.test.name, len(each.failures)) for each in results] == [
        ("steady growth opens a ticket, then pages", 1),
        ("two", 1),
        ("down", 0),
    ]
    assert "evaluation_intervall" in results[0].failures[0].message


def test_a_rule_that_cannot_run_fails_the_tests_of_its_file(promtool: Path, tmp_path: Path) -> None:
    text = RULES.replace("expr: up == 0", "expr: up * on() group_left() up == 0")
    plan, _ = planned(f"{text}{DOWN}    firing: {{5m: []}}\n")
    (result,) = outcome(plan, tmp_path, promtool)
    assert len(result.failures) >= 1
    assert "promtool could not run the rule `KafkaDown`" in result.failures[0].message


def test_a_silent_failure_of_promtool_passes_nothing() -> None:
    plan, _ = planned(PASSING)
    results = read_results(plan, {path: Printed(1, "") for path in plan.runs})
    assert all(each.failures for each in results)


def test_an_output_that_is_missing_is_an_error() -> None:
    plan, _ = planned(PASSING)
    with pytest.raises(KeyError):
        read_results(plan, {})


def test_coverage_counts_levels_that_are_expected_to_fire() -> None:
    file = load(f"{RULES}{GROWTH}    firing: {{22m: [ticket]}}\n{DOWN}    firing: {{5m: []}}\n")
    plan, _ = planned(f"{RULES}{GROWTH}    firing: {{22m: [ticket]}}\n{DOWN}    firing: {{5m: []}}\n")
    assert [
        (each.severity, each.tested, each.total, each.untested)
        for each in coverage([plan], [resolve([file])])
    ] == [
        ("P1", 0, 2, ("prod/kafka-consumer-lag/page", "prod/kafka-down")),
        ("P2", 1, 1, ()),
    ]


WRONG = {
    "unknown alert": ("    alert: kafka-consumer-lg\n    series: {up: 1}\n    firing: {1m: []}\n", "TOC801", 29),
    "no alert said": ("    series: {up: 1}\n    firing: {1m: []}\n", "TOC801", 30),
    "unknown level": ("    alert: kafka-consumer-lag\n    series: {up: 1}\n    firing: {1m: [tickett]}\n", "TOC802", 31),
    "level left out": ("    alert: kafka-consumer-lag\n    series: {up: 1}\n    firing: {1m: [firing]}\n", "TOC802", 31),
    "level of a plain alert": ("    alert: kafka-down\n    series: {up: 1}\n    firing: {1m: [page]}\n", "TOC802", 31),
    "unknown environment": ("    alert: kafka-down\n    env: [prd]\n    series: {up: 1}\n    firing: {1m: []}\n", "TOC805", 30),
    "series": ("    alert: kafka-down\n    series: {'up{a=1}': 1}\n    firing: {1m: []}\n", "TOC803", 30),
    "values": ("    alert: kafka-down\n    series: {up: 1 2 x3}\n    firing: {1m: []}\n", "TOC803", 30),
    "unknown record": ("    series: {up: 1}\n    samples: {1m: {'x{a=\"b\"}': 1}}\n", "TOC801", 30),
    "no record": ("    series: {up: 1}\n    samples: {1m: {}}\n", "TOC803", 30),
    "some annotations": (
        "    alert: kafka-down\n    series: {up: 0}\n    firing: {1m: [firing, {annotations: {summary: x}}]}\n",
        "TOC803",
        31,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("test", "code", "line"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_with_a_test_itself_is_said_before_anything_runs(
    test: str, code: str, line: int
) -> None:
    plan, found = planned(f"{RULES}  - name: x\n{test}")
    assert [(each.code, each.span.line) for each in found] == [(code, line)]
    assert plan.tests == ()


def test_a_level_that_an_environment_lacks_is_no_level_there() -> None:
    text = RULES.replace("page: {severity: P1,", "page: {severity: P1, enabled: false,")
    _, found = planned(f"{text}{GROWTH}    firing: {{30m: [page]}}\n")
    assert [each.code for each in found] == ["TOC802"]


STRICTER = {'{a="b"}', "{}", "up 1", "", " ", "1_000"}
"""promtool takes these, 3.5 alone the last, and makes a series of no name or of no values: no author means it."""
SERIES = [
    *(
        "up",
        "up{}",
        'up{a="b"}',
        'up{a="b",}',
        "up{a='b'}",
        "up{a=`b`}",
        'up{ a = "b" , c = "d" }',
        " up ",
        'up {a="b"}',
        '{ __name__ = "up" }',
        '{__name__="up"}',
    ),
    *(
        "a:b:c",
        '{a="b"}',
        "up{a=b}",
        'up{a="b"',
        'up{a="b" c="d"}',
        'up{1a="b"}',
        "1up",
        "up-down",
        "up 1",
        "{}",
        "",
    ),
    *('up{a=~"b"}', 'up{a="b\\n"}', 'up{a="\\d"}', "up{,}", 'up{a="b",,}'),
]
VALUES = [
    *("1", "1 2 3", "0+1x5", "0-1x5", "-1-1x5", "+1+1x5", "1x5", "_", "_x5", "stale", "1 _ stale", "1.5", ".5", "5.", "1e3"),
    *("1e-3x2", "NaN", "nan", "Inf", "-inf", "+Inf", "inf+1x3", "1 _x2 5", "0x5", "1  2", "1e3+1e3x2", "007", "1x0"),
    *("", " ", "x5", "1x", "1+x5", "1+1", "1*2", "1,2", "0x1F", "_5", "stales", "1_000", "1x5x5", "1+1x-5", "a", "--1", "1+-1x3"),
]  # fmt: skip


@pytest.mark.parametrize("series", SERIES)
def test_series_are_taken_and_refused_as_promtool_does(promtool: Path, tmp_path: Path, series: str) -> None:
    taken = takes(promtool, tmp_path, series, "1")
    assert (wrong_series(series) is None) == (taken and series not in STRICTER)


@pytest.mark.parametrize("values", VALUES)
def test_values_are_taken_and_refused_as_promtool_does(promtool: Path, tmp_path: Path, values: str) -> None:
    taken = takes(promtool, tmp_path, "up", values)
    assert (wrong_values(values) is None) == (taken and values not in STRICTER)


def takes(promtool: Path, folder: Path, series: str, values: str) -> bool:
    """Whether promtool reads this series."""
    test = {"interval": "1m", "input_series": [{"series": series, "values": values}]}
    asked = {
        "promql_expr_test": [
            {"expr": "vector(1)", "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 1}]}
        ]
    }
    (folder / "t.yaml").write_text(json.dumps({"tests": [test | asked]}), encoding="utf-8")
    return run([str(promtool), "test", "rules", "t.yaml"], cwd=folder, timeout=300).code == 0
