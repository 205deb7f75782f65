"""The prose of a page as a tree of blocks: CommonMark with tables, strikethrough and task lists, as the forges show it.

In: a `Body` that `source.markdown` read. Out: `ir.prose` blocks. Anchors, languages and kinds of commands are taken from the body and not found
a second time: the blocks are read with the same rules, so headings and fences come in the same order.

Raw HTML is recognised as such and becomes words: what an author wrote in tags is shown, tags and all. Two exceptions: a comment is dropped
(the ones that say `tocsin: read` are for the compiler, the others for whoever edits the page), and `<br>` is a line break, since a cell of
a table has no other. A comment that is never closed is shown: nobody hides half of a page by mistake.

The inside of a paragraph is parsed only where a character in it could mean something; of most paragraphs none does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

from tocsin.ir.prose import (
    Anchor,
    Block,
    Break,
    Code,
    CodeBlock,
    Image,
    Inline,
    Item,
    Listing,
    Marked,
    Paragraph,
    Quote,
    Rule,
    Table,
    Title,
    Words,
)
from tocsin.ir.sop import Body, Fence
from tocsin.source.headings import without_attributes

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MEANS = re.compile(r"[\\*\[<&]|~~|(?<![^\W_])_|_(?![^\W_])|  \n")
_FOLD = re.compile(r"[ \t]*\n[ \t]*")
_TICKED = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_COMMENT = re.compile(r"<!--(?:-?>|.*?-->)", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>\Z", re.IGNORECASE)
_TASK = re.compile(r"\[([ xX])\](?:[ \t]+|[ \t]?\n)(?=\S)")
_ALIGNED = re.compile(r"text-align:(left|center|right)\Z")
_MARKS: Mapping[str, Literal["em", "strong", "s"]] = {"em_open": "em", "strong_open": "strong", "s_open": "s"}


def read_prose(body: Body) -> tuple[Block, ...]:
    """The blocks of `body` in order."""
    return _Reader(body).read()


class _Reader:
    """Reads one body. Lives as long as that."""

    def __init__(self, body: Body) -> None:
        self.md = _reader()
        # The replacements markdown-it makes before it looks for blocks.
        self.text = body.text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
        self.anchors = iter(each.anchor for each in body.sections)
        self.fences: Iterator[Fence] = iter(body.fences)
        self.env: dict[str, object] = {}
        self.tokens: list[Token] = []
        self.at = 0

    def read(self) -> tuple[Block, ...]:
        self.md.block.parse(self.text, self.md, self.env, self.tokens)
        return self.blocks("")

    def blocks(self, close: str) -> tuple[Block, ...]:
        """The blocks up to the token `close`, which is passed over."""
        found: list[Block] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            if token.type == close:
                break
            block = self.block(token)
            if block is not None:
                found.append(block)
        return tuple(found)

    def block(self, token: Token) -> Block | None:
        match token.type:
            case "paragraph_open":
                inner = self.leaf()
                return Paragraph(inner) if inner else None
            case "heading_open":
                content, _ = without_attributes(self.tokens[self.at].content)
                self.at += 2
                return Title(int(token.tag[1]), next(self.anchors), self.inline(content))
            case "fence":
                fence = next(self.fences)
                return CodeBlock(fence.language, token.content, fence.kind)
            case "code_block":
                return CodeBlock("", token.content, "")
            case "html_block":
                return _shown(token.content)
            case "bullet_list_open":
                return self.listing(None)
            case "ordered_list_open":
                return self.listing(int(token.attrs.get("start", 1)))
            case "blockquote_open":
                return Quote(self.blocks("blockquote_close"))
            case "table_open":
                return self.table()
            case "hr":
                return Rule()
        raise AssertionError(f"no block begins with {token.type}")

    def leaf(self) -> tuple[Inline, ...]:
        """The inside of the block that was just opened and holds nothing but text."""
        content = self.tokens[self.at].content
        self.at += 2
        return self.inline(content)

    def listing(self, start: int | None) -> Listing:
        items: list[Item] = []
        tight = True
        while self.tokens[self.at].type == "list_item_open":
            self.at += 1
            checked, first = None, self.tokens[self.at]
            if first.type == "paragraph_open":
                tight = tight and first.hidden
                inline = self.tokens[self.at + 1]
                task = _TASK.match(inline.content)
                if task and f"[{task[1]}]".upper() not in self.references():
                    checked, inline.content = task[1] != " ", inline.content[task.end() :]
            items.append(Item(checked, self.blocks("list_item_close")))
        self.at += 1
        return Listing(start, tight, tuple(items))

    def references(self) -> frozenset[str]:
        known = self.env.get("references", {})
        return frozenset(f"[{each}]" for each in known) if isinstance(known, dict) else frozenset()

    def table(self) -> Table:
        rows: list[tuple[tuple[Inline, ...], ...]] = []
        row: list[tuple[Inline, ...]] = []
        alignments: list[str] = []
        while (token := self.tokens[self.at]).type != "table_close":
            self.at += 1
            if token.type == "tr_open":
                row = []
            elif token.type in ("th_open", "td_open"):
                if token.type == "th_open":
                    aligned = _ALIGNED.match(str(token.attrs.get("style", "")))
                    alignments.append(aligned[1] if aligned else "")
                row.append(self.leaf())
            elif token.type == "tr_close":
                rows.append(tuple(row))
        self.at += 1
        return Table(tuple(alignments), rows[0], tuple(rows[1:]))

    def inline(self, content: str) -> tuple[Inline, ...]:
        if not _MEANS.search(content):
            return _ticked(content) if "`" in content else _words(_joined(content))
        tokens: list[Token] = []
        self.md.inline.parse(content, self.md, self.env, tokens)
        return _Line(tokens).until("")


class _Line:
    """Reads the tokens of one paragraph."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def until(self, close: str) -> tuple[Inline, ...]:
        """What stands before the token `close`, which is passed over."""
        found: list[Inline] = []
        words: list[str] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            if token.type == close:
                break
            if token.type in ("text", "text_special"):
                words.append(token.content)
            elif token.type == "softbreak":
                words.append(" ")
            elif token.type == "html_inline" and not _BREAK.match(token.content):
                words.append(_COMMENT.sub("", token.content))
            else:
                found.extend(_words("".join(words)))
                words = []
                found.append(self.one(token))
        found.extend(_words("".join(words)))
        return tuple(found)

    def one(self, token: Token) -> Inline:
        match token.type:
            case "code_inline":
                return Code(token.content)
            case "hardbreak" | "html_inline":
                return Break()
            case "image":
                return Image(str(token.attrs["src"]), _said(token.children or []))
            case "link_open":
                return Anchor(str(token.attrs["href"]), self.until("link_close"))
            case "em_open" | "strong_open" | "s_open":
                return Marked(_MARKS[token.type], self.until(token.type.replace("open", "close")))
        raise AssertionError(f"nothing in a line begins with {token.type}")


def _words(text: str) -> tuple[Words, ...]:
    return (Words(text),) if text else ()


def _joined(content: str) -> str:
    return _FOLD.sub(" ", content) if "\n" in content else content


def _ticked(content: str) -> tuple[Inline, ...]:
    """A paragraph whose only markup is code: what markdown-it finds in it, found in a tenth of the time."""
    found: list[Inline] = []
    last = 0
    for match in _TICKED.finditer(content):
        found.extend(_words(_joined(content[last : match.start()])))
        code = match[2].replace("\n", " ")
        if code.startswith(" ") and code.endswith(" ") and code.strip(" "):
            code = code[1:-1]
        found.append(Code(code))
        last = match.end()
    found.extend(_words(_joined(content[last:])))
    return tuple(found)


def _said(tokens: list[Token]) -> str:
    """An image's description: the words of its label without their markup."""
    return "".join(
        " "
        if each.type in ("softbreak", "hardbreak")
        else _COMMENT.sub("", each.content)
        if each.type == "html_inline"
        else _said(each.children or []) or each.content
        for each in tokens
    )


def _shown(html: str) -> Paragraph | None:
    """A block of raw HTML as a paragraph of its lines; None where it is nothing but comments."""
    inner: list[Inline] = []
    for line in _COMMENT.sub("", html).split("\n"):
        if line.strip():
            inner.extend((Break(), Words(line.strip())) if inner else (Words(line.strip()),))
    return Paragraph(tuple(inner)) if inner else None


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    class Reader(MarkdownIt):
        """Leaves a target as it was written: the page that follows it decides what it means."""

        def normalizeLink(self, url: str) -> str:
            return url

        def normalizeLinkText(self, link: str) -> str:
            return link

    return Reader("commonmark").enable(["table", "strikethrough"])
