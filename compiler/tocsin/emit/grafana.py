"""Grafana-managed alert rules: the groups a service should have there, and the provisioning file that holds
them.

`desired` is the truth: values of `wire.grafana`, which sync sends over HTTP and `emit` writes as a file, so
that both say the same. What this Grafana cannot express is refused in `emit.grafana_limits`, before anything
is written; a rule that was refused there has no form here and is a ValueError.

Every environment also gets one generated rule per data source that fires when evaluation fails
(`emit.grafana_watch`), because the other rules keep their last state while their queries fail. It belongs to
no service, so it has a file of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from tocsin.emit.grafana_limits import unsupported, unsupported_together
from tocsin.emit.grafana_split import comparison_of
from tocsin.emit.grafana_watch import watch_group
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, Datasource, Evaluator, Resolved, Version
from tocsin.ir.digest import GRAFANA_INTERVAL
from tocsin.ir.duration import ZERO, Duration
from tocsin.ir.project import Environment, Project
from tocsin.template import TemplateRefusal, to_grafana
from tocsin.wire.grafana import GrafanaGroup, GrafanaRule, file_text, promql_nodes, split_nodes, to_file
from tocsin.wire.grafana.shape import CONDITION, QUERY
from tocsin.wire.versions import supports

__all__ = [
    "NAME",
    "WATCH_FILE",
    "desired",
    "desired_together",
    "emit",
    "emit_together",
    "evaluators_of",
    "unsupported",
    "unsupported_together",
]

NAME = "grafana"
WATCH_FILE = "alert-template-evaluation."
"""How the files of generated rules begin. A service's name has no dot, so no service's file begins like
this."""
WATCH = "tocsin"
"""The service the generated rules belong to, where a folder or group name needs one."""


def emit(resolved: Resolved, project: Project, env: Environment) -> Iterator[Artifact]:
    """The provisioning file of this service, for every Grafana of the environment that holds rules of it."""
    for evaluator in evaluators_of([resolved]):
        groups = desired(resolved, project, env, evaluator.name)
        if groups:
            path = f"{_folder(env, evaluator)}/alert-template-{resolved.service}-{env.name}.json"
            yield Artifact(path=path, text=file_text(to_file(groups, evaluator.version)))


def emit_together(every: Iterable[Resolved], project: Project, env: Environment) -> Iterator[Artifact]:
    """The provisioning files of the generated rules, one for each data source the services query."""
    every = tuple(every)
    for evaluator in evaluators_of(every):
        for datasource in _queried(every, env, evaluator):
            path = f"{_folder(env, evaluator)}/{WATCH_FILE}{datasource.uid}-{env.name}.json"
            group = _watch(datasource, project, env)
            yield Artifact(path=path, text=file_text(to_file([group], evaluator.version)))


def desired(
    resolved: Resolved, project: Project, env: Environment, evaluator: str | None = None
) -> tuple[GrafanaGroup, ...]:
    """The groups this service should have in Grafana, by name; `evaluator` names one Grafana of several."""
    found = [
        _group(group, project, env)
        for group in resolved.groups
        if group.evaluator.kind == "grafana" and evaluator in (None, group.evaluator.name)
    ]
    return tuple(sorted((group for group in found if group.rules), key=lambda group: group.name))


def desired_together(
    every: Iterable[Resolved], project: Project, env: Environment, evaluator: str
) -> tuple[GrafanaGroup, ...]:
    """The groups of generated rules that Grafana should have beside those of the services."""
    every = tuple(every)
    return tuple(
        _watch(datasource, project, env)
        for each in evaluators_of(every)
        if each.name == evaluator
        for datasource in _queried(every, env, each)
    )


def evaluators_of(every: Iterable[Resolved]) -> tuple[Evaluator, ...]:
    """The Grafanas that hold rules of these services, by name."""
    groups = (group for resolved in every for group in resolved.groups)
    found = {group.evaluator.name: group.evaluator for group in groups if group.evaluator.kind == "grafana"}
    return tuple(found[name] for name in sorted(found))


def _folder(env: Environment, evaluator: Evaluator) -> str:
    several = sum(each.kind == "grafana" for each in env.evaluators) > 1
    return f"grafana/{env.name}/{evaluator.name}" if several else f"grafana/{env.name}"


def _queried(every: Iterable[Resolved], env: Environment, evaluator: Evaluator) -> tuple[Datasource, ...]:
    """The data sources that an unpaused alert queries there. Two names may share a uid: the first declared
    stands for both."""
    used = {
        alert.datasource.uid
        for resolved in every
        for alert in resolved.alerts
        if alert.evaluator.name == evaluator.name and alert.datasource is not None and not alert.paused
    }
    by_uid = {each.uid: each for each in reversed(env.datasources) if each.uid in used}
    return tuple(by_uid[uid] for uid in sorted(by_uid))


def _watch(datasource: Datasource, project: Project, env: Environment) -> GrafanaGroup:
    name, interval, rule = watch_group(datasource, project, env)
    return _placed(name, WATCH, interval, (rule,), project, env)


def _group(group: CompiledGroup, project: Project, env: Environment) -> GrafanaGroup:
    rules = tuple(_rule(rule, group) for rule in group.rules if isinstance(rule, CompiledAlert))
    interval = group.interval if group.interval is not None else GRAFANA_INTERVAL
    return _placed(group.name, group.service, interval, rules, project, env)


def _placed(
    name: str,
    service: str,
    interval: Duration,
    rules: tuple[GrafanaRule, ...],
    project: Project,
    env: Environment,
) -> GrafanaGroup:
    folder = folder_of(env, service)
    return GrafanaGroup(
        name=group_name(env, service, name),
        interval=interval,
        rules=rules,
        folder=folder,
        folder_uid=folder_uid(project, folder),
        org_id=env.org_id,
    )


def folder_of(env: Environment, service: str) -> str:
    """The title of the folder that holds a service's rules."""
    return env.folder.replace("{service}", service).replace("{env}", env.name)


def group_name(env: Environment, service: str, name: str) -> str:
    """A group's name in Grafana: with the service before it where services share a folder, for groups of one
    name there are one group.
    """
    return name if "{service}" in env.folder else f"{service}.{name}"


def folder_uid(project: Project, title: str) -> str:
    """The uid tocsin gives a folder it creates: the start of the title for people, a hash for uniqueness; at
    most 40 characters.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:22].rstrip("-")
    digest = hashlib.sha256(f"{project.name}\x1f{title}".encode()).hexdigest()[:10]
    return "-".join(part for part in ("tocsin", slug, digest) if part)


def _rule(alert: CompiledAlert, group: CompiledGroup) -> GrafanaRule:
    version = alert.evaluator.version
    if alert.datasource is None:
        raise ValueError(f"{alert.key.text}: no data source; `unsupported` refuses it")
    offset = group.query_offset if group.query_offset is not None else ZERO
    if alert.shape == "split":
        comparison = comparison_of(alert.expr)
        if isinstance(comparison, str):
            raise ValueError(f"{alert.key.text}: {comparison}; `unsupported` refuses it")
        data = split_nodes(comparison, alert.datasource, offset, version)
    else:
        data = promql_nodes(alert.expr, alert.datasource, offset)
    return GrafanaRule(
        uid=alert.uid,
        title=alert.name,
        condition=CONDITION,
        data=data,
        no_data="OK",
        exec_err="KeepLast" if supports("grafana", "http", "keep_last", version) else "OK",
        for_=alert.for_,
        keep_firing_for=alert.keep_firing_for,
        missing_series=1,
        labels={
            name: _translated(text, alert, version) for name, text in {**group.labels, **alert.labels}.items()
        },
        annotations={name: _translated(text, alert, version) for name, text in alert.annotations.items()},
        paused=alert.paused,
    )


def _translated(text: str, alert: CompiledAlert, version: Version) -> str:
    translated = to_grafana(text, value_ref=QUERY, version=version)
    if isinstance(translated, TemplateRefusal):
        raise ValueError(f"{alert.key.text}: {translated.reason}; `unsupported` refuses it")
    return translated
