"""Other programs: started without a shell, with little environment, and ended with all they started."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from tests.patience import eventually

from tocsin.disk.process import find_tool, run
from tocsin.errors import MachineError


def test_a_program_gets_input_and_gives_what_it_says(tmp_path: Path) -> None:
    script = "import sys, os; print(sys.stdin.read(), os.getcwd()); print('ä', file=sys.stderr); sys.exit(3)"
    done = run([sys.executable, "-c", script], cwd=tmp_path, timeout=300, input="中; echo $HOME")
    assert (done.code, done.out, done.err) == (3, f"中; echo $HOME {tmp_path}\n", "ä\n")


def test_no_secret_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "secret")
    script = "import os; print(sorted(os.environ))"
    done = run([sys.executable, "-c", script], cwd=tmp_path, timeout=300, env={"EXTRA": "1"})
    assert "EXTRA" in done.out and "LC_ALL" in done.out
    assert "GRAFANA_TOKEN" not in done.out


def test_output_that_is_no_text_does_not_end_us(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.buffer.write(bytes([255, 10]))"
    assert run([sys.executable, "-c", script], cwd=tmp_path, timeout=300).out == "\ufffd\n"


def test_what_takes_too_long_ends_with_its_children(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(MachineError, match="did not end within 3 seconds"):
        run(["sh", "-c", "sleep 3600 & echo $! > child; sleep 3600"], cwd=tmp_path, timeout=3)
    assert time.monotonic() - start < 600, "it was waited for, and not ended"
    child = int((tmp_path / "child").read_text())

    def gone() -> bool:
        try:
            return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    eventually(gone, "the child has ended")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot start promtool") as error:
        run(["promtool"], cwd=tmp_path, timeout=1, env={"PATH": str(tmp_path)})
    assert "apt install" in error.value.help


def test_a_tool_is_found_by_variable_then_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("promtool", "mine"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TOCSIN_PROMTOOL", raising=False)
    assert find_tool("promtool", "TOCSIN_PROMTOOL") == tmp_path / "promtool"
    monkeypatch.setenv("TOCSIN_PROMTOOL", str(tmp_path / "mine"))
    assert find_tool("promtool", "TOCSIN_PROMTOOL") == tmp_path / "mine"
    monkeypatch.setenv("TOCSIN_PROMTOOL", str(tmp_path / "gone"))
    with pytest.raises(MachineError, match="which is not a program"):
        find_tool("promtool", "TOCSIN_PROMTOOL")
    monkeypatch.setenv("TOCSIN_PROMTOOL", "")
    (tmp_path / "promtool").unlink()
    with pytest.raises(MachineError, match="promtool is not installed") as error:
        find_tool("promtool", "TOCSIN_PROMTOOL")
    assert "TOCSIN_PROMTOOL" in error.value.help
    assert not os.environ["TOCSIN_PROMTOOL"]
