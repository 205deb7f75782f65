"""`catalog.json`: everything the repository says about alerts and procedures, for bots and portals. Its
schema is published as `schemas/catalog.schema.json`.

In: the authored files and what they compile to. Out: alerts, records, SOPs, incidents, services and teams,
each link in both directions: an alert names its SOP and its incidents, a SOP its alerts and incidents, a
service all of its own. Both directions are made here from one `sop_ref`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tocsin.emit.jsontext import Json, document
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import CompiledAlert, CompiledRecord, Resolved
from tocsin.ir.duration import format_duration
from tocsin.ir.project import Project
from tocsin.ir.rule import AlertSource, RecordSource, RuleFile
from tocsin.ir.sop import Incident, Sop
from tocsin.resolve.texts import runbook_url

NAME = "catalog"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the catalog is made from."""

    files: Sequence[RuleFile]
    every: Sequence[Resolved]
    sops: Sequence[Sop] = ()
    incidents: Sequence[Incident] = ()
    frozen: frozenset[str] = frozenset()


def emit(contents: Contents, project: Project) -> Iterator[Artifact]:
    """The catalog."""
    alerts = {rule.id: rule for rule in _rules(contents.files) if isinstance(rule, AlertSource)}
    records = {
        f"{rule.service}/{rule.id}": rule for rule in _rules(contents.files) if isinstance(rule, RecordSource)
    }
    originals = {each.id: each for each in contents.sops if each.translation_of is None}
    by_sop = _collected((sop_id(rule), rule.id) for rule in alerts.values())
    by_alert = _collected(
        (alert, each.id) for each in contents.incidents for alert in (*each.alerts, *each.missed)
    )
    used = _collected((sop, each.id) for each in contents.incidents for sop in each.sops)
    deployed = _deployed(contents.every)
    entries: dict[str, Json] = {
        "version": FORMAT,
        "project": {"name": project.name, "site": project.site.url},
        "environments": [each.name for each in project.environments],
        "frozen": sorted(contents.frozen),
        "severities": [_severity(project, each.name) for each in project.severities],
        "teams": {
            team.id: {
                "name": team.name,
                "chat": team.chat,
                "email": team.email,
                "rota": team.rota,
                "escalation": team.escalation,
            }
            for team in project.teams
        },
        "services": _services(contents, alerts.values(), records.values(), originals.values()),
        "alerts": {
            id: _alert(rule, deployed.get(("alert", id), ()), by_alert.get(id, ()), originals)
            for id, rule in alerts.items()
        },
        "records": {key: _record(rule, deployed.get(("record", key), ())) for key, rule in records.items()},
        "sops": {
            id: _sop(sop, contents.sops, project, by_sop.get(id, ()), (*used.get(id, ()), *sop.incidents))
            for id, sop in originals.items()
        },
        "incidents": {each.id: _incident(each) for each in contents.incidents},
    }
    yield Artifact(path="catalog.json", text=document(entries))


def sop_id(alert: AlertSource) -> str:
    """The SOP an alert names, without the section; nothing where it names none."""
    return (alert.sop_ref or "").partition("#")[0]


def _rules(files: Iterable[RuleFile]) -> Iterator[AlertSource | RecordSource]:
    for file in files:
        for group in file.groups:
            yield from group.rules


def _collected(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        if key:
            found.setdefault(key, set()).add(value)
    return {key: tuple(sorted(values)) for key, values in found.items()}


def _deployed(every: Iterable[Resolved]) -> Mapping[tuple[str, str], tuple[Json, ...]]:
    """Every compiled rule, by what it was compiled from."""
    found: dict[tuple[str, str], list[Json]] = {}
    for resolved in every:
        for alert in resolved.alerts:
            found.setdefault(("alert", alert.key.id), []).append(_compiled_alert(alert))
        for record in resolved.records:
            found.setdefault(("record", f"{record.service}/{record.key.id}"), []).append(
                _compiled_record(record)
            )
    return {key: tuple(rows) for key, rows in found.items()}


def _compiled_alert(alert: CompiledAlert) -> Json:
    return {
        "env": alert.key.env,
        "level": alert.key.level,
        "override": alert.key.override,
        "alertname": alert.name,
        "severity": alert.severity,
        "expr": alert.expr,
        "for": format_duration(alert.for_),
        "keep_firing_for": format_duration(alert.keep_firing_for),
        "labels": alert.labels,
        "evaluator": alert.evaluator.name,
        "mirror": alert.mirror,
        "uid": alert.uid,
        "runbook_url": alert.runbook_url,
        "digest": alert.digest,
        "version": alert.version,
    }


def _compiled_record(record: CompiledRecord) -> Json:
    return {
        "env": record.key.env,
        "expr": record.expr,
        "labels": record.labels,
        "evaluator": record.evaluator.name,
        "digest": record.digest,
        "version": record.version,
    }


def _alert(
    rule: AlertSource, deployed: Sequence[Json], incidents: Sequence[str], sops: Mapping[str, Sop]
) -> Json:
    id = sop_id(rule)
    return {
        "name": rule.name,
        "service": rule.service,
        "owner": rule.owner,
        "file": rule.origin.file,
        "line": rule.origin.value().line,
        "sop_ref": rule.sop_ref,
        "sop": id if id in sops else None,
        "signal": rule.signal,
        "sli": rule.sli,
        "identity": rule.identity,
        "summary": rule.summary,
        "levels": [level.key for level in rule.levels],
        "incidents": incidents,
        "deployed": deployed,
    }


def _record(rule: RecordSource, deployed: Sequence[Json]) -> Json:
    return {
        "record": rule.record,
        "service": rule.service,
        "file": rule.origin.file,
        "line": rule.origin.value().line,
        "deployed": deployed,
    }


def _sop(
    sop: Sop, every: Sequence[Sop], project: Project, alerts: Sequence[str], incidents: Iterable[str]
) -> Json:
    languages = {each.language: each.file.path for each in every if each.id == sop.id}
    return {
        "title": sop.title,
        "status": sop.status,
        "owner": sop.owner,
        "severity": sop.severity,
        "services": sop.services,
        "languages": languages,
        "url": runbook_url(project, sop.id),
        "manual": sop.manual,
        "replaced_by": sop.replaced_by,
        "alerts": alerts,
        "incidents": sorted(set(incidents)),
    }


def _incident(incident: Incident) -> Json:
    return {
        "title": incident.title,
        "start": incident.start,
        "end": incident.end,
        "severity": incident.severity,
        "services": incident.services,
        "alerts": incident.alerts,
        "missed": incident.missed,
        "sops": incident.sops,
        "file": incident.file.path,
    }


def _services(
    contents: Contents, alerts: Iterable[AlertSource], records: Iterable[RecordSource], sops: Iterable[Sop]
) -> Json:
    names = (
        {each.service for each in contents.files}
        | {each.service for each in contents.every}
        | contents.frozen
    )
    alerts, records, sops = list(alerts), list(records), list(sops)
    by_alerts = _collected((each.service, each.id) for each in alerts)
    by_records = _collected((each.service, each.id) for each in records)
    by_owner = _collected([(each.service, each.owner or "") for each in alerts])
    by_sop = _collected(
        [
            *((each.service, sop_id(each)) for each in alerts if sop_id(each)),
            *((service, sop.id) for sop in sops for service in sop.services),
        ]
    )
    return {
        name: {
            "owners": [owner for owner in by_owner.get(name, ()) if owner],
            "alerts": by_alerts.get(name, ()),
            "records": by_records.get(name, ()),
            "sops": by_sop.get(name, ()),
        }
        for name in names
    }


def _severity(project: Project, name: str) -> Json:
    policy = project.severity(name)
    assert policy is not None
    label, value = policy.label
    return {"name": name, "urgency": policy.urgency, "label": {label: value}, "pages": policy.pages}
