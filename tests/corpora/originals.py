"""Other people's rules, read without any of tocsin's code: plain PyYAML, every scalar as the text it was
written as.

In: a folder. Out: `Origin`s with their rule groups, in file order, found by looking for mappings that hold
rules, however they are wrapped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ENDINGS = (".yaml", ".yml", ".json", ".rules", ".rule", ".alerts", ".alert")
NOT_RULES = ("runbook", "support", "grafana")
NO_NAME = ""


class AsWritten(yaml.CSafeLoader):
    """Keeps every scalar but null as text: Prometheus decodes `true` or `0.990` into a label as it is
    written. Of a key written twice, which Prometheus refuses, the first is kept, so that the rule has the
    name a reader sees first.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        if not getattr(node, "once", False):
            node.once = True  # type: ignore[attr-defined]
            seen: set[str] = set()
            rows = []
            for key, value in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else ""
                if name == "<<" or name not in seen:
                    rows.append((key, value))
                seen.add(name)
            node.value = rows
        return super().construct_mapping(node, deep)


AsWritten.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag.endswith((":null", ":merge"))]
    for first, rows in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, every field as its author wrote it."""

    kind: str
    name: str
    expr: str
    for_: str
    keep: str
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group. `name` is empty where rules stood without a group."""

    file: str
    name: str
    interval: str
    limit: str
    offset: str
    labels: dict[str, str]
    rules: tuple[Rule, ...]
    keys: frozenset[str]


@dataclass(slots=True, kw_only=True)
class Origin:
    """One source of files: a folder with the rule files and unit tests in it."""

    name: str
    folder: Path
    files: list[str]
    groups: list[Group] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    whole: bool = False
    """The folder itself is adopted, and tocsin finds the files; else the files are named one by one."""

    @property
    def rules(self) -> int:
        return sum(len(group.rules) for group in self.groups)


def origins(top: Path) -> Iterator[Origin]:
    """The origins of an `index.tsv`, else each folder below `top` (and `top` itself, for files directly in
    it).
    """
    index = top / "index.tsv"
    if index.is_file():
        listed: dict[str, list[str]] = {}
        for line in index.read_text(encoding="utf-8").splitlines()[1:]:
            origin, _, kind, _, path = line.split("\t")[:5]
            if not kind.startswith(NOT_RULES):
                listed.setdefault(origin, []).append(path)
        found = [(name, top / name, listed[name]) for name in sorted(listed)]
    else:
        folders = sorted(each for each in top.iterdir() if each.is_dir() and not each.name.startswith("."))
        found = [(each.name, each, list(_walk(each))) for each in folders]
        found.append(
            (
                ".",
                top,
                sorted(
                    each.name
                    for each in top.iterdir()
                    if each.is_file() and each.name.lower().endswith(ENDINGS)
                ),
            )
        )
    for name, folder, files in found:
        origin = Origin(name=name, folder=folder, files=files, whole=not index.is_file() and name != ".")
        for file in files:
            _read(origin, file)
        if origin.groups or origin.tests or index.is_file():
            yield origin


def _walk(folder: Path) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(
            each
            for each in folders
            if not each.startswith(".") and each not in ("node_modules", "__pycache__")
        )
        for name in sorted(names):
            path = Path(here) / name
            if name.lower().endswith(ENDINGS) and not path.is_symlink():
                yield path.relative_to(folder).as_posix()


def _read(origin: Origin, file: str) -> None:
    try:
        text = (origin.folder / file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        origin.unreadable.append(file)
        return
    for data in _documents(text, origin, file):
        if (
            isinstance(data, dict)
            and "tests" in data
            and ("rule_files" in data or "evaluation_interval" in data)
        ):
            origin.tests.append(file)
        else:
            origin.groups.extend(_groups(data, file, origin))


def _documents(text: str, origin: Origin, file: str) -> Iterator[object]:
    loader = AsWritten(text)
    try:
        while loader.check_data():
            yield loader.get_data()
    except (yaml.YAMLError, ValueError, RecursionError):
        origin.unreadable.append(file)
    finally:
        loader.dispose()


def _groups(data: object, file: str, origin: Origin) -> Iterator[Group]:
    """Every group anywhere below `data`, in the order it is written."""
    if isinstance(data, dict):
        rules = data.get("rules")
        if isinstance(rules, list) and any(_is_rule(each) for each in rules):
            yield _group(data, rules, file)
        elif "name" in data and rules in (None, []) and "rules" in data:
            yield _group(data, [], file)
        elif _is_rule(data):
            yield _group({}, [data], file)
        else:
            for value in data.values():
                yield from _groups(value, file, origin)
    elif isinstance(data, list):
        bare = [each for each in data if _is_rule(each)]
        if bare and len(bare) == len(data):
            yield _group({}, bare, file)
        else:
            for each in data:
                yield from _groups(each, file, origin)
    elif (
        isinstance(data, str)
        and "\n" in data
        and ("alert:" in data or "record:" in data or '"alert"' in data)
    ):
        for inner in _documents(data, origin, file):
            if not isinstance(inner, str):
                yield from _groups(inner, file, origin)


def _is_rule(data: object) -> bool:
    if not isinstance(data, dict) or "expr" not in data:
        return False
    return any(key in data and not isinstance(data[key], dict | list) for key in ("alert", "record"))


def _group(data: dict[str, object], rules: list[object], file: str) -> Group:
    return Group(
        file=file,
        name=_text(data.get("name")),
        interval=_text(data.get("interval")),
        limit=_text(data.get("limit")),
        offset=_text(data.get("query_offset")),
        labels=_pairs(data.get("labels")),
        rules=tuple(_rule(each) if isinstance(each, dict) else _rule({}) for each in rules),
        keys=frozenset(data),
    )


def _rule(data: dict[str, object]) -> Rule:
    kind = "record" if "record" in data and "alert" not in data else "alert"
    return Rule(
        kind=kind,
        name=_text(data.get(kind)),
        expr=_text(data.get("expr")),
        for_=_text(data.get("for")),
        keep=_text(data.get("keep_firing_for")),
        labels=_pairs(data.get("labels")),
        annotations=_pairs(data.get("annotations")),
    )


def _pairs(data: object) -> dict[str, str]:
    return {str(key): _text(value) for key, value in data.items()} if isinstance(data, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def compiled(path: Path) -> dict[str, Group]:
    """The groups of one compiled rule file by name, in order."""
    data = yaml.load(path.read_text(encoding="utf-8"), AsWritten)
    found: dict[str, Group] = {}
    for group in data.get("groups") or []:
        made = _group(group, group.get("rules") or [], path.name)
        if made.name in found:
            raise ValueError(f"{path}: two groups are called {made.name}")
        found[made.name] = made
    return found
