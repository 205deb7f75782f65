"""Which Grafana answers, and for whom: the version that every other decision asks for, the organisation and the login."""

from __future__ import annotations

import re

from tocsin.errors import Incompatible, WrongShape
from tocsin.remote.answer import Answer
from tocsin.remote.http import Door
from tocsin.wire.live import Actor, GrafanaServer
from tocsin.wire.versions import Version, row, version_text

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?")
_LISTS_RULES = row("grafana", "http", "alert_rules")
assert _LISTS_RULES is not None
OLDEST: Version = _LISTS_RULES.since
"""Below this a server cannot list its rules, so nothing about them is known."""


def parse_version(text: str) -> Version | None:
    """`13.0.1+security-01` -> (13, 0, 1); a pre-release counts as its release. None for no version."""
    found = _VERSION.match(text.strip())
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def find_server(door: Door, assume: Version | None = None) -> GrafanaServer:
    """The version by health, which needs no right but may be hidden or blocked; then by the frontend's settings; then as the project assumes;
    else the oldest that is supported. `Incompatible` (exit 6) below that; `Denied` where the credentials are not accepted."""
    health = door.get("api", "health", accept=(200, 400, 401, 403, 404, 500, 503))
    text = _said(health, ("version",))
    found_by = "health"
    if parse_version(text) is None:
        settings = door.get("api", "frontend", "settings", accept=(200, 400, 403, 404, 500))
        text = _said(settings, ("buildInfo", "version"))
        found_by = "settings"
    version = parse_version(text)
    if version is None:
        assumed = assume or OLDEST
        _refuse_old(door, assumed, version_text(assumed))
        return GrafanaServer(
            version=assumed, text=version_text(assumed), found_by="assumed" if assume else "oldest"
        )
    _refuse_old(door, version, text)
    return GrafanaServer(
        version=version, text=text, found_by="health" if found_by == "health" else "settings"
    )


def find_actor(door: Door) -> Actor:
    """Organisation and login of the credentials. A service account's token may not be allowed to ask; what is not told is None."""
    org = door.get("api", "org", accept=(200, 403, 404))
    user = door.get("api", "user", accept=(200, 400, 403, 404))
    told = org.json() if org.status == 200 else None
    login = user.json().text("login", "") if user.status == 200 else ""
    return Actor(
        org_id=told.whole("id") if told else None,
        org_name=told.text("name", "") if told else "",
        login=login or None,
    )


def find_permissions(door: Door) -> frozenset[str] | None:
    """What the credentials may do, by the server's own words (`folders:create`), whatever the scope. None where it does not tell."""
    answer = door.get("api", "access-control", "user", "permissions", accept=(200, 400, 403, 404))
    return frozenset(answer.json().object()) if answer.status == 200 else None


def _refuse_old(door: Door, version: Version, text: str) -> None:
    if version < OLDEST:
        raise Incompatible(
            f"{door.base_url} is Grafana {text}, which cannot list its alert rules; tocsin works with {version_text(OLDEST)} and newer"
        )


def _said(answer: Answer, path: tuple[str, ...]) -> str:
    """The text at `path`; `""` where the answer is an error, a page, or does not say it."""
    try:
        read = answer.json()
        for key in path[:-1]:
            read = read[key]
        return read.text(path[-1], "")
    except WrongShape:
        return ""
