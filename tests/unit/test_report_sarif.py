"""The SARIF report, judged by the OASIS schema and by Microsoft's own validator; a planted fault must be
found by both.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from tests.judges import judge

from tocsin.diag.codes import CODES
from tocsin.diag.diagnostic import Related, diagnostic
from tocsin.diag.span import Span
from tocsin.report import as_sarif
from tocsin.report.findings import Report

FILE = "rules/kafka/lag.yaml"
TEXT = "version: 1\nservice: kafka\nsummary: 说 broken 😀 here\n"


def whole() -> dict[str, object]:
    """A log with every code in it, hostile names, related places, an empty place."""
    found = [diagnostic(code, Span(FILE, 3, 12, 3, 18), f"about `{code}`", help="do this") for code in CODES]
    found.append(diagnostic("TOC109", Span("rules/a b/%é#?.yaml"), "the file is empty\x1b[2J"))
    found.append(
        diagnostic("TOC110", Span(b"rules/\xff.yaml".decode("utf-8", "surrogateescape")), "not UTF-8")
    )
    other = Related(message="first used here", span=Span(FILE, 1, 1, 1, 8))
    found.append(diagnostic("TOC301", Span(FILE, 2, 1, 3, 4), "taken", subject="one", related=[other]))
    report = Report.of(found, texts={FILE: TEXT}, files=3, version="0.1.0")
    log: dict[str, object] = json.loads(as_sarif.render(report))
    return log


def clean() -> dict[str, object]:
    log: dict[str, object] = json.loads(as_sarif.render(Report.of([], texts={}, files=3, version="0.1.0")))
    return log


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft7Validator:
    text = judge("@microsoft/sarif-multitool-*/sarif-2.1.0.json").read_text(encoding="utf-8-sig")
    return jsonschema.Draft7Validator(json.loads(text))


Said = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def multitool(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, object]], Said]:
    """Runs the validator; (level, rule, message) of everything it says that is no note."""
    program = judge("@microsoft/sarif-multitool-*/Sarif.Multitool")
    folder = tmp_path_factory.mktemp("sarif")

    def said(log: dict[str, object]) -> Said:
        path = folder / "log.sarif"
        path.write_text(json.dumps(log))
        run = subprocess.run(
            [program, "validate", path, "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning"],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env={**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
        )
        assert "Analysis completed successfully" in run.stdout, run.stdout + run.stderr
        return re.findall(r": (error|warning) ([A-Z]+[0-9]+): (.*)", run.stdout)

    return said


def test_a_log_fits_the_schema_of_sarif(schema: jsonschema.Draft7Validator) -> None:
    schema.validate(whole())
    schema.validate(clean())


def test_the_validator_of_sarif_finds_nothing_but_the_missing_address(
    multitool: Callable[[dict[str, object]], Said],
) -> None:
    """tocsin has no home on the web, and an address that nobody owns would be worse than none."""
    for log in (whole(), clean()):
        assert [(rule, "informationUri" in said) for _, rule, said in multitool(log)] == [("SARIF2005", True)]


def test_a_planted_fault_is_found(
    schema: jsonschema.Draft7Validator, multitool: Callable[[dict[str, object]], Said]
) -> None:
    text = json.dumps(whole()).replace('"startLine": 3', '"startLine": 0')
    assert not schema.is_valid(json.loads(text))
    assert "JSON1008" in {rule for _, rule, _ in multitool(json.loads(text))}
    spaced = json.dumps(whole()).replace("a%20b", "a b")
    assert "SARIF1002" in {rule for _, rule, _ in multitool(json.loads(spaced))}


def results(log: dict[str, object]) -> list[dict[str, object]]:
    return log["runs"][0]["results"]  # type: ignore[index,no-any-return]


def test_columns_are_code_points() -> None:
    log = whole()
    assert log["runs"][0]["columnKind"] == "unicodeCodePoints"  # type: ignore[index]
    found = next(each for each in results(log) if each["ruleId"] == "TOC401")
    region = found["locations"][0]["physicalLocation"]["region"]  # type: ignore[index]
    line = TEXT.split("\n")[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == region["snippet"]["text"] == "broken"


def test_every_result_names_its_rule_and_has_a_fingerprint() -> None:
    log = whole()
    rules = log["runs"][0]["tool"]["driver"]["rules"]  # type: ignore[index]
    for each in results(log):
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
    prints = [each["partialFingerprints"]["tocsin/v1"] for each in results(log)]  # type: ignore[index]
    assert len(set(prints)) == len(prints)


def test_no_result_carries_an_escape_sequence() -> None:
    messages = [each["message"]["text"] for each in results(whole())]  # type: ignore[index]
    assert not [each for each in messages if "\x1b" in each]


def test_a_log_names_no_machine() -> None:
    text = json.dumps(whole())
    assert str(Path.cwd()) not in text
    assert not re.search(r'"uri": "(file:|/|[a-z]+://)', text)
