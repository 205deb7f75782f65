"""`tocsin plan`, `sync` and `drift` as processes against the stand-in: exit codes, formats, saved plans, Ctrl-C, and no token anywhere."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.patience import PATIENCE
from tests.standin import DEFAULT_TOKEN, PROFILES, Fault, Settings, StandIn, Token
from tests.syncing import PROJECT, rule_file
from tests.tocsin_process import Repository

from tocsin.cli import main

# The fourth rule is the one that watches the others.
TWO = {"db-down": {}, "db-slow": {"expr": "latency > 5"}}


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    with StandIn("12.0") as made:
        with made.edit() as edit:
            edit.datasource("prom-main")
        yield made


@pytest.fixture
def repo(grafana: StandIn, tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo", grafana, rule_file("db", TWO), rule_file("web", {"web-down": {}}))


def test_plan_then_sync_then_nothing(repo: Repository, grafana: StandIn) -> None:
    plan = repo.run("plan")
    assert (plan.code, grafana.log.writes()) == (0, [])
    assert "4 to create" in plan.out
    assert repo.run("plan", "--detailed-exitcode").code == 8
    first = repo.sync()
    assert first.code == 0, first.said
    assert len(first.err.splitlines()) == 3
    assert repo.journal.exists()
    repo.journal.unlink()
    repo.journal.parent.rmdir()
    grafana.log.clear()
    second = repo.sync()
    assert (second.code, grafana.log.writes()) == (0, [])
    assert not repo.journal.parent.exists(), "nothing was written, and a journal is left over"
    assert repo.run("plan", "--detailed-exitcode").code == 0
    assert repo.run("drift", "--detailed-exitcode").code == 0


def test_a_journal_of_an_ended_run_makes_way(repo: Repository, grafana: StandIn) -> None:
    assert repo.sync().code == 0
    repo.write(rule_file("web", {"web-down": {"for": "9m"}}))
    assert repo.sync().code == 0
    (begin,) = [
        row for row in map(json.loads, repo.journal.read_text().splitlines()) if row["kind"] == "begin"
    ]
    assert begin["by"] and len(begin["plan"]["groups"]) == 1
    writes = grafana.log.writes()
    both = repo.sync("--undo", "--resume")
    assert (both.code, "choose one" in both.err, grafana.log.writes()) == (2, True, writes)
    assert repo.sync("--undo").code == 0
    assert repo.run("plan", "--detailed-exitcode").code == 8


def test_formats(repo: Repository) -> None:
    document = json.loads(repo.run("plan", "--format", "json").out)
    assert document["summary"]["create"] == 4
    assert repo.run("plan", "--format", "markdown").out.startswith("### prod on ")
    drift = json.loads(repo.run("drift", "--format", "json").out)
    assert drift["counts"] == {"missing": 4, "foreign": 0, "paused": 0, "divergent": 0}
    metrics = repo.run("drift", "--format", "metrics").out
    assert 'tocsin_drift_rules{env="prod",class="missing"} 4\n' in metrics
    assert "tocsin_last_success_timestamp_seconds{" in metrics
    assert repo.run("drift", "--format", "markdown").out.count("```") == 2


def test_nobody_to_ask(repo: Repository, grafana: StandIn) -> None:
    ended = repo.run("sync")
    assert (ended.code, grafana.log.writes()) == (2, [])
    assert "nobody is here to ask" in ended.err


@pytest.mark.parametrize("command", [("plan",), ("drift",), ("sync", "--yes")])
def test_a_dead_server_and_a_wrong_token(repo: Repository, command: tuple[str, ...]) -> None:
    dead = repo.run(*command, GRAFANA_URL="http://127.0.0.1:9")
    assert (dead.code, dead.out) == (3, "")
    wrong = repo.run(*command, GRAFANA_TOKEN="glsa_wrong_token")
    assert (wrong.code, wrong.out) == (3, "")
    assert "401" in wrong.err or "token" in wrong.err


def test_some_groups_refused(repo: Repository, grafana: StandIn) -> None:
    assert repo.sync().code == 0
    with grafana.edit() as edit:
        (uid,) = [each.uid for each in grafana.org().rules.values() if each.title == "WebDown"]
        web = grafana.org().rules[uid]
        edit.rule("foreign-1", folder=web.folder, group=web.group)
    repo.write(rule_file("db", {"db-down": {"for": "9m"}, "db-slow": {"expr": "latency > 5"}}))
    repo.write(rule_file("web", {"web-down": {"for": "9m"}}))
    ended = repo.sync()
    assert ended.code == 4, ended.said
    assert "foreign-members" in ended.out and ended.out.index("foreign-members") < ended.out.index("~ update")
    assert repo.sync().code == 9, "what is left is refused as a whole"
    assert repo.sync("--skip-foreign").code == 0
    assert "foreign-1" in grafana.org().rules


def test_below_the_floor(tmp_path: Path) -> None:
    with StandIn(replace(PROFILES["9.4"], version="9.3.6")) as old:
        repo = Repository(tmp_path, old, rule_file("db", TWO))
        for command in (("plan",), ("sync", "--yes"), ("drift",)):
            ended = repo.run(*command)
            assert (ended.code, ended.out) == (6, "")
            assert ended.err.count("\n") == 1 and "9.3.6" in ended.err
        assert old.log.writes() == []


def test_stops_are_9(repo: Repository, grafana: StandIn) -> None:
    assert repo.sync().code == 0
    grafana.log.clear()
    for path in (repo.top / "rules").rglob("*.yaml"):
        path.unlink()
    assert repo.run("plan").code == 9
    ended = repo.sync()
    assert (ended.code, grafana.log.writes()) == (9, [])
    assert "empty-desired" in ended.out


def test_a_saved_plan_applies_exactly_that_or_stops(
    repo: Repository, grafana: StandIn, tmp_path: Path
) -> None:
    saved = tmp_path / "plan.json"
    assert repo.run("plan", "--out", str(saved)).code == 0
    assert repo.sync("--plan", str(saved)).code == 0
    assert len(grafana.org().rules) == 4
    repo.write(rule_file("web", {"web-down": {"for": "9m"}}))
    assert repo.run("plan", "--out", str(saved)).code == 0
    grafana.log.clear()
    repo.write(rule_file("web", {"web-down": {"for": "11m"}}))
    other = repo.sync("--plan", str(saved))
    assert (other.code, grafana.log.writes()) == (9, []), "the sources moved"
    repo.write(rule_file("web", {"web-down": {"for": "9m"}}))
    with grafana.edit() as edit:
        edit.rule(next(iter(grafana.org().rules)), title="Renamed by hand")
    moved = repo.sync("--plan", str(saved))
    assert (moved.code, grafana.log.writes()) == (9, [])
    assert "not what it was" in moved.err


def test_ctrl_c_halfway(repo: Repository, grafana: StandIn) -> None:
    """The journal is good for both ways out; which of them is taken makes the difference."""
    # Far more groups than are written at once, and each but the first two slow: whenever the signal comes, most are still to do.
    files = [rule_file(f"s{index}", {f"s{index}-down": {}}) for index in range(26)]
    repo.write(*files)
    every = 30
    for way in ("--undo", "--resume"):
        grafana.log.clear()
        grafana.plan(Fault(kind="slow", method="PUT", seconds=2, nth=3, times=100))
        with repo.start("sync", "--yes", "--no-wait") as process:
            end = time.monotonic() + PATIENCE
            while grafana.log.count("PUT") < 2 and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=300)
        assert process.returncode == 5, err
        assert "--resume" in err and "--undo" in err and "nothing half-written" not in err
        grafana.faults.clear()
        written = len(grafana.org().rules)
        assert 0 < written < every, "it was not halfway"
        blocked = repo.sync()
        assert blocked.code == 3 and "unfinished run" in blocked.err
        ended = repo.sync(way)
        assert ended.code == 0, ended.said
        assert len(grafana.org().rules) == (0 if way == "--undo" else every)
        assert list(grafana.org().folders) == [] or way == "--resume"
    assert repo.run("plan", "--detailed-exitcode").code == 0


def test_a_runner_local_journal_is_refused(repo: Repository, grafana: StandIn, tmp_path: Path) -> None:
    for words in (
        (),
        ("--journal", str(tmp_path / "j.jsonl")),
        ("--journal", "git:refs/tocsin/journal/prod"),
    ):
        ended = repo.sync(*words, CI="true", TMPDIR=str(tmp_path))
        assert (ended.code, grafana.log.writes()) == (9, []), ended.said
        assert "lost with this runner" in ended.err


def test_a_token_that_may_only_read(repo: Repository, grafana: StandIn) -> None:
    grafana.tokens["glsa_reader"] = Token(secret="glsa_reader", role="viewer")
    ended = repo.sync(GRAFANA_TOKEN="glsa_reader")
    assert ended.code in (3, 4), ended.said
    assert len(grafana.org().rules) == 0


def test_a_service_that_does_not_compile_is_frozen_and_told(repo: Repository, grafana: StandIn) -> None:
    assert repo.sync().code == 0
    before = {each.title: each for each in grafana.org().rules.values()}
    repo.write(rule_file("web", {"web-down": {"expr": "sum("}}), rule_file("db", {"db-down": {"for": "9m"}}))
    ended = repo.sync("--max-delete-percent", "0")
    assert ended.code == 4 and "frozen: web does not compile" in ended.out, ended.said
    after = {each.title: each for each in grafana.org().rules.values()}
    assert after["WebDown"] == before["WebDown"] and after["DbDown"].for_ == 540_000
    assert "DbSlow" not in after


def test_a_server_that_hides_its_version_has_that_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By health, by the frontend's settings, by configuration: a 12.0 can do in one request what a 9.4 cannot."""
    (tmp_path / "tocsin.yaml").write_text(PROJECT.replace("VERSION", "12.0").replace("FOLDER", "{service}"))
    file = rule_file("db", {"db-down": {}})
    (tmp_path / file.path).parent.mkdir(parents=True)
    (tmp_path / file.path).write_text(file.text)
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    with StandIn("12.0", settings=Settings(hide_version=True, hide_build=True)) as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        assert main(["plan", str(tmp_path), "--env", "prod"]) == 0
        said = capsys.readouterr().out
        assert "(grafana 12.0" in said and "cannot show an evaluation error" not in said
        assert main(["sync", str(tmp_path), "--env", "prod", "--yes", "--no-wait"]) == 0
        assert grafana.log.count("POST", ".*/alert-rules") == 0
