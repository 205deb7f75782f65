"""Rule files in a folder and the Prometheus servers that read it, as a target. One file a service; whose it is says its header.

What is written and what is evaluated are two things: a file that nobody was told to read again, a replica that did not follow. So a group has a
setting `loaded`, which is `everywhere` or says which replica has something else; a group that only a server has any more is there too, and is
empty. A run that was killed between writing and reloading is therefore found, resumed and taken back like any other difference.

A file is written whole or not at all, after a check of its text; where a server refuses it, the old file is put back and read again. A reload takes
about as long for one group as for all, so the groups of a phase are written together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from tocsin.diag.diagnostic import Severity
from tocsin.diag.source_file import SourceFile
from tocsin.emit.yamltext import Node, dump
from tocsin.errors import MachineError, Refused, RemoteError
from tocsin.source.tree import read_document
from tocsin.sync.loaded import differs, group_of, states_of, together
from tocsin.sync.ruler import EVERYWHERE, LOADED, group_from, group_node, owner_of_file
from tocsin.sync.values import OWNER, Files, Folder, Group, Live, Place, Rule, Server, State
from tocsin.wire.grafana import Json
from tocsin.wire.live import GroupState, Sample, Silence

_SUFFIXES = (".yaml", ".yml")


class Replica(Protocol):
    """One server."""

    @property
    def address(self) -> str: ...
    def version(self) -> str: ...
    def rules(self) -> tuple[GroupState, ...]: ...
    def reload(self) -> None: ...
    def query(self, expr: str, *, at: float | None = None) -> tuple[Sample, ...]: ...


Check = Callable[[str], str]
"""A rule file's text -> what is wrong with it, `""` for nothing."""


class PrometheusTarget:
    """A folder and every replica that reads it. `silences` asks an Alertmanager, where one is known."""

    def __init__(
        self,
        files: Files,
        replicas: Sequence[Replica],
        check: Check,
        *,
        owner: str,
        silences: Callable[[], tuple[Silence, ...]] = tuple,
    ) -> None:
        self._files, self._replicas, self._check, self._owner = files, tuple(replicas), check, owner
        self._silences = silences
        self._evaluated: dict[str, Mapping[Place, GroupState]] = {}
        # A reload reads every file, so no two writes are under way at once.
        self._lock = threading.RLock()

    def read(self) -> Live:
        """Every rule file of tocsin's in the folder, what only a server has, what every rule does."""
        self._evaluated.clear()
        groups: list[Group] = []
        folders: list[Folder] = []
        for name in sorted({*self._names(), *(name for name, _ in self._left())}):
            owner, _ = owner_of_file(name)
            managed, found = self._file(name)
            folders.append(Folder(uid=name, title=name, managed=managed))
            here = {each.place.group for each in found}
            groups += map(self._judged, found)
            for replica, each in self._left():
                if replica == name and each.name not in here and not managed:
                    here.add(each.name)
                    groups.append(self._only_there(name, each, owner))
        addresses = ",".join(sorted(each.address for each in self._replicas))
        versions = dict.fromkeys(each.version() for each in self._replicas)
        return Live(
            server=Server(kind="prometheus", identity=addresses, version=", ".join(versions)),
            groups=tuple(groups),
            folders=tuple(folders),
            states=self._states(groups),
            silences=self._silences(),
        )

    def read_group(self, place: Place) -> Group | None:
        """The group as its file has it; empty where only a server has it any more."""
        _, found = self._file(place.folder)
        for each in found:
            if each.place == place:
                return self._judged(each)
        for name, state in self._left():
            if (name, state.name) == place:
                return replace(self._only_there(name, state, self._owner), rules=())
        return None

    def make_folder(self, folder: Folder) -> None:
        """A file is made by writing it."""

    def remove_folder(self, folder: Folder) -> bool:
        """A file goes with its last group."""
        return True

    def write_group(self, group: Group, known: frozenset[str]) -> None:
        """The group in its file, the file read again everywhere, and every replica asked."""
        with self._lock:
            self.write_groups([(group.place, group)])
            behind = self._behind(group)
        if behind:
            raise MachineError(
                f"{behind}, after it was told to read its files again",
                help=f"does every replica read {self._files.where}? look at rule_files and at the mount",
            )

    def write_groups(self, groups: Sequence[tuple[Place, Group | None]]) -> None:
        """Every group in its file, None being gone; then all files are read again everywhere, once. A file that is refused takes all back."""
        with self._lock:
            files: dict[str, dict[Place, Group]] = {}
            for place, group in groups:
                if place.folder not in files:
                    files[place.folder] = {each.place: each for each in self._ours(place.folder)}
                files[place.folder].pop(place, None)
                if group is not None:
                    files[place.folder][place] = group
            self._write({name: tuple(each.values()) for name, each in files.items()})

    def delete_rule(self, rule: Rule, place: Place) -> None:
        """The rule gone from its group, and the group with its last rule."""
        group = next((each for each in self._ours(place.folder) if each.place == place), None)
        left = () if group is None else tuple(each for each in group.rules if each.uid != rule.uid)
        if group is None or not left:
            self.delete_group(place)
        else:
            self.write_group(replace(group, rules=left), frozenset())

    def delete_group(self, place: Place) -> None:
        """The whole group gone, in one write."""
        self.write_groups([(place, None)])

    def states(self) -> Mapping[str, State]:
        """What every rule of ours does, the worst of the replicas."""
        self._evaluated.clear()
        return self._states([each for name in self._names() for each in self._file(name)[1]])

    def covered(self, query: str) -> bool:
        """Whether every replica answers the query with something."""
        return all(replica.query(query) for replica in self._replicas)

    def texts(self) -> Mapping[str, str]:
        """Every file whose name is one that tocsin gives, as it is."""
        return {name: text for name in self._names() if (text := self._files.read(name)) is not None}

    def _names(self) -> Iterator[str]:
        """The files whose name is one that tocsin gives."""
        for name in self._files.names():
            if name.endswith(_SUFFIXES) and owner_of_file(name)[0]:
                yield name

    def _ours(self, name: str) -> tuple[Group, ...]:
        managed, found = self._file(name)
        if managed:
            raise MachineError(
                f"{name} belongs to {managed}", help="it is left as it is; look at it, and move it away"
            )
        return found

    def _file(self, name: str) -> tuple[str, tuple[Group, ...]]:
        """(whose file it is where not ours, its groups)."""
        text = self._files.read(name)
        if text is None:
            return "", ()
        owner = header_owner(text)
        if owner != owner_of_file(name)[0]:
            return owner or "somebody else: it has no mark of tocsin", ()
        try:
            found = groups_in(text, name, owner)
        except MachineError as error:
            return f"a hand that broke it: {error.message}", ()
        return "" if owner == self._owner else owner, found

    def _judged(self, group: Group) -> Group:
        behind = self._behind(group)
        return replace(group, settings={**group.settings, LOADED: behind or EVERYWHERE})

    def _behind(self, group: Group) -> str:
        """Which replicas evaluate something else, `""` for none."""
        said = []
        for replica in self._replicas:
            why = differs(group, self._of(replica).get(group.place))
            if why:
                said.append(f"{replica.address} {why}")
        return "; ".join(said)

    def _of(self, replica: Replica) -> Mapping[Place, GroupState]:
        with self._lock:
            if replica.address not in self._evaluated:
                found: dict[Place, GroupState] = {}
                for each in replica.rules():
                    found.setdefault(Place(_base(each.file), each.name), each)
                self._evaluated[replica.address] = found
            return self._evaluated[replica.address]

    def _left(self) -> Iterator[tuple[str, GroupState]]:
        """(file, group) of ours on a server, whether the file has it or not."""
        for replica in self._replicas:
            for place, each in self._of(replica).items():
                if owner_of_file(place.folder)[0] == self._owner:
                    yield place.folder, each

    def _only_there(self, name: str, state: GroupState, owner: str) -> Group:
        made = group_of(state, name, owner, owner_of_file(name)[1])
        having = [replica.address for replica in self._replicas if made.place in self._of(replica)]
        said = f"{', '.join(having)} still evaluates it, and the file has it no more"
        return replace(made, settings={**made.settings, LOADED: said})

    def _states(self, groups: Sequence[Group]) -> dict[str, State]:
        made: dict[str, State] = {}
        places = {each.place: each for each in groups}
        for replica in self._replicas:
            for place, state in self._of(replica).items():
                group = places.get(place)
                if group is not None:
                    made = together(made, states_of(group, state))
        return made

    def _write(self, files: Mapping[str, Sequence[Group]]) -> None:
        """The files with these groups, checked before one is written, all put back where a server refuses one."""
        before = {name: self._files.read(name) for name in files}
        after = {name: file_text(name, groups) if groups else None for name, groups in files.items()}
        for name, text in after.items():
            wrong = self._check(text) if text is not None and text != before[name] else ""
            if wrong:
                raise MachineError(f"{name} was not written: {wrong}", help="the old rules are still there")
        self._evaluated.clear()
        for name, text in after.items():
            self._put(name, before[name], text)
        try:
            for replica in self._replicas:
                replica.reload()
        except RemoteError as error:
            if after == before or not isinstance(error, Refused):
                raise
            for name, text in before.items():
                self._put(name, after[name], text)
            for replica in self._replicas:
                # A server that says no again says it of something else; the first answer is the one to tell.
                with suppress(RemoteError):
                    replica.reload()
            raise

    def _put(self, name: str, now: str | None, text: str | None) -> None:
        if text == now:
            return
        if text is None:
            self._files.remove(name)
        else:
            self._files.write(name, text)


def file_text(name: str, groups: Sequence[Group]) -> str:
    """A rule file of ours: its mark, then its groups by name. Groups run beside each other; only the order of their rules means something."""
    owner, service = owner_of_file(name)
    nodes: list[Node] = [group_node(each) for each in sorted(groups, key=lambda each: each.place)]
    comment = (
        f"Written by `tocsin sync` from the sources of {service}: edit those.",
        f"{OWNER}: {owner}",
    )
    return dump({"groups": nodes}, comment=comment)


def header_owner(text: str) -> str:
    """The owner that the comment above a file names, `""` for none."""
    for line in text.split("\n"):
        if not line.startswith("#"):
            return ""
        name, _, value = line.removeprefix("#").partition(":")
        if name.strip() == OWNER:
            return value.strip()
    return ""


@lru_cache(maxsize=1_024)
def groups_in(text: str, name: str, owner: str) -> tuple[Group, ...]:
    """The groups of a rule file. `MachineError` where it is not one."""
    document, found = read_document(SourceFile(path=name, text=text))
    wrong = next((each for each in found if each.severity is Severity.error), None)
    if document is None or wrong is not None:
        raise MachineError(f"{name}: {wrong.message if wrong else 'it is empty'}")
    loaded: Json = document.data  # type: ignore[assignment]  # YAML's core schema is JSON-shaped
    listed = loaded.get("groups") if isinstance(loaded, Mapping) else None
    if not isinstance(listed, (list, tuple)) or not all(isinstance(each, Mapping) for each in listed):
        raise MachineError(f"{name}: it has no list `groups`")
    _, service = owner_of_file(name)
    return tuple(group_from(each, name, owner, service) for each in listed if isinstance(each, Mapping))


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
