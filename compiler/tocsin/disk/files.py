"""The only reader of the work tree: a folder in, decoded texts and findings out.

A pull request of a stranger decides what stands in the folder, so nothing here is trusted: a symbolic link
out of the repository, a pipe, a device, a file of 50 MB or a name with a line break becomes a finding, is
never opened (or never read whole), and never hides the other files. Order is by path, so that the same folder
gives the same bytes on every machine.
"""

# ruff: noqa: PTH118, PTH114, PTH112, PTH116
# 4,000 names are looked at in a few milliseconds; a Path for each would double that.
from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tocsin.diag.diagnostic import Diagnostic, ordered
from tocsin.diag.source_file import SourceFile
from tocsin.disk.judge import (
    FOLDERS,
    LEDGER,
    PROJECT,
    TEST_SUFFIX,
    WANTED,
    bad_name,
    file_for_folder,
    folder_for_file,
    is_image,
    is_source,
    is_stray,
    leads_nowhere,
    leads_out,
    not_a_file,
    stray,
    too_large,
    unreadable,
)
from tocsin.disk.judge import (
    MAX_BYTES as MAX_BYTES,
)
from tocsin.disk.judge import (
    decode as decode,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a repository has to say: every tuple sorted by path. `promtool` are test files for promtool
    itself, kept as they are; `site` are the pages and styles of `site/`, `images` the paths of its images.
    """

    project: SourceFile | None
    ledger: SourceFile | None
    rules: tuple[SourceFile, ...]
    sops: tuple[SourceFile, ...]
    incidents: tuple[SourceFile, ...]
    promtool: tuple[SourceFile, ...]
    site: tuple[SourceFile, ...]
    images: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


class _Found(NamedTuple):
    """One name on disk: what to read, or why not. `full` is what to open; `info` is of the target where it is
    a link.
    """

    path: str
    full: str
    info: os.stat_result | None
    problem: Diagnostic | None = None


def read_tree(root: Path) -> Tree:
    """Every source below `root`. A file that cannot be read is a diagnostic; a missing folder is empty."""
    found: list[Diagnostic] = []
    files: list[SourceFile] = []
    images: list[str] = []
    for each in _candidates(root):
        if each.problem is not None:
            found.append(each.problem)
        elif is_image(each.path):
            images.append(each.path)
        else:
            file, said = _read(each)
            found.extend(said)
            files.extend([file] if file is not None else [])
    return tree_of(files, images, found)


def tree_of(files: Iterable[SourceFile], images: Iterable[str], found: Iterable[Diagnostic]) -> Tree:
    """The files, wherever they were read, each in its folder."""
    texts: dict[str, list[SourceFile]] = {each: [] for each in (*FOLDERS, "promtool", "")}
    for file in files:
        folder = file.path.partition("/")[0] if "/" in file.path else ""
        texts["promtool" if folder == "rules" and file.path.endswith(TEST_SUFFIX) else folder].append(file)
    top = {each.path: each for each in texts[""]}
    return Tree(
        project=top.get(PROJECT),
        ledger=top.get(LEDGER),
        rules=_by_path(texts["rules"]),
        sops=_by_path(texts["sops"]),
        incidents=_by_path(texts["incidents"]),
        promtool=_by_path(texts["promtool"]),
        site=_by_path(texts["site"]),
        images=tuple(sorted(images)),
        diagnostics=ordered(found),
    )


def read_image(root: Path, path: str) -> bytes | None:
    """The bytes of one of `Tree.images`; None where it is none any more, or cannot be read."""
    top = os.path.realpath(root)
    full = os.path.join(top, path)
    each = _look(top, path, full, is_link=os.path.islink(full))
    if each.problem is not None or _outside(top, path, full):
        return None
    data, _ = _bytes(each)
    return data


def stat_tree(root: Path) -> tuple[tuple[str, int, int], ...]:
    """(path, size, mtime in ns) of every name `read_tree` would speak of, sorted: equal tuples mean nothing
    was touched.
    """
    rows = [
        (each.path, each.info.st_size if each.info else -1, each.info.st_mtime_ns if each.info else -1)
        for each in _candidates(root)
    ]
    return tuple(sorted(rows))


def _by_path(files: list[SourceFile]) -> tuple[SourceFile, ...]:
    return tuple(sorted(files, key=lambda each: each.path))


def _read(each: _Found) -> tuple[SourceFile | None, tuple[Diagnostic, ...]]:
    data, found = _bytes(each)
    return (None, found) if data is None else decode(each.path, data)


def _bytes(each: _Found) -> tuple[bytes | None, tuple[Diagnostic, ...]]:
    try:
        # O_NONBLOCK: should the name have become a pipe since it was looked at, opening must not wait for a
        # writer.
        handle = os.open(each.full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return None, (unreadable(each.path, error),)
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            return None, (not_a_file(each.path, info.st_mode),)
        if info.st_size > MAX_BYTES:
            return None, (too_large(each.path, info.st_size),)
        # One byte more than there should be: a file that grows meanwhile is read on, up to the limit.
        data = os.read(handle, info.st_size + 1)
        while info.st_size < len(data) <= MAX_BYTES and (more := os.read(handle, MAX_BYTES + 1 - len(data))):
            data += more
    except OSError as error:
        return None, (unreadable(each.path, error),)
    finally:
        os.close(handle)
    if len(data) > MAX_BYTES:
        return None, (too_large(each.path, len(data)),)
    return data, ()


def _candidates(root: Path) -> Iterator[_Found]:
    """Every name that is a source, or stands where one belongs and is not."""
    top = os.path.realpath(root)
    for name in (PROJECT, LEDGER):
        full = os.path.join(top, name)
        if os.path.lexists(full):
            yield _look(top, name, full, is_link=os.path.islink(full))
    for folder in FOLDERS:
        full = os.path.join(top, folder)
        if not os.path.lexists(full):
            continue
        if os.path.islink(full) and (problem := _outside(top, folder, full)):
            yield _Found(folder, full, None, problem)
        elif os.path.isdir(full):
            yield from _walk(top, folder, folder, full, frozenset({os.path.realpath(full)}))
        else:
            yield _Found(folder, full, None, file_for_folder(folder))


def _walk(top: str, folder: str, path: str, full: str, above: frozenset[str]) -> Iterator[_Found]:
    try:
        with os.scandir(full) as names:
            entries = sorted(names, key=lambda each: each.name)
    except OSError as error:
        yield _Found(path, full, None, unreadable(path, error))
        return
    for entry in entries:
        name = entry.name
        if name.startswith(".") or name.endswith("~"):
            continue
        here = f"{path}/{name}"
        low = name.lower()
        if problem := bad_name(here, name):
            yield _Found(problem.span.file, entry.path, None, problem)
            continue
        is_link = entry.is_symlink()
        if is_link and (problem := _outside(top, here, entry.path)):
            yield _Found(here, entry.path, None, problem)
        elif _is_folder(entry):
            if (low if folder == "site" else name).endswith(WANTED[folder]):
                yield _Found(here, entry.path, None, folder_for_file(here, name))
                continue
            real = os.path.realpath(entry.path) if is_link else ""
            if is_link and (real in above or any(each.startswith(real + os.sep) for each in above)):
                continue
            yield from _walk(top, folder, here, entry.path, above | {real or os.path.join(full, name)})
        elif is_source(folder, name):
            yield _look(top, here, entry.path, is_link=is_link, entry=entry)
        elif is_stray(folder, name):
            yield _Found(here, entry.path, None, stray(folder, here, name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _look(top: str, path: str, full: str, *, is_link: bool, entry: os.DirEntry[str] | None = None) -> _Found:
    if is_link and (problem := _outside(top, path, full)):
        return _Found(path, full, None, problem)
    try:
        info = entry.stat() if entry is not None else os.stat(full)
    except OSError as error:
        if is_link:
            return _Found(path, full, None, leads_nowhere(path))
        return _Found(path, full, None, unreadable(path, error))
    if not stat.S_ISREG(info.st_mode):
        return _Found(path, full, info, not_a_file(path, info.st_mode))
    if info.st_size > MAX_BYTES:
        return _Found(path, full, info, too_large(path, info.st_size))
    return _Found(path, full, info)


def _outside(top: str, path: str, full: str) -> Diagnostic | None:
    real = os.path.realpath(full)
    if real == top or real.startswith(top + os.sep):
        return None
    return leads_out(path)
