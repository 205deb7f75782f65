"""What a team keeps in `site/`: Markdown pages of its own, styles, pictures.

In: pairs of a path below `site/` and what the file holds. Out: for each language the Markdown pages, through the same writer as a SOP's prose (raw
HTML in them is shown, not run), and the other files as they are. `x.zh.md` is `x.md` in Chinese. A page marked `internal: true` is no part of a
public site. A page at the address of a generated one never replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.diag import Map, SourceFile
from tocsin.emit.site.model import SiteModel
from tocsin.emit.site.parts import page
from tocsin.emit.site.prose import render_body
from tocsin.emit.site.targets import KEPT_FOLDER, resolver
from tocsin.source.markdown import Pieces, read_body, split

Kept = Sequence[tuple[str, "str | bytes"]]
_LANGUAGE = re.compile(r"(?P<page>.+)\.(?P<language>[a-z]{2})\.md\Z")


def kept_pages(kept: Kept, model: SiteModel, language: str) -> Iterator[tuple[str, str]]:
    """The team's Markdown pages in one language: path below the docs folder and text."""
    chosen: dict[str, tuple[str, str]] = {}
    for path, content in sorted(kept, key=lambda each: each[0]):
        if not path.endswith(".md"):
            continue
        match = _LANGUAGE.match(path)
        written = match["language"] if match else ""
        if written not in ("", language):
            continue
        made = f"{match['page']}.md" if match else path
        if written or made not in chosen:
            chosen[made] = (path, _text(content))
    shown = frozenset(
        KEPT_FOLDER + made for made, (path, text) in chosen.items() if _shown(path, text, model)
    )
    shown |= frozenset(KEPT_FOLDER + path for path, _ in kept if not path.endswith(".md"))
    for made, (path, text) in chosen.items():
        if KEPT_FOLDER + made in shown:
            yield made, _page(path, made, text, model, shown)


def kept_texts(kept: Kept) -> Iterator[tuple[str, str]]:
    """The files that are text and no pages (styles), as they are: they belong into the docs folder of every language. Pictures are bytes, and
    copied by whoever writes the tree."""
    for path, content in sorted(kept, key=lambda each: each[0]):
        if not path.endswith(".md") and isinstance(content, str):
            yield path, content


def styles(kept: Kept) -> tuple[str, ...]:
    """The team's style sheets, sorted."""
    return tuple(sorted(path for path, _ in kept if path.endswith(".css")))


def linkable(kept: Kept) -> frozenset[str]:
    """The paths, in the repository, of the kept files that prose may link to or show."""
    return frozenset(KEPT_FOLDER + path for path, _ in kept if not path.endswith(".md"))


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode("utf-8", "replace")


def _pieces(path: str, text: str) -> Pieces:
    if text.split("\n", 1)[0].rstrip() == "---":
        return split(SourceFile(path=KEPT_FOLDER + path, text=text))[0]
    return Pieces(document=None, text=text, first_line=1)


def _front(path: str, text: str) -> Map:
    document = _pieces(path, text).document
    return document.origin.node if document is not None and document.origin is not None else Map()


def _shown(path: str, text: str, model: SiteModel) -> bool:
    return not (model.public and _front(path, text).get("internal") is True)


def _page(path: str, made: str, text: str, model: SiteModel, shown: frozenset[str]) -> str:
    file = SourceFile(path=KEPT_FOLDER + path, text=text)
    pieces = _pieces(path, text)
    body = read_body(file, pieces.text, pieces.first_line)
    title = _front(path, text).get("title")
    of = made.removesuffix(".md").removesuffix("index").rstrip("/")
    rendered = render_body(body, resolve=resolver(model, file.path, of, shown))
    first = body.sections[0] if body.sections else None
    if isinstance(title, str) and title.strip():
        return page(title, rendered)
    if first is not None and first.level == 1:
        return rendered
    return page(of.rpartition("/")[2] or model.project.site.name, rendered)
