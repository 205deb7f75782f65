"""What is replayed: both versions of every changed alert, as the server that evaluates them has them.

    RuleChange* -> pairs_of -> Pair*          alerts whose meaning changed; a change of texts is none

Whoever changes a record changes every alert that reads it; its new version reads what the record will hold, which no history has, so the record
is written into it (`inline`). Nothing is fetched here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tocsin.canary.inline import Recorded, inlined, reads_changed
from tocsin.canary.lints import exactness_of, refused
from tocsin.canary.source import Seen
from tocsin.canary.values import EXACT, Exactness, Pair, RuleVersion
from tocsin.diff.changes import RuleChange, Side
from tocsin.ir.compiled import CompiledAlert, CompiledRecord
from tocsin.ir.digest import GRAFANA_INTERVAL
from tocsin.promql import Expr, parse
from tocsin.wire.versions import supports

DEFAULT_INTERVAL_MS = int(GRAFANA_INTERVAL)
"""Of a group that says none, where the server does not tell its own: the default of Prometheus and of Grafana."""
_ASSUMED = Exactness(level="phase-assumed", why=("the interval is taken as 1m",))


def version_of(side: Side, seen: Iterable[Seen] = ()) -> RuleVersion:
    """One alert as its server evaluates it. `seen` is what the server says it evaluates: a group without an interval has that server's own.
    ValueError for a recording rule, which alerts nobody."""
    alert, group = side.rule, side.group
    if not isinstance(alert, CompiledAlert):
        raise ValueError(f"{alert.key.text} is no alert")
    version = alert.evaluator.version
    grafana = alert.evaluator.kind == "grafana"
    labels = {**group.labels, **alert.labels}
    exactness = exactness_of(alert.expr, labels, alert.datasource if grafana else None)
    interval, file, sure = interval_of(int(group.interval or 0), group.name, alert.name, seen)
    if not grafana:
        exactness = exactness.and_(sure)
    return RuleVersion(
        key=alert.key,
        digest=alert.digest,
        name=alert.name,
        expr=alert.expr,
        for_ms=int(alert.for_),
        keep_ms=int(alert.keep_firing_for),
        labels=labels,
        interval_ms=interval,
        query_offset_ms=int(group.query_offset or 0),
        limit=group.limit,
        machine="grafana" if grafana else "prometheus",
        # A Grafana that does not know the setting resolves a series at its second evaluation without it.
        missing_evals=1 if not grafana or supports("grafana", "http", "missing_series", version) else 2,
        no_data="OK",
        exec_err="KeepLast" if not grafana or supports("grafana", "http", "keep_last", version) else "OK",
        shape=alert.shape if grafana else "promql",
        group=group.name,
        file=file,
        service=alert.service,
        severity=alert.severity,
        identity=alert.identity,
        exactness=exactness,
    )


def interval_of(own: int, group: str, alert: str, seen: Iterable[Seen]) -> tuple[int, str, Exactness]:
    """(the group's interval, the file as the server sees it or `""`, how sure that is). `own` is 0 where the group says none; what the server
    evaluates under that name, once, says the rest."""
    found = [each for each in seen if each.group == group and alert in each.alerts]
    there = found[0] if len(found) == 1 else None
    interval = own or (there.interval_ms if there is not None else 0)
    file = there.file if there is not None else ""
    return interval or DEFAULT_INTERVAL_MS, file, EXACT if interval else _ASSUMED


def pairs_of(
    changes: Iterable[RuleChange], records: Iterable[Side] = (), seen: Iterable[Seen] = ()
) -> tuple[Pair, ...]:
    """The alerts whose semantic digest changed, in the order of `changes`. `records` are the recording rules of the new revision: where several
    write one series, none of them can be written out in its place."""
    changes, seen = tuple(changes), tuple(seen)
    changed = _changed_records(changes, records)
    pairs = []
    for each in changes:
        if not each.is_alert or each.old_digest == each.new_digest:
            continue
        old, new = (_side(side, seen) for side in (each.old, each.new))
        if new is not None:
            new = with_records(new, changed)
        pairs.append(Pair(key=each.key, old=old, new=new))
    return tuple(pairs)


def with_changed_records(
    version: RuleVersion, changes: Iterable[RuleChange], records: Iterable[Side]
) -> RuleVersion:
    """The version with the records that `changes` change written out; `records` are those of the new revision."""
    return with_records(version, _changed_records(tuple(changes), records))


def with_records(version: RuleVersion, changed: Mapping[str, Recorded]) -> RuleVersion:
    """The version over history that holds the old records: the changed ones written out, `approx`; or `not-backtestable` with the reason."""
    expr = parse(version.expr)
    if not isinstance(expr, Expr) or not reads_changed(expr, changed):
        return version
    text = inlined(expr, changed)
    if isinstance(text, str):
        exactness = exactness_of(text, {}, None).and_(Exactness(level="approx", why=("recording-inlined",)))
        return replace(version, expr=text, exactness=version.exactness.and_(exactness))
    return replace(version, exactness=version.exactness.and_(refused(text.message)))


def unchanged(changes: Iterable[RuleChange]) -> tuple[RuleChange, ...]:
    """The alerts whose texts alone changed: `not-needed`."""
    return tuple(each for each in changes if each.is_alert and each.old_digest == each.new_digest)


def _side(side: Side | None, seen: Iterable[Seen]) -> RuleVersion | None:
    return version_of(side, seen) if side is not None and isinstance(side.rule, CompiledAlert) else None


def _changed_records(changes: Iterable[RuleChange], records: Iterable[Side]) -> dict[str, Recorded]:
    """Series name -> the record that will write it, of those that this diff changes, adds or takes away."""
    writers = Counter(side.rule.record for side in records if isinstance(side.rule, CompiledRecord))
    gone: dict[str, Side] = {}
    coming: dict[str, list[Side]] = {}
    for each in changes:
        if each.old_digest == each.new_digest:
            continue
        if each.old is not None and isinstance(each.old.rule, CompiledRecord):
            gone[each.old.rule.record] = each.old
        if each.new is not None and isinstance(each.new.rule, CompiledRecord):
            coming.setdefault(each.new.rule.record, []).append(each.new)
    found = {name: Recorded(name=name, expr="", labels={}, interval_ms=0) for name in gone}
    for name, sides in coming.items():
        rule, group = sides[0].rule, sides[0].group
        found[name] = Recorded(
            name=name,
            expr=rule.expr,
            labels={**group.labels, **rule.labels},
            interval_ms=int(group.interval or DEFAULT_INTERVAL_MS),
            alone=len(sides) == 1 and writers[name] < 2,
        )
    return found
