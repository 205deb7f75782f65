"""Rule files against the real promtools and servers: taken by every version they are for, read as meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders import environment, evaluator, group, project, resolved, rule
from tests.contract.compiled import load, resolve
from tests.real import components
from tests.real.servers import Server

from tocsin.disk.process import Finished, run
from tocsin.emit import prometheus
from tocsin.emit.rendering import Copy, authored_rules, copied_rules, plain_rules, rendered_groups
from tocsin.ir.compiled import Resolved, Version
from tocsin.wire.versions import TABLE, Row, supports

NASTY = [
    *(
        "yes",
        "on",
        "null",
        "~",
        "1e3",
        "0x1F",
        "007",
        "1:30",
        "2001-01-01",
        "#c",
        "a: b",
        "a #b",
        "- a",
        "? a",
    ),
    *(
        "*a",
        "&a",
        "!a",
        "it's",
        'say "no"',
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\na",
        " a",
        "a ",
        "a\n  b\n",
        "a\n \nb",
    ),
    *(
        "a\tb",
        "\ta",
        "a\n\tb",
        "a\\nb",
        "积压",
        "🔥",
        "\u2028",
        "\u00a0",
        "\ufeff",
        "\x7f",
        "{a}",
        "[a]",
        "%a",
        "@a",
    ),
    *("`a`", "|", ">", "'", '"', "", "a:", "{{ $value }}: x"),
]
"""Texts that some YAML reader takes for something else, or that quoting could lose."""
SOURCE = """\
version: 1
service: kafka
owner: team-streaming
groups:
  - name: lag
    interval: 30s
    rules:
      - record: consumergroup:kafka_lag:sum
        expr: |
          sum by (cluster, consumergroup) (
            kafka_consumergroup_lag  # each partition: its own series
          )
      - alert: KafkaConsumerLag
        id: kafka-consumer-lag
        identity: [cluster, consumergroup]
        expr: consumergroup:kafka_lag:sum > ${limit}
        keep_firing_for: 5m
        levels:
          ticket: {severity: P2, limit: 5000, for: 10m}
          page: {severity: P1, limit: 10000, for: 5m}
        summary: "{{ $labels.consumergroup }}: {{ $value | humanize }} behind"
        description: |
          More than ${limit}.
          {{ range query "up" }}{{ .Value }}{{ end }}
"""


@pytest.fixture
def version(promtool: Path) -> Version:
    """The version of the promtool in use."""
    major, minor, *_ = components.version_of(promtool).split(".")
    return (int(major), int(minor), 0)


def check(promtool: Path, folder: Path, text: str) -> Finished:
    (folder / "r.yaml").write_text(text, encoding="utf-8")
    return run([str(promtool), "check", "rules", "r.yaml"], cwd=folder, timeout=300)


def emitted(service: Resolved, at: Version) -> str:
    env = environment(evaluators=(evaluator(version=at),))
    assert list(prometheus.unsupported(service, project(), env)) == []
    (artifact,) = prometheus.emit(service, project(), env)
    return artifact.text


def test_compiled_sources_are_taken_by_every_version(promtool: Path, tmp_path: Path) -> None:
    text = emitted(resolve([load(SOURCE)]), (2, 42, 0))
    finished = check(promtool, tmp_path, text)
    assert finished.code == 0, finished.err
    assert "SUCCESS: 3 rules found" in finished.out


def test_disjoint_rules_of_an_override_are_taken_by_every_version(promtool: Path, tmp_path: Path) -> None:
    # Its lint takes two rules of one name for a duplicate, whatever they select: a remark, and no failure.
    override = (
        "overrides: {batch: {where: {consumergroup: 'b.+'}, set: {ticket.limit: 9, page.enabled: false}}}"
    )
    text = emitted(
        resolve([load(SOURCE.replace("        summary:", f"        {override}\n        summary:"))]),
        (2, 42, 0),
    )
    finished = check(promtool, tmp_path, text)
    assert finished.code == 0, finished.err
    assert "1 duplicate rule(s) found" in finished.err


def test_every_rendering_for_tests_is_taken_by_every_version(promtool: Path, tmp_path: Path) -> None:
    labelled = SOURCE.replace(
        "    interval: 30s\n", "    interval: 30s\n    limit: 9\n    labels: {team: a}\n"
    )
    groups = rendered_groups(resolve([load(labelled)]))
    here = (project(), environment())
    copies = [Copy(id="kafka-consumer-lag", level="page", annotations=("description", "summary"))]
    texts = (plain_rules(groups, *here), authored_rules(groups, *here), copied_rules(groups, copies, *here))
    for text in texts:
        finished = check(promtool, tmp_path, text)
        assert finished.code == 0, finished.err


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("for: 10m", "for: ten"), ("interval:", "intervall:"), ("sum by", "sum bye"), ("{{ end }}", "")],
)
def test_promtool_refuses_a_planted_fault(promtool: Path, tmp_path: Path, right: str, wrong: str) -> None:
    text = emitted(resolve([load(SOURCE)]), (2, 42, 0))
    assert right in text
    assert check(promtool, tmp_path, text.replace(right, wrong)).code != 0


@pytest.mark.parametrize("server_version", components.VERSIONS)
def test_a_server_reads_every_text_as_it_was_meant(
    prometheus_server: Callable[..., Server], server_version: str
) -> None:
    rules = [
        rule(
            f"r-{index}",
            f"Rule{index}",
            expr=f"vector({index}) # {index}: a comment\n  > 0\n" if index % 2 else f"vector({index}) > 0",
            annotations={"text": text, "on": "yes"},
            labels={"text": text},
        )
        for index, text in enumerate(NASTY)
    ]
    text = emitted(resolved(group(*rules, interval="1h")), (2, 42, 0))
    server = prometheus_server("rule_files: [r.yaml]\n", files={"r.yaml": text}, version=server_version)
    groups: Any = server.get("/api/v1/rules")["data"]["groups"]
    read = {each["name"]: (each["annotations"], each["labels"], each["query"]) for each in groups[0]["rules"]}
    assert len(read) == len(NASTY)
    for index, each in enumerate(rules):
        # Prometheus prints an expression its own way.
        assert read[each.name] == (each.annotations, each.labels, f"vector({index}) > 0"), NASTY[index]


FIELDS: dict[str, str] = {
    "limit": "groups: [{name: a, limit: 1, rules: [{alert: A, expr: up}]}]",
    "keep_firing_for": "groups: [{name: a, rules: [{alert: A, expr: up, keep_firing_for: 1m}]}]",
    "query_offset": "groups: [{name: a, query_offset: 1m, rules: [{alert: A, expr: up}]}]",
    "group_labels": "groups: [{name: a, labels: {a: b}, rules: [{alert: A, expr: up}]}]",
    "utf8_names": 'groups: [{name: a, rules: [{alert: A, expr: \'{"a.b", "c d"="e"} > 0\'}]}]',
}
# Quoted names are parsed from 2.50 on, but servers before 3.0 store no series of such a name unless told to.
ROWS = [row for row in TABLE if row.product == "prometheus" and row.field != "utf8_names"]
_OF_A_RANGE = ("last", "present", "mad", "first", "ts_of_last", "ts_of_max", "ts_of_min", "ts_of_first")
ARGUMENTS = {
    **dict.fromkeys((f"{each}_over_time" for each in _OF_A_RANGE), "x[5m]"),
    **dict.fromkeys(("sort_by_label", "sort_by_label_desc"), 'x, "a"'),
    **dict.fromkeys(("holt_winters", "double_exponential_smoothing"), "x[5m], 0.5, 0.5"),
    **dict.fromkeys(("limitk", "limit_ratio"), "0.5, x"),
    "clamp": "x, 1, 2",
    "histogram_fraction": "0, 1, x",
    "pi": "",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.field)
def test_the_table_of_versions_says_what_promtool_reads(
    promtool: Path, version: Version, tmp_path: Path, row: Row
) -> None:
    if row.field.startswith("function:"):
        name = row.field.partition(":")[2]
        text = f"groups: [{{name: a, rules: [{{record: a, expr: '{name}({ARGUMENTS.get(name, 'x')})'}}]}}]\n"
    else:
        text = FIELDS[row.field] + "\n"
    finished = check(promtool, tmp_path, text)
    said = finished.out + finished.err
    # An experimental function is known before it is switched on.
    reads = finished.code == 0 or "experimental" in said or "not enabled" in said
    assert reads == supports("prometheus", "file", row.field, version), said
