"""Rules as a Grafana's provisioning files hold them: from the sources, into a document, and back. Pure.

A body is the rule's own JSON of the file, dollars doubled where Grafana would read a variable, so that two files are equal when what is parsed of
them is. Grafana keeps a rule whose entry left its file until `deleteRules` names it; what we ever wrote is therefore remembered in a file of ours.
That file lies in the same folder and is a provisioning file itself, for Grafana refuses a folder that holds anything else; it knows the key
`tocsin` no better than any other it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tocsin.emit.grafana import WATCH_FILE, desired, desired_together
from tocsin.errors import MachineError
from tocsin.ir.compiled import Resolved, Version
from tocsin.ir.duration import ZERO, format_duration, parse_duration
from tocsin.ir.project import Environment, Project
from tocsin.sync.ruler import ORDER
from tocsin.sync.values import Desired, Group, Place, Rule
from tocsin.template import escape_file
from tocsin.wire.grafana import GrafanaGroup, GrafanaRule, Json, Unreadable, file_text, from_file, to_file

_IDENTITY = frozenset({"uid", "title", "isPaused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A rule that was written at some time: whose it is, where it last stood, and in which organisation."""

    service: str
    key: str
    file: str
    org_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one project and environment ever wrote into a folder. `stale`: Grafana was not yet told to read it again."""

    owner: str
    files: frozenset[str] = frozenset()
    rules: Mapping[str, Written] = field(default_factory=dict)
    stale: bool = False


def memory_name(owner: str) -> str:
    """The file that remembers."""
    return f"tocsin.{owner.replace('/', '.')}.json"


def desired_directory(
    every: Iterable[Resolved],
    project: Project,
    env: Environment,
    evaluator: str,
    frozen: frozenset[str],
    version: Version,
) -> Desired:
    """What the folder of one Grafana should hold of these services: the files that `build` writes."""
    every = tuple(each for each in every if each.env == env.name and each.service not in frozen)
    alerts = {alert.uid: alert for each in every for alert in each.alerts}
    owner = f"{project.name}/{env.name}"
    found: list[Group] = []
    for resolved in every:
        name = f"alert-template-{resolved.service}-{env.name}.json"
        for group in desired(resolved, project, env, evaluator):
            found.append(_wanted(group, name, resolved.service, version))
    for group in desired_together(every, project, env, evaluator):
        source = group.rules[0].data[0].datasource_uid
        found.append(_wanted(group, f"{WATCH_FILE}{source}-{env.name}.json", "", version))
    return Desired(
        owner=owner,
        environment=env.name,
        groups=tuple(
            replace(
                group,
                rules=tuple(
                    replace(
                        each,
                        owner=owner,
                        key=alerts[each.uid].key.text if each.uid in alerts else "",
                        digest=alerts[each.uid].digest if each.uid in alerts else "",
                    )
                    for each in group.rules
                ),
            )
            for group in found
        ),
        frozen=frozen,
    )


def groups_of(text: str, name: str, memory: Memory) -> tuple[Group, ...]:
    """The groups of one file of ours. `MachineError` where it is not one."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise MachineError(f"{name} is no JSON: {error}") from None
    listed = document.get("groups") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise MachineError(f"{name}: it has no list `groups`")
    return tuple(_group(each, name, memory) for each in listed)


def document_text(groups: Iterable[Group]) -> str:
    """The file that holds these groups."""
    return file_text({"apiVersion": 1, "groups": [_group_json(each) for each in groups]})


def memory_of(text: str | None, owner: str) -> Memory:
    """What was remembered. `MachineError` where the file is not what was written, for then nobody knows what is ours."""
    if text is None:
        return Memory(owner=owner)
    name = memory_name(owner)
    try:
        said = json.loads(text)["tocsin"]
        if said["owner"] != owner:
            raise MachineError(f"{name} belongs to {said['owner']}")
        return Memory(
            owner=owner,
            files=frozenset(map(str, said["files"])),
            rules={
                str(uid): Written(
                    service=str(each["service"]),
                    key=str(each["key"]),
                    file=str(each["file"]),
                    org_id=int(each["orgId"]),
                )
                for uid, each in said["rules"].items()
            },
            stale=bool(said["stale"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MachineError(
            f"{name} is not what tocsin wrote there", help="restore it; it says which rules were written"
        ) from None


def memory_text(memory: Memory, present: frozenset[str]) -> str:
    """The file that remembers; what was written once and is not `present` any more, Grafana is to delete."""
    gone: list[Json] = [
        {"orgId": each.org_id, "uid": uid} for uid, each in sorted(memory.rules.items()) if uid not in present
    ]
    return file_text(
        {
            "apiVersion": 1,
            "deleteRules": gone,
            "tocsin": {
                "owner": memory.owner,
                "files": sorted(memory.files),
                "rules": {
                    uid: {
                        "service": each.service,
                        "key": each.key,
                        "file": each.file,
                        "orgId": each.org_id,
                    }
                    for uid, each in sorted(memory.rules.items())
                },
                "stale": memory.stale,
            },
        }
    )


def organisation(group: Group) -> int:
    """The organisation a group belongs to."""
    found = group.settings.get("orgId")
    return found if isinstance(found, int) else 1


def _wanted(group: GrafanaGroup, name: str, service: str, version: Version) -> Group:
    listed = to_file([group], version)["groups"]
    assert isinstance(listed, list)
    made = _group(listed[0], name, Memory(owner=""))
    return replace(made, service=service, rules=tuple(replace(each, service=service) for each in made.rules))


def _group(node: Json, name: str, memory: Memory) -> Group:
    if not isinstance(node, Mapping) or not isinstance(node.get("name"), str):
        raise MachineError(f"{name}: a group has no name")
    rules = node.get("rules") or []
    interval = parse_duration(str(node.get("interval", "")))
    if not isinstance(rules, (list, tuple)) or interval is None:
        raise MachineError(f"{name}: the group {node['name']} has no interval or no rules")
    settings: dict[str, Json] = {**ORDER}
    settings |= {key: value for key, value in node.items() if key not in ("name", "interval", "rules")}
    made = tuple(_rule(each, name, memory) for each in rules)
    return Group(
        place=Place(name, _plain(node["name"])),
        interval=interval,
        rules=made,
        service=next((each.service for each in made if each.service), ""),
        settings=settings,
    )


def canonical_rule(rule: Rule, group: Group) -> GrafanaRule | None:
    """The rule as every surface knows it; None where the file holds it in a form that tocsin never writes."""
    alone = {"folder": "any", **_group_json(replace(group, rules=(rule,)))}
    found = from_file({"groups": [alone]})
    return None if isinstance(found, Unreadable) else found[0].rules[0]


def _rule(node: Json, name: str, memory: Memory) -> Rule:
    if not isinstance(node, Mapping) or not isinstance(node.get("uid"), str):
        raise MachineError(f"{name}: a rule has no uid")
    uid = str(node["uid"])
    written = memory.rules.get(uid)
    title = _plain(node.get("title"))
    labels = node.get("labels")
    return Rule(
        uid=uid,
        title=title,
        kind="alert",
        body={key: value for key, value in node.items() if key not in _IDENTITY},
        paused=node.get("isPaused") is True,
        owner=memory.owner if written is not None else "",
        key=written.key if written is not None else "",
        service=written.service if written is not None else "",
        labels={
            "alertname": title,
            **{
                str(key): _plain(text)
                for key, text in (labels if isinstance(labels, Mapping) else {}).items()
            },
        },
    )


def _group_json(group: Group) -> dict[str, Json]:
    own = {key: value for key, value in group.settings.items() if key not in ORDER}
    return {
        "orgId": own.pop("orgId", 1),
        "name": escape_file(group.place.group),
        **own,
        "interval": format_duration(group.interval or ZERO),
        "rules": [_rule_json(each) for each in group.rules],
    }


def _rule_json(rule: Rule) -> dict[str, Json]:
    return {
        "uid": rule.uid,
        "title": escape_file(rule.title),
        **rule.body,
        "isPaused": rule.paused or rule.hold is not None,
    }


def _plain(text: Json) -> str:
    return str(text if text is not None else "").replace("$$", "$")
