"""Links between rules and pages hold both ways, by a count that imports nothing of tocsin; and the count itself finds what is broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.site_links import authored, compiled_links, faults, read_page

from tocsin.cli import main

ROOT = Path(__file__).parents[2]
URL = "https://runbooks.example.com"
TODAY = "2026-11-21"


def copy_of_sources(root: Path) -> Path:
    root.mkdir()
    shutil.copy(ROOT / "tocsin.yaml", root)
    for folder in ("rules", "sops", "incidents"):
        shutil.copytree(ROOT / folder, root / folder)
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter repository with its site."""
    root = copy_of_sources(tmp_path_factory.mktemp("links") / "repository")
    assert main(["build", str(root), "--today", TODAY, "--min-severity", "error"]) == 0
    return root


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "repository"
    shutil.copytree(built, root, ignore=shutil.ignore_patterns(".work", "assets"))
    yield root
    read_page.cache_clear()


def test_every_link_holds_both_ways(built: Path) -> None:
    links = list(compiled_links(built / "dist"))
    assert len(links) > 30 and len(authored(built)) > 5
    assert faults(built, built / "dist", URL) == []


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


BREAKS: dict[str, Callable[[Path], None]] = {
    "a page is gone": lambda root: (root / "dist/site/sop/SOP-KAFKA-007/index.html").unlink(),
    "a stub is gone": lambda root: (root / "dist/site/a/KafkaConsumerLagPage/index.html").unlink(),
    "a stub leads elsewhere": lambda root: _edit(
        root / "dist/site/a/KafkaConsumerLagPage/index.html", "SOP-KAFKA-007", "SOP-KAFKA-008"
    ),
    "a page forgets an alert": lambda root: _edit(
        root / "dist/site/sop/SOP-KAFKA-007/index.html", "/a/KafkaConsumerLagPage", "/b/KafkaConsumerLagPage"
    ),
    "a page lists a stranger": lambda root: _edit(
        root / "dist/site/sop/SOP-KAFKA-007/index.html",
        "</article>",
        '<a href="../../a/NodeDown/">x</a></article>',
    ),
    "a rule's link has another case": lambda root: _edit(
        root / "dist/prometheus/prod/kafka.rules.yaml", "/sop/SOP-KAFKA-007/", "/sop/sop-kafka-007/"
    ),
}


@pytest.mark.parametrize("what", sorted(BREAKS))
def test_the_count_finds_what_is_broken(copied: Path, what: str) -> None:
    BREAKS[what](copied)
    assert faults(copied, copied / "dist", URL) != [], what


def _rename(root: Path) -> None:
    sop = root / "sops/kafka/SOP-KAFKA-007.md"
    sop.rename(sop.with_name("SOP-KAFKA-099.md"))
    _edit(sop.with_name("SOP-KAFKA-099.md"), "id: SOP-KAFKA-007", "id: SOP-KAFKA-099")


PLANTED: dict[str, Callable[[Path], None]] = {
    "the SOP is renamed": _rename,
    "the SOP is deleted": lambda root: (root / "sops/kafka/SOP-KAFKA-007.md").unlink(),
    "the rule has a typo": lambda root: _edit(
        root / "rules/kafka/lag.yaml", "SOP-KAFKA-007", "SOP-KAFKA-070"
    ),
    "the rule has another case": lambda root: _edit(
        root / "rules/kafka/lag.yaml", "SOP-KAFKA-007", "sop-kafka-007"
    ),
    "the SOP has another case": lambda root: _edit(
        root / "sops/kafka/SOP-KAFKA-007.md", "id: SOP-KAFKA-007", "id: Sop-Kafka-007"
    ),
    "the anchor has a typo": lambda root: _edit(
        root / "rules/kafka/lag.yaml", "sop_ref: SOP-KAFKA-007", "sop_ref: SOP-KAFKA-007#verifi"
    ),
}


@pytest.mark.parametrize("what", sorted(PLANTED))
def test_a_planted_fault_stops_the_build_with_a_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    root = copy_of_sources(tmp_path / "repository")
    PLANTED[what](root)
    assert main(["build", str(root), "--today", TODAY, "--format", "json", "--min-severity", "error"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert any(each["code"].startswith(("TOC6", "TOC2")) for each in found), found
    assert not (root / "dist").exists()
