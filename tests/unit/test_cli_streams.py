"""Whoever reads the output may go away, close it, or have no room: the command does its work and ends as documented."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tocsin.__main__ import main as entry

TOCSIN = [sys.executable, "-m", "tocsin"]


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A repository whose check has more to say than a pipe holds, an error among it."""
    subprocess.run([*TOCSIN, "init", "--bare", str(tmp_path)], check=True, capture_output=True)
    rules = tmp_path / "rules" / "web"
    rules.mkdir(parents=True)
    keys = "".join(f"unknown{number}: 1\n" for number in range(2000))
    (rules / "a.yaml").write_text(f"version: 1\nservice: web\ngroups: []\n{keys}", encoding="utf-8")
    return tmp_path


def shell(command: str, root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; tocsin() {{ "{sys.executable}" -m tocsin "$@"; }}; {command}'],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_a_reader_who_leaves_does_not_turn_errors_into_success(faulty: Path) -> None:
    ended = shell("tocsin check | head -n 1", faulty)
    assert ended.returncode == 1
    assert "unknown" in ended.stdout
    assert ended.stderr == ""


def test_a_reader_who_leaves_does_not_stop_the_work(tmp_path: Path) -> None:
    subprocess.run([*TOCSIN, "init", str(tmp_path)], check=True, capture_output=True)
    ended = shell("tocsin build --no-site --format json 2>&1 | head -c 1", tmp_path)
    assert ended.returncode == 0
    assert (tmp_path / "dist" / "manifest.json").is_file()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_one_that_nobody_reads(faulty: Path, closed: str) -> None:
    ended = shell(f"tocsin check {closed}", faulty)
    assert ended.returncode == 1
    assert ended.stderr == ""


def test_output_that_a_full_disk_did_not_take_is_said(faulty: Path) -> None:
    ended = shell("tocsin explain > /dev/full", faulty)
    assert ended.returncode == 3
    assert ended.stderr.startswith("tocsin: cannot write to stdout: no space left on device\n")
    assert shell("tocsin check > /dev/full", faulty).returncode == 1


def test_a_locale_without_the_character_spells_it_out(faulty: Path) -> None:
    """A long line is cut with an ellipsis, which Latin-1 does not have."""
    (faulty / "rules" / "web" / "a.yaml").write_text(f"version: 1\nlong: {'x' * 300}\n", encoding="utf-8")
    ended = shell("tocsin check", faulty, PYTHONIOENCODING="latin-1")
    assert ended.returncode == 1
    assert "\\u2026" in ended.stdout


def test_an_interrupt_before_the_command_line_is_read_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "tocsin.cli", Interrupted("tocsin.cli"))
    assert entry() == 5
    assert capsys.readouterr().err == "cancelled; nothing half-written was left behind\n"
