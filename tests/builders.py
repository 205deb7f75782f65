"""Values for tests, with one-word overrides: `rule(expr="up == 0")` shows just what matters.

Everything has a sensible default and fits together: `resolved(group(rule()))` is one service in one
environment of `project()`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tocsin.diag import Map, Origin, Severity, SourceFile
from tocsin.ir.compiled import (
    CompiledAlert,
    CompiledGroup,
    CompiledRecord,
    CompiledRule,
    Evaluator,
    EvaluatorKind,
    Resolved,
    RuleKey,
    Version,
)
from tocsin.ir.duration import Duration, parse_duration
from tocsin.ir.project import Environment, Project, SeverityPolicy, Site, Team
from tocsin.ir.rule import AlertSource, GroupSource, LevelSource, RecordSource, RuleFile, TestSource
from tocsin.source.tree import read_document

FILE = "rules/kafka/lag.yaml"


def origin(text: str = "", *, file: str = FILE, path: tuple[str | int, ...] = ()) -> Origin:
    """The origin of YAML `text` (of the mapping at `path` in it)."""
    if not text:
        return Origin(file, "", Map())
    document, found = read_document(SourceFile(path=file, text=text))
    assert document is not None and document.origin is not None, found
    return document.origin.child(*path)


def duration(text: str) -> Duration:
    """`"5m"` -> milliseconds."""
    parsed = parse_duration(text)
    assert parsed is not None, text
    return parsed


def evaluator(
    name: str = "main", kind: EvaluatorKind = "prometheus", version: Version = (3, 5, 0), **more: Any
) -> Evaluator:
    """A Prometheus of a version that can do everything."""
    return Evaluator(name=name, kind=kind, version=version, **more)


def severities() -> tuple[SeverityPolicy, ...]:
    """P1 (critical, pages), P2 (warning), P3 (info)."""
    return tuple(
        SeverityPolicy(
            name=name,
            urgency=urgency,
            label=("severity", label),
            pages=urgency == 0,
            requires=frozenset(),
            sop_sections=(),
        )
        for urgency, (name, label) in enumerate((("P1", "critical"), ("P2", "warning"), ("P3", "info")))
    )


def environment(name: str = "prod", **more: Any) -> Environment:
    """An environment with one Prometheus and an Alertmanager."""
    given: dict[str, Any] = {
        "params": {},
        "evaluators": (evaluator(),),
        "services": {},
        "records": None,
        "datasources": (),
        "default_datasource": None,
        "folder": "Alerts",
        "org_id": 1,
        "notifier": "alertmanager",
        "provenance": "locked",
        "verdict": "advised",
    } | more
    given.setdefault("default_evaluator", given["evaluators"][0].name)
    return Environment(name=name, **given)


def project(*environments: Environment, **more: Any) -> Project:
    """A project of three severities and one team, with tocsin's defaults."""
    given: dict[str, Any] = {
        "name": "example",
        "severities": severities(),
        "unranked": False,
        "teams": (Team(id="team-streaming", name="Streaming"),),
        "params": {},
        "inject_labels": ("rule_id",),
        "inject_annotations": ("sop_ref", "runbook_url", "rule_version", "service", "owner"),
        "site": Site(url="https://runbooks.example.org"),
        "checks": {},
        "fail_on": Severity.error,
        "origin": origin(file="tocsin.yaml"),
    } | more
    return Project(environments=environments or (environment(),), **given)


def alert_source(id: str = "kafka-consumer-lag", name: str = "KafkaConsumerLag", **more: Any) -> AlertSource:
    """An authored alert."""
    given: dict[str, Any] = {
        "expr": "consumergroup:kafka_lag:sum > 5000",
        "service": "kafka",
        "owner": "team-streaming",
        "origin": origin(),
    } | more
    return AlertSource(id=id, name=name, **given)


def levels(*keys: str) -> tuple[LevelSource, ...]:
    """Authored levels of those keys."""
    return tuple(LevelSource(key=key) for key in keys)


def rule(id: str = "kafka-consumer-lag", name: str = "", **more: Any) -> CompiledAlert:
    """A compiled alert. `severity`, `level` and `override` set the labels, key and urgency that belong to
    them; durations are text.
    """
    level, override = more.pop("level", ""), more.pop("override", "")
    env = more.pop("env", "prod")
    severity = more.pop("severity", "P1")
    policy = next((each for each in severities() if each.name == severity), None)
    labels: Mapping[str, str] = more.pop("labels", {})
    own = {**labels, **({policy.label[0]: policy.label[1]} if policy is not None else {})}
    said = {"summary": "{{ $labels.consumergroup }} is behind"}
    annotations: Mapping[str, str] = more.pop("annotations", said)
    injected: Mapping[str, str] = more.pop("injected", {"rule_id": id})
    key = RuleKey(env, id, level, override)
    name = name or ("KafkaConsumerLag" + level.title())
    source_name = "KafkaConsumerLag" if level else name
    given: dict[str, Any] = {
        "key": key,
        "uid": hashlib.sha256(f"{env}/{key.text}".encode()).hexdigest()[:16],
        "name": name,
        "expr": "consumergroup:kafka_lag:sum > 5000",
        "for_": duration(more.pop("for_", "0s")),
        "keep_firing_for": duration(more.pop("keep_firing_for", "0s")),
        "labels": {**injected, **own},
        "own_labels": frozenset(own),
        "annotations": annotations,
        "own_annotations": frozenset(annotations),
        "severity": severity,
        "urgency": policy.urgency if policy is not None else len(severities()),
        "service": "kafka",
        "owner": "team-streaming",
        "sop_ref": None,
        "runbook_url": None,
        "identity": ("cluster", "consumergroup"),
        "signal": None,
        "evaluator": evaluator(),
        "mirror": False,
        "paused": False,
        "datasource": None,
        "shape": "promql",
        "params": {},
        "version": "unreleased",
    } | more
    given.setdefault("digest", hashlib.sha256(repr(sorted(given.items(), key=str)).encode()).hexdigest())
    given.setdefault(
        "source",
        alert_source(id, source_name, identity=given["identity"], levels=levels(level) if level else ()),
    )
    return CompiledAlert(**given)


def record(name: str = "consumergroup:kafka_lag:sum", **more: Any) -> CompiledRecord:
    """A compiled recording rule."""
    given: dict[str, Any] = {
        "key": RuleKey(more.pop("env", "prod"), more.pop("id", name)),
        "expr": "sum by (cluster, consumergroup) (kafka_consumergroup_lag)",
        "labels": {},
        "service": "kafka",
        "evaluator": evaluator(),
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "version": "unreleased",
    } | more
    source = RecordSource(
        id=given["key"].id, record=name, expr=given["expr"], service=given["service"], origin=origin()
    )
    return CompiledRecord(record=name, **({"source": source} | given))


def group(*rules: CompiledRule, name: str = "lag", **more: Any) -> CompiledGroup:
    """A compiled group; its evaluator is that of its first rule. Durations are text."""
    given: dict[str, Any] = {
        "service": rules[0].service if rules else "kafka",
        "evaluator": rules[0].evaluator if rules else evaluator(),
        "limit": 0,
        "labels": {},
        "file": FILE,
        "origin": origin(),
    } | more
    for field in ("interval", "query_offset"):
        text = given.get(field)
        given[field] = duration(text) if isinstance(text, str) else None
    return CompiledGroup(name=name, rules=rules, **given)


def resolved(*groups: CompiledGroup, env: str = "prod", service: str = "kafka") -> Resolved:
    """One service compiled for one environment."""
    return Resolved(env=env, service=service, groups=groups)


def rule_file(*groups: GroupSource, tests: tuple[TestSource, ...] = (), **more: Any) -> RuleFile:
    """An authored rule file."""
    given: dict[str, Any] = {
        "file": SourceFile(path=FILE, text=""),
        "service": "kafka",
        "owner": "team-streaming",
        "params": {},
        "origin": origin(),
    } | more
    return RuleFile(groups=groups, tests=tests, **given)
