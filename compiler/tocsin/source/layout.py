"""Authored YAML out: plain data with its comments -> the text a person would have typed.

In: JSON-shaped data whose mappings are already in the order they shall be read, comments by path, and the
paths that want air above them. Out: text that `source.tree` reads back as exactly the same data. Every scalar
is safe for YAML 1.1 and 1.2 readers alike: what either would take for a number, a boolean, a date or nothing
is quoted, so `on` stays a word for Prometheus, for Helm and for the next tool. Quotes stand only where they
are needed; text of several lines is a block; a long line is folded only where folding keeps every byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """The comments of one node: whole lines before it, and what stands beside it. Both with their `#`."""

    before: tuple[str, ...] = ()
    beside: str = ""


TEXT_WIDTH = 110
"""Prose longer than this is folded."""
EXPR_WIDTH = 140
"""An expression is folded later: diagnostics point into a line, not into a fold."""
_NONE = Comment()
_UNPRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_TYPED = re.compile(
    r"(?:~|null|Null|NULL|true|True|TRUE|false|False|FALSE|y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF|=|<<)\Z"
    r"|[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?0[box][0-9a-fA-F_]+\Z|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?\Z"
)
"""What a YAML 1.1 or 1.2 reader resolves to something other than text."""
_INDICATOR = re.compile(r"[\[\]{},#&*!|>'\"%@`]|[-?:](?:\s|$)|---|\.\.\.")
_FOLDABLE = re.compile(r"[^ \t\n]+(?: [^ \t\n]+)+\Z")
_WORDS = re.compile(r"(?:\{\{.*?\}\}|[^ ])+")


def written(
    data: Mapping[str, object],
    comments: Mapping[Path, Comment] | None = None,
    *,
    head: Sequence[str] = (),
    tail: Sequence[str] = (),
    air: Callable[[Path], bool] = lambda path: False,
    flow: Callable[[Path], bool] = lambda path: False,
) -> str:
    """`data` as YAML. `head` and `tail` are comment lines around the document; `air(path)` says which nodes
    get an empty line above them, `flow(path)` which ones stand on one line in brackets.
    """
    writer = _Writer(comments or {}, air, flow)
    lines = [*head, *writer.mapping(data, (), 0), *tail]
    return "\n".join(lines) + "\n"


def scalar(value: str | int | float | bool, *, key: bool = False) -> str:
    """One line that every YAML reader takes for exactly `value`; text with line breaks comes out in double
    quotes.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    if _plain(value, key=key):
        return value
    if _UNPRINTABLE.search(value) or "\n" in value or "\t" in value:
        return _double(value)
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    return "'" + value.replace("'", "''") + "'"


def in_brackets(value: object) -> str:
    """A value on one line, `{severity: critical}`; inside brackets more words need quotes."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{in_brackets(key)}: {in_brackets(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(in_brackets(each) for each in value) + "]"
    if isinstance(value, str):
        return value if re.fullmatch(r"[\w./@+ -]+", value) and _plain(value, key=False) else _double(value)
    if isinstance(value, bool | int | float):
        return scalar(value)
    raise TypeError(f"not authored data: {value!r}")


def _plain(text: str, *, key: bool) -> bool:
    """Whether `text` may stand without quotes wherever a block value may stand."""
    if not text or text != text.strip() or _INDICATOR.match(text) or _TYPED.match(text):
        return False
    if ": " in text or " #" in text or text.endswith(":") or "\t" in text or "\n" in text:
        return False
    if key and (":" in text or len(text) > 100):
        return False
    return not _UNPRINTABLE.search(text)


def _double(text: str) -> str:
    """Double quotes with escapes that YAML and JSON share; characters beyond the first plane are printable
    and stay.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: _escape(match.group()), quoted)


def _escape(character: str) -> str:
    number = ord(character)
    return (
        f"\\x{number:02X}"
        if number < 0x100
        else f"\\u{number:04X}"
        if number < 0x10000
        else f"\\U{number:08X}"
    )


class _Writer:
    """Carries the comments of one document while it is written."""

    def __init__(
        self, comments: Mapping[Path, Comment], air: Callable[[Path], bool], flow: Callable[[Path], bool]
    ) -> None:
        self.comments = comments
        self.air = air
        self.flow = flow
        self.open_end = False
        """The last value ends with empty lines that are its own: another one would become part of it."""

    def mapping(self, data: Mapping[str, object], path: Path, indent: int) -> Iterator[str]:
        for index, (key, value) in enumerate(data.items()):
            here = (*path, key)
            yield from self.above(here, indent, first=index == 0 and bool(path))
            yield from self.entry(" " * indent + scalar(key, key=True) + ":", value, here, indent)

    def sequence(self, data: Sequence[object], path: Path, indent: int) -> Iterator[str]:
        for index, value in enumerate(data):
            here = (*path, index)
            yield from self.above(here, indent, first=index == 0)
            if isinstance(value, Mapping) and value:
                # A comment above an item's first key would part the dash from it: the dash takes it.
                first = next(iter(value))
                yield from (" " * indent + line for line in self.comment((*here, first)).before)
                lines = self.mapping(value, here, indent + 2)
                skipped = len(self.comment((*here, first)).before)
                for number, line in enumerate(lines):
                    if number < skipped:
                        continue
                    yield line if number > skipped else " " * indent + "- " + line[indent + 2 :]
            else:
                yield from self.entry(" " * indent + "-", value, here, indent)

    def above(self, path: Path, indent: int, *, first: bool) -> Iterator[str]:
        if not first and self.air(path) and not self.open_end:
            yield ""
        yield from (" " * indent + line for line in self.comment(path).before)

    def comment(self, path: Path) -> Comment:
        return self.comments.get(path, _NONE)

    def entry(self, lead: str, value: object, path: Path, indent: int) -> Iterator[str]:
        """A key or a dash with its value: on the same line where it fits, below it otherwise."""
        self.open_end = isinstance(value, str) and value.endswith("\n\n") and _is_block(value)
        beside = self.comment(path).beside
        suffix = f"  {beside}" if beside else ""
        if isinstance(value, Mapping | list | tuple) and self.flow(path):
            yield f"{lead} {in_brackets(value)}{suffix}"
        elif isinstance(value, Mapping):
            yield lead + ("" if value else " {}") + suffix
            yield from self.mapping(value, path, indent + 2)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield lead + ("" if value else " []") + suffix
            yield from self.sequence(value, path, indent + 2)
        elif isinstance(value, str):
            yield from _text(lead, value, suffix, indent, EXPR_WIDTH if path[-1] == "expr" else TEXT_WIDTH)
        elif isinstance(value, bool | int | float):
            yield f"{lead} {scalar(value)}{suffix}"
        else:
            raise TypeError(f"not authored data: {value!r}")


def _text(lead: str, value: str, suffix: str, indent: int, width: int) -> Iterator[str]:
    margin = " " * (indent + 2)
    if _is_block(value):
        body = value.rstrip("\n")
        breaks = len(value) - len(body)
        yield f"{lead} |{('-', '', '+')[min(breaks, 2)]}{suffix}"
        yield from (margin + line if line else "" for line in body.split("\n"))
        yield from [""] * (breaks - 1)
        return
    if len(value) + len(lead) > width and _FOLDABLE.match(value) and not _UNPRINTABLE.search(value):
        yield f"{lead} >-{suffix}"
        yield from (margin + line for line in _folded(value, width - len(margin)))
        return
    yield f"{lead} {scalar(value)}{suffix}"


def _is_block(value: str) -> bool:
    """Whether `value` is written as a literal block: it has several lines, and a block holds them."""
    return "\n" in value.rstrip("\n") and _blocks(value)


def _blocks(value: str) -> bool:
    """Whether a literal block holds `value` without an indentation number and without a character that must
    be escaped.
    """
    first = value.split("\n", 1)[0]
    return (
        first.strip() != ""
        and not first.startswith((" ", "\t"))
        and not _UNPRINTABLE.search(value)
        and not re.search(r"\n[ \t]+\Z", value)
    )


def _folded(value: str, width: int) -> Iterator[str]:
    """The value in lines, broken at single spaces; a template action is not broken where that can be helped."""
    words = _WORDS.findall(value)
    if " ".join(words) != value:
        words = value.split(" ")
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
