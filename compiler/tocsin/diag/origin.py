"""Authored data that remembers where it was written.

In: what `source.tree` read. Out: `Map` and `Seq`, plain dict and list to every reader, with one integer mark for each key and value;
`Origin`, one authored object with its file, which turns a field path into a `Span` on demand.

Marks are integers (line and column packed) because 10,000 rules carry about 300,000 of them: tuples cost the garbage collector more
than the whole parse. Only the start of a node is stored; its end is found by looking at the text, and only when a diagnostic asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.diag.span import Span, scalar_end

_LINE_BITS = 20
"""A mark is `line << 20 | column`, both counted from 0: a million columns are more than the 2 MB size limit of a source needs."""


def mark_of(line: int, column: int) -> int:
    """Line and column (from 0) as one integer."""
    return line << _LINE_BITS | column


def place_of(mark: int) -> tuple[int, int]:
    """The line and column (from 0) that `mark_of` packed."""
    return mark >> _LINE_BITS, mark & ((1 << _LINE_BITS) - 1)


class Map(dict[str, object]):
    """A mapping with the marks of its keys and values; `mark` is where the mapping itself starts."""

    __slots__ = ("keys_at", "mark", "values_at")

    def __init__(self, mark: int = 0) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[str, int] = {}
        self.values_at: dict[str, int] = {}


class Seq(list[object]):
    """A sequence with the marks of its items; `mark` is where the sequence itself starts."""

    __slots__ = ("items_at", "mark")

    def __init__(self, mark: int = 0) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[int] = []



@dataclass(frozen=True, slots=True)
class Origin:
    """One authored object: its file, the file's text, and the mapping it was read from."""

    file: str
    text: str
    node: Map

    def value(self, *path: str | int) -> Span:
        """The span of the value at `path`; of the nearest written parent where nothing is written there."""
        return self._find(path, key=False)

    def key(self, *path: str | int) -> Span:
        """The span of the key at `path` (of the item, in a list); of the nearest written parent where nothing is written there."""
        return self._find(path, key=True)

    def inside(self, offset: int | None, *path: str | int) -> Span:
        """The span of the character at `offset` of the text value at `path`; the whole value where the YAML style hides the mapping."""
        whole = self._find(path, key=False)
        node = self._walk(path)
        if offset is None or not isinstance(node, str):
            return whole
        return _inside(self, whole, node, offset)

    def child(self, *path: str | int) -> Origin:
        """The origin of the mapping at `path`; this one where there is none."""
        node = self._walk(path)
        return Origin(self.file, self.text, node) if isinstance(node, Map) else self

    def wrote(self, *path: str | int) -> bool:
        """Whether something is written at `path`."""
        node: object = self.node
        for step in path:
            if isinstance(node, Map) and step in node:
                node = node[str(step)]
            elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
                node = node[step]
            else:
                return False
        return True

    def _walk(self, path: tuple[str | int, ...]) -> object:
        node: object = self.node
        for step in path:
            if isinstance(node, Map):
                node = node.get(str(step))
            elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
                node = node[step]
            else:
                return None
        return node

    def _find(self, path: tuple[str | int, ...], *, key: bool) -> Span:
        mark = self.node.mark
        is_key = False
        node: object = self.node
        for index, step in enumerate(path):
            last = index == len(path) - 1
            if isinstance(node, Map) and step in node:
                is_key = key and last
                mark = (node.keys_at if is_key else node.values_at)[str(step)]
                node = node[str(step)]
            elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
                mark = node.items_at[step]
                node = node[step]
            else:
                break
        return self._span(mark, node, is_key=is_key)

    def _span(self, mark: int, node: object, *, is_key: bool) -> Span:
        line, column = place_of(mark)
        if not is_key and isinstance(node, Map | Seq):
            # A mapping or list may run over many lines; its first line is what a reader wants marked.
            return Span.of_line(self.file, self.text, line, column)
        end_line, end_column = scalar_end(self.text, line, column, key=is_key)
        return Span(self.file, line + 1, column + 1, end_line + 1, end_column + 1)


def _inside(origin: Origin, whole: Span, value: str, offset: int) -> Span:
    """Maps an offset inside a scalar's value back to the file, for the styles in which characters keep their places."""
    lines = origin.text.split("\n")
    first = lines[whole.line - 1]
    lead = first[whole.col - 1 : whole.col]
    row, column = value.count("\n", 0, offset), offset - (value.rfind("\n", 0, offset) + 1)
    if lead == "|":
        target = whole.line + row
        if target - 1 >= len(lines):
            return whole
        written = value.split("\n")[row]
        raw = lines[target - 1].rstrip("\r")
        indent = raw.find(written) if written else len(raw)
        if indent < 0:
            return whole
        return Span.point(origin.file, target + 0, indent + column + 1)
    if lead == ">":
        return whole
    shift = 1 if lead in ("'", '"') else 0
    if whole.line == whole.end_line and first[whole.col - 1 + shift : whole.col - 1 + shift + len(value)] == value:
        return Span.point(origin.file, whole.line, whole.col + shift + offset)
    return whole
