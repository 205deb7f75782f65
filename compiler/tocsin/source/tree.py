"""The only reader of YAML: text in, located data (`Map`, `Seq`) and diagnostics out.

libyaml's events with a builder of our own, because a rule file is untrusted input and its author needs a place for every word: events keep a
mark for each key and value, duplicated keys are seen, and hostile nesting meets our limit instead of the C composer's stack. Scalars follow the
YAML 1.2 core schema alone: `on` and `no` are text, dates are text, so the data is always JSON-shaped. Where a YAML 1.1 reader (Prometheus
itself reads with one) would see something else, a finding says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from yaml.cyaml import CParser

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.origin import Map, Origin, Seq, mark_of, place_of
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span, scalar_end

MAX_DEPTH = 64
"""Nesting of a hand-written file stays under 15; 64 leaves the interpreter's stack alone."""
MAX_NODES = 200_000
"""Nodes with every alias expanded: what any later walker would visit."""
_CORE_TAGS = frozenset({"!", *(f"tag:yaml.org,2002:{each}" for each in ("str", "int", "float", "bool", "null", "map", "seq"))})
_FIRST = frozenset("0123456789+-.~ntfTFNyYoO")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TRAP = re.compile(
    r"(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)\Z"
    r"|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"
    r"|[-+]?0[0-9_]+\Z|[-+]?[0-9][0-9_]*_[0-9_]*\Z|[-+]?[0-9]+[eE][-+]?[0-9]+\Z|0o[0-7]+\Z"
)
_TAB_ERROR = re.compile(r"character '\\t'|character that cannot start any token")


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


class _Stop(Exception):
    """Ends the reading of one file with a finding; never leaves this module."""

    def __init__(self, found: Diagnostic) -> None:
        super().__init__(found.message)
        self.found = found


def read_documents(file: SourceFile) -> tuple[tuple[Document, ...], tuple[Diagnostic, ...]]:
    """Every document of `file`. A file that is not YAML gives the documents before the fault and the fault."""
    builder = _Builder(file)
    documents: list[Document] = []
    try:
        documents.extend(builder.documents())
    except _Stop as stop:
        builder.found.append(stop.found)
    return tuple(documents), tuple(builder.found)


def read_document(file: SourceFile) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """The one document of `file`; None where it is empty or broken, with the finding that says so."""
    documents, found = read_documents(file)
    if len(documents) > 1:
        second = documents[1]
        more = diagnostic("TOC108", second.start, "a second YAML document starts here", help="split the file: one document each")
        return documents[0], (*found, more)
    if not documents and not found:
        return None, (diagnostic("TOC109", Span(file.path), "the file is empty", help="delete it, or start it with `version: 1`"),)
    return (documents[0] if documents else None), found


class _Builder:
    """Turns one stream of events into located data. Lives as long as one file is read."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.found: list[Diagnostic] = []
        self.parser = CParser(file.text)
        self.anchors: dict[str, tuple[object, int]] = {}
        self.nodes = 0

    def documents(self) -> Iterator[Document]:
        event = self.event()
        while not isinstance(event, yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors = {}
                self.nodes = 0
                top = self.event()
                mark = self.mark(top)
                data = self.node(top, 0)
                if data is not None or not isinstance(top, yaml.ScalarEvent):
                    yield Document(file=self.file, data=data, mark=mark)
            event = self.event()

    def event(self) -> object:
        try:
            return self.parser.get_event()
        except yaml.MarkedYAMLError as error:
            raise _Stop(self.syntax(error)) from None
        except yaml.reader.ReaderError as error:
            before = self.file.text[: error.position].split("\n")
            span = Span.point(self.file.path, len(before), len(before[-1]) + 1)
            what = f"the character U+{ord(str(error.character)[:1] or '?'):04X}" if not isinstance(error.character, int) else f"U+{error.character:04X}"
            raise _Stop(diagnostic("TOC101", span, f"{what} is not allowed in YAML", help="remove it")) from None

    def syntax(self, error: yaml.MarkedYAMLError) -> Diagnostic:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        lines = self.file.text.split("\n")
        here = lines[line] if line < len(lines) else ""
        span = Span.point(self.file.path, line + 1, column + 1)
        problem = " ".join(str(error.problem or "not YAML").split())
        lead = here[: len(here) - len(here.lstrip())]
        if "\t" in lead or (_TAB_ERROR.search(problem) and here[column : column + 1] == "\t"):
            span = Span.point(self.file.path, line + 1, here.index("\t") + 1)
            return diagnostic("TOC102", span, "a tab stands where YAML wants spaces", help="indent with spaces")
        help = ""
        if "mapping values are not allowed" in problem:
            help = "quote the value if it contains `: `, or check the indentation"
        elif "did not find expected key" in problem or "expected <block end>" in problem:
            help = "check the indentation of this line and the one before"
        elif "undefined alias" in problem:
            help = "quote the value if it starts with `*`"
        elif "cannot start any token" in problem:
            help = "quote the value: it starts with a character that YAML reserves"
        return diagnostic("TOC101", span, f"not valid YAML: {problem}", help=help)

    def mark(self, event: object) -> int:
        mark = event.start_mark  # type: ignore[attr-defined]  # PyYAML's events are untyped
        return mark_of(mark.line, mark.column)

    def span(self, mark: int, *, key: bool = False) -> Span:
        line, column = place_of(mark)
        end_line, end_column = scalar_end(self.file.text, line, column, key=key)
        return Span(self.file.path, line + 1, column + 1, end_line + 1, end_column + 1)

    def node(self, event: object, depth: int) -> object:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _Stop(diagnostic("TOC105", self.span(self.mark(event)), f"more than {MAX_NODES:,} values, aliases expanded", help="split the file"))
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value = self.scalar(event)
            if event.anchor is not None:  # type: ignore[attr-defined]
                self.anchors[event.anchor] = (value, 1)  # type: ignore[attr-defined]
            return value
        if kind is yaml.AliasEvent:
            return self.alias(event)
        if depth >= MAX_DEPTH:
            raise _Stop(diagnostic("TOC105", self.span(self.mark(event)), f"nested more than {MAX_DEPTH} levels deep"))
        self.tag(event)
        before = self.nodes
        made = self.mapping(event, depth) if kind is yaml.MappingStartEvent else self.sequence(event, depth)
        anchor = event.anchor  # type: ignore[attr-defined]
        if anchor is not None:
            self.anchors[anchor] = (made, self.nodes - before + 1)
        return made

    def alias(self, event: object) -> object:
        name = event.anchor  # type: ignore[attr-defined]
        if name not in self.anchors:
            raise _Stop(diagnostic("TOC101", self.span(self.mark(event)), f"`*{name}` has no anchor `&{name}` before it", help="quote the value if it starts with `*`"))
        value, size = self.anchors[name]
        self.nodes += size - 1
        if self.nodes > MAX_NODES:
            raise _Stop(diagnostic("TOC105", self.span(self.mark(event)), f"aliases expand to more than {MAX_NODES:,} values", help="write the values out, or split the file"))
        return value

    def tag(self, event: object) -> None:
        tag = event.tag  # type: ignore[attr-defined]
        if tag is not None and tag not in _CORE_TAGS:
            raise _Stop(diagnostic("TOC106", self.span(self.mark(event)), f"the tag `{tag}` is not allowed", help="sources are plain data: remove the tag"))

    def mapping(self, event: object, depth: int) -> Map:
        made = Map(self.mark(event))
        keys_at, values_at = made.keys_at, made.values_at
        merges: list[tuple[Map, int]] = []
        next_event, mark_of_event = self.event, self.mark
        while True:
            key_event = next_event()
            if type(key_event) is yaml.MappingEndEvent:
                break
            key_mark = mark_of_event(key_event)
            if type(key_event) is yaml.AliasEvent:
                name = self.alias(key_event)
            elif type(key_event) is yaml.ScalarEvent:
                self.nodes += 1
                name = self.key(key_event, key_mark)
            else:
                raise _Stop(diagnostic("TOC103", self.span(key_mark), "a key must be a single word", help="sources are JSON-shaped: use text as key"))
            value_event = next_event()
            value_mark = mark_of_event(value_event)
            value = self.node(value_event, depth + 1)
            if name == "<<" and key_event.style in ("", None):  # type: ignore[attr-defined]
                merges.extend((each, key_mark) for each in self.merged(value, value_mark))
                continue
            key = str(name)
            if key in made:
                first = self.span(keys_at[key], key=True)
                self.found.append(
                    diagnostic("TOC104", self.span(key_mark, key=True), f"`{key}` is already set in line {first.line}", help="keep one of the two", subject=key)
                )
                continue
            made[key] = value
            keys_at[key] = key_mark
            values_at[key] = value_mark
        for source, _ in merges:
            for key, value in source.items():
                if key not in made:
                    made[key] = value
                    keys_at[key] = source.keys_at[key]
                    values_at[key] = source.values_at[key]
        return made

    def merged(self, value: object, mark: int) -> list[Map]:
        items = value if isinstance(value, Seq) else [value]
        if not all(isinstance(each, Map) for each in items):
            raise _Stop(diagnostic("TOC103", self.span(mark), "`<<` takes a mapping or a list of mappings"))
        for each in items:
            self.nodes += len(each)  # type: ignore[arg-type]
        return [each for each in items if isinstance(each, Map)]

    def sequence(self, event: object, depth: int) -> Seq:
        made = Seq(self.mark(event))
        while True:
            item = self.event()
            if type(item) is yaml.SequenceEndEvent:
                return made
            made.items_at.append(self.mark(item))
            made.append(self.node(item, depth + 1))

    def key(self, event: object, mark: int) -> str:
        self.tag(event)
        text: str = event.value  # type: ignore[attr-defined]
        if event.style in ("", None) and _TRAP.match(text):  # type: ignore[attr-defined]
            self.trap(text, mark, key=True)
        return text

    def scalar(self, event: object) -> object:
        text: str = event.value  # type: ignore[attr-defined]
        tag = event.tag  # type: ignore[attr-defined]
        if tag is not None:
            self.tag(event)
            if tag.endswith(":str") or tag == "!":
                return text
        elif event.style not in ("", None):  # type: ignore[attr-defined]
            return text
        if text and text[0] not in _FIRST:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if len(text) > 40:
            return text
        if _TRAP.match(text):
            self.trap(text, self.mark(event), key=False)
        if _INT.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
        if _BASED.match(text):
            return int(text, 0)
        return text

    def trap(self, text: str, mark: int, *, key: bool) -> None:
        if re.match(r"[yYnN]\Z", text) and key:
            return
        reading = "text" if not (_INT.match(text) or _FLOAT.match(text) or _BASED.match(text)) else "a number"
        self.found.append(
            diagnostic(
                "TOC107",
                self.span(mark, key=key),
                f"`{text}` is {reading} here, but YAML 1.1 readers take it for something else",
                help=f'write "{text}" for the text' + ("" if reading == "text" else f", or {_plain_number(text)} for the number"),
                subject=text,
            )
        )


def _plain_number(text: str) -> str:
    value = float(text) if not _BASED.match(text) else float(int(text, 0))
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
