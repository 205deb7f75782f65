"""An author's Markdown as a tree: what a page says and how it is set out, and nothing of how it was written.

`source.prose` reads it, `emit.site.prose` writes it for the site's generator. Raw HTML is in here as words, comments are not in here at all:
whoever writes a page from this tree cannot pass on what the reader did not understand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Words:
    """Text that means itself. A line break of the source is a space."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text in the type of code, inside a line."""

    text: str


@dataclass(frozen=True, slots=True)
class Marked:
    """Emphasised, strong or struck-out text."""

    mark: Literal["em", "strong", "s"]
    inner: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link: its target as the reader of the source would follow it (entities and escapes resolved, not yet judged)."""

    target: str
    inner: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """An image, with what to say where it cannot be shown."""

    target: str
    alt: str


@dataclass(frozen=True, slots=True)
class Break:
    """A line break the author asked for."""


Inline = Words | Code | Marked | Anchor | Image | Break


@dataclass(frozen=True, slots=True)
class Title:
    """A heading. `anchor` is the published one (`ir.sop.Section.anchor`)."""

    level: int
    anchor: str
    inner: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    inner: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced or indented block. `language` is the author's word; `kind` as in `ir.sop.Fence`."""

    language: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list; `checked` is None where it is no task."""

    checked: bool | None
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list. `start` is the first number, None for bullets; `tight` where its items stand without space between."""

    start: int | None
    tight: bool
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """A block quote."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `alignments` holds one of `left`, `center`, `right` or nothing for each column."""

    alignments: tuple[str, ...]
    header: tuple[tuple[Inline, ...], ...]
    rows: tuple[tuple[tuple[Inline, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the page."""


Block = Title | Paragraph | CodeBlock | Listing | Quote | Table | Rule
