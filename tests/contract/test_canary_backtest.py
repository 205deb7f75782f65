"""`tocsin canary backtest` and the sync that asks for its records, as processes, over a real Prometheus that holds two days of history and evaluates
the rules that sync writes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import Reply, Seen, Silence, reply, serving
from tests.patience import eventually
from tests.real import components
from tests.real.servers import Server, running_prometheus
from tests.recording import KEY
from tests.standin import StandIn
from tests.syncing import rule_file
from tests.tocsin_process import Ended, Repository, environment
from tests.unit.test_sync_journals import git

from tocsin.verdict import read_record
from tocsin.verdict.record import Record

END = 1_763_683_200  # 2025-11-21T00:00:00Z
UNTIL = "2025-11-21T00:00:00Z"
STEP = 30
PROJECT = """\
version: 1
project: shop
severities:
  P1: {label: {severity: critical}, pages: true}
  P2: {label: {severity: warning}}
teams: {ops: {name: Ops}}
canary:
  window: 1d
  gates: {default: {pages: {ratio: 1.5, extra_per_week: 3}}}
environments:
  prod:
    evaluators: [{name: main, kind: prometheus, version: "3.5", url_env: PROMETHEUS_URL}]
    notifier: alertmanager
    verdict: required
"""
NOISY, CALM = "load > 1", "load > 8"
"""Against `load > 5`: the first fires a hundred times more, the second on the worst of what the old one caught."""


def load(second: int) -> float:
    """A burst of ten minutes every two hours, each fourth a bad one; between them a ripple above 1."""
    into, number = second % 7_200, second // 7_200
    if into < 600:
        return 9.0 if number % 4 == 0 else 6.0
    return 2.0 if into % 600 < 240 else 0.5


@pytest.fixture(scope="module")
def rules_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rules")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, rules_dir: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("history")
    rows = [f'load{{host="a"}} {load(at)} {at}' for at in range(END - 2 * 86_400, END + 1, STEP)]
    (folder / "days.om").write_text("# TYPE load gauge\n" + "\n".join(rows) + "\n# EOF\n")
    made = ["tsdb", "create-blocks-from", "openmetrics", "-q", folder / "days.om", folder / "data"]
    subprocess.run(
        [str(each) for each in (components.promtool(), *made)], check=True, stdout=subprocess.DEVNULL
    )
    config = f"global: {{evaluation_interval: 1m}}\nrule_files: ['{rules_dir}/*.yaml']\n"
    with running_prometheus(components.prometheus(), config, data=folder / "data") as running:
        yield running


@pytest.fixture
def repo(server: Server, rules_dir: Path, tmp_path: Path) -> Repository:
    """A repository with one alert, synced; on `main`, with a branch checked out for the change."""
    for each in rules_dir.iterdir():
        each.unlink()
    more = {"PROMETHEUS_URL": server.url, "TOCSIN_RULES_DIR": str(rules_dir), "TOCSIN_CACHE": "off"}
    made = Repository.at(tmp_path / "repo", environment("http://127.0.0.1:9", **more))
    made.top.mkdir()
    made.env["TOCSIN_VERDICT_KEY"] = KEY
    (made.top / "tocsin.yaml").write_text(PROJECT)
    made.write(rule("load > 5"))
    git(made.top, "init", "-q", "-b", "main")
    commit(made, "the rule")
    ended = made.sync("--override-canary", "--reason", "the first one", GITHUB_ACTOR="ada")
    assert ended.code == 0, ended.said
    git(made.top, "checkout", "-q", "-b", "change")
    return made


def rule(expr: str, **more: Any) -> Any:
    return rule_file("web", {"web-load": {"expr": expr, "for": "2m", "summary": "much load", **more}})


def commit(repo: Repository, subject: str) -> None:
    git(repo.top, "add", "rules", "tocsin.yaml")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(repo.top, *who, "commit", "-q", "--allow-empty", "-m", subject)


def backtest(repo: Repository, *words: str, **more: str) -> Ended:
    """In the repository's folder, for the first argument of this command is a rule."""
    given = ("canary", "backtest", "-C", str(repo.top), "--until", UNTIL, *words)
    return repo.run_bare(*given, **more)


def changed(repo: Repository, expr: str, **more: Any) -> None:
    repo.write(rule(expr, **more))
    commit(repo, "another limit")


def records(folder: Path) -> list[Record]:
    found = [read_record(path.read_text()) for path in sorted(folder.glob("*.json"))]
    assert all(isinstance(each, Record) for each in found), found
    return [each for each in found if isinstance(each, Record)]


def pages(ended: Ended) -> tuple[int, int]:
    """Of the one rule of a report: before and after."""
    (judged,) = json.loads(ended.out)["rules"]
    sides = (judged["comparison"]["old"], judged["comparison"]["new"])
    old, new = (each["metrics"]["pages"] for each in sides)
    return old, new


def merged(repo: Repository) -> None:
    git(repo.top, "checkout", "-q", "main")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(repo.top, *who, "merge", "-q", "--no-ff", "-m", "merged", "change")


def test_a_better_rule_passes_and_goes_out(repo: Repository, server: Server, rules_dir: Path) -> None:
    changed(repo, CALM)
    assert repo.sync().code == 7, "nobody judged it"
    ended = backtest(repo, "--format", "json", GITHUB_ACTOR="ada")
    assert ended.code == 0, ended.said
    assert "1 record written to" in ended.err and "not signed" not in ended.err
    (found,) = records(repo.top / "records")
    assert found.verdict in ("pass", "quiet") and found.author == "ada" and found.signature
    assert pages(ended) == (12, 3)
    report = repo.run_bare("diff", "-C", str(repo.top), "--format", "markdown")
    first = json.loads(ended.out)["rules"][0]["comparison"]
    for side in ("old", "new"):
        assert f"  {side} {first[side]['sparkline']}\n" in report.out, report.said
    merged(repo)
    ended = repo.sync()
    assert ended.code == 0, ended.said
    assert "load > 8" in next(iter(rules_dir.glob("*.yaml"))).read_text()
    assert repo.sync().code == 0, "what is live needs no record any more"


def test_a_noisy_rule_fails_and_stays_out(repo: Repository, rules_dir: Path) -> None:
    changed(repo, NOISY)
    ended = backtest(repo)
    assert ended.code == 7 and "fail" in ended.out and "pages" in ended.out, ended.said
    merged(repo)
    ended = repo.sync()
    assert ended.code == 7 and "verdict-failed: the canary failed at `pages`" in ended.out
    assert "load > 5" in next(iter(rules_dir.glob("*.yaml"))).read_text()


def test_a_pull_request_that_loosens_gates_and_brings_its_own_record(
    repo: Repository, rules_dir: Path
) -> None:
    """Judged by its own gates the change passes: by somebody without the key, and even where somebody has it."""
    loose = PROJECT.replace("ratio: 1.5, extra_per_week: 3", "ratio: 99, extra_per_week: 999")
    (repo.top / "tocsin.yaml").write_text(loose)
    changed(repo, NOISY)
    ended = backtest(repo)
    assert ended.code == 7, "the job of the pull request judges by the base"
    assert "gates, waivers and stages are those of" in ended.err
    for path in (repo.top / "records").iterdir():
        path.unlink()
    record = _judged_by_itself(repo)
    assert record.verdict in ("pass", "quiet"), record.document
    git(repo.top, "checkout", "-q", "change")
    merged(repo)
    ended = repo.sync()
    assert ended.code == 7 and "verdict-loosened" in ended.out, ended.said
    unsigned = dict(record.document)
    unsigned.pop("signature")
    (path,) = (repo.top / "records").iterdir()
    path.write_text(json.dumps(unsigned))
    ended = repo.sync()
    assert ended.code == 7 and "verdict-unsigned" in ended.out, ended.said
    assert "load > 5" in next(iter(rules_dir.glob("*.yaml"))).read_text()


def _judged_by_itself(repo: Repository) -> Record:
    """A record by the looser gates: of a history in which they were there before, which nobody merged."""
    git(repo.top, "checkout", "-q", "--orphan", "elsewhere")
    repo.write(rule("load > 5"))
    commit(repo, "looser gates from the beginning")
    git(repo.top, "checkout", "-q", "-b", "evil")
    changed(repo, NOISY)
    ended = backtest(repo, "--base", "elsewhere")
    assert ended.code == 0, ended.said
    (found,) = records(repo.top / "records")
    return found


def test_live_is_the_old_side(repo: Repository) -> None:
    """Git says that nothing changed; the server runs something else."""
    assert backtest(repo, "--against", "live").out.startswith("prod: no alert changed")
    changed(repo, CALM)
    git(repo.top, "branch", "-q", "-f", "main", "HEAD")
    ended = backtest(repo, "--against", "live", "--base", "main~1", "--format", "json")
    assert ended.code == 0, ended.said
    assert pages(ended) == (12, 3)
    assert repo.run("plan").code == 0, "the record is about what is live"


def test_texts_are_not_needed_and_all_shows_the_rest(repo: Repository) -> None:
    changed(repo, "load > 5", summary="other words")
    ended = backtest(repo, "--format", "json")
    assert ended.code == 0
    assert [each["verdict"] for each in json.loads(ended.out)["rules"]] == ["not-needed"]
    assert not (repo.top / "records").exists()
    ended = backtest(repo, "--all", "--format", "json")
    assert pages(ended) == (12, 12) and not (repo.top / "records").exists()
    assert " of 1 rule (none changed) against " in backtest(repo, "--all").out


def test_a_dry_run_asks_for_nothing(repo: Repository) -> None:
    changed(repo, CALM)
    ended = backtest(repo, "--dry-run")
    assert ended.code == 0 and "2 versions by 1 question" in ended.out, ended.said
    assert "three times as many for a changed alert whose group's phase cannot be read" in ended.out
    assert not (repo.top / "records").exists()


@pytest.mark.parametrize("against", [(), ("--against", "live")])
def test_a_name_of_no_alert_is_an_error(repo: Repository, against: tuple[str, ...]) -> None:
    """A typing error in a job must not read as "nothing changed"."""
    changed(repo, CALM)
    ended = backtest(repo, *against, "web-laod")
    assert ended.code == 2 and "no alert `web-laod`" in ended.said, ended.said
    other = backtest(repo, *against, "--evaluator", "nobody")
    assert other.code == 2 and "called `nobody`" in other.said, other.said


def test_a_window_without_history_admits_nothing(repo: Repository, rules_dir: Path) -> None:
    """An empty server, or a window where nothing is: what is not known is not called quiet."""
    changed(repo, CALM)
    ended = backtest(repo, "--until", "2031-01-01", "--format", "json")
    assert ended.code == 7, ended.said
    (judged,) = json.loads(ended.out)["rules"]
    assert judged["verdict"] == "not-backtestable" and "holds nothing in this window" in judged["reason"]
    merged(repo)
    assert repo.run("plan").code == 7


def test_two_runs_say_the_same(repo: Repository, server: Server, rules_dir: Path, tmp_path: Path) -> None:
    """With a cache and without: in every form, picture and record, but for when it was made. The server evaluates nothing, or its group's first
    turn, a minute after it was synced, would come between the two and say more of the phase."""
    for each in rules_dir.iterdir():
        each.unlink()
    server.post("/-/reload")
    changed(repo, CALM)
    told, kept = [], []
    for turn in ("cold", "warm"):
        out = str(tmp_path / turn)
        said = [backtest(repo, "--format", form, "--out", out).out for form in ("json", "text", "markdown")]
        told.append((said, (tmp_path / turn / "pictures/web-load.svg").read_text()))
        (path,) = (tmp_path / turn / "records").glob("*.json")
        document = json.loads(path.read_text())
        kept.append(
            {name: document[name] for name in sorted(document) if name not in ("created", "id", "signature")}
        )
    assert told[0] == told[1]
    assert kept[0] == kept[1]


def test_pictures_markdown_and_records_beside(repo: Repository, tmp_path: Path) -> None:
    changed(repo, CALM)
    ended = backtest(repo, "--format", "markdown", "--out", str(tmp_path / "out"))
    assert ended.code == 0 and "pictures/web-load.svg" in ended.out
    assert (tmp_path / "out/pictures/web-load.svg").read_text().startswith("<svg")
    assert len(records(tmp_path / "out/records")) == 1 and not (repo.top / "records").exists()


def test_records_on_a_branch_for_another_clone(repo: Repository, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(repo.top, "remote", "add", "origin", str(tmp_path / "origin.git"))
    changed(repo, CALM)
    ended = backtest(repo, "--records", "git:origin:tocsin-canary")
    assert ended.code == 0, ended.said
    merged(repo)
    git(repo.top, "push", "-q", "origin", "main")
    git(tmp_path, "clone", "-q", "-b", "main", "origin.git", "fresh")
    fresh = Repository.at(tmp_path / "fresh", repo.env)
    assert fresh.run("plan").code == 7
    ended = fresh.run("plan", "--records", "git:origin:tocsin-canary")
    assert ended.code == 0, ended.said


def test_what_cannot_be_replayed_waits_for_a_second_person(repo: Repository) -> None:
    changed(repo, "load > 5 and on() max_over_time(load[10m] @ end()) > 0")
    ended = backtest(repo, GITHUB_ACTOR="ada")
    assert ended.code == 7 and "not-backtestable" in ended.out, ended.said
    assert backtest(repo, "--approver", "ada", GITHUB_ACTOR="ada").code == 2
    ended = backtest(repo, "--approver", "ben")
    assert ended.code == 2, "nobody knows whose change it is"
    assert not ended.out, "a replay of minutes is not the way to learn that"
    assert "verdict-not-backtestable" in repo.sync().out
    assert backtest(repo, "--approver", "ben", GITHUB_ACTOR="ada").code == 0
    merged(repo)
    assert repo.sync().code == 0


def test_an_unsigned_record_says_so(repo: Repository) -> None:
    changed(repo, CALM)
    ended = backtest(repo, TOCSIN_VERDICT_KEY="")
    assert ended.code == 0 and "not signed" in ended.err
    assert "verdict-unsigned" in repo.sync().out


def test_nobody_is_there(repo: Repository) -> None:
    changed(repo, CALM)
    assert backtest(repo, PROMETHEUS_URL="http://127.0.0.1:9").code == 3
    assert backtest(repo, "--base", "nowhere").code == 2
    assert backtest(repo, "--window", "soon").code == 2
    assert backtest(repo, "--until", "soon").code == 2
    for until in ("0001-01-01", "1970-01-01", "9999-12-31T23:59:59-12:00"):
        assert backtest(repo, "--until", until).code == 2, until


RECORDED = """\
version: 1
service: web
owner: ops
groups:
  - name: main
    interval: 1m
    rules:
      - {record: "host:load:max", expr: "max by (host) (load EDIT)"}
      - {alert: WebLoad, id: web-load, expr: "host:load:max > 5", for: 2m, severity: P2, summary: much}
"""


def test_a_changed_record_is_judged_through_what_reads_it(repo: Repository, rules_dir: Path) -> None:
    """The alert's own text stays as it is; what it means does not."""
    path = repo.top / "rules/web/main.yaml"
    path.write_text(RECORDED.replace(" EDIT", ""))
    commit(repo, "a record")
    blind = ("--accept-blind", "1h")
    assert repo.sync("--override-canary", "--reason", "r", *blind, GITHUB_ACTOR="ada").code == 0
    git(repo.top, "branch", "-q", "-f", "main", "HEAD")
    path.write_text(RECORDED.replace("EDIT", "* 2"))
    commit(repo, "twice as much")
    ended = repo.sync(*blind)
    assert ended.code == 7, ended.said
    assert "verdict-missing: `web-load` reads `host:load:max`" in ended.out
    ended = backtest(repo, "--format", "json")
    (judged,) = json.loads(ended.out)["rules"]
    new = judged["comparison"]["new"]
    assert new["exactness"] == "approx(recording-inlined)" and "* 2" in new["expr"], new
    assert new["metrics"]["pages"] == 12, "history has no series of the old record, and none is needed"
    (found,) = records(repo.top / "records")
    assert (found.verdict in ("pass", "quiet")) == (ended.code == 0)
    ended = repo.sync(*blind)
    refused = "verdict-" in ended.out
    assert refused == (found.verdict not in ("pass", "quiet")), ended.said
    assert ("load * 2" in next(iter(rules_dir.glob("*.yaml"))).read_text()) != refused


def test_a_record_that_moves_changes_nothing(repo: Repository) -> None:
    path = repo.top / "rules/web/main.yaml"
    path.write_text(RECORDED.replace(" EDIT", ""))
    commit(repo, "a record")
    blind = ("--accept-blind", "1h")
    assert repo.sync("--override-canary", "--reason", "r", *blind, GITHUB_ACTOR="ada").code == 0
    path.write_text(RECORDED.replace(" EDIT", "").replace("name: main", "name: other"))
    commit(repo, "another group")
    ended = repo.run("plan", *blind)
    assert "verdict-" not in ended.out, ended.said


class Between:
    """Passes questions on to a real server; `patience` range queries are answered, the next one never is. How far history reaches is no question: that
    is asked every time."""

    def __init__(self, url: str, patience: int = 1_000) -> None:
        self.url, self.left, self.asked = url, patience, 0
        self.silent = threading.Event()
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self, seen: Seen, _number: int) -> Reply:
        if "query_range" in seen.target and b"query=count" not in seen.body:
            self.asked += 1
            self.left -= 1
            if self.left < 0:
                self.silent.set()
                return Silence()
        kept = {name: seen.headers[name] for name in ("content-type",) if name in seen.headers}
        body = seen.body if seen.method == "POST" else None
        request = urllib.request.Request(self.url + seen.target, data=body, headers=kept, method=seen.method)
        try:
            with self._opener.open(request, timeout=300) as answer:
                return reply(answer.status, answer.read(), Content_Type="application/json")
        except urllib.error.HTTPError as refused:
            with refused:
                return reply(refused.code, refused.read())


def test_ctrl_c_keeps_what_was_fetched(repo: Repository, tmp_path: Path) -> None:
    """The server answers some questions and then says nothing: who waits presses Ctrl-C, and the next run goes on from there."""
    changed(repo, "load > bool 8 > 0")
    real, cache = repo.env["PROMETHEUS_URL"], str(tmp_path / "cache")
    with serving(whole := Between(real)) as there:
        assert backtest(repo, PROMETHEUS_URL=there.url).code in (0, 7)
    shutil.rmtree(repo.top / "records")
    # Where the server has evaluated the group meanwhile, its phase is known and a third of them is asked: old and new.
    with serving(between := Between(real, 1)) as there:
        words = ("canary", "backtest", "-C", str(repo.top), "--until", UNTIL)
        started = repo.start_bare(*words, PROMETHEUS_URL=there.url, TOCSIN_CACHE=cache)
        assert between.silent.wait(300)
        kept = tmp_path / "cache"
        eventually(lambda: any(each.is_file() for each in kept.rglob("*")), "the first answer is kept")
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=300)
        assert started.returncode == 5 and "what was fetched is kept" in err, (out, err)
        assert not (repo.top / "records").exists()
        between.left, between.asked = 1_000, 0
        assert backtest(repo, PROMETHEUS_URL=there.url, TOCSIN_CACHE=cache).code in (0, 7)
    assert 0 < between.asked < whole.asked


ON_GRAFANA = PROJECT.replace(
    """    evaluators: [{name: main, kind: prometheus, version: "3.5", url_env: PROMETHEUS_URL}]
    notifier: alertmanager
""",
    """    evaluators: [{name: main, kind: grafana, version: "12.0", url_env: GRAFANA_URL}]
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    history: {kind: prometheus, url_env: PROMETHEUS_URL}
    folder: "{service}"
    notifier: grafana
""",
)


@pytest.fixture
def on_grafana(server: Server, tmp_path: Path) -> Iterator[tuple[Repository, StandIn]]:
    """The same alert in a Grafana, whose data source is the real Prometheus."""
    with StandIn("12.0") as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        more = {"PROMETHEUS_URL": server.url, "TOCSIN_CACHE": "off", "TOCSIN_VERDICT_KEY": KEY}
        made = Repository.at(tmp_path / "repo", environment(grafana.url, **more))
        made.top.mkdir()
        (made.top / "tocsin.yaml").write_text(ON_GRAFANA)
        made.write(rule("load > 5"))
        git(made.top, "init", "-q", "-b", "main")
        commit(made, "the rule")
        ended = made.sync("--override-canary", "--reason", "the first one")
        assert ended.code == 0, ended.said
        git(made.top, "checkout", "-q", "-b", "change")
        yield made, grafana


def test_a_grafanas_rule_goes_the_same_way(on_grafana: tuple[Repository, StandIn]) -> None:
    repo, _ = on_grafana
    changed(repo, CALM)
    for words in ((), ("--against", "live")):
        ended = backtest(repo, "--format", "json", *words)
        assert ended.code == 0 and pages(ended) == (12, 3), ended.said
        (judged,) = json.loads(ended.out)["rules"]
        assert judged["comparison"]["new"]["machine"] == "grafana"
        assert judged["comparison"]["new"]["exactness"].startswith("modelled")
        # The history's server does not know when Grafana evaluates.
        spread = judged["comparison"]["spread"]
        assert [each["new"] for each in spread["phases"]] == [0, 20, 40]
        assert spread["metrics"][0]["old"][0] <= 12 <= spread["metrics"][0]["old"][1]
        assert spread["left_out"] == ""
    merged(repo)
    assert repo.sync().code == 0


def test_a_live_rule_with_other_settings_is_replayed_with_them(
    on_grafana: tuple[Repository, StandIn],
) -> None:
    """Somebody let it fire where there is no data: then the old rule fired all day, and a digest for that there is none."""
    repo, grafana = on_grafana
    (uid,) = (uid for uid, each in grafana.org().rules.items() if each.title == "WebLoad")
    with grafana.edit() as edit:
        edit.rule(uid, no_data="Alerting")
    changed(repo, CALM)
    ended = backtest(repo, "--against", "live", "--format", "json")
    assert ended.code == 7 and pages(ended) == (1, 3), ended.said
    (found,) = records(repo.top / "records")
    assert found.old_digest == "" and found.old_object is not None


def test_a_rule_that_somebody_made_opaque_is_recorded_as_it_is(
    on_grafana: tuple[Repository, StandIn],
) -> None:
    repo, grafana = on_grafana
    (uid,) = (uid for uid, each in grafana.org().rules.items() if each.title == "WebLoad")
    with grafana.edit() as edit:
        edit.rule(uid, condition="B")
    changed(repo, CALM)
    assert backtest(repo).code == 0
    assert "verdict-live" in repo.run("plan").out, "Git's old rule is not what runs"
    shutil.rmtree(repo.top / "records")
    ended = backtest(repo, "--against", "live", "--approver", "ben", GITHUB_ACTOR="ada")
    assert "a form that tocsin never writes" in ended.out, ended.said
    (found,) = records(repo.top / "records")
    assert found.old_object is not None and found.verdict == "not-backtestable"
    assert repo.run("plan").code == 0
    with grafana.edit() as edit:
        edit.rule(uid, condition="A")
    assert "verdict-live" in repo.run("plan").out


INCIDENT = """\
---
id: INC-2025-001
title: The load was too much
services: [web]
severity: P2
start: "2025-11-20T08:01Z"
detected: "2025-11-20T08:05Z"
mitigated: "2025-11-20T08:09Z"
end: "2025-11-20T08:10Z"
alerts: [web-load]
found_by: alert
---

# The load was too much
"""


def test_incidents_and_what_people_said(repo: Repository, tmp_path: Path) -> None:
    """The burst at 08:00 is a bad one (every fourth of two hours from midnight), and somebody called the one at 16:00 noise."""
    (repo.top / "incidents").mkdir()
    (repo.top / "incidents/INC-2025-001.md").write_text(INCIDENT)
    said = tmp_path / "said.csv"
    said.write_text(
        "rule,start,end,verdict,by\nweb-load,2025-11-20T16:03:00Z,2025-11-20T16:05:00Z,noise,ann\nnonsense\n",
        encoding="utf-8-sig",  # as spreadsheets write it
    )
    changed(repo, CALM)
    ended = backtest(repo, "--format", "json", "--labels", str(said))
    assert "said.csv:3" in ended.err, ended.said
    (judged,) = json.loads(ended.out)["rules"]
    new = judged["comparison"]["new"]["metrics"]
    assert [(each["incident"], each["detected"]) for each in new["detections"]] == [("INC-2025-001", True)]
    assert new["judged"]["noise"] == 1 and new["recall"] == 1
    assert judged["comparison"]["incidents"][0]["id"] == "INC-2025-001"
    git(repo.top, "add", "incidents")
    changed(repo, "load > 50")
    ended = backtest(repo)
    assert ended.code == 7 and "recall" in ended.out and "INC-2025-001" in ended.out, ended.said


@pytest.mark.parametrize(("option", "code"), [("--records", 2), ("--labels", 3)])
def test_what_is_of_no_use_is_said_before_anything_is_asked(
    repo: Repository, tmp_path: Path, option: str, code: int
) -> None:
    changed(repo, CALM)
    (tmp_path / "said.csv").write_bytes(b"\xff\xfe")
    ended = backtest(repo, option, {"--records": "git:b..b", "--labels": str(tmp_path / "said.csv")}[option])
    assert ended.code == code and not ended.out, ended.said
    assert "requests" not in ended.err, ended.said


def test_requests_for_nothing_are_counted_too(repo: Repository) -> None:
    changed(repo, "(load or vector(1)) + on () (load or vector(1)) > 5")
    ended = backtest(repo)
    assert "fails at all times" in ended.out, ended.said
    asked = re.search(r": ([0-9]+) requests$", ended.err, re.MULTILINE)
    assert asked is not None and int(asked[1]) > 100, ended.err


def test_an_added_and_a_removed_rule(repo: Repository, rules_dir: Path) -> None:
    calm = {"expr": CALM, "for": "2m", "summary": "s"}
    repo.write(rule_file("web", {"web-new": calm}))
    commit(repo, "another rule")
    ended = backtest(repo, "--format", "json")
    judged = {each["rule"]["id"]: each for each in json.loads(ended.out)["rules"]}
    assert {id: each["comparison"]["change"] for id, each in judged.items()} == {
        "web-new": "added",
        "web-load": "removed",
    }
    found = {each.key.id: each for each in records(repo.top / "records")}
    assert (found["web-new"].old_digest, found["web-load"].new_digest) == ("", "")
    assert {each.verdict for each in found.values()} <= {"pass", "quiet", "fail"}
    merged(repo)
    failed = [each.key.id for each in found.values() if each.verdict == "fail"]
    ended = repo.sync()
    assert ended.code == (7 if failed else 0), ended.said
    assert ("load > 8" in next(iter(rules_dir.glob("*.yaml"))).read_text()) == (not failed)
