"""Rule files and servers that fail in ways a real one does not on request: lost answers, hands in the folder, a replica that is away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.ruling import files_target, plan_of, rules, synced, wanted
from tests.syncing import NOW, Book

from tocsin.errors import Ambiguous, NotSent, Refused
from tocsin.ir.duration import Duration
from tocsin.sync.apply import apply, resume, undo
from tocsin.sync.drift import drift_of
from tocsin.sync.loaded import differs, together
from tocsin.sync.prometheus_target import groups_in
from tocsin.sync.values import Group, Place, State
from tocsin.wire.live import AlertInstance, GroupState, RuleState, Sample

WEB, ZOO = "tocsin.shop.prod.web.rules.yaml", "tocsin.shop.prod.zoo.rules.yaml"
UP = {"record": "web:up", "expr": "sum(up)"}
DOWN = {"alert": "Down", "expr": "up == 0", "for": "5m"}

LATE = {**DOWN, "alert": "Late"}


class Server:
    """A Prometheus in memory: it evaluates what the folder held when it was last told to read it."""

    def __init__(self, folder: Path, name: str = "one") -> None:
        self.folder, self.address = folder, f"http://{name}"
        self.loaded: tuple[GroupState, ...] = ()
        self.trouble: list[Callable[[], None]] = []
        """What happens at the next reloads, one each."""

    def version(self) -> str:
        return "3.5.0"

    def rules(self) -> tuple[GroupState, ...]:
        return self.loaded

    def query(self, expr: str, *, at: float | None = None) -> tuple[Sample, ...]:
        return ()

    def reload(self) -> None:
        if self.trouble:
            self.trouble.pop(0)()
        self.load()

    def load(self) -> None:
        self.loaded = tuple(
            _state(group, f"/etc/prometheus/{path.name}")
            for path in sorted(self.folder.glob("*.yaml"))
            for group in groups_in(path.read_text(), path.name, "shop/prod")
        )


def _state(group: Group, file: str) -> GroupState:
    made = []
    for rule in group.rules:
        body = rule.body
        made.append(
            RuleState(
                name=rule.title, group=group.place.group, file=file,
                type="alerting" if rule.kind == "alert" else "recording",
                health="ok", state="", last_error="", last_evaluation="", instances=(),
                query=str(body["expr"]), labels=body["labels"],  # type: ignore[arg-type]
                annotations=body.get("annotations", {}),  # type: ignore[arg-type]
                for_=Duration(int(str(body.get("for", 0)))),
                keep_firing_for=Duration(int(str(body.get("keep_firing_for", 0)))),
            )
        )  # fmt: skip
    return GroupState(name=group.place.group, file=file, interval=group.interval, rules=tuple(made))


def fails(error: Exception) -> Callable[[], None]:
    def raised() -> None:
        raise error

    return raised


AWAY = NotSent("connection refused", endpoint="POST http://one/-/reload")
NO = Refused("500, a broken file", endpoint="POST http://one/-/reload", status=500)
LOST = Ambiguous("the connection was lost", endpoint="POST http://one/-/reload")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_hand_in_the_file_between_plan_and_write_is_noticed(tmp_path: Path, server: Server) -> None:
    target = files_target(tmp_path, server)
    synced(wanted(rules("web", {"a": [DOWN], "b": [UP]})), target)
    changed = wanted(rules("web", {"a": [{**DOWN, "for": "9m"}], "b": [{**UP, "expr": "max(up)"}]}))
    plan = plan_of(changed, target)
    edited = (tmp_path / WEB).read_text().replace("up == 0", "up == 1")
    (tmp_path / WEB).write_text(edited)
    outcome = apply(plan, target, Book(), "continue", NOW, "tester")
    assert {each.place.group: each.state for each in outcome.results} == {
        "a": "changed-meanwhile",
        "b": "written",
    }
    assert "up == 1" in (tmp_path / WEB).read_text()

    plan = plan_of(changed, target)
    (tmp_path / WEB).write_text(edited.replace("tocsin_owner", "owner"))
    outcome = apply(plan, target, Book(), "continue", NOW, "tester")
    assert [each.state for each in outcome.results] == [
        "failed"
    ] and "belongs to somebody else" in outcome.results[0].say
    assert (tmp_path / WEB).read_text() == edited.replace("tocsin_owner", "owner")


def test_a_rule_changed_by_hand_is_drift_and_is_set_right(tmp_path: Path, server: Server) -> None:
    target = files_target(tmp_path, server)
    desired = wanted(rules("web", {"a": [DOWN, UP]}))
    synced(desired, target)
    text = (tmp_path / WEB).read_text()
    (tmp_path / WEB).write_text(text.replace("for: 5m", "for: 1h"))
    server.load()
    rows = [
        (each.kind, each.title, [field.path for field in each.fields])
        for each in drift_of(desired, target.read(), NOW).rows
    ]
    assert rows == [("divergent", "Down", ["for"])]
    synced(desired, target)
    assert (tmp_path / WEB).read_text() == text


def test_a_server_that_read_nothing_is_drift(tmp_path: Path, server: Server) -> None:
    other = Server(tmp_path, "two")
    desired = wanted(rules("web", {"a": [DOWN]}))
    synced(desired, files_target(tmp_path, server))
    found = drift_of(desired, files_target(tmp_path, server, other).read(), NOW)
    assert [(each.kind, [field.path for field in each.fields]) for each in found.rows] == [
        ("divergent", ["group.loaded"])
    ]


def test_a_lost_answer_to_a_reload_is_looked_up(tmp_path: Path, server: Server) -> None:
    """Once the reload came about although its answer was lost, once it did not and is asked for again."""

    def loaded_anyway() -> None:
        server.load()
        raise LOST

    target = files_target(tmp_path, server)
    server.trouble = [loaded_anyway]
    outcome = synced(wanted(rules("web", {"a": [DOWN]})), target)
    assert [(each.state, "read back: it is there" in each.say) for each in outcome.results] == [
        ("written", True)
    ]
    server.trouble = [fails(LOST)]
    outcome = synced(wanted(rules("web", {"a": [UP]})), target)
    assert [each.state for each in outcome.results] == ["written"]
    assert [rule.name for rule in server.loaded[0].rules] == ["web:up"]


def test_a_replica_that_is_away_fails_the_group_and_resume_brings_it_up(
    tmp_path: Path, server: Server
) -> None:
    other = Server(tmp_path, "two")
    target = files_target(tmp_path, other, server)
    desired = wanted(rules("web", {"a": [DOWN]}))
    server.trouble = [fails(AWAY)]
    book = Book()
    outcome = apply(plan_of(desired, target), target, book, "stop", NOW, "tester")
    assert [each.state for each in outcome.results] == ["failed"]
    assert resume(target, book, "stop").clean and server.loaded == other.loaded != ()

    book = Book()
    server.trouble = [fails(AWAY)]
    plan = plan_of(wanted(rules("web", {"a": [UP]})), target)
    assert not apply(plan, target, book, "stop", NOW, "tester").clean
    assert undo(target, book).clean and server.loaded == other.loaded
    assert [rule.name for rule in server.loaded[0].rules] == ["Down"]


def test_a_file_that_one_replica_refuses_is_put_back_for_all(tmp_path: Path, server: Server) -> None:
    other = Server(tmp_path, "two")
    target = files_target(tmp_path, other, server)
    synced(wanted(rules("web", {"a": [DOWN]})), target)
    text = (tmp_path / WEB).read_text()
    server.trouble = [fails(NO), fails(NO)]
    plan = plan_of(wanted(rules("web", {"a": [UP]}), rules("zoo", {"a": [LATE]})), target)
    outcome = apply(plan, target, Book(), "continue", NOW, "tester")
    assert [(each.place.folder, each.state) for each in outcome.results] == [
        (WEB, "failed"),
        (ZOO, "written"),
    ]
    assert (tmp_path / WEB).read_text() == text and server.loaded == other.loaded


def test_a_broken_or_frozen_file_stays_and_the_others_go_out(tmp_path: Path, server: Server) -> None:
    target = files_target(tmp_path, server)
    both = (rules("web", {"a": [DOWN]}), rules("zoo", {"a": [LATE]}))
    synced(wanted(*both), target)
    text = (tmp_path / WEB).read_text()
    frozen = replace(wanted(both[1]), frozen=frozenset({"web"}))
    assert synced(frozen, target).results == ()
    assert [each.kind for each in drift_of(frozen, target.read(), NOW).rows] == []
    (tmp_path / WEB).write_text(text + "  - [\n")
    plan = plan_of(wanted(both[0], rules("zoo", {"a": [{**LATE, "for": "7m"}]})), target)
    refused = {each.place.folder: [why.message for why in each.refusals] for each in plan.groups}
    assert "a hand that broke it" in refused[WEB][0] and refused[ZOO] == []
    assert (tmp_path / WEB).read_text() == text + "  - [\n"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("interval", Duration(2_000), "another interval"),
        ("limit", 3, "another limit"),
        ("rules", (), "0 rules of 1"),
        ("name", "Up", "rule in the place"),
        ("query", "up == 2", "expression of Down"),
        ("labels", {}, "set of labels"),
        ("for_", Duration(1), "`for`"),
        ("keep_firing_for", Duration(1), "`for`"),
        ("annotations", {}, "set of annotations"),
        ("query", " (up)==0.0 # comment", ""),
        ("health", "err", ""),
    ],
)
def test_what_a_server_may_have_otherwise(tmp_path: Path, field: str, value: object, said: str) -> None:
    (group,) = wanted(rules("web", {"a": [DOWN]})).groups
    state = _state(group, f"/x/{WEB}")
    assert differs(group, state) == ""
    changes: dict[str, Any] = {field: value}
    if field not in ("interval", "limit", "rules"):
        changes = {"rules": (replace(state.rules[0], **changes),)}
    state = replace(state, **changes)
    found = differs(group, state)
    assert said in found and bool(said) == bool(found)
    assert differs(group, None) == "does not have it"


def test_two_replicas_are_told_as_one() -> None:
    one = {
        "a": State(health="ok", pending=1, firing=3, evaluated="2026-01-01T00:00:05Z"),
        "b": State(health="ok"),
    }
    two = {"a": State(health="error", error="no", pending=2, firing=1, evaluated="2026-01-01T00:00:01Z")}
    assert together(one, two) == together(two, one) == {
        "a": State(health="error", error="no", pending=2, firing=3, evaluated="2026-01-01T00:00:01Z"),
        "b": State(health="ok"),
    }  # fmt: skip


def test_rules_of_one_name_are_told_apart_by_their_labels(tmp_path: Path, server: Server) -> None:
    target = files_target(tmp_path, server)
    twin = "  - {record: 'web:up', expr: vector(1), labels: {kind: KIND}}\n"
    text = "# tocsin_owner: shop/prod\ngroups:\n- name: a\n  rules:\n"
    (tmp_path / WEB).write_text(text + twin.replace("KIND", "a") + twin.replace("KIND", "b"))
    server.load()
    firing = AlertInstance(labels={}, state="firing")
    rule = replace(server.loaded[0].rules[1], instances=(firing,), health="err")
    server.loaded = (replace(server.loaded[0], rules=(server.loaded[0].rules[0], rule)),)
    found = {uid.rpartition("|")[2]: state.health for uid, state in target.states().items()}
    assert found == {"web:up{kind=a}": "ok", "web:up{kind=b}": "error"}
    assert target.read_group(Place(WEB, "none")) is None
