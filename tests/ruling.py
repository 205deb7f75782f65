"""Small projects compiled for a Prometheus or a Mimir, and targets on them: what the tests of these share."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tests.syncing import NOW, Book, fine

from tocsin.diag import SourceFile
from tocsin.disk.rule_folder import RuleFolder
from tocsin.ir.duration import Duration
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.sync.apply import OnError, Outcome, apply
from tocsin.sync.guard import Guard
from tocsin.sync.plan import make_plan
from tocsin.sync.prometheus_target import Check, PrometheusTarget, Replica
from tocsin.sync.records import held_back
from tocsin.sync.rule_check import complaint
from tocsin.sync.ruler import desired_rules
from tocsin.sync.values import Desired, Plan, Target, TargetKind

PROJECT = """\
version: 1
project: shop
severities:
  P2: {label: {severity: warning}}
teams: {ops: {name: Ops}}
environments:
  prod:
    evaluators: [{name: main, kind: KIND, version: "VERSION"}]
    notifier: alertmanager
    verdict: advised
  staging:
    evaluators: [{name: main, kind: KIND, version: "VERSION"}]
    notifier: alertmanager
    verdict: advised
"""


def rules(service: str, groups: Mapping[str, Sequence[Mapping[str, Any]]], **keys: str) -> SourceFile:
    """One file of a service: group -> rules; an alert has what it needs unless it is given, `keys` go to every group."""
    lines = ["version: 1", f"service: {service}", "owner: ops", "groups:"]
    for name, listed in groups.items():
        lines += [
            f"  - name: {name}",
            "    interval: 1s",
            *(f"    {key}: {text}" for key, text in keys.items()),
        ]
        lines += ["    rules:"]
        for each in listed:
            body = dict(each)
            if "alert" in body:
                body = {"id": body["alert"].lower(), "severity": "P2", "summary": "it is down", **body}
            for index, (key, value) in enumerate(body.items()):
                lines.append(f"      {'- ' if index == 0 else '  '}{key}: {json.dumps(value)}")
    return SourceFile(path=f"rules/{service}/main.yaml", text="\n".join(lines) + "\n")


def wanted(
    *files: SourceFile, env: str = "prod", kind: TargetKind = "prometheus", version: str = "3.5"
) -> Desired:
    """What the server should hold of these files."""
    text = PROJECT.replace("KIND", kind).replace("VERSION", version)
    project = SourceFile(path="tocsin.yaml", text=text)
    made: Compilation = compile_sources(
        Sources(project=project, ledger=None, rules=files, sops=(), incidents=()), date(2026, 11, 21)
    )
    errors = [each.message for each in made.diagnostics if each.severity.name == "error"]
    assert errors == [] and made.settings is not None, errors
    environment = made.settings.project.environment(env)
    assert environment is not None
    every = [each for service in made.services for each in service.resolved]
    return desired_rules(every, made.settings.project, environment, "main", made.frozen, kind)


def files_target(
    folder: Path, *replicas: Replica, check: Check = complaint, owner: str = "shop/prod"
) -> PrometheusTarget:
    """A target on a folder and its replicas."""
    return PrometheusTarget(RuleFolder(folder), replicas, check, owner=owner)


def plan_of(
    desired: Desired,
    target: Target,
    *,
    covered: Callable[[str], bool] | None = None,
    blind: Duration | None = None,
) -> Plan:
    """The plan, with what waits for records left out where `covered` is given."""
    guard = Guard(max_deletes=1_000, max_delete_percent=0, version=(3, 5, 0))
    plan = make_plan(desired, target.read(), guard, fine, NOW)
    return plan if covered is None else held_back(plan, covered, blind)


def synced(desired: Desired, target: Target, on_error: OnError = "stop") -> Outcome:
    """Read, plan, apply; what the plan refuses fails the test."""
    plan = plan_of(desired, target)
    assert plan.stops == () and [why for each in plan.groups for why in each.refusals] == []
    return apply(plan, target, Book(), on_error, NOW, "tester")


class Deadly:
    """Dies by SIGKILL at step number `at`; a step is the moment before or after a write, a removal or a reload."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, work: Callable[..., None]) -> Callable[..., None]:
        def done(*given: object) -> None:
            self.step()
            work(*given)
            self.step()

        return done
