"""Lowering of rule files: a conforming document in, `RuleFile` out.

What the schema refused is left out here (its finding is already made): a field counts as not said, a rule without name, id or expression as not
written, so that everything else is still checked in the same run. Nothing past this module sees a mapping from YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tocsin.diag import Diagnostic, Map, Origin, Seq, Severity, SourceFile, diagnostic
from tocsin.ir.rule import (
    AlertSource,
    Expected,
    GroupSource,
    LevelSource,
    OverrideSource,
    ParamValue,
    RecordSource,
    RuleFile,
    Sample,
    TestSource,
)
from tocsin.source.schema import conform
from tocsin.source.tree import read_document

LEVEL_KEYS = frozenset(
    {
        "severity",
        "name",
        "expr",
        "for",
        "keep_firing_for",
        "enabled",
        "labels",
        "annotations",
        "summary",
        "description",
    }
)
"""Words of the format inside a level; any other key there is a parameter."""
RESERVED = LEVEL_KEYS | {
    "alert",
    "id",
    "record",
    "levels",
    "overrides",
    "params",
    "identity",
    "sop_ref",
    "owner",
}
"""No parameter may be called like one of these: a typo in a field would pass as a parameter."""

_EMPTY: Mapping[str, str] = {}
_T = TypeVar("_T")


class _Misshapen(Exception):
    """The schema has already said what is wrong with this object."""


def load_rules(file: SourceFile, folder: str) -> tuple[RuleFile | None, tuple[Diagnostic, ...]]:
    """The rule file; None where nothing of it can be used. `folder` is the service its place in the tree names."""
    document, found = read_document(file)
    if document is None:
        return None, found
    found = (*found, *conform(document, "rules"))
    origin = document.origin
    if origin is None:
        return None, found
    try:
        lowered = _file(origin, file, folder)
    except _Misshapen:
        return None, found
    return lowered, (*found, *_own_words(lowered, folder))


def usable(found: tuple[Diagnostic, ...]) -> bool:
    """Whether a file with these findings loaded: nothing in it is an error."""
    return not any(each.severity is Severity.error for each in found)


def _file(origin: Origin, file: SourceFile, folder: str) -> RuleFile:
    data = origin.node
    service = _optional(data, "service", str) or folder
    owner = _optional(data, "owner", str)
    groups = _each(data, "groups", lambda node: _group(_origin(origin, node), service, owner))
    return RuleFile(
        file=file,
        service=service,
        owner=owner,
        params=_scalars(data, "params"),
        groups=groups,
        tests=_each(data, "tests", lambda node: _test(_origin(origin, node))),
        origin=origin,
    )


def _origin(parent: Origin, node: Map) -> Origin:
    return Origin(parent.file, parent.text, node)


def _each(data: Map, key: str, lower: Callable[[Map], _T]) -> tuple[_T, ...]:
    made: list[_T] = []
    items = data.get(key)
    for node in items if isinstance(items, Seq) else ():
        if isinstance(node, Map):
            try:
                made.append(lower(node))
            except _Misshapen:
                continue
    return tuple(made)


def _group(origin: Origin, service: str, owner: str | None) -> GroupSource:
    data = origin.node
    limit = data.get("limit", 0)
    return GroupSource(
        name=_needed(data, "name"),
        rules=_each(
            data,
            "rules",
            lambda node: (
                _record(_origin(origin, node), service)
                if "record" in node
                else _alert(_origin(origin, node), service, owner)
            ),
        ),
        origin=origin,
        interval=_optional(data, "interval", str),
        limit=limit if isinstance(limit, int) else 0,
        query_offset=_optional(data, "query_offset", str),
        labels=_strings(data, "labels"),
    )


def _record(origin: Origin, service: str) -> RecordSource:
    data = origin.node
    name = _needed(data, "record")
    return RecordSource(
        id=_optional(data, "id", str) or name,
        record=name,
        expr=_needed(data, "expr"),
        service=service,
        origin=origin,
        labels=_strings(data, "labels"),
        params=_scalars(data, "params"),
    )


def _alert(origin: Origin, service: str, owner: str | None) -> AlertSource:
    data = origin.node
    grafana = data.get("grafana")
    grafana = grafana if isinstance(grafana, Map) else Map()
    routes = data.get("routes_to")
    bound = grafana.get("series_bound")
    return AlertSource(
        id=_needed(data, "id"),
        name=_needed(data, "alert"),
        expr=_needed(data, "expr"),
        service=service,
        owner=_optional(data, "owner", str) or owner,
        origin=origin,
        severity=_optional(data, "severity", str),
        for_=_optional(data, "for", str),
        keep_firing_for=_optional(data, "keep_firing_for", str),
        enabled=data.get("enabled") is not False,
        sop_ref=_optional(data, "sop_ref", str),
        identity=_list(data, "identity"),
        signal=_optional(data, "signal", str),
        sli=_optional(data, "sli", str),
        summary=_optional(data, "summary", str),
        description=_optional(data, "description", str),
        labels=_strings(data, "labels"),
        annotations=_strings(data, "annotations"),
        params=_scalars(data, "params"),
        levels=_levels(data),
        overrides=_overrides(data),
        routes_to={"": routes} if isinstance(routes, str) else _strings(data, "routes_to"),
        datasource=_optional(data, "datasource", str),
        evaluator=_optional(data, "evaluator", str),
        mirror=data.get("mirror") is True,
        grafana_uid=_optional(grafana, "uid", str),
        shape=_optional(grafana, "shape", str) or "promql",
        series_bound=bound if isinstance(bound, int) else None,
    )


def _levels(data: Map) -> tuple[LevelSource, ...]:
    levels = data.get("levels")
    if not isinstance(levels, Map):
        return ()
    return tuple(_level(key, value) for key, value in levels.items() if isinstance(value, Map))


def _level(key: str, data: Map) -> LevelSource:
    said = {
        name: text for name in ("summary", "description") if (text := _optional(data, name, str)) is not None
    }
    return LevelSource(
        key=key,
        severity=_optional(data, "severity", str),
        name=_optional(data, "name", str),
        expr=_optional(data, "expr", str),
        for_=_optional(data, "for", str),
        keep_firing_for=_optional(data, "keep_firing_for", str),
        enabled=data.get("enabled") is not False,
        labels=_strings(data, "labels"),
        annotations={**_strings(data, "annotations"), **said},
        params={
            name: value
            for name, value in data.items()
            if name not in LEVEL_KEYS and isinstance(value, str | int | float)
        },
    )


def _overrides(data: Map) -> tuple[OverrideSource, ...]:
    overrides = data.get("overrides")
    if not isinstance(overrides, Map):
        return ()
    return tuple(
        _override(key, value)
        for key, value in overrides.items()
        if isinstance(value, Map) and isinstance(value.get("set"), Map)
    )


def _override(key: str, data: Map) -> OverrideSource:
    where = tuple(_strings(data, "where").items())
    env = data.get("env")
    return OverrideSource(
        key=key,
        environments=(env,) if isinstance(env, str) else _list(data, "env"),
        where=where[0] if where else None,
        set=_scalars(data, "set"),
    )


def _test(origin: Origin) -> TestSource:
    data = origin.node
    series = data.get("series")
    if not isinstance(series, Map):
        raise _Misshapen
    firing, samples = data.get("firing", Map()), data.get("samples", Map())
    if not isinstance(firing, Map) or not isinstance(samples, Map):
        raise _Misshapen
    return TestSource(
        name=_needed(data, "name"),
        alert=_optional(data, "alert", str),
        environments=_list(data, "env"),
        step=_optional(data, "step", str) or "1m",
        series={name: str(values) for name, values in series.items()},
        firing=tuple(
            (time, tuple(_expected(each) for each in _items(rows))) for time, rows in firing.items()
        ),
        samples=tuple((time, _samples(rows)) for time, rows in samples.items()),
        origin=origin,
    )


def _items(rows: object) -> Seq:
    if not isinstance(rows, Seq):
        raise _Misshapen
    return rows


def _expected(item: object) -> Expected:
    if isinstance(item, str):
        return Expected(level="" if item == "firing" else item)
    if not isinstance(item, Map):
        raise _Misshapen
    return Expected(
        level=_optional(item, "level", str) or "",
        labels=_strings(item, "labels"),
        annotations=_strings(item, "annotations") if "annotations" in item else None,
    )


def _samples(rows: object) -> tuple[Sample, ...]:
    if not isinstance(rows, Map) or not all(isinstance(each, int | float) for each in rows.values()):
        raise _Misshapen
    return tuple(Sample(series=series, value=float(str(value))) for series, value in rows.items())


def _needed(data: Map, key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise _Misshapen
    return value


def _optional(data: Map, key: str, kind: type[_T]) -> _T | None:
    value = data.get(key)
    return value if isinstance(value, kind) else None


def _strings(data: Map, key: str) -> Mapping[str, str]:
    value = data.get(key)
    if not isinstance(value, Map):
        return _EMPTY
    return {name: each for name, each in value.items() if isinstance(each, str)}


def _list(data: Map, key: str) -> tuple[str, ...]:
    value = data.get(key)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, Seq) else ()


def _scalars(data: Map, key: str) -> Mapping[str, ParamValue]:
    value = data.get(key)
    if not isinstance(value, Map):
        return _EMPTY
    return {name: each for name, each in value.items() if isinstance(each, str | int | float)}


def _own_words(file: RuleFile, folder: str) -> list[Diagnostic]:
    """What only the lowered file shows: the folder's name, parameters that sit on a word of the format."""
    found: list[Diagnostic] = []
    if file.service != folder:
        found.append(
            diagnostic(
                "TOC304",
                file.origin.value("service"),
                f"the service is `{file.service}` but the file lies in `rules/{folder}{'/' if folder else ''}`",
                help=(f"write `service: {folder}`, or " if folder else "")
                + f"move the file to `rules/{file.service}/`",
                subject=file.service,
            )
        )
    found.extend(_reserved(file.origin, file.params))
    for group in file.groups:
        for rule in group.rules:
            found.extend(_reserved(rule.origin, rule.params))
            if isinstance(rule, AlertSource):
                for level in rule.levels:
                    found.extend(_misspelt(rule, level))
    return found


def _reserved(origin: Origin, params: Mapping[str, ParamValue]) -> list[Diagnostic]:
    return [
        diagnostic(
            "TOC406",
            origin.key("params", name),
            f"`{name}` is a word of the format and cannot name a parameter",
            help="choose another name",
            subject=name,
        )
        for name in params
        if name in RESERVED
    ]


def _misspelt(rule: AlertSource, level: LevelSource) -> list[Diagnostic]:
    return [
        diagnostic(
            "TOC406",
            rule.origin.key("levels", level.key, name),
            f"`{name}` belongs to the alert, not to a level, and cannot name a parameter",
            help="move it up to the alert, or choose another name",
            subject=f"{rule.id}/levels.{level.key}.{name}",
        )
        for name in level.params
        if name in RESERVED
    ]
