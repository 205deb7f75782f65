"""What is tracked speaks of the project alone, and the workflows are sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.standin import PROFILES

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent

# In pieces, so that this file does not hold what it forbids: a place on one machine, a mirror's name.
FORBIDDEN = [
    "/".join(["", "work", ""]),
    "/.lib" + "rary",
    "shared/" + "reference",
    "/ro" + "ot/",
    "deb." + "debian",
]


def tracked() -> list[Path]:
    # A checkout that belongs to somebody else (a container's) is safe to list.
    safe = ["-c", f"safe.directory={ROOT}"]
    run = subprocess.run(
        ["git", *safe, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return [ROOT / name for name in run.stdout.split("\0") if name]


def test_no_tracked_file_names_a_place_outside() -> None:
    found = []
    for path in tracked():
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path.relative_to(ROOT)}: {word}" for word in FORBIDDEN if word.encode() in content]
    assert found == []


def test_nothing_generated_is_tracked() -> None:
    names = [path.relative_to(ROOT) for path in tracked()]
    assert [
        name for name in names if {"dist", "__pycache__", ".venv"} & {name.parts[0], name.parent.name}
    ] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_valid(path: Path) -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_workflows_have_no_security_finding() -> None:
    assert WORKFLOWS
    files = [*WORKFLOWS, ROOT / "action.yml"]
    command = [str(BIN / "zizmor"), "--offline", "--no-progress", "--quiet", *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_one_finding_is_ignored_and_says_why() -> None:
    ignored = [
        line.strip()
        for path in WORKFLOWS
        for line in path.read_text(encoding="utf-8").split("\n")
        if "zizmor: ignore" in line
    ]
    assert [line.partition(" ")[0] for line in ignored] == ["workflow_run:"]
    assert len(ignored[0].partition("]")[2]) > 40


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.compose-spec", "compose.yaml"),
        ("vendor.github-actions", "action.yml"),
        ("vendor.gitlab-ci", ".gitlab/tocsin.gitlab-ci.yml"),
    ],
)
def test_a_file_for_others_is_valid(schema: str, path: str) -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", schema, str(ROOT / path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_contract_runs_on_every_version_that_the_stand_in_stands_for() -> None:
    text = (ROOT / ".github" / "workflows" / "contract.yml").read_text(encoding="utf-8")
    tags = yaml.safe_load(text)["jobs"]["contract"]["strategy"]["matrix"]["grafana"]
    minors = [profile.name for profile in PROFILES.values()]
    assert [tag.rpartition(".")[0] for tag in tags[:-1]] == minors[:-1]
    assert tags[-1].split(".")[0] == minors[-1].split(".")[0]
