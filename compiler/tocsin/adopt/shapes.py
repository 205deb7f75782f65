"""The many wrappings in which people keep rule groups, opened: one foreign file -> `RuleSet`s, promtool
tests, findings.

Read here: rule files, PrometheusRule and its siblings (operators of OpenShift, VictoriaMetrics and Google
write the same `spec.groups`), Lists of them, ConfigMaps whose data values are rule files, several documents
in one file, a bare list of groups, a bare list of rules, a single rule; YAML or JSON. A document that is no
rule at all (a Service, a dashboard) is counted, because folders hold more than rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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

_QUIET = frozenset({"items", "objects", "data", "spec"})
"""Keys that say nothing about the rules below them."""
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
        reading.other += not _open(document.data, document, part, reading)
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
        help = "adopt what your templating tool renders from it"
        return diagnostic("TOC812", fault.span, message, help=help, subject=file.path)
    return diagnostic("TOC816", fault.span, fault.message, help=fault.help, subject=file.path)


def _open(data: object, document: Document, part: str, reading: Reading) -> bool:
    """Finds the rules in a node by its shape; False where it holds none."""
    if isinstance(data, Map):
        return _open_map(data, document, part, reading)
    if isinstance(data, Seq):
        return _open_list(data, document, part, reading)
    if isinstance(data, str) and old_syntax(data):
        message = "this is the rule syntax of Prometheus 1"
        help = "`promtool update rules` of Prometheus 2.0 to 2.4 converts it"
        reading.found.append(
            diagnostic("TOC811", document.start, message, help=help, subject=document.file.path)
        )
        return True
    return False


def _open_map(data: Map, document: Document, part: str, reading: Reading) -> bool:
    file = document.file
    origin = Origin(file.path, file.text, data)
    kind, spec = data.get("kind"), data.get("spec")
    if isinstance(kind, str) and kind in OBJECT_KINDS:
        if isinstance(spec, Map) and isinstance(spec.get("groups"), Seq):
            _note_object(origin, spec, reading)
            _add_groups(spec, document, part, reading, top=data)
        else:
            message = f"this {kind} has no `spec.groups`"
            reading.found.append(diagnostic("TOC816", origin.key("spec"), message, subject=file.path))
        return True
    if isinstance(data.get("tests"), Seq) and ("rule_files" in data or "evaluation_interval" in data):
        reading.tests.append(ForeignTest(file=file, origin=origin))
        return True
    if "groups" in data and _are_groups(data["groups"], top=not part):
        for key in data:
            if key not in ("groups", "namespace", "apiVersion", "kind", "metadata"):
                message = f"`{key}` is no field of a rule file and was left behind"
                reading.found.append(diagnostic("TOC814", origin.key(key), message, subject=file.path))
        _add_groups(data, document, part, reading, top=data)
        return True
    if _are_rules(data.get("rules")):
        _add(reading, document, part, data, [data], bare="name" not in data)
        return True
    if _is_rule(data):
        _add_bare(reading, document, part, [data])
        return True
    # A List, a ConfigMap, a chart's values: rules may stand below any key.
    found = False
    for key, value in data.items():
        inside = part if key in _QUIET else _join(part, key)
        if isinstance(value, str):
            if _LOOKS_LIKE_RULES.search(value) and "\n" in value:
                found = _open_text(value, data.values_at[key], document, inside, reading) or found
        elif isinstance(value, Map | Seq):
            found = _open(value, document, inside, reading) or found
    return found


def _note_object(origin: Origin, spec: Map, reading: Reading) -> None:
    """What an object says beside its groups is about where it is deployed, and stays behind."""
    metadata = origin.node.get("metadata")
    left = [
        f"metadata.{key}"
        for key in ("namespace", "labels", "annotations")
        if isinstance(metadata, Map) and key in metadata
    ]
    left += [f"spec.{key}" for key in spec if key != "groups"]
    if left:
        message = (
            f"left behind, as it says where the object is deployed: {', '.join(f'`{each}`' for each in left)}"
        )
        first = left[0].split(".")
        reading.found.append(diagnostic("TOC814", origin.key(*first), message, subject=origin.file))


def _open_list(data: Seq, document: Document, part: str, reading: Reading) -> bool:
    """A bare list of rules or of groups; else whatever its items hold."""
    nodes = [each for each in data if isinstance(each, Map)]
    if nodes and len(nodes) == len(data):
        if all(_is_rule(each) for each in nodes):
            _add_bare(reading, document, part, nodes)
            return True
        if all(_are_rules(each.get("rules")) and "name" in each for each in nodes):
            _add(reading, document, part, None, nodes)
            return True
    found = False
    for index, item in enumerate(data):
        if isinstance(item, Map | Seq):
            found = _open(item, document, _join(part, f"item {index + 1}"), reading) or found
    return found


def _open_text(text: str, mark: int, document: Document, part: str, reading: Reading) -> bool:
    """A rule file inside a text value."""
    padded = _padded(document.file, text, mark)
    documents = _documents(padded, document.file, reading)
    found = False
    for number, inner in enumerate(documents, start=1):
        several = f"document {number}" if len(documents) > 1 else ""
        if isinstance(inner.data, Map | Seq):
            found = _open(inner.data, inner, _join(part, several), reading) or found
    return found


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


def _add_groups(holder: Map, document: Document, part: str, reading: Reading, *, top: Map) -> None:
    groups = holder["groups"]
    file = document.file
    nodes: list[Map] = []
    for index, group in enumerate(groups if isinstance(groups, Seq) else ()):
        if isinstance(group, Map):
            nodes.append(group)
            continue
        span = Origin(file.path, file.text, holder).value("groups", index)
        message = "a group must be a mapping with `name` and `rules`"
        reading.found.append(diagnostic("TOC813", span, message, subject=file.path))
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
        )
    )


def _join(*parts: str) -> str:
    return ", ".join(each for each in parts if each)


def _is_rule(node: object) -> bool:
    """An alert or a record by name, with an expression; a dashboard's panel with an `alert:` of its own is none."""
    if not isinstance(node, Map) or "expr" not in node:
        return False
    return any(key in node and not isinstance(node[key], Map | Seq) for key in ("alert", "record"))


def _are_rules(rules: object) -> bool:
    return isinstance(rules, Seq) and any(_is_rule(each) for each in rules)


def _are_groups(groups: object, *, top: bool) -> bool:
    """Rule groups, and not what others keep under that word. An empty list counts where it is the whole file."""
    if groups is None or groups == []:
        return top
    if not isinstance(groups, Seq):
        return False
    rows = [each["rules"] for each in groups if isinstance(each, Map) and isinstance(each.get("rules"), Seq)]
    if any(_are_rules(each) for each in rows):
        return True
    # Grafana's provisioning files have groups of rules, too; theirs have a title instead of a name.
    words = {
        key
        for each in rows
        if isinstance(each, Seq)
        for rule in each
        if isinstance(rule, Map)
        for key in rule
    }
    named = any(isinstance(each, Map) and "name" in each and "rules" in each for each in groups)
    return top and named and not words & {"title", "data", "uid"}


def _rules_of(group: Map) -> Iterator[object]:
    rules = group.get("rules")
    yield from rules if isinstance(rules, Seq) else ()
