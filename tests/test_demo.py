"""`demo/run.sh` tells its whole story on a copy of the repository, and stops where a step does not hold."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a clone has and the demo reads; the virtual environment is shared."""
    for name in ("rules", "sops", "incidents", "demo", "tests/real"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tocsin.yaml", tmp_path)
    shutil.copy(ROOT / "tests/site_links.py", tmp_path / "tests")
    (tmp_path / "tests/equivalence").mkdir()
    shutil.copy(ROOT / "tests/equivalence/remote_write.py", tmp_path / "tests/equivalence")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "demo/run.sh"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=3000, check=False)


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_demo_does_what_it_says(copy: Path) -> None:
    run = demo(copy)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    for step in range(1, 11):
        assert f"\n{step}  " in run.stdout
    for said in ("20 -> 47 pages", "verdict-failed", "stage 2 says pass", "in production, and watched"):
        assert said in run.stdout
    # Nothing is left behind but dist/, which Git does not see.
    left = {path.name for path in copy.iterdir()} - {"rules", "sops", "incidents", "demo", "tests"}
    assert left == {"tocsin.yaml", ".venv", "dist"}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("rules/kafka/lag.yaml", "22m: [ticket]", "22m: [page]", "tocsin test"),
        ("tocsin.yaml", "site:\n", "checks: {TOC407: warning}\nsite:\n", "not caught"),
    ],
)
def test_a_step_that_does_not_hold_ends_the_demo(
    copy: Path, file: str, old: str, new: str, said: str
) -> None:
    spoil(copy / file, old, new)
    run = demo(copy)
    assert run.returncode == 1
    assert said in run.stderr.splitlines()[-1]
