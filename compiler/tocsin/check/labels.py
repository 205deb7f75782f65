"""Labels: what the expression can produce, against what templates, identity and injection expect of it."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.check.view import ServiceView
from tocsin.diag import Diagnostic, Span, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.compiled import CompiledAlert
from tocsin.promql import Labels
from tocsin.resolve.params import authored_offset
from tocsin.template import TemplateProblem, check, facts


def text_place(alert: CompiledAlert, kind: str, name: str, offset: int | None) -> Span:
    """The place of a character of a label's or annotation's text, through the parameters written into it."""
    path, authored = text_path(alert, kind, name)
    if authored is None:
        return alert.origin.value("id")
    return alert.origin.inside(authored_offset(authored, alert.params, offset), *path)


def text_path(alert: CompiledAlert, kind: str, name: str) -> tuple[tuple[str, ...], str | None]:
    """Where the text of a label or annotation was written, and as what."""
    source, level = alert.source, alert.key.level
    candidates: list[tuple[str, ...]] = [("levels", level, kind, name), (kind, name)]
    if kind == "annotations" and name in ("summary", "description"):
        candidates = [("levels", level, name), ("levels", level, kind, name), (kind, name), (name,)]
    for path in candidates:
        if source.origin.wrote(*path):
            node: object = source.origin.node
            for step in path:
                node = node[step] if isinstance(node, dict) else None
            return path, node if isinstance(node, str) else None
    return (), None


def _texts(alert: CompiledAlert) -> Iterator[tuple[str, str, str]]:
    for name in alert.own_labels:
        text = alert.labels[name]
        if "{{" in text:
            yield "labels", name, text
    for name in alert.own_annotations:
        text = alert.annotations[name]
        if "{{" in text:
            yield "annotations", name, text


def template_syntax(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC501: a label or annotation that is no template Prometheus would load."""
    for alert in view.compiled:
        for kind, name, text in _texts(alert):
            problem = check(text)
            if problem is not None:
                span = text_place(alert, kind, name, problem.offset)
                yield diagnostic(
                    "TOC501",
                    span,
                    f"`{name}` is no valid template: {problem.message}",
                    subject=f"{alert.key.id}/{kind}.{name}",
                )


def template_labels(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC502: a template that prints a label the expression cannot have."""
    for alert in view.compiled:
        out: Labels | None = None
        for kind, name, text in _texts(alert):
            read = facts(text)
            if isinstance(read, TemplateProblem) or not read.labels:
                continue
            if out is None:
                out = view.records[alert.key.env].flow(alert.expr)
                if out is None:
                    break
            for label, offset in read.labels:
                if not out.can(label):
                    known = sorted(out.named)
                    help = (
                        did_you_mean(label, known)
                        if known
                        else "the expression yields no labels: remove it, or aggregate `by` it"
                    )
                    message = (
                        f"`{name}` prints `$labels.{label}`, but the expression cannot have a label `{label}`"
                    )
                    yield diagnostic(
                        "TOC502",
                        text_place(alert, kind, name, offset),
                        message,
                        help=help,
                        subject=f"{alert.key.id}/{kind}.{name}.{label}",
                    )


def identity_labels(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC503: an identity label the expression cannot have."""
    for alert in view.compiled:
        if not alert.identity:
            continue
        out = view.records[alert.key.env].flow(alert.expr)
        if out is None:
            continue
        for index, label in enumerate(alert.identity):
            if not out.can(label):
                span = alert.origin.value("identity", index)
                message = f"`identity` names `{label}`, but the expression cannot have that label"
                yield diagnostic(
                    "TOC503",
                    span,
                    message,
                    help=did_you_mean(label, out.named),
                    subject=f"{alert.key.id}/identity.{label}",
                )


def injected_labels(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC504, TOC513: an injected label that the expression or the author gives already."""
    wanted = set(view.project.inject_labels)
    for alert in view.compiled:
        for label in wanted & alert.own_labels:
            path, _ = text_path(alert, "labels", label)
            message = f"`{label}` is a label the project injects, and this alert sets it too"
            yield diagnostic(
                "TOC513",
                alert.origin.key(*path),
                message,
                help="remove it here, or from `labels.inject`",
                subject=f"{alert.key.id}/labels.{label}",
            )
        for name in alert.labels.keys() - alert.own_labels:
            # A label that neither the text nor a record the text reads mentions cannot be named by the expression.
            if name not in alert.expr and not view.records[alert.key.env].by_name:
                continue
            out = view.records[alert.key.env].flow(alert.expr)
            if out is not None and out.names(name):
                message = f"the project injects `{name}`, but the expression produces a label of that name"
                help = "take it out of `labels.inject`, or out of the expression"
                yield diagnostic(
                    "TOC504", alert.origin.value("expr"), message, help=help, subject=f"{alert.key.id}/{name}"
                )


def severity_labels(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC514: the label a severity becomes is also written by hand, with another value."""
    for alert in view.compiled:
        severity = view.project.severity(alert.severity)
        if severity is None:
            continue
        name, value = severity.label
        if alert.labels.get(name) != value:
            path, _ = text_path(alert, "labels", name)
            message = f"the severity `{severity.name}` becomes `{name}: {value}`, but the label `{name}` says `{alert.labels.get(name)}`"
            yield diagnostic(
                "TOC514",
                alert.origin.key(*path),
                message,
                help=f"remove the label `{name}`",
                subject=f"{alert.key.id}/labels.{name}",
            )
