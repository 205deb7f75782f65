"""The many wrappings in which people keep rule groups, opened: one foreign file -> `RuleSet`s, promtool
tests, findings.

Read here: rule files, PrometheusRule and its siblings (operators of OpenShift, VictoriaMetrics and Google
write the same `spec.groups`), Lists of them, ConfigMaps whose data values are rule files, several documents
in one file, a bare list of groups, a bare list of rules, a single rule; YAML or JSON. A document that is no
rule at all (a Service, a dashboard) is counted, because folders hold more than rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.adopt.classify import looks_unfilled, old_syntax
from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.origin import Map, Origin, Seq, place_of
from tocsin.diag.source_file import SourceFile
from tocsin.source.tree import Document, read_documents

OBJECT_KINDS = frozenset(
    {"PrometheusRule", "AlertingRule", "RecordingRule", "VMRule", "Rules", "ClusterRules", "GlobalRules"}
)
"""Kubernetes kinds whose `spec.groups` are Prometheus' rule groups."""
_LOOKS_LIKE_RULES = re.compile(
    r"^\s*(?:-\s+)?(?:alert|record|rule_files)\s*:|\"(?:alert|record)\"\s*:", re.MULTILINE
)

_WORTH_READING = re.compile(r"\b(?:alert|record|groups|rule_files|ALERT)\b")
"""A folder's dashboards and manifests without any of these words need no YAML reader to be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """What becomes one source file: the groups of one document, list item or data value, in order.

    `part` tells several sets of one file apart; `name` is the Kubernetes object's own; `bare` says the rules
    had no group. `file` is the text the marks point into: the foreign file itself, or a data value padded so
    that lines and columns still agree.
    """

    file: SourceFile
    part: str
    name: str
    namespace: str
    logql: bool
    bare: bool
    groups: tuple[Origin, ...]
    top: Origin | None
    first: int
    """The first line (from 0) of the set."""

    @property
    def rules(self) -> int:
        """How many rules it holds, carried or not."""
        return sum(len(list(_rules_of(each.node))) for each in self.groups)

    @property
    def source(self) -> str:
        """How the set is named in the source made of it."""
        return f"{self.file.path}, {self.part}" if self.part else self.file.path


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTest:
    """A promtool unit-test file."""

    file: SourceFile
    origin: Origin


@dataclass(slots=True, kw_only=True)
class Reading:
    """Everything found in one foreign file."""

    sets: list[RuleSet] = field(default_factory=list)
    tests: list[ForeignTest] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)
    duplicates: list[Diagnostic] = field(default_factory=list)
    """Keys written twice: a mistake of the rule they stand in."""
    other: int = 0
    """Documents that hold no rules."""


def read(file: SourceFile) -> Reading:
    """Opens one foreign file. Never raises."""
    reading = Reading()
    if not _WORTH_READING.search(file.text):
        reading.other = 1
        return reading
    documents = _documents(file, file, reading)
    for number, document in enumerate(documents, start=1):
        part = f"document {number}" if len(documents) > 1 else ""
        _open(document.data, document, part, reading)
    return reading


def _documents(file: SourceFile, whole: SourceFile, reading: Reading) -> tuple[Document, ...]:
    """The documents of a text; its faults become findings if the text looks like rules."""
    documents, found = read_documents(file)
    for each in found:
        if each.code == "TOC104":
            reading.duplicates.append(each)
        elif each.code != "TOC107" and _LOOKS_LIKE_RULES.search(file.text):
            reading.found.append(_unreadable(each, whole))
    return documents


def _unreadable(fault: Diagnostic, file: SourceFile) -> Diagnostic:
    """A file that is not YAML: most often a template that somebody's tool has yet to fill in."""
    if looks_unfilled(file.text):
        message = f"this is a template, not YAML yet: {fault.message}"
        return diagnostic(
            "TOC812",
            fault.span,
            message,
            help="adopt what your templating tool renders from it",
            subject=file.path,
        )
    return diagnostic("TOC816", fault.span, fault.message, help=fault.help, subject=file.path)


def _open(data: object, document: Document, part: str, reading: Reading) -> None:
    """Finds the rules in one document (or list item) by its shape."""
    file = document.file
    if isinstance(data, Seq):
        _open_list(data, document, part, reading)
        return
    if not isinstance(data, Map):
        if isinstance(data, str) and old_syntax(data):
            help = "`promtool update rules` of Prometheus 2.0 to 2.4 converts it"
            reading.found.append(
                diagnostic(
                    "TOC811",
                    document.start,
                    "this is the rule syntax of Prometheus 1",
                    help=help,
                    subject=file.path,
                )
            )
            return
        reading.other += 1
        return
    said = data.get("kind")
    kind = said if isinstance(said, str) else None
    items, spec = data.get("items"), data.get("spec")
    if isinstance(items, Seq) and (kind is None or kind.endswith("List")):
        for index, item in enumerate(items):
            _open(item, document, _join(part, f"item {index + 1}"), reading)
    elif kind == "ConfigMap":
        _open_config_map(data, document, part, reading)
    elif (
        isinstance(spec, Map)
        and isinstance(spec.get("groups"), Seq)
        and (kind in OBJECT_KINDS or kind is None)
    ):
        _take(spec, "groups", document, part, reading, top=data)
    elif kind in OBJECT_KINDS:
        span = Origin(file.path, file.text, data).key("spec")
        reading.found.append(
            diagnostic("TOC816", span, f"this {kind} has no `spec.groups`", subject=file.path)
        )
    elif "rule_files" in data or ("tests" in data and "groups" not in data and "evaluation_interval" in data):
        reading.tests.append(ForeignTest(file=file, origin=Origin(file.path, file.text, data)))
    elif kind is None and "groups" in data and not _is_grafana(data["groups"]):
        if data["groups"] is None or isinstance(data["groups"], Seq):
            _take(data, "groups", document, part, reading, top=data)
        else:
            span = Origin(file.path, file.text, data).value("groups")
            reading.found.append(diagnostic("TOC816", span, "`groups` is not a list", subject=file.path))
    elif kind is None and isinstance(data.get("rules"), Seq) and _are_rules(data["rules"]):
        _add(reading, document, part, data, [data], bare="name" not in data)
    elif kind is None and _is_rule(data):
        _add_bare(reading, document, part, [data])
    else:
        reading.other += 1


def _open_list(data: Seq, document: Document, part: str, reading: Reading) -> None:
    """A bare list: of groups, or of rules."""
    nodes = [each for each in data if isinstance(each, Map)]
    if nodes and len(nodes) == len(data):
        if all(_is_rule(each) for each in nodes):
            _add_bare(reading, document, part, nodes)
            return
        if all(isinstance(each.get("rules"), Seq) and _are_rules(each["rules"]) for each in nodes):
            _add(reading, document, part, None, nodes)
            return
    reading.other += 1


def _open_config_map(data: Map, document: Document, part: str, reading: Reading) -> None:
    """Each data value that is a rule file becomes a set of its own."""
    values = data.get("data")
    found_any = False
    for key, text in values.items() if isinstance(values, Map) else ():
        if not isinstance(text, str) or not _LOOKS_LIKE_RULES.search(text):
            continue
        found_any = True
        padded = _padded(document.file, text, values.values_at[key] if isinstance(values, Map) else 0)
        documents = _documents(padded, document.file, reading)
        for number, inner in enumerate(documents, start=1):
            several = f"document {number}" if len(documents) > 1 else ""
            _open(inner.data, inner, _join(part, key, several), reading)
    if not found_any:
        reading.other += 1


def _padded(file: SourceFile, text: str, mark: int) -> SourceFile:
    """A block value as a text whose lines and columns are those of the file it came from; other styles keep
    only the first line.
    """
    line, column = place_of(mark)
    lines = file.text.split("\n")
    if lines[line][column : column + 1] != "|":
        return SourceFile(path=file.path, text="\n" * line + text)
    first = next((each for each in text.split("\n") if each.strip()), "")
    below = next((each for each in lines[line + 1 :] if each.strip()), "")
    indent = len(below) - len(first) if below.endswith(first) else 0
    if re.search(r"^(?:---|\.\.\.)", text, re.MULTILINE):
        indent = 0  # a document marker must stay in the first column
    margin = " " * indent
    return SourceFile(
        path=file.path,
        text="\n" * (line + 1) + "\n".join(margin + each if each else each for each in text.split("\n")),
    )


def _take(holder: Map, key: str, document: Document, part: str, reading: Reading, *, top: Map) -> None:
    groups = holder[key] if isinstance(holder[key], Seq) else Seq()
    assert isinstance(groups, Seq)
    nodes: list[Map] = []
    for index, group in enumerate(groups):
        if isinstance(group, Map):
            nodes.append(group)
        else:
            span = Origin(document.file.path, document.file.text, holder).value(key, index)
            reading.found.append(
                diagnostic(
                    "TOC813",
                    span,
                    "a group must be a mapping with `name` and `rules`",
                    subject=document.file.path,
                )
            )
    _add(reading, document, part, top, nodes)


def _add_bare(reading: Reading, document: Document, part: str, rules: list[Map]) -> None:
    """Rules without a group get a group to stand in."""
    holder = Map(rules[0].mark)
    listed = Seq(rules[0].mark)
    for each in rules:
        listed.append(each)
        listed.items_at.append(each.mark)
    holder["rules"] = listed
    holder.keys_at["rules"] = holder.values_at["rules"] = rules[0].mark
    _add(reading, document, part, None, [holder], bare=True)


def _add(
    reading: Reading, document: Document, part: str, top: Map | None, groups: list[Map], *, bare: bool = False
) -> None:
    file = document.file
    metadata = top.get("metadata") if top is not None else None
    name = metadata.get("name") if isinstance(metadata, Map) else None
    namespace = top.get("namespace") if top is not None else None
    api = str(top.get("apiVersion", "")) if top is not None else ""
    reading.sets.append(
        RuleSet(
            file=file,
            part=part,
            name=name if isinstance(name, str) else "",
            namespace=namespace if isinstance(namespace, str) else "",
            logql=api.startswith("loki."),
            bare=bare,
            groups=tuple(Origin(file.path, file.text, each) for each in groups),
            top=None if top is None or bare else Origin(file.path, file.text, top),
            first=place_of(document.mark)[0],
        )
    )


def _join(*parts: str) -> str:
    return ", ".join(each for each in parts if each)


def _is_rule(node: object) -> bool:
    return (
        isinstance(node, Mapping)
        and ("alert" in node or "record" in node)
        and ("expr" in node or "alert" in node)
    )


def _are_rules(rules: object) -> bool:
    return isinstance(rules, Seq) and any(_is_rule(each) for each in rules)


def _is_grafana(groups: object) -> bool:
    """Grafana's own provisioning files have `groups` too; their rules have a title and a data section instead
    of an expression.
    """
    return isinstance(groups, Seq) and any(
        isinstance(rule, Map) and "data" in rule and "expr" not in rule
        for group in groups
        for rule in _rules_of(group)
    )


def _rules_of(group: object) -> Iterator[object]:
    rules = group.get("rules") if isinstance(group, Map) else None
    yield from rules if isinstance(rules, Seq) else ()
