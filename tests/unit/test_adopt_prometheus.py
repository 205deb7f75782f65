"""The whole adoption, in memory: what is written, what is left alone, what is said."""

from __future__ import annotations

import random

import pytest
import yaml
from tests.adopting import adopted, sources, written

from tocsin.adopt import Options, asks_for_labels, contradicts_labels, survey

ALERTS = """\
# Rules of the team.

groups:
  # first
  - name: lag  # beside
    interval: 30s
    rules:
      # Pages.
      - alert: Lag
        # a threshold
        expr: |
          # in the text
          sum by (job) (lag) > 5
        for: 5m  # five
        labels:
          severity: critical  # wakes
          team: Streaming
        annotations:
          # what they read
          summary: "{{ $labels.job }} costs ${x}, $1 and ${1}"
          runbook_url: https://example.com/lag
      - record: job:lag:sum
        expr: sum(lag)
# the end
"""
SOURCE = """\
# yaml-language-server: $schema=../../.tocsin/schemas/rules.schema.json
# Adopted from kafka.rules.yml
#
# Rules of the team.
version: 1
service: kafka
owner: streaming

groups:
  # first
  - name: lag  # beside
    interval: 30s
    rules:
      # Pages.
      - alert: Lag
        id: lag
        severity: critical  # wakes
        # a threshold
        expr: |
          # in the text
          sum by (job) (lag) > 5
        for: 5m  # five
        labels:
          team: Streaming
        # what they read
        summary: "{{ $labels.job }} costs $${x}, $1 and ${1}"
        annotations:
          runbook_url: https://example.com/lag

      - record: job:lag:sum
        expr: sum(lag)

# the end
"""


def test_the_source_is_what_a_person_would_have_written() -> None:
    assert written(adopted({"kafka.rules.yml": ALERTS}))["rules/kafka/rules.yaml"] == SOURCE


def test_a_new_project_file_keeps_the_labels_as_they_are_and_adds_none() -> None:
    project = yaml.safe_load(written(adopted({"kafka.rules.yml": ALERTS}))["tocsin.yaml"])

    assert project["severities"] == {"critical": {"label": {"severity": "critical"}}}
    assert project["labels"] == {"inject": []}
    assert project["teams"] == {"streaming": {"name": "streaming"}}
    assert "unranked" not in project and "checks" not in project


def rule(name: str, severity: str = "", expr: str = "up == 0") -> str:
    labels = f", labels: {{severity: {severity}}}" if severity else ""
    return f"{{alert: {name}, expr: '{expr}'{labels}}}"


def group(*rules: str, name: str = "g") -> str:
    return f"groups: [{{name: {name}, rules: [{', '.join(rules)}]}}]\n"


def test_severities_are_ranked_by_how_urgent_they_sound() -> None:
    text = group(
        rule("A", "info"),
        rule("B", "page"),
        rule("C", "p2"),
        rule("D", "warning"),
        rule("E", "none"),
        rule("F", "P1"),
    )

    project = yaml.safe_load(written(adopted(text))["tocsin.yaml"])

    assert list(project["severities"]) == ["P1", "p2", "page", "warning", "info", "none"]


def test_alerts_without_a_fixed_severity_are_allowed_and_keep_their_label() -> None:
    template = "{alert: T, expr: up, labels: {severity: '{{ $labels.s }}'}}"
    files = written(adopted(group(rule("A", "info"), rule("B"), template)))
    rules = yaml.safe_load(next(text for path, text in files.items() if path.startswith("rules/")))["groups"][
        0
    ]["rules"]

    assert yaml.safe_load(files["tocsin.yaml"])["unranked"] is True
    assert rules[2]["labels"] == {"severity": "{{ $labels.s }}"} and "severity" not in rules[2]


def test_a_severity_can_be_named_anew_and_its_label_stays() -> None:
    files = written(adopted(group(rule("A", "critical")), options=Options(severities={"critical": "P1"})))

    assert yaml.safe_load(files["tocsin.yaml"])["severities"] == {"P1": {"label": {"severity": "critical"}}}
    assert "severity: P1" in next(text for path, text in files.items() if path.startswith("rules/"))


PROJECT = """\
version: 1
project: shop
severities:
  P1: {label: {severity: critical}}   # ours
teams: {web: {name: Web}}
labels: {inject: [rule_id]}
environments:
  prod: {evaluators: [{name: main, kind: prometheus, version: "3.5"}]}
"""


def test_an_existing_project_file_is_extended_and_its_policy_is_used() -> None:
    result = adopted(group(rule("A", "critical"), rule("B", "warning")), {"tocsin.yaml": PROJECT})
    text = written(result)["tocsin.yaml"]
    project = yaml.safe_load(text)

    assert list(project["severities"]) == ["P1", "warning"]
    assert project["teams"] == {"web": {"name": "Web"}, "unowned": {"name": "Nobody yet"}}
    assert project["labels"] == {"inject": ["rule_id"]}, "what the project says about labels stands"
    assert "  P1: {label: {severity: critical}}   # ours\n" in text
    assert "severity: P1" in next(text for path, text in written(result).items() if path.startswith("rules/"))


def test_a_second_run_writes_nothing() -> None:
    texts = {"kafka.rules.yml": ALERTS, "web.yml": group(rule("A", "warning"))}
    first = written(adopted(texts))

    again = adopted(texts, first)

    assert again.files == ()
    assert again.carried == again.rules == 3
    assert sorted(again.already) == ["kafka.rules.yml", "web.yml"]


def test_an_edited_source_is_left_alone_wherever_it_was_moved() -> None:
    first = written(adopted({"kafka.rules.yml": ALERTS}))
    text = first.pop("rules/kafka/rules.yaml")
    moved = {
        **first,
        "rules/streaming/lag.yaml": text.replace("service: kafka", "service: streaming").replace(
            "5m  # five", "9m"
        ),
    }

    assert adopted({"kafka.rules.yml": ALERTS}, moved).files == ()


def test_names_the_repository_uses_are_not_used_again() -> None:
    mine = "version: 1\nservice: web\nowner: web\ngroups:\n- name: g\n  rules:\n  - {alert: A, id: a, severity: P1, expr: up == 0}\n"
    result = adopted(
        {"web.yml": group(rule("A", "critical"))}, {"tocsin.yaml": PROJECT, "rules/web/alerts.yaml": mine}
    )
    (path,) = [each.path for each in result.files if each.path.startswith("rules/")]
    data = yaml.safe_load(written(result)[path])

    assert path != "rules/web/alerts.yaml"
    assert data["service"] != "web", "the service has a group of that name"
    assert data["groups"][0]["rules"][0]["id"] != "a"
    assert "TOC814" in {each.code for each in result.diagnostics}


def test_files_in_any_order_give_the_same_bytes() -> None:
    texts = {
        f"{name}/rules.yml": group(rule("Down", "critical"), rule(name.title()))
        for name in ("kafka", "web", "db", "cache")
    }
    expected = adopted(texts).files
    rows = list(texts.items())
    random.Random(7).shuffle(rows)

    assert adopted(dict(rows)).files == expected


def test_a_clash_of_group_names_makes_another_service_and_says_so() -> None:
    texts = {"web/a.yml": group(rule("A")), "web/b.yml": group(rule("B"))}

    result = adopted(texts)

    assert result.services == ("web", "web-b")
    assert [each.code for each in result.diagnostics] == ["TOC814"]


def test_with_a_named_service_the_clash_is_solved_by_another_group_name() -> None:
    texts = {"web/a.yml": group(rule("A")), "web/b.yml": group(rule("B"))}

    files = written(adopted(texts, options=Options(service="shop")))

    names = [yaml.safe_load(files[f"rules/shop/{each}.yaml"])["groups"][0]["name"] for each in ("a", "b")]
    assert names == ["g", "g-b"]


def test_faults_that_the_rules_brought_along_are_warnings_in_a_project_of_our_making() -> None:
    late = "{alert: A, expr: 'job:x:sum > 1', annotations: {summary: '{{ $labels.pod }}'}}, {record: job:x:sum, expr: sum(x)}"
    text = f"groups: [{{name: g, rules: [{late}]}}]"

    project = yaml.safe_load(written(adopted(text))["tocsin.yaml"])

    assert project["checks"] == {"TOC413": "warning", "TOC502": "warning"}


def test_a_strict_project_is_not_loosened() -> None:
    mine = "version: 1\nservice: own\nowner: web\ngroups:\n- name: own\n  rules:\n  - {alert: Own, id: own, severity: P1, expr: up == 0}\n"
    late = (
        "groups: [{name: g, rules: [{alert: A, expr: 'job:x:sum > 1'}, {record: job:x:sum, expr: sum(x)}]}]"
    )

    result = adopted({"web.yml": late}, {"tocsin.yaml": PROJECT, "rules/own/own.yaml": mine})

    assert result.strict == ("TOC413",)
    assert "checks" not in yaml.safe_load(written(result)["tocsin.yaml"])


def test_a_new_project_file_names_a_version_that_has_what_the_rules_need() -> None:
    labels = "groups: [{name: g, labels: {dc: a}, rules: [{alert: A, expr: up == 0}]}]"
    quoted = """groups: [{name: g, rules: [{alert: A, expr: '{"a.b"} == 0'}]}]"""

    for text in (labels, quoted):
        result = adopted(text)
        assert result.carried == 1, result.diagnostics
        evaluator = yaml.safe_load(written(result)["tocsin.yaml"])["environments"]["prod"]["evaluators"][0]
        assert evaluator["version"] == "3.0"


def test_what_the_project_s_own_server_cannot_do_is_refused() -> None:
    old = PROJECT.replace("3.5", "2.42")

    result = adopted(
        """groups: [{name: g, rules: [{alert: A, expr: '{"a.b"} == 0'}, {alert: B, expr: up}]}]""",
        {"tocsin.yaml": old},
    )

    assert result.carried == 1 and result.rules == 2
    (refusal,) = [each for each in result.diagnostics if each.code == "TOC813"]
    assert "alert `A`" in refusal.message and "2.42" in refusal.message


@pytest.mark.parametrize(
    ("project", "own", "labels", "asks", "contradicts"),
    [
        ("", False, None, False, False),
        (PROJECT, True, None, False, False),
        (PROJECT, True, ("rule_id",), False, False),
        (PROJECT, True, (), False, True),
        (PROJECT.replace("labels: {inject: [rule_id]}\n", ""), False, None, False, False),
        (PROJECT.replace("labels: {inject: [rule_id]}\n", ""), True, None, True, False),
        (PROJECT.replace("labels: {inject: [rule_id]}\n", ""), True, ("rule_id",), False, False),
    ],
)
def test_labels_are_added_only_where_somebody_said_so(
    project: str, own: bool, labels: tuple[str, ...] | None, asks: bool, contradicts: bool
) -> None:
    mine = (
        "version: 1\nservice: own\ngroups:\n- name: own\n  rules:\n  - {alert: Own, id: own, expr: up == 0}\n"
    )
    here = sources(
        {**({"tocsin.yaml": project} if project else {}), **({"rules/own/own.yaml": mine} if own else {})}
    )
    existing = survey(here.project, here.rules)

    assert asks_for_labels(existing, Options(labels=labels)) is asks
    assert contradicts_labels(existing, Options(labels=labels)) is contradicts


def test_owners_come_from_the_option_else_labels_else_codeowners() -> None:
    text = group(rule("A"))
    owners = "* @acme/everybody\n/rules/web/ @acme/team-web\n*.rules.yml @acme/rules # last\n"

    def owner(path: str, text: str, **options: str) -> str:
        files = written(adopted({path: text}, options=Options(codeowners=owners, **options)))
        return str(
            yaml.safe_load(next(text for path, text in files.items() if path.startswith("rules/")))["owner"]
        )

    assert owner("rules/web/a.yml", text) == "team-web"
    assert owner("other/a.yml", text) == "everybody"
    assert owner("rules/web/a.rules.yml", text) == "rules"
    assert owner("rules/web/a.yml", text, owner="sre") == "sre"
    assert owner("a.yml", "groups: [{name: g, rules: [{alert: A, expr: up, labels: {team: DB}}]}]") == "db"


def test_an_empty_group_lives_on_in_the_source() -> None:
    files = written(adopted("groups: [{name: none, rules: []}, {name: g, rules: [{alert: A, expr: up}]}]"))
    data = yaml.safe_load(next(text for path, text in files.items() if path.startswith("rules/")))

    assert [each["name"] for each in data["groups"]] == ["none", "g"]


def test_a_set_of_which_every_rule_is_refused_makes_no_file() -> None:
    result = adopted("groups: [{name: g, rules: [{alert: A, expr: 'sum('}]}]")

    assert result.files == () and (result.rules, result.carried) == (1, 0)
