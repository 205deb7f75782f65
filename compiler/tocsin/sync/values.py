"""What sync is about, the same for every kind of target.

A rule is its identity, its place, and `body`: the JSON its target knows it by, in canonical form (durations as milliseconds, server
defaults filled, what only the server writes left out, neither place nor pause in it). Equal bodies mean that there is nothing to write.
All values can be written to JSON and read back (`sync.document`): a saved plan and the journal are made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from tocsin.ir.duration import Duration
from tocsin.wire.grafana import Json
from tocsin.wire.live import RuleState, Silence

OWNER = "tocsin_owner"
"""The annotation that marks a rule as ours: `PROJECT/ENVIRONMENT`. Two environments of one organisation have two marks."""
CANARY = "_canary"
"""The end of the owner mark of rules on trial: `PROJECT/ENVIRONMENT_canary`. No environment's name can hold it, so they are another owner's
rules to every sync, and are left alone."""
HOLD = "tocsin_hold"
"""The annotation of a held rule: who, until when and why, as JSON."""

TargetKind = Literal["grafana", "directory", "prometheus", "mimir"]
Action = Literal["create", "update", "move", "adopt", "delete", "none"]
Effect = Literal["none", "starts", "for-restarts", "resolves-and-refires", "resolves"]
"""What an action does to alert state: nothing; a new rule starts; pending time begins again; firing instances resolve and fire again;
firing instances resolve."""

Health = Literal["ok", "error", "nodata", "unknown"]
_HEALTH: Mapping[str, Health] = {"ok": "ok", "err": "error", "error": "error", "nodata": "nodata"}


class Place(NamedTuple):
    """Where a rule lies. Grafana: folder uid and group; Mimir: namespace and group; Prometheus: file and group."""

    folder: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A rule paused by a person: nobody unpauses it before `until` (ISO 8601, UTC)."""

    by: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, wanted or live. `key` (`id/level/override`), `service` and `digest` are `""` where a live rule does not tell them."""

    uid: str
    title: str
    kind: Literal["alert", "record"]
    body: Mapping[str, Json]
    paused: bool = False
    owner: str = ""
    key: str = ""
    service: str = ""
    digest: str = ""
    """The semantic digest; of a live rule what `wire.grafana.decode` reads from it, `""` where it is opaque."""
    provenance: str = ""
    hold: Hold | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """Its own labels, alertname among them: what a silence can match beside the labels of a series."""
    datasources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules evaluated together, in this order: the unit of writing and of refusal. `settings` are the group's own keys a target has beside
    the interval (limit, query_offset, labels)."""

    place: Place
    interval: Duration
    rules: tuple[Rule, ...]
    service: str = ""
    settings: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder rules lie in; `managed` names who else writes it (`Git Sync`), `""` where nobody does."""

    uid: str
    title: str
    parent: str = ""
    managed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a rule does right now. `evaluated` is ISO 8601, `""` before its first evaluation."""

    health: Health
    pending: int = 0
    firing: int = 0
    error: str = ""
    evaluated: str = ""
    took: float = 0.0
    """Seconds of its last evaluation."""

    @staticmethod
    def of(state: RuleState) -> State:
        """The state a server told; `err` is how a Prometheus spells it."""
        return State(
            health=_HEALTH.get(state.health, "unknown"),
            pending=state.count("pending"),
            firing=state.count("firing"),
            error=state.last_error,
            evaluated=state.last_evaluation if state.evaluated else "",
            took=state.took,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Which server this is. `identity` tells it from another one (address without credentials, organisation); a plan for one is never
    applied to another."""

    kind: TargetKind
    identity: str
    version: str
    organisation: str = ""
    login: str = ""
    """Who the token belongs to: the actor a record names."""
    can_create_folders: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Everything that was read from one target, foreign rules included."""

    server: Server
    groups: tuple[Group, ...]
    folders: tuple[Folder, ...] = ()
    datasources: Mapping[str, str] = field(default_factory=dict)
    """uid -> type."""
    states: Mapping[str, State] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    """What the server takes: `rules_per_group`, `groups`; what it does not say is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything one target should hold of this project and environment. `frozen` services did not compile: their live rules stay."""

    owner: str
    environment: str
    groups: tuple[Group, ...]
    folders: tuple[Folder, ...] = ()
    frozen: frozenset[str] = frozenset()
    organisation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs: its path in the body (`labels.severity`), old and new; None where it was or will be absent."""

    path: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one rule, and what that does to its alerts."""

    action: Action
    rule: Rule
    """As it will be; for a deletion as it was."""
    before: Rule | None
    place: Place
    came_from: Place | None = None
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()
    effect: Effect = "none"
    pending: int = 0
    firing: int = 0
    silences_lost: tuple[Silence, ...] = ()
    """Silences that match its alerts now and will not match them after."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a group is not written, or (as a stop) why nothing is: a word machines know, one sentence, what to do."""

    code: str
    message: str
    help: str = ""
    subject: str = ""
    skipped: bool = False
    """Left out as the policy says, which is no failure of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """One group: what was there, what will be, why not."""

    place: Place
    service: str
    before: Group | None
    after: Group | None
    """None where the group goes."""
    changes: tuple[Change, ...]
    refusals: tuple[Refusal, ...] = ()
    foreign: int = 0
    """Rules of others in it, left alone."""
    leaving: tuple[str, ...] = ()
    """Uids that move from here to another group of the plan: the write of that group takes them along."""

    @property
    def writes(self) -> bool:
        """Whether applying it would write anything itself."""
        return not self.refusals and any(each.action != "none" for each in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one sync would do. `live` is a fingerprint of what was read: a saved plan applies to exactly that, or stops."""

    environment: str
    owner: str
    server: Server
    live: str
    folders: tuple[Folder, ...]
    """To be made."""
    groups: tuple[GroupPlan, ...]
    stops: tuple[Refusal, ...] = ()
    frozen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    """Keys of the rules that no verdict admits and that somebody lets out all the same."""


class Files(Protocol):
    """A folder that a server reads rules from."""

    @property
    def where(self) -> str: ...
    def names(self) -> tuple[str, ...]: ...
    def read(self, name: str) -> str | None: ...
    def write(self, name: str, text: str) -> None: ...
    def remove(self, name: str) -> None: ...


class Target(Protocol):
    """What holds rules. Each method raises a `TocsinError` of the door, `Ambiguous` where nobody knows whether a write was applied."""

    def read(self) -> Live:
        """Everything there is, in canonical form."""

    def read_group(self, place: Place) -> Group | None:
        """One group as it is now."""

    def make_folder(self, folder: Folder) -> None:
        """The folder, if it is not there."""

    def remove_folder(self, folder: Folder) -> bool:
        """The folder gone if it is certainly empty; False where it stays."""

    def write_group(self, group: Group, known: frozenset[str]) -> None:
        """The group made equal to `group`, whole; `known` are the uids the server has already."""

    def delete_rule(self, rule: Rule, place: Place) -> None:
        """The rule gone; one that is gone already is fine."""

    def states(self) -> Mapping[str, State]:
        """What every rule does now, by uid."""


@runtime_checkable
class WholeGroups(Protocol):
    """A target that can delete a group in one write. One that cannot loses its rules one by one."""

    def delete_group(self, place: Place) -> None:
        """The group gone, whatever is in it; one that is gone already is fine."""


@runtime_checkable
class InBatches(Protocol):
    """A target of files, whose server is told of many groups as fast as of one."""

    def write_groups(self, groups: Sequence[tuple[Place, Group | None]]) -> None:
        """All of them made so, None being gone, and the server told once. What it says no to leaves everything as it was."""
