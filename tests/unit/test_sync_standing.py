"""A live rule has the digest of the source it came from, on every kind of server; whoever changes it gives it another one, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.syncing import number

from tocsin.diag import SourceFile
from tocsin.ir.compiled import CompiledAlert, Resolved
from tocsin.ir.duration import Duration
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.sync.directory import desired_directory
from tocsin.sync.grafana import desired_grafana
from tocsin.sync.ruler import desired_rules
from tocsin.sync.standing import Ground, digests_of
from tocsin.sync.values import Desired, Group, Live, Rule, Server, TargetKind

PROJECT = """\
version: 1
project: shop
severities:
  P2: {label: {severity: warning}}
teams: {ops: {name: Ops}}
environments:
  prod:
    evaluators:
      - {name: main, kind: KIND, version: "VERSION", url_env: TOCSIN_MAIN_URL}
EXTRA
    notifier: NOTIFIER
    verdict: advised
"""
GRAFANA = """\
      - {name: recorder, kind: prometheus, version: "3.5"}
    default_evaluator: main
    records: recorder
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    folder: "{service}\""""
PLAIN = """\
version: 1
service: web
owner: ops
groups:
  - name: records
    interval: 30s
    rules:
      - {record: "job:errors:rate5m", expr: "sum by (job) (rate(errors[5m]))"}
      - {record: "job:errors:ratio", expr: "job:errors:rate5m / 5", labels: {kind: ratio}}
  - name: alerts
    interval: 1m
    labels: {tier: one}
    query_offset: 30s
    rules:
      - {alert: Ratio, id: ratio, expr: "job:errors:ratio   >  0.5", for: 5m, severity: P2, summary: much}
      - {alert: Own, id: own, expr: 'up{job="a"} == 0', keep_firing_for: 10m, severity: P2, summary: s,
         labels: {where: "{{ $labels.instance }}", fixed: "x"}}
      - alert: Levels
        id: levels
        expr: sum by (job) (queue) > ${limit}
        summary: much
        levels: {ticket: {severity: P2, limit: 5, for: 1m}, page: {severity: P2, limit: 1e3, for: 0s}}
"""
LIMITED = PLAIN.replace("    query_offset: 30s\n", "    query_offset: 30s\n    limit: 20\n")
SPLIT = PLAIN.replace(
    "alert: Own, id: own,", "alert: Own, id: own, grafana: {shape: split, series_bound: 5},"
)
NO_INTERVAL = PLAIN.replace("    interval: 1m\n", "")


def compiled(kind: str, version: str, rules: str) -> tuple[Compilation, tuple[Resolved, ...]]:
    if kind == "grafana" and number(version) < (12, 1, 2):
        rules = rules.replace("keep_firing_for: 10m, ", "")
    text = PROJECT.replace("KIND", kind).replace("VERSION", version)
    text = text.replace("EXTRA\n", GRAFANA + "\n" if kind == "grafana" else "")
    text = text.replace("NOTIFIER", "grafana" if kind == "grafana" else "alertmanager")
    made = compile_sources(
        Sources(
            project=SourceFile(path="tocsin.yaml", text=text),
            ledger=None,
            rules=(SourceFile(path="rules/web/main.yaml", text=rules),),
            sops=(),
            incidents=(),
        ),
        date(2026, 11, 21),
    )
    assert [each.message for each in made.diagnostics if each.severity.name == "error"] == []
    return made, tuple(each for service in made.services for each in service.resolved)


def desired(kind: TargetKind, version: str, rules: str) -> tuple[Desired, tuple[Resolved, ...], Ground]:
    """What the server should hold, and so holds after a sync."""
    made, every = compiled("grafana" if kind == "directory" else kind, version, rules)
    assert made.settings is not None
    project = made.settings.project
    env = project.environment("prod")
    assert env is not None
    frozen: frozenset[str] = frozenset()
    if kind == "directory":
        wanted = desired_directory(every, project, env, "main", frozen, number(version))
    elif kind == "grafana":
        wanted = desired_grafana(every, project, env, "main", frozen, number(version))
    else:
        wanted = desired_rules(every, project, env, "main", frozen, kind)
    live = Live(server=Server(kind=kind, identity="x", version=version), groups=wanted.groups)
    return wanted, every, Ground.of(live, number(version), env.datasources, [every])


SERVERS: list[tuple[TargetKind, str, str]] = [
    *[(kind, "3.5", text) for kind in ("prometheus", "mimir") for text in (PLAIN, NO_INTERVAL)],
    *[
        ("grafana", version, text)
        for version in ("10.4", "11.2", "11.6", "12.2")
        for text in (PLAIN, NO_INTERVAL)
    ],
    ("prometheus", "3.5", LIMITED),
    ("grafana", "12.2", SPLIT),
    ("directory", "12.2", PLAIN),
]


def alerts(wanted: Desired) -> Iterable[tuple[Rule, Group]]:
    """As they are live: what says which digest they have is not there."""
    for group in wanted.groups:
        for rule in group.rules:
            if rule.kind == "alert" and rule.service:
                yield replace(rule, digest=""), group


@pytest.mark.parametrize(
    ("kind", "version", "rules"), SERVERS, ids=[f"{each[0]}-{at}" for at, each in enumerate(SERVERS)]
)
def test_a_synced_rule_has_its_sources_digest(kind: TargetKind, version: str, rules: str) -> None:
    wanted, every, ground = desired(kind, version, rules)
    known = {alert.key.text: alert.digest for each in every for alert in each.alerts}
    found = {rule.key: digests_of(rule, group, ground) for rule, group in alerts(wanted)}
    assert known.keys() == found.keys() and len(known) == 4
    assert {key: known[key] in digests for key, digests in found.items()} == dict.fromkeys(known, True)


def test_records_have_theirs_too() -> None:
    wanted, every, ground = desired("prometheus", "3.5", PLAIN)
    known = {record.record: record.digest for each in every for record in each.records}
    for group in wanted.groups:
        for rule in group.rules:
            if rule.kind == "record":
                assert digests_of(rule, group, ground) == {known[rule.title]}


EDITS: dict[str, Callable[[Rule, Group], tuple[Rule, Group]]] = {
    "for": lambda rule, group: (replace(rule, body={**rule.body, "for": 61_000}), group),
    "keep": lambda rule, group: (replace(rule, body={**rule.body, "keep_firing_for": 61_000}), group),
    "label": lambda rule, group: (replace(rule, body={**rule.body, "labels": {"severity": "x"}}), group),
    "name": lambda rule, group: (replace(rule, title="Another"), group),
    "interval": lambda rule, group: (rule, replace(group, interval=Duration(7_000))),
}


@pytest.mark.parametrize("kind", ["prometheus", "mimir", "grafana"])
@pytest.mark.parametrize("edit", EDITS)
def test_what_somebody_changed_is_another_rule(kind: TargetKind, edit: str) -> None:
    wanted, every, ground = desired(kind, "12.2" if kind == "grafana" else "3.5", PLAIN)
    known = {alert.digest for each in every for alert in each.alerts}
    for rule, group in alerts(wanted):
        assert not digests_of(*EDITS[edit](rule, group), ground) & known


def test_texts_and_marks_are_no_part_of_it() -> None:
    servers: list[tuple[TargetKind, str]] = [("prometheus", "3.5"), ("grafana", "12.2")]
    for kind, version in servers:
        wanted, _, ground = desired(kind, version, PLAIN)
        for rule, group in alerts(wanted):
            other = replace(rule, body={**rule.body, "annotations": {"summary": "x"}}, paused=True, owner="")
            assert digests_of(other, group, ground) == digests_of(rule, group, ground)


@pytest.mark.parametrize(
    "body",
    [
        {"noDataState": "Alerting"},
        {"execErrState": "Error"},
        {"missingSeriesEvalsToResolve": 5},
        {"condition": "A"},
        {"extra": {"notification_settings": {"receiver": "x"}}},
        {"data": []},
    ],
)
def test_a_form_that_tocsin_never_writes_has_none(body: dict[str, Any]) -> None:
    wanted, _, ground = desired("grafana", "12.2", PLAIN)
    for rule, group in alerts(wanted):
        assert digests_of(replace(rule, body={**rule.body, **body}), group, ground) == frozenset()


def test_a_data_source_that_nobody_declared_is_unknown() -> None:
    wanted, _, ground = desired("grafana", "12.2", PLAIN)
    for rule, group in alerts(wanted):
        assert digests_of(rule, group, replace(ground, names={})) == frozenset()


def test_another_record_makes_another_alert() -> None:
    """On a Prometheus what it evaluates decides; a Grafana's rule may have been written with either."""
    wanted, every, ground = desired("prometheus", "3.5", PLAIN)
    _, later, _ = desired("prometheus", "3.5", PLAIN.replace("rate5m / 5", "rate5m / 6"))
    old, new = (
        next(alert.digest for each in known for alert in each.alerts if alert.key.id == "ratio")
        for known in (every, later)
    )
    assert old != new
    rule, group = next(each for each in alerts(wanted) if each[0].key == "ratio")
    live = Live(server=Server(kind="prometheus", identity="x", version="3.5"), groups=wanted.groups)
    both = Ground.of(live, (3, 5, 0), (), [later, every])
    found = digests_of(rule, group, both)
    assert old in found and new not in found
    wanted, every, ground = desired("grafana", "12.2", PLAIN)
    _, later, _ = desired("grafana", "12.2", PLAIN.replace("rate5m / 5", "rate5m / 6"))
    live = Live(server=Server(kind="grafana", identity="x", version="12.2"), groups=wanted.groups)
    rule, group = next(each for each in alerts(wanted) if each[0].key == "ratio")
    found = digests_of(
        rule, group, replace(ground, reads=Ground.of(live, (12, 2, 0), (), [later, every]).reads)
    )
    assert found == {
        next(alert.digest for each in known for alert in each.alerts if alert.key.id == "ratio")
        for known in (every, later)
    }
    assert isinstance(next(every[0].alerts), CompiledAlert)
