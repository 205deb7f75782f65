"""The contracts in pyproject.toml hold, and they can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "compiler" / "tocsin"


def lint_imports(compiler: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the package below `compiler`, with the contracts of this repository."""
    tool = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [tool, "--no-cache", "--no-logo", "--config", ROOT / "pyproject.toml"],
        env=os.environ | {"PYTHONPATH": str(compiler)},
        cwd=compiler,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contracts_are_kept() -> None:
    run = lint_imports(PACKAGE.parent)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("path", "line", "blamed"),
    [
        ("diag/span.py", "import tocsin.ir", "tocsin.diag.span -> tocsin.ir"),
        ("load/__init__.py", "import yaml", "tocsin.load -> yaml"),
        ("check/__init__.py", "import subprocess", "tocsin.check -> subprocess"),
        ("check/__init__.py", "import yaml", "tocsin.check -> yaml"),
        ("helpers.py", "", "tocsin.helpers"),
    ],
)
def test_a_planted_fault_is_named(tmp_path: Path, path: str, line: str, blamed: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "tocsin", ignore=shutil.ignore_patterns("__pycache__"))
    planted = tmp_path / "tocsin" / path
    planted.write_text(planted.read_text(encoding="utf-8") if planted.exists() else "", encoding="utf-8")
    with planted.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    run = lint_imports(tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert blamed in run.stdout
