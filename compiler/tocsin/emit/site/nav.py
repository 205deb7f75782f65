"""The navigation and the index pages, which are all that stands in it: a page with links to 2,000 others, 2,000 times over, is most of a site.

In: the model. Out: `(title, file)` pairs for the generator's configuration, and one page for each kind of thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape

from tocsin.emit.site import paths
from tocsin.emit.site.markup import link, plain, table
from tocsin.emit.site.model import AlertView, SiteModel
from tocsin.emit.site.parts import (
    due_mark,
    incident_link,
    joined,
    page,
    service_link,
    severity,
    sop_link,
    team_link,
)
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.words import say

_TITLES = {
    paths.HOME: "home",
    paths.SOPS: "sops",
    paths.ALERTS: "alerts",
    paths.SERVICES: "services",
    paths.TEAMS: "teams",
    paths.ERRORS: "errors",
    paths.INCIDENTS: "incidents",
    paths.LEVELS: "levels",
    paths.COVERAGE: "coverage",
    paths.FRESHNESS: "freshness",
    paths.LANGUAGES: "languages",
    paths.RELEASES: "releases",
}


def navigation(language: str) -> tuple[tuple[str, str], ...]:
    """Title and file of every entry, in order."""
    return tuple((say(language, word), paths.markdown(page)) for page, word in _TITLES.items())


def index_pages(model: SiteModel, language: str) -> Iterator[tuple[str, str]]:
    """Every index page: its address and its text."""
    yield (
        paths.SOPS,
        page(
            say(language, "sops"), sop_table(model, language, paths.SOPS, tuple(model.sops), len(model.sops))
        ),
    )
    yield paths.ALERTS, page(say(language, "alerts"), *_alerts(model, language), search=False)
    yield paths.SERVICES, page(say(language, "services"), _services(model, language))
    yield paths.TEAMS, page(say(language, "teams"), _teams(model, language))
    yield paths.ERRORS, page(say(language, "errors"), _errors(model, language))
    yield paths.INCIDENTS, page(say(language, "incidents"), _incidents(model, language))


MOST = 200
"""Rows of a table that repeats what an index page or a service's page lists whole: 2,000 rows on three pages more are megabytes on a phone."""


def sop_table(model: SiteModel, language: str, of: str, ids: tuple[str, ...], most: int = MOST) -> str:
    """SOPs with what a reader chooses one by: the first `most`, and where the others are."""
    rows = []
    watches = Counter(each.sop for each in model.watches)
    for id in ids[:most]:
        view = model.sops[id]
        sop = view.sop
        rows.append(
            (
                sop_link(model, id, language, of),
                severity(model, sop.severity, language),
                say(language, f"status_{sop.status}"),
                team_link(model, sop.owner, of),
                str(len(view.alerts) + watches[id]),
                due_mark(sop, language),
            )
        )
    headers = ("sop", "severity", "status", "owner", "alerts", "review")
    if not rows:
        return say(language, "none")
    more = tr(language, "{count} in all: see", count=len(ids))
    others = (
        f"{more} {link(say(language, 'sops'), paths.relative(paths.SOPS, of))}" if len(ids) > most else ""
    )
    return joined(table([say(language, each) for each in headers], rows), others)


def _alerts(model: SiteModel, language: str) -> Iterator[str]:
    """Every alertname, by its first letter. Our own HTML: a table of 10,000 rows takes the generator many seconds."""
    by_letter: dict[str, list[str]] = {}
    for name in sorted(
        {*model.by_name, *(each.name for each in model.watches)}, key=lambda each: (each.casefold(), each)
    ):
        letter = name[:1].upper()
        by_letter.setdefault(letter if letter.isascii() and letter.isalnum() else "#", []).append(name)
    if not by_letter:
        yield say(language, "none")
    for letter in sorted(by_letter):
        items = "\n".join(
            f'<li><a href="{paths.direct(paths.alert(name), paths.ALERTS, files=model.files)}">{_entities(name)}</a></li>'
            for name in by_letter[letter]
        )
        anchor = letter.lower() if letter != "#" else "other"
        yield f"## {plain(letter)} {{#{anchor}}}"
        yield f'<ul class="tocsin-names">\n{items}\n</ul>'


def _entities(text: str) -> str:
    return escape(" ".join(text.split())).replace("`", "&#96;")


def _services(model: SiteModel, language: str) -> str:
    rows = []
    for name in model.services:
        alerts = model.alerts_of(name)
        frozen = [tr(language, "its rules have mistakes")] if name in model.frozen else []
        rows.append(
            (
                "; ".join([service_link(model, name, paths.SERVICES), *frozen]),
                ", ".join(team_link(model, each, paths.SERVICES) for each in owners(model, name)),
                str(len(alerts)),
                str(len(model.sops_of(name))),
            )
        )
    headers = ("service", "owner", "alerts", "sops")
    return table([say(language, each) for each in headers], rows) if rows else say(language, "none")


def owners(model: SiteModel, service: str) -> tuple[str, ...]:
    """The teams that own a service's alerts or, where it has none, its SOPs."""
    found = {owner_of(each) for each in model.alerts_of(service)} - {""}
    return tuple(sorted(found or {each.sop.owner for each in model.sops_of(service)} - {""}))


def owner_of(view: AlertView) -> str:
    """The team an alert goes to: what it compiled with, else what its source says."""
    worst = view.worst
    return (worst.owner if worst is not None else view.source.owner) or view.source.owner or ""


def _teams(model: SiteModel, language: str) -> str:
    rows = []
    for team in model.project.teams:
        rows.append(
            (
                team_link(model, team.id, paths.TEAMS),
                str(sum(1 for each in model.sops.values() if each.sop.owner == team.id)),
                str(sum(1 for each in model.alerts.values() if owner_of(each) == team.id)),
            )
        )
    headers = ("team", "sops", "alerts")
    return table([say(language, each) for each in headers], rows) if rows else say(language, "none")


def _errors(model: SiteModel, language: str) -> str:
    rows = [
        (
            link(plain(code), paths.relative(paths.error(code), paths.ERRORS)),
            ", ".join(sop_link(model, each, language, paths.ERRORS) for each in ids),
        )
        for code, ids in model.error_codes.items()
    ]
    headers = ("error", "sops")
    return table([say(language, each) for each in headers], rows) if rows else say(language, "none")


def _incidents(model: SiteModel, language: str) -> str:
    rows = [
        (
            incident_link(model, id, paths.INCIDENTS),
            severity(model, each.severity, language),
            plain(each.start),
            ", ".join(service_link(model, name, paths.INCIDENTS) for name in each.services),
        )
        for id, each in model.incidents.items()
    ]
    headers = [say(language, each) for each in ("incident", "severity")]
    headers += [tr(language, "Began"), say(language, "services")]
    return joined(table(headers, rows)) if rows else say(language, "none")
