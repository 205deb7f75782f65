"""Reports about the whole: where nobody is watching, what rots, what is not translated. In: the model. Out: pages of tables.

Nothing here is a date's judgement: what is overdue the reader's own clock says, as everywhere on the site.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.emit.site import paths
from tocsin.emit.site.markup import code, plain, table
from tocsin.emit.site.model import AlertView, SiteModel, SopView
from tocsin.emit.site.parts import (
    alert_link,
    due,
    due_mark,
    page,
    service_link,
    severity,
    sop_link,
    team_link,
)
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.releases import releases_page
from tocsin.emit.site.service_page import SIGNALS, alert_table, blind_spots, signal_name
from tocsin.emit.site.sop_page import is_stale
from tocsin.emit.site.words import language_name, say


def report_pages(model: SiteModel, language: str) -> Iterator[tuple[str, str]]:
    """Every report: its address and its text."""
    yield paths.COVERAGE, page(say(language, "coverage"), *_coverage(model, language))
    yield paths.FRESHNESS, page(say(language, "freshness"), *_freshness(model, language))
    yield paths.LANGUAGES, page(say(language, "languages"), *_languages(model, language))
    yield releases_page(model, language)


def _coverage(model: SiteModel, language: str) -> Iterator[str]:
    of = paths.COVERAGE
    yield tr(
        language,
        "For each service and golden signal: is somebody paged, is a ticket opened, or is nobody told?",
    )
    rows = []
    for name in model.services:
        alerts = model.alerts_of(name)
        rows.append(
            (service_link(model, name, of), *(_told(model, alerts, each, language) for each in SIGNALS))
        )
    yield table([say(language, "service"), *(signal_name(each, language) for each in SIGNALS)], rows)
    bare = [each for each in model.alerts.values() if not each.sop]
    hidden = [each for each in bare if model.public and each.source.sop_ref]
    bare = [each for each in bare if each not in hidden]
    yield f"## {tr(language, 'Alerts no procedure answers')} {{#alerts}}"
    yield alert_table(model, bare, language, of) if bare else say(language, "none")
    watched = {each.sop for each in model.watches}
    unused = [
        each
        for each in model.sops.values()
        if not each.alerts and each.sop.id not in watched and each.sop.status != "retired"
    ]
    yield f"## {tr(language, 'Procedures no alert leads to')} {{#sops}}"
    rows = [
        (
            sop_link(model, each.sop.id, language, of),
            tr(language, "started by hand") if each.sop.manual else "",
            team_link(model, each.sop.owner, of),
        )
        for each in unused
    ]
    words = [say(language, "sop"), tr(language, "Meant so"), say(language, "owner")]
    yield table(words, rows) if rows else say(language, "none")
    yield from _blind(model, language, of)


def _told(model: SiteModel, alerts: tuple[AlertView, ...], signal: str, language: str) -> str:
    """Page, ticket or none, as a word and a mark: colour alone tells nothing on paper."""
    found = [
        tier.alert
        for each in alerts
        if each.source.signal == signal
        for tier in each.tiers
        if not tier.alert.paused
    ]
    if not found:
        return f"○ {tr(language, 'none')}"
    pages = {each.name for each in model.project.severities if each.pages}
    if any(each.severity in pages for each in found):
        return f"● {tr(language, 'page')}"
    return f"◐ {tr(language, 'ticket')}"


def _blind(model: SiteModel, language: str, of: str) -> Iterator[str]:
    spots = [
        (sop_link(model, id, language, of), *spot)
        for id, each in model.sops.items()
        for spot in blind_spots(each.sop.meta)
    ]
    yield f"## {say(language, 'blind_spots')} {{#blind-spots}}"
    words = [say(language, each) for each in ("sop", "what", "reason", "until")]
    yield table(words, spots) if spots else say(language, "none")
    silent = [
        each
        for each in model.sops.values()
        if each.sop.log_patterns
        and not each.alerts
        and all(each.sop.id != watch.sop for watch in model.watches)
    ]
    rows = [
        (sop_link(model, each.sop.id, language, of), ", ".join(code(text) for text in each.sop.log_patterns))
        for each in silent
    ]
    yield f"## {tr(language, 'Log lines no alert stands for')} {{#log-lines}}"
    yield table([say(language, "sop"), say(language, "log_lines")], rows) if rows else say(language, "none")


def _freshness(model: SiteModel, language: str) -> Iterator[str]:
    of = paths.FRESHNESS
    yield tr(language, "Procedures by the day their review is due; those never reviewed come first.")
    rows = [
        (
            sop_link(model, view.sop.id, language, of),
            severity(model, view.sop.severity, language),
            team_link(model, view.sop.owner, of),
            plain(view.sop.review.last) if view.sop.review is not None else "",
            due_mark(view.sop, language),
            _exercised(view, language),
            _changed(model, view),
            ", ".join(alert_link(model, each, of) for each in view.alerts if each.changed is not None),
        )
        for view in sorted(model.sops.values(), key=lambda each: (due(each.sop.review) or "", each.sop.id))
        if view.sop.status != "retired"
    ]
    words = [say(language, each) for each in ("sop", "severity", "owner")]
    words += [
        tr(language, "Reviewed"),
        tr(language, "Due"),
        say(language, "exercised"),
        say(language, "last_change"),
    ]
    words += [tr(language, "Rules changed since")]
    yield table(words, rows) if rows else say(language, "none")
    if model.history.shallow:
        yield tr(language, "The history is cut short here, so older changes are missing.")


def _exercised(view: SopView, language: str) -> str:
    exercised = view.sop.meta.get("exercised")
    last = exercised.get("last") if isinstance(exercised, dict) else None
    return plain(last) if isinstance(last, str) else say(language, "never_exercised")


def _changed(model: SiteModel, view: SopView) -> str:
    change = model.history.files.get(view.sop.file.path)
    return plain(change.at[:10]) if change is not None else ""


def _languages(model: SiteModel, language: str) -> Iterator[str]:
    of = paths.LANGUAGES
    every = model.project.site.languages
    total = len(model.sops)
    rows = []
    for each in every:
        held = sum(1 for view in model.sops.values() if each in view.languages)
        share = f"{100 * held // total} %" if total else ""
        rows.append((plain(language_name(language, each)), f"{held} / {total}", share))
    yield table([tr(language, "Language"), say(language, "sops"), tr(language, "Share")], rows)
    stale_ones = [
        (
            sop_link(model, id, language, of),
            plain(language_name(language, each)),
            team_link(model, view.sop.owner, of),
        )
        for id, view in model.sops.items()
        for each, text in sorted(view.languages.items())
        if is_stale(view, text)
    ]
    words = [say(language, "sop"), tr(language, "Language"), say(language, "owner")]
    yield f"## {tr(language, 'Translations older than their original')} {{#stale}}"
    yield table(words, stale_ones) if stale_ones else say(language, "none")
    missing = [
        (
            sop_link(model, id, language, of),
            plain(language_name(language, each)),
            team_link(model, view.sop.owner, of),
        )
        for id, view in model.sops.items()
        for each in every
        if each not in view.languages and view.sop.status != "retired"
    ]
    yield f"## {tr(language, 'Not translated')} {{#missing}}"
    yield table(words, missing) if missing else say(language, "none")
