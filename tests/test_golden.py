"""Whole small projects with the `dist/` they compile to, byte for byte, and the laws about those bytes.

    tests/golden/CASE/tocsin.yaml, rules/, sops/     what a team writes
    tests/golden/CASE/expected/                      what `tocsin build` must make of it

`pytest tests/test_golden.py --update` writes what comes out over what was expected: read the difference.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.real import components

from tocsin.cli.workspace import read_sources
from tocsin.pipeline import Sources, artifacts, compile_sources

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).resolve().parent / "golden"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
TODAY = "2026-11-21"


def build(project: Path, out: Path, *, seed: str = "0") -> None:
    """`tocsin build` in a process of its own, with the hash seed given."""
    command = [
        sys.executable,
        "-m",
        "tocsin",
        "build",
        str(project),
        "--no-site",
        "--out",
        str(out),
        "--today",
        TODAY,
    ]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONHASHSEED": seed},
    )
    assert run.returncode == 0, run.stdout + run.stderr


def tree(folder: Path) -> dict[str, str]:
    """Every file below `folder` by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def compiled(sources: Sources) -> dict[str, str]:
    """The same without a disk."""
    compilation = compile_sources(sources, date.fromisoformat(TODAY))
    return {each.path: each.text for each in artifacts(compilation)}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    expected = FOLDER / case / "expected"
    build(FOLDER / case, tmp_path / "dist")
    if request.config.getoption("--update"):
        shutil.rmtree(expected, ignore_errors=True)
        shutil.copytree(tmp_path / "dist", expected)
    assert tree(tmp_path / "dist") == tree(expected)


@pytest.mark.parametrize("case", [*CASES, "the starter"])
def test_the_order_of_reading_changes_no_byte(case: str) -> None:
    sources = read_sources(ROOT if case == "the starter" else FOLDER / case)
    expected = compiled(sources)
    assert expected
    for seed in range(5):
        shuffle = random.Random(seed).sample
        shuffled = replace(
            sources,
            rules=tuple(shuffle(sources.rules, len(sources.rules))),
            sops=tuple(shuffle(sources.sops, len(sources.sops))),
            incidents=tuple(shuffle(sources.incidents, len(sources.incidents))),
        )
        assert compiled(shuffled) == expected


def test_the_seed_of_hashes_changes_no_byte(tmp_path: Path) -> None:
    for seed in ("1", "77"):
        build(FOLDER / "graded", tmp_path / seed, seed=seed)
    assert tree(tmp_path / "1") == tree(tmp_path / "77") == tree(FOLDER / "graded" / "expected")


@pytest.mark.parametrize("case", CASES)
def test_promtool_takes_what_is_expected(case: str) -> None:
    """What is written down as right is right for the real one, of the version the project names."""
    version = {"plain": "2.42", "graded": "2.53", "two-evaluators": "2.53", "adopted": "3.5"}[case]
    files = sorted((FOLDER / case / "expected" / "prometheus").rglob("*.rules.yaml"))
    assert files
    command = [components.promtool(version), "check", "rules", "--lint=none", *files]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("case", CASES)
def test_promtool_passes_the_expected_tests(case: str) -> None:
    version = {"adopted": "3.5"}.get(case, "2.53")
    files = sorted((FOLDER / case / "expected" / "tests").rglob("*.test.yaml"))
    assert files
    for file in files:
        run = subprocess.run(
            [components.promtool(version), "test", "rules", file.name],
            cwd=file.parent,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
