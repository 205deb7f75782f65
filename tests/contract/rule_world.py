"""A repository whose services go to a Prometheus, a Mimir and a Grafana, in two states: what the tests of syncing rule files share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.ruling import rules

from tocsin.cli import main

PROJECT = """\
version: 1
project: shop
severities: {P1: {label: {severity: critical}, pages: true}, P2: {label: {severity: warning}}}
teams: {ops: {name: Ops}}
environments:
  prod:
    evaluators:
      - {name: main, kind: prometheus, version: "3.5"}
      - {name: tenant, kind: mimir, version: "2.15", tenant: team-a}
      - {name: graf, kind: grafana, version: "12.0"}
    services: {web: main, api: tenant, shop: graf}
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    notifier: alertmanager
    verdict: advised
"""
UP = {"record": "web:up", "expr": "sum(up)"}
OLD = {"record": "web:old", "expr": "vector(1)", "labels": {"a": "b"}}
LEVELS = {
    "alert": "Lag",
    "expr": "max by (job) (lag) > ${limit}",
    "identity": ["job"],
    "levels": {
        "ticket": {"severity": "P2", "limit": 5, "for": "5m"},
        "page": {"severity": "P2", "limit": 9, "name": "Lag"},
    },
    "overrides": {"batch": {"where": {"job": "batch-.+"}, "set": {"ticket.limit": 7}}},
    "summary": "late",
}
DOWN = {"alert": "Down", "expr": "web:up == 0", "for": "5m", "keep_firing_for": "1m"}
GONE = {"alert": "Gone", "expr": "up > 9"}


class World:
    """A repository of three services, one for each evaluator."""

    def __init__(self, top: Path) -> None:
        self.top = top
        (top / "tocsin.yaml").write_text(PROJECT)

    def rules(self, service: str, groups: dict[str, Sequence[dict[str, Any]]], **keys: str) -> None:
        """The file of a service: ids and records carry its name, and severity stands on levels where there are some."""
        listed = {name: [_named(each, service) for each in found] for name, found in groups.items()}
        text = rules(service, listed, **keys).text.replace("        severity: null\n", "")
        path = self.top / "rules" / service / "main.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("interval: 1s", "interval: 10s") if service == "shop" else text)

    def evaluated_by(self, version: str) -> None:
        """Its Prometheus is of that version."""
        path = self.top / "tocsin.yaml"
        path.write_text(path.read_text().replace('"3.5"', f'"{version}"'))

    def build(self, name: str) -> Path:
        assert main(["build", str(self.top), "--no-site"]) == 0
        return Path(shutil.copytree(self.top / "dist", self.top.parent / name))

    def run(self, command: str, *words: str | Path) -> int:
        first = [str(self.top)] if command != "rollback" else ["-C", str(self.top)]
        more = [] if command == "plan" else ["--yes", "--no-wait"]
        return main([command, *first, "--max-delete-percent", "0", *more, *map(str, words)])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("PROMETHEUS_URL", "GRAFANA_URL", "TOCSIN_RULES_DIR", "ALERTMANAGER_URL"):
        monkeypatch.delenv(name, raising=False)
    top = tmp_path / "repository"
    top.mkdir()
    return World(top)


def _named(rule: dict[str, Any], service: str) -> dict[str, Any]:
    made = json.loads(json.dumps(rule).replace("web:", f"{service}:"))
    if "alert" in made:
        made["id"] = f"{service}-{made['alert'].lower()}"
    return {**made, "severity": None} if "levels" in made else dict(made)


def first(world: World) -> None:
    world.rules("web", {"main": [UP, DOWN, OLD], "lag": [LEVELS]}, limit="9")
    world.rules("api", {"main": [UP, DOWN, OLD], "lag": [LEVELS]})
    world.rules("shop", {"main": [{**GONE, "expr": "up{price='$5'} == 0"}, {**GONE, "alert": "Other"}]})


def second(world: World) -> None:
    for service in ("web", "api"):
        fresh = {"alert": "New", "expr": "up > 1"}
        world.rules(service, {"main": [{**DOWN, "expr": "up == 0"}], "fresh": [fresh]})
    world.rules("shop", {"main": [{**GONE, "expr": "up == 1"}], "more": [{**GONE, "alert": "New"}]})
