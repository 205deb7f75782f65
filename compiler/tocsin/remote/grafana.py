"""One Grafana, as its version allows: server, actor, data sources, states, silences, policies; folders and rules have modules of their own.

Everything is decided by the version, by a row of `wire.versions`, never by trying. A new instance costs one request or two (the version).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from tocsin.remote.alertmanager import GRAFANAS_OWN, Alertmanager
from tocsin.remote.grafana_folders import Folders
from tocsin.remote.grafana_rules import Rules
from tocsin.remote.grafana_server import find_actor, find_permissions, find_server
from tocsin.remote.http import Door
from tocsin.remote.rule_states import group_state
from tocsin.wire.grafana import Json
from tocsin.wire.live import Actor, GroupState, LiveDatasource, LiveFolder, LiveRule, RuleState
from tocsin.wire.versions import Version

_STATES: Final = ("api", "prometheus", "grafana", "api", "v1", "rules")
_GROUPS_A_PAGE: Final = 500


class Grafana:
    """A Grafana whose version is known. `rules`, `folders` and `alertmanager` (silences) are its parts."""

    def __init__(self, door: Door, *, assume_version: Version | None = None) -> None:
        self._door = door
        self.address: Final = door.base_url
        self.server: Final = find_server(door, assume_version)
        self.rules: Final = Rules(door, self.server.version)
        self.folders: Final = Folders(door, self.server.version)
        self.alertmanager: Final = Alertmanager(door, prefix=GRAFANAS_OWN)

    def actor(self) -> Actor:
        """Organisation and login of the credentials."""
        return find_actor(self._door)

    def permissions(self) -> frozenset[str] | None:
        """What the credentials may do, `folders:create` say; None where the server does not tell."""
        return find_permissions(self._door)

    def datasources(self) -> tuple[LiveDatasource, ...]:
        """Every data source."""
        return tuple(
            LiveDatasource(
                uid=each.text("uid"),
                name=each.text("name"),
                type=each.text("type"),
                url=each.text("url", ""),
                is_default=each.flag("isDefault"),
            )
            for each in self._door.get("api", "datasources").json().each()
        )

    def states(self) -> tuple[GroupState, ...]:
        """Every group as it is evaluated, with its interval; page by page where the server pages."""
        found: list[GroupState] = []
        token, used = "", set[str]()
        while True:
            params = [
                ("group_limit", str(_GROUPS_A_PAGE)),
                *([("group_next_token", token)] if token else []),
            ]
            read = self._door.get(*_STATES, params=params).json()
            if read.text("status") != "success":
                read.wrong("is no success", "status")
            data = read["data"]
            for each in data["groups"].each():
                _add(found, group_state(each))
            token = data.text("groupNextToken", "")
            if not token:
                return tuple(found)
            if token in used:
                data.wrong("comes again: the pages have no end", "data.groupNextToken")
            used.add(token)

    def policies(self) -> Json:
        """The tree of notification policies as it is; None where there is none. Read, never written: it is one document for everybody."""
        answer = self._door.get("api", "v1", "provisioning", "policies", accept=(200, 404))
        if answer.status == 404:
            return None
        return answer.json().object()

    def contact_points(self) -> frozenset[str]:
        """The names that a rule or a policy may notify; several integrations share one."""
        read = self._door.get("api", "v1", "provisioning", "contact-points").json()
        return frozenset(each.text("name") for each in read.each())


def _add(groups: list[GroupState], more: GroupState) -> None:
    """`more` at the end, or within the last one: a long group may go on overleaf."""
    last = groups[-1] if groups else None
    if last and (last.folder_uid, last.file, last.name) == (more.folder_uid, more.file, more.name):
        groups[-1] = replace(last, rules=(*last.rules, *more.rules))
    else:
        groups.append(more)


def states_by_uid(
    states: Iterable[GroupState], rules: Iterable[LiveRule], folders: Iterable[LiveFolder]
) -> Mapping[str, RuleState]:
    """uid -> state. A server that says no uid in its states (9.4) is matched by folder title, group and rule title; where two rules share all
    three, neither is guessed."""
    flat = [rule for group in states for rule in group.rules]
    found = {rule.uid: rule for rule in flat if rule.uid}
    nameless = [rule for rule in flat if not rule.uid]
    if not nameless:
        return found
    titles = {folder.uid: folder.title for folder in folders}
    uids: dict[tuple[str, str, str], list[str]] = {}
    for live in rules:
        place = (titles.get(live.folder_uid, ""), live.group, live.rule.title)
        uids.setdefault(place, []).append(live.rule.uid)
    by_place: dict[tuple[str, str, str], list[RuleState]] = {}
    for rule in nameless:
        by_place.setdefault((rule.file, rule.group, rule.name), []).append(rule)
    for place, same in by_place.items():
        named = uids.get(place, [])
        if len(same) == 1 and len(named) == 1:
            found[named[0]] = same[0]
    return found
