"""What the stages of a canary work on: the compiled change, its server seen with two owner marks, who can silence, history, and the records.

The same server is opened twice: as sync opens it, and with the owner mark of canaries, for a folder of rule files and a Mimir's namespaces are told
apart by it. Nothing of a stage is kept on this machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from tocsin.canary.overlay import owner_of
from tocsin.canary.source import MetricSource
from tocsin.canary.stage_record import deployed_of, promotion_of
from tocsin.canary.stages import Silences
from tocsin.canary.watch import number
from tocsin.cli.grafanas import project_of
from tocsin.cli.history_source import Sources
from tocsin.cli.options import day, repository
from tocsin.cli.policy_base import PolicyBase, policy_base
from tocsin.cli.records import HELP, RecordPlace, keep, place_of, read_all
from tocsin.cli.rule_servers import mimir_target, prometheus_target
from tocsin.cli.targets import Compiled, Now, compiled_for, desired_of, door_to, environment_of
from tocsin.cli.verdicts import verdict_key
from tocsin.diag.nearest import did_you_mean
from tocsin.diff.changes import Side
from tocsin.errors import MachineError, TocsinError, UsageError
from tocsin.ir.canary import CanaryPolicy
from tocsin.ir.compiled import CompiledAlert, RuleKey, Version
from tocsin.ir.project import Environment, Project
from tocsin.remote.alertmanager import Alertmanager
from tocsin.remote.environment import access
from tocsin.remote.grafana import Grafana, states_by_uid
from tocsin.remote.http import Door
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.hold import means
from tocsin.sync.values import Desired, Target, TargetKind
from tocsin.verdict import Record, RecordProblem, read_record, sign, signed
from tocsin.wire.grafana import Json

_F = TypeVar("_F", bound=Callable[..., object])


class NotYet(TocsinError):
    """The canary says no, or not yet."""

    exit_code = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The options every stage takes: which repository, environment and server, and where the records are."""

    root: Path
    env_name: str | None
    evaluator: str | None
    url: str | None
    rules_dir: Path | None
    records: str | None
    today: str | None
    policy_base: str | None
    """The revision whose policy counts; None for the first parent of HEAD."""


def base_option(command: _F) -> _F:
    """The option of a stage that judges: below `place_options`, which takes it in."""
    return click.option(
        "--policy-base",
        metavar="REV",
        help="The revision whose policy counts; default: the first parent of HEAD.",
    )(command)


def place_options(command: _F) -> Callable[..., object]:
    """The options that say where, given to the command as one `place`."""
    names = ("root", "env_name", "evaluator", "url", "rules_dir", "records", "today")

    @wraps(command)
    def called(**given: Any) -> object:
        place = Place(**{name: given.pop(name) for name in names}, policy_base=given.pop("policy_base", None))
        return command(place=place, **given)

    made: Callable[..., object] = called
    for option in (
        click.option(
            "-C",
            "--root",
            type=click.Path(path_type=Path),
            default=Path(),
            help="The repository; default: here.",
        ),
        click.option(
            "--env", "env_name", metavar="E", help="The environment; needed where there are several."
        ),
        click.option(
            "--evaluator", metavar="NAME", help="Which server; default: the one that evaluates the rule."
        ),
        click.option(
            "--url", metavar="URL", help="The server's address; default: the environment's variable."
        ),
        click.option(
            "--rules-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="The folder of a Prometheus' rule files; default: TOCSIN_RULES_DIR.",
        ),
        click.option("--records", metavar="WHERE", help=HELP),
        click.option("--today", metavar="DATE", help="The day, YYYY-MM-DD; default: today."),
    ):
        made = option(made)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One environment's server, ready for stages."""

    top: Path
    compiled: Compiled
    project: Project
    environment: Environment
    version: Version
    target: Target
    canaries: Target
    owner: str
    """The owner mark of canaries there."""
    keepers: tuple[Silences, ...]
    source: MetricSource
    shelf: RecordPlace
    key: bytes
    base: Callable[[], PolicyBase]
    """The revision whose policy counts, compiled when it is first asked for. MachineError where a shallow clone does not hold it."""

    @property
    def kind(self) -> TargetKind:
        """What the server is."""
        return self.compiled.kind

    @property
    def policy(self) -> CanaryPolicy:
        """The `canary:` section that counts: no change is staged by the scope, limits or rollback that it brings itself."""
        return self.base().project.canary

    def severities(self, key: RuleKey, now: str | None) -> tuple[str | None, ...]:
        """The severities a change is judged by: the one it gives the rule, and the one the base revision gave it."""
        before = self.base().alerts(self.environment.name).get(key.text)
        return tuple(dict.fromkeys([now, *([before.severity] if before is not None else [])]))

    @property
    def desired(self) -> Desired:
        """What the server should hold of the sources."""
        return desired_of(self.compiled, self.version)

    def sides(self, names: Iterable[str]) -> tuple[Side, ...]:
        """The compiled alerts that these names mean, of the server's own."""
        return _sides(self.compiled, names, self.compiled.evaluator.name)

    def records(self) -> tuple[Record, ...]:
        """Every record that can be believed, the newest last."""
        return believed(self.shelf, self.environment, self.key)

    def record_of(self, key: RuleKey, digest: str) -> Record:
        """The newest record of exactly that change. NotYet where there is none."""
        found = [each for each in self.records() if each.key == key and each.new_digest == digest]
        if not found:
            raise NotYet(
                f"`{key.text}` has no record for this change at {self.shelf.where}",
                help="run `tocsin canary backtest`; a record that is not signed with the key counts as none",
            )
        return found[-1]

    def keep(self, document: Mapping[str, Json], say: str) -> Record:
        """The record written back, signed again, and read."""
        body: dict[str, Any] = {key: value for key, value in document.items() if key != "signature"}
        if self.key:
            body["signature"] = sign(body, self.key)
        record = read_record(json.dumps(body))
        if isinstance(record, RecordProblem):
            raise MachineError(f"the record would not be one: {record.path} {record.reason}")
        keep(self.shelf, [body], say)
        return record


@contextmanager
def stand_at(place: Place, names: Iterable[str] = (), *, read_only: bool = False) -> Iterator[Stand]:
    """The server that evaluates the rules `names`, or the environment's first; with `read_only` only GET and queries can leave."""
    top = repository(place.root)
    compiled = compiled_for(top, place.env_name, place.evaluator, day(place.today))
    settings = compiled.compilation.settings
    assert settings is not None
    project, environment = settings.project, compiled.environment
    compiled = _for_rules(compiled, tuple(names), named=place.evaluator is not None)
    owners = (f"{project.name}/{environment.name}", owner_of(project, environment))
    # An address on the command line is that of the rules' server; where history is elsewhere, the project says it.
    sources = Sources(environment=environment, url=place.url if environment.history is None else None)
    with ExitStack() as stack:
        version, target, canaries, own = _targets(stack, compiled, place, owners, read_only=read_only)
        yield Stand(
            top=top,
            compiled=compiled,
            project=project,
            environment=environment,
            version=version,
            target=target,
            canaries=canaries,
            owner=owners[1],
            keepers=_keepers(stack, environment, compiled.kind, own),
            source=stack.enter_context(sources.opened(sources.asked_by(compiled.evaluator))),
            shelf=place_of(place.records, top, made=True),
            key=verdict_key(),
            base=cache(lambda: policy_base(top, place.policy_base, day(place.today), compiled.compilation)),
        )


@contextmanager
def stand_for(
    place: Place, names: Sequence[str], stage: int, every: Callable[[Record], bool] = lambda record: False
) -> Iterator[tuple[Stand | None, tuple[Record, ...]]]:
    """The records that these names (ids of canaries, of rules, whole keys) mean and that have run that stage, and the server they are about;
    without names those for which `every` holds, and no server where there are none. The newest record of a rule is the one meant. NotYet where a
    name has none."""
    top = repository(place.root)
    project = project_of(top)
    if project is None:
        raise UsageError("there is no tocsin.yaml here", help="run this inside the repository, or add -C")
    environment = environment_of(project, place.env_name)
    shelf = place_of(place.records, top, made=True)
    newest = {each.key: each for each in believed(shelf, environment, verdict_key())}
    found = {
        each.key: each
        for each in newest.values()
        if not names and every(each) and place.evaluator in (None, evaluator_of(each))
    }
    for name in names:
        mine = {
            key: record
            for key, record in newest.items()
            if means(name, key.text) or name in (record.id, canary_of(record))
        }
        ran = {key: record for key, record in mine.items() if record.stage(stage) is not None}
        if not ran:
            why = f"has not been through stage {stage}" if mine else "has no record"
            raise NotYet(
                f"`{name}` {why} at {shelf.where}",
                help="the stages are backtest, deploy, compare, promote, watch",
            )
        found |= ran
    if not found:
        yield None, ()
        return
    evaluators = {evaluator_of(record) for record in found.values()} - {""}
    if place.evaluator is None and len(evaluators) > 1:
        raise UsageError(f"these are on {' and on '.join(sorted(evaluators))}", help="say which: --evaluator")
    named = replace(place, evaluator=place.evaluator or next(iter(evaluators), None))
    rules = () if named.evaluator is not None else [record.key.text for record in found.values()]
    with stand_at(named, rules) as stand:
        yield stand, tuple(found[key] for key in sorted(found))


def alerts_metric(stand: Stand, now_ms: int) -> str:
    """The series in which the history keeps what the server's rules do; `""` where it keeps none. A Prometheus always does; a ruler beside a store,
    or a Grafana, may not."""
    metric = "GRAFANA_ALERTS" if stand.kind == "grafana" else "ALERTS"
    if stand.kind == "prometheus" and stand.source.caps.flavour == "prometheus":
        return metric
    return metric if number(stand.source, f"count(count_over_time({metric}[1d]))", now_ms) else ""


def canary_of(record: Record) -> str:
    """The id of the canary of a record, `""` where none was deployed."""
    deployed = deployed_of(record)
    return deployed.canary if deployed is not None else ""


def evaluator_of(record: Record) -> str:
    """The server a record's stages are on, `""` where none was run."""
    newest = promotion_of(record) or deployed_of(record)
    return newest.evaluator if newest is not None else ""


def believed(shelf: RecordPlace, environment: Environment, key: bytes) -> tuple[Record, ...]:
    """The records of an environment that whoever holds the key signed, the newest last; where verdicts are only advised and there is no key, all."""
    found = [
        each
        for each in read_all(shelf, [])
        if each.key.env == environment.name
        and (signed(each, key) if key else environment.verdict != "required")
    ]
    # A copy elsewhere in a folder, from before a stage was run, is the older one.
    return tuple(
        sorted(found, key=lambda each: (each.made, len(each.stages), bool(each.rolled_back), each.id))
    )


def _targets(
    stack: ExitStack, compiled: Compiled, place: Place, owners: tuple[str, str], *, read_only: bool
) -> tuple[Version, Target, Target, Silences | None]:
    """(version, the server as sync opens it, as canaries are written, its own silences)."""
    evaluator = compiled.evaluator
    if compiled.kind == "grafana":
        door = stack.enter_context(door_to("grafana", place.url, evaluator.url_env, read_only=read_only))
        client = Grafana(door, assume_version=evaluator.version)
        editable = compiled.environment.provenance == "editable"
        wanted = frozenset(each.uid for each in desired_of(compiled, client.server.version).folders)
        target = GrafanaTarget(client, states_by_uid, editable=editable, folders=wanted)
        return client.server.version, target, target, client.alertmanager
    open_ = prometheus_target if compiled.kind == "prometheus" else None
    made: list[Target] = []
    for owner in owners:
        if open_ is not None:
            made.append(
                stack.enter_context(
                    open_(evaluator, owner, place.url, place.rules_dir, Now(), read_only=read_only)
                )
            )
        else:
            made.append(
                stack.enter_context(mimir_target(evaluator, owner, place.url, Now(), read_only=read_only))
            )
    return evaluator.version, made[0], made[1], None


def _keepers(
    stack: ExitStack, environment: Environment, kind: TargetKind, own: Silences | None
) -> tuple[Silences, ...]:
    """Who must be told to be quiet: Grafana itself, and the Alertmanager wherever one notifies. None at all where one of these is not known."""
    keepers = [own] if own is not None else []
    if own is None or environment.notifier == "alertmanager":
        try:
            way = access("alertmanager", os.environ)
        except MachineError:
            return ()
        door = Door(way.url, clock=Now(), auth=way.auth, tls=way.tls, proxy=way.proxy)
        keepers.append(Alertmanager(stack.enter_context(door)))
    return tuple(keepers)


def _for_rules(compiled: Compiled, names: tuple[str, ...], *, named: bool) -> Compiled:
    """The server of these rules, where the command line names none."""
    if named or not names:
        return compiled
    found = {side.group.evaluator.name: side.group.evaluator for side in _sides(compiled, names, None)}
    if len(found) > 1:
        raise UsageError(
            f"these rules are evaluated by {' and by '.join(sorted(found))}", help="say which: --evaluator"
        )
    for evaluator in found.values():
        return replace(compiled, evaluator=evaluator, kind=evaluator.kind)
    return compiled


def _sides(compiled: Compiled, names: Iterable[str], evaluator: str | None) -> tuple[Side, ...]:
    every = [
        Side(rule=rule, group=group)
        for service in compiled.compilation.services
        for resolved in service.resolved
        if resolved.env == compiled.environment.name
        for group in resolved.groups
        if evaluator in (None, group.evaluator.name)
        for rule in group.rules
        if isinstance(rule, CompiledAlert) and not rule.mirror
    ]
    made: dict[str, Side] = {}
    for name in names:
        fit = [each for each in every if means(name, each.rule.key.text)]
        if not fit:
            known = sorted({each.rule.key.id for each in every} | {each.rule.key.text for each in every})
            raise UsageError(
                f"there is no alert `{name}` in {compiled.environment.name}", help=did_you_mean(name, known)
            )
        made |= {each.rule.key.text: each for each in fit}
    return tuple(made.values())
