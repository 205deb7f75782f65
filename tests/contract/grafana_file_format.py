"""A judge of Grafana alert provisioning files, written from Grafana's documentation and reader alone.

It imports nothing of tocsin, so that a misreading there is not repeated here. It reads the text as Grafana
does, with a YAML reader, expands `$` as Grafana does, and returns a sentence for everything a Grafana of
the given version would refuse, ignore or misunderstand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

Version = tuple[int, int, int]

_DURATION = re.compile(r"(?=.)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?|0")
_SECONDS = {"y": 31536000.0, "w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_GROUP = {"orgId": int, "name": str, "folder": str, "interval": str, "rules": list}
_RULE = {
    **dict.fromkeys(("uid", "title", "condition", "for", "noDataState", "execErrState"), str),
    **{"data": list, "annotations": dict, "labels": dict, "isPaused": bool},
}
_LATER = {"keepFiringFor": (str, (12, 1, 2)), "missing_series_evals_to_resolve": (int, (12, 1, 2))}
_NODE = {"refId": str, "queryType": str, "relativeTimeRange": dict, "datasourceUid": str, "model": dict}
_THRESHOLDS = {"gt": (9, 4, 0), "lt": (9, 4, 0), **dict.fromkeys(("gte", "lte", "eq", "ne"), (11, 6, 0))}


class _Reader(yaml.SafeLoader):
    """Reads numbers like 1e-07 as Go's YAML reader does; PyYAML's own takes them for text."""


_Reader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)


def problems(text: str, version: Version) -> list[str]:
    """Everything wrong with the file for a Grafana of that version; empty where it would be provisioned as
    meant."""
    try:
        document = yaml.load(text, Loader=_Reader)
    except yaml.YAMLError as failure:
        return [f"no YAML: {failure}"]
    if document != json.loads(text):
        return ["YAML and JSON readers disagree about it"]
    return list(_document(document, version))


def _document(document: Any, version: Version) -> Iterator[str]:
    if document.keys() != {"apiVersion", "groups"} or document["apiVersion"] != 1:
        yield f"top keys are {sorted(document)}"
        return
    uids: list[str] = []
    titles: list[tuple[str, str]] = []
    names: list[tuple[str, str]] = []
    for group in document["groups"]:
        if misshapen := list(_shape(group, _GROUP, {}, "group", version)):
            yield from misshapen
            continue
        folder, name = expanded(group["folder"]), expanded(group["name"])
        if not folder.strip() or not name.strip() or set(name) & set("/\\") or len(name.encode()) > 190:
            yield f"group name {name!r} or folder {folder!r}"
        if group["orgId"] < 1:
            yield f"orgId {group['orgId']}"
        interval = _seconds(group["interval"])
        if not interval or interval % 10:
            yield f"interval {group['interval']}"
        if not group["rules"]:
            yield f"group {name!r} has no rules"
        names.append((folder, name.casefold()))
        yield from _dollars(group["folder"], "folder")
        yield from _dollars(group["name"], "name")
        for rule in group["rules"]:
            if misshapen := list(_shape(rule, _RULE, _LATER, f"rule {rule.get('uid')}", version)):
                yield from misshapen
                continue
            yield from _rule(rule, version)
            uids.append(rule["uid"])
            titles.append((folder, expanded(rule["title"]).casefold()))
    yield from _twice("uid", uids)
    if version < (12, 0, 0):
        yield from _twice("title", titles)
    yield from _twice("group", names)


def _twice(what: str, keys: Sequence[object]) -> Iterator[str]:
    for key in dict.fromkeys(keys):
        if keys.count(key) > 1:
            yield f"{what} {key!r} twice"


def _rule(rule: Any, version: Version) -> Iterator[str]:
    if not _UID.fullmatch(rule["uid"]):
        yield f"uid {rule['uid']!r}"
    if not 0 < len(expanded(rule["title"]).encode()) <= 190:
        yield f"title {rule['title']!r}"
    yield from _dollars(rule["title"], "title")
    for key in ("for", "keepFiringFor"):
        if key in rule and _seconds(rule[key]) is None:
            yield f"{key} {rule[key]!r}"
    if rule.get("missing_series_evals_to_resolve", 1) < 1:
        yield "missing_series_evals_to_resolve below 1"
    keep = {"KeepLast"} if version >= (11, 0, 0) else set()
    if rule["noDataState"] not in {"NoData", "Alerting", "OK"} | keep:
        yield f"noDataState {rule['noDataState']!r}"
    if rule["execErrState"] not in {"Error", "Alerting", "OK"} | keep:
        yield f"execErrState {rule['execErrState']!r}"
    for name, value in {**rule["labels"], **rule["annotations"]}.items():
        if not isinstance(value, str):
            yield f"{name} is no text"
            return
    for name, value in rule["labels"].items():
        yield from _dollars(value, f"label {name}")
        yield from _template(expanded(value), f"label {name}")
        if name.startswith("__grafana_") or name in ("alertname", "grafana_folder"):
            yield f"label {name} is Grafana's"
    for name, value in rule["annotations"].items():
        yield from _template(value, f"annotation {name}")
    yield from _nodes(rule, version)


def _nodes(rule: Any, version: Version) -> Iterator[str]:
    seen: list[str] = []
    for node in rule["data"]:
        if misshapen := list(_shape(node, _NODE, {}, "node", version)):
            yield from misshapen
            continue
        ref, model, window = node["refId"], node["model"], node["relativeTimeRange"]
        if not ref or ref in seen or model.get("refId") != ref:
            yield f"refId {ref!r} of rule {rule['uid']}"
        if any(type(window.get(end)) is not int for end in ("from", "to")):
            yield f"range {window}"
            continue
        if node["datasourceUid"] == "__expr__":
            yield from _expression(model, seen, version)
        else:
            if not window["from"] > window["to"] >= 0:
                yield f"range {window}"
            if not model.get("expr") or model.get("instant") is not True or model.get("range") is not False:
                yield f"query {ref} is no instant query, so it would need a reducer"
        seen.append(ref)
    if rule["condition"] not in seen:
        yield f"condition {rule['condition']!r} is no node"


def _expression(model: Any, seen: list[str], version: Version) -> Iterator[str]:
    if model.get("type") == "math":
        read = set(re.findall(r"\$\{?([A-Za-z_]\w*)", model.get("expression", "")))
    elif model.get("type") == "threshold":
        read = {model.get("expression")}
        conditions = model.get("conditions")
        if not isinstance(conditions, list) or len(conditions) != 1:
            yield f"threshold with {conditions!r}"
            return
        evaluator = conditions[0]["evaluator"]
        since = _THRESHOLDS.get(evaluator["type"])
        if since is None or version < since or len(evaluator["params"]) != 1:
            yield f"threshold {evaluator}"
    else:
        yield f"expression of type {model.get('type')!r}"
        return
    if not read or not read <= set(seen):
        yield f"expression reads {sorted(map(str, read))}, and there are {seen}"


def _shape(
    value: Any, must: Mapping[str, type], may: Mapping[str, Any], what: str, version: Version
) -> Iterator[str]:
    for key, kind in must.items():
        if type(value.get(key)) is not kind:
            yield f"{what}: {key} is {value.get(key)!r}"
    for key, given in value.items():
        if key in must:
            continue
        kind, since = may.get(key, (None, (0, 0, 0)))
        if kind is None or type(given) is not kind or version < since:
            yield f"{what}: {key} is unknown to {version}, or of the wrong type"


def _seconds(text: str) -> float | None:
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(count) * _SECONDS[unit] for count, unit in re.findall(r"(\d+)(ms|[ywdhms])", text))


def expanded(text: str) -> str:
    """What Grafana makes of a string it expands: `$$` is a dollar, any other variable is empty here."""
    return "$".join(re.sub(r"\$(\{[^}]*\}|__\w+\{[^}]*\}|\w+)", "", part) for part in text.split("$$"))


def _dollars(text: str, what: str) -> Iterator[str]:
    if expanded(text) != text.replace("$$", "$"):
        yield f"{what}: {text!r} names an environment variable"


def _template(text: str, what: str) -> Iterator[str]:
    """Variables Grafana's templates do not have, and the one that prints a debug text before 12.0."""
    for action in re.findall(r"\{\{.*?\}\}", text, re.DOTALL):
        for name in re.findall(r"\$(\w+)", re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', "", action)):
            if name in ("value", "externalLabels", "externalURL"):
                yield f"{what}: ${name} in {action}"
