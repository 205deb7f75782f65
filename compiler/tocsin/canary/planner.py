"""Which questions answer everything: pure, so that `--dry-run` prints what a run will do.

    Pair* -> Question*      versions that need the same answer share it; a question has a grid, and a stride where sampling first is enough

Three savings, each exact (measured: canary of 200 rules, 22,751 episodes, none differs):

- **one question for many versions**: the same expression at the same times, whoever asks. Old and new version of a changed `for` are one question.
- **limits are compared here** (`threshold`): the loosest is asked, with values.
- **sample first** (stride L): what fires was there at L = ceil(for / interval) + 1 evaluations in a row, so every L-th evaluation shows it; the
  neighbourhood of a hit is then asked for, of the series that were hit (`narrow`). Spells that only ever were pending may be missed; nothing counts
  those. What is sampled, `sampled` says.

A replay begins `for` + `keep_firing_for` + one interval before the window: after that long, its state no longer depends on what was before, but for
the chains that `replay` looks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from tocsin.canary.sampled import sampled
from tocsin.canary.source import SourceCaps, SourceInfo
from tocsin.canary.threshold import Limit, loosest, question, same
from tocsin.canary.values import Grid, Pair, RuleVersion, Window

DAY_MS: Final = 86_400_000
_LONGEST_STRIDE: Final = 20
_SHORTEST_STRIDE: Final = 3
Side = Literal["old", "new"]
PhaseOf = Callable[[RuleVersion], tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may cost a server: requests, and seconds from its beginning."""

    requests: int = 2_000
    seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What the planner may do to ask for less; all of it leaves every firing episode as it is."""

    share: bool = True
    limits: bool = True
    coarse: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is. `left` is seconds, None as long as nothing can be said."""

    done: int
    of: int
    requests: int
    left: float | None


def _nobody(_progress: Progress) -> None:
    """Watches nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The clock of a run and who is told how it goes (from one thread at a time)."""

    now_ms: int
    monotonic: Callable[[], float]
    told: Callable[[Progress], None] = _nobody


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Want:
    """One version that an answer is for. `limit` is what is left to compare here."""

    pair: int
    side: Side
    version: RuleVersion
    limit: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """`expr` at `grid`'s times less `offset_ms`; `stride` 1 asks for all of them. `warm` is the index of the window's first evaluation."""

    expr: str
    grid: Grid
    offset_ms: int
    wants: tuple[Want, ...]
    warm: int
    stride: int = 1
    settle: int = 1
    """Evaluations without any sample after which everything has resolved."""
    values: bool = False

    def time_ms(self, index: int) -> int:
        """The query's time for an evaluation."""
        return self.grid.start_ms + index * self.grid.step_ms - self.offset_ms

    def points(self, stride: int) -> int:
        """Evaluations that are asked for."""
        return -(-(self.grid.count - self.ahead(0, stride)) // stride)

    def ahead(self, first: int, stride: int) -> int:
        """How far from an index to the next one that is sampled: strides count from 1970, so that tomorrow's run samples the same times."""
        return -(self.grid.start_ms // self.grid.step_ms + first) % stride

    def requests(self, stride: int, caps: SourceCaps) -> int:
        """Requests that take no more than the server gives at once."""
        return len(batches(pieces(self, 0, self.grid.count, stride, caps.points), caps.points))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What a run asks for. `requests` and `points` count sampled questions as sampled; `at_most` are the points when every sample hits."""

    source: SourceInfo
    questions: tuple[Question, ...]
    requests: int
    points: int
    at_most: int
    versions: int
    """How many versions are replayed; less questions than that are what sharing saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Grid indices `first`, `first + stride`, ..., `count` of them, all of one UTC day or part of it: what a cache holds under one key."""

    first: int
    count: int
    stride: int

    @property
    def last(self) -> int:
        """Its last index."""
        return self.first + self.stride * (self.count - 1)


@dataclass(slots=True, eq=False)
class _Asked:
    """A question that is being put together."""

    offset_ms: int
    phase_ms: int
    wants: list[Want] = field(default_factory=list)


def make_plan(
    pairs: Sequence[Pair],
    window: Window,
    info: SourceInfo,
    caps: SourceCaps,
    *,
    phase_of: PhaseOf | None = None,
    savings: Savings | None = None,
    replayed: Callable[[RuleVersion], bool] | None = None,
) -> Plan:
    """The questions, in the order of the pairs. Without `phase_of` phases are taken as 0, which is enough for an estimate, and versions of other
    groups never share. `replayed` may leave versions out."""
    savings = savings or Savings()
    asked: dict[tuple[object, ...], _Asked] = {}
    for number, pair in enumerate(pairs):
        for side, version in _sides(pair):
            if version.exactness.level == "not-backtestable" or (replayed and not replayed(version)):
                continue
            phase = phase_of(version)[0] if phase_of else 0
            text, limit = question(version.expr) if savings.limits else (same(version.expr), None)
            place = () if phase_of else (version.group, version.file)
            key: tuple[object, ...] = (text, version.interval_ms, phase, version.query_offset_ms, *place)
            if not savings.share:
                key = (*key, number, side)
            into = asked.setdefault(key, _Asked(version.query_offset_ms, phase))
            into.wants.append(Want(pair=number, side=side, version=version, limit=limit))
    questions = tuple(_question(each, window, caps, savings) for each in asked.values())
    return Plan(
        source=info,
        questions=questions,
        requests=sum(each.requests(each.stride, caps) for each in questions),
        points=sum(each.points(each.stride) for each in questions),
        at_most=sum(
            each.points(1) + (each.points(each.stride) if each.stride > 1 else 0) for each in questions
        ),
        versions=sum(len(each.wants) for each in questions),
    )


def grid_of(window: Window, phase_ms: int, interval_ms: int, warm_ms: int) -> tuple[Grid, int]:
    """The evaluations from `warm_ms` before the window to its end, and the index of the first inside it."""
    first = -(-(window.start_ms - warm_ms - phase_ms) // interval_ms)
    inside = -(-(window.start_ms - phase_ms) // interval_ms)
    behind = -(-(window.end_ms - phase_ms) // interval_ms)
    grid = Grid(start_ms=phase_ms + first * interval_ms, step_ms=interval_ms, count=max(behind - first, 1))
    return grid, inside - first


def pieces(asked: Question, first: int, count: int, stride: int, points: int) -> list[Piece]:
    """The indices from `first` on, `count` of the grid, cut where a UTC day of query time begins, and evenly within days that hold more than
    `points`."""
    grid = asked.grid
    start = grid.start_ms - asked.offset_ms
    ahead = asked.ahead(first, stride)
    first, count = first + ahead, count - ahead
    step = grid.step_ms * stride
    parts = max(1, -(-(DAY_MS // step) // points))
    length = max(DAY_MS // parts, 1)
    found = []
    end = first + count
    while first < end:
        at = start + first * grid.step_ms
        until = (at // length + 1) * length
        here = min(-(-(until - at) // step), -(-(end - first) // stride), points)
        found.append(Piece(first=first, count=here, stride=stride))
        first += here * stride
    return found


def batches(each: Iterable[Piece], points: int) -> list[list[Piece]]:
    """Neighbours together, as long as their points fit one answer: fewer and longer requests cost a VictoriaMetrics much less (14 s of CPU at
    10,000 points, 24 s at 1,000, measured) and nobody more."""
    found: list[list[Piece]] = []
    held = 0
    for piece in each:
        last = found[-1][-1] if found else None
        if last is not None and last.last + last.stride == piece.first and held + piece.count <= points:
            found[-1].append(piece)
            held += piece.count
        else:
            found.append([piece])
            held = piece.count
    return found


def warmup_ms(version: RuleVersion) -> int:
    """How long before the window a replay begins: whole evaluations, for it takes three of two minutes to fire after five. Under a limit, those that
    are kept from before count, so they are to be gone first."""
    interval = version.interval_ms
    missing = version.missing_evals if version.machine == "grafana" else 0
    kept = -(-version.keep_ms // interval) * (2 if version.limit else 1)
    return (-(-version.for_ms // interval) + kept + 1 + missing) * interval


def earlier(asked: Question, by: int) -> Question:
    """The same question, begun `by` evaluations earlier and asked in full."""
    grid = asked.grid
    longer = Grid(
        start_ms=grid.start_ms - by * grid.step_ms,
        step_ms=grid.step_ms,
        count=grid.count + by,
        missed=(grid.missed + by).astype(grid.missed.dtype),
    )
    return replace(asked, grid=longer, warm=asked.warm + by, stride=1)


def _question(asked: _Asked, window: Window, caps: SourceCaps, savings: Savings) -> Question:
    versions = [each.version for each in asked.wants]
    interval = versions[0].interval_ms
    grid, warm = grid_of(window, asked.phase_ms, interval, max(map(warmup_ms, versions)))
    expr, values, wants = versions[0].expr, False, asked.wants
    limits = {each.limit for each in wants if each.limit is not None}
    if len(limits) > 1:
        most = loosest(limits)
        expr = next(each.version.expr for each in wants if each.limit == most)
        values = True
        wants = [replace(each, limit=None) if each.limit == most else each for each in wants]
    else:
        wants = [replace(each, limit=None) for each in wants]
    stride = min(map(_stride, versions)) if savings.coarse and sampled(expr, interval, caps.coarse) else 1
    return Question(
        expr=expr,
        grid=grid,
        offset_ms=asked.offset_ms,
        wants=tuple(wants),
        warm=warm,
        stride=stride if stride >= _SHORTEST_STRIDE else 1,
        settle=max(-(-each.keep_ms // interval) for each in versions) + 1,
        values=values,
    )


def _stride(version: RuleVersion) -> int:
    """How many evaluations in a row anything that fires is there; 1 where what is merely pending counts (a limit), and for a Grafana, whose
    pending series may be missing in between."""
    if version.machine == "grafana" or version.limit > 0:
        return 1
    return min(-(-version.for_ms // version.interval_ms) + 1, _LONGEST_STRIDE)


def _sides(pair: Pair) -> Iterable[tuple[Side, RuleVersion]]:
    sides: Mapping[Side, RuleVersion | None] = {"old": pair.old, "new": pair.new}
    return [(side, version) for side, version in sides.items() if version is not None]
