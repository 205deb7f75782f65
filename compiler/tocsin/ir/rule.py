"""Rules as authored: what a person wrote, with parameters, levels and overrides still open.

`load.lower` makes these; `resolve` turns them into the compiled rules of `ir.compiled`. `None` means "not said" and is settled in `resolve`,
where the parameters and the environment are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.diag.origin import Origin
from tocsin.diag.source_file import SourceFile

ParamValue = str | int | float | bool
"""A parameter is a JSON scalar; it is written into text as it reads in the source (5 is `5`, 0.95 is `0.95`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSource:
    """One grade of an alert. `key` is its identity and never reused; `severity` is a value."""

    key: str
    severity: str | None = None
    name: str | None = None
    expr: str | None = None
    for_: str | None = None
    keep_firing_for: str | None = None
    enabled: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideSource:
    """A change for some environments or some series. `where` is one identity label with an anchored regular expression, as in PromQL."""

    key: str
    environments: tuple[str, ...] = ()
    where: tuple[str, str] | None = None
    set: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSource:
    """One authored alert. `levels` is empty for an alert of a single, unnamed level, whose severity, for and keep_firing_for stand on the alert."""

    id: str
    name: str
    expr: str
    service: str
    owner: str | None
    origin: Origin = field(compare=False, repr=False)
    severity: str | None = None
    for_: str | None = None
    keep_firing_for: str | None = None
    enabled: bool = True
    sop_ref: str | None = None
    identity: tuple[str, ...] = ()
    signal: str | None = None
    sli: str | None = None
    summary: str | None = None
    description: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    levels: tuple[LevelSource, ...] = ()
    overrides: tuple[OverrideSource, ...] = ()
    routes_to: Mapping[str, str] = field(default_factory=dict)
    datasource: str | None = None
    evaluator: str | None = None
    mirror: bool = False
    grafana_uid: str | None = None
    shape: str = "promql"
    series_bound: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSource:
    """One authored recording rule; `id` is the record's name unless the author gave one (two records of one name need it)."""

    id: str
    record: str
    expr: str
    service: str
    origin: Origin = field(compare=False, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSource:
    """Rules evaluated together, in this order."""

    name: str
    rules: tuple[AlertSource | RecordSource, ...]
    origin: Origin = field(compare=False, repr=False)
    interval: str | None = None
    limit: int = 0
    query_offset: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One alert expected to fire: its level key (`""` where the alert has no levels) and labels its series must carry."""

    level: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series expected from a recording rule at a time."""

    series: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSource:
    """One authored unit test. `firing` is the exact set at each time; `samples` the exact series of each record."""

    name: str
    alert: str | None
    environments: tuple[str, ...]
    step: str
    series: Mapping[str, str]
    firing: tuple[tuple[str, tuple[Expected, ...]], ...]
    samples: tuple[tuple[str, tuple[Sample, ...]], ...]
    origin: Origin = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """One file below `rules/<service>/`."""

    file: SourceFile = field(repr=False)
    service: str
    owner: str | None
    params: Mapping[str, ParamValue]
    groups: tuple[GroupSource, ...]
    tests: tuple[TestSource, ...]
    origin: Origin = field(compare=False, repr=False)
