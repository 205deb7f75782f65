"""Every code's page is run: its bad files raise the code at a real place, its good files do not, and what it says of silencing is true.

A page's fences name files (```` ```yaml file=rules/kafka/lag.yaml ````). They are put into a repository made of
`explain_defaults/` (a file a page gives replaces the default one) and the real command line is called on it, in this process. Words of
a fence: `bytes` (backslash escapes are bytes), `repeat=N` (each line with `{n}` stands N times, counted), `link=TARGET` (a symbolic link),
`absent` (the default file is not there), `committed=DAY` (Git has it since then; the file may stand there again with a later day); a name
that ends in `/` is a folder. A page with `<!-- run: adopt -->` is run by that command; `<!-- with: TOC204 -->` says which other error its
bad files cannot do without.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from tests.real import components

from tocsin.cli import BUG, main
from tocsin.diag.codes import CODES
from tocsin.diag.explain import page

HERE = Path(__file__).parent
DEFAULTS = HERE / "explain_defaults"
PAGES = HERE.parent / "compiler/tocsin/diag/explain"
TODAY = "2026-11-21"
CODE_NAMES = sorted(CODES)

Finding = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One fence: the file it stands for, its text, and its words."""

    file: str
    text: str
    words: dict[str, str]

    def write(self, root: Path) -> None:
        path = root / self.file
        if "absent" in self.words:
            path.unlink(missing_ok=True)
            return
        if self.file.endswith("/"):
            path.mkdir(parents=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if "link" in self.words:
            path.symlink_to(self.words["link"])
            return
        text = self.text
        if "repeat" in self.words:
            count = int(self.words["repeat"])
            lines = text.split("\n")
            text = "\n".join(
                "\n".join(line.replace("{n}", str(number)) for number in range(1, count + 1))
                if "{n}" in line
                else line
                for line in lines
            )
        data = text.encode()
        if "bytes" in self.words:
            data = text.encode().decode("unicode_escape").encode("latin-1")
        path.write_bytes(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A page, taken apart."""

    bad: tuple[Snippet, ...]
    good: tuple[Snippet, ...]
    fix: str
    run: str
    others: frozenset[str]


def explained(code: str) -> Explained:
    text = page(code).text
    parts: dict[str, list[Snippet]] = {}
    heading = ""
    tokens = MarkdownIt("commonmark").parse(text)
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            heading = tokens[index + 1].content
            parts[heading] = []
        elif token.type == "fence" and heading in ("Bad", "Good"):
            words = {
                name: value for name, _, value in (each.partition("=") for each in token.info.split()[1:])
            }
            parts[heading].append(Snippet(file=words.pop("file"), text=token.content, words=words))
    run = re.search(r"^<!-- run: ([a-z]+) -->$", text, re.MULTILINE)
    others = re.search(r"^<!-- with: ([A-Z0-9, ]+) -->$", text, re.MULTILINE)
    assert list(parts) == ["Bad", "Good", "Fix"], f"{code}: the sections are {list(parts)}"
    return Explained(
        bad=tuple(parts["Bad"]),
        good=tuple(parts["Good"]),
        fix=text.split("## Fix\n")[1],
        run=run[1] if run else "check",
        others=frozenset(others[1].split(", ")) if others else frozenset(),
    )


def repository(root: Path, snippets: tuple[Snippet, ...]) -> Path:
    shutil.copytree(DEFAULTS, root)
    for day in sorted({each.words["committed"] for each in snippets if "committed" in each.words}):
        if not (root / ".git").exists():
            git(root, "init", "-q", day=day)
        for each in snippets:
            if each.words.get("committed") == day:
                each.write(root)
        git(root, "add", "-A", day=day)
        git(root, "commit", "-q", "-m", day, day=day)
    for each in snippets:
        if "committed" not in each.words:
            each.write(root)
    return root


def git(root: Path, *arguments: str, day: str) -> None:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    dated = {f"GIT_{each}_DATE": f"{day}T12:00:00Z" for each in ("AUTHOR", "COMMITTER")}
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, env={**os.environ, **dated})


ARGUMENTS = {
    "check": ["check", "{root}"],
    "adopt": [
        "adopt",
        "prometheus",
        "{root}/prometheus",
        "--into",
        "{root}/rules",
        "--label",
        "none",
        "--dry-run",
    ],
    "test": ["test", "{root}"],
    "base": ["check", "{root}", "--base", "HEAD", "--message", "{root}/pull-request.md"],
    "routes": ["routes", "{root}", "--alertmanager-config", "{root}/alertmanager.yml"],
}


def findings(root: Path, run: str) -> list[Finding]:
    """What the command says, as JSON; an end with our own error door is a failure."""
    arguments = [each.format(root=root) for each in ARGUMENTS[run]]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*arguments, "--format", "json", "--today", TODAY])
    assert code in (0, 1), f"exit {code}\n{err.getvalue()}"
    assert code != BUG
    found: list[Finding] = json.loads(out.getvalue())["findings"]
    return found


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOCSIN_PROMTOOL", str(components.promtool("2.42")))
    yield


def places_are_real(found: list[Finding], root: Path, absent: set[str]) -> None:
    for each in found:
        path = root / each["file"]
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
            lines = text.removeprefix("\ufeff").split("\n")
            assert each["line"] <= len(lines), each
            assert each["column"] <= len(lines[each["line"] - 1]) + 1, each
        else:
            assert path.is_dir() or path.is_symlink() or each["file"] in absent, each


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert sorted(path.stem for path in PAGES.iterdir()) == CODE_NAMES


@pytest.mark.parametrize("code", CODE_NAMES)
def test_a_page_begins_with_its_code_and_says_why(code: str) -> None:
    about = page(code)
    assert about.text.startswith(f"# {code} {CODES[code].slug}\n")
    assert 40 <= len(about.summary) <= 700
    assert about.summary.endswith((".", ")"))
    assert not about.summary.startswith(("#", "`" * 3, "<"))
    assert len(about.short) <= 200
    assert explained(code).fix.strip()


@pytest.mark.parametrize("code", CODE_NAMES)
def test_the_bad_files_raise_the_code_at_a_real_place(code: str, tmp_path: Path) -> None:
    about = explained(code)
    root = repository(tmp_path / "repository", about.bad)
    found = findings(root, about.run)
    mine = [each for each in found if each["code"] == code]
    assert mine, f"{code} is not among {[each['code'] for each in found]}"
    places_are_real(found, root, {each.file for each in about.bad if "absent" in each.words})
    assert {each["severity"] for each in mine} == {CODES[code].severity}
    others = {each["code"] for each in found if each["severity"] == "error"} - {code}
    assert others == about.others, "a bad example shows one mistake"


@pytest.mark.parametrize("code", CODE_NAMES)
def test_the_good_files_do_not(code: str, tmp_path: Path) -> None:
    about = explained(code)
    found = findings(repository(tmp_path / "repository", about.good), about.run)
    assert code not in {each["code"] for each in found}
    assert not [each for each in found if each["severity"] == "error"]


def said_by_check_and_not_fixed() -> list[str]:
    """What adopting says is about files that are not sources yet: nothing in a project speaks for them."""
    return [code for code in CODE_NAMES if not CODES[code].fixed and explained(code).run == "check"]


@pytest.mark.parametrize("code", said_by_check_and_not_fixed())
def test_a_code_that_may_be_turned_off_can_be(code: str, tmp_path: Path) -> None:
    about = explained(code)
    root = repository(tmp_path / "repository", about.bad)
    project = root / "tocsin.yaml"
    text = project.read_text()
    row = f"  {code}: off\n"
    project.write_text(
        text.replace("checks:\n", f"checks:\n{row}") if "\nchecks:\n" in text else f"{text}checks:\n{row}"
    )
    assert code not in {each["code"] for each in findings(root, about.run)}


def said_to_be_ignorable() -> list[str]:
    return [code for code in CODE_NAMES if f"ignore[{code}]" in explained(code).fix]


@pytest.mark.parametrize("code", said_to_be_ignorable())
def test_an_ignore_silences_what_its_page_says_it_does(code: str, tmp_path: Path) -> None:
    about = explained(code)
    assert not CODES[code].fixed, "a page must not promise what is refused"
    root = repository(tmp_path / "repository", about.bad)
    for each in [each for each in findings(root, about.run) if each["code"] == code]:
        path = root / each["file"]
        kept = path.read_text()
        if not any(silenced(code, each, path, kept, at, root) for at in range(each["line"] - 1, -1, -1)):
            raise AssertionError(f"no comment above {each['file']}:{each['line']} silences {code}")


def silenced(code: str, finding: Finding, path: Path, text: str, at: int, root: Path) -> bool:
    """Whether a comment above line `at` (from 0) silences one finding there; the file is put back where not."""
    lines = text.split("\n")
    comment = f"tocsin: ignore[{code}] until=2027-03-01 -- tried by the test"
    in_prose = path.suffix == ".md" and at > lines[1:].index("---")
    indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
    lines.insert(at, f"<!-- {comment} -->" if in_prose else f"{indent}# {comment}")
    path.write_text("\n".join(lines))
    found = findings(root, "check")
    gone = not any(each["code"] == code and each["fingerprint"] == finding["fingerprint"] for each in found)
    if gone and not any(each["code"] in ("TOC101", "TOC220", "TOC222") for each in found):
        return True
    path.write_text(text)
    return False
