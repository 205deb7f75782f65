"""A bar for long work, on stderr, only where a person watches, and only once it has taken a second."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
_PATIENCE = 1.0


def watch(items: Sequence[_T], what: str) -> Iterator[_T]:
    """`watched` for items that can be counted: what the pipeline takes."""
    return watched(items, len(items), what)


def watched(items: Iterable[_T], total: int, what: str) -> Iterator[_T]:
    """The items as they come; a bar appears after a second when stderr is a terminal, and goes away at the end."""
    if not sys.stderr.isatty():
        yield from items
        return
    start = time.monotonic()
    done = 0
    pending = iter(items)
    for item in pending:
        done += 1
        yield item
        if time.monotonic() - start > _PATIENCE:
            break
    else:
        return
    # rich costs 35 ms to import: only work that is slow anyway pays for it.
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task(what, total=total, completed=done)
        for item in pending:
            progress.advance(task)
            yield item


@contextmanager
def counter(total: int, what: str) -> Iterator[Callable[[], None]]:
    """A bar for work that several threads do: each calls what is given once an item is over. Nothing is drawn where no person watches, or
    before the work has taken a second."""
    if not sys.stderr.isatty() or not total:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    start, done, lock = time.monotonic(), 0, threading.Lock()
    progress = Progress(console=Console(file=sys.stderr), transient=True)
    task = progress.add_task(what, total=total)

    def advance() -> None:
        nonlocal done
        with lock:
            done += 1
            if time.monotonic() - start > _PATIENCE and not progress.live.is_started:
                progress.start()
            progress.update(task, completed=done)

    try:
        yield advance
    finally:
        progress.stop()


@contextmanager
def spent(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left for work whose size is known only on the way: what is given takes how much is done, and of how much. Told by one
    thread at a time."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import Progress

    progress, start = Progress(console=Console(file=sys.stderr), transient=True), time.monotonic()
    task = progress.add_task(what, total=None)

    def told(done: int, of: int) -> None:
        if time.monotonic() - start > _PATIENCE and not progress.live.is_started:
            progress.start()
        progress.update(task, completed=done, total=of)

    try:
        yield told
    finally:
        progress.stop()
