"""What two revisions mean, as far as they can differ: the ground of a diff.

In: the sources of both. Out: two `Standing`s to compare. A file that is the same on both sides is compiled on neither, as long as nothing it depends on
moved: tocsin.yaml, or any recording rule. Nothing is checked beyond what compiling needs, so a missing SOP or an overdue review stops no diff;
a service that does not load or resolve is frozen, and a frozen service is never read as a deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tocsin.diag import Diagnostic, Severity, SourceFile, ordered
from tocsin.ir.compiled import Resolved
from tocsin.ir.project import Project
from tocsin.ir.sop import Sop
from tocsin.load.sops import load_sop
from tocsin.pipeline import Settings, Sources, export, load_service, read_settings, service_of
from tocsin.pipeline.values import LoadedService
from tocsin.resolve import RecordFacts, records_of, resolve_service


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One revision, without what is the same in the other. `project` is None where there is no usable tocsin.yaml."""

    project: Project | None
    resolved: tuple[Resolved, ...] = ()
    sops: tuple[Sop, ...] = ()
    frozen: frozenset[str] = frozenset()
    """Services that could not be compiled here; nothing of them is in `resolved`."""
    unread: frozenset[str] = frozenset()
    """SOPs that could not be loaded here, by path."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Why."""


_Files = tuple[SourceFile, ...]


def both_standing(old: Sources, new: Sources, today: date) -> tuple[Standing, Standing]:
    """Both revisions as far as they may differ. What is frozen or unread in one is left out of the other, too."""
    settings = [read_settings(each, today) for each in (old, new)]
    touched = _changed(old.rules, new.rules)
    # The ledger gives rules their versions and nothing else.
    if old.project != new.project:
        touched = (old.rules, new.rules)
    sides = [
        _Side(given, each.rules, files)
        for (given, _), each, files in zip(settings, (old, new), touched, strict=True)
    ]
    made = _resolved(sides)
    if sides[0].frozen != sides[1].frozen:
        # A service that does not compile stays as it is live, and so do the records that others read.
        for side, other in (sides, sides[::-1]):
            side.keep(other.records(), side.frozen - other.frozen)
        for side, files in zip(sides, touched, strict=True):
            side.touched = files
        made = _resolved(sides)
    frozen = frozenset().union(*(side.frozen for side in sides))
    sops = _changed(old.sops, new.sops)
    pages = [[load_sop(file) for file in files] for files in sops]
    unread = frozenset(
        file.path
        for files, loaded in zip(sops, pages, strict=True)
        for file, (sop, _) in zip(files, loaded, strict=True)
        if sop is None
    )
    standing: list[Standing] = []
    for index, side in enumerate(sides):
        found = [*settings[index][1], *side.found, *(each for _, said in pages[index] for each in said)]
        standing.append(
            Standing(
                project=side.settings.project if side.settings is not None else None,
                resolved=tuple(each for each in made[index] if each.service not in frozen),
                sops=tuple(sop for sop, _ in pages[index] if sop is not None and sop.file.path not in unread),
                frozen=side.frozen,
                unread=unread & {each.path for each in sops[index]},
                diagnostics=ordered(each for each in found if each.severity is Severity.error),
            )
        )
    return standing[0], standing[1]


def _resolved(sides: Sequence[_Side]) -> list[tuple[Resolved, ...]]:
    """Both sides, compiled: everything, where records differ that anybody may read."""
    if sides[0].records() != sides[1].records():
        for side in sides:
            side.touched = side.files
    return [side.resolved() for side in sides]


def _changed(old: Iterable[SourceFile], new: Iterable[SourceFile]) -> tuple[_Files, _Files]:
    """The files that are not the same on both sides."""
    before, after = {each.path: each for each in old}, {each.path: each for each in new}
    differ = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    return (
        tuple(before[path] for path in sorted(differ) if path in before),
        tuple(after[path] for path in sorted(differ) if path in after),
    )


class _Side:
    """One revision while it is compiled: each file is loaded at most once, and only when somebody asks."""

    def __init__(self, settings: Settings | None, files: _Files, touched: _Files) -> None:
        self.settings, self.files, self.touched = settings, files, touched
        self.loaded: dict[str, LoadedService] = {}
        self.facts: Mapping[str, Mapping[str, tuple[RecordFacts, ...]]] | None = None
        self.frozen: frozenset[str] = frozenset()
        self.found: list[Diagnostic] = []

    def load(self, file: SourceFile) -> LoadedService:
        """One file, loaded."""
        if file.path not in self.loaded:
            self.loaded[file.path] = load_service(service_of(file.path), (file,))
        return self.loaded[file.path]

    def keep(
        self, records: Mapping[str, Mapping[str, tuple[RecordFacts, ...]]], services: frozenset[str]
    ) -> None:
        """Takes the records of services that do not compile here from the revision where they do."""
        own = {path: each for path, each in self.records().items() if service_of(path) not in services}
        self.facts = {**own, **{path: each for path, each in records.items() if service_of(path) in services}}

    def records(self) -> Mapping[str, Mapping[str, tuple[RecordFacts, ...]]]:
        """Every recording rule: path -> environment -> what others need of it, of the files that have any."""
        if self.settings is None:
            return {}
        if self.facts is None:
            # The cheapest way to know that there is none: nobody writes a record without the word.
            written = (file for file in self.files if "record" in file.text)
            facts = {file.path: export(self.load(file), self.settings.project).records for file in written}
            self.facts = {path: each for path, each in facts.items() if any(each.values())}
        return self.facts

    def resolved(self) -> tuple[Resolved, ...]:
        """The touched files in every environment, by service; a service with errors in one of them is frozen."""
        if self.settings is None:
            return ()
        project, facts = self.settings.project, self.records()
        records = {
            env.name: records_of(fact for path in sorted(facts) for fact in facts[path][env.name])
            for env in project.environments
        }
        by_service: dict[str, list[LoadedService]] = {}
        for file in self.touched:
            by_service.setdefault(service_of(file.path), []).append(self.load(file))
        made: list[Resolved] = []
        frozen: set[str] = set()
        self.found = []
        for name, loaded in sorted(by_service.items()):
            found = [said for each in loaded for said in each.diagnostics]
            files = [file for each in loaded for file in each.files]
            for env in project.environments:
                each, said = resolve_service(
                    name, files, project, env, self.settings.ledger, records[env.name]
                )
                made.append(each)
                found.extend(said)
            self.found.extend(found)
            if any(each.severity is Severity.error for each in found):
                frozen.add(name)
        self.frozen = frozenset(frozen)
        return tuple(each for each in made if each.service not in frozen)
