"""What one team takes along: the part of the contents it answers for, and two pages made for paper.

In: everything that compiled, a team. Out: the same kind of contents, with that team's SOPs, the alerts that lead to them and the incidents in which
they were used; a page with every SOP that pages somebody, whole, one after the other; a card of one page. `emit_site` makes the rest as it does for
the large site, with addresses that open from disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tocsin.emit.catalog import Contents, sop_id
from tocsin.emit.site import SiteInput, emit_site, paths
from tocsin.emit.site.config import Nav, mkdocs_yml
from tocsin.emit.site.kept import linkable, styles
from tocsin.emit.site.levels_page import level_table
from tocsin.emit.site.lookup import first_step
from tocsin.emit.site.markup import plain, table
from tocsin.emit.site.model import SiteModel, SopView, build_model
from tocsin.emit.site.nav import navigation
from tocsin.emit.site.parts import contacts, joined, page, severity, sop_link
from tocsin.emit.site.prose import render_body
from tocsin.emit.site.targets import resolver
from tocsin.emit.site.words import say
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import CompiledAlert
from tocsin.ir.rule import AlertSource
from tocsin.ir.sop import Body

PRINT = "print"
CARD = "card"
_WORDS = {
    "print": ("To print: procedures that page", "打印:呼叫级处置手册"),
    "card": ("Quick card", "速查卡"),
    "first": ("First safe step", "第一步"),
    "whom": ("Whom to call", "联系谁"),
}


def contents_of_team(contents: Contents, team: str) -> Contents:
    """The contents a team answers for."""
    own = {each.id for each in contents.sops if each.owner == team and each.translation_of is None}
    files = []
    alerts: set[str] = set()
    for file in contents.files:
        groups = []
        for group in file.groups:
            rules = tuple(
                each for each in group.rules if isinstance(each, AlertSource) and sop_id(each) in own
            )
            alerts |= {each.id for each in rules}
            if rules:
                groups.append(replace(group, rules=rules))
        if groups:
            files.append(replace(file, groups=tuple(groups)))
    every = []
    for resolved in contents.every:
        kept = tuple(
            replace(
                group,
                rules=tuple(
                    each for each in group.rules if isinstance(each, CompiledAlert) and each.key.id in alerts
                ),
            )
            for group in resolved.groups
        )
        every.append(replace(resolved, groups=tuple(each for each in kept if each.rules)))
    return Contents(
        files=files,
        every=every,
        sops=[each for each in contents.sops if each.id in own],
        incidents=[
            each
            for each in contents.incidents
            if own & set(each.sops) or alerts & {*each.alerts, *each.missed}
        ],
    )


def emit_pack(given: SiteInput, team: str) -> Iterator[Artifact]:
    """Every text file of a team's pack, in no order."""
    given = replace(given, contents=contents_of_team(given.contents, team), files=True)
    model = build_model(
        given.contents, given.project, given.ledger, given.history, public=given.public, files=True
    )
    for each in emit_site(given):
        if not each.path.endswith("/mkdocs.yml"):
            yield each
    kept = linkable(given.kept)
    for language in given.project.site.languages:
        more: Nav = [(_word(language, name), paths.markdown(name)) for name in (CARD, PRINT)]
        yield Artifact(
            path=f"{language}/mkdocs.yml",
            text=mkdocs_yml(
                model, language, (*navigation(language), *more), styles=styles(given.kept), pack=True
            ),
        )
        yield Artifact(path=f"{language}/docs/{paths.markdown(CARD)}", text=_card(model, language, team))
        yield Artifact(path=f"{language}/docs/{paths.markdown(PRINT)}", text=_print(model, language, kept))


def _paging(model: SiteModel) -> tuple[SopView, ...]:
    """The SOPs somebody is called out of bed for, the most urgent first: their own severity pages, or that of an alert that leads to them."""

    def urgency(view: SopView) -> int:
        names = [view.sop.severity, *(tier.alert.severity for each in view.alerts for tier in each.tiers)]
        found = [model.project.severity(name) for name in names]
        return min((each.urgency for each in found if each is not None and each.pages), default=-1)

    views = [(urgency(each), id, each) for id, each in model.sops.items() if each.sop.status != "retired"]
    return tuple(view for rank, _, view in sorted(views, key=lambda each: each[:2]) if rank >= 0)


def _print(model: SiteModel, language: str, kept: frozenset[str]) -> str:
    blocks: list[str] = []
    for view in _paging(model):
        sop = view.text(language)
        prefix = sop.id.lower()
        resolve = resolver(model, sop.file.path, PRINT, kept)
        blocks.append(f"## {plain(sop.id)} {plain(sop.title)} {{#{prefix} .tocsin-new-sheet}}")
        blocks.append(severity(model, sop.severity, language))
        own = _own_anchors(sop.body, prefix)
        blocks.append(render_body(own, resolve=_within(resolve, prefix), demote=1))
    return page(_word(language, "print"), *(blocks or [say(language, "none")]), search=False)


def _own_anchors(body: Body, prefix: str) -> Body:
    """The sections with ids that are alone on a page of many SOPs."""
    return replace(
        body, sections=tuple(replace(each, anchor=f"{prefix}-{each.anchor}") for each in body.sections)
    )


def _within(resolve: Callable[[str], str | None], prefix: str) -> Callable[[str], str | None]:
    def found(target: str) -> str | None:
        return f"#{prefix}-{target[1:]}" if target.startswith("#") and len(target) > 1 else resolve(target)

    return found


def _card(model: SiteModel, language: str, team: str) -> str:
    rows: Sequence[tuple[str, ...]] = [
        (
            severity(model, view.sop.severity, language),
            sop_link(model, view.sop.id, language, CARD),
            plain(first_step(view.text(language))),
        )
        for view in _paging(model)
    ]
    headers = [say(language, "severity"), say(language, "sop"), _word(language, "first")]
    named = model.project.team(team)
    return page(
        _word(language, "card"),
        joined(table(headers, rows) if rows else say(language, "none")),
        f"## {_word(language, 'whom')} {{#call}}",
        contacts(named, language) if named is not None else "",
        level_table(model, language, CARD),
        search=False,
    )


def _word(language: str, key: str) -> str:
    return _WORDS[key][language == "zh"]
