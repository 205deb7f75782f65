"""`tocsin rollback` against the stand-in: the stored files of a release, from a folder and from Git, back on the server byte for byte."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.standin import DEFAULT_TOKEN, PROFILES, StandIn
from tests.syncing import PROJECT, number, rule_file
from tests.unit.test_git import git

from tocsin.cli import main
from tocsin.diag import SourceFile
from tocsin.ir.project import Project
from tocsin.project import read_project
from tocsin.sync.rollback import from_release, is_stored
from tocsin.wire.grafana import Unreadable, file_text, from_file, to_file

Make = Callable[[str], "World"]
V1 = {"db-down": {}, "db-slow": {"expr": "latency > 5", "labels": {"price": "$5"}}, "db-old": {}}
V2 = {"db-down": {"expr": "up < 1"}, "db-slow": {"expr": "latency > 9", "for": "1m"}, "db-new": {}}


class World:
    """A repository, a stand-in, and what a team does with both."""

    def __init__(self, top: Path, grafana: StandIn, version: str) -> None:
        self.top, self.grafana = top, grafana
        (top / "tocsin.yaml").write_text(
            PROJECT.replace("VERSION", version).replace("FOLDER", "{service} {env}")
        )

    def rules(self, **services: dict[str, Any]) -> None:
        for name, alerts in services.items():
            file = rule_file(name, alerts)
            (self.top / file.path).parent.mkdir(parents=True, exist_ok=True)
            (self.top / file.path).write_text(file.text)

    def sync(self, *more: str) -> int:
        return main(
            ["sync", str(self.top), "--env", "prod", "--yes", "--no-wait", "--max-delete-percent", "0", *more]
        )

    def build(self) -> Path:
        assert main(["build", str(self.top), "--no-site"]) == 0
        return self.top / "dist"

    def rollback(self, *words: str) -> int:
        return main(["rollback", "--env", "prod", "--yes", "--no-wait", "-C", str(self.top), *words])

    def live(self) -> dict[str, dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.grafana.url}/api/v1/provisioning/alert-rules",
            headers={"Authorization": f"Bearer {DEFAULT_TOKEN}"},
        )
        with urllib.request.urlopen(request) as answer:
            found = json.load(answer)
        left = ("id", "updated", "updatedBy", "version", "provenance")
        return {each["uid"]: {key: value for key, value in each.items() if key not in left} for each in found}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    running: list[StandIn] = []

    def start(version: str) -> World:
        grafana = StandIn(version).start()
        running.append(grafana)
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
        return World(tmp_path, grafana, version)

    yield start
    for each in running:
        each.stop()


@pytest.mark.parametrize("version", PROFILES)
def test_a_kept_folder_brings_the_rules_back_as_they_were(version: str, make: Make) -> None:
    world = make(version)
    world.rules(db=V1, web={"web-down": {}})
    assert world.sync() == 0
    kept = world.top.parent / f"kept-{version}"
    shutil.copytree(world.build(), kept)
    first = world.live()
    world.rules(db=V2)
    assert world.sync() == 0
    assert world.live() != first
    shutil.rmtree(world.top / "rules")  # nothing of it is read
    assert world.rollback("--from", str(kept), "--max-delete-percent", "0") == 0
    assert world.live() == first
    world.grafana.log.clear()
    assert world.rollback("--from", str(kept)) == 0
    assert world.grafana.log.writes() == []


def test_a_deployment_tag_and_one_rule_or_service_of_it(make: Make) -> None:
    world = make("12.0")
    world.rules(db=V1, web={"web-down": {}})
    assert world.sync() == 0
    first = world.live()
    world.build()
    git(world.top, "init", "-q", "-b", "main")
    git(world.top, "add", "-f", "dist")
    git(world.top, "commit", "-q", "-m", "release")
    git(world.top, "tag", "deploy/prod/v1.0.0")
    git(world.top, "rm", "-q", "-r", "--cached", "dist")
    git(world.top, "commit", "-q", "-m", "no dist any more")
    shutil.rmtree(world.top / "dist")
    world.rules(db=V2, web={"web-down": {"expr": "up < 2"}})
    assert world.sync() == 0
    second = world.live()

    assert world.rollback("--to", "v1.0.0", "--rule", "db-slow") == 0
    now = world.live()
    changed = [uid for uid in now if now[uid] != second.get(uid)]
    assert [now[uid]["title"] for uid in changed] == ["DbSlow"] and set(now) == set(second)
    assert now[changed[0]] == first[changed[0]]

    assert world.rollback("--to", "v1.0.0", "--service", "web") == 0
    now = world.live()
    assert {now[uid]["title"] for uid in now if now[uid] != second.get(uid)} == {"DbSlow", "WebDown"}

    assert world.rollback("--to", "v1.0.0", "--max-delete-percent", "0") == 0
    assert world.live() == first


def test_the_guards_stay(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    world = make("12.0")
    world.rules(db=V1)
    kept = world.top.parent / "kept-guards"
    shutil.copytree(world.build(), kept)
    world.rules(db={**V1, **{f"db-more-{each}": {} for each in range(9)}})
    assert world.sync() == 0
    before = world.live()
    world.grafana.log.clear()
    assert world.rollback("--from", str(kept)) == 9
    assert "9 of 13 rules would be deleted" in capsys.readouterr().err
    with world.grafana.edit() as edit:
        uid = next(iter(before))
        edit.rule("foreign-1", folder=before[uid]["folderUID"], group=before[uid]["ruleGroup"])
    assert world.rollback("--from", str(kept), "--max-delete-percent", "0") in (4, 9)
    assert "foreign-members" in capsys.readouterr().out
    assert world.grafana.log.writes() == []


def test_only_a_look(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    world = make("12.0")
    world.rules(db=V1)
    assert world.sync() == 0
    kept = world.top.parent / "kept-look"
    shutil.copytree(world.build(), kept)
    world.rules(db=V2)
    assert world.sync() == 0
    world.grafana.log.clear()
    assert world.rollback("--from", str(kept), "--plan-only") == 0
    assert "latency > 5" in capsys.readouterr().out
    assert world.grafana.log.writes() == []


@pytest.mark.parametrize(
    ("words", "code", "say"),
    [
        ([], 2, "which release"),
        (["--to", "v9"], 2, "no release `v9`"),
        (["--to", "--output=/tmp/x"], 2, "no release"),
        (["--from", "EMPTY"], 3, "holds no grafana/prod"),
    ],
)
def test_no_such_release(
    words: list[str], code: int, say: str, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make("12.0")
    git(world.top, "init", "-q", "-b", "main")
    empty = world.top / "empty"
    empty.mkdir()
    assert world.rollback(*[str(empty) if each == "EMPTY" else each for each in words]) == code
    assert say in capsys.readouterr().err


def project() -> Project:
    found, _ = read_project(
        SourceFile(path="tocsin.yaml", text=PROJECT.replace("VERSION", "12.0").replace("FOLDER", "f"))
    )
    assert found is not None
    return found


def test_which_files_are_a_release(make: Make) -> None:
    yes = [
        "dist/grafana/prod/alert-template-db-prod.json",
        "grafana/prod/g/alert-template-db-prod.json",
        "manifest.json",
        "dist/manifest.json",
    ]
    no = [
        "grafana/prod/other/alert-template-db-prod.json",
        "grafana/staging/alert-template-db-staging.json",
        "grafana/prod/x.json",
        "catalog.json",
    ]
    assert [is_stored(each, "prod", "g") for each in yes + no] == [True] * 4 + [False] * 4


def test_a_release_of_another_project_is_refused(make: Make) -> None:
    from tocsin.errors import MachineError

    found = project()
    env = found.environment("prod")
    assert env is not None
    files = {
        "grafana/prod/alert-template-db-prod.json": b'{"groups": []}',
        "manifest.json": b'{"project": "other"}',
    }
    with pytest.raises(MachineError, match="project other"):
        from_release(files, found, env, "grafana", number("12.0"))


def test_a_file_comes_back_as_it_was_given(make: Make) -> None:
    world = make("13.3")
    world.rules(
        db={
            "db-slow": {
                "expr": "latency{path=~`/a$`} > 5",
                "labels": {"price": "$5 {{ $labels.job }} $$"},
                "keep_firing_for": "2m",
            }
        }
    )
    (path,) = (world.build() / "grafana" / "prod").glob("alert-template-db-prod.json")
    document = json.loads(path.read_text())
    groups = from_file(document)
    assert not isinstance(groups, Unreadable)
    assert groups[0].rules[0].labels["price"] == "$5 {{ $labels.job }} $$"
    assert file_text(to_file(groups, number("13.3"))) == path.read_text()
    document["groups"][0]["rules"][0]["labels"]["price"] = "$HOME"
    wrong = from_file(document)
    assert isinstance(wrong, Unreadable) and wrong.path == "groups[0].rules[0].labels.price"
