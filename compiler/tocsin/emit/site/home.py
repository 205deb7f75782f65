"""The first page a responder sees: one box, what is urgent, whom to call, what changed, and how old this copy is.

In: the model. Out: Markdown with the box as our own HTML, which `assets/home.js` brings to life and which says where to look with scripts off.
Recent means: within a day of the commit the site was built from. A compiler has no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape

from tocsin.emit.site import paths
from tocsin.emit.site.levels_page import level_table
from tocsin.emit.site.lookup import call, draft_address
from tocsin.emit.site.markup import code, link, plain, safe_target, table
from tocsin.emit.site.model import SiteModel
from tocsin.emit.site.nav import sop_table
from tocsin.emit.site.parts import incident_link, joined, page, service_link, severity, sop_link
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.words import say
from tocsin.ir.history import Change

_FEWEST = 5
"""Changes shown even when they are older than a day."""
_MOST = 30
_URGENT = 50
"""Procedures listed before the levels: more than a screen or two nobody reads at night."""


def home_page(model: SiteModel, language: str) -> str:
    """The page."""
    urgent = tuple(
        id
        for id, view in sorted(
            model.sops.items(), key=lambda each: (_urgency(model, each[1].sop.severity), each[0])
        )
        if _urgency(model, view.sop.severity) <= 1 and view.sop.status in ("active", "draft")
    )
    return page(
        model.project.site.name,
        _box(model, language),
        f"## {tr(language, 'Most urgent procedures')} {{#urgent}}",
        sop_table(model, language, paths.HOME, urgent, _URGENT),
        f"## {say(language, 'levels')} {{#levels}}",
        level_table(model, language, paths.HOME),
        f"## {tr(language, 'Nothing matches?')} {{#nothing}}",
        *_nothing(model, language),
        f"## {tr(language, 'What changed last')} {{#changes}}",
        *_changes(model, language),
        f"## {tr(language, 'This copy')} {{#copy}}",
        _copy(model, language),
        search=False,
    )


def _urgency(model: SiteModel, name: str | None) -> int:
    policy = model.project.severity(name)
    return policy.urgency if policy is not None else len(model.project.severities) + 1


def _box(model: SiteModel, language: str) -> str:
    label = escape(tr(language, "Alert, symptom, error code or log line"))
    mode = ' data-links="files"' if model.files else ""
    indexes = "".join(
        f'<li><a href="{paths.direct(each, paths.HOME, files=model.files)}">{escape(say(language, word))}</a></li>'
        for each, word in (
            (paths.SOPS, "sops"),
            (paths.ALERTS, "alerts"),
            (paths.ERRORS, "errors"),
            (paths.SERVICES, "services"),
            (paths.TEAMS, "teams"),
            (paths.LEVELS, "levels"),
        )
    )
    lookup = paths.scripts(language, model.project.site.languages)
    return (
        f'<div id="tocsin-find"{mode}>\n<form action="#" role="search">\n<label for="tocsin-find-input">{label}</label>\n'
        f'<input type="search" id="tocsin-find-input" name="q" autocomplete="off" spellcheck="false">\n</form>\n'
        f"<noscript><p>{escape(tr(language, 'Scripts are off, so the box finds nothing. Look here:'))}</p><ul>{indexes}</ul></noscript>\n</div>\n"
        f'<script src="{lookup}lookup.js"></script>\n<script src="{lookup}home.js"></script>'
    )


def _nothing(model: SiteModel, language: str) -> Iterator[str]:
    rows = [
        (severity(model, name, language), plain(who), plain(within))
        for name, who, within in call(model.project)
    ]
    if rows:
        words = ("severity", "who", "respond_within")
        yield table([say(language, each) for each in words], rows)
    else:
        yield f"{tr(language, 'Call the team that owns the service:')} {link(say(language, 'teams'), paths.relative(paths.TEAMS, paths.HOME))}"
    draft = draft_address(model.project)
    if draft:
        yield link(tr(language, "Begin a new procedure with what you found"), draft)
    else:
        yield f"{tr(language, 'Then write down what you found, in a new file:')} {code('tocsin new sop')}"


def _changes(model: SiteModel, language: str) -> Iterator[str]:
    known = dict(_places(model, language))
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for path, change in sorted(model.history.files.items()):
        # One commit to several files of one service or SOP is one change.
        if path in known:
            seen.setdefault((known[path], change.commit), (change.at, path))
    changes = sorted(
        seen.values(),
        key=lambda each: (_inverted(each[0]), each[1]),
    )
    if not changes:
        yield tr(language, "Git says nothing about these files.")
        return
    head = model.history.head
    since = _before(head) if head is not None else ""
    shown = [each for each in changes if since and each[0] >= since][:_MOST]
    if len(shown) < _FEWEST:
        shown = changes[:_FEWEST]
    rows = []
    for at, path in shown:
        change = model.history.files[path]
        # A commit may speak of what is hidden from a public site.
        subject = "" if model.public else plain(change.subject)
        rows.append(
            (f'<time datetime="{escape(at)}">{plain(at[:16].replace("T", " "))}</time>', known[path], subject)
        )
    yield table([tr(language, "When"), say(language, "what"), tr(language, "Commit")], rows)


def _inverted(at: str) -> float:
    moment = _moment(at)
    return -moment.timestamp() if moment is not None else 0.0


def _moment(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return None


def _before(head: Change) -> str:
    moment = _moment(head.at)
    return (moment - timedelta(days=1)).isoformat() if moment is not None else ""


def _places(model: SiteModel, language: str) -> Iterator[tuple[str, str]]:
    """What each source file is on the site: only files whose pages are there."""
    for id, view in model.sops.items():
        for text in view.languages.values():
            yield text.file.path, sop_link(model, id, language, paths.HOME)
    for id, incident in model.incidents.items():
        yield incident.file.path, incident_link(model, id, paths.HOME)
    for alert in model.alerts.values():
        service = service_link(model, alert.source.service, paths.HOME)
        yield alert.source.origin.file, f"{tr(language, 'rules of')} {service}"


def _copy(model: SiteModel, language: str) -> str:
    head = model.history.head
    if head is None:
        return tr(language, "No commit is known for this copy: it was built outside a repository.")
    when = f'<time class="tocsin-built" datetime="{escape(head.at)}">{plain(head.at[:16].replace("T", " "))} UTC</time>'
    commit = head.commit[:12]
    repository = model.project.site.repository.rstrip("/")
    shown = code(commit)
    if repository and safe_target(repository):
        shown = link(shown, f"{repository}/commit/{commit}")
    return joined(f"{tr(language, 'Built from commit')} {shown}, {when}.").strip()
