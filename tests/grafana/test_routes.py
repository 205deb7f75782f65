"""The rows of the contract the client relies on: routes and status codes, conflicts, what is refused and what is not."""

from __future__ import annotations

import json

import pytest
from tests.grafana.site import PROVISIONING, Place, Site
from tests.standin.driver import query


def test_health_tells_the_version_without_credentials(site: Site) -> None:
    answer = site.call("GET", "/api/health", headers={"Authorization": ""})
    assert (answer.status, answer.json["database"], answer.json["version"]) == (200, "ok", site.text)


def test_the_frontends_settings_tell_the_same_version(site: Site) -> None:
    assert site.get("/api/frontend/settings")["buildInfo"]["version"] == site.text


def test_without_a_token_401_and_with_a_wrong_one(site: Site) -> None:
    for login in ("", "Bearer glsa_nonsense"):
        answer = site.call("GET", f"{PROVISIONING}/alert-rules", login=login)
        assert (answer.status, "message" in answer.json) == (401, True)


def test_organisation_and_login(site: Site) -> None:
    assert isinstance(site.get("/api/org")["id"], int)
    user = site.call("GET", "/api/user")
    # A service account's token is nobody's in some versions: the client takes that for no answer.
    assert isinstance(user.json["login"], str) if user.status == 200 else user.status in (403, 404), user.body


def test_a_rule_is_made_read_changed_and_deleted(place: Place) -> None:
    made = place.post(place.rule("a"))
    assert (made.status, made.json["uid"], made.json["ruleGroup"]) == (201, place.uid("a"), "disks")
    listed = [each for each in place.site.rules() if each["uid"] == place.uid("a")]
    assert [each["title"] for each in listed] == [place.rule("a")["title"]]
    changed = place.put(place.uid("a"), place.rule("a") | {"for": "10m"})
    assert (changed.status, place.read(place.uid("a"))["for"]) == (200, "10m")
    gone = place.delete(place.uid("a"))
    assert (gone.status, gone.body) == (204, b"")
    assert place.site.rules() == []


def test_deleting_a_rule_that_is_not_there_is_fine(place: Place) -> None:
    assert place.delete(place.uid("nobody")).status == 204


def test_a_rule_that_is_not_there(place: Place) -> None:
    read = place.site.call("GET", f"{PROVISIONING}/alert-rules/{place.uid('nobody')}")
    assert read.status in ({404} if place.site.can("missing_rule_is_404") else {404, 500})
    put = place.put(place.uid("nobody"), place.rule("nobody"))
    assert put.status == 404


def test_a_group_that_is_not_there(place: Place) -> None:
    assert place.get_group("nobody").status == 404


def test_a_group_is_deleted_as_a_whole(place: Place) -> None:
    place.seed(place.rule("a"), place.rule("b"))
    answer = place.site.call("DELETE", place.group_path())
    if not place.site.can("group_delete") and answer.status != 204:
        assert (answer.status in (404, 405), sorted(place.uids())) == (True, ["a", "b"])
        return
    assert (answer.status, place.uids()) == (204, [])
    assert place.site.call("DELETE", place.group_path()).status == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"for": 300}, "bad request data"),
        ({"for": ""}, "bad request data"),
        ({"title": ""}, ""),
        ({"title": "x" * 191}, ""),
        ({"ruleGroup": "x" * 191}, ""),
        ({"data": []}, ""),
    ],
)
def test_a_bad_rule_is_refused_with_a_message(place: Place, change: dict[str, object], message: str) -> None:
    answer = place.post(place.rule("a") | change)
    assert answer.status == 400, answer.body
    assert message in answer.json["message"]
    assert place.site.rules() == []


@pytest.mark.parametrize(
    "change",
    [
        {"noDataState": "Nonsense"},
        {"execErrState": ""},
        {"annotations": {"__panelId__": "5"}},
        {"data": [query(relativeTimeRange={"from": 0, "to": 0})]},
    ],
)
def test_what_9_x_refuses_as_a_fault_of_its_own_and_later_ones_as_ours(
    place: Place, change: dict[str, object]
) -> None:
    answer = place.post(place.rule("a") | change)
    assert answer.status in ({400} if place.site.version >= (12, 0, 0) else {400, 500}), answer.body
    assert place.site.rules() == []


def test_what_is_no_json_is_refused(place: Place) -> None:
    for raw, kind in ((b"{", "application/json"), (json.dumps(place.rule("a")).encode(), "text/plain")):
        answer = place.site.call(
            "POST", f"{PROVISIONING}/alert-rules", raw=raw, headers={"Content-Type": kind}
        )
        assert answer.status == 400, answer.body
    assert place.site.rules() == []


def test_keys_match_whatever_their_case_and_unknown_ones_are_forgotten(place: Place) -> None:
    body = place.rule("a") | {"keepFiringFor": "5m", "somethingElse": {"a": 1}, "FOLDERUID": place.folder}
    del body["folderUID"]
    assert place.post(body).status == 201
    found = place.read(place.uid("a"))
    assert found["folderUID"] == place.folder
    assert "somethingElse" not in found and found.get("keep_firing_for", "0s") == "0s"


def test_what_no_version_checks_is_stored(place: Place) -> None:
    """Condition, data source, PromQL: a rule that can never work is stored, so the tool has to look itself."""
    broken = [query(datasourceUid="nobody", model={"refId": "A", "expr": "sum(", "instant": True})]
    assert place.post(place.rule("a", condition="Z", data=broken)).status == 201
    assert place.read(place.uid("a"))["condition"] == "Z"


def test_a_title_twice_in_a_folder(place: Place) -> None:
    place.seed(place.rule("a", title="Twice"))
    answer = place.post(place.rule("b", title="Twice"))
    if place.site.can("equal_titles") or (answer.status == 201 and place.site.version >= (11, 6, 0)):
        assert answer.status == 201
    else:
        assert answer.status in (400, 409, 500), answer.body
        assert len(place.site.rules()) == 1


def test_a_title_twice_in_two_folders(place: Place) -> None:
    far = place.new_folder("far")
    place.seed(place.rule("a", title="Twice"), place.rule("b", title="Twice", folderUID=far))
    assert len(place.site.rules()) == 2


def test_a_uid_twice(place: Place) -> None:
    place.seed(place.rule("a"))
    answer = place.post(place.rule("a", title="Another"))
    version = place.site.version
    codes = {400, 409, 500} if version < (12, 2, 0) else {409}
    assert answer.status in codes, answer.body
    assert [each["title"] for each in place.site.rules()] == [place.rule("a")["title"]]


def test_a_rule_without_a_folder(place: Place) -> None:
    answer = place.post(place.rule("a", folderUID=""))
    assert answer.status in ({400} if place.site.can("folder_given") else {201, 400}), answer.body


def test_a_rule_into_no_folder(place: Place) -> None:
    answer = place.post(place.rule("a", folderUID=place.uid("nowhere")))
    assert answer.status in ({400} if place.site.can("folder_check") else {201, 400}), answer.body


def test_a_folder_is_made_once_and_read(place: Place) -> None:
    again = place.site.call("POST", "/api/folders", {"uid": place.folder, "title": f"other {place.mark}"})
    assert again.status in (409, 412), again.body
    assert place.site.get(f"/api/folders/{place.folder}")["title"] == f"f {place.mark}"
    assert place.site.call("GET", f"/api/folders/{place.uid('nowhere')}").status == 404


def test_a_folder_that_holds_rules_is_not_deleted_unless_forced(place: Place) -> None:
    place.seed(place.rule("a"))
    refused = place.site.call("DELETE", f"/api/folders/{place.folder}")
    assert (refused.status, len(place.site.rules())) == (400, 1), refused.body
    assert place.site.call("DELETE", f"/api/folders/{place.folder}?forceDeleteRules=true").status == 200
    assert place.site.rules() == []


def test_a_folder_counts_its_rules(place: Place) -> None:
    place.site.need("nested_folders")
    place.seed(place.rule("a"))
    assert place.site.get(f"/api/folders/{place.folder}/counts")["alertrule"] == 1


def test_data_sources_come_and_go(place: Place) -> None:
    uid = place.uid("ds")
    body = {"uid": uid, "name": uid, "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:1"}
    assert place.site.call("POST", "/api/datasources", body).status == 200
    (found,) = [each for each in place.site.get("/api/datasources") if each["uid"] == uid]
    assert (found["name"], found["type"]) == (uid, "prometheus")
    assert place.site.get(f"/api/datasources/uid/{uid}")["name"] == uid
    assert place.site.call("DELETE", f"/api/datasources/uid/{uid}").status == 200
    assert place.site.call("GET", f"/api/datasources/uid/{uid}").status == 404


def test_the_state_api_has_the_group_and_its_interval(place: Place) -> None:
    place.seed(place.rule("a"))
    assert place.put_group([place.rule("a")], interval=120).status == 200
    data = place.site.get("/api/prometheus/grafana/api/v1/rules")["data"]
    (group,) = [each for each in data["groups"] if f"f {place.mark}" in each["file"]]
    assert (group["name"], group["interval"]) == ("disks", 120)
    (rule,) = group["rules"]
    # Not its state: a server that evaluates may have done so by now.
    assert (rule["name"], rule["type"]) == (place.rule("a")["title"], "alerting")
