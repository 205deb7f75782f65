"""The built sites the browser looks at: this repository's own, and one whose texts attack their reader. Built by the command, as a team builds it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = Path(__file__).parent / "project"
TODAY = "2026-11-21"


def build(source: Path, target: Path, *options: str) -> Path:
    """A copy of the sources in `source`, built in `target`; the answer is its `dist`. AssertionError with what the command said."""
    shutil.copytree(
        source,
        target,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".*", "dist", "compiler", "tests", "demo"),
    )
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Sources"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *command], cwd=target, check=True, capture_output=True)
    run = subprocess.run(
        [sys.executable, "-m", "tocsin", "build", "--today", TODAY, *options],
        cwd=target,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, (
        f"tocsin build ended with {run.returncode}\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}"
    )
    return target / "dist"
