"""Revisions by name: what a tag, a branch or `HEAD~2` is here, what two of them share, and what was said when they were made.

In: the project's folder and names from a command line or a pull request. Out: commit hashes, or one sentence about what is missing: a name nobody
has is a mistake of usage, a past that a shallow clone does not hold is the machine's to fetch. A name is never taken for an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tocsin.disk.git import ask_git, resolve_commit
from tocsin.errors import MachineError, UsageError

_HASH = re.compile("[0-9a-f]{40,64}")
_DEEPEN = "fetch the past: `git fetch --unshallow`, or `fetch-depth: 0` in the checkout step"
_LONGEST = 400
"""Characters of a name: longer ones are no revision, and no sentence shows them."""
_MOST = 1_000
"""Commits whose messages are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where a project lies: `prefix` is its folder below the repository's top, `""` or ending in a slash. `branch` is `""` where HEAD is detached."""

    prefix: str
    head: str
    branch: str
    shallow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One commit and all it says."""

    commit: str
    parents: tuple[str, ...]
    text: str

    @property
    def subject(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0]


def repository_of(root: Path) -> Repository:
    """The repository around `root`. MachineError where there is none, or no commit."""
    said = ask_git(root, "rev-parse", "--is-shallow-repository", "--show-prefix")
    if said is None:
        raise MachineError(
            f"Git knows nothing of `{root}`",
            help="is git installed, is this a clone, and does it belong to you?",
        )
    shallow, prefix, *_ = said.decode("utf-8", "surrogateescape").split("\n")
    head = resolve_commit(root, ["HEAD"])
    if head is None:
        raise MachineError("the repository has no commit yet", help="commit the sources first")
    named = ask_git(root, "symbolic-ref", "--quiet", "--short", "HEAD") or b""
    return Repository(
        prefix=prefix,
        head=head[1],
        branch=named.decode("utf-8", "replace").strip(),
        shallow=shallow == "true",
    )


def commit_of(root: Path, name: str) -> str:
    """The commit that `name` is: a tag, a branch, a hash, `HEAD~2`. UsageError where it is none; MachineError where a shallow clone may lack it."""
    shown = "".join(each if each.isprintable() else "?" for each in name[:_LONGEST])
    if not name or name.startswith("-") or len(name) > _LONGEST or shown != name:
        raise UsageError(f"`{shown}` is no revision", help="name a tag, a branch or a commit")
    found = resolve_commit(root, [name, f"refs/remotes/origin/{name}"])
    if found is not None:
        return found[1]
    if repository_of(root).shallow:
        raise MachineError(f"this shallow clone has no `{name}`", help=_DEEPEN)
    raise UsageError(
        f"there is no revision `{name}` in this clone",
        help="name a tag, a branch or a commit; a branch of another clone must be fetched",
    )


def first_commit_of(root: Path, names: Iterable[str]) -> str | None:
    """The commit of the first name that is one; None where none is."""
    found = resolve_commit(root, [each for each in names if each and not each.startswith("-")])
    return found[1] if found is not None else None


def merge_base(root: Path, one: str, other: str) -> str:
    """The commit where two commits parted. MachineError where this clone does not know it; UsageError where they never met."""
    said = ask_git(root, "merge-base", "--end-of-options", one, other) or b""
    found = said.decode("ascii", "replace").strip()
    if _HASH.fullmatch(found):
        return found
    if repository_of(root).shallow:
        raise MachineError(
            f"this shallow clone does not show where {one[:12]} and {other[:12]} parted", help=_DEEPEN
        )
    raise UsageError(
        f"{one[:12]} and {other[:12]} share no commit", help="name a base that this branch grew from"
    )


def first_parent(root: Path, commit: str) -> str | None:
    """The commit before it on its own line; None for the first of all. MachineError where a shallow clone ends there."""
    # `rev-list --parents` sees the cut of a shallow clone as a beginning; the commit itself still names its parent.
    body = ask_git(root, "cat-file", "commit", commit) if _HASH.fullmatch(commit) else None
    if body is None:
        raise MachineError(f"this clone has no commit {commit[:12]}", help=_DEEPEN)
    head = body.decode("utf-8", "replace").partition("\n\n")[0]
    parent = next((row.split()[1] for row in head.split("\n") if row.startswith("parent ")), None)
    if parent is not None and ask_git(root, "cat-file", "-e", parent) is None:
        raise MachineError(f"this shallow clone ends at {commit[:12]}", help=_DEEPEN)
    return parent


def messages(root: Path, base: str, head: str, *, most: int = _MOST) -> tuple[Message, ...]:
    """The commits of `head` that `base` does not have, the newest first and at most so many: what a pull request would bring."""
    said = ask_git(
        root, "log", "-z", f"--max-count={most}", "--format=%H%x02%P%x02%B", "--no-show-signature", "--no-notes",
        "--encoding=UTF-8", "--end-of-options", f"{base}..{head}", "--",
    )  # fmt: skip
    if said is None:
        raise MachineError(
            f"this clone does not hold the commits from {base[:12]} to {head[:12]}", help=_DEEPEN
        )
    rows = (row.decode("utf-8", "replace").split("\x02", 2) for row in said.split(b"\0") if row.strip())
    return tuple(
        Message(commit=row[0].strip(), parents=tuple(row[1].split()), text=row[2].strip())
        for row in rows
        if len(row) == 3
    )
