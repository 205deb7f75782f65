"""The stand-in is held to the contract: each row has a test, each switch cites a row, nothing of tocsin is used."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import fields
from pathlib import Path

from tests.standin.profiles import Profile
from tests.standin.rows import ROWS

HERE = Path(__file__).resolve().parent
STANDIN = HERE.parent / "standin"
NAME = re.compile(r"test_row_(\d+)_(\d+)_(\d+)_")


def _tested() -> dict[str, list[str]]:
    """Row -> the tests named after it, in the files of this folder; each has to assert something."""
    found: dict[str, list[str]] = {}
    for path in sorted(HERE.glob("test_standin_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            match = NAME.match(node.name)
            if match and any(isinstance(one, ast.Assert) for one in ast.walk(node)):
                found.setdefault(".".join(match.groups()), []).append(node.name)
    return found


def test_each_row_of_the_contract_has_a_test() -> None:
    assert sorted(ROWS.keys() - _tested().keys()) == []


def test_each_test_has_a_row() -> None:
    assert sorted(_tested().keys() - ROWS.keys()) == []


def test_rows_are_numbered_without_gaps() -> None:
    sections: dict[str, list[int]] = {}
    for row in ROWS:
        section, _, number = row.rpartition(".")
        sections.setdefault(section, []).append(int(number))
    assert {name: len(numbers) for name, numbers in sections.items()} == {
        "1.1": 27,
        "1.4": 20,
        "1.8": 20,
        "1.9": 12,
    }
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sections.values())


def test_the_stand_in_imports_nothing_of_tocsin() -> None:
    imported = set()
    for path in STANDIN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert node.module is not None
                imported.add(".".join(node.module.split(".")[:2]))
    assert "tests.standin" in imported
    ours = {name for name in imported if name.startswith(("tocsin", "tests")) and name != "tests.standin"}
    assert ours == set()
    assert imported - {"tests.standin"} <= _standard() | {"yaml"}


def _standard() -> set[str]:
    return set(sys.stdlib_module_names) | {"collections.abc", "urllib.parse", "http.server", "http.client"}


def test_each_switch_cites_a_row_of_the_contract() -> None:
    """The text under each field of Profile begins with a section's number."""
    tree = ast.parse((STANDIN / "profiles.py").read_text(encoding="utf-8"))
    (record,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    cited = set()
    for field, text in zip(record.body, record.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            if re.match(r"\d+\.\d+ ", str(text.value.value)):
                cited.add(field.target.id)
    assert {field.name for field in fields(Profile)} - cited == {"name", "version"}
