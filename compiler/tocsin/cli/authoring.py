"""Writing sources for a person: `adopt` and `init` come here, and nothing they write replaces somebody's
work.

A file that exists is left alone unless the caller names it as one to extend. Each file is written beside its
place and renamed, so a run that is stopped leaves whole files only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from tocsin.disk.write import write_file
from tocsin.errors import MachineError
from tocsin.ir.artifact import Artifact
from tocsin.source.schema import KINDS, schema_text

SCHEMAS = ".tocsin/schemas"


def schemas() -> tuple[Artifact, ...]:
    """The JSON Schemas that the modelines of sources point to, so that an editor helps without a network."""
    return tuple(
        Artifact(path=f"{SCHEMAS}/{kind}.schema.json", text=schema_text(kind).rstrip("\n") + "\n")
        for kind in sorted(KINDS)
    )


def write_sources(root: Path, files: Iterable[Artifact], *, extend: Collection[str] = ()) -> tuple[str, ...]:
    """Writes what is not there yet, and what `extend` names; answers the paths it wrote, in order.

    MachineError where the disk refuses, or a folder on the way is a link: it may lead out of the repository.
    """
    written: list[str] = []
    for each in files:
        target = root / each.path
        try:
            if target.is_symlink() or (target.exists() and each.path not in extend):
                continue
            _plain_folders(root, target.parent)
            write_file(target, each.text)
        except OSError as error:
            raise MachineError(f"cannot write `{each.path}`: {error.strerror or error}") from error
        written.append(each.path)
    return tuple(written)


def _plain_folders(root: Path, folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if each != root and each.is_relative_to(root)]
    for each in reversed(missing):
        if each.is_symlink():
            raise MachineError(
                f"`{each.relative_to(root)}` is a link; sources are written to plain folders only"
            )
        each.mkdir(exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
