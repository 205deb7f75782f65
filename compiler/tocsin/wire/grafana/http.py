"""The provisioning API's shape, `/api/v1/provisioning/folder/{uid}/rule-groups/{group}`.

Its spelling is its own: `folderUID` in a rule and `folderUid` in the group, `keep_firing_for` with
underscores between camel-cased neighbours, the group's interval as whole seconds while every other duration
is text. Unknown keys are ignored by the server, so a misspelt one loses its value without a word: every key
here is covered by a test against the documented names.

Out: JSON-shaped dicts. In: whatever a server answered; what is not a rule comes back as `Unreadable`, never
as an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tocsin.ir.compiled import Version
from tocsin.ir.duration import ZERO, Duration, format_duration, parse_duration
from tocsin.wire.grafana.rule import GrafanaGroup, GrafanaRule, Json, Node
from tocsin.wire.versions import supports

_READ_ONLY: Final = frozenset(
    {
        "id",
        "orgID",
        "provenance",
        "updated",
        "updatedBy",
        "version",
        "guid",
        "folderUID",
        "ruleGroup",
        "metadata",
    }
)
"""Written by the server, or said by the rule's place; never part of a comparison."""
_KNOWN: Final = frozenset(
    {
        "uid",
        "title",
        "condition",
        "data",
        "noDataState",
        "execErrState",
        "for",
        "keep_firing_for",
        "missingSeriesEvalsToResolve",
        "labels",
        "annotations",
        "isPaused",
    }
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An answer that is not the rule or group it should be: the path inside it, and what is wrong there."""

    path: str
    reason: str


class _Unreadable(Exception):
    """Carries an `Unreadable` from the depth of a document to the door of this module."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.found = Unreadable(path, reason)


def to_http(group: GrafanaGroup, version: Version) -> dict[str, Json]:
    """The body of a group PUT for a server of that version.

    ValueError for a rule this version cannot hold (`keep_firing_for` before it exists): the caller asks
    `emit.grafana.unsupported` first.
    """
    return {
        "title": group.name,
        "folderUid": group.folder_uid,
        "interval": int(group.interval) // 1000,
        "rules": [_rule(rule, group, version) for rule in group.rules],
    }


def _rule(rule: GrafanaRule, group: GrafanaGroup, version: Version) -> dict[str, Json]:
    written: dict[str, Json] = {
        "uid": rule.uid,
        "folderUID": group.folder_uid,
        "ruleGroup": group.name,
        "title": rule.title,
        "condition": rule.condition,
        "data": [node_json(node) for node in rule.data],
        "noDataState": rule.no_data,
        "execErrState": rule.exec_err,
        "for": format_duration(rule.for_),
    }
    if rule.keep_firing_for:
        if not supports("grafana", "http", "keep_firing_for", version):
            raise ValueError(f"{rule.uid}: keep_firing_for is unknown to Grafana {version}")
        written["keep_firing_for"] = format_duration(rule.keep_firing_for)
    if rule.missing_series is not None and supports("grafana", "http", "missing_series", version):
        written["missingSeriesEvalsToResolve"] = rule.missing_series
    written["annotations"] = dict(sorted(rule.annotations.items()))
    written["labels"] = dict(sorted(rule.labels.items()))
    written["isPaused"] = rule.paused
    return written


def node_json(node: Node) -> dict[str, Json]:
    """One entry of `data`, the same over HTTP and in a file."""
    return {
        "refId": node.ref_id,
        "queryType": node.query_type,
        "relativeTimeRange": {"from": node.range_from, "to": node.range_to},
        "datasourceUid": node.datasource_uid,
        "model": dict(node.model),
    }


def from_http(document: Json) -> GrafanaGroup | Unreadable:
    """A group as the API answers it (or as it was sent); order is kept."""
    try:
        body = _mapping(document, "")
        seconds = body.get("interval")
        if not isinstance(seconds, int) or isinstance(seconds, bool):
            raise _Unreadable("interval", "is no whole number of seconds")
        rules = _sequence(body.get("rules"), "rules")
        return GrafanaGroup(
            name=_text(body, "title", ""),
            folder_uid=_text(body, "folderUid", ""),
            interval=Duration(seconds * 1000),
            rules=tuple(_read_rule(rule, f"rules[{index}]") for index, rule in enumerate(rules)),
        )
    except _Unreadable as failure:
        return failure.found


def rule_from_http(document: Json) -> GrafanaRule | Unreadable:
    """One rule as GET by uid or the list answers it."""
    try:
        return _read_rule(document, "")
    except _Unreadable as failure:
        return failure.found


def _read_rule(document: Json, path: str) -> GrafanaRule:
    body = _mapping(document, path)
    missing = body.get("missingSeriesEvalsToResolve")
    if missing is not None and (not isinstance(missing, int) or isinstance(missing, bool)):
        raise _Unreadable(f"{path}.missingSeriesEvalsToResolve", "is no whole number")
    return GrafanaRule(
        uid=_text(body, "uid", path),
        title=_text(body, "title", path),
        condition=_text(body, "condition", path, default=""),
        data=tuple(
            _node(node, f"{path}.data[{index}]")
            for index, node in enumerate(_sequence(body.get("data"), f"{path}.data"))
        ),
        no_data=_text(body, "noDataState", path, default=""),
        exec_err=_text(body, "execErrState", path, default=""),
        for_=_duration(body, "for", path),
        keep_firing_for=_duration(body, "keep_firing_for", path),
        missing_series=missing or None,
        labels=_texts(body.get("labels"), f"{path}.labels"),
        annotations=_texts(body.get("annotations"), f"{path}.annotations"),
        paused=body.get("isPaused") is True,
        extra={key: value for key, value in body.items() if key not in _KNOWN and key not in _READ_ONLY},
    )


def _node(document: Json, path: str) -> Node:
    body = _mapping(document, path)
    window = _mapping(body.get("relativeTimeRange") or {}, f"{path}.relativeTimeRange")
    return Node(
        ref_id=_text(body, "refId", path),
        datasource_uid=_text(body, "datasourceUid", path, default=""),
        model=dict(_mapping(body.get("model") or {}, f"{path}.model")),
        range_from=_seconds(window, "from", path),
        range_to=_seconds(window, "to", path),
        query_type=_text(body, "queryType", path, default=""),
    )


def _seconds(window: Mapping[str, Json], key: str, path: str) -> int:
    value = window.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unreadable(f"{path}.relativeTimeRange.{key}", "is no number of seconds")
    return int(value)


def _duration(body: Mapping[str, Json], key: str, path: str) -> Duration:
    text = _text(body, key, path, default="")
    if not text:
        return ZERO
    found = parse_duration(text)
    if found is None:
        raise _Unreadable(f"{path}.{key}", f"`{text}` is no duration")
    return found


def _text(body: Mapping[str, Json], key: str, path: str, *, default: str | None = None) -> str:
    value = body.get(key, default)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise _Unreadable(f"{path}.{key}".lstrip("."), "is no text")
    return value


def _texts(document: Json, path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in _mapping(document or {}, path).items():
        if not isinstance(value, str):
            raise _Unreadable(f"{path}.{key}", "is no text")
        found[key] = value
    return found


def _mapping(document: Json, path: str) -> Mapping[str, Json]:
    if not isinstance(document, Mapping):
        raise _Unreadable(path, "is no object")
    return document


def _sequence(document: Json, path: str) -> Sequence[Json]:
    if document is None:
        return ()
    if isinstance(document, str) or not isinstance(document, Sequence):
        raise _Unreadable(path, "is no list")
    return document
