"""Compiled rules become files: one module per target, each pure.

A target has `emit(resolved, project, environment) -> Iterator[Artifact]` and `unsupported(resolved, project,
environment) -> Iterator[Diagnostic]`, one service and one environment at a time, so that services can be
compiled in parallel and cached. What it cannot express it refuses in `unsupported`; it never leaves anything
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from tocsin.diag import Diagnostic
from tocsin.emit import catalog, grafana, inhibit, kubernetes, manifest, prometheus
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import Resolved
from tocsin.ir.project import Environment, Project


class Emitter(Protocol):
    """What a target is: a module with these two functions."""

    def emit(self, resolved: Resolved, project: Project, environment: Environment, /) -> Iterator[Artifact]:
        """The files of one service in one environment."""

    def unsupported(
        self, resolved: Resolved, project: Project, environment: Environment, /
    ) -> Iterator[Diagnostic]:
        """What the target cannot express, before anything is written."""


EMITTERS: Mapping[str, Emitter] = {"prometheus": prometheus, "kubernetes": kubernetes, "grafana": grafana}


def emit_service(resolved: Resolved, project: Project, environment: Environment) -> Iterator[Artifact]:
    """Every target's files of one service."""
    for emitter in EMITTERS.values():
        yield from emitter.emit(resolved, project, environment)


def unsupported(resolved: Resolved, project: Project, environment: Environment) -> Iterator[Diagnostic]:
    """What any target of one service cannot express."""
    for emitter in EMITTERS.values():
        yield from emitter.unsupported(resolved, project, environment)
    yield from inhibit.unsupported(resolved, project, environment)


def emit_together(
    every: Iterable[Resolved],
    project: Project,
    environment: Environment,
    still: Sequence[inhibit.InhibitRule] = (),
) -> Iterator[Artifact]:
    """The files of an environment that need all its services; `still` is what frozen ones inhibited before."""
    every = tuple(every)
    yield from inhibit.emit_together(every, project, environment, still)
    yield from grafana.emit_together(every, project, environment)


def unsupported_together(
    every: Iterable[Resolved], project: Project, environment: Environment
) -> Iterator[Diagnostic]:
    """What only all services of an environment together are too much for."""
    every = tuple(every)
    yield from prometheus.unsupported_together(every, project, environment)
    yield from grafana.unsupported_together(every, project, environment)


def emit_repository(contents: catalog.Contents, project: Project) -> Iterator[Artifact]:
    """The files about everything: catalog.json and manifest.json."""
    yield from catalog.emit(contents, project)
    yield from manifest.emit(contents.every, project, contents.frozen)
