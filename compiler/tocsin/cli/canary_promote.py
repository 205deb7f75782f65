"""`tocsin canary promote`: the tried version into production under the rule's own uid, by the plan, gate, journal and apply of every sync.

The order makes each step repeatable: how production was goes into the record first; then the write; then the canary goes, once the new version has
been evaluated; then the record says from when on it is watched. A machine that finds any of these done goes on with the next.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click

from tocsin.canary.overlay import canaries
from tocsin.canary.promotion import change_of, evaluated, fires, promotion_for
from tocsin.canary.stage_record import Promotion, body_of, deployed_of, promotion_of, with_stage
from tocsin.canary.stages import abort
from tocsin.cli.canary_side import NotYet, Place, Stand, base_option, place_options, stand_for
from tocsin.cli.journals import HELP, journal_at
from tocsin.cli.options import day
from tocsin.cli.run_plan import Stopped, actor_of, agreed, carried_out, finished, now_text, refused
from tocsin.cli.targets import Now, ready
from tocsin.cli.terminal import echo
from tocsin.cli.verdicts import gate_of
from tocsin.errors import UsageError
from tocsin.ir.canary import QUARTER_DAY
from tocsin.ir.duration import Duration, format_duration, parse_duration
from tocsin.report import plan as plan_report
from tocsin.sync.guard import Guard
from tocsin.sync.journal import Journal, ended, plan_of
from tocsin.sync.plan import Scope, make_plan
from tocsin.sync.values import Live, Plan
from tocsin.verdict import Record

_POLL = 10.0


@click.command("promote")
@click.argument("names", nargs=-1, required=True, metavar="ID|RULE...")
@place_options
@base_option
@click.option("--journal", metavar="WHERE", help=HELP)
@click.option(
    "--wait",
    "wait",
    default="24h",
    show_default=True,
    metavar="D",
    help="How long to wait until nothing fires; 0 not at all.",
)
@click.option("--force", is_flag=True, help="Do not wait: what fires resolves and fires again.")
@click.option("--watch", "watch", metavar="D", help="How long it is watched; default: as its severity says.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def promote_command(
    names: tuple[str, ...],
    place: Place,
    journal: str | None,
    wait: str,
    force: bool,
    watch: str | None,
    yes: bool,
) -> int:
    """Replace the running rules by what was tried, take the canaries away, and begin to watch."""
    patience, length = parse_duration(wait), parse_duration(watch) if watch is not None else None
    if patience is None or (watch is not None and length is None):
        raise UsageError("--wait and --watch take times", help="write 24h, 30m")
    code = 0
    with stand_for(place, names, 0) as (stand, records):
        assert stand is not None
        for record in records:
            step = _Promote(stand, record, place, journal, patience, force, length, yes)
            code = max(code, step.run())
    return code


class _Promote:
    """One rule's way into production. Lives as long as the command."""

    def __init__(
        self,
        stand: Stand,
        record: Record,
        place: Place,
        journal: str | None,
        wait: Duration,
        force: bool,
        watch: Duration | None,
        yes: bool,
    ) -> None:
        self.stand, self.record, self.place = stand, record, place
        self.journal, self.wait, self.force, self.watch, self.yes = journal, wait, force, watch, yes
        self.key = record.key

    def run(self) -> int:
        """Every step that is not done yet; 0, or why it stopped."""
        if self.record.rolled_back:
            raise NotYet(
                f"`{self.key.text}` was taken back at {self.record.rolled_back}", help="backtest it again"
            )
        known = promotion_of(self.record)
        if known is not None and known.state != "promoting":
            click.echo(f"{self.key.text}: in production since {known.since}, {known.state}")
            return 0
        (side,) = self.stand.sides([self.key.text])
        if side.rule.digest != self.record.new_digest:
            raise NotYet(
                f"the sources have another version of `{self.key.text}` than the one that was tried",
                help="check out what was tried, or try this one: tocsin canary backtest, deploy",
            )
        with journal_at(self.journal, self.stand.top, self.stand.environment.name) as book:
            if known is not None:
                self._finish(book)
            live = self.stand.target.read()
            plan = self._plan(live)
            echo(plan_report.as_text(plan))
            if plan.stops:
                raise Stopped(plan.stops[0].message, help=plan.stops[0].help)
            code = refused(plan)
            if code:
                return code
            if any(each.writes for each in plan.groups):
                self._quiet(plan)
                agreed(yes=self.yes)
                known = known or self._noted(plan, live)
                by = f"{actor_of(plan.server) or 'unknown'}: canary promote {self.key.text}"
                code = carried_out(plan, self.stand.target, book, "stop", by=by)
                if code:
                    return code
                known = self._since_now(known)
        if known is None:
            raise NotYet(
                f"`{self.key.text}` is on the server as the sources say: there is nothing to promote"
            )
        return self._settle(known)

    def _finish(self, book: Journal) -> None:
        """The write that another process began, if this journal holds it."""
        if cut_short(book, self.key.text):
            finished(self.stand.target, book, "stop", back=False)

    def _plan(self, live: Live) -> Plan:
        stand = self.stand
        gate = gate_of(
            stand.compiled,
            live,
            stand.version,
            records=self.place.records,
            top=stand.top,
            base=self.place.policy_base,
            today=day(self.place.today),
            override=False,
        )
        scope = Scope(rules=frozenset({self.key.text}))
        guard = Guard(version=stand.version, max_delete_percent=0.0)
        plan = make_plan(stand.desired, live, guard, gate, now_text(), scope)
        plan = ready(plan, stand.target, None)
        return replace(plan, notes=(*plan.notes, *gate.said))

    def _quiet(self, plan: Plan) -> None:
        """Waits until neither the old nor the new version fires, where the write would end that; NotYet where it goes on for too long."""
        change = change_of(plan, self.key)
        if change is not None and change.rule.paused:
            raise NotYet(
                f"`{self.key.text}` is paused on the server: nobody would see how the new version does",
                help="; ".join(change.notes) or "end the pause first",
            )
        if change is None or change.effect in ("none", "starts"):
            return
        uids = {change.rule.uid, *([change.before.uid] if change.before is not None else [])}
        clock = Now()
        end = clock.monotonic() + self.wait / 1000
        while count := self._firing(frozenset(uids)):
            text = f"{self.key.text}: {count} alerts of the old or the new version fire"
            if self.force:
                click.echo(
                    f"{text}: promoted now, they resolve, and what the new version sees fires again after its `for` ({change.effect})",
                    err=True,
                )
                return
            left = end - clock.monotonic()
            if left <= 0:
                raise NotYet(
                    text,
                    help="promoted now, they would resolve and fire again: wait, or say --force",
                )
            click.echo(f"{text}: waiting until they end", err=True)
            clock.sleep(min(_POLL, left))

    def _firing(self, uids: frozenset[str]) -> int:
        deployed = deployed_of(self.record)
        tried = frozenset(deployed.object_uids) if deployed is not None else frozenset[str]()
        return fires(self.stand.target.states(), uids) + fires(self.stand.canaries.states(), tried)

    def _noted(self, plan: Plan, live: Live) -> Promotion:
        """How production was, in the record before anything is written."""
        by = actor_of(plan.server) or "unknown"
        made = promotion_for(plan, self.key, live, self.stand.compiled.evaluator.name, by)
        if made is None:
            raise NotYet(
                f"`{self.key.text}` is on the server as the sources say: there is nothing to promote"
            )
        self._keep(made, "it goes into production")
        return made

    def _since_now(self, promotion: Promotion) -> Promotion:
        """With the last evaluation as it is after the write: the old version may have been evaluated once more before it."""
        state = self.stand.target.states().get(promotion.uid)
        return replace(promotion, evaluated=state.evaluated) if state is not None else promotion

    def _settle(self, promotion: Promotion) -> int:
        """The canary away once the new version was evaluated; then it is watched."""
        clock = Now()
        interval = self._interval(promotion)
        end, step = clock.monotonic() + 2 * interval / 1000 + 60, 0.1
        while not evaluated(self.stand.target.states(), promotion):
            if clock.monotonic() >= end:
                raise NotYet(
                    f"`{self.key.text}` is written and was not evaluated yet; its canary stays",
                    help="the same command again goes on from here",
                )
            clock.sleep(step)
            step = min(_POLL, 2 * step)
        now = datetime.now(tz=UTC)
        deployed = deployed_of(self.record)
        if deployed is not None:
            abort(self.stand.canaries, self.stand.keepers, self.stand.owner, deployed.canary, now)
            left = [
                e.id
                for e in canaries(self.stand.canaries.read(), self.stand.owner)
                if e.id == deployed.canary
            ]
            click.echo(f"{self.key.text}: {deployed.canary} {'is still there' if left else 'is gone'}")
        length = self.watch if self.watch is not None else self._watch_length()
        watched = replace(
            promotion,
            state="watching",
            since=now.isoformat(timespec="seconds"),
            until=(now + timedelta(milliseconds=length)).isoformat(timespec="seconds"),
        )
        self._keep(watched, f"watched until {watched.until}")
        click.echo(f"{self.key.text}: in production, and watched for {format_duration(length)}")
        click.echo(f"next: tocsin canary watch {self.key.text} --env {self.stand.environment.name}")
        return 0

    def _interval(self, promotion: Promotion) -> int:
        group = self.stand.target.read_group(promotion.place)
        return int(group.interval) if group is not None and group.interval else 60_000

    def _watch_length(self) -> Duration:
        deployed = deployed_of(self.record)
        names = self.stand.severities(self.key, deployed.new.severity if deployed is not None else None)
        known = [each for name in names if (each := self.stand.base().project.severity(name)) is not None]
        return max((each.canary.watch for each in known), default=QUARTER_DAY)

    def _keep(self, promotion: Promotion, say: str) -> None:
        first = self.record.stage(0)
        body = body_of(3, first.verdict if first is not None else "quiet", promotion)
        self.record = self.stand.keep(with_stage(self.record, body), f"{self.key.text}: stage 3, {say}")


def cut_short(book: Journal, key: str) -> bool:
    """Whether the journal holds an unfinished run, of that rule alone. Stopped where it is about anything else."""
    if not book.entries() or ended(book):
        return False
    plan = plan_of(book)
    touched = {
        change.rule.key for group in plan.groups for change in group.changes if change.action != "none"
    }
    if touched != {key}:
        raise Stopped(
            f"the journal {book.where} holds another unfinished run",
            help="finish it with `tocsin sync --resume`, or take it back with `--undo`",
        )
    return True
