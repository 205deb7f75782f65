"""`tocsin render`: one compiled rule as its own evaluator gets it, and where every value came from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tocsin.cli.options import day, repository, today_option
from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag.nearest import did_you_mean
from tocsin.emit.prometheus import rule_node
from tocsin.emit.yamltext import dump
from tocsin.errors import UsageError
from tocsin.ir.compiled import CompiledAlert, CompiledRule, OriginOf
from tocsin.ir.project import Environment, Project
from tocsin.ir.rule import RuleFile
from tocsin.pipeline import Compilation, compile_sources
from tocsin.resolve import alert_origins


@click.command("render")
@click.argument("rule")
@click.option("--env", "env_name", metavar="E", help="The environment; default: every one.")
@click.option("--origins", is_flag=True, help="Also print where every value came from.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "-C", "--root", type=click.Path(path_type=Path), default=Path(), help="The repository; default: here."
)
@today_option
def render_command(
    rule: str, env_name: str | None, origins: bool, format_: str, root: Path, today: str | None
) -> int:
    """Print RULE (an alert's id, or the name of a recorded series) as it is compiled."""
    top = repository(root)
    with no_collector():
        compilation = compile_sources(read_sources(top), day(today))
    if compilation.settings is None:
        raise UsageError("tocsin.yaml cannot be used", help="`tocsin check` says why")
    project = compilation.settings.project
    if env_name is not None and project.environment(env_name) is None:
        raise UsageError(
            f"there is no environment `{env_name}`",
            help=did_you_mean(env_name, [each.name for each in project.environments]),
        )
    shown = [
        (file, each)
        for file, each in _rules(compilation)
        if each.key.id == rule and env_name in (None, each.key.env)
    ]
    if not shown:
        raise UsageError(f"no compiled rule has the id `{rule}`", help=_why_none(compilation, rule))
    if format_ == "json":
        click.echo(
            json.dumps(
                [_as_data(project, file, each, origins) for file, each in shown], indent=2, sort_keys=True
            )
        )
        return 0
    for index, (file, each) in enumerate(shown):
        if index:
            click.echo()
        click.echo(_as_text(project, file, each, origins))
    return 0


def _rules(compilation: Compilation) -> list[tuple[RuleFile, CompiledRule]]:
    found: list[tuple[RuleFile, CompiledRule]] = []
    for service in compilation.services:
        files = {each.file.path: each for each in service.loaded.files}
        for resolved in service.resolved:
            found.extend((files[group.file], rule) for group in resolved.groups for rule in group.rules)
    return found


def _why_none(compilation: Compilation, rule: str) -> str:
    authored = [alert.id for service in compilation.services for alert in service.report.facts.alerts]
    if rule in authored:
        return "it is authored, but does not compile here: `tocsin check` says why"
    return did_you_mean(rule, sorted({each.key.id for _, each in _rules(compilation)} | set(authored)))


def _heading(rule: CompiledRule) -> list[str]:
    evaluator = rule.evaluator
    version = ".".join(str(each) for each in evaluator.version)
    lines = [
        f"{rule.key.text} in {rule.key.env}, evaluated by {evaluator.name} ({evaluator.kind} {version})",
        f"{rule.origin.value('alert' if isinstance(rule, CompiledAlert) else 'record').place}; digest {rule.digest}; version {rule.version}",
    ]
    if isinstance(rule, CompiledAlert):
        lines.append(f"uid {rule.uid}" + ("; mirror, paused" if rule.mirror else ""))
    return lines


def _as_text(project: Project, file: RuleFile, rule: CompiledRule, origins: bool) -> str:
    text = dump(rule_node(rule), comment=_heading(rule)).rstrip()
    if not origins:
        return text
    found = _origins(project, file, rule)
    width = max((len(each) for each in found), default=0)
    rows = [f"#   {name:<{width}}  {each.layer:<22}  {each.span.place}" for name, each in found.items()]
    return "\n".join([text, "# origins:", *rows])


def _as_data(project: Project, file: RuleFile, rule: CompiledRule, origins: bool) -> dict[str, object]:
    data: dict[str, object] = {
        "env": rule.key.env,
        "key": rule.key.text,
        "digest": rule.digest,
        "version": rule.version,
        "evaluator": rule.evaluator.name,
        "place": rule.origin.value("expr").place,
        "rule": rule_node(rule),
    }
    if isinstance(rule, CompiledAlert):
        data["uid"] = rule.uid
    if origins:
        data["origins"] = {
            name: {"layer": each.layer, "place": each.span.place}
            for name, each in _origins(project, file, rule).items()
        }
    return data


def _origins(project: Project, file: RuleFile, rule: CompiledRule) -> dict[str, OriginOf]:
    environment = project.environment(rule.key.env)
    if not isinstance(rule, CompiledAlert) or environment is None:
        return {"expr": OriginOf(layer="record", span=rule.origin.value("expr"))}
    return _alert_origins(project, file, rule, environment)


def _alert_origins(
    project: Project, file: RuleFile, rule: CompiledAlert, environment: Environment
) -> dict[str, OriginOf]:
    found = dict(alert_origins(rule.source, file, environment, project)[(rule.key.level, rule.key.override)])
    # A parameter the rule does not use says nothing about it.
    for name in [each for each in found if each.startswith("${") and each[2:-1] not in rule.params]:
        del found[name]
    for name in rule.labels:
        found[f"labels.{name}"] = _label_origin(project, rule, name)
    for name in rule.annotations:
        found[f"annotations.{name}"] = _annotation_origin(project, rule, name)
    return found


def _label_origin(project: Project, rule: CompiledAlert, name: str) -> OriginOf:
    level = rule.key.level
    for layer, path in ((f"level {level}", ("levels", level, "labels", name)), ("alert", ("labels", name))):
        if rule.origin.wrote(*path):
            return OriginOf(layer=layer, span=rule.origin.value(*path))
    if name in rule.own_labels and rule.severity is not None:
        return OriginOf(
            layer=f"severity {rule.severity}", span=project.origin.key("severities", rule.severity, "label")
        )
    return OriginOf(layer="project, injected", span=project.origin.value("labels", "inject"))


def _annotation_origin(project: Project, rule: CompiledAlert, name: str) -> OriginOf:
    level = rule.key.level
    paths = (("levels", level, name), ("levels", level, "annotations", name), ("annotations", name), (name,))
    for path in paths:
        if name in rule.own_annotations and rule.origin.wrote(*path):
            return OriginOf(
                layer=f"level {level}" if path[0] == "levels" else "alert", span=rule.origin.value(*path)
            )
    return OriginOf(layer="project, injected", span=project.origin.value("annotations", "inject"))
