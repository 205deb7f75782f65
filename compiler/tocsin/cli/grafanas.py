"""One environment and its servers from `tocsin.yaml` alone: for commands that must not wait for, or fail with, the rest of the sources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.cli.targets import door_to
from tocsin.diag.nearest import did_you_mean
from tocsin.disk.files import decode
from tocsin.errors import MachineError, UsageError
from tocsin.ir.compiled import Evaluator
from tocsin.ir.project import Environment, Project
from tocsin.project import PROJECT_FILE, read_project
from tocsin.remote.grafana import Grafana


def project_of(top: Path) -> Project | None:
    """The project file; None where there is none. UsageError where it cannot be used."""
    try:
        data = (top / PROJECT_FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError(f"{PROJECT_FILE} cannot be read: {error.strerror}") from None
    file, _ = decode(PROJECT_FILE, data)
    project = read_project(file)[0] if file is not None else None
    if project is None:
        raise UsageError(
            f"{PROJECT_FILE} cannot be used",
            help="`tocsin check` says why; --url works outside of the repository",
        )
    return project


def grafana_named(environment: Environment, name: str | None) -> Evaluator:
    """The Grafana of an environment that the command line names, or its first."""
    grafanas = [each for each in environment.evaluators if each.kind == "grafana"]
    chosen = next((each for each in grafanas if name in (None, each.name)), None)
    if chosen is None:
        known = [each.name for each in grafanas]
        raise UsageError(
            f"{environment.name} has no Grafana" + (f" called `{name}`" if name else ""),
            help=did_you_mean(name or "", known) if known else "its evaluators are all Prometheus",
        )
    return chosen


@contextmanager
def grafana_at(url: str | None, evaluator: Evaluator | None, *, read_only: bool) -> Iterator[Grafana]:
    """A Grafana, by the address of the command line or of the environment. Its version, where it does not tell one, is that of tocsin.yaml."""
    url_env = evaluator.url_env if evaluator is not None else None
    with door_to("grafana", url, url_env, read_only=read_only) as door:
        yield Grafana(door, assume_version=evaluator.version if evaluator is not None else None)
