"""A second process for half of the work, where the machine has a second core.

The child is a copy of this process (fork), so what was read before is there without being sent; only answers travel, as pickles over a pipe
that nobody else can reach. Where there is no fork, or one core, the work is done here: same answers, later.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")
_LENGTH = struct.Struct(">Q")


class Pipe:
    """One end of a line between parent and child."""

    def __init__(self, read: int, write: int) -> None:
        self._in = os.fdopen(read, "rb")
        self._out = os.fdopen(write, "wb")

    def send(self, value: object) -> None:
        """Sends one value."""
        data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        self._out.write(_LENGTH.pack(len(data)))
        self._out.write(data)
        self._out.flush()

    def receive(self) -> object:
        """The next value. EOFError where the other side died."""
        head = self._in.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise EOFError("the other process ended early")
        return pickle.loads(self._in.read(_LENGTH.unpack(head)[0]))  # our own child wrote it

    def close(self) -> None:
        """Lets go of the line."""
        self._in.close()
        self._out.close()


class Second(Generic[_T]):
    """The child: started with a function that talks over a `Pipe`."""

    def __init__(self, work: Callable[[Pipe], None]) -> None:
        down_read, down_write = os.pipe()
        up_read, up_write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(down_write)
            os.close(up_read)
            status = 1
            try:
                pipe = Pipe(down_read, up_write)
                work(pipe)
                status = 0
            except KeyboardInterrupt:
                status = 130
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                # No clean-up of the parent's things: buffers, temporary files, exit handlers belong to it.
                os._exit(status)
        os.close(down_read)
        os.close(up_write)
        self.pipe = Pipe(up_read, down_write)

    def end(self) -> None:
        """Waits for the child."""
        self.pipe.close()
        os.waitpid(self.pid, 0)


def cores() -> int:
    """How many cores this process may use; 1 where fork does not exist."""
    if not hasattr(os, "fork"):
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
