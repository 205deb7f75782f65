"""One incident: when it began, was seen and ended, what fired and what should have, and what was learned. In: the model, the incident, its prose as
safe Markdown. Out: one page. Anchors made here begin with `tocsin-`: an author's own `Timeline` keeps `#timeline`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tocsin.emit.site import paths
from tocsin.emit.site.markup import code, plain, table
from tocsin.emit.site.model import SiteModel
from tocsin.emit.site.parts import (
    alert_link,
    answer_link,
    bullets,
    page,
    service_link,
    severity,
    sop_link,
    team_link,
)
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.words import say
from tocsin.ir.duration import Duration, format_duration
from tocsin.ir.sop import Incident


def incident_page(model: SiteModel, incident: Incident, language: str, body: str) -> str:
    """The page of one incident. `body` is its prose, rendered."""
    return page(
        f"{incident.id} {incident.title}",
        *_blocks(model, incident, language, paths.incident(incident.id)),
        body,
    )


def _blocks(model: SiteModel, incident: Incident, language: str, of: str) -> Iterator[str]:
    found_by = {
        "alert": tr(language, "an alert"),
        "person": tr(language, "a colleague"),
        "customer": tr(language, "a customer"),
    }
    facts = [
        (say(language, "severity"), severity(model, incident.severity, language)),
        (say(language, "services"), ", ".join(service_link(model, each, of) for each in incident.services)),
        (tr(language, "Found by"), found_by.get(incident.found_by) or plain(incident.found_by)),
        (tr(language, "Cause"), plain(_text(incident.meta, "cause"))),
        (tr(language, "Change that caused it"), plain(_text(incident.meta, "change"))),
        (
            tr(language, "Labels"),
            ", ".join(code(f"{key}={value}") for key, value in sorted(incident.labels.items())),
        ),
    ]
    yield table([say(language, "what"), say(language, "value")], [each for each in facts if each[1]])
    yield f"## {tr(language, 'Timeline')} {{#tocsin-timeline}}"
    words = [say(language, "what"), tr(language, "When"), tr(language, "After the beginning")]
    yield table(words, _timeline(incident, language))
    for title, anchor, ids in (
        ("Alerts that fired", "fired", incident.alerts),
        ("Alerts that should have fired", "missed", incident.missed),
    ):
        if ids:
            yield f"## {tr(language, title)} {{#tocsin-{anchor}}}"
            yield _alerts(model, ids, language, of)
    shown = [id for id, each in model.sops.items() if incident.id in each.incidents]
    # What an incident names that does not exist is shown as written; on a public site it may be hidden, and is not.
    unknown = [] if model.public else [each for each in incident.sops if each not in model.sops]
    if shown or unknown:
        yield f"## {say(language, 'sops')} {{#tocsin-sops}}"
        yield bullets(sop_link(model, each, language, of) for each in (*shown, *unknown))
    yield from _measured(incident, language)
    yield from _actions(model, incident, language, of)


def _timeline(incident: Incident, language: str) -> list[tuple[str, str, str]]:
    moments = (
        (tr(language, "Began"), incident.start),
        (tr(language, "Noticed"), incident.detected),
        (tr(language, "Mitigated"), incident.mitigated),
        (tr(language, "Ended"), incident.end),
    )
    begin = _moment(incident.start)
    rows = []
    for word, text in moments:
        if not text:
            continue
        at = _moment(text)
        after = "" if text == incident.start or at is None or begin is None else _after(at - begin)
        rows.append((word, f'<time datetime="{plain(text)}">{plain(text)}</time>', after))
    return rows


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _after(lapse: timedelta) -> str:
    milliseconds = int(lapse.total_seconds()) * 1000
    return plain(format_duration(Duration(milliseconds))) if milliseconds >= 0 else ""


def _alerts(model: SiteModel, ids: Sequence[str], language: str, of: str) -> str:
    rows = []
    for id in ids:
        view = model.alerts.get(id)
        if view is None:
            rows.append((plain(id), tr(language, "no longer among the rules")))
        else:
            rows.append((alert_link(model, view, of), answer_link(model, view, language, of)))
    return table([say(language, "alert"), say(language, "sop")], rows)


def _measured(incident: Incident, language: str) -> Iterator[str]:
    rows = [
        (code(_text(each, "name")), plain(_text(each, "normal")), plain(_text(each, "fault")))
        for each in _rows(incident.meta, "metrics")
    ]
    if rows:
        yield f"## {tr(language, 'What was measured')} {{#tocsin-metrics}}"
        yield table([say(language, "name"), tr(language, "Normally"), tr(language, "At fault")], rows)


def _actions(model: SiteModel, incident: Incident, language: str, of: str) -> Iterator[str]:
    rows = [
        (
            plain(_text(each, "what")),
            team_link(model, _text(each, "owner"), of),
            plain(_text(each, "due")),
            say(language, "yes" if each.get("done") is True else "no"),
        )
        for each in _rows(incident.meta, "actions")
    ]
    if rows:
        yield f"## {tr(language, 'Actions')} {{#tocsin-actions}}"
        words = (say(language, "what"), say(language, "owner"), tr(language, "Due"), tr(language, "Done"))
        yield table(words, rows)


def _rows(meta: Mapping[str, object], key: str) -> Iterator[Mapping[str, object]]:
    rows = meta.get(key)
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            yield row


def _text(mapping: Mapping[str, object], key: str) -> str:
    value = mapping.get(key)
    return str(value) if isinstance(value, str | int | float) else ""
