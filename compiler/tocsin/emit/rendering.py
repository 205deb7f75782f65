"""Rules as unit tests need them: the same rules Prometheus would run, rendered for promtool and for no
server.

Rules of every evaluator are here, because promtool is the one judge for all of them. Labels of a group are
written on its rules, so that a promtool older than group labels reads them; what fires is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tocsin.emit.prometheus import group_node, header, is_evaluated
from tocsin.emit.yamltext import Node, dump
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRule, Resolved
from tocsin.ir.project import Environment, Project

RULE_LABEL = "tocsin_rule"
"""The label that names the compiled rule (`RuleKey.text`), in this rendering alone."""
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Copy:
    """A copy of one level of an alert, under a name of its own and with only the annotations that tests ask
    for.
    """

    id: str
    level: str
    annotations: tuple[str, ...]

    @property
    def alertname(self) -> str:
        """What promtool knows the copy by: no author's alert is called so."""
        return f"tocsin:{self.id}/{self.level}:{','.join(self.annotations)}"


def rendered_groups(resolved: Resolved) -> tuple[CompiledGroup, ...]:
    """The groups of the service in order, each authored group once even where two evaluators share it.
    Records come first in such a group: only they are evaluated elsewhere than its alerts, and the alerts
    read them.
    """
    merged: dict[tuple[str, str], CompiledGroup] = {}
    for group in resolved.groups:
        rules = tuple(rule for rule in group.rules if is_evaluated(rule))
        key = (group.file, group.name)
        if not rules:
            continue
        if key in merged:
            rules = tuple(
                sorted((*merged[key].rules, *rules), key=lambda rule: isinstance(rule, CompiledAlert))
            )
        merged[key] = replace(group, rules=rules)
    return tuple(merged.values())


def plain_rules(groups: Iterable[CompiledGroup], project: Project, environment: Environment) -> str:
    """Every rule, without annotations, each alert with `tocsin_rule`."""

    def tested(rule: CompiledRule, group: CompiledGroup) -> CompiledRule:
        labels = {**group.labels, **rule.labels}
        if isinstance(rule, CompiledAlert):
            return replace(rule, labels={**labels, RULE_LABEL: rule.key.text}, annotations=_NONE)
        return replace(rule, labels=labels)

    return _text(
        [_with(group, [tested(rule, group) for rule in group.rules]) for group in groups],
        project,
        environment,
    )


def authored_rules(groups: Iterable[CompiledGroup], project: Project, environment: Environment) -> str:
    """Every rule with the labels and annotations its author gave it and nothing of ours: what a team's own
    promtool files were written for.
    """

    def authored(rule: CompiledRule, group: CompiledGroup) -> CompiledRule:
        if not isinstance(rule, CompiledAlert):
            return replace(rule, labels={**group.labels, **rule.labels})
        own = {name: value for name, value in rule.labels.items() if name in rule.own_labels}
        annotations = {
            name: value for name, value in rule.annotations.items() if name in rule.own_annotations
        }
        return replace(rule, labels={**group.labels, **own}, annotations=annotations)

    return _text(
        [_with(group, [authored(rule, group) for rule in group.rules]) for group in groups],
        project,
        environment,
    )


def copied_rules(
    groups: Iterable[CompiledGroup], copies: Iterable[Copy], project: Project, environment: Environment
) -> str:
    """The copies, in groups of their own that run after the originals'. They have no labels but those of
    their series: what an annotation can show does not depend on the rule's labels.
    """
    wanted = sorted(set(copies))
    made: list[CompiledGroup] = []
    for group in groups:
        rules = [
            replace(
                rule,
                name=copy.alertname,
                labels=_NONE,
                annotations={
                    name: rule.annotations[name] for name in copy.annotations if name in rule.annotations
                },
            )
            for rule in group.rules
            if isinstance(rule, CompiledAlert)
            for copy in wanted
            if (rule.key.id, rule.key.level) == (copy.id, copy.level)
        ]
        if rules:
            made.append(replace(_with(group, rules), name=copied_group(group.name)))
    return _text(made, project, environment)


def copied_group(name: str) -> str:
    """The name of the group that holds copies of the alerts of group `name`."""
    return f"{name} (annotations)"


def _with(group: CompiledGroup, rules: list[CompiledRule] | list[CompiledAlert]) -> CompiledGroup:
    return replace(group, labels=_NONE, rules=tuple(rules))


def _text(groups: list[CompiledGroup], project: Project, environment: Environment) -> str:
    nodes: list[Node] = [group_node(group) for group in groups]
    return dump({"groups": nodes}, comment=header(groups, project, environment))
