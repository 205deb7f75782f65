"""Checks: a function each, from a view to findings. `run_service` and `run_catalog` run them all; the order does not matter, reports sort.

Adding one: write the function beside its kin, add it to a tuple below, a row to `diag.codes`, a page to `diag/explain`.

What a SOP is held to, and the code that says so:

    a SOP that does not exist                 TOC601    a command without a way back                 TOC624
    a section that does not exist             TOC602    a command without a way to tell it worked    TOC625
    a SOP no alert leads to                   TOC604    a prompt, or output, in a block to paste     TOC626
    a link that is a placeholder              TOC621    a block that does not say what it holds      TOC627
    a link shared by too many alerts          TOC622    a block that does not parse                  TOC612, TOC637
    a link with a template in its path        TOC623    text that is not written yet                 TOC628
    a page with no SOP; no owner              TOC603, TOC507    a pod, host or person by name (guess)    TOC629
    a review that is overdue                  TOC610    a number the rules contradict (guess)        TOC630
    never tried; an unknown owner             TOC632, TOC508    words the severity contradicts (guess)   TOC631
    a rule changed since the review           TOC633    an address of a release that is gone         TOC634
    a SOP on its way out that is still named  TOC605    a translation of an older text               TOC635
    an address typed past the SOP             TOC638    an alias that takes a living address         TOC636
    a translation without its anchors         TOC639
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tocsin.check import (
    addresses,
    catalog,
    commands,
    freshness,
    identity,
    labels,
    links,
    pages,
    policy,
    sops,
    targets,
    timing,
    waivers,
    wording,
)
from tocsin.check.targets import written_links
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
    targets.links_in_annotations,
    targets.typed_addresses,
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
    targets.shared_links,
    wording.quoted_numbers,
    freshness.changed_since_review,
    freshness.stale_translations,
    addresses.aliases,
    addresses.released,
    waivers.expired,
    waivers.unused,
)

PAGE_CHECKS: tuple[Callable[[PageView], Iterator[Diagnostic]], ...] = (
    pages.owner_and_severity,
    pages.language,
    pages.required_sections,
    pages.review,
    pages.fences,
    pages.log_patterns,
    commands.rollback,
    commands.pasted,
    commands.parses,
    wording.unfinished_text,
    wording.names_that_pass,
    wording.impact_wording,
    freshness.exercised,
    targets.links_of_pages,
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
    "written_links",
]
