"""The one hash of a compiled rule: what it does at run time, and nothing else.

Annotations, uids, layout and the version of tocsin are not in it, so that rewording a summary or upgrading the tool asks for no verdict. The
digests of the records a rule reads are, so that a changed record is a change of every rule that reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from tocsin.ir.compiled import Datasource, Evaluator
from tocsin.ir.duration import Duration

_SEPARATOR = "\x1f"
_LIST = "\x1e"
GRAFANA_INTERVAL = Duration(60_000)
"""Of a Grafana group whose source says none: what Grafana itself gives one, and Prometheus' own default."""
LENGTH = 24
"""Hexadecimal digits kept: 96 bits, far beyond collision among the rules of any team."""


def alert_digest(
    *,
    expr: str,
    name: str,
    for_: Duration,
    keep_firing_for: Duration,
    labels: Mapping[str, str],
    interval: Duration | None,
    query_offset: Duration | None,
    limit: int,
    evaluator: Evaluator,
    shape: str,
    datasource: Datasource | None,
    reads: Iterable[str],
) -> str:
    """The semantic digest of an alert; `expr` is canonical, `labels` are the emitted ones with the group's, `reads` the digests of its records."""
    states = "OK,KeepLast,1" if evaluator.kind == "grafana" else ""
    if interval is None and evaluator.kind == "grafana":
        # A live group always has an interval; this is the one a group without gets.
        interval = GRAFANA_INTERVAL
    return _hash(
        "alert",
        expr,
        name,
        str(for_),
        str(keep_firing_for),
        _pairs(labels),
        str(interval or 0),
        str(query_offset or 0),
        str(limit),
        evaluator.kind,
        shape,
        states,
        datasource.name if datasource is not None and evaluator.kind == "grafana" else "",
        _LIST.join(sorted(reads)),
    )


def record_digest(
    *,
    expr: str,
    record: str,
    labels: Mapping[str, str],
    interval: Duration | None,
    query_offset: Duration | None,
    limit: int,
    reads: Iterable[str],
) -> str:
    """The semantic digest of a recording rule, `expr` canonical."""
    return _hash(
        "record",
        expr,
        record,
        _pairs(labels),
        str(interval or 0),
        str(query_offset or 0),
        str(limit),
        _LIST.join(sorted(reads)),
    )


def _pairs(values: Mapping[str, str]) -> str:
    return _LIST.join(f"{name}={values[name]}" for name in sorted(values))


def _hash(*parts: str) -> str:
    return hashlib.sha256(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
