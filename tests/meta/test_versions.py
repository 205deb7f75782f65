"""One version of tocsin, and one version of each library."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tocsin

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [Requirement(text) for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]]


def locked() -> dict[str, str]:
    """constraints.txt: canonical name -> version."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_the_installed_package_and_the_source_have_one_version() -> None:
    assert metadata.version("tocsin") == tocsin.__version__


def test_the_command_says_the_version() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tocsin", "--version"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert tocsin.__version__ in run.stdout.split()[-1]


def test_the_changelog_tells_of_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## \[?(Unreleased|[0-9][^\s\]]*)", text, re.MULTILINE)
    assert first is not None
    assert first[1] in ("Unreleased", tocsin.__version__)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_lock_fits_what_is_asked(asked: Requirement) -> None:
    assert asked.specifier.contains(locked()[canonicalize_name(asked.name)])


@pytest.mark.parametrize("name", sorted(locked()))
def test_the_tests_run_with_what_the_lock_says(name: str) -> None:
    assert metadata.version(name) == locked()[name]
