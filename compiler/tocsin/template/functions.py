"""The functions a template may call, and the Prometheus or Go release each needs.

Facts, not logic: a new Prometheus function is one row here. `tests/contract/test_template_promtool.py` asks
the real promtool about every name, so a wrong row cannot stay. Two things depend on the Go release a
Prometheus was built with and not on Prometheus itself: `{{else with}}` and the limit on nested parentheses. A
distribution may build an old Prometheus with a new Go (Debian 13 does), so both versions can be told apart by
the caller.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

Version: TypeAlias = tuple[int, int]

# https://pkg.go.dev/text/template#hdr-Functions
GO_FUNCTIONS = frozenset({
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print",
    "printf", "println", "slice", "urlquery",
})  # fmt: skip

# https://prometheus.io/docs/prometheus/latest/configuration/template_reference/ ; the oldest release we serve
# is 2.42.
PROMETHEUS_FUNCTIONS: dict[str, Version] = {
    "args": (2, 42),
    "externalURL": (2, 42),
    "first": (2, 42),
    "graphLink": (2, 42),
    "humanize": (2, 42),
    "humanize1024": (2, 42),
    "humanizeDuration": (2, 42),
    "humanizePercentage": (2, 42),
    "humanizeTimestamp": (2, 42),
    "label": (2, 42),
    "match": (2, 42),
    "now": (3, 6),
    "parseDuration": (2, 42),
    "pathPrefix": (2, 42),
    "query": (2, 42),
    "reReplaceAll": (2, 42),
    "safeHtml": (2, 42),
    "sortByLabel": (2, 42),
    "stripDomain": (2, 42),
    "stripPort": (2, 42),
    "strvalue": (2, 42),
    "tableLink": (2, 42),
    "title": (2, 42),
    "toDuration": (3, 6),
    "toLower": (2, 42),
    "toTime": (2, 42),
    "toUpper": (2, 42),
    "urlQueryEscape": (3, 8),
    "value": (2, 42),
}

ELSE_WITH_SINCE: Version = (1, 23)
PAREN_LIMIT_SINCE: Version = (1, 25)
PAREN_LIMIT = 10_000

# The Go release behind the Prometheus project's own binaries (.promu.yml), from the release that moved to it;
# only the steps that change a verdict.
_OFFICIAL_GO = (((3, 7), (1, 25)), ((2, 55), (1, 23)), ((0, 0), (1, 19)))


class Dialect(NamedTuple):
    """What one Prometheus build accepts: its own release and the Go release it was compiled with."""

    functions: frozenset[str]
    else_with: bool
    paren_limit: int | None


@lru_cache(maxsize=64)
def dialect(version: Version | None, go: Version | None = None) -> Dialect:
    """The language of Prometheus `version` built with `go` (default: the Go of the project's own binaries).

    `version=None` is the portable language: what every release from 2.42 on accepts, whatever built it.
    """
    if version is None:
        names = frozenset(name for name, since in PROMETHEUS_FUNCTIONS.items() if since <= (2, 42))
        return Dialect(names | GO_FUNCTIONS, False, PAREN_LIMIT)
    built = go or next(used for since, used in _OFFICIAL_GO if version >= since)
    names = frozenset(name for name, since in PROMETHEUS_FUNCTIONS.items() if since <= version)
    return Dialect(
        names | GO_FUNCTIONS, built >= ELSE_WITH_SINCE, PAREN_LIMIT if built >= PAREN_LIMIT_SINCE else None
    )


@lru_cache(maxsize=1)
def newest() -> Dialect:
    """Everything any served release accepts: for reading a text, not for judging it."""
    return Dialect(GO_FUNCTIONS | frozenset(PROMETHEUS_FUNCTIONS), True, None)
