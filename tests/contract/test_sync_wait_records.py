"""New records and what reads them, in one run of `tocsin sync`: on a real Prometheus, and on a Mimir-shaped ruler whose series come late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.rule_world import World
from tests.contract.rule_world import world as world
from tests.loopback import Seen, reply, serving
from tests.real.components import NEWEST
from tests.real.servers import Server as Running
from tests.unit.test_sync_mimir import Tenant

UP = {"record": "web:up", "expr": "vector(1)"}
DOWN = {"alert": "Down", "expr": "web:up == 0"}
LONG = {"alert": "Long", "expr": "avg_over_time(web:up[1h]) == 0"}


class Late(Tenant):
    """Its record is there from the third question on."""

    asked = 0

    def __call__(self, seen: Seen, number: int) -> bytes:
        if not seen.target.startswith("/prometheus/api/v1/query"):
            return super().__call__(seen, number)
        self.asked += 1
        found = [{"metric": {}, "value": [1.0, "1"]}] if self.asked >= 3 else []
        return reply(200, {"status": "success", "data": {"resultType": "vector", "result": found}})


def evaluated(server: Running) -> list[str]:
    groups = server.get("/api/v1/rules")["data"]["groups"]
    return sorted(rule["name"] for group in groups for rule in group["rules"])


@pytest.mark.parametrize("version", ["2.42", NEWEST])
def test_one_run_is_enough_where_the_record_is_read_now(
    world: World,
    prometheus_server: Callable[..., Running],
    tmp_path: Path,
    version: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    world.evaluated_by(version)
    server = prometheus_server(f"rule_files: ['{folder}/*.yaml']\n", version=version)
    where = ("--target", "prometheus", "--url", server.url, "--rules-dir", folder)
    world.rules("web", {"alerts": [DOWN], "records": [UP]})
    assert world.run("sync", *where) == 0
    said = capsys.readouterr()
    assert evaluated(server) == ["Down", "web:up"]
    assert "records-not-ready" in said.out and "waiting up to 2m for the series of web:up" in said.err
    assert world.run("sync", *where) == 0
    assert "nothing to do" in capsys.readouterr().out

    # An hour is not waited for: it is refused as ever, with the time after which it can follow.
    world.rules("web", {"alerts": [DOWN], "longer": [LONG], "records": [UP]})
    assert world.run("sync", *where) == 9
    said = capsys.readouterr()
    assert "1h2s after the record is written at the latest" in said.out and "waiting" not in said.err
    assert evaluated(server) == ["Down", "web:up"]


def test_a_series_that_comes_late(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    tenant = Late()
    world.rules("api", {"alerts": [{**DOWN, "expr": "api:up == 0"}], "records": [UP]})
    with serving(tenant) as server:
        where = ("--target", "mimir", "--url", server.url)
        assert world.run("sync", *where, "--wait-records", "0s") == 4
        groups = tenant.stored["team-a"]["tocsin.shop.prod.api"]
        assert list(groups) == ["records"] and tenant.asked == 1
        # The record is there, and still nothing of it is: the next run waits as well.
        assert world.run("sync", *where) == 0
        assert sorted(groups) == ["alerts", "records"]
        assert "waiting up to 2m for the series of api:up" in capsys.readouterr().err


def test_waiting_has_an_end(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    tenant = Tenant()
    world.rules("api", {"alerts": [{**DOWN, "expr": "api:up == 0"}], "records": [UP]})
    with serving(tenant) as server:
        where = ("--target", "mimir", "--url", server.url)
        assert world.run("sync", *where, "--wait-records", "2s") == 4
        assert list(tenant.stored["team-a"]["tocsin.shop.prod.api"]) == ["records"]
        assert world.run("sync", *where, "--wait-records", "soon") == 2
        assert "--wait-records: `soon` is no duration" in capsys.readouterr().err
