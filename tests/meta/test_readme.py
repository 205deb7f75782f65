"""The README shows what the sources say and what comes of them, and its links lead somewhere."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tocsin.cli import COMMANDS
from tocsin.cli.workspace import read_sources
from tocsin.pipeline import artifacts, compile_sources

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCE, OUTPUT = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[:2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / "compiler").glob("*.md"),
    *(ROOT / "compiler/decisions").glob("*.md"),
]


def missing(shown: str, text: str) -> list[str]:
    """The lines of an excerpt that do not follow each other in `text`; others may stand between them."""
    rest = iter(text.splitlines())
    return [line for line in shown.splitlines() if line not in rest]


def test_the_example_is_in_the_sources() -> None:
    assert missing(SOURCE, (ROOT / "rules/kafka/lag.yaml").read_text(encoding="utf-8")) == []


def test_the_output_is_what_a_build_writes() -> None:
    compiled = compile_sources(read_sources(ROOT), date(2026, 1, 1))
    files = {each.path: each.text for each in artifacts(compiled)}
    assert missing(OUTPUT, files["prometheus/prod/kafka.rules.yaml"]) == []


def test_the_table_has_every_command() -> None:
    assert sorted(re.findall(r"^\| `tocsin ([a-z]+)", README, re.MULTILINE)) == sorted(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [
        each for each in targets if "://" not in each and not (page.parent / each).resolve().exists()
    ] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "compiler/decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
