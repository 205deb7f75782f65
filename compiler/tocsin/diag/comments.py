"""Comments addressed to tocsin (`# tocsin: ...`, `<!-- tocsin: ... -->`), and the lines each speaks for.

In: the text of a source. Out: `Comment`s. libyaml's events drop comments, so YAML is looked at line by line
(`yaml_lines`); in Markdown the front matter is YAML, and code, fenced or quoted, is not a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.diag.source_file import SourceFile
from tocsin.diag.yaml_lines import Kind, Row, YamlScan

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_HTML_COMMENT = re.compile(r"<!--\s*(tocsin:.*?)\s*-->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """`text` begins with `tocsin:` and stands at `line:col` (from 1). It speaks for the lines `first` to
    `last`; `last` is 0 where it stands alone above nothing.
    """

    text: str
    line: int
    col: int
    first: int
    last: int


def comments(file: SourceFile) -> tuple[Comment, ...]:
    """Every comment of a YAML or Markdown source that begins with `tocsin:`, in order. No scan where the
    text has no such word.
    """
    if "tocsin:" not in file.text:
        return ()
    lines = [line.rstrip("\r") for line in file.text.split("\n")]
    if not file.path.endswith(".md"):
        return tuple(_in_yaml(lines, 0))
    close = _front_matter_end(lines)
    return (*_in_yaml(lines[:close], 1), *_in_markdown(lines, close))


def _front_matter_end(lines: list[str]) -> int:
    if lines[0].rstrip() != "---":
        return 0
    return next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), 0)


def _in_yaml(lines: list[str], skip: int) -> Iterator[Comment]:
    scan = YamlScan()
    rows = [Row(Kind.node)] * skip + [
        scan.row(number, line) for number, line in enumerate(lines[skip:], skip)
    ]
    for number, column in scan.found:
        text = lines[number][column + 1 :]
        said = text.lstrip()
        if not said.startswith("tocsin:"):
            continue
        alone = rows[number].kind is Kind.comment
        last = _below(rows, number) if alone else _scalar_end(rows, number)
        col = column + 1 + len(text) - len(said)
        yield Comment(text=said.rstrip(), line=number + 1, col=col + 1, first=number + 1, last=last)


def _scalar_end(rows: list[Row], number: int) -> int:
    """The last line (from 1) of what starts on this line: a trailing comment speaks for its line and for a
    scalar begun there.
    """
    last = number
    while last + 1 < len(rows) and rows[last + 1].kind is Kind.inside:
        last += 1
    return last + 1


def _below(rows: list[Row], number: int) -> int:
    """The last line (from 1) of the item below a comment that stands alone: that line and everything
    indented under it.
    """
    start = number
    while start < len(rows) and rows[start].kind is Kind.comment:
        start += 1
    if start >= len(rows) or rows[start].kind is not Kind.node:
        return 0
    head = rows[start]
    last = start
    for at in range(start + 1, len(rows)):
        row = rows[at]
        if row.kind is Kind.node:
            listed = row.dash and not head.dash and row.column == head.column
            if row.column <= head.column and not listed:
                break
        if row.kind in (Kind.node, Kind.inside):
            last = at
    return last + 1


def _in_markdown(lines: list[str], start: int) -> Iterator[Comment]:
    fences = _fences(lines, start)
    for number in range(start, len(lines)):
        line = lines[number]
        if "tocsin:" not in line or number in fences:
            continue
        bare = _CODE_SPAN.sub(lambda each: "`" * len(each.group()), line)
        for found in _HTML_COMMENT.finditer(bare):
            alone = found.group() == line.strip()
            last = _block_end(lines, number + 1, fences) if alone else number + 1
            yield Comment(
                text=found.group(1), line=number + 1, col=found.start(1) + 1, first=number + 1, last=last
            )


def _fences(lines: list[str], start: int) -> dict[int, int]:
    """Every line of fenced code -> the last line of its fence (all from 0)."""
    found: dict[int, int] = {}
    opened: tuple[int, str] | None = None
    for number in range(start, len(lines)):
        match = _FENCE.match(lines[number])
        if opened is None:
            if match is not None and not (match.group(1)[0] == "`" and "`" in match.group(2)):
                opened = (number, match.group(1))
        elif match is not None and match.group(1).startswith(opened[1]) and not match.group(2).strip():
            found.update(dict.fromkeys(range(opened[0], number + 1), number))
            opened = None
    if opened is not None:
        found.update(dict.fromkeys(range(opened[0], len(lines)), len(lines) - 1))
    return found


def _block_end(lines: list[str], at: int, fences: dict[int, int]) -> int:
    """The last line (from 1) of the block that starts at or below `at`: a fence, or everything up to a
    blank line; 0 where nothing follows.
    """
    while at < len(lines) and (not lines[at].strip() or _HTML_COMMENT.fullmatch(lines[at].strip())):
        at += 1
    if at >= len(lines):
        return 0
    if at in fences:
        return fences[at] + 1
    while at + 1 < len(lines) and lines[at + 1].strip() and at + 1 not in fences:
        at += 1
    return at + 1
