"""Every value of sync goes through JSON unchanged; what is no such value is refused by its path."""

from __future__ import annotations

import json

import pytest

from tocsin.errors import MachineError
from tocsin.ir.duration import Duration
from tocsin.sync.document import from_json, to_json
from tocsin.sync.values import Change, FieldChange, Group, GroupPlan, Hold, Place, Plan, Refusal, Rule, Server

RULE = Rule(
    uid="a",
    title="T",
    kind="alert",
    body={"for": 5, "data": [{"x": None, "y": [1.5, True]}]},
    hold=Hold(by="me", until="2026-11-22T00:00:00+00:00", reason="r"),
    datasources=frozenset({"p", "q"}),
)
GROUP = Group(place=Place("f", "g"), interval=Duration(60_000), rules=(RULE,), settings={"limit": 3})
PLAN = Plan(
    environment="prod",
    owner="o/prod",
    server=Server(kind="grafana", identity="i", version="12.0.0"),
    live="x",
    folders=(),
    groups=(
        GroupPlan(
            place=GROUP.place,
            service="s",
            before=None,
            after=GROUP,
            changes=(
                Change(
                    action="move",
                    rule=RULE,
                    before=RULE,
                    place=GROUP.place,
                    came_from=Place("f", "old"),
                    fields=(FieldChange(path="a", old=None, new=[1]),),
                ),
            ),
            refusals=(Refusal(code="title-taken", message="m"),),
        ),
    ),
)


@pytest.mark.parametrize("value", [RULE, GROUP, PLAN], ids=["rule", "group", "plan"])
def test_there_and_back(value: object) -> None:
    text = json.dumps(to_json(value))
    assert from_json(type(value), json.loads(text)) == value


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ({"uid": 5, "title": "T", "kind": "alert", "body": {}}, r"\$\.uid"),
        ({"uid": "a", "title": "T", "kind": "else", "body": {}}, r"\$\.kind"),
        ({"uid": "a", "title": "T", "kind": "alert", "body": []}, r"\$\.body"),
        ([], r"\$ "),
    ],
)
def test_what_is_no_rule_is_refused_by_its_path(broken: object, path: str) -> None:
    with pytest.raises(MachineError, match=path):
        from_json(Rule, broken)  # type: ignore[arg-type]
