"""What a Grafana of this version cannot hold, said before anything is written.

Most of it would not be refused by the server: it stores rules whose templates do not parse, forgets fields it
does not know and lets two groups of one name become one. So these checks are the only ones there are. What is
merely different on a version gets a note, once per service. One rule at a time is `emit.grafana_rule_limits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.diag import Diagnostic, Related, diagnostic
from tocsin.emit.grafana_rule_limits import Surface, rule_limits, title_span
from tocsin.emit.grafana_watch import watch_title
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRecord, Resolved, Version
from tocsin.ir.duration import format_duration
from tocsin.ir.project import Environment, Project
from tocsin.wire.versions import row, supports, version_text

_BASE = 10_000
"""Grafana's scheduler ticks every 10 seconds; configuration can only raise that."""
_LONGEST_NAME = 190
"""Bytes of a title or group name the database holds."""
_MANY_RULES = 100
"""A group's rules run one after another; beyond this Grafana warns in its log."""


def unsupported(
    resolved: Resolved, project: Project, env: Environment, surface: Surface = "file"
) -> Iterator[Diagnostic]:
    """Everything in this service its Grafanas cannot express, and notes on what they do differently.

    `surface` is the door the rules go through: files learnt of some fields later than the API.
    """
    usable: list[CompiledGroup] = []
    for group in resolved.groups:
        if group.evaluator.kind != "grafana":
            continue
        if supports("grafana", surface, "alert_rules", group.evaluator.version):
            usable.append(group)
        else:
            yield _too_old(group, project, env)
    for group in usable:
        yield from _group(group)
        for rule in group.rules:
            if isinstance(rule, CompiledRecord):
                message = f"`{rule.record}` is a recording rule and `{group.evaluator.name}` is a Grafana"
                yield diagnostic("TOC707", rule.origin.value("record"), message, subject=rule.key.text)
            else:
                yield from rule_limits(rule, group, surface)
    yield from _group_names(usable)
    yield from _titles(usable, env, surface)
    yield from _differences(usable, surface)


def unsupported_together(
    all_resolved: Iterable[Resolved], project: Project, env: Environment
) -> Iterator[Diagnostic]:
    """What no service shows alone: titles that meet in a folder several services share, and environments that
    would overwrite each other's groups.
    """
    if "{service}" not in env.folder:
        found = [group for resolved in all_resolved for group in resolved.groups]
        yield from _shared_titles([group for group in found if group.evaluator.kind == "grafana"])
    for other in project.environments:
        if other.name < env.name and _same_home(env, other):
            message = (
                f"`{env.name}` and `{other.name}` keep their rules in the same folders of the same Grafana, "
                "and would overwrite each other's groups"
            )
            span = project.origin.value("environments", env.name, "folder")
            help = 'write `folder: "{env} {service}"`'
            yield diagnostic("TOC705", span, message, help=help, subject=env.name)


def _same_home(env: Environment, other: Environment) -> bool:
    def homes(each: Environment) -> set[str]:
        return {one.url_env for one in each.evaluators if one.kind == "grafana" and one.url_env is not None}

    def folder(each: Environment) -> str:
        return each.folder.replace("{env}", each.name)

    return folder(env) == folder(other) and env.org_id == other.org_id and bool(homes(env) & homes(other))


def _too_old(group: CompiledGroup, project: Project, env: Environment) -> Diagnostic:
    at = next(number for number, each in enumerate(env.evaluators) if each.name == group.evaluator.name)
    span = project.origin.value("environments", env.name, "evaluators", at, "version")
    version = version_text(group.evaluator.version)
    message = f"Grafana {version} is too old: the oldest that can hold these rules is 9.4"
    help = "evaluate these services with Prometheus"
    return diagnostic("TOC701", span, message, help=help, subject=f"{env.name}/{group.evaluator.name}")


def _group(group: CompiledGroup) -> Iterator[Diagnostic]:
    at, subject = group.origin, group.name
    if group.interval is not None and (group.interval % _BASE or not group.interval):
        every = format_duration(group.interval)
        message = f"Grafana evaluates every 10s at best, and `{every}` is no multiple of that"
        yield diagnostic(
            "TOC702", at.value("interval"), message, help="write `10s`, `30s`, `1m`", subject=subject
        )
    if group.query_offset is not None and group.query_offset % 1000:
        offset = format_duration(group.query_offset)
        message = f"Grafana counts a query's offset in whole seconds, and `{offset}` is none"
        yield diagnostic("TOC702", at.value("query_offset"), message, subject=subject)
    if group.limit:
        message = f"a Grafana group has no limit on alerts, so `limit: {group.limit}` cannot be kept"
        help = "remove `limit`, or evaluate this group with Prometheus"
        yield diagnostic("TOC711", at.value("limit"), message, help=help, subject=subject)
    if "/" in group.name or "\\" in group.name:
        message = (
            f"`{group.name}` cannot be a group's name in Grafana: no request reaches a name with a slash"
        )
        yield diagnostic("TOC705", at.value("name"), message, help="write a hyphen instead", subject=subject)
    if len(f"{group.service}.{group.name}".encode()) > _LONGEST_NAME:
        message = f"a group's name in Grafana has at most {_LONGEST_NAME} bytes, the service's among them"
        yield diagnostic("TOC705", at.value("name"), message, subject=subject)
    if len(group.rules) > _MANY_RULES:
        message = f"`{group.name}` has {len(group.rules)} rules, and Grafana runs a group's rules in turn"
        yield diagnostic("TOC714", at.value("name"), message, help="split the group", subject=subject)


def _group_names(groups: list[CompiledGroup]) -> Iterator[Diagnostic]:
    """Some databases behind Grafana ignore case, where two such groups become one."""
    first: dict[tuple[str, str], CompiledGroup] = {}
    for group in groups:
        known = first.setdefault((group.evaluator.name, group.name.casefold()), group)
        if known.name != group.name:
            message = (
                f"`{group.name}` and `{known.name}` differ only in case, and a Grafana may take them for one"
            )
            related = [Related(message="the other one", span=known.origin.value("name"))]
            yield diagnostic(
                "TOC705", group.origin.value("name"), message, subject=group.name, related=related
            )


def _titles(groups: list[CompiledGroup], env: Environment, surface: Surface) -> Iterator[Diagnostic]:
    """Titles within one service.

    An override with `where` leaves rules of one alertname that share no series. From 12.0 on Grafana holds
    them under one title; any other two rules of one title would only be confused with each other there.
    """
    reserved = {watch_title(each).casefold() for each in env.datasources}
    first: dict[tuple[str, str], CompiledAlert] = {}
    for alert in _alerts(groups):
        known = first.setdefault((alert.evaluator.name, alert.name.casefold()), alert)
        if known is not alert and not _disjoint(alert, known):
            yield _taken(alert, known)
        elif known is not alert and not supports("grafana", surface, "equal_titles", alert.evaluator.version):
            version = version_text(alert.evaluator.version)
            message = (
                f"the override `{alert.key.override or known.key.override}` makes a second rule titled "
                f"`{alert.name}`, and Grafana {version} holds one rule of a title in a folder"
            )
            help = "use Grafana 12.0 or newer, or evaluate this alert with Prometheus"
            yield diagnostic("TOC704", title_span(alert), message, help=help, subject=alert.key.text)
        if alert.name.casefold() in reserved:
            message = f"`{alert.name}` is the title of the rule tocsin generates for failing evaluation"
            yield diagnostic("TOC704", title_span(alert), message, subject=alert.key.text)
        if len(alert.name.encode()) > _LONGEST_NAME:
            message = f"a title in Grafana has at most {_LONGEST_NAME} bytes"
            yield diagnostic("TOC704", title_span(alert), message, subject=alert.key.text)


def _disjoint(alert: CompiledAlert, known: CompiledAlert) -> bool:
    """Whether the two are one level of one alert under different overrides."""
    return alert.key._replace(override="") == known.key._replace(override="")


def _shared_titles(groups: list[CompiledGroup]) -> Iterator[Diagnostic]:
    """Titles between services; those within one are `unsupported`'s."""
    first: dict[tuple[str, str], CompiledAlert] = {}
    for alert in _alerts(groups):
        known = first.setdefault((alert.evaluator.name, alert.name.casefold()), alert)
        if known.service != alert.service:
            yield _taken(alert, known)


def _taken(alert: CompiledAlert, known: CompiledAlert) -> Diagnostic:
    message = (
        f"`{alert.name}` is the title of another rule of this folder, and Grafana keeps one rule of a title"
    )
    related = [Related(message=f"`{known.key.text}` has it too", span=title_span(known))]
    help = "give the level or the alert another name"
    return diagnostic(
        "TOC704", title_span(alert), message, help=help, subject=alert.key.text, related=related
    )


def _alerts(groups: list[CompiledGroup]) -> Iterator[CompiledAlert]:
    for group in groups:
        for rule in group.rules:
            if isinstance(rule, CompiledAlert):
                yield rule


def _differences(groups: list[CompiledGroup], surface: Surface) -> Iterator[Diagnostic]:
    """What this version does otherwise than the newest: one note each, at the first alert it concerns."""
    told: set[tuple[str, str]] = set()
    for alert in _alerts(groups):
        name, version = alert.evaluator.name, alert.evaluator.version
        for field, what in _lacking(alert, surface, version):
            if (name, field) in told:
                continue
            told.add((name, field))
            since = row("grafana", surface, field)
            better = f" (not so from {version_text(since.since)} on)" if since is not None else ""
            message = f"Grafana {version_text(version)} on `{name}`: {what}{better}"
            subject = f"{alert.service}/{name}/{field}"
            yield diagnostic("TOC709", alert.origin.key("alert"), message, subject=subject)


def _lacking(alert: CompiledAlert, surface: Surface, version: Version) -> Iterator[tuple[str, str]]:
    if not supports("grafana", surface, "keep_last", version):
        yield "keep_last", "a query that fails resolves a firing alert instead of keeping it"
    if not supports("grafana", surface, "missing_series", version):
        yield "missing_series", "a series that vanishes is resolved an evaluation later than in Prometheus"
    if alert.shape == "split" and not supports("grafana", surface, "inclusive_thresholds", version):
        yield "inclusive_thresholds", "`shape: split` compares in a math node instead of a threshold"
