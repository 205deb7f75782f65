"""promtool tests: native where nothing is lost, kept where something would be, reported where neither holds."""

from __future__ import annotations

import pytest
import yaml
from tests.adopting import adopted, written

from tocsin.adopt import Adoption

RULES = """\
groups:
- name: g
  rules:
  - {record: job:up:sum, expr: sum by (job) (up)}
  - {alert: Down, expr: up == 0, for: 1m, labels: {severity: critical}, annotations: {summary: gone}}
  - {alert: Quiet, expr: 'job:up:sum == 0'}
"""
TEST = """\
# what we promise
rule_files:
  - {file}
evaluation_interval: 1m
tests:
  # it fires
  - interval: 1m
    name: down
    input_series:
      - {{series: 'up{{job="a"}}', values: 1 0x9}}
    {asked}
  - interval: 30s
    input_series:
      - {{series: 'up{{job="b"}}', values: 1x9}}
    alert_rule_test:
      - {{alertname: Down, eval_time: 5m}}
"""
DOWN = """alert_rule_test:
      - alertname: Down
        eval_time: 5m
        exp_alerts:
          - exp_labels: {alertname: Down, severity: critical, job: a}
            exp_annotations: {summary: gone}
      - {alertname: Down, eval_time: 1m}
      - {alertname: Quiet, eval_time: 5m, exp_alerts: [{exp_labels: {job: a}}]}"""
QUERY = """promql_expr_test:
      - {expr: 'job:up:sum', eval_time: 5m, exp_samples: [{labels: 'job:up:sum{job="a"}', value: 0}]}"""


def with_test(
    asked: str = DOWN, *, rules: dict[str, str] | None = None, file: str = "web.yml", more: str = ""
) -> Adoption:
    text = TEST.format(file=file, asked=asked) + more
    return adopted({**(rules or {"web.yml": RULES}), "tests.yml": text})


def source(result: Adoption, path: str = "rules/web/rules.yaml") -> list[dict[str, object]]:
    return list(yaml.safe_load(written(result)[path]).get("tests", []))


def kept(result: Adoption) -> dict[str, str]:
    return {path: text for path, text in written(result).items() if path.endswith(".promtool.yaml")}


def test_a_test_of_alerts_becomes_native_one_for_each_alert() -> None:
    result = with_test()

    first, second, third = source(result)
    assert (result.tests, result.kept_tests) == (1, 0)
    assert first == {
        "name": "down: Down",
        "alert": "down",
        "series": {'up{job="a"}': "1 0x9"},
        "firing": {
            "5m": [{"labels": {"severity": "critical", "job": "a"}, "annotations": {"summary": "gone"}}],
            "1m": [],
        },
    }
    assert second == {
        "name": "down: Quiet", "alert": "quiet", "series": {'up{job="a"}': "1 0x9"}, "firing": {"5m": [{"labels": {"job": "a"}}]}
    }  # fmt: skip
    assert third == {
        "name": "Down at 5m", "alert": "down", "step": "30s", "series": {'up{job="b"}': "1x9"}, "firing": {"5m": []}
    }  # fmt: skip


TWICE = RULES + "  - {alert: Down, expr: up == 2}\n"


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (with_test(QUERY), "promql_expr_test"),
        (with_test(more="group_eval_order: [g]\n"), "group_eval_order"),
        (with_test(DOWN + "\n    external_labels: {a: b}"), "external_labels"),
        (with_test(rules={"web.yml": TWICE}), "exactly one rule"),
        (
            with_test(rules={"web.yml": RULES.replace("- name: g\n", "- name: g\n  interval: 15s\n")}),
            "another interval",
        ),
        (with_test(DOWN.replace("eval_time: 1m", "eval_time: 5m")), "asked about twice"),
    ],
    ids=["query", "order", "external", "namesakes", "interval", "twice"],
)
def test_a_test_that_does_not_fit_keeps_its_file_with_other_rule_files(result: Adoption, why: str) -> None:
    ((path, text),) = kept(result).items()

    assert path == "rules/web/tests.promtool.yaml"
    assert text.startswith("# Adopted from tests.yml\n# what we promise\nrule_files:\n")
    data = yaml.safe_load(text)
    assert data["rule_files"] == ["../../dist/tests/prod/web.authored.rules.yaml"]
    assert "# it fires" in text and len(data["tests"]) == 2
    assert "tests" not in yaml.safe_load(written(result)["rules/web/rules.yaml"])
    (note,) = [each for each in result.diagnostics if each.code == "TOC815"]
    assert why in note.message and path in note.message


OTHER = "groups: [{name: other, rules: [{alert: Other, expr: other > 0}, {record: other:sum, expr: sum(other)}]}]\n"
BOTH = {"web.yml": RULES, "db.yml": OTHER}
TWO_SERVICES = """\
rule_files: [web.yml, db.yml]
tests:
  - interval: 1m
    input_series: [{series: up, values: 0x9}]
    promql_expr_test:
      - {expr: 'count(ALERTS{alertname=~"Down|Gone"})', eval_time: 5m, exp_samples: [{labels: '{}', value: 1}]}
  # the other service's
  - interval: 1m
    input_series: [{series: other, values: 1x9}]
    promql_expr_test:
      - {expr: 'other:sum', eval_time: 5m, exp_samples: [{labels: 'other:sum', value: 1}]}
"""


def test_a_file_of_two_services_is_taken_apart_by_what_can_answer() -> None:
    files = kept(adopted({**BOTH, "tests.yml": TWO_SERVICES}))

    assert sorted(files) == ["rules/db/tests.promtool.yaml", "rules/web/tests.promtool.yaml"]
    web, db = (
        yaml.safe_load(files["rules/web/tests.promtool.yaml"]),
        yaml.safe_load(files["rules/db/tests.promtool.yaml"]),
    )
    assert [row["input_series"][0]["series"] for row in web["tests"]] == ["up"]
    assert [row["input_series"][0]["series"] for row in db["tests"]] == ["other"]
    assert "# the other service's" in files["rules/db/tests.promtool.yaml"]


@pytest.mark.parametrize(
    "expr",
    [
        "count(ALERTS)",
        "job:up:sum + on() other:sum",
        '{__name__=~"job.*|other.*"}',
        'ALERTS{alertname!="Gone"}',
        "sum(",
    ],
)
def test_a_test_that_needs_two_services_together_is_reported_and_not_written(expr: str) -> None:
    text = TWO_SERVICES.replace("other:sum', eval", f"{expr}', eval")

    result = adopted({**BOTH, "tests.yml": text})

    (file,) = kept(result).values()
    assert len(yaml.safe_load(file)["tests"]) == 1
    (said,) = [each for each in result.diagnostics if "was not adopted" in each.message]
    assert "tests[1]" in said.message and "--service" in said.help


def test_native_tests_of_two_services_go_to_their_own_services() -> None:
    text = """\
rule_files: [web.yml, db.yml]
tests:
  - input_series: [{series: up, values: 0x9}, {series: other, values: 1x9}]
    alert_rule_test:
      - {alertname: Down, eval_time: 5m, exp_alerts: [{exp_labels: {severity: critical}, exp_annotations: {summary: gone}}]}
      - {alertname: Other, eval_time: 5m, exp_alerts: [{}]}
"""
    result = adopted({**BOTH, "tests.yml": text})

    assert not kept(result)
    assert [each["alert"] for each in source(result)] == ["down"]
    assert [each["alert"] for each in source(result, "rules/db/rules.yaml")] == ["other"]
    assert source(result, "rules/db/rules.yaml")[0]["firing"] == {"5m": ["firing"]}


def test_an_alert_that_reads_another_service_s_record_is_not_native() -> None:
    rules = {"web.yml": RULES, "db.yml": OTHER.replace("other > 0", "job:up:sum > 0")}
    text = "rule_files: [web.yml, db.yml]\ntests:\n- input_series: [{series: up, values: 1x9}]\n  alert_rule_test:\n  - {alertname: Other, eval_time: 5m}\n"

    result = adopted({**rules, "tests.yml": text})

    assert not kept(result) and not source(result, "rules/db/rules.yaml")
    assert "together" in next(each.message for each in result.diagnostics if each.code == "TOC815")


@pytest.mark.parametrize(
    ("file", "code"), [("missing.yml", "TOC815"), ("web.yml\ndisable_alertgroup_label: true", "TOC811")]
)
def test_a_test_file_that_cannot_be_adopted_is_reported(file: str, code: str) -> None:
    result = with_test(file=file)

    assert not kept(result) and not source(result)
    assert code in {each.code for each in result.diagnostics}


def test_rule_files_are_found_by_pattern_and_by_name_where_tests_stand_apart() -> None:
    rules = {"rules/web.yml": RULES}

    assert len(source(with_test(rules=rules, file="rules/*.yml"))) == 3
    assert len(source(with_test(rules=rules, file="web.yml"))) == 3
