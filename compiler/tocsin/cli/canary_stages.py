"""`tocsin canary deploy`, `abort`, `gc`: a changed rule beside the one that runs, on a part of the series, heard by nobody; and away again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click

from tocsin.canary.live import live_version
from tocsin.canary.overlay import LABEL, Canary, Mode, canaries, id_of, overlay
from tocsin.canary.scope import ScopeRefused, coverage, scoped, share_of, warning_of
from tocsin.canary.source import Seen
from tocsin.canary.stage_record import Deployed, body_of, deployed_of, with_stage
from tocsin.canary.stages import abort, began, collect, put, silenced
from tocsin.canary.values import RuleVersion
from tocsin.canary.versions import version_of
from tocsin.canary.watch import number
from tocsin.cli.canary_side import NotYet, Place, Stand, base_option, place_options, stand_at
from tocsin.cli.run_plan import actor_of
from tocsin.diff.changes import Side
from tocsin.errors import UsageError
from tocsin.ir.compiled import CompiledAlert
from tocsin.ir.duration import parse_duration
from tocsin.promql import Expr, canonical, metrics, parse
from tocsin.report.visible import visible
from tocsin.sync.values import Group, Live, Rule
from tocsin.verdict import Record

LONGEST = timedelta(days=14)


@click.command("deploy")
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
@place_options
@base_option
@click.option(
    "--mode",
    type=click.Choice(("overlay", "shadow")),
    default="overlay",
    show_default=True,
    help="On the canary scope beside the old rule, or at full scope.",
)
@click.option(
    "--ttl", default="3d", show_default=True, metavar="D", help="When it ends by itself, 14 days at most."
)
def deploy_command(rules: tuple[str, ...], place: Place, mode: Mode, ttl: str) -> int:
    """Put the work tree's version of RULE beside the one that runs: own identity, muted, gone after its time."""
    length = parse_duration(ttl)
    if length is None or not 0 < length <= LONGEST / timedelta(milliseconds=1):
        raise UsageError(f"--ttl: `{ttl}` is no time between nothing and 14 days", help="write 3d, 12h, 30m")
    with stand_at(place, rules) as stand:
        now = datetime.now(tz=UTC).replace(microsecond=0)
        live = stand.canaries.read()
        by = actor_of(live.server) or "unknown"
        seen = tuple(stand.source.groups())
        # Everything that can refuse is asked of every rule before the first one is deployed.
        ready = [_ready(stand, side, mode, live, now) for side in stand.sides(rules)]
        for each in ready:
            _deploy(stand, each, live, seen, now, now + timedelta(milliseconds=length), by)
    return 0


class _Ready:
    """One change that nothing forbids to try. Lives as long as one `deploy`."""

    def __init__(self, side: Side, record: Record, mode: Mode, expr: str, share: float | None) -> None:
        assert isinstance(side.rule, CompiledAlert)
        self.side, self.alert, self.record = side, side.rule, record
        self.mode, self.expr, self.share = mode, expr, share
        self.id = id_of(side.rule.key, side.rule.digest)


def _ready(stand: Stand, side: Side, mode: Mode, live: Live, now: datetime) -> _Ready:
    alert = side.rule
    assert isinstance(alert, CompiledAlert)
    key = alert.key.text
    if alert.paused:
        raise UsageError(f"`{key}` is paused: there is nothing to try", help="sync it as it is")
    record = stand.record_of(alert.key, alert.digest)
    if record.rolled_back:
        raise NotYet(f"`{key}` was taken back at {record.rolled_back}", help="backtest it again first")
    if record.verdict not in ("pass", "quiet") and not (
        record.verdict == "not-backtestable" and record.approver
    ):
        raise NotYet(
            f"the record of `{key}` says {record.verdict}", help="change the rule, or waive the gate"
        )
    scope = stand.policy.scope if mode == "overlay" else {}
    if mode == "overlay" and not scope:
        where = f"tocsin.yaml of {stand.base().commit[:12]}" if stand.base().commit else "tocsin.yaml"
        raise UsageError(f"{where} names no scope", help="add `canary: {scope: {cluster: canary-1}}`")
    try:
        expr = scoped(alert.expr, scope)
        _reads_what_runs(stand, alert, live)
        now_ms = int(now.timestamp() * 1000)
        seen = coverage(alert.expr, scope, lambda query: number(stand.source, query, now_ms))
    except ScopeRefused as why:
        raise ScopeRefused(f"`{key}` was not deployed: {why.message}", help=why.help) from None
    for each in seen:
        click.echo(
            f"{key}: {visible(each.selector)}: {each.scoped:.0f} series"
            + (f" of {each.whole:.0f}, {each.share:.1%}" if scope else "")
        )
    warning = warning_of(seen) if scope else ""
    if warning:
        click.echo(f"warning: {key}: {warning}", err=True)
    others = [
        each
        for each in canaries(live, stand.owner)
        if each.key == key and each.id != id_of(alert.key, alert.digest)
    ]
    if others:
        raise UsageError(
            f"another version of `{key}` is on trial already: {others[0].id}",
            help=f"tocsin canary abort {others[0].id} --env {stand.environment.name}",
        )
    return _Ready(side, record, mode, expr, share_of(seen) if scope else None)


def _reads_what_runs(stand: Stand, alert: CompiledAlert, live: Live) -> None:
    """ScopeRefused where the rule reads a record that is changed too: its new form is nowhere yet. What a Grafana's rules read it does not hold."""
    if stand.kind == "grafana":
        return
    parsed = parse(alert.expr)
    reads = metrics(parsed) if isinstance(parsed, Expr) else ()
    there: dict[str, set[str]] = {}
    for group in live.groups:
        for rule in group.rules:
            if rule.kind == "record":
                there.setdefault(rule.title, set()).add(_canonical(str(rule.body.get("expr", ""))))
    for service in stand.compiled.compilation.services:
        for resolved in service.resolved:
            for record in resolved.records if resolved.env == stand.environment.name else ():
                if record.record in reads and _canonical(record.expr) not in there.get(record.record, set()):
                    raise ScopeRefused(
                        f"it reads `{record.record}`, which is changed too and does not run yet",
                        help="sync the record first, under its old name's readers, or in a change of its own",
                    )


def _canonical(text: str) -> str:
    parsed = parse(text)
    return canonical(parsed) if isinstance(parsed, Expr) else text


def _deploy(
    stand: Stand, ready: _Ready, live: Live, seen: tuple[Seen, ...], now: datetime, until: datetime, by: str
) -> None:
    """Silence, rule, record, in this order; whatever is there already is left as it is."""
    alert = ready.alert
    mine = next((each for each in canaries(live, stand.owner) if each.id == ready.id), None)
    until = _until(stand, mine, ready.id, now) or until
    group, folder = overlay(
        ready.side,
        ready.expr,
        ready.id,
        until,
        project=stand.project,
        environment=stand.environment,
        kind=stand.kind,
    )
    silenced(stand.keepers, ready.id, alert.key.text, until, int(alert.keep_firing_for), now, by)
    wrote = put(stand.canaries, group, folder)
    said = f"{until.isoformat(timespec='seconds')}; {LABEL}={ready.id}, muted"
    click.echo(
        f"{alert.key.text}: {ready.id} {'is on trial' if wrote else 'was on trial already'} until {said}"
    )
    known = deployed_of(ready.record)
    if known is not None and (known.canary, known.until) == (ready.id, until.isoformat(timespec="seconds")):
        return
    # Its first evaluation comes after the write, whatever was asked before it.
    applied = datetime.now(tz=UTC) + timedelta(seconds=1)
    stage = _stage(stand, ready, live, seen, group, applied, until)
    document = with_stage(ready.record, body_of(1, "pass", stage))
    stand.keep(document, f"{alert.key.text}: stage 1, {ready.id}")


def _until(stand: Stand, mine: Canary | None, id: str, now: datetime) -> datetime | None:
    """Until when a deployment that was begun before meant to last."""
    if mine is not None and not mine.past(now):
        return datetime.fromisoformat(mine.until)
    return began(stand.keepers, id, now)


def _stage(
    stand: Stand,
    ready: _Ready,
    live: Live,
    seen: tuple[Seen, ...],
    group: Group,
    applied: datetime,
    until: datetime,
) -> Deployed:
    new = version_of(ready.side, seen)
    (rule,) = group.rules
    own = group.settings.get("labels")
    return Deployed(
        canary=ready.id,
        mode=ready.mode,
        evaluator=stand.compiled.evaluator.name,
        scope=stand.policy.scope if ready.mode == "overlay" else {},
        series_share=ready.share,
        applied=applied.isoformat(timespec="seconds"),
        until=until.isoformat(timespec="seconds"),
        object_uids=(rule.uid,),
        place=group.place,
        name=rule.title,
        labels={
            **({str(k): str(v) for k, v in own.items()} if isinstance(own, dict) else {}),
            **{name: text for name, text in rule.labels.items() if name != "alertname"},
        },
        old=_old(stand, ready, live, seen),
        new=_with_expr(new, ready.expr),
    )


def _old(stand: Stand, ready: _Ready, live: Live, seen: tuple[Seen, ...]) -> RuleVersion | None:
    """What runs now, on the same scope; None where there is no rule, or it means something else there."""
    found = _live_rule(live, ready.alert, stand)
    if found is None:
        return None
    version = live_version(
        *found,
        ready.alert.key,
        ready.record.old_digest,
        ready.alert,
        datasources=stand.environment.datasources,
        seen=seen,
    )
    if ready.mode == "shadow" or not version.expr:
        return version
    try:
        return _with_expr(version, scoped(version.expr, stand.policy.scope))
    except ScopeRefused as why:
        click.echo(f"note: the old version is not compared on the scope: {why.message}", err=True)
        return None


def _with_expr(version: RuleVersion, expr: str) -> RuleVersion:
    return replace(version, expr=expr)


def _live_rule(live: Live, alert: CompiledAlert, stand: Stand) -> tuple[Rule, Group] | None:
    owner = f"{stand.project.name}/{stand.environment.name}"
    both = [(rule, group) for group in live.groups for rule in group.rules if rule.owner == owner]
    same = [each for each in both if each[0].uid == alert.uid or each[0].key == alert.key.text]
    return same[0] if same else None


@click.command("abort")
@click.argument("names", nargs=-1, required=True, metavar="ID|RULE...")
@place_options
def abort_command(names: tuple[str, ...], place: Place) -> int:
    """Take canaries away by their marks on the server, with or without a record; again if need be."""
    with stand_at(place) as stand:
        for name in names:
            now = datetime.now(tz=UTC)
            gone, silences = abort(stand.canaries, stand.keepers, stand.owner, name, now)
            for each in gone:
                click.echo(f"{each.key}: {each.id} is gone")
            if silences:
                click.echo(f"{name}: {silences} silence{'s end' if silences > 1 else ' ends'} in 15 minutes")
            if not gone and not silences:
                click.echo(f"{visible(name)}: no canary of that name is in {stand.environment.name}")
    return 0


@click.command("gc")
@place_options
def gc_command(place: Place) -> int:
    """Take away the canaries whose time is over."""
    with stand_at(place) as stand:
        gone = collect(stand.canaries, stand.keepers, stand.owner, datetime.now(tz=UTC))
        for each in gone:
            click.echo(f"{each.key}: {each.id} is gone; its time was {visible(each.until) or 'not known'}")
        if not gone:
            click.echo(f"no canary in {stand.environment.name} is past its time")
    return 0
