"""`tocsin canary watch`: does the promoted rule do what stage 0 predicted; if not, the old version comes back by itself or is asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

import click

from tocsin.canary.promotion import as_it_was
from tocsin.canary.source import Unfit
from tocsin.canary.stage_record import Promotion, body_of, predicted_peak, promotion_of, with_stage
from tocsin.canary.tally import Tally, Watched, before, since
from tocsin.canary.watch import Alarm, Expected, alarms_of, failures
from tocsin.cli.canary_promote import cut_short
from tocsin.cli.canary_side import Place, Stand, alerts_metric, base_option, place_options, stand_for
from tocsin.cli.journals import HELP, journal_at
from tocsin.cli.run_plan import Stopped, actor_of, carried_out, now_text
from tocsin.cli.targets import Now
from tocsin.cli.terminal import echo
from tocsin.errors import UsageError
from tocsin.ir.canary import Rollback
from tocsin.report import plan as plan_report
from tocsin.report.visible import visible
from tocsin.sync.guard import Guard
from tocsin.sync.plan import Scope, make_plan
from tocsin.sync.values import Group, Rule, State
from tocsin.verdict import Record

GATE = 7
_MOST_SAMPLES = 3_000


@click.command("watch")
@click.argument("names", nargs=-1, metavar="[ID|RULE]...")
@place_options
@base_option
@click.option("--follow", is_flag=True, help="Go on until the watch ends, looking every second interval.")
@click.option("--rollback", "rollback", is_flag=True, help="Put the old version back, alarm or not.")
@click.option("--journal", metavar="WHERE", help=HELP)
def watch_command(
    names: tuple[str, ...], place: Place, follow: bool, rollback: bool, journal: str | None
) -> int:
    """Look at promoted rules since their promotion, at all that are watched without a name. Alarms put the old version back, as `canary.rollback` says."""
    if rollback and not names:
        raise UsageError("--rollback needs a name", help="say which rule")
    with stand_for(place, names, 3, _watched) as (stand, records):
        if stand is None:
            click.echo("nothing is watched")
            return 0
        # What is on its way back needs no policy, so nothing that is wrong with one may stop it: it comes first.
        watched = sorted(
            (_Watch(stand, each, journal) for each in records),
            key=lambda each: each.promotion.state != "rolling-back",
        )
        past: dict[str, float | None] = {}
        while True:
            look = _Look(stand, watched, past, rollback=rollback)
            code = max([0, *(each.look(look) for each in watched)])
            going = [each for each in watched if each.goes_on]
            if code or not follow or not going:
                return code
            Now().sleep(min(each.pause for each in going))


def _watched(record: Record) -> bool:
    """Whether stage 3 goes on."""
    found = promotion_of(record)
    return found is not None and found.state in ("watching", "alarmed", "rolling-back")


class _Look:
    """One look at everything that is watched: what all rules share is asked once. `past` is what looks before this one learnt of the time before."""

    def __init__(
        self, stand: Stand, watched: list[_Watch], past: dict[str, float | None], *, rollback: bool
    ) -> None:
        self.stand, self.past, self.rollback = stand, past, rollback
        self.now = datetime.now(tz=UTC)
        self.now_ms = int(self.now.timestamp() * 1000)
        going = [] if rollback else [each for each in watched if each.goes_on]
        self.live = {each.key: found for each in going if (found := each.live()) is not None}
        self._rules = {
            each.key: each.watched(self.live[each.key][0], self.now_ms)
            for each in going
            if each.key in self.live
        }

    @cached_property
    def states(self) -> Mapping[str, State]:
        """How the server says its rules are."""
        return self.stand.target.states()

    @cached_property
    def counted(self) -> Mapping[str, tuple[Tally, float | None]] | None:
        """What each rule did since its promotion, and its p99 before; None where the server keeps no such series."""
        metric = alerts_metric(self.stand, self.now_ms)
        if not metric:
            return None
        rules = list(self._rules.values())
        found = dict(zip(self._rules, since(self.stand.source, rules, metric), strict=True))
        if self._rules.keys() - self.past.keys():
            with suppress(Unfit):  # nobody knows then
                self.past.update(zip(self._rules, before(self.stand.source, rules, metric), strict=True))
        return {key: (tally, self.past.get(key)) for key, tally in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was counted of one rule since its promotion, and what was expected of it."""

    tally: Tally
    expected: Expected


class _Watch:
    """One promoted rule. Lives as long as the command."""

    def __init__(self, stand: Stand, record: Record, journal: str | None) -> None:
        self.stand, self.record, self.journal = stand, record, journal
        found = promotion_of(record)
        assert found is not None
        self.promotion: Promotion = found
        self.interval = 60_000

    @property
    def key(self) -> str:
        """The rule's key, for people."""
        return self.record.key.text

    @property
    def goes_on(self) -> bool:
        """Whether there is anything left to watch."""
        return self.promotion.state in ("watching", "alarmed")

    @property
    def pause(self) -> float:
        """Seconds until the next look: two intervals, or the end of the watch."""
        left = (datetime.fromisoformat(self.promotion.until) - datetime.now(tz=UTC)).total_seconds()
        return max(0.2, min(2 * self.interval / 1000, left))

    def look(self, look: _Look) -> int:
        """One look: 0 where all is as expected, 7 where it is not."""
        state = self.promotion.state
        if state == "rolling-back":
            return self._roll_back()
        if look.rollback and state != "rolled-back":
            return self._roll_back(("somebody asked for it",))
        if not self.goes_on:
            click.echo(f"{self.key}: {state}")
            return GATE if state == "rolled-back" else 0
        policy = (
            self.stand.policy.rollback
        )  # read before it is needed: not only a storm shows that it cannot be
        found = look.live.get(self.key)
        if found is None:
            alarms: tuple[Alarm, ...] = (Alarm(kind="errors", say="it is not on the server any more"),)
        else:
            alarms = self._alarms(*found, look)
        for each in alarms:
            click.echo(f"{self.key}: alarm: {each.kind}: {visible(each.say)}")
        if alarms:
            return self._alarmed(alarms, policy)
        if look.now >= datetime.fromisoformat(self.promotion.until):
            self._keep(replace(self.promotion, state="stable"), "stable")
            click.echo(f"{self.key}: stable; the watch is over")
        return 0

    def live(self) -> tuple[Rule, Group] | None:
        """The rule and its group as the server has them, None where it has the rule no more."""
        group = self.stand.target.read_group(self.promotion.place)
        for rule in group.rules if group is not None else ():
            if rule.uid == self.promotion.uid:
                assert group is not None
                self.interval = int(group.interval) or 60_000
                return rule, group
        return None

    def watched(self, rule: Rule, now_ms: int) -> Watched:
        """What to count of it."""
        old = self.promotion.rule
        return Watched(
            title=rule.title,
            labels=self._apart(rule),
            old=self._apart(old) if old is not None else None,
            since_ms=_ms(self.promotion.since),
            end_ms=min(now_ms, _ms(self.promotion.until)),
            interval_ms=self.interval,
        )

    def _alarms(self, rule: Rule, group: Group, look: _Look) -> tuple[Alarm, ...]:
        alarms: list[Alarm] = []
        state = look.states.get(rule.uid)
        if state is not None and state.health == "error":
            alarms.append(Alarm(kind="errors", say=f"its evaluation fails: {state.error}"))
        since_ms = _ms(self.promotion.since)
        alarms += failures(self.stand.source, group.place.group, since_ms, look.now_ms)
        seen = self._seen(rule, look)
        tally, limit = seen.tally, seen.expected.limit
        said = (
            f"expected at most {limit:g}: {seen.expected.text}"
            if limit != float("inf")
            else seen.expected.text
        )
        click.echo(
            f"{self.key}: {tally.mine[-1] if tally.mine else 0} firing now, at most {max(tally.mine, default=0)} since "
            f"{self.promotion.since} ({said}); {tally.named} named {visible(rule.title)}, {tally.total[-1] if tally.total else 0} in all"
        )
        return (*alarms, *alarms_of(tally.times, tally.mine, seen.expected, tally.total, tally.usual))

    def _seen(self, rule: Rule, look: _Look) -> _Seen:
        peak = predicted_peak(self.record)
        if look.counted is None:
            return _Seen(tally=self._by_state(rule, look), expected=Expected(peak=peak, p99=None))
        tally, known = look.counted[self.key]
        return _Seen(tally=tally, expected=Expected(peak=peak, p99=known))

    def _by_state(self, rule: Rule, look: _Look) -> Tally:
        """From what the server says now, joined to what earlier looks saw: the record keeps those."""
        state = look.states.get(rule.uid)
        every = sum(each.firing for each in look.states.values())
        one = (look.now_ms, state.firing if state is not None else 0, every)
        samples = (*self.promotion.samples, one)[-_MOST_SAMPLES:]
        self._keep(replace(self.promotion, samples=samples), "looked at")
        return Tally(
            times=tuple(each[0] for each in samples),
            mine=tuple(each[1] for each in samples),
            total=tuple(each[2] for each in samples),
            named=one[1],
            usual=float(samples[0][2]),
        )

    def _apart(self, rule: Rule) -> dict[str, str]:
        """What tells the rule's alerts from all others: `rule_id`, level and severity where it carries them, else its name."""
        severities = {each.label[0] for each in self.stand.project.severities}
        names = {"rule_id", "level", *severities}
        own = {name: text for name, text in rule.labels.items() if name in names and "{{" not in text}
        return own if "rule_id" in own else {"alertname": rule.title}

    def _alarmed(self, alarms: tuple[Alarm, ...], policy: Mapping[str, Rollback]) -> int:
        """What the policy does about alarms: by itself, or when somebody says so."""
        says = tuple(f"{each.kind}: {each.say}" for each in alarms)
        kinds = {each.kind for each in alarms}
        if any(policy.get(each, policy.get("other", "ask")) == "auto" for each in kinds):
            return self._roll_back(says)
        if sys.stdin.isatty() and click.confirm("Put the old version back?", err=True):
            return self._roll_back(says)
        self._keep(replace(self.promotion, state="alarmed", alarms=says), "alarmed")
        click.echo(
            f"to put the old version back: tocsin canary watch {self.key} --rollback --env {self.stand.environment.name}"
        )
        return GATE

    def _roll_back(self, why: tuple[str, ...] = ()) -> int:
        """The old version back. The record says so first, so that no sync brings the new one again however this ends."""
        at = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.promotion.state != "rolling-back":
            self._keep(
                replace(self.promotion, state="rolling-back", alarms=why), "it is taken back", rolled_back=at
            )
        live = self.stand.target.read()
        owner = f"{self.stand.project.name}/{self.stand.environment.name}"
        desired = as_it_was(live, owner, self.stand.environment.name, self.promotion)
        # Law 11: the way back is always open, so no verdict is asked for.
        plan = make_plan(
            desired,
            live,
            Guard(version=self.stand.version, max_delete_percent=0.0),
            lambda asked: None,
            now_text(),
            Scope(rules=frozenset({self.key})),
        )
        echo(plan_report.as_text(plan))
        blocked = [why for group in plan.groups for why in group.refusals]
        if blocked:
            raise Stopped(f"the old version cannot be put back: {blocked[0].message}", help=blocked[0].help)
        if any(each.writes for each in plan.groups):
            by = f"{actor_of(plan.server) or 'unknown'}: canary rollback of {self.key}"
            with journal_at(self.journal, self.stand.top, self.stand.environment.name) as book:
                if cut_short(book, self.key):
                    # It is the promotion that this undoes, or this very run: what is live was read just now.
                    book.restart()
                code = carried_out(plan, self.stand.target, book, "continue", by=by)
            if code:
                return code
        self._keep(replace(self.promotion, state="rolled-back"), "the old version is back")
        click.echo(
            f"{self.key}: the old version is back; this one stays out until a new record says it is good"
        )
        return GATE

    def _keep(self, promotion: Promotion, say: str, *, rolled_back: str = "") -> None:
        back = promotion.state in ("rolling-back", "rolled-back")
        first = self.record.stage(0)
        verdict = "fail" if back or first is None else first.verdict
        document = with_stage(self.record, body_of(3, verdict, promotion))
        if rolled_back:
            document["rolled_back"] = rolled_back
        self.record = self.stand.keep(document, f"{self.key}: stage 3, {say}")
        self.promotion = promotion


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
