"""Rules as deployed: one value per rule, environment, level and override, with nothing left to decide.

`resolve` makes these from `ir.rule`; emit, diff, canary and sync see nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tocsin.diag.origin import Origin
from tocsin.diag.span import Span
from tocsin.ir.duration import Duration
from tocsin.ir.rule import AlertSource, RecordSource

EvaluatorKind = Literal["prometheus", "mimir", "grafana"]
Version = tuple[int, int, int]


class RuleKey(NamedTuple):
    """The identity of a compiled rule. `level` and `override` are `""` where the rule has none."""

    env: str
    id: str
    level: str = ""
    override: str = ""

    @property
    def text(self) -> str:
        """`id`, `id/level`, `id/level/override`; the environment is always known from the place it is printed in."""
        return "/".join(
            [
                self.id,
                *([self.level] if self.level or self.override else []),
                *([self.override] if self.override else []),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """The one server that evaluates a rule in an environment."""

    name: str
    kind: EvaluatorKind
    version: Version
    rules_per_group: int | None = None
    groups_per_tenant: int | None = None
    on_limit: Literal["refuse", "split"] = "refuse"
    tenant: str | None = None
    url_env: str | None = None
    web_url: str = ""
    """Its address in a browser, without a slash at its end, `""` where it has none: links on the site, never a way to the server."""
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasource:
    """A Grafana data source by the name rules use for it."""

    name: str
    uid: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginOf:
    """Where a value of a compiled rule came from: `level page`, `environment staging`, `override batch`, with the place. Asked for by
    `render --origins` alone: 10,000 rules have 150,000 of them."""

    layer: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledAlert:
    """One alert as one server evaluates it."""

    key: RuleKey
    uid: str
    name: str
    expr: str
    for_: Duration
    keep_firing_for: Duration
    labels: Mapping[str, str]
    own_labels: frozenset[str]
    """Labels the author or the severity gave; the others in `labels` were injected."""
    annotations: Mapping[str, str]
    own_annotations: frozenset[str]
    """Annotations the author gave (summary and description among them); the others were added by the project."""
    severity: str | None
    urgency: int
    """Rank of the severity in the policy, 0 the most urgent; one past the last where the rule has none."""
    service: str
    owner: str | None
    sop_ref: str | None
    runbook_url: str | None
    identity: tuple[str, ...]
    signal: str | None
    evaluator: Evaluator
    mirror: bool
    paused: bool
    datasource: Datasource | None
    shape: str
    params: Mapping[str, str]
    """Every parameter this rule used, as text."""
    digest: str
    version: str
    source: AlertSource = field(compare=False, repr=False)

    @property
    def origin(self) -> Origin:
        """The authored alert's place."""
        return self.source.origin


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRecord:
    """One recording rule as one server evaluates it."""

    key: RuleKey
    record: str
    expr: str
    labels: Mapping[str, str]
    service: str
    evaluator: Evaluator
    digest: str
    version: str
    source: RecordSource = field(compare=False, repr=False)

    @property
    def origin(self) -> Origin:
        """The authored record's place."""
        return self.source.origin


CompiledRule = CompiledAlert | CompiledRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledGroup:
    """Rules of one service that one server evaluates together, in order."""

    name: str
    service: str
    evaluator: Evaluator
    interval: Duration | None
    limit: int
    query_offset: Duration | None
    labels: Mapping[str, str]
    rules: tuple[CompiledRule, ...]
    file: str
    origin: Origin = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One service compiled for one environment."""

    env: str
    service: str
    groups: tuple[CompiledGroup, ...]

    @property
    def alerts(self) -> Iterator[CompiledAlert]:
        """Every alert, mirrors included, in group order."""
        for group in self.groups:
            for rule in group.rules:
                if isinstance(rule, CompiledAlert):
                    yield rule

    @property
    def records(self) -> Iterator[CompiledRecord]:
        """Every record, in group order."""
        for group in self.groups:
            for rule in group.rules:
                if isinstance(rule, CompiledRecord):
                    yield rule
