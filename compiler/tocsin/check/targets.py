"""Where links lead that nobody can follow: placeholders, a vendor's front page, a template in the path, one link for everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from tocsin.check.labels import text_place
from tocsin.check.view import CatalogView, PageView, ServiceView
from tocsin.diag import Diagnostic, Related, Span, diagnostic
from tocsin.ir.rule import AlertSource

RUNBOOK = re.compile(r"(?i)(?:\A|_|-)(?:runbook|sop|playbook|procedure)(?:_?(?:url|link|uri))?\Z")
"""Names of annotations that lead to a procedure."""
LINKS = re.compile(
    r"(?i)(?:runbook|sop_?url|playbook|dashboard|grafana_?url|wiki|documentation|docs?_?url|link)"
)
"""Names of annotations that are links of any kind."""
_PLACEHOLDER = re.compile(
    r"(?i)\A\s*(?:to-?do|tbd|tba|fixme|n/?a|none|null|xxx+|changeme|placeholder|<[^>]*>|\.{3}|-+|\?+|#)\s*\Z"
    r"|\A\s*(?:https?://)?[^/?#]*\b(?:todo|tbd|changeme|placeholder|your-?(?:domain|company|org|site|host)\w*)\b"
    r"|(?:/|=)(?:todo|tbd|changeme|placeholder|xxx+)(?:[/?#]|\Z)"
)
_EXAMPLE = re.compile(
    r"(?i)\A(?:https?://)?(?:[\w-]+\.)*(?:example\.(?:com|org|net|edu)|example|invalid|foo\.bar)(?::\d+)?(?:[/?#]|\Z)"
)
_TEMPLATE = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_LABEL = re.compile(r"\$labels\.([A-Za-z_]\w*)|\.Labels\.([A-Za-z_]\w*)|index\s+\$labels\s+\"([^\"]+)\"")


def placeholder(target: str, own: str = "") -> str | None:
    """What is wrong with a link nobody meant to keep; None for a link. `own` is the site's address, which is nobody's placeholder."""
    if own and target.startswith(own):
        return None
    if _PLACEHOLDER.search(target[:500]):
        return "is a placeholder"
    return "leads to a domain that is reserved for examples" if _EXAMPLE.match(target[:500]) else None


def front_page(target: str) -> bool:
    """Whether a link leads to nothing more than a site's front page."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and parts.path in ("", "/")
        and not parts.query
        and not parts.fragment
    )


def links_in_annotations(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC621, TOC623: a link of an alert that is a placeholder, or whose path nobody can check."""
    own = view.project.site.url
    seen: set[tuple[str, str]] = set()
    for alert in view.compiled:
        for name in sorted(alert.own_annotations):
            text = alert.annotations[name].strip()
            if (alert.key.id, name) in seen or not LINKS.search(name):
                continue
            seen.add((alert.key.id, name))
            span, subject = text_place(alert, "annotations", name, None), f"{alert.key.id}/annotations.{name}"
            problem = placeholder(text, own)
            if problem is None and RUNBOOK.search(name) and front_page(text):
                problem = "is only a front page"
            if problem is not None:
                help = (
                    "write `sop_ref:`, which becomes a link that is checked"
                    if RUNBOOK.search(name)
                    else "correct it, or remove it"
                )
                yield diagnostic(
                    "TOC621", span, f"`{name}` {problem}: `{text[:120]}`", help=help, subject=subject
                )
            elif (label := _unknown(text, alert.own_labels)) is not None:
                message = f"the address in `{name}` depends on `{label}`, whose values nobody declares, so nothing can check it"
                help = "write `sop_ref:`, or move the value behind `?`"
                yield diagnostic("TOC623", span, message, help=help, subject=subject)


def typed_addresses(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC638: a `runbook_url` that an author typed and that leads past the SOP the alert names, or to no page of the site."""
    seen: set[str] = set()
    for alert in view.compiled:
        id = alert.key.id
        if "runbook_url" not in alert.own_annotations or id in seen:
            continue
        seen.add(id)
        text = alert.annotations["runbook_url"].strip()
        page = _TEMPLATE.sub("", text).partition("#")[0].partition("?")[0].rstrip("/")
        wanted = (alert.runbook_url or "").partition("#")[0].rstrip("/")
        message = None
        if wanted and page != wanted:
            message = f"the alert names a SOP, and its own `runbook_url` leads elsewhere: `{text[:120]}`"
        elif not wanted and (problem := _no_page(view, page, text.partition("#")[2])) is not None:
            message = f"`runbook_url` leads to this site, and {problem}"
        if message is not None:
            span = text_place(alert, "annotations", "runbook_url", None)
            help = "remove `runbook_url`: it is made from `sop_ref`, which is checked"
            yield diagnostic("TOC638", span, message, help=help, subject=f"{id}/annotations.runbook_url")


def _no_page(view: ServiceView, page: str, anchor: str) -> str | None:
    """Why an address that somebody typed opens no SOP of this site; None where it opens one, or leads elsewhere."""
    start = f"{view.project.site.url}/sop/"
    if not view.project.site.url or not page.startswith(start):
        return None
    id = page[len(start) :].removesuffix("/index.html")
    known = view.sops.originals.get(id)
    if known is None:
        aliases = {each.name for sop in view.sops.originals.values() for each in sop.aliases}
        return None if id in aliases else f"there is no SOP `{id}`"
    if not anchor or anchor in known.anchors or anchor.startswith(("alert-", "tocsin-")):
        return None  # the last two begin the anchors that a page is given by its generator
    return f"`{id}` has no section `#{anchor}`"


def _unknown(text: str, known: frozenset[str]) -> str | None:
    """A label that decides where an address leads, and whose values are not written in the alert; None where there is none."""
    if not text.startswith(("http://", "https://", "/", "{{")):
        return None
    shown = _TEMPLATE.sub(lambda each: each[0].replace("?", " ").replace("#", " "), text)
    path = shown[: min((at for at in (shown.find("?"), shown.find("#")) if at >= 0), default=len(shown))]
    for match in _TEMPLATE.finditer(path):
        for label in _LABEL.finditer(match[1]):
            name = label[1] or label[2] or label[3]
            if name not in known:
                return name
    return None


def links_of_pages(view: PageView) -> Iterator[Diagnostic]:
    """TOC621, TOC623: the same of a link in a SOP."""
    sop = view.sop
    if sop is None or sop.stub or sop.status != "active":
        return
    for link in sop.body.links:
        problem = placeholder(link.target, view.project.site.url)
        # `#` alone is the top of this page, and a placeholder all the same: nobody writes it to be followed.
        subject = f"{sop.id}.{sop.language}/{link.target}"
        if problem is not None:
            message = f"the link {problem}: `{link.target[:120]}`"
            yield diagnostic("TOC621", link.span, message, help="correct it, or remove it", subject=subject)
        elif "{{" in link.target or "%7B%7B" in link.target:
            message = f"the link has a template in it, and nothing fills it in: `{link.target[:120]}`"
            help = "write the address as it is; what differs belongs into a placeholder of a command"
            yield diagnostic("TOC623", link.span, message, help=help, subject=subject)


def written_links(alert: AlertSource) -> tuple[tuple[str, Span], ...]:
    """The links to a procedure that an alert's author wrote, with their places."""
    return tuple(
        (target, alert.origin.value("annotations", name))
        for name, target in alert.annotations.items()
        if RUNBOOK.search(name) and "{{" not in target
    )


def shared_links(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC622: one link for so many alerts that it says nothing about any."""
    limit = view.project.site.alerts_per_link
    sharing: dict[str, list[Span]] = {}
    for service in view.services:
        for alert in service.alerts:
            if alert.sop_ref is not None:
                sharing.setdefault(alert.sop_ref, []).append(alert.at)
            for target, at in alert.links:
                sharing.setdefault(target, []).append(at)
    for target, places in sorted(sharing.items()):
        if len(places) <= limit:
            continue
        sop = view.index.originals.get(target.partition("#")[0])
        places.sort()
        yield diagnostic(
            "TOC622",
            sop.at if sop is not None else places[0],
            f"{len(places)} alerts lead to `{target[:120]}`: it cannot say what to do about each",
            help=f"divide the page, or name sections (`sop_ref: ID#section`); `site: {{alerts_per_link: {len(places)}}}` allows it",
            subject=f"{target}/shared",
            related=[Related(message="one of them", span=each) for each in places[:3]],
        )
