"""Adopted rule sets as authored files: data in canonical order, with the comments where they stood.

In: a judged set with its place, ids, severities and owner. Out: the text of `rules/<service>/<topic>.yaml`.
Nothing is added to a rule but its id and the words that say the same in the format (`severity`, `summary`,
`description`); every text is escaped, so that a `${x}` of the original stays a `${x}` on the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tocsin.adopt.comments import Comments
from tocsin.adopt.naming import Place
from tocsin.adopt.rules import Group, Rule
from tocsin.adopt.shapes import RuleSet
from tocsin.diag.origin import Map, Seq, place_of
from tocsin.source.layout import Comment, Path, written

MODELINE = "# yaml-language-server: $schema=../../.tocsin/schemas/rules.schema.json"
ADOPTED = "# Adopted from "
"""The second line of an adopted file. It is how a second run knows what is already here, under whatever name.
"""
TEXT_KEYS = ("summary", "description")
_PARAMETER = re.compile(r"\$\{(?=[A-Za-z_][A-Za-z0-9_]*\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """One rule set, decided: where it goes and what its rules are called. The three mappings are by the
    rule's position (group, rule).
    """

    rule_set: RuleSet
    groups: tuple[Group, ...]
    place: Place
    owner: str
    ids: Mapping[tuple[int, int], str]
    severities: Mapping[tuple[int, int], str]
    """The severity that stands for the rule's label; none for a rule that keeps its label."""
    owners: Mapping[tuple[int, int], str]
    """Where an alert's owner is not the file's."""

    @property
    def path(self) -> str:
        """Below the rules folder."""
        return f"{self.place.service}/{self.place.topic}.yaml"


def escaped(text: str) -> str:
    """`text` as a source says it: `${x}` would be a parameter, `$${x}` is the text `${x}`. `$1` and `${1}`
    mean the same in both.
    """
    return _PARAMETER.sub("$${", text)


def expression(text: str) -> str:
    """An expression without the white space around it; one of several lines becomes a block, which ends with
    a line break.
    """
    plain = "\n".join(line.rstrip() for line in text.strip().split("\n")) if "`" not in text else text.strip()
    return escaped(plain + "\n" if "\n" in plain else plain)


def source_text(
    adopted: Adopted,
    comments: Comments | None,
    tests: Sequence[Mapping[str, object]] = (),
    *,
    last: bool = True,
) -> str:
    """The whole file. `comments` are the foreign file's; `last` says that no later set of that file is to
    come.
    """
    made = _File(comments or Comments())
    head = [MODELINE, f"{ADOPTED}{adopted.rule_set.source}"]
    groups = [made.group(adopted, index, group) for index, group in enumerate(adopted.groups)]
    first = min((group.line for group in adopted.groups), default=0)
    lead = made.comments.rest(0, first)
    if lead:
        head.extend(["#", *lead] if lead[0].startswith("#") else lead)
    tail = ["", *made.comments.trailing] if last and made.comments.trailing else []
    data: dict[str, object] = {
        "version": 1,
        "service": adopted.place.service,
        "owner": adopted.owner,
        "groups": groups,
    }
    if tests:
        data["tests"] = list(tests)
    short = _short_lists(tests)
    return written(data, made.by_path, head=head, tail=tail, air=_air, flow=lambda path: path in short)


def _short_lists(tests: Sequence[Mapping[str, object]]) -> frozenset[Path]:
    """Where a test says in one word what fires: `5m: [firing]`."""
    found: set[Path] = set()
    for index, test in enumerate(tests):
        firing = test.get("firing")
        for time, expected in firing.items() if isinstance(firing, Mapping) else ():
            if all(isinstance(each, str) for each in expected):
                found.add(("tests", index, "firing", time))
    return frozenset(found)


def _air(path: Path) -> bool:
    """An empty line above `groups` and `tests`, above each group, rule and test but the first of its list."""
    return path in (("groups",), ("tests",)) or (
        len(path) in (2, 4) and isinstance(path[-1], int) and path[-2] in ("groups", "rules", "tests")
    )


@dataclass(slots=True)
class _File:
    """Moves comments from the foreign places to the new ones while the data is made."""

    comments: Comments
    by_path: dict[Path, Comment] = field(default_factory=dict)

    def put(self, path: Path, comment: Comment) -> None:
        if not comment.before and not comment.beside:
            return
        here = self.by_path.get(path, Comment())
        beside, before = here.beside, (*here.before, *comment.before)
        if comment.beside and beside:
            before = (*before, comment.beside)
        self.by_path[path] = Comment(before=before, beside=beside or comment.beside)

    def move(self, node: Map, key: str, path: Path) -> None:
        """The comments of a foreign key to where its value went."""
        if key in node.keys_at:
            self.put(path, self.comments.take(node.keys_at[key]))

    def item(self, node: Map, path: Path, keys: Mapping[str, Path]) -> None:
        """A list item's comments: above it they stay above it; beside it they stay with its first key."""
        comment = self.comments.take(node.mark)
        self.put(path, Comment(before=comment.before))
        first = next(iter(node), "")
        self.put(keys.get(first, path), Comment(beside=comment.beside))

    def group(self, adopted: Adopted, index: int, group: Group) -> dict[str, object]:
        node, path = group.origin.node, ("groups", index)
        if not adopted.rule_set.bare:
            self.item(node, path, {key: (*path, key) for key in node})
        data: dict[str, object] = {"name": group.name}
        for key, value in (
            ("interval", group.interval),
            ("limit", group.limit),
            ("query_offset", group.query_offset),
        ):
            if value is not None:
                data[key] = value
            self.move(node, key, (*path, key))
        if group.labels:
            data["labels"] = {name: escaped(text) for name, text in group.labels.items()}
            self.labels(node, group.labels, path, None)
        if not adopted.rule_set.bare:
            self.move(node, "name", (*path, "name"))
            self.move(node, "rules", (*path, "rules"))
        kept = {rule.line for rule in group.rules}
        starts = sorted(place_of(each.mark)[0] for each in _nodes(node))
        data["rules"] = [
            self.rule(adopted, (index, number), rule, (*path, "rules", number), starts)
            for number, rule in enumerate(group.rules)
        ]
        for line, following in pairwise(starts):
            if line not in kept:
                self.comments.rest(line, following)  # a refused rule takes its comments with it
        if starts:
            self.put(path, Comment(before=self.comments.rest(group.line, starts[0])))
        return data

    def rule(
        self, adopted: Adopted, key: tuple[int, int], rule: Rule, path: Path, starts: Sequence[int]
    ) -> dict[str, object]:
        data = _alert(adopted, key, rule) if rule.kind == "alert" else _record(adopted, key, rule)
        node = rule.origin.node
        places = {name: (*path, name) for name in node}
        severity = adopted.severities.get(key)
        if "labels" not in data:
            places["labels"] = (*path, "severity") if severity else path
        if "annotations" not in data:
            places["annotations"] = next(((*path, each) for each in TEXT_KEYS if each in data), path)
        self.item(node, path, places)
        for name, place in places.items():
            if name not in ("labels", "annotations"):
                self.move(node, name, place)
        self.labels(node, rule.labels, path, severity, places.get("labels", path))
        annotations = node.get("annotations")
        if isinstance(annotations, Map):
            self.move(node, "annotations", places["annotations"])
            for name in annotations:
                self.move(
                    annotations, name, (*path, name) if name in TEXT_KEYS else (*path, "annotations", name)
                )
        following = min((each for each in starts if each > rule.line), default=1 << 30)
        if following < 1 << 30:
            self.put(path, Comment(before=self.comments.rest(rule.line, following)))
        return data

    def labels(
        self, node: Map, kept: Mapping[str, str], path: Path, severity: str | None, place: Path | None = None
    ) -> None:
        labels = node.get("labels")
        if not isinstance(labels, Map):
            return
        self.move(node, "labels", place or (*path, "labels"))
        for name in labels:
            self.move(
                labels,
                name,
                (*path, "severity") if severity and name == "severity" else (*path, "labels", name),
            )


def _nodes(group: Map) -> list[Map]:
    rules = group.get("rules")
    return [each for each in rules if isinstance(each, Map)] if isinstance(rules, Seq) else []


def _alert(adopted: Adopted, key: tuple[int, int], rule: Rule) -> dict[str, object]:
    severity = adopted.severities.get(key)
    labels = {
        name: escaped(text) for name, text in rule.labels.items() if not (severity and name == "severity")
    }
    annotations = {name: escaped(text) for name, text in rule.annotations.items()}
    data: dict[str, object] = {"alert": rule.name, "id": adopted.ids[key]}
    if severity:
        data["severity"] = severity
    if key in adopted.owners:
        data["owner"] = adopted.owners[key]
    data["expr"] = expression(rule.expr)
    if rule.for_ is not None:
        data["for"] = rule.for_
    if rule.keep_firing_for is not None:
        data["keep_firing_for"] = rule.keep_firing_for
    if labels:
        data["labels"] = labels
    for name in TEXT_KEYS:
        if name in annotations:
            data[name] = annotations.pop(name)
    if annotations:
        data["annotations"] = annotations
    return data


def _record(adopted: Adopted, key: tuple[int, int], rule: Rule) -> dict[str, object]:
    data: dict[str, object] = {"record": rule.name}
    if key in adopted.ids:
        data["id"] = adopted.ids[key]
    data["expr"] = expression(rule.expr)
    if rule.labels:
        data["labels"] = {name: escaped(text) for name, text in rule.labels.items()}
    return data
