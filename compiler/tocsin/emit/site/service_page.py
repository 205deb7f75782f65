"""One service: its alerts by golden signal, its SOPs, incidents, error codes, and what no alert sees. In: the model. Out: one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.emit.site import paths
from tocsin.emit.site.markup import UNSEARCHED, link, plain, table
from tocsin.emit.site.model import AlertView, SiteModel
from tocsin.emit.site.nav import owners, sop_table
from tocsin.emit.site.parts import (
    alert_link,
    answer_link,
    bullets,
    contacts,
    incident_link,
    page,
    severity,
    sop_link,
    team_link,
)
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.words import say

SIGNALS = ("latency", "traffic", "errors", "saturation")


def service_page(model: SiteModel, name: str, language: str) -> str:
    """The page of one service."""
    return page(name, *_blocks(model, name, language, paths.service(name)))


def _blocks(model: SiteModel, name: str, language: str, of: str) -> Iterator[str]:
    if name in model.frozen:
        words = say(language, "banner_frozen_text", services=plain(name))
        yield f'!!! warning "{say(language, "banner_frozen")}"\n    {words}'
    alerts, sops = model.alerts_of(name), model.sops_of(name)
    yield bullets(_owner(model, each, language, of) for each in owners(model, name))
    yield f"## {say(language, 'alerts')} {{#alerts}}"
    if not alerts:
        yield tr(language, "No alert watches this service.")
    for signal in signals(alerts):
        group = [each for each in alerts if (each.source.signal or "") == signal]
        anchor = f"signal-{paths.segment(signal) if signal else 'none'}"
        yield f"### {signal_name(signal, language)} {{: #{anchor} {UNSEARCHED} }}"
        yield alert_table(model, group, language, of)
    yield f"## {say(language, 'sops')} {{: #sops {UNSEARCHED} }}"
    yield sop_table(model, language, of, tuple(each.sop.id for each in sops))
    incidents = [id for id, each in model.incidents.items() if name in each.services]
    if incidents:
        yield f"## {say(language, 'incidents')} {{#incidents}}"
        yield bullets(incident_link(model, each, of) for each in incidents)
    own = {each.sop.id for each in sops if name in each.sop.services}
    codes = [code for code, ids in model.error_codes.items() if own.intersection(ids)]
    if codes:
        yield f"## {say(language, 'errors')} {{#errors}}"
        yield bullets(link(plain(each), paths.relative(paths.error(each), of)) for each in codes)
    spots = [
        (sop_link(model, each.sop.id, language, of), *spot)
        for each in sops
        for spot in blind_spots(each.sop.meta)
    ]
    if spots:
        yield f"## {say(language, 'blind_spots')} {{#blind-spots}}"
        yield table([say(language, each) for each in ("sop", "what", "reason", "until")], spots)


def _owner(model: SiteModel, id: str, language: str, of: str) -> str:
    team = model.project.team(id)
    ways = contacts(team, language) if team is not None else ""
    return f"{say(language, 'owner')}: {team_link(model, id, of)}" + (f" ({ways})" if ways else "")


def signals(alerts: Sequence[AlertView]) -> tuple[str, ...]:
    """The signals of some alerts: the four golden ones first, then others by name, those without one last."""
    found = {each.source.signal or "" for each in alerts}
    others = sorted(found - {*SIGNALS, ""})
    return (*(each for each in SIGNALS if each in found), *others, *([""] if "" in found else []))


def signal_name(signal: str, language: str) -> str:
    """A signal as a heading."""
    names = {
        "latency": tr(language, "Latency"),
        "traffic": tr(language, "Traffic"),
        "errors": tr(language, "Errors"),
        "saturation": tr(language, "Saturation"),
        "": tr(language, "No signal named"),
    }
    return names.get(signal) or plain(signal)


def alert_table(model: SiteModel, alerts: Sequence[AlertView], language: str, of: str) -> str:
    """Alerts with their most urgent severity and the SOP that answers each."""
    rows = []
    for view in alerts:
        worst = view.worst
        name = worst.severity if worst is not None else view.source.severity
        rows.append(
            (
                alert_link(model, view, of),
                severity(model, name, language),
                answer_link(model, view, language, of),
            )
        )
    return table([say(language, each) for each in ("alert", "severity", "sop")], rows)


def blind_spots(meta: object) -> Iterator[tuple[str, str, str]]:
    """What a SOP says no alert sees, as cells: what, reason, until."""
    rows = meta.get("known_blind_spots") if isinstance(meta, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            what, reason, until = (row.get(key) for key in ("what", "reason", "until"))
            yield plain(str(what or "")), plain(str(reason or "")), plain(str(until or ""))
