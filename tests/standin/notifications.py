"""Contact points, the policy tree, templates, mute timings: as much as contract 1.1 and 1.13 give codes for.

A client whose business is rules reads these, and must not write them; so that a write would be noticed, they work.
"""

from __future__ import annotations

import hashlib
from typing import Any

from tests.standin import binding, exports, provenance
from tests.standin.calls import Call
from tests.standin.errors import Reply, as_json, coded, empty, missing, plain

_POINT: binding.Fields = {
    "uid": binding.text,
    "name": binding.text,
    "type": binding.text,
    "settings": binding.anything,
    "disableResolveMessage": binding.flag,
}
_TEMPLATE: binding.Fields = {"name": binding.text, "template": binding.text, "version": binding.text}
_MUTE: binding.Fields = {"name": binding.text, "time_intervals": binding.anything, "version": binding.text}
DEFAULT_POLICIES = {"receiver": "grafana-default-email", "group_by": ["grafana_folder", "alertname"]}


def _may_read(call: Call) -> None:
    call.token.require("alert.provisioning:read", "alert.notifications.provisioning:read")


def _may_write(call: Call) -> str:
    call.token.require("alert.provisioning:write", "alert.notifications.provisioning:write")
    return provenance.of_other_write(call.headers, call.profile)


def _shown_point(point: dict[str, Any]) -> dict[str, Any]:
    settings = {k: exports.hidden(k, v) for k, v in point["settings"].items()}
    return point | {"settings": settings}


def list_points(call: Call) -> Reply:
    _may_read(call)
    name = call.one("name")
    points = [p for p in call.org.contact_points.values() if name in ("", p["name"])]
    return as_json([_shown_point(p) for p in sorted(points, key=lambda p: (p["name"], p["uid"]))])


def _point(call: Call, uid: str | None, given: str) -> dict[str, Any]:
    bound = call.bound(_POINT)
    uid = uid or bound.get("uid") or hashlib.sha256(bound.get("name", "").encode()).hexdigest()[:14]
    if not bound.get("name") or not bound.get("type") or not isinstance(bound.get("settings"), dict):
        raise plain(400, "invalid object specification: name, type and settings should not be empty")
    if len(uid) > 40:
        raise plain(400, "invalid object specification: UID is longer than 40 symbols")
    return {"disableResolveMessage": False} | bound | {"uid": uid, "provenance": given}


def post_point(call: Call) -> Reply:
    given = _may_write(call)
    point = _point(call, None, given)
    if point["uid"] in call.org.contact_points:
        raise plain(409, "receiver configuration with UID already exists")
    call.org.contact_points[point["uid"]] = point
    return as_json(_shown_point(point), 202)


def put_point(call: Call) -> Reply:
    given = _may_write(call)
    stored = call.org.contact_points.get(call.parts[0])
    if stored is None:
        raise plain(404, "contact point not found")
    provenance.check_object(stored["provenance"], given)
    call.org.contact_points[call.parts[0]] = _point(call, call.parts[0], given)
    return as_json({"message": "contactpoint updated"}, 202)


def _used_in(tree: dict[str, Any], name: str) -> bool:
    return tree.get("receiver") == name or any(_used_in(route, name) for route in tree.get("routes") or [])


def delete_point(call: Call) -> Reply:
    given = _may_write(call)
    stored = call.org.contact_points.get(call.parts[0])
    if stored is None:
        raise plain(404, "contact point not found")
    provenance.check_object(stored["provenance"], given)
    family = "alerting.notifications.contact-points"
    if _used_in(call.org.policies, stored["name"]):
        raise coded(
            409, f"{family}.referenced", "Contact point is currently referenced by a notification policy"
        )
    used = [r for r in call.org.rules.values() if (r.notification or {}).get("receiver") == stored["name"]]
    if used:
        raise coded(
            409, f"{family}.used-by-rule", "Contact point is currently used in the notification settings"
        )
    del call.org.contact_points[call.parts[0]]
    return as_json({"message": "contactpoint deleted"}, 202)


def get_policies(call: Call) -> Reply:
    _may_read(call)
    if not call.org.policies:
        raise plain(404, "could not find an Alertmanager configuration")
    return as_json(call.org.policies)


def put_policies(call: Call) -> Reply:
    given = _may_write(call)
    tree = binding.document(call.headers.get("content-type"), call.body)
    provenance.check_object(call.org.policies.get("provenance", ""), given)
    if not isinstance(tree, dict) or not isinstance(tree.get("receiver"), str) or not tree["receiver"]:
        raise plain(400, "invalid object specification: root route must specify a default receiver")
    names = {point["name"] for point in call.org.contact_points.values()}
    for name in _receivers(tree):
        if name not in names:
            raise plain(400, f"invalid object specification: receiver '{name}' does not exist")
    _replace(call.org.policies, tree | ({"provenance": given} if given else {}))
    return as_json({"message": "policies updated"}, 202)


def _receivers(tree: dict[str, Any]) -> list[str]:
    own = [tree["receiver"]] if tree.get("receiver") else []
    return own + [name for route in tree.get("routes") or [] for name in _receivers(route)]


def _replace(target: dict[str, Any], value: dict[str, Any]) -> None:
    target.clear()
    target.update({k: v for k, v in value.items() if k != "provenance" or v})


def delete_policies(call: Call) -> Reply:
    given = _may_write(call)
    provenance.check_object(call.org.policies.get("provenance", ""), given)
    _replace(call.org.policies, DEFAULT_POLICIES)
    return as_json(call.org.policies, 202)


def _named(call: Call, kind: dict[str, dict[str, Any]]) -> dict[str, Any]:
    stored = kind.get(call.parts[0])
    if stored is None:
        raise missing()
    return stored


def _shown(call: Call, stored: dict[str, Any]) -> dict[str, Any]:
    """Versions are told by those that compare them."""
    return stored if call.profile.template_versions else {k: v for k, v in stored.items() if k != "version"}


def _check_version(call: Call, stored: dict[str, Any] | None, asked: str) -> None:
    """An empty version asks for no check."""
    if call.profile.template_versions and asked and (stored or {}).get("version", "") != asked:
        raise coded(409, "alerting.notifications.conflict", "Provided version does not match current version")


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def list_templates(call: Call) -> Reply:
    _may_read(call)
    return as_json([_shown(call, t) for _, t in sorted(call.org.templates.items())])


def get_template(call: Call) -> Reply:
    _may_read(call)
    return as_json(_shown(call, _named(call, call.org.templates)))


def put_template(call: Call) -> Reply:
    given = _may_write(call)
    bound = call.bound(_TEMPLATE)
    name, stored = call.parts[0], call.org.templates.get(call.parts[0])
    if not bound.get("template"):
        raise plain(400, "invalid object specification: template must have content")
    provenance.check_object((stored or {}).get("provenance", ""), given)
    _check_version(call, stored, bound.get("version", ""))
    text = bound["template"]
    template = {"name": name, "template": text, "version": _digest(text), "provenance": given}
    call.org.templates[name] = template
    return as_json(_shown(call, template), 202)


def delete_template(call: Call) -> Reply:
    given = _may_write(call)
    stored = call.org.templates.get(call.parts[0])
    if stored is not None:
        provenance.check_object(stored["provenance"], given)
        _check_version(call, stored, call.one("version"))
        del call.org.templates[call.parts[0]]
    return empty(204)


def list_mutes(call: Call) -> Reply:
    _may_read(call)
    return as_json([_shown(call, t) for _, t in sorted(call.org.mute_timings.items())])


def get_mute(call: Call) -> Reply:
    _may_read(call)
    return as_json(_shown(call, _named(call, call.org.mute_timings)))


def post_mute(call: Call) -> Reply:
    given = _may_write(call)
    bound = call.bound(_MUTE)
    name = bound.get("name", "")
    if not name or name in call.org.mute_timings:
        raise plain(
            400 if not name else 409, "invalid object specification: a time interval needs a new name"
        )
    call.org.mute_timings[name] = _mute(bound, name, given)
    return as_json(_shown(call, call.org.mute_timings[name]), 201)


def _mute(bound: dict[str, Any], name: str, given: str) -> dict[str, Any]:
    intervals = bound.get("time_intervals")
    if not isinstance(intervals, list):
        raise plain(400, "invalid object specification: time_intervals should be a list")
    return {"name": name, "time_intervals": intervals, "version": _digest(intervals), "provenance": given}


def put_mute(call: Call) -> Reply:
    given = _may_write(call)
    bound = call.bound(_MUTE)
    stored = _named(call, call.org.mute_timings)
    provenance.check_object(stored["provenance"], given)
    _check_version(call, stored, bound.get("version", ""))
    call.org.mute_timings[call.parts[0]] = _mute(bound, call.parts[0], given)
    return as_json(_shown(call, call.org.mute_timings[call.parts[0]]), 202)


def _mutes(name: str, tree: dict[str, Any]) -> bool:
    """Whether a rule's settings, or a policy and those under it, name the time interval."""
    own = [*tree.get("mute_time_intervals", []), *tree.get("active_time_intervals", [])]
    return name in own or any(_mutes(name, route) for route in tree.get("routes") or [])


def delete_mute(call: Call) -> Reply:
    given = _may_write(call)
    stored = call.org.mute_timings.get(call.parts[0])
    if stored is not None:
        provenance.check_object(stored["provenance"], given)
        _check_version(call, stored, call.one("version"))
        settings = [rule.notification or {} for rule in call.org.rules.values()]
        if any(_mutes(call.parts[0], one) for one in (*settings, call.org.policies)):
            text = f"mute time '{call.parts[0]}' is currently used"
            if not call.profile.template_versions:
                raise plain(500, text)
            raise coded(409, "alerting.notifications.time-intervals.used", text)
        del call.org.mute_timings[call.parts[0]]
    return empty(204)
