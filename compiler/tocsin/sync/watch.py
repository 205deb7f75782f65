"""How changed rules fare after they were written: three evaluations each, as far as two intervals and two minutes allow
(decisions/0018: of a rule that is evaluated once a minute two are seen, and that is said).

A rule is judged by what it was before: one that did not work before cannot have been broken by us, one that is new has only itself to answer
for. A rule that is evaluated too rarely to wait for is left to `tocsin drift`, and that is said. Time comes from the clock that is given; an
evaluation is counted by the server's own time of it changing, so that no clock of ours is compared with the server's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tocsin.errors import RemoteError
from tocsin.ir.duration import Duration, format_duration
from tocsin.sync.apply import Outcome
from tocsin.sync.values import Place, Plan, Rule, State, Target

WANTED = 3
"""Evaluations to see."""
LONGEST = 120.0
"""Seconds to wait at most."""
_POLL = (1.0, 10.0)
"""Seconds between two readings of all states, at first and at most: the list is long, and most rules are evaluated once a minute."""
_SLOWER = 1.5

Verdict = Literal["healthy", "became-error", "was-ill-before", "not-seen", "left-to-drift"]


class Clock(Protocol):
    """Seconds that only grow, and waiting."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of one changed rule. `not-seen` is no evaluation in the time there was."""

    uid: str
    title: str
    key: str
    place: Place
    state: Verdict
    say: str = ""
    evaluations: int = 0
    """How many were seen of the `WANTED`."""


@dataclass(slots=True, kw_only=True)
class _Case:
    """One rule under observation. Lives as long as one call of `watch`."""

    rule: Rule
    place: Place
    interval: Duration
    new: bool
    before: State | None
    times: set[str] = field(default_factory=set)
    last: State | None = None

    @property
    def limit(self) -> float:
        return min(LONGEST, 2 * int(self.interval) / 1000)

    def see(self, state: State | None) -> None:
        """A reading. The evaluation that was there before the write is none."""
        old = self.before.evaluated if self.before is not None else ""
        if state is None or not state.evaluated or state.evaluated == old:
            return
        self.times.add(state.evaluated)
        self.last = state

    def told(self, state: Verdict, say: str = "") -> Seen:
        rule = self.rule
        return Seen(
            uid=rule.uid,
            title=rule.title,
            key=rule.key or rule.uid,
            place=self.place,
            state=state,
            say=say,
            evaluations=min(len(self.times), WANTED),
        )


def watch(
    plan: Plan, outcome: Outcome, target: Target, before: Mapping[str, State], clock: Clock
) -> tuple[Seen, ...]:
    """What became of each rule that was written and is not paused. Waits; ends early when all have been seen. A server that stops answering
    meanwhile makes its rules `not-seen`: they were written and read back, and that is no reason to fail."""
    cases = list(_cases(plan, outcome, before))
    judged = [each for each in cases if _why_not(each) is None]
    if judged:
        _observe(judged, target, clock)
    return tuple(_verdict(each) for each in cases)


def _cases(plan: Plan, outcome: Outcome, before: Mapping[str, State]) -> Iterator[_Case]:
    written = {each.place for each in outcome.results if each.state == "written"}
    for group in plan.groups:
        if group.place not in written or group.after is None or group.refusals:
            continue
        for change in group.changes:
            if change.action in ("none", "delete") or change.rule.paused:
                continue
            yield _Case(
                rule=change.rule,
                place=group.place,
                interval=group.after.interval,
                new=change.before is None,
                before=before.get(change.rule.uid) if change.before is not None else None,
            )


def _why_not(case: _Case) -> Seen | None:
    """The verdict on a rule that is not waited for."""
    if not case.new and (case.before is None or case.before.health not in ("ok", "nodata")):
        was = case.before.health if case.before is not None else "unknown"
        return case.told("was-ill-before", f"its health was {was} before the write, so it is not judged")
    if 2 * int(case.interval) / 1000 > LONGEST:
        every = format_duration(case.interval)
        return case.told("left-to-drift", f"it is evaluated every {every}; `tocsin drift` tells how it fares")
    return None


def _observe(cases: list[_Case], target: Target, clock: Clock) -> None:
    step, longest = _POLL
    # One poll more than the limit, so that an evaluation at its very end is still seen.
    end = clock.monotonic() + max(each.limit for each in cases) + longest
    while True:
        try:
            states = target.states()
        except RemoteError:
            states = {}
        for each in cases:
            each.see(states.get(each.rule.uid))
        if all(len(each.times) >= WANTED for each in cases) or clock.monotonic() + step > end:
            return
        clock.sleep(step)
        step = min(step * _SLOWER, longest)


def _verdict(case: _Case) -> Seen:
    other = _why_not(case)
    if other is not None:
        return other
    if case.last is None:
        return case.told(
            "not-seen", "it was not evaluated in the time there was; `tocsin drift` tells how it fares"
        )
    if case.last.health == "error":
        new = "a new rule" if case.new else "it was well before"
        return case.told("became-error", f"{case.last.error or 'its evaluation fails'} ({new})")
    return case.told("healthy", f"{min(len(case.times), WANTED)} of {WANTED} evaluations seen")
