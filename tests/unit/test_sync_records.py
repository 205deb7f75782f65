"""What a plan leaves out because a record is not there yet, what it keeps for the sake of that, and in which order records go."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ruling import files_target, plan_of, rules, synced, wanted
from tests.syncing import NOW, Book

from tocsin.ir.duration import Duration
from tocsin.sync.apply import apply, steps_back, steps_of
from tocsin.sync.records import reach
from tocsin.sync.values import Plan, Target

UP = {"record": "web:up", "expr": "up"}
OLD = {"record": "web:old", "expr": "up"}


def alert(name: str, expr: str) -> dict[str, str]:
    return {"alert": name, "expr": expr}


def nothing(query: str) -> bool:
    """A server without a single sample."""
    return False


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A folder that nobody reads: what is planned and written is the same with and without servers."""
    return files_target(tmp_path)


def told(plan: Plan) -> list[tuple[str, list[str], list[str]]]:
    """(group, what is refused, what is done) of every group that has either."""
    return [
        (
            each.place.group,
            sorted({why.code for why in each.refusals}),
            [f"{change.action} {change.rule.title}" for change in each.changes if change.action != "none"],
        )
        for each in plan.groups
        if any(change.action != "none" for change in each.changes)
    ]


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("a + b offset 5m", {"a": 0, "b": 300_000}),
        ("rate(a[5m]) > avg_over_time(rate(a[5m])[1h:1m] offset 10m)", {"a": 4_500_000}),
        ("{__name__='a:b'} unless a offset -5m", {"a:b": 0, "a": 0}),
        ("max_over_time((a > 1)[2d:])", {"a": 172_800_000}),
        ("{job='x'}", {}),
        ("rate(", {}),
    ],
)
def test_how_far_an_expression_looks_back(expr: str, found: dict[str, int]) -> None:
    assert reach(expr) == found


def test_an_alert_waits_with_its_group_and_the_record_goes(target: Target) -> None:
    desired = wanted(
        rules("web", {"alerts": [alert("Down", "web:up == 0"), alert("Other", "up == 0")], "records": [UP]})
    )
    asked: list[str] = []

    def covered(query: str) -> bool:
        asked.append(query)
        return False

    plan = plan_of(desired, target, covered=covered)
    assert told(plan) == [
        ("alerts", ["records-not-ready"], ["create Down", "create Other"]),
        ("records", [], ["create web:up"]),
    ]
    assert asked == ['count(last_over_time({__name__="web:up"}[10m]))']
    assert [each.place.group for each in steps_of(plan)] == ["records"]
    assert told(plan_of(desired, target, covered=lambda _: True))[0][1] == []


@pytest.mark.parametrize(("blind", "waits"), [(None, True), (0, True), (299_999, True), (300_000, False)])
def test_how_long_one_may_be_blind(target: Target, blind: int | None, waits: bool) -> None:
    desired = wanted(rules("web", {"a": [alert("Down", "avg_over_time(web:up[5m]) == 0")], "r": [UP]}))
    plan = plan_of(desired, target, covered=nothing, blind=None if blind is None else Duration(blind))
    assert told(plan)[0][1] == (["records-not-ready"] if waits else [])


def test_a_group_with_both_sends_the_record_alone(target: Target) -> None:
    now = [UP, alert("Here", "web:up == 0"), alert("Back", "web:up offset 1h == 0")]
    desired = wanted(rules("web", {"main": now}))
    plan = plan_of(desired, target, covered=nothing)
    assert told(plan) == [
        ("main", [], ["create web:up", "create Here"]),
        ("main", ["records-not-ready"], ["create Back"]),
    ]
    outcome = apply(plan, target, Book(), "stop", NOW, "tester")
    assert outcome.clean and len(outcome.results) == 1
    (group,) = target.read().groups
    assert [each.title for each in group.rules] == ["web:up", "Here"]
    again = plan_of(desired, target, covered=nothing)
    assert told(again) == [("main", ["records-not-ready"], ["create Back"])]
    assert told(plan_of(desired, target, covered=lambda _: True)) == [("main", [], ["create Back"])]


def test_what_an_alert_read_before_it_may_read_on(target: Target) -> None:
    """A changed alert is not blinder than it was; one that looks further back is."""
    synced(wanted(rules("web", {"a": [alert("Down", "avg_over_time(web:up[5m]) == 0")], "r": [UP]})), target)
    for expr, refused in (
        ("avg_over_time(web:up[5m]) == 1", []),
        ("avg_over_time(web:up[6m]) == 0", ["records-not-ready"]),
    ):
        desired = wanted(rules("web", {"a": [alert("Down", expr)], "r": [UP]}))
        assert told(plan_of(desired, target, covered=nothing)) == [("a", refused, ["update Down"])]


def test_a_record_stays_while_a_refused_alert_reads_it(target: Target) -> None:
    synced(wanted(rules("web", {"a": [alert("Down", "web:old == 0")], "r": [OLD]})), target)
    desired = wanted(rules("web", {"a": [alert("Down", "web:up == 0")], "r": [UP]}))
    plan = plan_of(desired, target, covered=nothing)
    assert told(plan) == [("a", ["records-not-ready"], ["update Down"]), ("r", [], ["create web:up"])]
    apply(plan, target, Book(), "stop", NOW, "tester")
    written = {each.place.group: [rule.title for rule in each.rules] for each in target.read().groups}
    assert written == {"a": ["Down"], "r": ["web:up", "web:old"]}
    plan = plan_of(desired, target, covered=lambda _: True)
    assert told(plan) == [("a", [], ["update Down"]), ("r", [], ["delete web:old"])]
    assert [each.place.group for each in steps_of(plan)] == ["a", "r"]


def test_records_first_and_gone_last(target: Target) -> None:
    """A group that gets one record and loses another is written twice, around what reads them."""
    synced(wanted(rules("web", {"a": [alert("Down", "web:old == 0")], "r": [OLD]})), target)
    plan = plan_of(wanted(rules("web", {"a": [alert("Down", "web:up == 0")], "r": [UP]})), target)
    steps = [
        (each.place.group, [rule.title for rule in each.after.rules] if each.after else None)
        for each in steps_of(plan)
    ]
    assert steps == [("r", ["web:up", "web:old"]), ("a", ["Down"]), ("r", ["web:up"])]
    back = [each.after for each in steps_back(plan)]
    assert [[rule.title for rule in each.rules] for each in back if each] == [
        ["web:up", "web:old"], ["Down"], ["web:old"]
    ]  # fmt: skip
    assert apply(plan, target, Book(), "stop", NOW, "tester").clean

    plan = plan_of(wanted(rules("other", {"x": [UP]})), target)
    order = [(each.place.group, each.after is None) for each in steps_of(plan)]
    assert order == [("x", False), ("a", True), ("r", True)]


def test_a_rule_that_begins_again_in_a_refused_group_stays_where_it_is(target: Target) -> None:
    """Where a group is part of a rule's identity, a move is a deletion and a creation; half of it would lose the alert."""
    moving = alert("Moves", "up == 0")
    synced(wanted(rules("web", {"from": [moving, alert("Stays", "up > 2")]})), target)
    desired = wanted(
        rules(
            "web",
            {"from": [alert("Stays", "up > 3")], "r": [UP], "to": [moving, alert("Waits", "web:up == 0")]},
        )
    )
    plan = plan_of(desired, target, covered=nothing)
    assert told(plan) == [
        ("from", [], ["update Stays"]),
        ("r", [], ["create web:up"]),
        ("to", ["records-not-ready"], ["create Moves", "create Waits"]),
    ]
    apply(plan, target, Book(), "stop", NOW, "tester")
    assert {"Moves", "Stays"} == {rule.title for each in target.read().groups for rule in each.rules} - {
        "web:up"
    }
    synced(desired, target)
    places = {rule.title: each.place.group for each in target.read().groups for rule in each.rules}
    assert places == {"Stays": "from", "web:up": "r", "Moves": "to", "Waits": "to"}
