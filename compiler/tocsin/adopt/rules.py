"""Foreign groups and rules, judged: a `RuleSet` in, rules that Prometheus would load and findings for the
others out.

A rule is carried whole or not at all. Prometheus refuses a file for one bad rule; here the bad rule alone is
refused, with its place, its class and its cure, and its neighbours are carried. What an author allowed to be
left behind (`--without FIELD`) is left behind with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.adopt.classify import (
    GROUP_DIALECTS,
    HARMLESS,
    RULE_DIALECTS,
    Reason,
    of_expression,
    of_name,
    of_template,
)
from tocsin.adopt.duplicates import WHOLE_FILE, Blame
from tocsin.adopt.scalars import text_at
from tocsin.adopt.shapes import RuleSet
from tocsin.diag.diagnostic import Diagnostic, Related, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.diag.origin import Map, Origin, Seq, place_of
from tocsin.diag.span import Span
from tocsin.ir.duration import parse_duration
from tocsin.promql import PromqlProblem, parse
from tocsin.template import check as check_template

GROUP_KEYS = ("name", "interval", "limit", "query_offset", "labels", "rules")
RULE_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
LATEST = (3, 99)
"""A template is refused only where no version would load it; the project file then names a version that does.
"""
_TWICE = "Prometheus refuses a key written twice"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
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


class _Judge:
    """Collects what is wrong with one group or one rule; anything that refuses ends up in `found` with
    `refused` set.
    """

    def __init__(self, origin: Origin, subject: str) -> None:
        self.origin = origin
        self.subject = subject
        self.found: list[Diagnostic] = []
        self.refused = False

    def refuse(self, span: Span, reason: Reason, field: str = "", related: Sequence[Related] = ()) -> None:
        self.refused = True
        self.say(span, reason.code, reason.message, reason.help, field, related)

    def note(self, span: Span, message: str, help: str = "", field: str = "") -> None:
        self.say(span, "TOC814", message, help, field)

    def say(
        self, span: Span, code: str, message: str, help: str, field: str, related: Sequence[Related] = ()
    ) -> None:
        # Every sentence names its rule and its field: the place alone is a line number to the reader of a
        # log.
        who = f"{self.subject}: " if self.subject else ""
        where = f"`{field}`: " if field else ""
        subject = f"{self.subject}/{field}" if field else self.subject
        self.found.append(
            diagnostic(code, span, f"{who}{where}{message}", help=help, subject=subject, related=related)
        )

    def mistake(self, span: Span, message: str, help: str = "", field: str = "") -> None:
        self.refuse(span, Reason("TOC813", message, help), field)

    def blame(self, blamed: Blame) -> None:
        for each in blamed.get(self.origin.node.mark, ()):
            self.mistake(each.span, f"{each.message}; {_TWICE}", each.help)


def judge(
    rule_set: RuleSet, blamed: Blame, without: frozenset[str] = frozenset()
) -> tuple[tuple[Group, ...], tuple[Diagnostic, ...]]:
    """The groups that can be carried, and a finding for each thing that cannot. `blamed` says which of them
    has a key written twice.
    """
    if WHOLE_FILE in blamed:
        return (), tuple(
            diagnostic(
                "TOC813", each.span, f"{each.message}; {_TWICE}", help=each.help, subject=each.span.file
            )
            for each in blamed[WHOLE_FILE]
        )
    found: list[Diagnostic] = []
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
    judge = _Judge(origin, f"group `{name}`" if name else "group")
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
    _keys(judge, GROUP_KEYS, GROUP_DIALECTS, without)
    interval = _duration(judge, "interval")
    query_offset = _duration(judge, "query_offset")
    limit = _limit(judge)
    labels = _pairs(judge, "labels")
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


def _group_name(judge: _Judge, name: str, names: dict[str, Origin]) -> None:
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
    judge = _Judge(origin, f"{kind} `{name}`" if name else f"a rule of group `{group}`")
    _identity(judge, kind, name)
    _keys(judge, RULE_KEYS, RULE_DIALECTS, without)
    expr = _expression(judge)
    for_, keep_firing_for = _duration(judge, "for"), _duration(judge, "keep_firing_for")
    labels, annotations = _pairs(judge, "labels"), _pairs(judge, "annotations")
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
        _templates(judge, name, "labels", labels)
        _templates(judge, name, "annotations", annotations)
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


def _identity(judge: _Judge, kind: str, name: str) -> None:
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
            _utf8_or(name, "the name of a series", "letters, digits, `_` and `:`"),
            "record",
        )


def _utf8_or(name: str, what: str, rule: str) -> Reason:
    """A name outside the classic character set: Prometheus 3 takes some of them, the versions before it do
    not.
    """
    if re.fullmatch(r"[^\s{}\"'`%$<>()\[\]]+", name):
        help = f"use {rule}, which every supported version accepts"
        return Reason("TOC811", f"`{name}` is {what} only where Prometheus 3 accepts any characters", help)
    return of_name(name, what, f"use {rule}")


def _expression(judge: _Judge) -> str | None:
    origin = judge.origin
    text = text_at(origin, "expr")
    if text is None:
        judge.mistake(origin.value("expr"), "must be text", field="expr")
        return None
    if not text.strip():
        judge.mistake(origin.key("expr"), "a rule needs an expression", field="expr")
        return None
    parsed = parse(text)
    if isinstance(parsed, PromqlProblem):
        reason = of_expression(text, parsed.message)
        judge.refuse(
            origin.inside(parsed.offset, "expr") if reason.code == "TOC813" else origin.value("expr"),
            reason,
            "expr",
        )
        return None
    if parsed.kind not in ("vector", "scalar"):
        judge.mistake(
            origin.value("expr"),
            f"gives a {parsed.kind}, but a rule needs a vector or a number",
            "wrap it in a function that gives one, such as `rate()`",
            "expr",
        )
        return None
    return text


def _keys(judge: _Judge, known: Sequence[str], dialects: Mapping[str, str], without: frozenset[str]) -> None:
    for key, value in judge.origin.node.items():
        if key in known:
            continue
        span = judge.origin.key(key)
        if key in without:
            judge.note(span, "left behind, as `--without` says", field=key)
        elif key in HARMLESS and value in HARMLESS[key]:
            judge.note(span, "left behind: Prometheus does this anyway", field=key)
        elif key in dialects:
            judge.refuse(span, Reason("TOC811", f"only {dialects[key]} knows this field", _way_out(key)), key)
        else:
            meant = did_you_mean(key, known)
            help = (
                meant if meant.startswith("did") else f"remove it, or adopt the rest with `--without {key}`"
            )
            judge.refuse(span, Reason("TOC813", "Prometheus has no such field and refuses it", help), key)


def _way_out(key: str) -> str:
    if key in ("evaluation_delay", "eval_delay"):
        return "`query_offset` is Prometheus' word for it"
    return f"to adopt the rules without it: `--without {key}`"


def _duration(judge: _Judge, field: str) -> str | None:
    if judge.origin.node.get(field) is None:
        return None
    text = text_at(judge.origin, field)
    if text is None or parse_duration(text) is None:
        span = judge.origin.value(field)
        judge.refuse(
            span,
            of_name(text or "", "a duration", "write it as in `1h30m`: units y, w, d, h, m, s, ms"),
            field,
        )
        return None
    return text


def _limit(judge: _Judge) -> int | None:
    value = judge.origin.node.get("limit")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        judge.mistake(judge.origin.value("limit"), "must be a whole number, 0 or more", field="limit")
        return None
    return value


def _pairs(judge: _Judge, field: str) -> Mapping[str, str]:
    """Labels or annotations, as text, in the author's order."""
    origin = judge.origin
    value = origin.node.get(field)
    if value is None:
        return {}
    if not isinstance(value, Map):
        judge.mistake(origin.value(field), "must be a mapping of names to text", field=field)
        return {}
    pairs: dict[str, str] = {}
    what = "a label name" if field == "labels" else "an annotation name"
    for name in value:
        text = text_at(origin, field, name)
        if field == "labels" and name == "__name__":
            judge.mistake(
                origin.key(field, name),
                "a rule cannot set the name of a series as a label",
                "`record:` names the series",
                f"{field}.{name}",
            )
        elif not _LABEL.match(name):
            judge.refuse(
                origin.key(field, name), _utf8_or(name, what, "letters, digits and `_`"), f"{field}.{name}"
            )
        elif text is None:
            judge.mistake(origin.value(field, name), "must be text", field=f"{field}.{name}")
        else:
            pairs[name] = text
    return pairs


def _templates(judge: _Judge, alert: str, field: str, pairs: Mapping[str, str]) -> None:
    for name, text in pairs.items():
        problem = check_template(text, LATEST, alert=alert)
        if problem is not None:
            reason = of_template(text, problem.message)
            judge.refuse(judge.origin.inside(problem.offset, field, name), reason, f"{field}.{name}")
