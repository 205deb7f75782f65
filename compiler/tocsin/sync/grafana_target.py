"""A Grafana as a target. The client is asked for by what it does (`GrafanaClient`), so that this room needs no HTTP.

One read is a handful of requests whatever the number of rules: the list of rules, the list of states (which alone says every group's
interval), folders, data sources, silences. A group whose interval the states do not say is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from tocsin.errors import RemoteError
from tocsin.ir.digest import GRAFANA_INTERVAL
from tocsin.ir.duration import Duration
from tocsin.sync.grafana import rule_from_grafana, rule_to_grafana
from tocsin.sync.values import Folder, Group, Live, Place, Rule, Server, State
from tocsin.wire.grafana import GrafanaGroup, Json
from tocsin.wire.live import (
    Actor,
    GrafanaServer,
    GroupState,
    LiveDatasource,
    LiveFolder,
    LiveRule,
    RuleState,
    Silence,
)


class RulesClient(Protocol):
    """The provisioning API's rules."""

    def all(self) -> tuple[LiveRule, ...]: ...
    def group(self, folder_uid: str, name: str) -> GrafanaGroup | None: ...
    def write_group(self, group: GrafanaGroup, *, known: frozenset[str], editable: bool) -> None: ...
    def delete(self, uid: str) -> None: ...


class FoldersClient(Protocol):
    """Its folders."""

    def covering(self, uids: Iterable[str]) -> tuple[LiveFolder, ...]: ...
    def remove_empty(self, uid: str) -> bool: ...
    def ensure(self, uid: str, title: str, parent_uid: str = "") -> LiveFolder: ...


class SilencesClient(Protocol):
    """Grafana's own Alertmanager."""

    def silences(self) -> tuple[Silence, ...]: ...


class GrafanaClient(Protocol):
    """One Grafana whose version is known."""

    @property
    def address(self) -> str: ...
    @property
    def server(self) -> GrafanaServer: ...
    @property
    def rules(self) -> RulesClient: ...
    @property
    def folders(self) -> FoldersClient: ...
    @property
    def alertmanager(self) -> SilencesClient: ...
    def actor(self) -> Actor: ...
    def datasources(self) -> tuple[LiveDatasource, ...]: ...
    def states(self) -> tuple[GroupState, ...]: ...
    def policies(self) -> Json: ...


class ByUid(Protocol):
    """How states are matched to rules: a server that says no uid is matched by place."""

    def __call__(
        self, states: Iterable[GroupState], rules: Iterable[LiveRule], folders: Iterable[LiveFolder], /
    ) -> Mapping[str, RuleState]: ...


class GrafanaTarget:
    """A Grafana as `Target`. `editable` leaves rules open to people in the UI, as the environment's `provenance` says; `folders` are those
    a plan may want beside the ones that hold rules."""

    def __init__(
        self,
        client: GrafanaClient,
        by_uid: ByUid,
        *,
        editable: bool = False,
        folders: frozenset[str] = frozenset(),
    ) -> None:
        self._client = client
        self._by_uid = by_uid
        self._editable = editable
        self._wanted = folders

    def read(self) -> Live:
        """Everything there is."""
        client = self._client
        rules = client.rules.all()
        folders = client.folders.covering({each.folder_uid for each in rules} | self._wanted)
        states = client.states()
        actor = client.actor()
        return Live(
            server=Server(
                kind="grafana",
                identity=f"{client.address}#{actor.org_id if actor.org_id is not None else ''}",
                version=client.server.text,
                organisation=str(actor.org_id) if actor.org_id is not None else "",
                login=actor.login or "",
            ),
            groups=self._groups(rules, states, folders),
            folders=tuple(
                Folder(uid=each.uid, title=each.title, parent=each.parent_uid, managed=each.managed_by)
                for each in folders
            ),
            datasources={each.uid: each.type for each in client.datasources()},
            states={uid: State.of(each) for uid, each in self._by_uid(states, rules, folders).items()},
            silences=self._silences(),
        )

    @property
    def address(self) -> str:
        """Where it is."""
        return self._client.address

    def policies(self) -> Json:
        """Its tree of notification policies, None where it tells none."""
        return self._client.policies()

    def read_group(self, place: Place) -> Group | None:
        """One group as it is; its rules carry no provenance, which no comparison of a write needs."""
        found = self._client.rules.group(place.folder, place.group)
        if found is None or not found.rules:
            return None
        rules = tuple(rule_from_grafana(each) for each in found.rules)
        return Group(place=place, interval=found.interval, rules=rules, service=_service(rules))

    def make_folder(self, folder: Folder) -> None:
        """The folder under its own uid."""
        self._client.folders.ensure(folder.uid, folder.title, folder.parent)

    def remove_folder(self, folder: Folder) -> bool:
        """The folder gone, if this Grafana can say that it is empty."""
        return self._client.folders.remove_empty(folder.uid)

    def write_group(self, group: Group, known: frozenset[str]) -> None:
        """The group whole, in one request where the version can."""
        made = GrafanaGroup(
            name=group.place.group,
            interval=group.interval,
            rules=tuple(rule_to_grafana(each) for each in group.rules),
            folder_uid=group.place.folder,
        )
        self._client.rules.write_group(made, known=known, editable=self._editable)

    def delete_rule(self, rule: Rule, place: Place) -> None:
        """The rule gone; Grafana says so of one that was gone already, too."""
        self._client.rules.delete(rule.uid)

    def states(self) -> Mapping[str, State]:
        """What every rule does now. A server without uids in its states needs the list of rules to tell them apart."""
        states = self._client.states()
        named = all(each.uid for group in states for each in group.rules)
        rules = () if named else self._client.rules.all()
        folders = () if named else self._client.folders.covering({each.folder_uid for each in rules})
        return {uid: State.of(each) for uid, each in self._by_uid(states, rules, folders).items()}

    def _groups(
        self, rules: Iterable[LiveRule], states: Iterable[GroupState], folders: Iterable[LiveFolder]
    ) -> tuple[Group, ...]:
        members: dict[Place, list[Rule]] = {}
        for each in rules:
            made = rule_from_grafana(each.rule, each.provenance)
            members.setdefault(Place(each.folder_uid, each.group), []).append(made)
        titles = {each.title: each.uid for each in folders}
        intervals = {
            Place(each.folder_uid or titles.get(each.file, ""), each.name): each.interval for each in states
        }
        return tuple(self._group(place, members[place], intervals) for place in sorted(members))

    def _group(self, place: Place, rules: list[Rule], intervals: Mapping[Place, Duration]) -> Group:
        interval = intervals.get(place)
        if interval is None:
            found = self._client.rules.group(*place)
            interval = found.interval if found is not None else GRAFANA_INTERVAL
        return Group(place=place, interval=interval, rules=tuple(rules), service=_service(rules))

    def _silences(self) -> tuple[Silence, ...]:
        try:
            return tuple(each for each in self._client.alertmanager.silences() if each.state != "expired")
        except RemoteError:
            # Silences only add to what a plan tells; a token that may not read them still syncs.
            return ()


def _service(rules: Iterable[Rule]) -> str:
    return next((each.service for each in rules if each.service), "")
