"""Addresses are for ever: what a release gave out still leads somewhere, and an old name takes nothing away from a living one.

Which addresses the present sources have is a value of the view (`published`); the ledger holds those of every release. Where a service is frozen
its alerts and pages are unknown, and nothing is said to be gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.check.view import CatalogView, Reference
from tocsin.diag import Diagnostic, Related, Span, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.sop import alias_page

LEDGER = "releases.json"
_ANCHOR = re.compile(r"#[A-Za-z0-9][A-Za-z0-9_.:-]*\Z")


def alias_address(alias: str) -> str | None:
    """The address an alias takes, `/sop/SOP-OLD-001/` or `/old/lag/`; None for an anchor and for what is no address of this site."""
    page = alias_page(alias)
    return f"/{page}/" if page is not None else None


def aliases(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC636: an alias that is no address of the site, that belongs to a living page, or that two pages claim."""
    taken: dict[str, tuple[str, Span]] = {}
    living = {each.lower(): each for each in view.published}
    for sop in view.index.originals.values():
        for alias in sop.aliases:
            subject = f"{sop.id}/{alias.name}"
            if alias.name.startswith("#"):
                problem = _anchor_problem(alias, sop.anchors)
                if problem is not None:
                    yield diagnostic(
                        "TOC636", alias.at, problem, help="remove it, or correct it", subject=subject
                    )
                continue
            address = alias_address(alias.name)
            if address is None:
                message = f"`{alias.name}` is no address of this site"
                help = "write an id (`SOP-OLD-001`), a path (`/old/lag`) or an anchor of this page (`#old`)"
                yield diagnostic("TOC636", alias.at, message, help=help, subject=subject)
            elif address.lower() in living:
                message = f"`{alias.name}` is the address of a page that exists: `{living[address.lower()]}`"
                yield diagnostic("TOC636", alias.at, message, help="remove it", subject=subject)
            elif address.lower() in taken:
                other, span = taken[address.lower()]
                message = f"`{alias.name}` is an alias of `{other}` already"
                related = [Related(message="claimed here", span=span)]
                yield diagnostic(
                    "TOC636",
                    alias.at,
                    message,
                    help="leave it to one of the two",
                    subject=subject,
                    related=related,
                )
            else:
                taken[address.lower()] = (sop.id, alias.at)


def _anchor_problem(alias: Reference, anchors: frozenset[str]) -> str | None:
    if not _ANCHOR.match(alias.name):
        return f"`{alias.name}` is no anchor"
    return f"`{alias.name}` is a section this page has" if alias.name[1:] in anchors else None


def released(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC634: an address or an anchor of a release that is gone, and that no alias takes."""
    if view.frozen or not view.ledger.site:
        return
    aliases = {
        address
        for sop in view.index.originals.values()
        for alias in sop.aliases
        if (address := alias_address(alias.name)) is not None
    }
    sops = {f"/sop/{id}/": sop for id, sop in view.index.originals.items()}
    for address, anchors in sorted(view.ledger.site.items()):
        if address in aliases:
            continue
        now = view.published.get(address)
        if now is None:
            yield diagnostic(
                "TOC634",
                Span.point(LEDGER, view.ledger.lines.get(address, 1), 1),
                f"`{address}` was released and is gone: links in old alerts and bookmarks lead nowhere",
                help=did_you_mean(address, view.published)
                or f"put it back, or write `{_alias(address)}` under `aliases:` of the SOP that takes over",
                subject=address,
            )
            continue
        sop = sops.get(address)
        kept = (
            {each.name[1:] for each in sop.aliases if each.name.startswith("#")} if sop is not None else set()
        )
        for anchor in anchors:
            if anchor not in now and anchor not in kept:
                yield diagnostic(
                    "TOC634",
                    sop.at if sop is not None else Span.point(LEDGER, view.ledger.lines.get(address, 1), 1),
                    f"`{address}#{anchor}` was released and is gone",
                    help=f"put the section back, or write `'#{anchor}'` under `aliases:`",
                    subject=f"{address}#{anchor}",
                )


def _alias(address: str) -> str:
    return address.removeprefix("/sop/").strip("/") if address.startswith("/sop/") else address
