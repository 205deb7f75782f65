"""A Mimir's ruler as a target: rule groups in namespaces, of which `tocsin.PROJECT.ENV.SERVICE` are ours and no other is ever written.

Groups are written one by one and kept as authored, so reading gives back what was sent. What is evaluated follows some seconds later and is
asked of the same server's Prometheus interface. Its shape comes from Mimir's public reference; it was not run against a real Mimir.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from tocsin.errors import MachineError, RemoteError
from tocsin.sync.loaded import states_of
from tocsin.sync.ruler import group_from, group_text, owner_of_namespace
from tocsin.sync.values import Folder, Group, Live, Place, Rule, Server, State
from tocsin.wire.grafana import Json
from tocsin.wire.live import GroupState, Sample, Silence


class Limits(Protocol):
    """The tenant's limits; None where the server does not say."""

    @property
    def rules_per_group(self) -> int | None: ...
    @property
    def groups(self) -> int | None: ...


class Ruler(Protocol):
    """The ruler of one tenant."""

    def rules(self) -> Mapping[str, tuple[Mapping[str, Json], ...]]: ...
    def group(self, namespace: str, name: str) -> Mapping[str, Json] | None: ...
    def set_group(self, namespace: str, text: str) -> None: ...
    def delete_group(self, namespace: str, name: str) -> None: ...
    def limits(self) -> Limits: ...


class Evaluation(Protocol):
    """What that tenant's rules do."""

    @property
    def address(self) -> str: ...
    def version(self) -> str: ...
    def rules(self) -> tuple[GroupState, ...]: ...
    def query(self, expr: str, *, at: float | None = None) -> tuple[Sample, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """Limits that tocsin.yaml states, for a server that does not tell its own."""

    rules_per_group: int | None = None
    groups: int | None = None


class MimirTarget:
    """One tenant of a Mimir. The smaller of the server's limits and the project's own counts."""

    def __init__(
        self,
        ruler: Ruler,
        evaluation: Evaluation,
        *,
        owner: str,
        tenant: str,
        configured: Configured,
        silences: Callable[[], tuple[Silence, ...]] = tuple,
    ) -> None:
        self._ruler, self._evaluation, self._owner, self._tenant = ruler, evaluation, owner, tenant
        self._configured, self._silences = configured, silences

    def read(self) -> Live:
        """Every group of the tenant, the foreign ones too: they count for its limits."""
        groups = tuple(
            _group(each, namespace)
            for namespace, found in sorted(self._ruler.rules().items())
            for each in found
        )
        names = dict.fromkeys(each.place.folder for each in groups)
        return Live(
            server=Server(
                kind="mimir",
                identity=f"{self._evaluation.address}#{self._tenant}",
                version=self._version(),
            ),
            groups=groups,
            folders=tuple(Folder(uid=each, title=each, managed=self._managed(each)) for each in names),
            states=self._states(groups),
            silences=self._silences(),
            limits=self._limits(),
        )

    def read_group(self, place: Place) -> Group | None:
        """The group as the ruler keeps it."""
        found = self._ruler.group(*place)
        return None if found is None else _group(found, place.folder)

    def make_folder(self, folder: Folder) -> None:
        """A namespace is there with its first group."""

    def remove_folder(self, folder: Folder) -> bool:
        """A namespace goes with its last group."""
        return True

    def write_group(self, group: Group, known: frozenset[str]) -> None:
        """The group whole, in one request."""
        self._admit(group.place)
        self._ruler.set_group(group.place.folder, group_text(group))

    def delete_rule(self, rule: Rule, place: Place) -> None:
        """The group without the rule, and no group without rules."""
        group = self.read_group(place)
        left = () if group is None else tuple(each for each in group.rules if each.uid != rule.uid)
        if group is None or not left:
            self.delete_group(place)
        else:
            self.write_group(replace(group, rules=left), frozenset())

    def delete_group(self, place: Place) -> None:
        """The whole group gone."""
        self._admit(place)
        self._ruler.delete_group(*place)

    def states(self) -> Mapping[str, State]:
        """What every rule of ours does."""
        groups = [
            _group(each, namespace) for namespace, found in self._ruler.rules().items() for each in found
        ]
        return self._states(tuple(groups))

    def covered(self, query: str) -> bool:
        """Whether the tenant's series answer the query with something."""
        return bool(self._evaluation.query(query))

    def _admit(self, place: Place) -> None:
        if self._managed(place.folder):
            raise MachineError(f"the namespace {place.folder} is not ours", help="it is left as it is")

    def _managed(self, namespace: str) -> str:
        owner, _ = owner_of_namespace(namespace)
        return "" if owner == self._owner else owner or "somebody else"

    def _version(self) -> str:
        try:
            return self._evaluation.version()
        except RemoteError:
            return ""

    def _limits(self) -> dict[str, int]:
        told = self._ruler.limits()
        found: dict[str, int] = {}
        for name, values in (
            ("rules_per_group", (told.rules_per_group, self._configured.rules_per_group)),
            ("groups", (told.groups, self._configured.groups)),
        ):
            known = [each for each in values if each is not None]
            if known:
                found[name] = min(known)
        return found

    def _states(self, groups: tuple[Group, ...]) -> dict[str, State]:
        places = {each.place: each for each in groups}
        made: dict[str, State] = {}
        for state in self._evaluation.rules():
            group = places.get(Place(state.file, state.name))
            if group is not None:
                made |= states_of(group, state)
        return made


def _group(node: Mapping[str, Json], namespace: str) -> Group:
    return group_from(node, namespace, *owner_of_namespace(namespace))
