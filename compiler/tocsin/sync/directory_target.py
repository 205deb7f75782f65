"""A folder of provisioning files as a target: what a Grafana reads when it starts, or when it is told to.

Ours are the files that our own file there lists; any other is left as it is, and one that has a name we need is refused. What is remembered is
written before what it is about: then a run that was killed leaves no rule that nobody deletes. A rule that goes to another group leaves its old
one before it stands in the new one, so that it is never in two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tocsin.errors import MachineError
from tocsin.sync.directory import (
    Memory,
    Written,
    document_text,
    groups_of,
    memory_name,
    memory_of,
    memory_text,
    organisation,
)
from tocsin.sync.values import Files, Folder, Group, Live, Place, Rule, Server, State


class DirectoryTarget:
    """One folder. `reload` tells its Grafana to read it again, where one is known: once, at the end (`finish`)."""

    def __init__(self, files: Files, *, owner: str, reload: Callable[[], None] | None = None) -> None:
        self._files, self._owner, self._reload = files, owner, reload

    def read(self) -> Live:
        """Every file of ours; of others, that they are there."""
        memory = self._memory()
        groups: list[Group] = []
        folders: list[Folder] = []
        for name in self._files.names():
            if name == memory_name(self._owner):
                continue
            managed, found = self._file(name, memory)
            folders.append(Folder(uid=name, title=name, managed=managed))
            groups += found
        return Live(
            server=Server(kind="directory", identity=self._files.where, version=""),
            groups=tuple(groups),
            folders=tuple(folders),
        )

    def read_group(self, place: Place) -> Group | None:
        """The group as its file has it."""
        _, found = self._file(place.folder, self._memory())
        return next((each for each in found if each.place == place), None)

    def make_folder(self, folder: Folder) -> None:
        """Grafana makes the folder a file names."""

    def remove_folder(self, folder: Folder) -> bool:
        """A file goes with its last group."""
        return True

    def write_group(self, group: Group, known: frozenset[str]) -> None:
        """The group whole; its rules leave whatever other group of ours has them."""
        taken = {each.uid for each in group.rules}
        now = self._all()
        after: dict[str, list[Group]] = {group.place.folder: []}
        for name, groups in now.items():
            left = [_less(each, taken) for each in groups if each.place != group.place]
            after[name] = [each for each in left if each is not None]
        position = next(
            (
                index
                for index, each in enumerate(now.get(group.place.folder, ()))
                if each.place == group.place
            ),
            len(after[group.place.folder]),
        )
        after[group.place.folder].insert(position, group)
        self._write(now, after, last=group.place.folder)

    def delete_rule(self, rule: Rule, place: Place) -> None:
        """The rule gone from its file, and named to Grafana."""
        now = self._all()
        after = {name: list(groups) for name, groups in now.items()}
        left = [
            _less(each, {rule.uid}) if each.place == place else each for each in now.get(place.folder, ())
        ]
        after[place.folder] = [each for each in left if each is not None]
        self._write(now, after, last=place.folder)

    def delete_group(self, place: Place) -> None:
        """The whole group gone from its file."""
        now = self._all()
        after = {name: list(groups) for name, groups in now.items()}
        after[place.folder] = [each for each in now.get(place.folder, ()) if each.place != place]
        self._write(now, after, last=place.folder)

    def states(self) -> Mapping[str, State]:
        """A folder does nothing."""
        return {}

    def finish(self) -> None:
        """Grafana told to read the folder again, if something was written since it last was."""
        memory = self._memory()
        if self._reload is None or not memory.stale:
            return
        self._reload()
        present = frozenset(
            each.uid for groups in self._all().values() for group in groups for each in group.rules
        )
        self._files.write(
            memory_name(self._owner),
            memory_text(replace(memory, stale=False), present | self._unreadable(memory)),
        )

    def texts(self) -> Mapping[str, str]:
        """Every file of ours as it is, and the one that remembers them."""
        names = (*sorted(self._memory().files), memory_name(self._owner))
        return {name: text for name in names if (text := self._files.read(name)) is not None}

    def _memory(self) -> Memory:
        return memory_of(self._files.read(memory_name(self._owner)), self._owner)

    def _file(self, name: str, memory: Memory) -> tuple[str, tuple[Group, ...]]:
        """(whose file it is where not ours, its groups)."""
        text = self._files.read(name)
        if text is None:
            return "", ()
        if name not in memory.files:
            return "somebody else: tocsin did not write it", ()
        try:
            return "", groups_of(text, name, memory)
        except MachineError as error:
            return f"a hand that broke it: {error.message}", ()

    def _unreadable(self, memory: Memory) -> frozenset[str]:
        """The rules of files that a hand broke: nobody knows whether they are gone, so nobody deletes them."""
        broken = {name for name in memory.files if self._file(name, memory)[0]}
        return frozenset(uid for uid, each in memory.rules.items() if each.file in broken)

    def _all(self) -> dict[str, tuple[Group, ...]]:
        """Every file of ours with its groups."""
        memory = self._memory()
        found = {}
        for name in sorted(memory.files):
            managed, groups = self._file(name, memory)
            if not managed and groups:
                found[name] = groups
        return found

    def _write(
        self, now: Mapping[str, Iterable[Group]], after: Mapping[str, list[Group]], *, last: str
    ) -> None:
        """The files made equal to `after`, what is remembered before them, the file `last` after all others."""
        memory = self._memory()
        managed, _ = self._file(last, memory)
        if managed:
            raise MachineError(
                f"{last} belongs to {managed}", help="it is left as it is; look at it, and move it away"
            )
        present = {
            rule.uid: Written(service=rule.service, key=rule.key, file=name, org_id=organisation(group))
            for name, groups in after.items()
            for group in groups
            for rule in group.rules
        }
        kept = replace(
            memory,
            files=memory.files | after.keys(),
            rules={**memory.rules, **present},
            stale=memory.stale or self._reload is not None,
        )
        self._files.write(
            memory_name(self._owner), memory_text(kept, frozenset(present) | self._unreadable(memory))
        )
        for name in sorted(after, key=lambda each: (each == last, each)):
            if list(now.get(name, ())) == after[name]:
                continue
            if after[name]:
                self._files.write(name, document_text(after[name]))
            else:
                self._files.remove(name)


def _less(group: Group, uids: set[str]) -> Group | None:
    """The group without these rules; None where none is left."""
    rules = tuple(each for each in group.rules if each.uid not in uids)
    return None if not rules else group if len(rules) == len(group.rules) else replace(group, rules=rules)
