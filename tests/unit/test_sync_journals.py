"""Journals at an address and in a Git ref: durable, read back, one writer, and open to another machine."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.syncing import NOW, Clock
from tests.unit.test_sync_plan import group, live, plan, rule, wanted

from tocsin.disk.git_journal import GitJournal
from tocsin.disk.journal import FileJournal
from tocsin.errors import MachineError, UsageError
from tocsin.remote.access import Bearer, Secret
from tocsin.remote.http import Door
from tocsin.remote.journal import HttpJournal
from tocsin.sync import journal as book
from tocsin.sync.journal import Journal

PLAN = plan(wanted(group(rule("a"))), live())
TOKEN = "journal-token"


class Store(HTTPServer):
    """Keeps what is put, like an object store; `lose` says whether the answer to a PUT is lost, and whether it was kept."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Keeper)
        self.kept: bytes | None = None
        self.lose: list[bool] = []
        self.puts = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A lost answer is planned."""


class Keeper(BaseHTTPRequestHandler):
    server: Store

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self._answer(404 if self.server.kept is None else 200, self.server.kept or b"")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._answer(403, b"{}")
        self.server.puts += 1
        kept = self.server.lose.pop(0) if self.server.lose else None
        if kept is not False:
            self.server.kept = body
        self._answer(200 if kept is None else 502, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield made
        made.shutdown()


def at(store: Store, token: str = TOKEN) -> HttpJournal:
    url = f"http://127.0.0.1:{store.server_address[1]}/journals/prod.json"
    return HttpJournal(Door(url, clock=Clock(), auth=Bearer(token=Secret(token))))


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(folder)},
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(tmp_path, "clone", "-q", "origin.git", "here")
    return tmp_path / "here"


def whole_life(journal: Journal, again: Journal) -> None:
    """Begin, notes, an end, a second run; `again` reads what `journal` wrote."""
    assert journal.entries() == [] or journal.entries() == ()
    book.begin(journal, PLAN, NOW, "ann", "because")
    book.note(journal, "write", place=PLAN.groups[0].place, say="attempt 1: ü")
    found = book.read(again)
    assert [each.kind for each in found] == ["begin", "write"]
    assert (found[0].plan, found[0].by, found[0].override, found[1].say) == (
        PLAN,
        "ann",
        "because",
        "attempt 1: ü",
    )
    with pytest.raises(MachineError, match="unfinished"):
        book.begin(journal, PLAN, NOW, "ann")
    book.note(journal, "end")
    assert book.ended(again)
    book.begin(journal, PLAN, NOW, "bob")
    assert [each.by for each in book.read(again)] == ["bob"]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "prod.jsonl"
    whole_life(FileJournal(path), FileJournal(path))
    assert path.with_name("prod.jsonl.last").exists()


@pytest.mark.parametrize("device", ["/dev/full", "/dev/zero"])
def test_a_device_is_no_journal(device: str) -> None:
    """It may be read for ever, and what is put aside would be the device."""
    made = FileJournal(Path(device))
    for wrong in (made.entries, made.restart, lambda: made.append({})):
        with pytest.raises(MachineError, match="is no file"):
            wrong()


def test_an_address(store: Store) -> None:
    whole_life(at(store), at(store))
    assert store.kept is not None and json.loads(store.kept)["format"] == "tocsin/journal/1"


def test_a_ref(clone: Path) -> None:
    name = "git:refs/tocsin/journal/prod"
    whole_life(GitJournal(name, clone), GitJournal(name, clone))
    assert len(git(clone, "log", "--format=%H", "refs/tocsin/journal/prod").split()) == 4, (
        "earlier runs are kept"
    )


def test_a_pushed_ref_is_read_by_another_machine(clone: Path, tmp_path: Path) -> None:
    name = "git:origin:refs/tocsin/journal/prod"
    git(tmp_path, "clone", "-q", "origin.git", "there")
    book.begin(GitJournal(name, clone), PLAN, NOW, "ann")
    there = GitJournal(name, tmp_path / "there")
    assert book.plan_of(there) == PLAN
    book.note(there, "end")
    assert book.ended(GitJournal(name, clone))


def test_two_writers_of_one_ref(clone: Path, tmp_path: Path) -> None:
    name = "git:origin:refs/tocsin/journal/prod"
    git(tmp_path, "clone", "-q", "origin.git", "there")
    one, other = GitJournal(name, clone), GitJournal(name, tmp_path / "there")
    assert not one.entries() and not other.entries()
    one.append({"kind": "begin"})
    with pytest.raises(MachineError, match="cannot be kept"):
        other.append({"kind": "begin"})


@pytest.mark.parametrize("kept", [True, False])
def test_a_lost_answer_is_read_back(store: Store, kept: bool) -> None:
    store.lose = [kept]
    journal = at(store)
    journal.append({"kind": "begin"})
    assert list(at(store).entries()) == [{"kind": "begin"}]
    assert store.puts == (1 if kept else 2)


def test_a_store_that_forgets_stops_the_run(store: Store) -> None:
    """It answers 200 and keeps nothing: found out before anything else is written."""
    journal = at(store)

    class Forgets(HttpJournal):
        def _put(self, entries: Any) -> None:
            """Says yes."""

    with pytest.raises(MachineError, match="not what is read"):
        book.begin(Forgets(journal._door), PLAN, NOW, "ann")


def test_a_wrong_token_and_a_page_that_is_no_journal(store: Store) -> None:
    with pytest.raises(MachineError, match="cannot be written") as wrong:
        at(store, "other-token").append({"kind": "begin"})
    assert "other-token" not in str(wrong.value)
    store.kept = b'{"hello": 1}'
    with pytest.raises(MachineError, match="no journal"):
        at(store).entries()


@pytest.mark.parametrize(
    "name", ["git:main", "git:refs/../x", "git:--upload-pack=x:refs/a", "git:refs/a.lock", "git:"]
)
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        GitJournal(name, tmp_path)


def test_no_clone_and_no_remote(tmp_path: Path, clone: Path) -> None:
    for name, folder in (("git:refs/tocsin/j", tmp_path), ("git:nowhere:refs/tocsin/j", clone)):
        with pytest.raises(MachineError, match="cannot be kept"):
            GitJournal(name, folder).append({"kind": "begin"})


def test_entries_from_several_threads(tmp_path: Path, clone: Path, store: Store) -> None:
    git_name = "git:refs/tocsin/journal/prod"
    journals: list[Journal] = [FileJournal(tmp_path / "j.jsonl"), at(store), GitJournal(git_name, clone)]
    for journal in journals:
        threads = [threading.Thread(target=journal.append, args=({"n": index},)) for index in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(each["n"] for each in journal.entries()) == list(range(6))  # type: ignore[index, call-overload]
