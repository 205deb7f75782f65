"""Routing with labels nobody knows: what is certain, what depends, what a change of labels changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tocsin.errors import UsageError
from tocsin.sync.routes import (
    Reach,
    Route,
    from_config,
    judged,
    reaches,
    read_matchers,
    receiver_change,
    with_receivers,
)
from tocsin.sync.values import Change, GroupPlan, Place, Plan, Rule, Server
from tocsin.wire.live import Matcher

TREE = from_config(
    {
        "route": {
            "receiver": "default",
            "routes": [
                {"receiver": "team", "match": {"team": "a"}},
                {"receiver": "page", "matchers": ["severity=critical"]},
                {"receiver": "same", "matchers": ["x=1"], "routes": [{"matchers": ["y=1"]}]},
            ],
        }
    },
    "f",
)


def texts(**labels: str) -> list[str]:
    return [each.text for each in reaches(TREE, labels)]


def test_what_follows_an_unknown_matcher_depends_on_it() -> None:
    assert texts(severity="critical", x="0") == ["team (depends on team)", "page (depends on team)"]
    assert texts(severity="critical", team="b") == ["page"]
    assert texts(severity="warning", team="b", x="1") == ["same"]
    assert texts(severity="{{ $labels.s }}", team="b", x="0") == [
        "page (depends on severity)",
        "default (depends on severity)",
    ]


def test_a_label_the_series_cannot_carry_is_empty() -> None:
    assert reaches(TREE, {"severity": "critical"}, lambda label: label != "team") == (Reach(receiver="page"),)


@pytest.mark.parametrize("pattern", ["[[:alpha:]]+", "\\pL", "(", "a{2000}"])
def test_a_pattern_python_reads_otherwise_is_not_guessed(pattern: str) -> None:
    tree = Route(
        receiver="d",
        routes=(Route(receiver="p", matchers=(Matcher(name="t", value=pattern, is_regex=True),)),),
    )
    found = {each.receiver: each.depends for each in reaches(tree, {"t": "b"})}
    assert found in ({"p": frozenset("t"), "d": frozenset("t")}, {"d": frozenset()})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=b", [("a", "b", False, True)]),
        ('{a="b,c", d!~"e"}', [("a", "b,c", False, True), ("d", "e", True, False)]),
        (' a =~ "x\\"y" ', [("a", 'x"y', True, True)]),
        ('"odd name"!=v', [("odd name", "v", False, False)]),
        ('a=""', [("a", "", False, True)]),
        ('a="b=c"', [("a", "b=c", False, True)]),
    ],
)
def test_matchers(text: str, found: list[tuple[str, str, bool, bool]]) -> None:
    assert [(each.name, each.value, each.is_regex, each.is_equal) for each in read_matchers(text)] == found


@pytest.mark.parametrize("text", ["a", "=b", "a~b"])
def test_no_matcher(text: str) -> None:
    with pytest.raises(UsageError, match="is no matcher"):
        list(read_matchers(text))


def test_an_assertion() -> None:
    page = reaches(TREE, {"severity": "critical", "team": "b"})
    maybe = reaches(TREE, {"severity": "critical"})
    assert judged(TREE, "page", page).kind == "holds"
    assert judged(TREE, "page", maybe).kind == "depends"
    assert judged(TREE, "team", page).kind == "fails"
    assert "no route" in judged(TREE, "nowhere", page).say


def test_a_change_of_receiver_is_a_note_in_the_plan() -> None:
    old = {"severity": "critical", "team": "b"}
    new = {"severity": "critical", "team": "a"}
    assert receiver_change(old, new, TREE) == "will notify team instead of page"
    assert receiver_change(old, old, TREE) == ""
    assert receiver_change(None, new, TREE) == "notifies team"
    assert receiver_change(old, None, TREE) == ""
    before = Rule(uid="u", title="T", kind="alert", body={}, labels=old)
    change = Change(action="update", rule=replace(before, labels=new), before=before, place=Place("f", "g"))
    same = replace(change, rule=before)
    group = GroupPlan(
        place=Place("f", "g"),
        service="s",
        before=None,
        after=None,
        changes=(change, same, replace(change, action="none")),
    )
    server = Server(kind="grafana", identity="i", version="12.0")
    plan = Plan(environment="e", owner="o", server=server, live="", folders=(), groups=(group,))
    assert [each.notes for each in with_receivers(plan, TREE).groups[0].changes] == [
        ("will notify team instead of page",), (), (),
    ]  # fmt: skip
