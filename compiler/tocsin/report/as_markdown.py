"""Findings as a comment on a pull request: a table for each file, the worst file first, never longer than
GitHub takes.

In: a `Report`. Out: Markdown. Words of a source are written as character references, which CommonMark never
reads as structure; a zero-width space keeps `@name`, `#12` and addresses from becoming mentions and links
after rendering, where references no longer help.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from tocsin.diag.diagnostic import Diagnostic, Severity
from tocsin.report.findings import Report, by_severity, count, slug
from tocsin.report.visible import visible

LIMIT = 65_536
"""GitHub refuses a longer comment."""
_OPEN = 3
"""So many files are unfolded; a reader opens the rest."""
_ROW = 2_000
"""The most characters of one message or help, so that one finding cannot use up the comment."""
_TAIL = 400
"""Room kept for the closing lines."""
_PLAIN = re.compile(r"[A-Za-z0-9 .,;()'/=+-]")
_LINKS = re.compile(r"@(?=[A-Za-z0-9])|#(?=[0-9])|:(?=//)|www(?=\.)", re.IGNORECASE)
_BREAK = "\u200b"
"""Zero-width space: the only character of a comment that nobody sees, put in by us alone."""
_QUOTED = re.compile(r"`([^`]+)`")
_MARK = {Severity.error: "❌ error", Severity.warning: "⚠️ warning", Severity.note: "📝 note"}


def render(report: Report) -> str:
    """The comment, newline-terminated, at most `LIMIT` characters."""
    shown = report.shown
    by_file: dict[str, list[Diagnostic]] = {}
    for each in shown:
        by_file.setdefault(each.span.file, []).append(each)
    worst_first = sorted(by_file.items(), key=lambda pair: (*_weight(pair[1]), pair[0]))

    title = f"### tocsin: {inline(report.summary)}\n"
    parts, used, left_out = [title], len(title), list[Diagnostic]()
    for number, (file, found) in enumerate(worst_first):
        part, rest = _file(file, found, unfolded=number < _OPEN, room=LIMIT - used - _TAIL)
        parts.append(part)
        used += len(part)
        left_out.extend(rest)
    if left_out:
        files = len({each.span.file for each in left_out})
        more = f"{count(len(left_out), 'more finding')} in {count(files, 'file')}"
        parts.append(f"\n{more} left out here ({by_severity(left_out)}): run `tocsin check`.\n")
    return "".join(parts)


def _weight(found: Sequence[Diagnostic]) -> tuple[int, int, int]:
    errors = sum(each.severity is Severity.error for each in found)
    warnings = sum(each.severity is Severity.warning for each in found)
    return -errors, -warnings, -len(found)


def _file(file: str, found: list[Diagnostic], *, unfolded: bool, room: int) -> tuple[str, list[Diagnostic]]:
    """One file's table as far as it fits into `room`, and what did not fit."""
    summary = f"<summary><code>{html.escape(visible(file))}</code> {by_severity(found)}</summary>"
    head = (
        f"\n<details{' open' if unfolded else ''}>{summary}\n\n"
        "| line | | code | finding |\n|--:|---|---|---|\n"
    )
    tail = "\n</details>\n"
    rows: list[str] = []
    used = len(head) + len(tail)
    worst_first = sorted(found, key=lambda each: (-each.severity, *each.order))
    for at, each in enumerate(worst_first):
        row = _row(each)
        if used + len(row) > room:
            return (head + "".join(rows) + tail if rows else ""), worst_first[at:]
        rows.append(row)
        used += len(row)
    return head + "".join(rows) + tail, []


def _row(found: Diagnostic) -> str:
    help = f"<br>{inline(_cut(found.help))}" if found.help else ""
    code = f"{found.code} {slug(found.code)}"
    return f"| {found.span.line} | {_MARK[found.severity]} | {code} | {inline(_cut(found.message))}{help} |\n"


def _cut(text: str) -> str:
    return text if len(text) <= _ROW else text[: _ROW - 1] + "…"


def inline(text: str) -> str:
    """Words of a source for a table cell: what stands between backquotes as code, the rest as plain text."""
    pieces = _QUOTED.split(visible(text))
    return "".join(
        f"<code>{_escaped(piece)}</code>" if at % 2 else _escaped(piece) for at, piece in enumerate(pieces)
    )


def _escaped(text: str) -> str:
    held = _LINKS.sub(lambda found: found.group() + _BREAK, text)
    return "".join(each if _PLAIN.match(each) or each > "~" else f"&#{ord(each)};" for each in held)
