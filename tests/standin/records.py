"""What the stand-in stores. Records are frozen and replaced, never changed, so that a copy of the dictionaries
that hold them is a copy of everything: that is how a request is undone, or seen before it is committed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

ZERO_TIME = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alert rule; durations in milliseconds, the interval in seconds."""

    id: int
    uid: str
    org: int
    folder: str
    group: str
    title: str
    condition: str
    data: list[dict[str, Any]]
    no_data: str
    exec_err: str
    for_: int
    keep_firing_for: int
    missing_series: int | None
    annotations: dict[str, str]
    labels: dict[str, str]
    paused: bool
    notification: dict[str, Any] | None
    record: dict[str, Any] | None
    interval: int
    index: int
    version: int
    updated: str
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder; `parent` is '' at the root; `managed` is set for one that Git Sync owns."""

    id: int
    uid: str
    title: str
    parent: str = ""
    version: int = 1
    created: str = ZERO_TIME
    updated: str = ZERO_TIME
    managed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasource:
    """A data source, as far as rules see it."""

    id: int
    uid: str
    name: str
    type: str = "prometheus"
    url: str = "http://127.0.0.1:9090"
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """What evaluation last said of a rule (contract 5.2). A pinned state outlives changes of its rule."""

    state: str = "inactive"
    health: str = "ok"
    last_error: str = ""
    last_evaluation: str = ZERO_TIME
    alerts: list[dict[str, Any]] = field(default_factory=list)
    pinned: bool = False


@dataclass(slots=True, kw_only=True)
class Org:
    """One organisation's objects, each kind by its key."""

    id: int
    name: str
    folders: dict[str, Folder] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    datasources: dict[str, Datasource] = field(default_factory=dict)
    states: dict[str, RuleState] = field(default_factory=dict)
    contact_points: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    mute_timings: dict[str, dict[str, Any]] = field(default_factory=dict)
    silences: dict[str, dict[str, Any]] = field(default_factory=dict)
    annotations: list[dict[str, Any]] = field(default_factory=list)

    def copy(self) -> Org:
        """A copy whose containers can change without the original's changing."""
        values: dict[str, Any] = {
            k: v.copy() if isinstance(v, dict | list) else v for k, v in _fields(self).items()
        }
        return Org(**values)

    def group(self, folder: str, name: str) -> list[Rule]:
        """The rules of a group, in its order."""
        found = [rule for rule in self.rules.values() if rule.folder == folder and rule.group == name]
        return sorted(found, key=lambda rule: (rule.index, rule.id))


@dataclass(slots=True, kw_only=True)
class State:
    """Everything: the organisations, and the last id given."""

    orgs: dict[int, Org]
    last_id: int = 0

    def copy(self, org: int) -> State:
        """A copy in which `org` can be changed."""
        return State(orgs=self.orgs | {org: self.orgs[org].copy()}, last_id=self.last_id)

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


_KINDS: dict[str, Any] = {"folders": Folder, "rules": Rule, "datasources": Datasource, "states": RuleState}


def _fields(record: Any) -> dict[str, Any]:
    """A record's fields, not copied: what they hold is never changed."""
    return {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}


def _org_to_json(org: Org) -> dict[str, Any]:
    parts = _fields(org)
    return parts | {name: {key: _fields(item) for key, item in parts[name].items()} for name in _KINDS}


def to_json(state: State) -> dict[str, Any]:
    """The whole state as JSON values; the records' own containers are in it."""
    orgs = {str(number): _org_to_json(org) for number, org in state.orgs.items()}
    return {"orgs": orgs, "last_id": state.last_id}


def from_json(value: dict[str, Any]) -> State:
    """What `to_json` wrote."""
    orgs: dict[int, Org] = {}
    for number, stored in value["orgs"].items():
        content: dict[str, Any] = dict(stored)
        for name, kind in _KINDS.items():
            content[name] = {key: kind(**item) for key, item in stored[name].items()}
        orgs[int(number)] = Org(**content)
    return State(orgs=orgs, last_id=value["last_id"])
