"""Rules as Prometheus and Mimir know them: sync's rules from the sources, into YAML, and back. Pure.

Neither server knows a uid. An alert tells which one it is by an annotation (`tocsin_rule: SERVICE KEY`, as in Grafana); a record is its name and
labels, for another label is another series. The place is part of the uid: whoever moves a rule to another group starts a new one there, because
alert state is kept by group. The owner is not on the rule but around it: a file's header, a namespace's name.

A body holds expression, durations in milliseconds, labels and annotations. A group's settings hold its own keys and `order`, which says that
the order of its rules counts. An interval of 0 is the server's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from tocsin.emit.prometheus import by_evaluator, is_evaluated
from tocsin.emit.split import parts
from tocsin.emit.yamltext import Node, dump
from tocsin.errors import MachineError
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRule, Resolved
from tocsin.ir.duration import ZERO, Duration, format_duration, parse_duration
from tocsin.ir.project import Environment, Project
from tocsin.sync.grafana import WHICH
from tocsin.sync.values import Desired, Group, Place, Rule, TargetKind
from tocsin.wire.grafana import Json

ORDER: Final = {"order": "kept"}
LOADED: Final = "loaded"
"""The setting that says whether what is written is what is evaluated."""
EVERYWHERE: Final = "everywhere"
_SUFFIX: Final = ".rules.yaml"
_GROUP_KEYS: Final = frozenset({"name", "interval", "limit", "query_offset", "labels", "rules"})
_RULE_KEYS: Final = frozenset({"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"})


def namespace(owner: str, service: str) -> str:
    """`tocsin.PROJECT.ENV.SERVICE`: none of the three can hold a dot."""
    return ".".join(("tocsin", *owner.split("/"), service))


def owner_of_namespace(name: str) -> tuple[str, str]:
    """(owner, service) of a namespace; both `""` where it is not one of tocsin's."""
    steps = name.split(".")
    if len(steps) != 4 or steps[0] != "tocsin" or not all(steps):
        return "", ""
    return f"{steps[1]}/{steps[2]}", steps[3]


def file_name(owner: str, service: str) -> str:
    """The rule file of one service."""
    return namespace(owner, service) + _SUFFIX


def owner_of_file(name: str) -> tuple[str, str]:
    """(owner, service) as a file's name says them; whether it is ours says its header."""
    return owner_of_namespace(name.removesuffix(_SUFFIX)) if name.endswith(_SUFFIX) else ("", "")


def desired_rules(
    every: Iterable[Resolved],
    project: Project,
    env: Environment,
    evaluator: str,
    frozen: frozenset[str],
    kind: TargetKind,
) -> Desired:
    """What one Prometheus or Mimir should hold of these services."""
    owner = f"{project.name}/{env.name}"
    groups = []
    for resolved in every:
        if resolved.env != env.name or resolved.service in frozen:
            continue
        name = file_name if kind == "prometheus" else namespace
        for found, whole in by_evaluator(resolved):
            if found.name == evaluator:
                folder = name(owner, resolved.service)
                groups += [_wanted(part, folder, owner, kind) for each in whole for part in parts(each)]
    return Desired(owner=owner, environment=env.name, groups=tuple(groups), frozen=frozen)


def settings(limit: int, query_offset: Duration | None, labels: Mapping[str, str]) -> dict[str, Json]:
    """A group's own keys; what is at its default is not there."""
    made: dict[str, Json] = {**ORDER}
    if limit:
        made["limit"] = limit
    if query_offset is not None:
        made["query_offset"] = int(query_offset)
    if labels:
        made["labels"] = dict(sorted(labels.items()))
    return made


def uid_of(place: Place, rule: Rule) -> str:
    """What tells a rule from every other on that server."""
    which = rule.key if rule.key and rule.kind == "alert" else _signature(rule)
    return "|".join((place.folder, place.group, rule.kind, which))


def told_apart(rules: Iterable[Rule], place: Place) -> tuple[Rule, ...]:
    """The rules with their uids; two that are the same in everything get a number."""
    seen: dict[str, int] = {}
    made = []
    for rule in rules:
        uid = uid_of(place, rule)
        seen[uid] = seen.get(uid, 0) + 1
        made.append(replace(rule, uid=uid if seen[uid] == 1 else f"{uid}#{seen[uid]}"))
    return tuple(made)


def group_node(group: Group) -> dict[str, Node]:
    """The group as a rule file holds it, marks and all."""
    node: dict[str, Node] = {"name": group.place.group}
    if group.interval:
        node["interval"] = format_duration(group.interval)
    for key, value in group.settings.items():
        if key in (LOADED, *ORDER):
            continue
        node[key] = (
            format_duration(Duration(value)) if key == "query_offset" and isinstance(value, int) else value
        )
    node["rules"] = [_rule_node(each) for each in group.rules]
    return node


def group_text(group: Group) -> str:
    """One group as YAML: what Mimir takes."""
    return dump(group_node(group))


def group_from(node: Mapping[str, Json], folder: str, owner: str, service: str) -> Group:
    """A group as it was authored. `MachineError` where it has not the shape of one."""
    where = f"{folder}/{node.get('name')}"
    place = Place(folder, _text(node.get("name"), where))
    rules = node.get("rules") or ()
    if not isinstance(rules, (list, tuple)):
        raise MachineError(f"{where}: `rules` is no list")
    own = settings(0, None, {})
    for key, value in node.items():
        if key == "query_offset":
            own[key] = int(_duration(value, where))
        elif key == "labels" and value:
            own[key] = _texts(value, where)
        elif (key == "limit" and value) or (
            key not in _GROUP_KEYS and value not in (None, "", [], {}, False)
        ):
            own[key] = value
    group_labels = _texts(node.get("labels"), where)
    made = [_rule(each, group_labels, owner, service, where) for each in rules]
    return Group(
        place=place,
        interval=_duration(node.get("interval"), where),
        rules=told_apart(made, place),
        service=service,
        settings=own,
    )


def _wanted(group: CompiledGroup, folder: str, owner: str, kind: TargetKind) -> Group:
    place = Place(folder, group.name)
    own = settings(group.limit, group.query_offset, group.labels)
    if kind == "prometheus":
        own[LOADED] = EVERYWHERE
    return Group(
        place=place,
        interval=group.interval if group.interval is not None else ZERO,
        rules=told_apart(_compiled(group, owner), place),
        service=group.service,
        settings=own,
    )


def _compiled(group: CompiledGroup, owner: str) -> Iterator[Rule]:
    for rule in group.rules:
        if is_evaluated(rule):
            yield _compiled_rule(rule, group, owner)


def _compiled_rule(rule: CompiledRule, group: CompiledGroup, owner: str) -> Rule:
    labels = dict(sorted(rule.labels.items()))
    body: dict[str, Json] = {"expr": rule.expr, "labels": labels}
    if isinstance(rule, CompiledAlert):
        body |= {
            "for": int(rule.for_),
            "keep_firing_for": int(rule.keep_firing_for),
            "annotations": dict(sorted(rule.annotations.items())),
        }
    name = rule.name if isinstance(rule, CompiledAlert) else rule.record
    return Rule(
        uid="",
        title=name,
        kind="alert" if isinstance(rule, CompiledAlert) else "record",
        body=body,
        owner=owner,
        key=rule.key.text,
        service=group.service,
        digest=rule.digest,
        labels=_seen(name, {**group.labels, **labels}, isinstance(rule, CompiledAlert)),
    )


def _rule(node: Json, group: Mapping[str, str], owner: str, service: str, where: str) -> Rule:
    if not isinstance(node, Mapping):
        raise MachineError(f"{where}: a rule is no mapping")
    alert = "alert" in node and bool(node["alert"])
    name = _text(node.get("alert" if alert else "record"), where)
    labels = _texts(node.get("labels"), where)
    body: dict[str, Json] = {"expr": _text(node.get("expr"), where), "labels": labels}
    key = ""
    if alert:
        annotations = _texts(node.get("annotations"), where)
        said, _, key = annotations.pop(WHICH, "").partition(" ")
        service = service or said
        body |= {
            "for": int(_duration(node.get("for"), where)),
            "keep_firing_for": int(_duration(node.get("keep_firing_for"), where)),
            "annotations": annotations,
        }
    body |= {name: value for name, value in node.items() if name not in _RULE_KEYS and value}
    return Rule(
        uid="",
        title=name,
        kind="alert" if alert else "record",
        body=body,
        owner=owner,
        key=key,
        service=service,
        labels=_seen(name, {**group, **labels}, alert),
    )


def _rule_node(rule: Rule) -> dict[str, Node]:
    node: dict[str, Node] = {rule.kind: rule.title, "expr": str(rule.body.get("expr", ""))}
    for name in ("for", "keep_firing_for"):
        value = rule.body.get(name)
        if isinstance(value, int) and value:
            node[name] = format_duration(Duration(value))
    if rule.body.get("labels"):
        node["labels"] = rule.body["labels"]
    annotations = rule.body.get("annotations")
    texts: dict[str, Node] = dict(annotations) if isinstance(annotations, Mapping) else {}
    if rule.kind == "alert" and rule.key:
        texts[WHICH] = f"{rule.service} {rule.key}"
    if texts:
        node["annotations"] = dict(sorted(texts.items()))
    return node


def _seen(name: str, labels: Mapping[str, str], alert: bool) -> dict[str, str]:
    return {"alertname": name, **labels} if alert else dict(labels)


def _signature(rule: Rule) -> str:
    own = rule.body.get("labels")
    labels = ",".join(
        f"{name}={value}" for name, value in sorted((own if isinstance(own, Mapping) else {}).items())
    )
    return f"{rule.title}{{{labels}}}"


def _text(value: Json, where: str) -> str:
    if not isinstance(value, str):
        raise MachineError(f"{where}: a name or expression is no text")
    return value


def _texts(value: Json, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MachineError(f"{where}: labels and annotations are mappings")
    return {str(name): str(text) for name, text in sorted(value.items())}


def _duration(value: Json, where: str) -> Duration:
    if value is None or value == "":
        return ZERO
    found = parse_duration(value) if isinstance(value, str) else ZERO if value == 0 else None
    if found is None:
        raise MachineError(f"{where}: `{value}` is no duration")
    return found
