"""The watch after a sync, on a clock that sleeping moves on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from tests.syncing import Clock
from tests.unit.test_sync_plan import group, live, plan, rule, wanted

from tocsin.errors import Unreachable
from tocsin.sync.apply import Outcome, Result
from tocsin.sync.values import Plan, State
from tocsin.sync.watch import Seen, watch

OLD = "2026-11-21T10:00:00Z"
WELL = State(health="ok", evaluated=OLD)


class Server:
    """Tells the state that a function of the seconds since the start gives."""

    def __init__(self, clock: Clock, state: Callable[[float], State | None]) -> None:
        self.clock, self.state, self.start, self.asked = clock, state, clock.seconds, 0

    def states(self) -> Mapping[str, State]:
        self.asked += 1
        found = self.state(self.clock.seconds - self.start)
        return {"a": found} if found is not None else {}


def evaluated(seconds: float, every: float, health: str = "ok", first: float = 0.0) -> State:
    """Evaluated every so many seconds, from `first` on."""
    number = int((seconds - first) // every)
    time = OLD if seconds < first else f"after {number}"
    return State(health=health, evaluated=time, error="boom" if health == "error" else "")  # type: ignore[arg-type]


def changed(interval: int = 60_000, **more: object) -> Plan:
    new = rule("a", body={"for": 1}, **more)
    made = plan(wanted(group(new, interval=interval)), live(group(rule("a"), interval=interval)))
    assert [each.action for one in made.groups for each in one.changes] == ["update"]
    return made


def seen(
    made: Plan,
    state: Callable[[float], State | None],
    before: State | None = WELL,
    result: str = "written",
) -> tuple[list[Seen], Server, float]:
    clock = Clock()
    server = Server(clock, state)
    outcome = Outcome(results=tuple(Result(place=each.place, state=result) for each in made.groups))  # type: ignore[arg-type]
    found = watch(made, outcome, server, {"a": before} if before else {}, clock)  # type: ignore[arg-type]
    return list(found), server, clock.seconds - server.start


def test_three_evaluations_end_it_early() -> None:
    (one,), server, took = seen(changed(10_000), lambda now: evaluated(now, 3.0))
    assert (one.state, one.say) == ("healthy", "3 of 3 evaluations seen")
    assert took <= 10 and server.asked < 12


def test_two_intervals_and_two_minutes_at_most() -> None:
    (one,), _, took = seen(changed(60_000), lambda now: evaluated(now, 60.0, first=30.0))
    assert (one.state, one.say) == ("healthy", "2 of 3 evaluations seen")
    assert 115 <= took <= 131
    (one,), _, took = seen(changed(20_000), lambda now: State(health="ok", evaluated=OLD))
    assert one.state == "not-seen" and took <= 46


def test_it_became_an_error() -> None:
    (one,), _, _ = seen(changed(), lambda now: evaluated(now, 60.0, "error", first=10.0))
    assert one.state == "became-error" and "boom" in one.say and "well before" in one.say


def test_an_error_that_passed_is_none() -> None:
    (one,), _, _ = seen(changed(10_000), lambda now: evaluated(now, 5.0, "error" if now < 5 else "ok"))
    assert one.state == "healthy"


@pytest.mark.parametrize("before", [None, State(health="error", evaluated=OLD), State(health="unknown")])
def test_judged_only_if_it_was_well_before(before: State | None) -> None:
    (one,), server, took = seen(changed(), lambda now: evaluated(now, 5.0, "error"), before)
    assert (one.state, took, server.asked) == ("was-ill-before", 0, 0)


def test_a_new_rule_answers_for_itself() -> None:
    made = plan(wanted(group(rule("a"))), live())
    (one,), _, _ = seen(made, lambda now: evaluated(now, 60.0, "error"), None)
    assert one.state == "became-error" and "a new rule" in one.say


def test_a_long_interval_is_left_to_drift() -> None:
    (one,), server, took = seen(changed(61_000), lambda now: evaluated(now, 5.0, "error"))
    assert (one.state, took, server.asked) == ("left-to-drift", 0, 0)
    assert "1m1s" in one.say


def test_paused_unwritten_and_unchanged_rules_are_nobodys() -> None:
    assert seen(changed(paused=True), lambda now: evaluated(now, 5.0))[0] == []
    assert seen(changed(), lambda now: evaluated(now, 5.0), result="failed")[0] == []
    same = plan(wanted(group(rule("a"))), live(group(rule("a"))))
    assert seen(same, lambda now: evaluated(now, 5.0))[0] == []


def test_a_server_that_stops_answering_is_not_seen() -> None:
    def gone(now: float) -> State | None:
        raise Unreachable("gone", endpoint="GET http://g")

    (one,), _, _ = seen(changed(), gone)
    assert one.state == "not-seen"


def test_states_of_the_write_itself_do_not_count() -> None:
    """A 9.4 keeps telling the evaluation from before the write."""
    (one,), _, _ = seen(changed(), lambda now: State(health="error", evaluated=OLD, error="old"))
    assert one.state == "not-seen"
