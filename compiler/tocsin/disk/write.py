"""The only writer of the output folder: artifacts in, the folder made equal to them, what changed out.

Three things must hold whatever happens. A file is the old one or the new one, never a half of either (written
beside, then renamed). What we did not write is not removed: `.tocsin-files` in the folder lists what is ours,
and it names a new file before that file appears, so a run that is killed leaves nothing behind that the next
run would not know. And nothing is written through a symbolic link: the folder may have come with a stranger's
branch.

Only `OWNED` is ever touched; the site and its working files live in the same folder and belong to others.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tocsin.errors import MachineError

OWNED = ("alertmanager", "grafana", "kubernetes", "prometheus", "tests", "catalog.json", "manifest.json")
"""The names in the output folder that are made equal to the artifacts; folders with everything we wrote below
them.
"""
LISTING = ".tocsin-files"
SOURCES = ("rules", "sops", "incidents", "site", "compiler", ".git", ".github")
_BESIDE = ".tocsin-new-"


class Output(Protocol):
    """One file to be: what `ir.artifact.Artifact` is. `path` is relative to the output folder, with forward
    slashes.
    """

    @property
    def path(self) -> str: ...

    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Paths relative to the output folder, each tuple sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the folder already equals the artifacts."""
        return not (self.added or self.changed or self.removed)


def _none(path: str) -> bool:
    return False


def write(
    artifacts: Iterable[Output], out: Path, *, root: Path | None = None, keep: Callable[[str], bool] = _none
) -> Changes:
    """Makes `out` equal to `artifacts` and says what that changed.

    `keep` names old files that stay although nothing produces them now (a frozen service). `root` is the
    repository: `out` may be neither it, nor above it, nor one of its source folders, nor a link out of it.
    MachineError where the folder is refused, or the disk refuses.
    """
    wanted = _wanted(artifacts)
    try:
        admit(out, root)
        before = _listed(out)
        changes = _compare(wanted, out, before, keep)
        if changes.nothing and before == _ours(wanted, before, out, keep):
            return changes
        out.mkdir(parents=True, exist_ok=True)
        _clean(out, {*wanted, *before})
        # First the names, then the files: what a killed run leaves is known to the next one.
        _list(out, before | set(wanted))
        for path in (*changes.added, *changes.changed):
            _replace(out / path, wanted[path])
        for path in changes.removed:
            _remove(out, path)
        _list(out, _ours(wanted, before, out, keep))
    except OSError as error:
        message = f"cannot write {error.filename or out}: {os.strerror(error.errno or 0).lower()}"
        raise MachineError(message, help="check the disk's space and the folder's permissions") from error
    return changes


def write_file(path: Path, text: str) -> None:
    """One file outside the output folder, whole or not at all. MachineError where the disk refuses."""
    try:
        _replace(path, text.encode("utf-8"))
    except OSError as error:
        message = f"cannot write {error.filename or path}: {os.strerror(error.errno or 0).lower()}"
        raise MachineError(message) from error


def write_together(files: Mapping[Path, bytes]) -> None:
    """Files outside the output folder, each whole; all of them stand beside their places before the first takes its own, so that a full disk changes
    nothing. MachineError where the disk refuses."""
    beside: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            beside[path] = _beside(path, data)
        for path, made in beside.items():
            made.replace(path)
    except OSError as error:
        message = f"cannot write {error.filename or 'a file'}: {os.strerror(error.errno or 0).lower()}"
        raise MachineError(message, help="check the disk's space and the folder's permissions") from error
    finally:
        for made in beside.values():
            with contextlib.suppress(OSError):
                made.unlink()


def compare(artifacts: Iterable[Output], out: Path, *, keep: Callable[[str], bool] = _none) -> Changes:
    """What `write` would change in `out`; touches nothing."""
    try:
        return _compare(_wanted(artifacts), out, _listed(out), keep)
    except OSError as error:
        raise MachineError(
            f"cannot read {error.filename or out}: {os.strerror(error.errno or 0).lower()}"
        ) from error


def _wanted(artifacts: Iterable[Output]) -> dict[str, bytes]:
    wanted: dict[str, bytes] = {}
    for each in artifacts:
        steps = each.path.split("/")
        if (
            steps[0] not in OWNED
            or not all(step and step not in (".", "..") for step in steps)
            or "\0" in each.path
            or "\\" in each.path
        ):
            raise ValueError(f"not a path of the output folder: {each.path!r}")
        if each.path in wanted:
            raise ValueError(f"two artifacts of one path: {each.path!r}")
        wanted[each.path] = each.text.encode("utf-8")
    return dict(sorted(wanted.items()))


def _compare(
    wanted: dict[str, bytes], out: Path, before: frozenset[str], keep: Callable[[str], bool]
) -> Changes:
    added: list[str] = []
    changed: list[str] = []
    same: list[str] = []
    safe: set[str] = set()
    for path, data in wanted.items():
        _plain_folders(out, path, safe)
        old = _old(out / path)
        (added if old is None else same if old == data else changed).append(path)
    removed = []
    for path in sorted(before - wanted.keys()):
        if not keep(path):
            _plain_folders(out, path, safe)
            if os.path.lexists(out / path):
                removed.append(path)
    return Changes(added=tuple(added), changed=tuple(changed), removed=tuple(removed), same=tuple(same))


def _ours(
    wanted: dict[str, bytes], before: frozenset[str], out: Path, keep: Callable[[str], bool]
) -> frozenset[str]:
    return frozenset(wanted) | {
        path for path in before - wanted.keys() if keep(path) and os.path.lexists(out / path)
    }


def _old(path: Path) -> bytes | None:
    """What stands at `path`; None where nothing, or nothing but a link, does."""
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(info.st_mode):
        return None
    if not stat.S_ISREG(info.st_mode):
        raise MachineError(f"{path} is not a file", help="move it away; tocsin writes a file of that name")
    return path.read_bytes()


def _plain_folders(out: Path, path: str, safe: set[str]) -> None:
    """Refuses a path that leads through a symbolic link, or through a file."""
    steps = path.split("/")[:-1]
    for count in range(1, len(steps) + 1):
        folder = "/".join(steps[:count])
        if folder in safe:
            continue
        try:
            mode = os.lstat(out / folder).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(mode):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "not a folder"
            raise MachineError(
                f"{out / folder} is {what}", help="remove it: the output folder holds plain folders only"
            )
        safe.add(folder)


def admit(out: Path, root: Path | None) -> None:
    """Refuses an output folder that is the repository, above it, or one of its source folders. MachineError says which."""
    if out.exists() and not out.is_dir():
        raise MachineError(f"{out} is not a folder", help="choose another with --out")
    if root is None:
        return
    real, top = out.resolve(), root.resolve()
    lexical = Path(os.path.normpath(out if out.is_absolute() else Path.cwd() / out))
    if real == top or top.is_relative_to(real):
        raise MachineError(
            f"{out} is the repository itself, or above it",
            help="choose a folder of its own with --out, for example dist",
        )
    inside = lexical.is_relative_to(top) or lexical.is_relative_to(Path(os.path.normpath(root.absolute())))
    if inside and not real.is_relative_to(top):
        raise MachineError(
            f"{out} leads out of the repository through a symbolic link",
            help="remove the link, or name the real folder with --out",
        )
    for name in SOURCES:
        if real.is_relative_to(top / name):
            raise MachineError(
                f"{out} is inside `{name}/`, which holds sources",
                help="choose a folder of its own with --out, for example dist",
            )


def _listed(out: Path) -> frozenset[str]:
    try:
        info = os.lstat(out / LISTING)
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    if not stat.S_ISREG(info.st_mode):
        raise MachineError(f"{out / LISTING} is not a file", help="remove it")
    lines = (out / LISTING).read_text(encoding="utf-8", errors="replace").split("\n")
    # The listing may have come with a stranger's branch: a line that leads anywhere else is not believed.
    return frozenset(
        each
        for each in lines
        if each and each.split("/")[0] in OWNED and ".." not in each.split("/") and "\0" not in each
    )


def _list(out: Path, paths: Iterable[str]) -> None:
    data = "".join(f"{each}\n" for each in sorted(paths)).encode()
    if _old(out / LISTING) != data:
        _replace(out / LISTING, data)


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path, data)
    try:
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _beside(path: Path, data: bytes) -> Path:
    """The whole content in a file beside `path`, which it may then become."""
    beside = path.parent / f"{_BESIDE}{path.name[:200]}"
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
        finally:
            os.close(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    return beside


def _remove(out: Path, path: str) -> None:
    (out / path).unlink(missing_ok=True)
    folder = (out / path).parent
    while folder != out:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _clean(out: Path, paths: Iterable[str]) -> None:
    """Removes what a killed run left beside its targets."""
    for folder in {(out / path).parent for path in paths} | {out}:
        if folder.is_dir():
            for each in folder.glob(f"{_BESIDE}*"):
                each.unlink(missing_ok=True)
