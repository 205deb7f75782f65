"""The only door to Git: what changed, when, and what stood there before.

`git` itself is called, a few times for any question, and never once per file: decision 0013 says why no library stands between. A clone of a stranger's
branch is untrusted, so nothing it says is executed or followed: no hook, pager, signature check, external diff or text conversion runs, nothing is
fetched, and a bare repository that lies in the work tree as ordinary files is not entered. Replacement objects are not looked at.

A date is only what a commit says. Where there is no repository, no program `git` or no commit, the answer is None and nobody guesses; the commits
at the edge of a shallow clone are left out, because what they seem to add may be older.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tocsin.disk.judge import MAX_BYTES
from tocsin.disk.process import FinishedBytes, run_bytes
from tocsin.errors import MachineError

FOLDERS = ("rules", "sops", "incidents", "site")
"""The sources whose history somebody asks for, below the project's own folder."""
_TIMEOUT = 300.0
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ATTR_NOSYSTEM": "1",
}
_SETTINGS = (
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "log.showSignature=false",
    "log.showRoot=true",
    "log.mailmap=false",
    "diff.orderFile=/dev/null",
    "protocol.allow=never",
)
FORMAT = "--format=tformat:%x01%H%x02%ct%x02%an%x02%s"
_RAW = re.compile(rb"\n?(:+)(?:[0-7]{6} )+((?:[0-9a-f]{40,64} )+)[A-Z]+[0-9]*\Z")
_LONGEST = 200
"""Characters of an author or subject: a page shows one line, and a commit may hold megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit. `at` is the committer's time in UTC, ISO 8601; author and subject are one short line each."""

    commit: str
    at: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """One file in one commit: its blob before and after, `""` where there was none or none is left."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The commits that touched a source, the newest first, each with what it touched."""

    head: Commit
    shallow: bool
    commits: tuple[tuple[Commit, tuple[Touched, ...]], ...]


def read_commit(root: Path, name: str) -> Commit | None:
    """One commit; None where this clone holds none of that name."""
    said = ask_git(root, "log", "-1", "-z", FORMAT, "--no-show-signature", "--end-of-options", name, "--")
    return next((commit for commit, _ in commits_of(said or b"", "")), None)


def read_log(root: Path) -> Log | None:
    """What Git knows of the sources below `root`, in one pass; None where it knows nothing."""
    asked = ask_git(
        root, "rev-parse", "--is-shallow-repository", "--show-prefix", "--git-path", "shallow", "HEAD"
    )  # fmt: skip
    if asked is None:
        return None
    rows = asked.decode("utf-8", "surrogateescape").split("\n")
    if len(rows) < 4 or not re.fullmatch("[0-9a-f]{40,64}", rows[3]):
        return None
    prefix, commit = rows[1], rows[3]
    edge = _edge(root / rows[2]) if rows[0] == "true" else frozenset[str]()
    head = read_commit(root, commit)
    if head is None:
        return None
    log = ask_git(
        root, "log", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--root",
        "--diff-merges=dense-combined", "--no-show-signature", "--no-decorate", "--no-notes", "--encoding=UTF-8",
        FORMAT, "--end-of-options", commit, "--", *FOLDERS,
    )  # fmt: skip
    if log is None:
        return None
    commits = tuple(
        (change, touched)
        for change, touched in commits_of(log, prefix)
        if touched and change.commit not in edge
    )
    return Log(head=head, shallow=rows[0] == "true", commits=commits)


def last_changes(log: Log) -> Mapping[str, Commit]:
    """Source path -> the commit that changed it last."""
    found: dict[str, Commit] = {}
    for change, touched in log.commits:
        for each in touched:
            found.setdefault(each.path, change)
    return found


def read_blobs(root: Path, names: Iterable[str]) -> Mapping[str, bytes]:
    """Blob name -> content, in one pass. What the clone does not hold, is no blob or is larger than a source may be is left out."""
    wanted = sorted(set(names))
    if not wanted or any(not re.fullmatch("[0-9a-f]{40,64}", each) for each in wanted):
        return {}
    sizes = ask_git(root, "cat-file", "--batch-check", input="".join(f"{each}\n" for each in wanted).encode())
    small = [
        row[0]
        for row in (each.split() for each in (sizes or b"").decode("ascii", "replace").split("\n"))
        if len(row) == 3 and row[1] == "blob" and int(row[2]) <= MAX_BYTES
    ]
    given = (
        ask_git(root, "cat-file", "--batch", input="".join(f"{each}\n" for each in small).encode())
        if small
        else None
    )
    found: dict[str, bytes] = {}
    at, data = 0, given or b""
    while at < len(data):
        end = data.index(b"\n", at)
        name, _, size = data[at:end].decode("ascii", "replace").split()
        found[name] = data[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
    return found


def resolve_commit(root: Path, names: Iterable[str]) -> tuple[str, str] | None:
    """The first of `names` (tags, branches, revisions) that is a commit here, and its hash; None where none is."""
    for name in names:
        said = ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        commit = (said or b"").decode("ascii", "replace").strip()
        if re.fullmatch("[0-9a-f]{40,64}", commit):
            return name, commit
    return None


def read_files(root: Path, commit: str, wanted: Callable[[str], bool]) -> Mapping[str, bytes]:
    """Path from the top of the tree -> content, of the files of a commit whose path is wanted; links and what is larger than a source are left out."""
    if not re.fullmatch("[0-9a-f]{40,64}", commit):
        return {}
    listed = ask_git(root, "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit) or b""
    blobs: dict[str, str] = {}
    for row in listed.split(b"\0"):
        facts, tab, raw = row.partition(b"\t")
        mode, _, rest = facts.decode("ascii", "replace").partition(" ")
        if not tab or mode not in ("100644", "100755"):
            continue
        try:
            path = raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if wanted(path):
            blobs[path] = rest.partition(" ")[2]
    contents = read_blobs(root, blobs.values())
    return {path: contents[blob] for path, blob in blobs.items() if blob in contents}


def ask_git(root: Path, *words: str, input: bytes | None = None) -> bytes | None:
    """What git says; None where it cannot be asked or fails. The one way in which anything here starts git: see the module's head."""
    settings = [word for each in _SETTINGS for word in ("-c", each)]
    argv = ["git", "--no-pager", "--literal-pathspecs", *settings, *words]
    try:
        done: FinishedBytes = run_bytes(argv, cwd=root, timeout=_TIMEOUT, input=input, env=_ENVIRONMENT)
    except MachineError:
        return None
    return done.out if done.code == 0 else None


def _edge(shallow: Path) -> frozenset[str]:
    """The commits whose parents a shallow clone does not have."""
    try:
        return frozenset(shallow.read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def commits_of(log: bytes, prefix: str) -> Iterator[tuple[Commit, tuple[Touched, ...]]]:
    """The commits of a log in `FORMAT`. A name follows its raw row, so a name that looks like a commit is still a name."""
    change: Commit | None = None
    touched: list[Touched] = []
    pieces = iter(log.split(b"\0"))
    for piece in pieces:
        row = _RAW.match(piece)
        if row is not None and change is not None:
            each = _touched(row, next(pieces, b""), prefix)
            if each is not None:
                touched.append(each)
        elif piece.lstrip(b"\n").startswith(b"\x01"):
            if change is not None:
                yield change, tuple(touched)
            change, touched = _change(piece.lstrip(b"\n")[1:]), []
    if change is not None:
        yield change, tuple(touched)


def _change(row: bytes) -> Commit | None:
    parts = row.decode("utf-8", "replace").split("\x02", 3)
    if len(parts) != 4:
        return None
    try:
        at = datetime.fromtimestamp(int(parts[1]), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    author, subject = ("".join(each if each.isprintable() else " " for each in text) for text in parts[2:])
    return Commit(commit=parts[0], at=at.isoformat(), author=author[:_LONGEST], subject=subject[:_LONGEST])


def _touched(row: re.Match[bytes], name: bytes, prefix: str) -> Touched | None:
    parents = len(row[1])
    blobs = row[2].decode().split()
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        return None  # the work tree refuses such a name, too
    if not path.startswith(prefix) or len(blobs) != parents + 1:
        return None
    # Of a merge the first parent is the line the project was on.
    before, after = ("" if set(each) == {"0"} else each for each in (blobs[0], blobs[-1]))
    return Touched(path=path[len(prefix) :], before=before, after=after)
