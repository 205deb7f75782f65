"""Places in authored YAML, and other text for them: keys renamed, values wrapped or taken out, a list moved one level down.

What `source.edit` does for one change at a time is done here for many: they are gathered against the text as it was read and applied at once. Comments
are never part of what is replaced; of an entry that is taken out, they stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import accumulate

from tocsin.diag.origin import Map, Origin, Seq, in_flow, place_of
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span
from tocsin.source.layout import in_brackets, scalar
from tocsin.source.tree import read_document

Path = tuple[str | int, ...]
_BETWEEN = re.compile(r"[ \t]*,\s*")
_ASIDE = re.compile(r"[ \t]*(#[^\n]*)?")


class CannotSplice(Exception):
    """The place cannot be rewritten without its surroundings. Caught by `source.migrate` alone."""

    def __init__(self, path: Path) -> None:
        super().__init__(".".join(map(str, path)))
        self.path = path


class Splices:
    """Changes of one text, gathered. Lives as long as one document is migrated."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.starts = list(accumulate((len(line) + 1 for line in origin.text.split("\n")), initial=0))
        self.edits: set[tuple[int, int, str]] = set()
        self.stopped: Path | None = None

    def text(self) -> str:
        """The text with every change. CannotSplice where one of them has no place of its own."""
        if self.stopped is not None:
            raise CannotSplice(self.stopped)
        pieces, at = [], 0
        for start, end, made in sorted(self.edits):
            if start < at:
                raise CannotSplice(("version",))
            pieces += [self.origin.text[at:start], made]
            at = end
        return "".join([*pieces, self.origin.text[at:]])

    def rename(self, path: Path, name: str) -> None:
        """Another name for the key at `path`."""
        self.edits.add((*self.offsets(self.origin.key(*path)), scalar(name, key=True)))

    def replace(self, path: Path, value: str) -> None:
        """Another word for the scalar at `path`, in the quotes it had."""
        start, end = self.one_line(path)
        quote = self.origin.text[start : start + 1]
        quote = quote if quote in ("'", '"') else ""
        self.edits.add((start, end, f"{quote}{value}{quote}"))

    def rewrite(self, path: Path, change: Callable[[str], str]) -> None:
        """The scalar at `path` changed as it is written."""
        start, end = self.offsets(self.origin.value(*path))
        self.edits.add((start, end, change(self.origin.text[start:end])))

    def wrap(self, path: Path, before: str, after: str, value: object) -> None:
        """Brackets around the scalar at `path`."""
        start, end = self.one_line(path)
        raw = self.origin.text[start:end]
        inside = raw if raw[:1] in ("'", '"', "*") or not isinstance(value, str) else in_brackets(value)
        self.edits.add((start, end, f"{before}{inside}{after}"))

    def remove(self, path: Path) -> None:
        """Without the entry at `path`; the comments beside and within it stay."""
        parent = self.origin.child(*path[:-1]).node
        key = str(path[-1])
        text = self.origin.text
        start, _ = self.offsets(self.origin.key(*path))
        end = self.end(path)
        following = min(
            (self.offset(each) for each in parent.keys_at.values() if self.offset(each) > start), default=None
        )
        if end is None or (following is not None and following < end):
            self.stopped = self.stopped or path
            return
        if in_flow(parent.keys_at[key]):
            if following is not None and _BETWEEN.fullmatch(text, end, following):
                self.edits.add((start, following, ""))
            elif following is None and (comma := _comma_before(text, start)) is not None:
                self.edits.add((comma, end, ""))
            else:
                self.stopped = self.stopped or path
            return
        line = text.rfind("\n", 0, start) + 1
        aside = _ASIDE.match(text, end)
        assert aside is not None, "it matches nothing, too"
        comments = [*self.comments(path, start, end), *([aside[1].rstrip()] if aside[1] else [])]
        if text[line:start].strip():
            # The dash of a list's item stands before it: what follows takes its place.
            if following is None or comments or text[aside.end() : following].strip():
                self.stopped = self.stopped or path
                return
            self.edits.add((start, following, ""))
            return
        kept = "".join(f"{text[line:start]}{each}\n" for each in comments)
        self.edits.add((line, min(aside.end() + 1, len(text)), kept))

    def comments(self, path: Path, start: int, end: int) -> Iterator[str]:
        """The comments between two places of a collection; a scalar has none but in the line of its `|`."""
        text = list(self.origin.text[start:end])
        for each, is_key in _scalars(path, _at(self.origin, path)):
            low, high = self.offsets(self.origin.key(*each) if is_key else self.origin.value(*each))
            if self.origin.text[low : low + 1] in ("|", ">"):
                found = self.origin.text.find("\n", low, high)
                low = found if found >= 0 else high
            for index in range(max(low, start), min(high, end)):
                if text[index - start] != "\n":
                    text[index - start] = " "
        for line in "".join(text).split("\n"):
            if "#" in line:
                yield line[line.index("#") :].rstrip()

    def end(self, path: Path) -> int | None:
        """Where the last character of a value is; None where that is not known."""
        node = _at(self.origin, path)
        if not isinstance(node, Map | Seq):
            return self.offsets(self.origin.value(*path))[1]
        text = self.origin.text
        span = self.origin.value(*path)
        start, end = self.offsets(span)
        if text[start : start + 1] in ("[", "{"):
            return end if text[end - 1 : end] in ("]", "}") else None
        ends = [self.end(each) for each, is_key in _scalars(path, node) if not is_key]
        known = [each for each in ends if each is not None]
        return max(known) if known and len(known) == len(ends) else None

    def one_line(self, path: Path) -> tuple[int, int]:
        span = self.origin.value(*path)
        if span.line != span.end_line:
            self.stopped = self.stopped or path
        return self.offsets(span)

    def offset(self, mark: int) -> int:
        line, column = place_of(mark)
        return self.starts[line] + column

    def offsets(self, span: Span) -> tuple[int, int]:
        return self.starts[span.line - 1] + span.col - 1, self.starts[span.end_line - 1] + span.end_col - 1


def _comma_before(text: str, at: int) -> int | None:
    while at > 0 and text[at - 1].isspace():
        at -= 1
    return at - 1 if at > 0 and text[at - 1] == "," else None


def _at(origin: Origin, path: Path) -> object:
    node: object = origin.node
    for step in path:
        if isinstance(node, Map):
            node = node[str(step)]
        elif isinstance(node, Seq) and isinstance(step, int):
            node = node[step]
    return node


def _scalars(path: Path, node: object) -> Iterator[tuple[Path, bool]]:
    """Paths of every scalar below a node; True beside those of keys."""
    if isinstance(node, Map):
        for key, each in node.items():
            yield (*path, key), True
            yield from _scalars((*path, key), each)
    elif isinstance(node, Seq):
        for index, each in enumerate(node):
            yield from _scalars((*path, index), each)
    else:
        yield path, False


def lifted(text: str, key: str, into: str, name: str) -> str:
    """The list `key` at the top of a document as that of the one item of a new list `into`: its lines move to the right."""
    document, _ = read_document(SourceFile(path="", text=text))
    top = document.data if document is not None else None
    if not isinstance(top, Map) or in_flow(top.keys_at.get(key, 1)):
        raise CannotSplice((key,))
    lines = text.split("\n")
    first, column = place_of(top.keys_at[key])
    last = min((line for line, _ in map(place_of, top.keys_at.values()) if line > first), default=len(lines))
    while last > first + 1 and _outside(lines[last - 1], column):
        last -= 1
    margin = " " * column
    made = [f"{margin}{into}:", f"{margin}  - name: {scalar(name)}"]
    made += [f"    {each}" if each else each for each in lines[first:last]]
    return "\n".join([*lines[:first], *made, *lines[last:]])


def _outside(line: str, column: int) -> bool:
    """Whether a line after a block belongs to what follows it."""
    bare = line.lstrip(" ")
    return (
        not bare
        or line.startswith(("...", "---"))
        or (bare.startswith("#") and len(line) - len(bare) <= column)
    )
