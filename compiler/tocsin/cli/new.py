"""`tocsin new`: one more rule, SOP or incident, in the shape the checks ask for. A stub says that it is one, and check repeats it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import click

from tocsin.adopt.naming import kebab
from tocsin.cli.authoring import write_sources
from tocsin.cli.options import day, repository, today_option
from tocsin.cli.workspace import read_sources
from tocsin.diag.nearest import did_you_mean
from tocsin.errors import UsageError
from tocsin.ir.artifact import Artifact
from tocsin.ir.project import Project
from tocsin.pipeline import read_settings

_SOP_ID = re.compile(r"[A-Z][A-Z0-9-]*-[0-9]{3,}\Z")
_INCIDENT_ID = re.compile(r"INC-[0-9]{4}-[0-9]{3,}\Z")
_SOP = """\
---
id: {id}
title: {title}
status: active
services: [{service}]
owner: {owner}
review: {{last: {today}, every: 90d}}
stub: true
---

<!-- This page is a stub: write what your team does, then remove `stub: true` above. -->

## Impact

What users notice.

## Confirm

How to see, in a minute, that the alert is right.

## Mitigation

What stops the damage first.

## Verification

How to tell that it worked.

## Diagnosis

Where to look for the cause once the damage is stopped.

## Escalation

Whom to call next, and what to send them.
"""
_RULE = """\
version: 1
service: {service}
owner: {owner}
groups:
  - name: {service}-{topic}
    interval: 1m
    rules:
      - alert: {name}
        id: {id}
{severity}        expr: up{{job="{service}"}} == 0
        for: 5m
        summary: "{{{{ $labels.instance }}}} does not answer"
tests:
  - name: fires after five minutes, not before
    alert: {id}
    series: {{'up{{job="{service}",instance="a"}}': 1x3 0x20}}
    firing: {{8m: [], 10m: [firing]}}
"""
_INCIDENT = """\
---
id: {id}
title: {title}
start: {today}T00:00Z
services: [{service}]
found_by: person
alerts: []
missed: []
sops: []
---

## What happened

## Why

## What we change
"""

_root = click.option(
    "-C", "--root", type=click.Path(path_type=Path), default=Path(), help="The repository; default: here."
)
_service = click.option("--service", required=True, metavar="S", help="The service it belongs to.")
_owner = click.option(
    "--owner", metavar="TEAM", help="The team that answers; default: the only one declared."
)


@click.group("new")
def new_command() -> None:
    """Add one rule, SOP or incident."""


@new_command.command("sop")
@click.argument("id")
@_service
@_owner
@click.option("--title", default="Say what the responder sees first", help="The page's title.")
@_root
@today_option
def sop_command(id: str, service: str, owner: str | None, title: str, root: Path, today: str | None) -> int:
    """Write a stub of the SOP ID, for example SOP-KAFKA-007."""
    if not _SOP_ID.match(id):
        raise UsageError(
            f"`{id}` is no SOP id", help="write capital letters, a dash and three digits: SOP-KAFKA-007"
        )
    text = _SOP.format(
        id=id,
        title=_quoted(title),
        service=_plain(service),
        owner=_team(root, owner, day(today)),
        today=day(today).isoformat(),
    )
    return _write(root, f"sops/{service}/{id}.md", text)


@new_command.command("rule")
@click.argument("name")
@_service
@_owner
@click.option("--severity", metavar="P", help="Its severity; default: the least urgent of the policy.")
@_root
@today_option
def rule_command(
    name: str, service: str, owner: str | None, severity: str | None, root: Path, today: str | None
) -> int:
    """Write a file with the alert NAME and a test; change the expression to yours."""
    project = _project(root, day(today))
    names = [each.name for each in project.severities]
    if severity is not None and severity not in names:
        raise UsageError(f"there is no severity `{severity}`", help=did_you_mean(severity, names))
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise UsageError(f"`{name}` is no alert name", help="write it in one word: KafkaConsumerLag")
    chosen = severity or (names[-1] if names else None)
    id = kebab(name)
    text = _RULE.format(
        service=_plain(service),
        owner=_team(root, owner, day(today)),
        topic=id,
        name=name,
        id=id,
        severity=f"        severity: {chosen}\n" if chosen is not None else "",
    )
    return _write(root, f"rules/{service}/{id}.yaml", text)


@new_command.command("incident")
@click.argument("id")
@_service
@click.option("--title", default="Say what happened, in one sentence", help="The page's title.")
@_root
@today_option
def incident_command(id: str, service: str, title: str, root: Path, today: str | None) -> int:
    """Write the frame of the incident ID, for example INC-2026-004."""
    if not _INCIDENT_ID.match(id):
        raise UsageError(f"`{id}` is no incident id", help="write INC, the year and a number: INC-2026-004")
    return _write(
        root,
        f"incidents/{id}.md",
        _INCIDENT.format(id=id, title=_quoted(title), service=_plain(service), today=day(today).isoformat()),
    )


def _project(root: Path, today: date) -> Project:
    settings, _ = read_settings(read_sources(repository(root)), today)
    if settings is None:
        raise UsageError("tocsin.yaml cannot be used", help="`tocsin check` says why")
    return settings.project


def _team(root: Path, owner: str | None, today: date) -> str:
    teams = [each.id for each in _project(root, today).teams]
    if owner is None and len(teams) == 1:
        return teams[0]
    if owner not in teams:
        said = f"there is no team `{owner}`" if owner else "which team answers?"
        raise UsageError(said, help=f"add --owner with one of tocsin.yaml's teams: {', '.join(teams)}")
    return owner


def _plain(service: str) -> str:
    if kebab(service) != service:
        raise UsageError(f"`{service}` is no service name", help=f"write --service {kebab(service)}")
    return service


def _quoted(title: str) -> str:
    return '"' + title.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _write(root: Path, path: str, text: str) -> int:
    written = write_sources(repository(root), [Artifact(path=path, text=text)])
    if not written:
        raise UsageError(f"{path} is there already", help="edit it, or choose another name")
    click.echo(f"wrote {path}")
    return 0
