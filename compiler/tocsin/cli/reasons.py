"""Why each rule changed between two revisions: the trailers of the commits and pull requests that changed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tocsin.diff.changes import RuleChange
from tocsin.disk.git import read_blobs
from tocsin.disk.git_release import Step, steps
from tocsin.disk.git_revisions import repository_of
from tocsin.load.meaning import meanings
from tocsin.release.entries import Why
from tocsin.release.reasons import why

PROJECT = "tocsin.yaml"


def reasons_of(
    root: Path, base: str, head: str, changes: Iterable[RuleChange], message: str = ""
) -> Mapping[str, Why]:
    """Rule id -> what was said about it. A step speaks for the alerts whose meaning it changed; where no step did (a record, a text, a parameter of
    the project), for the rules of the files it touched, and last for everything if it touched tocsin.yaml. `message` is the pull request's own
    text and speaks for every change."""
    repository = repository_of(root)
    walked = steps(root, base, head, repository.prefix)
    changed = _changed_ids(root, walked)
    every = why([message]) if message else Why()
    found: dict[str, Why] = {}
    changes = tuple(changes)
    for change in changes:
        if change.key.id in found:
            continue
        files = {side.rule.origin.file for side in (change.old, change.new) if side is not None}
        told = [step for step, ids in changed if change.key.id in ids]
        told = told or [step for step in walked if any(each.path in files for each in step.touched)]
        told = told or [step for step in walked if any(each.path == PROJECT for each in step.touched)]
        found[change.key.id] = why([text for step in told for text in step.texts])
    for change in changes:
        # Who changed a record changed what reads it.
        for record in (
            each.field.removeprefix("reads.") for each in change.fields if each.field.startswith("reads.")
        ):
            found[change.key.id] += found.get(record, Why())
    return {id: each + every for id, each in found.items()}


def _changed_ids(root: Path, walked: Iterable[Step]) -> list[tuple[Step, frozenset[str]]]:
    """For each step the ids of the alerts that it made mean something else, come or go."""
    touched = [(step, [each for each in step.touched if each.path.startswith("rules/")]) for step in walked]
    blobs = read_blobs(
        root, (blob for _, files in touched for each in files for blob in (each.before, each.after) if blob)
    )

    def said(path: str, blob: str) -> Mapping[str, str]:
        return meanings(path, blobs[blob].decode("utf-8", "replace")) if blob in blobs else {}

    found: list[tuple[Step, frozenset[str]]] = []
    for step, files in touched:
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        for each in files:
            before.update(said(each.path, each.before))
            after.update(said(each.path, each.after))
        ids = {id for id in {*before, *after} if before.get(id) != after.get(id)}
        found.append((step, frozenset(ids)))
    return found
