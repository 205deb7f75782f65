"""SOPs and incidents together: identity, translations, and every name one page gives to another."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from tocsin.check.view import CatalogView, IncidentFacts, Reference, SopFacts
from tocsin.diag import Diagnostic, Related, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.sop import Link


def duplicates(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC606: one id, one language, two files."""
    seen: dict[tuple[str, str], SopFacts] = {}
    for sop in view.sops:
        first = seen.setdefault((sop.id, sop.language), sop)
        if first is not sop:
            related = [Related(message="the other one", span=first.at)]
            message = f"`{sop.id}` is already written in {first.path}"
            yield diagnostic(
                "TOC606", sop.at, message, help="give one a new id", subject=sop.id, related=related
            )


def translations(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC608, TOC639: a translation of nothing, and one without anchors that links to the original may name."""
    for sop in view.sops:
        if sop.translation_of is not None and sop.translation_of not in view.index.originals:
            message = f"`{sop.translation_of}` does not exist, so this translates nothing"
            help = did_you_mean(sop.translation_of, view.index.originals)
            yield diagnostic(
                "TOC608", sop.translation_at, message, help=help, subject=f"{sop.id}.{sop.language}"
            )
        original = view.index.originals.get(sop.translation_of or "")
        if original is None or sop.stub or sop.status in ("draft", "retired"):
            continue
        missing = sorted(original.anchors - sop.anchors)
        if missing:
            shown = ", ".join(f"`#{each}`" for each in missing[:5]) + (" and more" if missing[5:] else "")
            message = f"links to {shown} open the beginning of this translation: no heading of it has that id"
            help = f"give the heading that translates it the original's id: `## ... {{#{missing[0]}}}`"
            subject = f"{sop.id}.{sop.language}/anchors"
            yield diagnostic("TOC639", sop.at, message, help=help, subject=subject)


def references(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC604, TOC613, TOC617: a SOP no alert leads to, one replaced by nothing, one that names no incident."""
    referenced = {
        (each.sop_ref or "").partition("#")[0] for service in view.services for each in service.alerts
    }
    referenced |= {environment.evaluation_failing_sop or "" for environment in view.project.environments}
    incidents = [each.id for each in view.incidents]
    for sop in view.sops:
        if sop.replaced_by is not None and sop.replaced_by.name not in view.index.originals:
            yield _nothing("TOC613", sop.replaced_by, "SOP", view.index.originals, sop.id)
        for reference in sop.incidents:
            if reference.name not in incidents:
                yield _nothing("TOC617", reference, "incident", incidents, sop.id)
    for sop in view.index.originals.values():
        quiet = sop.manual or sop.stub or sop.status in ("deprecated", "retired", "draft")
        if sop.id not in referenced and not quiet and not view.frozen:
            help = "name it in an alert's `sop_ref`, or write `manual: true`"
            yield diagnostic("TOC604", sop.at, f"no alert leads to `{sop.id}`", help=help, subject=sop.id)


def incidents(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC617: an incident that names an alert or a SOP that does not exist."""
    rules = {each.id for service in view.services for each in service.alerts}
    for incident in view.incidents:
        for reference in incident.alerts:
            if reference.name not in rules and not view.frozen:
                yield _nothing("TOC617", reference, "alert", rules, incident.id)
        for reference in incident.sops:
            if reference.name not in view.index.originals:
                yield _nothing("TOC617", reference, "SOP", view.index.originals, incident.id)


def _nothing(code: str, reference: Reference, what: str, known: Iterable[str], subject: str) -> Diagnostic:
    help = did_you_mean(reference.name, known)
    return diagnostic(
        code,
        reference.at,
        f"there is no {what} `{reference.name}`",
        help=help,
        subject=f"{subject}/{reference.name}",
    )


def links(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC615: a relative link to a file, or an anchor, that does not exist."""
    pages: tuple[SopFacts | IncidentFacts, ...] = (*view.sops, *view.incidents)
    anchors = {page.path: page.anchors for page in pages}
    for page in pages:
        for link in page.links:
            found = _dead(link, page.path, anchors, view.site_files)
            if found is not None:
                message, help = found
                yield diagnostic("TOC615", link.span, message, help=help, subject=f"{page.id}/{link.target}")


def _dead(
    link: Link, path: str, anchors: Mapping[str, frozenset[str]], files: frozenset[str]
) -> tuple[str, str] | None:
    try:
        target = urlsplit(link.target)
    except ValueError:
        return f"`{link.target}` is no address", ""
    if target.scheme or target.netloc or link.target.startswith("/"):
        return None
    wanted = (
        posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(target.path)))
        if target.path
        else path
    )
    if wanted not in files:
        return f"there is no `{wanted}`", did_you_mean(wanted, files)
    if target.fragment and wanted in anchors and unquote(target.fragment) not in anchors[wanted]:
        where = "this page" if wanted == path else f"`{wanted}`"
        return f"{where} has no section `#{target.fragment}`", did_you_mean(target.fragment, anchors[wanted])
    return None
