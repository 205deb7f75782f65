"""Section 1.4 of the contract: what is refused, and what is accepted though it cannot work."""

from __future__ import annotations

from typing import Any

import pytest
from tests.standin import PROFILES, Settings, StandIn
from tests.standin.driver import Driver, query, rule

EVERY = list(PROFILES)


def posted(profile: str, body: dict[str, Any], **settings: Any) -> tuple[int, str]:
    """The status and message of a POST of one rule to a new server with folder `ops`."""
    with StandIn(profile, settings=Settings(**settings)) as standin:
        api = Driver(standin)
        api.folder()
        reply = api.post(body)
        return reply.status, reply.json.get("message", "")


def by_profile(body: dict[str, Any]) -> dict[str, int]:
    return {profile: posted(profile, body)[0] for profile in EVERY}


def codes(*values: int) -> dict[str, int]:
    return dict(zip(EVERY, values, strict=True))


def test_row_1_4_01_uid() -> None:
    assert by_profile(rule("x" * 40)) == codes(201, 201, 201, 201, 201)
    assert by_profile(rule("x" * 41)) == codes(500, 400, 400, 400, 400)
    assert by_profile(rule("a.b")) == codes(201, 400, 400, 400, 400)
    assert by_profile(rule("é" * 21)) == codes(500, 400, 400, 400, 400)


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_4_02_names(profile: str) -> None:
    assert posted(profile, rule("a", title="x" * 190, ruleGroup="g" * 190))[0] == 201
    for change in ({"title": "x" * 191}, {"ruleGroup": "é" * 96}, {"title": ""}, {"ruleGroup": ""}):
        assert posted(profile, rule("a") | change)[0] == 400
    assert "should not be greater than 190" in posted(profile, rule("a", title="x" * 191))[1]


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_4_03_data(profile: str) -> None:
    assert posted(profile, rule("a", data=[])) == (
        400,
        "invalid alert rule: no queries or expressions are found",
    )


@pytest.mark.parametrize("profile", EVERY)
@pytest.mark.parametrize(("interval", "said"), [(15, "15s"), (0, "0s"), (-10, "-10s"), (95, "1m35s")])
def test_row_1_4_04_interval(profile: str, interval: int, said: str) -> None:
    with StandIn(profile) as standin:
        api = Driver(standin)
        api.seed(rule("a"))
        refused = api.put_group([rule("a")], interval=interval)
        assert refused.status == 400
        text = f"interval ({said}) should be non-zero and divided exactly by scheduler interval: 10"
        assert refused.json["message"] == f"invalid alert rule: {text}"
        standin.settings.base_interval = 60
        assert api.put_group([rule("a")], interval=30).status == 400


def test_row_1_4_05_numbers() -> None:
    assert posted("12.0", rule("a") | {"for": "-1m"})[0] == 400
    assert posted("12.0", rule("a", keep_firing_for="-1m"))[0] == 400
    assert by_profile(rule("a", missingSeriesEvalsToResolve=0)) == codes(201, 201, 400, 400, 400)
    assert posted("12.0", rule("a", missingSeriesEvalsToResolve=1))[0] == 201


def test_row_1_4_06_states() -> None:
    for change in (
        {"noDataState": ""},
        {"execErrState": ""},
        {"noDataState": "ok"},
        {"execErrState": "NoData"},
    ):
        assert by_profile(rule("a") | change) == codes(500, 400, 400, 400, 400)
    for change in ({"noDataState": "KeepLast"}, {"execErrState": "KeepLast"}):
        assert by_profile(rule("a") | change) == codes(500, 400, 201, 201, 201)
    bare = rule("a")
    del bare["noDataState"]
    assert posted("12.0", bare)[0] == 400


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_4_07_folder_empty(profile: str) -> None:
    status, message = posted(profile, rule("a", folderUID=""))
    if profile == "9.4":
        assert status == 201
        return
    assert status == 400
    assert "folderUID must be set" in message


def test_row_1_4_08_folder_missing() -> None:
    assert by_profile(rule("a", folderUID="none")) == codes(201, 201, 400, 400, 400)
    with StandIn("10.4") as standin:
        api = Driver(standin)
        api.seed(rule("b"))
        api.post(rule("orphan", folderUID="none"))
        assert [found["uid"] for found in api.rules()] == ["orphan", "b"]
        assert [one["name"] for group in api.states() for one in group["rules"]] == ["b"]
    with StandIn("11.6") as standin:
        api = Driver(standin)
        api.seed(rule("a"))
        assert api.put("a", rule("a", folderUID="none")).status == 400
        assert api.put_group([rule("a")], folder="none").status == 400


def test_row_1_4_09_git_sync() -> None:
    found = {}
    for profile in EVERY:
        with StandIn(profile) as standin:
            with standin.edit() as edit:
                edit.folder("ops", managed=True)
            reply = Driver(standin).post(rule("a"))
            found[profile] = reply.status
    assert found == codes(201, 201, 201, 400, 400)
    assert "cannot store rules in folder managed by Git Sync" in reply.json["message"]


def test_row_1_4_10_root() -> None:
    assert by_profile(rule("a", folderUID="general")) == codes(201, 201, 201, 201, 400)


@pytest.mark.parametrize(
    "label", ["__grafana_autogenerated__", "__grafana_receiver__", "__grafana_route_settings_hash__"]
)
def test_row_1_4_11_labels(label: str) -> None:
    assert by_profile(rule("a", labels={label: "x"})) == codes(201, 400, 400, 400, 400)


@pytest.mark.parametrize(
    ("annotations", "status"),
    [
        ({"__dashboardUid__": "d", "__panelId__": "3"}, 201),
        ({"__dashboardUid__": "d"}, 400),
        ({"__panelId__": "3"}, 400),
        ({"__dashboardUid__": "d", "__panelId__": "x"}, 400),
    ],
)
def test_row_1_4_12_panel(annotations: dict[str, str], status: int) -> None:
    old = 500 if status == 400 else status
    assert by_profile(rule("a", annotations=annotations)) == codes(old, status, status, status, status)


def test_row_1_4_13_sentinel() -> None:
    assert by_profile(rule("a", ruleGroup="no_group_for_rule_a***")) == codes(201, 201, 201, 201, 400)
    assert posted("13.3", rule("a", ruleGroup="no_group_for_rule_b***"))[0] == 201


@pytest.mark.parametrize(("start", "end"), [(0, 0), (60, 60), (0, 60), (60, -60)])
def test_row_1_4_14_range(start: int, end: int) -> None:
    body = rule("a", data=[query(relativeTimeRange={"from": start, "to": end})])
    assert by_profile(body) == codes(500, 400, 400, 400, 400)
    expression = query(refId="B", datasourceUid="__expr__", relativeTimeRange={"from": start, "to": end})
    assert posted("12.0", rule("a", data=[query(), expression]))[0] == 201


def test_row_1_4_15_titles() -> None:
    found = {}
    for profile in EVERY:
        with StandIn(profile) as standin:
            api = Driver(standin)
            api.seed(rule("a"))
            api.seed(rule("c"), folder="other")
            assert api.post(rule("d", folderUID="other", title="a")).status == 201
            refused = api.post(rule("b", title="a", ruleGroup="elsewhere"))
            found[profile] = refused.status
            if refused.status == 400:
                assert refused.json["messageId"] == "alerting.alert-rule.conflict"
    assert found == codes(500, 400, 400, 201, 201)


def test_row_1_4_16_uids() -> None:
    found = {}
    for profile in EVERY:
        with StandIn(profile) as standin:
            api = Driver(standin)
            api.seed(rule("a"))
            api.seed(rule("b"), folder="other")
            found[profile] = api.post(rule("a", folderUID="other", title="else")).status
    assert found == codes(500, 400, 400, 400, 409)


def test_row_1_4_17_quota() -> None:
    assert posted("12.0", rule("a"), quota=0) == (403, "quota has been exceeded")
    for profile, status in (("9.4", 500), ("10.4", 403)):
        with StandIn(profile, settings=Settings(quota=1)) as standin:
            api = Driver(standin)
            api.seed(rule("a"))
            assert api.put_group([rule("a"), rule(title="more")]).status == status
            assert len(api.rules()) == 1


def test_row_1_4_18_large_group() -> None:
    with StandIn() as standin:
        api = Driver(standin)
        api.folder()
        assert api.put_group([rule(f"r{number}") for number in range(101)]).status == 200
        assert len(api.get_group().json["rules"]) == 101


def node(**model: Any) -> dict[str, Any]:
    return query(refId="C", datasourceUid="__expr__", model={"refId": "C", "type": "threshold"} | model)


ABOVE = [{"evaluator": {"type": "gt", "params": [1]}}]
AT_LEAST = [{"evaluator": {"type": "gte", "params": [1]}}]


@pytest.mark.parametrize(
    ("profile", "change", "health"),
    [
        ("12.0", {}, "ok"),
        ("12.0", {"condition": "Z"}, "error"),
        ("12.0", {"data": [query(), query()]}, "error"),
        ("12.0", {"data": [query(datasourceUid="gone")]}, "error"),
        ("12.0", {"condition": "C", "data": [query(), node(expression="A", conditions=ABOVE)]}, "ok"),
        ("12.0", {"condition": "C", "data": [query(), node(expression="$A", conditions=ABOVE)]}, "error"),
        ("12.0", {"condition": "C", "data": [query(), node(expression="A", conditions=AT_LEAST)]}, "ok"),
        ("10.4", {"condition": "C", "data": [query(), node(expression="A", conditions=AT_LEAST)]}, "error"),
        ("12.0", {"annotations": {"summary": "{{ $nonsense"}}, "ok"),
    ],
)
def test_row_1_4_19_not_checked(profile: str, change: dict[str, Any], health: str) -> None:
    with StandIn(profile) as standin:
        api = Driver(standin)
        api.seed(rule("a") | change)
        with standin.edit() as edit:
            edit.evaluate()
        (found,) = api.states()[0]["rules"]
        assert found["health"] == health
        assert bool(found["lastError"]) == (health == "error")


def test_row_1_4_20_labels() -> None:
    labels = {"not a label name": "x" * 10_000, "": ""}
    assert by_profile(rule("a", labels=labels)) == codes(201, 201, 201, 201, 201)


def test_a_receiver_has_to_exist() -> None:
    body = rule("a", notification_settings={"receiver": "nobody"})
    assert by_profile(body) == codes(201, 500, 500, 500, 400)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"receiver": ""},
        {"receiver": "grafana-default-email", "group_interval": "0s"},
        {"receiver": "grafana-default-email", "group_by": ["...", "..."]},
    ],
)
def test_notification_settings_are_checked(settings: dict[str, Any]) -> None:
    assert posted("12.0", rule("a", notification_settings=settings))[0] == 400


def test_recording_rules() -> None:
    record = {"metric": "a:b", "from": "A", "target_datasource_uid": "prom-main"}
    assert by_profile(rule("a", record=record)) == codes(201, 201, 400, 400, 201)
    assert posted("13.3", rule("a", record=record | {"from": "Z"}))[0] == 400
    assert posted("13.3", rule("a", record=record | {"metric": "a b"}))[0] == 400
