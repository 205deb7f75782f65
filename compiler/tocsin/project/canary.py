"""The canary's parts of tocsin.yaml: gates, waivers, scope, stages, and where history is read.

Gates come in three layers, each over the one before: tocsin's defaults (`ir.canary`), `gates.default`, `gates.SEVERITY`. A severity that pages is
allowed fewer pages of a new rule, and demands a unit test where a replay can say little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final, cast

from tocsin.diag import Diagnostic, Map, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.canary import (
    DAY,
    DEFAULT_GATES,
    PAGED_PER_DAY,
    CanaryPolicy,
    CanaryStages,
    GateLimits,
    GateName,
    HistoryKind,
    HistorySource,
    QueryBudget,
    Rollback,
    WaivedGate,
)
from tocsin.ir.duration import Duration, parse_duration
from tocsin.ir.project import Environment, Project, SeverityPolicy
from tocsin.project.fields import mapping, text, texts

EVERY: Final = "default"
"""The key of the gates that hold for each severity."""
_URGENT: Final = frozenset({"P0", "P1"})
_LONGEST: Final = 2 * 366 * 86_400_000
_FREE_AT_MOST: Final[Mapping[GateName, frozenset[str]]] = {"duration": frozenset({"mean"})}
"""Limits without a default."""


def read_canary(data: Mapping[str, object], severities: tuple[SeverityPolicy, ...]) -> CanaryPolicy:
    """The `canary:` section; the defaults where there is none."""
    default = CanaryPolicy()
    budget, gates = mapping(data, "budget"), mapping(data, "gates")
    every = mapping(gates, EVERY)
    return CanaryPolicy(
        window=_duration(data, "window", default.window),
        expires=_duration(data, "expires", default.expires),
        group_by=texts(data, "group_by", default.group_by),
        scope={name: str(value) for name, value in mapping(data, "scope").items()},
        budget=QueryBudget(
            requests=cast(int, budget.get("requests", default.budget.requests)),
            time=_duration(budget, "time", default.budget.time),
        ),
        complete=frozenset(texts(data, "complete")),
        gates={
            "": _gates(None, every),
            **{each.name: _gates(each, every, mapping(gates, each.name)) for each in severities},
        },
        waivers=tuple(_waiver(cast(Map, each)) for each in cast("list[object]", data.get("waivers", []))),
        rollback={
            **default.rollback,
            **{kind: cast(Rollback, str(how)) for kind, how in mapping(data, "rollback").items()},
        },
    )


def read_stages(data: Mapping[str, object], *, pages: bool) -> CanaryStages:
    """`severities.P1.canary`, of a severity that pages somebody or does not. Stage 0 is always there: it is what a verdict is made of."""
    default = CanaryStages()
    stages = cast("list[int]", data.get("stages", list(default.stages)))
    return CanaryStages(
        stages=tuple(sorted({0, *stages})),
        soak=_duration(data, "soak", default.soak),
        watch=_duration(data, "watch", DAY if pages else default.watch),
    )


def read_history(data: Mapping[str, object]) -> HistorySource | None:
    """`environments.E.history`; None where it says nothing."""
    if not data:
        return None
    return HistorySource(
        kind=cast(HistoryKind, text(data, "kind")),
        url_env=text(data, "url_env") or None,
        tenant=text(data, "tenant") or None,
        datasource=text(data, "datasource") or None,
    )


def contradictions(project: Project) -> Iterator[Diagnostic]:
    """TOC205, TOC505, TOC823: gates of a severity the policy lacks, stages that have nothing to stand on."""
    names = [each.name for each in project.severities]
    gates = mapping(mapping(project.origin.node, "canary"), "gates")
    for severity in gates:
        if severity not in (EVERY, *names):
            yield diagnostic(
                "TOC505",
                project.origin.key("canary", "gates", severity),
                f"`{severity}` is no severity of the policy",
                help=did_you_mean(severity, (EVERY, *names)),
                subject=severity,
            )
    yield from _lengths(project)
    for each in project.severities:
        stages = each.canary.stages
        if 2 in stages and 1 not in stages:
            message, help = (
                "stage 2 compares what stage 1 deployed, and stage 1 is not run",
                "add 1, or remove 2",
            )
        elif 1 in stages and not project.canary.scope:
            message = "stage 1 deploys to the canary scope, and there is none"
            help = "add `canary: {scope: {cluster: canary-1}}`, or leave stages 1 and 2 out"
        else:
            continue
        at = project.origin.value("severities", each.name, "canary", "stages")
        yield diagnostic("TOC823", at, message, help=help, subject=each.name)


def _lengths(project: Project) -> Iterator[Diagnostic]:
    """TOC205: what must last some time and does not, or is longer than any duration."""
    data = mapping(project.origin.node, "canary")
    written = [("window", text(data, "window")), ("expires", text(data, "expires"))]
    for name, length in written:
        found = parse_duration(length)
        if length and (found is None or not 60_000 <= found <= _LONGEST):
            yield diagnostic(
                "TOC205",
                project.origin.value("canary", name),
                f"`{name}` must last between a minute and two years, not `{length}`",
                help="write 14d",
                subject=name,
            )


def history_contradictions(project: Project, environment: Environment) -> Iterator[Diagnostic]:
    """TOC210: history through a data source that nobody declared."""
    history = environment.history
    if history is None or (history.datasource is None and history.kind != "grafana"):
        return
    if environment.datasource(history.datasource) is None:
        at = project.origin.child("environments", environment.name, "history")
        known = [each.name for each in environment.datasources]
        named = history.datasource
        yield diagnostic(
            "TOC210",
            at.value("datasource") if named else at.value("kind"),
            f"`{named}` is no data source of `{environment.name}`"
            if named
            else f"history through Grafana needs a data source, and `{environment.name}` has none",
            help=did_you_mean(named, known) if named else "declare one under `datasources`",
            subject=named or environment.name,
        )


def _gates(severity: SeverityPolicy | None, *layers: Mapping[str, object]) -> Mapping[GateName, GateLimits]:
    found: dict[GateName, GateLimits] = {}
    for name, limits in DEFAULT_GATES.items():
        pages = severity is not None and severity.pages
        if name == "pages" and pages:
            limits = _with(limits, {"new_per_day": PAGED_PER_DAY}, name)
        if name == "unit-test" and severity is not None:
            limits = _with(limits, {"critical": pages or severity.name in _URGENT}, name)
        for layer in layers:
            limits = _with(limits, mapping(layer, name), name)
        found[name] = limits
    return found


def _with(limits: GateLimits, data: Mapping[str, object], gate: GateName) -> GateLimits:
    """The limits with what `data` says instead. The schema knows each gate's limits; here is known which way each loosens."""
    most, least = dict(limits.at_most), dict(limits.at_least)
    for name, value in data.items():
        if name == "critical":
            continue
        side = most if name in most or name in _FREE_AT_MOST.get(gate, ()) else least
        side[name] = _number(value)
    critical = bool(data.get("critical", limits.critical))
    return GateLimits(critical=critical, at_most=most, at_least=least)


def _number(value: object) -> float:
    """A limit; a duration becomes seconds."""
    if isinstance(value, str):
        return (parse_duration(value) or 0) / 1000
    return float(cast(float, value))


def _waiver(data: Mapping[str, object]) -> WaivedGate:
    return WaivedGate(
        rule=text(data, "rule"),
        gate=text(data, "gate"),
        by=text(data, "by"),
        reason=text(data, "reason"),
        expires=_day(text(data, "expires")),
    )


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        # It looks like a day and is none, 2026-02-30: it never comes, so nothing is waived.
        return date.min


def _duration(data: Mapping[str, object], key: str, default: Duration) -> Duration:
    found = parse_duration(text(data, key))
    return default if found is None else found
