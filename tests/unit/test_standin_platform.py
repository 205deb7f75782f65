"""Around the rules: folders (4.1), data sources (4.2), health (4.3), states (5.2), history (5.3), silences."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.standin import Settings, StandIn
from tests.standin.driver import Driver, rule

SILENCES = "/api/alertmanager/grafana/api/v2"
NOW = datetime(2026, 11, 2, 10, 0, 30, tzinfo=UTC)


@pytest.fixture
def api() -> Iterator[Driver]:
    with StandIn("12.0", settings=Settings(now=lambda: NOW)) as standin:
        yield Driver(standin)


def test_a_folder_is_made_once(api: Driver) -> None:
    made = api.folder("ops", "Operations")
    assert (made.status, made.json["uid"], made.json["title"]) == (200, "ops", "Operations")
    assert api.get("/api/folders/ops").json == made.json
    assert api.folder("ops").status == 409
    api.standin.settings.folder_exists_code = 412
    again = api.folder("ops")
    assert (again.status, again.json["status"]) == (412, "version-mismatch")
    lost = api.get("/api/folders/none")
    assert (lost.status, lost.json) == (404, {"message": "folder not found", "status": "not-found"})


@pytest.mark.parametrize(
    "body", [{"uid": "x"}, {"title": " "}, {"title": "t", "uid": "a b"}, {"title": "t", "uid": "x" * 41}]
)
def test_bad_folders(api: Driver, body: dict[str, str]) -> None:
    assert api.call("POST", "/api/folders", body).status == 400


def test_folders_come_in_pages_of_one_parent(api: Driver) -> None:
    for number in range(5):
        api.folder(f"f{number}")
    api.folder("child", parentUid="f0")

    def listed(query: str) -> list[str]:
        return [found["uid"] for found in api.get(f"/api/folders?{query}").json]

    assert listed("limit=2&page=1") == ["f0", "f1"]
    assert listed("limit=2&page=3") == ["f4"]
    assert listed("limit=2&page=4") == []
    assert listed("") == ["f0", "f1", "f2", "f3", "f4"]
    assert listed("parentUid=f0") == ["child"]
    assert api.get("/api/folders?parentUid=none").status == 404
    child = api.get("/api/folders/child").json
    assert (child["parentUid"], child["parents"]) == ("f0", [{"uid": "f0", "title": "F0"}])


def test_folders_have_a_depth_and_no_circle(api: Driver) -> None:
    for number in range(4):
        assert api.folder(f"f{number}", **({"parentUid": f"f{number - 1}"} if number else {})).status == 200
    too_deep = api.folder("f4", parentUid="f3")
    assert (too_deep.status, too_deep.json["messageId"]) == (400, "folder.maximum-depth-reached")

    def move(uid: str, parent: str) -> int:
        return api.call("POST", f"/api/folders/{uid}/move", {"parentUid": parent}).status

    api.folder("top")
    assert [move("f0", "f3"), move("f0", "top"), move("f2", "top"), move("f9", "top")] == [400, 400, 200, 404]
    assert api.get("/api/folders/f3").json["parents"][0]["uid"] == "top"


def test_a_folder_is_changed_by_version(api: Driver) -> None:
    api.folder()

    def put(**body: Any) -> int:
        return api.call("PUT", "/api/folders/ops", {"title": "New", **body}).status

    assert [put(), put(version=7), put(version=1), put(version=1), put(overwrite=True)] == [
        412,
        412,
        200,
        412,
        200,
    ]


def test_a_folder_with_rules_is_deleted_by_force(api: Driver) -> None:
    api.folder("parent")
    api.folder("ops", parentUid="parent")
    api.seed(rule("a"))
    assert api.get("/api/folders/parent/counts").json["alertrule"] == 1
    refused = api.call("DELETE", "/api/folders/parent?forceDeleteRules=false")
    assert (refused.status, "contains alert rules" in refused.json["message"]) == (400, True)
    gone = api.call("DELETE", "/api/folders/parent?forceDeleteRules=true")
    assert (gone.status, gone.json["message"]) == (200, "Folder deleted")
    assert (api.rules(), api.get("/api/folders/ops").status) == ([], 404)


def test_datasources(api: Driver) -> None:
    with api.standin.edit() as edit:
        edit.datasource("loki/1", "Logs & more", type="loki")
    assert [found["type"] for found in api.get("/api/datasources").json] == ["loki", "prometheus"]
    assert api.get("/api/datasources/uid/prom-main").json["name"] == "Prometheus"
    assert api.get("/api/datasources/name/Logs%20%26%20more").json["uid"] == "loki/1"
    assert api.get("/api/datasources/uid/none").status == 404
    assert api.get("/api/datasources/name/none").status == 404


def test_the_version_hides(api: Driver) -> None:
    settings, anonymous = api.standin.settings, Driver(api.standin, None)
    assert anonymous.get("/api/health").json["version"] == "12.0.2"
    settings.hide_version = True
    assert anonymous.get("/api/health").json == {"database": "ok"}
    assert api.get("/api/frontend/settings").json["buildInfo"]["version"] == "12.0.2"
    assert anonymous.get("/api/frontend/settings").status == 401
    settings.hide_build = True
    assert "version" not in api.get("/api/frontend/settings").json["buildInfo"]
    settings.health_code = 503
    assert (api.get("/api/health").status, api.get("/api/health").json["database"]) == (503, "failing")
    settings.health_code = 400
    assert api.get("/api/health").status == 400


def test_a_sub_path_prefixes_everything() -> None:
    with StandIn(settings=Settings(sub_path="/monitoring")) as standin:
        api = Driver(standin)
        assert standin.url.endswith("/monitoring")
        assert (api.get("/api/health").status, api.folder().json["url"]) == (
            200,
            "/monitoring/dashboards/f/ops/ops",
        )
        connection = http.client.HTTPConnection(urlsplit(standin.url).netloc)
        connection.request("GET", "/api/health")
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("Location")) == (301, "/monitoring/api/health")
        connection.close()


def test_a_state_is_what_the_test_says(api: Driver) -> None:
    api.seed(rule("a"), rule("b"))
    alert = {"labels": {"instance": "db-1"}, "state": "Alerting", "activeAt": "2026-11-02T09:40:00Z"}
    with api.standin.edit() as edit:
        edit.set_state("a", state="firing", alerts=[alert])
        edit.pause("b")
    (group,) = api.states()
    assert (group["name"], group["file"], group["folderUid"]) == ("disks", "Ops", "ops")
    assert group["totals"] == {"firing": 1, "inactive": 1}
    first, second = group["rules"]
    assert (first["state"], first["duration"], first["lastEvaluation"]) == (
        "firing",
        300,
        "2026-11-02T10:00:30Z",
    )
    assert first["alerts"][0]["labels"] == {
        "alertname": "a",
        "grafana_folder": "Ops",
        "severity": "page",
        "instance": "db-1",
    }
    assert (second["state"], second["isPaused"], second["lastEvaluation"][:4]) == ("inactive", True, "0001")
    found = api.get("/api/prometheus/grafana/api/v1/alerts").json["data"]["alerts"]
    assert [one["state"] for one in found] == ["Alerting"]


def test_a_changed_rule_starts_anew_and_an_unchanged_one_does_not(api: Driver) -> None:
    api.seed(rule("a"), rule("b"), rule("c"))
    with api.standin.edit() as edit:
        edit.set_state("a", state="firing")
        edit.set_state("b", state="firing")
        edit.set_state("c", state="firing", pinned=True)
    api.put_group([rule("a", title="New"), rule("b"), rule("c", title="New too")])
    assert [found["state"] for found in api.states()[0]["rules"]] == ["inactive", "firing", "firing"]


def test_evaluation_goes_on_by_itself_if_asked(api: Driver) -> None:
    clock = [NOW]
    api.standin.settings.now = lambda: clock[0]
    api.seed(rule("a"), rule("bad", condition="Z"), rule("still", isPaused=True))
    api.standin.settings.evaluates = 10

    def seen() -> list[tuple[str, str]]:
        return [(one["lastEvaluation"][11:19], one["health"]) for one in api.states()[0]["rules"]]

    assert seen() == [("00:00:00", "unknown")] * 3
    clock[0] = NOW + timedelta(seconds=25)
    assert seen() == [("10:00:50", "ok"), ("10:00:50", "error"), ("00:00:00", "unknown")]


def test_states_are_filtered_and_paged(api: Driver) -> None:
    for name in ("g1", "g2", "g3"):
        api.seed(rule(f"in-{name}"), name=name)

    def groups(query: str) -> list[str]:
        return [group["name"] for group in api.states(query)]

    assert groups("?rule_group=g2") == ["g2"]
    assert groups("?rule_uid=in-g1&rule_uid=in-g3") == ["g1", "g3"]
    assert groups("?folder_uid=none") == []
    assert groups("?nonsense=1") == ["g1", "g2", "g3"]
    first = api.get("/api/prometheus/grafana/api/v1/rules?group_limit=2").json["data"]
    token = first["groupNextToken"]
    assert [group["name"] for group in first["groups"]] == ["g1", "g2"]
    last = api.get(f"/api/prometheus/grafana/api/v1/rules?group_limit=2&group_next_token={token}").json[
        "data"
    ]
    assert ([group["name"] for group in last["groups"]], "groupNextToken" in last) == (["g3"], False)
    bad = api.get("/api/prometheus/grafana/api/v1/rules?panel_id=3")
    assert (bad.status, bad.json["status"]) == (400, "error")


def test_history_is_kept_as_annotations(api: Driver) -> None:
    api.seed(rule("a"))
    with api.standin.edit() as edit:
        edit.set_state("a", state="firing")
        edit.set_state("a", state="inactive")
    newest, oldest = api.get("/api/annotations?type=alert&alertUID=a").json
    assert (newest["prevState"], newest["newState"], oldest["newState"]) == ("Alerting", "Normal", "Alerting")
    at = int(NOW.timestamp() * 1000)
    assert len(api.get(f"/api/annotations?from={at}&to={at}").json) == 2
    assert api.get(f"/api/annotations?from={at + 1}").json == []
    assert len(api.get("/api/annotations?limit=1").json) == 1


SILENCE = {
    "matchers": [{"name": "alertname", "value": "a", "isRegex": False}],
    "startsAt": "2026-11-02T10:00:00Z",
    "endsAt": "2026-11-02T11:00:00Z",
    "createdBy": "ann",
    "comment": "work",
}


def test_silences(api: Driver) -> None:
    made = api.call("POST", f"{SILENCES}/silences", SILENCE)
    assert made.status == 202
    name = made.json["silenceID"]
    (found,) = api.get(f"{SILENCES}/silences").json
    assert (found["id"], found["status"]["state"]) == (name, "active")
    assert found["matchers"][0]["isEqual"] is True
    longer = api.call(
        "POST", f"{SILENCES}/silences", SILENCE | {"id": name, "endsAt": "2026-11-02T12:00:00Z"}
    )
    assert longer.json["silenceID"] == name
    other = SILENCE | {"id": name, "matchers": [{"name": "x", "value": "y", "isRegex": True}]}
    assert api.call("POST", f"{SILENCES}/silences", other).json["silenceID"] != name
    assert api.get(f"{SILENCES}/silence/{name}").json["status"]["state"] == "expired"
    assert api.call("DELETE", f"{SILENCES}/silence/{name}").status == 500
    last = api.get(f"{SILENCES}/silences").json[-1]["id"]
    gone = api.call("DELETE", f"{SILENCES}/silence/{last}")
    assert (gone.status, gone.json) == (200, {"message": "silence deleted"})
    assert {one["status"]["state"] for one in api.get(f"{SILENCES}/silences").json} == {"expired"}
    assert api.get(f"{SILENCES}/silence/none").status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"matchers": []},
        {"createdBy": ""},
        {"comment": ""},
        {"endsAt": "2026-11-02T09:00:00Z"},
        {"startsAt": "2026-11-01T09:00:00Z", "endsAt": "2026-11-02T09:00:00Z"},
        {"endsAt": "tomorrow"},
        {"matchers": [{"name": "a", "value": "", "isRegex": False}]},
        {"matchers": [{"name": "a", "value": "b"}]},
    ],
)
def test_bad_silences(api: Driver, change: dict[str, object]) -> None:
    assert api.call("POST", f"{SILENCES}/silences", SILENCE | change).status == 400


def test_the_provisioning_folder_is_reloaded(api: Driver) -> None:
    at = "/api/admin/provisioning/alerting/reload"
    assert api.call("POST", at, {}).json == {"message": "Alerting config reloaded"}
    assert api.standin.log.count("POST", at) == 1
