"""`tocsin rollback` of rule files: a release's files read back as the rules they were compiled from, and put back on a real Prometheus, on a
Mimir-shaped ruler and in a provisioning folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from tests.contract.rule_world import DOWN, OLD, PROJECT, UP, World, first, second
from tests.contract.rule_world import world as world
from tests.loopback import serving
from tests.real.components import NEWEST
from tests.real.servers import Server as Running
from tests.unit.test_git import git
from tests.unit.test_sync_mimir import Tenant

from tocsin.cli import main
from tocsin.cli.targets import compiled_for, desired_of
from tocsin.errors import MachineError
from tocsin.sync.rollback_rules import from_rule_files, is_stored
from tocsin.sync.values import Live, Server, TargetKind

WEB = "tocsin.shop.prod.web.rules.yaml"
REPO = Path(__file__).parents[2]
NOTHING = Live(server=Server(kind="prometheus", identity="", version=""), groups=())


def files_of(folder: Path, environment: str) -> dict[str, bytes]:
    named = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
    return {name: path.read_bytes() for name, path in named.items() if is_stored(name, environment)}


def assert_read_back(top: Path, dist: Path, environment: str, kind: TargetKind, *, least: int) -> None:
    """Every rule of the stored files is the compiled one, its key and digest included."""
    compiled = compiled_for(top, environment, None, date(2026, 11, 21), kind)
    wanted = desired_of(compiled, compiled.evaluator.version)
    settings = compiled.compilation.settings
    assert settings is not None
    found = from_rule_files(
        files_of(dist, environment), settings.project, compiled.environment, compiled.evaluator, kind, NOTHING
    )
    by_place = {each.place: each for each in found.groups}
    alerts = 0
    for group in wanted.groups:
        told = by_place.pop(group.place)
        assert (told.interval, told.settings, told.service) == (group.interval, group.settings, group.service)
        for one, other in zip(group.rules, told.rules, strict=True):
            pairs = [
                (getattr(one, name), getattr(other, name))
                for name in ("uid", "title", "kind", "body", "labels", "owner", "service")
            ]
            assert [a for a, _ in pairs] == [b for _, b in pairs]
            if one.kind == "alert":
                alerts += 1
                assert (one.key, one.digest) == (other.key, other.digest)
    assert by_place == {} and alerts >= least


@pytest.mark.parametrize("environment", ["prod", "staging"])
def test_the_starter_is_read_back_as_it_was_compiled(environment: str, tmp_path: Path) -> None:
    for name in ("rules", "sops", "incidents"):
        shutil.copytree(REPO / name, tmp_path / name)
    shutil.copy(REPO / "tocsin.yaml", tmp_path)
    assert main(["build", str(tmp_path), "--no-site"]) == 0
    assert_read_back(tmp_path, tmp_path / "dist", environment, "prometheus", least=10)


@pytest.mark.parametrize(("environment", "kind"), [("prod", "prometheus"), ("staging", "mimir")])
def test_levels_and_overrides_are_told_apart(environment: str, kind: TargetKind, tmp_path: Path) -> None:
    shutil.copytree(REPO / "tests/golden/graded", tmp_path / "graded")
    assert main(["build", str(tmp_path / "graded"), "--no-site"]) == 0
    assert_read_back(tmp_path / "graded", tmp_path / "graded" / "dist", environment, kind, least=3)


@pytest.mark.parametrize("version", ["2.42", NEWEST])
def test_a_real_prometheus(
    world: World,
    prometheus_server: Callable[..., Running],
    tmp_path: Path,
    version: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    server = prometheus_server(f"rule_files: ['{folder}/*.yaml']\n", version=version)
    where = ("--target", "prometheus", "--url", server.url, "--rules-dir", folder)
    world.evaluated_by(version)
    first(world)
    # Every record's reader goes with it, whatever the series say.
    assert world.run("sync", *where, "--accept-blind", "1h") == 0
    kept, before = world.build("kept"), (folder / WEB).read_bytes()
    second(world)
    assert world.run("sync", *where) == 0 and (folder / WEB).read_bytes() != before
    shutil.rmtree(world.top / "rules")
    written = (folder / WEB).read_bytes()
    assert world.run("rollback", *where, "--from", kept, "--plan-only") == 0
    assert (folder / WEB).read_bytes() == written
    assert world.run("rollback", *where, "--from", kept) == 0
    assert (folder / WEB).read_bytes() == before
    names = [
        rule["name"] for group in server.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]
    ]
    assert sorted(names) == ["Down", "Lag", "Lag", "LagTicket", "LagTicket", "web:old", "web:up"]
    capsys.readouterr()
    assert world.run("rollback", *where, "--from", kept) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_the_guards_stay_and_a_tag_is_enough(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = Tenant()
    first(world)
    world.build("kept")
    git(world.top, "init", "-q", "-b", "main")
    git(world.top, "add", "-f", "dist")
    git(world.top, "commit", "-q", "-m", "release")
    git(world.top, "tag", "deploy/prod/v1.0.0")
    shutil.rmtree(world.top / "dist")
    theirs = {"g": {"name": "g", "rules": [{"alert": "X", "expr": "up"}]}}
    tenant.stored["team-a"] = {"team": dict(theirs)}
    with serving(tenant) as server:
        where = ("--target", "mimir", "--url", server.url)
        assert world.run("sync", *where, "--accept-blind", "1h") == 0
        before = json.loads(json.dumps(tenant.stored))
        many = [{"alert": f"More{each}", "expr": "up > 2"} for each in range(12)]
        world.rules("api", {"main": [{**DOWN, "expr": "up == 0"}], "more": many})
        assert world.run("sync", *where) == 0
        server.seen.clear()
        assert world.run("rollback", *where, "--to", "v1.0.0") == 9
        assert "would be deleted" in capsys.readouterr().err
        assert not [each for each in server.lines if not each.startswith(("GET", "POST /prometheus/api"))]
        assert world.run("rollback", *where, "--to", "v1.0.0", "--max-deletes", "20") == 0
        assert tenant.stored == before


def test_a_provisioning_folder(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "alerting"
    folder.mkdir()
    (folder / "theirs.json").write_text("{}")
    where = ("--target", "directory", "--rules-dir", folder)
    first(world)
    assert world.run("sync", *where) == 0
    kept = world.build("kept")
    names = sorted(each.name for each in (kept / "grafana" / "prod").glob("*.json"))
    assert names and all(
        (folder / each).read_bytes() == (kept / "grafana/prod" / each).read_bytes() for each in names
    )
    second(world)
    assert world.run("sync", *where) == 0
    assert world.run("rollback", *where, "--from", kept) == 0
    assert all((folder / each).read_bytes() == (kept / "grafana/prod" / each).read_bytes() for each in names)
    gone = json.loads((folder / "tocsin.shop.prod.json").read_text())["deleteRules"]
    assert len(gone) == 1
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert world.run("rollback", *where, "--from", kept) == 0
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


def test_without_a_manifest_the_live_rules_say_which_alert_is_which(world: World, tmp_path: Path) -> None:
    tenant = Tenant()
    first(world)
    kept = world.build("kept")
    (kept / "manifest.json").unlink()
    with serving(tenant) as server:
        where = ("--target", "mimir", "--url", server.url)
        assert world.run("sync", *where, "--accept-blind", "1h") == 0
        before = json.loads(json.dumps(tenant.stored))
        world.rules("api", {"main": [UP, {**DOWN, "for": "1m"}, OLD]})
        assert world.run("sync", *where, "--rule", "api-down") == 0
        assert tenant.stored != before
        assert world.run("rollback", *where, "--from", kept) == 0
        assert tenant.stored == before


def test_files_of_others_are_no_release(world: World) -> None:
    first(world)
    kept = world.build("kept")
    compiled = compiled_for(world.top, None, None, date(2026, 11, 21), "prometheus")
    settings = compiled.compilation.settings
    assert settings is not None
    files = files_of(kept, "prod")
    web = next(each for each in files if each.endswith("web.rules.yaml"))

    def read(changed: bytes) -> None:
        changes = {**files, web: changed}
        from_rule_files(
            changes, settings.project, compiled.environment, compiled.evaluator, "prometheus", NOTHING
        )

    with pytest.raises(MachineError, match="belongs to other/prod"):
        read(files[web].replace(b"shop/prod", b"other/prod"))
    with pytest.raises(MachineError, match="nobody"):
        read(b"groups: []\n")
    with pytest.raises(MachineError, match="no UTF-8"):
        read(b"\xff")
    with pytest.raises(MachineError, match="holds no prometheus/prod"):
        from_rule_files({}, settings.project, compiled.environment, compiled.evaluator, "prometheus", NOTHING)


def test_files_of_another_evaluator_are_no_release_of_this_one(world: World) -> None:
    """The release is of a time when the environment had one evaluator, so that no folder says which."""
    alone = PROJECT.replace('      - {name: tenant, kind: mimir, version: "2.15", tenant: team-a}\n', "")
    (world.top / "tocsin.yaml").write_text(alone.replace(", api: tenant", ""))
    first(world)
    shutil.rmtree(world.top / "rules/api")
    kept = world.build("kept")
    (world.top / "tocsin.yaml").write_text(PROJECT)
    first(world)
    files = files_of(kept, "prod")
    assert "prometheus/prod/web.rules.yaml" in files
    for kind, found in (("prometheus", ["web"]), ("mimir", [])):
        compiled = compiled_for(world.top, None, None, date(2026, 11, 21), kind)  # type: ignore[arg-type]
        settings = compiled.compilation.settings
        assert settings is not None
        given = (files, settings.project, compiled.environment, compiled.evaluator, compiled.kind, NOTHING)
        if found:
            assert {each.service for each in from_rule_files(*given).groups} == set(found)
            continue
        with pytest.raises(MachineError, match="of tenant"):
            from_rule_files(*given)
