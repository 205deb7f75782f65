"""Grafana-managed alert rules: the groups a service should have there, and the provisioning file that holds
them.

`desired` is the truth: values of `wire.grafana`, which sync sends over HTTP and `emit` writes as a file, so
that both say the same. What this Grafana cannot express is refused in `emit.grafana_limits`, before anything
is written; a rule that was refused there has no form here and is a ValueError.

Every environment also gets one generated rule per data source that fires when evaluation fails
(`emit.grafana_watch`), because the other rules keep their last state while their queries fail. It depends on
the environment and the data source alone, so every service that uses the data source yields the same
artifact, byte for byte: whoever collects artifacts keeps one of each.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from tocsin.emit.grafana_limits import unsupported, unsupported_together
from tocsin.emit.grafana_split import comparison_of
from tocsin.emit.grafana_watch import watch_group
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, Datasource, Evaluator, Resolved, Version
from tocsin.ir.duration import ZERO, Duration
from tocsin.ir.project import Environment, Project
from tocsin.template import TemplateRefusal, to_grafana
from tocsin.wire.grafana import GrafanaGroup, GrafanaRule, file_text, promql_nodes, split_nodes, to_file
from tocsin.wire.grafana.shape import CONDITION, QUERY
from tocsin.wire.versions import supports

__all__ = ["NAME", "desired", "emit", "evaluators_of", "unsupported", "unsupported_together"]

NAME = "grafana"
DEFAULT_INTERVAL = Duration(60_000)
"""A group without an interval: what Grafana itself gives one, and Prometheus' own default."""
WATCH = "tocsin"
"""The service the generated rules belong to, where a folder or group name needs one."""


def emit(resolved: Resolved, project: Project, env: Environment) -> Iterator[Artifact]:
    """The provisioning file of this service, and those of the generated rules it depends on, for every
    Grafana of the environment.
    """
    for evaluator in evaluators_of(resolved):
        folder = f"grafana/{env.name}"
        if sum(each.kind == "grafana" for each in env.evaluators) > 1:
            folder = f"{folder}/{evaluator.name}"
        groups = sorted(_own_groups(resolved, project, env, evaluator), key=lambda group: group.name)
        if groups:
            text = file_text(to_file(groups, evaluator.version))
            yield Artifact(path=f"{folder}/alert-template-{resolved.service}-{env.name}.json", text=text)
        for datasource, group in _watch_groups(resolved, project, env, evaluator):
            # A service's name has no dot, so this name is nobody's.
            path = f"{folder}/alert-template-evaluation.{datasource.uid}-{env.name}.json"
            yield Artifact(path=path, text=file_text(to_file([group], evaluator.version)))


def desired(
    resolved: Resolved, project: Project, env: Environment, evaluator: str | None = None
) -> tuple[GrafanaGroup, ...]:
    """The groups this service should have in Grafana, by name, then the generated ones it depends on;
    `evaluator` names one Grafana of several.
    """
    found: list[GrafanaGroup] = []
    for each in evaluators_of(resolved):
        if evaluator is None or each.name == evaluator:
            found += sorted(_own_groups(resolved, project, env, each), key=lambda group: group.name)
            found += (group for _, group in _watch_groups(resolved, project, env, each))
    return tuple(found)


def evaluators_of(resolved: Resolved) -> tuple[Evaluator, ...]:
    """The Grafanas that hold rules of this service, in the order of first use."""
    return tuple(
        {
            group.evaluator.name: group.evaluator
            for group in resolved.groups
            if group.evaluator.kind == "grafana"
        }.values()
    )


def _own_groups(
    resolved: Resolved, project: Project, env: Environment, evaluator: Evaluator
) -> Iterator[GrafanaGroup]:
    for group in resolved.groups:
        if group.evaluator.name == evaluator.name:
            rules = tuple(_rule(rule, group) for rule in group.rules if isinstance(rule, CompiledAlert))
            interval = group.interval if group.interval is not None else DEFAULT_INTERVAL
            yield _placed(group.name, resolved.service, interval, rules, project, env)


def _watch_groups(
    resolved: Resolved, project: Project, env: Environment, evaluator: Evaluator
) -> Iterator[tuple[Datasource, GrafanaGroup]]:
    """One group for each data source that an unpaused alert of the service queries there."""
    used = {
        alert.datasource.uid
        for alert in resolved.alerts
        if alert.evaluator.name == evaluator.name and alert.datasource is not None and not alert.paused
    }
    for uid in sorted(used):
        # Two logical names may share a uid; the first one declared names the rule for all services alike.
        datasource = next(each for each in env.datasources if each.uid == uid)
        name, interval, rule = watch_group(datasource, project, env)
        yield datasource, _placed(name, WATCH, interval, (rule,), project, env)


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
