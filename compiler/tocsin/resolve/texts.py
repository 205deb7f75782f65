"""The texts of one compiled alert: parameters written in, labels and annotations put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tocsin.diag import Diagnostic, Span, diagnostic
from tocsin.diag.nearest import nearest
from tocsin.ir.duration import ZERO, Duration, parse_duration
from tocsin.ir.project import Environment, Project, SeverityPolicy
from tocsin.ir.rule import AlertSource, LevelSource, ParamValue
from tocsin.resolve.params import fill, unknown_uses, uses
from tocsin.resolve.settings import Settings


class Reader:
    """Writes parameters into the texts of one level and remembers which were used."""

    def __init__(self, alert: AlertSource, settings: Settings, found: list[Diagnostic]) -> None:
        self.alert = alert
        self.settings = settings
        self.found = found
        self.used: set[str] = set()

    def text(self, text: str, *path: str) -> str:
        """`text` filled; a finding for each parameter nobody set."""
        if "${" not in text:
            return text
        params = self.settings.params
        self.used |= uses(text)
        for unknown in unknown_uses(text, params):
            self.found.append(
                unknown_parameter(
                    unknown.name, self.alert.origin.inside(unknown.offset, *path), params, self.alert.id
                )
            )
        return fill(text, params)

    def duration(self, text: str | None, field: str) -> Duration | None:
        """The field as a duration, zero where it is not said; None with a finding where it is none."""
        if text is None:
            return ZERO
        filled = self.text(text, *self._path(field))
        duration = parse_duration(filled)
        # A duration written out in the alert is the schema's to judge; what a parameter or an override made of it is ours.
        if duration is None and ("${" in text or field in self.settings.set_by) and "${" not in filled:
            self.found.append(
                diagnostic(
                    "TOC205",
                    self._place(field),
                    f"`{field}` is `{filled}` here, which is no duration",
                    help="write a number with a unit: `30s`, `5m`, `1h30m`",
                    subject=f"{self.alert.id}/{field}",
                )
            )
        return duration

    def _path(self, field: str) -> tuple[str, ...]:
        level = ("levels", self.settings.level, field)
        return level if self.settings.level and self.alert.origin.wrote(*level) else (field,)

    def _place(self, field: str) -> Span:
        override = self.settings.set_by.get(field)
        if override is None:
            return self.alert.origin.value(*self._path(field))
        path = f"{self.settings.level}.{field}"
        return self.alert.origin.value(
            "overrides", override.key, "set", path if path in override.set else field
        )


def unknown_parameter(name: str, span: Span, known: Mapping[str, ParamValue], subject: str) -> Diagnostic:
    """`${name}` is used and nobody sets it."""
    close = nearest(name, known)
    help = (
        f"did you mean `${{{close}}}`?"
        if close
        else f"set it under `params:`, or write `$${{{name}}}` for the literal text"
    )
    return diagnostic(
        "TOC404", span, f"the parameter `{name}` is not set", help=help, subject=f"{subject}/{name}"
    )


def labels_of(
    alert: AlertSource,
    level: LevelSource | None,
    settings: Settings,
    severity: SeverityPolicy | None,
    reader: Reader,
    project: Project,
    env: Environment,
) -> tuple[dict[str, str], frozenset[str]]:
    """The labels of one level, and which of them the author or the severity gave; the others are injected."""
    labels = {name: reader.text(value, "labels", name) for name, value in alert.labels.items()}
    if level is not None:
        labels.update(
            (name, reader.text(value, "levels", level.key, "labels", name))
            for name, value in level.labels.items()
        )
    if severity is not None:
        labels.setdefault(*severity.label)
    own = frozenset(labels)
    injected: Mapping[str, str | None] = {
        "rule_id": alert.id,
        "service": alert.service,
        "owner": alert.owner,
        "env": env.name,
        "level": settings.level or None,
    }
    for name in project.inject_labels:
        value = injected[name]
        if value is not None:
            labels.setdefault(name, value)
    return labels, own


def annotations_of(
    alert: AlertSource, level: LevelSource | None, reader: Reader, project: Project
) -> tuple[dict[str, str], frozenset[str]]:
    """The annotations of one level, and which of them the author gave; the version is added later."""
    annotations: dict[str, str] = {}
    if alert.summary is not None:
        annotations["summary"] = reader.text(alert.summary, "summary")
    if alert.description is not None:
        annotations["description"] = reader.text(alert.description, "description")
    for name, value in alert.annotations.items():
        annotations[name] = reader.text(value, "annotations", name)
    if level is not None:
        for name, value in level.annotations.items():
            path = (
                ("levels", level.key, name)
                if name in ("summary", "description")
                else ("levels", level.key, "annotations", name)
            )
            annotations[name] = reader.text(value, *path)
    own = frozenset(annotations)
    added: Mapping[str, str | None] = {
        "sop_ref": alert.sop_ref,
        "runbook_url": runbook_link(project, alert.sop_ref, alert.identity),
        "service": alert.service,
        "owner": alert.owner,
    }
    for name in project.inject_annotations:
        text = added.get(name)
        if text:
            annotations.setdefault(name, text)
    return annotations, own


def runbook_url(project: Project, sop_ref: str | None) -> str | None:
    """The address of a SOP's page, stable for ever: independent of path, title and language."""
    if sop_ref is None or not project.site.url:
        return None
    id, _, anchor = sop_ref.partition("#")
    return f"{project.site.url}/sop/{id}/" + (f"#{anchor}" if anchor else "")


def runbook_link(project: Project, sop_ref: str | None, identity: Sequence[str]) -> str | None:
    """What an alert carries: the address with the labels that tell its instances apart, which fill the placeholders of the page's commands.

    `urlquery` is a function of Go's templates, so Prometheus and Grafana both have it. The query goes before the section.
    """
    url = runbook_url(project, sop_ref)
    if url is None or not identity:
        return url
    page, hash, anchor = url.partition("#")
    values = "&".join(f"{name}={{{{ $labels.{name} | urlquery }}}}" for name in identity)
    return f"{page}?{values}{hash}{anchor}"
