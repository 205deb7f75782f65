"""What the replay needs of a server that holds history. `remote` satisfies it; what differs between servers stands in `SourceCaps`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from tocsin.canary.sampled import Coarse

Flavour = Literal["prometheus", "victoriametrics", "mimir", "thanos", "grafana"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCaps:
    """One flavour's limits and habits. `points` is the most a series may have in one answer; `params` go with every range query."""

    flavour: Flavour
    points: int
    workers: int
    params: tuple[tuple[str, str], ...] = ()
    exact: bool = True
    """False where the same query repeated, or cut differently, answers differently in some points."""
    why: str = ""
    """Why it is not exact, in the word of `approx(...)`."""
    coarse: Coarse = "ranges"
    """For which expressions sampling first and looking closely after saves anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One group as the server evaluates it: its latest evaluation, 0 where it has none."""

    group: str
    file: str
    interval_ms: int
    evaluated_ms: int
    alerts: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """Who answers: for the record, and for caches. `id` is the address without credentials."""

    id: str
    flavour: Flavour
    build: str
    lookback_ms: int = 300_000


class TooMuch(Exception):
    """The server refuses this much at once (422, 413, a timeout, too many points): ask for less."""


class Unanswerable(Exception):
    """The query itself fails there and then (two series meet, a type is wrong); `said` is the server's sentence."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Unfit(Exception):
    """The answer must not be used: partial, with warnings, downsampled. The reason is the text."""


class MetricSource(Protocol):
    """A server. Each method may raise a `TocsinError` of the door when the server cannot be reached."""

    @property
    def caps(self) -> SourceCaps: ...

    def info(self) -> SourceInfo:
        """Who it is."""

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        """The JSON body of a range query, both ends included. TooMuch, Unanswerable, Unfit."""

    def raw(self, selector: str, at_ms: int, back_ms: int) -> bytes:
        """The JSON body of a raw look-back `selector[back]` at a time: stored samples with their own times."""

    def groups(self) -> Iterable[Seen]:
        """What it evaluates now; nothing where it has no ruler."""


class Cache(Protocol):
    """Answers kept between runs, by key. What is written is there whole or not at all."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...
