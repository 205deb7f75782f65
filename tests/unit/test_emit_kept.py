"""promtool files a team keeps: pointed at our rendering, otherwise as they were."""

from __future__ import annotations

import yaml

from tocsin.diag import SourceFile
from tocsin.emit.kept import kept_file, kept_questions, kept_tests

RULES = "kafka.authored.rules.yaml"


def kept(text: str) -> SourceFile:
    return SourceFile(path="rules/kafka/lag.promtool.yaml", text=text)


def test_only_the_rule_files_change_and_lines_keep_their_numbers() -> None:
    head = "# mine\ntests:\n  - interval: 1m # c\n"
    text = head + "rule_files:\n  # all\n  - a.yaml\n  - b.yaml\nfuzzy_compare: true\n"
    _, written, found = kept_file(kept(text), RULES)
    assert not found
    assert yaml.safe_load(written) == {**yaml.safe_load(text), "rule_files": [RULES]}
    before, after = text.split("\n"), written.split("\n")
    assert len(before) == len(after)
    assert [line for line in (0, 1, 2, 7) if before[line] != after[line]] == []


def test_rule_files_in_one_line_at_the_end_are_replaced() -> None:
    _, written, _ = kept_file(kept("tests: []\nrule_files: [a.yaml, b.yaml]"), RULES)
    assert yaml.safe_load(written) == {"tests": [], "rule_files": [RULES]}


def test_a_file_without_rule_files_gets_them() -> None:
    _, written, _ = kept_file(kept("tests: []\n"), RULES)
    assert yaml.safe_load(written) == {"tests": [], "rule_files": [RULES]}


def test_a_file_in_json_is_written_anew() -> None:
    _, written, _ = kept_file(
        kept('{"rule_files": ["a"], "tests": [{"name": "1e3", "interval": "1m"}]}'), RULES
    )
    assert yaml.safe_load(written) == {"rule_files": [RULES], "tests": [{"name": "1e3", "interval": "1m"}]}


def test_a_file_that_is_no_yaml_is_a_finding_at_its_place() -> None:
    origin, _, found = kept_file(kept("tests: [\n"), RULES)
    assert origin is None
    assert [(each.code, each.span.file) for each in found] == [("TOC101", "rules/kafka/lag.promtool.yaml")]


def test_misshapen_tests_keep_their_places() -> None:
    asked = "    promql_expr_test:\n      - null\n      - {expr: up, eval_time: 60s}\n"
    text = f"tests:\n  - null\n  - 5\n  - name: good\n{asked}"
    origin, _, _ = kept_file(kept(text), RULES)
    assert origin is not None
    assert [name for name, _ in kept_tests(origin)] == ["tests[0]", "tests[1]", "good"]
    (question,) = kept_questions(origin, 10)
    assert (question.test, question.text, question.time, question.span.line) == (12, "up", "1m", 7)
