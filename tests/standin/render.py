"""Stored rules as a reader sees them (contract 1.2, 1.5, 1.6), and the echo of a group PUT (1.8)."""

from __future__ import annotations

from typing import Any

from tests.standin import durations
from tests.standin.profiles import Profile
from tests.standin.records import ZERO_TIME, Rule

DURATIONS = ("group_wait", "group_interval", "repeat_interval")


def rule(stored: Rule, profile: Profile, *, provenance: bool = True) -> dict[str, Any]:
    """The HTTP shape of a stored rule; a group's rules carry no provenance."""
    body: dict[str, Any] = {
        "id": stored.id,
        "uid": stored.uid,
        "orgID": stored.org,
        "folderUID": stored.folder,
        "ruleGroup": stored.group,
        "title": stored.title,
        "condition": stored.condition,
        "data": stored.data,
        "updated": stored.updated,
        "noDataState": stored.no_data,
        "execErrState": stored.exec_err,
        "for": durations.render(stored.for_),
        "isPaused": stored.paused,
    }
    if profile.keep_firing_for:
        body["keep_firing_for"] = durations.render(stored.keep_firing_for)
    for name, texts in (("annotations", stored.annotations), ("labels", stored.labels)):
        if texts or profile.empty_maps == "object":
            body[name] = texts
        elif profile.empty_maps == "null":
            body[name] = None
    _optional(body, "missingSeriesEvalsToResolve", stored.missing_series, shown=False)
    if profile.notification_settings:
        _optional(body, "notification_settings", notification(stored.notification), shown=profile.nulls_shown)
    if profile.record != "unknown":
        _optional(body, "record", stored.record, shown=profile.nulls_shown)
    if provenance and stored.provenance:
        body["provenance"] = stored.provenance
    return body


def _optional(body: dict[str, Any], name: str, value: Any, *, shown: bool) -> None:
    if value is not None or shown:
        body[name] = value


def notification(settings: dict[str, Any] | None) -> dict[str, Any] | None:
    """Notification settings with their durations as text."""
    if settings is None:
        return None
    return {name: durations.render(value) if name in DURATIONS else value for name, value in settings.items()}


def group(rules: list[Rule], profile: Profile) -> dict[str, Any]:
    """A group as GET answers it; it exists only with rules."""
    first = rules[0]
    return {
        "title": first.group,
        "folderUid": first.folder,
        "interval": first.interval,
        "rules": [rule(one, profile, provenance=False) for one in rules],
    }


def echo(bound: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """What a group PUT answers: the request as it was read, with nothing of what is stored."""
    return {
        "title": bound.get("title", ""),
        "folderUid": bound.get("folderUid", ""),
        "interval": bound.get("interval", 0),
        "rules": [_echo_rule(one, profile) for one in bound.get("rules", [])] if "rules" in bound else None,
    }


def _echo_rule(bound: dict[str, Any], profile: Profile) -> dict[str, Any]:
    body = {
        "orgID": 0,
        "folderUID": "",
        "ruleGroup": "",
        "title": "",
        "condition": "",
        "data": [],
        "updated": ZERO_TIME,
        "noDataState": "",
        "execErrState": "",
        "isPaused": False,
    }
    body |= {name: value for name, value in bound.items() if name not in ("id", "provenance")}
    body["for"] = durations.render(bound.get("for", 0))
    if profile.keep_firing_for:
        body["keep_firing_for"] = durations.render(bound.get("keep_firing_for", 0))
    if bound.get("notification_settings") is not None:
        body["notification_settings"] = notification(bound["notification_settings"])
    return body
