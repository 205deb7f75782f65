"""Asking a server for what a plan needs, and for as little more as it takes.

A `Fetch` is one question under way; several share the pool of a `Fetcher`, so that the server always has `workers` requests and nobody waits for
the slowest. What comes back goes into the cache piece by piece as it comes: a run that is broken off is not lost.

- TooMuch: half as many points, down to 60; the rest of the question is then asked in that size.
- Unanswerable: half of the times, down to the one evaluation that fails, which the live rule failed at, too (its grid index is `missed`).
- Unfit: the answer is not used, nor asked for again.
- More samples than memory is meant for (`_SAMPLES`): nothing more is asked.
- A source that slows down under the asking (`pace`; questions of the beginning, asked again, settle it): nothing more is asked in this run.

Sampling never sees an evaluation that fails between two samples; none of these can change what fires, and one that is sampled ends the sampling.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from tocsin.canary.closeups import FLOOR, Closeups
from tocsin.canary.decode import decode
from tocsin.canary.narrow import MOST, carried, narrowed
from tocsin.canary.pace import Pace, Timed
from tocsin.canary.planner import Budget, Piece, Progress, Question, Watch, batches, pieces
from tocsin.canary.source import Cache, MetricSource, TooMuch, Unanswerable, Unfit
from tocsin.canary.stored import FORMAT, cut, joined, moved, ordered, pack, unpack
from tocsin.canary.threshold import same
from tocsin.canary.values import Grid, Ints, Presence
from tocsin.canary.workers import Workers

_SETTLED_MS: Final = 2 * 3_600_000 + 600_000
"""Younger than two hours and some time for what comes in late, history may still change: it is not kept."""
_BISECTIONS: Final = 500
_SHARE: Final = 8
"""One question may spend this part of the run's requests on finding the times at which it fails: the rules behind it are to be asked, too."""
_HOPELESS: Final = 127
"""So many parts of a question failed and none was answered (all of its 1/64ths): it is not the times that are wrong."""
_ROUNDS: Final = 8
_SAMPLES: Final = 4_000_000
"""What one answer may hold: a hundred series there all through two weeks. A replay takes some 80 bytes of memory for each (measured)."""
_CELLS: Final = 8_000_000
"""Keys times evaluations of the close-ups of one question: three bytes each, and as many again while they are worked on."""


class NotReplayable(Exception):
    """Why this question has no answer; the text ends up in `not-backtestable(...)`."""


class Spent(NotReplayable):
    """The budget is used up."""


class Slowed(NotReplayable):
    """The source answers more slowly than at first."""


class _Failing(Exception):
    """A sample hit an evaluation that fails, or a close-up has no answer: all is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What was there, on the grid with its failed evaluations."""

    presence: Presence
    grid: Grid
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Got:
    """Part of an answer, in indices of the question's grid."""

    presence: Presence
    missed: Ints


class Fetcher:
    """One run's way to one server: its pool, budget, cache and counts. Use it in a `with`."""

    def __init__(self, source: MetricSource, cache: Cache | None, budget: Budget, watch: Watch) -> None:
        self.source, self.cache, self.watch = source, cache, watch
        self.caps, self.info = source.caps, source.info()
        self.requests = 0
        self.reading = threading.Lock()
        """Held while an answer is read: two at once are no quicker in Python, and take twice the memory."""
        self._budget = budget
        self.bisections = min(_BISECTIONS, budget.requests // _SHARE)
        """Parts of one question that may fail."""
        self._began = watch.monotonic()
        self._lock = threading.Lock()
        self._workers = Workers(self.caps.workers)
        self._pace = Pace()
        self._nowhere: dict[str, bool] = {"": True}
        self._points = self._done = 0

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        # A person who presses Ctrl-C does not wait for an answer that takes a minute.
        stopped = kind is not None and not issubclass(kind, Exception)
        self._workers.close(wait=not stopped)

    def begin(self, question: Question) -> Fetch:
        """Sends off the first requests of a question."""
        return Fetch(self, question)

    def submit(self, fetch: Fetch, question: Question, batch: Sequence[Piece]) -> Future[list[_Got]]:
        """Has a worker ask for neighbouring pieces in one request."""
        return self._workers.submit(partial(fetch.ask, question, batch))

    @property
    def spare(self) -> int:
        """Requests until half of them are spent: from then on few that cost more are better than many that cost less."""
        return max(self._budget.requests // 2 - self.requests, 0)

    def nowhere(self, question: Question) -> bool:
        """Whether no series that a question reads carries a label that its rules set; False where the server does not say."""
        asked = carried(question, self.info.lookback_ms)
        if asked is None:
            return False
        query, at = asked
        if query not in self._nowhere:
            try:
                self.take()
                body = self.source.range(query, at, at, question.grid.step_ms)
                found = decode(body, Grid(start_ms=at, step_ms=question.grid.step_ms, count=1), values=False)
            except (NotReplayable, TooMuch, Unanswerable, Unfit):
                return False
            self._nowhere[query] = not len(found.at)
        return self._nowhere[query]

    def take(self, count: int = 1) -> None:
        """Counts requests about to be sent; `Spent` where the budget has none left, `Slowed` where the source has had enough."""
        if self._pace.slow:
            raise Slowed("the source slowed down")
        with self._lock:
            elapsed = self.watch.monotonic() - self._began
            if self.requests + count > self._budget.requests:
                raise Spent(f"budget: {self._budget.requests} requests are used up")
            if elapsed > self._budget.seconds:
                raise Spent(f"budget: {self._budget.seconds:g} s are used up")
            self.requests += count

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        """The source's answer, timed. As `MetricSource.range`; `take` is called before."""
        request = (expr, start_ms, end_ms, step_ms)
        began = self.watch.monotonic()
        try:
            body = self.source.range(*request)
        except TooMuch:
            self._settle(self._pace.took(Timed(self.watch.monotonic() - began)))
            raise
        self._settle(self._pace.took(Timed(self.watch.monotonic() - began, request)))
        return body

    def _settle(self, doubt: Sequence[Timed] | None) -> None:
        """Asks questions of the beginning again, where the latest answers came late."""
        if doubt is None:
            return
        late = []
        for each in doubt:
            assert each.request is not None, "only what was answered is asked again"
            try:
                self.take()
            except NotReplayable:
                # Whatever is still to be asked is refused by the same budget.
                return
            began = self.watch.monotonic()
            with contextlib.suppress(TooMuch, Unanswerable, Unfit):
                self.source.range(*each.request)
            late.append(each.late(self.watch.monotonic() - began))
        self._pace.settle(late)

    def expect(self, points: int) -> None:
        """So many evaluations will be asked for, beyond those said before."""
        with self._lock:
            self._points += points

    def arrived(self, points: int) -> None:
        """So many evaluations are answered; tells whoever watches."""
        with self._lock:
            self._done += points
            of = max(self._points, self._done)
            elapsed = self.watch.monotonic() - self._began
            left = elapsed / self._done * (of - self._done) if self._done else None
            self.watch.told(Progress(done=self._done, of=of, requests=self.requests, left=left))

    def key(self, question: Question, piece: Piece) -> str | None:
        """Under which a piece is kept; None for one that may still change, and where nothing is kept."""
        start = _time(question, piece.first)
        end = _time(question, piece.last)
        if self.cache is None or end > self.watch.now_ms - _SETTLED_MS:
            return None
        step = question.grid.step_ms * piece.stride
        words = (FORMAT, self.info.id, self.info.flavour, self.info.build, *map(str, (start, end, step)))
        text = "\0".join((*words, str(question.values), same(question.expr)))
        return hashlib.sha256(text.encode()).hexdigest()


class Fetch:
    """One question under way."""

    def __init__(self, fetcher: Fetcher, question: Question) -> None:
        self._fetcher = fetcher
        self._question = question
        self._lock = threading.Lock()
        self._most = fetcher.caps.points
        self._bisections = self._answered = self._samples = 0
        self._requests = 0
        self._begun = self._send(question, [(0, question.grid.count)], question.stride)

    def finish(self) -> Answer:
        """Waits for the whole answer. `NotReplayable` where there is none."""
        question = self._question
        try:
            if question.stride == 1:
                return self._answer(self._gather(self._begun))
            with contextlib.suppress(_Failing):
                return self._answer(self._around(self._gather(self._begun)))
            for each in self._begun:
                each.cancel()
            self._fetcher.expect(question.grid.count)
            self._most, self._samples = self._fetcher.caps.points, 0
            self._begun = self._send(question, [(0, question.grid.count)], 1)
            return self._answer(self._gather(self._begun))
        finally:
            # Whoever replays the answer does not need its parts, which are as large.
            for each in self._begun:
                each.cancel()
            self._begun = []

    def ask(self, question: Question, batch: Sequence[Piece]) -> list[_Got]:
        """A worker's part: neighbouring pieces in as few requests as the server allows, each piece kept."""
        first, stride = batch[0].first, batch[0].stride
        whole = Piece(first=first, count=sum(each.count for each in batch), stride=stride)
        got = self._whole(question, whole)
        for piece in batch:
            key = self._fetcher.key(question, piece)
            if key is not None and self._fetcher.cache is not None:
                inside = (got.missed >= piece.first) & (got.missed <= piece.last)
                part = cut(got.presence, piece.first, piece.count, stride)
                self._fetcher.cache.put(key, pack(part, ((got.missed[inside] - piece.first) // stride)))
        return [got]

    def _send(
        self, question: Question, spans: Iterable[tuple[int, int]], stride: int
    ) -> list[Future[list[_Got]]]:
        """Futures of everything in the spans (first index, count): from the cache, or under way."""
        found: list[Future[list[_Got]]] = []
        open_pieces: list[Piece] = []
        for first, count in spans:
            for piece in pieces(question, first, count, stride, self._fetcher.caps.points):
                kept = self._kept(question, piece)
                if kept is None:
                    open_pieces.append(piece)
                    continue
                ready: Future[list[_Got]] = Future()
                ready.set_result([kept])
                found.append(ready)
                self._fetcher.arrived(piece.count)
        for batch in batches(open_pieces, self._fetcher.caps.points):
            found.append(self._fetcher.submit(self, question, batch))
        return found

    def _kept(self, question: Question, piece: Piece) -> _Got | None:
        key = self._fetcher.key(question, piece)
        data = self._fetcher.cache.get(key) if key is not None and self._fetcher.cache is not None else None
        stored = unpack(data) if data is not None else None
        if stored is None:
            return None
        presence, missed = stored
        self._hold(len(presence.at))
        return _Got(
            presence=moved(presence, piece.first, piece.stride),
            missed=(missed * piece.stride + piece.first).astype(np.int32),
        )

    def _gather(self, futures: Sequence[Future[list[_Got]]]) -> list[_Got]:
        return [got for future in futures for got in future.result()]

    def _answer(self, parts: Sequence[_Got]) -> Answer:
        question = self._question
        presence = ordered(joined([each.presence for each in parts], values=question.values))
        missed = [each.missed for each in parts if each.missed.size]
        if not missed:
            return Answer(presence=presence, grid=question.grid, requests=self._requests)
        at = np.unique(np.concatenate(missed)).astype(np.int32)
        grid = replace(question.grid, missed=at)
        return Answer(presence=presence, grid=grid, requests=self._requests)

    def _around(self, samples: list[_Got]) -> list[_Got]:
        """The neighbourhoods of the samples that hit, each until everything has resolved; of the series that were hit, where that is exact."""
        question = self._question
        settle = question.settle
        # What is kept firing over short runs before the window is seen in full, or the warm-up could not be judged.
        warm = question.warm + 1 if settle > 1 else 0
        part = narrowed(question, sorted({labels for each in samples for labels in each.presence.series}))
        found: list[_Got] = []
        if part.labels and (not self._fetcher.spare or not self._fetcher.nowhere(question)):
            part = replace(part, labels=())
        if part.labels and warm:
            found = self._more([(question.expr, [(0, warm)])])
        keys = {part.key(labels) for each in (*samples, *found) for labels in each.presence.series} or {()}
        if len(keys) > min(MOST, _CELLS // question.grid.count):
            part, keys, found = replace(part, labels=()), {()}, []
        close = Closeups(question, part, keys, self._fetcher.caps.points)
        close.want(warm, there=bool(found))
        for each in samples:
            close.hit(each.presence, question.stride, question.stride + settle - 1)
        for each in found:
            close.hit(each.presence, 0, settle)
            close.failed(each.missed, settle)
        for turn in range(_ROUNDS + 1):
            asked = close.next(most=self._fetcher.spare if turn < _ROUNDS else 0)
            if not asked:
                break
            got = [replace(each, presence=close.kept(each.presence)) for each in self._more(asked)]
            for each in got:
                close.hit(each.presence, 0, settle)
                close.failed(each.missed, settle)
            found += got
        return found

    def _more(self, asked: Sequence[tuple[str | None, list[tuple[int, int]]]]) -> list[_Got]:
        """What the expressions have in their stretches. `_Failing` where one cannot be written."""
        self._begun = []
        self._fetcher.expect(sum(count for _, spans in asked for _, count in spans))
        for expr, spans in asked:
            if expr is None:
                raise _Failing
            self._begun += self._send(replace(self._question, expr=expr), spans, 1)
        return self._gather(self._begun)

    def _whole(self, question: Question, asked: Piece) -> _Got:
        """The answer to one span, asked for in parts where it must be."""
        queue = deque([asked])
        parts: list[Presence] = []
        missed: list[int] = []
        while queue:
            span = queue.popleft()
            if span.count > self._most:
                queue.extendleft(reversed(_halves(span)))
                continue
            try:
                part = self._one(question, span)
            except TooMuch as much:
                if span.count <= FLOOR:
                    self._whole_again(question)
                    raise NotReplayable(f"the server refuses even {span.count} points: {much}") from None
                with self._lock:
                    self._most = min(self._most, max(span.count // 2, FLOOR))
                queue.extendleft(reversed(_halves(span)))
            except Unanswerable as error:
                self._failed(error, question, span)
                if span.count == 1:
                    missed.append(span.first)
                    self._fetcher.arrived(1)
                else:
                    # Breadth first: a query that fails at all times is known for one after 127 requests.
                    queue.extend(_halves(span))
            except Unfit as unfit:
                self._whole_again(question)
                raise NotReplayable(str(unfit)) from None
            else:
                with self._lock:
                    self._answered += 1
                self._hold(len(part.at))
                parts.append(moved(part, span.first, span.stride))
                self._fetcher.arrived(span.count)
        whole = parts[0] if len(parts) == 1 else joined(parts, values=question.values)
        return _Got(presence=whole, missed=np.array(sorted(missed), dtype=np.int32))

    def _one(self, question: Question, span: Piece) -> Presence:
        """One request."""
        start, end = _time(question, span.first), _time(question, span.last)
        step = question.grid.step_ms * span.stride
        self._fetcher.take()
        with self._lock:
            self._requests += 1
        body = self._fetcher.range(question.expr, start, end, step)
        grid = Grid(start_ms=start, step_ms=step, count=span.count)
        with self._fetcher.reading:
            return decode(body, grid, values=question.values)

    def _hold(self, samples: int) -> None:
        """Counts samples that stay in memory. `NotReplayable` where they are too many: an expression that is nearly always true, of many series."""
        with self._lock:
            self._samples += samples
            if self._samples > _SAMPLES:
                raise NotReplayable(
                    f"more than {_SAMPLES:,} samples in the window: too many series, too often; a shorter window has fewer"
                )

    def _whole_again(self, question: Question) -> None:
        """`_Failing` where it is one about some series: what is wrong with it (its length, say) is nothing against the rule."""
        if question.expr != self._question.expr:
            raise _Failing

    def _failed(self, error: Unanswerable, question: Question, span: Piece) -> None:
        """Counts a part that fails. `NotReplayable` where going on would find nothing, or cost too much."""
        if span.stride > 1:
            raise _Failing
        self._whole_again(question)
        with self._lock:
            self._bisections += 1
            bisections, answered = self._bisections, self._answered
        if not answered and bisections >= min(_HOPELESS, 2 * self._question.grid.count - 1):
            raise NotReplayable(f"the query fails at all times: {error.said}")
        if bisections > self._fetcher.bisections:
            raise NotReplayable(f"the query fails at too many times: {error.said}")


def _time(question: Question, index: int) -> int:
    """The query's time for an evaluation."""
    return question.grid.start_ms + index * question.grid.step_ms - question.offset_ms


def _halves(span: Piece) -> list[Piece]:
    half = span.count // 2
    behind = span.first + half * span.stride
    return [replace(span, count=half), replace(span, first=behind, count=span.count - half)]
