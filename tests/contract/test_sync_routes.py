"""Routing trees walked as Alertmanager walks them: amtool judges, for a table and for trees that chance made."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.standin import DEFAULT_TOKEN, Fault, StandIn
from tests.standin.errors import Reply
from tests.syncing import PROJECT, rule_file

from tocsin.cli import main
from tocsin.cli.routes import config_tree
from tocsin.sync.routes import from_policies, reaches

CONFIG = """\
route:
  receiver: default
  routes:
    - match: {team: streaming}
      continue: true
      receiver: streaming-log
    - match_re: {service: kafka|orders-.*}
      receiver: streaming
      routes:
        - matchers: ['severity="critical"', owner!=""]
          receiver: streaming-oncall
        - matchers: [severity=~"warning|info", '{area=a, zone!~"x.*"}']
    - matchers: [severity="critical"]
      routes:
        - match: {region: eu}
          receiver: eu-oncall
    - match: {code: 500, flag: true}
      receiver: codes
    - matchers: ['quoted = "a \\"b\\", c"']
      receiver: quoted
receivers: [{name: default}, {name: streaming-log}, {name: streaming}, {name: streaming-oncall}, {name: eu-oncall}, {name: codes}, {name: quoted}]
"""
TABLE: tuple[dict[str, str], ...] = (
    {"alertname": "A"},
    {"team": "streaming"},
    {"team": "streaming", "severity": "critical"},
    {"team": "streaming", "service": "kafka", "severity": "critical", "owner": "ann"},
    {"service": "kafka", "severity": "critical"},
    {"service": "kafkaesque"},
    {"service": "orders-api", "severity": "warning", "area": "a", "zone": "y"},
    {"service": "orders-api", "severity": "warning", "area": "a", "zone": "xy"},
    {"service": "orders-api", "severity": "warnings", "area": "a"},
    {"severity": "critical", "region": "eu"},
    {"severity": "critical", "region": "us"},
    {"code": "500", "flag": "true"},
    {"code": "500", "flag": "True"},
    {"quoted": 'a "b", c'},
)
VALUES = ("a", "b", "ab", "c")
PATTERNS = ("a|b", "a.*", "[ab]+", ".+", ".*", "", "(?i:A)", "b?", "^a$", "\\w\\w")
NAMES = ("team", "tier", "area")


def judge(amtool: Path, config: Path, labels: Mapping[str, str]) -> list[str]:
    words = [f"{name}={json.dumps(value)}" for name, value in labels.items()]
    done = subprocess.run(
        [str(amtool), "config", "routes", "test", f"--config.file={config}", *words],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return done.stdout.strip().split(",")


@pytest.mark.parametrize(
    "labels", TABLE, ids=lambda each: ",".join(f"{key}={value}" for key, value in each.items())
)
def test_a_table(labels: dict[str, str], amtool: Path, tmp_path: Path) -> None:
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIG)
    found = reaches(config_tree(config), labels, lambda label: False)
    assert not any(each.depends for each in found)
    assert sorted(each.receiver for each in found) == sorted(set(judge(amtool, config, labels)))


def node(chance: random.Random, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(chance.choice((1, 1, 1, 2))):
        name = chance.choice(NAMES)
        match chance.randrange(4):
            case 0:
                made.setdefault("match", {})[name] = chance.choice(VALUES)
            case 1:
                made.setdefault("match_re", {})[name] = chance.choice(PATTERNS)
            case _:
                operator = chance.choice(("=", "!=", "=~", "!~"))
                value = chance.choice(PATTERNS if "~" in operator else (*VALUES, ""))
                made.setdefault("matchers", []).append(f"{name}{operator}{json.dumps(value)}")
    if chance.random() < 0.7:
        made["receiver"] = f"r{chance.randrange(6)}"
    if chance.random() < 0.4:
        made["continue"] = True
    if depth:
        made["routes"] = [node(chance, depth - 1) for _ in range(chance.randrange(3))]
    return made


@pytest.mark.parametrize("seed", range(40))
def test_trees_of_chance_with_all_labels_known_and_with_some_unknown(
    seed: int, amtool: Path, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    tree = {"receiver": "r0", "routes": [node(chance, 2) for _ in range(chance.randrange(1, 5))]}
    config = tmp_path / "alertmanager.yml"
    config.write_text(json.dumps({"route": tree, "receivers": [{"name": f"r{each}"} for each in range(6)]}))
    read = config_tree(config)
    for _ in range(4):
        labels = {name: chance.choice(VALUES) for name in NAMES if chance.random() < 0.7} | {"alertname": "A"}
        truth = set(judge(amtool, config, labels))
        assert {each.receiver for each in reaches(read, labels, lambda label: False)} == truth, labels
        hidden = {name for name in NAMES if chance.random() < 0.4}
        told = reaches(
            read,
            {key: value for key, value in labels.items() if key not in hidden},
            hidden.__contains__,
        )
        assert truth <= {each.receiver for each in told}, (labels, hidden)
        assert {each.receiver for each in told if not each.depends} <= truth, (labels, hidden)
        assert all(each.depends <= hidden for each in told)


def test_grafanas_policies_mean_the_same_as_an_alertmanagers_routes(amtool: Path, tmp_path: Path) -> None:
    for seed in range(15):
        chance = random.Random(1000 + seed)
        tree: dict[str, Any] = {"receiver": "r0", "routes": [node(chance, 2) for _ in range(3)]}
        config = tmp_path / f"{seed}.yml"
        config.write_text(
            json.dumps({"route": tree, "receivers": [{"name": f"r{each}"} for each in range(6)]})
        )

        def policies(route: dict[str, Any]) -> dict[str, Any]:
            made = {key: value for key, value in route.items() if key in ("receiver", "continue")}
            objects = [[key, "=", value] for key, value in route.get("match", {}).items()]
            objects += [[key, "=~", value] for key, value in route.get("match_re", {}).items()]
            for text in route.get("matchers", []):
                operator = next(each for each in ("=~", "!~", "!=", "=") if each in text)
                name, _, value = text.partition(operator)
                objects.append([name, operator, json.loads(value)])
            return made | {
                "object_matchers": objects,
                "routes": [policies(each) for each in route.get("routes", [])],
            }

        read = from_policies(policies(tree), "grafana")
        for labels in ({"team": "a"}, {"tier": "ab", "area": "b"}, {"team": "c", "tier": "c", "area": "c"}):
            found = {each.receiver for each in reaches(read, labels, lambda label: False)}
            assert found == set(judge(amtool, config, labels)), (seed, labels)


ALERTS = {
    "db-down": {"routes_to": "db-oncall"},
    "db-slow": {"expr": "sum by (job) (latency) > 5", "severity": "P1", "routes_to": "db-oncall"},
}
POLICIES = {
    "receiver": "default",
    "routes": [
        {"receiver": "db-oncall", "object_matchers": [["severity", "=", "critical"]]},
        {"receiver": "folder", "object_matchers": [["grafana_folder", "=", "web prod"]]},
        {"receiver": "zone", "object_matchers": [["zone", "=~", "a.*"]]},
    ],
}


def test_the_command_against_a_grafanas_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tocsin.yaml").write_text(
        PROJECT.replace("VERSION", "12.0").replace("FOLDER", "{service} {env}")
    )
    for file in (
        rule_file("db", ALERTS),
        rule_file("web", {"web-down": {"expr": "sum(up) == 0"}, "web-up": {}}),
    ):
        (tmp_path / file.path).parent.mkdir(parents=True)
        (tmp_path / file.path).write_text(file.text)
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    with StandIn("12.0") as grafana:
        grafana.org().policies = POLICIES  # type: ignore[assignment]
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        assert main(["routes", str(tmp_path), "--env", "prod", "--grafana", "--format", "json"]) == 1
        assert grafana.log.writes() == []
    said = {each["key"]: each for each in json.loads(capsys.readouterr().out)["alerts"]}
    reached = {
        key: [(one["name"], one["depends"]) for one in each["receivers"]] for key, each in said.items()
    }
    assert reached == {
        "db-down": [("zone", ["zone"]), ("default", ["zone"])],
        "db-slow": [("db-oncall", [])],
        "web-down": [("folder", [])],
        "web-up": [("folder", [])],
    }
    assert {key: each["verdict"] for key, each in said.items()} == {
        "db-down": "fails", "db-slow": "holds", "web-down": None, "web-up": None,
    }  # fmt: skip
    assert said["db-down"]["place"].startswith("rules/db/main.yaml:")


def test_the_command_against_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tocsin.yaml").write_text(
        "version: 1\nproject: shop\nseverities: {P1: {label: {severity: critical}}, P2: {label: {severity: warning}}}\n"
        "teams: {ops: {name: Ops}}\nenvironments: {prod: {evaluators: [{name: main, kind: prometheus, version: '2.53'}]}}\n"
    )
    file = rule_file(
        "db", {"db-slow": {"severity": "P1", "routes_to": "eu-oncall"}, "db-down": {"routes_to": "nobody"}}
    )
    (tmp_path / file.path).parent.mkdir(parents=True)
    (tmp_path / file.path).write_text(file.text)
    config = tmp_path / "am.yml"
    config.write_text(CONFIG)
    assert main(["routes", str(tmp_path), "--alertmanager-config", str(config)]) == 1
    said = capsys.readouterr().out
    assert "error TOC901 route-missed: db-down must reach `nobody`: no route notifies `nobody`" in said
    assert "note TOC902 route-depends: db-slow may reach `eu-oncall`: depends on " in said
    assert main(["routes", str(tmp_path)]) == 2
    config.write_text("global: {}\n")
    assert main(["routes", str(tmp_path), "--alertmanager-config", str(config)]) == 2


def test_a_plan_says_where_a_change_reaches_another_receiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tocsin.yaml").write_text(
        PROJECT.replace("VERSION", "12.0").replace("FOLDER", "{service} {env}")
    )
    config = tmp_path / "am.yml"
    config.write_text(
        "route: {receiver: office, routes: [{receiver: oncall, matchers: [severity=critical]}]}\n"
    )
    path = tmp_path / "rules" / "db" / "main.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(rule_file("db", {"db-down": {}, "db-slow": {}}).text)
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    with StandIn("12.0") as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        assert main(["sync", str(tmp_path), "--env", "prod", "--yes", "--no-wait"]) == 0
        path.write_text(rule_file("db", {"db-down": {"severity": "P1"}, "db-slow": {"for": "9m"}}).text)
        capsys.readouterr()
        assert main(["plan", str(tmp_path), "--env", "prod", "--alertmanager-config", str(config)]) == 0
    said = capsys.readouterr().out
    assert said.count("will notify oncall instead of office") == 1


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, StandIn]]:
    """A repository that is synced to a Grafana which notifies by `POLICIES`."""
    (tmp_path / "tocsin.yaml").write_text(
        PROJECT.replace("VERSION", "12.0").replace("FOLDER", "{service} {env}")
    )
    path = tmp_path / "rules" / "db" / "main.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(rule_file("db", {"db-down": {}, "db-slow": {}}).text)
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    with StandIn("12.0") as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        grafana.org().policies = POLICIES  # type: ignore[assignment]
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        assert main(["sync", str(tmp_path), "--env", "prod", "--yes", "--no-wait"]) == 0
        yield tmp_path, grafana


def test_a_plan_asks_a_grafana_that_notifies_for_its_policies(
    shop: tuple[Path, StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    top, grafana = shop
    words = ["plan", str(top), "--env", "prod"]
    grafana.log.clear()
    assert main(words) == 0
    assert grafana.log.count("GET", ".*/policies") == 0
    changed = rule_file("db", {"db-down": {"severity": "P1"}, "db-slow": {"for": "9m"}, "db-new": {}})
    (top / changed.path).write_text(changed.text)
    capsys.readouterr()
    assert main(words) == 0
    said = capsys.readouterr().out
    assert (
        said.count("will notify db-oncall instead of zone (depends on zone), default (depends on zone)") == 1
    )
    assert said.count("notifies zone (depends on zone), default (depends on zone)") == 1

    # In the folder of `web` others are told.
    shutil.move(top / "rules/db", top / "rules/web")
    moved = (top / "rules/web/main.yaml").read_text().replace("service: db", "service: web")
    (top / "rules/web/main.yaml").write_text(moved.replace('severity: "P1"', 'severity: "P2"'))
    assert main([*words, "--max-delete-percent", "0"]) == 0
    said = capsys.readouterr().out
    assert said.count("will notify folder instead of zone (depends on zone), default") == 2


@pytest.mark.parametrize(("status", "why"), [(403, "may not read them"), (404, "tells none"), (500, "500")])
def test_policies_that_cannot_be_read_are_said_and_fail_nothing(
    shop: tuple[Path, StandIn], status: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    top, grafana = shop
    changed = rule_file("db", {"db-down": {"severity": "P1"}, "db-slow": {}})
    (top / changed.path).write_text(changed.text)
    answer = Reply(status=status, body=b'{"message": "no"}')
    grafana.plan(Fault(kind="answer", path=".*/policies", times=99, reply=answer))
    assert main(["plan", str(top), "--env", "prod"]) == 0
    said = capsys.readouterr().out
    assert "which receivers change is not known" in said and why in said
    assert "1 to update" in said


def test_a_file_that_no_alert_goes_through_proves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Grafana that notifies by itself asks no Alertmanager: that is no table of none, and no assertion held."""
    (tmp_path / "tocsin.yaml").write_text(PROJECT.replace("VERSION", "12.0").replace("FOLDER", "{service}"))
    file = rule_file("db", {"db-down": {"routes_to": "nobody"}})
    (tmp_path / file.path).parent.mkdir(parents=True)
    (tmp_path / file.path).write_text(file.text)
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIG)
    assert main(["routes", str(tmp_path), "--env", "prod", "--alertmanager-config", str(config)]) == 2
    assert "its Grafana notifies by itself" in capsys.readouterr().err
