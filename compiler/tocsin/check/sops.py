"""SOPs and incidents: identity, links, review, and what their text promises."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from urllib.parse import unquote, urlsplit

from tocsin.check.view import CatalogView
from tocsin.diag import Diagnostic, Related, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.duration import parse_duration
from tocsin.ir.sop import Incident, Sop
from tocsin.promql import PromqlProblem, parse

_SHELL = frozenset({"sh", "bash", "shell", "console", "zsh"})
_DAY = 86_400_000


def duplicates(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC606: one id, one language, two files."""
    seen: dict[tuple[str, str], Sop] = {}
    for sop in view.sops:
        first = seen.setdefault((sop.id, sop.language), sop)
        if first is not sop:
            related = [Related(message="the other one", span=first.origin.value("id"))]
            yield diagnostic("TOC606", sop.origin.value("id"), f"`{sop.id}` is already written in {first.file.path}", help="give one a new id", subject=sop.id, related=related)


def translations(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC608: a translation of nothing, or into a language the site does not have."""
    for sop in view.sops:
        if sop.translation_of is not None and sop.translation_of not in view.index.originals:
            path = ("translation_of",) if sop.origin.wrote("translation_of") else ("id",)
            yield diagnostic("TOC608", sop.origin.value(*path), f"`{sop.translation_of}` does not exist, so this translates nothing", help=did_you_mean(sop.translation_of, view.index.originals), subject=f"{sop.id}.{sop.language}")
        if sop.language not in view.project.site.languages:
            path = ("lang",) if sop.origin.wrote("lang") else ("id",)
            languages = ", ".join(view.project.site.languages)
            yield diagnostic("TOC608", sop.origin.value(*path), f"the site has no language `{sop.language}`", help=f"add it to `site.languages` (now: {languages})", subject=f"{sop.id}.{sop.language}")


def references(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC604, TOC613: a SOP no alert leads to, or one replaced by nothing."""
    referenced = {(each.sop_ref or "").partition("#")[0] for service in view.services for each in service.alerts}
    referenced |= {environment.evaluation_failing_sop or "" for environment in view.project.environments}
    for sop in view.index.originals.values():
        quiet = sop.manual or sop.stub or sop.status in ("deprecated", "retired", "draft")
        if sop.id not in referenced and not quiet and not view.frozen:
            yield diagnostic("TOC604", sop.origin.value("id"), f"no alert leads to `{sop.id}`", help="name it in an alert's `sop_ref`, or write `manual: true`", subject=sop.id)
        if sop.replaced_by is not None and sop.replaced_by not in view.index.originals:
            yield diagnostic("TOC613", sop.origin.value("replaced_by"), f"`{sop.replaced_by}` does not exist", help=did_you_mean(sop.replaced_by, view.index.originals), subject=sop.id)


def owners_and_words(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC508, TOC505: an owner nobody declared, a severity the policy lacks."""
    teams = [each.id for each in view.project.teams]
    severities = [each.name for each in view.project.severities]
    for sop in view.sops:
        if sop.owner not in teams:
            yield diagnostic("TOC508", sop.origin.value("owner"), f"`{sop.owner}` is no team of tocsin.yaml", help=did_you_mean(sop.owner, teams), subject=f"{sop.id}/owner")
        if sop.severity is not None and sop.severity not in severities:
            yield diagnostic("TOC505", sop.origin.value("severity"), f"`{sop.severity}` is no severity of the policy", help=did_you_mean(sop.severity, severities), subject=f"{sop.id}/severity")


def required_sections(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC609: a SOP without a section the site asks of all."""
    for sop in view.sops:
        if sop.stub or sop.status in ("deprecated", "retired", "draft"):
            continue
        for section in view.project.site.sections:
            if section not in sop.anchors:
                yield diagnostic("TOC609", sop.origin.key("id"), f"`{sop.id}` has no section `{section}`, and `site.sections` demands one", help=f"add a heading `## {section.capitalize()}`", subject=f"{sop.id}.{sop.language}/{section}")


def reviews(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC610: a SOP whose review is overdue on the day of the check."""
    for sop in view.index.originals.values():
        if sop.review is None or sop.status != "active":
            continue
        every = parse_duration(sop.review.every)
        try:
            last = date.fromisoformat(sop.review.last)
        except ValueError:
            yield diagnostic("TOC204", sop.origin.value("review", "last"), f"`{sop.review.last}` is no day of the calendar", help="write YYYY-MM-DD", subject=f"{sop.id}/review.last")
            continue
        if every is not None and every // _DAY < 100_000:
            due = last + timedelta(days=every // _DAY)
            if due < view.today:
                yield diagnostic("TOC610", sop.origin.value("review", "last"), f"the review of `{sop.id}` was due on {due.isoformat()}", help="read it again, then set `review.last`", subject=f"{sop.id}/review")


def texts(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC612, TOC616, TOC619: PromQL that does not parse, log patterns that are none, commands not marked as read or change."""
    for sop in view.sops:
        for fence in sop.body.fences:
            language = fence.language.lower()
            if language == "promql" and fence.text.strip() and "$" not in fence.text:
                parsed = parse(fence.text.strip())
                if isinstance(parsed, PromqlProblem):
                    yield diagnostic("TOC612", fence.span, f"not valid PromQL: {parsed.message}", help="the responder will paste this: make it run", subject=f"{sop.id}/promql")
            elif language in _SHELL and not fence.kind:
                yield diagnostic("TOC619", fence.span, "this command does not say whether it only reads", help="write `<!-- tocsin: read -->`, `change` or `destructive` above it", subject=f"{sop.id}/command")
        for index, pattern in enumerate(sop.log_patterns):
            try:
                re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as error:
                yield diagnostic("TOC616", sop.origin.value("log_patterns", index), f"`{pattern}` is no regular expression: {error}", subject=f"{sop.id}/log_patterns")


def links(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC615: a relative link to a file, or an anchor, that does not exist."""
    by_path = {sop.file.path: sop for sop in view.sops}
    pages: tuple[Sop | Incident, ...] = (*view.sops, *view.incidents)
    for page in pages:
        for link in page.body.links:
            try:
                target = urlsplit(link.target)
            except ValueError:
                yield diagnostic("TOC615", link.span, f"`{link.target}` is no address", subject=page.id)
                continue
            if target.scheme or target.netloc or link.target.startswith("/"):
                continue
            if not target.path:
                anchors = {each.anchor for each in page.body.sections}
                if target.fragment and target.fragment not in anchors:
                    yield diagnostic("TOC615", link.span, f"this page has no section `#{target.fragment}`", help=did_you_mean(target.fragment, anchors), subject=page.id)
                continue
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.path), unquote(target.path)))
            if path not in view.site_files:
                yield diagnostic("TOC615", link.span, f"there is no `{path}`", help=did_you_mean(path, view.site_files), subject=page.id)
            elif target.fragment and path in by_path and target.fragment not in by_path[path].anchors:
                yield diagnostic("TOC615", link.span, f"`{by_path[path].id}` has no section `#{target.fragment}`", help=did_you_mean(target.fragment, by_path[path].anchors), subject=page.id)


def incidents(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC617, TOC618: an incident that names what does not exist, or whose times run backwards."""
    rules = {each.id for service in view.services for each in service.alerts}
    known = {each.id for each in view.incidents}
    for incident in view.incidents:
        for field, names in (("alerts", incident.alerts), ("missed", incident.missed)):
            for index, name in enumerate(names):
                if name not in rules and not view.frozen:
                    yield _no_such(incident, (field, index), "alert", name, rules)
        for index, name in enumerate(incident.sops):
            if name not in view.index.originals:
                yield _no_such(incident, ("sops", index), "SOP", name, view.index.originals)
        yield from _times(incident)
    for sop in view.sops:
        for index, name in enumerate(sop.incidents):
            if name not in known:
                yield diagnostic("TOC617", sop.origin.value("incidents", index), f"there is no incident `{name}`", help=did_you_mean(name, known), subject=f"{sop.id}/incidents")


def _no_such(incident: Incident, path: tuple[str, int], what: str, name: str, known: Iterable[str]) -> Diagnostic:
    return diagnostic("TOC617", incident.origin.value(*path), f"there is no {what} `{name}`", help=did_you_mean(name, known), subject=f"{incident.id}/{path[0]}")


def _times(incident: Incident) -> Iterator[Diagnostic]:
    order = [("start", incident.start), ("detected", incident.detected), ("mitigated", incident.mitigated), ("end", incident.end)]
    written = [(field, text) for field, text in order if text is not None]
    moments: list[tuple[str, str, float]] = []
    for field, text in written:
        moment = _moment(text)
        if moment is None:
            yield diagnostic("TOC618", incident.origin.value(field), f"`{text}` is no moment of the calendar", help="write 2026-11-02T10:15Z", subject=f"{incident.id}/{field}")
        else:
            moments.append((field, text, moment))
    for before, after in zip(moments, moments[1:], strict=False):
        if after[2] < before[2]:
            yield diagnostic("TOC618", incident.origin.value(after[0]), f"`{after[0]}` lies before `{before[0]}` ({before[1]})", subject=f"{incident.id}/{after[0]}")


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
