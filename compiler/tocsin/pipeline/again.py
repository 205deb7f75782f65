"""The same story told again after an edit: only what changed is loaded and compiled anew. For a preview that must answer in a second or two.

In: sources, and the memory of the last time. Out: the compilation `compile_sources` would give. A service is compiled again when one of its
files changed, when any recording rule did (anybody may read one), or when a SOP that one of its alerts names did. A test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from tocsin.check import SopFacts
from tocsin.diag import SourceFile
from tocsin.ir.rule import AlertSource
from tocsin.pipeline import (
    Compilation,
    CompiledService,
    Exports,
    LoadedService,
    Page,
    Settings,
    Sources,
    by_service,
    compile_service,
    compile_sources,
    conclude,
    export,
    frozen_services,
    link,
    load_page,
    load_service,
    pages_of,
    read_settings,
    together,
)


@dataclass(slots=True)
class Memory:
    """What the last compilation was made of. Begins empty; `compile_again` keeps it."""

    ground: tuple[SourceFile | None, SourceFile | None, date] | None = None
    pages: dict[str, tuple[SourceFile, Page]] = field(default_factory=dict)
    loaded: dict[str, tuple[tuple[SourceFile, ...], LoadedService, Exports]] = field(default_factory=dict)
    compiled: dict[str, CompiledService] = field(default_factory=dict)
    facts: Mapping[str, SopFacts] = field(default_factory=dict)

    def clear(self) -> None:
        """Forgets everything."""
        self.pages.clear()
        self.loaded.clear()
        self.compiled.clear()
        self.facts = {}


def compile_again(sources: Sources, today: date, memory: Memory) -> Compilation:
    """The whole compilation, from `memory` where nothing it was made from changed."""
    ground = (sources.project, sources.ledger, today)
    if memory.ground != ground:
        memory.clear()
        memory.ground = ground
    settings, found = read_settings(sources, today)
    if settings is None:
        memory.ground = None
        return compile_sources(sources, today)
    stale = _load(sources, settings, memory)
    shared = link(
        [exports for _, _, exports in memory.loaded.values()],
        [page.report for _, page in memory.pages.values()],
        settings.project,
    )
    for service, (_, loaded, _) in memory.loaded.items():
        if service in stale or service not in memory.compiled:
            memory.compiled[service] = compile_service(loaded, settings, shared)
    services = tuple(memory.compiled[service] for service in memory.loaded)
    pages = tuple(page for _, page in memory.pages.values())
    diagnostics = conclude(
        settings,
        (*found, *together(services, settings.project)),
        [each.report for each in services],
        [each.report for each in pages],
        sources.paths,
    )
    return Compilation(
        settings=settings,
        services=services,
        pages=pages,
        frozen=frozen_services(diagnostics),
        diagnostics=diagnostics,
    )


def _load(sources: Sources, settings: Settings, memory: Memory) -> frozenset[str]:
    """Brings what is loaded up to date; answers the services that must be compiled again."""
    pages: dict[str, tuple[SourceFile, Page]] = {}
    for file in pages_of(sources):
        known = memory.pages.get(file.path)
        pages[file.path] = known if known and known[0] == file else (file, load_page(file, settings))
    loaded: dict[str, tuple[tuple[SourceFile, ...], LoadedService, Exports]] = {}
    stale: set[str] = set()
    records = False
    for service, files in by_service(sources).items():
        old = memory.loaded.get(service)
        if old is not None and old[0] == files:
            loaded[service] = old
            continue
        new = load_service(service, files)
        exports = export(new, settings.project)
        records |= old is None or old[2] != exports
        loaded[service] = (files, new, exports)
        stale.add(service)
    records |= bool(memory.loaded.keys() - loaded.keys())
    memory.compiled = {each: memory.compiled[each] for each in memory.compiled if each in loaded}
    facts = {path: page.report.sop for path, (_, page) in pages.items() if page.report.sop is not None}
    named = {
        each.id
        for path in facts.keys() | memory.facts.keys()
        for each in (facts.get(path), memory.facts.get(path))
        if each is not None and facts.get(path) != memory.facts.get(path)
    }
    memory.pages, memory.loaded, memory.facts = pages, loaded, facts
    if records:
        return frozenset(loaded)
    return frozenset(stale) | {service for service, (_, each, _) in loaded.items() if _names(each, named)}


def _names(loaded: LoadedService, sops: set[str]) -> bool:
    """Whether an alert of the service names one of these SOPs."""
    return bool(sops) and any(
        isinstance(rule, AlertSource) and (rule.sop_ref or "").partition("#")[0] in sops
        for file in loaded.files
        for group in file.groups
        for rule in group.rules
    )
