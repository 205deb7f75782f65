"""The settings of one level of one variant: every field and parameter with the layer it came from.

Layers, the later winning: project < environment < file < alert < level < override.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.diag import Span
from tocsin.ir.compiled import OriginOf
from tocsin.ir.project import Environment, Project
from tocsin.ir.rule import AlertSource, LevelSource, OverrideSource, ParamValue, RuleFile
from tocsin.resolve.overrides import Variant, variants

SETTABLE = frozenset({"for", "keep_firing_for", "enabled", "severity", "name"})
"""Fields an override may set; any other key is a parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for one level of one variant. Texts still contain their parameters; `params` are the values to write in."""

    level: str
    enabled: bool
    name: str
    severity: str | None
    expr: str
    for_: str | None
    keep_firing_for: str | None
    params: Mapping[str, ParamValue]
    set_by: Mapping[str, OverrideSource]
    """Field or parameter -> the override that set it here."""


def outer_params(project: Project, env: Environment, file: RuleFile) -> Mapping[str, ParamValue]:
    """The parameters every rule of `file` sees in `env`."""
    return {**project.params, **env.params, **file.params}


def settings_of(
    alert: AlertSource, level: LevelSource | None, variant: Variant, outer: Mapping[str, ParamValue]
) -> Settings:
    """The settings of `level` (None: the alert has no levels) under `variant`."""
    key = level.key if level is not None else ""
    fields: dict[str, ParamValue | None] = {
        "for": level.for_ if level is not None and level.for_ is not None else alert.for_,
        "keep_firing_for": level.keep_firing_for
        if level is not None and level.keep_firing_for is not None
        else alert.keep_firing_for,
        "severity": level.severity if level is not None and level.severity is not None else alert.severity,
        "enabled": alert.enabled and (level is None or level.enabled),
        "name": level_name(alert, level),
    }
    params: dict[str, ParamValue] = {**outer, **alert.params}
    if level is not None:
        params.update(level.params)
    set_by: dict[str, OverrideSource] = {}
    for path, (value, override) in variant.settings.items():
        prefix, dot, name = path.rpartition(".")
        if dot and prefix != key:
            continue
        if not dot and f"{key}.{name}" in variant.settings:
            # `page.limit` says more than `limit`.
            continue
        set_by[name] = override
        if name in SETTABLE:
            fields[name] = value
        else:
            params[name] = value
    return Settings(
        level=key,
        enabled=fields["enabled"] is not False and fields["enabled"] != "false",
        name=str(fields["name"]),
        severity=_text(fields["severity"]),
        expr=level.expr if level is not None and level.expr is not None else alert.expr,
        for_=_text(fields["for"]),
        keep_firing_for=_text(fields["keep_firing_for"]),
        params=params,
        set_by=set_by,
    )


def level_name(alert: AlertSource, level: LevelSource | None) -> str:
    """The alertname: the level's own, else the alert's, plus the level's key where there are several levels."""
    if level is None:
        return alert.name
    if level.name is not None:
        return level.name
    if len(alert.levels) == 1:
        return alert.name
    return alert.name + "".join(part[:1].upper() + part[1:] for part in level.key.split("-"))


def alert_origins(
    alert: AlertSource, file: RuleFile, env: Environment, project: Project
) -> dict[tuple[str, str], dict[str, OriginOf]]:
    """(level, override) of each compiled rule -> field or `${parameter}` -> where its value came from, for `render --origins`."""
    outer = outer_params(project, env, file)
    parts, _ = variants(alert, env.name)
    return {
        (settings.level, variant.key): _origins(settings, alert, file, env, project)
        for variant in parts
        for level in alert.levels or (None,)
        for settings in (settings_of(alert, level, variant, outer),)
    }


def _origins(
    settings: Settings, alert: AlertSource, file: RuleFile, env: Environment, project: Project
) -> dict[str, OriginOf]:
    found: dict[str, OriginOf] = {}
    for field in ("expr", "for", "keep_firing_for", "severity", "enabled", "name"):
        found[field] = _field_origin(field, settings, alert)
    for name in settings.params:
        found[f"${{{name}}}"] = _param_origin(name, settings, alert, file, env, project)
    return found


def _field_origin(field: str, settings: Settings, alert: AlertSource) -> OriginOf:
    override = settings.set_by.get(field)
    if override is not None:
        return _override_origin(alert, override, settings.level, field)
    if settings.level and alert.origin.wrote("levels", settings.level, field):
        return OriginOf(
            layer=f"level {settings.level}", span=alert.origin.value("levels", settings.level, field)
        )
    key = "alert" if field == "name" else field
    if alert.origin.wrote(key):
        return OriginOf(layer="alert", span=alert.origin.value(key))
    return OriginOf(layer="default", span=alert.origin.key("alert"))


def _param_origin(
    name: str, settings: Settings, alert: AlertSource, file: RuleFile, env: Environment, project: Project
) -> OriginOf:
    override = settings.set_by.get(name)
    if override is not None:
        return _override_origin(alert, override, settings.level, name)
    places: tuple[tuple[str, Span | None], ...] = (
        (
            f"level {settings.level}",
            alert.origin.value("levels", settings.level, name)
            if alert.origin.wrote("levels", settings.level, name)
            else None,
        ),
        ("alert", alert.origin.value("params", name) if name in alert.params else None),
        ("file", file.origin.value("params", name) if name in file.params else None),
        (
            f"environment {env.name}",
            project.origin.value("environments", env.name, "params", name) if name in env.params else None,
        ),
        ("project", project.origin.value("params", name)),
    )
    return next(OriginOf(layer=layer, span=span) for layer, span in places if span is not None)


def _override_origin(alert: AlertSource, override: OverrideSource, level: str, name: str) -> OriginOf:
    path = f"{level}.{name}" if f"{level}.{name}" in override.set else name
    return OriginOf(
        layer=f"override {override.key}", span=alert.origin.value("overrides", override.key, "set", path)
    )


def _text(value: ParamValue | None) -> str | None:
    return None if value is None else str(value)
