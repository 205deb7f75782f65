"""The state of rules (contract 5.2) and its history (5.3), derived from the store.

Nothing is evaluated: a test says what evaluation found. What can be known without data is derived all the
same, because the provisioning API checks none of it (1.4): a condition that names no query, a reference to
none, a data source that is not there, a threshold the version does not know (2.2) give health `error`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.standin import folders
from tests.standin.calls import Call, Settings
from tests.standin.errors import Refusal, Reply, as_json, plain
from tests.standin.profiles import Profile
from tests.standin.records import ZERO_TIME, Org, Rule, RuleState
from tests.standin.validation import EXPRESSIONS

_PLAIN_THRESHOLDS = ("gt", "lt", "within_range", "outside_range")
_NEW_THRESHOLDS = ("eq", "ne", "gte", "lte", "within_range_included", "outside_range_included")


def failure(rule: Rule, org: Org, profile: Profile) -> str:
    """Why evaluating the rule would fail, whatever the data; '' if nothing is known to be wrong."""
    names = [query["refId"] for query in rule.data]
    if len(set(names)) != len(names):
        return f"failed to build query: duplicate refId in {names}"
    condition = rule.condition if rule.record is None else rule.record["from"]
    if condition not in names:
        return f"condition {condition} does not exist, must be one of {names}"
    for query in rule.data:
        if query["datasourceUid"] not in EXPRESSIONS:
            if query["datasourceUid"] not in org.datasources:
                return f"failed to build query '{query['refId']}': data source not found"
            continue
        model = query["model"]
        if model.get("type") in ("reduce", "threshold") and model.get("expression") not in names:
            return (
                f"failed to parse expression [{query['refId']}]: unknown variable {model.get('expression')!r}"
            )
        if model.get("type") == "threshold":
            known = _PLAIN_THRESHOLDS + (_NEW_THRESHOLDS if profile.inclusive_thresholds else ())
            conditions = model.get("conditions") or [{}]
            kind = conditions[0].get("evaluator", {}).get("type")
            if len(conditions) != 1 or kind not in known:
                return f"failed to parse expression [{query['refId']}]: invalid threshold function: {kind!r}"
    return ""


def evaluated(rule: Rule, state: RuleState, org: Org, profile: Profile, at: str) -> RuleState:
    """The state after an evaluation at `at`; a paused rule is not evaluated."""
    if rule.paused:
        return state
    text = failure(rule, org, profile)
    if text and not state.pinned:
        return replace(state, health="error", last_error=text, last_evaluation=at)
    return replace(state, last_evaluation=at, health="ok" if state.health == "unknown" else state.health)


def current(rule: Rule, org: Org, profile: Profile, settings: Settings) -> RuleState:
    """The rule's state now; with `settings.evaluates` the last evaluation is at most that many seconds ago."""
    state = org.states.get(rule.uid) or RuleState(health=profile.unevaluated_health)
    if settings.evaluates is None:
        return state
    now = settings.now().timestamp()
    last = datetime.fromtimestamp(now - now % settings.evaluates, UTC)
    since = datetime.fromisoformat(rule.updated)
    if last <= since:
        return state
    return evaluated(rule, state, org, profile, last.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def _alert(rule: Rule, title: str, alert: dict[str, Any], at: str) -> dict[str, Any]:
    """One alert instance; what the test left out is filled as the server would."""
    labels = {"alertname": rule.title, "grafana_folder": title} | rule.labels | alert.get("labels", {})
    return {
        "labels": labels,
        "annotations": alert.get("annotations", rule.annotations),
        "state": alert.get("state", "Alerting"),
        "activeAt": alert.get("activeAt", at),
        "value": alert.get("value", "1e+00"),
    }


def _shown(rule: Rule, state: RuleState, profile: Profile) -> RuleState:
    """The state as it is told. A rule that goes on as it was when its query fails (`OK`, `KeepLast`) is healthy to the interface, and each of
    its series says the error as the reason of its own state: a running 9.4, and the source (resultError in state.go) of 11 and 12.
    """
    if state.health != "error" or rule.exec_err not in ("OK", "KeepLast"):
        return state
    reason = "Error" if rule.exec_err == "OK" else "Error, KeepLast"
    noted = {"annotations": rule.annotations | {"Error": state.last_error}} if profile.error_annotated else {}
    alerts = [
        each | noted | {"state": f"{each.get('state', 'Normal').split(' (')[0]} ({reason})"}
        for each in state.alerts or [{}]
    ]
    return replace(state, health="ok", last_error="", alerts=alerts)


def _rule(rule: Rule, state: RuleState, title: str, profile: Profile) -> dict[str, Any]:
    state = _shown(rule, state, profile)
    alerts = [_alert(rule, title, alert, state.last_evaluation) for alert in state.alerts]
    body: dict[str, Any] = {
        "type": "alerting" if rule.record is None else "recording",
        "name": rule.title if rule.record is None else rule.record["metric"],
        "query": json.dumps([query["model"] for query in rule.data]),
        "duration": rule.for_ / 1000,
        "labels": rule.labels,
        "annotations": rule.annotations,
        "health": state.health,
        "lastError": state.last_error,
        "lastEvaluation": state.last_evaluation,
        "evaluationTime": 0.003,
        "alerts": alerts,
    }
    if rule.record is None:
        body["state"] = state.state
    if profile.state_uids:
        totals: dict[str, int] = {}
        for alert in alerts:
            name = alert["state"].split(" ")[0].lower()
            totals[name] = totals.get(name, 0) + 1
        body |= {
            "uid": rule.uid,
            "folderUid": rule.folder,
            "isPaused": rule.paused,
            "provenance": rule.provenance,
            "totals": totals,
            "totalsFiltered": totals,
        }
        if profile.keep_firing_for:
            body["keepFiringFor"] = rule.keep_firing_for / 1000
    return body


def _error(status: int, kind: str, text: str) -> Refusal:
    return Refusal(as_json({"status": "error", "errorType": kind, "error": text}, status))


def list_states(call: Call) -> Reply:
    """Groups with their rules' states. A rule in no folder is in no group here, which is how orphans hide."""
    call.token.require("alert.rules:read")
    if call.query.get("panel_id") and not call.query.get("dashboard_uid"):
        raise _error(400, "bad_data", "panel_id must be set with dashboard_uid")
    profile, org = call.profile, call.org
    grouped: dict[tuple[str, str], list[Rule]] = {}
    for rule in org.rules.values():
        if rule.folder in org.folders and _wanted(call, rule):
            grouped.setdefault((rule.folder, rule.group), []).append(rule)
    shown: list[dict[str, Any]] = []
    keys = sorted(grouped)
    limit = call.one("group_limit")
    next_key = None
    if profile.state_filters and limit.isascii() and limit.isdigit() and int(limit) > 0:
        first = call.one("group_next_token")
        keys = [key for key in keys if "\x00".join(key).encode().hex() > first]
        if len(keys) > int(limit):
            next_key = "\x00".join(keys[int(limit) - 1]).encode().hex()
        keys = keys[: int(limit)]
    totals: dict[str, int] = {}
    for key in keys:
        rules = sorted(grouped[key], key=lambda rule: (rule.index, rule.id))
        shown.append(_group(call, rules, totals))
    data: dict[str, Any] = {"groups": shown}
    if profile.state_uids:
        data["totals"] = totals
    if next_key is not None:
        data["groupNextToken"] = next_key
    return as_json({"status": "success", "data": data})


def _wanted(call: Call, rule: Rule) -> bool:
    """The filters the version knows; unknown parameters are ignored."""
    if not call.profile.state_filters:
        return True
    given = {
        "folder_uid": rule.folder,
        "rule_group": rule.group,
        "rule_name": rule.title,
        "rule_uid": rule.uid,
    }
    return all(value in call.query[name] for name, value in given.items() if call.query.get(name))


def _group(call: Call, rules: list[Rule], totals: dict[str, int]) -> dict[str, Any]:
    profile, org = call.profile, call.org
    first = rules[0]
    title = folders.full_title(org, org.folders[first.folder], path=profile.full_path)
    states = [current(rule, org, profile, call.settings) for rule in rules]
    shown = [_rule(rule, state, title, profile) for rule, state in zip(rules, states, strict=True)]
    body: dict[str, Any] = {
        "name": first.group,
        "file": title,
        "interval": first.interval,
        "evaluationTime": 0.004,
        "lastEvaluation": max((state.last_evaluation for state in states), default=ZERO_TIME),
        "rules": shown,
    }
    if profile.state_uids:
        own: dict[str, int] = {}
        for state in states:
            for count in (own, totals):
                count[state.state] = count.get(state.state, 0) + 1
        body |= {"folderUid": first.folder, "totals": own}
    return body


def list_alerts(call: Call) -> Reply:
    call.token.require("alert.instances:read")
    found = []
    for rule in call.org.rules.values():
        folder = call.org.folders.get(rule.folder)
        if folder is not None:
            title = folders.full_title(call.org, folder, path=call.profile.full_path)
            state = current(rule, call.org, call.profile, call.settings)
            found += [_alert(rule, title, alert, state.last_evaluation) for alert in state.alerts]
    return as_json({"status": "success", "data": {"alerts": found}})


def list_annotations(call: Call) -> Reply:
    """State history as annotations: `alertUID` since 11, `alertId` before; the newest first."""
    call.token.require("annotations:read")
    number = call.one("limit", "100")
    if not (number.isascii() and number.isdigit()):
        raise plain(400, "bad limit")
    found = [item for item in call.org.annotations if _in_window(call, item)]
    if call.profile.history_uid and call.query.get("alertUID"):
        rule = call.org.rules.get(call.one("alertUID"))
        if rule is None:
            raise Refusal(as_json({"message": "Alert rule not found"}, 404))
        found = [item for item in found if item["alertId"] == rule.id]
    if call.query.get("alertId"):
        found = [item for item in found if str(item["alertId"]) == call.one("alertId")]
    newest = sorted(found, key=lambda item: (item["time"], item["id"]), reverse=True)
    return as_json(newest[: int(number)])


def _in_window(call: Call, item: dict[str, Any]) -> bool:
    start, end = call.one("from", "0"), call.one("to", "0")
    if not (start.isdigit() and end.isdigit()):
        raise plain(400, "bad time range")
    return int(start) <= item["time"] and (int(end) == 0 or item["time"] <= int(end))
