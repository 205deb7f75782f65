"""The policy a change is judged by: that of the revision before it, never its own.

A pull request that loosens a gate is judged by the gate it found, and what it changed counts from the next change on. The revision is the first
parent of HEAD, which after a merge is what the branch was before it; where commits are replayed onto the branch instead (a rebase merge), the job
names the commit it had before: `--policy-base`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from tocsin.cli.revisions import compiled_at, sources_at
from tocsin.disk.git_revisions import commit_of, first_parent, repository_of
from tocsin.errors import MachineError
from tocsin.ir.compiled import CompiledAlert, Resolved
from tocsin.ir.project import Project
from tocsin.pipeline import Compilation


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBase:
    """A revision and what it says. `commit` is `""` where there is no earlier one, and the work tree is its own judge: `why` says so."""

    commit: str
    project: Project
    compilation: Compilation
    why: str = ""

    @property
    def text(self) -> str:
        """Where gates come from, in a sentence."""
        if self.commit:
            return f"gates, waivers and stages are those of {self.commit[:12]}, not of this work tree"
        return f"gates, waivers and stages are this work tree's own: {self.why}"

    def resolved(self, env: str) -> tuple[Resolved, ...]:
        """What it compiled for an environment."""
        return resolved_of(self.compilation, env)

    def alerts(self, env: str) -> Mapping[str, CompiledAlert]:
        """Its alerts by key, mirrors left aside."""
        every = (alert for each in self.resolved(env) for alert in each.alerts)
        return {each.key.text: each for each in every if not each.mirror}


def policy_base(top: Path, named: str | None, today: date, own: Compilation) -> PolicyBase:
    """The base of what is checked out at `top`, which compiled to `own`. MachineError where a shallow clone does not hold it, or where its
    tocsin.yaml cannot be used: nobody may get past a gate by hiding it."""
    if named is None:
        try:
            repository = repository_of(top)
        except MachineError:
            return _own(own, "there is no Git repository around it")
        commit = first_parent(top, repository.head)
        if commit is None:
            return _own(own, "it is the first commit")
    else:
        commit = commit_of(top, named)
    return policy_at(top, commit, today, own)


def policy_at(top: Path, commit: str, today: date, own: Compilation) -> PolicyBase:
    """The policy of that commit; that of the work tree, which compiled to `own`, where there was no tocsin.yaml yet. MachineError where there was
    one and it cannot be used."""
    compilation = compiled_at(top, commit, today)
    if compilation.settings is None and sources_at(top, commit).project is None:
        return replace(_own(own, f"{commit[:12]} has no tocsin.yaml"), compilation=compilation)
    if compilation.settings is None:
        raise MachineError(
            f"tocsin.yaml of {commit[:12]} cannot be used, and it says by which gates this change is judged",
            help="name another revision with --policy-base",
        )
    return PolicyBase(commit=commit, project=compilation.settings.project, compilation=compilation)


def _own(own: Compilation, why: str) -> PolicyBase:
    assert own.settings is not None
    return PolicyBase(commit="", project=own.settings.project, compilation=own, why=why)


def resolved_of(compilation: Compilation, env: str) -> tuple[Resolved, ...]:
    """What was compiled for one environment."""
    return tuple(each for service in compilation.services for each in service.resolved if each.env == env)
