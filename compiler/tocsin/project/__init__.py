"""tocsin.yaml and the release ledger: documents in, `Project` and `Ledger` out.

What was not said gets its default here and nowhere else, so a reader finds every default in one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from tocsin.diag import CODES, Diagnostic, Map, Origin, Severity, SourceFile, Span, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.compiled import Datasource, Evaluator, EvaluatorKind, Version
from tocsin.ir.duration import parse_duration
from tocsin.ir.project import (
    AnnotationToInject,
    Deprecation,
    Environment,
    LabelToInject,
    Project,
    ReleasePolicy,
    SeverityPolicy,
    Site,
    Team,
)
from tocsin.ir.rule import ParamValue
from tocsin.project import canary
from tocsin.project.fields import mapping, text, texts
from tocsin.project.ledger import LEDGER_FILE, read_ledger
from tocsin.source.schema import conform
from tocsin.source.tree import read_document

PROJECT_FILE = "tocsin.yaml"
__all__ = ["LEDGER_FILE", "PROJECT_FILE", "read_ledger", "read_project"]
_ALL_ANNOTATIONS: tuple[AnnotationToInject, ...] = (
    "sop_ref",
    "runbook_url",
    "rule_version",
    "service",
    "owner",
)
_RESERVED = frozenset(
    {
        "for",
        "keep_firing_for",
        "enabled",
        "severity",
        "name",
        "expr",
        "labels",
        "annotations",
        "summary",
        "description",
    }
)


def read_project(file: SourceFile | None) -> tuple[Project | None, tuple[Diagnostic, ...]]:
    """The project; None with the findings where there is no file or it cannot be used."""
    if file is None:
        return None, (
            diagnostic(
                "TOC207",
                Span(PROJECT_FILE),
                f"there is no `{PROJECT_FILE}` here",
                help="run `tocsin init` at the top of the repository",
            ),
        )
    document, found = read_document(file)
    if document is None:
        return None, found
    found = (*found, *conform(document, "project"))
    origin = document.origin
    if origin is None or any(each.severity is Severity.error for each in found):
        return None, found
    project = _project(origin)
    found = (*found, *_contradictions(project))
    return (None if any(each.severity is Severity.error for each in found) else project), found


def _project(origin: Origin) -> Project:
    data = origin.node
    labels, annotations, site = mapping(data, "labels"), mapping(data, "annotations"), mapping(data, "site")
    severities = tuple(
        _severity(name, urgency, cast(Map, value))
        for urgency, (name, value) in enumerate(mapping(data, "severities").items())
    )
    return Project(
        name=text(data, "project"),
        severities=severities,
        unranked=bool(data.get("unranked", not mapping(data, "severities"))),
        teams=tuple(_team(id, cast(Map, value)) for id, value in mapping(data, "teams").items()),
        params=_params(data),
        inject_labels=cast("tuple[LabelToInject, ...]", texts(labels, "inject", ("rule_id",))),
        inject_annotations=cast(
            "tuple[AnnotationToInject, ...]", texts(annotations, "inject", _ALL_ANNOTATIONS)
        ),
        site=Site(
            url=text(site, "url").rstrip("/"),
            name=text(site, "name", "Runbooks"),
            languages=texts(site, "languages", ("en",)),
            sections=texts(site, "sections"),
            repository=text(site, "repository").rstrip("/"),
            branch=text(site, "branch", "main"),
            alerts_per_link=cast(int, site.get("alerts_per_link", 15)),
            description=text(site, "description"),
            primary=text(mapping(site, "palette"), "primary", "indigo"),
            accent=text(mapping(site, "palette"), "accent", "indigo"),
            logo=text(site, "logo"),
            favicon=text(site, "favicon"),
            copyright=text(site, "copyright"),
        ),
        checks={
            code: None if value == "off" else Severity[str(value)]
            for code, value in mapping(data, "checks").items()
        },
        fail_on=Severity[text(data, "fail_on", "error")],
        environments=tuple(
            _environment(name, cast(Map, value)) for name, value in mapping(data, "environments").items()
        ),
        release=_release_policy(mapping(data, "release")),
        canary=canary.read_canary(mapping(data, "canary"), severities),
        origin=origin,
    )


def _release_policy(data: Mapping[str, object]) -> ReleasePolicy:
    default = ReleasePolicy()
    return ReleasePolicy(
        bumps={**default.bumps, **{name: str(part) for name, part in mapping(data, "bumps").items()}},
        first=text(data, "first", default.first),
        changelog=text(data, "changelog", default.changelog),
        deprecations=tuple(
            Deprecation(what=text(each, "what"), until=text(each, "until"), instead=text(each, "instead"))
            for each in cast("list[Mapping[str, object]]", data.get("deprecations", []))
        ),
    )


def _severity(name: str, urgency: int, data: Map) -> SeverityPolicy:
    label = next(iter(mapping(data, "label").items()), ("severity", name))
    return SeverityPolicy(
        name=name,
        urgency=urgency,
        label=(label[0], str(label[1])),
        pages=bool(data.get("pages", False)),
        requires=frozenset(texts(data, "requires")),
        sop_sections=texts(data, "sop_sections"),
        respond_within=parse_duration(text(data, "respond_within")),
        rto=parse_duration(text(data, "rto")),
        trigger=text(data, "trigger"),
        who=text(data, "who"),
        canary=canary.read_stages(mapping(data, "canary"), pages=bool(data.get("pages", False))),
    )


def _team(id: str, data: Map) -> Team:
    return Team(
        id=id,
        name=text(data, "name", id),
        chat=text(data, "chat"),
        email=text(data, "email"),
        rota=text(data, "rota"),
        escalation=text(data, "escalation"),
    )


def _environment(name: str, data: Map) -> Environment:
    evaluators = tuple(_evaluator(cast(Map, each)) for each in cast("list[object]", data["evaluators"]))
    recorders = [each.name for each in evaluators if each.kind != "grafana"]
    datasources = tuple(
        Datasource(
            name=key, uid=text(cast(Map, value), "uid"), type=text(cast(Map, value), "type", "prometheus")
        )
        for key, value in mapping(data, "datasources").items()
    )
    return Environment(
        name=name,
        params=_params(data),
        evaluators=evaluators,
        default_evaluator=text(data, "default_evaluator", evaluators[0].name),
        services={service: str(each) for service, each in mapping(data, "services").items()},
        records=text(data, "records") or (recorders[0] if recorders else None),
        datasources=datasources,
        default_datasource=text(data, "default_datasource") or (datasources[0].name if datasources else None),
        folder=text(data, "folder", "{service}"),
        org_id=cast(int, data.get("org_id", 1)),
        notifier=cast("Literal['alertmanager', 'grafana']", text(data, "notifier", "alertmanager")),
        provenance=cast("Literal['locked', 'editable']", text(data, "provenance", "locked")),
        verdict=cast("Literal['required', 'advised']", text(data, "verdict", "required")),
        max_severity=text(data, "max_severity") or None,
        evaluation_failing_sop=text(data, "evaluation_failing_sop") or None,
        history=canary.read_history(mapping(data, "history")),
    )


def _evaluator(data: Map) -> Evaluator:
    limits = mapping(data, "limits")
    return Evaluator(
        name=text(data, "name"),
        kind=cast(EvaluatorKind, text(data, "kind")),
        version=_version(text(data, "version")),
        rules_per_group=cast("int | None", limits.get("rules_per_group")),
        groups_per_tenant=cast("int | None", limits.get("groups_per_tenant")),
        on_limit=cast("Literal['refuse', 'split']", text(limits, "on_limit", "refuse")),
        tenant=text(data, "tenant") or None,
        url_env=text(data, "url_env") or None,
        web_url=text(data, "web_url").rstrip("/"),
        replicas=cast(int, data.get("replicas", 1)),
    )


def _version(text: str) -> Version:
    parts = [*map(int, text.split(".")), 0, 0]
    return parts[0], parts[1], parts[2]


def _contradictions(project: Project) -> Iterator[Diagnostic]:
    """What the schema cannot say: names that must be declared elsewhere in the same file."""
    origin = project.origin
    for path, params in [
        (("params",), project.params),
        *((("environments", each.name, "params"), each.params) for each in project.environments),
    ]:
        for name in params:
            if name in _RESERVED:
                yield diagnostic(
                    "TOC406",
                    origin.key(*path, name),
                    f"`{name}` is a word of the format and cannot name a parameter",
                    help="choose another name",
                    subject=name,
                )
    for code in project.checks:
        row = CODES.get(code)
        if row is None:
            yield diagnostic(
                "TOC212",
                origin.key("checks", code),
                f"`{code}` is no code of tocsin",
                help=did_you_mean(code, CODES),
                subject=code,
            )
        elif row.fixed:
            yield diagnostic(
                "TOC211",
                origin.key("checks", code),
                f"`{code}` {row.slug} cannot be turned down: its finding makes output impossible or wrong",
                help="remove the line",
                subject=code,
            )
    yield from canary.contradictions(project)
    severities = {each.name for each in project.severities}
    for environment in project.environments:
        yield from _environment_contradictions(project, environment, severities)
        yield from canary.history_contradictions(project, environment)


def _environment_contradictions(
    project: Project, environment: Environment, severities: set[str]
) -> Iterator[Diagnostic]:
    at = project.origin.child("environments", environment.name)
    names = [each.name for each in environment.evaluators]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield diagnostic(
                "TOC209",
                at.value("evaluators", index),
                f"two evaluators of `{environment.name}` are called `{name}`",
                help="rename one",
                subject=name,
            )
    uses = [
        (("default_evaluator",), environment.default_evaluator),
        *((("services", service), used) for service, used in environment.services.items()),
    ]
    for path, used in uses:
        if used not in names:
            yield diagnostic(
                "TOC209",
                at.value(*path),
                f"`{used}` is no evaluator of `{environment.name}`",
                help=did_you_mean(used, names),
                subject=used,
            )
    if environment.records is not None:
        recorder = environment.evaluator(environment.records)
        if recorder is None or recorder.kind == "grafana":
            yield diagnostic(
                "TOC209",
                at.value("records"),
                f"`{environment.records}` cannot evaluate recording rules",
                help="name a prometheus or mimir evaluator",
                subject=environment.records,
            )
    if environment.default_datasource is not None and environment.datasource(None) is None:
        yield diagnostic(
            "TOC210",
            at.value("default_datasource"),
            f"`{environment.default_datasource}` is no data source of `{environment.name}`",
            help=did_you_mean(
                environment.default_datasource, [each.name for each in environment.datasources]
            ),
            subject=environment.default_datasource,
        )
    if environment.max_severity is not None and environment.max_severity not in severities:
        yield diagnostic(
            "TOC505",
            at.value("max_severity"),
            f"`{environment.max_severity}` is no severity of the policy",
            help=did_you_mean(environment.max_severity, severities),
            subject=environment.max_severity,
        )


def _params(data: Mapping[str, object]) -> Mapping[str, ParamValue]:
    return {name: cast(ParamValue, value) for name, value in mapping(data, "params").items()}
