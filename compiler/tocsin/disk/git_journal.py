"""A journal in a Git ref: every entry is a commit on it, so that it goes where Git goes and nobody can change it unnoticed.

`git:refs/tocsin/journal/prod` stays in this clone; `git:origin:refs/tocsin/journal/prod` is pushed after every entry, and `append` returns when
the other side has it. Git compares and swaps a ref: two runs that write one journal at once cannot both succeed. The ref holds no branch's
files, only `entry.json`; the first commit of a run says so in its subject, and what lies before it is earlier runs.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from tocsin.disk.git_write import write_git
from tocsin.disk.process import FinishedBytes
from tocsin.errors import MachineError, UsageError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
PREFIX = "git:"
_NAME = re.compile(
    r"git:(?:(?P<remote>[A-Za-z0-9][A-Za-z0-9._-]*):)?(?P<ref>refs/[A-Za-z0-9][A-Za-z0-9._/-]*)\Z"
)
_FIRST, _NEXT = "tocsin journal: a run begins", "tocsin journal: entry"


class GitJournal:
    """Entries on the ref that `name` says, in the repository of `root`. UsageError for a name that is none."""

    def __init__(self, name: str, root: Path) -> None:
        found = _NAME.match(name)
        if found is None or ".." in name or name.endswith(("/", ".", ".lock")):
            raise UsageError(
                f"--journal {name}: no journal in Git is called so",
                help="write git:refs/tocsin/journal/prod, or git:origin:refs/tocsin/journal/prod to have it pushed",
            )
        self._name, self._root = name, root
        # Two runs that write the same entry in the same second would make the same commit, and both would think it theirs.
        self._run_id = os.urandom(8).hex()
        self.remote: str = found["remote"] or ""
        self._ref: str = found["ref"]
        self._lock = threading.Lock()
        self._fetched = False
        self._fresh = False

    @property
    def where(self) -> str:
        """As it is given on the command line."""
        return self._name

    def append(self, entry: Json, /) -> None:
        """One commit more, pushed where there is a remote. MachineError where the ref is not what it was: somebody else writes this journal."""
        with self._lock:
            self._fetch()
            tip = self._tip()
            text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
            blob = self._line("hash-object", "-w", "--stdin", input=text.encode("utf-8", "surrogatepass"))
            tree = self._line("mktree", input=f"100644 blob {blob}\tentry.json\n".encode())
            parents = ("-p", tip) if tip else ()
            said = _FIRST if self._fresh or not tip else _NEXT
            commit = self._line("commit-tree", tree, *parents, "-m", said, "-m", self._run_id)
            if self.remote:
                # Theirs first: what is not there has not been written.
                self._line("push", "--quiet", "--no-verify", self.remote, f"{commit}:{self._ref}")
            self._line("update-ref", self._ref, commit, tip or "0" * len(commit))
            self._fresh = False

    def entries(self) -> Sequence[Json]:
        """The entries of the last run, oldest first."""
        with self._lock:
            self._fetch()
            if not self._tip():
                return ()
            rows = self._line("log", "--first-parent", "--format=%H %s", self._ref, "--").split("\n")
            commits: list[str] = []
            for row in rows:
                commit, _, subject = row.partition(" ")
                commits.append(commit)
                if subject == _FIRST:
                    break
            commits.reverse()
            return [self._entry(each) for each in self._blobs(commits)]

    def restart(self) -> None:
        """The next entry begins a new run; the old ones stay in the ref's history."""
        self._fresh = True

    def _entry(self, blob: bytes) -> Json:
        try:
            found: Json = json.loads(blob)
        except ValueError:
            raise MachineError(f"{self._name} holds a commit that is no entry of a journal") from None
        return found

    def _blobs(self, commits: Sequence[str]) -> list[bytes]:
        asked = "".join(f"{each}:entry.json\n" for each in commits).encode()
        given = self._run("cat-file", "--batch", input=asked).out
        found: list[bytes] = []
        at = 0
        while at < len(given):
            end = given.index(b"\n", at)
            facts = given[at:end].split(b" ")
            if len(facts) != 3 or facts[1] != b"blob":
                raise MachineError(f"{self._name} holds a commit that is no entry of a journal")
            size = int(facts[2])
            found.append(given[end + 1 : end + 1 + size])
            at = end + 2 + size
        return found

    def _fetch(self) -> None:
        """Once a process: what another machine wrote there. A ref that the remote does not have yet is an empty journal."""
        if not self.remote or self._fetched:
            return
        if self._line("ls-remote", self.remote, self._ref):
            self._line(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                self.remote,
                f"+{self._ref}:{self._ref}",
            )
        elif self._tip():
            self._line("update-ref", "-d", self._ref)
        self._fetched = True

    def _tip(self) -> str:
        done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", self._ref, accept=(0, 1))
        return done.out.decode("ascii", "replace").strip() if done.code == 0 else ""

    def _line(self, *words: str, input: bytes | None = None) -> str:
        return self._run(*words, input=input).out.decode("utf-8", "replace").strip()

    def _run(self, *words: str, input: bytes | None = None, accept: tuple[int, ...] = (0,)) -> FinishedBytes:
        return write_git(
            self._root,
            *words,
            what=f"the journal {self._name} cannot be kept",
            help="is this a clone, does the remote exist, and may you push that ref? nothing more is changed",
            input=input,
            accept=accept,
        )
