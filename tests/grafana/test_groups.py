"""What PUT of a group does, the one write that a sync is made of; and what the server makes of what it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from tests.grafana.site import Place
from tests.standin.driver import query


@pytest.fixture
def two(place: Place) -> Place:
    """Rules a and b in the group `disks`."""
    place.seed(place.rule("a"), place.rule("b"))
    return place


def test_the_path_wins_and_the_request_is_echoed(two: Place) -> None:
    put = two.put_group([two.rule("a", ruleGroup="else"), two.rule("b")], title="else", folderUid="else")
    assert (put.status, put.json["title"], put.json["folderUid"]) == (200, "disks", two.folder)
    found = two.read(two.uid("a"))
    assert (found["folderUID"], found["ruleGroup"]) == (two.folder, "disks")


def test_the_echo_is_not_what_is_stored(two: Place) -> None:
    body = two.rule("", title=f"made here {two.mark}")
    put = two.put_group([two.rule("a"), two.rule("b"), body])
    assert put.status == 200, put.body
    assert not put.json["rules"][2].get("uid")
    stored = two.get_group().json["rules"]
    assert len([each for each in stored if each["uid"]]) == 3


@pytest.mark.parametrize("fields", [{}, {"interval": 0}, {"interval": 15}])
def test_a_bad_interval_is_refused_and_nothing_changes(two: Place, fields: dict[str, Any]) -> None:
    put = two.site.call(
        "PUT", two.group_path(), {"rules": [two.rule("a", title=f"new {two.mark}")], **fields}
    )
    assert (put.status, "interval" in put.json["message"]) == (400, True)
    assert two.uids() == ["a", "b"]


def test_update_interval_and_removal(two: Place) -> None:
    assert two.put_group([two.rule("b", title=f"new {two.mark}")], interval=120).status == 200
    assert (two.uids(), two.read(two.uid("b"))["title"]) == (["b"], f"new {two.mark}")
    assert two.get_group().json["interval"] == 120


def test_a_uid_that_lies_elsewhere_is_moved_here(two: Place) -> None:
    far = two.new_folder("far")
    two.seed(two.rule("c", ruleGroup="cpus"), two.rule("d", folderUID=far), two.rule("e", folderUID=far))
    put = two.put_group([two.rule(each) for each in "abcd"])
    assert put.status == 200, put.body
    assert sorted(two.uids()) == ["a", "b", "c", "d"]
    assert (two.uids("cpus"), two.uids(folder=far)) == ([], ["e"])


def test_an_unknown_uid(two: Place) -> None:
    put = two.put_group([two.rule(each) for each in ("a", "b", "new")])
    if two.site.can("uid_in_group") or put.status == 200:
        assert (put.status, sorted(two.uids())) == (200, ["a", "b", "new"])
    else:
        assert (put.status in (400, 404, 500), sorted(two.uids())) == (True, ["a", "b"]), put.body


@pytest.mark.parametrize("rules", [None, []])
def test_without_rules_only_the_interval_is_written(two: Place, rules: list[Any] | None) -> None:
    assert two.put_group(rules, interval=120).status == 200
    assert (sorted(two.uids()), two.get_group().json["interval"]) == (["a", "b"], 120)


def test_a_pause_that_is_not_repeated_ends(two: Place) -> None:
    two.site.need("pauses")
    assert two.put_group([two.rule("a", isPaused=True), two.rule("b")]).status == 200
    assert two.read(two.uid("a"))["isPaused"] is True
    body = two.rule("a")
    del body["isPaused"]
    assert two.put_group([body, two.rule("b")]).status == 200
    assert not two.read(two.uid("a")).get("isPaused")


def test_for_zero_is_honoured(two: Place) -> None:
    assert two.put_group([two.rule("a") | {"for": "0s"}, two.rule("b")]).status == 200
    assert two.read(two.uid("a"))["for"] == "0s"


def test_the_order(two: Place) -> None:
    assert two.put_group([two.rule("b"), two.rule("a")]).status == 200
    if two.site.can("group_order"):
        assert two.uids() == ["b", "a"]
    else:
        assert sorted(two.uids()) == ["a", "b"]


def test_one_bad_rule_and_nothing_changes(two: Place) -> None:
    bad = two.rule("b", title="x" * 191)
    assert two.put_group([two.rule("a", title=f"new {two.mark}"), bad]).status in (400, 500)
    assert two.read(two.uid("a"))["title"] == two.rule("a")["title"]


def test_a_group_goes_with_its_last_rule(two: Place) -> None:
    for name in "ab":
        assert two.delete(two.uid(name)).status == 204
    assert two.get_group().status == 404


def test_a_group_tells_no_provenance(two: Place) -> None:
    assert [each.get("provenance", "") for each in two.get_group().json["rules"]] == ["", ""]


def test_a_group_of_blanks_and_other_scripts(place: Place) -> None:
    place.seed(place.rule("a", ruleGroup="磁盘 & more"))
    assert place.put_group([place.rule("a")], name="磁盘 & more", interval=90).status == 200
    assert place.uids("磁盘 & more") == ["a"]


def test_a_group_with_a_slash_cannot_be_asked_for(place: Place) -> None:
    assert place.get_group("a/b").status == 404
    # `%252F` would be another name: the server must not decode twice.
    assert place.get_group("a%2Fb").status == 404


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("60m", "1h"),
        ("24h", "1d"),
        ("7d", "1w"),
        ("36h", "1d12h"),
        ("90s", "1m30s"),
        ("0", "0s"),
        ("1500ms", None),
    ],
)
def test_durations_are_written_anew(place: Place, sent: str, read: str | None) -> None:
    place.seed(place.rule("a") | {"for": sent})
    found = place.read(place.uid("a"))["for"]
    assert found == read or read is None


def test_what_a_save_adds(place: Place) -> None:
    node = query(model={"refId": "A", "expr": "up", "instant": True, "queryType": "x", "maxDataPoints": 0})
    place.seed(place.rule("a", data=[node]))
    (stored,) = place.read(place.uid("a"))["data"]
    assert stored["model"]["intervalMs"] == 1000
    assert stored["model"]["maxDataPoints"] == 43200
    assert stored["queryType"] == "x"


@pytest.mark.parametrize(
    ("capability", "fields"),
    [
        ("keep_firing_for", {"keep_firing_for": "5m"}),
        ("missing_series", {"missingSeriesEvalsToResolve": 1}),
    ],
)
def test_a_field_is_kept_from_its_version_on_and_forgotten_before(
    place: Place, capability: str, fields: dict[str, Any]
) -> None:
    place.seed(place.rule("a") | fields)
    found = place.read(place.uid("a"))
    kept = {key: found.get(key) for key in fields}
    if place.site.can(capability) or place.site.version >= (11, 5, 0):
        # A change whose release is only known by its date: a version before may have it, and must have it right.
        assert kept == fields or (kept == dict.fromkeys(fields) and not place.site.can(capability))
    else:
        assert kept == dict.fromkeys(fields)


def test_keep_last_is_a_state_from_its_version_on(place: Place) -> None:
    answer = place.post(place.rule("a", execErrState="KeepLast"))
    if place.site.can("keep_last"):
        assert answer.status == 201, answer.body
    elif place.site.version < (10, 4, 0):
        assert answer.status in (400, 500)


def test_values_as_they_were(place: Place) -> None:
    """Text that servers and their databases like to change."""
    hostile = 'nel \x85 line \u2028 crab \U0001f980 quote " back \\ 中文 $HOME $$x ${HOME} {{ $labels.a }}'
    place.seed(place.rule("a", annotations={"summary": hostile}, labels={"of": hostile}))
    found = place.read(place.uid("a"))
    assert (found["annotations"]["summary"], found["labels"]["of"]) == (hostile, hostile)
