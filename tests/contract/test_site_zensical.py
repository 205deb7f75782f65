"""The theme's successor builds the same tree: the same pages, the same ids of headings, the same links between pages.

Material for MkDocs gets no fixes after May 2027; that Zensical reads what we generate is what makes the change a changed command.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from tests.contract.test_site_links import TODAY, copy_of_sources

from tocsin.cli import main


class _Article(HTMLParser):
    """Ids of headings, and targets of links, inside the article."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.headings: list[str] = []
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.inside += tag == "article"
        if self.inside and re.fullmatch(r"h[1-6]", tag):
            self.headings.append(named.get("id") or "")
        elif self.inside and tag == "a" and named.get("href"):
            self.targets.add(named["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag == "article"


def pages(site: Path, language: str) -> Mapping[str, tuple[list[str], set[str]]]:
    """Address -> ids of headings in order, and addresses its article links to."""
    found: dict[str, tuple[list[str], set[str]]] = {}
    for path in sorted(site.rglob("index.html")):
        address = path.relative_to(site).as_posix().removesuffix("index.html")
        reader = _Article()
        reader.feed(path.read_text(encoding="utf-8"))
        base = f"http://site/{address}"
        links = (urlsplit(urljoin(base, each)) for each in reader.targets)
        found[address] = (
            reader.headings,
            {f"{each.path}#{each.fragment}" for each in links if each.netloc == "site"},
        )
    assert found, f"no pages below {site} ({language})"
    return found


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated trees of the starter repository."""
    root = copy_of_sources(tmp_path_factory.mktemp("zensical") / "repository")
    assert main(["build", str(root), "--today", TODAY, "--min-severity", "error"]) == 0
    return root / "dist" / ".work" / "site"


def run(program: str, folder: Path) -> Path:
    """Builds one language's tree as it is, and answers where the pages are."""
    done = subprocess.run(
        [sys.executable, "-m", program, "build"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return (folder / "site").rename(folder / f"by-{program}")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_successor_builds_the_same_site(trees: Path, language: str) -> None:
    ours = pages(run("mkdocs", trees / language), language)
    theirs = pages(run("zensical", trees / language), language)
    assert len(ours) > 20 and sorted(ours) == sorted(theirs)
    for address in ours:
        assert [each for each in ours[address][0] if each] == [each for each in theirs[address][0] if each], (
            address
        )
        assert ours[address][1] == theirs[address][1], address
