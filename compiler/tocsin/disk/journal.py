"""A journal in a file: one line of JSON an entry, on disk before `append` returns.

A line that was cut short by a crash is no entry: what it announced had not begun. `MachineError` where the file cannot be kept.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from tocsin.errors import MachineError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class FileJournal:
    """Entries in `path`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self._path)

    def append(self, entry: Json, /) -> None:
        """One line more, flushed to the disk, and the folder with it where the file is new."""
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"
        with self._lock:
            self._write(line.encode("utf-8", "surrogatepass"))

    def restart(self) -> None:
        """What is there goes to `NAME.last`, and what was there before is gone."""
        self._check()
        try:
            self._path.replace(self._path.with_name(f"{self._path.name}.last"))
        except OSError as error:
            raise MachineError(f"the journal {self._path} cannot be put aside: {error.strerror}") from None

    def _check(self) -> None:
        """A device may be read for ever, and would be put aside under another name."""
        try:
            mode = self._path.stat().st_mode
        except OSError:
            return  # What is wrong with it is told by whoever opens it.
        if not stat.S_ISREG(mode):
            raise MachineError(f"the journal {self._path} is no file", help="name another with --journal")

    def _write(self, data: bytes) -> None:
        self._check()
        try:
            new = not self._path.exists()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            if new:
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except OSError as error:
            raise MachineError(
                f"the journal {self._path} cannot be written: {error.strerror}",
                help="name another with --journal; without one nothing is changed",
            ) from None

    def entries(self) -> Sequence[Json]:
        """Every whole line."""
        self._check()
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise MachineError(f"the journal {self._path} cannot be read: {error.strerror}") from None
        whole = data.rpartition(b"\n")[0]
        found: list[Json] = []
        for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
            try:
                found.append(json.loads(line))
            except ValueError:
                raise MachineError(f"{self._path}:{number} is no entry of a journal") from None
        return found
