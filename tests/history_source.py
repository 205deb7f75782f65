"""A metric server in memory for tests of the replay: what each series holds is a function of time; how it fails is another.

It answers as a Prometheus does, in the bytes of its interface, and remembers every request. `version` makes a rule version, `episodes` says what of a
replay must be the same whatever was saved on the way.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tocsin.canary.capabilities import CAPS
from tocsin.canary.source import Seen, SourceCaps, SourceInfo
from tocsin.canary.values import CARRIED_IN, NEVER, OPEN, Pair, Replay, RuleVersion
from tocsin.ir.compiled import RuleKey

DAY = 86_400_000
START = 19_700 * DAY
"""A midnight of 2023."""
Value = Callable[[int], float | None]
Fault = Callable[["Asked"], None]
_LIMIT = re.compile(
    r"^(?:last_over_time)?\(?(?P<name>\w+)(?:\{(?P<matchers>[^}]*)\})?(?:\[\w+\])?\)? +(?P<op>>=?|<=?) +(?P<value>[-0-9.]+)$"
)
_MATCHER = re.compile(r'(\w+)(=~?|!=)"([^"]*)"')
LOOKING_BACK = "last_over_time(load[30s])"
"""What is sampled before it is asked for in full, as any expression with a range."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One range query as it came."""

    expr: str
    start: int
    end: int
    step: int

    @property
    def points(self) -> int:
        return (self.end - self.start) // self.step + 1


def no_fault(_asked: Asked) -> None:
    """Answers everything."""


@dataclass
class FakeSource:
    """`series` maps labels to values in time; an expression is `name > 0.8`, over all series, whatever their name, that have what its matchers ask
    for; `last_over_time` of it is the same. Questions about which labels there are (`count(present_over_time(...))`) look at labels alone."""

    series: Mapping[tuple[tuple[str, str], ...], Value]
    caps: SourceCaps = CAPS["prometheus"]
    fault: Fault = no_fault
    seen: tuple[Seen, ...] = ()
    stored: Callable[[str, int, int], bytes] | None = None
    build: str = "3.5.0"
    ranges: list[Asked] = field(default_factory=list)
    raws: list[str] = field(default_factory=list)
    labels_asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def info(self) -> SourceInfo:
        return SourceInfo(id="http://fake", flavour=self.caps.flavour, build=self.build)

    def groups(self) -> Iterable[Seen]:
        return self.seen

    def raw(self, selector: str, at_ms: int, back_ms: int) -> bytes:
        self.raws.append(selector)
        return self.stored(selector, at_ms, back_ms) if self.stored else matrix([])

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        asked = Asked(expr, start_ms, end_ms, step_ms)
        found = _LIMIT.match(expr)
        if found is None:
            # The questions about ALERTS and about how far history reaches are no part of what is counted.
            return self._other(expr, asked)
        with self.lock:
            self.ranges.append(asked)
        self.fault(asked)
        limit = float(found["value"])
        beats: dict[str, Callable[[float], bool]] = {
            ">": lambda value: value > limit,
            ">=": lambda value: value >= limit,
            "<": lambda value: value < limit,
            "<=": lambda value: value <= limit,
        }
        beat = beats[found["op"]]
        result = []
        for labels, value_at in self.series.items():
            if not _matches(labels, found["matchers"] or ""):
                continue
            values = [(t, value_at(t)) for t in range(start_ms, end_ms + 1, step_ms)]
            points = [[t / 1000, repr(value)] for t, value in values if value is not None and beat(value)]
            if points:
                result.append({"metric": dict(labels), "values": points})
        return matrix(result)

    def _other(self, expr: str, asked: Asked) -> bytes:
        if "ALERTS" in expr and self.stored is None:
            return matrix([])
        if expr.startswith("count(present_over_time("):
            self.labels_asked.append(expr)
            one = [{"metric": {}, "values": [[asked.end / 1000, "1"]]}]
            asked_for = re.findall(r"\{([^}]*)\}", expr)
            return matrix(
                one if any(_matches(each, text) for each in self.series for text in asked_for) else []
            )
        times = range(asked.start, asked.end + 1, asked.step)
        there = [t for t in times if any(value(t) is not None for value in self.series.values())]
        return matrix([{"metric": {"alertname": "A"}, "values": [[t / 1000, "1"] for t in there]}])


def _matches(labels: tuple[tuple[str, str], ...], matchers: str) -> bool:
    """Whether a series has what is asked for; the name counts for nothing here."""
    had = {**dict(labels), "__name__": ""}
    for label, op, value in _MATCHER.findall(matchers.replace("\\\\", "\\")):
        here = had.get(label, "")
        if (
            label != "__name__"
            and not {"=": here == value, "!=": here != value, "=~": re.fullmatch(value, here) is not None}[op]
        ):
            return False
    return True


def matrix(result: list[dict[str, Any]], **more: object) -> bytes:
    """The body of an answer, without a blank, as servers write it."""
    document = {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}
    return json.dumps(document, separators=(",", ":")).encode()


def wave(seed: int, *, level: float = 0.5, swing: float = 0.4) -> Value:
    """Slow waves with a noise that is the same in every run."""

    @cache
    def at(t: int) -> float:
        noise = ((t // 1000 * 2_654_435_761 + seed * 40_503) % 1_000) / 1_000 - 0.5
        return round(level + swing * math.sin(t / 3_000_000 + seed) + 0.2 * noise, 3)

    return at


def version(expr: str = "load > 0.8", **more: Any) -> RuleVersion:
    """A version of an alert A, evaluated every 30 s."""
    fields: dict[str, Any] = {
        "key": RuleKey(env="prod", id="a"),
        "digest": "",
        "name": "A",
        "expr": expr,
        "for_ms": 0,
        "keep_ms": 0,
        "labels": {"severity": "P1"},
        "interval_ms": 30_000,
        "group": "g",
    }
    return RuleVersion(**{**fields, **more})


def pair(old: RuleVersion | None, new: RuleVersion | None) -> Pair:
    key = old.key if old is not None else new.key if new is not None else RuleKey(env="", id="")
    return Pair(key=key, old=old, new=new)


Episode = tuple[tuple[tuple[str, str], ...], int, int, int]


def episodes(replay: Replay | None) -> list[Episode]:
    """Every firing: identity, from when, until when, whether carried in or open. What only was pending is left out: sampling may not see it."""
    assert replay is not None
    if "holds nothing" in replay.exactness.text:  # of a history without a sample nothing is replayed
        return []
    assert replay.timeline is not None, replay
    line = replay.timeline
    return sorted(
        (line.identities[row], int(fired), int(resolved), int(flags) & (CARRIED_IN | OPEN))
        for row, fired, resolved, flags in zip(
            line.row, line.fired_ms, line.resolved_ms, line.flags, strict=True
        )
        if fired != NEVER
    )
