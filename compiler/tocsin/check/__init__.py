"""Checks: a function each, from a view to findings. `run_service` and `run_catalog` run them all; the order does not matter, reports sort.

Adding one: write the function beside its kin, add it to a tuple below, a row to `diag.codes`, a page to `diag/explain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tocsin.check import catalog, identity, labels, links, pages, policy, sops, timing
from tocsin.check.view import (
    AlertFacts,
    CatalogView,
    IncidentFacts,
    PageView,
    ServiceFacts,
    ServiceView,
    SopFacts,
    SopIndex,
)
from tocsin.diag import Diagnostic

SERVICE_CHECKS: tuple[Callable[[ServiceView], Iterator[Diagnostic]], ...] = (
    identity.group_names,
    identity.record_ids,
    identity.same_rules,
    labels.template_syntax,
    labels.template_labels,
    labels.identity_labels,
    labels.injected_labels,
    labels.severity_labels,
    links.sop_references,
    links.sop_sections,
    links.no_site_url,
    policy.missing_severity,
    policy.owners,
    policy.required_words,
    policy.required_tests,
    policy.overrides,
    policy.unused_parameters,
    timing.level_order,
    timing.keep_firing_order,
    timing.record_order,
    timing.for_and_interval,
    timing.experimental,
)

CATALOG_CHECKS: tuple[Callable[[CatalogView], Iterator[Diagnostic]], ...] = (
    catalog.ids,
    catalog.uids,
    catalog.unused_parameters,
    catalog.services_of_project,
    sops.duplicates,
    sops.translations,
    sops.references,
    sops.incidents,
    sops.links,
)

PAGE_CHECKS: tuple[Callable[[PageView], Iterator[Diagnostic]], ...] = (
    pages.owner_and_severity,
    pages.language,
    pages.required_sections,
    pages.review,
    pages.fences,
    pages.log_patterns,
    pages.incident_times,
)


def run_service(view: ServiceView) -> Iterator[Diagnostic]:
    """Every finding of one service."""
    for each in SERVICE_CHECKS:
        yield from each(view)


def run_page(view: PageView) -> Iterator[Diagnostic]:
    """Every finding of one SOP or incident by itself."""
    for each in PAGE_CHECKS:
        yield from each(view)


def run_catalog(view: CatalogView) -> Iterator[Diagnostic]:
    """Every finding that crosses services."""
    for each in CATALOG_CHECKS:
        yield from each(view)


__all__ = [
    "CATALOG_CHECKS",
    "PAGE_CHECKS",
    "SERVICE_CHECKS",
    "AlertFacts",
    "CatalogView",
    "IncidentFacts",
    "PageView",
    "ServiceFacts",
    "ServiceView",
    "SopFacts",
    "SopIndex",
    "run_catalog",
    "run_page",
    "run_service",
]
