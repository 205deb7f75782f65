"""Which lines of a YAML text are comments, and what each line is: the scanner behind `comments`.

In: lines. Out: a `Row` for each and the place of every comment. A line that looks like a comment may be
PromQL inside `expr: |` or words inside quotes, so the scanner follows the few rules of YAML that decide it:
where a scalar may start, and where a plain, a quoted or a block scalar ends (libyaml's own arithmetic of
indents). The tests hold it against libyaml: what is in no scalar that libyaml read is a comment here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_BLOCK_HEADER = re.compile(r"[|>]([0-9+-]{0,2})(?=[ \t#]|\Z)")
_PLAIN_END = re.compile(r":(?=[ \t]|\Z)|[ \t]+(?=#)")
_PLAIN_END_IN_FLOW = re.compile(r"[,\[\]{}]|:(?=[ \t,\[\]{}]|\Z)|[ \t]+(?=#)")
_PROPERTY = re.compile(r"[&*!][^ \t,\[\]{}]*")
_SINGLE_END = re.compile(r"(?:[^']|'')*'(?!')")
_DOUBLE_END = re.compile(r'(?:[^"\\]|\\.)*"')


class Kind(Enum):
    """What stands on a line."""

    blank = "nothing"
    comment = "a comment alone"
    node = "something starts here"
    inside = "more of a scalar or of a flow collection that started above"


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its kind, the column (from 0) where it begins, and whether it begins with `- `."""

    kind: Kind
    column: int = 0
    dash: bool = False


@dataclass(slots=True)
class _Block:
    """A block scalar being read: `indent` is its content's, None until its first line that is not blank."""

    parent: int
    indent: int | None
    widest: int = 0


class YamlScan:
    """Walks the lines of one stream. `found` collects (line, column of the `#`), both from 0."""

    def __init__(self) -> None:
        self.found: list[tuple[int, int]] = []
        self.indents = [-1]
        self.flow = 0
        self.quote = ""
        self.plain = False
        self.block: _Block | None = None

    def row(self, number: int, line: str) -> Row:
        """Reads one line and says what it is."""
        body = line.lstrip(" \t")
        column = len(line) - len(body)
        if self.block is not None and self._in_block(self.block, line):
            return Row(Kind.inside)
        self.block = None
        if self.quote:
            self._tokens(number, line, self._quoted(line, 0))
            return Row(Kind.inside)
        if not body:
            return Row(Kind.inside if self.flow or self.plain else Kind.blank)
        if body[0] == "#":
            self.found.append((number, column))
            self.plain = False
            return Row(Kind.comment, column)
        continued = self.flow > 0
        if self.plain and (self.flow or column > self.indents[-1]):
            self._tokens(number, line, self._plain(line, column, None))
            return Row(Kind.inside)
        self.plain = False
        if continued:
            self._tokens(number, line, column)
            return Row(Kind.inside)
        if line[:3] in ("---", "...") and line[3:4] in ("", " ", "\t"):
            self.indents = [-1]
            self._tokens(number, line, 3)
            return Row(Kind.node)
        while self.indents[-1] > column:
            self.indents.pop()
        self._tokens(number, line, column)
        return Row(Kind.node, column, body[0] == "-" and body[1:2] in ("", " ", "\t"))

    def _in_block(self, block: _Block, line: str) -> bool:
        body = line.lstrip(" ")
        column = len(line) - len(body)
        if block.indent is None:
            if not body:
                block.widest = max(block.widest, column)
                return True
            block.indent = max(block.widest, column, block.parent + 1, 1)
        return not body or column >= block.indent

    def _tokens(self, number: int, line: str, at: int | None) -> None:
        """From `at` to the line's end; None where a quoted scalar ran over the whole line."""
        start: int | None = None
        while at is not None and at < len(line):
            here = line[at]
            if here in " \t":
                at += 1
            elif here == "#":  # libyaml wants no white space before it where no plain scalar is open
                self.found.append((number, at))
                self.plain = False
                return
            elif self._indicator(line, at):
                if here in "-?" and not self.flow:
                    self._push(at)
                start = None
                at += 1
            elif here in "[{" or (here in "]}" and self.flow):
                self.flow += 1 if here in "[{" else -1
                start = None
                at += 1
            else:
                start = at if start is None else start
                at = self._scalar(line, at, start)

    def _indicator(self, line: str, at: int) -> bool:
        here, spaced = line[at], line[at + 1 : at + 2] in ("", " ", "\t")
        if self.flow:
            return here in ",:" or (here == "?" and spaced)
        return here in "-?:" and spaced

    def _scalar(self, line: str, at: int, start: int) -> int | None:
        here = line[at]
        if here in "&*!":
            found = _PROPERTY.match(line, at)
            end = found.end() if found else at + 1
            if here == "*":
                self._key(line, end, start)
            return end
        if here in "'\"":
            self.quote = here
            end_of_quote = self._quoted(line, at + 1)
            if end_of_quote is not None:
                self._key(line, end_of_quote, start)
            return end_of_quote
        header = None if self.flow else _BLOCK_HEADER.match(line, at)
        if header is not None:
            parent = self.indents[-1]
            given = next((int(each) for each in header.group(1) if each in "123456789"), None)
            self.block = _Block(parent, None if given is None else max(parent, 0) + given)
            return header.end()
        return self._plain(line, at, start)

    def _quoted(self, line: str, at: int) -> int | None:
        """Where the open quoted scalar ends; None where it does not on this line."""
        found = (_DOUBLE_END if self.quote == '"' else _SINGLE_END).match(line, at)
        if found is None:
            return None
        self.quote = ""
        return found.end()

    def _plain(self, line: str, at: int, start: int | None) -> int:
        found = (_PLAIN_END_IN_FLOW if self.flow else _PLAIN_END).search(line, at)
        self.plain = found is None
        if found is None:
            return len(line)
        if found.group() == ":" and not self.flow and start is not None:
            self._push(start)
        return found.start() if found.group() != ":" else found.end()

    def _key(self, line: str, end: int, start: int) -> None:
        rest = line[end:].lstrip(" \t")
        if not self.flow and rest[:1] == ":" and rest[1:2] in ("", " ", "\t"):
            self._push(start)

    def _push(self, column: int) -> None:
        if column > self.indents[-1]:
            self.indents.append(column)
