"""One run's way to one server: its threads, budget, pace, cache and counts.

Where half of the requests are spent, nobody makes more of them to save something else. A source that slows down under the asking (`pace`; questions
of the beginning, asked again, settle it) is asked nothing more in this run.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Sequence
from typing import Final

from tocsin.canary.decode import decode
from tocsin.canary.narrow import carried
from tocsin.canary.pace import Pace, Timed
from tocsin.canary.planner import Budget, Piece, Progress, Question, Watch
from tocsin.canary.source import Cache, MetricSource, TooMuch, Unanswerable, Unfit
from tocsin.canary.stored import FORMAT
from tocsin.canary.threshold import same
from tocsin.canary.values import Grid
from tocsin.canary.workers import Workers

_SETTLED_MS: Final = 2 * 3_600_000 + 600_000
"""Younger than two hours and some time for what comes in late, history may still change: it is not kept."""
_BISECTIONS: Final = 500
_SHARE: Final = 8
"""One question may spend this part of the run's requests on finding the times at which it fails: the rules behind it are to be asked, too."""


class NotReplayable(Exception):
    """Why this question has no answer; the text ends up in `not-backtestable(...)`."""


class Spent(NotReplayable):
    """The budget is used up."""


class Slowed(NotReplayable):
    """The source answers more slowly than at first."""


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
        self.workers = Workers(self.caps.workers)
        self._pace = Pace()
        self._nowhere: dict[str, bool] = {"": True}
        self._points = self._done = 0

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        # A person who presses Ctrl-C does not wait for an answer that takes a minute.
        stopped = kind is not None and not issubclass(kind, Exception)
        self.workers.close(wait=not stopped)

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
        start = question.time_ms(piece.first)
        end = question.time_ms(piece.last)
        if self.cache is None or end > self.watch.now_ms - _SETTLED_MS:
            return None
        step = question.grid.step_ms * piece.stride
        words = (FORMAT, self.info.id, self.info.flavour, self.info.build, *map(str, (start, end, step)))
        text = "\0".join((*words, str(question.values), same(question.expr)))
        return hashlib.sha256(text.encode()).hexdigest()
