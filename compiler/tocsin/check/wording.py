"""What a SOP says that it should not: unfinished text, names that pass, words and numbers its rules contradict. `check.prose` does the reading."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.check.prose import agrees, impact_words, passing_names, place, unfinished
from tocsin.check.view import AlertFacts, CatalogView, PageView
from tocsin.diag import Diagnostic, Related, diagnostic


def unfinished_text(view: PageView) -> Iterator[Diagnostic]:
    """TOC628: text somebody meant to write later, on a page that responders are sent to."""
    sop = view.sop
    if sop is None or sop.stub or sop.status != "active":
        return
    for start, end in unfinished(sop.body):
        said = " ".join(sop.body.text[start:end].split())[:60]
        yield diagnostic(
            "TOC628",
            place(sop.file.path, sop.body, start, end),
            f"`{said}` is not written yet",
            help="write it, or say `status: draft`",
            subject=f"{sop.id}.{sop.language}/unfinished",
        )


def names_that_pass(view: PageView) -> Iterator[Diagnostic]:
    """TOC629: a pod, host, address or person that will not be there next time."""
    sop = view.sop
    if sop is None or sop.stub or sop.status != "active":
        return
    teams = frozenset(word.lower() for each in view.project.teams for word in (each.id, *each.name.split()))
    for start, end, what in passing_names(sop.body, teams):
        said = sop.body.text[start:end]
        help = (
            "name the team or its rota"
            if what == "a person"
            else "write a placeholder (`$NAME`), and say where to find its value"
        )
        yield diagnostic(
            "TOC629",
            place(sop.file.path, sop.body, start, end),
            f"`{said}` looks like {what} that will not be there next time",
            help=help,
            subject=f"{sop.id}.{sop.language}/{said}",
        )


def impact_wording(view: PageView) -> Iterator[Diagnostic]:
    """TOC631: the section on impact against the severity of the page."""
    sop = view.sop
    severity = view.project.severity(sop.severity) if sop is not None else None
    if sop is None or severity is None or sop.stub or sop.status != "active":
        return
    if not severity.pages and severity.urgency == 0:
        return  # A policy that does not say what pages says nothing here.
    for start, end in impact_words(sop, severity.pages):
        said = " ".join(sop.body.text[start:end].split())
        does = "wakes somebody" if severity.pages else "wakes nobody"
        yield diagnostic(
            "TOC631",
            place(sop.file.path, sop.body, start, end),
            f"the impact is `{said}`, but {severity.name} {does}",
            help="change the words or the severity",
            subject=f"{sop.id}.{sop.language}/impact",
        )


def quoted_numbers(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC630: a threshold or a wait in the prose that no rule leading to the page has."""
    leading: dict[str, list[AlertFacts]] = {}
    if view.frozen or not any(each.quotes for each in view.sops):
        return
    for service in view.services:
        for alert in service.alerts:
            if alert.sop_ref is not None and alert.numbers is not None:
                leading.setdefault(alert.sop_ref.partition("#")[0], []).append(alert)
    for sop in view.sops:
        alerts = leading.get(sop.id, [])
        known = [each.numbers for each in alerts if each.numbers is not None]
        if not known:
            continue
        values = frozenset[float]().union(*(each[0] for each in known))
        times = frozenset[float]().union(*(each[1] for each in known))
        for quote in sop.quotes:
            if not agrees(quote, values, times):
                what = "waits" if quote.kind == "for" else "compares with"
                names = ", ".join(f"`{each.name}`" for each in alerts[:3])
                yield diagnostic(
                    "TOC630",
                    quote.at,
                    f"the page says `{quote.text}`, but no rule that leads here {what} that ({names})",
                    help="leave numbers to the generated part of the page, which always has the rule's own",
                    subject=f"{sop.id}.{sop.language}/{quote.text}",
                    related=[Related(message="the rule", span=alerts[0].at)],
                )
