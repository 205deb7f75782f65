"""The only module that starts other programs: promtool, amtool, mkdocs, git.

A program gets a list of arguments (no shell), a time limit, and an environment of a few harmless names: no
secret of ours reaches it, and its output does not depend on the language of the machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tocsin.errors import MachineError

_PASSED = ("PATH", "HOME", "TMPDIR", "TZ", "SYSTEMROOT")
_HOW_TO_INSTALL = {
    "promtool": "install it (Debian: `apt install prometheus`), or set TOCSIN_PROMTOOL to its path",
    "amtool": "install it (Debian: `apt install prometheus-alertmanager`), or set TOCSIN_AMTOOL to its path",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A program that ended by itself."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedBytes:
    """The same, before anybody made text of it."""

    code: int
    out: bytes
    err: bytes


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    timeout: float,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Runs `argv` to its end. `env` adds to the few names every program gets.

    MachineError where it cannot be started, or does not end within `timeout` seconds; then it and what it
    started are killed.
    """
    given = input.encode("utf-8") if input is not None else None
    done = run_bytes(argv, cwd=cwd, timeout=timeout, input=given, env=env)
    return Finished(code=done.code, out=_text(done.out), err=_text(done.err))


def run_bytes(
    argv: Sequence[str],
    *,
    cwd: Path,
    timeout: float,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> FinishedBytes:
    """`run` for a program that speaks in bytes: counted blobs, names that are no text."""
    try:
        # A session of its own, so that what it starts can be ended with it.
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**_minimal(), **(env or {})},
            stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        help = _HOW_TO_INSTALL.get(Path(argv[0]).name, "")
        raise MachineError(
            f"cannot start {argv[0]}: {os.strerror(error.errno or 0).lower()}", help=help
        ) from error
    with process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise MachineError(
                f"{Path(argv[0]).name} did not end within {timeout:g} seconds",
                help="try again; a busy machine may need longer",
            ) from None
        except BaseException:
            _kill(process)
            raise
    return FinishedBytes(code=process.returncode, out=out, err=err)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


class Running:
    """A program that works while we do something else: `start` made it. Leaving its `with` block kills it where it still runs."""

    def __init__(self, name: str, process: subprocess.Popen[str], said: IO[str]) -> None:
        self._name, self._process, self._said = name, process, said

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            _kill(self._process)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._said.close()

    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def tell(self, line: str) -> None:
        """Writes a line to a program that `start` gave an input, and closes that. MachineError where it has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.close()
        except OSError as error:
            raise MachineError(f"{self._name} ended before it began") from error

    def wait(self, timeout: float) -> Finished:
        """Its end; everything it said is in `out`. MachineError where it does not end within `timeout` seconds."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise MachineError(
                f"{self._name} did not end within {timeout:g} seconds",
                help="try again; a busy machine may need longer",
            ) from None
        self._said.seek(0)
        return Finished(code=code, out=self._said.read(), err="")


def start(
    name: str, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, told: bool = False
) -> Running:
    """Starts `argv`, called `name` in sentences, and does not wait. With `told` it has an input, for `Running.tell`. MachineError where it cannot be
    started.
    """
    # A file and not a pipe: nobody reads while it works, and a full pipe would stop it.
    said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  (it lives as long as the program)
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**_minimal(), **(env or {})},
            stdin=subprocess.PIPE if told else subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
    except OSError as error:
        said.close()
        raise MachineError(f"cannot start {argv[0]}: {os.strerror(error.errno or 0).lower()}") from error
    return Running(name, process, said)


def find_tool(name: str, env_var: str) -> Path:
    """Where the program `name` is: what the variable `env_var` says, else the first on PATH. MachineError,
    naming what to install, where nowhere.
    """
    said = os.environ.get(env_var, "")
    if said:
        found = shutil.which(said)
        if found is None:
            raise MachineError(
                f"{env_var} is {said}, which is not a program",
                help=f"set it to the path of {name}, or unset it",
            )
        return Path(found)
    found = shutil.which(name)
    if found is None:
        raise MachineError(
            f"{name} is not installed",
            help=_HOW_TO_INSTALL.get(name, f"install it, or set {env_var} to its path"),
        )
    return Path(found)


def _minimal() -> dict[str, str]:
    return {"LC_ALL": "C.UTF-8", **{name: os.environ[name] for name in _PASSED if name in os.environ}}


def _kill(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    process.wait()
