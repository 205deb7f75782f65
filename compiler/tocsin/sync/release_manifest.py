"""What the `manifest.json` of a release says of the rules of one environment, for a rollback. Pure.

In: the files of a release by path. Out: rows, and the services that were frozen. A release without a manifest has neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin.errors import MachineError
from tocsin.ir.project import Environment, Project
from tocsin.wire.grafana import Json

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule: `key` is `id/level/override`, of a record its own key; `uid` is Grafana's, `""` for a record."""

    key: str
    kind: str
    service: str
    evaluator: str
    digest: str
    uid: str = ""
    mirror: bool = False


def manifest_of(
    files: Mapping[str, bytes], project: Project, env: Environment
) -> tuple[tuple[Row, ...], frozenset[str]]:
    """The rows of the environment, and the frozen services. MachineError where the release is another project's."""
    path = next((each for each in sorted(files, key=len) if each.rpartition("/")[2] == MANIFEST), None)
    if path is None:
        return (), frozenset()
    document = json_of(files[path], path)
    said = document if isinstance(document, Mapping) else {}
    if said.get("project") != project.name:
        raise MachineError(f"the release is of the project {said.get('project')}, and this is {project.name}")
    names = said.get("frozen")
    frozen = [each for each in (names if isinstance(names, (list, tuple)) else ()) if isinstance(each, str)]
    return tuple(_rows(said.get("rules"), env.name)), frozenset(frozen)


def json_of(data: bytes, path: str) -> Json:
    """A stored file's JSON."""
    try:
        read: Json = json.loads(data.decode("utf-8"))
    except ValueError:
        raise MachineError(f"{path} is no JSON") from None
    return read


def _rows(rules: Json, env: str) -> Iterator[Row]:
    for name, row in (rules if isinstance(rules, Mapping) else {}).items():
        environment, _, key = name.partition("/")
        if environment != env or not isinstance(row, Mapping):
            continue
        kind, service = str(row.get("kind", "")), str(row.get("service", ""))
        yield Row(
            key=key.removeprefix(f"{service}/") if kind == "record" else key.partition("@")[0],
            kind=kind,
            service=service,
            evaluator=str(row.get("evaluator", "")),
            digest=str(row.get("digest", "")),
            uid=str(row.get("uid", "")),
            mirror=row.get("mirror") is True,
        )
