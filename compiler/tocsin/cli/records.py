"""Where canary records are kept: a folder (a CI artifact is one, unpacked), or a Git branch of their own.

Nothing here believes a record: it is a document until `verdict.admit` has looked at its signature.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from tocsin.disk.git_records import PREFIX, GitRecords
from tocsin.disk.write import write_file
from tocsin.errors import MachineError
from tocsin.verdict import Record, RecordProblem, read_record
from tocsin.verdict.record import Json

FOLDER = "records"
HELP = "Where canary records are: a folder, git:REMOTE:BRANCH (git:origin:tocsin-canary), or git:BRANCH; default: records/ of the repository."
_LARGEST = 8 * 1024 * 1024


class RecordPlace(Protocol):
    """Keeps records by file name. MachineError where it cannot be reached."""

    @property
    def where(self) -> str:
        """As people name it."""

    def read(self) -> Mapping[str, bytes]:
        """File name -> content of everything there."""

    def write(self, files: Mapping[str, bytes], subject: str) -> None:
        """The files beside what is there, each whole or not at all."""


class FolderRecords:
    """The `.json` files below a folder, which need not be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        """The folder's path."""
        return str(self._folder)

    def read(self) -> Mapping[str, bytes]:
        """Every file that can be read; links are not followed, for a branch may have made them, and what is larger than a record is left out."""
        found: dict[str, bytes] = {}
        for path in sorted(self._folder.rglob("*.json")) if self._folder.is_dir() else ():
            if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
                continue
            try:
                found[path.relative_to(self._folder).as_posix()] = path.read_bytes()
            except OSError as error:
                raise MachineError(f"{path} cannot be read: {error.strerror}") from None
        return found

    def write(self, files: Mapping[str, bytes], subject: str) -> None:
        """Each file written beside its place and renamed."""
        for name, content in sorted(files.items()):
            write_file(self._folder / name, content.decode("utf-8"))


def place_of(where: str | None, top: Path, *, made: bool = False) -> RecordPlace:
    """The place that the command line names. A folder that it names must be there, unless it may be `made`."""
    if where is not None and where.startswith(PREFIX):
        return GitRecords(where, top)
    folder = Path(where) if where is not None else top / FOLDER
    if where is not None and not made and not folder.is_dir():
        raise MachineError(
            f"there is no folder `{folder}`",
            help="--records names the folder or the branch of canary records",
        )
    return FolderRecords(folder)


def read_all(place: RecordPlace, notes: list[str]) -> tuple[Record, ...]:
    """Every record there; `notes` gets a sentence about each file that is none."""
    found: list[Record] = []
    for name, content in place.read().items():
        try:
            record = read_record(content.decode("utf-8"))
        except UnicodeDecodeError as error:
            notes.append(f"{name} cannot be read as a canary record: {error}")
            continue
        if isinstance(record, RecordProblem):
            said = f"{record.path} {record.reason}" if record.path else record.reason
            notes.append(f"{name} is no canary record: {said}")
        else:
            found.append(record)
    return tuple(found)


def keep(place: RecordPlace, documents: Iterable[Mapping[str, Json]], subject: str) -> tuple[str, ...]:
    """The records in their place, each under a name that its rule and its change decide; the names."""
    files = {file_name(each): _text(each) for each in documents}
    place.write(files, subject)
    return tuple(sorted(files))


def file_name(document: Mapping[str, Json]) -> str:
    """`prod--kafka-consumer-lag--page--0123456789ab.json`: one file for each change of a rule, `removed` where it goes."""
    rule = document["rule"]
    assert isinstance(rule, Mapping)
    parts = [str(rule.get(name) or "") for name in ("env", "id", "level", "override")]
    digest = str(rule.get("new_digest") or "")[:12] or "removed"
    return "--".join([*(each for each in parts if each), digest]) + ".json"


def _text(document: Mapping[str, Json]) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
