"""The replay asks for little and finds the same: against a server in memory, with each saving on and off, and with every way to say no."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from tests.history_source import (
    DAY,
    LOOKING_BACK,
    START,
    Asked,
    Episode,
    FakeSource,
    Value,
    episodes,
    matrix,
    no_fault,
    pair,
    version,
    wave,
)
from tests.patience import eventually

from tocsin.canary.capabilities import CAPS
from tocsin.canary.compare import compare
from tocsin.canary.judge import judge
from tocsin.canary.planner import Budget, Progress, Savings, Watch, make_plan
from tocsin.canary.replay import replay
from tocsin.canary.source import Cache, TooMuch, Unanswerable, Unfit
from tocsin.canary.values import Exactness, Pair, Replayed, RuleVersion, Window
from tocsin.errors import WrongShape
from tocsin.ir.canary import CanaryPolicy
from tocsin.report.canary import assumptions

NONE = Savings(share=False, limits=False, coarse=False)
SERIES = {(("__name__", "load"), ("host", f"h{each}")): wave(each) for each in range(4)}
WINDOW = Window(start_ms=START + 3_600_000, end_ms=START + 2 * DAY + 7_200_000)
NOW = START + 10 * DAY
MINUTE = 60_000


class Memory:
    """A cache in memory that counts."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.hits = 0

    def get(self, key: str) -> bytes | None:
        self.hits += key in self.held
        return self.held.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.held[key] = value


def source(fault: Callable[[Asked], None] = no_fault, flavour: str = "prometheus") -> FakeSource:
    return FakeSource(series=SERIES, caps=CAPS[flavour], fault=fault)  # type: ignore[index]


def run(
    pairs: list[Pair],
    server: FakeSource,
    *,
    savings: Savings | None = None,
    cache: Cache | None = None,
    budget: Budget | None = None,
    window: Window = WINDOW,
    told: Callable[[Progress], None] = lambda _: None,
    now: int = NOW,
) -> tuple[Replayed, ...]:
    ticks = itertools.count()
    watch = Watch(now_ms=now, monotonic=lambda: next(ticks) / 1000, told=told)
    return replay(pairs, window, server, cache, budget or Budget(), watch, savings=savings)


def both(found: tuple[Replayed, ...]) -> list[list[Episode]]:
    return [episodes(side) for each in found for side in (each.old, each.new) if side is not None]


def whole(versions: list[RuleVersion], window: Window = WINDOW) -> list[list[Episode]]:
    """What comes out when each version is asked for alone and in full."""
    found = [run([pair(None, each)], source(), savings=NONE, window=window) for each in versions]
    return [episode for each in found for episode in both(each)]


def test_one_expression_is_asked_for_once() -> None:
    old, new = (
        version("load > 0.8", for_ms=2 * MINUTE),
        version("(load) >  0.8", for_ms=5 * MINUTE),
    )
    server = source()
    found = run([pair(old, new)], server, savings=Savings(coarse=False))
    assert both(found) == whole([old, new])
    assert len(both(found)[0]) > len(both(found)[1]) > 0
    assert len(server.ranges) == 1
    assert server.ranges[0].step == 30_000
    apart = source()
    run([pair(old, new)], apart, savings=NONE)
    assert len(apart.ranges) == 2


@pytest.mark.parametrize(
    ("old", "new", "loose"),
    [
        ("load > 0.8", "load > 0.7", "load > 0.7"),
        ("load >= 0.9", "load > 0.9", "load >= 0.9"),
        ("load < 0.1", "load <= 0.2", "load <= 0.2"),
    ],
)
def test_limits_are_compared_here(old: str, new: str, loose: str) -> None:
    versions = [version(old), version(new)]
    server = source()
    found = run([pair(*versions)], server)
    assert both(found) == whole(versions)
    assert both(found)[0] != both(found)[1]
    assert [each.expr for each in server.ranges] == [loose]


@pytest.mark.parametrize(
    ("old", "new"),
    [("load > 0.8", "load < 0.8"), ("load > 0.8", "other > 0.9"), ("load > 0.8", "load == 0.9")],
)
def test_other_questions_are_not_shared(old: str, new: str) -> None:
    plan = make_plan([pair(version(old), version(new))], WINDOW, source().info(), CAPS["prometheus"])
    assert len(plan.questions) == plan.versions == 2


@pytest.mark.parametrize("for_ms", [MINUTE, 5 * MINUTE, 30 * MINUTE])
@pytest.mark.parametrize("keep_ms", [0, 30_000, 10 * MINUTE])
@pytest.mark.parametrize("limit", [0.93, 0.8])
def test_sampling_first_finds_every_episode(for_ms: int, keep_ms: int, limit: float) -> None:
    one = version(f"{LOOKING_BACK} > {limit}", for_ms=for_ms, keep_ms=keep_ms)
    server, full = source(), source()
    found = run([pair(None, one)], server, savings=Savings())
    assert both(found) == both(run([pair(None, one)], full, savings=NONE))
    stride = min(for_ms // 30_000 + 1, 20)
    assert server.ranges[0].step == 30_000 * stride
    assert all(each.step == 30_000 for each in server.ranges[1:])


def spikes(t: int) -> float:
    """Six hours and some apart, 40 minutes each, beginning and ending between samples."""
    return 1.0 if (t + 210_000) % (6 * 3_600_000 + 330_000) < 40 * MINUTE else 0.0


def test_sampling_asks_for_little_where_little_happens() -> None:
    quiet: dict[tuple[tuple[str, str], ...], Value] = {(("__name__", "load"),): spikes}
    server = FakeSource(series=quiet)
    one = version(f"{LOOKING_BACK} > 0.8", for_ms=10 * MINUTE, keep_ms=MINUTE)
    found = run([pair(None, one)], server)
    assert both(found) == both(run([pair(None, one)], FakeSource(series=quiet), savings=NONE))
    assert len(both(found)[0]) == 8
    full = (WINDOW.end_ms - WINDOW.start_ms) // 30_000
    assert sum(each.points for each in server.ranges) < 0.3 * full


def test_a_victoriametrics_is_asked_for_everything_at_once() -> None:
    server = source(flavour="victoriametrics")
    found = run([pair(None, version(for_ms=10 * MINUTE))], server)
    assert [(each.step, each.points) for each in server.ranges] == [(30_000, 5_901)]
    assert found[0].new is not None
    assert found[0].new.exactness.text == "approx(vm)"


def test_why_a_source_is_not_exact_is_said() -> None:
    server = source()
    server.caps = replace(server.caps, exact=False, why="replicas")
    found = run([pair(None, version(for_ms=10 * MINUTE))], server)
    assert found[0].new is not None
    assert found[0].new.exactness.text == "approx(replicas)"


def test_days_are_joined_up_to_what_one_answer_holds() -> None:
    """9 days at 30 s are 25,920 evaluations: three requests of up to three days and a bit, cut at midnight."""
    window = Window(start_ms=START, end_ms=START + 9 * DAY)
    server = source()
    run([pair(None, version())], server, window=window, savings=NONE, now=START + 30 * DAY)
    spans = sorted((each.start, each.points) for each in server.ranges)
    assert max(points for _, points in spans) <= 11_000
    assert len(spans) == 3
    assert all(start % DAY == 0 for start, _ in spans[1:])
    assert sum(points for _, points in spans) == 9 * 2_880 + 1


def test_days_longer_than_an_answer_are_cut_evenly() -> None:
    window = Window(start_ms=START, end_ms=START + DAY)
    server = source()
    run([pair(None, version(interval_ms=5_000))], server, window=window, savings=NONE)
    assert sorted(each.points for each in server.ranges) == [8_640, 8_641]


def test_kept_days_are_not_asked_for_again() -> None:
    one = version(for_ms=2 * MINUTE, keep_ms=5 * MINUTE)
    memory, first, second, later = Memory(), source(), source(), source()
    before = run([pair(None, one)], first, cache=memory, savings=NONE)
    again = run([pair(None, one)], second, cache=memory, savings=NONE)
    assert both(before) == both(again) == whole([one])
    assert len(first.ranges) == 1
    assert second.ranges == []
    assert len(memory.held) == memory.hits == 3
    # Six hours later the whole days are there; only the end is asked for.
    window = replace(WINDOW, end_ms=WINDOW.end_ms + 6 * 3_600_000)
    assert both(run([pair(None, one)], later, cache=memory, savings=NONE, window=window)) == whole(
        [one], window
    )
    assert [each.start for each in later.ranges] == [START + 2 * DAY]


def test_sampled_questions_are_kept_too() -> None:
    one = version("load > 0.93", for_ms=10 * MINUTE, keep_ms=MINUTE)
    memory, second = Memory(), source()
    before = run([pair(None, one)], source(), cache=memory)
    assert both(run([pair(None, one)], second, cache=memory)) == both(before)
    assert second.ranges == []


def test_what_may_still_change_is_not_kept() -> None:
    memory = Memory()
    run([pair(None, version())], source(), cache=memory, now=WINDOW.end_ms, savings=NONE)
    # Yesterday ends less than two hours and ten minutes before now.
    assert len(memory.held) == 1


@pytest.mark.parametrize(
    "change", [{"expr": "load > 0.81"}, {"query_offset_ms": 1_000}, {"interval_ms": 60_000}]
)
def test_another_question_has_another_key(change: dict[str, object]) -> None:
    memory, server = Memory(), source()
    run([pair(None, version())], source(), cache=memory, savings=NONE)
    run([pair(None, version(**change))], server, cache=memory, savings=NONE)
    assert memory.hits == 0
    assert server.ranges


def test_an_answer_without_values_is_not_taken_for_one_with() -> None:
    memory, versions = Memory(), [version("load > 0.7"), version("load > 0.8")]
    run([pair(None, versions[0])], source(), cache=memory)
    assert both(run([pair(*versions)], source(), cache=memory)) == whole(versions)
    assert memory.hits == 0


def test_damage_in_the_cache_is_asked_for_again() -> None:
    memory, server = Memory(), source()
    run([pair(None, version())], source(), cache=memory, savings=NONE)
    memory.held = {key: data[:-4] for key, data in memory.held.items()}
    assert both(run([pair(None, version())], server, cache=memory, savings=NONE)) == whole([version()])
    assert len(server.ranges) == 1


@pytest.mark.parametrize("most", [60, 500, 4_000])
def test_too_much_is_halved(most: int) -> None:
    def fault(asked: Asked) -> None:
        if asked.points > most:
            raise TooMuch("too many samples")

    server = source(fault)
    found = run([pair(None, version())], server, savings=NONE)
    assert both(found) == whole([version()])
    refused = [each for each in server.ranges if each.points > most]
    # The size that went through is kept for the rest: one refusal for each halving and worker, not one for each part.
    assert len(refused) <= 8


def test_a_server_that_refuses_an_hour_is_not_asked_for_less() -> None:
    def fault(asked: Asked) -> None:
        raise TooMuch("too many samples")

    found = run([pair(None, version())], source(fault), savings=NONE)
    assert found[0].new is not None
    assert found[0].new.timeline is None
    assert "refuses even" in found[0].new.exactness.text


def failing_between(start: int, end: int) -> Callable[[Asked], None]:
    def fault(asked: Asked) -> None:
        times = range(asked.start, asked.end + 1, asked.step)
        if any(start <= t < end for t in (times[0], times[-1])) or (asked.start < start < asked.end):
            raise Unanswerable("many-to-many matching not allowed")

    return fault


@pytest.mark.parametrize("savings", [NONE, Savings()])
@pytest.mark.parametrize("for_ms", [0, 10 * MINUTE])
def test_evaluations_that_fail_are_found_one_by_one(savings: Savings, for_ms: int) -> None:
    broken = START + DAY, START + DAY + 104 * 30_000
    server = source(failing_between(*broken))
    found = run([pair(None, version(f"{LOOKING_BACK} > 0.8", for_ms=for_ms))], server, savings=savings)
    assert found[0].new is not None
    line = found[0].new.timeline
    assert line is not None
    missed = line.grid.times()[line.grid.missed]
    assert missed.tolist() == list(range(*broken, 30_000))
    assert len(server.ranges) < 300
    assert both(found)[0]


def test_a_query_that_never_works_is_given_up_early() -> None:
    def fault(asked: Asked) -> None:
        raise Unanswerable("found duplicate series")

    server = source(fault)
    found = run([pair(version(), version("load > 0.9", name="B"))], server, savings=NONE)
    for side in (found[0].old, found[0].new):
        assert side is not None
        assert side.exactness.text == "not-backtestable(the query fails at all times: found duplicate series)"
    assert len(server.ranges) <= 2 * (127 + 4)


def test_too_many_failures_end_the_search() -> None:
    def fault(asked: Asked) -> None:
        first = -(-asked.start // 120_000) * 120_000
        if first <= asked.end and asked.start < START + DAY:
            raise Unanswerable("no")

    server = source(fault)
    found = run([pair(None, version())], server, savings=NONE)
    assert found[0].new is not None
    assert "too many times: no" in found[0].new.exactness.text
    assert 250 < len(server.ranges) < 1_000


def test_a_query_that_fails_often_leaves_the_rules_behind_it_their_share() -> None:
    def fault(asked: Asked) -> None:
        first = -(-asked.start // 120_000) * 120_000
        if "<" in asked.expr and first <= asked.end and asked.start < START + DAY:
            raise Unanswerable("no")

    names = [*(f"load < 0.{each}" for each in range(51, 56)), *(f"load > 0.{each}" for each in range(51, 56))]
    pairs = [pair(None, version(each, name=f"R{number}")) for number, each in enumerate(names)]
    found = run(pairs, source(fault), savings=NONE)
    assert [each.new is not None and each.new.timeline is not None for each in found] == [False] * 5 + [
        True
    ] * 5


def test_a_partial_answer_is_refused_with_its_reason() -> None:
    def fault(asked: Asked) -> None:
        raise Unfit("the server warns: store is down")

    found = run([pair(None, version())], source(fault))
    assert found[0].new is not None
    assert found[0].new.exactness.text == "not-backtestable(the server warns: store is down)"


class Cut(FakeSource):
    """Its answers end early."""

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        return super().range(expr, start_ms, end_ms, step_ms)[:-5]


def test_an_answer_that_is_cut_off_ends_the_run() -> None:
    with pytest.raises(WrongShape, match="end is missing"):
        run([pair(None, version())], Cut(series=SERIES))


def test_the_budget_is_kept_and_said() -> None:
    versions = [version(f"load > 0.{each}", name=f"R{each}") for each in range(51, 60)]
    pairs = [pair(None, each) for each in versions]
    server = source()
    found = run(pairs, server, budget=Budget(requests=6), savings=NONE)
    done = [each for each in found if each.new is not None and each.new.timeline is not None]
    spent = [each.new.exactness.text for each in found if each.new is not None and each.new.timeline is None]
    assert len(done) + len(spent) == len(pairs)
    # Three of the six ask what is evaluated, what ALERTS there are, and how far history reaches.
    assert len(server.ranges) == len(done) == 3
    assert set(spent) == {"not-backtestable(budget: 6 requests are used up)"}
    late = run(pairs, source(), budget=Budget(seconds=0.0005), savings=NONE)
    assert all(
        each.new is not None and each.new.exactness.text == "not-backtestable(budget: 0.0005 s are used up)"
        for each in late
    )


def test_ctrl_c_keeps_what_has_come() -> None:
    memory, rest = Memory(), source()
    window = Window(start_ms=START, end_ms=START + 9 * DAY)

    def told(progress: Progress) -> None:
        if progress.done > 9_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([pair(None, version())], source(), cache=memory, told=told, window=window, savings=NONE)
    # Answers that were under way are kept by whoever reads them.
    eventually(lambda: memory.held, "an answer that had come is in the cache")
    found = run([pair(None, version())], rest, cache=memory, window=window, savings=NONE)
    assert both(found) == whole([version()], window)
    assert sum(each.points for each in rest.ranges) < 9 * 2_880


def test_ctrl_c_waits_for_no_answer() -> None:
    """In the thread that waits, as the keyboard does it, while the server lets its answer wait."""
    release = threading.Event()
    first = threading.Lock()

    def fault(asked: Asked) -> None:
        if threading.current_thread() is threading.main_thread():
            return
        pause = 0.5
        # A signal that comes just before a thread begins to wait wakes nobody: then there is another.
        while first.acquire(blocking=False) and not release.wait(pause):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            first.release()
            pause = 30.0
        release.wait(300)

    with pytest.raises(KeyboardInterrupt):
        run([pair(None, version())], source(fault), savings=NONE)
    waiting = [each for each in threading.enumerate() if each.name.startswith("history-")]
    assert waiting
    assert all(each.daemon for each in waiting)
    release.set()
    for each in waiting:
        each.join(60)


def test_progress_says_how_much_is_left() -> None:
    seen: list[Progress] = []
    pairs = [pair(None, version(f"load > 0.{each}", name=f"R{each}")) for each in range(51, 55)]
    run(pairs, source(), told=seen.append, savings=NONE)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert seen[-1].done == seen[-1].of
    assert seen[-1].left == 0
    assert all(each.left is not None and each.left > 0 for each in seen[:-1])


def test_a_version_that_may_not_be_replayed_is_never_asked_for() -> None:
    no = Exactness(level="not-backtestable", why=("reads ALERTS",))
    server = source()
    found = run([pair(version(exactness=no), version())], server)
    assert found[0].old is not None
    assert found[0].new is not None
    assert found[0].old.exactness == no
    assert found[0].new.timeline is not None
    assert len(server.ranges) == 1


def test_history_that_begins_late_is_said() -> None:
    begin = START + DAY

    def young(t: int) -> float | None:
        return 1.0 if t >= begin else None

    server = FakeSource(series={(("__name__", "load"),): young})
    found = run([pair(None, version())], server)
    assert found[0].new is not None
    assert "short-window" in found[0].new.exactness.why
    full = run([pair(None, version())], source())[0].new
    assert full is not None
    assert "short-window" not in full.exactness.why


@pytest.mark.parametrize("hours", [1, 5, 24, 30])
def test_rates_are_of_the_time_that_the_history_holds(hours: int) -> None:
    """Fourteen days are asked for, of which the server has some hours: a new rule that fires once an hour must not look like one a day."""
    window = Window(start_ms=START - 14 * DAY, end_ms=START)

    def young(t: int) -> float | None:
        if t < window.end_ms - hours * 3_600_000:
            return None
        return 1.0 if t % 3_600_000 < 5 * MINUTE else 0.0

    server = FakeSource(series={(("__name__", "load"),): young})
    (found,) = run([pair(None, version())], server, window=window)
    assert found.held_ms == pytest.approx(hours * 3_600_000, abs=10 * MINUTE)
    judged = judge(compare(found, window, CanaryPolicy()), CanaryPolicy(), date(2026, 11, 21), tested=True)
    assert judged.comparison is not None and judged.comparison.new is not None
    assert judged.comparison.new.pages == pytest.approx(hours, abs=1)
    assert judged.comparison.new.pages_per_day == pytest.approx(24, rel=0.25 if hours > 1 else 1)
    assert "of which" in assumptions(judged.comparison)
    assert judged.verdict == ("fail" if hours > 1 else "quiet")
    (whole_held,) = run([pair(None, version())], source())
    assert whole_held.held_ms is None


def test_a_chain_of_short_presences_is_followed_back() -> None:
    """Ten minutes of load three hours before the window, then every four minutes one sample: kept firing for five minutes each."""

    def chain(t: int) -> float:
        since = t - (WINDOW.start_ms - 3 * 3_600_000)
        return 1.0 if 0 <= since < 10 * MINUTE or (since > 0 and since % (4 * MINUTE) == 0) else 0.0

    server = FakeSource(series={(("__name__", "load"),): chain})
    one = version(f"{LOOKING_BACK} > 0.8", for_ms=5 * MINUTE, keep_ms=5 * MINUTE)
    for savings in (NONE, Savings()):
        found = run([pair(None, one)], server, savings=savings)
        assert [(fired, resolved) for _, fired, resolved, _ in both(found)[0]] == [(WINDOW.start_ms, -1)]
        assert found[0].new is not None
        assert "warm-up" not in found[0].new.exactness.why


def test_a_chain_between_the_samples_is_followed_back() -> None:
    """Every twentieth evaluation is sampled, and the chain has its own fifth: nothing but the warm-up in full shows that there is one."""

    def chain(t: int) -> float:
        since = t - (WINDOW.start_ms - 3 * 3_600_000)
        return 1.0 if 0 <= since < 15 * MINUTE or (since > 0 and t // 30_000 % 20 == 5) else 0.0

    server = FakeSource(series={(("__name__", "load"),): chain})
    one = version(f"{LOOKING_BACK} > 0.8", for_ms=10 * MINUTE, keep_ms=10 * MINUTE)
    for savings in (NONE, Savings()):
        found = run([pair(None, one)], server, savings=savings)
        assert [(fired, resolved) for _, fired, resolved, _ in both(found)[0]] == [(WINDOW.start_ms, -1)]


@pytest.mark.parametrize("for_ms", [0, 5 * MINUTE])
@pytest.mark.parametrize("keep_ms", [0, 5 * MINUTE])
def test_a_warm_up_that_begins_with_a_failure_begins_earlier(for_ms: int, keep_ms: int) -> None:
    """What fires before the evaluations that fail goes on firing while they do, and has not begun in the window."""
    broken = WINDOW.start_ms - 20 * MINUTE, WINDOW.start_ms
    one = version(for_ms=for_ms, keep_ms=keep_ms)
    server = FakeSource(series={(("__name__", "load"),): lambda t: 1.0}, fault=failing_between(*broken))
    found = run([pair(None, one)], server, savings=NONE)
    assert both(found) == [[((("alertname", "A"), ("severity", "P1")), WINDOW.start_ms, -1, 3)]]
    assert found[0].new is not None and "warm-up" not in found[0].new.exactness.why


@pytest.mark.parametrize("beside", [0, 15_000])
def test_what_resolves_at_the_first_evaluation_of_the_window_was_firing_before(beside: int) -> None:
    """A burst of ten minutes, one more sample that is kept, and nothing: until the last evaluation before the window, or the first in it."""
    resolved = WINDOW.start_ms + MINUTE
    last = resolved - 5 * MINUTE - 30_000

    def burst(t: int) -> float:
        return 1.0 if t == last or last - 13 * MINUTE <= t < last - 3 * MINUTE else 0.0

    server = FakeSource(series={(("__name__", "load"),): burst})
    one = version(for_ms=30_000, keep_ms=5 * MINUTE)
    window = Window(start_ms=resolved - beside, end_ms=WINDOW.end_ms)
    found = both(run([pair(None, one)], server, savings=NONE, window=window))[0]
    assert [each[1:] for each in found] == ([(window.start_ms, resolved, 1)] if beside else [])


@pytest.mark.parametrize(("fails", "again"), [(1, 22), (21, 22), (1, 23)])
@pytest.mark.parametrize("begins", range(3))
def test_what_is_kept_firing_over_a_failure_is_seen_to_its_end(fails: int, again: int, begins: int) -> None:
    """Gone for ten minutes is told of evaluations that do not fail, so that it takes longer by one; what is back by then never stopped."""
    last = WINDOW.start_ms + 9_000_000 + begins * 30_000

    def burst(t: int) -> float:
        return 1.0 if last - 10 * MINUTE <= t <= last or t == last + again * 30_000 else 0.0

    def fault(asked: Asked) -> None:
        if last + fails * 30_000 in range(asked.start, asked.end + 1, asked.step):
            raise Unanswerable("two series of one match")

    server = FakeSource(series={(("__name__", "load"), ("host", "a")): burst}, fault=fault)
    # The host is the rule's own, so it is asked about all of them.
    one = version(f"{LOOKING_BACK} > 0.8", for_ms=MINUTE, keep_ms=10 * MINUTE, labels={"host": "any"})
    plain = both(run([pair(None, one)], server, savings=NONE))
    assert plain[0][0][2] == last + (again + 21 if again == 22 else 22) * 30_000
    assert both(run([pair(None, one)], server)) == plain


@pytest.mark.parametrize("keep_ms", [0, 10 * MINUTE])
def test_many_short_bursts_cost_no_more_than_asking_for_everything(keep_ms: int) -> None:
    """A job that is late every hour of two weeks: close-ups of each would be a third of a run's requests."""
    server = FakeSource(
        series={(("__name__", "load"), ("host", "a")): lambda t: 1.0 if t % 3_600_000 < 2 * MINUTE else 0.0}
    )
    window = Window(start_ms=WINDOW.start_ms, end_ms=WINDOW.start_ms + 14 * DAY)
    one = pair(None, version(f"{LOOKING_BACK} > 0.8", for_ms=MINUTE, keep_ms=keep_ms))
    plain = both(run([one], server, savings=NONE, window=window, now=START + 30 * DAY))
    assert len(plain[0]) == 14 * 24
    server.ranges.clear()
    assert both(run([one], server, window=window, now=START + 30 * DAY)) == plain
    assert len(server.ranges) < 20


def test_close_ups_leave_half_of_the_requests() -> None:
    """Of a burst every twelve hours each would be asked for by itself, were there requests enough."""
    server = FakeSource(
        series={(("__name__", "load"), ("host", "a")): lambda t: 1.0 if t % (DAY // 2) < 2 * MINUTE else 0.0}
    )
    window = Window(start_ms=WINDOW.start_ms, end_ms=WINDOW.start_ms + 14 * DAY)
    one = pair(None, version(f"{LOOKING_BACK} > 0.8", for_ms=MINUTE, labels={"host": "any"}))
    for requests, stretches in ((200, True), (24, False)):
        server.ranges.clear()
        found = run([one], server, window=window, now=START + 30 * DAY, budget=Budget(requests=requests))
        assert len(both(found)[0]) == 28
        assert (len(server.ranges) > 28) == stretches


def test_a_chain_without_a_beginning_is_said() -> None:
    def chain(t: int) -> float:
        return 1.0 if t % (4 * MINUTE) == 0 else 0.0

    server = FakeSource(series={(("__name__", "load"),): chain})
    found = run([pair(None, version(for_ms=5 * MINUTE, keep_ms=5 * MINUTE))], server)
    assert found[0].new is not None
    assert found[0].new.exactness.text == "approx(warm-up)"


def test_what_fires_over_the_ends_is_marked() -> None:
    server = FakeSource(series={(("__name__", "load"),): lambda t: 1.0})
    found = run([pair(None, version(for_ms=MINUTE))], server)
    assert both(found) == [[((("alertname", "A"), ("severity", "P1")), WINDOW.start_ms, -1, 3)]]


def test_the_estimate_is_what_is_asked_for() -> None:
    versions = [version("load > 0.8"), version("load > 0.7", for_ms=10 * MINUTE)]
    rare = version("last_over_time(other[5m]) > 1", for_ms=10 * MINUTE)
    pairs = [pair(*versions), pair(None, rare)]
    server = source()
    plan = make_plan(pairs, WINDOW, server.info(), server.caps)
    assert (plan.versions, len(plan.questions), plan.requests) == (3, 2, 2)
    assert [each.stride for each in plan.questions] == [1, 20]
    assert plan.at_most == plan.points + plan.questions[1].points(1)
    found = run(pairs, server)
    assert len(server.ranges) == plan.requests
    assert [side.requests for each in found for side in (each.old, each.new) if side is not None] == [1, 0, 1]
    assert sum(each.points for each in server.ranges) == plan.points


def test_stored_alerts_calibrate_the_old_version() -> None:
    one = version(for_ms=MINUTE)
    expected = both(run([pair(one, one)], source()))[0]

    def stored(selector: str, at_ms: int, back_ms: int) -> bytes:
        result = []
        for number, (labels, fired, resolved, _) in enumerate(expected):
            times = range(fired, resolved if resolved > 0 else WINDOW.end_ms, 30_000)
            values = [[t / 1000, "1"] for t in times if at_ms - back_ms < t <= at_ms]
            # As stored: one series for each alert; the fake has one for each episode, told apart by what is hidden from alerts.
            metric = {**dict(labels), "__name__": "ALERTS", "alertstate": "firing", "n": str(number)}
            result += [{"metric": metric, "values": values}] if values else []
        return matrix(_by_alert(result))

    server = source()
    server.stored = stored
    found = run([pair(one, one)], server)[0]
    assert found.old is not None
    assert found.old.calibration is not None
    assert found.old.calibration.agreement == 1.0
    assert found.old.calibration.n > 100
    assert found.old.exactness.level == "exact" or found.old.phase_how == "assumed"


def _by_alert(result: list[dict[str, object]]) -> list[dict[str, object]]:
    alerts: dict[tuple[tuple[str, str], ...], list[object]] = {}
    for each in result:
        metric, values = each["metric"], each["values"]
        assert isinstance(metric, dict)
        assert isinstance(values, list)
        key = tuple((name, value) for name, value in metric.items() if name != "n")
        alerts.setdefault(key, []).extend(values)
    return [{"metric": dict(key), "values": values} for key, values in alerts.items()]


def test_history_that_ends_early_is_said() -> None:
    end = START + 12 * 3_600_000

    def gone(t: int) -> float | None:
        return 1.0 if t < end else None

    found = run([pair(None, version())], FakeSource(series={(("__name__", "load"),): gone}))
    assert found[0].new is not None
    assert "short-window" in found[0].new.exactness.why


@pytest.mark.parametrize("hours", [10, 24, 30])
def test_rates_are_of_the_time_until_history_ends(hours: int) -> None:
    window = Window(start_ms=START - 14 * DAY, end_ms=START)
    begin = window.start_ms + 100 * 3_600_000
    there = range(begin, begin + hours * 3_600_000)
    server = FakeSource(series={(("__name__", "load"),): lambda t: 1.0 if t in there else None})
    (found,) = run([pair(None, version())], server, window=window)
    assert found.held_ms == pytest.approx(len(there), abs=20 * MINUTE)


def test_a_server_that_holds_nothing_calls_no_rule_quiet() -> None:
    server = FakeSource(series={(("__name__", "load"),): lambda _t: None})
    for each in (found := run([pair(version(), version("load > 0.9"))], server)[0]).old, found.new:
        assert each is not None
        assert each.timeline is None
        assert "holds nothing in this window" in each.exactness.text
    assert server.ranges == []


def test_more_samples_than_memory_is_meant_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.canary.fetch._SAMPLES", 2_000)
    found = run([pair(version("all > 0"), version("all > 9")), pair(None, version("load > 9"))], source())
    for each in (found[0].old, found[0].new):
        assert each is not None
        assert each.timeline is None
        assert each.exactness.text.startswith("not-backtestable(more than 2,000 samples in the window")
    assert found[1].new is not None
    assert found[1].new.timeline is not None, "the others are replayed"
