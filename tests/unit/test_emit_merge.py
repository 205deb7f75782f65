"""Our inhibition rules in a team's own configuration: its text stays, and a second run changes nothing."""

from __future__ import annotations

import pytest
import yaml
from tests.builders import group, resolved, rule

from tocsin.emit.inhibit import InhibitRule, inhibit_rules
from tocsin.emit.merge import BEGIN, END, merge_inhibit
from tocsin.errors import UsageError

ROUTE = "# our alertmanager\nroute:\n  receiver: team # the team\nreceivers:\n  - name: team\n"
OWN = "{equal: [a], source_matchers: [b=c], target_matchers: [b=d]}"
CONFIGS = {
    "no rules": ROUTE,
    "no newline at the end": ROUTE.rstrip("\n"),
    "rules last": f"{ROUTE}inhibit_rules:\n  # mine\n  - {OWN}\n  - {OWN}\n",
    "rules first": f"inhibit_rules: # mine\n- {OWN}\n\n# below\n{ROUTE}",
    "rules by block": ROUTE + "inhibit_rules:\n  - equal:\n      - a\n    source_matchers:\n      - b=c\n",
    "nothing": f"inhibit_rules:\n{ROUTE}",
    "empty list": f"inhibit_rules: [ ] # none\n{ROUTE}",
    "quoted key": f'"inhibit_rules":\n  - {OWN}\n{ROUTE}',
    "windows": f"{ROUTE}inhibit_rules:\n  - {OWN}\n".replace("\n", "\r\n"),
    "templates": f"{ROUTE}templates: ['*.tmpl']\ntime_intervals:\n  - name: 'on'\n",
}


def some_rules() -> tuple[InhibitRule, ...]:
    return inhibit_rules([resolved(group(rule(level="page"), rule(level="ticket", severity="P2")))])


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_the_result_has_their_configuration_and_our_rules(config: str) -> None:
    before = yaml.safe_load(config)
    after = yaml.safe_load(merge_inhibit(config, some_rules()))
    ours = [{key: list(value) for key, value in each.node.items()} for each in some_rules()]  # type: ignore[arg-type]
    theirs = before.get("inhibit_rules") or []
    assert sorted(map(repr, after.pop("inhibit_rules"))) == sorted(map(repr, [*theirs, *ours]))
    before.pop("inhibit_rules", None)
    assert after == before


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_their_lines_stay_as_they_are_and_a_second_run_changes_nothing(config: str) -> None:
    once = merge_inhibit(config, some_rules())
    assert merge_inhibit(once, some_rules()) == once
    start, end = once.index(BEGIN), once.index(END)
    outside = (once[:start] + once[end + len(END) :]).splitlines()
    kept = [line.strip() for line in outside if line.strip()]
    wanted = [line.strip() for line in config.splitlines() if line.strip()]
    assert kept == [line.replace("inhibit_rules: [ ] # none", "inhibit_rules: # none") for line in wanted]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_without_rules_of_ours_the_marks_go(config: str) -> None:
    once = merge_inhibit(config, some_rules())
    again = merge_inhibit(once, ())
    assert BEGIN not in again
    before, after = yaml.safe_load(config), yaml.safe_load(again)
    assert (after.pop("inhibit_rules", None) or []) == (before.pop("inhibit_rules", None) or [])
    assert after == before


@pytest.mark.parametrize(
    "config",
    [
        f"inhibit_rules: [{OWN}]\n{ROUTE}",
        f"x: &x\n  - {OWN}\ninhibit_rules: *x\n{ROUTE}",
        "inhibit_rules: 5\n",
        '{"route": {"receiver": "a"}, "receivers": [{"name": "a"}]}',
        "- a\n",
        "a: [\n",
    ],
)
def test_what_cannot_be_added_to_is_said_and_nothing_is_written(config: str) -> None:
    with pytest.raises(UsageError, match=r"alertmanager\.yml"):
        merge_inhibit(config, some_rules())
