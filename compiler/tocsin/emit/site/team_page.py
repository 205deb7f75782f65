"""One team: how to reach it, what it answers for, and which of its texts must be read again. In: the model. Out: one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tocsin.emit.site import paths
from tocsin.emit.site.markup import table
from tocsin.emit.site.model import SiteModel
from tocsin.emit.site.nav import MOST, owner_of, owners, sop_table
from tocsin.emit.site.parts import bullets, contact, due, page, service_link
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.service_page import alert_table
from tocsin.emit.site.words import say
from tocsin.ir.project import Team


def team_page(model: SiteModel, team: Team, language: str) -> str:
    """The page of one team."""
    return page(team.name or team.id, *_blocks(model, team, language, paths.team(team.id)))


def _blocks(model: SiteModel, team: Team, language: str, of: str) -> Iterator[str]:
    ways = (("rota", team.rota), ("chat", team.chat), ("email", team.email), ("escalation", team.escalation))
    rows = [(say(language, word), contact(text)) for word, text in ways if text]
    if rows:
        yield table([tr(language, "Reach it by"), say(language, "value")], rows)
    else:
        yield tr(language, "The project file says nothing about how to reach this team.")
    services = [each for each in model.services if team.id in owners(model, each)]
    if services:
        yield f"## {say(language, 'services')} {{#services}}"
        yield bullets(service_link(model, each, of) for each in services)
    yield f"## {say(language, 'sops')} {{#sops}}"
    owned = [each.sop for each in model.sops.values() if each.sop.owner == team.id]
    # Never reviewed first, then by the day the review is due.
    owned.sort(key=lambda each: (due(each.review) or "", each.id))
    yield sop_table(model, language, of, tuple(each.id for each in owned))
    yield f"## {say(language, 'alerts')} {{#alerts}}"
    alerts = [each for each in model.alerts.values() if owner_of(each) == team.id]
    if len(alerts) > MOST:
        counts = Counter(each.source.service for each in alerts)
        rows = [(service_link(model, each, of), str(counts[each])) for each in sorted(counts)]
        yield table([say(language, "service"), say(language, "alerts")], rows)
    else:
        yield alert_table(model, alerts, language, of) if alerts else say(language, "none")
