"""A plan as commands that need no tocsin: curl (and cp, where files are written), variables, and one file for each body. There and back.

For the night on which the one machine that may sync is the one that is down. The token is a variable and never its value; everything else of a
request is spelled out, in the order in which a sync would send it. Here for a Grafana; `report.commands_rules` has the other targets.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tocsin.report.commands_rules import NEEDS, rule_commands
from tocsin.report.visible import visible
from tocsin.sync.apply import Step, steps_back, steps_of
from tocsin.sync.grafana import rule_to_grafana
from tocsin.sync.values import Folder, Group, Plan
from tocsin.wire.grafana import GrafanaGroup, Json, to_http
from tocsin.wire.versions import Version, supports

APPLY, UNDO = "apply.sh", "undo.sh"
_CURL = 'curl -fsS -o /dev/null -H "Authorization: Bearer $GRAFANA_TOKEN"'
_JSON = "-H 'Content-Type: application/json'"
_OPEN = "-H 'X-Disable-Provenance: true'"
_HEAD = """\
#!/bin/sh
# {title}
# It needs {needs}, reads the files beside it, and stops at the first command that fails.
set -eu
cd "$(dirname "$0")"
: {checks}
"""
_GRAFANA = ("GRAFANA_URL", "GRAFANA_TOKEN")
_SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What to type, and the files it needs: name -> content. `apply.sh` and `undo.sh` among them hold everything."""

    lines: tuple[str, ...] = ()
    files: Mapping[str, str]
    needs: tuple[str, ...] = _GRAFANA
    """The variables they need."""


def commands(plan: Plan, texts: Mapping[str, str], *, editable: bool) -> Commands:
    """The requests of a sync of `plan`, and those of its way back; nothing where nothing would be written. `texts` are the files that lie in the
    folder now, where the target is one."""
    if plan.stops:
        return Commands(files={})
    files: dict[str, str] = {}
    lines, back = (
        _of_grafana(plan, files, editable=editable)
        if plan.server.kind == "grafana"
        else rule_commands(plan, texts, files)
    )
    if not lines:
        return Commands(files={})
    needs = NEEDS.get(plan.server.kind, _GRAFANA)
    if plan.server.kind == "mimir" and not plan.server.identity.partition("#")[2]:
        # A server without tenants takes no empty one.
        needs = needs[:1]
        without = ' -H "X-Scope-OrgID: $MIMIR_TENANT"'
        lines, back = ([each.replace(without, "") for each in some] for some in (lines, back))
    what = f"{visible(plan.environment)} on {visible(plan.server.identity)}"
    files[APPLY] = _script(f"What `tocsin sync` would do: {what}", needs, lines)
    files[UNDO] = _script(f"The way back from {APPLY}: {what}", needs, back)
    return Commands(lines=tuple(lines), files=files, needs=needs)


def _script(title: str, needs: Sequence[str], lines: Sequence[str]) -> str:
    checks = " ".join(f'"${{{each}:?}}"' for each in needs)
    return _HEAD.format(title=title, needs=" and ".join(needs), checks=checks) + "\n".join(lines) + "\n"


def _of_grafana(plan: Plan, files: dict[str, str], *, editable: bool) -> tuple[list[str], list[str]]:
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", plan.server.version)
    if found is None:
        return [], []
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    there = _uids(each.before for each in plan.groups)
    after = _uids(each.after if each.writes else each.before for each in plan.groups)
    lines = [_folder(each) for each in plan.folders]
    lines += _requests(steps_of(plan), version, there, files, "apply", editable=editable)
    return lines, _requests(steps_back(plan), version, after, files, "undo", editable=editable)


def as_text(found: Commands, folder: str = "") -> str:
    """What a plan prints of them; `folder` is where the files were written."""
    if not found.lines:
        return ""
    needs = " and ".join(found.needs)
    if folder:
        into = shlex.quote(folder)
        return f"by hand: sh {into}/{APPLY}, and back: sh {into}/{UNDO}, with {needs} set\n"
    if len(found.lines) > _SHORT:
        return f"by hand: {len(found.lines)} commands; --commands DIR writes them, their bodies and the way back\n"
    head = f"by hand, with {needs} set (--commands DIR writes the bodies and the way back):"
    return "\n".join([head, *(f"  {each}" for each in found.lines)]) + "\n"


def as_markdown(found: Commands, folder: str = "") -> str:
    """The same for a pull request."""
    text = as_text(found, folder).replace("`", "'")
    return f"\n```text\n{text}```\n" if text else ""


def _uids(groups: Iterable[Group | None]) -> frozenset[str]:
    return frozenset(rule.uid for group in groups if group is not None for rule in group.rules)


def _folder(folder: Folder) -> str:
    parent = {"parentUid": folder.parent} if folder.parent else {}
    data = shlex.quote(json.dumps({"uid": folder.uid, "title": folder.title, **parent}))
    return f'{_CURL} {_JSON} -X POST -d {data} "$GRAFANA_URL/api/folders"'


def _requests(
    steps: Sequence[Step],
    version: Version,
    known: frozenset[str],
    files: dict[str, str],
    kind: str,
    *,
    editable: bool,
) -> list[str]:
    lines: list[str] = []
    # A rule that moves is written where it goes; a group that is left behind must not take it away.
    kept = _uids(each.after for each in steps)
    for number, step in enumerate(steps, 1):
        if step.after is not None:
            lines += _written(step.after, version, known, files, f"{kind}-{number:03d}", editable=editable)
        elif step.before is not None:
            lines += [
                f'{_CURL} -X DELETE "$GRAFANA_URL/api/v1/provisioning/alert-rules/{quote(each.uid, safe="")}"'
                for each in reversed(step.before.rules)
                if each.uid not in kept
            ]
    return lines


def _written(
    group: Group, version: Version, known: frozenset[str], files: dict[str, str], name: str, *, editable: bool
) -> Iterator[str]:
    rules = tuple(rule_to_grafana(each) for each in group.rules)
    made = GrafanaGroup(
        name=group.place.group, interval=group.interval, rules=rules, folder_uid=group.place.folder
    )
    body = to_http(made, version)
    written = body["rules"]
    assert isinstance(written, list)
    full: list[dict[str, Json]] = [
        {**rule.extra, **each} for rule, each in zip(rules, written, strict=True) if isinstance(each, dict)
    ]
    body["rules"] = full
    files[f"{name}.json"] = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    if not supports("grafana", "api", "uid_in_group", version):
        # An old Grafana does not make a rule of a chosen uid within a group.
        header = f" {_OPEN}" if editable else ""
        for number, each in enumerate((each for each in full if each["uid"] not in known), 1):
            file = f"{name}-new-{number:03d}.json"
            files[file] = json.dumps(each, ensure_ascii=False, indent=2) + "\n"
            yield f'{_CURL} {_JSON}{header} -X POST --data-binary @{file} "$GRAFANA_URL/api/v1/provisioning/alert-rules"'
    header = f" {_OPEN}" if editable and supports("grafana", "api", "group_provenance", version) else ""
    place = f"{quote(group.place.folder, safe='')}/rule-groups/{quote(group.place.group, safe='')}"
    yield f'{_CURL} {_JSON}{header} -X PUT --data-binary @{name}.json "$GRAFANA_URL/api/v1/provisioning/folder/{place}"'
