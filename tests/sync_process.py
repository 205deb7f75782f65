"""One sync in a process of its own, which a test may kill: it gets the server's address, the wanted rules and a journal's path."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

from tests.standin import DEFAULT_TOKEN
from tests.syncing import NOW, Clock, fine, number

from tocsin.disk.journal import FileJournal
from tocsin.remote.access import Bearer, Secret
from tocsin.remote.grafana import Grafana, states_by_uid
from tocsin.remote.http import Door
from tocsin.sync.apply import apply, resume, undo
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.guard import Guard
from tocsin.sync.plan import make_plan
from tocsin.sync.values import Desired


def run(what: str, url: str, version: str, journal: Path, desired: Desired | None, talk: Connection) -> None:
    """`sync` plans and applies `desired`; `resume` and `undo` have the journal and nothing else. Says `ready`, waits for a word, works, and
    sends the states of the groups; whoever is killed says nothing."""
    talk.send("ready")
    talk.recv()
    with Door(url, clock=Clock(), auth=Bearer(token=Secret(DEFAULT_TOKEN))) as door:
        target = GrafanaTarget(Grafana(door), states_by_uid)
        book = FileJournal(journal)
        if what == "sync":
            assert desired is not None
            guard = Guard(version=number(version), max_deletes=1_000, max_delete_percent=0)
            plan = make_plan(desired, target.read(), guard, fine, NOW)
            assert not plan.stops and not any(each.refusals for each in plan.groups)
            outcome = apply(plan, target, book, "stop", NOW, "tester")
        elif what == "resume":
            outcome = resume(target, book, "stop")
        else:
            outcome = undo(target, book)
    talk.send([f"{each.state} {each.say}".strip() for each in outcome.results])
