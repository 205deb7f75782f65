"""Documents on a Git branch of their own: one file each, one commit a write, and whoever has the repository has them.

`git:tocsin-canary` is a branch of this clone, `git:origin:tocsin-canary` one of a remote, fetched before it is read and pushed when it is written.
Neither the work tree nor what is checked out is touched. Writers at the same time are no conflict: the one who comes second puts its files on what
the first one pushed. What is on the branch proves nothing by itself, for whoever may push may write there: readers check signatures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tocsin.disk.git import read_files
from tocsin.disk.git_write import write_git
from tocsin.disk.process import FinishedBytes
from tocsin.errors import MachineError, UsageError

PREFIX = "git:"
_NAME = re.compile(
    r"git:(?:(?P<remote>[A-Za-z0-9][A-Za-z0-9._-]*):)?(?P<branch>(?!refs/)[A-Za-z0-9][A-Za-z0-9._/-]*)\Z"
)
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.json")
_TRIES = 8


class GitRecords:
    """The files of the branch that `name` says, in the repository of `root`. UsageError for a name that is none."""

    def __init__(self, name: str, root: Path) -> None:
        found = _NAME.match(name)
        if found is None or ".." in name or "//" in name or name.endswith(("/", ".", ".lock")):
            raise UsageError(
                f"--records {name}: no branch is called so",
                help="write git:origin:tocsin-canary, or git:tocsin-canary for one of this clone alone",
            )
        self._name, self._root = name, root
        self.remote: str = found["remote"] or ""
        self._ref = f"refs/heads/{found['branch']}"

    @property
    def where(self) -> str:
        """As it is given on the command line."""
        return self._name

    def read(self) -> Mapping[str, bytes]:
        """File name -> content, of every `.json` on the branch; nothing where there is no branch yet."""
        tip = self._tip()
        return read_files(self._root, tip, lambda path: path.endswith(".json")) if tip else {}

    def write(self, files: Mapping[str, bytes], subject: str) -> None:
        """The files on the branch, beside what is there, and pushed. MachineError where that cannot be done; ValueError for a name with a path."""
        odd = next((name for name in files if not _FILE.fullmatch(name)), None)
        if odd is not None:
            raise ValueError(f"`{odd}` is no name of a record")
        if not files:
            return
        blobs = {
            name: self._line("hash-object", "-w", "--stdin", input=files[name]) for name in sorted(files)
        }
        for _ in range(_TRIES):
            tip = self._tip()
            commit = self._commit(tip, blobs, subject)
            if commit == tip or self._publish(commit, tip):
                return
        raise MachineError(
            f"the records cannot be kept at {self._name}: others write there all the time", help="try again"
        )

    def _commit(self, tip: str, blobs: Mapping[str, str], subject: str) -> str:
        """A commit of the tip's files with these; the tip itself where it has them all."""
        rows: dict[str, str] = {}
        if tip:
            listed = self._run("ls-tree", "-z", "--full-tree", "--end-of-options", tip).out
            for row in listed.decode("utf-8", "surrogateescape").split("\0"):
                facts, tab, name = row.partition("\t")
                if tab:
                    rows[name] = f"{facts}\t{name}"
        merged = {**rows, **{name: f"100644 blob {blob}\t{name}" for name, blob in blobs.items()}}
        if merged == rows:
            return tip
        text = "".join(f"{merged[name]}\0" for name in sorted(merged))
        tree = self._line("mktree", "-z", input=text.encode("utf-8", "surrogateescape"))
        parents = ("-p", tip) if tip else ()
        return self._line("commit-tree", tree, *parents, "-m", subject)

    def _publish(self, commit: str, tip: str) -> bool:
        """Whether the branch could be moved from `tip` to `commit`; False where somebody else moved it first."""
        if self.remote:
            words = ("push", "--quiet", "--no-verify", self.remote, f"{commit}:{self._ref}")
            return self._run(*words, accept=(0, 1)).code == 0
        moved = ("update-ref", self._ref, commit, tip or "0" * len(commit))
        return self._run(*moved, accept=(0, 128)).code == 0

    def _tip(self) -> str:
        """The commit the branch is at, its objects here; `""` where there is none. Of a remote no ref is kept: two that fetch at once would quarrel
        over it."""
        if not self.remote:
            done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", self._ref, accept=(0, 1))
            return done.out.decode("ascii", "replace").strip() if done.code == 0 else ""
        tip = self._line("ls-remote", self.remote, self._ref).partition("\t")[0]
        if tip and self._run("cat-file", "-e", f"{tip}^{{commit}}", accept=(0, 1, 128)).code:
            plain = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-filter", "--refmap=")
            self._line("fetch", *plain, self.remote, self._ref)
        return tip

    def _line(self, *words: str, input: bytes | None = None) -> str:
        return self._run(*words, input=input).out.decode("utf-8", "replace").strip()

    def _run(self, *words: str, input: bytes | None = None, accept: tuple[int, ...] = (0,)) -> FinishedBytes:
        return write_git(
            self._root,
            *words,
            what=f"the records at {self._name} cannot be reached",
            help="is this a clone, does the remote exist, and may you read and push that branch?",
            input=input,
            accept=accept,
        )
