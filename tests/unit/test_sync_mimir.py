"""A Mimir's ruler as a target, against a ruler that keeps groups in memory and answers as Mimir's public reference says. Not run against a real one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.loopback import FakeClock, Loopback, Seen, reply, serving
from tests.ruling import plan_of, rules, synced, wanted
from tests.syncing import NOW, Book
from tests.unit.test_remote_mimir import Ruler

from tocsin.errors import MachineError
from tocsin.remote.http import Door
from tocsin.remote.mimir import Mimir
from tocsin.remote.prometheus import Prometheus
from tocsin.sync.apply import apply, undo
from tocsin.sync.mimir_target import Configured, MimirTarget
from tocsin.sync.values import Desired, Place

WEB = "tocsin.shop.prod.web"
UP = {"record": "web:up", "expr": "sum(up)"}
DOWN = {"alert": "Down", "expr": "up == 0", "for": "5m", "keep_firing_for": "1m30s"}


class Tenant(Ruler):
    """The ruler with the interface of what it evaluates beside it: `evaluated` is what that answers."""

    evaluated: list[object] = []  # noqa: RUF012  # set by each test on its own instance

    def __call__(self, seen: Seen, number: int) -> bytes:
        path = seen.target.split("?")[0].removeprefix("/prometheus/api/v1/")
        data = {
            "rules": {"groups": self.evaluated},
            "status/buildinfo": {"version": "2.15.0"},
            "query": {"resultType": "vector", "result": []},
        }.get(path)
        if data is not None:
            return reply(200, {"status": "success", "data": data})
        return super().__call__(seen, number)


@contextmanager
def running(
    ruler: Ruler, *, owner: str = "shop/prod", configured: Configured | None = None
) -> Iterator[tuple[MimirTarget, Loopback]]:
    with serving(ruler) as server, Door(server.url, clock=FakeClock(), metrics=True) as door:
        client = Mimir(door, tenant="team-a")
        evaluation = Prometheus(door, prefix=("prometheus",), headers=client.headers)
        yield (
            MimirTarget(
                client, evaluation, owner=owner, tenant="team-a", configured=configured or Configured()
            ),
            server,
        )


def desired(*listed: dict[str, str], group: str = "main", **keys: str) -> Desired:
    return wanted(rules("web", {group: listed or (UP, DOWN)}, **keys), kind="mimir", version="2.15")


def writes(server: Loopback) -> list[str]:
    return [each for each in server.lines if not each.startswith(("GET", "POST /prometheus/api"))]


def test_first_second_changed_and_removed() -> None:
    ruler = Tenant()
    with running(ruler) as (target, server):
        first = desired()
        assert [each.state for each in synced(first, target).results] == ["written"]
        assert writes(server) == [f"POST /prometheus/config/v1/rules/{WEB}"]
        stored = ruler.stored["team-a"][WEB]["main"]
        assert stored["rules"][1] == {  # type: ignore[index]
            "alert": "Down", "expr": "up == 0", "for": "5m", "keep_firing_for": "1m30s",
            "labels": {"rule_id": "down", "severity": "warning"},
            "annotations": {
                "owner": "ops", "rule_version": "unreleased", "service": "web", "summary": "it is down", "tocsin_rule": "web down",
            },
        }  # fmt: skip
        assert synced(first, target).results == () and len(writes(server)) == 1

        synced(desired(DOWN, UP), target)
        assert [next(iter(each.values())) for each in ruler.stored["team-a"][WEB]["main"]["rules"]] == [
            "Down",
            "web:up",
        ]  # type: ignore[attr-defined]
        synced(desired(UP, group="fresh"), target)
        assert list(ruler.stored["team-a"][WEB]) == ["fresh"]
        assert writes(server)[2:] == [
            f"POST /prometheus/config/v1/rules/{WEB}",
            f"DELETE /prometheus/config/v1/rules/{WEB}/main",
        ]


def test_a_server_that_writes_durations_its_own_way_is_no_difference() -> None:
    ruler = Tenant()
    with running(ruler) as (target, _):
        synced(desired(), target)
        stored = ruler.stored["team-a"][WEB]["main"]
        stored["interval"] = "1000ms"
        stored["rules"][1] |= {"for": "300s", "keep_firing_for": "90s"}  # type: ignore[index]
        stored["rules"][0] |= {"labels": {}, "annotations": None}  # type: ignore[index]
        stored["source_tenants"] = []
        assert synced(desired(), target).results == ()
        stored["source_tenants"] = ["b"]
        (group,) = plan_of(desired(), target).groups
        assert {each.path for change in group.changes for each in change.fields} == {"group.source_tenants"}


def test_only_our_namespaces_are_written() -> None:
    ruler = Tenant()
    theirs = {"g": {"name": "g", "rules": [{"alert": "X", "expr": "up"}]}}
    foreign = {
        name: copy.deepcopy(theirs) for name in ("team", "tocsin.shop.staging.web", "tocsin.other.prod.web")
    }
    ruler.stored["team-a"] = copy.deepcopy(foreign)  # type: ignore[assignment]
    with running(ruler) as (target, server):
        synced(desired(), target)
        synced(wanted(rules("zzz", {"main": [UP]}), kind="mimir", version="2.15"), target)
        assert {name: ruler.stored["team-a"][name] for name in foreign} == foreign
        assert all("/tocsin.shop.prod." in each for each in writes(server))
        for namespace in foreign:
            with pytest.raises(MachineError, match="is not ours"):
                target.delete_group(Place(namespace, "g"))


def test_limits_are_refused_before_the_first_write() -> None:
    ruler = Tenant()
    ruler.limits = {"ruler_max_rules_per_rule_group": 2, "ruler_max_rule_groups_per_tenant": 3}
    ruler.stored["team-a"] = {"team": {"g": {"name": "g", "rules": [UP]}}}
    many = wanted(
        rules("web", {"a": [UP, DOWN, {**DOWN, "alert": "More"}], "b": [UP | {"record": "b:b"}], "c": [UP | {"record": "c:c"}], "d": [UP | {"record": "d:d"}]}),
        kind="mimir",
        version="2.15",
    )  # fmt: skip
    with running(ruler) as (target, server):
        plan = plan_of(many, target)
        refused = {each.place.group: [why.code for why in each.refusals] for each in plan.groups}
        assert refused == {"a": ["too-many-rules"], "b": [], "c": [], "d": ["too-many-groups"]}
        assert apply(plan, target, Book(), "stop", NOW, "tester").clean and len(writes(server)) == 2
    with running(ruler, configured=Configured(rules_per_group=1, groups=9)) as (target, _):
        assert target.read().limits == {"rules_per_group": 1, "groups": 3}
    ruler.limits = None
    with running(ruler, configured=Configured(groups=9)) as (target, _):
        assert target.read().limits == {"groups": 9}


def test_what_the_rules_do_and_what_is_covered() -> None:
    ruler = Tenant()
    with running(ruler) as (target, _):
        synced(desired(), target)
        alert = {"labels": {}, "annotations": {}, "state": "firing", "activeAt": "", "value": "1"}
        labels = {"rule_id": "down", "severity": "warning"}
        ruler.evaluated = [
            {"name": "main", "file": WEB, "interval": 1, "rules": [
                {"type": "recording", "name": "web:up", "health": "err", "lastError": "no", "labels": {}},
                {"type": "alerting", "name": "Down", "health": "ok", "state": "firing", "labels": labels, "alerts": [alert, alert]},
            ]},
            {"name": "main", "file": "team", "interval": 1, "rules": []},
        ]  # fmt: skip
        found = {uid.rpartition("|")[2]: state for uid, state in target.states().items()}
        assert (found["down"].firing, found["down"].health) == (2, "ok")
        assert (found["web:up{}"].health, found["web:up{}"].error) == ("error", "no")
        assert target.read().server.version == "2.15.0" and not target.covered("up")


def test_a_run_is_taken_back_from_its_journal() -> None:
    ruler = Tenant()
    with running(ruler) as (target, _):
        synced(desired(), target)
        before = copy.deepcopy(ruler.stored)
        book = Book()
        plan = plan_of(desired(DOWN, group="fresh"), target)
        assert apply(plan, target, book, "stop", NOW, "tester").clean and ruler.stored != before
        assert undo(target, book).clean and ruler.stored == before
