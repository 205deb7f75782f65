"""The commands a plan prints for rule files, a Mimir and a provisioning folder, run by a shell with nothing of tocsin: there, and back."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.rule_world import World, first, second
from tests.contract.rule_world import world as world
from tests.loopback import Seen, reply, serving
from tests.real.components import NEWEST
from tests.real.servers import Server as Running
from tests.unit.test_sync_mimir import Tenant

Files = dict[str, bytes]


def plan(world: World, *words: str | Path) -> int:
    hand = world.top / "by hand"
    shutil.rmtree(hand, ignore_errors=True)
    return world.run("plan", "--detailed-exitcode", "--accept-blind", "1h", "--commands", hand, *words)


def nothing_to_do(world: World, *words: str | Path) -> bool:
    return world.run("plan", "--detailed-exitcode", *words) == 0


def run(world: World, name: str, **variables: str | Path) -> None:
    """In another folder, and with nothing of this process but what the script asks for."""
    env = {"PATH": os.environ["PATH"], **{key: str(value) for key, value in variables.items()}}
    script = world.top / "by hand" / name
    done = subprocess.run(["sh", str(script)], cwd="/", env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def files_of(folder: Path) -> Files:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def evaluated(server: Running) -> list[tuple[str, str, str]]:
    groups = server.get("/api/v1/rules")["data"]["groups"]
    return sorted((group["name"], rule["name"], rule["query"]) for group in groups for rule in group["rules"])


@pytest.mark.parametrize("version", ["2.42", NEWEST])
def test_rule_files_and_two_replicas(
    world: World,
    prometheus_server: Callable[..., Running],
    tmp_path: Path,
    version: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "rules of $HOME"
    folder.mkdir()
    (folder / "theirs.yaml").write_text("groups: []\n")
    world.evaluated_by(version)
    config = f"rule_files: ['{folder}/*.yaml']\n"
    one, two = prometheus_server(config, version=version), prometheus_server(config, version=version)
    urls = f"{one.url}/,{two.url}"
    where = ("--target", "prometheus", "--url", f"{one.url},{two.url}", "--rules-dir", folder)
    variables: dict[str, str | Path] = {"TOCSIN_RULES_DIR": folder, "PROMETHEUS_URL": urls}
    nothing = files_of(folder)
    first(world)
    assert plan(world, *where) == 8
    assert files_of(folder) == nothing and evaluated(one) == []
    run(world, "apply.sh", **variables)
    assert nothing_to_do(world, *where)
    before, rules = files_of(folder), evaluated(one)
    assert evaluated(two) == rules != []

    # A service comes, one changes, and a file goes with its last group.
    second(world)
    (world.top / "rules/api").rename(world.top / "rules/moved")
    path = world.top / "rules/moved/main.yaml"
    path.write_text(path.read_text().replace("service: api", "service: moved"))
    text = (world.top / "tocsin.yaml").read_text()
    (world.top / "tocsin.yaml").write_text(text.replace("web: main, api: tenant", "moved: main, web: tenant"))
    capsys.readouterr()
    assert plan(world, *where) == 8
    said = capsys.readouterr().out
    assert (
        "with TOCSIN_RULES_DIR and PROMETHEUS_URL set" in said
        and str(folder) not in said.split("by hand:")[1]
    )
    run(world, "apply.sh", **variables)
    assert set(files_of(folder)) == {"theirs.yaml", "tocsin.shop.prod.moved.rules.yaml"}
    assert evaluated(one) == evaluated(two) != rules
    run(world, "undo.sh", **variables)
    assert files_of(folder) == before and evaluated(one) == evaluated(two) == rules


def test_a_mimir(world: World) -> None:
    tenant = Tenant()
    theirs: dict[str, object] = {"g": {"name": "g", "rules": [{"alert": "X", "expr": "up"}]}}
    tenant.stored["team-a"] = {"team": copy.deepcopy(theirs)}
    with serving(tenant) as server:
        where = ("--target", "mimir", "--url", server.url)
        first(world)
        assert plan(world, *where) == 8
        run(world, "apply.sh", MIMIR_URL=server.url, MIMIR_TENANT="team-a", MIMIR_TOKEN="secret")
        assert nothing_to_do(world, *where)
        assert server.seen[-1].headers["x-scope-orgid"] == "team-a"
        assert any(each.headers.get("authorization") == "Bearer secret" for each in server.seen)
        before = copy.deepcopy(tenant.stored)
        second(world)
        assert plan(world, *where) == 8 and tenant.stored == before
        run(world, "apply.sh", MIMIR_URL=server.url, MIMIR_TENANT="team-a")
        assert nothing_to_do(world, *where) and tenant.stored != before
        run(world, "undo.sh", MIMIR_URL=server.url, MIMIR_TENANT="team-a")
        assert tenant.stored == before
        assert list(tenant.stored) == ["team-a"] and tenant.stored["team-a"]["team"] == theirs


def test_a_provisioning_folder(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "alerting"
    folder.mkdir()
    (folder / "theirs.json").write_text("{}")
    where = ("--target", "directory", "--rules-dir", folder)

    def grafana(_seen: Seen, _number: int) -> bytes:
        return reply(200, {"message": "Alerting config reloaded"})

    with serving(grafana) as server:
        variables: dict[str, str | Path] = {
            "TOCSIN_RULES_DIR": folder,
            "GRAFANA_URL": server.url,
            "GRAFANA_TOKEN": "secret",
        }
        first(world)
        assert plan(world, *where) == 8 and list(files_of(folder)) == ["theirs.json"]
        run(world, "apply.sh", **variables)
        assert nothing_to_do(world, *where)
        assert server.lines == ["POST /api/admin/provisioning/alerting/reload"]
        before = files_of(folder)
        second(world)
        assert plan(world, *where) == 8 and files_of(folder) == before
        run(world, "apply.sh", TOCSIN_RULES_DIR=folder)
        assert nothing_to_do(world, *where) and len(server.lines) == 1
        run(world, "undo.sh", **variables)
        assert len(server.lines) == 2

    memory = "tocsin.shop.prod.json"
    now = files_of(folder)
    assert {name: text for name, text in now.items() if name != memory} == {
        name: text for name, text in before.items() if name != memory
    }
    # What the way there made, Grafana keeps until it is told to delete it.
    assert [len(json.loads(each[memory])["deleteRules"]) for each in (before, now)] == [0, 1]


def test_a_plan_of_a_rollback_says_them_too(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "alerting"
    folder.mkdir()
    first(world)
    kept = world.build("kept")
    where = ("--target", "directory", "--rules-dir", folder)
    capsys.readouterr()
    assert world.run("rollback", *where, "--from", kept, "--plan-only") == 0
    assert 'cp apply-001.json "$TOCSIN_RULES_DIR"/tocsin.shop.prod.json' in capsys.readouterr().out
    assert world.run("plan", *where, "--format", "markdown") == 0
    assert 'cp apply-001.json "$TOCSIN_RULES_DIR"/tocsin.shop.prod.json' in capsys.readouterr().out


def test_what_they_need_is_asked_for(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "alerting"
    folder.mkdir()
    first(world)
    assert plan(world, "--target", "directory", "--rules-dir", folder) == 8
    done = subprocess.run(
        ["sh", str(world.top / "by hand/apply.sh")],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and "TOCSIN_RULES_DIR" in done.stderr and list(folder.iterdir()) == []
