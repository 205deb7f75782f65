"""Order: of levels by urgency, of records before their readers, of `for` against the evaluation interval."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from tocsin.check.view import ServiceView
from tocsin.diag import Diagnostic, Related, Span, diagnostic
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRecord
from tocsin.ir.duration import format_duration
from tocsin.promql import Expr, experimental_functions, metrics, parse, threshold_direction
from tocsin.resolve.params import fill

_MARKER = 7_310_927.53125
"""A number no rule contains (and a float holds exactly): stands for the parameter whose comparison is looked for."""


def _families(view: ServiceView) -> Iterator[list[CompiledAlert]]:
    """The levels of one variant of one alert in one environment, the most urgent first."""
    for resolved in view.resolved:
        alerts = [each for each in resolved.alerts if not each.mirror and each.key.level]
        alerts.sort(key=lambda each: (each.key.id, each.key.override, each.urgency))
        for _, family in groupby(alerts, key=lambda each: (each.key.id, each.key.override)):
            levels = list(family)
            if len(levels) > 1:
                yield levels


def level_order(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC407: a more urgent level that trips before a less urgent one, where one parameter meets one comparison."""
    for levels in _families(view):
        source = levels[0].source
        if any(level.expr is not None for level in source.levels):
            continue
        for name in sorted(set(levels[0].params)):
            direction = _direction(source.expr, name, levels[0])
            if direction is None:
                continue
            for urgent, calm in pairwise(levels):
                high, low = _number(urgent.params.get(name)), _number(calm.params.get(name))
                if high is None or low is None or urgent.urgency == calm.urgency:
                    continue
                if (direction == "rising" and high < low) or (direction == "falling" and high > low):
                    word = "below" if direction == "rising" else "above"
                    message = f"level `{urgent.key.level}` is more urgent than `{calm.key.level}`, but its `{name}` {high:g} lies {word} {low:g}"
                    span = _param_place(urgent, name)
                    related = [
                        Related(message=f"`{calm.key.level}` is set here", span=_param_place(calm, name))
                    ]
                    yield diagnostic(
                        "TOC407",
                        span,
                        message,
                        help="swap the two, or their severities",
                        subject=f"{source.id}/levels.{urgent.key.level}.{name}",
                        related=related,
                    )


def _direction(expr: str, name: str, alert: CompiledAlert) -> str | None:
    if f"${{{name}}}" not in expr:
        return None
    parsed = parse(fill(expr, {**alert.params, name: _MARKER}))
    return threshold_direction(parsed, _MARKER) if isinstance(parsed, Expr) else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _param_place(alert: CompiledAlert, name: str) -> Span:
    level = alert.key.level
    if alert.origin.wrote("levels", level, name):
        return alert.origin.value("levels", level, name)
    return alert.origin.key("levels", level)


def keep_firing_order(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC408: keep_firing_for that grows with urgency: the page would outlast the ticket that it inhibits."""
    for levels in _families(view):
        for urgent, calm in pairwise(levels):
            if urgent.keep_firing_for > calm.keep_firing_for and urgent.urgency < calm.urgency:
                message = (
                    f"level `{urgent.key.level}` keeps firing for {format_duration(urgent.keep_firing_for)}, longer than the less urgent "
                    f"`{calm.key.level}` with {format_duration(calm.keep_firing_for)}"
                )
                span = urgent.origin.key("levels", urgent.key.level, "keep_firing_for")
                help = "give the less urgent level at least as much"
                yield diagnostic(
                    "TOC408",
                    span,
                    message,
                    help=help,
                    subject=f"{urgent.key.id}/levels.{urgent.key.level}.keep_firing_for",
                )


def record_order(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC413, TOC414: a record read before its group writes it, or written by another group: the reader lags."""
    for resolved in view.resolved:
        records = view.records[resolved.env]
        if not records.by_name:
            continue
        for group in resolved.groups:
            written = {
                rule.record: index
                for index, rule in reversed(list(enumerate(group.rules)))
                if isinstance(rule, CompiledRecord)
            }
            for index, rule in enumerate(group.rules):
                expr = parse(rule.expr)
                if not isinstance(expr, Expr):
                    continue
                for name in metrics(expr):
                    if name in written:
                        if written[name] > index:
                            yield _too_late(
                                group, rule.origin.value("expr"), rule.key.id, name, written[name]
                            )
                    elif name in records.by_name:
                        facts = records.by_name[name][0]
                        lag = format_duration(facts.interval) if facts.interval else "its interval"
                        message = f"`{name}` is recorded by group `{facts.group}` of `{facts.service}`: this rule may see it {lag} late"
                        yield diagnostic(
                            "TOC414",
                            rule.origin.value("expr"),
                            message,
                            help="put both into one group, or allow for it",
                            subject=f"{rule.key.id}/{name}",
                        )


def _too_late(group: CompiledGroup, span: Span, id: str, name: str, index: int) -> Diagnostic:
    record = group.rules[index]
    lag = format_duration(group.interval) if group.interval else "one interval"
    message = f"`{name}` is recorded further down in group `{group.name}`, so this rule reads the value of {lag} ago"
    related = [Related(message="recorded here", span=record.origin.value("record"))]
    return diagnostic(
        "TOC413",
        span,
        message,
        help="move the record above this rule",
        subject=f"{id}/{name}",
        related=related,
    )


def for_and_interval(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC418: a `for` shorter than the interval waits a whole interval all the same."""
    for resolved in view.resolved:
        for group in resolved.groups:
            for rule in group.rules:
                if isinstance(rule, CompiledAlert) and group.interval and 0 < rule.for_ < group.interval:
                    path = ("levels", rule.key.level, "for") if rule.key.level else ("for",)
                    message = f"`for` is {format_duration(rule.for_)}, but the group is evaluated every {format_duration(group.interval)}"
                    yield diagnostic(
                        "TOC418",
                        rule.origin.value(*path),
                        message,
                        help="the alert waits one interval: say so, or remove `for`",
                        subject=f"{rule.key.id}/for",
                    )


def experimental(view: ServiceView) -> Iterator[Diagnostic]:
    """TOC415: functions Prometheus hides behind a flag."""
    for resolved in view.resolved:
        for group in resolved.groups:
            for rule in group.rules:
                expr = parse(rule.expr)
                names = experimental_functions(expr) if isinstance(expr, Expr) and expr.experimental else ()
                for name in names:
                    message = f"`{name}` works only where Prometheus runs with `--enable-feature=promql-experimental-functions`"
                    yield diagnostic(
                        "TOC415", rule.origin.value("expr"), message, subject=f"{rule.key.id}/{name}"
                    )
