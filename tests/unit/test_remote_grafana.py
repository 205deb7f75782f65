"""The Grafana client against the stand-in, in every version it plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.loopback import FakeClock, reply, serving
from tests.standin import DEFAULT_TOKEN, PROFILES, Fault, Settings, StandIn, Token, faults

from tocsin.errors import Ambiguous, Denied, Incompatible, Refused, UsageError, WrongShape
from tocsin.ir.compiled import Datasource
from tocsin.ir.duration import ZERO, Duration
from tocsin.remote.access import Basic, Bearer, Secret
from tocsin.remote.grafana import Grafana, states_by_uid
from tocsin.remote.grafana_server import parse_version
from tocsin.remote.http import Door, WriteInReadOnly
from tocsin.wire.grafana import GrafanaGroup, GrafanaRule, canonical, promql_nodes
from tocsin.wire.live import GroupState, LiveRule, Matcher, RuleState, Silence

PROM = Datasource(name="main", uid="prom-main", type="prometheus")
OLD, NEW = ("9.4", "10.4"), ("12.0", "13.3")
Connect = Callable[..., tuple[StandIn, Grafana]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A stand-in of a profile and a client on it, which end with the test."""
    with ExitStack() as stack:

        def start(profile: str, *, token: Token | None = None, **options: Any) -> tuple[StandIn, Grafana]:
            settings = Settings(**options.pop("settings", {}))
            standin = stack.enter_context(
                StandIn(profile, tokens=[token or Token(secret=DEFAULT_TOKEN)], settings=settings)
            )
            secret = Secret(token.secret if token else DEFAULT_TOKEN)
            auth = Basic(token.login, secret) if token and token.kind == "user" else Bearer(secret)
            door = stack.enter_context(
                Door(standin.url, clock=FakeClock(), auth=auth, read_only=options.pop("read_only", False))
            )
            return standin, Grafana(door, **options)

        yield start


@pytest.fixture(params=sorted(PROFILES))
def both(connect: Connect, request: pytest.FixtureRequest) -> tuple[StandIn, Grafana]:
    """A stand-in with a data source and a folder, and its client; in every version."""
    standin, grafana = connect(request.param)
    with standin.edit() as edit:
        edit.datasource("prom-main", "Main")
        edit.folder("kafka", "Kafka")
    return standin, grafana


def rule(uid: str = "lag", **changes: Any) -> GrafanaRule:
    base = GrafanaRule(
        uid=uid,
        title=f"Title of {uid}",
        condition="C",
        data=promql_nodes("kafka_lag > 5", PROM, ZERO),
        no_data="OK",
        exec_err="OK",
        for_=Duration(600_000),
        labels={"severity": "page"},
        annotations={"summary": "späte Nachrichten"},
    )
    return replace(base, **changes)


def group(*rules: GrafanaRule, name: str = "consumer lag", **changes: Any) -> GrafanaGroup:
    base = GrafanaGroup(name=name, folder_uid="kafka", interval=Duration(120_000), rules=rules)
    return replace(base, **changes)


@contextmanager
def fixed(answers: Mapping[str, object]) -> Iterator[Door]:
    """A server that answers 200 with one JSON a path, and a door to it."""
    with (
        serving(lambda seen, _number: reply(200, answers[seen.target.partition("?")[0]])) as server,
        Door(server.url, clock=FakeClock()) as door,
    ):
        yield door


def by_uid(grafana: Grafana) -> dict[str, LiveRule]:
    return {each.rule.uid: each for each in grafana.rules.all()}


# Server and actor ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_version_by_health(connect: Connect, profile: str) -> None:
    standin, grafana = connect(profile)
    assert grafana.server.text == standin.profile.version
    assert grafana.server.version == parse_version(standin.profile.version)
    assert grafana.server.found_by == "health"
    assert standin.log.count() == 1


@pytest.mark.parametrize("settings", [{"hide_version": True}, {"health_code": 400}])
def test_the_version_by_the_settings(connect: Connect, settings: dict[str, Any]) -> None:
    _, grafana = connect("11.6", settings=settings)
    assert (grafana.server.version, grafana.server.found_by) == ((11, 6, 1), "settings")


def test_a_failing_database_does_not_hide_the_version(connect: Connect) -> None:
    _, grafana = connect("11.6", settings={"health_code": 503})
    assert (grafana.server.version, grafana.server.found_by) == ((11, 6, 1), "health")


def test_the_version_as_assumed_and_the_oldest(connect: Connect) -> None:
    hidden = {"hide_version": True, "hide_build": True}
    _, grafana = connect("13.3", settings=hidden, assume_version=(12, 1, 0))
    assert (grafana.server.version, grafana.server.found_by) == ((12, 1, 0), "assumed")
    _, grafana = connect("13.3", settings=hidden)
    assert (grafana.server.version, grafana.server.found_by) == ((9, 4, 0), "oldest")


@pytest.mark.parametrize("version", ["9.3.16", "8.5.27", "9.3.0-beta1"])
def test_a_grafana_that_is_too_old_is_told_in_a_sentence(version: str) -> None:
    with (
        fixed({"/api/health": {"version": version, "database": "ok"}}) as door,
        pytest.raises(Incompatible) as old,
    ):
        Grafana(door)
    assert f"is Grafana {version}, which cannot list" in str(old.value) and "9.4 and newer" in str(old.value)
    assert old.value.exit_code == 6


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("12.4.0-pre", (12, 4, 0)),
        ("13.0.1+security-01", (13, 0, 1)),
        ("v9.4", (9, 4, 0)),
        ("main", None),
        ("", None),
    ],
)
def test_reading_a_version(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


def test_actors(connect: Connect) -> None:
    _, grafana = connect("12.0")
    actor = grafana.actor()
    assert (actor.org_id, actor.login) == (1, "sa-1-tocsin")
    _, grafana = connect("9.4", token=Token(secret="eyJold", kind="api_key", org=3))
    actor = grafana.actor()
    assert (actor.org_id, actor.org_name, actor.login) == (3, "Org. 3", None)
    _, grafana = connect("10.4", token=Token(secret="pass word", kind="user", login="anna"))
    assert grafana.actor().login == "anna"


def test_what_a_token_may_do(connect: Connect) -> None:
    _, may = connect("11.6")
    _, may_not = connect("11.6", token=Token(secret="t", role="no-folders"))
    assert "folders:create" in (may.permissions() or ())
    assert "folders:create" not in (may_not.permissions() or ("folders:create",))


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_bad_token_is_denied(connect: Connect, profile: str) -> None:
    _, grafana = connect(profile, token=Token(secret="t", expired=True))
    with pytest.raises(Denied, match="401") as denied:
        grafana.rules.all()
    assert denied.value.exit_code == 3


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_below_a_sub_path(connect: Connect, profile: str) -> None:
    standin, grafana = connect(profile, settings={"sub_path": "/ops/grafana"})
    assert grafana.rules.all() == () and grafana.address.endswith("/ops/grafana")
    assert standin.log.count(status=301) == 0


# Folders and data sources ----------------------------------------------------------------------------------


def test_ensuring_a_folder(both: tuple[StandIn, Grafana]) -> None:
    standin, grafana = both
    made = grafana.folders.ensure("orders", "Orders")
    assert (made.uid, made.title, made.parent_uid) == ("orders", "Orders", "")
    standin.log.clear()
    assert grafana.folders.ensure("orders", "Another title").title == "Orders"
    assert standin.log.writes() == []
    assert {each.uid for each in grafana.folders.all()} == {"kafka", "orders"}
    assert grafana.folders.get("none") is None


@pytest.mark.parametrize("code", [409, 412])
def test_a_folder_that_somebody_made_meanwhile(connect: Connect, code: int) -> None:
    standin, grafana = connect("12.0", settings={"folder_exists_code": code})
    standin.plan(
        Fault(kind="answer", method="GET", path="/api/folders/new", reply=faults.plain(404, "no").reply)
    )
    with standin.edit() as edit:
        edit.folder("new", "Theirs")
    assert grafana.folders.ensure("new", "Ours").title == "Theirs"
    assert standin.log.count("POST", status=code) == 1


def test_a_folder_whose_answer_was_lost(connect: Connect) -> None:
    standin, grafana = connect("11.6")
    standin.plan(Fault(kind="reset-after", method="POST", path="/api/folders"))
    assert grafana.folders.ensure("new", "New").title == "New"
    assert standin.log.count("POST") == 1


def test_a_folder_whose_request_was_lost(connect: Connect) -> None:
    standin, grafana = connect("11.6")
    standin.plan(Fault(kind="reset-before", method="POST", path="/api/folders"))
    with pytest.raises(Ambiguous):
        grafana.folders.ensure("new", "New")
    assert "new" not in standin.org().folders


def test_a_folder_whose_title_another_has(connect: Connect) -> None:
    standin, grafana = connect("9.4")
    with standin.edit() as edit:
        edit.folder("other", "Kafka")
    with pytest.raises(Refused) as refused:
        grafana.folders.ensure("kafka", "Kafka")
    assert refused.value.status == 409


def test_no_right_to_make_a_folder(connect: Connect) -> None:
    _, grafana = connect("12.0", token=Token(secret="t", role="no-folders"))
    with pytest.raises(Denied):
        grafana.folders.ensure("new", "New")


def test_folders_in_folders(connect: Connect) -> None:
    standin, grafana = connect("13.3")
    grafana.folders.ensure("top", "Top")
    grafana.folders.ensure("inner", "Inner", "top")
    grafana.folders.ensure("innermost", "Innermost", "inner")
    with standin.edit() as edit:
        edit.folder("synced", "Synced", managed=True)
    found = {each.uid: (each.parent_uid, each.managed_by) for each in grafana.folders.all()}
    assert found == {
        "top": ("", ""),
        "inner": ("top", ""),
        "innermost": ("inner", ""),
        "synced": ("", "repo"),
    }
    assert {each.uid for each in grafana.folders.all(nested=False)} == {"top", "synced"}


def test_only_the_folders_that_are_needed(connect: Connect) -> None:
    standin, grafana = connect("13.3")
    with standin.edit() as edit:
        for number in range(50):
            edit.folder(f"top{number}", f"T{number}")
            edit.folder(f"in{number}", f"I{number}", parent=f"top{number}")
        edit.folder("deep", "Deep", parent="in7")
    standin.log.clear()
    found = {each.uid for each in grafana.folders.covering(["deep", "in3", "top1", "none", ""])}
    assert found == {*(f"top{number}" for number in range(50)), "deep", "in7", "in3"}
    assert standin.log.count("GET") == 5


def test_a_version_without_nesting_is_asked_once_and_makes_none(connect: Connect) -> None:
    standin, grafana = connect("9.4")
    with standin.edit() as edit:
        for number in range(3):
            edit.folder(f"f{number}", f"F{number}")
    standin.log.clear()
    assert len(grafana.folders.all()) == 3
    assert standin.log.count() == 1
    with pytest.raises(Incompatible, match="no nested folders"):
        grafana.folders.ensure("inner", "Inner", "f0")


def test_a_server_that_answers_the_top_for_every_parent_is_asked_to_an_end() -> None:
    folders = [{"uid": "a", "title": "A"}, {"uid": "b", "title": "B"}]
    with fixed({"/api/health": {"version": "13.3.0"}, "/api/folders": folders}) as door:
        found = Grafana(door).folders.all()
        assert [each.uid for each in found] == ["a", "b"]
        assert door.sent == {"GET": 4}


def test_more_folders_than_a_page(connect: Connect) -> None:
    standin, grafana = connect("10.4")
    with standin.edit() as edit:
        for number in range(1001):
            edit.folder(f"f{number}", f"F{number:04}")
    standin.log.clear()
    assert len(grafana.folders.all()) == 1001
    assert standin.log.count() == 2


def test_datasources(both: tuple[StandIn, Grafana]) -> None:
    (source,) = both[1].datasources()
    assert (source.uid, source.name, source.type) == ("prom-main", "Main", "prometheus")


# Rules -----------------------------------------------------------------------------------------------------


def test_a_group_comes_back_as_it_was_sent(both: tuple[StandIn, Grafana]) -> None:
    _, grafana = both
    sent = group(rule("b"), rule("a", paused=True))
    grafana.rules.write_group(sent, known=frozenset(), editable=False)
    read = grafana.rules.group("kafka", "consumer lag")
    assert read is not None and read.interval == sent.interval
    assert [canonical(each) for each in read.rules] == [canonical(each) for each in sent.rules]
    live = by_uid(grafana)
    assert {uid: canonical(each.rule) for uid, each in live.items()} == {
        each.uid: canonical(each) for each in sent.rules
    }
    assert {(each.folder_uid, each.group) for each in live.values()} == {("kafka", "consumer lag")}
    assert all(each.updated and each.id for each in live.values())


def test_a_new_uid_is_created_first_only_where_it_must_be(both: tuple[StandIn, Grafana]) -> None:
    standin, grafana = both
    grafana.rules.write_group(group(rule("a")), known=frozenset(), editable=False)
    standin.log.clear()
    grafana.rules.write_group(group(rule("a"), rule("b")), known=frozenset({"a"}), editable=False)
    posts = 0 if standin.profile.client_uid_in_group else 1
    assert (standin.log.count("POST"), standin.log.count("PUT")) == (posts, 1)
    assert sorted(by_uid(grafana)) == ["a", "b"]
    assert standin.log.count(status=500) == 0


def test_a_group_is_replaced_and_rules_move_in(both: tuple[StandIn, Grafana]) -> None:
    _, grafana = both
    grafana.rules.write_group(group(rule("a"), rule("b")), known=frozenset(), editable=False)
    grafana.rules.write_group(group(rule("c"), name="other"), known=frozenset(), editable=False)
    known = frozenset(by_uid(grafana))
    grafana.rules.write_group(group(rule("a"), rule("c")), known=known, editable=False)
    assert {uid: each.group for uid, each in by_uid(grafana).items()} == {
        "a": "consumer lag",
        "c": "consumer lag",
    }
    assert grafana.rules.group("kafka", "other") is None


def test_titles_change_owners(both: tuple[StandIn, Grafana]) -> None:
    """Swapped, inherited from a rule that goes, taken over by a new one: before 12.0 each meets the unique index."""
    standin, grafana = both
    first = [rule("a", title="A"), rule("b", title="B"), rule("c", title="C"), rule("d", title="D")]
    grafana.rules.write_group(group(*first), known=frozenset(), editable=False)
    standin.log.clear()
    second = [rule("a", title="B"), rule("b", title="A"), rule("d", title="C"), rule("new", title="D")]
    grafana.rules.write_group(group(*second), known=frozenset("abcd"), editable=False)
    assert {uid: each.rule.title for uid, each in by_uid(grafana).items()} == {
        each.uid: each.title for each in second
    }
    assert standin.log.count("PUT") == (2 if standin.profile.titles_unique else 1)
    standin.log.clear()
    grafana.rules.write_group(group(*second), known=frozenset(by_uid(grafana)), editable=False)
    assert standin.log.count("PUT") == 1  # nothing changes owners: no second request


def test_provenance_is_as_wished_where_the_version_can(both: tuple[StandIn, Grafana]) -> None:
    standin, grafana = both
    grafana.rules.write_group(group(rule("locked"), name="l"), known=frozenset(), editable=False)
    grafana.rules.write_group(group(rule("open"), name="o"), known=frozenset(), editable=True)
    headers = ["x-disable-provenance" in each.headers for each in standin.log.select("PUT")]
    assert headers == [False, grafana.rules.editable_groups]
    stored = {uid: each.provenance for uid, each in standin.org().rules.items()}
    assert stored["locked"] == "api"
    if grafana.rules.editable_groups:
        assert stored["open"] == ""
        assert standin.log.count("PUT", status=200) == 2
    if standin.profile.list_provenance:
        assert {uid: each.provenance for uid, each in by_uid(grafana).items()} == stored


def test_the_header_is_absent_and_never_false(connect: Connect) -> None:
    standin, grafana = connect("12.0")
    with standin.edit() as edit:
        edit.folder("kafka", "Kafka")
    grafana.rules.write_group(group(rule("a")), known=frozenset(), editable=False)
    assert not any("x-disable-provenance" in each.headers for each in standin.log.entries)


def test_one_rule_is_written_over(both: tuple[StandIn, Grafana]) -> None:
    _, grafana = both
    grafana.rules.write_group(group(rule("a"), rule("b")), known=frozenset(), editable=False)
    grafana.rules.replace(rule("a", paused=True), group(rule("a")), editable=False)
    assert {uid: each.rule.paused for uid, each in by_uid(grafana).items()} == {"a": True, "b": False}
    read = grafana.rules.group("kafka", "consumer lag")
    assert read is not None and read.interval == Duration(120_000)


def test_one_rule_is_read(both: tuple[StandIn, Grafana]) -> None:
    _, grafana = both
    grafana.rules.write_group(group(rule("a")), known=frozenset(), editable=False)
    there = grafana.rules.get("a")
    assert there is not None and canonical(there.rule) == canonical(rule("a"))
    assert grafana.rules.get("none") is None


def test_deleting(both: tuple[StandIn, Grafana]) -> None:
    standin, grafana = both
    grafana.rules.write_group(group(rule("a"), rule("b")), known=frozenset(), editable=False)
    grafana.rules.delete("a")
    grafana.rules.delete("a")  # gone already
    assert sorted(by_uid(grafana)) == ["b"]
    if grafana.rules.deletes_groups:
        grafana.rules.delete_group("kafka", "consumer lag")
        grafana.rules.delete_group("kafka", "consumer lag")
        assert by_uid(grafana) == {}
    else:
        with pytest.raises(Incompatible):
            grafana.rules.delete_group("kafka", "consumer lag")
        assert standin.log.count("DELETE") == 2


def test_a_group_without_rules_is_never_sent(connect: Connect) -> None:
    standin, grafana = connect("12.0")
    with pytest.raises(ValueError, match="would keep the old ones"):
        grafana.rules.write_group(group(), known=frozenset(), editable=False)
    assert standin.log.writes() == []


@pytest.mark.parametrize("name", ["a/b", "a\\b"])
def test_a_slash_in_a_groups_name_is_never_sent(connect: Connect, name: str) -> None:
    standin, grafana = connect("12.0")
    for act in (
        lambda: grafana.rules.group("kafka", name),
        lambda: grafana.rules.write_group(group(rule(), name=name), known=frozenset(), editable=False),
        lambda: grafana.rules.delete_group("kafka", name),
    ):
        with pytest.raises(UsageError, match="slash"):
            act()
    assert standin.log.count() == 1  # health


@pytest.mark.parametrize("name", ["ünï code", "50% & more?", "a+b=c;d#e"])
def test_any_other_name_works(connect: Connect, name: str) -> None:
    standin, grafana = connect("12.0")
    with standin.edit() as edit:
        edit.folder("kafka", "Kafka")
    grafana.rules.write_group(group(rule("a"), name=name), known=frozenset(), editable=False)
    assert grafana.rules.group("kafka", name) is not None
    assert by_uid(grafana)["a"].group == name


def test_fields_that_tocsin_never_writes_go_back_as_they_were(connect: Connect) -> None:
    standin, grafana = connect("13.3")
    with standin.edit() as edit:
        edit.folder("kafka", "Kafka")
    notify = {"receiver": "grafana-default-email", "group_wait": "30s"}
    grafana.rules.write_group(
        group(rule("a", extra={"notification_settings": notify})), known=frozenset(), editable=False
    )
    before = grafana.rules.group("kafka", "consumer lag")
    assert (
        before is not None
        and before.rules[0].extra["notification_settings"]["receiver"] == notify["receiver"]
    )  # type: ignore[index,call-overload]
    grafana.rules.write_group(group(rule("a")), known=frozenset({"a"}), editable=False)
    assert "notification_settings" not in canonical(by_uid(grafana)["a"].rule).extra
    grafana.rules.write_group(before, known=frozenset({"a"}), editable=False)
    assert grafana.rules.group("kafka", "consumer lag") == before


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.conflict(), Refused),
        (faults.bad_gateway(method="PUT"), Ambiguous),
        (faults.bad_gateway(method="PUT", applied=True), Ambiguous),
        (Fault(kind="reset-after", method="PUT"), Ambiguous),
        (Fault(kind="half", method="PUT"), Ambiguous),
        (faults.redirect("http://127.0.0.1:9/login", method="PUT"), Refused),
        (faults.too_many(method="PUT"), None),
        (faults.unavailable("1", method="PUT"), None),
    ],
)
def test_a_write_that_goes_wrong_is_sent_once_or_was_not_applied(
    connect: Connect, fault: Fault, error: type[Exception] | None
) -> None:
    standin, grafana = connect("12.0")
    with standin.edit() as edit:
        edit.folder("kafka", "Kafka")
    standin.plan(fault)
    if error is None:
        grafana.rules.write_group(group(rule("a")), known=frozenset(), editable=False)
        assert "a" in standin.org().rules
    else:
        with pytest.raises(error):
            grafana.rules.write_group(group(rule("a")), known=frozenset(), editable=False)
        assert standin.log.count("PUT") == 1


def test_reads_survive_what_passes(connect: Connect) -> None:
    standin, grafana = connect("12.0")
    standin.plan(faults.too_many(), faults.bad_gateway(), Fault(kind="reset-before"))
    assert grafana.rules.all() == ()


def test_reading_never_writes(connect: Connect) -> None:
    standin, grafana = connect("12.0", read_only=True)
    for act in (
        lambda: grafana.rules.write_group(group(rule()), known=frozenset(), editable=False),
        lambda: grafana.rules.delete("a"),
        lambda: grafana.folders.ensure("new", "New"),
        lambda: grafana.alertmanager.expire("x"),
    ):
        with pytest.raises(WriteInReadOnly):
            act()
    grafana.rules.all(), grafana.states(), grafana.datasources(), grafana.policies(), grafana.contact_points()
    grafana.alertmanager.silences(), grafana.actor(), grafana.folders.all()
    assert standin.log.writes() == []


# States ----------------------------------------------------------------------------------------------------


def test_states_by_uid_in_every_version(both: tuple[StandIn, Grafana]) -> None:
    standin, grafana = both
    grafana.rules.write_group(group(rule("a"), rule("b")), known=frozenset(), editable=False)
    with standin.edit() as edit:
        edit.set_state(
            "a",
            state="firing",
            last_evaluation="2026-11-02T10:00:00Z",
            alerts=[{"labels": {"topic": "x"}}, {"labels": {"topic": "y"}, "state": "Pending"}],
        )
        edit.set_state(
            "b", health="error", last_error="no data source", last_evaluation="0001-01-01T00:00:00Z"
        )
    states = grafana.states()
    assert [(each.name, each.file, each.interval) for each in states] == [
        ("consumer lag", "Kafka", Duration(120_000))
    ]
    found = states_by_uid(states, grafana.rules.all(), grafana.folders.all())
    assert set(found) == {"a", "b"}
    assert (found["a"].state, found["a"].evaluated) == ("firing", True)
    assert (found["a"].count("firing"), found["a"].count("pending")) == (1, 1)
    assert found["a"].instances[0].labels["topic"] == "x"
    assert (found["b"].health, found["b"].evaluated) == ("error", False)
    assert found["b"].last_error == ("no data source" if standin.profile.error_annotated else "")
    assert found["a"].for_ == Duration(600_000)


def test_states_come_in_pages(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    standin, grafana = connect("13.3")
    monkeypatch.setattr("tocsin.remote.grafana._GROUPS_A_PAGE", 2)
    with standin.edit() as edit:
        edit.folder("kafka", "Kafka")
    for number in range(5):
        grafana.rules.write_group(
            group(rule(f"r{number}"), name=f"g{number}"), known=frozenset(), editable=False
        )
    standin.log.clear()
    assert [each.name for each in grafana.states()] == [f"g{number}" for number in range(5)]
    assert standin.log.count("GET") == 3


def test_pages_without_end_are_noticed() -> None:
    page = {"status": "success", "data": {"groups": [], "groupNextToken": "again"}}
    answers = {"/api/health": {"version": "13.3.0"}, "/api/prometheus/grafana/api/v1/rules": page}
    with fixed(answers) as door, pytest.raises(WrongShape, match="no end"):
        Grafana(door).states()


def test_a_group_that_lies_on_two_pages_is_one_group() -> None:
    def page(uid: str, token: str) -> object:
        state = {"type": "alerting", "name": uid, "uid": uid}
        group = {"name": "g", "file": "F", "folderUid": "f", "interval": 60, "rules": [state]}
        return {"status": "success", "data": {"groups": [group], "groupNextToken": token}}

    pages = [page("a", "more"), page("b", "")]
    with serving(
        lambda _seen, number: reply(200, pages[number - 1] if number else {"version": "13.3.0"})
    ) as server:
        with_door = Door(server.url, clock=FakeClock())
        (only,) = Grafana(with_door).states()
        with_door.close()
    assert [each.uid for each in only.rules] == ["a", "b"]


def test_two_rules_of_one_name_are_not_guessed() -> None:
    def state(group: str) -> RuleState:
        return RuleState(
            name="Same", group=group, file="F", type="alerting", health="ok", state="inactive",
            last_error="", last_evaluation="", instances=(),
        )  # fmt: skip

    def live(uid: str, group: str) -> LiveRule:
        return LiveRule(rule=rule(uid, title="Same"), folder_uid="f", group=group, provenance="", updated="")

    from tocsin.wire.live import LiveFolder

    states = [
        GroupState(name=name, file="F", interval=ZERO, rules=(state(name),)) for name in ("g1", "g2", "g2")
    ]
    found = states_by_uid(states, [live("a", "g1"), live("b", "g2")], [LiveFolder(uid="f", title="F")])
    assert set(found) == {"a"}


# What is not ours ------------------------------------------------------------------------------------------


def test_silences(both: tuple[StandIn, Grafana]) -> None:
    _, grafana = both
    wanted = Silence(
        matchers=(
            Matcher(name="rule_id", value="a|b", is_regex=True),
            Matcher(name="env", value="x", is_equal=False),
        ),
        starts_at="2036-11-02T10:00:00.000Z",
        ends_at="2036-11-02T12:00:00.000Z",
        created_by="anna",
        comment="tocsin hold",
    )
    id = grafana.alertmanager.create(wanted)
    (read,) = grafana.alertmanager.silences()
    assert (read.id, read.matchers, read.created_by, read.comment) == (
        id,
        wanted.matchers,
        "anna",
        "tocsin hold",
    )
    grafana.alertmanager.expire(id)
    grafana.alertmanager.expire(id)
    assert [each.state for each in grafana.alertmanager.silences()] in ([], ["expired"])


def test_policies_and_contact_points(both: tuple[StandIn, Grafana]) -> None:
    standin, grafana = both
    policies = grafana.policies()
    assert isinstance(policies, dict) and policies["receiver"] in grafana.contact_points()
    assert standin.log.writes() == []


def test_a_wrong_shape_in_the_list_names_rule_and_field() -> None:
    answers: dict[str, object] = {
        "/api/health": {"version": "12.0.0"},
        "/api/v1/provisioning/alert-rules": [
            {"uid": "a", "title": "A", "data": []},
            {"uid": "b", "title": 7},
        ],
    }
    with fixed(answers) as door, pytest.raises(WrongShape) as wrong:
        Grafana(door).rules.all()
    assert wrong.value.field == "[1].title"
    assert wrong.value.endpoint == f"GET {door.base_url}/api/v1/provisioning/alert-rules"
