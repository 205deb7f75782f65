"""What a release is in Git: a tag on the commit it was made from, and for each environment the compiled files as a commit of their own.

    v2.3.1                         annotated, its message is the changelog's section
    refs/tags/deploy/ENV/v2.3.1    a commit without parents whose tree is what `tocsin build` makes for ENV; rollback reads it, nothing is compiled

Both are made from content and the release's own date alone, so that making them twice gives the same hashes, and is no second write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.disk.git import FORMAT, Commit, Touched, ask_git, commits_of
from tocsin.disk.git_revisions import Message, messages, repository_of
from tocsin.disk.git_write import WHO, write_git
from tocsin.errors import MachineError

_HELP = "is this a clone, and may you write its refs? what was made stays and is found again"
_SCRATCH = "refs/tocsin/release"
_MOST = 50_000
"""Commits between two releases whose messages are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One commit of a branch's own line: a commit, or a merge with everything it brought. `texts` is what was said about it, the newest first: its own
    message before those of `brought`, the commits that only it brought in, each as a step of its own."""

    commit: Commit
    texts: tuple[str, ...]
    touched: tuple[Touched, ...]
    brought: tuple[Step, ...] = ()


def deploy_ref(env: str, version: str) -> str:
    """Where the compiled files of a release are kept."""
    return f"refs/tags/deploy/{env}/{version}"


def tags_before(root: Path, commit: str) -> tuple[str, ...]:
    """The tags that `commit` or a commit before it has."""
    # `--merged` believes the dates of commits, and a machine with a wrong clock hides the last release.
    said = ask_git(
        root, "for-each-ref", "--format=%(objectname) %(*objectname) %(refname:strip=2)", "refs/tags/v*"
    )
    rows = [row.split(" ", 2) for row in (said or b"").decode("utf-8", "replace").split("\n") if row]
    if not rows:
        return ()
    past = set((ask_git(root, "rev-list", "--end-of-options", commit, "--") or b"").decode("ascii").split())
    return tuple(name for tag, peeled, name in rows if (peeled or tag) in past)


def version_tags(root: Path) -> tuple[str, ...]:
    """Every tag of this clone that may be a version, on whatever branch."""
    said = ask_git(root, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags/v*")
    return tuple((said or b"").decode("utf-8", "replace").split())


def is_branch(root: Path, name: str) -> bool:
    """Whether a branch may be called so: no option, no refspec, nothing that Git would expand."""
    return not name.startswith("-") and ask_git(root, "check-ref-format", f"refs/heads/{name}") is not None


def steps(root: Path, base: str, head: str, prefix: str) -> tuple[Step, ...]:
    """What led from `base` to `head`, the newest first, with the sources each step touched below `prefix`. Where a shallow clone ends nobody knows what
    its last commit touched."""
    said = ask_git(
        root, "log", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv",
        "--diff-merges=first-parent", "--no-show-signature", "--no-decorate", "--no-notes", "--encoding=UTF-8",
        FORMAT, "--end-of-options", f"{base}..{head}", "--",
    )  # fmt: skip
    if said is None:
        raise MachineError(
            f"this clone does not hold the commits since {base[:12]}",
            help="fetch them: `git fetch --unshallow`",
        )
    every = {each.commit: each for each in messages(root, base, head, most=_MOST)}
    shallow = repository_of(root).shallow
    alone: dict[str, Step] = {}
    for commit, touched in commits_of(said, prefix):
        told = every.get(commit.commit)
        cut = shallow and told is not None and not told.parents
        texts = (told.text,) if told is not None else ()
        alone[commit.commit] = Step(commit=commit, texts=texts, touched=() if cut else touched)
    line = [alone[each] for each in _line(head, every) if each in alone]
    known = {each.commit.commit for each in line}
    found: list[Step] = []
    for each in reversed(line):
        # The oldest first: what a merge brought, a later one did not.
        found.append(_with_brought(each, every, known, alone))
        known.update(one.commit.commit for one in found[-1].brought)
    return tuple(reversed(found))


def _line(head: str, every: Mapping[str, Message]) -> Iterator[str]:
    """A commit, its first parent, and so on."""
    while head in every:
        yield head
        head = next(iter(every[head].parents), "")


def _with_brought(
    step: Step, every: Mapping[str, Message], known: set[str], alone: Mapping[str, Step]
) -> Step:
    """The step with all that only it brought in."""
    message = every[step.commit.commit]
    waiting, found = [each for each in message.parents[1:] if each not in known], dict[str, Step]()
    while waiting:
        name = waiting.pop(0)
        if name in found or name not in every:
            continue
        if name in alone:
            found[name] = alone[name]
        waiting.extend(each for each in every[name].parents if each not in known)
    brought = tuple(found.values())
    return replace(
        step, texts=(*step.texts, *(text for each in brought for text in each.texts)), brought=brought
    )


def tagged(root: Path, name: str) -> str | None:
    """The commit a tag of that name is on."""
    return _commit(root, f"refs/tags/{name}")


def tag(root: Path, name: str, commit: str, message: str, at: str) -> bool:
    """An annotated tag; False where it is on that commit already. MachineError where it is on another one: a release is never moved."""
    found = tagged(root, name)
    if found == commit:
        return False
    if found is not None:
        raise MachineError(
            f"the tag {name} is on {found[:12]} already, and this is {commit[:12]}",
            help="a release is never moved: merge the pull request that `tocsin release` prepares, then tag its commit",
        )
    _write(
        root,
        "tag",
        "--annotate",
        "--cleanup=verbatim",
        "--file=-",
        name,
        commit,
        input=message.encode(),
        at=at,
    )
    return True


def store(root: Path, ref: str, files: Iterable[tuple[str, bytes]], message: str, at: int) -> bool:
    """A commit of exactly those files on `ref`; False where it was there. `at` is seconds since 1970. MachineError where something else is there."""
    made, found = _made(root, files, message, at), _commit(root, ref)
    if found == made:
        return False
    if found is not None:
        raise MachineError(
            f"{ref} holds other files already",
            help="a release is never made again from other sources or by another tocsin: release a new version",
        )
    _write(root, "update-ref", ref, made, "0" * len(made))
    return True


def propose(
    root: Path, remote: str, branch: str, files: Iterable[tuple[str, bytes]], message: str, at: int
) -> bool:
    """HEAD with those files changed, as the one commit of `branch` at the remote beyond HEAD; what stood on that branch is replaced. False where it
    is there already."""
    made = _made(root, files, message, at, parent="HEAD", keep=True)
    return _pushed(root, remote, branch, made, force=True)


def continue_branch(
    root: Path, remote: str, branch: str, files: Iterable[tuple[str, bytes]], message: str, at: int
) -> bool:
    """Exactly those files as one more commit of `branch` at the remote; False where its tip holds just them. MachineError where that branch grew
    from what HEAD grew from: everything there would be gone but for the compiled files."""
    tip = _tip(root, remote, branch)
    if tip:
        _write(root, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", remote, tip)
        if ask_git(root, "merge-base", "--end-of-options", tip, "HEAD"):
            raise MachineError(
                f"the branch {branch} holds sources: compiled files would take their place",
                help="name a branch that holds nothing else, such as `deploy`",
            )
    made = _made(root, files, message, at, parent=tip)
    if tip and _tree(root, tip) == _tree(root, made):
        return False
    return _pushed(root, remote, branch, made, force=False)


def _made(
    root: Path,
    files: Iterable[tuple[str, bytes]],
    message: str,
    at: int,
    *,
    parent: str = "",
    keep: bool = False,
) -> str:
    """A commit of those files on `parent`, beside what stood there only with `keep`; nothing but the object remains."""
    text = message.encode()
    stream = [
        f"reset {_SCRATCH}\n\ncommit {_SCRATCH}\ncommitter {WHO[0]} <{WHO[1]}> {at} +0000\n".encode(),
        b"data %d\n%s\n" % (len(text), text),
        f"from {_commit(root, parent)}\n".encode() if parent else b"",
        b"" if keep else b"deleteall\n",
    ]
    for path, content in sorted(files):
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (_quoted(path), len(content), content))
    _write(root, "fast-import", "--quiet", "--force", "--date-format=raw", input=b"".join(stream))
    made = _commit(root, _SCRATCH)
    _write(root, "update-ref", "-d", _SCRATCH)
    assert made is not None, "fast-import ended well"
    return made


def _tip(root: Path, remote: str, branch: str) -> str:
    listed = _write(root, "ls-remote", "--", remote, f"refs/heads/{branch}")
    return listed.decode("ascii", "replace").partition("\t")[0].strip()


def _tree(root: Path, commit: str) -> bytes | None:
    return ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{tree}}")


def _pushed(root: Path, remote: str, branch: str, commit: str, *, force: bool) -> bool:
    if _tip(root, remote, branch) == commit:
        return False
    plus = "+" if force else ""
    _write(root, "push", "--quiet", "--no-verify", "--", remote, f"{plus}{commit}:refs/heads/{branch}")
    return True


def push(root: Path, remote: str, refs: Iterable[str]) -> None:
    """Those refs to a remote, all or none; one that is there and differs is refused by the other side."""
    _write(
        root, "push", "--quiet", "--no-verify", "--atomic", "--", remote, *(f"{each}:{each}" for each in refs)
    )


def _commit(root: Path, ref: str) -> str | None:
    said = ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return said.decode("ascii").strip() if said else None


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode("utf-8", "surrogateescape")


def _write(root: Path, *words: str, input: bytes | None = None, at: str = "") -> bytes:
    return write_git(
        root, *words, what="the release cannot be kept in Git", help=_HELP, input=input, at=at
    ).out
