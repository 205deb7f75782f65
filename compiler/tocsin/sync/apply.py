"""A plan made true, one group after another, with every doubt read back.

    begin the journal -> folders -> for each group: is it still what the plan saw? -> note -> write -> read back -> note

`apply`, `resume` and `undo` are one thing: each group goes from one known form to another. A group that is neither, nor on the way between the
two, was changed by somebody else; it is left alone and said so. Grafana offers no compare-and-swap, so somebody who writes between our
reading and our writing is noticed by the next reading, not prevented.

Groups of different folders may be written beside each other (`sync.lanes` says which); whoever calls brings the threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from tocsin.errors import Ambiguous, MachineError, Refused, RemoteError, TocsinError
from tocsin.sync import journal as book
from tocsin.sync.forms import between, same, strange
from tocsin.sync.journal import Journal
from tocsin.sync.lanes import Lane, phases
from tocsin.sync.order import in_order
from tocsin.sync.records import with_lost_records
from tocsin.sync.values import Folder, Group, InBatches, Place, Plan, Target, WholeGroups

OnError = Literal["undo", "stop", "continue"]
Beside = Callable[[Sequence[Lane], Callable[[Lane], None]], None]
"""Does the work on every lane, perhaps several at once, and raises what one of them raised when all of them have ended."""
_ATTEMPTS = 2
"""A write that was read back and found not applied is tried once more; so is one that met another writer (409)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One group's way: from `before` to `after`; None is no group. A group that is written twice has two steps, and in `ends` what it was before
    both and is after both: who finds it at its end need not go."""

    place: Place
    before: Group | None
    after: Group | None
    ends: tuple[Group, Group] | None = None

    @property
    def back(self) -> Step:
        """The way back."""
        ends = (self.ends[1], self.ends[0]) if self.ends is not None else None
        return Step(place=self.place, before=self.after, after=self.before, ends=ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one group."""

    place: Place
    state: Literal["written", "already", "changed-meanwhile", "failed", "undone", "not-undone", "not-tried"]
    say: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a run."""

    results: tuple[Result, ...]
    undone: bool = False
    failed: tuple[Result, ...] = ()
    """Why the run was taken back, where it was."""

    @property
    def clean(self) -> bool:
        """Whether everything that was to be written is there."""
        return all(each.state in ("written", "already", "undone") for each in self.results)


def one_by_one(lanes: Sequence[Lane], work: Callable[[Lane], None]) -> None:
    """The `Beside` of a target that is written by one thread."""
    for each in lanes:
        work(each)


def untold(result: Result) -> None:
    """Nobody watches."""


def steps_of(plan: Plan) -> tuple[Step, ...]:
    """The groups to write, in order. Deletions of whole groups come last. A group that both changes and loses records is written twice, for
    what reads a record must have let go of it before it goes."""
    first: list[Step] = []
    last: list[Step] = []
    for each in in_order(plan.groups):
        middle = with_lost_records(each)
        if middle is None or each.before is None or each.after is None:
            first.append(Step(place=each.place, before=each.before, after=each.after))
        else:
            ends = (each.before, each.after)
            first.append(Step(place=each.place, before=each.before, after=middle, ends=ends))
            last.append(Step(place=each.place, before=middle, after=each.after, ends=ends))
    return (*first, *reversed(last))


def steps_back(plan: Plan) -> tuple[Step, ...]:
    """The way back: in the reverse order, with the groups that lost a rule to another, which need it again."""
    written = {each.place for each in in_order(plan.groups)}
    lost = [
        Step(place=each.place, before=each.after, after=each.before)
        for each in plan.groups
        if each.leaving and each.place not in written
    ]
    return (*lost, *(each.back for each in reversed(steps_of(plan))))


def apply(
    plan: Plan,
    target: Target,
    journal: Journal,
    on_error: OnError,
    at: str,
    by: str,
    *,
    override: str = "",
    beside: Beside = one_by_one,
    done: Callable[[Result], None] = untold,
) -> Outcome:
    """The plan carried out. Nothing is written before the journal holds it all. `override` is why no verdict was asked for; `done` is told of
    each group when it is over, from whatever thread."""
    book.begin(journal, plan, at, by, override)
    moving = frozenset(uid for each in plan.groups for uid in each.leaving)
    # A target of files judges itself what became of its own files.
    fresh = moving if plan.server.kind in ("grafana", "mimir") else None
    return _run(plan, target, journal, on_error, beside, done, fresh)


def resume(
    target: Target,
    journal: Journal,
    on_error: OnError,
    *,
    beside: Beside = one_by_one,
    done: Callable[[Result], None] = untold,
) -> Outcome:
    """An unfinished run carried on, from nothing but its journal."""
    return _run(book.plan_of(journal), target, journal, on_error, beside, done)


def undo(
    target: Target,
    journal: Journal,
    only: frozenset[Place] | None = None,
    *,
    beside: Beside = one_by_one,
    done: Callable[[Result], None] = untold,
) -> Outcome:
    """An unfinished, or finished, run taken back, from nothing but its journal. `only` takes back these groups, with those that gave or got a
    rule of theirs."""
    plan = book.plan_of(journal)
    steps = steps_back(plan)
    if only is not None:
        steps = _bound_to(steps, only)
    walk = _Walk(target=target, journal=journal, on_error="continue", beside=beside, done=done)
    results = walk.all(steps)
    undone = tuple(
        replace(each, state="undone" if each.state in ("written", "already") else "not-undone")
        for each in results
    )
    for folder in reversed(plan.folders) if only is None else ():
        try:
            stays = (
                "" if target.remove_folder(folder) else "it stays: the server does not say that it is empty"
            )
        except RemoteError as error:
            stays = error.message
        book.note(journal, "folder", uid=folder.uid, say=f"undone {stays}".strip())
    for each in undone if only is not None else ():
        book.note(journal, "undone", place=each.place, say=each.state)
    if not any(each.state == "failed" for each in results):
        # What could not be reached is still to be taken back: then this is no end.
        book.note(journal, "end", say=book.UNDONE)
    return Outcome(results=undone, undone=True)


def _bound_to(steps: Sequence[Step], only: frozenset[Place]) -> tuple[Step, ...]:
    """The steps of these groups, and of those they share a rule with."""
    wanted = set(only)
    while True:
        uids = {
            rule.uid
            for each in steps
            if each.place in wanted
            for group in (each.before, each.after)
            if group is not None
            for rule in group.rules
        }
        more = {
            each.place
            for each in steps
            for group in (each.before, each.after)
            if group is not None and any(rule.uid in uids for rule in group.rules)
        }
        if more <= wanted:
            return tuple(each for each in steps if each.place in wanted)
        wanted |= more


def _run(
    plan: Plan,
    target: Target,
    journal: Journal,
    on_error: OnError,
    beside: Beside,
    done: Callable[[Result], None],
    moving: frozenset[str] | None = None,
) -> Outcome:
    made = _folders(plan.folders, target, journal)
    steps = [each for each in steps_of(plan) if each.place.folder not in made]
    unmade = tuple(
        Result(place=each.place, state="failed", say=made[each.place.folder])
        for each in steps_of(plan)
        if each.place.folder in made
    )
    walk = _Walk(target=target, journal=journal, on_error=on_error, beside=beside, done=done, moving=moving)
    results = (*unmade, *walk.all(steps))
    failed = tuple(each for each in results if each.state == "failed")
    if on_error == "undo" and failed:
        return replace(undo(target, journal, beside=beside, done=done), failed=failed)
    if not (on_error == "stop" and failed):
        book.note(journal, "end")
    return Outcome(results=results)


def _folders(folders: Iterable[Folder], target: Target, journal: Journal) -> dict[str, str]:
    """The folders made; of those that could not be, why. Parents come first."""
    failed: dict[str, str] = {}
    for each in folders:
        book.note(journal, "folder", uid=each.uid)
        try:
            target.make_folder(each)
        except RemoteError as error:
            failed[each.uid] = error.message
    return failed


def _uids_of(target: Target) -> frozenset[str]:
    return frozenset(rule.uid for group in target.read().groups for rule in group.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """One way through steps, with everything they share."""

    target: Target
    journal: Journal
    on_error: OnError
    beside: Beside
    done: Callable[[Result], None]
    moving: frozenset[str] | None = None
    """Of a first try: the rules that the plan itself takes out of their group; any other that is gone, somebody else deleted. None where an
    earlier process may have got half way."""
    stop: threading.Event = field(default_factory=threading.Event)

    def all(self, steps: Sequence[Step]) -> tuple[Result, ...]:
        """What became of each, in their order."""
        if not steps:
            return ()
        found: dict[int, Result] = {}
        uids = set(_uids_of(self.target))
        for lanes in phases(steps):
            there = frozenset(uids)
            lanes = self._together(lanes, steps, found)
            self.beside(lanes, lambda lane, there=there: self._lane(lane, steps, there, found))  # type: ignore[misc]
            uids |= {uid for lane in lanes for index in lane for uid in _uids(steps[index].after)}
            if self.stop.is_set():
                break
        return tuple(
            found.get(index, Result(place=each.place, state="not-tried")) for index, each in enumerate(steps)
        )

    def _together(
        self, lanes: tuple[Lane, ...], steps: Sequence[Step], found: dict[int, Result]
    ) -> tuple[Lane, ...]:
        """The groups of a phase written at once where the target can, and what is left of the lanes: all that is not seen to be there afterwards
        goes the way of one group after another, which says why."""
        target, journal = self.target, self.journal
        indexes = [index for lane in lanes for index in lane]
        if not isinstance(target, InBatches) or len({steps[each].place for each in indexes}) < len(indexes):
            return lanes
        tried: list[int] = []
        try:
            tried = [each for each in indexes if self._on_the_way(steps[each])]
            if len(tried) < 2:
                return lanes
            for each in tried:
                book.note(journal, "write", place=steps[each].place, say=f"one of {len(tried)} at once")
            with suppress(Ambiguous):
                target.write_groups([(steps[each].place, steps[each].after) for each in tried])
            for each in tried:
                if same(target.read_group(steps[each].place), steps[each].after):
                    book.note(journal, "wrote", place=steps[each].place)
                    found[each] = Result(place=steps[each].place, state="written")
                    self.done(found[each])
        except MachineError as error:
            for each in tried:
                if each not in found:
                    book.note(journal, "failed", place=steps[each].place, say=error.message)
                    if isinstance(error, RemoteError) and not isinstance(error, Refused):
                        # A no left everything as it was, and each group is asked about by itself. Nothing heard says nothing.
                        self._fail(each, steps, error.message, found)
        return tuple(tuple(each for each in lane if each not in found) for lane in lanes)

    def _fail(self, index: int, steps: Sequence[Step], say: str, found: dict[int, Result]) -> None:
        found[index] = Result(place=steps[index].place, state="failed", say=say)
        self.done(found[index])
        if self.on_error in ("stop", "undo"):
            self.stop.set()

    def _on_the_way(self, step: Step) -> bool:
        """Whether the group is to be written, and nobody else changed it."""
        now = self.target.read_group(step.place)
        there = same(now, step.after) or (step.ends is not None and same(now, step.ends[1]))
        return not there and between(now, step.before, step.after)

    def _lane(
        self, lane: Lane, steps: Sequence[Step], there: frozenset[str], found: dict[int, Result]
    ) -> None:
        known = there
        for index in lane:
            if self.stop.is_set():
                return
            found[index] = self._step(steps[index], known)
            self.done(found[index])
            if len(lane) > 1:
                known |= _uids(steps[index].after)
            if found[index].state == "failed" and self.on_error in ("stop", "undo"):
                self.stop.set()

    def _step(self, step: Step, known: frozenset[str]) -> Result:
        target, journal = self.target, self.journal
        try:
            now = target.read_group(step.place)
            if same(now, step.after) or (step.ends is not None and same(now, step.ends[1])):
                return Result(place=step.place, state="already")
            gone = frozenset[str]()
            if self.moving is not None:
                gone = _uids(step.before) - _uids(now) - self.moving
            if gone or not between(now, step.before, step.after):
                book.note(journal, "failed", place=step.place, say="changed meanwhile")
                lost = f"{', '.join(sorted(gone)[:3])} is not in it any more"
                say = lost if gone else strange(now, step.before, step.after)
                return Result(place=step.place, state="changed-meanwhile", say=say)
            return _write(step, now, target, journal, known)
        except TocsinError as error:
            book.note(journal, "failed", place=step.place, say=error.message)
            return Result(place=step.place, state="failed", say=error.message)


def _uids(group: Group | None) -> frozenset[str]:
    return frozenset(each.uid for each in group.rules) if group is not None else frozenset()


def _write(step: Step, now: Group | None, target: Target, journal: Journal, known: frozenset[str]) -> Result:
    doubt = ""
    for attempt in range(_ATTEMPTS):
        book.note(journal, "write", place=step.place, say=f"attempt {attempt + 1}")
        doubt = ""
        try:
            _send(step, now, target, known)
        except (Ambiguous, Refused) as error:
            # 409 is how a database says that somebody wrote at the same moment: what is there now decides.
            if not isinstance(error, Ambiguous) and error.status != 409:
                raise
            doubt = error.message
        now = target.read_group(step.place)
        if same(now, step.after):
            book.note(journal, "wrote", place=step.place)
            return Result(
                place=step.place, state="written", say=f"{doubt}; read back: it is there" if doubt else ""
            )
        if not between(now, step.before, step.after):
            break
    say = "it is as it was" if same(now, step.before) else strange(now, step.before, step.after)
    if doubt:
        # What the server said is why, even where a fault of its own was no clear answer: a 9.x refuses with 500.
        say = f"{doubt}; read back: {say}"
    book.note(journal, "failed", place=step.place, say=say)
    return Result(place=step.place, state="failed", say=say)


def _send(step: Step, now: Group | None, target: Target, known: frozenset[str]) -> None:
    if step.after is not None:
        target.write_group(step.after, known)
        return
    if isinstance(target, WholeGroups):
        target.delete_group(step.place)
        return
    for rule in reversed(now.rules if now is not None else ()):
        if step.before is not None and any(each.uid == rule.uid for each in step.before.rules):
            target.delete_rule(rule, step.place)
