"""Inhibition: who mutes whom, told apart by what, and never another instance. Alertmanager itself judges in
tests/contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from tests.builders import environment, group, origin, project, resolved, rule

from tocsin.emit.inhibit import emit_together, inhibit_rules, unsupported
from tocsin.ir.compiled import CompiledAlert

Labels = Mapping[str, str]
INSTANCE = {"cluster": "a", "consumergroup": "billing"}


def series(alert: CompiledAlert, instance: Labels = INSTANCE) -> dict[str, str]:
    """The labels of one firing alert, as Alertmanager receives them."""
    return {**instance, **alert.labels, "alertname": alert.name}


def matches(matchers: list[str], labels: Labels) -> bool:
    for text in matchers:
        found = re.fullmatch(r'([a-zA-Z_][a-zA-Z0-9_]*)(=~|=)"(.*)"', text)
        assert found is not None, text
        name, op, written = found.groups()
        value = re.sub(r"\\(.)", lambda each: "\n" if each[1] == "n" else each[1], written)
        if not (labels.get(name, "") == value if op == "=" else re.fullmatch(value, labels.get(name, ""))):
            return False
    return True


def muted_by(alerts: list[CompiledAlert]) -> set[tuple[str, str]]:
    """Every (source, target) pair of levels for which one instance's source mutes its target, by
    Alertmanager's documented rules: matchers on both sides, equal labels (absent equals empty), never by
    what matches both sides.
    """
    artifacts = list(emit_together([resolved(group(*alerts))], project(), environment()))
    assert [each.path for each in artifacts] == ["alertmanager/prod/inhibit.yaml"]
    found = set()
    for each in yaml.safe_load(artifacts[0].text)["inhibit_rules"]:
        for source in alerts:
            for target in alerts:
                one, other = series(source), series(target)
                both = matches(each["source_matchers"], other) and matches(each["target_matchers"], one)
                equal = all(one.get(name, "") == other.get(name, "") for name in each["equal"])
                if (
                    matches(each["source_matchers"], one)
                    and matches(each["target_matchers"], other)
                    and equal
                    and not both
                ):
                    found.add((source.key.text, target.key.text))
    return found


def ladder(**more: Any) -> list[CompiledAlert]:
    return [
        rule(level="page", severity="P1", **more),
        rule(level="ticket", severity="P2", **more),
        rule(level="note", severity="P3", **more),
    ]


def test_every_more_urgent_level_mutes_every_less_urgent_one() -> None:
    assert muted_by(ladder()) == {
        ("kafka-consumer-lag/page", "kafka-consumer-lag/ticket"),
        ("kafka-consumer-lag/page", "kafka-consumer-lag/note"),
        ("kafka-consumer-lag/ticket", "kafka-consumer-lag/note"),
    }


def test_levels_of_one_name_are_told_apart_by_their_severity() -> None:
    assert len(muted_by(ladder(name="Lag"))) == 3


def test_without_an_injected_rule_id_the_names_and_shared_labels_do_it() -> None:
    alerts = ladder(injected={}, labels={"team": "a", "text": "{{ $value }}"})
    (first, *_) = inhibit_rules([resolved(group(*alerts))])
    assert first.equal == ("cluster", "consumergroup")
    assert first.source == ('team="a"', 'alertname="KafkaConsumerLagPage"')
    assert len(muted_by(alerts)) == 3


def test_equal_is_the_rule_and_its_identity() -> None:
    (first, *_) = inhibit_rules(
        [resolved(group(*ladder(injected={"rule_id": "kafka-consumer-lag", "env": "prod"})))]
    )
    assert first.equal == ("rule_id", "env", "cluster", "consumergroup")


def test_levels_of_equal_urgency_leave_each_other_alone() -> None:
    alerts = [rule(level="a", severity="P1"), rule(level="b", severity="P1"), rule(level="c", severity="P2")]
    assert muted_by(alerts) == {
        ("kafka-consumer-lag/a", "kafka-consumer-lag/c"),
        ("kafka-consumer-lag/b", "kafka-consumer-lag/c"),
    }


def test_levels_that_take_two_labels_to_tell_apart_are_told_apart() -> None:
    # No single label separates them: each name and each `kind` occurs on both sides.
    alerts = [
        rule(level="a", severity="P1", name="X", labels={"kind": "1"}),
        rule(level="b", severity="P2", name="Y", labels={"kind": "1"}),
        rule(level="c", severity="P3", name="X", labels={"kind": "2"}),
        rule(level="d", severity=None, name="Y", labels={"kind": "2"}),
    ]
    without_severity = [
        replace(each, labels={name: value for name, value in each.labels.items() if name != "severity"})
        for each in alerts
    ]
    order = [each.key.text for each in without_severity]
    assert muted_by(without_severity) == {(a, b) for at, a in enumerate(order) for b in order[at + 1 :]}


def test_values_with_special_characters_are_matched_as_text() -> None:
    alerts = [
        rule(level="a", severity="P1", name='A.b"c'),
        rule(level="b", severity="P2", name="A+b\\c"),
        rule(level="c", severity="P2", name="Axb|c"),
    ]
    assert len(muted_by(alerts)) == 2


def test_levels_no_matcher_tells_apart_are_refused_and_get_no_rule() -> None:
    text = "levels:\n  page: {}\n  ticket: {}\n"
    alerts = [
        replace(each, labels={"rule_id": "x"}, source=replace(each.source, origin=origin(text)))
        for each in ladder(name="Lag")[:2]
    ]
    found = list(unsupported(resolved(group(*alerts)), project(), environment()))
    assert [(each.code, each.span.place) for each in found] == [("TOC717", "rules/kafka/lag.yaml:2:3")]
    assert muted_by(alerts) == set()


@pytest.mark.parametrize("written", [True, False])
def test_without_an_identity_nothing_is_muted_unless_the_author_says_there_is_but_one_instance(
    written: bool,
) -> None:
    text = "identity: []\n" if written else "id: x\n"
    alerts = [replace(each, source=replace(each.source, origin=origin(text))) for each in ladder(identity=())]
    assert len(muted_by(alerts)) == (3 if written else 0)


def test_one_level_and_mirrors_need_no_inhibition() -> None:
    alerts = [
        rule(),
        rule(id="m", level="a", severity="P1"),
        rule(id="m", level="b", severity="P2", mirror=True),
    ]
    assert muted_by(alerts) == set()


def test_an_environment_that_notifies_through_grafana_gets_a_note_and_no_file() -> None:
    env = environment(notifier="grafana")
    service = resolved(group(*ladder()))
    assert list(emit_together([service], project(), env)) == []
    assert [each.code for each in unsupported(service, project(), env)] == ["TOC708"]
