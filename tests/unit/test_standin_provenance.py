"""Section 1.9 of the contract, the permissions of 1.10, and who is let in at all (1.14)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from tests.standin import DEFAULT_TOKEN, PROFILES, StandIn, Token
from tests.standin.driver import OFF, PROVISIONING, Driver, rule

EVERY = list(PROFILES)


_running: list[StandIn] = []


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    """What `started` began ends with the test."""
    yield
    while _running:
        _running.pop().stop()


def started(profile: str) -> Driver:
    _running.append(StandIn(profile).start())
    return Driver(_running[-1])


def given(profile: str, stored: str) -> Driver:
    """A driver of a stand-in with rule `a` of that provenance."""
    api = started(profile)
    api.seed(rule("a"))
    with api.standin.edit() as edit:
        edit.rule("a", provenance=stored)
    return api


def stored(api: Driver) -> str | None:
    rules = api.standin.org().rules
    return rules["a"].provenance if "a" in rules else None


def group_put(profile: str, was: str, headers: dict[str, str]) -> tuple[int, str | None]:
    api = given(profile, was)
    return api.put_group([rule("a", title="New")], headers=headers).status, stored(api)


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_9_01_none(profile: str) -> None:
    for headers in ({}, dict(OFF)):
        api = given(profile, "")
        assert api.put("a", rule("a"), headers).status == 200
        assert given(profile, "").delete("a", headers).status == 204
        assert group_put(profile, "", headers)[0] == 200


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_9_02_api(profile: str) -> None:
    api = started(profile)
    api.seed(rule("a"))
    assert api.rule("a")["provenance"] == "api"
    api = given(profile, "")
    api.put_group([rule("a", title="New")])
    assert stored(api) == "api"


def test_row_1_9_03_file() -> None:
    old = [group_put(profile, "file", {}) for profile in EVERY]
    assert old == [(500, "file"), (500, "file"), (409, "file"), (409, "file"), (409, "file")]
    assert [group_put(profile, "file", dict(OFF))[0] for profile in EVERY] == [500, 500, 409, 409, 409]
    assert [given(profile, "file").delete("a").status for profile in EVERY] == [500, 500, 500, 500, 409]
    assert [given(profile, "file").put("a", rule("a")).status for profile in EVERY] == [500] * 5
    assert [given(profile, "file").delete_group().status for profile in EVERY] == [404, 404, 409, 409, 409]


def test_row_1_9_04_converted() -> None:
    was = "converted_prometheus"
    assert group_put("12.0", was, dict(OFF)) == (200, "")
    assert group_put("12.0", was, {}) == (409, was)
    assert given("12.0", was).put("a", rule("a"), OFF).status == 500


@pytest.mark.parametrize("value", ["true", "false", "0", " "])
@pytest.mark.parametrize("profile", EVERY)
def test_row_1_9_05_presence(profile: str, value: str) -> None:
    api = started(profile)
    api.seed(rule("a"), headers={"x-disable-provenance": value})
    assert stored(api) == ""


def test_row_1_9_06_header_on_groups() -> None:
    found = [group_put(profile, "", dict(OFF))[1] for profile in EVERY]
    assert found == ["api", "", "", "", ""]


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_9_07_same(profile: str) -> None:
    assert group_put(profile, "api", {}) == (200, "api")
    assert group_put(profile, "", {}) == (200, "api")


def test_row_1_9_08_dropped() -> None:
    # At 9.4 the header does nothing on groups, and so `api` is written.
    assert [group_put(profile, "api", dict(OFF)) for profile in EVERY] == [
        (200, "api"),
        (200, ""),
        (200, ""),
        (200, ""),
        (200, ""),
    ]


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_9_09_mismatch(profile: str) -> None:
    api = given(profile, "file")
    before = api.standin.snapshot()
    refused = api.put_group([rule("a", title="New")])
    assert refused.json["message"] == "cannot update with provided provenance 'api', needs 'file'"
    expected = None if profile in ("9.4", "10.4") else "alerting.provenanceMismatch"
    assert refused.json.get("messageId") == expected
    assert api.standin.snapshot() == before
    # A rule that the PUT would delete counts as well.
    with api.standin.edit() as edit:
        edit.rule("b", folder="ops", group="disks", provenance="api")
    refused = api.put_group([rule("b")])
    assert refused.json["message"] == "cannot delete with provided provenance 'api', needs 'file'"


def test_row_1_9_10_rule_delete() -> None:
    assert [given(profile, "api").delete("a", OFF).status for profile in EVERY] == [204, 500, 500, 500, 204]
    assert [given(profile, "api").delete("a").status for profile in EVERY] == [204] * 5


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_9_11_rule_put(profile: str) -> None:
    api = given(profile, "api")
    refused = api.put("a", rule("a"), OFF)
    assert (refused.status, refused.json["message"]) == (500, "cannot change provenance from 'api' to ''")
    assert api.put("a", rule("a")).status == 200


@pytest.mark.parametrize("profile", EVERY)
def test_row_1_9_12_no_ruler(profile: str) -> None:
    api = given(profile, "api")
    for method in ("GET", "POST", "DELETE"):
        assert api.call(method, "/api/ruler/grafana/api/v1/rules/ops", {}).status == 404


def test_roles_of_1_10() -> None:
    tokens = [
        Token(secret=name, role=name) for name in ("admin", "viewer", "fine-grained", "blind", "nobody")
    ]
    found = {}
    for profile in ("10.4", "12.0"):
        with StandIn(profile, tokens=tokens) as standin:
            Driver(standin, "admin").seed(rule("a"))
            for name in standin.tokens:
                api = Driver(standin, name)
                found[profile, name] = [
                    api.get(f"{PROVISIONING}/alert-rules").status,
                    api.put_group([rule("a", title=f"by {name}")]).status,
                    api.folder(f"of-{name}").status,
                    api.get("/api/prometheus/grafana/api/v1/rules").status,
                    api.get("/api/datasources").status,
                ]
    assert found == {
        ("10.4", "admin"): [200, 200, 200, 200, 200],
        ("10.4", "viewer"): [200, 403, 403, 200, 200],
        ("10.4", "fine-grained"): [403, 403, 403, 200, 200],
        ("10.4", "blind"): [200, 200, 200, 403, 200],
        ("10.4", "nobody"): [403, 403, 403, 403, 403],
        ("12.0", "admin"): [200, 200, 200, 200, 200],
        ("12.0", "viewer"): [200, 403, 403, 200, 200],
        ("12.0", "fine-grained"): [200, 200, 403, 200, 200],
        ("12.0", "blind"): [200, 200, 200, 403, 200],
        ("12.0", "nobody"): [403, 403, 403, 403, 403],
    }


def test_the_body_of_a_403() -> None:
    with StandIn(tokens=[Token(secret="v", role="viewer")]) as standin:
        refused = Driver(standin, "v").folder()
        assert (refused.status, refused.json["title"]) == (403, "Access denied")
        assert refused.json["accessErrorId"].startswith("ACE")
        assert "Permissions needed: folders:create" in refused.json["message"]


def test_a_fine_grained_token_has_its_folders() -> None:
    narrow = Token(secret="n", role="fine-grained", folders=frozenset({"ops"}))
    with StandIn(tokens=[Token(secret=DEFAULT_TOKEN), narrow]) as standin:
        admin, api = Driver(standin), Driver(standin, "n")
        admin.seed(rule("a"))
        admin.seed(rule("b"), folder="far")
        assert api.put_group([rule("a", title="New")]).status == 200
        for refused in (
            api.put_group([rule("b", title="N")], folder="far"),
            api.put_group([rule("a"), rule("b")]),
        ):
            assert (refused.status, refused.json["messageId"]) == (403, "alerting.unauthorized")
        assert (api.delete("never").status, api.delete("b").status, api.delete("a").status) == (500, 403, 204)


@pytest.mark.parametrize(
    ("profile", "header", "expected"),
    [
        ("9.4", "", {"message": "Unauthorized"}),
        ("9.4", "Bearer wrong", {"message": "Invalid API key"}),
        ("12.0", "", {"messageId": "auth.unauthorized"}),
        ("12.0", "Bearer wrong", {"messageId": "api-key.invalid"}),
        ("12.0", "Bearer old", {"messageId": "api-key.expired"}),
        ("12.0", "Basic !", {"messageId": "password-auth.failed"}),
    ],
)
def test_the_body_of_a_401(profile: str, header: str, expected: dict[str, str]) -> None:
    with StandIn(profile, tokens=[Token(secret="old", expired=True)]) as standin:
        refused = Driver(standin, None).get("/api/folders", {"Authorization": header})
        assert refused.status == 401
        assert expected.items() <= refused.json.items()
        assert ("statusCode" in refused.json) == (profile != "9.4")


def test_basic_auth_and_the_organisation_header() -> None:
    ann = Token(secret="pw", kind="user", login="ann", org=1, orgs=frozenset({2}))
    with StandIn(tokens=[ann]) as standin:
        api = Driver(standin, None)

        def asked(user: str, org: str = "") -> tuple[int, object]:
            value = base64.b64encode(user.encode()).decode()
            reply = api.get("/api/org", {"Authorization": f"Basic {value}", "X-Grafana-Org-Id": org})
            return reply.status, reply.json.get("id")

        assert [asked("ann:pw"), asked("ann:pw", "2")] == [(200, 1), (200, 2)]
        assert [asked("ann:no")[0], asked("bob:pw")[0], asked("ann:pw", "3")[0]] == [401, 401, 401]
        assert api.get("/api/org", {"Authorization": "Bearer pw"}).status == 401


def test_who_is_asking() -> None:
    tokens = [Token(secret="sa", login="sa-1-sync"), Token(secret="key", kind="api_key")]
    with StandIn(tokens=tokens) as standin:
        assert Driver(standin, "sa").get("/api/user").json["login"] == "sa-1-sync"
        assert Driver(standin, "key").get("/api/user").status == 404
        permissions = Driver(standin, "sa").get("/api/access-control/user/permissions").json
        assert permissions["alert.provisioning:write"] == [""]
