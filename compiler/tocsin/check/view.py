"""What checks look at. A service check sees one service compiled for every environment; a catalog check sees facts of all services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from tocsin.diag import Span
from tocsin.ir.compiled import CompiledAlert, Resolved
from tocsin.ir.project import Project
from tocsin.ir.rule import AlertSource, RuleFile
from tocsin.ir.sop import Incident, Sop
from tocsin.resolve import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class SopIndex:
    """The SOPs by id: the one that is no translation, and the languages there are."""

    originals: Mapping[str, Sop]
    languages: Mapping[str, frozenset[str]]

    @staticmethod
    def of(sops: tuple[Sop, ...]) -> SopIndex:
        """The index; of two originals with one id the first counts."""
        originals: dict[str, Sop] = {}
        languages: dict[str, set[str]] = {}
        for sop in sops:
            languages.setdefault(sop.id, set()).add(sop.language)
            if sop.translation_of is None:
                originals.setdefault(sop.id, sop)
        return SopIndex(originals=originals, languages={id: frozenset(each) for id, each in languages.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One service: its files, and what they become in each environment."""

    service: str
    files: tuple[RuleFile, ...]
    resolved: tuple[Resolved, ...]
    records: Mapping[str, Records]
    project: Project
    sops: SopIndex
    today: date

    @property
    def alerts(self) -> Iterator[tuple[RuleFile, AlertSource]]:
        """Every authored alert with its file."""
        for file in self.files:
            for group in file.groups:
                for rule in group.rules:
                    if isinstance(rule, AlertSource):
                        yield file, rule

    @property
    def compiled(self) -> Iterator[CompiledAlert]:
        """Every compiled alert that is no mirror: a mirror says nothing that its original does not."""
        for resolved in self.resolved:
            for alert in resolved.alerts:
                if not alert.mirror:
                    yield alert


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """One authored alert as other services need to know it."""

    id: str
    name: str
    service: str
    at: Span
    sop_ref: str | None
    sop_at: Span | None
    urgencies: tuple[str, ...]
    """The severities it reaches in any environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """One service as the catalog checks need to know it; small, because it crosses processes and is cached."""

    service: str
    alerts: tuple[AlertFacts, ...]
    uids: tuple[tuple[str, str, Span], ...]
    """uid, rule key with its environment, place."""
    params: frozenset[str]
    """Every parameter the service uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogView:
    """Everything that crosses services."""

    services: tuple[ServiceFacts, ...]
    sops: tuple[Sop, ...]
    index: SopIndex
    incidents: tuple[Incident, ...]
    project: Project
    frozen: frozenset[str]
    today: date
    site_files: frozenset[str]
    """Every path a relative link may lead to."""
