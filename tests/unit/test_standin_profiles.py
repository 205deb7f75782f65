"""Each version profile is told from its neighbours over HTTP, switch by switch.

A probe asks a running stand-in one question. What each version answers is written here by hand, not taken from
profiles.py, so that a switch set wrong in one profile fails that profile's test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple

import pytest
from tests.standin import StandIn, Token
from tests.standin.driver import OFF, PROVISIONING, Driver, query, rule
from tests.standin.profiles import PROFILES, Profile

ORDER = ("9.4", "10.4", "11.6", "12.0", "13.3")
RECEIVER = {"receiver": "grafana-default-email"}


class Probe(NamedTuple):
    """`ask` of a fresh server with rule `a` in ops/disks answers `expected`, one value per profile of ORDER."""

    switch: str
    ask: Callable[[Driver], Any]
    expected: tuple[Any, Any, Any, Any, Any]


def _kept(name: str, value: Any) -> Callable[[Driver], Any]:
    def ask(api: Driver) -> Any:
        api.put("a", rule("a") | {name: value})
        return api.rule("a").get(name) == value

    return ask


def _error_annotated(api: Driver) -> Any:
    api.put("a", rule("a", condition="Z", execErrState="OK"))
    with api.standin.edit() as edit:
        edit.evaluate()
    found = api.states()[0]["rules"][0]
    (alert,) = found["alerts"]
    assert (found["health"], alert["state"]) == ("ok", "Normal (Error)")
    return "Error" in alert["annotations"]


def _posted(**changes: Any) -> Callable[[Driver], Any]:
    return lambda api: api.post(rule("n") | changes).status


def _active_times(api: Driver) -> Any:
    api.call("POST", f"{PROVISIONING}/mute-timings", {"name": "day", "time_intervals": []})
    api.put("a", rule("a", notification_settings=RECEIVER | {"active_time_intervals": ["day"]}))
    return "active_time_intervals" in api.rule("a").get("notification_settings", {})


def _record(api: Driver) -> Any:
    made = api.post(rule("n", record={"metric": "m", "from": "A", "target_datasource_uid": "prom-main"}))
    return made.status, "record" in made.json


def _git_sync(api: Driver) -> Any:
    with api.standin.edit() as edit:
        edit.folder("ops", managed=True)
    return api.put("a", rule("a")).status


def _title_twice(api: Driver) -> Any:
    return api.post(rule("n", title="a")).status


def _late_delete(api: Driver) -> Any:
    return api.put_group([rule(title="a")]).status


def _quota(api: Driver) -> Any:
    api.standin.settings.quota = 1
    return api.put_group([rule("a"), rule(title="n")]).status


def _order(api: Driver) -> Any:
    api.seed(rule("b"))
    api.put_group([rule("b"), rule("a", title="New")])
    return [found["uid"] for found in api.get_group().json["rules"]]


def _noop(api: Driver) -> Any:
    before = api.standin.snapshot()
    api.put_group([rule("a")])
    return api.standin.snapshot() == before


def _enum(api: Driver) -> Any:
    return "interval" in api.put_group([rule("a", noDataState="?")]).json["message"]


def _group_header(api: Driver) -> Any:
    with api.standin.edit() as edit:
        edit.rule("a", provenance="")
    api.put_group([rule("a", title="New")], headers=OFF)
    return api.rule("a").get("provenance", "")


def _dropped(api: Driver) -> Any:
    api.put_group([rule("a", title="New")], headers=OFF)
    return api.rule("a").get("provenance", "")


def _from_file(api: Driver) -> Any:
    with api.standin.edit() as edit:
        edit.rule("a", provenance="file")
    return api.put_group([rule("a", title="New")]).status


def _template(api: Driver) -> Any:
    return api.call("PUT", f"{PROVISIONING}/templates/t", {"template": "x", "version": "?"}).status


def _empty_maps(api: Driver) -> Any:
    api.put("a", rule("a", labels={}))
    return api.rule("a").get("labels", "absent")


def _first_rule(api: Driver) -> Any:
    return api.states()[0]["rules"][0]


def _evaluator(api: Driver) -> Any:
    model = {"refId": "C", "type": "threshold", "expression": "A"}
    model["conditions"] = [{"evaluator": {"type": "gte", "params": [1]}}]  # type: ignore[assignment]
    data = [query(), query(refId="C", datasourceUid="__expr__", model=model)]
    api.put("a", rule("a", condition="C", data=data))
    with api.standin.edit() as edit:
        edit.evaluate()
    return _first_rule(api)["health"]


def _history(api: Driver) -> Any:
    api.seed(rule("b"))
    with api.standin.edit() as edit:
        edit.set_state("a", state="firing")
        edit.set_state("b", state="firing")
    return len(api.get("/api/annotations?type=alert&alertUID=a").json)


def _fine_grained(api: Driver) -> Any:
    api.standin.tokens["fine"] = Token(secret="fine", role="fine-grained")
    return Driver(api.standin, "fine").put_group([rule("a")]).status


def _unauthorized(api: Driver) -> Any:
    return "messageId" in Driver(api.standin, None).get("/api/folders").json


def _parent(api: Driver) -> Any:
    return "parentUid" in api.folder("child", parentUid="ops").json


def _folder_deleted(api: Driver) -> Any:
    api.folder("n")
    return isinstance(api.call("DELETE", "/api/folders/n").json, dict)


def _path(api: Driver) -> Any:
    # The parent is set behind the API, which does not take one in every version.
    with api.standin.edit() as edit:
        edit.folder("child", "Child", parent="ops")
        edit.rule("c", folder="child", group="g")
    return api.states()[0]["file"]


PROBES = (
    Probe("keep_last", _posted(noDataState="KeepLast"), (500, 400, 201, 201, 201)),
    Probe("notification_settings", _kept("notification_settings", RECEIVER), (False, True, True, True, True)),
    Probe("active_time_intervals", _active_times, (False, False, False, False, True)),
    Probe("missing_series", _kept("missingSeriesEvalsToResolve", 3), (False, False, True, True, True)),
    Probe("keep_firing_for", _kept("keep_firing_for", "2m"), (False, False, False, True, True)),
    Probe("record", _record, ((201, False), (201, False), (400, False), (400, False), (201, True))),
    Probe("uid_checked", _posted(uid="a.b"), (201, 400, 400, 400, 400)),
    Probe(
        "range_code",
        _posted(data=[query(relativeTimeRange={"from": 0, "to": 0})]),
        (500, 400, 400, 400, 400),
    ),
    Probe("error_annotated", _error_annotated, (False, False, True, True, True)),
    Probe("empty_folder_refused", _posted(folderUID=""), (201, 400, 400, 400, 400)),
    Probe("folder_must_exist", _posted(folderUID="none"), (201, 201, 400, 400, 400)),
    Probe("root_refused", _posted(folderUID="general"), (201, 201, 201, 201, 400)),
    Probe("git_sync_refused", _git_sync, (200, 200, 200, 400, 400)),
    Probe("reserved_labels", _posted(labels={"__grafana_receiver__": "x"}), (201, 400, 400, 400, 400)),
    Probe("sentinel_refused", _posted(ruleGroup="no_group_for_rule_n***"), (201, 201, 201, 201, 400)),
    Probe("titles_unique", lambda api: _title_twice(api) != 201, (True, True, True, False, False)),
    Probe("title_conflict_code", _title_twice, (500, 400, 400, 201, 201)),
    Probe("deletes_last", _late_delete, (500, 200, 200, 200, 200)),
    Probe("uid_conflict_code", _posted(uid="a", title="n"), (500, 400, 400, 400, 409)),
    Probe("receiver_code", _posted(notification_settings={"receiver": "?"}), (201, 500, 500, 500, 400)),
    Probe("quota_code", _quota, (500, 403, 403, 403, 403)),
    Probe(
        "missing_rule_code",
        lambda api: api.get(f"{PROVISIONING}/alert-rules/n").status,
        (500, 404, 404, 404, 404),
    ),
    Probe("exports", lambda api: api.get(f"{api.group_path()}/export").status, (404, 200, 200, 200, 200)),
    Probe("group_delete", lambda api: api.delete_group().status, (404, 404, 204, 204, 204)),
    Probe(
        "client_uid_in_group",
        lambda api: api.put_group([rule("a"), rule("n")]).status,
        (500, 500, 200, 200, 200),
    ),
    Probe("order_persisted", _order, (["a", "b"], ["a", "b"], ["b", "a"], ["b", "a"], ["b", "a"])),
    Probe("noop_detected", _noop, (False, True, True, True, True)),
    Probe("enum_hidden", _enum, (False, True, True, True, True)),
    Probe("list_provenance", lambda api: "provenance" in api.rules()[0], (False, True, True, True, True)),
    Probe("group_header", _group_header, ("api", "", "", "", "")),
    Probe("drop_provenance", _dropped, ("api", "", "", "", "")),
    Probe("mismatch_code", _from_file, (500, 500, 409, 409, 409)),
    Probe("rule_delete_lenient", lambda api: api.delete("a", OFF).status, (204, 500, 500, 500, 204)),
    Probe("template_versions", _template, (202, 202, 409, 409, 409)),
    Probe("empty_maps", _empty_maps, ("absent", "absent", {}, None, "absent")),
    Probe("nulls_shown", lambda api: "record" in api.rule("a"), (False, False, True, True, False)),
    Probe("state_uids", lambda api: _first_rule(api).get("uid"), (None, None, "a", "a", "a")),
    Probe("state_filters", lambda api: len(api.states("?rule_uid=other")), (1, 1, 0, 0, 0)),
    Probe(
        "unevaluated_health",
        lambda api: _first_rule(api)["health"],
        ("ok", "ok", "unknown", "unknown", "unknown"),
    ),
    Probe("inclusive_thresholds", _evaluator, ("error", "error", "ok", "ok", "ok")),
    Probe("history_uid", _history, (2, 2, 1, 1, 1)),
    Probe("fine_grained", _fine_grained, (403, 403, 200, 200, 200)),
    Probe("accounts_are_users", lambda api: api.get("/api/user").status, (404, 200, 200, 200, 200)),
    Probe("coded_401", _unauthorized, (False, True, True, True, True)),
    Probe("nested_folders", _parent, (False, False, True, True, True)),
    Probe("folder_titles_unique", lambda api: api.folder("n", "Ops").status, (409, 409, 200, 200, 200)),
    Probe("unwrapped_code", _posted(noDataState="?"), (500, 400, 400, 400, 400)),
    Probe("folder_delete_told", _folder_deleted, (False, True, True, True, True)),
    Probe("full_path", _path, ("Child", "Child", "Ops/Child", "Ops/Child", "Ops/Child")),
)


@cache
def answers(profile: str, number: int) -> Any:
    """What a fresh server of that profile says to the probe of that number."""
    with StandIn(profile) as standin:
        api = Driver(standin)
        api.seed(rule("a"))
        return PROBES[number].ask(api)


def fails(tested: str, against: str) -> list[str]:
    """The switches in which a server of profile `against` is not what `tested` has to be."""
    column = ORDER.index(tested)
    return [
        probe.switch
        for number, probe in enumerate(PROBES)
        if answers(against, number) != probe.expected[column]
    ]


@pytest.mark.parametrize("profile", ORDER)
def test_a_profile_is_its_version_and_not_a_neighbour(profile: str) -> None:
    """The profile passes all probes of its version; each neighbour fails some of the same probes."""
    assert fails(profile, profile) == []
    place = ORDER.index(profile)
    for neighbour in {*ORDER[max(0, place - 1) : place], *ORDER[place + 1 : place + 2]}:
        assert len(fails(profile, neighbour)) >= 5, neighbour


def test_each_switch_has_a_probe() -> None:
    switches = {field.name for field in fields(Profile)} - {"name", "version"}
    assert {probe.switch for probe in PROBES} == switches


def test_the_profiles_say_their_version() -> None:
    said = {}
    for name in ORDER:
        with StandIn(name) as standin:
            said[name] = Driver(standin, None).get("/api/health").json["version"]
    assert all(version.startswith(f"{name}.") for name, version in said.items())
    assert tuple(said) == tuple(PROFILES)
