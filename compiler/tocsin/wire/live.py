"""What servers hold and say, as values: `remote` reads them, `sync` compares them.

They live down here because the two may not import each other: a client is above the plan that it feeds. Every
value is what an interface answered and nothing more; which of it is ours, or wrong, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tocsin.ir.duration import ZERO, Duration
from tocsin.wire.grafana.rule import GrafanaRule
from tocsin.wire.versions import Version

VersionFrom = Literal["health", "settings", "assumed", "oldest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaServer:
    """Which Grafana answers. `found_by` says how the version is known; `text` is the version as the server spells it, or as it is taken to be."""

    version: Version
    text: str
    found_by: VersionFrom


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whom the credentials belong to. None where the server does not tell (a service account may not ask)."""

    org_id: int | None
    org_name: str
    login: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFolder:
    """A folder of dashboards and rules. `managed_by` names what keeps it (`repo` for Git Sync), `""` for nobody."""

    uid: str
    title: str
    parent_uid: str = ""
    managed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDatasource:
    """A data source as the server knows it."""

    uid: str
    name: str
    type: str
    url: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRule:
    """A rule and its place, as the list answers it. `updated` is the server's text, for telling whether somebody wrote meanwhile."""

    rule: GrafanaRule
    folder_uid: str
    group: str
    provenance: str
    updated: str
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertInstance:
    """One series of a rule that is pending, firing, or in another state but normal. `state` is in lower case and without its
    reason: `firing` and `pending` whatever the server's spelling; `reason` is what stood in the parentheses."""

    labels: Mapping[str, str]
    state: str
    reason: str = ""
    active_at: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """How a rule fares. `uid` and `folder_uid` are None from a Grafana that does not say them, and from a Prometheus."""

    name: str
    group: str
    file: str
    """The folder's title or path in Grafana, the rule file in Prometheus, the namespace in Mimir."""
    type: Literal["alerting", "recording"]
    health: str
    state: str
    last_error: str
    last_evaluation: str
    """RFC 3339; the year 0001 before the first one."""
    instances: tuple[AlertInstance, ...]
    query: str = ""
    for_: Duration = ZERO
    keep_firing_for: Duration = ZERO
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    uid: str | None = None
    folder_uid: str | None = None
    paused: bool = False
    took: float = 0.0
    """Seconds of its last evaluation."""

    @property
    def evaluated(self) -> bool:
        """Whether it has been evaluated at all."""
        return bool(self.last_evaluation) and not self.last_evaluation.startswith("0001-")

    def count(self, state: str) -> int:
        """How many of its series are `pending`, `firing`, ..."""
        return sum(each.state == state for each in self.instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A group as it is evaluated; the only list that says a Grafana group's interval."""

    name: str
    file: str
    interval: Duration
    rules: tuple[RuleState, ...]
    folder_uid: str | None = None
    limit: int = 0
    last_evaluation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition of a silence on an alert's labels. A label that is absent counts as `""`; a regex is anchored."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence of an Alertmanager or of Grafana's own. Times are RFC 3339 text. `id` is `""` before it is created."""

    matchers: tuple[Matcher, ...]
    starts_at: str
    ends_at: str
    created_by: str
    comment: str
    id: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one series; `at` is seconds since 1970."""

    labels: Mapping[str, str]
    at: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series over time: (seconds since 1970, value), oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]
