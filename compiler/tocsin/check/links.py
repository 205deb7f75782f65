"""Links from alerts to SOPs, as one service sees them: a `sop_ref` must lead to a page and a place on it that a responder can use."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.check.view import ServiceView, SopFacts
from tocsin.diag import Diagnostic, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.rule import AlertSource


def sop_references(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC601, TOC602, TOC605, TOC611: a `sop_ref` to nothing, to a missing section, to a page on its way out, to a stub."""
    for _, alert in view.alerts:
        if alert.sop_ref is None:
            continue
        id, _, anchor = alert.sop_ref.partition("#")
        span = alert.origin.value("sop_ref")
        subject = f"{alert.id}/sop_ref"
        sop = view.sops.originals.get(id)
        if sop is None:
            yield diagnostic(
                "TOC601", span, f"there is no SOP `{id}`", help=_missing_help(id, view), subject=subject
            )
            continue
        if anchor and anchor not in sop.anchors:
            yield diagnostic(
                "TOC602",
                span,
                f"`{id}` has no section `#{anchor}`",
                help=did_you_mean(anchor, sop.anchors),
                subject=subject,
            )
        if sop.status in ("deprecated", "retired"):
            help = f"point to `{sop.replaced_by}`" if sop.replaced_by else "point to the SOP that took over"
            yield diagnostic("TOC605", span, f"`{id}` is {sop.status}", help=help, subject=subject)
        if sop.stub:
            yield diagnostic(
                "TOC611",
                span,
                f"`{id}` is a stub: it does not answer the alert yet",
                help=f"write {sop.path} and remove `stub: true`",
                subject=subject,
            )


def _missing_help(id: str, view: ServiceView) -> str:
    exact = next((each for each in view.sops.originals if each.upper() == id.upper()), None)
    if exact is not None:
        return f"write `{exact}`: ids keep their case"
    return did_you_mean(id, view.sops.originals) or f"`tocsin new sop {id}` makes it"


def sop_sections(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC609, TOC614: a SOP without the sections, or the decision flow, that the severity of an alert that leads to it demands."""
    for _, alert in view.alerts:
        sop = view.sops.originals.get((alert.sop_ref or "").partition("#")[0])
        if sop is None or sop.stub:
            continue
        names = {level.severity or alert.severity for level in alert.levels} or {alert.severity}
        for severity in view.project.severities:
            if severity.name not in names:
                continue
            for section in severity.sop_sections:
                if section not in sop.anchors:
                    yield _no_section(sop, section, f"{severity.name} demands one", alert)
            if "flow" in severity.requires and not sop.has_flow:
                message = f"`{sop.id}` has no Mermaid decision flow, and {severity.name} demands one (`{alert.name}` leads here)"
                yield diagnostic(
                    "TOC614", sop.at, message, help="add a ```mermaid block", subject=f"{sop.id}/flow"
                )


def _no_section(sop: SopFacts, section: str, why: str, alert: AlertSource) -> Diagnostic:
    message = f"`{sop.id}` has no section `{section}`, and {why} (`{alert.name}` leads here)"
    return diagnostic(
        "TOC609",
        sop.at,
        message,
        help=f"add a heading `## {section.capitalize()}`",
        subject=f"{sop.id}/{section}",
    )


def no_site_url(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC620: SOPs are named, but no alert can carry a link to one."""
    if view.project.site.url or "runbook_url" not in view.project.inject_annotations:
        return
    if any(alert.sop_ref is not None for _, alert in view.alerts):
        span = view.project.origin.key("site")
        yield diagnostic(
            "TOC620",
            span,
            "`site.url` is not set, so no alert carries a `runbook_url`",
            help="write `site: {url: https://...}`",
            subject="site.url",
        )
