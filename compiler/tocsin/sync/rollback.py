"""A release's stored bytes as what a Grafana should hold: the way back that needs neither the compiler nor a verdict. Pure.

In: the files of a kept `dist/` (the provisioning files of one environment, and `manifest.json`). Out: a `Desired`, for the same plan, apply and
journal as any other sync. What a provisioning file cannot say is known otherwise: which rule a uid is stands in the manifest, a folder's uid
follows from its title, the owner from project and environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tocsin.emit.grafana import WATCH_FILE, folder_uid
from tocsin.errors import MachineError
from tocsin.ir.compiled import Version
from tocsin.ir.project import Environment, Project
from tocsin.sync.grafana import marked, wanted_group
from tocsin.sync.release_manifest import MANIFEST, json_of, manifest_of
from tocsin.sync.values import Desired, Folder, Group, Live
from tocsin.wire.grafana import GrafanaGroup, Unreadable, from_file

_WATCHING = WATCH_FILE.removeprefix("alert-template-")


def is_stored(path: str, environment: str, evaluator: str) -> bool:
    """Whether a file of a release is one that a rollback of this environment and Grafana reads."""
    return path.rpartition("/")[2] == MANIFEST or stored_service(path, environment, evaluator) is not None


def from_release(
    files: Mapping[str, bytes], project: Project, env: Environment, evaluator: str, version: Version
) -> Desired:
    """What the Grafana should hold as of that release. MachineError where the files are not what `tocsin build` wrote for this project."""
    stored = sorted(
        (path, name) for path in files if (name := stored_service(path, env.name, evaluator)) is not None
    )
    if not stored:
        raise MachineError(
            f"the release holds no grafana/{env.name}/alert-template-*.json",
            help="`dist/` is not in Git: name a kept one, or an unpacked release artifact, with --from DIR",
        )
    listed, frozen = manifest_of(files, project, env)
    rows = {each.uid: each for each in listed if each.uid}
    groups: list[Group] = []
    folders: set[Folder] = set()
    for path, name in stored:
        service = "" if name.startswith(_WATCHING) else name
        for group in _groups(files[path], path):
            keys = {each.uid: rows[each.uid].key for each in group.rules if each.uid in rows}
            made, folder = wanted_group(_placed(group, project), service, keys, version)
            groups.append(made)
            folders.add(folder)
    owner = f"{project.name}/{env.name}"
    digests = {uid: row.digest for uid, row in rows.items()}
    held = {group.service for group in groups}
    return Desired(
        owner=owner,
        environment=env.name,
        groups=tuple(marked(each, owner, digests) for each in groups),
        folders=tuple(sorted(folders, key=lambda each: each.uid)),
        frozen=frozen - held,
        organisation=str(env.org_id),
    )


def named_by(desired: Desired, live: Live) -> Desired:
    """`desired` with the key that the live rule of the same uid and owner tells: a release without a manifest knows a rule's id and not its level."""
    told = {
        each.uid: each.key
        for group in live.groups
        for each in group.rules
        if each.key and each.owner == desired.owner
    }
    digested = {each.uid for group in desired.groups for each in group.rules if each.digest}
    groups = tuple(
        replace(
            group,
            rules=tuple(
                each if each.uid in digested else replace(each, key=told.get(each.uid, each.key))
                for each in group.rules
            ),
        )
        for group in desired.groups
    )
    return replace(desired, groups=groups)


def stored_service(path: str, environment: str, evaluator: str) -> str | None:
    """The service, or `evaluation.UID`, that a stored file is about."""
    end = f"(?:{re.escape(evaluator)}/)?alert-template-([^/]+)-{re.escape(environment)}\\.json\\Z"
    found = re.search(f"(?:^|/)grafana/{re.escape(environment)}/{end}", path)
    return found[1] if found else None


def _groups(data: bytes, path: str) -> Iterable[GrafanaGroup]:
    found = from_file(json_of(data, path))
    if isinstance(found, Unreadable):
        raise MachineError(
            f"{path}: {found.path.lstrip('.')} {found.reason}", help="is this what `tocsin build` wrote?"
        )
    return found


def _placed(group: GrafanaGroup, project: Project) -> GrafanaGroup:
    """With the folder's uid, and with what files of an old Grafana leave out and every rule of ours has."""
    rules = tuple(
        each if each.missing_series is not None else replace(each, missing_series=1) for each in group.rules
    )
    return replace(group, folder_uid=folder_uid(project, group.folder), rules=rules)
