"""One service in one environment: its groups, compiled. Every finding that depends on the environment is made here once.

`record_facts` runs first over all services, because a rule's digest and label flow reach through the records it reads, whoever writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tocsin.diag import Diagnostic, diagnostic
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRecord, Evaluator, Resolved, RuleKey
from tocsin.ir.duration import Duration, parse_duration
from tocsin.ir.project import UNRELEASED, Environment, Ledger, Project
from tocsin.ir.rule import AlertSource, GroupSource, ParamValue, RecordSource, RuleFile
from tocsin.promql import PromqlProblem, parse
from tocsin.resolve.alert import GroupFacts, Place, compile_alert, promql_finding
from tocsin.resolve.params import authored_offset, fill, unknown_uses
from tocsin.resolve.records import RecordFacts, Records
from tocsin.resolve.settings import outer_params
from tocsin.resolve.texts import unknown_parameter


def record_facts(files: Iterable[RuleFile], project: Project, env: Environment) -> tuple[RecordFacts, ...]:
    """Every recording rule of `files` as the rest of the repository needs to know it."""
    facts: list[RecordFacts] = []
    for file in files:
        outer = outer_params(project, env, file)
        for group in file.groups:
            for rule in group.rules:
                if isinstance(rule, RecordSource):
                    facts.append(
                        RecordFacts(
                            service=file.service,
                            group=group.name,
                            file=file.file.path,
                            id=rule.id,
                            record=rule.record,
                            expr=fill(rule.expr, {**outer, **rule.params}),
                            labels={
                                name: fill(value, {**outer, **rule.params})
                                for name, value in {**group.labels, **rule.labels}.items()
                            },
                            interval=_quiet_duration(group.interval, outer),
                            query_offset=_quiet_duration(group.query_offset, outer),
                            limit=group.limit,
                        )
                    )
    return tuple(facts)


def records_of(facts: Iterable[RecordFacts]) -> Records:
    """The records of one environment, by name; rules of one name in the order of their files."""
    by_name: dict[str, list[RecordFacts]] = {}
    for each in facts:
        by_name.setdefault(each.record, []).append(each)
    return Records(by_name={name: tuple(each) for name, each in by_name.items()})


def resolve_service(
    service: str,
    files: Iterable[RuleFile],
    project: Project,
    env: Environment,
    ledger: Ledger | None,
    records: Records,
) -> tuple[Resolved, tuple[Diagnostic, ...]]:
    """`service` compiled for `env`. Without a ledger the rules have no digests and no versions."""
    groups: list[CompiledGroup] = []
    found: list[Diagnostic] = []
    for file in files:
        outer = outer_params(project, env, file)
        for group in file.groups:
            facts = _group_facts(group, outer, found)
            place = Place(
                project=project, env=env, ledger=ledger, records=records, file=file, outer=outer, group=facts
            )
            groups.extend(_group(group, place, found))
    return Resolved(env=env.name, service=service, groups=tuple(groups)), tuple(found)


def _group_facts(group: GroupSource, outer: Mapping[str, ParamValue], found: list[Diagnostic]) -> GroupFacts:
    return GroupFacts(
        interval=_duration(group, "interval", group.interval, outer, found),
        query_offset=_duration(group, "query_offset", group.query_offset, outer, found),
        limit=group.limit,
        labels={
            name: _text(group, value, outer, found, "labels", name) for name, value in group.labels.items()
        },
    )


def _group(group: GroupSource, place: Place, found: list[Diagnostic]) -> list[CompiledGroup]:
    """One authored group: one compiled group for each evaluator that gets some of its rules, in the order of first use."""
    by_evaluator: dict[str, tuple[Evaluator, list[CompiledAlert | CompiledRecord]]] = {}
    for rule in group.rules:
        if isinstance(rule, AlertSource):
            compiled, problems = compile_alert(rule, place)
            found.extend(problems)
            for alert in compiled:
                by_evaluator.setdefault(alert.evaluator.name, (alert.evaluator, []))[1].append(alert)
        else:
            record = _record(rule, place, found)
            if record is not None:
                by_evaluator.setdefault(record.evaluator.name, (record.evaluator, []))[1].append(record)
    return [
        CompiledGroup(
            name=group.name,
            service=place.file.service,
            evaluator=evaluator,
            interval=place.group.interval,
            limit=place.group.limit,
            query_offset=place.group.query_offset,
            labels=place.group.labels,
            rules=tuple(rules),
            file=place.file.file.path,
            origin=group.origin,
        )
        for evaluator, rules in by_evaluator.values()
    ]


def _record(rule: RecordSource, place: Place, found: list[Diagnostic]) -> CompiledRecord | None:
    evaluator = place.env.evaluator_of(rule.service)
    if evaluator.kind == "grafana":
        recorder = place.env.evaluator(place.env.records) if place.env.records is not None else None
        if recorder is None:
            message = (
                f"`{place.env.name}` has no evaluator for recording rules: `{evaluator.name}` is a Grafana"
            )
            help = "declare a prometheus or mimir evaluator in the environment"
            found.append(
                diagnostic("TOC707", rule.origin.value("record"), message, help=help, subject=rule.id)
            )
            return None
        evaluator = recorder
    params = {**place.outer, **rule.params}
    complete = True
    for path, text in (
        (("expr",), rule.expr),
        *((("labels", name), value) for name, value in rule.labels.items()),
    ):
        for unknown in unknown_uses(text, params):
            found.append(
                unknown_parameter(unknown.name, rule.origin.inside(unknown.offset, *path), params, rule.id)
            )
            complete = False
    expr = fill(rule.expr, params)
    parsed = parse(expr)
    if isinstance(parsed, PromqlProblem):
        if complete:
            found.append(
                promql_finding(
                    parsed,
                    rule.origin.inside(authored_offset(rule.expr, params, parsed.offset), "expr"),
                    rule.id,
                )
            )
        return None
    if parsed.kind not in ("vector", "scalar"):
        what = "a range vector" if parsed.kind == "matrix" else "a string"
        found.append(
            diagnostic(
                "TOC403",
                rule.origin.value("expr"),
                f"the expression yields {what}, and a rule needs an instant vector or a scalar",
                subject=rule.id,
            )
        )
        return None
    labels = {name: fill(value, params) for name, value in rule.labels.items()}
    key = RuleKey(place.env.name, rule.id)
    digest, version = "", UNRELEASED
    if place.ledger is not None:
        digest = place.records.digest(
            RecordFacts(
                service=rule.service,
                group="",
                file="",
                id=rule.id,
                record=rule.record,
                expr=expr,
                labels={**place.group.labels, **labels},
                interval=place.group.interval,
                query_offset=place.group.query_offset,
                limit=place.group.limit,
            )
        )
        version = place.ledger.version_of(f"{place.env.name}/{rule.service}/{key.text}", digest)
    return CompiledRecord(
        key=key,
        record=rule.record,
        expr=expr,
        labels=labels,
        service=rule.service,
        evaluator=evaluator,
        digest=digest,
        version=version,
        source=rule,
    )


def _text(
    group: GroupSource, text: str, params: Mapping[str, ParamValue], found: list[Diagnostic], *path: str
) -> str:
    for unknown in unknown_uses(text, params):
        found.append(
            unknown_parameter(unknown.name, group.origin.inside(unknown.offset, *path), params, group.name)
        )
    return fill(text, params)


def _duration(
    group: GroupSource,
    field: str,
    text: str | None,
    params: Mapping[str, ParamValue],
    found: list[Diagnostic],
) -> Duration | None:
    if text is None:
        return None
    filled = _text(group, text, params, found, field)
    duration = parse_duration(filled)
    # A duration written out is the schema's to judge; one that a parameter made is ours.
    if duration is None and "${" in text and "${" not in filled:
        found.append(
            diagnostic(
                "TOC205",
                group.origin.value(field),
                f"`{field}` is `{filled}` here, which is no duration",
                help="write `30s`, `1m`, `5m`",
                subject=group.name,
            )
        )
    return duration


def _quiet_duration(text: str | None, params: Mapping[str, ParamValue]) -> Duration | None:
    return None if text is None else parse_duration(fill(text, params))
