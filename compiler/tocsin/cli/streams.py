"""Stdout and stderr that never end a command: whoever reads them may go away or run out of room.

In: the process' own two streams. Out: streams in their place. A reader who left (`tocsin sync ... | head -1`) changes neither what a command does
nor how it ends: a sync goes on to its last group, and a check with errors still ends with 1. Output that a full disk did not take is remembered, for
the exit code to say. A stream that was closed before we started (`>&-`) is one that nobody reads.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Patient(io.FileIO):
    """A descriptor that leads nowhere from its first failure on."""

    lost: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BlockingIOError:
            raise  # a terminal or pipe of somebody who asked not to wait: Python says so
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes


def protect() -> None:
    """Puts patient streams in the place of the process' own; any other (a test's) is left alone."""
    while sys.__stdout__ is None or sys.__stderr__ is None:
        # The lowest free number is taken, so that no file of ours becomes what others take for stdout.
        if os.open(os.devnull, os.O_RDWR) > 2:
            break
    if sys.stdout is sys.__stdout__:
        sys.stdout = _over(sys.__stdout__, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _over(sys.__stderr__, 2)


def lost_output() -> OSError | None:
    """What kept the result from being written; None where it was written, or nobody wanted it."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, _Patient) else None


def _over(old: TextIO | None, descriptor: int) -> TextIO:
    if old is not None:
        old.flush()
    raw = _Patient(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=old.encoding if old is not None else "utf-8",
        # `strict` would be a traceback for every `…` in a locale that has none.
        errors=old.errors if old is not None and old.errors != "strict" else "backslashreplace",
        line_buffering=raw.isatty() or descriptor == 2,
        write_through=False,
    )
