"""Findings for a program: one JSON document in the shape of `schemas/report.schema.json`.

In: a `Report`. Out: JSON. `version` is the format's: a reader that knows version 1 may meet new keys, never
a key with another meaning.
"""

from __future__ import annotations

import json

from tocsin.diag.diagnostic import Diagnostic, Severity
from tocsin.diag.span import Span
from tocsin.report.findings import Report, slug
from tocsin.report.fingerprint import fingerprints
from tocsin.report.visible import encodable

FORMAT = 1


def render(report: Report) -> str:
    """The document, newline-terminated."""
    shown = report.shown
    marks = fingerprints(shown, report.texts)
    document = {
        "version": FORMAT,
        "tool": {"name": "tocsin", "version": report.version},
        "summary": {
            "files": report.files,
            "files_with_findings": len({each.span.file for each in shown}),
            "errors": sum(each.severity is Severity.error for each in shown),
            "warnings": sum(each.severity is Severity.warning for each in shown),
            "notes": sum(each.severity is Severity.note for each in shown),
            "not_shown": len(report.diagnostics) - len(shown),
            "fail_on": report.fail_on.name,
            "failed": report.failed,
        },
        "findings": [_finding(each, mark) for each, mark in zip(shown, marks, strict=True)],
    }
    return json.dumps(document, indent=1) + "\n"


def _finding(found: Diagnostic, mark: str) -> dict[str, object]:
    return {
        "code": found.code,
        "slug": slug(found.code),
        "severity": found.severity.name,
        "message": encodable(found.message),
        "help": encodable(found.help),
        "subject": encodable(found.subject),
        **_place(found.span),
        "related": [{"message": encodable(each.message), **_place(each.span)} for each in found.related],
        "fingerprint": mark,
        "explain": f"tocsin explain {found.code}",
    }


def _place(span: Span) -> dict[str, object]:
    return {
        "file": encodable(span.file),
        "line": span.line,
        "column": span.col,
        "end_line": span.end_line,
        "end_column": span.end_col,
    }
