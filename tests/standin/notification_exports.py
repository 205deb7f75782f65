"""Exports of contact points, policies and mute timings (contract 1.1, 1.12), in the file format."""

from __future__ import annotations

from typing import Any

from tests.standin import exports
from tests.standin.calls import Call
from tests.standin.errors import Reply, plain


def _may_read(call: Call) -> None:
    call.token.require("alert.provisioning:read", "alert.notifications.provisioning:read")


def export_points(call: Call) -> Reply:
    """Secrets are hidden unless `decrypt=true` is asked for by somebody who may."""
    _may_read(call)
    decrypt = call.one("decrypt") == "true"
    if decrypt:
        call.token.require("alert.provisioning.secrets:read")
    points: dict[str, list[dict[str, Any]]] = {}
    for point in sorted(call.org.contact_points.values(), key=lambda p: (p["name"], p["uid"])):
        settings = {k: v if decrypt else exports.hidden(k, v) for k, v in point["settings"].items()}
        shown = {k: point[k] for k in ("uid", "type", "disableResolveMessage")}
        points.setdefault(point["name"], []).append(shown | {"settings": settings})
    listed = [{"orgId": call.org.id, "name": name, "receivers": found} for name, found in points.items()]
    return exports.answer(call, {"apiVersion": 1, "contactPoints": listed})


def export_policies(call: Call) -> Reply:
    _may_read(call)
    if not call.org.policies:
        raise plain(404, "could not find an Alertmanager configuration")
    tree = {k: v for k, v in call.org.policies.items() if k != "provenance"}
    return exports.answer(call, {"apiVersion": 1, "policies": [{"orgId": call.org.id} | tree]})


def export_mutes(call: Call) -> Reply:
    """All, or the one that the path names."""
    _may_read(call)
    found = [
        {"orgId": call.org.id, "name": name, "time_intervals": timing["time_intervals"]}
        for name, timing in sorted(call.org.mute_timings.items())
        if call.parts in ((), (name,))
    ]
    if call.parts and not found:
        raise plain(404, "mute timing not found")
    return exports.answer(call, {"apiVersion": 1, "muteTimes": found})
