"""The page that is being written: where it stands, in which language, and how it names other things.

Every link, badge and author's text of a page goes through one `Here`, so that escaping and the way back to the root are decided once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from tocsin.emit.site import markup, parts, paths
from tocsin.emit.site.model import SiteModel
from tocsin.emit.site.words import say
from tocsin.ir.compiled import CompiledAlert


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """One page of one language's tree; `page` is its address (`sop/SOP-KAFKA-007`)."""

    model: SiteModel
    page: str
    language: str

    def say(self, key: str, /, **values: str | int) -> str:
        """The site's words in this page's language."""
        return say(self.language, key, **values)

    def to(self, page: str, label: str) -> str:
        """A link to another page of this tree; `label` is Markdown. The generator checks that the page exists."""
        return markup.link(label, paths.relative(page, self.page))

    def stub(self, name: str) -> str:
        """A link to the short address of an alertname, which the generator knows nothing of."""
        address = paths.alert(name)
        return f'<a href="{escape(paths.direct(address, self.page, files=self.model.files))}">{markup.code(f"/{address}/")}</a>'

    def translated(self, language: str, label: str) -> str:
        """A link to this page in another language's tree, which the generator knows nothing of either."""
        languages = self.model.project.site.languages
        here, there = (f"{paths.base(each, languages)}{self.page}" for each in (self.language, language))
        code = escape(language)
        return f'<a href="{escape(paths.direct(there, here, files=self.model.files))}" hreflang="{code}">{label}</a>'

    def authored(self, text: str, language: str) -> str:
        """An author's one-line text, marked with its language where that is not the page's."""
        shown = markup.plain(text)
        return shown if language == self.language else f'<span lang="{escape(language)}">{shown}</span>'

    def severity(self, name: str | None) -> str:
        """The badge of a severity: its word; the shape beside it comes with the class."""
        return parts.severity(self.model, name, self.language)

    def severities(self, alerts: tuple[CompiledAlert, ...]) -> str:
        """The badges of every severity among `alerts`, the most urgent first."""
        ranked = {each.severity: each.urgency for each in alerts}
        return " ".join(self.severity(name) for name in sorted(ranked, key=lambda each: ranked[each]))

    def source(self, path: str, line: int = 0) -> str:
        """A source file: a link where the repository has an address, its path where not."""
        shown = markup.code(path + (f":{line}" if line else ""))
        address = self.repository("blob", path)
        return markup.link(shown, address + (f"#L{line}" if line else "")) if address else shown

    def repository(self, view: str, path: str) -> str:
        """The address of a file in the repository's browser (`blob` shows it, `edit` changes it), `""` where none is configured."""
        site = self.model.project.site
        return f"{site.repository}/{view}/{quote(site.branch)}/{quote(path)}" if site.repository else ""

    def join(self, pieces: Iterable[str]) -> str:
        """Markdown pieces in one sentence; empty ones are left out."""
        return self.say("comma").join(each for each in pieces if each)
