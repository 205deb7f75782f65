"""The shape of a file in Grafana's `provisioning/alerting` folder.

Two traps are handled here and nowhere else. Grafana expands `$NAME` and `${NAME}` from its environment in
every string but models and annotation values, so a literal dollar in a title, group name, folder or label
is doubled; `{{ $labels.x }}` in a label would otherwise come out empty. And Grafana reads JSON files with
its YAML reader, which refuses some characters JSON allows and folds others, and which an unreadable file
stops at start: `file_text` escapes exactly those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from tocsin.ir.compiled import Version
from tocsin.ir.duration import Duration, format_duration, parse_duration
from tocsin.template import escape_file
from tocsin.wire.grafana.http import Unreadable, node_json, rule_from_http
from tocsin.wire.grafana.rule import GrafanaGroup, GrafanaRule, Json
from tocsin.wire.versions import supports

FileDocument: TypeAlias = "dict[str, Json]"

_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON may hold as they are and YAML may not, or breaks lines at. Characters beyond U+FFFF
must stay as they are: as a pair of escapes they are refused."""
_TO_HTTP = {
    "keepFiringFor": "keep_firing_for",
    "missing_series_evals_to_resolve": "missingSeriesEvalsToResolve",
}
"""Names of a file, and what the API calls them."""


def to_file(groups: Iterable[GrafanaGroup], version: Version) -> FileDocument:
    """The document that provisions these groups into a server of that version.

    ValueError for a rule this version cannot read from a file: the caller asks `emit.grafana.unsupported`
    first.
    """
    return {"apiVersion": 1, "groups": [_group(group, version) for group in groups]}


def file_text(document: FileDocument) -> str:
    """The document's bytes as text: two spaces, insertion order, a newline at the end, safe for a YAML
    reader too."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n"


def from_file(document: Json) -> tuple[GrafanaGroup, ...] | Unreadable:
    """The groups of a document that `to_file` made, as they were given to it; what the file's version could not
    say is absent. A lone `$` is no work of ours: Grafana would put an environment variable there.
    """
    groups = document.get("groups") if isinstance(document, Mapping) else None
    if isinstance(groups, str) or not isinstance(groups, Sequence):
        return Unreadable("groups", "is no list")
    found: list[GrafanaGroup] = []
    for index, each in enumerate(groups):
        group = _read_group(each, f"groups[{index}]")
        if isinstance(group, Unreadable):
            return group
        found.append(group)
    return tuple(found)


def _read_group(body: Json, path: str) -> GrafanaGroup | Unreadable:
    if not isinstance(body, Mapping):
        return Unreadable(path, "is no object")
    name, folder = _unescaped(body.get("name")), _unescaped(body.get("folder"))
    interval, org = _interval(body.get("interval")), body.get("orgId")
    rules = body.get("rules")
    for key, value in (("name", name), ("folder", folder), ("interval", interval)):
        if value is None:
            return Unreadable(f"{path}.{key}", "is missing, or is not what tocsin writes there")
    if not isinstance(org, int) or isinstance(org, bool):
        return Unreadable(f"{path}.orgId", "is no whole number")
    if isinstance(rules, str) or not isinstance(rules, Sequence):
        return Unreadable(f"{path}.rules", "is no list")
    read: list[GrafanaRule] = []
    for index, each in enumerate(rules):
        rule = _read_rule(each, f"{path}.rules[{index}]")
        if isinstance(rule, Unreadable):
            return rule
        read.append(rule)
    assert name is not None and folder is not None and interval is not None
    return GrafanaGroup(name=name, folder=folder, interval=interval, org_id=org, rules=tuple(read))


def _read_rule(body: Json, path: str) -> GrafanaRule | Unreadable:
    """One rule: the API's shape but for two names and the doubled dollars."""
    if not isinstance(body, Mapping):
        return Unreadable(path, "is no object")
    title, labels = _unescaped(body.get("title")), body.get("labels") or {}
    if not isinstance(labels, Mapping):
        return Unreadable(f"{path}.labels", "is no object")
    texts = {name: _unescaped(text) for name, text in labels.items()}
    wrong = next((f"labels.{name}" for name, text in texts.items() if text is None), None)
    if title is None or wrong is not None:
        return Unreadable(f"{path}.{wrong or 'title'}", "is not what tocsin writes there")
    plain = {_TO_HTTP.get(key, key): value for key, value in body.items()}
    plain |= {"title": title, "labels": texts}
    rule = rule_from_http(plain)
    return Unreadable(f"{path}{rule.path}", rule.reason) if isinstance(rule, Unreadable) else rule


def _unescaped(text: Json) -> str | None:
    """What `escape_file` was given; None for what it never gives."""
    if not isinstance(text, str) or "$" in text.replace("$$", ""):
        return None
    return text.replace("$$", "$")


def _interval(text: Json) -> Duration | None:
    return parse_duration(text) if isinstance(text, str) else None


def _group(group: GrafanaGroup, version: Version) -> dict[str, Json]:
    return {
        "orgId": group.org_id,
        "name": escape_file(group.name),
        "folder": escape_file(group.folder),
        "interval": format_duration(group.interval),
        "rules": [_rule(rule, version) for rule in group.rules],
    }


def _rule(rule: GrafanaRule, version: Version) -> dict[str, Json]:
    written: dict[str, Json] = {
        "uid": rule.uid,
        "title": escape_file(rule.title),
        "condition": rule.condition,
        "data": [node_json(node) for node in rule.data],
        "noDataState": rule.no_data,
        "execErrState": rule.exec_err,
        "for": format_duration(rule.for_),
    }
    if rule.keep_firing_for:
        if not supports("grafana", "file", "keep_firing_for", version):
            raise ValueError(f"{rule.uid}: keepFiringFor is not read from files by Grafana {version}")
        written["keepFiringFor"] = format_duration(rule.keep_firing_for)
    if rule.missing_series is not None and supports("grafana", "file", "missing_series", version):
        written["missing_series_evals_to_resolve"] = rule.missing_series
    written["annotations"] = dict(sorted(rule.annotations.items()))
    written["labels"] = {name: escape_file(value) for name, value in sorted(rule.labels.items())}
    written["isPaused"] = rule.paused
    return written
