"""Identity within one service: group names and record ids. Ids that must be unique everywhere are the catalog's business."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.check.view import ServiceView
from tocsin.diag import Diagnostic, Related, Span, diagnostic
from tocsin.ir.rule import RecordSource


def group_names(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC303: two groups of one name in a service: one output file cannot hold both."""
    seen: dict[str, Span] = {}
    for file in view.files:
        for group in file.groups:
            span = group.origin.value("name")
            if group.name in seen:
                related = [Related(message="first used here", span=seen[group.name])]
                message = f"`{group.name}` is already the name of a group of `{view.service}`"
                yield diagnostic(
                    "TOC303",
                    span,
                    message,
                    help="rename one of the two",
                    subject=f"{view.service}/{group.name}",
                    related=related,
                )
            seen.setdefault(group.name, span)


def record_ids(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC306: two records of one id."""
    seen: dict[str, Span] = {}
    for file in view.files:
        for group in file.groups:
            for rule in group.rules:
                if not isinstance(rule, RecordSource):
                    continue
                span = rule.origin.value("id" if rule.origin.wrote("id") else "record")
                if rule.id in seen:
                    related = [Related(message="first used here", span=seen[rule.id])]
                    help = (
                        "give each an `id` of its own"
                        if not rule.origin.wrote("id")
                        else "rename one of the two"
                    )
                    yield diagnostic(
                        "TOC306",
                        span,
                        f"`{rule.id}` is recorded twice in `{view.service}`",
                        help=help,
                        subject=f"{view.service}/{rule.id}",
                        related=related,
                    )
                seen.setdefault(rule.id, span)


def same_rules(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC307: two alerts that fire the same alert with the same labels."""
    for resolved in view.resolved:
        seen: dict[tuple[str, str, tuple[tuple[str, str], ...]], str] = {}
        for alert in resolved.alerts:
            if alert.mirror:
                continue
            own = tuple(sorted((name, alert.labels[name]) for name in alert.own_labels))
            content = (alert.name, alert.expr, own)
            first = seen.setdefault(content, alert.key.text)
            if first != alert.key.text:
                message = (
                    f"`{alert.key.text}` fires the same alert as `{first}`: same name, expression and labels"
                )
                yield diagnostic(
                    "TOC307",
                    alert.origin.value("alert"),
                    message,
                    help="remove one of the two",
                    subject=alert.key.text,
                )
