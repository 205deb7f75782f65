"""A place in a source file, counted the way editors count: lines and columns from 1, columns in code points, the end exclusive."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`file` from `line:col` up to (not including) `end_line:end_col`; a span never lies about its file, it may be as short as a point."""

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
        lines = text.split("\n")
        end = len(lines[line].rstrip("\r")) if line < len(lines) else column
        return Span(file, line + 1, column + 1, line + 1, max(end, column) + 1)

    @property
    def place(self) -> str:
        """`file:line:col`, the form every editor jumps to."""
        return f"{self.file}:{self.line}:{self.col}"

    def slice(self, text: str) -> str:
        """The text under the span."""
        lines = text.split("\n")
        if self.line == self.end_line:
            return lines[self.line - 1][self.col - 1 : self.end_col - 1]
        middle = lines[self.line : self.end_line - 1]
        return "\n".join([lines[self.line - 1][self.col - 1 :], *middle, lines[self.end_line - 1][: self.end_col - 1]])


_DOUBLE = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SINGLE = re.compile(r"'(?:[^']|'')*'", re.DOTALL)
_PLAIN_KEY = re.compile(r"[^\n]*?(?=\s*:(?:\s|$))")
_PLAIN = re.compile(r"[^\n]*?(?=\s+#|\s*$)", re.MULTILINE)
_PLAIN_FLOW = re.compile(r"[^\n,\]}]*?(?=\s*[,\]}]|\s+#|\s*$)", re.MULTILINE)


def scalar_end(text: str, line: int, column: int, *, key: bool = False) -> tuple[int, int]:
    """Where the scalar that starts at `line`, `column` ends (all from 0). Plain scalars end with their first line."""
    lines = text.split("\n")
    if line >= len(lines):
        return line, column
    here = lines[line]
    lead = here[column : column + 1]
    if lead in ("'", '"'):
        rest = "\n".join([here[column:], *lines[line + 1 : line + 200]])
        match = (_DOUBLE if lead == '"' else _SINGLE).match(rest)
        if match is None:
            return line, len(here)
        rows = match.group().split("\n")
        return (line, column + len(rows[0])) if len(rows) == 1 else (line + len(rows) - 1, len(rows[-1]))
    if lead in ("|", ">") and not key:
        return line, len(here.rstrip())
    if key:
        found = _PLAIN_KEY.match(here, column)
    else:
        flow = here[:column].count("{") + here[:column].count("[") > here[:column].count("}") + here[:column].count("]")
        found = (_PLAIN_FLOW if flow else _PLAIN).match(here, column)
    end = found.end() if found else len(here)
    return line, max(end, column)
