"""`tocsin canary watch`: does the promoted rule do what stage 0 predicted; if not, the old version comes back by itself or is asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import click

from tocsin.canary.promotion import as_it_was
from tocsin.canary.source import Unfit
from tocsin.canary.stage_record import Promotion, body_of, predicted_peak, promotion_of, with_stage
from tocsin.canary.watch import Alarm, Counts, Expected, alarms_of, before, counted, failures, p99
from tocsin.cli.canary_promote import cut_short
from tocsin.cli.canary_side import Place, Stand, alerts_metric, place_options, stand_for
from tocsin.cli.journals import HELP, journal_at
from tocsin.cli.run_plan import Stopped, actor_of, carried_out, now_text
from tocsin.cli.targets import Now
from tocsin.cli.terminal import echo
from tocsin.errors import UsageError
from tocsin.report import plan as plan_report
from tocsin.report.visible import visible
from tocsin.sync.guard import Guard
from tocsin.sync.plan import Scope, make_plan
from tocsin.sync.values import Group, Rule
from tocsin.verdict import Record

GATE = 7
_HOUR = 3_600_000
_MOST_SAMPLES = 3_000


@click.command("watch")
@click.argument("names", nargs=-1, metavar="[ID|RULE]...")
@place_options
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
        watched = [_Watch(stand, each, journal) for each in records]
        while True:
            code = max([0, *(each.look(rollback=rollback) for each in watched)])
            going = [each for each in watched if each.goes_on]
            if code or not follow or not going:
                return code
            Now().sleep(min(each.pause for each in going))


def _watched(record: Record) -> bool:
    """Whether stage 3 goes on."""
    found = promotion_of(record)
    return found is not None and found.state in ("watching", "alarmed", "rolling-back")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was counted of one rule since its promotion."""

    times: tuple[int, ...]
    mine: tuple[int, ...]
    total: tuple[int, ...]
    named: int
    """How many alerts of the same name fire now, whoever's they are."""
    expected: Expected
    usual: float | None


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

    def look(self, *, rollback: bool) -> int:
        """One look: 0 where all is as expected, 7 where it is not."""
        state = self.promotion.state
        if state == "rolling-back":
            return self._roll_back()
        if rollback and state != "rolled-back":
            return self._roll_back(("somebody asked for it",))
        if not self.goes_on:
            click.echo(f"{self.key}: {state}")
            return GATE if state == "rolled-back" else 0
        now = datetime.now(tz=UTC)
        found = self._live()
        if found is None:
            alarms: tuple[Alarm, ...] = (Alarm(kind="errors", say="it is not on the server any more"),)
        else:
            alarms = self._alarms(*found, now)
        for each in alarms:
            click.echo(f"{self.key}: alarm: {each.kind}: {visible(each.say)}")
        if alarms:
            return self._alarmed(alarms)
        if now >= datetime.fromisoformat(self.promotion.until):
            self._keep(replace(self.promotion, state="stable"), "stable")
            click.echo(f"{self.key}: stable; the watch is over")
        return 0

    def _live(self) -> tuple[Rule, Group] | None:
        group = self.stand.target.read_group(self.promotion.place)
        for rule in group.rules if group is not None else ():
            if rule.uid == self.promotion.uid:
                assert group is not None
                self.interval = int(group.interval) or 60_000
                return rule, group
        return None

    def _alarms(self, rule: Rule, group: Group, now: datetime) -> tuple[Alarm, ...]:
        now_ms = int(now.timestamp() * 1000)
        since_ms = int(datetime.fromisoformat(self.promotion.since).timestamp() * 1000)
        end_ms = min(now_ms, int(datetime.fromisoformat(self.promotion.until).timestamp() * 1000))
        states = self.stand.target.states()
        alarms: list[Alarm] = []
        state = states.get(rule.uid)
        if state is not None and state.health == "error":
            alarms.append(Alarm(kind="errors", say=f"its evaluation fails: {state.error}"))
        alarms += failures(self.stand.source, group.place.group, since_ms, now_ms)
        metric = alerts_metric(self.stand, now_ms)
        seen = self._by_series(rule, since_ms, end_ms, metric) if metric else self._by_state(rule, now_ms)
        limit = seen.expected.limit
        said = (
            f"expected at most {limit:g}: {seen.expected.text}"
            if limit != float("inf")
            else seen.expected.text
        )
        click.echo(
            f"{self.key}: {seen.mine[-1] if seen.mine else 0} firing now, at most {max(seen.mine, default=0)} since "
            f"{self.promotion.since} ({said}); {seen.named} named {visible(rule.title)}, {seen.total[-1] if seen.total else 0} in all"
        )
        return (*alarms, *alarms_of(seen.times, seen.mine, seen.expected, seen.total, seen.usual))

    def _by_series(self, rule: Rule, since_ms: int, end_ms: int, metric: str) -> _Seen:
        """From the server's own series, since the promotion, whoever looked before."""
        labels, old = self._apart(rule), self._apart(self.promotion.rule) if self.promotion.rule else None
        by = sorted({*labels, *(old or {})})
        step = 2 * self.interval
        found = counted(self.stand.source, by, since_ms, max(since_ms, end_ms), step, metric=metric)
        names = counted(self.stand.source, ["alertname"], end_ms, end_ms, step, metric=metric)
        usual, known = self._past(by, old, since_ms, metric)
        return _Seen(
            times=found.times,
            mine=found.of(labels),
            total=found.total,
            named=names.of({"alertname": rule.title})[-1],
            expected=Expected(peak=predicted_peak(self.record), p99=known),
            usual=usual,
        )

    def _past(
        self, by: list[str], old: Mapping[str, str] | None, since_ms: int, metric: str
    ) -> tuple[float | None, float | None]:
        """(the most that fired in all in the hour before, the rule's p99 of 14 days); None for what nobody knows."""
        try:
            past: Counts = before(self.stand.source, by, since_ms, self.interval, metric=metric)
        except Unfit:
            return None, None
        last = [
            count
            for at, count in zip(past.times, past.total, strict=True)
            if since_ms - _HOUR <= at < since_ms
        ]
        return float(max(last, default=0)), p99(past.of(old)) if old is not None else None

    def _by_state(self, rule: Rule, now_ms: int) -> _Seen:
        """From what the server says now, joined to what earlier looks saw: the record keeps those."""
        states = self.stand.target.states()
        state = states.get(rule.uid)
        one = (now_ms, state.firing if state is not None else 0, sum(each.firing for each in states.values()))
        samples = (*self.promotion.samples, one)[-_MOST_SAMPLES:]
        self._keep(replace(self.promotion, samples=samples), "looked at")
        return _Seen(
            times=tuple(each[0] for each in samples),
            mine=tuple(each[1] for each in samples),
            total=tuple(each[2] for each in samples),
            named=one[1],
            expected=Expected(peak=predicted_peak(self.record), p99=None),
            usual=float(samples[0][2]),
        )

    def _apart(self, rule: Rule) -> dict[str, str]:
        """What tells the rule's alerts from all others: `rule_id`, level and severity where it carries them, else its name."""
        severities = {each.label[0] for each in self.stand.project.severities}
        names = {"rule_id", "level", *severities}
        own = {name: text for name, text in rule.labels.items() if name in names and "{{" not in text}
        return own if "rule_id" in own else {"alertname": rule.title}

    def _alarmed(self, alarms: tuple[Alarm, ...]) -> int:
        """What the policy does about alarms: by itself, or when somebody says so."""
        says = tuple(f"{each.kind}: {each.say}" for each in alarms)
        policy = self.stand.project.canary.rollback
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
