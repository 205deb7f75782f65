"""Why each rule changed between two revisions: the trailers of the commits and pull requests that changed it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tocsin.diff.changes import RuleChange
from tocsin.diff.parameters import from_project
from tocsin.disk.git import Touched, read_blobs
from tocsin.disk.git_release import Step, steps
from tocsin.disk.git_revisions import repository_of
from tocsin.ir.compiled import CompiledRecord
from tocsin.load.meaning import meanings, parameters
from tocsin.release.entries import Why
from tocsin.release.reasons import MOST, why

PROJECT = "tocsin.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one step did: id -> digests of what the rules say before and after, and (environment, parameter) -> what tocsin.yaml gave
    and gives, where that differs. `brought` is the same of the commits that a merge brought, where more than one of them says something."""

    step: Step
    before: Mapping[str, tuple[str, ...]]
    after: Mapping[str, tuple[str, ...]]
    parameters: Mapping[tuple[str, str], tuple[str, str]]
    brought: tuple[_Said, ...] = ()

    def changed(self, id: str) -> bool:
        """Whether it made that rule say something else, or come or go."""
        return self.before.get(id) != self.after.get(id)

    def touched(self, paths: Collection[str]) -> bool:
        """Whether it touched one of these files."""
        return any(each.path in paths for each in self.step.touched)


def reasons_of(
    root: Path, base: str, head: str, changes: Iterable[RuleChange], message: str = ""
) -> Mapping[str, Why]:
    """Rule id -> what was said about it. A step speaks for the rules whose own meaning it changed, unless the steps took it back among themselves, and
    for those that use a parameter of tocsin.yaml it changed (of a merge: its own message, and the commits that did so); where no step did (a text),
    for the rules of the files it touched, and last for everything if it touched tocsin.yaml. `message` is the pull request's own text and speaks for
    every change."""
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
    elsewhere = _set_elsewhere(walked, group)
    files = {
        side.rule.origin.file for change in group for side in (change.old, change.new) if side is not None
    }
    told = [each for each in walked if each in own or each.parameters.keys() & elsewhere]
    if told:
        return _words(told, lambda each: each.changed(id) or bool(each.parameters.keys() & elsewhere))
    for paths in (files, {PROJECT}):
        told = [each for each in walked if each.touched(paths)]
        if told:
            return _words(told, partial(_Said.touched, paths=paths))
    return Why()


def _words(told: Iterable[_Said], concerned: Callable[[_Said], bool]) -> Why:
    """What these steps say. A merge speaks through its own message and the commits it brought that are `concerned`; what these leave open, a reason or a
    ticket, any of its commits may say for all of them."""
    found = Why()
    for each in told:
        whole = why(each.step.texts)
        if each.brought:
            inner = [text for one in each.brought if concerned(one) for text in one.step.texts]
            near = why([*each.step.texts[:1], *inner])
            whole = Why(reasons=near.reasons or whole.reasons, tickets=near.tickets or whole.tickets)
        found += whole
    return Why(reasons=found.reasons[:MOST], tickets=found.tickets[:MOST])


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
    pairs = [(step, _several(step)) for step in line]
    wanted = [each for step, brought in pairs for each in (step, *brought)]
    blobs = read_blobs(
        root,
        (blob for step in wanted for each in _sources(step) for blob in (each.before, each.after) if blob),
    )
    return tuple(
        replace(_one(step, blobs), brought=tuple(_one(each, blobs) for each in brought))
        for step, brought in pairs
    )


def _several(step: Step) -> tuple[Step, ...]:
    """The commits that a merge brought, where it matters which of them says what."""
    return step.brought if sum(why(each.texts) != Why() for each in step.brought) > 1 else ()


def _sources(step: Step) -> list[Touched]:
    return [each for each in step.touched if each.path.startswith("rules/") or each.path == PROJECT]


def _one(step: Step, blobs: Mapping[str, bytes]) -> _Said:
    def text(blob: str) -> str:
        return blobs[blob].decode("utf-8", "replace") if blob in blobs else ""

    sides: tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]] = ({}, {})
    given: Mapping[tuple[str, str], tuple[str, str]] = {}
    for each in _sources(step):
        if each.path == PROJECT:
            given = _given(text(each.before), text(each.after))
            continue
        for side, blob in zip(sides, (each.before, each.after), strict=True):
            for id, digest in meanings(each.path, text(blob)).items():
                # Two services may record one series.
                side[id] = tuple(sorted((*side.get(id, ()), digest)))
    return _Said(step=step, before=sides[0], after=sides[1], parameters=given)


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
