"""A small project compiled for a Grafana, and a target on a stand-in: what the tests of sync share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from tests.standin import DEFAULT_TOKEN, StandIn

from tocsin.diag import SourceFile
from tocsin.ir.compiled import Version
from tocsin.ir.project import Project
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.remote.access import Bearer, Secret
from tocsin.remote.grafana import Grafana, states_by_uid
from tocsin.remote.http import Door
from tocsin.sync.apply import OnError, Outcome, apply
from tocsin.sync.grafana import desired_grafana
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.guard import Guard
from tocsin.sync.plan import Admit, Asked, Scope, make_plan
from tocsin.sync.values import Desired, Plan, Refusal
from tocsin.wire.grafana import Json

NOW = "2026-11-21T10:00:00+00:00"
PROJECT = """\
version: 1
project: shop
severities:
  P1: {label: {severity: critical}, pages: true}
  P2: {label: {severity: warning}}
teams: {ops: {name: Ops}}
annotations: {inject: [service]}
environments:
  prod:
    evaluators: [{name: grafana, kind: grafana, version: "VERSION", url_env: GRAFANA_URL}]
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    folder: "FOLDER"
    notifier: grafana
    verdict: advised
  staging:
    evaluators: [{name: grafana, kind: grafana, version: "VERSION", url_env: GRAFANA_URL}]
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    folder: "FOLDER"
    notifier: grafana
    verdict: advised
"""


class Clock:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return 1_790_000_000.0 + self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Book:
    """A journal in memory."""

    where = "memory"

    def __init__(self) -> None:
        self.rows: list[Json] = []

    def append(self, entry: Json, /) -> None:
        self.rows.append(entry)

    def entries(self) -> Sequence[Json]:
        return tuple(self.rows)

    def restart(self) -> None:
        self.rows.clear()


def rule_file(service: str, alerts: Mapping[str, Mapping[str, Any]], group: str = "main") -> SourceFile:
    """One file of one group; every alert is plain but for what is given."""
    lines = [
        "version: 1",
        f"service: {service}",
        "owner: ops",
        "groups:",
        f"  - name: {group}",
        "    interval: 1m",
        "    rules:",
    ]
    for id, fields in alerts.items():
        body = {
            "alert": id.title().replace("-", ""),
            "id": id,
            "expr": "up == 0",
            "severity": "P2",
            "for": "5m",
            **fields,
        }
        body.setdefault("summary", "it is down")
        lines += [
            f"      {'- ' if index == 0 else '  '}{key}: {value!r}".replace("'", '"')
            for index, (key, value) in enumerate(body.items())
        ]
    path = f"rules/{service}/{group}.yaml"
    return SourceFile(path=path, text="\n".join(lines) + "\n")


def compiled(
    *files: SourceFile, version: str = "12.0", folder: str = "{service} {env}"
) -> tuple[Compilation, Project]:
    """The files compiled; an error in them fails the test."""
    project = SourceFile(
        path="tocsin.yaml", text=PROJECT.replace("VERSION", version).replace("FOLDER", folder)
    )
    made = compile_sources(
        Sources(project=project, ledger=None, rules=files, sops=(), incidents=()), date(2026, 11, 21)
    )
    assert made.settings is not None, [each.message for each in made.diagnostics]
    return made, made.settings.project


def wanted(
    *files: SourceFile, env: str = "prod", version: str = "12.0", folder: str = "{service} {env}"
) -> Desired:
    """What a Grafana should hold of these files."""
    made, project = compiled(*files, version=version, folder=folder)
    errors = [each.message for each in made.diagnostics if each.severity.name == "error"]
    assert errors == []
    every = [each for service in made.services for each in service.resolved]
    environment = project.environment(env)
    assert environment is not None
    return desired_grafana(every, project, environment, "grafana", made.frozen, number(version))


def number(version: str) -> Version:
    parts = [int(each) for each in version.split(".")]
    return (parts[0], parts[1], parts[2] if len(parts) > 2 else 0)


@contextmanager
def target_on(
    standin: StandIn, *, token: str = DEFAULT_TOKEN, read_only: bool = False
) -> Iterator[GrafanaTarget]:
    """A target that talks to the stand-in over HTTP."""
    with Door(standin.url, clock=Clock(), auth=Bearer(token=Secret(token)), read_only=read_only) as door:
        yield GrafanaTarget(Grafana(door), states_by_uid)


def fine(asked: Asked) -> Refusal | None:
    """Every verdict is there."""
    return None


def plan_of(
    desired: Desired,
    target: GrafanaTarget,
    *,
    guard: Guard | None = None,
    admit: Admit = fine,
    scope: Scope | None = None,
    version: str = "12.0",
    now: str = NOW,
) -> Plan:
    return make_plan(desired, target.read(), guard or Guard(version=number(version)), admit, now, scope)


def synced(
    desired: Desired, standin: StandIn, on_error: OnError = "stop", version: str = "12.0"
) -> tuple[Plan, Outcome]:
    """A whole sync: read, plan, apply."""
    with target_on(standin) as target:
        plan = plan_of(desired, target, version=version)
        return plan, apply(plan, target, Book(), on_error, NOW, "tester")
