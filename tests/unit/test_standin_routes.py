"""Section 1.1 of the contract, and what single rules and durations do (1.2, 1.5, 1.6, 1.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml
from tests.standin import DEFAULT_TOKEN, PROFILES, StandIn, Token
from tests.standin.driver import PROVISIONING, Driver, query, rule

Open = Callable[..., Driver]
EVERY = list(PROFILES)


@pytest.fixture
def grafana() -> Iterator[Open]:
    """`grafana("10.4")` is a driver of a running stand-in of that profile."""
    with ExitStack() as running:

        def start(profile: str = "12.0", **options: Any) -> Driver:
            return Driver(running.enter_context(StandIn(profile, **options)))

        yield start


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_1_01_list(grafana: Open, profile: str) -> None:
    api = grafana(profile)
    assert api.rules() == []
    api.seed(rule("a"), rule("b"))
    assert [(found["uid"], found.get("provenance")) for found in api.rules()] == [
        ("a", None if profile == "9.4" else "api"),
        ("b", None if profile == "9.4" else "api"),
    ]


def test_row_1_1_02_post(grafana: Open) -> None:
    api = grafana()
    api.folder()
    made = api.post(rule("a"))
    assert made.status == 201
    assert made.json == api.rule("a")
    assert api.post(rule("")).json["uid"]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [("9.4", (500, b'{"message":"could not find alert rule","traceID":""}')), ("10.4", (404, b"null"))],
)
def test_row_1_1_03_get(grafana: Open, profile: str, expected: tuple[int, bytes]) -> None:
    api = grafana(profile)
    api.seed(rule("a"))
    found = api.get(f"{PROVISIONING}/alert-rules/a")
    assert (found.status, found.json["title"], found.json["provenance"]) == (200, "a", "api")
    lost = api.get(f"{PROVISIONING}/alert-rules/b")
    assert (lost.status, lost.body) == expected


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_1_04_put(grafana: Open, profile: str) -> None:
    api = grafana(profile)
    api.seed(rule("a"))
    put = api.put("a", rule("other", title="New"))
    assert (put.status, put.json["uid"], put.json["title"]) == (200, "a", "New")
    lost = api.put("b", rule("b"))
    assert (lost.status, lost.body) == (404, b"null")


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_1_05_delete(grafana: Open, profile: str) -> None:
    api = grafana(profile)
    api.seed(rule("a"))
    for uid in ("a", "a", "never"):
        gone = api.delete(uid)
        assert (gone.status, gone.body) == (204, b"")
    assert api.rules() == []


def test_row_1_1_06_get_group(grafana: Open) -> None:
    api = grafana()
    api.seed(rule("a"))
    found = api.get_group().json
    assert (found["title"], found["folderUid"], found["interval"], len(found["rules"])) == (
        "disks",
        "ops",
        60,
        1,
    )
    assert api.get_group("none").status == 404


def test_row_1_1_07_put_group(grafana: Open) -> None:
    api = grafana()
    api.folder()
    put = api.put_group([rule("a")])
    assert (put.status, put.json["title"], put.json["rules"][0]["uid"]) == (200, "disks", "a")


@pytest.mark.parametrize(("profile", "codes"), [("10.4", [404, 404]), ("11.6", [204, 404])])
def test_row_1_1_08_delete_group(grafana: Open, profile: str, codes: list[int]) -> None:
    api = grafana(profile)
    api.seed(rule("a"))
    assert [api.delete_group().status, api.delete_group().status] == codes
    assert len(api.rules()) == (1 if profile == "10.4" else 0)


def test_row_1_1_09_export(grafana: Open) -> None:
    api = grafana()
    api.seed(rule("a", labels={"cost": "$5"}, annotations={"summary": "$6"}))
    at = f"{PROVISIONING}/alert-rules/export"
    group = yaml.safe_load(api.get(at).body)["groups"][0]
    assert (group["folder"], group["name"], group["interval"]) == ("Ops", "disks", "1m")
    assert group["rules"][0]["labels"] == {"cost": "$$5"}
    assert group["rules"][0]["annotations"] == {"summary": "$6"}
    assert api.get(f"{at}?format=json").json["groups"][0]["rules"][0]["uid"] == "a"
    assert api.get(f"{PROVISIONING}/alert-rules/a/export").status == 200
    assert api.get(f"{api.group_path()}/export").status == 200
    assert [api.get(f"{at}?{asked}").status for asked in ("ruleUid=a&group=g", "group=g", "ruleUid=b")] == [
        *(400, 400, 404)
    ]
    assert grafana("9.4").get(at).status == 500  # there, a rule called export


POINT = {"name": "pager", "type": "webhook", "settings": {"url": "http://127.0.0.1/", "maxAlerts": "3"}}
MUTE = {"name": "night", "time_intervals": [{"weekdays": ["monday"]}]}


def test_row_1_1_10_get_contact_points(grafana: Open) -> None:
    api = grafana()
    api.call("POST", f"{PROVISIONING}/contact-points", POINT)
    assert len(api.get(f"{PROVISIONING}/contact-points").json) == 2
    (pager,) = api.get(f"{PROVISIONING}/contact-points?name=pager").json
    assert pager["settings"] == {"url": "[REDACTED]", "maxAlerts": "3"}


def test_row_1_1_11_post_contact_point(grafana: Open) -> None:
    api = grafana()
    codes = [
        api.call("POST", f"{PROVISIONING}/contact-points", b).status for b in (POINT, POINT, {"name": "x"})
    ]
    assert codes == [202, 409, 400]


def test_row_1_1_12_change_contact_point(grafana: Open) -> None:
    api = grafana()
    uid = api.call("POST", f"{PROVISIONING}/contact-points", POINT).json["uid"]
    at = f"{PROVISIONING}/contact-points/{uid}"
    put, lost = api.call("PUT", at, POINT), api.call("PUT", f"{at}x", POINT)
    assert (put.status, put.json) == (202, {"message": "contactpoint updated"})
    assert lost.status == 404
    default = api.call("DELETE", f"{PROVISIONING}/contact-points/grafana-default-email")
    assert default.status == 409
    gone = api.call("DELETE", at)
    assert (gone.status, gone.json) == (202, {"message": "contactpoint deleted"})


def test_row_1_1_12_contact_point_in_use(grafana: Open) -> None:
    api = grafana()
    api.call("POST", f"{PROVISIONING}/contact-points", POINT | {"uid": "pg"})
    api.call("PUT", f"{PROVISIONING}/policies", {"receiver": "pager"})
    refused = api.call("DELETE", f"{PROVISIONING}/contact-points/pg")
    assert (refused.status, refused.json["messageId"]) == (
        409,
        "alerting.notifications.contact-points.referenced",
    )
    api.call("DELETE", f"{PROVISIONING}/policies")
    api.seed(rule("a", notification_settings={"receiver": "pager"}))
    refused = api.call("DELETE", f"{PROVISIONING}/contact-points/pg")
    assert refused.json["messageId"] == "alerting.notifications.contact-points.used-by-rule"


def test_row_1_1_13_get_policies(grafana: Open) -> None:
    api = grafana()
    assert api.get(f"{PROVISIONING}/policies").json["receiver"] == "grafana-default-email"
    with api.standin.edit() as edit:
        edit.org.policies.clear()
    assert api.get(f"{PROVISIONING}/policies").status == 404


def test_row_1_1_14_put_policies(grafana: Open) -> None:
    api = grafana()
    at = f"{PROVISIONING}/policies"
    tree = {"receiver": "grafana-default-email", "routes": [{"receiver": "nobody"}]}
    assert api.call("PUT", at, tree).status == 400
    put = api.call("PUT", at, {"receiver": "grafana-default-email"})
    assert (put.status, put.json) == (202, {"message": "policies updated"})
    off = api.call("PUT", at, {"receiver": "grafana-default-email"}, {"X-Disable-Provenance": "1"})
    assert off.status == 409


def test_row_1_1_15_delete_policies(grafana: Open) -> None:
    api = grafana()
    api.call("PUT", f"{PROVISIONING}/policies", {"receiver": "grafana-default-email", "group_by": ["x"]})
    gone = api.call("DELETE", f"{PROVISIONING}/policies")
    assert (gone.status, gone.json["group_by"]) == (202, ["grafana_folder", "alertname"])


def test_row_1_1_16_get_templates(grafana: Open) -> None:
    api = grafana()
    assert api.get(f"{PROVISIONING}/templates").json == []
    lost = api.get(f"{PROVISIONING}/templates/x")
    assert (lost.status, lost.body) == (404, b"null")


@pytest.mark.parametrize(("profile", "stale"), [("10.4", 202), ("11.6", 409)])
def test_row_1_1_17_put_template(grafana: Open, profile: str, stale: int) -> None:
    api = grafana(profile)
    at = f"{PROVISIONING}/templates/t"
    assert api.call("PUT", at, {"template": ""}).status == 400
    put = api.call("PUT", at, {"template": "x"})
    assert (put.status, put.json["name"], "version" in put.json) == (202, "t", profile == "11.6")
    assert api.call("PUT", at, {"template": "y", "version": "no"}).status == stale
    assert api.call("PUT", at, {"template": "y", "version": put.json.get("version", "")}).status == 202


def test_row_1_1_18_delete_template(grafana: Open) -> None:
    api = grafana()
    at = f"{PROVISIONING}/templates/t"
    api.call("PUT", at, {"template": "x"})
    assert [api.call("DELETE", f"{at}?version=no").status, api.call("DELETE", at).status] == [409, 204]
    assert api.get(at).status == 404


def test_row_1_1_19_get_mute_timings(grafana: Open) -> None:
    api = grafana()
    assert api.get(f"{PROVISIONING}/mute-timings").json == []
    lost = api.get(f"{PROVISIONING}/mute-timings/x")
    assert (lost.status, lost.body) == (404, b"null")


def test_row_1_1_20_post_mute_timing(grafana: Open) -> None:
    api = grafana()
    at = f"{PROVISIONING}/mute-timings"
    assert [api.call("POST", at, body).status for body in (MUTE, MUTE, {})] == [201, 409, 400]


def test_row_1_1_21_put_mute_timing(grafana: Open) -> None:
    api = grafana()
    at = f"{PROVISIONING}/mute-timings"
    api.call("POST", at, MUTE)
    changes = (MUTE, MUTE | {"time_intervals": 1}, MUTE | {"version": "no"})
    assert [api.call("PUT", f"{at}/night", body).status for body in changes] == [202, 400, 409]
    assert api.call("PUT", f"{at}/day", MUTE).status == 404


def test_row_1_1_22_delete_mute_timing(grafana: Open) -> None:
    api = grafana()
    at = f"{PROVISIONING}/mute-timings"
    api.call("POST", at, MUTE)
    settings = {"receiver": "grafana-default-email", "mute_time_intervals": ["night"]}
    api.seed(rule("a", notification_settings=settings))
    assert api.call("DELETE", f"{at}/night").status == 409
    api.delete("a")
    tree = {"receiver": "grafana-default-email"}
    routed = tree | {"routes": [tree | {"mute_time_intervals": ["night"]}]}
    api.call("PUT", f"{PROVISIONING}/policies", routed)
    assert api.call("DELETE", f"{at}/night").status == 409
    api.call("PUT", f"{PROVISIONING}/policies", tree)
    assert api.call("DELETE", f"{at}/night").status == 204


def test_row_1_1_23_notification_exports(grafana: Open) -> None:
    api = grafana()
    api.call("POST", f"{PROVISIONING}/contact-points", POINT)
    api.call("POST", f"{PROVISIONING}/mute-timings", MUTE)
    at = f"{PROVISIONING}/contact-points/export"
    points = yaml.safe_load(api.get(at).body)["contactPoints"]
    assert points[1]["receivers"][0]["settings"]["url"] == "[REDACTED]"
    assert api.get(f"{at}?decrypt=true").status == 403
    assert yaml.safe_load(api.get(f"{PROVISIONING}/policies/export").body)["policies"][0]["orgId"] == 1
    for path in ("mute-timings/export", "mute-timings/night/export"):
        assert yaml.safe_load(api.get(f"{PROVISIONING}/{path}").body)["muteTimes"][0]["name"] == "night"
    assert api.get(f"{PROVISIONING}/mute-timings/day/export").status == 404


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_row_1_1_24_content_type(grafana: Open, content_type: str) -> None:
    api = grafana()
    api.folder()
    refused = api.post(rule("a"), {"Content-Type": content_type})
    assert (refused.status, refused.json) == (400, {"message": "bad request data"})
    assert api.post(rule("a"), {"Content-Type": "application/json; charset=utf-8"}).status == 201


def test_row_1_1_25_empty_body(grafana: Open) -> None:
    api = grafana()
    refused = api.call("PUT", api.group_path(), raw=b"")
    assert (refused.status, "interval (0s)" in refused.json["message"]) == (400, True)


def test_row_1_1_26_keys(grafana: Open) -> None:
    api = grafana()
    api.folder()
    body = rule("a", keepFiringFor="3m", nonsense=[1])
    body["FOLDERuid"] = body.pop("folderUID")
    body["NODATASTATE"] = body.pop("noDataState")
    made = api.post(body)
    assert (made.status, made.json["folderUID"], made.json["noDataState"]) == (201, "ops", "OK")
    assert "nonsense" not in made.json
    assert made.json["keep_firing_for"] == "0s"
    assert api.put("a", rule("a", KEEP_firing_for="3m")).json["keep_firing_for"] == "3m"


def test_row_1_1_27_null(grafana: Open) -> None:
    lost = grafana().get(f"{PROVISIONING}/alert-rules/x")
    assert lost.body == b"null"
    assert "content-type" not in lost.headers


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("for", 300),
        ("for", ""),
        ("for", None),
        ("for", "1.5m"),
        ("for", "-5m"),
        ("title", 1),
        ("labels", {"a": 1}),
        ("isPaused", "true"),
        ("data", {}),
        ("missingSeriesEvalsToResolve", 1.0),
        ("noDataState", True),
    ],
)
def test_wrong_types_are_bad_request_data(grafana: Open, change: str, value: object) -> None:
    api = grafana()
    api.folder()
    refused = api.post(rule("a") | {change: value})
    assert (refused.status, refused.json) == (400, {"message": "bad request data"})


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"interval":NaN}', b'{"interval":60}x', b'{"title":"\xff"}', b'"x"']
)
def test_unreadable_bodies_are_bad_request_data(grafana: Open, raw: bytes) -> None:
    api = grafana()
    refused = api.call("PUT", api.group_path(), raw=raw)
    assert (refused.status, refused.json) == (400, {"message": "bad request data"})


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("60m", "1h"),
        ("24h", "1d"),
        ("7d", "1w"),
        ("36h", "1d12h"),
        ("90s", "1m30s"),
        ("0", "0s"),
        ("8d", "8d"),
        ("365d", "1y"),
        ("1500ms", "1s500ms"),
        ("0s", "0s"),
        ("2w", "2w"),
        ("1h60m", "2h"),
    ],
)
def test_durations_are_rendered_anew(grafana: Open, sent: str, read: str) -> None:
    api = grafana()
    api.seed(rule("a") | {"for": sent})
    assert api.rule("a")["for"] == read


def test_saving_changes_a_rule(grafana: Open) -> None:
    api = grafana()
    model = {"refId": "A", "z": 1.0, "expr": "x", "queryType": "range", "intervalMs": 0}
    span = {"from": 599.9, "to": 0}
    api.seed(rule("a", data=[query(model=model, relativeTimeRange=span)], labels={}, annotations={}))
    stored = api.rule("a")
    (found,) = stored["data"]
    assert list(found["model"]) == ["expr", "intervalMs", "maxDataPoints", "queryType", "refId", "z"]
    assert (found["model"]["intervalMs"], found["model"]["maxDataPoints"]) == (1000, 43200)
    assert (found["queryType"], found["relativeTimeRange"]["from"]) == ("range", 599)
    assert b'"z":1}' in api.get(f"{PROVISIONING}/alert-rules/a").body
    assert {"id", "orgID", "updated", "provenance"} <= stored.keys()


def test_a_rule_takes_the_interval_of_its_group(grafana: Open) -> None:
    api = grafana()
    api.folder()
    api.put_group([rule("a")], interval=30)
    api.post(rule("b"))
    api.post(rule("c", ruleGroup="other"))
    assert (api.get_group().json["interval"], api.get_group("other").json["interval"]) == (30, 60)
    assert [found["uid"] for found in api.get_group().json["rules"]] == ["a", "b"]


def test_a_moved_rule_keeps_its_interval(grafana: Open) -> None:
    api = grafana()
    api.folder()
    api.put_group([rule("a")], interval=30)
    api.put_group([rule("b")], name="other", interval=120)
    assert api.put("a", rule("a", ruleGroup="other")).status == 200
    assert api.get_group().status == 404
    intervals = {one.uid: one.interval for one in api.standin.org().rules.values()}
    assert intervals == {"a": 30, "b": 120}


def test_fields_are_kept_or_dropped_by_version(grafana: Open) -> None:
    settings = {"receiver": "grafana-default-email", "group_by": ["zone", "alertname", "area"]}
    sent = rule("a", keep_firing_for="2m", missingSeriesEvalsToResolve=3, notification_settings=settings)
    kept = {}
    for profile in EVERY:
        api = grafana(profile)
        api.seed(sent)
        names = ("keep_firing_for", "missingSeriesEvalsToResolve", "notification_settings")
        kept[profile] = [name for name in names if name in api.rule("a")]
    assert kept == {
        "9.4": [],
        "10.4": ["notification_settings"],
        "11.6": ["missingSeriesEvalsToResolve", "notification_settings"],
        "12.0": ["keep_firing_for", "missingSeriesEvalsToResolve", "notification_settings"],
        "13.3": ["keep_firing_for", "missingSeriesEvalsToResolve", "notification_settings"],
    }
    found = api.rule("a")["notification_settings"]["group_by"]
    assert found == ["grafana_folder", "alertname", "area", "zone"]


def test_organisations_are_apart(grafana: Open) -> None:
    api = grafana(tokens=[Token(secret=DEFAULT_TOKEN), Token(secret="two", org=2)])
    api.seed(rule("a"))
    other = Driver(api.standin, "two")
    assert (other.rules(), other.get("/api/org").json["id"]) == ([], 2)
    other.folder()
    assert other.post(rule("a")).json["orgID"] == 2
    assert len(api.rules()) == 1
