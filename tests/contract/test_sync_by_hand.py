"""The commands a plan prints, run by a shell with curl and nothing of tocsin: there, and back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.standin import DEFAULT_TOKEN, PROFILES, StandIn
from tests.syncing import PROJECT, rule_file

from tocsin.cli import main

V1: dict[str, Any] = {"db-down": {}, "db-slow": {"expr": "latency > 5"}, "db-old": {}}
V2: dict[str, Any] = {
    "db-down": {"summary": "costs $HOME `x` …"},
    "db-slow": {"expr": "latency > 9"},
    "db-new": {},
}


class World:
    """A repository and a stand-in."""

    def __init__(self, top: Path, grafana: StandIn, version: str, provenance: str) -> None:
        self.top, self.grafana = top, grafana
        text = PROJECT.replace("VERSION", version).replace("FOLDER", "{service} {env}")
        (top / "tocsin.yaml").write_text(
            text.replace("verdict: advised", f"verdict: advised\n    provenance: {provenance}")
        )

    def rules(self, service: str, alerts: dict[str, Any], group: str = "main") -> None:
        file = rule_file(service, alerts, group)
        shutil.rmtree((self.top / file.path).parent, ignore_errors=True)
        (self.top / file.path).parent.mkdir(parents=True)
        (self.top / file.path).write_text(file.text)

    def plan(self, *words: str) -> int:
        return main(
            [
                "plan",
                str(self.top),
                "--env",
                "prod",
                "--max-delete-percent",
                "0",
                "--detailed-exitcode",
                *words,
            ]
        )

    def run(self, name: str) -> None:
        """In another folder, and with nothing of this process but what the script asks for."""
        env = {"PATH": os.environ["PATH"], "GRAFANA_URL": self.grafana.url, "GRAFANA_TOKEN": DEFAULT_TOKEN}
        done = subprocess.run(
            ["sh", str(self.top / "by hand" / name)], cwd="/", env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def live(self) -> dict[str, Any]:
        left = ("id", "updated", "version", "index", "updated_by")
        return {
            uid: {each: getattr(rule, each) for each in rule.__dataclass_fields__ if each not in left}
            for uid, rule in self.grafana.org().rules.items()
        }


@pytest.fixture(params=PROFILES)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with StandIn(request.param) as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
        provenance = "editable" if request.param in ("10.4", "13.3") else "locked"
        yield World(tmp_path, grafana, request.param, provenance)


def test_there_and_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(world.top / "by hand")
    world.rules("db", V1)
    world.rules("web", {"web-down": {}})
    assert world.plan("--commands", folder) == 8
    assert world.grafana.log.writes() == []
    assert DEFAULT_TOKEN not in capsys.readouterr().out
    world.run("apply.sh")
    assert world.plan() == 0
    first = world.live()
    with world.grafana.edit() as edit:
        edit.pause(next(uid for uid, each in first.items() if each["title"] == "DbDown"))
    first = world.live()

    shutil.rmtree(folder)
    world.rules("db", V2)
    world.rules("web", {"web-down": {}}, group="a b & 'c'")
    assert world.plan("--commands", folder) == 8
    assert not any(DEFAULT_TOKEN in each.read_text() for each in Path(folder).iterdir())
    world.run("apply.sh")
    assert world.plan() == 0
    assert world.live() != first
    world.run("undo.sh")
    assert world.live() == first


def test_a_plan_says_them_and_a_long_one_says_how_to_get_them(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.rules("db", {"db-down": {}})
    assert world.plan() == 8
    said = capsys.readouterr().out
    assert '-X PUT --data-binary @apply-001.json "$GRAFANA_URL/api/v1/provisioning/folder/' in said
    for number in range(10):
        world.rules(f"s{number}", {f"s{number}-down": {}})
    assert world.plan() == 8
    assert "commands; --commands DIR" in capsys.readouterr().out
    assert world.plan("--format", "json") == 8
    assert "curl" not in capsys.readouterr().out
