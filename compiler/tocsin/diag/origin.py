"""Authored data that remembers where it was written.

In: what `source.tree` read. Out: `Map` and `Seq`, plain dict and list to every reader, with one integer mark
for each key and value; `Origin`, one authored object with its file, which turns a field path into a `Span` on
demand.

Marks are integers (line and column packed) because 10,000 rules carry about 300,000 of them: tuples cost the
garbage collector more than the whole parse. Only the start of a node is stored; its end is found by looking
at the text, and only when a diagnostic asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.diag.span import Span, collection_end, lines_of, scalar_place

COLUMN_BITS = 22
_COLUMNS = (1 << COLUMN_BITS) - 1
"""A mark is line, column (both from 0) and one bit for flow style; four million columns are more than a
source of 2 MB has.
"""


def mark_of(line: int, column: int, *, flow: bool = False) -> int:
    """Line and column (from 0) as one integer; `flow` where the node is part of a `{...}` or `[...]`."""
    return (line << COLUMN_BITS | column) << 1 | flow


def place_of(mark: int) -> tuple[int, int]:
    """The line and column (from 0) that `mark_of` packed."""
    return mark >> (COLUMN_BITS + 1), mark >> 1 & _COLUMNS


def in_flow(mark: int) -> bool:
    """Whether the node stands in a `{...}` or `[...]`, where a comma ends a plain scalar."""
    return bool(mark & 1)


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
        """The span of the key at `path` (of the item, in a list); of the nearest written parent where nothing
        is written there.
        """
        return self._find(path, key=True)

    def inside(self, offset: int | None, *path: str | int) -> Span:
        """The span of the character at `offset` of the text value at `path`; the whole value where the YAML
        style hides the mapping.
        """
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
            elif isinstance(node, Seq) and isinstance(step, int) and 0 <= step < len(node):
                node = node[step]
            else:
                return False
        return True

    def _walk(self, path: tuple[str | int, ...]) -> object:
        node: object = self.node
        for step in path:
            if isinstance(node, Map):
                node = node.get(str(step))
            elif isinstance(node, Seq) and isinstance(step, int) and 0 <= step < len(node):
                node = node[step]
            else:
                return None
        return node

    def _find(self, path: tuple[str | int, ...], *, key: bool) -> Span:
        mark, parent, is_key = self.node.mark, -1, False
        node: object = self.node
        for index, step in enumerate(path):
            if isinstance(node, Map) and step in node:
                name = str(step)
                is_key = key and index == len(path) - 1
                mark, parent = node.values_at[name], place_of(node.keys_at[name])[1]
                mark = node.keys_at[name] if is_key else mark
                node = node[name]
            elif isinstance(node, Seq) and isinstance(step, int) and 0 <= step < len(node):
                mark = node.items_at[step]
                parent = self._dash(mark, node)
                node = node[step]
            else:
                break
        line, column = place_of(mark)
        if not is_key and isinstance(node, Map | Seq):
            # A mapping or list may run over many lines; its first line is what a reader wants marked.
            return Span(
                self.file, line + 1, column + 1, line + 1, collection_end(self.text, line, column) + 1
            )
        return self._scalar(mark, key=is_key, parent=parent)

    def _scalar(self, mark: int, *, key: bool, parent: int) -> Span:
        line, column = place_of(mark)
        place = scalar_place(self.text, line, column, key=key, flow=in_flow(mark), parent=parent)
        return Span(self.file, place[0] + 1, place[1] + 1, place[2] + 1, place[3] + 1)

    def _dash(self, mark: int, items: Seq) -> int:
        """The column of the dash before a list's item: what stands no further right is not part of it."""
        line, column = place_of(mark)
        lines = lines_of(self.text)
        dash = lines[line].rfind("-", 0, column) if line < len(lines) else -1
        return dash if dash >= 0 else place_of(items.mark)[1]


def _inside(origin: Origin, whole: Span, value: str, offset: int) -> Span:
    """Maps an offset inside a scalar's value back to the file, for the styles in which characters keep their
    places.
    """
    lines = lines_of(origin.text)
    lead = lines[whole.line - 1][whole.col - 1 : whole.col]
    row, column = value.count("\n", 0, offset), offset - (value.rfind("\n", 0, offset) + 1)
    if lead == "|":
        # The header's line is followed by the value's lines, each of which keeps its tail and loses its
        # indentation.
        written = value.split("\n")[row]
        raw = lines[whole.line + row].rstrip("\r") if whole.line + row < len(lines) else ""
        if not raw.endswith(written):
            return whole
        return Span.point(origin.file, whole.line + row + 1, len(raw) - len(written) + column + 1)
    if lead == ">":
        return whole
    shift = 1 if lead in ("'", '"') else 0
    start = whole.col - 1 + shift
    if whole.line == whole.end_line and lines[whole.line - 1][start : start + len(value)] == value:
        return Span.point(origin.file, whole.line, whole.col + shift + offset)
    return whole
