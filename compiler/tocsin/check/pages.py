"""SOPs and incidents one by one: review, sections, and what their text promises."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from tocsin.check.view import PageView
from tocsin.diag import Diagnostic, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.duration import parse_duration
from tocsin.ir.sop import Fence
from tocsin.promql import PromqlProblem, parse

_SHELL = frozenset({"sh", "bash", "shell", "console", "zsh"})
_DAY = 86_400_000
_LONGEST_REVIEW = 36_500
"""Days: a review every hundred years is no review, and dates end in the year 9999."""


def owner_and_severity(view: PageView) -> Iterator[Diagnostic]:
    """TOC505, TOC508: an owner nobody declared, a severity the policy lacks."""
    severities = [each.name for each in view.project.severities]
    page = view.sop or view.incident
    if page is not None and page.severity is not None and page.severity not in severities:
        message = f"`{page.severity}` is no severity of the policy"
        yield diagnostic(
            "TOC505",
            page.origin.value("severity"),
            message,
            help=did_you_mean(page.severity, severities),
            subject=f"{page.id}/severity",
        )
    teams = [each.id for each in view.project.teams]
    if view.sop is not None and view.sop.owner not in teams:
        message = f"`{view.sop.owner}` is no team of tocsin.yaml"
        yield diagnostic(
            "TOC508",
            view.sop.origin.value("owner"),
            message,
            help=did_you_mean(view.sop.owner, teams),
            subject=f"{view.sop.id}/owner",
        )


def language(view: PageView) -> Iterator[Diagnostic]:
    """TOC608: a SOP in a language the site does not have."""
    sop = view.sop
    if sop is not None and sop.language not in view.project.site.languages:
        span = sop.origin.value("lang" if sop.origin.wrote("lang") else "id")
        languages = ", ".join(view.project.site.languages)
        message = f"the site has no language `{sop.language}`"
        yield diagnostic(
            "TOC608",
            span,
            message,
            help=f"add it to `site.languages` (now: {languages})",
            subject=f"{sop.id}.{sop.language}",
        )


def required_sections(view: PageView) -> Iterator[Diagnostic]:
    """TOC609: a SOP without a section the site asks of all."""
    sop = view.sop
    if sop is None or sop.stub or sop.status in ("deprecated", "retired", "draft"):
        return
    for section in view.project.site.sections:
        if section not in sop.anchors:
            message = f"`{sop.id}` has no section `{section}`, and `site.sections` demands one"
            help = f"add a heading `## {section.capitalize()}`"
            yield diagnostic(
                "TOC609",
                sop.origin.value("id"),
                message,
                help=help,
                subject=f"{sop.id}.{sop.language}/{section}",
            )


def review(view: PageView) -> Iterator[Diagnostic]:
    """TOC204, TOC610: a review that is overdue on the day of the check, or dated outside the calendar."""
    sop = view.sop
    if sop is None or sop.review is None or sop.status != "active" or sop.translation_of is not None:
        return
    try:
        last = date.fromisoformat(sop.review.last)
    except ValueError:
        message = f"`{sop.review.last}` is no day of the calendar"
        yield diagnostic(
            "TOC204",
            sop.origin.value("review", "last"),
            message,
            help="write YYYY-MM-DD",
            subject=f"{sop.id}/review.last",
        )
        return
    days = (parse_duration(sop.review.every) or 0) // _DAY
    if not 0 < days < _LONGEST_REVIEW or last.year > 9_000:
        return
    due = last + timedelta(days=days)
    if due < view.today:
        message = f"the review of `{sop.id}` was due on {due.isoformat()}"
        yield diagnostic(
            "TOC610",
            sop.origin.value("review", "last"),
            message,
            help="read it again, then set `review.last`",
            subject=f"{sop.id}/review",
        )


def fences(view: PageView) -> Iterator[Diagnostic]:
    """TOC612, TOC619: PromQL that does not parse, commands that do not say whether they change anything."""
    if view.sop is None:
        return
    for fence in view.sop.body.fences:
        word = fence.language.lower()
        if word == "promql":
            yield from _query(fence, view.sop.id)
        elif word in _SHELL and not fence.kind:
            help = "write `<!-- tocsin: read -->`, `change` or `destructive` above it"
            yield diagnostic(
                "TOC619",
                fence.span,
                "this command does not say whether it only reads",
                help=help,
                subject=f"{view.sop.id}/command",
            )


def _query(fence: Fence, id: str) -> Iterator[Diagnostic]:
    text = fence.text.strip()
    # `$NAME` is a placeholder the page fills in for the responder; what it becomes is unknown here.
    if not text or "$" in text:
        return
    parsed = parse(text)
    if isinstance(parsed, PromqlProblem):
        yield diagnostic(
            "TOC612",
            fence.span,
            f"not valid PromQL: {parsed.message}",
            help="the responder will paste this: make it run",
            subject=f"{id}/promql",
        )


def log_patterns(view: PageView) -> Iterator[Diagnostic]:
    """TOC616: a log pattern that is no regular expression."""
    if view.sop is None:
        return
    for index, pattern in enumerate(view.sop.log_patterns):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            span = view.sop.origin.value("log_patterns", index)
            yield diagnostic(
                "TOC616",
                span,
                f"`{pattern}` is no regular expression: {error}",
                subject=f"{view.sop.id}/log_patterns",
            )


def incident_times(view: PageView) -> Iterator[Diagnostic]:
    """TOC618: moments outside the calendar, or in an order that cannot be."""
    incident = view.incident
    if incident is None:
        return
    written = {
        "start": incident.start,
        "detected": incident.detected,
        "mitigated": incident.mitigated,
        "end": incident.end,
    }
    moments: list[tuple[str, str, float]] = []
    for field, text in written.items():
        if text is None:
            continue
        moment = _moment(text)
        if moment is None:
            message = f"`{text}` is no moment of the calendar"
            yield diagnostic(
                "TOC618",
                incident.origin.value(field),
                message,
                help="write 2026-11-02T10:15Z",
                subject=f"{incident.id}/{field}",
            )
        else:
            moments.append((field, text, moment))
    for before, after in itertools.pairwise(moments):
        if after[2] < before[2]:
            message = f"`{after[0]}` lies before `{before[0]}` ({before[1]})"
            yield diagnostic(
                "TOC618",
                incident.origin.value(after[0]),
                message,
                help="swap the two, or mend the time zone",
                subject=f"{incident.id}/{after[0]}",
            )


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None
