"""One authored alert in one environment: levels x variants, each a `CompiledAlert`, with the findings that make one impossible."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tocsin.diag import Diagnostic, Span, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.compiled import CompiledAlert, Datasource, Evaluator, RuleKey
from tocsin.ir.digest import alert_digest
from tocsin.ir.duration import Duration
from tocsin.ir.project import UNRELEASED, Environment, Ledger, Project, SeverityPolicy
from tocsin.ir.rule import AlertSource, LevelSource, ParamValue, RuleFile
from tocsin.promql import Expr, PromqlProblem, canonical, inject, parse
from tocsin.resolve.overrides import Variant, variants
from tocsin.resolve.params import authored_offset, fill, parameter_text, unknown_uses
from tocsin.resolve.records import Records
from tocsin.resolve.settings import Settings, settings_of
from tocsin.resolve.texts import Reader, annotations_of, labels_of, runbook_url

_UNRANKED = 1_000
"""Urgency of an alert without a severity: less urgent than any rank a policy can give."""
_PLAIN_VARIANT = Variant(key="", taken=(), settings={})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """What a rule takes over from its group."""

    interval: Duration | None
    query_offset: Duration | None
    limit: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rule is compiled: everything but the rule itself."""

    project: Project
    env: Environment
    ledger: Ledger | None
    """None where nobody asks for digests and versions: a check needs neither, and they cost a tenth of it."""
    records: Records
    file: RuleFile
    outer: Mapping[str, ParamValue]
    group: GroupFacts


def compile_alert(
    alert: AlertSource, place: Place
) -> tuple[tuple[CompiledAlert, ...], tuple[Diagnostic, ...]]:
    """Every compiled rule of `alert` in the environment (mirrors after their originals), and what stands in the way."""
    found: list[Diagnostic] = []
    made: list[CompiledAlert] = []
    parts: tuple[Variant, ...] = (_PLAIN_VARIANT,)
    if alert.overrides:
        parts, conflicts = variants(alert, place.env.name)
        found.extend(conflicts)
    evaluator = _evaluator(alert, place, found)
    levels: tuple[LevelSource | None, ...] = alert.levels or (None,)
    for variant in parts:
        for level in levels:
            settings = settings_of(alert, level, variant, place.outer)
            if settings.enabled:
                compiled = _compile(alert, level, variant, settings, evaluator, place, found)
                if compiled is not None:
                    made.append(compiled)
    if alert.mirror:
        made.extend(_mirrors(alert, tuple(made), place, found))
    return tuple(made), tuple(found)


def _evaluator(alert: AlertSource, place: Place, found: list[Diagnostic]) -> Evaluator:
    if alert.evaluator is None:
        return place.env.evaluator_of(alert.service)
    evaluator = place.env.evaluator(alert.evaluator)
    if evaluator is None:
        names = [each.name for each in place.env.evaluators]
        message = f"`{alert.evaluator}` is no evaluator of `{place.env.name}`"
        found.append(
            diagnostic(
                "TOC209",
                alert.origin.value("evaluator"),
                message,
                help=did_you_mean(alert.evaluator, names),
                subject=alert.id,
            )
        )
        return place.env.evaluator_of(alert.service)
    return evaluator


def _compile(
    alert: AlertSource,
    level: LevelSource | None,
    variant: Variant,
    settings: Settings,
    evaluator: Evaluator,
    place: Place,
    found: list[Diagnostic],
) -> CompiledAlert | None:
    reader = Reader(alert, settings, found)
    expr_path: tuple[str, ...] = (
        ("levels", settings.level, "expr") if level is not None and level.expr is not None else ("expr",)
    )
    text = reader.text(settings.expr, *expr_path)
    parsed = _parse(text, settings, alert, expr_path, found)
    for_ = reader.duration(settings.for_, "for")
    keep = reader.duration(settings.keep_firing_for, "keep_firing_for")
    severity = _severity(settings, alert, place, found)
    if parsed is None or for_ is None or keep is None:
        return None
    narrowed = _narrow(text, variant, alert, found) if variant.taken else (text, parsed)
    if narrowed is None:
        return None
    text, parsed = narrowed
    labels, own = labels_of(alert, level, settings, severity, reader, place.project, place.env)
    annotations, own_annotations = annotations_of(alert, level, reader, place.project)
    key = RuleKey(place.env.name, alert.id, settings.level, variant.key)
    # The digest covers what is emitted: the expression after the matchers, the labels after injection and with the group's.
    datasource = _datasource(alert, evaluator, place, found)
    digest, version = "", UNRELEASED
    if place.ledger is not None:
        digest = alert_digest(
            expr=canonical(parsed),
            name=settings.name,
            for_=for_,
            keep_firing_for=keep,
            labels={**place.group.labels, **labels},
            interval=place.group.interval,
            query_offset=place.group.query_offset,
            limit=place.group.limit,
            evaluator=evaluator,
            shape=alert.shape,
            datasource=datasource,
            reads=place.records.digests(parsed),
        )
        version = place.ledger.version_of(f"{place.env.name}/{key.text}", digest)
    if "rule_version" in place.project.inject_annotations and "rule_version" not in annotations:
        annotations["rule_version"] = version
    return CompiledAlert(
        key=key,
        uid=_uid(alert, key, place),
        name=settings.name,
        expr=text,
        for_=for_,
        keep_firing_for=keep,
        labels=labels,
        own_labels=own,
        annotations=annotations,
        own_annotations=own_annotations,
        severity=severity.name if severity is not None else None,
        urgency=severity.urgency if severity is not None else _UNRANKED,
        service=alert.service,
        owner=alert.owner,
        sop_ref=alert.sop_ref,
        runbook_url=runbook_url(place.project, alert.sop_ref),
        identity=alert.identity,
        signal=alert.signal,
        evaluator=evaluator,
        mirror=False,
        paused=False,
        datasource=datasource,
        shape=alert.shape,
        params={
            name: parameter_text(settings.params[name])
            for name in sorted(reader.used & settings.params.keys())
        },
        digest=digest,
        version=version,
        source=alert,
    )


def _uid(alert: AlertSource, key: RuleKey, place: Place) -> str:
    """The author's own uid names the one rule there is; where there are several, each has one of ours."""
    if alert.grafana_uid is not None and not key.level and not key.override:
        return alert.grafana_uid
    return uid_of(place.project.name, key, alert)


def _datasource(
    alert: AlertSource, evaluator: Evaluator, place: Place, found: list[Diagnostic]
) -> Datasource | None:
    if evaluator.kind != "grafana" and not alert.mirror and alert.datasource is None:
        return None
    datasource = place.env.datasource(alert.datasource)
    if alert.datasource is not None and datasource is None:
        names = [each.name for each in place.env.datasources]
        message = f"`{alert.datasource}` is no data source of `{place.env.name}`"
        help = did_you_mean(alert.datasource, names)
        found.append(
            diagnostic("TOC210", alert.origin.value("datasource"), message, help=help, subject=alert.id)
        )
    return datasource


def _parse(
    text: str, settings: Settings, alert: AlertSource, path: tuple[str, ...], found: list[Diagnostic]
) -> Expr | None:
    params, unknown = settings.params, unknown_uses(settings.expr, settings.params)
    if unknown:
        # The rest of the expression is judged in the same run, as if the parameter were a number.
        params = {**params, **dict.fromkeys((each.name for each in unknown), 1)}
        text = fill(settings.expr, params)
    parsed = parse(text)
    if isinstance(parsed, PromqlProblem):
        found.append(
            promql_finding(
                parsed,
                alert.origin.inside(authored_offset(settings.expr, params, parsed.offset), *path),
                alert.id,
            )
        )
        return None
    if unknown:
        return None
    if parsed.kind not in ("vector", "scalar"):
        article = "a range vector" if parsed.kind == "matrix" else "a string"
        found.append(
            diagnostic(
                "TOC403",
                alert.origin.value(*path),
                f"the expression yields {article}, and a rule needs an instant vector or a scalar",
                subject=alert.id,
            )
        )
        return None
    return parsed


def promql_finding(problem: PromqlProblem, span: Span, subject: str) -> Diagnostic:
    """What the parser said, as a finding."""
    code = "TOC402" if problem.hostile else "TOC401"
    message = problem.message if problem.hostile else f"not valid PromQL: {problem.message}"
    return diagnostic(code, span, message, subject=f"{subject}/expr")


def _narrow(
    text: str, variant: Variant, alert: AlertSource, found: list[Diagnostic]
) -> tuple[str, Expr] | None:
    for label, operator, value in variant.taken:
        narrowed = inject(text, label, "=~" if operator == "=~" else "!~", value)
        if isinstance(narrowed, PromqlProblem):
            override = next(each for each in alert.overrides if each.where == (label, value))
            found.append(
                diagnostic(
                    "TOC411",
                    alert.origin.key("overrides", override.key, "where"),
                    f"`where` on `{label}` cannot be written into the expression: {narrowed.message}",
                    help="write a second alert for these series",
                    subject=f"{alert.id}/overrides.{override.key}",
                )
            )
            return None
        text = narrowed
    parsed = parse(text)
    assert isinstance(parsed, Expr), "inject proves its result by parsing it"
    return text, parsed


def _severity(
    settings: Settings, alert: AlertSource, place: Place, found: list[Diagnostic]
) -> SeverityPolicy | None:
    if settings.severity is None:
        return None
    severity = place.project.severity(settings.severity)
    if severity is None:
        path = (
            ("levels", settings.level, "severity")
            if settings.level and alert.origin.wrote("levels", settings.level, "severity")
            else ("severity",)
        )
        override = settings.set_by.get("severity")
        span = (
            alert.origin.value(*path) if override is None else alert.origin.value("overrides", override.key)
        )
        names = [each.name for each in place.project.severities]
        message = f"`{settings.severity}` is no severity of the policy"
        found.append(
            diagnostic(
                "TOC505",
                span,
                message,
                help=did_you_mean(settings.severity, names),
                subject=f"{alert.id}/severity",
            )
        )
        return None
    cap = place.project.severity(place.env.max_severity)
    return cap if cap is not None and severity.urgency < cap.urgency else severity


def uid_of(project: str, key: RuleKey, alert: AlertSource) -> str:
    """At most 32 of `[a-z0-9-]`: the start of the id for people, a hash of the whole key for uniqueness."""
    level = "" if len(alert.levels) <= 1 else key.level
    parts = "\x1f".join((project, key.env, key.id, level, key.override))
    return f"{key.id[:15].rstrip('-')}-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"


def _mirrors(
    alert: AlertSource, made: tuple[CompiledAlert, ...], place: Place, found: list[Diagnostic]
) -> Iterator[CompiledAlert]:
    own = {each.evaluator.name for each in made}
    targets = [each for each in place.env.evaluators if each.kind == "grafana" and each.name not in own]
    if not targets:
        message = f"`{place.env.name}` has no other Grafana evaluator to mirror this alert to"
        found.append(
            diagnostic(
                "TOC712",
                alert.origin.key("mirror"),
                message,
                help="remove `mirror`, or declare a grafana evaluator",
                subject=alert.id,
            )
        )
    for target in targets:
        for each in made:
            yield replace(
                each,
                evaluator=target,
                mirror=True,
                paused=True,
                uid=f"{each.uid[:24]}-m-{hashlib.sha256(target.name.encode()).hexdigest()[:5]}",
            )
