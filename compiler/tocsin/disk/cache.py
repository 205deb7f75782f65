"""What was computed before, by key: bytes in, the same bytes out, or nothing.

A cache is never believed. Entries live under the version of tocsin that wrote them (another version sees none
of them), carry a checksum, and whatever cannot be read, written or checked counts as absent: a full disk or a
read-only home makes tocsin slower, not wrong. The folder belongs to the user alone: entries are unpickled by
the caller, so nobody else may write there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 256_000_000
_SUM = 32
_ENTRY = re.compile(r"[0-9a-f]{2}/(?:[0-9a-f]{62}|\.[0-9a-f]{62}\.[0-9]+)")
"""Where an entry lies in its version's folder; with a dot, one that was never finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A folder of entries. `folder` is None where there is no usable one: then everything is absent and
    nothing is kept.
    """

    folder: Path | None
    limit: int = MAX_BYTES

    def get(self, key: str) -> bytes | None:
        """The bytes last put under `key`; None where there are none, or where they are damaged."""
        path = self._path(key)
        if path is None:
            return None
        try:
            data = path.read_bytes()
        except OSError:
            return None
        digest, body = data[:_SUM], data[_SUM:]
        if hashlib.sha256(key.encode() + b"\0" + body).digest() != digest:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        # Reading counts as use, so that eviction takes what nobody asks for.
        with contextlib.suppress(OSError):
            os.utime(path)
        return body

    def put(self, key: str, data: bytes) -> None:
        """Keeps `data` under `key`, whole or not at all."""
        path = self._path(key)
        if path is None or len(data) > self.limit:
            return
        beside = path.parent / f".{path.name}.{os.getpid()}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(
                beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(key.encode() + b"\0" + data).digest())
                file.write(data)
            beside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()

    def evict(self) -> int:
        """Removes the entries unused for longest until the rest fits the limit; says how many. Other
        versions' entries go first of all.
        """
        if self.folder is None:
            return 0
        entries = []
        try:
            # Only what has the shape of an entry: TOCSIN_CACHE may name a folder where other things live.
            paths = list(self.folder.parent.glob("*/??/*"))
        except OSError:
            # A folder that went while it was looked at, or that nobody may read: room is made next time.
            return 0
        for path in paths:
            with contextlib.suppress(OSError):
                info = path.lstat()
                if _ENTRY.fullmatch("/".join(path.parts[-2:])) and stat.S_ISREG(info.st_mode):
                    entries.append((self.folder in path.parents, info.st_mtime_ns, info.st_size, path))
        total, gone = sum(each[2] for each in entries), 0
        for _, _, size, path in sorted(entries):
            if total <= self.limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
                gone += 1
        return gone

    def _path(self, key: str) -> Path | None:
        if self.folder is None:
            return None
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / name[:2] / name[2:]


def open_cache(version: str, *, limit: int = MAX_BYTES) -> Cache:
    """The user's cache for this version of tocsin: below TOCSIN_CACHE, else XDG_CACHE_HOME, else ~/.cache.
    TOCSIN_CACHE=off means none.
    """
    return folder_below((version,), limit)


def folder_below(path: tuple[str, ...], limit: int) -> Cache:
    """The cache in this folder of the user's caches, made if need be; one that keeps nothing where others may write to it, or nobody can."""
    said = os.environ.get("TOCSIN_CACHE", "")
    if said == "off":
        return Cache(folder=None, limit=limit)
    try:
        home = (
            Path(said)
            if said
            else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin"
        )
        folder = home.joinpath(*path)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        info = folder.stat()
    except (OSError, RuntimeError):
        return Cache(folder=None, limit=limit)
    # What others may write to is not read: an entry is unpickled.
    mine = info.st_uid == os.geteuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return Cache(folder=folder if mine else None, limit=limit)
