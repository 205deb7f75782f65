"""Silences of Grafana's own Alertmanager: `/api/alertmanager/grafana/api/v2`, in Alertmanager's shapes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from tests.standin import binding
from tests.standin.calls import Call
from tests.standin.errors import Reply, as_json, plain

_MATCHER: binding.Fields = {
    "name": binding.text,
    "value": binding.text,
    "isRegex": binding.flag,
    "isEqual": binding.flag,
}
_SILENCE: binding.Fields = {
    "id": binding.text,
    "matchers": binding.list_of(binding.shape(_MATCHER)),
    "startsAt": binding.text,
    "endsAt": binding.text,
    "createdBy": binding.text,
    "comment": binding.text,
}


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise plain(400, f"silence failed validation: not a time: {text!r}") from None
    if found.tzinfo is None:
        raise plain(400, f"silence failed validation: no time zone: {text!r}")
    return found


def _shown(call: Call, silence: dict[str, Any]) -> dict[str, Any]:
    now = call.settings.now()
    state = "active"
    if _time(silence["endsAt"]) <= now:
        state = "expired"
    elif _time(silence["startsAt"]) > now:
        state = "pending"
    return silence | {"status": {"state": state}}


def list_silences(call: Call) -> Reply:
    """All, the ended ones too; `filter` is refused rather than half understood."""
    call.token.require("alert.instances:read", "alert.silences:read")
    if call.query.get("filter"):
        raise plain(400, "this server does not filter silences")
    return as_json([_shown(call, one) for one in call.org.silences.values()])


def get_silence(call: Call) -> Reply:
    call.token.require("alert.instances:read", "alert.silences:read")
    silence = call.org.silences.get(call.parts[0])
    if silence is None:
        raise plain(404, "silence not found")
    return as_json(_shown(call, silence))


def post_silence(call: Call) -> Reply:
    """Makes one, or with an id changes it: another id comes back when what it matches or its start changed."""
    call.token.require("alert.instances:create", "alert.silences:create")
    bound = call.bound(_SILENCE)
    for name in ("startsAt", "endsAt", "createdBy", "comment", "matchers"):
        if not bound.get(name):
            raise plain(400, f"silence failed validation: {name} is required")
    if not all(m.get("name") and "value" in m and "isRegex" in m for m in bound["matchers"]):
        raise plain(400, "silence failed validation: a matcher needs name, value and isRegex")
    if all(m["value"] == "" for m in bound["matchers"]):
        raise plain(400, "invalid silence: at least one matcher must not match the empty string")
    if _time(bound["endsAt"]) <= _time(bound["startsAt"]):
        raise plain(400, "invalid silence: end time must not be before start time")
    if _time(bound["endsAt"]) <= call.settings.now():
        raise plain(400, "invalid silence: end time can't be in the past")
    matchers = [{"isEqual": True} | m for m in bound["matchers"]]
    old = bound.get("id", "")
    if old:
        stored = call.org.silences.get(old)
        if stored is None:
            raise plain(404, "silence not found")
        if stored["matchers"] != matchers or stored["startsAt"] != bound["startsAt"]:
            call.org.silences[old] = stored | {"endsAt": call.settings.clock()}
            old = ""
    name = old or str(uuid.UUID(int=call.state.next_id(), version=4))
    kept = {k: bound[k] for k in ("startsAt", "endsAt", "createdBy", "comment")}
    call.org.silences[name] = kept | {"id": name, "matchers": matchers, "updatedAt": call.settings.clock()}
    return as_json({"silenceID": name}, 202)


def delete_silence(call: Call) -> Reply:
    """Ends it; it stays in the list as expired."""
    call.token.require("alert.instances:write", "alert.silences:write")
    silence = call.org.silences.get(call.parts[0])
    if silence is None:
        raise plain(404, "silence not found")
    if _shown(call, silence)["status"]["state"] == "expired":
        raise plain(500, f"silence {call.parts[0]} already expired")
    now = call.settings.clock()
    call.org.silences[call.parts[0]] = silence | {"endsAt": now, "updatedAt": now}
    return as_json({"message": "silence deleted"})
