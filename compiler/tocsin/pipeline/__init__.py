"""The story: sources in, a compilation out. Read this first; everything below it is one verb of it.

    SourceFile* -> load    -> RuleFile*, Sop*, Incident*         one service folder, one page at a time
                -> link    -> Shared: records and SOPs everybody may name
                -> compile -> Resolved, findings                 one service at a time, for every environment
                -> conclude -> findings across services, ignores and severities applied

Pure: no clock (`today` comes in), no disk, no Git. A service is the unit because a mistake in one must not stop the others: with errors it is
`frozen`, its old output stays, and everyone else's change goes out. What crosses services is small (`ServiceFacts`, `SopFacts`, `RecordFacts`),
so that services can be compiled in two processes, and remembered between runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Protocol, TypeVar

from tocsin import emit
from tocsin.check import (
    IncidentFacts,
    PageView,
    ServiceView,
    SopFacts,
    SopIndex,
    run_catalog,
    run_page,
    run_service,
)
from tocsin.diag import Diagnostic, Severity, SourceFile, ordered, with_severity
from tocsin.diag.ignores import Ignore, apply, read_ignores
from tocsin.emit.catalog import Contents
from tocsin.emit.inhibit import InhibitRule
from tocsin.emit.tests import TestPlan, plan_tests
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import Resolved
from tocsin.ir.history import NO_HISTORY, History
from tocsin.ir.project import Project
from tocsin.ir.rule import RuleFile
from tocsin.ir.sop import Incident, Sop
from tocsin.load.rules import load_rules
from tocsin.load.sops import load_incident, load_sop
from tocsin.pipeline.facts import facts_of
from tocsin.pipeline.site import kept_findings
from tocsin.pipeline.values import (
    Compilation as Compilation,
)
from tocsin.pipeline.values import (
    CompiledService as CompiledService,
)
from tocsin.pipeline.values import (
    Exports as Exports,
)
from tocsin.pipeline.values import (
    LoadedService as LoadedService,
)
from tocsin.pipeline.values import (
    Page as Page,
)
from tocsin.pipeline.values import (
    PageReport as PageReport,
)
from tocsin.pipeline.values import (
    ServiceReport as ServiceReport,
)
from tocsin.pipeline.values import (
    Settings as Settings,
)
from tocsin.pipeline.values import (
    Shared as Shared,
)
from tocsin.pipeline.values import (
    Sources as Sources,
)
from tocsin.pipeline.whole import (
    Past as Past,
)
from tocsin.pipeline.whole import (
    catalog_of,
)
from tocsin.pipeline.whole import (
    history_for as history_for,
)
from tocsin.pipeline.whole import (
    no_past as no_past,
)
from tocsin.pipeline.whole import (
    published as published,
)
from tocsin.project import PROJECT_FILE, read_ledger, read_project
from tocsin.resolve import RecordFacts, record_facts, records_of, resolve_service

_T = TypeVar("_T")
KEPT_TESTS = ".promtool.yaml"


class Watch(Protocol):
    """Passes items on while somebody watches: `cli` draws a bar, everybody else looks away."""

    def __call__(self, items: Sequence[_T], what: str, /) -> Iterable[_T]:
        """The items, in order."""


def unwatched(items: Sequence[_T], what: str) -> Iterable[_T]:
    """Nobody is watching."""
    return items


def compile_sources(
    sources: Sources, today: date, watch: Watch = unwatched, past: Past = no_past
) -> Compilation:
    """The whole story, in one process."""
    settings, found = read_settings(sources, today)
    loaded = [
        load_service(service, files)
        for service, files in watch(tuple(by_service(sources).items()), "loading")
    ]
    if settings is None:
        return Compilation(
            settings=None,
            services=(),
            pages=(),
            frozen=frozenset(),
            diagnostics=unsettled(found, loaded, sources),
        )
    pages = tuple(load_page(file, settings) for file in watch(pages_of(sources), "reading SOPs"))
    shared = link(
        [export(each, settings.project) for each in loaded], [each.report for each in pages], settings.project
    )
    services = tuple(compile_service(each, settings, shared) for each in watch(loaded, "compiling"))
    found = (*found, *together(services, settings.project))
    reports, page_reports = [each.report for each in services], [each.report for each in pages]
    history = history_for(settings, reports, page_reports, past)
    diagnostics = conclude(settings, found, reports, page_reports, sources.paths, history)
    return Compilation(
        settings=settings,
        services=services,
        pages=pages,
        frozen=frozen_services(diagnostics),
        diagnostics=diagnostics,
        history=history,
    )


def read_settings(sources: Sources, today: date) -> tuple[Settings | None, tuple[Diagnostic, ...]]:
    """tocsin.yaml and the ledger; with them, what reading the tree showed."""
    project, found = read_project(sources.project)
    if sources.project is None and any(each.span.file == PROJECT_FILE for each in sources.diagnostics):
        found = ()  # it is there: a link, a folder, another encoding, as has been said
    ledger, more = read_ledger(sources.ledger)
    found = (*sources.diagnostics, *found, *more, *kept_findings(sources, project))
    if project is None or sources.project is None:
        return None, found
    return Settings(project=project, ledger=ledger, today=today, ignores=read_ignores(sources.project)), found


def by_service(sources: Sources) -> dict[str, tuple[SourceFile, ...]]:
    """The files of each service folder: its rules, then the promtool tests it keeps, each in the order of their paths."""
    folders: dict[str, list[SourceFile]] = {}
    for file in (*_by_path(sources.rules), *_by_path(sources.promtool)):
        folders.setdefault(service_of(file.path), []).append(file)
    return {service: tuple(folders[service]) for service in sorted(folders)}


def pages_of(sources: Sources) -> tuple[SourceFile, ...]:
    """The SOPs, then the incidents, each in the order of their paths."""
    return (*_by_path(sources.sops), *_by_path(sources.incidents))


def _by_path(files: Iterable[SourceFile]) -> list[SourceFile]:
    # Whoever read them read them in some order, and no byte may depend on it.
    return sorted(files, key=lambda each: each.path)


def service_of(path: str) -> str:
    """The service a rule file's path names: the first folder below `rules/`."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def load_service(service: str, files: Iterable[SourceFile]) -> LoadedService:
    """Every file of one folder, each on its own: a bad one hides no other."""
    loaded: list[RuleFile] = []
    found: list[Diagnostic] = []
    ignores: list[Ignore] = []
    kept: list[SourceFile] = []
    for file in files:
        if file.path.endswith(KEPT_TESTS):
            kept.append(file)
            continue
        ignores.extend(read_ignores(file))
        lowered, problems = load_rules(file, service)
        found.extend(problems)
        if lowered is not None:
            loaded.append(lowered)
    return LoadedService(
        service=service,
        files=tuple(loaded),
        kept=tuple(kept),
        ignores=tuple(ignores),
        diagnostics=tuple(found),
    )


def load_page(file: SourceFile, settings: Settings) -> Page:
    """One SOP or incident, with what is wrong in it."""
    sop: Sop | None = None
    incident: Incident | None = None
    if file.path.startswith("incidents/"):
        incident, found = load_incident(file)
    else:
        sop, found = load_sop(file)
    checked = run_page(PageView(sop=sop, incident=incident, project=settings.project, today=settings.today))
    report = PageReport(
        sop=SopFacts.of(sop) if sop is not None else None,
        incident=IncidentFacts.of(incident) if incident is not None else None,
        ignores=read_ignores(file),
        diagnostics=(*found, *checked),
    )
    return Page(sop=sop, incident=incident, report=report)


def export(loaded: LoadedService, project: Project) -> Exports:
    """What the other services need of this one."""
    records = {env.name: record_facts(loaded.files, project, env) for env in project.environments}
    return Exports(service=loaded.service, records=records, broken=loaded.broken)


def link(exports: Iterable[Exports], pages: Iterable[PageReport], project: Project) -> Shared:
    """Everything that may be named across services."""
    together: dict[str, list[RecordFacts]] = {env.name: [] for env in project.environments}
    for each in sorted(exports, key=lambda each: each.service):
        for env, facts in each.records.items():
            together[env].extend(facts)
    sops = SopIndex.of(each.sop for each in pages if each.sop is not None)
    return Shared(records={env: records_of(facts) for env, facts in together.items()}, sops=sops)


def compile_service(
    loaded: LoadedService, settings: Settings, shared: Shared, *, digests: bool = True
) -> CompiledService:
    """One service for every environment, with all that is wrong in it. Findings need no `digests`."""
    project = settings.project
    ledger = settings.ledger if digests else None
    found = list(loaded.diagnostics)
    resolved: list[Resolved] = []
    plans: list[TestPlan] = []
    tested = bool(loaded.kept) or any(file.tests for file in loaded.files)
    for env in project.environments:
        compiled, problems = resolve_service(
            loaded.service, loaded.files, project, env, ledger, shared.records[env.name]
        )
        resolved.append(compiled)
        found.extend(problems)
        found.extend(emit.unsupported(compiled, project, env))
        if tested:
            failed = any(each.severity is Severity.error for each in problems)
            plan, problems = plan_tests(loaded.files, compiled, project, env, loaded.kept, incomplete=failed)
            plans.append(plan)
            found.extend(problems)
    view = ServiceView(
        service=loaded.service,
        files=loaded.files,
        resolved=tuple(resolved),
        broken=loaded.broken,
        records=shared.records,
        project=project,
        sops=shared.sops,
        today=settings.today,
    )
    found.extend(run_service(view))
    report = ServiceReport(
        facts=facts_of(view), broken=loaded.broken, ignores=loaded.ignores, diagnostics=ordered(found)
    )
    return CompiledService(loaded=loaded, resolved=tuple(resolved), plans=tuple(plans), report=report)


def conclude(
    settings: Settings,
    found: Iterable[Diagnostic],
    services: Iterable[ServiceReport],
    pages: Iterable[PageReport],
    paths: frozenset[str],
    history: History = NO_HISTORY,
) -> tuple[Diagnostic, ...]:
    """Every finding there is: those across services added, silenced ones gone, severities as the project says, sorted."""
    services, pages = list(services), list(pages)
    view = catalog_of(settings, services, pages, paths, history)
    reports: list[ServiceReport | PageReport] = [*services, *pages]
    everything = [*found, *(each for report in reports for each in report.diagnostics), *run_catalog(view)]
    ignores = [each for report in reports for each in report.ignores]
    ignores.extend(settings.ignores)
    return settle(everything, ignores, settings)


def settle(
    found: Iterable[Diagnostic], ignores: Iterable[Ignore], settings: Settings
) -> tuple[Diagnostic, ...]:
    """The findings that remain when ignores and the project's severities are applied."""
    checks = settings.project.checks
    kept = (each for each in apply(ordered(found), tuple(ignores), settings.today))
    wanted = ((each, checks.get(each.code, each.severity)) for each in kept)
    return ordered(
        each if severity is each.severity else with_severity(each, severity)
        for each, severity in wanted
        if severity is not None
    )


def unsettled(
    found: Iterable[Diagnostic], loaded: Iterable[LoadedService], sources: Sources
) -> tuple[Diagnostic, ...]:
    """What can be said without a usable tocsin.yaml: the shape of every file."""
    said = [*found, *(each for service in loaded for each in service.diagnostics)]
    for file in sources.sops:
        said.extend(load_sop(file)[1])
    for file in sources.incidents:
        said.extend(load_incident(file)[1])
    return ordered(said)


def frozen_services(found: Iterable[Diagnostic]) -> frozenset[str]:
    """Services with an error in one of their files: they stay as they are live, and are never read as deleted."""
    return frozenset(
        service_of(each.span.file)
        for each in found
        if each.severity is Severity.error and each.span.file.startswith("rules/")
    )


def artifacts(
    compilation: Compilation,
    *,
    keep_going: bool = False,
    still: Mapping[str, Sequence[InhibitRule]] | None = None,
) -> Iterator[Artifact]:
    """Every file of the output folder, in no order. With `keep_going` frozen services are left out: their old files stay, and
    so do the inhibition rules they had (`still`, by environment).
    """
    if compilation.settings is None:
        return
    project = compilation.settings.project
    services = _standing(compilation, keep_going=keep_going)
    for env in project.environments:
        resolved = [each for service in services for each in service.resolved if each.env == env.name]
        for each in resolved:
            yield from emit.emit_service(each, project, env)
        yield from emit.emit_together(resolved, project, env, (still or {}).get(env.name, ()))
    for service in services:
        for plan in service.plans:
            yield from plan.artifacts
    yield from emit.emit_repository(contents_of(compilation, keep_going=keep_going), project)


def contents_of(compilation: Compilation, *, keep_going: bool = False) -> Contents:
    """What the catalog and the site are made from. With `keep_going` frozen services are only named."""
    services = _standing(compilation, keep_going=keep_going)
    return Contents(
        files=[file for service in services for file in service.loaded.files],
        every=[each for service in services for each in service.resolved],
        sops=[page.sop for page in compilation.pages if page.sop is not None],
        incidents=[page.incident for page in compilation.pages if page.incident is not None],
        frozen=compilation.frozen if keep_going else frozenset(),
    )


def _standing(compilation: Compilation, *, keep_going: bool) -> list[CompiledService]:
    return [
        each
        for each in compilation.services
        if not (keep_going and each.report.facts.service in compilation.frozen)
    ]


def needs_everything(project: Project) -> bool:
    """Whether some finding needs all services compiled in one place: a limit they share, or a folder."""
    return any(
        evaluator.groups_per_tenant is not None
        or (evaluator.kind == "grafana" and "{service}" not in env.folder)
        for env in project.environments
        for evaluator in env.evaluators
    )


def together(services: Iterable[CompiledService], project: Project) -> Iterator[Diagnostic]:
    """What only all services together are too much for; without services, what tocsin.yaml alone shows of it."""
    services = list(services)
    for env in project.environments:
        resolved = [each for service in services for each in service.resolved if each.env == env.name]
        yield from emit.unsupported_together(resolved, project, env)
