"""A workflow whose tocsin fails: the step fails with it, in the shell that GitHub starts, and what was made before is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.running_workflows import ROOT, Runner

FAILS = "#!/bin/sh\necho 'refs/tags/v9.9.9 is made'\nexit 70\n"
TOLERATED = {"Findings, for code scanning"}
"""A file with findings is uploaded; the step `Check` fails for them."""


def steps_of(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job.get("steps", [])]


STEPS = [
    (path.name, str(step.get("name")), step)
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    for step in steps_of(path)
    if "tocsin " in str(step.get("run", "")) and step.get("name") not in TOLERATED
]


def runner(tmp_path: Path, tocsin: str) -> Runner:
    bin, work = tmp_path / "bin", tmp_path / "work"
    bin.mkdir()
    work.mkdir()
    (bin / "tocsin").write_text(tocsin)
    (bin / "tocsin").chmod(0o755)
    return Runner(work=work, bin=bin, temp=tmp_path / "temp", values={})


@pytest.mark.parametrize("step", [row[2] for row in STEPS], ids=[f"{row[0]}-{row[1]}" for row in STEPS])
def test_a_step_fails_with_its_tocsin(tmp_path: Path, step: dict[str, Any]) -> None:
    machine = runner(tmp_path, FAILS)
    (machine.work / "next.md").write_text("## v9.9.9 - 2026-11-21\n")
    bare = {"run": step["run"], **({"shell": step["shell"]} if "shell" in step else {})}
    with pytest.raises(AssertionError):
        machine.run_steps([bare], {"code": "8", "VERSION": "v9.9.9"})


def test_a_reviewer_is_told_of_a_branch_with_mistakes_and_the_pull_requests_own_words_count(
    tmp_path: Path,
) -> None:
    machine = runner(
        tmp_path,
        """#!/bin/sh
case "$1" in
diff) while [ $# -gt 0 ]; do if [ "$1" = --message ]; then cat "$2"; fi; shift; done ;;
check) echo "{}"; exit 1 ;;
esac
""",
    )
    machine.values = {
        "github.event.pull_request.body": "Reason: quieter",
        "github.event.pull_request.base.sha": "0" * 40,
    }
    machine.conditions = {"github.event_name == 'pull_request'": True}
    document = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    job = document["jobs"]["rules"]
    env = {name: machine.filled(str(value)) for name, value in job["env"].items()}
    with pytest.raises(AssertionError, match="tocsin check --format github"):
        machine.run_steps([each for each in job["steps"] if "checkout" not in str(each.get("uses"))], env)
    assert (machine.artifacts / "impact" / "impact.md").read_text() == "Reason: quieter\n"


def test_the_action_runs_all_of_what_it_is_told(tmp_path: Path) -> None:
    machine = runner(tmp_path, "#!/bin/sh\nprintf '%s,' \"$@\" > said\n")
    machine.values = {"inputs.run": "check\n  --format  github *\n"}
    machine.conditions = {"inputs.run != ''": True}
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    machine.run_steps([each for each in action["runs"]["steps"] if each.get("name") == "Run"], {})
    assert (machine.work / "said").read_text() == "check,--format,github,*,"
