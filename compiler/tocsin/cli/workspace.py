"""What a command works on: the sources of the work tree as values."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tocsin.disk import git
from tocsin.disk.files import Tree, read_tree
from tocsin.ir.history import NO_HISTORY, Change, History
from tocsin.load.meaning import Version, changed_alerts
from tocsin.pipeline import Compilation, Past, Sources


def sources_of(tree: Tree) -> Sources:
    """The work tree as the pipeline takes it."""
    return Sources(
        project=tree.project,
        ledger=tree.ledger,
        rules=tree.rules,
        sops=tree.sops,
        incidents=tree.incidents,
        promtool=tree.promtool,
        site=tree.site,
        images=tree.images,
        diagnostics=tree.diagnostics,
    )


def read_sources(root: Path) -> Sources:
    """Everything the work tree says."""
    return sources_of(read_tree(root))


@contextmanager
def no_collector() -> Iterator[None]:
    """The garbage collector off: 10,000 rules make millions of small values that all live to the end, and walking them costs more than reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def past_of(root: Path) -> Past:
    """What the pipeline asks when it wants to know what Git says about `root`; nothing is read before that."""

    def past(reviewed: Mapping[str, str]) -> History:
        return read_history(root, reviewed)

    return past


def history_of(root: Path, compilation: Compilation) -> History:
    """What Git says about the sources, for pages that show it: what the findings asked for already, else asked now."""
    return compilation.history if compilation.history.head is not None else read_history(root, {})


def read_history(root: Path, reviewed: Mapping[str, str]) -> History:
    """HEAD, the last change of each source, and of each alert in `reviewed` (id -> day) the last change of its meaning after that day."""
    log = git.read_log(root)
    if log is None:
        return NO_HISTORY
    since = min(reviewed.values(), default="9999")
    later = [
        (commit, [each for each in touched if each.path.startswith("rules/") and each.path.endswith(".yaml")])
        for commit, touched in log.commits
        if commit.at[:10] > since
    ]
    blobs = git.read_blobs(
        root, (blob for _, touched in later for each in touched for blob in (each.before, each.after) if blob)
    )
    commits = [
        (
            _change(commit),
            tuple(
                Version(each.path, _text(blobs, each.before), _text(blobs, each.after)) for each in touched
            ),
        )
        for commit, touched in later
    ]
    return History(
        head=_change(log.head),
        shallow=log.shallow,
        files={path: _change(commit) for path, commit in git.last_changes(log).items()},
        alerts=changed_alerts(commits, reviewed),
    )


def _change(commit: git.Commit) -> Change:
    return Change(commit=commit.commit, at=commit.at, author=commit.author, subject=commit.subject)


def _text(blobs: Mapping[str, bytes], name: str) -> str | None:
    data = blobs.get(name)
    return data.decode("utf-8", "replace") if data is not None else None
