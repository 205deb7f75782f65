"""A place in a source file, counted the way editors count: lines and columns from 1, columns in code points,
the end exclusive.

The reader of YAML stores only where a scalar starts. Its end is found here, by looking at the text, when a
finding is shown: that is rare, and 300,000 ends would cost as much memory as the data. `scalar_place` knows
the four styles (plain, quoted, literal, folded) in block and in flow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`file` from `line:col` up to (not including) `end_line:end_col`; never lies about its file, may be as
    short as a point.
    """

    file: str
    line: int = 1
    col: int = 1
    end_line: int = 1
    end_col: int = 1

    @staticmethod
    def point(file: str, line: int, col: int) -> Span:
        """One character."""
        return Span(file, line, col, line, col + 1)

    @staticmethod
    def of_line(file: str, text: str, line: int, column: int) -> Span:
        """From `column` to the end of that line (both counted from 0)."""
        lines = lines_of(text)
        end = len(lines[line].rstrip()) if line < len(lines) else column
        return Span(file, line + 1, column + 1, line + 1, max(end, column) + 1)

    @property
    def place(self) -> str:
        """`file:line:col`, the form every editor jumps to."""
        return f"{self.file}:{self.line}:{self.col}"

    def slice(self, text: str) -> str:
        """The text under the span."""
        lines = lines_of(text)
        if self.line == self.end_line:
            return lines[self.line - 1][self.col - 1 : self.end_col - 1]
        middle = lines[self.line : self.end_line - 1]
        last = lines[self.end_line - 1][: self.end_col - 1]
        return "\n".join([lines[self.line - 1][self.col - 1 :], *middle, last])


@lru_cache(maxsize=4)
def lines_of(text: str) -> list[str]:
    """The lines of `text`. Findings come file by file, so a few texts remembered are enough; nobody may
    change the list.
    """
    return text.split("\n")


Place = tuple[int, int, int, int]
"""Start line and column, end line and column, all from 0, the end exclusive."""

_PROPERTY = re.compile(r"(?:&[^\s,\[\]{}]+|!<[^>\s]*>|![^\s,\[\]{}]*)(?=[\s,\]}]|\Z)[ \t]*")
_DOUBLE = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SINGLE = re.compile(r"'(?:[^']|'')*'(?!')", re.DOTALL)
_PLAIN_END = re.compile(r"[ \t\r]+#|[ \t\r]*\Z")
_FLOW_END = re.compile(r"[ \t\r]*[,\[\]{}]|[ \t\r]*:(?=[ \t\r,\[\]{}]|\Z)|[ \t\r]+#|[ \t\r]*\Z")
_KEY_END = re.compile(r"[ \t]*:(?=[ \t\r]|\Z)|[ \t\r]+#|[ \t\r]*\Z")
_BRACKETS = re.compile(r""""(?:[^"\\]|\\.)*"|(?<=[\s,\[{])'(?:[^']|'')*'|[\[\]{}]""")
_INDICATOR = re.compile(r"[|>][-+]?([1-9])?")


def scalar_place(
    text: str, line: int, column: int, *, key: bool = False, flow: bool = False, parent: int | None = None
) -> Place:
    """Where the scalar whose node starts at `line`, `column` (from 0) stands, without an anchor or tag before
    it.

    `flow` says that it is part of a `{...}` or `[...]`. `parent` is the column of the collection around it
    (-1 at the top of a document), above which a block scalar or a plain scalar of several lines ends; where
    it is None, a plain scalar ends with its line.
    """
    lines = lines_of(text)
    if line >= len(lines):
        return line, column, line, column
    line, column = _past_properties(lines, line, column, flow=flow, parent=parent)
    here = lines[line]
    lead = here[column : column + 1]
    if lead in ("'", '"'):
        return _quoted(lines, line, column, _DOUBLE if lead == '"' else _SINGLE)
    if lead in ("|", ">") and not key and not flow:
        return _block(lines, line, column, -1 if parent is None else parent)
    return _plain(lines, line, column, key=key, flow=flow, parent=parent)


def collection_end(text: str, line: int, column: int) -> int:
    """Where on its first line a collection ends (all from 0): after its bracket, where it is written in flow style and
    closed on that line; else with the line.
    """
    here = lines_of(text)[line]
    if here[column : column + 1] in ("[", "{"):
        depth = 0
        for match in _BRACKETS.finditer(here, column):
            depth += (match.group() in ("[", "{")) - (match.group() in ("]", "}"))
            if depth == 0:
                return match.end()
    return max(len(here.rstrip()), column)


def _past_properties(
    lines: list[str], line: int, column: int, *, flow: bool, parent: int | None
) -> tuple[int, int]:
    """The start of the scalar itself: an anchor or a tag may stand before it, even on a line of its own."""
    moved = False
    while match := _PROPERTY.match(lines[line], column):
        column, moved = match.end(), True
    rest = lines[line][column:].strip()
    if not moved or (rest and not rest.startswith("#")):
        return line, column
    for below in range(line + 1, len(lines)):
        found = lines[below].strip()
        if found and not found.startswith("#"):
            start = len(lines[below]) - len(lines[below].lstrip())
            if (flow and found[0] not in ",]}:") or (not flow and parent is not None and start > parent):
                return below, start
            break
    return line, len(lines[line][:column].rstrip())


def _quoted(lines: list[str], line: int, column: int, style: re.Pattern[str]) -> Place:
    rest = lines[line][column:]
    below = line
    while (match := style.match(rest)) is None:
        # Twice as many lines each time: a long scalar is looked at often, but never its whole length for
        # every line.
        more = lines[below + 1 : below + 1 + max(1, below + 1 - line)]
        if not more:
            return line, column, line, len(lines[line].rstrip())
        rest = "\n".join([rest, *more])
        below += len(more)
    rows = match.group().split("\n")
    if len(rows) == 1:
        return line, column, line, column + len(rows[0])
    return line, column, line + len(rows) - 1, len(rows[-1])


def _block(lines: list[str], line: int, column: int, parent: int) -> Place:
    """A literal or folded scalar: its header and every line that is indented as its first (or as the header
    says).
    """
    match = _INDICATOR.match(lines[line], column)
    indent = max(parent, 0) + int(match[1]) if match and match[1] else 0
    end_line, end_column = line, len(lines[line].rstrip())
    if (comment := lines[line].find(" #", column)) >= 0:
        end_column = len(lines[line][:comment].rstrip())
    for below in range(line + 1, len(lines)):
        here = lines[below].rstrip("\r")
        lead = len(here) - len(here.lstrip(" "))
        if lead == len(here) and (not indent or lead <= indent):
            continue
        if not indent:
            if lead <= parent:
                break
            indent = lead
        if lead < indent:
            break
        end_line, end_column = below, len(here)
    return line, column, end_line, end_column


def _plain(lines: list[str], line: int, column: int, *, key: bool, flow: bool, parent: int | None) -> Place:
    style = _FLOW_END if flow else _KEY_END if key else _PLAIN_END
    match = style.search(lines[line], column)
    end_line, end_column = line, match.start() if match else len(lines[line])
    stopped = match is not None and match.group().strip() != ""
    if key or stopped or (parent is None and not flow):
        return line, column, end_line, end_column
    for below in range(line + 1, len(lines)):
        here = lines[below]
        start = len(here) - len(here.lstrip(" \t"))
        found = here.strip()
        if not found:
            continue
        if found[0] == "#" or (
            not flow
            and (start <= (-1 if parent is None else parent) or (end_column == column and end_line == line))
        ):
            break
        match = style.search(here, start)
        if match is None or match.start() <= start:
            break
        end_line, end_column = below, match.start()
        if match.group().strip():
            break
    return line, column, end_line, end_column
