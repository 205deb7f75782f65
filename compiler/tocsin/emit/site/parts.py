"""What several kinds of pages are put together from: the top of a page, and the links from one thing to another.

Every function gives Markdown that is safe to put into a page; what an author wrote goes through `markup`. A link to a page of the docs tree is
written to its file, so that the generator checks it; a link to a stub, which the generator does not know, is our own HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

from tocsin.emit.site import paths
from tocsin.emit.site.markup import link, plain, safe_target
from tocsin.emit.site.model import AlertView, SiteModel
from tocsin.emit.site.words import say
from tocsin.ir.duration import parse_duration
from tocsin.ir.project import Team
from tocsin.ir.sop import Review, Sop

_UNSAFE_TITLE = str.maketrans({"<": "‹", ">": "›", "&": "＆", '"': "”", "\\": "＼", "{": "(", "}": ")"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_DAY_MS = 86_400_000


def page(title: str, *blocks: str, search: bool = True) -> str:
    """A whole page. The title of the browser's tab is printed by the theme as it is, so what could be markup in it looks alike and is none;
    the heading says it exactly. `search` is whether full-text search knows the page.
    """
    tab = _CONTROL.sub(" ", title).translate(_UNSAFE_TITLE)
    head = [
        "---",
        f'title: "{" ".join(tab.split()) or "-"}"',
        *([] if search else ["search: {exclude: true}"]),
    ]
    return "\n".join(head) + f"\n---\n\n# {plain(title) or '&#45;'}\n\n" + joined(*blocks)


def joined(*blocks: str) -> str:
    """Blocks with a blank line between them; empty ones are left out."""
    return "\n\n".join(each.strip("\n") for each in blocks if each.strip()) + "\n"


def bullets(rows: Iterable[str]) -> str:
    """A list of Markdown lines."""
    return "\n".join(f"- {each}" for each in rows)


def severity(model: SiteModel, name: str | None, language: str) -> str:
    """The word of a severity, with the class that gives it a shape and a colour."""
    policy = model.project.severity(name)
    if name is None:
        return plain(say(language, "no_severity"))
    rank = f" tocsin-urgency-{policy.urgency}" if policy is not None else ""
    return f'<span class="tocsin-severity{rank}">{plain(name)}</span>'


def sop_link(model: SiteModel, id: str, language: str, of: str, anchor: str = "") -> str:
    """Id and title of a SOP, linked to its page; the id alone where there is no such page."""
    view = model.sops.get(id)
    if view is None:
        return plain(id)
    target = paths.relative(paths.sop(id), of) + (f"#{anchor}" if anchor else "")
    return f"{link(plain(id), target)} {plain(view.text(language).title)}"


def stub_link(model: SiteModel, name: str, of: str) -> str:
    """An alertname, linked to its stub."""
    return f'<a href="{paths.direct(paths.alert(name), of, files=model.files)}">{plain(name)}</a>'


def alert_link(model: SiteModel, view: AlertView, of: str) -> str:
    """Every name an alert fires under, each linked to its stub."""
    return ", ".join(stub_link(model, each, of) for each in view.names)


def answer_link(model: SiteModel, view: AlertView, language: str, of: str) -> str:
    """The SOP of an alert; where it has none, or none on a public site, the words for that."""
    return sop_link(model, view.sop, language, of, view.anchor) if view.sop else say(language, "none")


def service_link(model: SiteModel, name: str, of: str) -> str:
    """A service, linked to its page where it has one."""
    return (
        link(plain(name), paths.relative(paths.service(name), of)) if name in model.services else plain(name)
    )


def team_link(model: SiteModel, id: str | None, of: str) -> str:
    """A team's name, linked to its page; the id as written where tocsin.yaml declares no such team."""
    team = model.project.team(id)
    if team is None:
        return plain(id or "")
    return link(plain(team.name or team.id), paths.relative(paths.team(team.id), of))


def incident_link(model: SiteModel, id: str, of: str) -> str:
    """An incident's id and title, linked to its page; the id alone where there is no such page."""
    incident = model.incidents.get(id)
    if incident is None:
        return plain(id)
    return f"{link(plain(id), paths.relative(paths.incident(id), of))} {plain(incident.title)}"


def contact(text: str) -> str:
    """A way to reach somebody: a link where it is an address."""
    if "@" in text and re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+", text):
        return link(plain(text), f"mailto:{text}")
    if text.startswith(("https://", "http://")) and safe_target(text):
        return link(plain(text), text)
    return plain(text)


def contacts(team: Team, language: str) -> str:
    """Every way to reach a team, on one line."""
    ways = (("rota", team.rota), ("chat", team.chat), ("email", team.email), ("escalation", team.escalation))
    return "; ".join(f"{say(language, key)} {contact(text)}" for key, text in ways if text)


def due(review: Review | None) -> str | None:
    """The day (ISO) by which a text must be read again; None where it never was, or a date or period is not one."""
    if review is None:
        return None
    period = parse_duration(review.every)
    try:
        last = date.fromisoformat(review.last)
        return (last + timedelta(days=period // _DAY_MS)).isoformat() if period else None
    except (ValueError, OverflowError):
        return None


def due_mark(sop: Sop, language: str) -> str:
    """When a SOP's review is due. The page's script says whether that is past: a compiler has no clock."""
    day = due(sop.review)
    if day is None:
        return say(language, "never_reviewed")
    return f'<time class="tocsin-due" datetime="{day}">{day}</time>'
