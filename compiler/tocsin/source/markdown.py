"""The only reader of Markdown: front matter apart from the prose, and the headings, fences and links of the
prose with their places.

A line scanner would be thirty times faster and misses fences inside lists and links over two lines, so
markdown-it reads the blocks. It reads the inside of a paragraph only where there is a `[` or a `<`: nothing
else can begin a link, so the result is the same and most of the time is saved. markdown-it knows lines but no
columns; the rules that find links are wrapped so that they tell where they found them.

markdown-it costs 40 ms to import and is imported where it is used: a command that reads no SOP does not pay.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span
from tocsin.ir.sop import Body, Fence, Link
from tocsin.source.headings import Heading, anchored, without_attributes
from tocsin.source.tree import Document, read_document

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_KIND = re.compile(r"<!--\s*tocsin:\s*(read|change|destructive)\b([^>]*)-->\s*\Z")
_UNDO = re.compile(r"\bundo=(#?[^\s>]+)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HTML_TARGET = re.compile(
    r"""<[A-Za-z][^<>]*?\s(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=`]+))""", re.DOTALL
)
_MARKED_UP = re.compile(r"[\\`*_\[\]<>&!]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """A Markdown source in two: the front matter as a document (None where it is missing or broken), and the
    prose from `first_line` on.
    """

    document: Document | None
    text: str
    first_line: int


def split(file: SourceFile) -> tuple[Pieces, tuple[Diagnostic, ...]]:
    """Front matter and prose of `file`. TOC116 where the front matter is missing or not closed."""
    text = file.text
    if not text.strip():
        found = diagnostic(
            "TOC109",
            Span(file.path),
            "the file is empty",
            help="delete it, or start it with front matter between two lines of `---`",
        )
        return Pieces(document=None, text="", first_line=1), (found,)
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        help = "start the file with a line `---`, the keys (`id`, `title`, ...), and another line `---`"
        found = diagnostic(
            "TOC116",
            Span.of_line(file.path, text, 0, 0),
            "the file does not start with front matter",
            help=help,
        )
        return Pieces(document=None, text=text, first_line=1), (found,)
    close = next((index for index, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), None)
    if close is None:
        help = "end the front matter with a line `---` before the prose"
        found = diagnostic(
            "TOC116",
            Span.of_line(file.path, text, 0, 0),
            "the front matter that starts here is not closed",
            help=help,
        )
        return Pieces(document=None, text="", first_line=len(lines) + 1), (found,)
    header = "\n".join(lines[:close]) + "\n"
    document, said = read_document(replace(file, text=header))
    if document is None and not any(each.severity >= 3 and each.code != "TOC109" for each in said):
        found = diagnostic(
            "TOC116",
            Span.of_line(file.path, text, 0, 0),
            "the front matter is empty",
            help="write the keys (`id`, `title`, ...) between the two lines of `---`",
        )
        said = (found,)
    if document is not None:
        document = replace(document, file=file)
    return Pieces(document=document, text="\n".join(lines[close + 1 :]), first_line=close + 2), said


def read_body(file: SourceFile, text: str, first_line: int) -> Body:
    """The prose of `file`, which begins on its line `first_line` (from 1), with everything a link or a check
    may ask for.
    """
    reader = _Reader(file.path, text, first_line)
    reader.read()
    return Body(
        text=text,
        first_line=first_line,
        sections=anchored(reader.headings),
        fences=tuple(reader.fences),
        links=tuple(sorted(reader.links, key=lambda each: each.span)),
    )


@dataclass(slots=True)
class _Sight:
    """What the wrapped rules tell: offsets into the text of one paragraph, and the target."""

    source: str = ""
    seen: list[tuple[int, int, str]] = field(default_factory=list)


class _Reader:
    """Reads one body. Lives as long as that."""

    def __init__(self, path: str, text: str, first_line: int) -> None:
        self.path = path
        # The same three replacements markdown-it makes before anything else; none changes a line or a column
        # that is counted.
        self.text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
        self.lines = self.text.split("\n")
        self.first_line = first_line
        self.headings: list[Heading] = []
        self.fences: list[Fence] = []
        self.links: list[Link] = []
        self.sight = _Sight()
        self.env: dict[str, object] = {"sight": self.sight}
        self.cursor = (-1, 0)
        """The line, and the column in it, up to which blocks were found."""

    def read(self) -> None:
        md = _links_only()
        tokens: list[Token] = []
        md.block.parse(self.text, md, self.env, tokens)
        row, kind, heading = (0, 1), ("", ""), 0
        for token in tokens:
            if token.type == "inline":
                where = token.map or row
                if heading:
                    self.heading(token.content, heading, where[0])
                    self.cursor = (-1, 0)
                if "[" in token.content or "<" in token.content:
                    self.inline(md, token.content, where)
                heading = 0
            elif token.type == "heading_open":
                heading = int(token.tag[1])
            elif token.type == "fence":
                self.fence(token, kind)
            elif token.type == "html_block" and token.map:
                kind = _kind(token.content)
                self.html(token.content, token.map)
                continue
            if token.map:
                row = (token.map[0], token.map[1])
            kind = ("", "")

    def heading(self, content: str, level: int, line: int) -> None:
        content, explicit = without_attributes(content)
        text = _plain(content) if _MARKED_UP.search(content) else " ".join(content.split())
        self.headings.append(
            Heading(text, level, _Block(self, content, line).span(0, len(content)), explicit)
        )

    def fence(self, token: Token, kind: tuple[str, str]) -> None:
        first = token.map[0] if token.map else 0
        count = token.content.count("\n")
        words = token.info.split()
        language = words[0] if words else ""
        if language.startswith("{"):
            language = next(
                (each.lstrip(".") for each in language.strip("{}").split() if each.startswith(".")), ""
            )
        # The content keeps the tail of each line and loses what belongs to the list or quote around it.
        written, raw = token.content.partition("\n")[0], self.line(first + 1)
        column = len(raw) - len(written) + 1 if count and raw.endswith(written) else 1
        start, stop = self.first_line + first + 1, self.first_line + first + max(count, 1)
        end = len(self.line(first + count)) + 1 if count else column
        span = Span(self.path, start, column, stop, end)
        self.fences.append(
            Fence(language=language, text=token.content, span=span, kind=kind[0], undo=kind[1])
        )

    def inline(self, md: MarkdownIt, content: str, where: Sequence[int]) -> None:
        self.sight.source = content
        self.sight.seen = []
        md.inline.parse(content, md, self.env, [])
        self.link(content, self.sight.seen, where[0])

    def html(self, content: str, where: Sequence[int]) -> None:
        shown = _COMMENT.sub(lambda each: re.sub(r"[^\n]", " ", each[0]), content)
        self.link(content, list(_html_targets(shown)), where[0])

    def link(self, content: str, seen: Sequence[tuple[int, int, str]], top: int) -> None:
        if seen:
            block = _Block(self, content, top)
            self.links.extend(Link(target=target, span=block.span(start, end)) for start, end, target in seen)

    def line(self, index: int) -> str:
        return self.lines[index] if index < len(self.lines) else ""


class _Block:
    """The content of one block and where its rows stand in the file: offsets in, spans out."""

    def __init__(self, reader: _Reader, content: str, top: int) -> None:
        self.reader = reader
        self.begins: list[int] = []
        self.columns: list[int] = []
        self.first = reader.first_line + top
        begin = 0
        for index, written in enumerate(content.split("\n")):
            # Cells of one table row are blocks of one line: each is looked for after the one before.
            line, after = reader.cursor
            start = after if line == top + index else 0
            column = reader.line(top + index).find(written, start)
            self.begins.append(begin)
            self.columns.append(column)
            if column >= 0:
                reader.cursor = (top + index, column + len(written))
            begin += len(written) + 1

    def span(self, start: int, end: int) -> Span:
        """The place of `content[start:end]`; the whole line where markdown-it changed it (an escaped bar)."""
        row, last = bisect_right(self.begins, start) - 1, bisect_right(self.begins, end) - 1
        path, line = self.reader.path, self.first + row
        if self.columns[row] < 0 or self.columns[last] < 0:
            return Span(path, line, 1, line, len(self.reader.line(line - self.reader.first_line)) + 1)
        col = self.columns[row] + start - self.begins[row] + 1
        return Span(path, line, col, self.first + last, self.columns[last] + end - self.begins[last] + 1)


def _kind(comment: str) -> tuple[str, str]:
    """What a comment says of the command below it, and of undoing that."""
    match = _KIND.search(comment)
    if match is None:
        return "", ""
    undo = _UNDO.search(match[2])
    return match[1], undo[1].removesuffix("--") if undo else ""


def _html_targets(content: str) -> Iterator[tuple[int, int, str]]:
    for match in _HTML_TARGET.finditer(content):
        group = next(each for each in (1, 2, 3) if match[each] is not None)
        yield match.start(group), match.end(group), match[group]


def _plain(content: str) -> str:
    """A heading's words without their markup."""
    md = _everything()
    tokens = md.parseInline(content)[0].children or []
    words: list[str] = []
    for token in tokens:
        if token.type in ("text", "code_inline", "text_special"):
            words.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            words.append(" ")
    return " ".join("".join(words).split())


@cache
def _everything() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")


@cache
def _links_only() -> MarkdownIt:
    """A reader that knows every block and, inside a paragraph, only what makes or hides a link."""
    from markdown_it import MarkdownIt

    md = MarkdownIt("commonmark").enable("table").disable(["emphasis", "entity", "newline"])
    rules = {each.name: each.fn for each in md.inline.ruler.__rules__}
    for name, told in (
        ("link", _told_link),
        ("image", _told_link),
        ("autolink", _told_autolink),
        ("html_inline", _told_html),
    ):
        md.inline.ruler.at(name, _telling(rules[name], told))
    return md


Rule = Callable[["StateInline", bool], bool]
Told = Callable[["StateInline", int], Iterator[tuple[int, int, str]]]


def _telling(rule: Rule, told: Told) -> Rule:
    def wrapped(state: StateInline, silent: bool) -> bool:
        start = state.pos
        fits = rule(state, silent)
        if fits and not silent:
            sight = state.env["sight"]
            # The text of an image is parsed as a paragraph of its own; links inside it are never links on the
            # page.
            if state.src == sight.source:
                sight.seen.extend(told(state, start))
        return fits

    return wrapped


def _told_link(state: StateInline, start: int) -> Iterator[tuple[int, int, str]]:
    end, is_image = state.pos, state.src[start] == "!"
    state.pos = start
    label_end = state.md.helpers.parseLinkLabel(state, start + is_image, not is_image)
    state.pos = end
    source = state.src
    if source[label_end + 1 : label_end + 2] == "(":
        at = label_end + 2
        while source[at : at + 1] in (" ", "\n", "\t"):
            at += 1
        found = state.md.helpers.parseLinkDestination(source, at, end)
        if found.ok and found.pos < end:
            bracketed = source[at : at + 1] == "<"
            yield at + bracketed, found.pos - bracketed, found.str
            return
    from markdown_it.common.utils import normalizeReference

    label = source[start + 1 + is_image : label_end]
    # `[r][` is the short form with a bracket behind it: then the link ends with its label.
    is_full = end > label_end + 1 and source[label_end + 1] == "["
    if is_full and source[label_end + 2 : label_end + 3] != "]":
        label = source[label_end + 2 : end - 1]
    reference = state.env.get("references", {}).get(normalizeReference(label))
    if reference is not None:
        yield start, end, reference["href"]


def _told_autolink(state: StateInline, start: int) -> Iterator[tuple[int, int, str]]:
    yield start + 1, state.pos - 1, state.src[start + 1 : state.pos - 1]


def _told_html(state: StateInline, start: int) -> Iterator[tuple[int, int, str]]:
    written = state.src[start : state.pos]
    if not written.startswith("<!--"):
        for first, last, target in _html_targets(written):
            yield start + first, start + last, target
