"""The story: sources in, a compilation out. Read this first; everything below it is one verb of it.

    SourceFile* -> load -> RuleFile*, Sop*, Incident*        one service folder at a time
                -> link -> records and SOPs everybody may name
                -> resolve -> Resolved                       one service and environment at a time
                -> check, emit -> Diagnostic*, Artifact*

Pure: no clock (`today` comes in), no disk, no Git. A service is the unit because a mistake in one must not stop the others: with errors it is
`frozen`, its old output stays, and everyone else's change goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from tocsin.check import AlertFacts, CatalogView, ServiceFacts, ServiceView, SopIndex, run_catalog, run_service
from tocsin.diag import Diagnostic, Severity, SourceFile, ordered, with_severity
from tocsin.diag.ignores import Ignore, apply, read_ignores
from tocsin.ir.compiled import Resolved
from tocsin.ir.project import Environment, Ledger, Project
from tocsin.ir.rule import AlertSource, RuleFile
from tocsin.ir.sop import Incident, Sop
from tocsin.load.rules import load_rules
from tocsin.load.sops import load_incident, load_sop
from tocsin.project import read_ledger, read_project
from tocsin.resolve import RecordFacts, Records, alert_uses, record_facts, records_of, resolve_service
from tocsin.resolve.params import uses

@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything a repository says, as texts; `diagnostics` is what reading it already showed."""

    project: SourceFile | None
    ledger: SourceFile | None
    rules: tuple[SourceFile, ...]
    sops: tuple[SourceFile, ...]
    incidents: tuple[SourceFile, ...]
    promtool: tuple[SourceFile, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedService:
    """One service folder, loaded: what its files say, before any environment."""

    service: str
    files: tuple[RuleFile, ...]
    ignores: tuple[Ignore, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledService:
    """One service, compiled for every environment and checked."""

    loaded: LoadedService
    resolved: tuple[Resolved, ...]
    facts: ServiceFacts
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """SOPs and incidents, loaded."""

    sops: tuple[Sop, ...]
    incidents: tuple[Incident, ...]
    ignores: tuple[Ignore, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What the repository compiles to. `project` is None where tocsin.yaml itself cannot be used: then there is nothing else."""

    project: Project | None
    ledger: Ledger
    services: tuple[CompiledService, ...]
    prose: Prose
    frozen: frozenset[str]
    diagnostics: tuple[Diagnostic, ...]


def compile_sources(sources: Sources, today: date) -> Compilation:
    """The whole story, in one process."""
    project, ledger, found = read_settings(sources)
    loaded = [load_service(service, files) for service, files in by_service(sources.rules).items()]
    prose = load_prose(sources.sops, sources.incidents)
    if project is None:
        everything = (*found, *prose.diagnostics, *(each for service in loaded for each in service.diagnostics))
        return Compilation(project=None, ledger=ledger, services=(), prose=prose, frozen=frozenset(), diagnostics=ordered(everything))
    records = link_records(project, (service_records(each, project) for each in loaded))
    index = SopIndex.of(prose.sops)
    services = tuple(compile_service(each, project, ledger, records, index, today) for each in loaded)
    across = check_catalog(project, [each.facts for each in services], prose, broken_services(loaded), sources, today)
    ignores = [*(each for service in loaded for each in service.ignores), *prose.ignores]
    everything = (*found, *prose.diagnostics, *across, *(each for service in services for each in service.diagnostics))
    diagnostics = settle(everything, ignores, project, today)
    return Compilation(
        project=project,
        ledger=ledger,
        services=services,
        prose=prose,
        frozen=frozen_services(diagnostics, sources),
        diagnostics=diagnostics,
    )


def read_settings(sources: Sources) -> tuple[Project | None, Ledger, tuple[Diagnostic, ...]]:
    """tocsin.yaml and the ledger; with them, what reading the tree showed."""
    project, found = read_project(sources.project)
    ledger, more = read_ledger(sources.ledger)
    return project, ledger, (*sources.diagnostics, *found, *more)


def by_service(files: Iterable[SourceFile]) -> dict[str, tuple[SourceFile, ...]]:
    """The rule files of each service folder, both in the order of their paths."""
    folders: dict[str, list[SourceFile]] = {}
    for file in files:
        folders.setdefault(service_of(file.path), []).append(file)
    return {service: tuple(folders[service]) for service in sorted(folders)}


def service_of(path: str) -> str:
    """The service a rule file's path names: the first folder below `rules/`."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def load_service(service: str, files: Iterable[SourceFile]) -> LoadedService:
    """Every file of one folder, each on its own: a bad one hides no other."""
    loaded: list[RuleFile] = []
    found: list[Diagnostic] = []
    ignores: list[Ignore] = []
    for file in files:
        ignores.extend(read_ignores(file))
        lowered, problems = load_rules(file, service)
        found.extend(problems)
        if lowered is not None:
            loaded.append(lowered)
    return LoadedService(service=service, files=tuple(loaded), ignores=tuple(ignores), diagnostics=tuple(found))


def load_prose(sops: Iterable[SourceFile], incidents: Iterable[SourceFile]) -> Prose:
    """Every SOP and incident."""
    found: list[Diagnostic] = []
    ignores: list[Ignore] = []
    loaded_sops: list[Sop] = []
    loaded_incidents: list[Incident] = []
    for file in sops:
        ignores.extend(read_ignores(file))
        sop, problems = load_sop(file)
        found.extend(problems)
        if sop is not None:
            loaded_sops.append(sop)
    for file in incidents:
        ignores.extend(read_ignores(file))
        incident, problems = load_incident(file)
        found.extend(problems)
        if incident is not None:
            loaded_incidents.append(incident)
    return Prose(sops=tuple(loaded_sops), incidents=tuple(loaded_incidents), ignores=tuple(ignores), diagnostics=tuple(found))


def service_records(loaded: LoadedService, project: Project) -> dict[str, tuple[RecordFacts, ...]]:
    """Environment -> the recording rules of one service, as the others need to know them."""
    return {env.name: record_facts(loaded.files, project, env) for env in project.environments}


def link_records(project: Project, every: Iterable[Mapping[str, tuple[RecordFacts, ...]]]) -> Mapping[str, Records]:
    """Environment -> the recording rules of all services."""
    together: dict[str, list[RecordFacts]] = {env.name: [] for env in project.environments}
    for each in every:
        for env, facts in each.items():
            together[env].extend(facts)
    return {env: records_of(facts) for env, facts in together.items()}


def compile_service(
    loaded: LoadedService, project: Project, ledger: Ledger, records: Mapping[str, Records], index: SopIndex, today: date
) -> CompiledService:
    """One service for every environment, with all that is wrong in it."""
    found = list(loaded.diagnostics)
    resolved: list[Resolved] = []
    for env in project.environments:
        compiled, problems = resolve_service(loaded.service, loaded.files, project, env, ledger, records[env.name])
        resolved.append(compiled)
        found.extend(problems)
    view = ServiceView(
        service=loaded.service, files=loaded.files, resolved=tuple(resolved), records=records, project=project, sops=index, today=today
    )
    found.extend(run_service(view))
    return CompiledService(loaded=loaded, resolved=tuple(resolved), facts=_facts(view), diagnostics=tuple(found))


def check_catalog(
    project: Project, services: Iterable[ServiceFacts], prose: Prose, broken: frozenset[str], sources: Sources, today: date
) -> tuple[Diagnostic, ...]:
    """What shows only when all services are seen together."""
    view = CatalogView(
        services=tuple(services),
        sops=prose.sops,
        index=SopIndex.of(prose.sops),
        incidents=prose.incidents,
        project=project,
        frozen=broken,
        today=today,
        site_files=frozenset(each.path for each in (*sources.rules, *sources.sops, *sources.incidents)),
    )
    return tuple(run_catalog(view))


def broken_services(loaded: Iterable[LoadedService]) -> frozenset[str]:
    """Services of which a file did not load: what they would have said is unknown, so nobody is blamed for its absence."""
    return frozenset(each.service for each in loaded if any(found.severity is Severity.error for found in each.diagnostics))


def settle(found: Iterable[Diagnostic], ignores: Iterable[Ignore], project: Project, today: date) -> tuple[Diagnostic, ...]:
    """The findings that remain: silenced ones gone, severities as the project says, sorted."""
    settled: list[Diagnostic] = []
    for each in apply(ordered(found), tuple(ignores), today):
        wanted = project.checks.get(each.code, each.severity)
        if wanted is not None:
            settled.append(each if wanted is each.severity else with_severity(each, wanted))
    return ordered(settled)


def frozen_services(found: Iterable[Diagnostic], sources: Sources) -> frozenset[str]:
    """Services with an error in one of their files."""
    folders = {service_of(each.path) for each in sources.rules}
    wrong = {service_of(each.span.file) for each in found if each.severity is Severity.error and each.span.file.startswith("rules/")}
    return frozenset(folders | wrong) & frozenset(wrong)


def _facts(view: ServiceView) -> ServiceFacts:
    alerts = [rule for _, rule in view.alerts]
    used = {name for rule in alerts for name in alert_uses(rule)}
    for file in view.files:
        for group in file.groups:
            used |= uses(group.interval or "") | uses(group.query_offset or "")
            used = used.union(*(uses(each) for each in group.labels.values()))
            for rule in group.rules:
                if not isinstance(rule, AlertSource):
                    used = used.union(uses(rule.expr), *(uses(each) for each in rule.labels.values()))
    return ServiceFacts(
        service=view.service,
        alerts=tuple(
            AlertFacts(
                id=rule.id,
                name=rule.name,
                service=view.service,
                at=rule.origin.value("id"),
                sop_ref=rule.sop_ref,
                sop_at=rule.origin.value("sop_ref") if rule.sop_ref is not None else None,
                urgencies=tuple(sorted({level.severity or rule.severity or "" for level in rule.levels} or {rule.severity or ""})),
            )
            for rule in alerts
        ),
        uids=tuple((alert.uid, f"{alert.key.env}/{alert.key.text}{'+mirror' if alert.mirror else ''}", alert.origin.value("id")) for each in view.resolved for alert in each.alerts),
        params=frozenset(used),
    )


def environment_of(project: Project, resolved: Resolved) -> Environment:
    """The environment a service was compiled for."""
    return next(each for each in project.environments if each.name == resolved.env)
