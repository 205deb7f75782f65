"""An author's prose on a page of the site: what was read, written again in the few forms of Markdown that have one meaning.

The page's generator (Python-Markdown) knows attribute lists, admonitions, raw HTML and more, and reads lists by other rules than the forges do.
So nothing of the author's text reaches it as it was written: `source.prose` reads it as CommonMark, and this module writes the tree.
Lists are indented by four and parted by an empty comment where two would run together, emphasis and code with anything in it are elements,
every heading carries its published anchor, and a link goes where `resolve` says or is text.

Speed matters here: thousands of pages go through in one build.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence

from tocsin.emit.site.markup import code, fence, line, plain, quoted, safe_target, words
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
from tocsin.ir.sop import Body
from tocsin.source.prose import read_prose

Resolve = Callable[[str], str | None]
"""A link's target as its author wrote it -> as the generated page must write it; None where the page may not show it at all."""

_TICKABLE = re.compile(r"[\w.,:;/@%+=()\[\]{}$#'\"!?*^~-]+(?: [\w.,:;/@%+=()\[\]{}$#'\"!?*^~-]+)*")
"""Code that means nothing more between backticks."""
_LANGUAGE = re.compile(r"[a-z0-9][a-z0-9_+-]{0,31}")
_OUTPUTS = frozenset({"text", "output", "console-output"})
_KINDS = frozenset({"read", "change", "destructive"})
_EMPHASIS = r"(?!.*(?<![^\W_])_.*_)"
"""No underscore opens what another could close."""
_PLAIN_ANCHOR = re.compile(rf"{_EMPHASIS}[\w-]+")
_QUOTED_ANCHOR = re.compile(rf"{_EMPHASIS}[\w.:~@!$()+,;/?-]+")
"""Ids that stand in an attribute list as they are, bare or between quotes."""
_APART = "<!-- -->"
"""Says nothing: parts two lists, and begins an item that does not begin with words."""
_NOTHING = "&#8203;"
_FRONT = re.compile(r"\A\s*---[ \t]*\n.*?\n[ \t]*---[ \t]*(?:\n|\Z)", re.DOTALL)
_DIRECTIVE = re.compile(r"%%\{.*?(?:\}%%|\Z)", re.DOTALL)
_ACTS = re.compile(
    r"(?:^|;)\s*(?:click|href|callback|call|links?|properties|details)\s+[\w\"'`]"
    r"|\bclick\s+\S+\s+(?:href|call|callback|[\"'])",
    re.IGNORECASE,
)
"""A statement that links or calls; a node may bear any of these names."""


def render_body(body: Body, *, resolve: Resolve, demote: int = 0) -> str:
    """The Markdown of a page that shows `body`. Headings start at the second level, the first being the page's title, and are lowered by
    `demote` more. A target that could run something is shown beside its label; one that `resolve` knows no place for leaves its label alone.
    """
    return _Writer(resolve, demote).blocks(read_prose(body)) + "\n"


def flows(body: Body) -> tuple[str, ...]:
    """The source of every Mermaid diagram in `body`, as its author wrote it."""
    return tuple(each.text for each in body.fences if each.language.lower() == "mermaid")


def drawn(source: str) -> str:
    """The part of a Mermaid diagram that is drawn: no settings, links or calls. A line that holds one beside something else goes whole."""
    source = _DIRECTIVE.sub("", _FRONT.sub("", source))
    return "\n".join(row for row in source.split("\n") if not _ACTS.search(row)).strip("\n")


class _Writer:
    """Writes one page. Lives as long as that."""

    def __init__(self, resolve: Resolve, demote: int) -> None:
        self.resolve = resolve
        self.demote = demote
        self.linked = False
        """Inside a link: a second one in it (an address in angle brackets) is its words alone."""

    def blocks(self, blocks: Sequence[Block]) -> str:
        written: list[str] = []
        before: Block | None = None
        for block in blocks:
            # Python-Markdown makes one of two lists or quotes that follow each other.
            if (isinstance(before, Listing) and isinstance(block, Listing)) or (
                isinstance(before, Quote) and isinstance(block, Quote)
            ):
                written.append(_APART)
            written.append(self.block(block))
            before = block
        return "\n\n".join(written)

    def block(self, block: Block) -> str:
        match block:
            case Paragraph(inner):
                return self.line(inner)
            case CodeBlock():
                return _code_block(block)
            case Title():
                return self.title(block)
            case Listing():
                return self.listing(block)
            case Table():
                return self.table(block)
            case Quote(blocks):
                lines = self.blocks(blocks).split("\n") if blocks else [_NOTHING]
                return "\n".join(f"> {each}" if each else ">" for each in lines)
            case Rule():
                return "___"

    def title(self, title: Title) -> str:
        level = min(6, max(2, title.level) + self.demote)
        inner = self.line(title.inner) or _NOTHING
        mark, attributes = _attributes(title.anchor)
        return f"{'#' * level} {mark}{inner} {attributes}"

    def listing(self, listing: Listing) -> str:
        is_plain = listing.tight and all(map(_is_plain, listing.items))
        number = listing.start
        written: list[str] = []
        for item in listing.items:
            if number is None:
                marker = "-   "
            else:
                marker = f"{number}.".ljust(3) + " "
                number += 1
            written.append(marker + _indented(self.item(item, is_plain)))
        return ("\n" if is_plain else "\n\n").join(written)

    def item(self, item: Item, is_plain: bool) -> str:
        task = "" if item.checked is None else "☑ " if item.checked else "☐ "
        if not item.blocks:
            return task.strip() or _APART
        first = item.blocks[0]
        if not isinstance(first, Paragraph):
            return f"{task}{_APART}\n\n{self.blocks(item.blocks)}"
        if is_plain:
            return task + "\n".join(map(self.block, item.blocks))
        return task + self.blocks(item.blocks)

    def table(self, table: Table) -> str:
        rules = {"left": ":---", "center": ":---:", "right": "---:"}
        lines = [
            self.row(table.header),
            "| " + " | ".join(rules.get(each, "---") for each in table.alignments) + " |",
        ]
        lines.extend(self.row(each) for each in table.rows)
        return "\n".join(lines)

    def row(self, cells: Iterable[Sequence[Inline]]) -> str:
        return "| " + " | ".join(self.line(each) or _NOTHING for each in cells) + " |"

    def line(self, inner: Sequence[Inline]) -> str:
        return line(self.inside(inner))

    def inside(self, inner: Sequence[Inline]) -> str:
        written: list[str] = []
        for each in inner:
            match each:
                case Words(text):
                    written.append(words(text))
                case Code(text):
                    # Two spans that touch would be one with longer marks.
                    touching = bool(written) and written[-1].endswith("`")
                    written.append(_code(text, touching))
                case Marked(mark, marked):
                    written.append(f"<{mark}>{self.inside(marked)}</{mark}>")
                case Anchor():
                    written.append(self.anchor(each))
                case Image():
                    written.append(self.image(each))
                case Break():
                    written.append("<br>")
        return "".join(written)

    def anchor(self, anchor: Anchor) -> str:
        if self.linked:
            return self.inside(anchor.inner)
        self.linked = True
        label = self.inside(anchor.inner).strip() or plain(anchor.target) or _NOTHING
        self.linked = False
        if not safe_target(anchor.target):
            return f"{label} ({_code(anchor.target)})"
        target = self.resolve(anchor.target)
        if target is None:
            return label
        return f"[{label}]({quoted(target)})" if safe_target(target) else label

    def image(self, image: Image) -> str:
        said = plain(image.alt)
        target = self.resolve(image.target) if _is_relative(image.target) else None
        if target is None or not _is_relative(target):
            shown = _code(image.target)
            return f"{said} ({shown})" if said and shown else said or shown
        return f"![{said}]({quoted(target)})"


def _is_plain(item: Item) -> bool:
    """Whether an item is a line of words, and below it at most a list of the same sort."""
    if not item.blocks:
        return True
    first, *rest = item.blocks
    if not isinstance(first, Paragraph) or len(rest) > 1:
        return False
    return all(isinstance(each, Listing) and each.tight and all(map(_is_plain, each.items)) for each in rest)


def _indented(text: str) -> str:
    """`text` as the content of a list item: its first line stands after the marker."""
    return text if "\n" not in text else re.sub(r"\n(?=[^\n])", "\n    ", text)


def _is_relative(target: str) -> bool:
    return (
        bool(target)
        and ":" not in target.partition("/")[0]
        and target[0] not in "/\\#?"
        and safe_target(target)
    )


def _code(text: str, touching: bool = False) -> str:
    return f"`{text}`" if not touching and _TICKABLE.fullmatch(text) else code(text)


def _code_block(block: CodeBlock) -> str:
    language = block.language.lower()
    if language == "mermaid":
        picture = drawn(block.text)
        if picture.strip():
            return fence(picture, "mermaid")
        language = "text"
    classes = [f"tocsin-{block.kind}"] if block.kind in _KINDS else []
    if language in _OUTPUTS or not _LANGUAGE.fullmatch(language):
        return fence(block.text, "text", [*classes, "tocsin-output"] if language in _OUTPUTS else classes)
    if language == "promql":
        classes.append("tocsin-promql")
    return fence(block.text, language, classes)


def _attributes(anchor: str) -> tuple[str, str]:
    """What gives a heading its anchor: an element in front of its words, and an attribute list behind them. Mostly the list alone; an id that
    is none as written there (underscores that would be emphasis, quotes) is the element's, and the list holds one made of it.

    An escaped underscore would reach the page, but the generator compares links with the escape still in it.
    """
    if _PLAIN_ANCHOR.fullmatch(anchor):
        return "", f"{{: #{anchor} }}"
    if _QUOTED_ANCHOR.fullmatch(anchor):
        return "", f'{{: id="{anchor}" }}'
    entities = "".join(f"&#{ord(each)};" for each in anchor)
    return f'<a id="{entities}"></a>', f"{{: #tocsin-{zlib.crc32(anchor.encode()):08x} }}"
