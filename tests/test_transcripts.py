"""Sessions at the command line, written down: files, commands, and exactly what they print.

A transcript is one text file. Its first lines say what it shows; then, in order:

    === file PATH             a file is (over)written with the lines below
    === remove PATH           it is deleted
    === run tocsin ARGS       a command, in the repository of the files above
    === stdout, === stderr    what it must print; left out where it prints nothing
    === exit N                how it must end; left out for 0
    === show PATH             what a file must hold by now
    === absent PATH           what must not exist

In what is printed the folder of the session reads REPO, and the version of tocsin VERSION.
`pytest tests/test_transcripts.py --update` writes what happens over what was expected: read the difference.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real import components

from tocsin import __version__

FOLDER = Path(__file__).resolve().parent / "transcripts"
TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))
_HEAD = re.compile(r"^=== (\w+)(?: (.+))?$")
_EXPECTED = ("stdout", "stderr", "exit")

Block = tuple[str, str, str]
"""A word, its argument, and the lines below it."""


def blocks_of(text: str) -> tuple[str, list[Block]]:
    """The introduction and the blocks of a transcript."""
    intro: list[str] = []
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            found.append((head[1], head[2] or "", []))
        else:
            (found[-1][2] if found else intro).append(line)
    return "\n".join(intro), [
        (word, rest, "".join(f"{line}\n" for line in lines)) for word, rest, lines in found
    ]


def text_of(intro: str, blocks: list[Block]) -> str:
    parts = [f"=== {word}{' ' if rest else ''}{rest}\n{body}" for word, rest, body in blocks]
    return f"{intro}\n" + "".join(parts)


def perform(blocks: list[Block], repo: Path) -> Iterator[Block]:
    """The transcript as it really happens in `repo`."""
    for word, rest, body in blocks:
        if word in _EXPECTED:
            continue  # written anew after each command
        if word == "file":
            path = repo / rest
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
        elif word == "remove":
            (repo / rest).unlink()
        elif word == "show":
            body = masked((repo / rest).read_text(encoding="utf-8"), repo)
        elif word == "absent":
            assert not (repo / rest).exists(), f"{rest} is there"
        elif word != "run":
            raise AssertionError(f"no such block: === {word}")
        yield word, rest, body
        if word == "run":
            yield from run(rest, repo)


def run(command: str, repo: Path) -> Iterator[Block]:
    """What one command prints, and how it ends."""
    program, *arguments = shlex.split(command)
    assert program == "tocsin", command
    home = repo.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN", "XDG", "GITHUB"))
    }
    finished = subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments],
        cwd=repo,
        env=kept
        | {"HOME": str(home), "NO_COLOR": "1", "COLUMNS": "100", "LC_ALL": "C.UTF-8"}
        | {"TOCSIN_PROMTOOL": str(components.promtool("2.53"))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    for word, printed in (("stdout", finished.stdout), ("stderr", finished.stderr)):
        if printed:
            yield word, "", masked(printed, repo)
    if finished.returncode:
        yield "exit", str(finished.returncode), ""


def masked(text: str, repo: Path) -> str:
    """Printed text without what differs from machine to machine; it ends with a line's end."""
    text = text.replace(str(repo), "REPO").replace(f"{__version__}", "VERSION")
    assert not re.search(r"^=== ", text, re.MULTILINE), "a transcript cannot hold this"
    return text if text.endswith("\n") or not text else text + "\n"


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: str(path.stem))
def test_transcript(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    written = path.read_text(encoding="utf-8")
    intro, blocks = blocks_of(written)
    assert intro.strip(), "the first lines say what it shows"
    repo = tmp_path / "repo"
    repo.mkdir()
    happened = text_of(intro, list(perform(blocks, repo)))
    if request.config.getoption("--update"):
        path.write_text(happened, encoding="utf-8")
    else:
        assert happened == written


def test_every_transcript_runs_something() -> None:
    assert len(TRANSCRIPTS) >= 15
    for path in TRANSCRIPTS:
        assert any(word == "run" for word, _, _ in blocks_of(path.read_text(encoding="utf-8"))[1]), path


@pytest.mark.parametrize(
    ("block", "wrong"),
    [
        ("=== stdout\n", "=== stdout\none line more\n"),
        ("=== exit 2\n", "=== exit 1\n"),
        ("there is no code", "there is a code"),
    ],
)
def test_a_wrong_transcript_is_told_from_a_right_one(tmp_path: Path, block: str, wrong: str) -> None:
    """The runner itself: what is written must be what happens, in every part."""
    written = (FOLDER / "explain.txt").read_text(encoding="utf-8")
    assert block in written
    intro, blocks = blocks_of(written.replace(block, wrong, 1))
    assert text_of(intro, list(perform(blocks, tmp_path))) == written
