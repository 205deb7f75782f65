"""What a server runs now, as the old side of a comparison: nothing of Git stands between the verdict and what it replaces."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.canary.lints import exactness_of, refused
from tocsin.canary.source import Seen
from tocsin.canary.values import RuleVersion
from tocsin.canary.versions import interval_of
from tocsin.ir.compiled import CompiledAlert, Datasource, RuleKey
from tocsin.sync.grafana import rule_to_grafana
from tocsin.sync.standing import number_of, texts_of
from tocsin.sync.values import Group, Rule
from tocsin.wire.grafana import Facts, decode


def live_version(
    rule: Rule,
    group: Group,
    key: RuleKey,
    digest: str,
    like: CompiledAlert | None,
    *,
    datasources: Iterable[Datasource] = (),
    seen: Iterable[Seen] = (),
) -> RuleVersion:
    """The live `rule` of `group` as it is replayed. `digest` is what a record will call it; `like` is the rule of the sources, which says what no
    server knows: service, severity, identity. `datasources` are the environment's, where the server is a Grafana."""
    if "data" in rule.body:
        return _of_grafana(rule, group, key, digest, like, tuple(datasources))
    labels = {**texts_of(group.settings.get("labels")), **texts_of(rule.body.get("labels"))}
    expr = str(rule.body.get("expr", ""))
    interval, file, level = interval_of(int(group.interval), group.place.group, rule.title, seen)
    return RuleVersion(
        key=key,
        digest=digest,
        name=rule.title,
        expr=expr,
        for_ms=number_of(rule.body.get("for")),
        keep_ms=number_of(rule.body.get("keep_firing_for")),
        labels=labels,
        interval_ms=interval,
        query_offset_ms=number_of(group.settings.get("query_offset")),
        limit=number_of(group.settings.get("limit")),
        group=group.place.group,
        file=file,
        service=rule.service,
        severity=like.severity if like is not None else None,
        identity=like.identity if like is not None else (),
        exactness=exactness_of(expr, labels, None).and_(level),
    )


def _of_grafana(
    rule: Rule,
    group: Group,
    key: RuleKey,
    digest: str,
    like: CompiledAlert | None,
    datasources: tuple[Datasource, ...],
) -> RuleVersion:
    found = decode(rule_to_grafana(rule), group.interval)
    if isinstance(found, Facts):
        source = next((each for each in datasources if each.uid == found.datasource_uid), None)
        exactness = (
            exactness_of(found.expr, found.labels, source)
            if source is not None
            else refused(
                f"the live rule asks the data source `{found.datasource_uid}`, which is not declared"
            )
        )
    else:
        exactness = refused(f"the live rule has a form that tocsin never writes: {found.reason}")
    facts = found if isinstance(found, Facts) else None
    no_data, exec_err, missing = facts.states if facts is not None else ("OK", "KeepLast", 1)
    return RuleVersion(
        key=key,
        digest=digest,
        name=rule.title,
        expr=facts.expr if facts is not None else "",
        for_ms=int(facts.for_) if facts is not None else 0,
        keep_ms=int(facts.keep_firing_for) if facts is not None else 0,
        labels=dict(rule.labels) if facts is None else dict(facts.labels),
        interval_ms=int(group.interval),
        query_offset_ms=int(facts.query_offset) if facts is not None else 0,
        machine="grafana",
        missing_evals=missing or 2,
        no_data=no_data,
        exec_err=exec_err,
        shape=facts.shape if facts is not None else "promql",
        group=group.place.group,
        service=rule.service,
        severity=like.severity if like is not None else None,
        identity=like.identity if like is not None else (),
        exactness=exactness,
    )
