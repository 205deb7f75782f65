"""Compiled again after an edit, from memory: the same findings and the same files as compiled from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tocsin.cli.workspace import read_sources
from tocsin.pipeline import artifacts, compile_sources
from tocsin.pipeline.again import Memory, compile_again

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


EDITS: dict[str, Callable[[Path], None]] = {
    "words of a SOP": lambda root: _edit(
        root / "sops/kafka/SOP-KAFKA-007.md", "\n## ", "\nMore words.\n\n## "
    ),
    "the id of a SOP": lambda root: _edit(
        root / "sops/kafka/SOP-KAFKA-007.md", "id: SOP-KAFKA-007", "id: SOP-KAFKA-070"
    ),
    "a SOP is gone": lambda root: (root / "sops/kafka/SOP-KAFKA-007.md").unlink(),
    "a threshold": lambda root: _edit(root / "rules/kafka/lag.yaml", "limit: 5000", "limit: 6000"),
    "a record is gone": lambda root: _edit(
        root / "rules/kafka/lag.yaml",
        "record: consumergroup:kafka_lag:sum",
        "record: consumergroup:kafka_lag:other",
    ),
    "a service is gone": lambda root: shutil.rmtree(root / "rules/node"),
    "tocsin.yaml": lambda root: _edit(root / "tocsin.yaml", "name: Streaming", "name: Streams"),
}


@pytest.mark.parametrize("what", sorted(EDITS))
def test_from_memory_as_from_nothing(tmp_path: Path, what: str) -> None:
    shutil.copy(ROOT / "tocsin.yaml", tmp_path)
    for folder in ("rules", "sops", "incidents"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    memory = Memory()
    first = compile_again(read_sources(tmp_path), TODAY, memory)
    EDITS[what](tmp_path)
    sources = read_sources(tmp_path)
    again, fresh = compile_again(sources, TODAY, memory), compile_sources(sources, TODAY)
    assert again.diagnostics == fresh.diagnostics and again.frozen == fresh.frozen
    assert sorted(artifacts(again, keep_going=True)) == sorted(artifacts(fresh, keep_going=True))
    kept = {id(each) for each in first.services} & {id(each) for each in again.services}
    assert bool(kept) is (what not in ("tocsin.yaml", "a record is gone", "a service is gone"))
