"""Edits with known answers: each is made in a copy of the repository, both versions are replayed against a real Prometheus that holds two weeks of
history, and what is found and judged must be what `demo/edits.py` says, no gate more and none less.

The replay is the product's own, from the two compilations to the verdict. The answers are not: they follow from what `demo/series.py` wrote.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import chain
from pathlib import Path

import jsonschema
import pytest
from demo.edits import EDITS, Edit
from demo.history import END, load
from tests.real import components
from tests.real.servers import running_prometheus

from tocsin.canary.compare import Evidence, compare
from tocsin.canary.comparison import Judged
from tocsin.canary.incidents import Known, OtherRule, caught_by, firings_of, known
from tocsin.canary.judge import judge, not_needed
from tocsin.canary.planner import Budget, Watch
from tocsin.canary.replay import replay
from tocsin.canary.values import Pair, Replayed, RuleVersion, Window
from tocsin.canary.versions import pairs_of, unchanged, version_of
from tocsin.cli.targets import Now
from tocsin.cli.workspace import read_sources
from tocsin.diff.changes import Side
from tocsin.diff.compare import compare as changes_between
from tocsin.ir.canary import CanaryPolicy
from tocsin.ir.compiled import CompiledAlert, Resolved
from tocsin.pipeline import Compilation, compile_sources
from tocsin.remote.history import History
from tocsin.remote.http import Door
from tocsin.report import canary_json, canary_markdown, canary_text, timeline
from tocsin.report.canary import Backtest

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)
VERSION = "2.53"
WINDOW = Window(start_ms=(END - 14 * 86_400) * 1000, end_ms=END * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The repository as it is, with the history it is judged by."""

    folder: Path
    resolved: tuple[Resolved, ...]
    policy: CanaryPolicy
    incidents: tuple[Known, ...]
    others: Mapping[str, OtherRule]
    source: History

    def replayed(self, *pairs: Pair) -> tuple[Replayed, ...]:
        return _replayed(self.source, *pairs)


def _replayed(source: History, *pairs: Pair) -> tuple[Replayed, ...]:
    # A clock that stands: how long a busy machine takes is no part of any answer.
    watch = Watch(now_ms=END * 1000, monotonic=lambda: 0.0)
    return replay(pairs, WINDOW, source, None, Budget(), watch)


def _project(folder: Path) -> Path:
    for name in ("rules", "sops", "incidents"):
        shutil.copytree(ROOT / name, folder / name)
    for path in (ROOT / "demo/incidents").iterdir():
        shutil.copy(path, folder / "incidents")
    shutil.copy(ROOT / "tocsin.yaml", folder)
    return folder


def _compiled(folder: Path) -> tuple[Compilation, tuple[Resolved, ...]]:
    made = compile_sources(read_sources(folder), TODAY)
    assert [each.message for each in made.diagnostics if each.severity.name == "error"] == []
    every = chain.from_iterable(each.resolved for each in made.services)
    return made, tuple(each for each in every if each.env == "prod")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    data = tmp_path_factory.mktemp("history")
    load(components.promtool(VERSION), data)
    folder = _project(tmp_path_factory.mktemp("base"))
    made, resolved = _compiled(folder)
    assert made.settings is not None
    incidents = known(page.incident for page in made.pages if page.incident is not None)
    with (
        running_prometheus(components.prometheus(VERSION), "global: {}\n", data=data) as server,
        Door(server.url, clock=Now(), read_only=True, metrics=True) as door,
    ):
        source = History(door, "prometheus")
        versions = [
            version_of(Side(rule=rule, group=group))
            for each in resolved
            for group in each.groups
            for rule in group.rules
            if isinstance(rule, CompiledAlert)
        ]
        yield Before(
            folder=folder,
            resolved=resolved,
            policy=made.settings.project.canary,
            incidents=incidents,
            others=dict(_others(source, versions)),
            source=source,
        )


def _others(source: History, versions: list[RuleVersion]) -> Iterator[tuple[str, OtherRule]]:
    pairs = [Pair(key=each.key, old=each, new=None) for each in versions]
    for each in _replayed(source, *pairs):
        assert each.old is not None
        assert each.old.timeline is not None, each.old.exactness.text
        firings = firings_of(each.old.timeline, WINDOW)
        yield each.pair.key.text, OtherRule(service=each.old.version.service, firings=firings)


def _judged(before: Before, edit: Edit, folder: Path) -> tuple[Judged, ...]:
    shutil.copytree(before.folder, folder, dirs_exist_ok=True)
    edit.make(folder)
    _, resolved = _compiled(folder)
    changes = changes_between(before.resolved, resolved)
    evidence = Evidence(incidents=before.incidents, others=before.others)
    found = [not_needed(each.key) for each in unchanged(changes)]
    for each in before.replayed(*pairs_of(changes)):
        comparison = compare(each, WINDOW, before.policy, evidence)
        found.append(judge(comparison, before.policy, TODAY, tested=True))
    return tuple(found)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_is_judged_as_is_known(before: Before, edit: Edit, tmp_path: Path) -> None:
    judged = _judged(before, edit, tmp_path)
    assert {each.key.text for each in judged} == set(edit.answers)
    for each in judged:
        answer, found = edit.answers[each.key.text], each.comparison
        said = [f"{gate.id} {gate.verdict}: {gate.message}" for gate in each.gates]
        assert each.verdict == answer.verdict, said
        failed = {gate.id for gate in each.gates if gate.verdict == "fail" and each.limits[gate.id].critical}
        assert failed == answer.fails, said
        assert answer.warns <= {gate.id for gate in each.gates if gate.verdict == "warn"}, said
        assert answer.pages in (None, _pages(each)), said
        assert found is None or found.paired_by == answer.paired_by
        if answer.matched is not None:
            assert found is not None
            kinds = (found.kept, found.lost, found.gained, found.split, found.merged)
            assert kinds == (*answer.matched, 0, 0)


def _pages(judged: Judged) -> tuple[int, int] | None:
    found = judged.comparison
    if found is None or found.old is None or found.new is None:
        return None
    return found.old.pages, found.new.pages


def test_which_incidents_no_rule_catches(before: Before) -> None:
    inside = [each for each in before.incidents if WINDOW.start_ms <= each.start_ms < WINDOW.end_ms]
    uncaught = [each.id for each in inside if not caught_by(each, before.others.values())]
    assert uncaught == ["INC-2026-904"]


def test_the_reports_of_a_run_are_the_same_twice_and_fit_the_schema(before: Before, tmp_path: Path) -> None:
    schema = json.loads(files("tocsin").joinpath("schemas/canary-report.schema.json").read_text())
    named = {edit.name: edit for edit in EDITS}

    def reports(folder: Path) -> tuple[str, ...]:
        judged = tuple(
            each
            for name in ("noise-added", "removed", "re-aggregated")
            for each in _judged(before, named[name], folder / name)
        )
        run = Backtest(environment="prod", base="main", window=WINDOW, judged=judged, version="0.1.0")
        drawn = [timeline.picture(each) for each in judged]
        return (
            canary_text.as_text(run),
            canary_json.as_json(run),
            canary_markdown.as_markdown(run),
            *drawn,
        )

    once, twice = reports(tmp_path / "1"), reports(tmp_path / "2")
    assert once == twice
    document = json.loads(once[1])
    jsonschema.Draft202012Validator(schema).validate(document)
    assert [each["verdict"] for each in document["rules"]] == ["fail", "fail", "quiet", "quiet", "pass"]
