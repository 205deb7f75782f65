"""One error code: the SOPs that know it, and the alerts that lead to them. In: the model. Out: one page."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.emit.site import paths
from tocsin.emit.site.markup import code as code_text
from tocsin.emit.site.markup import plain
from tocsin.emit.site.model import SiteModel
from tocsin.emit.site.nav import sop_table
from tocsin.emit.site.parts import bullets, page, service_link
from tocsin.emit.site.service_page import alert_table
from tocsin.emit.site.words import say


def error_page(model: SiteModel, code: str, language: str) -> str:
    """The page of one error code."""
    return page(code, *_blocks(model, code, language, paths.error(code)))


def _blocks(model: SiteModel, code: str, language: str, of: str) -> Iterator[str]:
    ids = model.error_codes[code]
    yield sop_table(model, language, of, ids)
    symptoms = list(dict.fromkeys(each for id in ids for each in model.sops[id].text(language).symptoms))
    if symptoms:
        yield f"## {say(language, 'symptoms')} {{#symptoms}}"
        yield bullets(plain(each) for each in symptoms)
    patterns = list(dict.fromkeys(each for id in ids for each in model.sops[id].sop.log_patterns))
    if patterns:
        yield f"## {say(language, 'log_lines')} {{#log-lines}}"
        yield bullets(code_text(each) for each in patterns)
    services = sorted({each for id in ids for each in model.sops[id].sop.services})
    if services:
        yield f"## {say(language, 'services')} {{#services}}"
        yield bullets(service_link(model, each, of) for each in services)
    alerts = [each for id in ids for each in model.sops[id].alerts]
    if alerts:
        yield f"## {say(language, 'alerts')} {{#alerts}}"
        yield alert_table(model, alerts, language, of)
