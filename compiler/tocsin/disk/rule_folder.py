"""A folder that a server reads its rule files from, and that others write to as well: one file at a time, whole or not at all.

What is not a plain file (a link, a folder) is not ours to read or replace. A half-written file never has a name the server looks for: Go's
patterns match names that begin with a dot, and Grafana refuses files of any other suffix, so it lies in the folder above where that is possible.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
from pathlib import Path

from tocsin.errors import MachineError

_MARK = ".tocsin-half-"


class RuleFolder:
    """The folder `path`, which must exist. MachineError where the disk refuses; with `read_only` nothing is written, and who tries has a bug."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        if not path.is_dir():
            raise MachineError(
                f"there is no folder {path}", help="name the folder that the server reads its rules from"
            )

    @property
    def where(self) -> str:
        """The folder's real path."""
        return str(self.path.resolve())

    def names(self) -> tuple[str, ...]:
        """Every plain file in it, by name."""
        return tuple(sorted(each.name for each in self.path.iterdir() if stat.S_ISREG(each.lstat().st_mode)))

    def read(self, name: str) -> str | None:
        """The text of a file, None where there is none. A link in its place is an error: it is somebody else's."""
        path = self._path(name)
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise MachineError(f"{path} is not a plain file", help="it is not one of ours; move it away")
            return path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise MachineError(f"{path} cannot be read: {error}") from None

    def write(self, name: str, text: str) -> None:
        """The file with that text, on the disk when this returns."""
        self._admit()
        self.read(name)
        path = self._path(name)
        try:
            try:
                self._replace(path, self.path.resolve().parent, text)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EACCES, errno.EROFS, errno.EPERM):
                    raise
                self._replace(path, self.path, text)
        except OSError as error:
            raise MachineError(f"{path} cannot be written: {error.strerror}") from None

    def remove(self, name: str) -> None:
        """The file gone; one that is gone already is fine."""
        self._admit()
        if self.read(name) is None:
            return
        try:
            self._path(name).unlink(missing_ok=True)
            _flush(self.path)
        except OSError as error:
            raise MachineError(f"{self._path(name)} cannot be removed: {error.strerror}") from None

    def _admit(self) -> None:
        if self._read_only:
            raise RuntimeError(f"{self.path} was opened for reading")

    def _path(self, name: str) -> Path:
        if not name or "/" in name or "\0" in name or name in (".", ".."):
            raise ValueError(f"not the name of a file: {name!r}")
        return self.path / name

    def _replace(self, path: Path, beside: Path, text: str) -> None:
        stem = f"{_MARK}{self.path.resolve().name}-{path.name}."
        half = beside / f"{stem}{os.getpid()}"
        for old in beside.glob(f"{glob.escape(stem)}*"):
            with contextlib.suppress(OSError):
                old.unlink()
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode("utf-8"))
                stream.flush()
                os.fsync(stream.fileno())
            half.replace(path)
            _flush(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                half.unlink()
            raise


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
