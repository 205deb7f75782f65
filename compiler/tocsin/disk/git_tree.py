"""The sources as they stand in one revision: `files.read_tree` of a commit, without a work tree.

In: a repository, a commit. Out: the same `Tree` with the same findings, in two calls of git (the names with their sizes, the contents), however many
files there are. Symbolic links are followed inside the project and nowhere else. A submodule has no files here.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tocsin.diag.diagnostic import Diagnostic, diagnostic, ordered
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span
from tocsin.disk.files import Tree, tree_of
from tocsin.disk.git import ask_git, read_blobs
from tocsin.disk.judge import (
    FOLDERS,
    LEDGER,
    MAX_BYTES,
    PROJECT,
    WANTED,
    bad_name,
    decode,
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
)
from tocsin.errors import MachineError

_LINK, _SUBMODULE = "120000", "160000"
_FETCH = "fetch them: `git fetch --unshallow`; a clone made with `--filter` has to be made without"
_HOPS = 20
"""Links that lead to links: more than anybody makes, fewer than a circle has."""


class _Blob(NamedTuple):
    """One name in the tree that is no folder."""

    mode: str
    name: str
    size: int


_Folder = dict[str, "_Blob | _Folder"]


def read_tree_at(root: Path, commit: str, prefix: str) -> Tree:
    """Every source that `commit` has below `prefix` (`""`, or ending in a slash): nothing where the folder was not there yet.

    MachineError where the clone does not have the commit's files.
    """
    treeish = f"{commit}:{prefix.rstrip('/')}" if prefix else f"{commit}^{{tree}}"
    top = _listing(root, treeish)
    if top is None:
        # Nothing of the project then, or a clone that left contents out: not the same at all.
        there = [
            ask_git(root, "cat-file", "-e", each) is not None for each in (f"{commit}^{{tree}}", treeish)
        ]
        if there != [True, False]:
            raise MachineError(f"this clone does not hold the files of {commit[:12]}", help=_FETCH)
        top = {}
    found: list[Diagnostic] = []
    images: list[str] = []
    wanted: list[tuple[str, _Blob]] = []
    for path, each in _Reader(root, top).candidates():
        if isinstance(each, Diagnostic):
            found.append(each)
        elif is_image(path):
            images.append(path)
        else:
            wanted.append((path, each))
    contents = read_blobs(root, (each.name for _, each in wanted))
    files: list[SourceFile] = []
    for path, each in wanted:
        if each.name not in contents:
            raise MachineError(f"this clone does not hold `{path}` of {commit[:12]}", help=_FETCH)
        file, said = decode(path, contents[each.name])
        found.extend(said)
        files.extend([file] if file is not None else [])
    return tree_of(files, images, ordered(found))


def _listing(root: Path, treeish: str) -> _Folder | None:
    """The tree as nested folders; None where there is none."""
    listed = ask_git(root, "ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", treeish)
    if listed is None:
        return None
    top: _Folder = {}
    for row in listed.split(b"\0"):
        facts, tab, raw = row.partition(b"\t")
        parts = facts.decode("ascii", "replace").split()
        if not tab or len(parts) != 4:
            continue
        *above, name = raw.decode("utf-8", "surrogateescape").split("/")
        folder = top
        for each in above:
            below = folder.setdefault(each, {})
            assert isinstance(below, dict), "a tree of Git has each name once"
            folder = below
        folder[name] = _Blob(parts[0], parts[2], int(parts[3]) if parts[3].isdigit() else 0)
    return top


class _Reader:
    """Walks a listing as `files._walk` walks a disk."""

    def __init__(self, root: Path, top: _Folder) -> None:
        self.root, self.top = root, top

    def candidates(self) -> Iterator[tuple[str, _Blob | Diagnostic]]:
        """Every name that is a source, or stands where one belongs and is not."""
        for name in (PROJECT, LEDGER):
            if name in self.top:
                yield name, self.judged(name)
        for folder in FOLDERS:
            if folder not in self.top:
                continue
            real, target = self.followed(folder)
            if isinstance(target, Diagnostic):
                yield folder, target if target.code == "TOC114" else file_for_folder(folder)
            elif isinstance(target, dict):
                yield from self.walk(folder, folder, target, frozenset({real}))
            else:
                yield folder, file_for_folder(folder)

    def walk(
        self, folder: str, path: str, content: _Folder, above: frozenset[str]
    ) -> Iterator[tuple[str, _Blob | Diagnostic]]:
        for name in sorted(content):
            if name.startswith(".") or name.endswith("~"):
                continue
            here = f"{path}/{name}"
            if problem := bad_name(here, name):
                yield problem.span.file, problem
                continue
            entry = content[name]
            is_link = isinstance(entry, _Blob) and entry.mode == _LINK
            real, target = self.followed(here)
            if isinstance(target, Diagnostic) and target.code == "TOC114":
                yield here, target
            elif isinstance(target, dict):
                low = name.lower()
                if (low if folder == "site" else name).endswith(WANTED[folder]):
                    yield here, folder_for_file(here, name)
                elif not (is_link and (real in above or any(each.startswith(f"{real}/") for each in above))):
                    yield from self.walk(folder, here, target, above | {real})
            elif is_source(folder, name):
                yield here, self.judged(here)
            elif is_stray(folder, name):
                yield here, stray(folder, here, name)

    def judged(self, path: str) -> _Blob | Diagnostic:
        """What to read for `path`, or why not."""
        _, target = self.followed(path)
        if isinstance(target, Diagnostic):
            return target
        if isinstance(target, dict):
            return not_a_file(path, stat.S_IFDIR)
        if target.mode == _SUBMODULE:
            what = "a submodule stands where a file belongs"
            return diagnostic("TOC113", Span(path), what, help="put the file itself here")
        return too_large(path, target.size) if target.size > MAX_BYTES else target

    def followed(self, path: str) -> tuple[str, _Blob | _Folder | Diagnostic]:
        """What a name comes to when every link on the way is followed, and where that is; a finding where one leads out or to nothing."""
        waiting, real, hops = path.split("/")[::-1], list[str](), 0
        here: _Blob | _Folder = self.top
        while waiting:
            step = waiting.pop()
            if step == ".." and not real:
                return "", leads_out(path)
            if step == "..":
                real.pop()
                here = self.at(real)
            elif step not in ("", "."):
                if not isinstance(here, dict) or step not in here or hops > _HOPS:
                    return "", leads_nowhere(path)
                entry = here[step]
                if isinstance(entry, _Blob) and entry.mode == _LINK:
                    hops += 1
                    target = self.target(entry)
                    if target is None or target.startswith("/"):
                        return "", leads_out(path)
                    waiting.extend(target.split("/")[::-1])
                else:
                    real.append(step)
                    here = entry
        return "/".join(real), here

    def at(self, parts: list[str]) -> _Blob | _Folder:
        """What stands at a path without links."""
        here: _Blob | _Folder = self.top
        for step in parts:
            assert isinstance(here, dict), "each part was a folder when it was entered"
            here = here[step]
        return here

    def target(self, entry: _Blob) -> str | None:
        """What a link says."""
        content = read_blobs(self.root, [entry.name]).get(entry.name)
        try:
            return content.decode("utf-8") if content is not None else None
        except UnicodeDecodeError:
            return None
