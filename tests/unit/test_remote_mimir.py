"""The Mimir client against a ruler that keeps groups in memory, and what only a fake Prometheus can show.

No real Mimir is at hand; the answers here are those of its reference of the HTTP API (YAML, 202, 404 for a tenant without rules).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
import yaml
from tests.loopback import FakeClock, Loopback, Seen, reply, serving

from tocsin.errors import Ambiguous, Denied, Refused, WrongShape
from tocsin.remote.alertmanager import Alertmanager
from tocsin.remote.http import Door
from tocsin.remote.mimir import Mimir, TenantLimits, prefix_of
from tocsin.remote.prometheus import Prometheus

GROUP = "name: lag\ninterval: 1m\nrules:\n  - alert: Lag\n    expr: x > 5\n    labels: {kind: 'on'}\n"


class Ruler:
    """tenant -> namespace -> group name -> group."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, dict[str, object]]] = {}
        self.limits: object = None

    def __call__(self, seen: Seen, _number: int) -> bytes:
        path = [unquote(part) for part in seen.target.split("/")[1:]]
        tenant = seen.headers.get("x-scope-orgid", "")
        if not tenant:
            return reply(401, b"no org id")
        if path == ["api", "v1", "user_limits"]:
            return reply(404) if self.limits is None else reply(200, self.limits)
        if path[:4] != ["prometheus", "config", "v1", "rules"]:
            return reply(404, b"404 page not found")
        mine = self.stored.setdefault(tenant, {})
        match seen.method, path[4:]:
            case "GET", []:
                if not any(mine.values()):
                    return reply(404, b"no rule groups found\n")
                return self._yaml({name: list(groups.values()) for name, groups in mine.items()})
            case "GET", [namespace, group]:
                found = mine.get(namespace, {}).get(group)
                return self._yaml(found) if found else reply(404, b"group does not exist\n")
            case "POST", [namespace]:
                assert seen.headers["content-type"] == "application/yaml"
                body = yaml.safe_load(seen.body)
                if "name" not in body:
                    return reply(400, b"invalid rules config: rule group name must not be empty\n")
                mine.setdefault(namespace, {})[body["name"]] = body
                return reply(202, {"status": "success", "data": None, "errorType": "", "error": ""})
            case "DELETE", [namespace, group]:
                there = mine.get(namespace, {}).pop(group, None)
                return reply(202 if there else 404, b"")
        return reply(405)

    @staticmethod
    def _yaml(value: object) -> bytes:
        return reply(200, yaml.safe_dump(value, allow_unicode=True).encode(), Content_Type="application/yaml")


@contextmanager
def running(ruler: Ruler, tenant: str | None = "team-a") -> Iterator[tuple[Mimir, Loopback]]:
    with serving(ruler) as server, Door(server.url, clock=FakeClock()) as door:
        yield Mimir(door, tenant=tenant), server


def test_groups_of_a_tenant() -> None:
    ruler = Ruler()
    with running(ruler) as (mimir, _):
        assert mimir.rules() == {} and mimir.group("a/b c", "lag") is None
        mimir.set_group("a/b c", GROUP)
        mimir.set_group("a/b c", GROUP.replace("name: lag", "name: 'größe / 2'"))
        mimir.set_group("zwei", GROUP)
        found = mimir.rules()
        assert {name: [each["name"] for each in groups] for name, groups in found.items()} == {
            "a/b c": ["lag", "größe / 2"],
            "zwei": ["lag"],
        }
        assert found["zwei"][0] == yaml.safe_load(GROUP) == mimir.group("zwei", "lag")
        assert list(ruler.stored) == ["team-a"]
        mimir.delete_group("a/b c", "größe / 2")
        mimir.delete_group("a/b c", "größe / 2")
        assert [each["name"] for each in mimir.rules()["a/b c"]] == ["lag"]


def test_ten_thousand_rules_are_read() -> None:
    ruler = Ruler()

    def group() -> dict[str, object]:
        rules = [
            {
                "alert": f"A{n}",
                "expr": "x > 1",
                "labels": dict.fromkeys("abcd", "x"),
                "annotations": dict.fromkeys("efgh", "y"),
            }
            for n in range(100)
        ]
        return {"name": "g", "rules": rules}

    ruler.stored["team-a"] = {f"ns {n}": {"g": group()} for n in range(100)}
    with running(ruler) as (mimir, server):
        found = mimir.rules()
        assert sum(len(group["rules"]) for groups in found.values() for group in groups) == 10_000  # type: ignore[arg-type,misc]
        assert len(server.seen) == 1


def test_no_tenant_is_denied_and_another_one_sees_nothing() -> None:
    ruler = Ruler()
    with running(ruler) as (mimir, _):
        mimir.set_group("a", GROUP)
    with running(ruler, tenant=None) as (mimir, _), pytest.raises(Denied, match="no org id"):
        mimir.rules()
    with running(ruler, tenant="team-b") as (mimir, _):
        assert mimir.rules() == {}


def test_a_group_the_server_does_not_take() -> None:
    with running(Ruler()) as (mimir, _), pytest.raises(Refused, match="name must not be empty"):
        mimir.set_group("a", "rules: []\n")


def test_limits() -> None:
    ruler = Ruler()
    with running(ruler) as (mimir, _):
        assert mimir.limits() == TenantLimits()
        ruler.limits = {"ruler_max_rules_per_rule_group": 20, "ruler_max_rule_groups_per_tenant": 0}
        assert mimir.limits() == TenantLimits(rules_per_group=20)
        ruler.limits = {"ruler_max_rules_per_rule_group": "20"}
        with pytest.raises(WrongShape, match="ruler_max_rules_per_rule_group is no number"):
            mimir.limits()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://m.example/prometheus/", ("https://m.example", ("prometheus",))),
        ("https://m.example/x/prometheus", ("https://m.example/x", ("prometheus",))),
        ("https://m.example", ("https://m.example", ("prometheus",))),
        ("https://prometheus", ("https://prometheus", ("prometheus",))),
    ],
)
def test_the_address_people_give(url: str, found: tuple[str, tuple[str, ...]]) -> None:
    assert prefix_of(url) == found


@pytest.mark.parametrize("body", [b"a: [1", b"- x", b"a: text", b"a: [text]", b"<html>"])
def test_an_answer_that_is_no_list_of_groups(body: bytes) -> None:
    with (
        serving(lambda _seen, _number: reply(200, body)) as server,
        Door(server.url, clock=FakeClock()) as door,
        pytest.raises(WrongShape, match="config/v1/rules"),
    ):
        Mimir(door, tenant="a").rules()


def test_a_write_whose_answer_is_lost_is_ambiguous() -> None:
    with (
        serving(lambda _seen, _number: reply(502, b"<html>")) as server,
        Door(server.url, clock=FakeClock()) as door,
        pytest.raises(Ambiguous),
    ):
        Mimir(door, tenant="a").set_group("x", GROUP)


def test_what_is_evaluated_is_read_with_prefix_and_tenant() -> None:
    answer = {"status": "success", "data": {"groups": []}}
    with (
        serving(lambda _seen, _number: reply(200, answer)) as server,
        Door(server.url, clock=FakeClock()) as door,
    ):
        mimir = Mimir(door, tenant="a")
        assert Prometheus(door, prefix=("prometheus",), headers=mimir.headers).rules() == ()
    assert server.lines == ["GET /prometheus/api/v1/rules"]
    assert server.seen[0].headers["x-scope-orgid"] == "a"


# An Alertmanager and a Prometheus that cannot be had for real ------------------------------------------------------------------


def test_a_prometheus_that_may_not_be_reloaded_says_how_it_could() -> None:
    with (
        serving(lambda _seen, _number: reply(403, b"Lifecycle API is not enabled.")) as server,
        Door(server.url, clock=FakeClock()) as door,
        pytest.raises(Denied, match="Lifecycle API is not enabled") as denied,
    ):
        Prometheus(door).reload()
    assert "--web.enable-lifecycle" in denied.value.help


@pytest.mark.parametrize(("state", "fine"), [("expired", True), ("active", False)])
def test_a_silence_that_cannot_be_ended_is_looked_up(state: str, fine: bool) -> None:
    silence = {
        "id": "x", "matchers": [], "startsAt": "", "endsAt": "", "createdBy": "", "comment": "", "status": {"state": state}
    }  # fmt: skip

    def answer(seen: Seen, _number: int) -> bytes:
        return reply(200, [silence]) if seen.method == "GET" else reply(500, "silence x already expired")

    with serving(answer) as server, Door(server.url, clock=FakeClock()) as door:
        if fine:
            Alertmanager(door).expire("x")
        else:
            with pytest.raises(Ambiguous):
                Alertmanager(door).expire("x")
        assert door.sent == {"DELETE": 1, "GET": 1}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"status": "error", "data": None}, "status"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "data.resultType"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]}}, "data.result[0].value"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "x"]}]}}, "data.result[0].value"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": 1}, "value": [1, "2"]}]}}, "data.result[0].metric.a"),
    ],
)  # fmt: skip
def test_a_wrong_shape_of_a_query(data: object, field: str) -> None:
    with (
        serving(lambda _seen, _number: reply(200, json.dumps(data).encode())) as server,
        Door(server.url, clock=FakeClock(), metrics=True) as door,
        pytest.raises(WrongShape) as wrong,
    ):
        Prometheus(door).query("x")
    assert wrong.value.field == field
