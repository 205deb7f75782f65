"""The pipeline's check over a large repository: two processes, and what did not change remembered between runs.

The steps are `pipeline`'s own and in its order; this room only decides where each runs and whether its answer is known already. An answer is
known when everything it was computed from is the same: tocsin itself, tocsin.yaml, the ledger, the day, the service's files, and what other
services and SOPs export.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import cast

from tocsin import __version__
from tocsin.diag import Diagnostic, Severity, SourceFile
from tocsin.disk.cache import Cache
from tocsin.disk.fork import Pipe, Second, cores
from tocsin.pipeline import (
    Exports,
    LoadedService,
    PageReport,
    Past,
    ServiceReport,
    Settings,
    Shared,
    Sources,
    Watch,
    by_service,
    compile_service,
    compile_sources,
    conclude,
    export,
    frozen_services,
    history_for,
    link,
    load_page,
    load_service,
    needs_everything,
    no_past,
    pages_of,
    read_settings,
    together,
    unsettled,
    unwatched,
)

WORTH_FORKING = 300_000
"""Characters of sources to work on below which a second process costs more than it saves (measured: about 30 ms against 1 s a megabyte)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check came to."""

    diagnostics: tuple[Diagnostic, ...]
    frozen: frozenset[str]
    fail_on: Severity | None


@dataclass(slots=True)
class Memory:
    """What the last run over this repository found out: key -> answer, by service and by page. Only what this run asked for is kept."""

    exports: dict[str, tuple[str, Exports]] = field(default_factory=dict)
    services: dict[str, tuple[str, ServiceReport]] = field(default_factory=dict)
    pages: dict[str, tuple[str, PageReport]] = field(default_factory=dict)


@dataclass(slots=True)
class _Share:
    """One process's part of the work, and its answers."""

    services: list[tuple[str, tuple[SourceFile, ...]]]
    pages: list[SourceFile]
    loaded: dict[str, LoadedService] = field(default_factory=dict)

    def first(
        self, settings: Settings, watch: Watch = unwatched
    ) -> tuple[list[Exports], list[tuple[str, PageReport]]]:
        """Loads the services, and checks the pages."""
        for service, files in watch(self.services, "loading"):
            self.loaded[service] = load_service(service, files)
        exports = [export(each, settings.project) for each in self.loaded.values()]
        return exports, [
            (file.path, load_page(file, settings).report) for file in watch(self.pages, "reading SOPs")
        ]

    def second(
        self, settings: Settings, shared: Shared, names: Sequence[str], watch: Watch = unwatched
    ) -> list[ServiceReport]:
        """Compiles the services of this share that are among `names`."""
        files = dict(self.services)
        reports: list[ServiceReport] = []
        for name in watch([each for each in names if each in files], "checking"):
            # Taken out of `loaded`, so that a service's rules are let go of when its report is made.
            loaded = self.loaded.pop(name) if name in self.loaded else load_service(name, files[name])
            reports.append(compile_service(loaded, settings, shared, digests=False).report)
        return reports


def check(
    sources: Sources,
    today: date,
    cache: Cache,
    root: Path,
    watch: Watch = unwatched,
    past: Past = no_past,
) -> Checked:
    """The findings of the whole repository: `pipeline.compile_sources(...).diagnostics`, sooner. `watch` sees this process's share."""
    settings, found = read_settings(sources, today)
    if settings is None:
        loaded = [load_service(service, files) for service, files in by_service(sources).items()]
        diagnostics = unsettled(found, loaded, sources)
        return Checked(diagnostics=diagnostics, frozen=frozenset(), fail_on=None)
    if needs_everything(settings.project):
        whole = compile_sources(sources, today, past=past)
        return Checked(diagnostics=whole.diagnostics, frozen=whole.frozen, fail_on=settings.project.fail_on)
    memory, ground = _remember(cache, root), _ground(sources, today)
    services = by_service(sources)
    keys = {service: _key(ground, files) for service, files in services.items()}
    every_page = pages_of(sources)
    page_keys = {file.path: _key(ground, (file,)) for file in every_page}
    new = [service for service in services if memory.exports.get(service, ("",))[0] != keys[service]]
    new_pages = [file for file in every_page if memory.pages.get(file.path, ("",))[0] != page_keys[file.path]]
    with _Crew([(each, services[each]) for each in services], new, new_pages, settings, watch) as crew:
        exports, pages = crew.first()
        for each in exports:
            memory.exports[each.service] = (keys[each.service], each)
        for path, page in pages:
            memory.pages[path] = (page_keys[path], page)
        memory.exports = {service: memory.exports[service] for service in services}
        memory.pages = {path: memory.pages[path] for path in page_keys}
        reports = [each for _, each in memory.pages.values()]
        every = [each for _, each in memory.exports.values()]
        world = _world(every, reports)
        final = {service: f"{keys[service]}-{world}" for service in services}
        stale = [service for service in services if memory.services.get(service, ("",))[0] != final[service]]
        if stale:
            for report in crew.second(every, reports, stale):
                memory.services[report.facts.service] = (final[report.facts.service], report)
    memory.services = {service: memory.services[service] for service in services}
    if new or new_pages or stale:
        cache.put(_name(root), pickle.dumps(memory, protocol=pickle.HIGHEST_PROTOCOL))
        if len(new) == len(services):
            # A cold run is slow anyway: the moment to make room for what it keeps.
            cache.evict()
    found = (*found, *together((), settings.project))
    done = [each for _, each in memory.services.values()]
    history = history_for(settings, done, reports, past)
    diagnostics = conclude(settings, found, done, reports, sources.paths, history)
    return Checked(
        diagnostics=diagnostics, frozen=frozen_services(diagnostics), fail_on=settings.project.fail_on
    )


class _Crew:
    """This process, and a second one where the work is worth it."""

    def __init__(
        self,
        services: Sequence[tuple[str, tuple[SourceFile, ...]]],
        new: Sequence[str],
        pages: Sequence[SourceFile],
        settings: Settings,
        watch: Watch,
    ) -> None:
        self.settings = settings
        self.watch = watch
        fresh = set(new)
        work = [each for each in services if each[0] in fresh]
        weight = sum(len(file.text) for _, files in work for file in files) + sum(
            len(file.text) for file in pages
        )
        self.second_process: Second[object] | None = None
        if cores() > 1 and weight >= WORTH_FORKING:
            theirs = _Share(services=work[1::2], pages=list(pages[1::2]))
            self.mine = _Share(
                services=[*work[::2], *(each for each in services if each[0] not in fresh)],
                pages=list(pages[::2]),
            )
            self.fresh = [name for name, _ in work[::2]]
            self.second_process = Second(lambda pipe: _child(pipe, theirs, settings))
        else:
            self.mine = _Share(services=list(services), pages=list(pages))
            self.fresh = list(new)

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        if self.second_process is not None:
            self.second_process.end()

    def first(self) -> tuple[list[Exports], list[tuple[str, PageReport]]]:
        """What every new service exports, and every new page."""
        fresh = set(self.fresh)
        share = _Share(
            services=[each for each in self.mine.services if each[0] in fresh], pages=self.mine.pages
        )
        exports, pages = share.first(self.settings, self.watch)
        self.mine.loaded = share.loaded
        if self.second_process is not None:
            more, more_pages = cast(
                "tuple[list[Exports], list[tuple[str, PageReport]]]", self.second_process.pipe.receive()
            )
            exports, pages = [*exports, *more], [*pages, *more_pages]
        return exports, pages

    def second(
        self, exports: list[Exports], pages: list[PageReport], stale: list[str]
    ) -> list[ServiceReport]:
        """The reports of the services in `stale`."""
        if self.second_process is not None:
            self.second_process.pipe.send((exports, pages, stale))
        shared = link(exports, pages, self.settings.project)
        reports = self.mine.second(self.settings, shared, stale, self.watch)
        if self.second_process is not None:
            reports += cast("list[ServiceReport]", self.second_process.pipe.receive())
        return reports


def _child(pipe: Pipe, share: _Share, settings: Settings) -> None:
    pipe.send(share.first(settings))
    try:
        exports, pages, stale = cast("tuple[list[Exports], list[PageReport], list[str]]", pipe.receive())
    except EOFError:
        return
    pipe.send(share.second(settings, link(exports, pages, settings.project), stale))


def _ground(sources: Sources, today: date) -> str:
    """What every answer rests on."""
    single = [each.digest if each is not None else "" for each in (sources.project, sources.ledger)]
    return "\x1f".join([__version__, today.isoformat(), *single])


def _key(ground: str, files: Iterable[SourceFile]) -> str:
    rows = "\x1e".join(f"{file.path}\x1f{file.digest}" for file in files)
    return hashlib.sha256(f"{ground}\x1d{rows}".encode("utf-8", "surrogatepass")).hexdigest()


def _world(exports: Iterable[Exports], pages: Iterable[PageReport]) -> str:
    """A digest of everything one service can see of the others."""
    records = [each.records for each in exports if any(each.records.values())]
    sops = [
        (
            each.sop.id,
            each.sop.translation_of,
            each.sop.status,
            each.sop.stub,
            sorted(each.sop.anchors),
            each.sop.has_flow,
            each.sop.path,
            each.sop.at,
            each.sop.replaced_by,
            bool(each.sop.quotes),
        )
        for each in pages
        if each.sop is not None
    ]
    return hashlib.sha256(repr((records, sops)).encode("utf-8", "surrogatepass")).hexdigest()


def _name(root: Path) -> str:
    return f"memory:{root}"


def _remember(cache: Cache, root: Path) -> Memory:
    data = cache.get(_name(root))
    if data is None:
        return Memory()
    try:
        memory = pickle.loads(data)  # the cache folder belongs to this user alone, see disk.cache
    except Exception:  # a cache that cannot be read is no cache
        return Memory()
    return memory if isinstance(memory, Memory) else Memory()
