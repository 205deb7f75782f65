"""Overrides and parameters that hit nothing: findings about one authored alert, the same in every environment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.diag import Diagnostic, diagnostic
from tocsin.diag.nearest import did_you_mean, nearest
from tocsin.ir.project import Project
from tocsin.ir.rule import AlertSource, LevelSource, ParamValue, RecordSource, RuleFile
from tocsin.resolve.params import parameter_text, uses
from tocsin.resolve.settings import SETTABLE

_PATH = re.compile(r"(?:([a-z0-9][a-z0-9-]*)\.)?([a-z][a-z0-9_]*)\Z")


def override_findings(alert: AlertSource, project: Project) -> Iterator[Diagnostic]:
    """Overrides that name what does not exist or change nothing."""
    environments = [each.name for each in project.environments]
    levels = {each.key: each for each in alert.levels}
    used = alert_uses(alert)
    for override in alert.overrides:
        subject = f"{alert.id}/overrides.{override.key}"
        for name in override.environments:
            if name not in environments:
                span = alert.origin.value("overrides", override.key, "env")
                yield diagnostic(
                    "TOC208",
                    span,
                    f"`{name}` is no environment",
                    help=did_you_mean(name, environments),
                    subject=subject,
                )
        if override.where is not None:
            yield from _where_findings(alert, override.key, override.where, subject)
        for path, value in override.set.items():
            match = _PATH.match(path)
            span = alert.origin.key("overrides", override.key, "set", path)
            level, name = (match.group(1), match.group(2)) if match else (None, path)
            if level is not None and level not in levels:
                yield diagnostic(
                    "TOC412",
                    span,
                    f"the alert has no level `{level}`",
                    help=did_you_mean(level, levels),
                    subject=f"{subject}.{path}",
                )
                continue
            if name not in SETTABLE and name not in used:
                close = nearest(name, used | SETTABLE)
                help = f"did you mean `{close}`?" if close else "remove it, or use it in the expression"
                yield diagnostic(
                    "TOC412",
                    span,
                    f"no `{name}` is used by this alert",
                    help=help,
                    subject=f"{subject}.{path}",
                )
            elif _already(alert, levels.get(level) if level else None, name, value):
                yield diagnostic(
                    "TOC409",
                    span,
                    f"`{path}` is {parameter_text(value)} already, so this changes nothing",
                    help="remove it",
                    subject=f"{subject}.{path}",
                )


def _where_findings(
    alert: AlertSource, key: str, where: tuple[str, str], subject: str
) -> Iterator[Diagnostic]:
    label, regex = where
    if label not in alert.identity:
        help = (
            did_you_mean(label, alert.identity)
            if alert.identity
            else f"write `identity: [{label}]` on the alert"
        )
        yield diagnostic(
            "TOC411",
            alert.origin.key("overrides", key, "where", label),
            f"`{label}` is not among the alert's `identity` labels",
            help=help,
            subject=subject,
        )
    try:
        re.compile(regex)
    except re.error as error:
        yield diagnostic(
            "TOC411",
            alert.origin.value("overrides", key, "where", label),
            f"`{regex}` is no regular expression: {error}",
            subject=subject,
        )


def _already(alert: AlertSource, level: LevelSource | None, name: str, value: ParamValue) -> bool:
    if level is not None:
        fields: dict[str, ParamValue | None] = {
            "for": level.for_,
            "keep_firing_for": level.keep_firing_for,
            "severity": level.severity,
            "enabled": level.enabled,
        }
        return (fields[name] if name in fields else level.params.get(name)) == value
    if alert.levels:
        return False
    fields = {
        "for": alert.for_,
        "keep_firing_for": alert.keep_firing_for,
        "severity": alert.severity,
        "enabled": alert.enabled,
        "name": alert.name,
    }
    return (fields[name] if name in fields else alert.params.get(name)) == value


def alert_uses(alert: AlertSource) -> frozenset[str]:
    """Every parameter the texts of `alert` and its levels name."""
    texts = [
        alert.expr,
        alert.for_ or "",
        alert.keep_firing_for or "",
        alert.summary or "",
        alert.description or "",
        *alert.labels.values(),
        *alert.annotations.values(),
    ]
    for level in alert.levels:
        texts += [
            level.expr or "",
            level.for_ or "",
            level.keep_firing_for or "",
            *level.labels.values(),
            *level.annotations.values(),
        ]
    return frozenset[str]().union(*(uses(text) for text in texts if "${" in text))


def rule_uses(rule: AlertSource | RecordSource) -> frozenset[str]:
    """Every parameter one rule names."""
    if isinstance(rule, AlertSource):
        return alert_uses(rule)
    return uses(rule.expr).union(*(uses(each) for each in rule.labels.values()))


def file_uses(file: RuleFile) -> frozenset[str]:
    """Every parameter one rule file names, in its groups and rules."""
    found: set[str] = set()
    for group in file.groups:
        found |= uses(group.interval or "") | uses(group.query_offset or "")
        found = found.union(
            *(uses(each) for each in group.labels.values()), *(rule_uses(rule) for rule in group.rules)
        )
    return frozenset(found)
