"""What checks look at. A service check sees one service compiled for every environment; a catalog check sees facts of all services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from tocsin.check.prose import Quote, quotes
from tocsin.diag import Span
from tocsin.ir.compiled import CompiledAlert, Resolved
from tocsin.ir.history import NO_HISTORY, History
from tocsin.ir.project import Ledger, Project
from tocsin.ir.rule import AlertSource, RuleFile
from tocsin.ir.sop import Incident, Link, Sop, source_hash
from tocsin.resolve import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name one page gives to another thing, and where."""

    name: str
    at: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class SopFacts:
    """One SOP as alerts and other pages need to know it; small, because it crosses processes and is cached."""

    id: str
    at: Span
    path: str
    language: str
    translation_of: str | None
    translation_at: Span
    status: str
    replaced_by: Reference | None
    manual: bool
    stub: bool
    anchors: frozenset[str]
    has_flow: bool
    incidents: tuple[Reference, ...]
    links: tuple[Link, ...]
    services: tuple[str, ...]
    error_codes: tuple[str, ...]
    aliases: tuple[Reference, ...]
    reviewed: Reference | None
    """The day its owner last read it."""
    hash: str
    """Of its prose, as a translation of it carries it."""
    translated: Reference | None
    """The hash of the text this translates."""
    quotes: tuple[Quote, ...]
    """Numbers its prose gives for the rules that lead here; of a page that answers no alert today, none."""

    @staticmethod
    def of(sop: Sop) -> SopFacts:
        """The facts of one loaded SOP."""
        origin = sop.origin
        translated = sop.meta.get("source_hash")
        return SopFacts(
            id=sop.id,
            at=origin.value("id"),
            path=sop.file.path,
            language=sop.language,
            translation_of=sop.translation_of,
            translation_at=origin.value("translation_of" if origin.wrote("translation_of") else "id"),
            status=sop.status,
            replaced_by=Reference(name=sop.replaced_by, at=origin.value("replaced_by"))
            if sop.replaced_by is not None
            else None,
            manual=sop.manual,
            stub=sop.stub,
            anchors=sop.anchors,
            has_flow=any(fence.language == "mermaid" for fence in sop.body.fences),
            incidents=tuple(
                Reference(name=name, at=origin.value("incidents", index))
                for index, name in enumerate(sop.incidents)
            ),
            links=sop.body.links,
            services=sop.services,
            error_codes=sop.error_codes,
            aliases=tuple(
                Reference(name=name, at=origin.value("aliases", index))
                for index, name in enumerate(sop.aliases)
            ),
            reviewed=Reference(name=sop.review.last, at=origin.value("review", "last"))
            if sop.review is not None
            else None,
            hash=source_hash(sop),
            translated=Reference(name=translated, at=origin.value("source_hash"))
            if isinstance(translated, str)
            else None,
            quotes=tuple(quotes(sop.file.path, sop.body)) if sop.status == "active" and not sop.stub else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFacts:
    """One incident as the catalog checks need to know it."""

    id: str
    path: str
    alerts: tuple[Reference, ...]
    sops: tuple[Reference, ...]
    anchors: frozenset[str]
    links: tuple[Link, ...]

    @staticmethod
    def of(incident: Incident) -> IncidentFacts:
        """The facts of one loaded incident."""
        origin = incident.origin
        named = [("alerts", incident.alerts), ("missed", incident.missed)]
        return IncidentFacts(
            id=incident.id,
            path=incident.file.path,
            alerts=tuple(
                Reference(name=name, at=origin.value(field, index))
                for field, names in named
                for index, name in enumerate(names)
            ),
            sops=tuple(
                Reference(name=name, at=origin.value("sops", index))
                for index, name in enumerate(incident.sops)
            ),
            anchors=frozenset(each.anchor for each in incident.body.sections),
            links=incident.body.links,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SopIndex:
    """The SOPs by id, without translations; of two originals with one id the first counts."""

    originals: Mapping[str, SopFacts]
    quoted: frozenset[str] = frozenset()
    """Those whose prose, in any language, gives numbers of its rules."""

    @staticmethod
    def of(sops: Iterable[SopFacts]) -> SopIndex:
        """The index of all SOPs."""
        originals: dict[str, SopFacts] = {}
        quoted: set[str] = set()
        for sop in sops:
            if sop.translation_of is None:
                originals.setdefault(sop.id, sop)
            if sop.quotes:
                quoted.add(sop.id)
        return SopIndex(originals=originals, quoted=frozenset(quoted))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One service: its files, and what they become in each environment."""

    service: str
    files: tuple[RuleFile, ...]
    resolved: tuple[Resolved, ...]
    broken: bool
    """Whether something of it did not load: then what seems to be missing may be there, misspelt."""
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
    names: tuple[str, ...] = ()
    """Every alertname it fires under; the authored one where it is deployed nowhere."""
    links: tuple[tuple[str, Span], ...] = ()
    """The links to a runbook that its author wrote into annotations."""
    numbers: tuple[frozenset[float], frozenset[float]] | None = None
    """The values and the times (in seconds) of its rules, where its SOP quotes any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """One service as the catalog checks need to know it; small, because it crosses processes and is cached."""

    service: str
    alerts: tuple[AlertFacts, ...]
    uids: tuple[tuple[str, str, str, Span], ...]
    """Of what Grafana evaluates: the server and organisation, uid, rule key with its environment, place."""
    params: frozenset[str]
    """Every parameter the service uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """One SOP or incident by itself."""

    sop: Sop | None
    incident: Incident | None
    project: Project
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogView:
    """Everything that crosses services."""

    services: tuple[ServiceFacts, ...]
    sops: tuple[SopFacts, ...]
    index: SopIndex
    incidents: tuple[IncidentFacts, ...]
    project: Project
    frozen: frozenset[str]
    today: date
    site_files: frozenset[str]
    """Every path a relative link may lead to."""
    ledger: Ledger = field(default_factory=Ledger)
    history: History = NO_HISTORY
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Address -> its anchors, of every page the site would have; empty where nobody asks."""
