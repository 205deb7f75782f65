"""The runbook site as Markdown and small static pages, before a generator makes HTML of it.

In: what compiled, tocsin.yaml, the ledger, Git's history, and the pages a team keeps in `site/`. Out: artifacts below `dist/.work/site/`:

    <language>/mkdocs.yml, <language>/docs/**.md    one tree for each language, with the same files in each
    static/**                                       copied over the built site as it is: alert stubs, old addresses, the lookup file

Pure. `disk.site` writes the tree, runs the generator and puts the result in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tocsin.emit.catalog import Contents
from tocsin.emit.site import paths
from tocsin.emit.site.config import mkdocs_yml
from tocsin.emit.site.error_page import error_page
from tocsin.emit.site.home import home_page
from tocsin.emit.site.incident_page import incident_page
from tocsin.emit.site.kept import kept_pages, kept_texts, linkable, styles
from tocsin.emit.site.levels_page import levels_page
from tocsin.emit.site.lookup import FILE as LOOKUP_FILE
from tocsin.emit.site.lookup import lookup_js
from tocsin.emit.site.model import SiteModel, build_model
from tocsin.emit.site.nav import index_pages, navigation
from tocsin.emit.site.prose import render_body
from tocsin.emit.site.reports import report_pages
from tocsin.emit.site.service_page import service_page
from tocsin.emit.site.sop_page import sop_page
from tocsin.emit.site.stub import (
    MOVED,
    MOVED_TEXT,
    SHEET,
    SHEET_TEXT,
    Shape,
    alert_stubs,
    alias_pages,
    gone_pages,
)
from tocsin.emit.site.targets import KEPT_FOLDER, resolver
from tocsin.emit.site.team_page import team_page
from tocsin.ir.artifact import Artifact
from tocsin.ir.history import NO_HISTORY, History
from tocsin.ir.project import Ledger, Project

__all__ = (
    "SiteInput",
    "SiteMemory",
    "changed_pages",
    "emit_site",
    "emit_static",
    "emit_tree",
    "site_pages",
    "sop_pages",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInput:
    """What a site is made from. `kept` holds the files of `site/`, each with its path below that folder: Markdown as text, the rest as
    text or bytes. `files` makes a site that opens from disk, where the address of a folder opens nothing."""

    contents: Contents
    project: Project
    ledger: Ledger = field(default_factory=Ledger)
    history: History = NO_HISTORY
    kept: tuple[tuple[str, str | bytes], ...] = ()
    public: bool = False
    files: bool = False


SiteMemory = dict[tuple[str, str], tuple[object, str]]
"""What an earlier call made, for a preview: (language, SOP) -> what the page was made from, and the page."""


def emit_site(given: SiteInput) -> Iterator[Artifact]:
    """Every text file of the tree, in no order. Pictures among the kept files are bytes, and copied by whoever writes the tree."""
    yield from emit_tree(given)
    yield from emit_static(given)


def emit_tree(
    given: SiteInput,
    memory: SiteMemory | None = None,
    made: Mapping[tuple[str, str], str] | None = None,
) -> Iterator[Artifact]:
    """What the generator reads. With a `memory` only the SOP pages are made whose SOP or alerts changed; `made` are pages of `sop_pages`."""
    model = _model(given)
    if memory is not None and memory.get(_GROUND, (None, ""))[0] != _ground(given, model):
        memory.clear()
        memory[_GROUND] = (_ground(given, model), "")
    for language in given.project.site.languages:
        kept = dict(kept_pages(given.kept, model, language))
        named = _linkable(given, model, language)
        pages = dict(site_pages(model, language, kept=named, memory=memory, made=made or {}))
        yield Artifact(
            path=f"{language}/mkdocs.yml",
            text=mkdocs_yml(
                model, language, navigation(language), styles=styles(given.kept), pack=given.files
            ),
        )
        kept.update(kept_texts(given.kept))
        for path, text in {**kept, **{paths.markdown(each): text for each, text in pages.items()}}.items():
            yield Artifact(path=f"{language}/docs/{path}", text=text)


def changed_pages(given: SiteInput, memory: SiteMemory) -> tuple[Artifact, ...]:
    """Only the SOP pages that changed since `emit_tree` filled the memory, which then knows them: what somebody who writes a SOP waits for.
    Nothing where more than SOPs changed.
    """
    model = _model(given)
    if memory.get(_GROUND, (None, ""))[0] != _ground(given, model):
        return ()
    found = []
    for language in given.project.site.languages:
        named = _linkable(given, model, language)
        for id, view in model.sops.items():
            known = memory.get((language, id))
            if known is None or known[0] != view:
                text = _sop(model, id, language, named)
                memory[language, id] = (view, text)
                found.append(Artifact(path=f"{language}/docs/{paths.markdown(paths.sop(id))}", text=text))
    return tuple(found)


def _ground(given: SiteInput, model: SiteModel) -> object:
    return (given.project, given.kept, given.history, tuple(model.sops))


def sop_pages(given: SiteInput, part: int, parts: int) -> dict[tuple[str, str], str]:
    """One of `parts` shares of the SOP pages: (language, id) -> Markdown. Two processes make them in half of the time."""
    model = _model(given)
    found = {}
    for language in given.project.site.languages:
        named = _linkable(given, model, language)
        for id in tuple(model.sops)[part::parts]:
            found[language, id] = _sop(model, id, language, named)
    return found


def _linkable(given: SiteInput, model: SiteModel, language: str) -> frozenset[str]:
    return linkable(given.kept) | {KEPT_FOLDER + each for each, _ in kept_pages(given.kept, model, language)}


def _sop(model: SiteModel, id: str, language: str, kept: frozenset[str]) -> str:
    view = model.sops[id]
    text = view.text(language)
    resolve = resolver(model, text.file.path, paths.sop(id), kept)
    return sop_page(model, view, language, render_body(text.body, resolve=resolve))


def emit_static(given: SiteInput) -> Iterator[Artifact]:
    """What goes straight to the built site: stubs, old addresses, the lookup file."""
    model = _model(given)
    for language in given.project.site.languages:
        base = paths.base(language, given.project.site.languages)
        shape = Shape(language=language, files=given.files, base=base)
        kept = {path.removesuffix(".md") for path, _ in kept_pages(given.kept, model, language)}
        taken = _addresses(model, language) | kept
        living = [*alert_stubs(model, shape), *alias_pages(model, shape, taken)]
        gone = gone_pages(model, shape, taken | {address for address, _ in living})
        for address, text in (*living, *gone):
            yield Artifact(path=f"static/{base}{address}/index.html", text=text)
    yield Artifact(path=f"static/{SHEET}", text=SHEET_TEXT)
    yield Artifact(path=f"static/{MOVED}", text=MOVED_TEXT)
    yield Artifact(path=f"static/{LOOKUP_FILE}", text=lookup_js(model))


_GROUND = ("", "")


def _model(given: SiteInput) -> SiteModel:
    return build_model(
        given.contents, given.project, given.ledger, given.history, public=given.public, files=given.files
    )


def _addresses(model: SiteModel, language: str) -> frozenset[str]:
    """The address of every page `site_pages` makes."""
    return frozenset(
        (
            *(file.removesuffix(".md").removesuffix("index").rstrip("/") for _, file in navigation(language)),
            *map(paths.sop, model.sops),
            *map(paths.service, model.services),
            *(paths.team(each.id) for each in model.project.teams),
            *map(paths.error, model.error_codes),
            *map(paths.incident, model.incidents),
        )
    )


def site_pages(
    model: SiteModel,
    language: str,
    *,
    kept: frozenset[str] = frozenset(),
    memory: SiteMemory | None = None,
    made: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> Iterator[tuple[str, str]]:
    """Every page of one language's tree: address and Markdown. `kept` are the files of `site/` that prose may link to."""
    yield paths.HOME, home_page(model, language)
    yield from index_pages(model, language)
    for id, view in model.sops.items():
        known = memory.get((language, id)) if memory is not None else None
        if known is not None and known[0] == view:
            yield paths.sop(id), known[1]
            continue
        text = made.get((language, id)) or _sop(model, id, language, kept)
        if memory is not None:
            memory[(language, id)] = (view, text)
        yield paths.sop(id), text
    for name in model.services:
        yield paths.service(name), service_page(model, name, language)
    for team in model.project.teams:
        yield paths.team(team.id), team_page(model, team, language)
    for code in model.error_codes:
        yield paths.error(code), error_page(model, code, language)
    for id, incident in model.incidents.items():
        resolve = resolver(model, incident.file.path, paths.incident(id), kept)
        body = render_body(incident.body, resolve=resolve)
        yield paths.incident(id), incident_page(model, incident, language, body)
    yield paths.LEVELS, levels_page(model, language)
    yield from report_pages(model, language)
