"""What a live rule means: the semantic digest it would have in the sources, read from the server's own words. Pure.

A verdict is about replacing one rule by another, so the one that would be replaced must be known as the other is. Where a live rule has a form
that tocsin never writes (`wire.grafana.decode` calls it opaque), it has no digest, and its body is compared instead.

A digest contains those of the records the rule reads. A Prometheus and a Mimir show theirs; a Grafana does not know them, so every set of records
that it may have been written with (of this revision, of the one before) is tried, and a rule may have several digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.ir.compiled import Datasource, Evaluator, Resolved, Version
from tocsin.ir.digest import alert_digest, record_digest
from tocsin.ir.duration import Duration
from tocsin.promql import Expr, canonical, metrics, parse
from tocsin.resolve import RecordFacts, records_of
from tocsin.sync.compare import TEXTS
from tocsin.sync.directory import canonical_rule
from tocsin.sync.grafana import rule_to_grafana
from tocsin.sync.values import Group, Live, Rule, TargetKind
from tocsin.verdict.record import Json as Plain
from tocsin.wire.grafana import Facts, Json, decode
from tocsin.wire.versions import Surface, supports

Reads = Mapping[str, tuple[str, ...]]
"""Series name -> the digests of the records that write it."""
_BINDING = ("labels", "limit", "query_offset")
_SHAPES = ("promql", "split")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a live rule is read against: the kind and version of the server, the data sources by uid, and every set of records it may read."""

    kind: TargetKind
    version: Version
    names: Mapping[str, str] = field(default_factory=dict)
    """Uid of a data source -> its logical name."""
    reads: Sequence[Reads] = ({},)

    @staticmethod
    def of(
        live: Live,
        version: Version,
        datasources: Iterable[Datasource],
        compiled: Iterable[Iterable[Resolved]],
    ) -> Ground:
        """The ground of one server; `compiled` are the revisions whose records a Grafana's rules may read."""
        known = [compiled_reads(each) for each in compiled]
        live_ones = live_reads(live) if live.server.kind in ("prometheus", "mimir") else None
        return Ground(
            kind=live.server.kind,
            version=version,
            names={each.uid: each.name for each in datasources},
            # What the server shows, with the records of others behind it.
            reads=[{**each, **live_ones} for each in known] or [live_ones]
            if live_ones is not None
            else known,
        )


def digests_of(rule: Rule, group: Group, ground: Ground) -> frozenset[str]:
    """Every semantic digest the live `rule` of the live `group` may have; none where it is opaque."""
    if ground.kind in ("grafana", "directory"):
        return _of_grafana(rule, group, ground)
    expr = _parsed(rule)
    if expr is None:
        return frozenset()
    given = {
        "expr": canonical(expr),
        "labels": {**texts_of(group.settings.get("labels")), **texts_of(rule.body.get("labels"))},
        "interval": group.interval or None,
        "query_offset": _duration(group.settings.get("query_offset")),
        "limit": number_of(group.settings.get("limit")),
    }
    if rule.kind == "record":
        return frozenset(
            record_digest(record=rule.title, reads=_read(expr, reads), **given)  # type: ignore[arg-type]
            for reads in ground.reads
        )
    evaluator = Evaluator(
        name="", kind="mimir" if ground.kind == "mimir" else "prometheus", version=ground.version
    )
    return frozenset(
        alert_digest(
            name=rule.title,
            for_=Duration(number_of(rule.body.get("for"))),
            keep_firing_for=Duration(number_of(rule.body.get("keep_firing_for"))),
            evaluator=evaluator,
            shape=shape,
            datasource=None,
            reads=_read(expr, reads),
            **given,  # type: ignore[arg-type]
        )
        for shape in _SHAPES
        for reads in ground.reads
    )


def object_of(rule: Rule, group: Group) -> Plain:
    """The live rule as a record holds one that cannot be decoded: everything but texts, place and marks."""
    return {
        "title": rule.title,
        "interval": int(group.interval),
        "settings": {name: _plain(group.settings[name]) for name in _BINDING if name in group.settings},
        "body": {name: _plain(value) for name, value in sorted(rule.body.items()) if name not in TEXTS},
    }


def compiled_reads(every: Iterable[Resolved]) -> Reads:
    """The records of a revision, by the series they write."""
    found: dict[str, tuple[str, ...]] = {}
    for resolved in every:
        for record in resolved.records:
            found[record.record] = (*found.get(record.record, ()), record.digest)
    return found


def live_reads(live: Live) -> Reads:
    """The records a server evaluates, by the series they write; what lies under other records counts as in the sources."""
    facts = [
        RecordFacts(
            service=rule.service,
            group=group.place.group,
            file=group.place.folder,
            id=rule.uid,
            record=rule.title,
            expr=str(rule.body.get("expr", "")),
            labels={**texts_of(group.settings.get("labels")), **texts_of(rule.body.get("labels"))},
            interval=group.interval or None,
            query_offset=_duration(group.settings.get("query_offset")),
            limit=number_of(group.settings.get("limit")),
        )
        for group in live.groups
        for rule in group.rules
        if rule.kind == "record"
    ]
    records = records_of(facts)
    return {name: tuple(records.digest(each) for each in found) for name, found in records.by_name.items()}


def _of_grafana(rule: Rule, group: Group, ground: Ground) -> frozenset[str]:
    wired = canonical_rule(rule, group) if ground.kind == "directory" else rule_to_grafana(rule)
    found = decode(wired, group.interval) if wired is not None else None
    if not isinstance(found, Facts) or found.states != _states(ground):
        return frozenset()
    expr = parse(found.expr)
    name = ground.names.get(found.datasource_uid)
    if not isinstance(expr, Expr) or name is None:
        return frozenset()
    evaluator = Evaluator(name="", kind="grafana", version=ground.version)
    return frozenset(
        alert_digest(
            expr=canonical(expr),
            name=found.name,
            for_=found.for_,
            keep_firing_for=found.keep_firing_for,
            labels=found.labels,
            interval=found.interval,
            query_offset=found.query_offset,
            limit=0,
            evaluator=evaluator,
            shape=found.shape,
            datasource=Datasource(name=name, uid=found.datasource_uid, type=""),
            reads=_read(expr, reads),
        )
        for reads in ground.reads
    )


def _states(ground: Ground) -> tuple[str, str, int | None]:
    """The states that tocsin writes to a server of that version, as they are read back."""
    surface: Surface = "file" if ground.kind == "directory" else "http"
    return (
        "OK",
        "KeepLast" if supports("grafana", surface, "keep_last", ground.version) else "OK",
        1 if supports("grafana", surface, "missing_series", ground.version) else None,
    )


def _plain(value: Json) -> Plain:
    """As it is written to JSON and read back."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    assert value is None or isinstance(value, (bool, int, float, str))
    return value


def _read(expr: Expr, reads: Reads) -> list[str]:
    return [digest for name in metrics(expr) for digest in reads.get(name, ())]


def _parsed(rule: Rule) -> Expr | None:
    found = parse(str(rule.body.get("expr", "")))
    return found if isinstance(found, Expr) else None


def _duration(value: Json) -> Duration | None:
    return Duration(value) if isinstance(value, int) and value else None


def number_of(value: Json) -> int:
    """A number of a body; 0 where it is none."""
    return value if isinstance(value, int) else 0


def texts_of(value: Json) -> dict[str, str]:
    """Labels of a body or a group; none where it has none."""
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}
