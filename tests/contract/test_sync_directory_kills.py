"""A sync of a provisioning folder killed by SIGKILL around every file it writes, then finished or taken back by a process with only the journal.

At no moment may the folder name a rule for deletion that a file of it holds, unless that rule was to go; and no rule that left may be forgotten.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from tests.ruling import Deadly
from tests.syncing import NOW, compiled, fine, number, rule_file

from tocsin.disk.journal import FileJournal
from tocsin.disk.rule_folder import RuleFolder
from tocsin.sync.apply import apply, resume, undo
from tocsin.sync.directory import desired_directory
from tocsin.sync.directory_target import DirectoryTarget
from tocsin.sync.guard import Guard
from tocsin.sync.plan import make_plan
from tocsin.sync.values import Desired, Plan

OURS = "tocsin.shop.prod.json"
Services = tuple[tuple[str, str, dict[str, dict[str, object]]], ...]
OLD: Services = (
    ("web", "main", {"stays": {}, "wanders": {}, "goes": {}}),
    ("zoo", "main", {"bye": {}}),
    ("shop", "main", {"same": {}}),
)
NEW: Services = (
    ("web", "main", {"stays": {"for": "9m"}}),
    ("web", "other", {"wanders": {}}),
    ("new", "main", {"hello": {}}),
    ("shop", "main", {"same": {}}),
)


def wanted(services: Services) -> Desired:
    made, project = compiled(*(rule_file(name, alerts, group) for name, group, alerts in services))
    assert [each.message for each in made.diagnostics if each.severity.name == "error"] == []
    environment = project.environment("prod")
    assert environment is not None
    every = [each for service in made.services for each in service.resolved]
    return desired_directory(every, project, environment, "grafana", made.frozen, number("12.0"))


def planned(desired: Desired, target: DirectoryTarget) -> Plan:
    guard = Guard(version=number("12.0"), max_deletes=100, max_delete_percent=0)
    return make_plan(desired, target.read(), guard, fine, NOW)


def killed(folder: Path, journal: Path, at: int, talk: Connection) -> None:
    """A sync that dies at step `at`."""
    deadly, files = Deadly(at), RuleFolder(folder)
    files.write = deadly.around(files.write)  # type: ignore[method-assign]
    files.remove = deadly.around(files.remove)  # type: ignore[method-assign]
    target = DirectoryTarget(files, owner="shop/prod")
    apply(planned(wanted(NEW), target), target, FileJournal(journal), "stop", NOW, "tester")


def content(folder: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in folder.iterdir() if each.name != OURS}


def uids(folder: Path) -> tuple[list[str], list[str]]:
    """(in files, to be deleted), without their hashes."""
    here = [
        rule["uid"].rpartition("-")[0]
        for text in content(folder).values()
        for group in json.loads(text)["groups"]
        for rule in group["rules"]
    ]
    gone = [each["uid"].rpartition("-")[0] for each in json.loads((folder / OURS).read_text())["deleteRules"]]
    return sorted(here), sorted(gone)


@pytest.mark.parametrize("way", ["resume", "undo"])
def test_killed_around_every_file(tmp_path: Path, way: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ruling", "tests.syncing"])
    ends: dict[str, dict[str, str]] = {}
    at = 0
    while True:
        at += 1
        folder = tmp_path / f"{at}" / "alerting"
        folder.mkdir(parents=True)
        target = DirectoryTarget(RuleFolder(folder), owner="shop/prod")
        assert apply(
            planned(wanted(OLD), target), target, FileJournal(tmp_path / f"{at}.old"), "stop", NOW, "t"
        ).clean
        ends["undo"] = content(folder)
        here, there = context.Pipe()
        journal = tmp_path / f"{at}.new"
        process = context.Process(target=killed, args=(folder, journal, at, there))
        process.start()
        there.close()
        process.join(300)
        here.close()
        found, gone = uids(folder)
        assert len(set(found)) == len(found) and set(gone) <= {"goes", "bye"}, (at, found, gone)
        assert {"evaluation-failing", "stays", "same"} <= set(found), (at, found)
        if process.exitcode == 0:
            ends["resume"] = content(folder)
            break
        assert process.exitcode == -signal.SIGKILL
        book = FileJournal(journal)
        outcome = resume(target, book, "stop") if way == "resume" else undo(target, book)
        assert outcome.clean, (at, outcome.results)
        ends[f"{at}"] = content(folder)
        _, gone = uids(folder)
        assert gone == ["bye", "goes"] if way == "resume" else set(gone) <= {"hello"}, (at, gone)
    assert at > 10 and ends["undo"] != ends["resume"]
    assert all(ends[f"{each}"] == ends[way] for each in range(1, at))
