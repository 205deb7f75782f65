"""Runs what a workflow says, here: every `run:` of a job in a shell, in a clone, with what GitHub would put around it.

What is not run is said: `uses:` of others' actions is played as far as files go (an upload is a folder, a download copies it back); `apt-get`, `sudo`
and `docker` are programs that write down how they were called. Expressions and conditions are looked up in a table that the test gives: one that
is not in it is an error, so that nothing is passed over in silence.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
_SHELLS = {
    "": ("bash", "-e"),
    "bash": ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail"),
}
"""What GitHub starts: where a step names no shell, a failure at the left of a pipe is not seen."""
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class Runner:
    """One machine for one run of a workflow: the clone `work`, and everything jobs hand to each other."""

    work: Path
    bin: Path
    """The folder of `python` and `tocsin`."""
    temp: Path
    values: dict[str, str]
    """Expression -> its value."""
    conditions: dict[str, bool] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """A `run:` that is not run here -> why not."""
    ran: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    summary: str = ""

    def __post_init__(self) -> None:
        self.artifacts = self.temp / "artifacts"
        self.runner_temp = self.temp / "runner"
        self.stubs = self.temp / "stubs"
        for folder in (self.artifacts, self.runner_temp, self.stubs, self.temp / "home"):
            folder.mkdir(parents=True, exist_ok=True)
        for name in ("apt-get", "docker", "useradd"):
            self._stub(name, f'echo "{name} $*" >> "{self.temp}/calls"')
        self._stub("sudo", 'exec "$@"')

    def _stub(self, name: str, line: str) -> None:
        path = self.stubs / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def run_job(self, workflow: str, name: str) -> dict[str, str]:
        """Runs a job and answers the outputs of its steps, `step.output`."""
        document = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text(encoding="utf-8"))
        job = document["jobs"][name]
        if "if" in job and not self._holds(str(job["if"])):
            raise AssertionError(f"the job {name} would not run")
        env = {**document.get("env", {}), **job.get("env", {})}
        return self.run_steps(job["steps"], env)

    def run_steps(self, steps: list[dict[str, Any]], env: Mapping[str, str]) -> dict[str, str]:
        """Runs steps one after another; a failed one ends it with its output."""
        outputs: dict[str, str] = {}
        later: dict[str, str] = {}
        for step in steps:
            if "if" in step and not self._holds(str(step["if"])):
                continue
            if "uses" in step:
                self._use(
                    str(step["uses"]), {k: self.filled(str(v)) for k, v in step.get("with", {}).items()}
                )
                continue
            given = {name: self.filled(str(value)) for name, value in {**env, **step.get("env", {})}.items()}
            made = self._run(str(step["run"]), {**given, **later}, later, str(step.get("shell", "")))
            for key, value in made.items():
                outputs[f"{step.get('id', '')}.{key}"] = value
                self.values[f"steps.{step.get('id', '')}.outputs.{key}"] = value
                self.conditions[f"steps.{step.get('id', '')}.outputs.{key} == ''"] = value == ""
        return outputs

    def _run(
        self, script: str, env: Mapping[str, str], later: dict[str, str], shell: str = ""
    ) -> dict[str, str]:
        assert "${{" not in script, "what somebody else wrote would become a part of the script"
        for part, why in self.skipped.items():
            if part in script:
                assert why
                return {}
        files = {
            name: self.runner_temp / name.lower()
            for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")
        }
        for path in files.values():
            path.write_text("")
        done = subprocess.run(
            [*_SHELLS[shell], "-c", script],
            cwd=self.work,
            env=self.shell_environment({**env, **{name: str(path) for name, path in files.items()}}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        self.ran.append(script)
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        calls = self.temp / "calls"
        self.calls = calls.read_text().splitlines() if calls.exists() else []
        later.update(_pairs(files["GITHUB_ENV"]))
        return _pairs(files["GITHUB_OUTPUT"])

    def shell_environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """What a step sees: nothing of the machine's own but where programs and caches are."""
        return {
            "PATH": f"{self.stubs}:{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.temp / "home"),
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
            **{
                name: os.environ[name]
                for name in (
                    "PIP_INDEX_URL",
                    "PIP_CONFIG_FILE",
                    "SSL_CERT_FILE",
                    "https_proxy",
                    "HTTPS_PROXY",
                )
                if name in os.environ
            },
            "PIP_NO_COMPILE": "1",  # nothing but time
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.work),
            "RUNNER_TEMP": str(self.runner_temp),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **self.environment,
            **env,
        }

    def _use(self, what: str, given: Mapping[str, str]) -> None:
        action = what.partition("@")[0]
        match action:
            case "actions/checkout":
                git(
                    self.work,
                    "checkout",
                    "--quiet",
                    "--detach",
                    given.get("ref") or self.values["github.sha"],
                )
            case "actions/upload-artifact":
                shutil.rmtree(self.artifacts / given["name"], ignore_errors=True)
                found = [self.work / path for path in given["path"].split()]
                # GitHub uploads what there is; where nothing is, it warns.
                assert any(path.exists() for path in found), given["path"]
                for path in found:
                    if path.exists():
                        _copied(path, self.artifacts / given["name"])
            case "actions/download-artifact":
                _copied(self.artifacts / given["name"], Path(given.get("path") or self.work), inside=True)
            case "actions/upload-pages-artifact":
                _copied(self.work / given["path"], self.artifacts / "pages", inside=True)
            case "github/codeql-action/upload-sarif":
                assert (self.work / given["sarif_file"]).stat().st_size > 0
            case "actions/setup-python" | "actions/deploy-pages" | "$/":
                # `$/` is this repository's action: `bin` was made by its own steps.
                pass
            case _:
                raise AssertionError(f"nobody knows what {what} does here")

    def filled(self, text: str) -> str:
        """A text with the values of its expressions."""
        return _EXPRESSION.sub(lambda found: self.values[found[1]], text)

    def _holds(self, condition: str) -> bool:
        return self.conditions[condition.removeprefix("${{").removesuffix("}}").strip()]


def _pairs(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line)


def _copied(source: Path, target: Path, *, inside: bool = False) -> None:
    assert source.exists(), f"{source} was not made"
    if source.is_dir():
        shutil.copytree(source, target if inside else target / source.name, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / source.name)


def git(root: Path, *words: str) -> str:
    """Git, as somebody with a name and without a configuration."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
        },
    }
    safe = ["-c", "safe.directory=*", "-c", "protocol.file.allow=always"]
    done = subprocess.run(
        ["git", *safe, *words], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()
