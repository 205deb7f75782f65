"""Waivers of the canary's gates, in tocsin.yaml: exceptions that outlived their day or their rule."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.check.view import CatalogView
from tocsin.diag import Diagnostic, diagnostic
from tocsin.diag.nearest import did_you_mean


def expired(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC821: a waiver whose last day has passed."""
    for index, each in enumerate(view.project.canary.waivers):
        if each.expires < view.today:
            at = view.project.origin.child("canary", "waivers", index)
            yield diagnostic(
                "TOC821",
                at.value("expires"),
                f"{each.by}'s waiver of `{each.gate}` for `{each.rule}` has ended",
                help="remove it, or agree on a new date",
                subject=each.rule,
            )


def unused(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC822: a waiver for a rule that nobody has. Where a service is frozen its rules are not known, and nothing is said."""
    if view.frozen:
        return
    known = {alert.id for service in view.services for alert in service.alerts}
    for index, each in enumerate(view.project.canary.waivers):
        id = each.rule.partition("/")[0]
        if id not in known:
            at = view.project.origin.child("canary", "waivers", index)
            yield diagnostic(
                "TOC822",
                at.value("rule"),
                f"there is no rule `{id}`, so this waives nothing",
                help=did_you_mean(id, known),
                subject=each.rule,
            )
