"""A rule is carried whole or refused with its place, its class and its name; its neighbours are carried."""

from __future__ import annotations

import pytest
from tests.adopting import foreign

from tocsin.adopt.duplicates import blame
from tocsin.adopt.rules import Group, judge
from tocsin.adopt.shapes import read
from tocsin.diag import Diagnostic, Severity

HEAD = "groups:\n- name: g\n  rules:\n"
GOOD = "  - alert: Good\n    expr: up == 0\n"


def judged(text: str, *without: str) -> tuple[tuple[Group, ...], tuple[Diagnostic, ...]]:
    reading = read(foreign(text))
    (rule_set,) = reading.sets
    blamed = blame(reading.duplicates, (group.node for group in rule_set.groups))
    groups, found = judge(rule_set, blamed, frozenset(without))
    return groups, (*reading.found, *found)


REFUSED = {
    "an expression that does not parse": ("  - alert: Bad\n    expr: sum(up\n", "TOC813", "expr"),
    "no expression": ("  - alert: Bad\n    expr: ''\n", "TOC813", "expr"),
    "an expression that gives a range": ("  - alert: Bad\n    expr: up[5m]\n", "TOC813", "expr"),
    "MetricsQL": ("  - alert: Bad\n    expr: lag(up) > 5\n", "TOC811", "expr"),
    "LogQL": ('  - alert: Bad\n    expr: rate({app="x"} |= "panic" [5m]) > 0\n', "TOC811", "expr"),
    "SQL": ("  - alert: Bad\n    expr: select count(*) from errors\n", "TOC811", "expr"),
    "a Helm value": ("  - alert: Bad\n    expr: up == {{ .Values.limit }}\n", "TOC812", "expr"),
    "a variable": ("  - alert: Bad\n    expr: up == ${LIMIT}\n", "TOC812", "expr"),
    "a variable beside a label that is there": (
        '  - alert: Bad\n    expr: sum(rate(cpu{image!=""}[4m])) / ${CPU-COUNT} > 60\n',
        "TOC812",
        "expr",
    ),
    "LogQL without a word": (
        '  - alert: Bad\n    expr: rate({app="x"} != "ok" [5m]) > 0\n',
        "TOC811",
        "expr",
    ),
    "a jsonnet field": ("  - alert: Bad\n    expr: up{%(selector)s} == 0\n", "TOC812", "expr"),
    "a placeholder": ("  - alert: Bad\n    expr: up == <threshold>\n", "TOC812", "expr"),
    "a bad duration": ("  - alert: Bad\n    expr: up\n    for: 5 minutes\n", "TOC813", "for"),
    "a bad template": (
        "  - alert: Bad\n    expr: up\n    annotations: {a: '{{ $labels.x'}\n",
        "TOC813",
        "annotations.a",
    ),
    "an undeclared variable": (
        "  - alert: Bad\n    expr: up\n    labels: {a: '{{ $nope }}'}\n",
        "TOC813",
        "labels.a",
    ),
    "VictoriaMetrics' variables": (
        "  - alert: Bad\n    expr: up\n    annotations: {a: '{{ $expr }}'}\n",
        "TOC811",
        "annotations.a",
    ),
    "an unknown field": ("  - alert: Bad\n    expr: up\n    severity: high\n", "TOC813", "severity"),
    "a misspelt field": ("  - alert: Bad\n    expr: up\n    annotation: {a: b}\n", "TOC813", "annotation"),
    "a field of VictoriaMetrics": ("  - alert: Bad\n    expr: up\n    debug: true\n", "TOC811", "debug"),
    "both kinds": ("  - alert: Bad\n    record: Bad\n    expr: up\n", "TOC813", "record"),
    "a record with for": ("  - record: Bad\n    expr: up\n    for: 5m\n", "TOC813", "for"),
    "a record with annotations": (
        "  - record: Bad\n    expr: up\n    annotations: {a: b}\n",
        "TOC813",
        "annotations",
    ),
    "a record with a bad name": ('  - record: Bad{a="b"}\n    expr: up\n', "TOC813", "record"),
    "a name of Prometheus 3": ("  - record: Bad-name\n    expr: up\n", "TOC811", "record"),
    "a label name of Prometheus 3": (
        "  - alert: Bad\n    expr: up\n    labels: {a-b: c}\n",
        "TOC811",
        "labels.a-b",
    ),
    "a label for the name": (
        "  - alert: Bad\n    expr: up\n    labels: {__name__: c}\n",
        "TOC813",
        "labels.__name__",
    ),
    "labels that are a list": ("  - alert: Bad\n    expr: up\n    labels: [a]\n", "TOC813", "labels"),
    "a key written twice": ("  - alert: Bad\n    expr: up\n    expr: down\n", "TOC813", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_rule_is_refused_for(case: str) -> None:
    rule, code, field = REFUSED[case]

    groups, found = judged(HEAD + GOOD + rule + GOOD.replace("Good", "Better"))

    assert [each.name for each in groups[0].rules] == ["Good", "Better"], "the neighbours are carried"
    assert groups[0].refused == 1
    assert {each.code for each in found} == {code}
    first = found[0]
    assert first.span.line > 5 and first.severity is Severity.error
    assert "`Bad" in first.message, "it names the rule"
    assert not field or f"`{field}`" in first.message, "it names the field"


GROUPS = {
    "Thanos": ("  partial_response_strategy: warn\n", "TOC811"),
    "Mimir": ("  source_tenants: [a, b]\n", "TOC811"),
    "VictoriaMetrics": ("  type: graphite\n", "TOC811"),
    "an unknown field": ("  owner: me\n", "TOC813"),
    "a bad interval": ("  interval: often\n", "TOC813"),
    "a bad limit": ("  limit: -1\n", "TOC813"),
}


@pytest.mark.parametrize("case", GROUPS)
def test_a_group_is_refused_for(case: str) -> None:
    line, code = GROUPS[case]

    groups, found = judged(f"groups:\n- name: g\n{line}  rules:\n{GOOD}")

    assert groups == ()
    assert [each.code for each in found] == [code]
    assert "group `g`" in found[0].message


def test_a_field_is_left_behind_only_where_its_owner_says_so() -> None:
    groups, found = judged(
        f"groups:\n- name: g\n  partial_response_strategy: warn\n  rules:\n{GOOD}",
        "partial_response_strategy",
    )

    assert len(groups[0].rules) == 1
    assert [(each.code, each.severity) for each in found] == [("TOC814", Severity.note)]


def test_a_value_that_prometheus_has_anyway_is_left_behind_with_a_note() -> None:
    groups, found = judged(
        f"groups:\n- name: g\n  type: prometheus\n  partial_response_strategy: abort\n  rules:\n{GOOD}"
    )

    assert len(groups) == 1
    assert [each.code for each in found] == ["TOC814", "TOC814"]


def test_two_groups_of_one_name_are_refused_with_the_place_of_the_first() -> None:
    text = f"groups:\n- name: g\n  rules:\n{GOOD}- name: g\n  rules:\n{GOOD}"

    groups, found = judged(text)

    assert len(groups) == 1
    assert found[0].code == "TOC813" and found[0].related[0].span.line == 2


def test_values_are_text_as_they_were_written() -> None:
    rule = "  - alert: A\n    expr: 1\n    labels: {a: yes, b: 0.990, c: 007, d: ~, e: 1e3, f: 2024-01-02, g: 0x1F, h: &x 5, i: *x}\n"

    (group,), found = judged(HEAD + rule)

    assert not found
    assert group.rules[0].expr == "1"
    assert dict(group.rules[0].labels) == {
        "a": "yes", "b": "0.990", "c": "007", "d": "", "e": "1e3", "f": "2024-01-02", "g": "0x1F", "h": "5", "i": "5"
    }  # fmt: skip


def test_the_place_of_a_mistake_is_inside_the_expression() -> None:
    text = HEAD + "  - alert: Bad\n    expr: |\n      sum(up) >\n        )\n"

    _, found = judged(text)

    assert found[0].span.line == 7


def test_rules_of_the_loki_operator_are_logql_even_where_they_parse() -> None:
    groups, found = judged(
        "apiVersion: loki.grafana.com/v1\nkind: RecordingRule\nspec:\n  groups:\n  - name: g\n    rules:\n    - record: a\n      expr: up\n"
    )

    assert groups == ()
    assert [each.code for each in found] == ["TOC811"]


TWO = f"groups:\n- name: a\n  rules:\n{GOOD}- name: b\n  rules:\n{GOOD.replace('Good', 'Other')}"


@pytest.mark.parametrize(
    ("text", "groups", "line"),
    [
        (
            TWO.replace("    expr: up == 0\n- name", "    expr: up == 0\n    expr: up == 1\n- name"),
            {"a": 0, "b": 1},
            6,
        ),
        (TWO.replace("- name: b\n", "  interval: 1m\n  interval: 2m\n- name: b\n"), {"b": 1}, 7),
        (TWO.replace("- name: b\n", ""), {}, 6),
        (TWO + "groups: []\n", {}, 10),
        (
            '{"groups": [{"name": "a", "rules": [{"alert": "A", "expr": "up", "expr": "up"}, {"alert": "B", "expr": "up"}]}]}',
            {"a": 1},
            1,
        ),
    ],
    ids=["in a rule", "in a group", "rules", "groups", "json"],
)
def test_a_key_written_twice_is_laid_at_the_smallest_door(
    text: str, groups: dict[str, int], line: int
) -> None:
    carried, found = judged(text)

    assert {each.name: len(each.rules) for each in carried} == groups
    assert [(each.code, each.span.line) for each in found] == [("TOC813", line)]
