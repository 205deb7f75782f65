"""Findings for code scanning: SARIF 2.1.0 (OASIS), one run.

In: a `Report`. Out: JSON. Places are relative to `%SRCROOT%` without saying where that is, because the same
input gives the same bytes on every machine. Columns count code points, which SARIF must be told: its
default is UTF-16 units. `partialFingerprints` are ours and not GitHub's line hash, which changes when the
line does.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from tocsin.diag.codes import CODES
from tocsin.diag.diagnostic import Diagnostic, Severity
from tocsin.diag.explain import page
from tocsin.diag.span import Span
from tocsin.report.findings import Report, slug
from tocsin.report.fingerprint import fingerprints
from tocsin.report.visible import visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_SNIPPET = 300
"""The most characters of a source quoted in one result."""


def render(report: Report) -> str:
    """The log, newline-terminated."""
    shown = report.shown
    codes = sorted({each.code for each in shown})
    index = {code: at for at, code in enumerate(codes)}
    marks = fingerprints(shown, report.texts)
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tocsin",
                        "semanticVersion": report.version,
                        "version": report.version,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "originalUriBaseIds": {
                    "SRCROOT": {"description": {"text": "The root of the repository that was checked."}}
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": True, "exitCode": int(report.failed)}],
                "results": [
                    _result(each, index[each.code], mark, report)
                    for each, mark in zip(shown, marks, strict=True)
                ],
            }
        ],
    }
    return json.dumps(log, indent=1) + "\n"


def _rule(code: str) -> dict[str, object]:
    about = page(code)
    return {
        "id": code,
        "name": _pascal(slug(code)),
        "shortDescription": {"text": about.short},
        "fullDescription": {"text": about.summary},
        "help": {"text": about.text, "markdown": about.text},
        "defaultConfiguration": {"level": CODES[code].severity},
    }


def _pascal(words: str) -> str:
    return "".join(each.capitalize() for each in words.split("-"))


def _result(found: Diagnostic, rule: int, mark: str, report: Report) -> dict[str, object]:
    advice = f" ({visible(found.help)})" if found.help else ""
    result: dict[str, object] = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": _LEVEL[found.severity],
        "message": {"text": f"{visible(found.message)}{advice}."},
        "locations": [{"physicalLocation": _place(found.span, report)}],
        "partialFingerprints": {"tocsin/v1": mark},
    }
    if found.related:
        result["relatedLocations"] = [
            {
                "id": number,
                "message": {"text": visible(each.message)},
                "physicalLocation": _place(each.span, report),
            }
            for number, each in enumerate(found.related, 1)
        ]
    return result


_LEVEL = {Severity.error: "error", Severity.warning: "warning", Severity.note: "note"}


def _place(span: Span, report: Report) -> dict[str, object]:
    region: dict[str, object] = {
        "startLine": span.line,
        "startColumn": span.col,
        "endLine": span.end_line,
        "endColumn": span.end_col,
    }
    text = report.texts.get(span.file)
    if text is not None and span.end_line <= text.count("\n") + 1:
        quoted = span.slice(text)
        if quoted and len(quoted) <= _SNIPPET:
            region["snippet"] = {"text": quoted}
    uri = quote((report.within + span.file).encode("utf-8", "surrogateescape"))
    return {"artifactLocation": {"uri": uri, "uriBaseId": "SRCROOT"}, "region": region}
