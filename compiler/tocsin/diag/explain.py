"""The pages behind the codes: `explain/TOCnnn.md`, shipped inside the package.

In: a code. Out: its `Page`: the text `tocsin explain` prints, and the sentence SARIF shows beside a rule.
Each page's bad and good snippets are run by the suite, so a page cannot drift from what the check does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. `summary` is its first paragraph on one line; `text` the whole page as Markdown."""

    code: str
    slug: str
    summary: str
    text: str

    @property
    def short(self) -> str:
        """The first sentence of the summary, without marks of Markdown."""
        head, stop, _ = self.summary.replace("`", "").partition(". ")
        return head + "." if stop else head


@cache
def page(code: str) -> Page:
    """The page of a code of the table. A code without one is our bug: FileNotFoundError (the suite sees to
    it that there is none).
    """
    text = files("tocsin.diag").joinpath("explain", f"{code}.md").read_text(encoding="utf-8")
    title, _, rest = text.partition("\n")
    _, _, slug = title.removeprefix("# ").partition(" ")
    body = rest.lstrip("\n")
    while body.startswith("<!--"):
        body = body.partition("\n")[2].lstrip("\n")
    summary = " ".join(body.partition("\n\n")[0].split())
    return Page(code=code, slug=slug, summary=summary, text=text)
