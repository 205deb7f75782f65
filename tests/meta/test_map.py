"""`compiler/MAP.md` and the layers contract draw the same picture, and it is the package on the disk.

The picture is the first fenced block of MAP.md whose rows are `room  what it does`, rooms of one row parted
by `|`, from the top layer to the bottom one. A room that is not built stands in parentheses.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "compiler" / "tocsin"
_ROW = re.compile(r"(?P<rooms>\(?[a-z_]+\)?(?: \| \(?[a-z_]+\)?)*) {2,}\S")


def rows_of_the_map() -> list[list[str]]:
    """The rooms of each row, top to bottom, with their parentheses."""
    text = (ROOT / "compiler" / "MAP.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        rows = [found["rooms"].split(" | ") for line in block.splitlines() if (found := _ROW.match(line))]
        if ["cli"] in rows:
            return rows
    raise AssertionError("MAP.md has no fenced block with the rooms, one layer a row")


def rows_of_the_contract() -> list[list[str]]:
    """The same from the layers contract; `__main__` is no room but the way in."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    return [row.split(" | ") for row in layers if row != "__main__"]


def rooms_on_disk() -> set[str]:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    return (packages | modules) - {"__init__", "__main__"}


def test_the_map_names_every_room_and_no_other() -> None:
    named = [room for row in rows_of_the_map() for room in row]
    assert len(named) == len(set(named))
    assert {room for room in named if not room.startswith("(")} == rooms_on_disk()


def test_a_room_in_parentheses_is_not_there() -> None:
    planned = {room.strip("()") for row in rows_of_the_contract() for room in row if room.startswith("(")}
    assert not planned & rooms_on_disk()


def test_the_map_and_the_contract_are_one_picture() -> None:
    assert [sorted(row) for row in rows_of_the_map()] == [sorted(row) for row in rows_of_the_contract()]


def test_every_folder_of_code_is_a_package() -> None:
    """import-linter does not see a folder without `__init__.py`, so no contract would hold there."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
