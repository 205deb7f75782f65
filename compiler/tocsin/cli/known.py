"""What a run would print when nothing changed since it last ran: known from names, sizes and times of the sources alone.

The answer is the printed text and the exit code, kept under everything they depend on: tocsin's own files, the day, the options, Git's HEAD, and the stat
of each source. A source touched within the last two seconds is too young: a second edit could leave no trace in its time, so such an answer is not
kept. Only this module and the standard library are imported on the way to a known answer, which is why it takes less than a tenth of a second.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tocsin
from tocsin.disk.cache import Cache, open_cache
from tocsin.disk.files import stat_tree
from tocsin.disk.head import head_stamp

_YOUNG_NS = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One command over one state of a repository; `key` is None where the answer may not be kept."""

    key: str | None
    cache: Cache

    def answer(self) -> tuple[str, int] | None:
        """What it printed last time, and its exit code; None where it is not known."""
        data = self.cache.get(self.key) if self.key is not None else None
        if data is None:
            return None
        code, newline, text = data.decode("utf-8", "surrogatepass").partition("\n")
        return (text, int(code)) if newline else None

    def keep(self, text: str, code: int) -> None:
        """Remembers the answer."""
        if self.key is not None:
            self.cache.put(self.key, f"{code}\n{text}".encode("utf-8", "surrogatepass"))


def question(root: Path, words: Sequence[str]) -> Question:
    """The question that a command with these words asks about `root`."""
    rows = stat_tree(root)
    newest = max((each[2] for each in rows), default=0)
    young = time.time_ns() - newest < _YOUNG_NS  # cli owns the clock
    hashed = hashlib.sha256(
        repr((str(root), tuple(words), rows, head_stamp(root))).encode("utf-8", "surrogatepass")
    ).hexdigest()
    return Question(key=None if young else f"known:{hashed}", cache=tool_cache())


@cache
def tool_cache() -> Cache:
    """The cache of exactly this tocsin: another version, or an edited one, never sees what this one kept."""
    return open_cache(f"{tocsin.__version__}-{own_files()}")


def own_files() -> str:
    """A digest of tocsin's own files by name, size and time: another one, or an edited one, has another."""
    found: list[tuple[str, int, int]] = []
    waiting = [Path(tocsin.__file__).parent]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    waiting.append(Path(entry.path))
            else:
                info = entry.stat()
                found.append((entry.path, info.st_size, info.st_mtime_ns))
    return hashlib.sha256(repr(sorted(found)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
