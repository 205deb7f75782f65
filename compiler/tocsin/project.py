"""tocsin.yaml and the release ledger: documents in, `Project` and `Ledger` out.

What was not said gets its default here and nowhere else, so a reader finds every default in one file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast

from tocsin.diag import CODES, Diagnostic, Map, Origin, Severity, SourceFile, Span, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.ir.compiled import Datasource, Evaluator, EvaluatorKind, Version
from tocsin.ir.duration import parse_duration
from tocsin.ir.project import (
    UNRELEASED,
    AnnotationToInject,
    Environment,
    LabelToInject,
    Ledger,
    Project,
    Release,
    ReleasedChange,
    ReleasePolicy,
    SeverityPolicy,
    Site,
    Team,
)
from tocsin.ir.rule import ParamValue
from tocsin.source.schema import conform
from tocsin.source.tree import read_document

PROJECT_FILE = "tocsin.yaml"
LEDGER_FILE = "releases.json"
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


def read_ledger(file: SourceFile | None) -> tuple[Ledger, tuple[Diagnostic, ...]]:
    """The ledger; an empty one (everything `unreleased`) where no release was made yet."""
    if file is None:
        return Ledger(), ()
    try:
        data = json.loads(file.text)
        rules = {key: (str(row["digest"]), str(row["version"])) for key, row in data.get("rules", {}).items()}
        sops = {key: (str(row["digest"]), str(row["version"])) for key, row in data.get("sops", {}).items()}
        site = {key: _names(row) for key, row in data.get("site", {}).items()}
        return (
            Ledger(
                release=str(data.get("release", UNRELEASED)),
                rules=rules,
                sops=sops,
                site=site,
                lines=_lines(file.text, site),
                releases=tuple(map(_release, data.get("releases", []))),
            ),
            (),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        line, column = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (1, 1)
        span = Span.point(file.path, line, column)
        return Ledger(), (
            diagnostic(
                "TOC203",
                span,
                "this is not a release ledger",
                help="restore it from Git: `tocsin release` alone writes it",
            ),
        )


def _names(row: object) -> tuple[str, ...]:
    if not isinstance(row, list) or not all(isinstance(each, str) for each in row):
        raise TypeError("not a list of names")
    return tuple(row)


def _release(row: Mapping[str, object]) -> Release:
    return Release(
        version=str(row["version"]),
        date=str(row["date"]),
        sops=_names(row.get("sops", [])),
        changes=tuple(
            ReleasedChange(
                rule=str(each["rule"]),
                envs=_names(each["envs"]),
                class_=str(each["class"]),
                what=_names(each.get("what", [])),
                direction=str(each.get("direction", "")),
                reasons=_names(each.get("reasons", [])),
                tickets=_names(each.get("tickets", [])),
            )
            for each in cast("list[Mapping[str, object]]", row.get("changes", []))
        ),
    )


def _lines(text: str, names: Iterable[str]) -> dict[str, int]:
    """The line each name is written on. JSON without places is enough: nobody edits the ledger by hand."""
    wanted = {json.dumps(name, ensure_ascii=False): name for name in names}
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1) if wanted else ():
        name = wanted.get(line.strip().partition(": ")[0])
        if name is not None:
            found.setdefault(name, number)
    return found


def _project(origin: Origin) -> Project:
    data = origin.node
    labels, annotations, site = _map(data, "labels"), _map(data, "annotations"), _map(data, "site")
    return Project(
        name=_text(data, "project"),
        severities=tuple(
            _severity(name, urgency, cast(Map, value))
            for urgency, (name, value) in enumerate(_map(data, "severities").items())
        ),
        unranked=bool(data.get("unranked", not _map(data, "severities"))),
        teams=tuple(_team(id, cast(Map, value)) for id, value in _map(data, "teams").items()),
        params=_params(data),
        inject_labels=cast("tuple[LabelToInject, ...]", _texts(labels, "inject", ("rule_id",))),
        inject_annotations=cast(
            "tuple[AnnotationToInject, ...]", _texts(annotations, "inject", _ALL_ANNOTATIONS)
        ),
        site=Site(
            url=_text(site, "url").rstrip("/"),
            name=_text(site, "name", "Runbooks"),
            languages=_texts(site, "languages", ("en",)),
            sections=_texts(site, "sections"),
            repository=_text(site, "repository").rstrip("/"),
            branch=_text(site, "branch", "main"),
            alerts_per_link=cast(int, site.get("alerts_per_link", 15)),
            description=_text(site, "description"),
            primary=_text(_map(site, "palette"), "primary", "indigo"),
            accent=_text(_map(site, "palette"), "accent", "indigo"),
            logo=_text(site, "logo"),
            favicon=_text(site, "favicon"),
            copyright=_text(site, "copyright"),
        ),
        checks={
            code: None if value == "off" else Severity[str(value)]
            for code, value in _map(data, "checks").items()
        },
        fail_on=Severity[_text(data, "fail_on", "error")],
        environments=tuple(
            _environment(name, cast(Map, value)) for name, value in _map(data, "environments").items()
        ),
        release=_release_policy(_map(data, "release")),
        origin=origin,
    )


def _release_policy(data: Mapping[str, object]) -> ReleasePolicy:
    default = ReleasePolicy()
    return ReleasePolicy(
        bumps={**default.bumps, **{name: str(part) for name, part in _map(data, "bumps").items()}},
        first=_text(data, "first", default.first),
        changelog=_text(data, "changelog", default.changelog),
    )


def _severity(name: str, urgency: int, data: Map) -> SeverityPolicy:
    label = next(iter(_map(data, "label").items()), ("severity", name))
    return SeverityPolicy(
        name=name,
        urgency=urgency,
        label=(label[0], str(label[1])),
        pages=bool(data.get("pages", False)),
        requires=frozenset(_texts(data, "requires")),
        sop_sections=_texts(data, "sop_sections"),
        respond_within=parse_duration(_text(data, "respond_within")),
        rto=parse_duration(_text(data, "rto")),
        trigger=_text(data, "trigger"),
        who=_text(data, "who"),
    )


def _team(id: str, data: Map) -> Team:
    return Team(
        id=id,
        name=_text(data, "name", id),
        chat=_text(data, "chat"),
        email=_text(data, "email"),
        rota=_text(data, "rota"),
        escalation=_text(data, "escalation"),
    )


def _environment(name: str, data: Map) -> Environment:
    evaluators = tuple(_evaluator(cast(Map, each)) for each in cast("list[object]", data["evaluators"]))
    recorders = [each.name for each in evaluators if each.kind != "grafana"]
    datasources = tuple(
        Datasource(
            name=key, uid=_text(cast(Map, value), "uid"), type=_text(cast(Map, value), "type", "prometheus")
        )
        for key, value in _map(data, "datasources").items()
    )
    return Environment(
        name=name,
        params=_params(data),
        evaluators=evaluators,
        default_evaluator=_text(data, "default_evaluator", evaluators[0].name),
        services={service: str(each) for service, each in _map(data, "services").items()},
        records=_text(data, "records") or (recorders[0] if recorders else None),
        datasources=datasources,
        default_datasource=_text(data, "default_datasource")
        or (datasources[0].name if datasources else None),
        folder=_text(data, "folder", "{service}"),
        org_id=cast(int, data.get("org_id", 1)),
        notifier=cast("Literal['alertmanager', 'grafana']", _text(data, "notifier", "alertmanager")),
        provenance=cast("Literal['locked', 'editable']", _text(data, "provenance", "locked")),
        verdict=cast("Literal['required', 'advised']", _text(data, "verdict", "required")),
        max_severity=_text(data, "max_severity") or None,
        evaluation_failing_sop=_text(data, "evaluation_failing_sop") or None,
    )


def _evaluator(data: Map) -> Evaluator:
    limits = _map(data, "limits")
    return Evaluator(
        name=_text(data, "name"),
        kind=cast(EvaluatorKind, _text(data, "kind")),
        version=_version(_text(data, "version")),
        rules_per_group=cast("int | None", limits.get("rules_per_group")),
        groups_per_tenant=cast("int | None", limits.get("groups_per_tenant")),
        on_limit=cast("Literal['refuse', 'split']", _text(limits, "on_limit", "refuse")),
        tenant=_text(data, "tenant") or None,
        url_env=_text(data, "url_env") or None,
        web_url=_text(data, "web_url").rstrip("/"),
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
    severities = {each.name for each in project.severities}
    for environment in project.environments:
        yield from _environment_contradictions(project, environment, severities)


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


def _map(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, Map) else {}


def _text(data: Mapping[str, object], key: str, default: str = "") -> str:
    value = data.get(key)
    return default if value is None else str(value)


def _texts(data: Mapping[str, object], key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    value = data.get(key)
    return tuple(str(each) for each in value) if isinstance(value, list) else default


def _params(data: Mapping[str, object]) -> Mapping[str, ParamValue]:
    return {name: cast(ParamValue, value) for name, value in _map(data, "params").items()}
