"""What a repository already holds, as far as adoption must not disturb it: names that are taken, files that
were adopted before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tocsin.adopt.scalars import value_at
from tocsin.adopt.sources import ADOPTED
from tocsin.diag.origin import Map, Origin, Seq
from tocsin.diag.source_file import SourceFile
from tocsin.source.tree import read_documents


@dataclass(slots=True, kw_only=True)
class Existing:
    """The repository before adoption. `adopted` maps a foreign set's name to the file it became, wherever
    that stands now.
    """

    project: Origin | None = None
    adopted: dict[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    groups: dict[str, set[str]] = field(default_factory=dict)
    topics: dict[str, set[str]] = field(default_factory=dict)
    records: dict[str, set[str]] = field(default_factory=dict)
    own_alerts: int = 0
    """Alerts that were written here, not adopted."""


def survey(
    project: SourceFile | None,
    rules: Iterable[SourceFile],
    promtool: Iterable[SourceFile] = (),
    foreign: Iterable[SourceFile] = (),
) -> Existing:
    """Reads what is there. A file that does not load counts with what can be read of it; `check` speaks of
    its faults.
    """
    found = Existing()
    if project is not None:
        documents, _ = read_documents(project)
        found.project = documents[0].origin if documents else None
    for file in rules:
        came_from = _adopted_from(file)
        if came_from:
            found.adopted[came_from] = file.path
        service, topic = _place(file.path)
        found.topics.setdefault(service, set()).add(topic)
        for document in read_documents(file)[0]:
            if document.origin is not None:
                _file(document.origin, service, found, foreign=bool(came_from))
    for file in foreign:  # some people keep theirs in a folder `rules` too; nothing is written over them
        service, topic = _place(file.path)
        found.topics.setdefault(service, set()).add(topic)
    for file in promtool:
        if came_from := _adopted_from(file):
            found.adopted[came_from] = file.path
    return found


def _place(path: str) -> tuple[str, str]:
    """Service and topic of a file below the rules folder."""
    parts = path.split("/")
    return (parts[1] if len(parts) > 2 and parts[0] == "rules" else ""), "/".join(parts[2:]).removesuffix(
        ".yaml"
    )


def _adopted_from(file: SourceFile) -> str:
    for line in file.text.split("\n", 6)[:6]:
        if line.startswith(ADOPTED):
            return line.removeprefix(ADOPTED).strip()
    return ""


def _file(origin: Origin, service: str, found: Existing, *, foreign: bool) -> None:
    groups = value_at(origin, "groups")
    for group in groups if isinstance(groups, Seq) else []:
        if not isinstance(group, Map):
            continue
        found.groups.setdefault(service, set()).add(str(group.get("name", "")))
        rules = group.get("rules")
        for rule in rules if isinstance(rules, Seq) else []:
            if not isinstance(rule, Map):
                continue
            if "record" in rule:
                found.records.setdefault(service, set()).add(str(rule.get("id", rule["record"])))
                continue
            found.ids.add(str(rule.get("id", "")))
            found.own_alerts += not foreign
