"""Pages as a browser would read them: what the site's generator makes of Markdown, as a tree that two renderers can be compared by.

`generated` renders with Python-Markdown and the extensions of the generated mkdocs.yml; `commonmark` renders an author's source with
markdown-it and shows raw HTML as text. `outline` reduces either to what a reader sees: blocks, marks, links and words.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import markdown
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from pymdownx.superfences import fence_code_format

from tocsin.emit.site.config import extensions

VOID = frozenset({"br", "hr", "img"})
INLINE = frozenset({"a", "code", "em", "strong", "s", "br", "img"})
_COMMENT = re.compile(r"<!--(?:-?>|.*?-->)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


def generated(text: str) -> str:
    """The page's HTML, as MkDocs makes it of `text` with our configuration."""
    reader = _generator()
    reader.reset()
    return str(reader.convert(text))


@functools.cache
def _generator() -> markdown.Markdown:
    # MkDocs puts these three before the ones of mkdocs.yml.
    names: list[str] = ["toc", "tables", "fenced_code"]
    settings: dict[str, dict[str, Any]] = {}
    for each in extensions():
        if isinstance(each, Mapping):
            for name, options in each.items():
                names.append(str(name))
                assert isinstance(options, Mapping)
                settings[str(name)] = dict(options)
        else:
            names.append(str(each))
    settings["pymdownx.superfences"] = {
        "custom_fences": [{"name": "mermaid", "class": "mermaid", "format": fence_code_format}]
    }
    return markdown.Markdown(extensions=list(dict.fromkeys(names)), extension_configs=settings)


def commonmark(source: str) -> str:
    """The author's `source` as the forges show it, raw HTML as text and comments left out."""
    return str(_commonmark().render(source))


@functools.cache
def _commonmark() -> MarkdownIt:
    class Reader(MarkdownIt):
        """Leaves targets as they are written; the outline compares what they mean."""

        def normalizeLink(self, url: str) -> str:
            return url

    reader = Reader("commonmark").enable(["table", "strikethrough"])

    def shown(self: object, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
        text = _COMMENT.sub("", tokens[index].content)
        if tokens[index].type == "html_inline":
            return "<br>" if re.fullmatch(r"<br\s*/?>", text, re.IGNORECASE) else html.escape(text)
        lines = [html.escape(each.strip()) for each in text.split("\n") if each.strip()]
        return f"<p>{'<br>'.join(lines)}</p>" if lines else ""

    def ours(state: StateCore) -> None:
        """The two things a forge shows and CommonMark does not know: a heading's attribute list is none of its words, and tasks."""
        for before, token in zip(state.tokens, state.tokens[1:], strict=False):
            if before.type == "heading_open":
                token.content = re.sub(r"[ ]+\{:?[ ]*(?:[#.]|[\w-]+=)[^{}]*\}[ ]*\Z", "", token.content)
        for item, opening, token in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
            if (item.type, opening.type) == ("list_item_open", "paragraph_open"):
                task = re.match(r"\[([ xX])\](?:[ \t]+|[ \t]?\n)(?=\S)", token.content)
                if task and task[1].strip().upper() not in state.env.get("references", {}):
                    token.content = ("☐ " if task[1] == " " else "☑ ") + token.content[task.end() :]

    def joined(state: StateCore) -> None:
        """What an image's description is made of: without this an entity in it is lost."""
        for token in (part for each in state.tokens for part in _under(each)):
            if token.type == "text_special":
                token.type = "text"

    reader.core.ruler.after("block", "ours", ours)
    reader.core.ruler.push("joined", joined)
    reader.add_render_rule("html_block", shown)
    reader.add_render_rule("html_inline", shown)
    return reader


def _under(token: Token) -> list[Token]:
    return [part for each in token.children or [] for part in (each, *_under(each))]


@dataclass
class Node:
    """One element."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def text(self) -> str:
        """Every word in it."""
        return "".join(each if isinstance(each, str) else each.text() for each in self.children)

    def every(self) -> list[Node]:
        """All elements in it, in order."""
        found: list[Node] = []
        for each in self.children:
            if isinstance(each, Node):
                found += [each, *each.every()]
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("body")
        self.open = [self.root]
        self.lost: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if tag == self.open[-1].tag and len(self.open) > 1:
            self.open.pop()
        else:
            self.lost.append(tag)

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def tree(page: str) -> Node:
    """The page's elements. Tags that do not balance fail: a browser would guess, and so could an attacker."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    assert not builder.lost and len(builder.open) == 1, f"tags do not balance: {builder.lost} in {page}"
    return builder.root


Outline = list[Any]


def outline(page: str) -> Outline:
    """What a reader sees on the page, block by block, without what the two renderers rightly do each in its own way: paragraphs in lists,
    spans of colour, anchors, the spelling of white space and of percent signs.
    """
    return _blocks(tree(page))


def _blocks(node: Node) -> Outline:
    found: Outline = []
    line: list[Node | str] = []

    def end() -> None:
        inner = _line(line)
        if inner:
            found.append(["p", *inner])
        line.clear()

    for each in node.children:
        if isinstance(each, str) or each.tag in INLINE:
            line.append(each)
            continue
        end()
        found.extend(_block(each))
    end()
    return found


def _block(node: Node) -> Outline:
    tag = node.tag
    if tag == "p":
        return _blocks(node)
    if tag in ("div", "pre"):
        classes = " ".join(each.attributes.get("class", "") for each in (node, *node.every()))
        # What is drawn of a diagram is a part of it; the parts are tested where they are chosen.
        return [["pre", "mermaid" if "mermaid" in classes else _code_lines(node.text())]]
    if tag == "table":
        return [_table(node)]
    if re.fullmatch(r"h[1-6]", tag):
        return [["h2" if tag == "h1" else tag, *_line(_heading(node))]]
    if tag in ("ul", "ol"):
        items = [["li", *_blocks(each)] for each in node.children if isinstance(each, Node)]
        return [[tag, node.attributes.get("start", "1"), *items]]
    if tag == "blockquote":
        return [["blockquote", *_blocks(node)]]
    assert tag == "hr", f"an element nobody wrote: {tag}"
    return [["hr"]]


def _heading(node: Node) -> list[Node | str]:
    return [
        each
        for each in node.children
        if isinstance(each, str) or each.attributes.get("class") != "headerlink"
    ]


def _table(node: Node) -> Outline:
    rows = [
        [[_aligned(cell), *_line(cell.children)] for cell in row.children if isinstance(cell, Node)]
        for row in node.every()
        if row.tag == "tr"
    ]
    return ["table", rows[0], *(row for row in rows[1:] if any(len(cell) > 1 for cell in row))]


def _aligned(cell: Node) -> str:
    return cell.attributes.get("style", "").replace(" ", "").rstrip(";")


def _code_lines(text: str) -> str:
    lines = [each if each.strip() else "" for each in _CONTROL.sub("\ufffd", text).expandtabs(4).split("\n")]
    return "\n".join(lines).strip("\n")


def _line(nodes: Sequence[Node | str]) -> Outline:
    """The inside of one block: words, and marks with theirs inside."""
    found: Outline = []
    for each in (part for node in nodes for part in _shown(node)):
        if isinstance(each, Node):
            found.append(_marked(each))
        elif found and isinstance(found[-1], str):
            found[-1] += each
        else:
            found.append(each)
    return _spaced(found)


def _shown(node: Node | str) -> list[Node | str]:
    """A link nobody may follow is its label and its target; an image from elsewhere is its description and its address."""
    if isinstance(node, Node) and node.tag == "a" and set(node.attributes) == {"id"} and not node.children:
        return []  # a place to lead to, which shows nothing
    if isinstance(node, Node) and node.tag in ("a", "img"):
        target = node.attributes.get("href", "") or node.attributes.get("src", "")
        shown: list[Node | str] = [Node("code", children=[target])] if target.strip() else []
        if node.tag == "a":
            # A link in a link is its words.
            node = Node("a", node.attributes, _unlinked(node.children))
        if node.tag == "img" and (re.match(r"[/\\#?]|[^/]*:", target) or not target.strip()):
            said = _said(node)
            return [said, " (", *shown, ")"] if said and shown else [said] if said else shown
        if node.tag == "a" and not _followed(target):
            return [*node.children, " (", *shown, ")"]
        if node.tag == "a" and not node.text().strip() and not node.every():
            return [Node("a", node.attributes, [unquote(target)])]
    return [] if isinstance(node, Node) and node.tag == "code" and not _one(node.text()) else [node]


def _unlinked(nodes: Sequence[Node | str]) -> list[Node | str]:
    found: list[Node | str] = []
    for each in nodes:
        if isinstance(each, Node):
            inner = _unlinked(each.children)
            found += inner if each.tag == "a" else [Node(each.tag, each.attributes, inner)]
        else:
            found.append(each)
    return found


def _followed(target: str) -> bool:
    return re.match(r"(?i)(?:https?:|mailto:|(?![a-z][a-z0-9+.-]*:)(?!//|\\|/\\))", target) is not None


def _marked(node: Node) -> Outline:
    if node.tag == "br":
        return ["br"]
    if node.tag == "img":
        return ["img", unquote(node.attributes.get("src", "")), _said(node)]
    if node.tag == "a":
        return ["a", unquote(node.attributes.get("href", "")), *_line(node.children)]
    if node.tag == "code":
        return ["code", _one(node.text())]
    return [node.tag, *_line(node.children)]


def _said(image: Node) -> str:
    return _one(_COMMENT.sub("", image.attributes.get("alt", "")))


def _one(text: str) -> str:
    return _CONTROL.sub("\ufffd", re.sub(r"\s+", " ", text.replace("\u200b", ""))).strip()


def _spaced(found: Outline) -> Outline:
    """White space as a browser shows it: one space, none at either end or beside a line break."""
    spaced: Outline = []
    for index, each in enumerate(found):
        if not isinstance(each, str):
            spaced.append(each)
            continue
        text = _CONTROL.sub("\ufffd", re.sub(r"\s+", " ", each.replace("\u200b", "")))
        if index == 0 or found[index - 1] == ["br"]:
            text = text.lstrip()
        if index == len(found) - 1 or found[index + 1] == ["br"]:
            text = text.rstrip()
        if text:
            spaced.append(text)
    return spaced
