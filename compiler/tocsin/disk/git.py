"""The only door to Git: the sources of another revision.

A revision comes from a person, or from the name of a stranger's branch. It always follows `--end-of-options`:
a "revision" like `--output=/etc/x` would otherwise be an option, and Git would write that file. Blobs are
read in one pass, never a process per file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span
from tocsin.disk.files import FOLDERS, LEDGER, MAX_BYTES, PROJECT, decode
from tocsin.errors import MachineError, UsageError

if TYPE_CHECKING:
    from git import Repo

_SUFFIXES = (".yaml", ".md")


def head_commit(root: Path) -> str:
    """The full id of the commit that is checked out. MachineError where `root` is no repository, or has no
    commit.
    """
    return resolve(root, "HEAD")


def resolve(root: Path, revision: str) -> str:
    """The full commit id of `revision`. UsageError where there is none."""
    with _open(root) as repo:
        return _resolve(repo, revision)


def files_at(root: Path, revision: str) -> tuple[tuple[SourceFile, ...], tuple[Diagnostic, ...]]:
    """The sources as they were in `revision`, sorted by path, with the findings `disk.files` would have about
    their bytes.

    Symbolic links and submodules are left out: nothing of a revision is followed.
    """
    with _open(root) as repo:
        return _files_at(repo, root, revision)


def _files_at(repo: Repo, root: Path, revision: str) -> tuple[tuple[SourceFile, ...], tuple[Diagnostic, ...]]:
    commit = _resolve(repo, revision)
    prefix = _prefix(repo, root)
    wanted = [prefix + each for each in (*FOLDERS, PROJECT, LEDGER)]
    listed = repo.git.ls_tree(
        "-r", "-z", "-l", "--full-tree", "--end-of-options", commit, "--", *wanted, stdout_as_string=False
    )
    files: list[SourceFile] = []
    found: list[Diagnostic] = []
    for row in sorted(_rows(listed), key=lambda each: each[3]):
        mode, blob, size, name = row
        path = name.removeprefix(prefix)
        if (
            not mode.startswith("100")
            or not (path in (PROJECT, LEDGER) or path.endswith(_SUFFIXES))
            or not path.isprintable()
        ):
            continue
        if size > MAX_BYTES:
            message = f"the file has {size:,} bytes; a source has at most {MAX_BYTES:,}"
            found.append(diagnostic("TOC115", Span(path), message, help="split it"))
            continue
        try:
            data = repo.odb.stream(bytes.fromhex(blob)).read()
        except ValueError as error:
            message = f"Git has no content for {path} at {revision}"
            raise MachineError(
                message, help="in a partial clone: fetch the whole repository first"
            ) from error
        file, said = decode(path, data)
        found.extend(said)
        if file is not None:
            files.append(file)
    return tuple(files), tuple(found)


def _rows(listed: bytes) -> list[tuple[str, str, int, str]]:
    rows = []
    for row in listed.split(b"\0"):
        if row:
            facts, _, name = row.partition(b"\t")
            mode, _, blob, size = facts.split()
            rows.append(
                (
                    mode.decode(),
                    blob.decode(),
                    int(size) if size.isdigit() else 0,
                    name.decode("utf-8", "replace"),
                )
            )
    return rows


def _open(root: Path) -> Repo:
    from git import InvalidGitRepositoryError, NoSuchPathError, Repo

    try:
        repo = Repo(root, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        raise MachineError(
            f"{root} is not in a Git repository", help="run `git init`, or name another folder"
        ) from error
    # Nothing is fetched (a partial clone would), nothing is written, and messages are in one language.
    repo.git.update_environment(GIT_NO_LAZY_FETCH="1", GIT_OPTIONAL_LOCKS="0", LC_ALL="C")
    return repo


def _resolve(repo: Repo, revision: str) -> str:
    from git import GitCommandError

    try:
        return str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"))
    except GitCommandError as error:
        raise UsageError(
            f"there is no revision `{revision}`", help="a branch, a tag or a commit; a shallow clone has few"
        ) from error


def _prefix(repo: Repo, root: Path) -> str:
    """Where the project lies inside the repository, with a closing slash; empty where it is all of it."""
    top = os.path.realpath(str(repo.working_tree_dir))
    inside = os.path.relpath(os.path.realpath(root), top)
    return "" if inside == "." else inside.replace(os.sep, "/") + "/"
