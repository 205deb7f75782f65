"""The one Grafana rule every surface is made from and compared by.

A rule read back from a server differs from the one that was sent, although nobody touched it: the server
adds defaults to each query, copies one field, renders durations its own way and orders keys. `canonical` is
the form in which those two are equal. Durations are milliseconds here and text only at the codecs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from tocsin.ir.duration import ZERO, Duration

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""What JSON can hold."""

EXPRESSION = "__expr__"
"""The data source uid of Grafana's own expressions."""
INTERVAL_MS = 1000
MAX_DATA_POINTS = 43200
_DEFAULTS: Mapping[str, int] = {"intervalMs": INTERVAL_MS, "maxDataPoints": MAX_DATA_POINTS}
"""What the server writes into a query that lacks them, or holds 0."""
_LEGACY_EXPRESSION = "-100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One entry of a rule's `data`: a query or an expression. The range is seconds before now."""

    ref_id: str
    datasource_uid: str
    model: Mapping[str, Json]
    range_from: int = 0
    range_to: int = 0
    query_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaRule:
    """One alert rule as a Grafana holds it, without its place (folder, group) and without what only the
    server writes.

    `missing_series` is the number of evaluations after which a vanished series is resolved; None leaves it
    to the server. `extra` holds fields of a live rule that tocsin never writes (notification settings, a
    recording target), so that a comparison sees them.
    """

    uid: str
    title: str
    condition: str
    data: tuple[Node, ...]
    no_data: str
    exec_err: str
    for_: Duration = ZERO
    keep_firing_for: Duration = ZERO
    missing_series: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    paused: bool = False
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaGroup:
    """Rules evaluated together. HTTP finds the folder by uid, a file by title; the one it does not use may
    be empty."""

    name: str
    interval: Duration
    rules: tuple[GrafanaRule, ...]
    folder: str = ""
    folder_uid: str = ""
    org_id: int = 1


def canonical(rule: GrafanaRule) -> GrafanaRule:
    """The form in which a rule equals itself after a trip through a server: defaults filled, `queryType`
    copied, empty extras gone."""
    return replace(
        rule,
        data=tuple(_canonical_node(node) for node in rule.data),
        extra={key: value for key, value in rule.extra.items() if value not in (None, "", {}, [], ())},
    )


def canonical_group(group: GrafanaGroup) -> GrafanaGroup:
    """The group with every rule canonical; order is kept, for it is the order of evaluation."""
    return replace(group, rules=tuple(canonical(rule) for rule in group.rules))


def _canonical_node(node: Node) -> Node:
    model = {key: value for key, value in node.model.items() if value is not None}
    for key, value in _DEFAULTS.items():
        if not model.get(key):
            model[key] = value
    copied = model.get("queryType")
    return replace(
        node,
        model=model,
        query_type=copied if isinstance(copied, str) else node.query_type,
        datasource_uid=EXPRESSION if node.datasource_uid == _LEGACY_EXPRESSION else node.datasource_uid,
    )
