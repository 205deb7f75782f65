"""The response policy: what an alert of a severity must have, and who answers for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.check.view import ServiceView
from tocsin.diag import Diagnostic, Span, diagnostic
from tocsin.diag.nearest import did_you_mean, nearest
from tocsin.ir.project import SeverityPolicy
from tocsin.ir.rule import AlertSource, RuleFile
from tocsin.load.rules import LEVEL_KEYS
from tocsin.resolve import file_uses, override_findings, rule_uses


def _severities(view: ServiceView, alert: AlertSource) -> list[SeverityPolicy]:
    """The severities `alert` is written for, the most urgent first."""
    names = {level.severity or alert.severity for level in alert.levels} or {alert.severity}
    return sorted(
        (each for name in names if (each := view.project.severity(name)) is not None),
        key=lambda each: each.urgency,
    )


def missing_severity(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC506: an alert, or a level of one, without a severity."""
    if view.project.unranked or view.broken:
        return
    for _, alert in view.alerts:
        names = [each.name for each in view.project.severities]
        help = f"write `severity: {names[-1]}`" if names else ""
        if not alert.levels and alert.severity is None:
            yield diagnostic(
                "TOC506",
                alert.origin.value("alert"),
                f"`{alert.name}` has no severity",
                help=help,
                subject=alert.id,
            )
        for level in alert.levels:
            if level.severity is None and alert.severity is None:
                yield diagnostic(
                    "TOC506",
                    alert.origin.key("levels", level.key),
                    f"level `{level.key}` has no severity",
                    help=help,
                    subject=f"{alert.id}/levels.{level.key}",
                )


def owners(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC507, TOC508: an owner that is missing where the policy wants one, or that nobody declared."""
    teams = [each.id for each in view.project.teams]
    for file in view.files:
        if file.owner is not None and file.owner not in teams:
            yield diagnostic(
                "TOC508",
                file.origin.value("owner"),
                f"`{file.owner}` is no team of tocsin.yaml",
                help=did_you_mean(file.owner, teams),
                subject=f"{file.service}/owner",
            )
    for file, alert in view.alerts:
        if alert.owner is not None and alert.owner != file.owner and alert.owner not in teams:
            yield diagnostic(
                "TOC508",
                alert.origin.value("owner"),
                f"`{alert.owner}` is no team of tocsin.yaml",
                help=did_you_mean(alert.owner, teams),
                subject=f"{alert.id}/owner",
            )
        if (
            alert.owner is None
            and not view.broken
            and any("owner" in each.requires for each in _severities(view, alert))
        ):
            yield diagnostic(
                "TOC507",
                alert.origin.value("alert"),
                f"`{alert.name}` has no owner",
                help="write `owner:` at the top of the file",
                subject=alert.id,
            )


def required_words(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC509, TOC512, TOC603: a summary, an identity or a SOP that the severity demands and the alert lacks."""
    for _, alert in () if view.broken else view.alerts:
        for severity in _severities(view, alert)[:1]:
            if (
                "summary" in severity.requires
                and alert.summary is None
                and "summary" not in alert.annotations
            ):
                message = f"`{alert.name}` has no summary, and {severity.name} demands one"
                yield diagnostic(
                    "TOC509",
                    alert.origin.value("alert"),
                    message,
                    help="write `summary:`, the one line of the notification",
                    subject=alert.id,
                )
            if "identity" in severity.requires and not alert.identity:
                message = f"`{alert.name}` does not say which labels tell its instances apart, and {severity.name} demands it"
                yield diagnostic(
                    "TOC512",
                    alert.origin.value("alert"),
                    message,
                    help="write `identity: [label, ...]`",
                    subject=alert.id,
                )
            if "sop" in severity.requires and alert.sop_ref is None:
                message = f"`{alert.name}` has no SOP, and {severity.name} demands one"
                yield diagnostic(
                    "TOC603",
                    alert.origin.value("alert"),
                    message,
                    help="write `sop_ref:`; `tocsin new sop` makes the page",
                    subject=alert.id,
                )


def required_tests(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC511: a level whose severity demands a test that makes it fire."""
    if view.broken:
        return
    tested = tested_levels(view.files)
    for _, alert in view.alerts:
        for level in alert.levels or (None,):
            severity = view.project.severity(
                (level.severity if level is not None else None) or alert.severity
            )
            key = level.key if level is not None else ""
            if severity is not None and "test" in severity.requires and (alert.id, key) not in tested:
                what = f"level `{key}` of `{alert.name}`" if key else f"`{alert.name}`"
                span = alert.origin.key("levels", key) if key else alert.origin.value("alert")
                yield diagnostic(
                    "TOC511",
                    span,
                    f"no test makes {what} fire, and {severity.name} demands one",
                    help="add one under `tests:`",
                    subject=f"{alert.id}/{key}",
                )


def tested_levels(files: Iterable[RuleFile]) -> frozenset[tuple[str, str]]:
    """The alerts, as (id, level key), that some test makes fire."""
    found: set[tuple[str, str]] = set()
    for file in files:
        ids = [rule.id for group in file.groups for rule in group.rules if isinstance(rule, AlertSource)]
        for test in file.tests:
            id = test.alert if test.alert is not None else (ids[0] if len(ids) == 1 else None)
            if id is not None:
                found.update((id, each.level) for _, rows in test.firing for each in rows)
    return frozenset(found)


def overrides(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC208, TOC409, TOC411, TOC412: overrides that hit nothing."""
    for _, alert in view.alerts:
        if alert.overrides:
            yield from override_findings(alert, view.project)


def unused_parameters(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC405: a parameter of a level, an alert or a file that nothing uses."""
    for file in view.files:
        for group in file.groups:
            for rule in group.rules:
                if not rule.params and not (isinstance(rule, AlertSource) and rule.levels):
                    continue
                used = rule_uses(rule)
                for name in rule.params:
                    if name not in used:
                        yield _unused(name, rule.origin.key("params", name), rule.id)
                if isinstance(rule, AlertSource):
                    for level in rule.levels:
                        for name in level.params:
                            if name not in used:
                                yield _unused(name, rule.origin.key("levels", level.key, name), rule.id)
        for name in file.params:
            if name not in file_uses(file):
                yield _unused(name, file.origin.key("params", name), file.file.path)


def _unused(name: str, span: Span, subject: str) -> Diagnostic:
    close = nearest(name, LEVEL_KEYS)
    help = f"did you mean `{close}`?" if close else "remove it, or use it"
    return diagnostic(
        "TOC405", span, f"nothing uses the parameter `{name}`", help=help, subject=f"{subject}/{name}"
    )
