"""Groups: read, replace, delete (contract 1.8). A PUT is one transaction: it happens whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.standin import access, binding, provenance, render, rules, validation
from tests.standin.calls import Call
from tests.standin.errors import Reply, as_json, empty, invalid, plain
from tests.standin.records import Rule

_NOT_CONTENT = ("id", "version", "updated", "provenance", "index")


def get_group(call: Call) -> Reply:
    access.require_rule_read(call.token, call.profile)
    stored = call.org.group(*call.parts)
    if not stored:
        raise plain(404, "rule group not found")
    return as_json(render.group(stored, call.profile))


def delete_group(call: Call) -> Reply:
    access.require_rule_write(call.token, call.profile, "delete")
    stored = call.org.group(*call.parts)
    if not stored:
        raise plain(404, "rule group not found")
    access.require_folder(call.token, call.parts[0])
    given = provenance.of_other_write(call.headers, call.profile)
    for rule in stored:
        provenance.check_in_group(rule.provenance, given, "delete", call.profile)
    for rule in stored:
        del call.org.rules[rule.uid]
        rules.forget_state(call, rule.uid)
    return empty(204)


def put_group(call: Call) -> Reply:
    """Makes the group hold exactly the rules of the body; 200 with the body echoed."""
    access.require_rule_write(call.token, call.profile, "write")
    folder, name = call.parts
    bound = call.bound(binding.GROUP) | {"folderUid": folder, "title": name}
    answer = as_json(render.echo(bound, call.profile))
    interval = bound.get("interval", 0)
    wanted = bound.get("rules") or []
    if call.profile.enum_hidden and any(_bad_enum(call, rule) for rule in wanted):
        interval = 0  # 1.8: the refusal of the state is built and lost; the empty group that is left fails.
    validation.check_interval(interval, call.settings.base_interval)
    validation.check_folder(call.org, folder, call.profile)
    access.require_folder(call.token, folder)
    stored = call.org.group(folder, name)
    given = provenance.of_other_write(call.headers, call.profile)
    if not wanted:
        # Absent and [] are one: only the interval is written. With no rules there is no group to write it to.
        new = [replace(rule, interval=interval) for rule in stored]
        _write(call, stored, new, given)
        return answer
    new = [_wanted(call, rule, folder, name, interval) for rule in wanted]
    _write(call, stored, _in_order(call, new), given)
    return answer


def _bad_enum(call: Call, bound: dict[str, Any]) -> bool:
    if bound.get("record") is not None and call.profile.record != "unknown":
        return False
    no_data, exec_err = validation.known_states(call.profile)
    return bound.get("noDataState", "") not in ("", *no_data) or bound.get("execErrState", "") not in (
        "",
        *exec_err,
    )


def _wanted(call: Call, bound: dict[str, Any], folder: str, name: str, interval: int) -> Rule:
    """One rule of the body: patched from the stored one of its uid (1.8), with id 0 where there is none."""
    new = rules.build(call, bound, folder=folder, group=name, interval=interval)
    if not new.uid:
        return new
    stored = call.org.rules.get(new.uid)
    if stored is None:
        if not call.profile.client_uid_in_group:
            text = f"failed to update rule with UID {new.uid} because could not find alert rule"
            raise plain(500, f"failed to calculate diff for alert rules: {text}")
        validation.check_uid(new.uid, call.profile)
        return new
    access.require_folder(call.token, stored.folder)
    patched = (
        new if new.condition and new.data else replace(new, condition=stored.condition, data=stored.data)
    )
    return replace(
        patched,
        id=stored.id,
        index=stored.index,
        title=new.title or stored.title,
        no_data=new.no_data or stored.no_data,
        exec_err=new.exec_err or stored.exec_err,
    )


def _in_order(call: Call, new: list[Rule]) -> list[Rule]:
    """The indexes: the body's order where the version keeps it; else none, and rules stand by their ids."""
    kept = call.profile.order_persisted
    return [replace(rule, index=position if kept else 0) for position, rule in enumerate(new, 1)]


def _write(call: Call, stored: list[Rule], wanted: list[Rule], given: str) -> None:
    """The difference between the group and `wanted`, checked whole, then applied to the copy in `call`."""
    profile, org = call.profile, call.org
    uids = [rule.uid for rule in wanted if rule.uid]
    if len(set(uids)) != len(uids):
        raise plain(409, "version conflict while updating a record in the database with optimistic locking")
    wanted = [validation.presave(_checked(call, rule), profile) for rule in wanted]
    gone = [rule for rule in stored if rule.uid not in uids]
    added = [rule for rule in wanted if rule.id == 0]
    changed = [
        rule for rule in wanted if rule.id and differs(org.rules[rule.uid], rule, profile.order_persisted)
    ]
    if not (gone or added or changed) and (profile.noop_detected or not wanted):
        return
    for rule in (*(org.rules[rule.uid] for rule in wanted if rule.id), *gone):
        verb = "delete" if rule in gone else "update"
        provenance.check_in_group(rule.provenance, given, verb, profile)
    validation.check_titles(org, wanted, gone, profile)
    left = {(old.folder, old.group) for old in (org.rules[rule.uid] for rule in changed)} - {
        (rule.folder, rule.group) for rule in wanted
    }
    for rule in gone:
        del org.rules[rule.uid]
        rules.forget_state(call, rule.uid)
    written = []
    for rule in wanted:
        old = org.rules.get(rule.uid)
        if old is None or rule.id == 0:
            number = call.state.next_id()
            uid = rule.uid or rules.generated_uid(call, number)
            rule = replace(rule, id=number, uid=uid, version=1, provenance=given)
        else:
            # A group is written whole: the rules that did not change get a new version too.
            rule = replace(rule, version=old.version + 1, provenance=given)
        if old is None or differs(old, rule, order=False):
            rules.forget_state(call, rule.uid)
        org.rules[rule.uid] = rule
        written.append(rule)
    _close_gaps(call, left)
    for rule in written:
        validation.check_receivers(org, rule, profile)
    if added:
        rules.check_quota(call, profile.quota_code)


def _checked(call: Call, rule: Rule) -> Rule:
    if rule.record is None:
        refusal = validation.bad_state(rule.no_data, rule.exec_err, call.profile)
        if refusal:
            raise refusal
    if rule.for_ < 0 or rule.keep_firing_for < 0:
        raise invalid("field `for` cannot be negative")
    validation.check_rule(rule, call.profile, call.settings.base_interval)
    return rule


def _close_gaps(call: Call, left: set[tuple[str, str]]) -> None:
    """Groups that a rule was moved out of are numbered anew."""
    if not call.profile.order_persisted:
        return
    for folder, name in left:
        for position, rule in enumerate(call.org.group(folder, name), 1):
            if rule.index != position:
                call.org.rules[rule.uid] = replace(rule, index=position, version=rule.version + 1)


def differs(old: Rule, new: Rule, order: bool) -> bool:
    """Whether the content differs, and with `order` the position too; never id, version, time, provenance."""
    left = replace(old, **{name: getattr(new, name) for name in _NOT_CONTENT})
    return left != new or (order and old.index != new.index)
