"""Which servers an environment has, and how to reach them: from the project's names and the process's environment to a `Target`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag.nearest import did_you_mean
from tocsin.errors import UsageError
from tocsin.ir.compiled import Evaluator
from tocsin.ir.project import Environment
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.remote.environment import access
from tocsin.remote.grafana import Grafana, states_by_uid
from tocsin.remote.http import Door
from tocsin.sync.grafana import desired_grafana
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.values import Desired


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
    version_at_most: str = ""


def compiled_for(top: Path, env_name: str | None, evaluator: str | None, today: date) -> Compiled:
    """The sources compiled, with the environment and the Grafana that the command line names or that is the only one."""
    with no_collector():
        sources = read_sources(top)
        compilation = compile_sources(sources, today)
    if compilation.settings is None:
        raise UsageError("tocsin.yaml cannot be used", help="run `tocsin check`")
    environments = compilation.settings.project.environments
    names = [each.name for each in environments]
    if env_name is None and len(names) > 1:
        raise UsageError("there are several environments", help=f"add --env: {', '.join(names)}")
    environment = compilation.settings.project.environment(env_name or names[0])
    if environment is None:
        raise UsageError(f"there is no environment `{env_name}`", help=did_you_mean(env_name or "", names))
    grafanas = [each for each in environment.evaluators if each.kind == "grafana"]
    known = [each.name for each in grafanas]
    chosen = next((each for each in grafanas if evaluator in (None, each.name)), None)
    if chosen is None:
        raise UsageError(
            f"{environment.name} has no Grafana" + (f" called `{evaluator}`" if evaluator else ""),
            help=did_you_mean(evaluator or "", known) if known else "its evaluators are all Prometheus",
        )
    return Compiled(sources=sources, compilation=compilation, environment=environment, evaluator=chosen)


@contextmanager
def grafana_of(
    compiled: Compiled, url: str | None, *, read_only: bool
) -> Iterator[tuple[Grafana, GrafanaTarget]]:
    """The Grafana of the environment; with `read_only` nothing but GET can leave this process."""
    way = access("grafana", os.environ, flag=url, url_env=compiled.evaluator.url_env)
    with Door(way.url, clock=Now(), auth=way.auth, tls=way.tls, proxy=way.proxy, read_only=read_only) as door:
        client = Grafana(door)
        editable = compiled.environment.provenance == "editable"
        wanted = frozenset(each.uid for each in desired_of(compiled, client.server.version).folders)
        yield client, GrafanaTarget(client, states_by_uid, editable=editable, folders=wanted)


def desired_of(compiled: Compiled, version: tuple[int, int, int]) -> Desired:
    """What that Grafana should hold."""
    settings = compiled.compilation.settings
    assert settings is not None
    every = [each for service in compiled.compilation.services for each in service.resolved]
    return desired_grafana(
        every,
        settings.project,
        compiled.environment,
        compiled.evaluator.name,
        compiled.compilation.frozen,
        version,
    )
