"""`tocsin` as a process of its own beside a stand-in: what a shell sees of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.standin import DEFAULT_TOKEN, StandIn
from tests.syncing import PROJECT

from tocsin.diag import SourceFile

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def environment(url: str, token: str = DEFAULT_TOKEN, **more: str) -> dict[str, str]:
    """The environment of a shell that has the server's address and token, and nothing else of this one's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(ROOT / "compiler"),
        "GRAFANA_URL": url,
        "GRAFANA_TOKEN": token,
        "LC_ALL": "C.UTF-8",
        **more,
    }


class Repository:
    """A repository of a few files, and commands run in it."""

    def __init__(
        self, top: Path, standin: StandIn | None, *files: SourceFile, verdict: str = "advised"
    ) -> None:
        self.top = top
        self.env = environment(standin.url if standin is not None else "http://127.0.0.1:9")
        self.project(verdict=verdict)
        self.write(*files)

    @classmethod
    def at(cls, top: Path, env: Mapping[str, str]) -> Repository:
        """A repository that is there, with the environment of another."""
        made = cls.__new__(cls)
        made.top, made.env = top, dict(env)
        return made

    def project(self, *, verdict: str = "advised", version: str = "12.0") -> None:
        text = PROJECT.replace("VERSION", version).replace("FOLDER", "{service} {env}")
        self.top.mkdir(parents=True, exist_ok=True)
        (self.top / "tocsin.yaml").write_text(text.replace("verdict: advised", f"verdict: {verdict}"))

    def write(self, *files: SourceFile) -> None:
        for each in files:
            path = self.top / each.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(each.text)

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """A command of `--env prod` that is not waited for."""
        return self.start_bare(*words, "--env", "prod", str(self.top), **more)

    def start_bare(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """A command with exactly these words that is not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "tocsin", *words],
            env={**self.env, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **more: str) -> Ended:
        """A command to its end. No output may ever hold the token."""
        return self._ended(self.start(*words, **more), more)

    def run_bare(self, *words: str, **more: str) -> Ended:
        """The same of a command that takes the repository otherwise."""
        return self._ended(self.start_bare(*words, **more), more)

    def _ended(self, started: subprocess.Popen[str], more: Mapping[str, str]) -> Ended:
        with started as process:
            out, err = process.communicate(timeout=300)
        ended = Ended(code=process.returncode, out=out, err=err)
        token = {**self.env, **more}["GRAFANA_TOKEN"]
        assert token not in ended.said
        assert "Traceback" not in ended.said, ended.said
        return ended

    def sync(self, *words: str, **more: str) -> Ended:
        """`tocsin sync --yes` that does not wait for evaluations."""
        return self.run("sync", "--yes", "--no-wait", *words, **more)

    @property
    def journal(self) -> Path:
        return self.top / "dist" / "journal" / "prod.jsonl"
