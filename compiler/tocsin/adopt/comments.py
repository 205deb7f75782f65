"""The comments of a foreign file, and where each one belongs.

YAML readers throw comments away, so they are found beside the parse: a line scanner that knows quotes, blocks
and continuation lines, and nothing else of YAML. Because that is less than a YAML reader knows, `scan` proves
its answer: the text without the comments must read as the same data. Where it doesn't, there are no comments
and the caller says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tocsin.diag.origin import place_of
from tocsin.diag.source_file import SourceFile
from tocsin.source.layout import Comment
from tocsin.source.tree import read_documents

_HEADER = re.compile(r"[|>](?:[-+]|[1-9])*[ \t]*(?:[ \t](#.*))?$")
_MODELINE = re.compile(r"#\s*(?:yaml-language-server:|vim?:|-\*-)")
_LEAD = re.compile(r"[ \t]*(?:-[ \t]+)*")


@dataclass(frozen=True, slots=True)
class _Found:
    line: int
    column: int
    text: str
    own_line: bool


@dataclass(slots=True, kw_only=True)
class Comments:
    """Comments by the line (from 0) they belong to. `take` hands each one out once, so that what nobody
    claimed is left over for `rest`.
    """

    before: dict[int, list[str]] = field(default_factory=dict)
    beside: dict[int, str] = field(default_factory=dict)
    trailing: list[str] = field(default_factory=list)
    """After the last content of the file."""

    def take(self, mark: int) -> Comment:
        """What stands before and beside the node at `mark`."""
        line = place_of(mark)[0]
        return Comment(before=tuple(self.before.pop(line, ())), beside=self.beside.pop(line, ""))

    def rest(self, first: int, last: int) -> tuple[str, ...]:
        """Everything unclaimed between two lines, in order; `last` is not included."""
        lines = sorted(line for line in {*self.before, *self.beside} if first <= line < last)
        return tuple(
            text
            for line in lines
            for text in (
                *self.before.pop(line, ()),
                *([self.beside.pop(line)] if line in self.beside else []),
            )
        )


def scan(file: SourceFile) -> Comments | None:
    """The comments of `file`; None where this scanner and YAML disagree about what is a comment."""
    if "#" not in file.text:
        return Comments()
    found = list(_comments(file.text))
    lines = file.text.split("\n")
    for each in found:
        lines[each.line] = lines[each.line][: each.column].rstrip()
    bare = SourceFile(path=file.path, text="\n".join(lines))
    if [each.data for each in read_documents(bare)[0]] != [each.data for each in read_documents(file)[0]]:
        return None
    return _placed(found, lines)


def _placed(found: list[_Found], bare: list[str]) -> Comments:
    """Whole-line comments belong to the next line with content; a modeline belonged to the old file alone."""
    placed = Comments()
    content = [number for number, line in enumerate(bare) if line.strip() and line.strip() != "---"]
    position = 0
    for each in found:
        if _MODELINE.match(each.text):
            continue
        if not each.own_line:
            placed.beside[each.line] = each.text
            continue
        while position < len(content) and content[position] < each.line:
            position += 1
        if position < len(content):
            placed.before.setdefault(content[position], []).append(each.text)
        else:
            placed.trailing.append(each.text)
    return placed


def _comments(text: str) -> Iterator[_Found]:
    """Every comment, from the top."""
    state = _State()
    for number, line in enumerate(text.split("\n")):
        found = state.line(line)
        if found is not None:
            yield _Found(number, found, line[found:].rstrip(), not line[:found].strip())


@dataclass(slots=True)
class _State:
    """What the lines so far leave open: a quote, a block, brackets, or a plain text that the next line may
    continue.
    """

    quote: str = ""
    block: int | None = None
    """Columns a line must be indented to belong to the open block; None where no block is open."""
    block_after: int | None = None
    """The column of the node that owns the block whose first line is still to come."""
    depth: int = 0
    plain_after: int | None = None

    def line(self, line: str) -> int | None:
        """The column of this line's comment; None where it has none."""
        indent = len(line) - len(line.lstrip(" "))
        start = 0
        if self.quote:
            end = _quote_end(line, 0, self.quote)
            if end is None:
                return None
            self.quote, start = "", end
            return self.scan(line, start, fresh=False)
        if self.block_after is not None and line.strip():
            self.block = indent if indent > self.block_after else None
            self.block_after = None
        if self.block_after is not None or (
            self.block is not None and (not line.strip() or indent >= self.block)
        ):
            return None
        self.block = None
        if not line.strip():
            return None
        continues = self.plain_after is not None and indent > self.plain_after and self.depth == 0
        return self.scan(line, start, fresh=not continues)

    def scan(self, line: str, start: int, *, fresh: bool) -> int | None:
        """Reads one line from `start`; `fresh` says a value may begin here."""
        index, comment = start, None
        while index < len(line):
            char = line[index]
            following = line[index + 1 : index + 2]
            if char == "#" and (index == 0 or line[index - 1] in " \t"):
                comment = index
                break
            if fresh and char in "\"'":
                end = _quote_end(line, index + 1, char)
                if end is None:
                    self.quote = char
                    return None
                index, fresh = end, False
                continue
            if fresh and self.depth == 0 and char in "|>" and (header := _HEADER.match(line, index)):
                self.open_block(line, index, header.group())
                return header.start(1) if header.group(1) else None
            fresh = self.step(line, index, char, following, fresh=fresh)
            index += 1
        if line[:comment].strip():
            self.plain_after = None if fresh else _owner(line)
        return comment

    def step(self, line: str, index: int, char: str, following: str, *, fresh: bool) -> bool:
        """Whether a value may begin after `char`."""
        ends = following in ("", " ", "\t")
        if self.depth:
            if char in "]}":
                self.depth -= 1
                return False
            if char in "[{" and fresh:
                self.depth += 1
                return True
            return (
                char in "," or (char == ":" and (ends or following in ",[]{}")) or (fresh and char in " \t")
            )
        if char == ":" and ends:
            return True
        if fresh and char in "[{":
            self.depth += 1
            return True
        if fresh and char in "&!":
            return True
        return fresh and (char in " \t" or (char in "-?" and ends) or _in_property(line, index))

    def open_block(self, line: str, index: int, header: str) -> None:
        digit = re.search(r"[1-9]", header)
        owner = _owner(line)
        if digit:
            self.block = owner + int(digit.group())
        else:
            self.block_after = owner
        self.plain_after = None


def _in_property(line: str, index: int) -> bool:
    """Inside `&anchor` or `!!tag`, which may stand before a value."""
    start = max(line.rfind(" ", 0, index), line.rfind("\t", 0, index)) + 1
    return line[start : start + 1] in ("&", "!") and start <= index


def _owner(line: str) -> int:
    """The column of the node a line's value belongs to: its key, or its last dash where there is no key."""
    lead = _LEAD.match(line)
    column = lead.end() if lead else 0
    if re.match(r"(?:\"[^\"]*\"|'[^']*'|[^#]*?):(?:\s|$)", line[column:]):
        return column
    dash = line.rfind("-", 0, column)
    return dash if dash >= 0 else max(column - 1, 0)


def _quote_end(line: str, index: int, quote: str) -> int | None:
    """One past the closing quote; None where it is not in this line."""
    while index < len(line):
        if quote == '"' and line[index] == "\\":
            index += 2
            continue
        if line[index] == quote:
            if quote == "'" and line[index + 1 : index + 2] == "'":
                index += 2
                continue
            return index + 1
        index += 1
    return None
