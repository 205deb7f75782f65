"""The staged flow against a live Prometheus that evaluates both versions, and a real Alertmanager that is told to be quiet.

The series are there before they are due, so nothing depends on how busy the machine is: twenty clusters, one of them the scope.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.equivalence.remote_write import push
from tests.patience import PATIENCE
from tests.patience import eventually as wait
from tests.real.components import NEWEST, alertmanager, prometheus
from tests.real.servers import Server, running_alertmanager, running_prometheus
from tests.staging import Said, Staged

from tocsin.canary.stage_record import compared_of, deployed_of, predicted_peak, promotion_of

PAST, COMING = 120, 590
"""Seconds of samples; a server takes none from more than ten minutes ahead, so each test brings those that came due since."""
OLD = {"alert": "LoadHigh", "id": "load-high", "expr": "load > 50", "for": "1s"}
NEW = {**OLD, "expr": "load > 70", "for": "2s"}


class Fed(NamedTuple):
    """A server that has samples for the time to come, and its folder of rules."""

    server: Server
    folder: Path

    def feed(self, fed: list[int]) -> None:
        """Samples until `COMING` seconds from now, from the last of `fed` on."""
        now = int(time.time())
        start, end = (fed or [now - PAST])[-1], now + COMING
        push(
            self.server.url,
            [
                (
                    [
                        ("__name__", "load"),
                        ("cluster", "canary-1" if n == 1 else f"prod-{n}"),
                        ("shard", "a"),
                    ],
                    [(at * 1000, 40.0 + 40.0 * ((at + n) // 4 % 2)) for at in range(start, end)],
                )
                for n in range(1, 21)
            ],
        )
        fed.append(end)


@pytest.fixture(scope="module")
def fed() -> list[int]:
    """Until when there are samples."""
    return []


@pytest.fixture(scope="module")
def alerts() -> Iterator[Server]:
    config = "route: {receiver: none}\nreceivers: [{name: none}]\n"
    with running_alertmanager(alertmanager(), config) as server:
        yield server


@pytest.fixture(scope="module")
def server(alerts: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fed]:
    rules = tmp_path_factory.mktemp("rules")
    config = (
        "global: {evaluation_interval: 1s, scrape_interval: 1s}\n"
        f"rule_files: ['{rules}/*.yaml']\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alerts.url.removeprefix('http://')}']}}]}}]}}\n"
    )
    with running_prometheus(prometheus(NEWEST), config, flags=["--web.enable-remote-write-receiver"]) as made:
        yield Fed(made, rules)


@pytest.fixture
def repo(server: Fed, fed: list[int], alerts: Server, tmp_path: Path) -> Staged:
    """The old version on the server; the new one in the work tree, judged by stage 0."""
    prom, folder = server
    server.feed(fed)
    for each in folder.iterdir():
        each.unlink()
    env = {"PROMETHEUS_URL": prom.url, "ALERTMANAGER_URL": alerts.url, "TOCSIN_RULES_DIR": str(folder)}
    made = Staged(tmp_path / "repo", env, soak="1s")
    made.rules(OLD)
    assert made.sync().code == 0
    old = made.alert("load-high").digest
    made.project(verdict="required")
    made.rules(NEW)
    made.judged("load-high", old)
    return made


def backtested(repo: Staged) -> None:
    """The record of stage 0 as the command writes it, judged by the gates of the commit before."""
    for each in (repo.top / "records").glob("*.json"):
        each.unlink()
    for rule in (OLD, NEW):
        repo.rules(rule)
        for words in (
            ["init", "-q", "-b", "main"],
            ["add", "tocsin.yaml", "rules"],
            ["commit", "-q", "-m", "x"],
        ):
            author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
            subprocess.run(["git", "-C", str(repo.top), *author, *words], check=True)
    said = repo.run("backtest", "--against", "live", "--window", "1m")
    assert said.code == 0 and repo.record("load-high").verdict in ("pass", "quiet"), said.text


def evaluated(server: Server) -> dict[str, list[dict[str, Any]]]:
    groups = server.get("/api/v1/rules")["data"]["groups"]
    return {group["name"]: list(group["rules"]) for group in groups}


def states(alerts: Server, **labels: str) -> set[str]:
    """What the Alertmanager does with the alerts that have these labels."""
    every = alerts.get("/api/v2/alerts")
    return {each["status"]["state"] for each in every if labels.items() <= each["labels"].items()}


def canary_id(repo: Staged) -> str:
    deployed = deployed_of(repo.record("load-high"))
    assert deployed is not None
    return deployed.canary


def test_the_whole_way(repo: Staged, server: Fed, alerts: Server) -> None:
    """From the replay to the watch, with nothing made up: the record is that of a backtest of these very minutes."""
    prom, folder = server
    backtested(repo)
    early = repo.sync()
    assert early.code == 7 and "verdict-stage" in early.text, early.text
    done = repo.run("deploy", "load-high", "--ttl", "1h")
    assert done.code == 0, done.text
    assert "1 series of 20, 5.0%" in done.text and "warning" not in done.text
    id = canary_id(repo)

    # What runs: the old rule as it was, and the canary on its scope, muted before it existed.
    rules = evaluated(prom)
    (canary,) = rules[f"tocsin-canary-{id}"]
    assert [each["name"] for each in rules["main"]] == ["LoadHigh"]
    assert canary["labels"]["tocsin_canary"] == id and canary["labels"]["severity"] == "canary"
    assert 'load{cluster="canary-1"} > 70' in canary["query"]
    (silence,) = alerts.get("/api/v2/silences")
    assert [(each["name"], each["value"]) for each in silence["matchers"]] == [("tocsin_canary", id)]
    text = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(text) == ["tocsin.shop.prod.web.rules.yaml", "tocsin.shop.prod_canary.web.rules.yaml"]

    # Again is nothing; a sync leaves it alone.
    again = repo.run("deploy", "load-high", "--ttl", "3h")
    assert again.code == 0 and "was on trial already" in again.text
    assert len(alerts.get("/api/v2/silences")) == 1
    repo.sync()
    assert {path.name: path.read_text() for path in folder.iterdir()} == text

    early = repo.run("compare", "load-high", "--soak", "1d")
    # Whoever would be notified is not: the Alertmanager itself says that the canary's alert is silenced.
    wait(lambda: states(alerts, tocsin_canary=id) == {"suppressed"}, "the canary's alert, silenced")
    assert states(alerts, alertname="LoadHigh") <= {"active"}
    assert early.code == 7 and "of 1d" in early.text
    fired = f'count_over_time(ALERTS{{tocsin_canary="{id}",alertstate="firing"}}[1m])'
    wait(lambda: [each for each in prom.query(fired) if float(each["value"][1]) >= 3], "it fires thrice")
    soaked(repo, id, "14s")
    found = compared_of(repo.record("load-high"))
    assert found is not None and [each.id for each in found.checks] == [
        *("health", "errors", "evaluation-time", "fidelity", "comparison")
    ]
    assert found.fidelity is not None and found.fidelity >= 0.98 and found.evaluations >= 2, found

    done = repo.run("promote", "load-high", "--force", "--yes", "--watch", "1h")
    assert done.code == 0, done.text
    (rule,) = evaluated(prom)["main"]
    assert rule["query"] == "load > 70" and list(evaluated(prom)) == ["main"]
    assert promotion_of(repo.record("load-high")).state == "watching"  # type: ignore[union-attr]
    assert "nothing" in repo.sync().text or repo.sync().code == 0

    watched = repo.run("watch", "load-high")
    assert watched.code == 0, watched.text
    assert (
        "firing now" in watched.text
        and f"stage 0 predicted {predicted_peak(repo.record('load-high'))}" in watched.text
    )


def test_a_storm_brings_the_old_version_back(repo: Staged, server: Fed) -> None:
    prom, _ = server
    repo.judged("load-high", repo.record("load-high").old_digest, peak=2)
    through(repo)
    assert repo.run("promote", "load-high", "--force", "--yes").code == 0
    wait(lambda: len(prom.query('ALERTS{alertname="LoadHigh",alertstate="firing"}')) > 2, "more fire than 2")
    wait(lambda: repo.run("watch", "load-high").code == 7, "two samples over the limit")
    (rule,) = evaluated(prom)["main"]
    assert rule["query"] == "load > 50"
    record = repo.record("load-high")
    assert record.rolled_back and record.verdict == "fail"
    refused = repo.sync()
    assert refused.code == 7 and "taken back" in refused.text
    assert repo.run("promote", "load-high", "--force", "--yes").code == 7
    assert repo.run("deploy", "load-high").code == 7
    # A new record that passes lets it in again.
    repo.judged("load-high", record.old_digest)
    assert repo.run("deploy", "load-high").code == 0
    assert "is gone" in repo.run("abort", "load-high").text


def test_a_canary_that_does_something_else_is_taken_away(repo: Staged, server: Fed) -> None:
    """Somebody edits the canary on its server: what it does is not what was simulated, and no stage believes it."""
    prom, folder = server
    assert repo.run("deploy", "load-high").code == 0
    path = folder / "tocsin.shop.prod_canary.web.rules.yaml"
    path.write_text(path.read_text().replace("> 70", "> 7"))
    prom.post("/-/reload")
    said = compared(repo, "load-high", "11s")
    assert said.code == 7 and "fidelity: fail" in said.text, said.text
    assert list(evaluated(prom)) == ["main"] and not path.exists()
    record = repo.record("load-high")
    assert record.verdict == "fail" and record.failed == ("fidelity",)
    assert "the canary failed at `fidelity`" in repo.sync().text
    assert repo.run("promote", "load-high", "--yes").code == 7


def test_an_id_is_all_of_its_levels(repo: Staged, server: Fed, alerts: Server) -> None:
    """Two canaries in one file, each with a silence of its own; one may go and the other stays."""
    prom, _ = server
    levels = {name: {"severity": "P2", "limit": limit} for name, limit in (("low", 60), ("high", 90))}
    graded = {**NEW, "id": "load-graded", "expr": "load > ${limit}", "severity": None, "levels": levels}
    repo.rules(OLD, graded)
    for level in levels:
        repo.judged(f"load-graded/{level}")
    said = repo.run("deploy", "load-graded")
    assert said.code == 0, said.text
    groups = {name: group[0]["name"] for name, group in evaluated(prom).items() if name != "main"}
    assert len(groups) == 2 and {each.partition("_canary_")[0] for each in groups.values()} == {
        *("LoadHighLow", "LoadHighHigh")
    }
    assert "load-graded/low: c-" in repo.run("abort", "load-graded/low").text
    (left,) = (rule[0] for name, rule in evaluated(prom).items() if name != "main")
    assert left["name"].startswith("LoadHighHigh") and "> 90" in left["query"]
    assert repo.run("deploy", "load-graded/high").text.count("was on trial already") == 1
    assert repo.run("abort", "load-graded").code == 0
    assert list(evaluated(prom)) == ["main"]


def test_failing_evaluations_bring_the_old_version_back(repo: Staged, server: Fed) -> None:
    """A server that counts its own failures is believed: this one is told to, for it does not scrape itself."""
    prom, _ = server
    through(repo)
    assert repo.run("promote", "load-high", "--yes").code == 0
    assert repo.run("watch", "load-high").code == 0
    now = int(time.time())
    group = ("rule_group", "/etc/rules/web.yaml;main")
    failed = [((now - 30 + at) * 1000, float(at // 10)) for at in range(30)]
    push(prom.url, [([("__name__", "prometheus_rule_evaluation_failures_total"), group], failed)])
    said = repo.run("watch", "load-high")
    assert said.code == 7 and "alarm: errors: " in said.text and "the old version is back" in said.text
    assert [each["query"] for each in evaluated(prom)["main"]] == ["load > 50"]
    assert "rolled-back" in repo.run("watch", "load-high").text


def through(repo: Staged) -> None:
    """Through stages 1 and 2 as fast as possible."""
    done = repo.run("deploy", "load-high", "--ttl", "1h")
    assert done.code == 0, done.text
    soaked(repo, "load-high", "1s")


def soaked(repo: Staged, name: str, soak: str) -> None:
    """Compared as soon as it may be, and found well."""
    said = compared(repo, name, soak)
    assert said.code == 0, said.text


def compared(repo: Staged, name: str, soak: str) -> Said:
    """What stage 2 says, as soon as it may be asked."""
    end = time.monotonic() + PATIENCE
    while "stage 2 says" not in (said := repo.run("compare", name, "--soak", soak)).text:
        assert time.monotonic() < end, f"never compared: {said.text}"
        time.sleep(0.2)
    return said
