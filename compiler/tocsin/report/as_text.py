"""Findings for a person at a terminal: `file:line:col` first, so that editors jump, then the line with
carets under the words.

In: a `Report`. Out: one string. Columns on screen are not columns of the text (a tab is wide, a Chinese
character takes two places, a control character is spelled out), so the line is drawn cell by cell and the
carets are counted in cells.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from tocsin.diag.diagnostic import Diagnostic, Severity
from tocsin.diag.span import Span, lines_of
from tocsin.report.findings import Report, slug
from tocsin.report.visible import columns, seen, visible

WIDTH = 110
"""Longer source lines are cut to a window around the words in question."""
_TAB = 4
_COLOUR = {Severity.error: "\x1b[1;31m", Severity.warning: "\x1b[1;33m", Severity.note: "\x1b[1;36m"}
_BOLD, _DIM, _OFF = "\x1b[1m", "\x1b[2m", "\x1b[0m"

Paint = Callable[[str, str], str]


def render(report: Report, *, colour: bool = False, width: int = WIDTH) -> str:
    """The findings and a closing summary, newline-terminated. `colour` adds escape sequences of our own;
    none ever comes from a source.
    """
    paint: Paint = (lambda code, text: f"{code}{text}{_OFF}") if colour else (lambda _, text: text)

    def line_at(span: Span) -> str | None:
        text = report.texts.get(span.file)
        if text is None:
            return None
        lines = lines_of(text)
        return lines[span.line - 1].rstrip("\r") if span.line <= len(lines) else None

    shown = [_finding(each, line_at(each.span), paint, width) for each in report.shown]
    worst = max((each.severity for each in report.shown), default=None)
    summary = paint(_COLOUR[worst] if worst else _BOLD, report.summary)
    return "".join(shown) + summary + "\n"


def _finding(found: Diagnostic, line: str | None, paint: Paint, width: int) -> str:
    tone = _COLOUR[found.severity]
    place = paint(_BOLD, f"{visible(found.span.place)}:")
    what = paint(tone, f"{found.severity.name} {found.code}")
    rows = [f"{place} {what} {slug(found.code)}: {visible(found.message)}"]
    gutter = " " * len(str(found.span.line))
    if line is not None and line.strip():
        source, carets = _snippet(line, found.span, width)
        rows.append(paint(_DIM, f"{gutter} |"))
        rows.append(paint(_DIM, f"{found.span.line} |") + f" {source}")
        rows.append(paint(_DIM, f"{gutter} |") + f" {paint(tone, carets)}")
    if found.help:
        rows.append(paint(_DIM, f"{gutter} =") + f" help: {visible(found.help)}")
    for other in found.related:
        rows.append(paint(_DIM, f"{gutter} =") + f" {visible(other.span.place)}: {visible(other.message)}")
    return "\n".join(rows) + "\n\n"


def _snippet(line: str, span: Span, width: int) -> tuple[str, str]:
    """The line as shown and the carets below it; a span without width gets one caret."""
    start = min(span.col - 1, len(line))
    end = len(line) if span.end_line > span.line else min(span.end_col - 1, len(line))
    first, last = _window(line, start, width)
    lead, trail = "…" if first else "", "…" if last < len(line) else ""
    source = lead + "".join(_cell(each)[0] for each in line[first:last]) + trail
    before = len(lead) + _cells(line[first:start])
    return source.rstrip(), " " * before + "^" * max(1, _cells(line[start : min(end, last)]))


def _window(line: str, start: int, width: int) -> tuple[int, int]:
    """Which characters to show: all of a short line, else a window that holds the start of the words and
    what led to them.
    """
    if not _exceeds(line, len(line), width):
        return 0, len(line)
    first = start - width // 4 if _exceeds(line, start, width // 2 - 1) else 0
    last, used = first, 0
    while last < len(line) and (used := used + _cell(line[last])[1]) <= width:
        last += 1
    return first, last


def _exceeds(line: str, end: int, width: int) -> bool:
    """Whether `line` up to `end` takes more cells than `width`. It looks no further than it must: a line of a
    megabyte may hold a finding for every word of it.
    """
    used = 0
    for character in islice(line, end):
        used += _cell(character)[1]
        if used > width:
            return True
    return False


def _cell(character: str) -> tuple[str, int]:
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        return " " * _TAB, _TAB
    shown = seen(character)
    return shown, sum(columns(each) for each in shown)


def _cells(text: str) -> int:
    return sum(_cell(each)[1] for each in text)
