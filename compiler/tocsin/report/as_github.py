"""Findings as workflow commands: GitHub Actions shows each beside its line in the pull request.

In: a `Report`. Out: one `::error ...::` line per finding, then a plain summary. The runner reads any line
that begins with `::`, so everything that comes from a source is escaped as the runner unescapes it. It
drops the columns of a finding over several lines, so only the start is given.
"""

from __future__ import annotations

from dataclasses import replace

from tocsin.diag.diagnostic import Diagnostic, Severity
from tocsin.diag.span import Span
from tocsin.report.findings import Report, slug
from tocsin.report.visible import visible

_COMMAND = {Severity.error: "error", Severity.warning: "warning", Severity.note: "notice"}


def render(report: Report) -> str:
    """The commands and the summary, newline-terminated."""
    return "".join(_command(each, report.within) for each in report.shown) + report.summary + "\n"


def _command(found: Diagnostic, within: str) -> str:
    message = visible(found.message) + (f"\n{visible(found.help)}" if found.help else "")
    return command(
        _COMMAND[found.severity], placed(found.span, within), f"{found.code} {slug(found.code)}", message
    )


def placed(span: Span, within: str) -> Span:
    """A place of the project as its repository counts paths."""
    return replace(span, file=within + span.file) if within else span


def command(kind: str, span: Span, title: str, message: str) -> str:
    """One command: `kind` is error, warning or notice; title and message may hold anything."""
    places = {"file": span.file, "line": str(span.line), "col": str(span.col)}
    if span.end_line == span.line:
        places["endColumn"] = str(span.end_col)
    places["title"] = title
    properties = ",".join(f"{name}={_property(value)}" for name, value in places.items())
    return f"::{kind} {properties}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # A file name keeps its line breaks for the runner to decode; what no log can hold is spelled out.
    shown = "".join(each if each in "\r\n" else visible(each) for each in text)
    return _data(shown).replace(":", "%3A").replace(",", "%2C")
