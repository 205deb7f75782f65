"""Asking a server for what a plan needs, and for as little more as it takes.

A `Fetch` is one question under way; several share the threads of a `Fetcher`, so that the server always has `workers` requests and nobody waits for
the slowest. What comes back goes into the cache piece by piece as it comes: a run that is broken off is not lost.

- TooMuch: half as many points, down to 60; the rest of the question is then asked in that size.
- Unanswerable: half of the times, down to the one evaluation that fails, which the live rule failed at, too (its grid index is `missed`).
- Unfit: the answer is not used, nor asked for again.
- More samples than memory is meant for (`_SAMPLES`): nothing more is asked.

Sampling never sees an evaluation that fails between two samples; none of these can change what fires, and one that is sampled ends the sampling.
"""

from __future__ import annotations

import contextlib
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
from tocsin.canary.fetcher import Fetcher, NotReplayable
from tocsin.canary.narrow import MOST, narrowed
from tocsin.canary.planner import Piece, Question, batches, pieces
from tocsin.canary.source import TooMuch, Unanswerable, Unfit
from tocsin.canary.stored import cut, joined, moved, ordered, pack, unpack
from tocsin.canary.values import Grid, Ints, Presence

_HOPELESS: Final = 127
"""So many parts of a question failed and none was answered (all of its 1/64ths): it is not the times that are wrong."""
_ROUNDS: Final = 8
_SAMPLES: Final = 4_000_000
"""What one answer may hold: a hundred series there all through two weeks. A replay takes some 80 bytes of memory for each (measured)."""
_CELLS: Final = 8_000_000
"""Keys times evaluations of the close-ups of one question: three bytes each, and as many again while they are worked on."""


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
            found.append(self._fetcher.workers.submit(partial(self.ask, question, batch)))
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
        start, end = question.time_ms(span.first), question.time_ms(span.last)
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


def _halves(span: Piece) -> list[Piece]:
    half = span.count // 2
    behind = span.first + half * span.stride
    return [replace(span, count=half), replace(span, first=behind, count=span.count - half)]
