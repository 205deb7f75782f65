"""Changes that went out without a verdict: who let them, why, and which of them are still what runs. Pure.

A journal keeps one run, so every run's first entry carries what the runs before it left: an override is in force until another digest of its rule
is written with a verdict, and it is counted for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.sync.values import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """One rule that went out without a verdict. `digest` is `""` where it was removed; `by` says how that is known, too."""

    key: str
    digest: str
    by: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Those in force, by key, and how many there ever were."""

    standing: tuple[Overridden, ...] = ()
    used: int = 0

    @property
    def text(self) -> str:
        """`1 override in force (web-load by ada: disk is full), 3 ever used`."""
        named = ", ".join(f"{each.key} by {each.by}: {each.reason}" for each in self.standing)
        count = len(self.standing)
        return f"{count} override{'' if count == 1 else 's'} in force{f' ({named})' if named else ''}, {self.used} ever used"


def after(before: Overrides, plan: Plan, by: str, at: str, reason: str) -> Overrides:
    """What stands once the plan is carried out."""
    becomes = dict(_written(plan))
    new = {
        key: Overridden(key=key, digest=becomes[key], by=by, at=at, reason=reason)
        for key in plan.overridden
        if key in becomes
    }
    kept = {each.key: each for each in before.standing if becomes.get(each.key, each.digest) == each.digest}
    standing = {**kept, **new}
    return Overrides(standing=tuple(standing[key] for key in sorted(standing)), used=before.used + len(new))


def _written(plan: Plan) -> Iterator[tuple[str, str]]:
    """Key -> digest of every rule that is written."""
    for group in plan.groups:
        for change in group.changes if group.writes else ():
            if change.rule.key and change.action != "none":
                yield change.rule.key, "" if change.action == "delete" else change.rule.digest
