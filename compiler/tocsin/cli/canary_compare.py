"""`tocsin canary compare`: after the soak, is the canary well, does the model agree with it, and how does it stand against the old rule."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import click

from tocsin.canary import soak
from tocsin.canary.compare import compare
from tocsin.canary.fidelity import Fidelity, fidelity_of, left_out, live_alerts
from tocsin.canary.judge import judge
from tocsin.canary.overlay import LABEL, Canary, canaries
from tocsin.canary.planner import Budget, Savings, Watch
from tocsin.canary.record import gate_json
from tocsin.canary.replay import replay
from tocsin.canary.scope import ScopeRefused, coverage
from tocsin.canary.stage_record import Check, Compared, Deployed, body_of, deployed_of, with_stage
from tocsin.canary.stages import abort
from tocsin.canary.values import Exactness, Pair, Window
from tocsin.canary.watch import counts_itself, failures, number
from tocsin.cli.canary_side import NotYet, Place, Stand, alerts_metric, base_option, place_options, stand_for
from tocsin.cli.options import day
from tocsin.cli.targets import Now
from tocsin.errors import UsageError
from tocsin.ir.canary import DAY, CanaryPolicy
from tocsin.ir.duration import Duration, format_duration, parse_duration
from tocsin.report.visible import visible
from tocsin.sync.values import Live
from tocsin.verdict import GateResult, Record

GATE = 7
_ANOTHER_S = 60.0
"""Seconds at most until a slow rule's time is read again."""


@click.command("compare")
@click.argument("names", nargs=-1, metavar="[ID|RULE]...")
@place_options
@base_option
@click.option(
    "--soak",
    "soak_text",
    metavar="D",
    help="How long it must have run; default: as its severity and ranges demand.",
)
def compare_command(names: tuple[str, ...], place: Place, soak_text: str | None) -> int:
    """Judge canaries after their soak, all of them without a name. What fails is taken away; what is well may be promoted."""
    shorter = parse_duration(soak_text) if soak_text is not None else None
    if soak_text is not None and shorter is None:
        raise UsageError(f"--soak: `{soak_text}` is no time", help="write 24h, 30m")
    code = 0
    with stand_for(place, names, 1, _waits) as (stand, records):
        if stand is None:
            click.echo("no canary waits to be compared")
            return 0
        live = stand.canaries.read()
        for record in records:
            try:
                code = max(code, _compare(stand, record, live, shorter, place))
            except NotYet as why:
                if names:
                    raise
                # A job that looks at all of them comes again.
                click.echo(f"{record.key.text}: {why.message}")
    return code


def _waits(record: Record) -> bool:
    """Whether stage 2 is what comes next."""
    return record.stage(1) is not None and record.stage(2) is None and not record.rolled_back


def _compare(stand: Stand, record: Record, live: Live, shorter: Duration | None, place: Place) -> int:
    deployed = deployed_of(record)
    assert deployed is not None
    key = record.key.text
    now = datetime.now(tz=UTC)
    canary = next((each for each in canaries(live, stand.owner) if each.id == deployed.canary), None)
    if canary is None:
        raise NotYet(
            f"{deployed.canary} of `{key}` is not on the server any more",
            help="its evidence ends there; `tocsin canary deploy` puts it back",
        )
    _soaked(stand, record, deployed, shorter, now)
    window, checks, gates, fidelity, exactness = _asked(stand, record, deployed, canary, live, now, place)
    verdict = soak.verdict_of(checks, record)
    for each in checks:
        click.echo(f"{key}: {each.id}: {each.state}: {visible(each.say)}")
    value = Compared(
        since=_text(window.start_ms),
        until=_text(window.end_ms),
        hours=round(_ran_ms(deployed, now) / 3_600_000, 6),
        checks=checks,
        fidelity=fidelity.agreement,
        evaluations=fidelity.n,
        exactness=exactness,
    )
    policy = _policy(stand, record, deployed)
    limits = soak.limits_of(gates, policy.limits(deployed.new.severity))  # type: ignore[arg-type]
    gates = tuple(each for each in gates if each.id in limits or each.id in record.policy)
    body = body_of(2, verdict, value, [gate_json(each) for each in gates])
    kept = stand.keep(with_stage(record, body, limits), f"{key}: stage 2, {verdict}")
    click.echo(f"{key}: {deployed.canary}: stage 2 says {verdict}, the record {kept.verdict}")
    if verdict != "fail":
        click.echo(f"next: tocsin canary promote {key} --env {stand.environment.name}")
        return 0
    # The evidence is in the record; a canary that failed has nothing more to show.
    abort(stand.canaries, stand.keepers, stand.owner, deployed.canary, now)
    click.echo(f"{key}: {deployed.canary} was taken away")
    return GATE


def _policy(stand: Stand, record: Record, deployed: Deployed) -> CanaryPolicy:
    """What the comparison is judged by: the base revision's word, and the record's where it has one."""
    return soak.judged_by(stand.policy, record, *stand.severities(record.key, deployed.new.severity))


def _soaked(
    stand: Stand, record: Record, deployed: Deployed, shorter: Duration | None, now: datetime
) -> None:
    """NotYet where it has not run long enough."""
    names = stand.severities(record.key, deployed.new.severity)
    known = [each for name in names if (each := stand.base().project.severity(name)) is not None]
    demanded = max((each.canary.soak for each in known), default=DAY)
    whole = soak.soak_ms(deployed.new, int(demanded))
    wanted = int(shorter) if shorter is not None else whole
    has = _ran_ms(deployed, now)
    if has < wanted:
        left = Duration(-(-(wanted - has) // 1000) * 1000)
        over = now >= datetime.fromisoformat(deployed.until)
        raise NotYet(
            f"{deployed.canary} of `{record.key.text}` has run for {format_duration(Duration(has // 1000 * 1000))} of "
            f"{format_duration(Duration(wanted))}",
            help="its time is over: abort it, and deploy it again with a longer --ttl"
            if over
            else f"ask again in {format_duration(left)}, from any machine",
        )
    if has < whole:
        click.echo(
            f"note: {record.key.text}: judged after less than the {format_duration(Duration(whole))} that its severity and ranges demand",
            err=True,
        )


def _asked(
    stand: Stand, record: Record, deployed: Deployed, canary: Canary, live: Live, now: datetime, place: Place
) -> tuple[Window, tuple[Check, ...], tuple[GateResult, ...], Fidelity, str]:
    """Every question, in order; the later ones are not asked of a rule that is ill."""
    now_ms = int(now.timestamp() * 1000)
    applied_ms = int(datetime.fromisoformat(deployed.applied).timestamp() * 1000)
    end_ms = min(now_ms, int(datetime.fromisoformat(deployed.until).timestamp() * 1000))
    window = soak.window_of(deployed.new, applied_ms, end_ms)
    checks = list(_well(stand, deployed, canary, live, applied_ms, now_ms))
    nothing = Fidelity(agreement=None, n=0, live=0, simulated=0)
    early = window.end_ms <= window.start_ms
    # A rule that was just put there may not have had its turn: that is no illness.
    ill = [each for each in checks if each.state == "fail" and not (early and each.say == soak.NOT_EVALUATED)]
    if ill:
        return window, tuple(checks), (), nothing, ""
    if early:
        raise NotYet(
            f"{deployed.canary} has not run for longer than its `for` and `keep_firing_for`",
            help="nothing can be compared yet",
        )
    limits = _policy(stand, record, deployed).limits(deployed.new.severity)
    fidelity, exactness = _fidelity(stand, deployed, canary, window, now_ms)
    if exactness.level == "not-backtestable":
        checks.append(Check(id="fidelity", state="unknown", say=exactness.text))
        gates: tuple[GateResult, ...] = (
            GateResult(id="fidelity", verdict="vacuous", message=exactness.text),
        )
    else:
        check, gate = soak.faithful(fidelity, limits["fidelity"], exact=stand.source.caps.exact)
        checks.append(check)
        gates = (gate,)
    if fidelity.vacuous and not _still_sees(stand, deployed, now_ms):
        checks.append(
            Check(
                id="health", state="fail", say="a selector of it matches nothing any more, so it sees nothing"
            )
        )
    check, more = _against_old(stand, record, deployed, window, now_ms, place)
    return window, (*checks, check), (*gates, *more), fidelity, exactness.text


def _well(
    stand: Stand, deployed: Deployed, canary: Canary, live: Live, applied_ms: int, now_ms: int
) -> Iterable[Check]:
    states = stand.canaries.states()
    state = states.get(canary.rule.uid)
    yield soak.health(state)
    said = [each.say for each in failures(stand.source, deployed.place.group, applied_ms, now_ms)]
    yield soak.errors(said, known=counts_itself(stand.source, deployed.place.group, now_ms))
    old = next(
        (
            rule.uid
            for group in live.groups
            for rule in group.rules
            if deployed.old is not None and rule.key == deployed.old.key.text and rule.owner != stand.owner
        ),
        "",
    )
    yield soak.cost_of_several(
        soak.cost(state, live.states.get(old) or stand.target.states().get(old)),
        lambda: soak.cost(stand.canaries.states().get(canary.rule.uid), stand.target.states().get(old)),
        lambda: Now().sleep(min(2 * deployed.new.interval_ms / 1000, _ANOTHER_S)),
    )


def _fidelity(
    stand: Stand, deployed: Deployed, canary: Canary, window: Window, now_ms: int
) -> tuple[Fidelity, Exactness]:
    """The canary as it was deployed, simulated over the hours it ran, beside what its server wrote."""
    version = replace(
        deployed.new, name=deployed.name, labels=deployed.labels, group=deployed.place.group, file=""
    )
    (found,) = replay(
        (Pair(key=version.key, old=None, new=version),),
        window,
        stand.source,
        None,
        Budget(),
        Watch(now_ms=now_ms, monotonic=time.monotonic),
        savings=Savings(coarse=False),  # sampling first loses what was only ever pending
        calibrated=False,
    )
    assert found.new is not None
    nothing = Fidelity(agreement=None, n=0, live=0, simulated=0)
    if found.new.timeline is None:
        return nothing, found.new.exactness
    if not alerts_metric(stand, now_ms):
        why = Exactness(
            level="not-backtestable", why=("the history holds no alerts of this server to compare with",)
        )
        return nothing, why
    label, timeline = (LABEL, canary.id), found.new.timeline
    live = live_alerts(version, label, window, stand.source)
    result = fidelity_of(timeline, live, version, window)
    if result.agreement is not None and result.agreement < 1:
        gone = left_out(timeline, live, version, label, window, stand.source)
        result = fidelity_of(timeline, live, version, window, gone)
    return result, found.new.exactness


def _still_sees(stand: Stand, deployed: Deployed, now_ms: int) -> bool:
    """Whether each selector of a canary that nothing happened to still matches something: else its silence says nothing."""
    try:
        coverage(deployed.new.expr, {}, lambda query: number(stand.source, query, now_ms))
    except ScopeRefused:
        return False
    return True


def _against_old(
    stand: Stand, record: Record, deployed: Deployed, window: Window, now_ms: int, place: Place
) -> tuple[Check, tuple[GateResult, ...]]:
    if deployed.old is None and record.old_digest:
        return soak.compared(None, "the old version means something else on this scope")
    (found,) = replay(
        (Pair(key=record.key, old=deployed.old, new=deployed.new),),
        window,
        stand.source,
        None,
        Budget(),
        Watch(now_ms=now_ms, monotonic=time.monotonic),
        calibrated=False,
    )
    policy = _policy(stand, record, deployed)
    judged = judge(compare(found, window, policy), policy, day(place.today), tested=True)
    return soak.compared(judged)


def _ran_ms(deployed: Deployed, now: datetime) -> int:
    """How long the canary ran: nobody vouches for what it did after its time."""
    end = min(now, datetime.fromisoformat(deployed.until))
    return max(0, int((end - datetime.fromisoformat(deployed.applied)).total_seconds() * 1000))


def _text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).isoformat(timespec="seconds")
