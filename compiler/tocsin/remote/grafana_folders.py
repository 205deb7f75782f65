"""Grafana's folders. Rules name a folder by its uid alone, so nesting matters for making one and for reading titles, and nowhere else.

Nothing is deleted here: a folder may hold what is not ours. Source: pkg/api/folder.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.errors import Ambiguous, Denied, Incompatible, Refused
from tocsin.remote.answer import Reader
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.wire.grafana import Json
from tocsin.wire.live import LiveFolder
from tocsin.wire.versions import Version, supports, version_text

PAGE = 1000
_PATH = ("api", "folders")
_SETTLE = 0.5
"""Seconds a new folder's permissions may need to be known."""


class Folders:
    """The folders of the token's organisation."""

    def __init__(self, door: Door, version: Version) -> None:
        self._door = door
        self._version = version
        self._nested = supports("grafana", "api", "nested_folders", version)

    def all(self, *, nested: bool = True) -> tuple[LiveFolder, ...]:
        """Every folder, parents before children. Each folder costs a request where they nest; `nested=False` reads the top alone."""
        found: dict[str, LiveFolder] = {}
        waiting = [""]
        while waiting:
            # A server that knows no nesting answers the top again: what was seen is not asked a second time.
            for folder in self._children(waiting.pop(0)):
                if folder.uid not in found:
                    found[folder.uid] = folder
                    if nested and self._nested:
                        waiting.append(folder.uid)
        return tuple(found.values())

    def covering(self, uids: Iterable[str]) -> tuple[LiveFolder, ...]:
        """The folders of the top, and of those named the ones below it, with what they lie in. One request, and one for each that is not at
        the top: what a plan needs of a server with thousands of nested folders."""
        found = {each.uid: each for each in self._children("")}
        waiting = sorted({each for each in uids if each and each not in found}) if self._nested else []
        missing: set[str] = set()
        while waiting:
            uid = waiting.pop(0)
            if uid in found or uid in missing:
                continue
            there = self.get(uid)
            if there is None:
                missing.add(uid)
                continue
            found[uid] = there
            if there.parent_uid:
                waiting.append(there.parent_uid)
        return tuple(found.values())

    def get(self, uid: str) -> LiveFolder | None:
        """The folder of that uid; None where there is none."""
        answer = self._door.get(*_PATH, uid, accept=(200, 404))
        return _folder(answer.json()) if answer.status == 200 else None

    def ensure(self, uid: str, title: str, parent_uid: str = "") -> LiveFolder:
        """The folder of that uid, made if it is not there; an existing one keeps its title and place.

        `Refused` where it cannot be made: no permission, or another folder has the title (older versions).
        """
        there = self.get(uid)
        if there is not None:
            return there
        if parent_uid and not self._nested:
            raise Incompatible(
                f"folder `{title}` is to lie in another one, and Grafana {version_text(self._version)} has no nested folders"
            )
        wanted: dict[str, Json] = {"uid": uid, "title": title}
        if parent_uid:
            wanted["parentUid"] = parent_uid
        try:
            self._door.send("POST", *_PATH, body=Body.of_json(wanted), accept=(200, 201))
        except (Refused, Ambiguous) as error:
            # Two stores, two words for "exists" (409, 412); and an answer that was lost. All are read back.
            if isinstance(error, Refused) and error.status not in (409, 412):
                raise
            there = self.get(uid)
            if there is None:
                raise
            return there
        return self._settled(uid) or LiveFolder(uid=uid, title=title, parent_uid=parent_uid)

    def remove_empty(self, uid: str) -> bool:
        """The folder gone if the server says that nothing lies in it; False where it cannot say so, or something does. Rules are counted by
        the server only from 11.0 on, and a folder that is deleted takes its dashboards along."""
        if not self._nested:
            return False
        answer = self._door.get(*_PATH, uid, "counts", accept=(200, 404))
        if answer.status == 404:
            return self.get(uid) is None
        if any(value != 0 for value in answer.json().object().values()):
            return False
        self._door.send("DELETE", *_PATH, uid, accept=(200, 204, 404))
        return True

    def _settled(self, uid: str) -> LiveFolder | None:
        """The new folder as it reads back; asked twice, for the permission may come later than the folder."""
        for last in (False, True):
            try:
                there = self.get(uid)
            except Denied:
                there = None
            if there is not None or last:
                return there
            self._door.pause(_SETTLE)
        return None

    def _children(self, parent: str) -> Iterator[LiveFolder]:
        inside = [("parentUid", parent)] if parent else []
        page, seen = 1, set[str]()
        while True:
            read = self._door.get(*_PATH, params=[("limit", str(PAGE)), ("page", str(page)), *inside]).json()
            folders = [_folder(each, parent) for each in read.each()]
            yield from folders
            # A server that ignores `page` repeats the first one.
            if len(folders) < PAGE or {each.uid for each in folders} <= seen:
                return
            seen |= {each.uid for each in folders}
            page += 1


def _folder(read: Reader, parent: str = "") -> LiveFolder:
    return LiveFolder(
        uid=read.text("uid"),
        title=read.text("title"),
        parent_uid=read.text("parentUid", "") or parent,
        managed_by=read.text("managedBy", ""),
    )
