"""`tocsin init`: a repository to start from, which passes `check` as it stands."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.adopt.naming import kebab
from tocsin.cli.authoring import schemas, write_sources
from tocsin.errors import UsageError
from tocsin.ir.artifact import Artifact

FOLDERS = ("rules", "sops", "incidents")
_PROJECT = """\
# yaml-language-server: $schema=.tocsin/schemas/project.schema.json
version: 1
project: {name}  # part of every uid, so it never changes

# The response policy, the most urgent first: what each severity demands, and the label it becomes.
severities:
  P1:
    label: {{severity: critical}}
    respond_within: 5m
    rto: 1h
    trigger: users are affected now
    who: the team's on-call
    pages: true
    requires: [sop, test, owner, summary]
  P2:
    label: {{severity: warning}}
    respond_within: 4h
    trigger: users will be affected if nobody acts
    who: the team, in working hours
    requires: [owner, summary]

teams:
  {team}:
    name: {title}

environments:
  prod:
    evaluators:
      - name: prometheus
        kind: prometheus
        version: "2.53"  # set your own
"""
_BARE = """\
# yaml-language-server: $schema=.tocsin/schemas/project.schema.json
version: 1
project: {name}  # part of every uid, so it never changes

# The response policy, the most urgent first. `requires` is what an alert of that severity must have before it compiles.
# severities:
#   P1:
#     label: {{severity: critical}}
#     respond_within: 5m
#     requires: [sop, test, owner, summary]

environments:
  prod:
    evaluators:
      - name: prometheus
        kind: prometheus
        version: "2.53"  # set your own
"""
_RULES = """\
# yaml-language-server: $schema=../../.tocsin/schemas/rules.schema.json
version: 1
service: web
owner: {team}

groups:
  - name: availability
    interval: 30s
    rules:
      - alert: WebInstanceDown
        id: web-instance-down  # the identity: never reused, survives renames and moves
        severity: P1
        sop_ref: SOP-WEB-001
        identity: [instance]
        signal: errors
        expr: up{{job="web"}} == 0
        for: 5m
        summary: "{{{{ $labels.instance }}}} has not answered for 5 minutes"

tests:
  - name: fires after five minutes, not before
    alert: web-instance-down
    series:
      up{{job="web", instance="web-1:8080"}}: 1x3 0x20
    firing:
      8m: []
      10m: [firing]
"""
_SOP = """\
---
id: SOP-WEB-001
title: A web instance does not answer
status: active
services: [web]
owner: {team}
severity: P1
stub: true
---

<!-- This page is a stub: it shows the shape. Write what your team does, then remove `stub: true` above. -->

## Impact

What users notice while an instance is gone.

## Confirm

How to see, in a minute, that the alert is right.

## Mitigation

What stops the damage first.

## Verification

How to tell that it worked.

## Escalation

Whom to call next, and what to send them.
"""
_IGNORED = "# compiled: `tocsin build` makes it anew\ndist/\n"


@click.command("init")
@click.argument("root", type=click.Path(path_type=Path, file_okay=False), default=Path(), required=False)
@click.option("--bare", is_flag=True, help="The project file and empty folders, without the example.")
@click.option("--project", metavar="NAME", help="The project's name; default: the folder's.")
def init_command(root: Path, bare: bool, project: str | None) -> int:
    """Make a repository tocsin can work in: tocsin.yaml, folders, editor schemas, one example alert with its
    SOP and test.

    Nothing that exists is changed.
    """
    here = root.resolve()
    name = kebab(project or here.name) or "alerts"
    if project is not None and name != project:
        raise UsageError(f"`{project}` is no project name", help=f"write --project {name}")
    here.mkdir(parents=True, exist_ok=True)
    words = {"name": name, "team": "team-web", "title": "Team Web"}
    files = [
        Artifact(path="tocsin.yaml", text=(_BARE if bare else _PROJECT).format(**words)),
        Artifact(path=".gitignore", text=_IGNORED),
        *schemas(),
    ]
    if bare:
        files.extend(Artifact(path=f"{folder}/.gitkeep", text="") for folder in FOLDERS)
    else:
        files.append(Artifact(path="rules/web/availability.yaml", text=_RULES.format(**words)))
        files.append(Artifact(path="sops/web/SOP-WEB-001.md", text=_SOP.format(**words)))
        files.append(Artifact(path="incidents/.gitkeep", text=""))
    existed = [each.path for each in files if (here / each.path).exists()]
    written = write_sources(here, files)
    for path in written:
        click.echo(f"wrote {path}")
    for path in existed:
        click.echo(f"kept {path}, which was there", err=True)
    if written:
        click.echo(
            "next: tocsin check"
            if not bare
            else "next: tocsin adopt prometheus PATH, or write rules/SERVICE/TOPIC.yaml",
            err=True,
        )
    return 0
