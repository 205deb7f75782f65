"""Which servers an environment has, and how to reach them: from the project's names and the process's environment to a `Target`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from tocsin.cli.rule_servers import directory_target, mimir_target, prometheus_target
from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag.nearest import did_you_mean
from tocsin.errors import UsageError
from tocsin.ir.compiled import Evaluator, Version
from tocsin.ir.duration import Duration
from tocsin.ir.project import Environment, Project
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.remote.environment import Kind, access
from tocsin.remote.grafana import Grafana, states_by_uid
from tocsin.remote.http import Door
from tocsin.sync.directory import desired_directory
from tocsin.sync.directory_target import DirectoryTarget
from tocsin.sync.grafana import desired_grafana
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.mimir_target import MimirTarget
from tocsin.sync.prometheus_target import PrometheusTarget
from tocsin.sync.records import held_back
from tocsin.sync.ruler import desired_rules
from tocsin.sync.values import Desired, Plan, Target, TargetKind

_NO_FOLDER = "--rules-dir is for --target prometheus and directory"


class Now:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def now(self) -> datetime:
        """The time of day."""
        return datetime.now(tz=UTC)

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A compiled repository and the environment a command is about."""

    sources: Sources
    compilation: Compilation
    environment: Environment
    evaluator: Evaluator
    kind: TargetKind = "grafana"


def environment_of(project: Project, name: str | None) -> Environment:
    """The environment that the command line names, or the only one."""
    names = [each.name for each in project.environments]
    if name is None and len(names) > 1:
        raise UsageError("there are several environments", help=f"add --env: {', '.join(names)}")
    found = project.environment(name or names[0])
    if found is None:
        raise UsageError(f"there is no environment `{name}`", help=did_you_mean(name or "", names))
    return found


@contextmanager
def door_to(kind: Kind, url: str | None, url_env: str | None, *, read_only: bool) -> Iterator[Door]:
    """A door to a server of that kind, with the credentials that the process's environment has for it."""
    way = access(kind, os.environ, flag=url, url_env=url_env)
    with Door(way.url, clock=Now(), auth=way.auth, tls=way.tls, proxy=way.proxy, read_only=read_only) as door:
        yield door


def compiled_for(
    top: Path, env_name: str | None, evaluator: str | None, today: date, kind: TargetKind | None = None
) -> Compiled:
    """The sources compiled, with the environment and the server that the command line names, else its first Grafana, else its first one."""
    with no_collector():
        sources = read_sources(top)
        compilation = compile_sources(sources, today)
    if compilation.settings is None:
        raise UsageError("tocsin.yaml cannot be used", help="run `tocsin check`")
    environment = environment_of(compilation.settings.project, env_name)
    chosen = evaluator_of(environment, evaluator, kind)
    return Compiled(
        sources=sources,
        compilation=compilation,
        environment=environment,
        evaluator=chosen,
        kind=kind or chosen.kind,
    )


def evaluator_of(environment: Environment, name: str | None, kind: TargetKind | None) -> Evaluator:
    """The server that the command line names, else the first Grafana of the environment, else its first server."""
    wanted = "grafana" if kind == "directory" else kind
    fitting = [each for each in environment.evaluators if wanted in (None, each.kind)]
    by_rank = sorted(fitting, key=lambda each: each.kind != "grafana")
    found = next((each for each in by_rank if name in (None, each.name)), None)
    if found is None:
        what = {"grafana": "Grafana", "prometheus": "Prometheus", "mimir": "Mimir"}.get(
            wanted or "", "server"
        )
        known = [each.name for each in fitting] or [each.name for each in environment.evaluators]
        raise UsageError(
            f"{environment.name} has no {what}" + (f" called `{name}`" if name else ""),
            help=did_you_mean(name, known) if name else f"its evaluators are {', '.join(known)}",
        )
    return found


@contextmanager
def target_of(
    compiled: Compiled, url: str | None, folder: Path | None, *, read_only: bool
) -> Iterator[tuple[Version, Target, Desired]]:
    """The server or folder the command is about, the version that decides what it can hold, and what it should hold; with `read_only` nothing
    can be written."""
    evaluator = compiled.evaluator
    settings = compiled.compilation.settings
    assert settings is not None
    owner = f"{settings.project.name}/{compiled.environment.name}"
    if compiled.kind != "grafana":
        with ruler_of(evaluator, compiled.kind, owner, url, folder, read_only=read_only) as target:
            yield evaluator.version, target, desired_of(compiled, evaluator.version)
        return
    if folder is not None:
        raise UsageError(_NO_FOLDER, help="leave it out")
    with grafana_of(compiled, url, read_only=read_only) as (client, grafana, desired):
        yield client.server.version, grafana, desired


@contextmanager
def ruler_of(
    evaluator: Evaluator,
    kind: TargetKind,
    owner: str,
    url: str | None,
    folder: Path | None,
    *,
    read_only: bool,
) -> Iterator[PrometheusTarget | MimirTarget | DirectoryTarget]:
    """What is written where it is no Grafana's API."""
    if kind == "prometheus":
        with prometheus_target(evaluator, owner, url, folder, Now(), read_only=read_only) as files:
            yield files
    elif kind == "directory":
        with directory_target(evaluator, owner, url, folder, Now(), read_only=read_only) as directory:
            yield directory
    else:
        if folder is not None:
            raise UsageError(_NO_FOLDER, help="leave it out")
        with mimir_target(evaluator, owner, url, Now(), read_only=read_only) as tenant:
            yield tenant


def texts_of(target: Target) -> Mapping[str, str]:
    """The files of ours that lie in the target's folder now; nothing where it is none."""
    return target.texts() if isinstance(target, PrometheusTarget | DirectoryTarget) else {}


def ready(plan: Plan, target: Target, accept_blind: Duration | None) -> Plan:
    """The plan without the alerts whose records are not there yet, where a server evaluates records."""
    if isinstance(target, PrometheusTarget | MimirTarget):
        return held_back(plan, target.covered, accept_blind)
    return plan


@contextmanager
def grafana_of(
    compiled: Compiled, url: str | None, *, read_only: bool
) -> Iterator[tuple[Grafana, GrafanaTarget, Desired]]:
    """The Grafana of the environment, and what it should hold; with `read_only` nothing but GET can leave this process."""
    with door_to("grafana", url, compiled.evaluator.url_env, read_only=read_only) as door:
        client = Grafana(door, assume_version=compiled.evaluator.version)
        editable = compiled.environment.provenance == "editable"
        desired = desired_of(compiled, client.server.version)
        wanted = frozenset(each.uid for each in desired.folders)
        yield client, GrafanaTarget(client, states_by_uid, editable=editable, folders=wanted), desired


def desired_of(compiled: Compiled, version: Version) -> Desired:
    """What that server or folder should hold."""
    settings = compiled.compilation.settings
    assert settings is not None
    every = [each for service in compiled.compilation.services for each in service.resolved]
    project, environment, evaluator = settings.project, compiled.environment, compiled.evaluator.name
    frozen = compiled.compilation.frozen
    if compiled.kind == "directory":
        return desired_directory(every, project, environment, evaluator, frozen, version)
    if compiled.kind == "grafana":
        return desired_grafana(every, project, environment, evaluator, frozen, version)
    return desired_rules(every, project, environment, evaluator, frozen, compiled.kind)
