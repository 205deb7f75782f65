"""Who may change what: provenance by the presence of a header, on rules and on groups."""

from __future__ import annotations

from tests.grafana.site import OFF, PROVISIONING, Place


def provenance(place: Place, name: str) -> str:
    return str(place.read(place.uid(name)).get("provenance", "") or "")


def test_a_rule_made_over_this_interface_is_locked_unless_the_header_is_there(place: Place) -> None:
    place.seed(place.rule("a"))
    place.seed(place.rule("b"), headers=OFF)
    place.seed(place.rule("c"), headers={"X-Disable-Provenance": "false"})
    assert [provenance(place, name) for name in "abc"] == ["api", "", ""]


def test_the_list_tells_it_by_version(place: Place) -> None:
    place.seed(place.rule("a"))
    (found,) = [each for each in place.site.rules() if each["uid"] == place.uid("a")]
    assert (found.get("provenance") or "") in ({"api"} if place.site.can("list_provenance") else {"", "api"})


def test_the_header_on_a_group(place: Place) -> None:
    place.seed(place.rule("a"), headers=OFF)
    assert place.put_group([place.rule("a") | {"for": "10m"}], headers=OFF).status == 200
    assert provenance(place, "a") in ({""} if place.site.can("group_header") else {"", "api"})


def test_a_group_write_locks_what_was_open(place: Place) -> None:
    place.seed(place.rule("a"), headers=OFF)
    assert place.put_group([place.rule("a") | {"for": "10m"}]).status == 200
    assert provenance(place, "a") == "api"


def test_a_group_write_opens_what_was_locked(place: Place) -> None:
    place.site.need("group_header")
    place.seed(place.rule("a"))
    answer = place.put_group([place.rule("a") | {"for": "10m"}], headers=OFF)
    assert (answer.status, provenance(place, "a")) == (200, "")


def test_a_rule_write_never_does(place: Place) -> None:
    place.seed(place.rule("a"))
    answer = place.put(place.uid("a"), place.rule("a") | {"for": "10m"}, headers=OFF)
    assert answer.status in (400, 403, 409, 500), answer.body
    assert provenance(place, "a") == "api"


def test_an_open_rule_is_locked_by_a_rule_write(place: Place) -> None:
    place.seed(place.rule("a"), headers=OFF)
    assert place.put(place.uid("a"), place.rule("a") | {"for": "10m"}).status == 200
    assert provenance(place, "a") == "api"


def test_an_open_rule_is_deleted_either_way(place: Place) -> None:
    place.seed(place.rule("a"), place.rule("b"), headers=OFF)
    assert place.delete(place.uid("a")).status == 204
    assert place.delete(place.uid("b"), headers=OFF).status == 204


def test_a_locked_rule_is_deleted_with_its_own_provenance(place: Place) -> None:
    place.seed(place.rule("a"))
    assert place.delete(place.uid("a")).status == 204


def test_an_account_that_may_only_look(place: Place) -> None:
    place.site.need("accounts")
    name = f"tocsin-{place.mark}"
    made = place.site.call("POST", "/api/serviceaccounts", {"name": name, "role": "Viewer"})
    assert made.status == 201, made.body
    path = f"/api/serviceaccounts/{made.json['id']}"
    try:
        key = place.site.call("POST", f"{path}/tokens", {"name": name})
        assert key.status == 200, key.body
        login = f"Bearer {key.json['key']}"
        answer = place.site.call("POST", f"{PROVISIONING}/alert-rules", place.rule("a"), login=login)
        assert (answer.status, place.site.rules()) == (403, [])
        assert place.site.call("POST", "/api/folders", {"title": place.mark}, login=login).status == 403
    finally:
        assert place.site.call("DELETE", path).status == 200
