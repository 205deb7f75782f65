"""A live Prometheus evaluating rules every second, what its ALERTS were, and what a replay of the same history predicts.

Nothing depends on when anything runs. All samples carry their own times and are in the server before the first evaluation they are for. When each
group was evaluated is read from a series that the group itself records (`clock:done`), milliseconds included; an evaluation that a busy machine left
out is one that the grid misses. Afterwards the same server is asked by range queries at exactly those times, and the states are simulated from that.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
import yaml
from tests.equivalence import remote_write
from tests.oracle.cases import version
from tests.oracle.prometheus import Labels
from tests.real import components
from tests.real.servers import Server, ServerFailedError, running_prometheus

from tocsin.canary import machine
from tocsin.canary.decode import decode
from tocsin.canary.identity import identities
from tocsin.canary.values import Grid, Presence, RuleVersion
from tocsin.ir.duration import Duration, format_duration

EVALUATIONS = 40
AHEAD = 5
"""Seconds from the push of the samples to the first of them, on a machine that takes them at once; a slower one gets ten times what it needs."""
UNRESTORED = 2
"""Evaluations of a group that has just been started, of which nothing is written."""
LOOKBACK = "3s"
_CONFIG = "global: {scrape_interval: 1m, evaluation_interval: 1m}\nrule_files: [rules.yaml]\n"
Shown = frozenset[tuple[Labels, str, int]]
"""Alert, pending or firing, the time of the sample in milliseconds."""

_BUSY = "load > 50"
_SOME = 'load{host=~"[0-3]"} > 50'
_RATIO = "load / on (host) group_left () size > 0.5"
RULES: Mapping[str, Sequence[RuleVersion]] = {
    "plain": (
        version(name="AtOnce", expr=_BUSY),
        version(name="Waits", expr=_BUSY, for_ms=3000),
        version(name="Kept", expr=_BUSY, for_ms=2000, keep_ms=3000),
        version(name="KeptAtOnce", expr=_BUSY, keep_ms=2000, labels={"team": "db"}),
        version(name="Between", expr=_BUSY, for_ms=1500, keep_ms=2500),
        version(name="Silent", expr="absent(beat)", for_ms=2000, keep_ms=1000),
        version(name="Where", expr=_BUSY, for_ms=1000, labels={"host": "", "at": "{{ $labels.host }}/{{ $labels.rack }}"}),
        # Several hosts of a rack are one alert, and no evaluation while two of them are busy.
        version(name="Meets", expr='load{host=~"0|2"} > 50', for_ms=1000, keep_ms=2000, labels={"host": "any"}),
        version(name="Names", expr='{__name__=~"load|heat", host=~"0|1"} > 50', for_ms=2000),
        # Now and then a host has two sizes, which no division takes.
        version(name="Broken", expr=_RATIO, for_ms=2000, keep_ms=3000),
        version(name="BrokenAtOnce", expr=_RATIO),
    ),
    "two": (version(name="Few", expr=_SOME, for_ms=1000, limit=2),),
    "four": (
        version(name="FewAtOnce", expr=_BUSY, keep_ms=1000, limit=4),
        version(name="FewKept", expr=_BUSY, for_ms=1000, keep_ms=3000, limit=4),
    ),
    "shifted": (
        version(name="Shifted", expr=_BUSY, for_ms=2000, query_offset_ms=1300),
        version(name="ShiftedKept", expr=_BUSY, for_ms=1000, keep_ms=2000, query_offset_ms=1300),
        version(name="ShiftedSilent", expr="absent(beat)", for_ms=1000, query_offset_ms=1300),
    ),
}  # fmt: skip
"""Group -> alerts. Limits and offsets are settings of a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of a run: its grid (at query times), the answers to its expression there, and what the server stored of it."""

    version: RuleVersion
    grid: Grid
    raw: Presence
    stored: Shown
    first: int
    """The grid's index from which on the server writes ALERTS."""

    def predicted(self, room: ModuleType = machine, **changes: object) -> Shown:
        """What the replay says is in ALERTS, from the moment on at which a started group writes. `changes` are made to the version."""
        changed = replace(self.version, **changes)  # type: ignore[arg-type]
        return shown(self.raw, self.grid, changed, room, first=self.first)


def shown(
    raw: Presence, grid: Grid, version: RuleVersion, room: ModuleType = machine, first: int = 0
) -> Shown:
    """The samples of ALERTS that a replay of these answers predicts, from the grid's index `first` on."""
    presence, meets = identities(raw, version)
    timeline = room.simulate(presence, grid, version, meets)
    times = grid.times()
    return frozenset(
        (timeline.identities[row], state, int(times[at]))
        for state, (rows, ats) in (("pending", room.pending(timeline)), ("firing", room.firing(timeline)))
        for row, at in zip(rows.tolist(), ats.tolist(), strict=True)
        if at >= first
    )


class TooBusyError(AssertionError):
    """The machine left out so much that little could be compared: nothing was shown, and it may be tried again."""


@contextmanager
def running(label: str) -> Iterator[tuple[Server, Sequence[RuleVersion]]]:
    """A Prometheus of that version that has evaluated all there is to evaluate, and the alerts that it knows how to."""
    names = [name for name in RULES if name != "shifted" or label != "2.42"]
    flags = ["--web.enable-remote-write-receiver", f"--query.lookback-delta={LOOKBACK}"]
    files = {"rules.yaml": rule_file({name: RULES[name] for name in names})}
    with running_prometheus(components.prometheus(label), _CONFIG, files=files, flags=flags) as server:
        began = time.monotonic()
        remote_write.push(server.url, [((("__name__", "first_try"),), [(int(time.time() * 1000), 1.0)])])
        first = int(time.time() + AHEAD + 10 * (time.monotonic() - began)) * 1000
        remote_write.push(server.url, samples(first, EVALUATIONS))
        if time.time() * 1000 >= first - 1000:
            raise TooBusyError("the server was too slow to take its samples in time")
        end = first + (EVALUATIONS + 6) * 1000
        time.sleep(max(0.0, end / 1000 - time.time()))
        while any(_clock(server, name)[-1] < end for name in names):
            time.sleep(0.1)
        yield server, [each for name in names for each in RULES[name]]


def alerts(server: Server, versions: Sequence[RuleVersion]) -> Mapping[str, Alert]:
    """What the server did, by the name of the alert."""
    group_of = {each.name: name for name, those in RULES.items() for each in those}
    clocks = {name: _clock(server, name) for name in {group_of[each.name] for each in versions}}
    ends = min(times[-1] for times in clocks.values()) - 1000
    found: dict[str, Alert] = {}
    for each in versions:
        times = [at for at in clocks[group_of[each.name]] if at <= ends]
        grid, raw = answers(server, each.expr, _grid(times))
        stored = frozenset(it for it in _stored(server, each.name) if it[2] <= grid.end_ms)
        first = (times[UNRESTORED] - grid.start_ms) // grid.step_ms
        found[each.name] = Alert(version=each, grid=grid, raw=raw, stored=stored, first=first)
    return found


def rule_file(groups: Mapping[str, Sequence[RuleVersion]], interval: str = "1s", clock: bool = True) -> str:
    """The alerts as Prometheus reads them; each group with a clock, last."""
    document = []
    for name, versions in groups.items():
        ((limit, offset),) = {(each.limit, each.query_offset_ms) for each in versions}
        record = {"record": "clock:done", "expr": "time()", "labels": {"group": name}}
        document.append(
            {
                "name": name,
                "interval": interval,
                **({"limit": limit} if limit else {}),
                **({"query_offset": _text(offset)} if offset else {}),
                "rules": [*map(_alert, versions), *([record] if clock else [])],
            }
        )
    return yaml.safe_dump({"groups": document}, sort_keys=False)


def samples(first: int, count: int, step: int = 1000) -> list[tuple[Labels, list[remote_write.Sample]]]:
    """Six hosts in two racks that come and go, one sample a step from `first` on; a size for each, at times two; a beat that stops."""
    chance = random.Random(7)
    found: list[tuple[Labels, list[remote_write.Sample]]] = []
    for name in ("load", "heat"):
        for host in range(6):
            labels = (("__name__", name), ("host", str(host)), ("rack", "ab"[host % 2]))
            found.append((labels, _course(chance, first, count, step)))
    for host in range(6):
        found.append(((("__name__", "size"), ("host", str(host))), _while(range(count), 100.0, first, step)))
    beats = [number for number in range(count) if number % 12 < 5]
    found.append(((("__name__", "beat"),), _while(beats, 1.0, first, step)))
    twice = [*range(9, 11), *range(20, 23), 31]
    found.append(((("__name__", "size"), ("host", "0"), ("of", "old")), _while(twice, 100.0, first, step)))
    return found


def _while(numbers: Iterable[int], value: float, first: int, step: int) -> list[remote_write.Sample]:
    """That value at those numbers, known to be gone right after each row of them."""
    there = set(numbers)
    ends = {number + 1 for number in there} - there
    return [
        (first + number * step, value if number in there else remote_write.STALE_MARKER)
        for number in sorted(there | ends)
    ]


def _course(chance: random.Random, first: int, count: int, step: int) -> list[remote_write.Sample]:
    """High for a while, low for a while, missing now and then (the server looks back three steps), at times known to be gone."""
    out: list[remote_write.Sample] = []
    high, number = chance.random() < 0.5, 0
    while number < count:
        for _ in range(chance.randint(1, 7 if high else 4)):
            at = first + number * step + chance.randrange(0, step * 2 // 5)
            roll = chance.random()
            if roll < 0.06:
                out.append((at, remote_write.STALE_MARKER))
            elif roll > 0.12:
                out.append((at, 90.0 if high else 10.0))
            number += 1
        high = not high
    return [each for each in out if each[0] < first + count * step]


def _alert(it: RuleVersion) -> dict[str, object]:
    return {
        "alert": it.name,
        "expr": it.expr,
        "for": _text(it.for_ms),
        **({"keep_firing_for": _text(it.keep_ms)} if it.keep_ms else {}),
        **({"labels": dict(it.labels)} if it.labels else {}),
    }


def _text(milliseconds: int) -> str:
    return format_duration(Duration(milliseconds))


def _grid(times: Sequence[int]) -> Grid:
    """The grid on which these evaluations lie; what was left out is missed."""
    start, count = times[0], (times[-1] - times[0]) // 1000 + 1
    there = {(at - start) / 1000 for at in times}
    assert all(each.is_integer() for each in there), f"evaluated beside the grid: {times}"
    missed = [number for number in range(count) if number not in there]
    return Grid(start_ms=start, step_ms=1000, count=count, missed=np.array(missed, dtype=np.int32))


def answers(server: Server, expr: str, grid: Grid) -> tuple[Grid, Presence]:
    """The expression over the grid. Where it fails somewhere, at each evaluation by itself, and those at which it fails are missed."""
    try:
        return grid, range_query(server, expr, grid)
    except ServerFailedError:
        pass
    series: dict[Labels, int] = {}
    pairs: list[tuple[int, int]] = []
    missed = set(grid.missed.tolist())
    for number in range(grid.count):
        point = Grid(start_ms=grid.start_ms + number * grid.step_ms, step_ms=grid.step_ms, count=1)
        try:
            found = range_query(server, expr, point)
        except ServerFailedError:
            missed.add(number)
            continue
        pairs += [(series.setdefault(each, len(series)), number) for each in found.series]
    row, at = np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2).T.copy()
    grid = replace(grid, missed=np.array(sorted(missed), dtype=np.int32))
    return grid, Presence(series=tuple(series), row=row, at=at)


def range_query(server: Server, expr: str, grid: Grid) -> Presence:
    start, end = (f"{at / 1000:.3f}" for at in (grid.start_ms, grid.end_ms))
    step = f"{grid.step_ms / 1000:.3f}"
    answer = server.get("/api/v1/query_range", query=expr, start=start, end=end, step=step)
    return decode(json.dumps(answer).encode(), grid, values=False)


def _clock(server: Server, group: str) -> list[int]:
    """The times that samples of this group bear: of the evaluation, less its query offset."""
    found = _raw(server, f'clock:done{{group="{group}"}}')
    return found[0][1] if found else [0]


def _stored(server: Server, name: str) -> Iterator[tuple[Labels, str, int]]:
    for labels, times in _raw(server, f'ALERTS{{alertname="{name}"}}'):
        state = labels.pop("alertstate")
        for at in times:
            yield tuple(sorted(labels.items())), state, at


def _raw(server: Server, selector: str) -> list[tuple[dict[str, str], list[int]]]:
    return [
        (
            {name: value for name, value in each["metric"].items() if name != "__name__"},
            [round(at * 1000) for at, _ in each["values"]],
        )
        for each in server.query(f"{selector}[10m]")
    ]
