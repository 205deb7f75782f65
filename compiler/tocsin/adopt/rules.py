"""Foreign groups and rules, judged: a `RuleSet` in, rules that Prometheus would load and findings for the
others out.

A rule is carried whole or not at all. Prometheus refuses a file for one bad rule; here the bad rule alone is
refused, with its place, its class and its cure, and its neighbours are carried. What an author allowed to be
left behind (`--without FIELD`) is left behind with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.adopt.classify import (
    GROUP_DIALECTS,
    RULE_DIALECTS,
    Reason,
)
from tocsin.adopt.duplicates import WHOLE_FILE, Blame
from tocsin.adopt.fields import (
    TWICE,
    Judge,
    check_templates,
    duration_of,
    expression_of,
    limit_of,
    only_known_keys,
    pairs_of,
    strange_name,
)
from tocsin.adopt.scalars import text_at
from tocsin.adopt.shapes import RuleSet
from tocsin.diag.diagnostic import Diagnostic, Related, diagnostic
from tocsin.diag.origin import Map, Origin, Seq, place_of
from tocsin.ir.duration import parse_duration

GROUP_KEYS = ("name", "interval", "limit", "query_offset", "labels", "rules")
RULE_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
_RECORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule as Prometheus understands it. `for_` and `keep_firing_for` are as written, None where they
    were not.
    """

    origin: Origin
    kind: str
    """`alert` or `record`."""
    name: str
    expr: str
    for_: str | None
    keep_firing_for: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def line(self) -> int:
        """Its first line, from 0."""
        return place_of(self.origin.node.mark)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group. `name` is empty where the foreign rules stood without a group."""

    origin: Origin
    name: str
    interval: str | None
    limit: int | None
    query_offset: str | None
    labels: Mapping[str, str]
    rules: tuple[Rule, ...]
    refused: int

    @property
    def line(self) -> int:
        """Its first line, from 0."""
        return place_of(self.origin.node.mark)[0]


def judge(
    rule_set: RuleSet, blamed: Blame, without: frozenset[str] = frozenset()
) -> tuple[tuple[Group, ...], tuple[Diagnostic, ...]]:
    """The groups that can be carried, and a finding for each thing that cannot. `blamed` says which of them
    has a key written twice.
    """
    found = [
        diagnostic("TOC813", each.span, f"{each.message}; {TWICE}", help=each.help, subject=each.span.file)
        for each in blamed.get(WHOLE_FILE, ())
    ]
    if found and not rule_set.logql:
        return (), tuple(found)
    groups: list[Group] = []
    names: dict[str, Origin] = {}
    for origin in rule_set.groups:
        group, said = _group(origin, rule_set, blamed, without, names)
        found.extend(said)
        if group is not None:
            groups.append(group)
    return tuple(groups), tuple(found)


def _group(
    origin: Origin,
    rule_set: RuleSet,
    blamed: Blame,
    without: frozenset[str],
    names: dict[str, Origin],
) -> tuple[Group | None, list[Diagnostic]]:
    name = text_at(origin, "name") or ""
    judge = Judge(origin, f"group `{name}`" if name else "group")
    if rule_set.logql:
        judge.refuse(
            origin.key("name"),
            Reason(
                "TOC811",
                "its rules are LogQL: the object belongs to the Loki operator",
                "tocsin adopts PromQL",
            ),
        )
        return None, judge.found
    if not rule_set.bare:
        _group_name(judge, name, names)
    only_known_keys(judge, GROUP_KEYS, GROUP_DIALECTS, without)
    interval = duration_of(judge, "interval")
    query_offset = duration_of(judge, "query_offset")
    limit = limit_of(judge)
    labels = pairs_of(judge, "labels")
    listed = origin.node.get("rules")
    if listed is not None and not isinstance(listed, Seq):
        judge.mistake(origin.value("rules"), "must be a list of rules", field="rules")
    rows = list(listed) if isinstance(listed, Seq) else []
    judge.blame(blamed)
    if judge.refused:
        return None, judge.found
    rules: list[Rule] = []
    for index, row in enumerate(rows):
        if not isinstance(row, Map):
            judge.say(
                origin.value("rules", index),
                "TOC813",
                "a rule must be a mapping with `alert` or `record`",
                "",
                f"rules[{index}]",
            )
            continue
        rule, said = _rule(Origin(origin.file, origin.text, row), name, blamed, without)
        judge.found.extend(said)
        if rule is not None:
            rules.append(rule)
    group = Group(
        origin=origin,
        name=name,
        interval=interval,
        limit=limit,
        query_offset=query_offset,
        labels=labels,
        rules=tuple(rules),
        refused=len(rows) - len(rules),
    )
    return group, judge.found


def _group_name(judge: Judge, name: str, names: dict[str, Origin]) -> None:
    if not name:
        judge.mistake(judge.origin.key("name"), "a group needs a name", "add `name:`", field="name")
    elif name in names:
        first = Related(message="the first one", span=names[name].value("name"))
        reason = Reason(
            "TOC813", "two groups of one file have this name, which Prometheus refuses", "rename one of them"
        )
        judge.refuse(judge.origin.value("name"), reason, "name", (first,))
    elif len(name) > 190:
        judge.mistake(judge.origin.value("name"), "longer than 190 characters", "shorten it", field="name")
    else:
        names[name] = judge.origin


def _rule(
    origin: Origin,
    group: str,
    blamed: Blame,
    without: frozenset[str],
) -> tuple[Rule | None, list[Diagnostic]]:
    kind = "record" if "record" in origin.node and "alert" not in origin.node else "alert"
    name = text_at(origin, kind) or ""
    judge = Judge(origin, f"{kind} `{name}`" if name else f"a rule of group `{group}`")
    _identity(judge, kind, name)
    only_known_keys(judge, RULE_KEYS, RULE_DIALECTS, without)
    expr = expression_of(judge)
    for_, keep_firing_for = duration_of(judge, "for"), duration_of(judge, "keep_firing_for")
    labels, annotations = pairs_of(judge, "labels"), pairs_of(judge, "annotations")
    if kind == "record":
        for field in ("for", "keep_firing_for", "annotations"):
            if origin.node.get(field) not in (None, {}) and (
                field == "annotations" or parse_duration(text_at(origin, field) or "") != 0
            ):
                judge.mistake(
                    origin.key(field),
                    "a recording rule has no such field",
                    "remove it, or make this an alert",
                    field=field,
                )
    else:
        check_templates(judge, name, "labels", labels)
        check_templates(judge, name, "annotations", annotations)
    judge.blame(blamed)
    if judge.refused or expr is None:
        return None, judge.found
    rule = Rule(
        origin=origin,
        kind=kind,
        name=name,
        expr=expr,
        for_=for_ if kind == "alert" else None,
        keep_firing_for=keep_firing_for if kind == "alert" else None,
        labels=labels,
        annotations=annotations,
    )
    return rule, judge.found


def _identity(judge: Judge, kind: str, name: str) -> None:
    node, origin = judge.origin.node, judge.origin
    if "alert" in node and "record" in node:
        judge.mistake(
            origin.key("record"),
            "a rule is an alert or a record, not both",
            "make two rules of it",
            field="record",
        )
    elif not name:
        judge.mistake(
            origin.key(kind), "a rule needs the name of its alert or of the series it records", field=kind
        )
    elif kind == "record" and not _RECORD.match(name):
        judge.refuse(
            origin.value("record"),
            strange_name(name, "the name of a series", "letters, digits, `_` and `:`"),
            "record",
        )
