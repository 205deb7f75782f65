"""Why each rule changed between two revisions: the trailers of the commits and pull requests that changed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.diff.changes import RuleChange
from tocsin.diff.parameters import from_project
from tocsin.disk.git import read_blobs
from tocsin.disk.git_release import Step, steps
from tocsin.disk.git_revisions import repository_of
from tocsin.ir.compiled import CompiledRecord
from tocsin.load.meaning import meanings, parameters
from tocsin.release.entries import Why
from tocsin.release.reasons import why

PROJECT = "tocsin.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one step did: id -> digests of what the rules say before and after, and (environment, parameter) -> what tocsin.yaml gave
    and gives, where that differs."""

    step: Step
    before: Mapping[str, tuple[str, ...]]
    after: Mapping[str, tuple[str, ...]]
    parameters: Mapping[tuple[str, str], tuple[str, str]]

    def changed(self, id: str) -> bool:
        """Whether it made that rule say something else, or come or go."""
        return self.before.get(id) != self.after.get(id)


def reasons_of(
    root: Path, base: str, head: str, changes: Iterable[RuleChange], message: str = ""
) -> Mapping[str, Why]:
    """Rule id -> what was said about it. A step speaks for the rules whose own meaning it changed, unless the steps took it back among themselves, and
    for those that use a parameter of tocsin.yaml it changed; where no step did (a text), for the rules of the files it touched, and last for
    everything if it touched tocsin.yaml. `message` is the pull request's own text and speaks for every change."""
    repository = repository_of(root)
    walked = _walked(root, steps(root, base, head, repository.prefix))
    every = why([message]) if message else Why()
    by_id: dict[str, list[RuleChange]] = {}
    for change in changes:
        by_id.setdefault(change.key.id, []).append(change)
    found = {id: _told(walked, id, group) for id, group in by_id.items()}
    series: dict[str, Why] = {}
    for id, group in by_id.items():
        for name in {each.side.rule.record for each in group if isinstance(each.side.rule, CompiledRecord)}:
            series[name] = series.get(name, Why()) + found[id]
    for id, group in by_id.items():
        # Who changed a record changed what reads it.
        read = {
            field.field.removeprefix("reads.")
            for each in group
            for field in each.fields
            if field.field.startswith("reads.")
        }
        for name in sorted(read & series.keys()):
            found[id] += series[name]
    return {id: each + every for id, each in found.items()}


def _told(walked: tuple[_Said, ...], id: str, group: Sequence[RuleChange]) -> Why:
    own = [each for each in walked if each.changed(id)]
    if own and own[-1].before.get(id) == own[0].after.get(id):
        # Taken away and brought back: nothing is left of it.
        own = []
    set_elsewhere = _set_elsewhere(walked, group)
    told = [each for each in walked if each in own or each.parameters.keys() & set_elsewhere]
    files = {
        side.rule.origin.file for change in group for side in (change.old, change.new) if side is not None
    }
    told = told or [each for each in walked if any(touched.path in files for touched in each.step.touched)]
    told = told or [each for each in walked if any(touched.path == PROJECT for touched in each.step.touched)]
    return why([text for each in told for text in each.step.texts])


def _set_elsewhere(walked: tuple[_Said, ...], group: Sequence[RuleChange]) -> frozenset[tuple[str, str]]:
    """The (environment, parameter) by which tocsin.yaml may have changed one of these; looked up only where some step changed one at all."""
    moved: dict[tuple[str, str], tuple[str, str]] = {}
    for each in walked:
        for at, (old, new) in each.parameters.items():
            moved[at] = (old, moved[at][1] if at in moved else new)
    moved = {at: (old, new) for at, (old, new) in moved.items() if old != new}
    found: set[tuple[str, str]] = set()
    for change in group if moved else ():
        for side in (change.old, change.new):
            if side is not None:
                found.update(moved.keys() & {(change.key.env, name) for name in from_project(side.rule)})
    return frozenset(found)


def _walked(root: Path, line: Iterable[Step]) -> tuple[_Said, ...]:
    """Each step, the newest first, with what it did."""
    touched = [
        (step, [each for each in step.touched if each.path.startswith("rules/") or each.path == PROJECT])
        for step in line
    ]
    blobs = read_blobs(
        root, (blob for _, files in touched for each in files for blob in (each.before, each.after) if blob)
    )

    def text(blob: str) -> str:
        return blobs[blob].decode("utf-8", "replace") if blob in blobs else ""

    found: list[_Said] = []
    for step, files in touched:
        sides: tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]] = ({}, {})
        given: Mapping[tuple[str, str], tuple[str, str]] = {}
        for each in files:
            if each.path == PROJECT:
                given = _given(text(each.before), text(each.after))
                continue
            for side, blob in zip(sides, (each.before, each.after), strict=True):
                for id, digest in meanings(each.path, text(blob)).items():
                    # Two services may record one series.
                    side[id] = tuple(sorted((*side.get(id, ()), digest)))
        found.append(_Said(step=step, before=sides[0], after=sides[1], parameters=given))
    return tuple(found)


def _given(before: str, after: str) -> Mapping[tuple[str, str], tuple[str, str]]:
    old, new = (
        {(env, name): value for env, given in parameters(each).items() for name, value in given.items()}
        for each in (before, after)
    )
    return {
        at: (old.get(at, ""), new.get(at, ""))
        for at in sorted(old.keys() | new.keys())
        if old.get(at) != new.get(at)
    }
