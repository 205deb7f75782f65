"""The sources of a revision, and which revision a change is measured against.

    base_of(root, named, branch)       -> the commit a branch is compared with
    sources_at(root, revision)         -> its sources, as `workspace.read_sources` gives those of the work tree
    compiled_at(root, revision, today) -> its compilation, with its own tocsin.yaml, ledger and findings
    both_at(root, base, head, today)   -> both as far as they may differ, for `diff.compare`: quicker where little changed

Nothing is checked out: the work tree stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

from tocsin.cli.workspace import no_collector, read_sources, sources_of
from tocsin.diag import Diagnostic, SourceFile
from tocsin.disk.git_revisions import (
    commit_of,
    first_commit_of,
    first_parent,
    merge_base,
    repository_of,
)
from tocsin.disk.git_tree import read_tree_at
from tocsin.errors import UsageError
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.pipeline.standing import Standing, both_standing
from tocsin.source.migrate import migrate
from tocsin.source.schema import Kind

_OLD = re.compile(r"^[ \t{\"']*version[\"']?[ \t]*:[ \t]*0\b", re.MULTILINE)


def sources_at(root: Path, rev: str) -> Sources:
    """Everything the project at `root` said in `rev`; nothing, where it did not exist then."""
    return present(sources_of(read_tree_at(root, commit_of(root, rev), repository_of(root).prefix)))


def present(sources: Sources) -> Sources:
    """With what an older version of the formats says as the present one says it, so that a revision from before a migration can still be compared.
    What cannot be moved stays as it is, and is reported."""
    project = sources.project
    return replace(
        sources,
        project=_present(project, "project") if project is not None else None,
        rules=tuple(_present(each, "rules") for each in sources.rules),
        sops=tuple(_present(each, "sop") for each in sources.sops),
        incidents=tuple(_present(each, "incident") for each in sources.incidents),
    )


def _present(file: SourceFile, kind: Kind) -> SourceFile:
    # Reading is what costs: of ten thousand files perhaps none is old.
    made = migrate(file, kind)[0] if _OLD.search(file.text) else None
    if made is None:
        return file
    return SourceFile(path=file.path, text=made.text, digest=sha256(made.text.encode()).hexdigest())


def compiled_at(root: Path, rev: str, today: date) -> Compilation:
    """`rev` compiled. What does not compile there is in its findings and frozen services, and `settings` is None without a usable tocsin.yaml.

    UsageError where its sources are of a format this tocsin does not read: nothing could be said about them.
    """
    with no_collector():
        sources = sources_at(root, rev)
        compilation = compile_sources(sources, today)
    refuse_other_format(compilation.diagnostics, rev)
    return compilation


def both_at(root: Path, base: str, head: str | None, today: date) -> tuple[Standing, Standing]:
    """Two revisions as far as they may differ; `head` None is the work tree. UsageError where one of them cannot be compared as a whole."""
    with no_collector():
        sources = sources_at(root, base), (read_sources(root) if head is None else sources_at(root, head))
        both = both_standing(*sources, today)
    if all(each.project is None for each in sources):
        raise UsageError(
            "there is no tocsin.yaml, neither before nor after", help="name the folder it is in: -C DIR"
        )
    for name, said, standing in zip((base, head or "the work tree"), sources, both, strict=True):
        refuse_other_format(standing.diagnostics, name)
        if standing.project is None and said.project is not None:
            raise UsageError(
                f"tocsin.yaml of {name[:40]} cannot be used, so there is nothing to compare",
                help="run `tocsin check`" if head is None else "compare with a revision in which it could",
            )
    return both


def refuse_other_format(found: Iterable[Diagnostic], rev: str) -> None:
    """UsageError where the sources of `rev` are written in another version of the format."""
    other = next((each for each in found if each.code == "TOC206"), None)
    if other is not None:
        raise UsageError(
            f"`{rev}` cannot be compared: {other.span.file}:{other.span.line} says {other.message}",
            help="`tocsin migrate` brings sources to the present format; compare from a revision after that",
        )


def base_of(root: Path, named: str | None, branch: str) -> str:
    """The commit that HEAD and the work tree are compared with: where HEAD left `named`, else the branch `branch` of origin or of this clone. On
    that branch itself it is the commit before HEAD; the very first commit is compared with itself.
    """
    repository = repository_of(root)
    if named is not None:
        return merge_base(root, commit_of(root, named), repository.head)
    origin, local = f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"
    found = first_commit_of(root, (origin, local))
    if found is None:
        raise UsageError(
            f"there is no branch `{branch}` to compare with",
            help="name a base: `tocsin diff REV`, `tocsin check --base REV`; or fetch that branch",
        )
    parted = merge_base(root, found, repository.head)
    if parted != repository.head or repository.branch not in ("", branch):
        # A branch that has no commit of its own yet is compared with where it stands.
        return parted
    return first_parent(root, repository.head) or repository.head
