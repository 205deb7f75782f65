"""Rules are found in whatever they are wrapped, at their own places, and what is no rule is left alone."""

from __future__ import annotations

import pytest
from tests.adopting import foreign

from tocsin.adopt.shapes import read

GROUP = "name: g\nrules:\n- alert: A\n  expr: up == 0\n"


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.rstrip("\n").split("\n"))


LIST = "- " + indented(GROUP, 2).lstrip()
WRAPPINGS = {
    "rule file": f"groups:\n{LIST}",
    "list of groups": LIST,
    "one group": GROUP,
    "list of rules": "- alert: A\n  expr: up == 0\n",
    "one rule": "alert: A\nexpr: up == 0\n",
    "json": '{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]}]}',
    "json with tabs": '{\n\t"groups": [\n\t\t{"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]}\n\t]\n}',
    "PrometheusRule": f"kind: PrometheusRule\nspec:\n  groups:\n{indented(LIST, 2)}",
    "AlertingRule of OpenShift": f"apiVersion: monitoring.openshift.io/v1\nkind: AlertingRule\nspec:\n  groups:\n{indented(LIST, 2)}",
    "List": f"kind: List\nitems:\n- kind: PrometheusRule\n  spec:\n    groups:\n{indented(LIST, 4)}",
    "PrometheusRuleList": f"kind: PrometheusRuleList\nitems:\n- kind: PrometheusRule\n  spec:\n    groups:\n{indented(LIST, 4)}",
    "ConfigMap": f"kind: ConfigMap\ndata:\n  a.rules: |\n    groups:\n{indented(LIST, 4)}",
    "ConfigMap, quoted": 'kind: ConfigMap\ndata:\n  a.rules: "groups:\\n- name: g\\n  rules:\\n  - alert: A\\n    expr: up == 0\\n"\n',
    "chart values": f"replicas: 1\nserverFiles:\n  rules.yml:\n    groups:\n{indented(LIST, 4)}",
    "second document": f"a: 1\n---\ngroups:\n{LIST}",
    "Mimir namespace": f"namespace: team\ngroups:\n{LIST}",
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_rule_is_found_in(wrapping: str) -> None:
    reading = read(foreign(WRAPPINGS[wrapping]))

    (rule_set,) = reading.sets
    (group,) = rule_set.groups
    assert rule_set.rules == 1
    rules = group.node["rules"]
    assert isinstance(rules, list) and rules[0]["alert"] == "A"
    assert rule_set.bare is ("name" not in group.node)


@pytest.mark.parametrize("wrapping", [each for each in WRAPPINGS if each != "ConfigMap, quoted"])
def test_places_are_those_of_the_file(wrapping: str) -> None:
    text = WRAPPINGS[wrapping]
    (rule_set,) = read(foreign(text)).sets

    span = rule_set.groups[0].value("rules", 0, "alert")

    assert span.slice(text) in ("A", '"A"')


@pytest.mark.parametrize(
    "text",
    [
        "kind: Service\nmetadata: {name: groups}\n",
        "groups: [admins, users]\n",
        "groups:\n- name: g\n  members: [a, b]\n",
        "rule_files: ['*.yml']\nscrape_configs: []\n",
        "panels:\n- alert: {conditions: []}\n  targets: [{expr: up}]\n",
        "apiVersion: 1\ngroups:\n- name: g\n  rules:\n  - uid: a\n    title: A\n    data: []\n",
        "# only a comment about groups\n",
        "just text with the word alert\n",
        "",
    ],
)
def test_what_holds_no_rules_is_left_alone(text: str) -> None:
    reading = read(foreign(text))

    assert (reading.sets, reading.tests, reading.found) == ([], [], [])


def test_several_sets_of_one_file_are_told_apart() -> None:
    text = f"groups:\n{LIST}---\nkind: ConfigMap\ndata:\n  a.rules: |\n    groups:\n{indented(LIST, 4)}"

    assert [each.source for each in read(foreign(text, "x.yml")).sets] == [
        "x.yml, document 1",
        "x.yml, document 2, a.rules",
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("groups:\n{{- range .Values.groups }}\n- name: x\n  rules:\n  - alert: A\n{{- end }}\n", "TOC812"),
        ("groups:\n  - name: x\n rules:\n  - alert: A\n    expr: up\n", "TOC816"),
        ("ALERT Down\n  IF up == 0\n  FOR 5m\n", "TOC811"),
        ("kind: PrometheusRule\nmetadata: {name: x}\nspec:\n  alert: x\n", "TOC816"),
        ("groups:\n- 5\n- name: g\n  rules:\n  - alert: A\n    expr: up\n", "TOC813"),
        (f"team: x\ngroups:\n{LIST}", "TOC814"),
        (
            f"kind: PrometheusRule\nmetadata: {{labels: {{role: rules}}}}\nspec:\n  groups:\n{indented(LIST, 2)}",
            "TOC814",
        ),
    ],
)
def test_what_cannot_be_opened_is_said_with_its_class(text: str, code: str) -> None:
    reading = read(foreign(text))

    assert [each.code for each in reading.found] == [code]
    assert reading.found[0].span.file == "alerts.yml"


def test_a_unit_test_file_is_one() -> None:
    reading = read(foreign("rule_files: [a.yml]\ntests:\n- interval: 1m\n"))

    assert len(reading.tests) == 1 and not reading.sets
