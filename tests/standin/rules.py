"""Single rules: list, read, create, replace, delete (contract 1.1, 1.7)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from tests.standin import access, binding, provenance, render, validation
from tests.standin.calls import Call
from tests.standin.errors import Reply, as_json, bad_request_data, empty, missing, plain
from tests.standin.records import Rule


def build(call: Call, bound: dict[str, Any], **fixed: Any) -> Rule:
    """A Rule from a request's fields; those the version does not know are dropped here (1.2).

    `for` has to be there: 1.2 calls it required, and the stricter reading of that is taken.
    """
    profile = call.profile
    if "for" not in bound:
        raise bad_request_data()
    notification = bound.get("notification_settings") if profile.notification_settings else None
    if notification is not None:
        hidden = () if profile.active_time_intervals else ("active_time_intervals",)
        notification = {k: v for k, v in notification.items() if k not in hidden}
    record = bound.get("record") if profile.record != "unknown" else None
    values: dict[str, Any] = {
        "id": 0,
        "uid": bound.get("uid", ""),
        "org": call.org.id,
        "folder": bound.get("folderUID", ""),
        "group": bound.get("ruleGroup", ""),
        "title": bound.get("title", ""),
        "condition": bound.get("condition", ""),
        "data": [_query(query) for query in bound.get("data", [])],
        "no_data": bound.get("noDataState", ""),
        "exec_err": bound.get("execErrState", ""),
        "for_": bound["for"],
        "keep_firing_for": bound.get("keep_firing_for", 0) if profile.keep_firing_for else 0,
        "missing_series": bound.get("missingSeriesEvalsToResolve") if profile.missing_series else None,
        "annotations": bound.get("annotations", {}),
        "labels": bound.get("labels", {}),
        "paused": bound.get("isPaused", False),
        "notification": notification,
        "record": None
        if record is None
        else {"metric": "", "from": "", "target_datasource_uid": ""} | record,
        "interval": 0,
        "index": 0,
        "version": 1,
        "updated": call.settings.clock(),
        "provenance": "",
    }
    return Rule(**(values | fixed))


def _query(bound: dict[str, Any]) -> dict[str, Any]:
    return {
        "refId": bound.get("refId", ""),
        "queryType": bound.get("queryType", ""),
        "relativeTimeRange": {"from": 0, "to": 0} | bound.get("relativeTimeRange", {}),
        "datasourceUid": bound.get("datasourceUid", ""),
        "model": bound.get("model"),
    }


def generated_uid(call: Call, number: int) -> str:
    """A uid of the server's own, 14 characters, the same in every run."""
    return hashlib.sha256(f"{call.org.id}/{number}".encode()).hexdigest()[:14]


def check_quota(call: Call, code: int) -> None:
    """Contract 1.4: counted with the new rules in place."""
    quota = call.settings.quota
    if quota is not None and len(call.org.rules) > quota:
        raise plain(code, "quota has been exceeded")


def next_index(call: Call, group: list[Rule]) -> int:
    """The place after a group's last rule; a version that keeps no order has no places."""
    if not call.profile.order_persisted:
        return 0
    return group[-1].index + 1 if group else 1


def forget_state(call: Call, uid: str) -> None:
    """A rule that changed or went starts anew: its alerts are gone, unless a test pinned its state."""
    state = call.org.states.get(uid)
    if state is not None and not state.pinned:
        del call.org.states[uid]


def list_rules(call: Call) -> Reply:
    access.require_rule_read(call.token, call.profile)
    ordered = sorted(call.org.rules.values(), key=lambda r: (r.folder, r.group, r.index, r.id))
    shown = call.profile.list_provenance
    return as_json([render.rule(rule, call.profile, provenance=shown) for rule in ordered])


def get_rule(call: Call) -> Reply:
    access.require_rule_read(call.token, call.profile)
    rule = call.org.rules.get(call.parts[0])
    if rule is None:
        raise missing() if call.profile.missing_rule_code == 404 else plain(500, "could not find alert rule")
    return as_json(render.rule(rule, call.profile))


def post_rule(call: Call) -> Reply:
    """Creates: the group's interval or the default one, at the group's end (1.7)."""
    access.require_rule_write(call.token, call.profile, "create")
    bound = call.bound(binding.RULE)
    new = build(call, bound)
    refusal = None if new.record else validation.bad_state(new.no_data, new.exec_err, call.profile)
    if refusal:
        raise refusal
    validation.check_folder(call.org, new.folder, call.profile)
    access.require_folder(call.token, new.folder)
    validation.check_uid(new.uid, call.profile)
    number = call.state.next_id()
    group = call.org.group(new.folder, new.group)
    new = replace(
        new,
        id=number,
        uid=new.uid or generated_uid(call, number),
        interval=group[0].interval if group else call.settings.default_interval,
        index=next_index(call, group),
        provenance=provenance.of_rule_write(call.headers),
    )
    validation.check_rule(new, call.profile, call.settings.base_interval)
    new = validation.presave(new, call.profile)
    if new.uid in call.org.rules:
        raise validation.uid_conflict(new.uid, call.profile)
    validation.check_titles(call.org, [new], [], call.profile)
    call.org.rules[new.uid] = new
    validation.check_receivers(call.org, new, call.profile)
    check_quota(call, 403)
    return as_json(render.rule(new, call.profile), 201)


def put_rule(call: Call) -> Reply:
    """Replaces all of a rule but its interval; another group or folder moves it, interval and all (1.7)."""
    access.require_rule_write(call.token, call.profile, "write")
    bound = call.bound(binding.RULE)
    stored = call.org.rules.get(call.parts[0])
    if stored is None:
        raise missing()
    given = provenance.of_rule_write(call.headers)
    new = build(
        call, bound, id=stored.id, uid=stored.uid, interval=stored.interval, version=stored.version + 1
    )
    refusal = None if new.record else validation.bad_state(new.no_data, new.exec_err, call.profile)
    if refusal:
        raise refusal
    validation.check_folder(call.org, new.folder, call.profile)
    access.require_folder(call.token, stored.folder)
    access.require_folder(call.token, new.folder)
    provenance.check_rule_put(stored.provenance, given)
    moved = (new.folder, new.group) != (stored.folder, stored.group)
    there = call.org.group(new.folder, new.group) if moved else []
    index = next_index(call, there) if moved else stored.index
    new = replace(new, index=index, provenance=given)
    validation.check_rule(new, call.profile, call.settings.base_interval)
    new = validation.presave(new, call.profile)
    validation.check_titles(call.org, [new], [], call.profile)
    call.org.rules[new.uid] = new
    validation.check_receivers(call.org, new, call.profile)
    forget_state(call, new.uid)
    return as_json(render.rule(new, call.profile))


def delete_rule(call: Call) -> Reply:
    """204, for a uid that is not there too, if the caller may write everywhere (1.1, 1.7)."""
    access.require_rule_write(call.token, call.profile, "delete")
    uid = call.parts[0]
    stored = call.org.rules.get(uid)
    if stored is None:
        if not access.blanket(call.token):
            raise plain(500, "could not find alert rule")
        return empty(204)
    access.require_folder(call.token, stored.folder)
    given = provenance.of_other_write(call.headers, call.profile)
    provenance.check_rule_delete(stored.provenance, given, call.profile)
    del call.org.rules[uid]
    forget_state(call, uid)
    return empty(204)
