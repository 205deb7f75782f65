"""Random rules over random histories, and what the sequential ports make of them, to be held against the machine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from tests.oracle.grafana import Manager
from tests.oracle.prometheus import AlertingRule, Labels, alert_labels

from tocsin.canary.identity import identities
from tocsin.canary.values import NEVER, OPEN, VIA_KEEP, Grid, Presence, RuleVersion, Timeline
from tocsin.ir.compiled import RuleKey

Spell = tuple[Labels, int, int, int, bool]
"""Alert, active, fired (NEVER), resolved (NEVER), whether keep_firing_for bridged a gap in it."""
State = tuple[Labels, int, str]
"""Alert, grid index, pending or firing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A history: which series are in the answer at each index, None where the evaluation failed."""

    version: RuleVersion
    start_ms: int
    step_ms: int
    series: tuple[Labels, ...]
    answers: tuple[tuple[int, ...] | None, ...]

    @property
    def grid(self) -> Grid:
        missed = [number for number, answer in enumerate(self.answers) if answer is None]
        return Grid(
            start_ms=self.start_ms,
            step_ms=self.step_ms,
            count=len(self.answers),
            missed=np.array(missed, dtype=np.int32),
        )

    @property
    def raw(self) -> Presence:
        """As a decoder gives it; a failed evaluation may have any series, which nobody may look at."""
        pairs = sorted(
            (row, at)
            for at, answer in enumerate(self.answers)
            for row in (range(len(self.series)) if answer is None else answer)
        )
        row, at = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
        return Presence(series=self.series, row=row.copy(), at=at.copy())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was shown: states of every evaluation, spells, and the grid indices at which the rule itself failed."""

    states: frozenset[State]
    spells: frozenset[Spell]
    failed: frozenset[int]


def version(**settings: object) -> RuleVersion:
    """A rule of which only its machine matters."""
    base = RuleVersion(
        key=RuleKey("prod", "a"),
        digest="",
        name="Busy",
        expr="up",
        for_ms=0,
        keep_ms=0,
        labels={},
        interval_ms=1000,
    )
    return replace(base, **settings)  # type: ignore[arg-type]


def prometheus_case(seed: int) -> Case:
    """One of the small histories in which everything meets: short runs, boundaries of `for` and keep, failures, limits, series of one alert."""
    chance = random.Random(seed)
    step = chance.choice([1000, 15_000, 30_000])
    count = chance.randint(1, 45)
    labels = chance.choice(
        [{}, {}, {"team": "db"}, {"zone": "all"}, {"where": "{{ $labels.zone }}", "no": ""}]
    )
    series = _series(chance)
    return Case(
        version=version(
            for_ms=_duration(chance, step, 6),
            keep_ms=chance.choice([0, _duration(chance, step, 6)]),
            labels=labels,
            interval_ms=step,
            limit=chance.choice([0, 0, 0, 1, 2, 3]),
        ),
        start_ms=1_700_000_000_000 + chance.randrange(step),
        step_ms=step,
        series=series,
        answers=_answers(chance, len(series), count, chance.choice([0.0, 0.0, 0.1, 0.3])),
    )


def grafana_case(seed: int, *, emitted: bool) -> Case:
    """The same for a Grafana; `emitted` keeps to the settings that tocsin sends to a version that knows them all."""
    chance = random.Random(seed)
    step = chance.choice([10_000, 60_000])
    count = chance.randint(1, 40)
    series = tuple((("host", str(number)),) for number in range(chance.randint(1, 4)))
    other = {
        "missing_evals": chance.choice([1, 2, 2, 3]),
        "no_data": chance.choice(["OK", "Alerting", "NoData", "KeepLast"]),
        "exec_err": chance.choice(["OK", "Alerting", "Error", "KeepLast"]),
    }
    base = version(
        machine="grafana",
        shape=chance.choice(["promql", "promql", "split"]),
        for_ms=_duration(chance, step, 5),
        keep_ms=chance.choice([0, _duration(chance, step, 5)]),
        interval_ms=step,
    )
    return Case(
        version=base if emitted else replace(base, **other),  # type: ignore[arg-type]
        start_ms=1_700_000_000_000,
        step_ms=step,
        series=series,
        answers=_answers(chance, len(series), count, chance.choice([0.0, 0.1, 0.3])),
    )


def machine(case: Case, room: ModuleType) -> Outcome:
    """What the machine under test says: `room` has the functions of `tocsin.canary.machine`."""
    presence, meets = identities(case.raw, case.version)
    timeline: Timeline = room.simulate(presence, case.grid, case.version, meets)
    name = timeline.identities
    return Outcome(
        frozenset(
            (name[row], at, state)
            for state, (rows, ats) in (("pending", room.pending(timeline)), ("firing", room.firing(timeline)))
            for row, at in zip(rows.tolist(), ats.tolist(), strict=True)
        ),
        frozenset(_spells(timeline)),
        frozenset(timeline.failed.tolist()),
    )


def prometheus_oracle(case: Case) -> Outcome:
    """What the sequential port says."""
    rule = AlertingRule(case.version.for_ms, case.version.keep_ms, case.version.limit)
    name = [alert_labels(each, case.version.labels, case.version.name) for each in case.series]
    told = _Told()
    for at, answer in enumerate(case.answers):
        now = case.start_ms + at * case.step_ms
        shown = rule.evaluate(now, None if answer is None else [name[row] for row in answer])
        if shown is None:
            if answer is not None:
                told.failed.add(at)
            if not rule.alerts:
                told.close(now)
            continue
        told.tell(
            at, now, {who: (it.state, it.active_at, it.kept_since is not None) for who, it in shown.items()}
        )
    told.close(NEVER)
    return told.outcome()


def grafana_oracle(case: Case) -> Outcome:
    """What the sequential port of the other machine says."""
    it = case.version
    apart = it.missing_evals > 1 and it.exec_err != "KeepLast"
    manager = Manager(
        case.step_ms,
        it.for_ms,
        it.keep_ms,
        it.missing_evals,
        it.no_data,
        it.exec_err,
        apart=apart,
        split=it.shape == "split",
    )
    name = [tuple(sorted((*each, ("alertname", it.name)))) for each in case.series]
    words = {"Pending": "pending", "Alerting": "firing", "Recovering": "firing"}
    told = _Told()
    for at, answer in enumerate(case.answers):
        now = case.start_ms + at * case.step_ms
        shown = {
            name[row]: (words[state], began, state == "Recovering")
            for row, (state, began, _) in manager.evaluate(now, answer).items()
        }
        told.tell(at, now, shown, hidden=answer is None)
    told.close(NEVER)
    return told.outcome()


def lines(timeline: Timeline, rows: int) -> Iterator[str]:
    """P, F or a dot at every index, as the spells have it: failed evaluations show what they leave standing."""
    times = timeline.grid.times()
    for row in range(rows):
        line = np.full(times.size, ".")
        for spell in np.flatnonzero(timeline.row == row):
            active, fired, resolved = (
                int(column[spell]) for column in (timeline.active_ms, timeline.fired_ms, timeline.resolved_ms)
            )
            inside = (times >= active) & ((times < resolved) | (resolved == NEVER))
            line[inside] = "P"
            if fired != NEVER:
                line[inside & (times >= fired)] = "F"
        yield "".join(line.tolist())


class _Told:
    """States as they come, and the spells they make."""

    def __init__(self) -> None:
        self.states: set[State] = set()
        self.spells: set[Spell] = set()
        self.failed: set[int] = set()
        self.open: dict[Labels, Spell] = {}
        self.kept: set[Labels] = set()

    def tell(
        self, at: int, now: int, shown: Mapping[Labels, tuple[str, int, bool]], *, hidden: bool = False
    ) -> None:
        for who in [who for who, it in self.open.items() if who not in shown or shown[who][1] != it[1]]:
            self._end(who, now)
        for who, (state, active, kept) in shown.items():
            if not hidden:
                self.states.add((who, at, state))
            _, _, fired, _, bridged = self.open.get(who, (who, active, NEVER, NEVER, False))
            if state == "firing" and fired == NEVER:
                fired = now
            bridged = bridged or (who in self.kept and not kept)
            self.open[who] = (who, active, fired, NEVER, bridged)
            (self.kept.add if kept else self.kept.discard)(who)

    def close(self, now: int) -> None:
        for who in list(self.open):
            self._end(who, now)

    def _end(self, who: Labels, now: int) -> None:
        _, active, fired, _, bridged = self.open.pop(who)
        self.kept.discard(who)
        self.spells.add((who, active, fired, now, bridged))

    def outcome(self) -> Outcome:
        return Outcome(frozenset(self.states), frozenset(self.spells), frozenset(self.failed))


def _spells(timeline: Timeline) -> Iterator[Spell]:
    columns = (timeline.row, timeline.active_ms, timeline.fired_ms, timeline.resolved_ms, timeline.flags)
    for row, active, fired, resolved, flags in zip(*(each.tolist() for each in columns), strict=True):
        assert bool(flags & OPEN) == (resolved == NEVER)
        yield timeline.identities[row], active, fired, resolved, bool(flags & VIA_KEEP)


def _series(chance: random.Random) -> tuple[Labels, ...]:
    names = ["a"] if chance.random() < 0.7 else ["a", "b"]
    found = [
        (("__name__", name), ("host", str(host)), ("zone", zone))
        for name in names
        for host in range(chance.randint(1, 3))
        for zone in ("x", "y")
    ]
    return tuple(chance.sample(found, chance.randint(1, min(5, len(found)))))


def _duration(chance: random.Random, step: int, most: int) -> int:
    """On a boundary as often as beside it."""
    whole = chance.randint(0, most) * step
    return max(0, whole + chance.choice([0, 0, 0, -1, 1, step // 2]))


def _answers(
    chance: random.Random, rows: int, count: int, failing: float
) -> tuple[tuple[int, ...] | None, ...]:
    there = [_presence(chance, count) for _ in range(rows)]
    answers: list[tuple[int, ...] | None] = [
        tuple(row for row in range(rows) if there[row][at]) for at in range(count)
    ]
    for at in range(count):
        if chance.random() < failing:
            for failed in range(at, min(count, at + chance.choice([1, 1, 2, 4]))):
                answers[failed] = None
    return tuple(answers)


def _presence(chance: random.Random, count: int) -> Sequence[bool]:
    longest, quiet = chance.choice([(3, 3), (9, 3), (3, 9), (12, 6)])
    found: list[bool] = []
    on = chance.random() < 0.5
    while len(found) < count:
        found += [on] * chance.randint(1, longest if on else quiet)
        on = not on
    return found[:count]
