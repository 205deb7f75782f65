"""Faults, hooks around commits, the request log, foreign edits, snapshots, and the stand-in as a process."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.standin import StandIn, faults
from tests.standin.driver import PROVISIONING, Driver, rule
from tests.standin.faults import Fault

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ".*/rule-groups/.*"


@pytest.fixture
def api() -> Iterator[Driver]:
    with StandIn("12.0") as standin:
        driver = Driver(standin)
        driver.seed(rule("a"), rule("b"), rule("c"), rule("d"))
        standin.forget_writes()
        yield driver


def change(api: Driver) -> int:
    """A PUT that changes all four rules; its status."""
    return api.put_group([rule(uid, title=f"new {uid}") for uid in "abcd"]).status


def changed(api: Driver) -> list[str]:
    return [found["uid"] for found in api.rules() if found["title"].startswith("new")]


def test_409_once(api: Driver) -> None:
    api.standin.plan(faults.conflict(path=GROUPS))
    assert (change(api), changed(api)) == (409, [])
    assert (change(api), changed(api)) == (200, ["a", "b", "c", "d"])


def test_429_with_retry_after(api: Driver) -> None:
    api.standin.plan(faults.too_many("7", times=2))
    for _ in range(2):
        refused = api.get("/api/folders")
        assert (refused.status, refused.headers["retry-after"]) == (429, "7")
    assert api.get("/api/folders").status == 200


def test_502_with_html(api: Driver) -> None:
    api.standin.plan(faults.bad_gateway(method="PUT"), faults.bad_gateway(method="PUT", nth=2, applied=True))
    reply = api.put_group([rule("a")])
    assert (reply.status, reply.headers["content-type"], b"<html>" in reply.body) == (502, "text/html", True)
    assert len(api.rules()) == 4
    assert change(api) == 502
    assert changed(api) == ["a", "b", "c", "d"]


def test_503_and_302(api: Driver) -> None:
    api.standin.plan(
        faults.unavailable("1", method="PUT"), faults.redirect("http://127.0.0.1:1/", method="DELETE")
    )
    assert (change(api), changed(api)) == (503, [])
    moved = api.delete("a")
    assert (moved.status, moved.headers["location"]) == (302, "http://127.0.0.1:1/")
    assert len(api.rules()) == 4


def test_slow(api: Driver) -> None:
    api.standin.plan(Fault(kind="slow", method="PUT", seconds=0.3))
    began = time.monotonic()
    assert change(api) == 200
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("kind", "applied"), [("reset-before", []), ("reset-after", ["a", "b", "c", "d"])])
def test_reset(api: Driver, kind: faults.Kind, applied: list[str]) -> None:
    api.standin.plan(Fault(kind=kind, method="PUT"))
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        change(api)
    assert changed(api) == applied
    assert api.standin.log.count("PUT", GROUPS, status=0) == 1


def test_half_of_a_group(api: Driver) -> None:
    api.standin.plan(Fault(kind="half", method="PUT"))
    assert (change(api), changed(api)) == (500, ["a", "b"])
    assert (change(api), changed(api)) == (200, ["a", "b", "c", "d"])


def test_faults_are_for_a_path_and_a_number(api: Driver) -> None:
    api.standin.plan(Fault(kind="answer", path=".*/alert-rules/b", nth=2))
    asked = [api.get(f"{PROVISIONING}/alert-rules/{uid}").status for uid in "abab"]
    assert asked == [200, 200, 200, 500]


def test_hooks_see_the_state_before_and_after_a_commit(api: Driver) -> None:
    """Counted are the writes that succeed: not reads, not what is refused."""
    seen: list[tuple[str, str]] = []

    def look(phase: str) -> None:
        seen.append((phase, api.standin.org().rules["a"].title))

    api.standin.on_write(2, "before", lambda: look("before"))
    api.standin.on_write(2, "after", lambda: look("after"))
    api.delete("c")
    assert api.put_group([rule("a")], interval=1).status == 400
    api.rules()
    assert seen == []
    assert change_one(api) == 200
    assert change_one(api) == 200
    assert seen == [("before", "a"), ("after", "new a")]


def change_one(api: Driver) -> int:
    return api.put_group([rule("a", title="new a"), rule("b")]).status


CLIENT = """
import http.client, json, sys
port, bodies = int(sys.argv[1]), json.loads(sys.argv[2])
for path, body in bodies:
    c = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": "Bearer glsa_standin", "Content-Type": "application/json"}
    c.request("PUT", path, body=json.dumps(body), headers=headers)
    assert c.getresponse().status == 200
"""


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_hook_may_kill_the_client(number: int, phase: str) -> None:
    with StandIn("12.0") as standin:
        api = Driver(standin)
        api.folder()
        standin.forget_writes()
        bodies = [[api.group_path(f"g{n}"), {"interval": 60, "rules": [rule(f"r{n}")]}] for n in range(3)]
        port = str(urlsplit(standin.url).port)
        started: queue.Queue[subprocess.Popen[bytes]] = queue.Queue()
        standin.on_write(number, phase, lambda: os.kill(started.get().pid, signal.SIGKILL))  # type: ignore[arg-type]
        client = subprocess.Popen([sys.executable, "-c", CLIENT, port, json.dumps(bodies)])
        started.put(client)
        assert client.wait(timeout=300) == -signal.SIGKILL
        wait_until_committed(standin, number)
        assert sorted(standin.org().rules) == [f"r{n}" for n in range(number)]


def wait_until_committed(standin: StandIn, number: int) -> None:
    """The server finishes the write it had begun, whatever became of the client."""
    end = time.monotonic() + 300
    while standin.store.commits < number and time.monotonic() < end:
        time.sleep(0.01)


def test_the_log_counts(api: Driver) -> None:
    change(api)
    api.rules()
    api.delete("none")
    assert [(one.method, one.status) for one in api.standin.log.entries] == [
        ("PUT", 200),
        ("GET", 200),
        ("DELETE", 204),
    ]
    assert len(api.standin.log.writes()) == 2
    (put,) = api.standin.log.select("PUT", GROUPS)
    assert (put.json()["interval"], put.token) == (60, "glsa_standin")


def test_snapshot_and_restore(api: Driver) -> None:
    snapshot, content = api.standin.snapshot(), api.standin.content()
    change(api)
    assert api.standin.content() != content
    api.put_group([rule(uid) for uid in "abcd"])
    assert api.standin.content() == content
    assert api.standin.snapshot() != snapshot  # versions went on
    api.standin.restore(snapshot)
    assert api.standin.snapshot() == snapshot
    with StandIn("12.0") as other:
        other.restore(snapshot)
        assert [found["uid"] for found in Driver(other).rules()] == ["a", "b", "c", "d"]


def test_an_edit_is_kept_whole_or_not(api: Driver) -> None:
    before = api.standin.snapshot()
    with pytest.raises(KeyError), api.standin.edit() as edit:
        edit.delete_rule("a")
        edit.delete_rule("none")
    assert api.standin.snapshot() == before
    with api.standin.edit() as edit:
        edit.rule("a", title="by hand", provenance="")
        edit.rule("fresh", folder="ops", group="disks", labels={"team": "x"})
        edit.delete_rule("b")
        edit.folder("ops", "Operations")
    assert api.rule("a")["title"] == "by hand"
    assert api.standin.org().rules["a"].version == 2
    assert [found["uid"] for found in api.get_group().json["rules"]] == ["a", "c", "d", "fresh"]
    assert api.standin.log.writes() == []


def test_connections_stay_open(api: Driver) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(api.standin.url).port or 0)
    for _ in range(3):
        connection.request("DELETE", f"{PROVISIONING}/alert-rules/none", headers=api.headers)
        reply = connection.getresponse()
        assert (reply.status, reply.read(), reply.version) == (204, b"", 11)
    connection.close()


def test_a_server_that_went_answers_nobody() -> None:
    standin = StandIn("12.0").start()
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(standin.url).port or 0)
    connection.request("GET", "/api/health")
    assert connection.getresponse().read()
    standin.stop()
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        connection.request("GET", "/api/health")
        connection.getresponse()
    connection.close()
    StandIn("12.0").stop()


def test_as_a_process(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    command = [
        sys.executable,
        "-m",
        "tests.standin",
        "--profile",
        "11.6",
        "--token",
        "t0",
        "--state",
        str(state),
    ]

    def run() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    def ask(url: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
        headers = {"Authorization": "Bearer t0", "Content-Type": "application/json"}
        connection.request(method, path, body=json.dumps(body) if body else None, headers=headers)
        reply = connection.getresponse()
        found = reply.status, reply.read()
        connection.close()
        return found

    first, url = run()
    assert ask(url, "POST", "/api/folders", {"uid": "ops", "title": "Ops"})[0] == 200
    first.kill()
    first.wait(timeout=300)
    assert first.stdout is not None
    first.stdout.close()
    second, url = run()
    assert ask(url, "GET", "/api/folders/ops")[0] == 200
    assert b'"version":"11.6.1"' in ask(url, "GET", "/api/health")[1]
    second.terminate()
    assert second.wait(timeout=300) == 0
    assert second.stdout is not None
    second.stdout.close()


def test_ten_thousand_rules_are_listed_in_a_second() -> None:
    """Of computing, on both sides: what other programs take meanwhile is no property of the stand-in."""
    with StandIn("12.0") as standin:
        with standin.edit() as edit:
            for folder in range(10):
                edit.folder(f"f{folder}")
            first = edit.rule("r0", folder="f0", group="g0")
            for number in range(10_000):
                group, folder = number // 20, number // 1000
                edit.org.rules[f"r{number}"] = replace(
                    first, id=number + 100, uid=f"r{number}", folder=f"f{folder}", group=f"g{group}"
                )
        api = Driver(standin)
        assert len(api.states()) == 500
        taken = []
        for _ in range(3):
            began = time.process_time()
            assert len(api.rules()) == 10_000
            taken.append(time.process_time() - began)
        assert min(taken) < 2.0
