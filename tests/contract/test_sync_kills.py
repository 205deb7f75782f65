"""A sync killed by SIGKILL around every write it makes, and met by every fault, then finished or taken back by a process that has only the
journal: the server ends with the new rules or the old ones, exactly, and nothing foreign has changed.

The server kills: it alone knows whether a write was committed. What is compared is the stand-in's own content, not what tocsin reads of it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from tests import sync_process
from tests.standin import Fault, StandIn, faults
from tests.standin.errors import Reply
from tests.syncing import rule_file, wanted

from tocsin.sync.values import Desired

GROUPS = {"9.4": 10, "13.3": 60}
"""One by one before 11.6, whole groups after: the newest version has the many."""


def before(version: str) -> Desired:
    """So many groups, one service each, of one or two rules."""
    files = [
        rule_file(f"s{index:02}", {f"r{index:02}-one": {}, **({f"r{index:02}-two": {}} if index % 2 else {})})
        for index in range(GROUPS[version])
    ]
    return wanted(*files, rule_file("s00", {"wanders": {}}, "extra"), version=version)


def after(version: str) -> Desired:
    """Every group changed: another expression, here and there a rule more or fewer, a rule that moved, a group gone, a group new."""
    files = []
    for index in range(1, GROUPS[version]):
        rules: dict[str, dict[str, object]] = {f"r{index:02}-one": {"expr": "up < 1"}}
        if index % 3 == 0:
            rules[f"r{index:02}-new"] = {}
        if index % 2 and index % 5:
            rules[f"r{index:02}-two"] = {}
        files.append(rule_file(f"s{index:02}", rules))
    files.append(rule_file("s00", {"r00-one": {"for": "1m"}, "wanders": {}}))
    return wanted(*files, rule_file("s99", {"r99-one": {}}), version=version)


@pytest.fixture(scope="module")
def processes() -> Iterator[ForkServerContext]:
    """Processes forked from one that has everything imported and no thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.sync_process"])
    yield context


@pytest.fixture
def journals() -> Iterator[Path]:
    """A folder in memory where there is one: a killed process loses nothing it wrote there either, and each entry waits for the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


class World:
    """A stand-in that holds the old rules and some of others, and what it holds with the new ones."""

    def __init__(self, version: str, context: ForkServerContext) -> None:
        self.version, self.context = version, context
        self.standin = StandIn(version).start()
        with self.standin.edit() as edit:
            edit.datasource("prom-main")
            edit.folder("theirs")
            edit.rule("foreign-1", folder="theirs", group="g")
        self.old, self.new = before(version), after(version)
        if version == "9.4":
            # It cannot say whether a folder is empty, so a folder once made stays.
            with self.standin.edit() as edit:
                for folder in self.new.folders:
                    edit.folder(folder.uid, folder.title)

    def prepare(self, folder: Path) -> None:
        """Both ends, made by undisturbed runs."""
        self.go("sync", folder / "old.jsonl", self.old)
        self.start, self.before = self.standin.snapshot(), self.standin.content()
        self.standin.forget_writes()
        assert set(self.go("sync", folder / "new.jsonl", self.new)) == {"written"}
        self.after, self.writes = self.standin.content(), self.standin.store.commits
        assert self.before != self.after

    def reset(self) -> None:
        self.standin.restore(self.start)
        self.standin.forget_writes()
        assert self.standin.content() == self.before

    def begin(self, what: str, journal: Path, desired: Desired | None = None) -> tuple[BaseProcess, object]:
        here, there = self.context.Pipe()
        process = self.context.Process(
            target=sync_process.run, args=(what, self.standin.url, self.version, journal, desired, there)
        )
        process.start()
        there.close()
        assert here.recv() == "ready"
        return process, here

    def go(self, what: str, journal: Path, desired: Desired | None = None) -> list[str]:
        """A process that lives to its end."""
        process, talk = self.begin(what, journal, desired)
        talk.send("go")  # type: ignore[attr-defined]
        said: list[str] = talk.recv()  # type: ignore[attr-defined]
        process.join(300)
        assert process.exitcode == 0
        return said


@pytest.fixture(scope="module", params=["9.4", "13.3"])
def world(
    request: pytest.FixtureRequest, processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    made = World(request.param, processes)
    made.prepare(tmp_path_factory.mktemp("journals"))
    yield made
    made.standin.stop()


def test_killed_around_every_write(world: World, journals: Path) -> None:
    assert world.writes >= GROUPS[world.version]
    wrong = []
    for write in range(1, world.writes + 1):
        for number, phase in enumerate(("before", "after")):
            # Each write meets both ways out, on the two sides of its commit; the next write meets them the other way round.
            way = ("resume", "undo")[(write + number) % 2]
            world.reset()
            journal = journals / f"{write}-{phase}.jsonl"
            process, talk = world.begin("sync", journal, world.new)
            pid = process.pid
            assert pid is not None
            world.standin.on_write(write, phase, lambda pid=pid: os.kill(pid, signal.SIGKILL))  # type: ignore[arg-type, misc]
            talk.send("go")  # type: ignore[attr-defined]
            process.join(300)
            assert process.exitcode == -signal.SIGKILL, (write, phase, process.exitcode)
            world.standin.forget_writes()
            said = world.go(way, journal)
            if world.standin.content() != (world.after if way == "resume" else world.before):
                wrong.append(
                    (
                        write,
                        phase,
                        way,
                        [each for each in said if not each.startswith(("written", "already", "undone"))],
                    )
                )
    assert wrong == []


EVERY = {
    "conflict": faults.conflict(),
    "too-many": faults.too_many(),
    "bad-gateway": faults.bad_gateway(method="PUT"),
    "bad-gateway-applied": faults.bad_gateway(method="PUT", applied=True),
    "unavailable": Fault(kind="answer", method="PUT", reply=Reply(status=503)),
    "reset-before": Fault(kind="reset-before", method="PUT"),
    "reset-after": Fault(kind="reset-after", method="PUT"),
    "half": Fault(kind="half", method="PUT"),
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("way", ["resume", "undo"])
def test_met_by_every_fault(world: World, journals: Path, name: str, way: str) -> None:
    from dataclasses import replace

    for nth in (1, 7, GROUPS[world.version] // 2):
        world.reset()
        journal = journals / f"{nth}.jsonl"
        world.standin.plan(replace(EVERY[name], nth=nth))
        said = world.go("sync", journal, world.new)
        assert len(world.standin.log.select(method="PUT")) >= nth, "the fault was never met"
        world.standin.forget_writes()
        said = world.go(way, journal)
        assert world.standin.content() == (world.after if way == "resume" else world.before), said
