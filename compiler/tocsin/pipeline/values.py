"""The values that flow through the pipeline: what each step takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tocsin.check import IncidentFacts, ServiceFacts, SopFacts, SopIndex
from tocsin.diag import Diagnostic, Severity, SourceFile
from tocsin.diag.ignores import Ignore
from tocsin.emit.tests import TestPlan
from tocsin.ir.compiled import Resolved
from tocsin.ir.history import NO_HISTORY, History
from tocsin.ir.project import Ledger, Project
from tocsin.ir.rule import RuleFile
from tocsin.ir.sop import Incident, Sop
from tocsin.resolve import RecordFacts, Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything a repository says, as texts; `diagnostics` is what reading it already showed."""

    project: SourceFile | None
    ledger: SourceFile | None
    rules: tuple[SourceFile, ...]
    sops: tuple[SourceFile, ...]
    incidents: tuple[SourceFile, ...]
    promtool: tuple[SourceFile, ...] = ()
    site: tuple[SourceFile, ...] = ()
    """Pages and styles a team keeps in `site/`."""
    images: tuple[str, ...] = ()
    """Paths of the images there."""
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """Every path a relative link may lead to."""
        texts = (*self.rules, *self.sops, *self.incidents, *self.site)
        return frozenset((*(each.path for each in texts), *self.images))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for the whole run."""

    project: Project
    ledger: Ledger
    today: date
    ignores: tuple[Ignore, ...] = ()
    """Written in tocsin.yaml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedService:
    """One service folder, loaded: what its files say, before any environment."""

    service: str
    files: tuple[RuleFile, ...]
    kept: tuple[SourceFile, ...]
    """promtool test files a team keeps as they are."""
    ignores: tuple[Ignore, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def broken(self) -> bool:
        """Whether a file did not load: what it would have said is unknown, so nobody is blamed for its absence."""
        return any(each.severity is Severity.error for each in self.diagnostics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """One service as the others need it before they can be compiled: environment -> its recording rules."""

    service: str
    records: Mapping[str, tuple[RecordFacts, ...]]
    broken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every service may name: environment -> all recording rules, and the SOPs."""

    records: Mapping[str, Records]
    sops: SopIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReport:
    """What remains of a service when it is checked."""

    facts: ServiceFacts
    broken: bool
    ignores: tuple[Ignore, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReport:
    """What remains of a SOP or incident when it is checked."""

    sop: SopFacts | None
    incident: IncidentFacts | None
    ignores: tuple[Ignore, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One SOP or incident, loaded and checked by itself."""

    sop: Sop | None
    incident: Incident | None
    report: PageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledService:
    """One service, compiled for every environment and checked."""

    loaded: LoadedService
    resolved: tuple[Resolved, ...]
    plans: tuple[TestPlan, ...]
    """Its unit tests in each environment; nothing where it has none."""
    report: ServiceReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What the repository compiles to. `settings` is None where tocsin.yaml itself cannot be used: then there is nothing else."""

    settings: Settings | None
    services: tuple[CompiledService, ...]
    pages: tuple[Page, ...]
    frozen: frozenset[str]
    diagnostics: tuple[Diagnostic, ...]
    history: History = NO_HISTORY
    """What was asked of Git for the findings; empty where nothing had to be."""
