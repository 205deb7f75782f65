"""Both versions of every pair over the window, as their server would have evaluated them. The way in to the room's costly half.

    phases -> plan -> fetch (shared) -> limit, identities, machine (each version) -> cut to the window -> what really fired (old versions)
           -> the same again at other phases, where the phase is only assumed

One question after the other, the next one under way while this one is worked on; an answer is dropped as soon as its versions are replayed, so
memory is that of the broadest rules. Whatever has no answer is `not-backtestable` with its reason; nothing is left out in silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from tocsin.canary.actual import fired_names, real_alerts
from tocsin.canary.calibrate import calibrate
from tocsin.canary.fetch import Answer, Fetch
from tocsin.canary.fetcher import Fetcher, NotReplayable
from tocsin.canary.identity import identities
from tocsin.canary.machine import simulate
from tocsin.canary.phase import Phases, others
from tocsin.canary.planner import Budget, Plan, Question, Savings, Side, Want, Watch, earlier, make_plan
from tocsin.canary.reach import Reach, reach_of
from tocsin.canary.source import Cache, MetricSource, TooMuch, Unanswerable, Unfit
from tocsin.canary.stored import joined, moved
from tocsin.canary.threshold import within
from tocsin.canary.values import Exactness, Grid, Pair, Presence, Replay, Replayed, RuleVersion, Window
from tocsin.canary.warmth import cut_to, unsettled
from tocsin.ir.compiled import RuleKey

SHORT: Final = "short-window"
"""The reason of a replay whose server has no history for the beginning of the window, or for its end."""
_EMPTY: Final = "the server holds nothing in this window, neither `up` nor what these rules read"
_AHEAD: Final = 2
"""Questions under way at once."""
_EXTENSIONS: Final = 4
_EARLIER: Final = 120
"""Evaluations that a replay whose beginning is unsure begins earlier, at least; each further time it begins twice as early."""
_AGREES: Final = 0.98
"""From here on a calibration says that no late sample matters."""
_NOTHING: Final = Presence(series=(), row=np.zeros(0, dtype=np.int32), at=np.zeros(0, dtype=np.int32))
_READ: Final = frozenset({"ALERTS", "rules", "grafana"})
"""Ways to know a phase that are more than a guess."""


def replay(
    pairs: Sequence[Pair],
    window: Window,
    source: MetricSource,
    cache: Cache | None,
    budget: Budget,
    watch: Watch,
    *,
    savings: Savings | None = None,
    calibrated: bool = True,
    spread: Container[RuleKey] = (),
) -> tuple[Replayed, ...]:
    """The pairs in their order, each side replayed or said why not. A `TocsinError` where the server cannot be reached; what was fetched until
    then, or until somebody presses Ctrl-C, is in the cache. `calibrated` compares old versions with the `ALERTS` stored; the rules in `spread` are
    replayed at three phases where theirs is assumed, with what the budget has left once everything was replayed at one. Timelines hold what fired,
    and what was only ever pending where `savings` leave nothing out (`coarse=False`)."""
    savings = savings or Savings()
    with Fetcher(source, cache, budget, watch) as fetcher:
        run = _Run(fetcher=fetcher, window=window, pending=not savings.coarse)
        phases = Phases(source, watch.now_ms, fetcher.take)
        for pair in pairs:
            run.find_phases(pair, phases)
        plan = run.plan(pairs, savings)
        reach = reach_of(plan, window, fetcher) if plan.questions else Reach(held="unknown")
        if reach.held == "nothing":
            run.refuse(plan.questions, _EMPTY)
        else:
            run.work(plan, calibrated=calibrated)
        found = [run.result(number, pair, reach) for number, pair in enumerate(pairs)]
        unsure = [n for n, each in enumerate(found) if each.pair.key in spread and _assumed(each)]
        shifted = [(n, each) for n in unsure for each in run.shifted(pairs[n])]
        if shifted:
            again = _Run(fetcher=fetcher, window=window, pending=run.pending, phases=run.phases)
            again.work(again.plan([pair for _, pair in shifted], savings), calibrated=calibrated)
            more = [(n, again.result(at, pair, reach)) for at, (n, pair) in enumerate(shifted)]
            for n in unsure:
                found[n] = _with(found[n], [each for of, each in more if of == n])
        return tuple(found)


@dataclass(slots=True, eq=False, kw_only=True)
class _Run:
    """What is known so far. Versions are told apart by id, for two pairs may hold equal ones."""

    fetcher: Fetcher
    window: Window
    pending: bool
    """Whether spells that never fired are kept. Sampling misses some of them, so then none is: what comes out hangs on no saving."""
    phases: dict[int, tuple[int, str]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    replays: dict[tuple[int, Side], Replay] = field(default_factory=dict)

    def phase(self, version: RuleVersion) -> tuple[int, str]:
        """The phase found before."""
        return self.phases[id(version)]

    def fits(self, version: RuleVersion) -> bool:
        """Whether it is to be replayed."""
        return id(version) in self.phases

    def find_phases(self, pair: Pair, phases: Phases) -> None:
        """The phase of both sides. A new version in its old one's group with the same interval is evaluated when that one is."""
        for version in (pair.old, pair.new):
            if version is None or version.exactness.level == "not-backtestable":
                continue
            old = pair.old
            if version is not old and old is not None and id(old) in self.phases and _one_group(old, version):
                self.phases[id(version)] = self.phases[id(old)]
                continue
            try:
                self.phases[id(version)] = phases.of(version)
            except NotReplayable as no:
                self.refused[id(version)] = str(no)

    def shifted(self, pair: Pair) -> Iterator[Pair]:
        """The pair at other phases: what is assumed of it moves, what is known does not. The versions are copies, for a phase is an id's."""
        sides = [each for each in (pair.old, pair.new) if each is not None]
        tries = {id(each): others(each) for each in sides if self.phase(each)[1] == "assumed"}
        for turn in range(max(map(len, tries.values()))):
            moved = {id(each): replace(each) for each in sides}
            for each in sides:
                mine = tries.get(id(each), ())
                # Two intervals may differ in how much there is to try: the last one is tried again.
                phase = (mine[min(turn, len(mine) - 1)], "assumed") if mine else self.phase(each)
                self.phases[id(moved[id(each)])] = phase
            old, new = (moved[id(each)] if each is not None else None for each in (pair.old, pair.new))
            yield Pair(key=pair.key, old=old, new=new)

    def plan(self, pairs: Sequence[Pair], savings: Savings) -> Plan:
        """What to ask for them."""
        info, caps = self.fetcher.info, self.fetcher.caps
        plan = make_plan(
            pairs, self.window, info, caps, phase_of=self.phase, savings=savings, replayed=self.fits
        )
        self.fetcher.expect(plan.points)
        return plan

    def work(self, plan: Plan, *, calibrated: bool) -> None:
        """Asks and replays."""
        for question, fetch in _under_way(self.fetcher, plan):
            self.answer(question, fetch)
        if calibrated:
            self.calibrate()

    def refuse(self, questions: Iterable[Question], reason: str) -> None:
        """Nothing of what these questions are for is replayed."""
        for question in questions:
            for want in question.wants:
                self.refused[id(want.version)] = reason

    def answer(self, question: Question, fetch: Fetch) -> None:
        """Replays every version that one question is for."""
        try:
            question, answer, cold = self._warm(question, fetch.finish())
        except NotReplayable as no:
            self.refuse([question], str(no))
            return
        for number, want in enumerate(question.wants):
            version = want.version
            alerts, failed = _alerts(answer.presence, want)
            timeline = cut_to(
                simulate(alerts, answer.grid, version, failed), self.window, pending=self.pending
            )
            phase, how = self.phases[id(version)]
            exactness = self._exactness(version, how)
            if id(version) in cold:
                exactness = exactness.and_(Exactness(level="approx", why=("warm-up",)))
            self.replays[want.pair, want.side] = Replay(
                version=version,
                timeline=timeline,
                exactness=exactness,
                phase_ms=phase,
                phase_how=how,
                # Who shares an answer costs nothing more.
                requests=answer.requests if number == 0 else 0,
                stride=question.stride,
            )

    def calibrate(self) -> None:
        """What old versions really did, beside what they are said to have done."""
        fetcher = self.fetcher
        old = [
            key
            for key, each in self.replays.items()
            if key[1] == "old" and each.version.machine == "prometheus"
        ]
        try:
            names = fired_names(fetcher.source, self.window, fetcher.take) if old else frozenset()
            for key in old:
                found = self.replays[key]
                assert found.timeline is not None
                if names is None or found.version.name in names:
                    real = real_alerts(found.version, found.timeline.grid, fetcher.source, fetcher.take)
                elif names:
                    # Others fired and this one never did: that is an answer.
                    real = _NOTHING
                else:
                    continue
                agreed = calibrate(found.timeline, _inside(real, found.timeline.grid, self.window))
                self.replays[key] = replace(found, calibration=agreed)
        except (NotReplayable, TooMuch, Unanswerable, Unfit):
            # What is not calibrated says so by its level.
            return

    def result(self, number: int, pair: Pair, reach: Reach) -> Replayed:
        """One pair."""
        old, new = self._side(number, "old", pair.old), self._side(number, "new", pair.new)
        level = Exactness(level="exact" if _reproduced(old) else "exact-modulo-late-samples")
        old, new = (_judged(each, level, short=reach.held == "part") for each in (old, new))
        return Replayed(pair=pair, old=old, new=new, held_ms=reach.held_ms)

    def _side(self, number: int, side: Side, version: RuleVersion | None) -> Replay | None:
        if version is None or (number, side) in self.replays:
            return self.replays.get((number, side))
        no = version.exactness
        if no.level != "not-backtestable":
            reason = self.refused.get(id(version), "it was not asked for")
            no = Exactness(level="not-backtestable", why=(reason,))
        return Replay(version=version, timeline=None, exactness=no)

    def _exactness(self, version: RuleVersion, how: str) -> Exactness:
        found = version.exactness
        if how not in _READ:
            found = found.and_(Exactness(level="phase-assumed", why=() if how == "assumed" else (how,)))
        if version.machine == "grafana":
            found = found.and_(Exactness(level="modelled"))
        if not self.fetcher.caps.exact:
            found = found.and_(Exactness(level="approx", why=(self.fetcher.caps.why,)))
        return found

    def _warm(self, question: Question, answer: Answer) -> tuple[Question, Answer, frozenset[int]]:
        """The answer, begun as early as it takes for the state at the window's start to be sure; the versions for which that was in vain."""
        for turn in range(_EXTENSIONS + 1):
            cold = frozenset(id(want.version) for want in question.wants if _cold(question, answer, want))
            if not cold or turn == _EXTENSIONS:
                return question, answer, cold
            by = max(question.warm, _EARLIER)
            asked, question = question, earlier(question, by)
            head = replace(question, grid=replace(question.grid, count=by, missed=question.grid.missed[:0]))
            self.fetcher.expect(by)
            try:
                before = Fetch(self.fetcher, head).finish()
            except NotReplayable:
                # The window itself has an answer.
                return asked, answer, cold
            missed = np.concatenate((before.grid.missed, answer.grid.missed + by)).astype(np.int32)
            parts = [before.presence, moved(answer.presence, by, 1)]
            presence = joined(parts, values=question.values)
            grid = replace(question.grid, missed=missed)
            question = replace(question, grid=grid)
            answer = Answer(presence=presence, grid=grid, requests=answer.requests + before.requests)
        raise AssertionError("the last turn returns")


def _under_way(fetcher: Fetcher, plan: Plan) -> Iterator[tuple[Question, Fetch]]:
    """Every question with its fetch, begun a little ahead."""
    waiting: deque[tuple[Question, Fetch]] = deque()
    for question in plan.questions:
        waiting.append((question, Fetch(fetcher, question)))
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _alerts(presence: Presence, want: Want) -> tuple[Presence, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """What one version sees of an answer that several share, by its alerts; and where two of them meet."""
    seen = presence if want.limit is None else within(presence, want.limit)
    return identities(seen, want.version)


def _cold(question: Question, answer: Answer, want: Want) -> bool:
    """Whether a version's state at the window's start hangs on what was before the answer."""
    alerts, failed = _alerts(answer.presence, want)
    failed = np.union1d(answer.grid.missed, failed).astype(np.int32)
    return unsettled(alerts, answer.grid, want.version, question.warm, failed)


def _inside(real: Presence, grid: Grid, window: Window) -> Presence:
    """What fired in the window itself: a replay's spells are cut to it."""
    keep = real.at >= -((grid.start_ms - window.start_ms) // grid.step_ms)
    return Presence(series=real.series, row=real.row[keep], at=real.at[keep])


def _reproduced(old: Replay | None) -> bool:
    """Whether what the old version really did says that the model is right."""
    found = old.calibration if old is not None else None
    return found is not None and found.n > 0 and found.agreement >= _AGREES


def _judged(found: Replay | None, level: Exactness, *, short: bool) -> Replay | None:
    """The replay with the level that its run as a whole gives it."""
    if found is None or found.timeline is None:
        return found
    exactness = found.exactness.and_(level)
    if short:
        exactness = replace(exactness, why=(*exactness.why, SHORT))
    return replace(found, exactness=exactness)


def _assumed(found: Replayed) -> bool:
    """Whether it was replayed at a phase that nobody knows."""
    sides = [each for each in (found.old, found.new) if each is not None]
    whole = all(each.timeline is not None for each in sides)
    return whole and any(each.phase_how == "assumed" for each in sides)


def _with(found: Replayed, elsewhere: Iterable[Replayed]) -> Replayed:
    """The pair with what it does at other phases, as far as it could be replayed there."""
    done, why = [], ""
    for each in elsewhere:
        failed = [side for side in (each.old, each.new) if side is not None and side.timeline is None]
        if failed:
            why = why or ", ".join(failed[0].exactness.why)
        else:
            done.append(each)
    return replace(found, elsewhere=tuple(done), left_out=why)


def _one_group(old: RuleVersion, new: RuleVersion) -> bool:
    def place(version: RuleVersion) -> tuple[object, ...]:
        return version.machine, version.group, version.interval_ms

    return place(old) == place(new) and (not new.file or old.file == new.file)
