"""A sync to a ruler of Mimir's shape whose groups a real Prometheus evaluates: states, coverage, records first, and kills around every write."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from tests.contract.mimir_shaped import TENANT, Evaluated
from tests.contract.rule_world import World
from tests.contract.rule_world import world as world
from tests.loopback import FakeClock, Loopback, serving
from tests.patience import PATIENCE, eventually
from tests.real.components import NEWEST
from tests.real.servers import Server
from tests.ruling import plan_of, rules, synced, wanted
from tests.syncing import NOW

from tocsin.disk.journal import FileJournal
from tocsin.remote.http import Door
from tocsin.remote.mimir import Mimir
from tocsin.remote.prometheus import Prometheus
from tocsin.sync.apply import apply, resume, undo
from tocsin.sync.mimir_target import Configured, MimirTarget
from tocsin.sync.values import Desired

UP = {"record": "web:up", "expr": "vector(1)"}
DOWN = {"alert": "Down", "expr": "web:up == 1"}
SLOW = {"alert": "Slow", "expr": "vector(2) > 1", "for": "1h"}
BROKEN = {
    "alert": "Broken",
    "expr": "vector(1) * on () group_left () (label_replace(vector(1), 'a', 'x', '', '') or vector(2))",
}


def desired(**groups: list[dict[str, str]]) -> Desired:
    return wanted(rules("web", groups), kind="mimir", version="2.15")


def target_on(door: Door) -> MimirTarget:
    client = Mimir(door, tenant=TENANT)
    evaluation = Prometheus(door, prefix=("prometheus",), headers=client.headers)
    return MimirTarget(client, evaluation, owner="shop/prod", tenant=TENANT, configured=Configured())


@pytest.fixture(params=["2.42", NEWEST])
def ruler(
    request: pytest.FixtureRequest, prometheus_server: Callable[..., Server], tmp_path: Path
) -> Iterator[tuple[Evaluated, Loopback]]:
    folder = tmp_path / "ruler"
    folder.mkdir()
    made = Evaluated(prometheus_server(f"rule_files: ['{folder}/*.yaml']\n", version=request.param), folder)
    with serving(made) as server:
        yield made, server


def test_what_is_written_is_evaluated_and_told(ruler: tuple[Evaluated, Loopback]) -> None:
    _, server = ruler
    with Door(server.url, clock=FakeClock(), metrics=True) as door:
        target = target_on(door)
        first = desired(main=[UP, DOWN, SLOW, BROKEN])
        assert [each.state for each in synced(first, target).results] == ["written"]

        def counted() -> bool:
            found = {uid.rpartition("|")[2]: each for uid, each in target.states().items()}
            seen = {name: (each.health, each.pending, each.firing) for name, each in found.items()}
            return seen == {
                "web:up{}": ("ok", 0, 0), "down": ("ok", 0, 1), "slow": ("ok", 1, 0), "broken": ("error", 0, 0),
            }  # fmt: skip

        eventually(counted, "one firing, one pending, one in error")
        assert target.covered("web:up") and not target.covered("web:other")
        plan = plan_of(desired(main=[UP, {**DOWN, "expr": "web:up >= 1"}, {**SLOW, "for": "2h"}]), target)
        told = {each.rule.title: (each.effect, each.pending, each.firing) for each in plan.groups[0].changes}
        assert told == {
            "web:up": ("none", 0, 0), "Down": ("none", 0, 1), "Slow": ("none", 1, 0), "Broken": ("resolves", 0, 0),
        }  # fmt: skip
        assert synced(first, target).results == ()


def test_an_alert_follows_its_record_in_one_run(
    world: World, ruler: tuple[Evaluated, Loopback], capsys: pytest.CaptureFixture[str]
) -> None:
    made, server = ruler
    world.rules("api", {"alerts": [{**DOWN, "expr": "api:up == 0"}], "records": [UP]})
    where = ("--target", "mimir", "--url", server.url)
    assert world.run("sync", *where) == 0
    assert sorted(made.stored[TENANT]["tocsin.shop.prod.api"]) == ["alerts", "records"]
    assert "waiting up to 2m for the series of api:up" in capsys.readouterr().err
    assert world.run("sync", *where) == 0 and made.writes == 2


OLD = desired(gone=[SLOW], main=[UP, {**UP, "record": "web:less"}, DOWN])
NEW = desired(fresh=[{**SLOW, "alert": "Fresh"}], main=[{**UP, "record": "web:more"}, UP])


def _killed(url: str, journal: Path, wanted: Desired, talk: Connection) -> None:
    """A sync that the server may kill."""
    with Door(url, clock=FakeClock(), metrics=True) as door:
        target = target_on(door)
        apply(plan_of(wanted, target), target, FileJournal(journal), "stop", NOW, "tester")
    talk.send("alive")


@pytest.mark.parametrize("ruler", [NEWEST], indirect=True)
@pytest.mark.parametrize("way", ["resume", "undo"])
def test_killed_around_every_write(ruler: tuple[Evaluated, Loopback], tmp_path: Path, way: str) -> None:
    made, server = ruler
    theirs = {"g": {"name": "g", "rules": [{"alert": "X", "expr": "up"}]}}
    made.stored[TENANT] = {"team": copy.deepcopy(theirs)}  # type: ignore[arg-type]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ruling"])
    with Door(server.url, clock=FakeClock(), metrics=True) as door:
        target = target_on(door)
        synced(OLD, target)
        start = copy.deepcopy(made.stored)
        made.writes = 0
        synced(NEW, target)
        end, writes = copy.deepcopy(made.stored), made.writes
        assert writes == 4 and start != end
        for write in range(1, writes + 1):
            for phase in ("before", "after"):
                made.stored, made.writes = copy.deepcopy(start), 0
                journal = tmp_path / f"{write}-{phase}.jsonl"
                here, there = context.Pipe()
                process = context.Process(target=_killed, args=(server.url, journal, NEW, there))
                known = threading.Event()  # its number, without which nobody can kill it

                def kill(
                    number: int,
                    when: str,
                    at: tuple[int, str] = (write, phase),
                    dying: BaseProcess = process,
                    known: threading.Event = known,
                ) -> None:
                    if (number, when) == at and known.wait(PATIENCE) and dying.pid is not None:
                        os.kill(dying.pid, signal.SIGKILL)

                made.on_write = kill
                process.start()
                known.set()
                there.close()
                process.join(300)
                here.close()
                assert process.exitcode == -signal.SIGKILL, (write, phase)
                with made.writing:  # The server ends what it was asked for, whoever died.
                    pass
                made.on_write = lambda number, when: None
                book = FileJournal(journal)
                outcome = resume(target, book, "stop") if way == "resume" else undo(target, book)
                assert outcome.clean, (write, phase, outcome.results)
                assert made.stored == (end if way == "resume" else start), (write, phase)
                assert made.stored[TENANT]["team"] == theirs
