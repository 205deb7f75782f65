"""Exports (contract 1.12): the file format, which cannot be sent back over HTTP."""

from __future__ import annotations

import json
from typing import Any

import yaml
from tests.standin import access, durations, folders, render
from tests.standin.calls import Call
from tests.standin.errors import Reply, plain
from tests.standin.records import Rule

SECRETS = ("url", "password", "token", "integrationKey", "apiKey")


def _escaped(value: Any) -> Any:
    """`$` doubled, as file provisioning needs it everywhere but in models and annotations."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {_escaped(k): _escaped(v) for k, v in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def _rule(rule: Rule, call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {
        "uid": rule.uid,
        "title": _escaped(rule.title),
        "condition": rule.condition,
        "data": [
            {
                "refId": query["refId"],
                "queryType": query["queryType"],
                "relativeTimeRange": query["relativeTimeRange"],
                "datasourceUid": query["datasourceUid"],
                "model": query["model"],
            }
            for query in rule.data
        ],
        "noDataState": rule.no_data,
        "execErrState": rule.exec_err,
        "for": durations.render(rule.for_),
        "annotations": rule.annotations,
        "labels": _escaped(rule.labels),
        "isPaused": rule.paused,
    }
    if rule.keep_firing_for:
        body["keepFiringFor"] = durations.render(rule.keep_firing_for)
    if rule.missing_series is not None:
        body["missing_series_evals_to_resolve"] = rule.missing_series
    if rule.notification is not None:
        body["notification_settings"] = _escaped(render.notification(rule.notification))
    if rule.record is not None:
        names = {"metric": "metric", "from": "from", "target_datasource_uid": "targetDatasourceUid"}
        body["record"] = {names[k]: v for k, v in rule.record.items()}
    return body


def _reply(call: Call, rules: list[Rule]) -> Reply:
    if not rules:
        raise plain(404, "no rules found")
    groups: dict[tuple[str, str], list[Rule]] = {}
    for rule in sorted(rules, key=lambda r: (r.folder, r.group, r.index, r.id)):
        groups.setdefault((rule.folder, rule.group), []).append(rule)
    shown = []
    for (uid, name), members in groups.items():
        folder = call.org.folders.get(uid)
        title = folders.full_title(call.org, folder, path=call.profile.full_path) if folder else uid
        shown.append(
            {
                "orgId": call.org.id,
                "name": _escaped(name),
                "folder": _escaped(title),
                "interval": durations.render(members[0].interval * 1000),
                "rules": [_rule(rule, call) for rule in members],
            }
        )
    return answer(call, {"apiVersion": 1, "groups": shown})


def answer(call: Call, document: dict[str, Any]) -> Reply:
    """A document of the file format as a body; the query's format wins over the Accept header."""
    accepted = "json" if "json" in call.headers.get("accept", "") else "yaml"
    form = call.one("format") or accepted
    headers = {}
    if call.one("download") == "true":
        headers["Content-Disposition"] = f"attachment;filename=export.{form}"
    if form == "json":
        return Reply(body=json.dumps(document).encode(), headers=headers)
    if form != "yaml":
        raise plain(400, f"this server does not export {form}")
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return Reply(body=text.encode(), content_type="text/yaml", headers=headers)


def hidden(name: str, value: Any) -> Any:
    """A contact point's setting as readers without the right see it."""
    return "[REDACTED]" if name in SECRETS else value


def export_rules(call: Call) -> Reply:
    access.require_rule_read(call.token, call.profile)
    uids, inside, group = call.query.get("ruleUid", []), call.query.get("folderUid", []), call.one("group")
    if uids and (inside or group):
        raise plain(400, "ruleUid cannot be combined with folderUid or group")
    if group and len(inside) != 1:
        raise plain(400, "group name must be specified together with exactly one folder")
    return _reply(
        call,
        [
            rule
            for rule in call.org.rules.values()
            if (not uids or rule.uid in uids)
            and (not inside or rule.folder in inside)
            and (not group or rule.group == group)
        ],
    )


def export_rule(call: Call) -> Reply:
    access.require_rule_read(call.token, call.profile)
    rule = call.org.rules.get(call.parts[0])
    return _reply(call, [rule] if rule else [])


def export_group(call: Call) -> Reply:
    access.require_rule_read(call.token, call.profile)
    return _reply(call, call.org.group(*call.parts))
