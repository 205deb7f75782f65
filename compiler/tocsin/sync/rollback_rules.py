"""A release's stored rule files as what a Prometheus, a Mimir or a provisioning folder should hold: the way back of `sync.rollback`. Pure.

A rule file does not say which rule of the sources an alert is; its `rule_id` alone says less than a key. The manifest has the key with the semantic
digest, and the digest of a stored rule is computed again from its own text and from the stored records it reads. Where a release has no
manifest, or an alert is not told by its digest, the live rule of the same name and labels says its key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.emit.grafana import WATCH_FILE
from tocsin.errors import MachineError
from tocsin.ir.compiled import Evaluator
from tocsin.ir.digest import alert_digest
from tocsin.ir.duration import Duration
from tocsin.ir.project import Environment, Project
from tocsin.promql import Expr, canonical, parse
from tocsin.resolve.records import RecordFacts, Records
from tocsin.sync.directory import Memory, groups_of
from tocsin.sync.prometheus_target import groups_in, header_owner
from tocsin.sync.release_manifest import MANIFEST, Row, manifest_of
from tocsin.sync.rollback import stored_service
from tocsin.sync.ruler import EVERYWHERE, LOADED, file_name, namespace, told_apart
from tocsin.sync.values import Desired, Group, Live, Place, Rule, TargetKind
from tocsin.wire.grafana import Json

_SHAPE = "promql"
"""The only shape of a rule that a Prometheus or a Mimir evaluates."""


def is_stored(path: str, environment: str) -> bool:
    """Whether a file of a release is one that a rollback of rule files reads: those of every evaluator, for rules read records of others."""
    return path.rpartition("/")[2] == MANIFEST or _place(path, environment) is not None


def from_rule_files(
    files: Mapping[str, bytes],
    project: Project,
    env: Environment,
    evaluator: Evaluator,
    kind: TargetKind,
    live: Live,
) -> Desired:
    """What a Prometheus or a Mimir should hold as of that release. MachineError where the files are not what `tocsin build` wrote for this project."""
    owner = f"{project.name}/{env.name}"
    stored = [(path, *place) for path in sorted(files) if (place := _place(path, env.name)) is not None]
    rows, frozen = manifest_of(files, project, env)
    # Where an environment had one evaluator, no folder says which; the manifest does.
    others = {each.service for each in rows if each.evaluator != evaluator.name}
    others -= {each.service for each in rows if each.evaluator == evaluator.name}
    ours = [each for each in stored if each[1] == evaluator.name or (not each[1] and each[2] not in others)]
    if not ours:
        raise MachineError(
            f"the release holds no prometheus/{env.name}/*.rules.yaml of {evaluator.name}",
            help="`dist/` is not in Git: name a kept one, or an unpacked release artifact, with --from DIR",
        )
    read = {path: _groups(files[path], path, owner, service) for path, _, service in stored}
    names = _Names(
        rows=tuple(each for each in rows if each.kind == "alert" and not each.mirror),
        records=_records(group for groups in read.values() for group in groups),
        live=live,
        evaluator=evaluator,
        owner=owner,
    )
    name = file_name if kind == "prometheus" else namespace
    groups = tuple(
        _placed(group, name(owner, service), kind, names) for path, _, service in ours for group in read[path]
    )
    return Desired(
        owner=owner,
        environment=env.name,
        groups=groups,
        frozen=frozen - {each.service for each in groups},
    )


def from_provisioning(
    files: Mapping[str, bytes], project: Project, env: Environment, evaluator: str
) -> Desired:
    """What a provisioning folder should hold as of that release: its files as they were stored."""
    owner = f"{project.name}/{env.name}"
    rows, frozen = manifest_of(files, project, env)
    by_uid = {each.uid: each for each in rows if each.uid}
    groups: list[Group] = []
    for path in sorted(files):
        service = stored_service(path, env.name, evaluator)
        if service is None:
            continue
        service = "" if path.rpartition("/")[2].startswith(WATCH_FILE) else service
        for group in groups_of(_text(files[path], path), path.rpartition("/")[2], Memory(owner="")):
            rules = tuple(_of_row(each, by_uid.get(each.uid), owner, service) for each in group.rules)
            groups.append(replace(group, rules=rules, service=service))
    if not groups:
        raise MachineError(
            f"the release holds no grafana/{env.name}/alert-template-*.json",
            help="`dist/` is not in Git: name a kept one, or an unpacked release artifact, with --from DIR",
        )
    return Desired(
        owner=owner,
        environment=env.name,
        groups=tuple(groups),
        frozen=frozen - {each.service for each in groups},
    )


def _of_row(rule: Rule, row: Row | None, owner: str, service: str) -> Rule:
    return replace(
        rule,
        owner=owner,
        service=service,
        key=row.key if row is not None else "",
        digest=row.digest if row is not None else "",
    )


def _place(path: str, environment: str) -> tuple[str, str] | None:
    """(evaluator or `""`, service) of a stored rule file."""
    found = re.search(
        rf"(?:^|/)prometheus/{re.escape(environment)}/(?:([^/]+)/)?([^/]+)\.rules\.yaml\Z", path
    )
    return (found[1] or "", found[2]) if found else None


def _text(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise MachineError(f"{path} is no UTF-8 text") from None


def _groups(data: bytes, path: str, owner: str, service: str) -> tuple[Group, ...]:
    text = _text(data, path)
    said = header_owner(text)
    if said != owner:
        raise MachineError(
            f"{path} belongs to {said or 'nobody: it has no mark of tocsin'}, and this is {owner}",
            help="is this what `tocsin build` wrote?",
        )
    return groups_in(text, file_name(owner, service), owner)


def _placed(group: Group, folder: str, kind: TargetKind, names: _Names) -> Group:
    place = Place(folder, group.place.group)
    settings: dict[str, Json] = {**group.settings}
    if kind == "prometheus":
        settings[LOADED] = EVERYWHERE
    rules = told_apart(names.told(group), place)
    return replace(group, place=place, rules=rules, settings=settings)


def _records(groups: Iterable[Group]) -> Records:
    found: dict[str, list[RecordFacts]] = {}
    for group in groups:
        for rule in group.rules:
            if rule.kind == "record":
                fact = RecordFacts(
                    service=group.service,
                    group="",
                    file="",
                    id=rule.title,
                    record=rule.title,
                    expr=str(rule.body.get("expr")),
                    labels=rule.labels,
                    interval=group.interval,
                    query_offset=_offset(group),
                    limit=_limit(group),
                )
                found.setdefault(rule.title, []).append(fact)
    return Records(by_name={name: tuple(facts) for name, facts in found.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """Everything that can tell which rule of the sources a stored alert is."""

    rows: tuple[Row, ...]
    records: Records
    live: Live
    evaluator: Evaluator
    owner: str

    def told(self, group: Group) -> Iterator[Rule]:
        """The rules of a stored group with their keys and digests."""
        taken: set[str] = set()
        for rule in group.rules:
            if rule.kind == "record":
                yield rule
                continue
            digest = self._digest(rule, group)
            row = self._row(rule, digest, taken)
            key = row.key if row is not None else self._live(rule)
            taken.add(key)
            yield replace(rule, key=key, digest=row.digest if row is not None else digest)

    def _row(self, rule: Rule, digest: str, taken: set[str]) -> Row | None:
        id = rule.labels.get("rule_id", "")
        mine = [
            each
            for each in self.rows
            if each.service == rule.service
            and each.evaluator == self.evaluator.name
            and each.key not in taken
            and id in ("", each.key.partition("/")[0])
        ]
        same = [each for each in mine if each.digest == digest]
        found: Sequence[Row] = same or (mine if id else ())
        return found[0] if len(found) == 1 else None

    def _live(self, rule: Rule) -> str:
        """The key of the live rule of this name and these labels (and this expression, where several share both), else the id alone."""
        like = [
            each
            for group in self.live.groups
            for each in group.rules
            if each.owner == self.owner
            and each.service == rule.service
            and (each.title, each.labels) == (rule.title, rule.labels)
        ]
        same = [each for each in like if each.body.get("expr") == rule.body.get("expr")]
        keys = {each.key for each in same or like}
        return keys.pop() if len(keys) == 1 else rule.labels.get("rule_id", "")

    def _digest(self, rule: Rule, group: Group) -> str:
        parsed = parse(str(rule.body.get("expr")))
        if not isinstance(parsed, Expr):
            return ""
        for_, keep = (rule.body.get(name) for name in ("for", "keep_firing_for"))
        return alert_digest(
            expr=canonical(parsed),
            name=rule.title,
            for_=Duration(for_ if isinstance(for_, int) else 0),
            keep_firing_for=Duration(keep if isinstance(keep, int) else 0),
            labels={name: text for name, text in rule.labels.items() if name != "alertname"},
            interval=group.interval,
            query_offset=_offset(group),
            limit=_limit(group),
            evaluator=self.evaluator,
            shape=_SHAPE,
            datasource=None,
            reads=self.records.digests(parsed),
        )


def _offset(group: Group) -> Duration | None:
    found = group.settings.get("query_offset")
    return Duration(found) if isinstance(found, int) else None


def _limit(group: Group) -> int:
    found = group.settings.get("limit")
    return found if isinstance(found, int) else 0
