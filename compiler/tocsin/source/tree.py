"""The only reader of YAML: text in, located data (`Map`, `Seq`) and diagnostics out.

libyaml's events with a builder of our own, because a rule file is untrusted input and its author needs a
place for every word: events keep a mark for each key and value, duplicated keys are seen, and hostile nesting
meets our limit instead of the C composer's stack. Scalars follow the YAML 1.2 core schema alone: `on` and
`no` are text, dates are text, so the data is always JSON-shaped (`.inf` and `1e999` are text, too). Where a
YAML 1.1 reader (Prometheus itself reads with one) would see something else, a finding says so.

The file is longer than most because only here may anybody see PyYAML, its events and its errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.origin import COLUMN_BITS, Map, Origin, Seq, in_flow, mark_of, place_of
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span, lines_of, scalar_place
from tocsin.source.scalars import FIRST, TRAP, WORDS, number_of, plain_number

MAX_DEPTH = 64
"""Nesting of a hand-written file stays under 15; 64 leaves the interpreter's stack alone."""
MAX_NODES = 200_000
"""Nodes with every alias expanded: what any later walker would visit."""
_CORE_TAGS = frozenset(
    {"!", *(f"tag:yaml.org,2002:{each}" for each in ("str", "int", "float", "bool", "null", "map", "seq"))}
)
_ODD_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_TAB_ERROR = re.compile(r"character '\\t'|character that cannot start any token")
_TAG = re.compile(r"!<[^>\s]*>|![^\s,\[\]{}]*")
_PLAIN_STYLES = ("", None)
_Scalar, _Alias, _MappingStart, _MappingEnd, _SequenceEnd = (
    yaml.ScalarEvent, yaml.AliasEvent, yaml.MappingStartEvent, yaml.MappingEndEvent, yaml.SequenceEndEvent
)  # fmt: skip
_Event = Any
"""PyYAML's events carry different attributes and the stubs say `Event`; nothing of them leaves this module.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document. `data` is what stands at its top; `origin` is set where that is a mapping."""

    file: SourceFile
    data: object
    mark: int = 0

    @property
    def origin(self) -> Origin | None:
        """The document as an authored object."""
        return Origin(self.file.path, self.file.text, self.data) if isinstance(self.data, Map) else None

    @property
    def start(self) -> Span:
        """Where the document begins."""
        line, column = place_of(self.mark)
        return Span.of_line(self.file.path, self.file.text, line, column)


def read_documents(file: SourceFile) -> tuple[tuple[Document, ...], tuple[Diagnostic, ...]]:
    """Every document of `file`. One that is not YAML gives the documents before the fault and the fault."""
    builder = _Builder(file)
    documents: list[Document] = []
    try:
        for document in builder.documents():
            documents.append(document)  # not `extend`: what came before a fault is kept
    except _Stop as stop:
        builder.found.append(stop.found)
    except yaml.MarkedYAMLError as error:
        builder.found.append(builder.syntax(error))
    except yaml.reader.ReaderError as error:
        builder.found.append(builder.unreadable(error))
    return tuple(documents), tuple(builder.found)


def read_document(file: SourceFile) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """The one document of `file`; None where it is empty or broken, with the finding that says so."""
    documents, found = read_documents(file)
    if len(documents) > 1:
        help = "split the file: one document each"
        return documents[0], (
            *found,
            diagnostic("TOC108", documents[1].start, "a second YAML document starts here", help=help),
        )
    if not documents and not any(each.severity >= 3 for each in found):
        help = "delete it, or start it with `version: 1`"
        return None, (*found, diagnostic("TOC109", Span(file.path), "the file is empty", help=help))
    return (documents[0] if documents else None), found


class _Stop(Exception):
    """Ends the reading of one file with a finding; never leaves this module."""

    def __init__(self, found: Diagnostic) -> None:
        super().__init__(found.message)
        self.found = found


class _Builder:
    """Turns one stream of events into located data. Lives as long as one file is read."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.found: list[Diagnostic] = []
        self.anchors: dict[str, tuple[object, int]] = {}
        self.nodes = 0
        self.usual: set[str] = set()
        """Keys already seen that every reader of YAML takes for text."""
        self.starts = self.odd_breaks()
        self.event: Callable[[], _Event] = CParser(file.text).get_event

    def documents(self) -> Iterator[Document]:
        event = self.event()
        while type(event) is not yaml.StreamEndEvent:
            if type(event) is yaml.DocumentStartEvent:
                self.anchors = {}
                self.nodes = 0
                top = self.event()
                start = top.start_mark
                mark = mark_of(start.line, start.column)
                data = self.node(top, mark, 0)
                if data is not None or type(top) is not _Scalar:
                    yield Document(file=self.file, data=data, mark=self.moved(data, mark))
            event = self.event()

    # --- places

    def odd_breaks(self) -> list[tuple[int, int]]:
        """Where libyaml counts lines by more than line feeds: our line and column of the start of each line
        of its own; else nothing.
        """
        text = self.file.text
        if not ("\x85" in text or "\u2028" in text or "\u2029" in text or "\r" in text.replace("\r\n", "")):
            return []
        starts, line, begin = [(0, 0)], 0, 0
        for match in _ODD_BREAK.finditer(text):
            written = match.group()
            if written.endswith("\n"):
                line, begin = line + 1, match.end()
            elif written != "\r":
                message = (
                    f"the character U+{ord(written):04X} ends a line in YAML, though editors do not show it"
                )
                span = Span.point(self.file.path, line + 1, match.start() - begin + 1)
                self.found.append(
                    diagnostic("TOC107", span, message, help="replace it with a space or a line break")
                )
            starts.append((line, match.end() - begin))
        return starts

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Our line and column for libyaml's."""
        if not self.starts:
            return line, column
        ours, offset = self.starts[min(line, len(self.starts) - 1)]
        return ours, offset + column

    def moved(self, top: object, mark: int) -> int:
        """Puts every mark below `top`, and `mark`, where we count it; nothing to do for a text with plain
        line feeds.
        """
        if not self.starts:
            return mark
        seen: set[int] = set()
        waiting = [top]
        while waiting:
            node = waiting.pop()
            if id(node) in seen or not isinstance(node, Map | Seq):
                continue
            seen.add(id(node))
            node.mark = self.ours(node.mark)
            if isinstance(node, Map):
                for marks in (node.keys_at, node.values_at):
                    marks.update({key: self.ours(each) for key, each in marks.items()})
                waiting.extend(node.values())
            else:
                node.items_at[:] = map(self.ours, node.items_at)
                waiting.extend(node)
        return self.ours(mark)

    def ours(self, mark: int) -> int:
        return mark_of(*self.place(*place_of(mark)), flow=in_flow(mark))

    def span(self, mark: int, *, key: bool = False) -> Span:
        line, column = self.place(*place_of(mark))
        place = scalar_place(self.file.text, line, column, key=key, flow=in_flow(mark))
        return Span(self.file.path, place[0] + 1, place[1] + 1, place[2] + 1, place[3] + 1)

    # --- faults of the stream

    def unreadable(self, error: yaml.reader.ReaderError) -> Diagnostic:
        # libyaml counts bytes here.
        before = self.file.text.encode()[: error.position].decode("utf-8", "ignore").split("\n")
        character = (
            error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "?")
        )
        span = Span.point(self.file.path, len(before), len(before[-1]) + 1)
        return diagnostic(
            "TOC101", span, f"the character U+{character:04X} is not allowed in YAML", help="remove it"
        )

    def syntax(self, error: yaml.MarkedYAMLError) -> Diagnostic:
        mark = error.problem_mark or error.context_mark
        line, column = self.place(mark.line, mark.column) if mark else (0, 0)
        lines = lines_of(self.file.text)
        if line >= len(lines):
            # A text without a line break at its end has one for libyaml, and a line after it.
            line, column = len(lines) - 1, len(lines[-1])
        here = lines[line]
        span = Span.point(self.file.path, line + 1, column + 1)
        problem = " ".join(str(error.problem or "not YAML").split())
        lead = here[: len(here) - len(here.lstrip())]
        if "\t" in lead or (_TAB_ERROR.search(problem) and here[column : column + 1] == "\t"):
            span = Span.point(self.file.path, line + 1, here.index("\t") + 1)
            return diagnostic(
                "TOC102", span, "a tab stands where YAML wants spaces", help="indent with spaces"
            )
        help = next((advice for words, advice in _ADVICE if words in problem), "")
        if "cannot start any token" in problem and here[column : column + 1]:
            problem = f"`{here[column]}` cannot start a value"
        context = error.context_mark
        if (
            context is not None
            and mark is not None
            and context.line != mark.line
            and "while parsing" in str(error.context or "")
        ):
            begun = self.place(context.line, context.column)[0] + 1
            problem += f" ({str(error.context).removeprefix('while parsing ')} that starts in line {begun})"
        return diagnostic("TOC101", span, f"not valid YAML: {problem}", help=help)

    # --- nodes

    def node(self, event: _Event, mark: int, depth: int) -> object:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.stop(
                "TOC105", mark, f"more than {MAX_NODES:,} values, aliases expanded", "split the file"
            )
        kind = type(event)
        if kind is _Scalar:
            value = self.scalar(event, mark)
            if event.anchor is not None:
                self.anchors[event.anchor] = (value, 1)
            return value
        if kind is _Alias:
            return self.alias(event, mark)
        if depth >= MAX_DEPTH:
            raise self.stop("TOC105", mark, f"nested more than {MAX_DEPTH} levels deep", "write it flatter")
        if event.tag is not None:
            self.tag(event, mark)
        before = self.nodes
        made = (
            self.mapping(event, mark, depth) if kind is _MappingStart else self.sequence(event, mark, depth)
        )
        if event.anchor is not None:
            self.anchors[event.anchor] = (made, self.nodes - before + 1)
        return made

    def alias(self, event: _Event, mark: int) -> object:
        name = event.anchor
        if name not in self.anchors:
            raise self.stop(
                "TOC101",
                mark,
                f"`*{name}` has no anchor `&{name}` before it",
                "quote the value if it starts with `*`",
            )
        value, size = self.anchors[name]
        self.nodes += size - 1
        if self.nodes > MAX_NODES:
            raise self.stop(
                "TOC105",
                mark,
                f"aliases expand to more than {MAX_NODES:,} values",
                "write the values out, or split the file",
            )
        return value

    def tag(self, event: _Event, mark: int) -> None:
        if event.tag is None or event.tag in _CORE_TAGS:
            return
        line, column = self.place(*place_of(mark))
        here = lines_of(self.file.text)[line]
        written = _TAG.search(here, column)
        start, end = written.span() if written else (column, column + 1)
        span = Span(self.file.path, line + 1, start + 1, line + 1, end + 1)
        message = f"the tag `{here[start:end]}` is not allowed"
        raise _Stop(diagnostic("TOC106", span, message, help="sources are plain data: remove the tag"))

    def mapping(self, event: _Event, start: int, depth: int) -> Map:
        made = Map(start)
        keys_at, values_at, next_event, usual = made.keys_at, made.values_at, self.event, self.usual
        flow = bool(event.flow_style)
        merges: list[Map] = []
        while type(key_event := next_event()) is not _MappingEnd:
            at = key_event.start_mark
            # `mark_of`, written out: this loop is half of the whole reading.
            key_mark = (at.line << COLUMN_BITS | at.column) << 1 | flow
            if (
                type(key_event) is _Scalar
                and key_event.value in usual
                and key_event.tag is key_event.anchor is None
            ):
                key: str = key_event.value
                self.nodes += 1
            else:
                key = self.key(key_event, key_mark)
            event = next_event()
            at = event.start_mark
            value_mark = (at.line << COLUMN_BITS | at.column) << 1 | flow
            if (
                type(event) is _Scalar
                and event.tag is event.anchor is None
                and (text := event.value)
                and text[0] not in FIRST
            ):
                # Most values are words: text whatever their style, because no number or truth value starts
                # like them.
                self.nodes += 1
                value: object = text
            else:
                value = self.node(event, value_mark, depth + 1)
            if key in made:
                first = self.place(*place_of(keys_at[key]))[0] + 1
                message = f"`{key}` is already set in line {first}"
                self.found.append(
                    diagnostic(
                        "TOC104",
                        self.span(key_mark, key=True),
                        message,
                        help="keep one of the two",
                        subject=key,
                    )
                )
            elif key == "<<" and key_event.style in _PLAIN_STYLES:
                merges.extend(self.merged(value, value_mark))
            else:
                made[key] = value
                keys_at[key] = key_mark
                values_at[key] = value_mark
        for source in merges:
            for key, value in source.items():
                if key not in made:
                    made[key] = value
                    keys_at[key] = source.keys_at[key]
                    values_at[key] = source.values_at[key]
        return made

    def merged(self, value: object, mark: int) -> list[Map]:
        items: list[object] = value if isinstance(value, Seq) else [value]
        sources = [each for each in items if isinstance(each, Map)]
        if len(sources) < len(items):
            raise self.stop(
                "TOC103", mark, "`<<` takes a mapping or a list of mappings", "write `<<: *anchor`"
            )
        self.nodes += sum(map(len, sources))
        return sources

    def sequence(self, event: _Event, start: int, depth: int) -> Seq:
        made = Seq(start)
        flow = bool(event.flow_style)
        while type(item := self.event()) is not _SequenceEnd:
            at = item.start_mark
            mark = (at.line << COLUMN_BITS | at.column) << 1 | flow
            made.items_at.append(mark)
            made.append(self.node(item, mark, depth + 1))
        return made

    # --- scalars

    def key(self, event: _Event, mark: int) -> str:
        if type(event) is not _Scalar:
            raise self.stop(
                "TOC103",
                mark,
                "a key must be a single word",
                "sources are JSON-shaped: write text before the colon",
            )
        text: str = event.value
        self.nodes += 1
        if event.tag is not None:
            self.tag(event, mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = (text, 1)
        if not TRAP.match(text):
            self.usual.add(text)
        elif event.style in _PLAIN_STYLES and text not in ("y", "Y", "n", "N"):
            self.trap(text, mark, key=True)
        return text

    def scalar(self, event: _Event, mark: int) -> object:
        text: str = event.value
        tag = event.tag
        if tag is not None:
            self.tag(event, mark)
            if tag.endswith(":str") or tag == "!":
                return text
        elif event.style not in _PLAIN_STYLES:
            return text
        if text and text[0] not in FIRST:
            return text
        if text in WORDS:
            return WORDS[text]
        if len(text) > 40:
            return text
        if TRAP.match(text):
            self.trap(text, mark, key=False)
        return number_of(text)

    def trap(self, text: str, mark: int, *, key: bool) -> None:
        number = number_of(text)
        reading = "text" if isinstance(number, str) else "a number"
        help = f'write "{text}" for the text'
        if not isinstance(number, str):
            help += f", or {plain_number(number)} for the number"
        message = f"`{text}` is {reading} here, but YAML 1.1 readers take it for something else"
        self.found.append(diagnostic("TOC107", self.span(mark, key=key), message, help=help, subject=text))

    def stop(self, code: str, mark: int, message: str, help: str) -> _Stop:
        return _Stop(diagnostic(code, self.span(mark), message, help=help))


_ADVICE = (
    ("mapping values are not allowed", "quote the value if it contains `: `, or check the indentation"),
    ("did not find expected key", "check the indentation of this line and the one before"),
    ("expected <block end>", "check the indentation of this line and the one before"),
    ("did not find expected '-' indicator", "check the indentation of this line and the one before"),
    ("could not find expected ':'", "is a colon missing, or a quote not closed?"),
    ("undefined alias", "quote the value if it starts with `*`"),
    ("cannot start any token", "quote the value: it starts with a character that YAML reserves"),
    ("unexpected end of stream", "a quote is not closed"),
    ("did not find expected ',' or", "a bracket is not closed, or a comma is missing"),
)
