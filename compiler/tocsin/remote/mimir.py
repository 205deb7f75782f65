"""Mimir's ruler: rule groups in namespaces, written over HTTP. Also any Cortex that kept the interface.

What is evaluated now is read by `Prometheus` with the same prefix and tenant. Source: grafana/mimir, reference HTTP API: `GET, POST, DELETE
<prefix>/config/v1/rules...` answer YAML and 202; `/api/v1/user_limits` answers the tenant's limits and lies outside the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tocsin.diag.diagnostic import Severity
from tocsin.diag.source_file import SourceFile
from tocsin.errors import WrongShape
from tocsin.remote.answer import Answer, Reader
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.source.tree import read_document
from tocsin.wire.grafana import Json

_RULES: Final = ("config", "v1", "rules")
_TOP = re.compile(r"^(?![ \t#\-]|$)", re.MULTILINE)
"""Where a key at the top of a YAML document begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLimits:
    """What the tenant may have; None where the server does not say or sets no limit."""

    rules_per_group: int | None = None
    groups: int | None = None


def prefix_of(url: str) -> tuple[str, tuple[str, ...]]:
    """(root, prefix) of the address that people give, `https://mimir/prometheus`: the limits lie outside the prefix."""
    bare = url.rstrip("/")
    return bare.removesuffix("/prometheus") if "/prometheus" in bare.partition("://")[2] else bare, (
        "prometheus",
    )


class Mimir:
    """The ruler of one tenant. `tenant` None sends no header: a server without tenants."""

    def __init__(self, door: Door, *, tenant: str | None, prefix: tuple[str, ...] = ("prometheus",)) -> None:
        self._door = door
        self._path = (*prefix, *_RULES)
        self.headers: Mapping[str, str] = {"X-Scope-OrgID": tenant} if tenant else {}

    def rules(self) -> dict[str, tuple[Mapping[str, Json], ...]]:
        """Namespace -> its groups as authored, in the server's order. A tenant without rules is empty, not an error."""
        answer = self._door.get(*self._path, headers=self.headers, accept=(200, 404))
        if answer.status == 404:
            return {}
        found: dict[str, tuple[Mapping[str, Json], ...]] = {}
        # A namespace at a time: one document of 10,000 rules is more than the reader takes from a stranger.
        for part in _parts(answer.text):
            read = _yaml(answer, part)
            for namespace in read.object() if read.value is not None else ():
                found[namespace] = tuple(each.object() for each in read[namespace].each())
        return found

    def group(self, namespace: str, name: str) -> Mapping[str, Json] | None:
        """One group as authored; None where it is not there."""
        answer = self._door.get(*self._path, namespace, name, headers=self.headers, accept=(200, 404))
        return None if answer.status == 404 else _yaml(answer, answer.text).object()

    def set_group(self, namespace: str, text: str) -> None:
        """Creates or replaces a group; `text` is its YAML, its name in it. The server takes fields it does not know and forgets them."""
        self._door.send(
            "POST",
            *self._path,
            namespace,
            body=Body.of_yaml(text),
            headers=self.headers,
            accept=(200, 201, 202),
        )

    def delete_group(self, namespace: str, name: str) -> None:
        """Deletes a group; one that is not there is fine."""
        self._door.send(
            "DELETE", *self._path, namespace, name, headers=self.headers, accept=(200, 202, 204, 404)
        )

    def limits(self) -> TenantLimits:
        """The tenant's limits, asked before the first write. A server that does not tell has none known here; the project's own count then."""
        answer = self._door.get(
            "api", "v1", "user_limits", headers=self.headers, accept=(200, 400, 403, 404, 405)
        )
        if answer.status != 200:
            return TenantLimits()
        read = answer.json()
        return TenantLimits(
            rules_per_group=read.whole("ruler_max_rules_per_rule_group", 0) or None,
            groups=read.whole("ruler_max_rule_groups_per_tenant", 0) or None,
        )


def _parts(text: str) -> Iterator[str]:
    """The text cut before every key at its top."""
    starts = [found.start() for found in _TOP.finditer(text)] or [0]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[start:end]


def _yaml(answer: Answer, text: str) -> Reader:
    """YAML as JSON-shaped data; `WrongShape` where it is none."""
    document, found = read_document(SourceFile(path="answer", text=text))
    if text.strip() and (document is None or any(each.severity is Severity.error for each in found)):
        raise WrongShape(f"{answer.endpoint}: the answer is no YAML", endpoint=answer.endpoint)
    value: Json = document.data if document else None  # type: ignore[assignment]  # the core schema is JSON-shaped
    return Reader(value=value, endpoint=answer.endpoint)
