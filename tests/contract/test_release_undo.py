"""Release, sync, change, sync, and the undo commands of the report as a reviewer pastes them: on a Grafana and on a real Prometheus of one environment."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.real.servers import Server
from tests.release_history import History
from tests.standin import DEFAULT_TOKEN, StandIn

from tocsin.cli import app, main

PROJECT = """\
version: 1
project: shop
severities: {P1: {label: {severity: critical}, pages: true}, P2: {label: {severity: warning}}}
teams: {ops: {name: Ops}}
checks: {TOC634: warning}
environments:
  prod:
    evaluators:
      - {name: grafana, kind: grafana, version: "12.0", url_env: GRAFANA_URL}
      - {name: metrics, kind: prometheus, version: "3.5", url_env: PROMETHEUS_URL}
    default_evaluator: grafana
    services: {infra: metrics}
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    folder: "{service} {env}"
    notifier: grafana
    verdict: advised
"""
WEB = """\
version: 1
service: web
owner: ops
groups:
  - name: main
    interval: 1m
    rules:
      - {alert: WebSlow, id: web-slow, expr: "web_latency > ${limit}", params: {limit: 5}, severity: P2, for: 5m, summary: slow}
      - {alert: WebOld, id: web-old, expr: "web_old > 1", severity: P2, for: 5m, summary: old}
      - {alert: WebKept, id: web-kept, expr: "web_kept > 1", severity: P2, for: 5m, summary: kept}
"""
INFRA = """\
version: 1
service: infra
owner: ops
groups:
  - name: main
    interval: 1m
    rules:
      - {record: "infra:up:sum", expr: "sum by (job) (up)"}
      - alert: InfraDown
        id: infra-down
        identity: [job]
        expr: infra:up:sum < ${least}
        levels:
          ticket: {severity: P2, least: 2, for: 10m}
          page: {severity: P1, least: 1, for: 5m}
        summary: down
"""


class World:
    """A repository with a past, a Grafana, and a Prometheus that reads a folder."""

    def __init__(self, history: History, grafana: StandIn, prometheus: Server, folder: Path) -> None:
        self.history, self.grafana, self.prometheus, self.folder = history, grafana, prometheus, folder

    def run(self, *words: str) -> str:
        """One command in the repository, as a terminal would run it."""
        done = CliRunner().invoke(app, list(words), standalone_mode=False)
        assert done.exception is None and done.return_value in (0, None), (words, done.output, done.exception)
        return done.stdout

    def live(self) -> dict[str, object]:
        """What both servers hold, without what only counts writes."""
        request = urllib.request.Request(
            f"{self.grafana.url}/api/v1/provisioning/alert-rules",
            headers={"Authorization": f"Bearer {DEFAULT_TOKEN}"},
        )
        with urllib.request.urlopen(request) as answer:
            rules = json.load(answer)
        left = ("id", "updated", "updatedBy", "version", "provenance")
        found = {
            each["uid"]: {name: value for name, value in each.items() if name not in left} for each in rules
        }
        groups = self.prometheus.get("/api/v1/rules")["data"]["groups"]
        found["prometheus"] = {
            f"{rule['name']} {rule.get('labels', {}).get('severity', '')}": (
                rule["query"],
                rule.get("duration"),
            )
            for group in groups
            for rule in group["rules"]
        }
        return found

    def release(self) -> None:
        self.run("release", ".", "--write")
        self.history.git("add", "-A")
        self.history.git("commit", "-q", "-m", "Release")
        self.run("release", ".", "--tag")

    def sync(self) -> None:
        for server in ("grafana", "metrics"):
            self.run(
                "sync",
                ".",
                "--env",
                "prod",
                "--evaluator",
                server,
                "--yes",
                "--no-wait",
                "--max-delete-percent",
                "0",
                "--accept-blind",
                "1h",
            )


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prometheus_server: Callable[..., Server]
) -> Iterator[World]:
    top, folder = tmp_path / "shop", tmp_path / "rules"
    folder.mkdir()
    top.mkdir()
    history = History(top)
    history.git("init", "-q")
    files = {"tocsin.yaml": PROJECT, "rules/web/main.yaml": WEB, "rules/infra/main.yaml": INFRA}
    history.commit("start", dict(files), "Alerts")
    server = prometheus_server(f"rule_files: ['{folder}/*.yaml']\n")
    grafana = StandIn("12.0").start()
    with grafana.edit() as edit:
        edit.datasource("prom-main")
    monkeypatch.chdir(top)
    for name, value in (
        ("GRAFANA_URL", grafana.url),
        ("GRAFANA_TOKEN", DEFAULT_TOKEN),
        ("PROMETHEUS_URL", server.url),
        ("TOCSIN_RULES_DIR", str(folder)),
        ("TOCSIN_CACHE", str(tmp_path / "cache")),
    ):
        monkeypatch.setenv(name, value)
    yield World(history, grafana, server, folder)
    grafana.stop()


def test_what_the_report_says_undoes_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.release()
    world.sync()
    first = world.live()
    without_old = "\n".join(each for each in WEB.split("\n") if "web-old" not in each)
    world.history.commit(
        "changed",
        {
            "rules/web/main.yaml": without_old.replace("limit: 5", "limit: 9").replace(
                "web_kept > 1", "web_kept > 3"
            ),
            "rules/infra/main.yaml": INFRA.replace("(up)", "(up{job!='x'})").replace("least: 2", "least: 3"),
        },
        "Less noise\n\nReason: noise\nTicket: INFRA-1",
    )
    world.release()
    world.sync()
    changed = world.live()
    assert changed != first
    report = world.run("diff", "v1.0.0..v2.0.0", "--format", "markdown")
    commands = [
        line
        for block in re.findall(r"```sh\n(.*?)```", report, re.DOTALL)
        for line in block.strip().split("\n")
    ]
    assert commands and all(each.startswith("tocsin rollback --to v1.0.0 --env prod ") for each in commands)
    one = next(each for each in commands if "web-slow" in each)
    world.run(*shlex.split(one)[1:], "--yes", "--no-wait")
    now = world.live()
    assert now != first and {uid for uid in first if now.get(uid) != changed.get(uid)} == {
        uid for uid, rule in first.items() if isinstance(rule, dict) and rule.get("title") == "WebSlow"
    }
    for each in commands:
        world.run(*shlex.split(each)[1:], "--yes", "--no-wait")
    assert world.live() == first
    # What is on neither side is no "nothing to do": the command went to the wrong server, or the name is misspelt.
    capsys.readouterr()
    for words in (("grafana", "infra-down"), ("metrics", "infra-dwon")):
        assert (
            main(
                [
                    "rollback",
                    "--to",
                    "v1.0.0",
                    "--env",
                    "prod",
                    "--evaluator",
                    words[0],
                    "--rule",
                    words[1],
                    "--yes",
                ]
            )
            == 2
        )
    said = capsys.readouterr().err
    assert "has a rule `infra-down`" in said and "did you mean `infra-down`" in said
