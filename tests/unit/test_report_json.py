"""The JSON report: the published schema, and fingerprints that survive moved lines."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag.codes import CODES
from tocsin.diag.diagnostic import Diagnostic, Related, Severity, diagnostic
from tocsin.diag.span import Span
from tocsin.report import as_json
from tocsin.report.findings import Report
from tocsin.report.fingerprint import fingerprints

FILE = "rules/kafka/lag.yaml"


@pytest.fixture(scope="module")
def judge() -> jsonschema.Draft202012Validator:
    schema = json.loads(files("tocsin").joinpath("schemas/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def report(*found: Diagnostic, **options: Severity) -> Report:
    return Report.of(found, texts={}, files=3, version="0.1.0", **options)


def test_a_report_says_everything_and_fits_its_schema(judge: jsonschema.Draft202012Validator) -> None:
    found = diagnostic(
        "TOC301",
        Span(FILE, 2, 5, 2, 8),
        "the id `one` is taken",
        help="choose another",
        subject="one",
        related=[Related(message="first", span=Span("rules/a/b.yaml", 7, 3, 7, 6))],
    )
    note = diagnostic("TOC619", Span(FILE, 1, 1, 1, 2), "note")
    document = orjson.loads(as_json.render(report(found, note, min_severity=Severity.warning)))
    judge.validate(document)
    assert document["version"] == 1
    assert document["summary"] == {
        "files": 3,
        "files_with_findings": 1,
        "errors": 1,
        "warnings": 0,
        "notes": 0,
        "not_shown": 1,
        "fail_on": "error",
        "failed": True,
    }
    (shown,) = document["findings"]
    place = {"file": FILE, "line": 2, "column": 5, "end_line": 2, "end_column": 8}
    assert shown | place == shown
    assert shown["related"][0]["file"] == "rules/a/b.yaml"
    assert (shown["code"], shown["slug"], shown["severity"]) == ("TOC301", "duplicate-id", "error")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(CODES)), st.text(), st.text(), st.integers(1, 9)), max_size=5),
    st.text(),
)
def test_hostile_words_stay_json(found: list[tuple[str, str, str, int]], text: str) -> None:
    made = [
        diagnostic(code, Span(file, line), message, subject=message) for code, file, message, line in found
    ]
    whole = Report.of(made, texts={file: text for _, file, _, _ in found}, files=1, version="0")
    document = orjson.loads(as_json.render(whole))
    assert len(document["findings"]) == len(whole.shown)
    assert len({each["fingerprint"] for each in document["findings"]}) == len(whole.shown)


def test_a_file_name_that_is_not_utf8_is_spelled_out(judge: jsonschema.Draft202012Validator) -> None:
    name = b"rules/kafka/\xff.yaml".decode("utf-8", "surrogateescape")
    document = orjson.loads(as_json.render(report(diagnostic("TOC110", Span(name), "not UTF-8"))))
    judge.validate(document)
    assert document["findings"][0]["file"] == "rules/kafka/\\xff.yaml"


def marks(*found: Diagnostic, text: str = "") -> tuple[str, ...]:
    return fingerprints(found, {each.span.file: text for each in found})


def test_a_subject_keeps_its_fingerprint_when_the_rule_moves_within_its_service() -> None:
    here = diagnostic("TOC512", Span(FILE, 5, 1, 5, 2), "line 5 lacks it", subject="one/identity")
    there = diagnostic(
        "TOC512", Span("rules/kafka/sub/x.yaml", 99, 4, 99, 5), "line 99 lacks it", subject="one/identity"
    )
    elsewhere = diagnostic(
        "TOC512", Span("rules/node/x.yaml", 5, 1, 5, 2), "line 5 lacks it", subject="one/identity"
    )
    assert marks(here) == marks(there) != marks(elsewhere)


def test_without_a_subject_the_line_is_the_context() -> None:
    one = diagnostic("TOC107", Span(FILE, 2, 4, 2, 6), "x")
    moved = diagnostic("TOC107", Span(FILE, 4, 6, 4, 8), "x")
    assert marks(one, text="v: 1\na: on\n") == marks(moved, text="v: 1\n# said\nb:\n  a:  on\n")
    assert marks(one, text="v: 1\na: on\n") != marks(one, text="v: 1\na: off\n")


def test_equal_findings_are_counted_from_the_top() -> None:
    twice = [diagnostic("TOC104", Span(FILE, line, 1, line, 2), "x", subject="expr") for line in (3, 9)]
    assert len(set(marks(*twice))) == 2
    assert marks(*twice)[0] == marks(twice[1])[0]


def test_the_schema_is_shipped() -> None:
    assert Path(str(files("tocsin").joinpath("schemas/report.schema.json"))).is_file()
