"""The staged flow on the stand-in Grafana, with history in a real Prometheus: objects, silences, refusals, and a death at every write."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from tests.equivalence.remote_write import push
from tests.patience import eventually
from tests.real.components import NEWEST, prometheus
from tests.real.servers import Server, running_prometheus
from tests.ruling import Deadly
from tests.staging import GRAFANA, Staged
from tests.standin import DEFAULT_TOKEN, Fault, StandIn
from tests.standin.errors import Reply

from tocsin.canary.stage_record import deployed_of, promotion_of
from tocsin.cli.records import FolderRecords, file_name
from tocsin.disk.git_records import GitRecords
from tocsin.ir.canary import DEFAULT_GATES
from tocsin.verdict import Record, read_record, sign

OLD = {"alert": "LoadHigh", "id": "load-high", "expr": "load > 50", "for": "1m"}
NEW = {**OLD, "expr": "load > 70"}
OTHER = {"alert": "LoadGone", "id": "load-gone", "expr": "absent(load)"}


@pytest.fixture(scope="module")
def history() -> Iterator[Server]:
    config = "global: {evaluation_interval: 1s}\n"
    with running_prometheus(prometheus(NEWEST), config, flags=["--web.enable-remote-write-receiver"]) as made:
        yield made


@pytest.fixture(scope="module")
def fed() -> list[int]:
    """Until when there are samples."""
    return []


@pytest.fixture(autouse=True)
def samples(history: Server, fed: list[int]) -> None:
    """Nothing but quiet, until ten minutes from now; a server takes none from later."""
    now = int(time.time())
    start, end = (fed or [now - 600])[-1], now + 590
    push(
        history.url,
        [
            (
                [("__name__", "load"), ("cluster", "canary-1" if n == 1 else f"prod-{n}")],
                [(at * 1000, 40.0) for at in range(start, end, 15)],
            )
            for n in range(1, 21)
        ],
    )
    fed.append(end)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A Grafana with the old version, one rule of somebody else's, and a work tree with the new one."""

    grafana: StandIn
    repo: Staged

    def rules(self) -> dict[str, Any]:
        return dict(self.grafana.org().rules)

    def silences(self) -> list[dict[str, Any]]:
        return list(self.grafana.org().silences.values())


@pytest.fixture(params=["9.4", "13.3"])
def world(request: pytest.FixtureRequest, history: Server, tmp_path: Path) -> Iterator[World]:
    with StandIn(request.param) as grafana:
        grafana.settings.evaluates = 0.2
        with grafana.edit() as edit:
            edit.datasource("prom-main")
            edit.folder("theirs")
            edit.rule("foreign-1", folder="theirs", group="g")
        env = {
            "GRAFANA_URL": grafana.url,
            "GRAFANA_TOKEN": DEFAULT_TOKEN,
            "TOCSIN_HISTORY_URL": history.url,
        }
        repo = Staged(
            tmp_path / "repo",
            env,
            kind="grafana",
            version=request.param,
            url=", url_env: GRAFANA_URL",
            notifier="grafana",
            more=GRAFANA,
        )
        repo.rules(OLD, OTHER, interval="10s")
        assert repo.sync().code == 0
        old = repo.alert("load-high").digest
        repo.project(verdict="required")
        repo.rules(NEW, OTHER, interval="10s")
        repo.judged("load-high", old)
        yield World(grafana=grafana, repo=repo)


def test_the_whole_way(world: World, tmp_path: Path) -> None:
    """Every stage by another machine, which has the sources and the records alone."""
    repo, before = world.repo, world.rules()
    assert repo.run("deploy", "load-high").code == 0
    deployed = deployed_of(repo.record("load-high"))
    assert deployed is not None
    added = {uid: rule for uid, rule in world.rules().items() if uid not in before}
    (canary,) = added.values()
    old = before[repo.alert("load-high").uid]
    assert canary.uid == f"{old.uid}--canary" and canary.folder == old.folder
    assert canary.group == f"tocsin-canary-{deployed.canary}" and canary.title != old.title
    assert canary.labels["tocsin_canary"] == deployed.canary
    assert canary.labels["severity"] == "canary" and canary.labels["rule_id"] == "load-high.canary"
    assert canary.annotations["tocsin_owner"] == "shop/prod_canary"
    assert 'load{cluster="canary-1"} > 70' in canary.data[0]["model"]["expr"]
    (silence,) = world.silences()
    assert [(each["name"], each["value"]) for each in silence["matchers"]] == [
        ("tocsin_canary", deployed.canary)
    ]
    until = datetime.fromisoformat(deployed.until)
    assert datetime.fromisoformat(silence["endsAt"]) > until

    # Whoever syncs, drifts or tidies leaves it alone.
    there = world.grafana.content()
    assert repo.run("sync", "--yes", "--no-wait").code == 7
    assert repo.run("gc").code == 0
    assert world.grafana.content() == there
    assert "no canary waits" not in repo.run("compare").text
    assert repo.run("drift", "--detailed-exitcode").text.count("belongs to") == 0
    repo = repo.elsewhere(tmp_path / "second")
    assert repo.run("compare", "load-high").code == 7
    waiting = repo.run("compare")
    assert waiting.code == 0 and "of 1d" in waiting.text, "a job that looks at all of them comes again"
    assert "nothing is watched" in repo.run("watch").text
    with world.grafana.edit() as edit:
        edit.evaluate()
    said = repo.run("compare", deployed.canary, "--soak", "0s")
    assert said.code == 7 and "has not run for longer" in said.text, said.text
    _aged(world, repo)
    said = repo.run("compare", "load-high", "--soak", "1m")
    assert said.code == 0, said.text
    assert "fidelity: unknown" in said.text or "fidelity: vacuous" in said.text

    repo = repo.elsewhere(tmp_path / "third")
    with world.grafana.edit() as edit:
        edit.pause(old.uid)
    said = repo.run("promote", "load-high", "--yes")
    assert said.code == 7 and "is paused on the server" in said.text
    with world.grafana.edit() as edit:
        edit.pause(old.uid, False)
    firing = {"state": "Alerting", "labels": {"cluster": "canary-1"}}
    with world.grafana.edit() as edit:
        edit.set_state(old.uid, alerts=[firing], pinned=True)
    waits = repo.run("promote", "load-high", "--yes", "--wait", "0s")
    assert waits.code == 7 and "1 alerts of the old or the new version fire" in waits.text
    with world.grafana.edit() as edit:
        edit.set_state(old.uid, alerts=[])
    done = repo.run("promote", "load-high", "--yes", "--wait", "0s")
    assert done.code == 0 and "watched for 6h" in done.text, done.text
    assert set(world.rules()) == set(before)
    assert world.rules()[old.uid].data[0]["model"]["expr"] == "load > 70"
    assert repo.sync().code == 0

    repo = repo.elsewhere(tmp_path / "fourth")
    assert repo.run("watch", "load-high").code == 0
    storm = [{**firing, "labels": {"cluster": f"prod-{n}"}} for n in range(60)]
    with world.grafana.edit() as edit:
        edit.set_state(old.uid, alerts=storm, pinned=True)
    assert repo.run("watch").code == 0, "one sample is none"
    said = repo.run("watch")
    assert said.code == 7 and "alarm: peak: 60 alerts" in said.text, said.text
    assert world.rules()[old.uid].data[0]["model"]["expr"] == "load > 50"
    assert repo.sync().code == 7


def _aged(
    world: World, repo: Staged, key: str = "load-high", expr: str = "", hours: int = 25, **more: str
) -> None:
    """The canary as if it had been put there so long ago: its record says so, signed."""
    with world.grafana.edit() as edit:
        edit.evaluate()
    record = repo.record(key)
    document: dict[str, Any] = {k: v for k, v in record.document.items() if k != "signature"}
    then = (datetime.now(tz=UTC) - timedelta(hours=hours)).isoformat(timespec="seconds")
    document["stages"] = [
        {**each, "applied": then, **more, "new": {**each["new"], **({"expr": expr} if expr else {})}}
        if each["stage"] == 1
        else each
        for each in document["stages"]
    ]
    document["signature"] = sign(document, repo.env["TOCSIN_VERDICT_KEY"].encode())
    (repo.top / "records" / file_name(document)).write_text(json.dumps(document))


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_a_sync_writes_around_it(world: World) -> None:
    """Another rule of the service changes, one goes: the canary lies in the same folder and stays as it is."""
    repo = world.repo
    assert repo.run("deploy", "load-high").code == 0
    before = {uid: rule for uid, rule in world.rules().items() if uid.endswith("--canary")}
    silences = world.silences()
    repo.project(verdict="advised")
    repo.rules({**NEW, "for": "2m"}, interval="10s")
    assert repo.run("sync", "--yes", "--no-wait", "--max-delete-percent", "0").code == 0
    assert {uid: rule for uid, rule in world.rules().items() if uid.endswith("--canary")} == before
    assert len(before) == 1 and world.silences() == silences
    left = {rule.title for rule in world.rules().values()}
    assert "LoadHigh" in left and "LoadGone" not in left


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_a_rule_that_is_new(world: World) -> None:
    """There is no old one to compare with, and none to come back: taken back, it is gone."""
    repo, before = world.repo, world.rules()
    fresh = {**NEW, "alert": "LoadLow", "id": "load-low", "expr": "load < 1"}
    repo.rules(OLD, OTHER, fresh, interval="10s")
    repo.judged("load-low")
    assert repo.run("deploy", "load-low").code == 0
    _aged(world, repo, "load-low")
    said = repo.run("compare", "load-low", "--soak", "1m")
    assert said.code == 0 and "there is no old rule" in said.text, said.text
    assert repo.run("promote", "load-low", "--yes").code == 0
    uid = repo.alert("load-low").uid
    assert set(world.rules()) == {*before, uid}
    assert repo.run("watch", "load-low", "--rollback").code == 7
    assert set(world.rules()) == set(before)


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_a_canary_that_sees_nothing_any_more(world: World) -> None:
    """Nothing fired, and nothing could: that is no silence to be proud of."""
    repo, before = world.repo, world.rules()
    assert repo.run("deploy", "load-high").code == 0
    _aged(world, repo, expr='gone{cluster="canary-1"} > 70')
    said = repo.run("compare", "load-high", "--soak", "1m")
    assert said.code == 7 and "matches nothing any more" in said.text, said.text
    assert world.rules() == before and repo.record("load-high").verdict == "fail"


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_a_quiet_watch_ends_stable(world: World) -> None:
    repo = world.repo
    assert repo.run("deploy", "load-high").code == 0
    _aged(world, repo)
    assert repo.run("compare", "load-high", "--soak", "1m").code == 0
    repo.rules({**NEW, "for": "3m"}, OTHER, interval="10s")
    there = world.grafana.content()
    said = repo.run("promote", "load-high", "--yes")
    assert (
        said.code == 7 and "another version of `load-high`" in said.text and world.grafana.content() == there
    )
    repo.rules(NEW, OTHER, interval="10s")
    assert repo.run("promote", "load-high", "--yes", "--watch", "1s").code == 0
    said = repo.run("watch", "--follow")
    assert said.code == 0 and "stable; the watch is over" in said.text, said.text
    assert repo.run("promote", "load-high", "--yes").text.endswith("stable\n")
    assert "nothing is watched" in repo.run("watch").text


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_where_the_policy_asks_nothing_happens_by_itself(world: World) -> None:
    repo = world.repo
    repo.settings["rollback"] = "ask"
    repo.project(verdict="required")
    assert repo.run("deploy", "load-high").code == 0
    _aged(world, repo)
    assert repo.run("compare", "load-high", "--soak", "1m").code == 0
    assert repo.run("promote", "load-high", "--yes").code == 0
    uid = repo.alert("load-high").uid
    with world.grafana.edit() as edit:
        edit.set_state(
            uid, alerts=[{"state": "Alerting", "labels": {"n": str(n)}} for n in range(60)], pinned=True
        )
    assert repo.run("watch", "load-high").code == 0
    said = repo.run("watch", "load-high")
    assert said.code == 7 and "watch load-high --rollback" in said.text
    assert (
        world.rules()[uid].data[0]["model"]["expr"] == "load > 70"
        and not repo.record("load-high").rolled_back
    )
    assert repo.run("watch", "--rollback").code == 2
    assert repo.run("watch", "load-high", "--rollback").code == 7
    assert world.rules()[uid].data[0]["model"]["expr"] == "load > 50" and repo.record("load-high").rolled_back


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_what_was_compared_early_is_not_promoted(world: World) -> None:
    """Looking early is allowed, and shows what it shows; the severity's soak is what lets a change out."""
    repo = world.repo
    assert repo.run("deploy", "load-high", "--ttl", "2h").code == 0
    deployed = deployed_of(repo.record("load-high"))
    assert deployed is not None
    ended = (datetime.now(tz=UTC) - timedelta(hours=23)).isoformat(timespec="seconds")
    _aged(world, repo, until=ended)
    over = repo.run("compare", "load-high")
    assert over.code == 7 and "of 1d" in over.text and "a longer --ttl" in over.text, over.text
    _aged(world, repo, hours=3, until=deployed.until)
    assert repo.run("compare", "load-high", "--soak", "1m").code == 0
    there = world.grafana.content()
    said = repo.run("promote", "load-high", "--yes")
    assert said.code == 7 and world.grafana.content() == there
    assert "verdict-soak: `load-high` was tried for 3h" in said.text and "severity demands 1d" in said.text
    _aged(world, repo, hours=25)
    assert repo.run("compare", "load-high").code == 0, "again, when it is time"
    assert repo.run("promote", "load-high", "--yes").code == 0


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_a_change_is_staged_by_the_policy_it_found(world: World) -> None:
    """It brings a scope where nothing happens, a comparison that believes anything, and a way back by itself: what it found was otherwise."""
    repo = world.repo
    repo.settings["rollback"] = "ask"
    repo.project(verdict="required")
    _commit(repo, "the policy", "init", "-q", "-b", "main")
    path = repo.top / "tocsin.yaml"
    text = path.read_text()
    ours = text.replace("cluster: canary-1", "cluster: prod-2").replace("peak: ask", "peak: auto")
    path.write_text(
        ours.replace("canary:\n", "canary:\n  gates: {default: {fidelity: {agreement: 0.1}}}\n", 1)
    )
    _commit(repo, "a policy of its own")
    assert repo.run("deploy", "load-high", "--policy-base", "nowhere").code == 2
    assert repo.run("deploy", "load-high").code == 0
    deployed = deployed_of(repo.record("load-high"))
    assert deployed is not None and deployed.scope == {"cluster": "canary-1"}
    assert 'cluster="canary-1"' in deployed.new.expr
    _aged(world, repo)
    said = repo.run("compare", "load-high", "--soak", "1m")
    assert said.code == 0, said.text
    assert repo.record("load-high").policy["fidelity"] == DEFAULT_GATES["fidelity"]
    assert repo.run("promote", "load-high", "--yes").code == 0
    uid = repo.alert("load-high").uid
    storm = [{"state": "Alerting", "labels": {"n": str(n)}} for n in range(60)]
    with world.grafana.edit() as edit:
        edit.set_state(uid, alerts=storm, pinned=True)
    assert repo.run("watch", "load-high").code == 0
    asks = repo.run("watch", "load-high")
    assert asks.code == 7 and "watch load-high --rollback" in asks.text
    assert world.rules()[uid].data[0]["model"]["expr"] == "load > 70"
    merged = repo.run("watch", "load-high", "--policy-base", "HEAD")
    assert merged.code == 7 and "the old version is back" in merged.text


def _commit(repo: Staged, subject: str, *first: str) -> None:
    """Everything of the work tree but the records."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in ([first] if first else []) + [
        ("add", "tocsin.yaml", "rules"),
        (*who, "commit", "-q", "-m", subject),
    ]:
        subprocess.run(["git", "-C", str(repo.top), *words], check=True)


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_records_on_a_branch(world: World) -> None:
    """The record goes from stage to stage on a branch of its own; what is checked out has no part in it."""
    repo = world.repo
    subprocess.run(["git", "init", "-q", "-b", "main", str(repo.top)], check=True)
    branch = GitRecords("git:tocsin-canary", repo.top)
    for path in (repo.top / "records").glob("*.json"):
        branch.write({path.name: path.read_bytes()}, "stage 0")
        path.unlink()
    assert repo.run("deploy", "load-high").code == 7
    assert repo.run("deploy", "load-high", "--records", "git:tocsin-canary").code == 0
    (content,) = branch.read().values()
    record = read_record(content.decode())
    assert isinstance(record, Record) and deployed_of(record) is not None
    assert not list((repo.top / "records").glob("*.json"))


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_no_silence_no_canary(world: World) -> None:
    before = world.rules()
    world.grafana.plan(Fault(kind="answer", method="POST", path=".*silences", reply=Reply(status=403)))
    said = world.repo.run("deploy", "load-high")
    assert said.code == 3 and "cannot be silenced" in said.text
    assert world.rules() == before and deployed_of(world.repo.record("load-high")) is None


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_abort_and_gc_need_no_record(world: World) -> None:
    repo, before = world.repo, world.rules()
    assert repo.run("deploy", "load-high").code == 0
    id = canary(repo)
    for path in (repo.top / "records").glob("*.json"):
        path.unlink()
    assert f"{id} is gone" in repo.run("abort", id).text
    assert world.rules() == before
    (silence,) = world.silences()
    assert datetime.fromisoformat(silence["endsAt"]) < datetime.now(tz=UTC) + timedelta(minutes=16)
    assert "no canary of that name" in repo.run("abort", "load-high").text

    repo.judged("load-high")
    assert repo.run("deploy", "load-high", "--ttl", "1s").code == 0
    assert set(world.rules()) != set(before)
    eventually(lambda: "is gone" in repo.run("gc").text, "its time is over")
    assert world.rules() == before
    assert "past its time" in repo.run("gc").text


def canary(repo: Staged) -> str:
    deployed = deployed_of(repo.record("load-high"))
    assert deployed is not None
    return deployed.canary


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expr": "sum(load) > 70"}, "sum or count over values of `cluster`"),
        ({"expr": "topk(3, load) > 70"}, "`topk` is taken across values of `cluster`"),
        ({"expr": 'load{job="none"} > 70'}, "matches no series where cluster=canary-1"),
    ],
)
def test_refusals(world: World, changes: dict[str, Any], why: str) -> None:
    world.repo.rules({**NEW, **changes}, OTHER, interval="10s")
    world.repo.judged("load-high")
    there = world.grafana.content()
    said = world.repo.run("deploy", "load-high")
    assert said.code in (2, 7) and why in said.text, said.text
    assert world.grafana.content() == there


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_shadow_sees_everything(world: World) -> None:
    world.repo.rules({**NEW, "expr": "sum(load) > 70"}, OTHER, interval="10s")
    world.repo.judged("load-high")
    assert world.repo.run("deploy", "load-high", "--mode", "shadow").code == 0
    (made,) = (rule for uid, rule in world.rules().items() if uid.endswith("--canary"))
    assert "sum(load) > 70" in made.data[0]["model"]["expr"]


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
def test_without_a_record_nothing_is_tried(world: World) -> None:
    for verdict in ("fail", "none"):
        for path in (world.repo.top / "records").glob("*.json"):
            path.unlink()
        if verdict == "fail":
            world.repo.judged("load-high", verdict="fail")
        assert world.repo.run("deploy", "load-high").code == 7
    assert world.silences() == []


# A process killed around every write to the server and to the records -------------------------------------------------------------


def _killed(repo: Staged, words: tuple[str, ...], at: int, talk: Connection) -> None:
    """A command that dies at its record write number `at`; with 0 somebody else kills it."""
    deadly = Deadly(at)
    FolderRecords.write = deadly.around(FolderRecords.write)  # type: ignore[method-assign]
    talk.send("ready")
    talk.recv()
    talk.send(repo.run(*words).code)


def _die(
    world: World, words: tuple[str, ...], at: int, *, server: tuple[int, str] | None = None
) -> int | None:
    """The command's exit code, None where it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.staging", "tests.ruling", "tocsin.cli.canary_stages"])
    here, there = context.Pipe()
    process = context.Process(target=_killed, args=(world.repo, words, at, there))
    process.start()
    there.close()
    assert here.recv() == "ready"
    pid = process.pid
    assert pid is not None
    world.grafana.forget_writes()
    if server is not None:
        number, phase = server
        world.grafana.on_write(number, phase, lambda: os.kill(pid, signal.SIGKILL))  # type: ignore[arg-type]
    here.send("go")
    try:
        code: int | None = here.recv()
    except EOFError:
        code = None
    process.join(300)
    assert code is not None or process.exitcode == -signal.SIGKILL, process.exitcode
    world.grafana.forget_writes()
    return code


def _deaths(writes: int, kept: int) -> Iterator[tuple[int, tuple[int, str] | None]]:
    """Every place to die at: before and after each write to the server, then to the records."""
    for number in range(1, writes + 1):
        yield 0, (number, "before")
        yield 0, (number, "after")
    for at in range(1, 2 * kept + 1):
        yield at, None


STEPS = {
    "deploy": ("deploy", "load-high"),
    "promote": ("promote", "load-high", "--force", "--yes"),
    "rollback": ("watch", "load-high", "--rollback"),
    "abort": ("abort", "load-high"),
}


@pytest.mark.parametrize("world", ["13.3"], indirect=True)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_write_and_begun_again(world: World, step: str, tmp_path: Path) -> None:
    """Wherever it dies, the same command again ends where an undisturbed one does."""
    repo, words = world.repo, STEPS[step]
    if step != "deploy":
        assert repo.run("deploy", "load-high").code == 0
    if step in ("promote", "rollback"):
        _aged(world, repo)
        assert repo.run("compare", "load-high", "--soak", "1m").code == 0
    if step == "rollback":
        assert repo.run("promote", "load-high", "--force", "--yes").code == 0
    (path,) = (repo.top / "records").glob("*.json")
    start, kept = world.grafana.snapshot(), path.read_bytes()
    world.grafana.forget_writes()
    wanted = _shape(world, repo, repo.run(*words).code)
    writes, kept_writes = (
        world.grafana.store.commits,
        {"promote": 2, "rollback": 2, "deploy": 1, "abort": 0}[step],
    )
    assert writes >= {"deploy": 2, "promote": 3, "rollback": 1, "abort": 2}[step]
    for turn, (at, server) in enumerate(_deaths(writes, kept_writes)):
        world.grafana.restore(start)
        path.write_bytes(kept)
        for journal in (repo.top / "dist").rglob("*.jsonl*"):
            journal.unlink()
        assert _die(world, words, at, server=server) is None, (at, server)
        # Every second time by a machine that has neither the journal nor anything else but the record.
        again = repo.elsewhere(tmp_path / f"again-{turn}") if turn % 2 else repo
        assert _shape(world, again, again.run(*words).code) == wanted, (at, server)


def _shape(world: World, repo: Staged, code: int) -> object:
    """What is there, but for times and numbers of silences that differ from run to run."""
    record = repo.record("load-high")
    promotion = promotion_of(record)
    return (
        code,
        {
            uid: (rule.group, rule.title, rule.data[0]["model"]["expr"].partition("<")[0])
            for uid, rule in world.rules().items()
        },
        len(world.silences()),
        [stage.number for stage in record.stages],
        promotion.state if promotion is not None else "",
        bool(record.rolled_back),
    )
