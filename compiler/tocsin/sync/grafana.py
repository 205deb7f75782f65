"""Grafana's rules as sync's rules, and back. The marks (owner, which rule, hold) are annotations there and fields here.

A body is the canonical rule of `wire.grafana` as JSON with durations in milliseconds, so a rule that went through a server and came back has
the body it had. What a server of that version does not know is left out of a wanted body, as it will be missing from what is read back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tocsin.emit.grafana import desired, desired_together
from tocsin.ir.compiled import Resolved, Version
from tocsin.ir.duration import Duration
from tocsin.ir.project import Environment, Project
from tocsin.sync.values import HOLD, OWNER, Desired, Folder, Group, Hold, Place, Rule
from tocsin.wire.grafana import GrafanaGroup, GrafanaRule, Json, Node, canonical
from tocsin.wire.grafana.rule import EXPRESSION
from tocsin.wire.versions import supports

WHICH = "tocsin_rule"
"""The annotation that says which rule this is: `SERVICE KEY`. A rule that left the sources still tells whose it was."""
_MARKS = frozenset({OWNER, WHICH, HOLD})


def desired_grafana(
    every: Iterable[Resolved],
    project: Project,
    env: Environment,
    evaluator: str,
    frozen: frozenset[str],
    version: Version,
) -> Desired:
    """What one Grafana should hold of these services; `version` is the live server's."""
    every = tuple(each for each in every if each.env == env.name and each.service not in frozen)
    keys = {alert.uid: alert for each in every for alert in each.alerts}
    groups = []
    for resolved in every:
        for group in desired(resolved, project, env, evaluator):
            groups.append(
                wanted_group(
                    group, resolved.service, {uid: keys[uid].key.text for uid in _uids(group)}, version
                )
            )
    for group in desired_together(every, project, env, evaluator):
        groups.append(wanted_group(group, "", {}, version))
    owner = f"{project.name}/{env.name}"
    digests = {uid: alert.digest for uid, alert in keys.items()}
    return Desired(
        owner=owner,
        environment=env.name,
        groups=tuple(marked(group, owner, digests) for group, _ in groups),
        folders=tuple(sorted({folder for _, folder in groups}, key=lambda each: each.uid)),
        frozen=frozen,
        organisation=str(env.org_id),
    )


def rule_from_grafana(rule: GrafanaRule, provenance: str = "") -> Rule:
    """A live rule as sync sees it."""
    annotations = rule.annotations
    service, _, key = annotations.get(WHICH, "").partition(" ")
    return Rule(
        uid=rule.uid,
        title=rule.title,
        kind="alert",
        body=body_of(rule),
        paused=rule.paused,
        owner=annotations.get(OWNER, ""),
        key=key,
        service=service,
        provenance=provenance,
        hold=read_hold(annotations.get(HOLD)),
        labels={"alertname": rule.title, **rule.labels},
        datasources=frozenset(node.datasource_uid for node in rule.data) - {EXPRESSION, "-100"},
    )


def rule_to_grafana(rule: Rule) -> GrafanaRule:
    """The rule to write, marks and all. `body` was made here, so its shape is known."""
    body = rule.body
    marks = {OWNER: rule.owner, WHICH: f"{rule.service} {rule.key}".strip() if rule.key else ""}
    if rule.hold is not None:
        marks[HOLD] = hold_text(rule.hold)
    return GrafanaRule(
        uid=rule.uid,
        title=rule.title,
        condition=_text(body, "condition"),
        data=tuple(_node(each) for each in _items(body, "data")),
        no_data=_text(body, "noDataState"),
        exec_err=_text(body, "execErrState"),
        for_=Duration(_number(body, "for")),
        keep_firing_for=Duration(_number(body, "keep_firing_for")),
        missing_series=_number(body, "missingSeriesEvalsToResolve") or None,
        labels=_texts(body, "labels"),
        annotations={**_texts(body, "annotations"), **{name: text for name, text in marks.items() if text}},
        paused=rule.paused or rule.hold is not None,
        extra=_mapping(body, "extra"),
    )


def body_of(rule: GrafanaRule) -> dict[str, Json]:
    """The canonical body: no identity, no place, no pause, no marks."""
    plain = canonical(rule)
    return {
        "condition": plain.condition,
        "data": [
            {
                "refId": node.ref_id,
                "datasourceUid": node.datasource_uid,
                "queryType": node.query_type,
                "from": node.range_from,
                "to": node.range_to,
                "model": dict(sorted(node.model.items())),
            }
            for node in plain.data
        ],
        "noDataState": plain.no_data,
        "execErrState": plain.exec_err,
        "for": int(plain.for_),
        "keep_firing_for": int(plain.keep_firing_for),
        "missingSeriesEvalsToResolve": plain.missing_series or 0,
        "labels": dict(sorted(plain.labels.items())),
        "annotations": {name: text for name, text in sorted(plain.annotations.items()) if name not in _MARKS},
        "extra": dict(sorted(plain.extra.items())),
    }


def hold_text(hold: Hold) -> str:
    """A hold as its annotation says it. Braces of a template cannot occur: JSON escapes nothing, but Grafana reads annotations as templates,
    so they are written apart."""
    text = json.dumps({"by": hold.by, "reason": hold.reason, "until": hold.until}, ensure_ascii=False)
    return text.replace("{{", "{ {").replace("}}", "} }")


def read_hold(text: str | None) -> Hold | None:
    """The hold of an annotation; one that cannot be read holds for ever rather than not at all."""
    if text is None:
        return None
    try:
        said = json.loads(text)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    return Hold(
        by=str(said.get("by", "unknown")),
        until=str(said.get("until", "9999-12-31T00:00:00+00:00")),
        reason=str(said.get("reason", text)),
    )


def wanted_group(
    group: GrafanaGroup, service: str, keys: Mapping[str, str], version: Version
) -> tuple[Group, Folder]:
    """A group as sync wants it, and the folder it lies in; `keys` are uid -> rule key."""
    known_missing = supports("grafana", "http", "missing_series", version)
    rules = []
    for each in group.rules:
        body = body_of(each)
        if not known_missing:
            body["missingSeriesEvalsToResolve"] = 0
        rules.append(
            Rule(
                uid=each.uid,
                title=each.title,
                kind="alert",
                body=body,
                paused=each.paused,
                key=keys.get(each.uid, each.labels.get("rule_id", "")),
                service=service,
                labels={"alertname": each.title, **each.labels},
                datasources=frozenset(node.datasource_uid for node in each.data) - {EXPRESSION},
            )
        )
    made = Group(
        place=Place(group.folder_uid, group.name),
        interval=group.interval,
        rules=tuple(rules),
        service=service,
    )
    return made, Folder(uid=group.folder_uid, title=group.folder)


def marked(group: Group, owner: str, digests: Mapping[str, str]) -> Group:
    """The group as ours; `digests` are uid -> semantic digest."""
    return replace(
        group,
        rules=tuple(replace(each, owner=owner, digest=digests.get(each.uid, "")) for each in group.rules),
    )


def _uids(group: GrafanaGroup) -> Iterable[str]:
    return (each.uid for each in group.rules)


def _node(value: Json) -> Node:
    body = value if isinstance(value, Mapping) else {}
    return Node(
        ref_id=_text(body, "refId"),
        datasource_uid=_text(body, "datasourceUid"),
        model=_mapping(body, "model"),
        range_from=_number(body, "from"),
        range_to=_number(body, "to"),
        query_type=_text(body, "queryType"),
    )


def _text(body: Mapping[str, Json], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _number(body: Mapping[str, Json], key: str) -> int:
    value = body.get(key)
    return value if isinstance(value, int) else 0


def _mapping(body: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    value = body.get(key)
    return value if isinstance(value, Mapping) else {}


def _texts(body: Mapping[str, Json], key: str) -> dict[str, str]:
    return {name: text for name, text in _mapping(body, key).items() if isinstance(text, str)}


def _items(body: Mapping[str, Json], key: str) -> Iterable[Json]:
    value = body.get(key)
    return value if isinstance(value, (list, tuple)) else ()
