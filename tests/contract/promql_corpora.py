"""Expressions to hold the PromQL room against real servers: our own list, and other people's rule files if
given.

TOCSIN_CORPORA may name a folder; every `expr` of every rule in its YAML files that Prometheus' own grammar
could take is used once. The tests pass without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from tests.contract.promql_expressions import EXPRESSIONS

_MOST = 4_000


@cache
def corpora() -> tuple[str, ...]:
    """The distinct expressions of the folder TOCSIN_CORPORA, in a fixed order; empty when it is not set."""
    folder = os.environ.get("TOCSIN_CORPORA")
    if not folder:
        return ()
    found: dict[str, None] = {}
    for path in sorted(Path(folder).rglob("*.y*ml")):
        for expr in _of_file(path):
            found.setdefault(expr)
    return tuple(found)[:_MOST]


@cache
def everything() -> tuple[str, ...]:
    """Our own expressions and those of the corpora."""
    return tuple(dict.fromkeys((*EXPRESSIONS, *corpora())))


def _of_file(path: Path) -> Iterator[str]:
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, OSError):
        return
    waiting: list[object] = list(reversed(documents))
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(item.get("expr"), str) and ("alert" in item or "record" in item):
                yield item["expr"]
            waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))
