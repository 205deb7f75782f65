"""A live rule as a version that can be replayed: what runs now, read from the server and not from any revision.

Stage 1 keeps these in the record, so that every later step knows what was compared with what, from the record alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tocsin.canary.lints import exactness_of, refused
from tocsin.canary.source import Seen
from tocsin.canary.values import RuleVersion
from tocsin.ir.compiled import RuleKey
from tocsin.sync.document import from_json, to_json
from tocsin.sync.grafana import rule_to_grafana
from tocsin.sync.values import Group, Rule, TargetKind
from tocsin.wire.grafana import Json, Opaque, decode


def version_of_live(
    rule: Rule, group: Group, key: RuleKey, kind: TargetKind, seen: Iterable[Seen] = ()
) -> RuleVersion:
    """One live alert as its server evaluates it; `not-backtestable` where it is no rule of a shape we know. `seen` tells the interval of a group
    that has none of its own."""
    made = _in_grafana(rule, group, key) if kind == "grafana" else _in_ruler(rule, group, key)
    there = next(
        (each for each in seen if each.group == group.place.group and rule.title in each.alerts), None
    )
    if there is not None:
        made = replace(made, file=there.file, interval_ms=made.interval_ms or there.interval_ms)
    return made if made.interval_ms else replace(made, interval_ms=60_000)


def _in_ruler(rule: Rule, group: Group, key: RuleKey) -> RuleVersion:
    own = group.settings.get("labels")
    labels = {**_texts(own), **_texts(rule.body.get("labels"))}
    expr = str(rule.body.get("expr", ""))
    return RuleVersion(
        key=key,
        digest=rule.digest,
        name=rule.title,
        expr=expr,
        for_ms=_number(rule.body, "for"),
        keep_ms=_number(rule.body, "keep_firing_for"),
        labels=labels,
        interval_ms=int(group.interval),
        query_offset_ms=_number(group.settings, "query_offset"),
        limit=_number(group.settings, "limit"),
        group=group.place.group,
        service=rule.service,
        exactness=exactness_of(expr, labels, None),
    )


def _in_grafana(rule: Rule, group: Group, key: RuleKey) -> RuleVersion:
    facts = decode(rule_to_grafana(rule), group.interval)
    base = RuleVersion(
        key=key,
        digest=rule.digest,
        name=rule.title,
        expr="",
        for_ms=_number(rule.body, "for"),
        keep_ms=_number(rule.body, "keep_firing_for"),
        labels=_texts(rule.body.get("labels")),
        interval_ms=int(group.interval),
        machine="grafana",
        group=group.place.group,
        service=rule.service,
    )
    if isinstance(facts, Opaque):
        return replace(base, exactness=refused(f"the live rule cannot be read: {facts.reason}"))
    no_data, exec_err, missing = facts.states
    return replace(
        base,
        expr=facts.expr,
        query_offset_ms=int(facts.query_offset),
        missing_evals=missing if missing is not None else 2,
        no_data=no_data,
        exec_err=exec_err,
        exactness=exactness_of(facts.expr, base.labels, None),
    )


def to_document(version: RuleVersion) -> Json:
    """The version as JSON, for a record."""
    return to_json(replace(version, key=RuleKey(*version.key)))


def from_document(value: Json) -> RuleVersion:
    """The version that `to_document` made. MachineError where it is none."""
    return from_json(RuleVersion, value, "version")


def _number(body: Mapping[str, Json], key: str) -> int:
    value = body.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _texts(value: Json) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}
