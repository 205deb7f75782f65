"""Everything seen together: the view of checks that cross services, what Git is asked for them, and the addresses that are published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from tocsin.check import CatalogView, SopIndex
from tocsin.check.freshness import reviewed_alerts
from tocsin.ir.history import NO_HISTORY, History
from tocsin.pipeline.addresses import addresses
from tocsin.pipeline.values import Compilation, PageReport, ServiceReport, Settings


class Past(Protocol):
    """What Git says, asked once and only when it is known what for: `cli` opens that door, here it is a value that comes in."""

    def __call__(self, reviewed: Mapping[str, str], /) -> History:
        """`reviewed`: alert id -> the day its SOP was last read."""


def no_past(reviewed: Mapping[str, str]) -> History:
    """Nobody asks Git."""
    return NO_HISTORY


def published(compilation: Compilation) -> Mapping[str, tuple[str, ...]]:
    """Address -> anchors of everything the site of this compilation has. Of a frozen service nothing is known: it adds nothing."""
    assert compilation.settings is not None
    pages = [each.report for each in compilation.pages]
    return addresses(
        [each.report.facts for each in compilation.services if not each.report.broken],
        [each.sop for each in pages if each.sop is not None],
        [each.incident for each in pages if each.incident is not None],
        compilation.settings.project,
    )


def history_for(
    settings: Settings, services: Iterable[ServiceReport], pages: Iterable[PageReport], past: Past
) -> History:
    """What Git says about the alerts whose SOP has a day of review; where no SOP has one it is not asked."""
    reviewed = reviewed_alerts(catalog_of(settings, services, pages, frozenset(), NO_HISTORY))
    return past(reviewed) if reviewed else NO_HISTORY


def catalog_of(
    settings: Settings,
    services: Iterable[ServiceReport],
    pages: Iterable[PageReport],
    paths: frozenset[str],
    history: History,
) -> CatalogView:
    """The view of all services and pages."""
    services, pages = list(services), list(pages)
    sops = tuple(each.sop for each in pages if each.sop is not None)
    facts = tuple(each.facts for each in services)
    incidents = tuple(each.incident for each in pages if each.incident is not None)
    asked = bool(settings.ledger.site) or any(each.aliases for each in sops)
    return CatalogView(
        services=facts,
        sops=sops,
        index=SopIndex.of(sops),
        incidents=incidents,
        project=settings.project,
        frozen=frozenset(each.facts.service for each in services if each.broken),
        today=settings.today,
        site_files=paths,
        ledger=settings.ledger,
        history=history,
        published=addresses(facts, sops, incidents, settings.project) if asked and paths else {},
    )
