"""Section 1.8 of the contract: what PUT of a group does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.standin import PROFILES, StandIn
from tests.standin.driver import PROVISIONING, Driver, query, rule

EVERY = list(PROFILES)
CREATES = ["11.6", "12.0", "13.3"]
"""The profiles whose group PUT creates unknown uids."""


@pytest.fixture(params=EVERY)
def api(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A driver of each profile, with rules a and b in ops/disks."""
    with StandIn(request.param) as standin:
        driver = Driver(standin)
        driver.seed(rule("a"), rule("b"))
        yield driver


@pytest.fixture
def newer() -> Iterator[Driver]:
    with StandIn("12.0") as standin:
        driver = Driver(standin)
        driver.seed(rule("a"), rule("b"))
        yield driver


def uids(api: Driver, name: str = "disks", folder: str = "ops") -> list[str]:
    reply = api.get_group(name, folder)
    return [found["uid"] for found in reply.json["rules"]] if reply.status == 200 else []


def versions(api: Driver) -> dict[str, int]:
    return {one.uid: one.version for one in api.standin.org().rules.values()}


def test_row_1_8_01_the_path_wins(api: Driver) -> None:
    body = rule("a", folderUID="else", ruleGroup="else")
    put = api.put_group([body, rule("b")], title="else", folderUid="else")
    assert (put.status, put.json["title"], put.json["folderUid"]) == (200, "disks", "ops")
    found = api.rule("a")
    assert (found["folderUID"], found["ruleGroup"]) == ("ops", "disks")


@pytest.mark.parametrize("body", [{}, {"interval": 0}, {"interval": 15}, {"interval": None}])
def test_row_1_8_02_interval(api: Driver, body: dict[str, Any]) -> None:
    before = api.standin.snapshot()
    reply = api.call("PUT", api.group_path(), body | {"rules": [rule("a")]})
    assert (reply.status, "interval" in reply.json["message"]) == (400, True)
    assert api.standin.snapshot() == before


def test_row_1_8_03_update(api: Driver) -> None:
    assert api.put_group([rule("a", title="New"), rule("b")], interval=120).status == 200
    assert (api.rule("a")["title"], uids(api)) == ("New", ["a", "b"])
    assert api.get_group().json["interval"] == 120


def test_row_1_8_04_move(api: Driver) -> None:
    api.seed(rule("c"), name="cpus")
    api.seed(rule("d"), rule("e"), folder="far")
    assert api.put_group([rule("a"), rule("b"), rule("c"), rule("d")]).status == 200
    assert uids(api) == ["a", "b", "c", "d"]
    assert (uids(api, "cpus"), uids(api, "disks", "far")) == ([], ["e"])


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_8_05_create(profile: str) -> None:
    with StandIn(profile) as standin:
        api = Driver(standin)
        api.folder()
        assert api.put_group([rule(title="one"), rule(title="two")]).status == 200
        made = api.get_group().json["rules"]
        assert [found["title"] for found in made] == ["one", "two"]
        assert len({found["uid"] for found in made} - {""}) == 2


def test_row_1_8_06_delete(api: Driver) -> None:
    assert api.put_group([rule("b")]).status == 200
    assert [found["uid"] for found in api.rules()] == ["b"]


def test_row_1_8_07_unknown_uid(api: Driver) -> None:
    before = api.standin.snapshot()
    reply = api.put_group([rule("a"), rule("b"), rule("new")])
    if api.standin.profile.name in CREATES:
        assert (reply.status, uids(api)) == (200, ["a", "b", "new"])
    else:
        assert reply.status == 500
        text = "failed to update rule with UID new because could not find alert rule"
        assert reply.json["message"].endswith(text)
        assert api.standin.snapshot() == before


@pytest.mark.parametrize("rules", [None, []])
def test_row_1_8_08_no_rules(api: Driver, rules: list[Any] | None) -> None:
    assert api.put_group(rules, interval=120).status == 200
    assert (uids(api), api.get_group().json["interval"]) == (["a", "b"], 120)


def test_row_1_8_09_unpauses(api: Driver) -> None:
    with api.standin.edit() as edit:
        edit.pause("a")
    assert api.rule("a")["isPaused"] is True
    body = rule("a")
    del body["isPaused"]
    api.put_group([body, rule("b")])
    assert api.rule("a")["isPaused"] is False


def test_row_1_8_10_patched(api: Driver) -> None:
    body = rule("a", title="", condition="", data=[], noDataState="", execErrState="")
    assert api.put_group([body, rule("b")]).status == 200
    found = api.rule("a")
    assert (found["title"], found["condition"], len(found["data"])) == ("a", "A", 1)
    assert (found["noDataState"], found["execErrState"]) == ("OK", "Error")


def test_row_1_8_11_for_zero(api: Driver) -> None:
    api.put_group([rule("a") | {"for": "0s"}, rule("b")])
    assert api.rule("a")["for"] == "0s"


def test_row_1_8_12_order(api: Driver) -> None:
    before = versions(api)
    assert api.put_group([rule("b"), rule("a")]).status == 200
    if api.standin.profile.name in CREATES:
        assert uids(api) == ["b", "a"]
    else:
        assert uids(api) == ["a", "b"]
    if api.standin.profile.name == "10.4":
        assert versions(api) == before


def test_row_1_8_13_identical(api: Driver) -> None:
    old = api.standin.profile.name == "9.4"
    api.put_group([rule("a", title="New"), rule("b")])
    assert versions(api) == {"a": 2, "b": 2}  # a group is written whole
    api.put_group([rule("a", title="New"), rule("b")])
    assert versions(api) == ({"a": 3, "b": 3} if old else {"a": 2, "b": 2})
    # What only looks different is identical: the defaults of saving, another spelling of a duration.
    model = query()["model"] | {"intervalMs": 1000, "maxDataPoints": 43200}
    api.put_group([rule("a", title="New", data=[query(model=model)]) | {"for": "300s"}, rule("b")])
    assert versions(api) == ({"a": 4, "b": 4} if old else {"a": 2, "b": 2})


def test_row_1_8_14_all_or_nothing(api: Driver) -> None:
    before = api.standin.snapshot()
    bad = rule("b", data=[query(relativeTimeRange={"from": 0, "to": 0})])
    assert api.put_group([rule("a", title="New"), bad]).status in (400, 500)
    assert api.standin.snapshot() == before


def test_row_1_8_14_one_uid_twice(newer: Driver) -> None:
    before = newer.standin.snapshot()
    assert newer.put_group([rule("a"), rule("a", title="New")]).status == 409
    assert newer.standin.snapshot() == before


def test_row_1_8_15_no_empty_group(newer: Driver) -> None:
    assert newer.put_group([], name="empty").status == 200
    assert newer.get_group("empty").status == 404
    newer.delete("a")
    newer.delete("b")
    assert newer.get_group().status == 404


def test_row_1_8_16_echo(newer: Driver) -> None:
    body = rule("", title="new", keepFiringFor="1m") | {"for": "60m", "folderUID": "x"}
    (echoed,) = newer.put_group([body]).json["rules"]
    assert not {"id", "provenance", "keepFiringFor"} & echoed.keys()
    assert (echoed["uid"], echoed["for"], echoed["folderUID"]) == ("", "1h", "x")
    assert "intervalMs" not in echoed["data"][0]["model"]
    assert echoed["updated"].startswith("0001-")


def test_row_1_8_17_no_provenance(api: Driver) -> None:
    assert api.rule("a")["provenance"] == "api"
    assert all("provenance" not in found for found in api.get_group().json["rules"])


@pytest.mark.parametrize("state", ["Nonsense", "ok"])
def test_row_1_8_18_misleading_message(api: Driver, state: str) -> None:
    before = api.standin.snapshot()
    reply = api.put_group([rule("a", noDataState=state), rule("b")])
    if api.standin.profile.name == "9.4":
        assert (reply.status, reply.json["message"]) == (500, f"unknown NoData state option {state}")
    else:
        assert (reply.status, "interval (0s)" in reply.json["message"]) == (400, True)
    assert api.standin.snapshot() == before


@pytest.mark.parametrize("name", ["a%2Fb", "a/b", "a%252Fb/c"])
def test_row_1_8_19_slash(newer: Driver, name: str) -> None:
    at = f"{PROVISIONING}/folder/ops/rule-groups/{name}"
    assert newer.call("PUT", at, {"interval": 60, "rules": [rule("n")]}).status == 404


def test_row_1_8_20_names(newer: Driver) -> None:
    name = "Datenträger 100 % und 磁盘"
    assert newer.put_group([rule("n")], name=name).json["title"] == name
    assert newer.get_group(name).json["title"] == name
    assert newer.rule("n")["ruleGroup"] == name


def test_groups_left_behind_are_numbered_anew(newer: Driver) -> None:
    newer.seed(rule("c"))
    newer.put_group([rule("a")], name="cpus")
    assert [(one.uid, one.index) for one in newer.standin.org().group("ops", "disks")] == [("b", 1), ("c", 2)]


@pytest.mark.parametrize(("profile", "code"), [("9.4", 500), ("11.6", 400), ("12.0", 200)])
def test_titles_cannot_be_swapped_before_12(profile: str, code: int) -> None:
    """Pitfall 13 of the contract."""
    with StandIn(profile) as standin:
        api = Driver(standin)
        api.seed(rule("a"), rule("b"))
        before = standin.snapshot()
        assert api.put_group([rule("a", title="b"), rule("b", title="a")]).status == code
        assert (standin.snapshot() == before) == (code != 200)


@pytest.mark.parametrize(("profile", "code"), [("9.4", 500), ("10.4", 200)])
def test_a_deleted_title_is_free_at_once(profile: str, code: int) -> None:
    with StandIn(profile) as standin:
        api = Driver(standin)
        api.seed(rule("a"), rule("b"))
        assert api.put_group([rule("b"), rule(title="a")]).status == code
