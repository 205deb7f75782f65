"""The last pass over a built page: a Content-Security-Policy of its own, and nothing on it that would leave the machine.

In: the HTML the generator wrote. Out: the page to publish, and what must not be published. Text in, text out, by patterns: a site has
thousands of pages, and each costs a tenth of a millisecond here.

Only inline scripts that the theme itself writes are allowed, by their hash. An inline script that is none of them came from a text somewhere
and gets no hash, so that the policy stops it; it is reported all the same, because it should never have got this far.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from tocsin.emit.site.words import say

_POLICY = (
    "default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'"
)
_OWN = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
"""How a page begins that brings a policy as strict, right behind its `<head>`: our own static pages, where no author's text stands so early."""
_HEAD = re.compile(r"<head[^>]*>\s*(?:<meta charset=[^>]*>)?", re.IGNORECASE)
_INLINE = re.compile(r"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script\s*>", re.IGNORECASE | re.DOTALL)
_OUTSIDE = re.compile(
    r"<(?:script|img|iframe|frame|embed|object|source|video|audio|track|input|link|image|use)\b[^>]*?"
    r"\s(?:src|srcset|href|data|poster|xlink:href)\s*=\s*[\"']?\s*(?P<address>(?:[a-z][a-z0-9+.-]*:)?//[^\"'\s>]*)",
    re.IGNORECASE,
)
_HARMLESS_LINK = re.compile(
    r"<link\b[^>]*\brel=[\"']?(?:canonical|alternate|prev|next|edit)\b", re.IGNORECASE
)
_TITLE = re.compile(r"<title>(?P<text>[^\n]*)</title>[ \t]*\n")
"""To the last mark on its line: the theme joins a title's lines, so a text cannot bring a line break of its own."""
_FOREIGN = re.compile(
    r'<div class="tocsin-foreign" data-lang="([a-z]{2})" hidden></div>(.*?)<div class="tocsin-native" hidden></div>',
    re.DOTALL,
)
"""Prose in another language than the page's: Markdown cannot stand in our HTML, so the page has a mark at each end (`sop_page`)."""
_NO_COLOUR = re.compile(r'<span class="(?:[wpo]|nv)">([^<]*)</span>|<span></span>')
_COLOUR = re.compile(r'<span class="[a-z]{1,2}[0-9]?">([^<]*)</span>')
_HEADERS = re.compile(
    "<thead><tr>(?:"
    + "|".join(f"<th>{say(each, 'what')}</th><th>{say(each, 'value')}</th>" for each in ("en", "zh"))
    + ")</tr></thead>"
)
"""Markdown has no table without a header row; over names and their values it says nothing."""
_TABBED = re.compile(
    r'<script>var target=document\.getElementById\(location\.hash[^<]*"__tabbed_"\)\)</script>'
)
"""The theme's script for tabs of content, which no page here has."""
_ALERTS = 'id="tocsin-alerts"'
_HARMLESS = re.compile(r"&#(?:4[017]|9[13]|12[345]);")
"""Entities that kept a character from meaning something in Markdown, and that mean nothing in HTML: ( ) / [ ] { | }."""
_CHARACTER = {f"&#{each};": chr(each) for each in (40, 41, 47, 91, 93, 123, 124, 125)}
_BLOCKS = re.compile(r"\n\s*(?=</?(?:table|thead|tbody|tr|td|th|ul|ol|li|h[1-6]|p)\b)")
_INDENT = re.compile(r"\n\s+")
_NAMES = re.compile(r'<span class="md-ellipsis">\n([^<\n]*)\n</span>\n</a>')
"""The label of a link in the navigation and the table of contents: the element around it cuts labels, and the page's styles let them wrap."""
_SVG = ' xmlns="http://www.w3.org/2000/svg"'
_GENERATOR = re.compile(r'\n<meta name="generator"[^>]*>')
_SCOPE = re.compile(r'new URL\("[^"\\]*",location\)')
_ALWAYS_KNOWN = frozenset(
    {
        "var target=document.getElementById(location.hash.slice(1));"
        'target&&target.name&&(target.checked=target.name.startsWith("__tabbed_"))'
    }
)
"""What the theme writes on pages with content, and not on `404.html`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A page as it is published; `problems` are sentences, and with one of them the site is not published."""

    html: str
    problems: tuple[str, ...] = ()


def theme_scripts(html: str) -> frozenset[str]:
    """The inline scripts of `404.html`: the theme wrote that page alone, so whatever is on it is the theme's own."""
    return _ALWAYS_KNOWN | {_script(each["text"]) for each in _INLINE.finditer(html) if _runs(each)}


def finish_page(html: str, path: str, known: frozenset[str] = frozenset()) -> Finished:
    """One page with its policy. `known` are the `theme_scripts` that may stand on it; `path` is only for the sentences."""
    problems: list[str] = []
    html = _TITLE.sub(_plain_title, html, count=1)
    html = _FOREIGN.sub(r'<div class="tocsin-foreign" lang="\1">\2</div>', html)
    html = _TABBED.sub("", html)
    hashes: list[str] = []
    for script in _INLINE.finditer(html):
        text = script["text"]
        if not _runs(script):
            continue
        if _script(text) in known:
            hashes.append(_hash(text))
        else:
            problems.append(f"{path}: an inline script that the theme did not write: {text.strip()[:60]!r}")
    for found in _OUTSIDE.finditer(html):
        if not _HARMLESS_LINK.match(found[0]):
            problems.append(f"{path}: it would load {found['address'][:200]}")
    html = _smaller(html)
    head = _HEAD.search(html)
    if head is not None and html.startswith(_OWN, head.end()):
        return Finished(html=html, problems=tuple(problems))
    if head is None:
        return Finished(html=html, problems=(*problems, f"{path}: it has no <head>"))
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy(hashes)}">'
    return Finished(html=html[: head.end()] + meta + html[head.end() :], problems=tuple(problems))


def _smaller(html: str) -> str:
    """The same page in two thirds of the bytes: without the theme's blank lines and indentation, and without the marks of highlighting that have
    next to no colour (blanks, brackets, operators, names). Below the prose, where an expression of each alert stands, code has no colours.
    """
    start = html.find("<article")
    if start < 0:
        return html
    end = html.rfind("</article>")
    before, article, after = html[:start], html[start:end], html[end:]
    prose, mark, alerts = article.partition(_ALERTS)
    article = _NO_COLOUR.sub(lambda match: match[1] or "", prose + mark + _COLOUR.sub(r"\1", alerts))
    article = _HARMLESS.sub(lambda match: _CHARACTER[match[0]], article)
    article = _BLOCKS.sub("", article).replace(' title="Permanent link"', "").replace("&para;", "¶").rstrip()
    prose, mark, alerts = article.partition(_ALERTS)
    article = prose + mark + _HEADERS.sub("", alerts)
    head, mark, body = before.partition("<body")
    return _GENERATOR.sub("", _INDENT.sub("\n", head)) + mark + _chrome(body) + article + _chrome(after)


_UNUSED = re.compile(r'"(?:clipboard\.cop(?:y|ied)|select\.version)": "[^"\\]*"(?:, )?')
"""Words of the theme for what no page here has: its copy buttons, and a choice of versions."""


def _chrome(html: str) -> str:
    """What the theme writes around an article. Between its elements, flex boxes all, white space shows nothing."""
    html = _NAMES.sub(r"\1</a>", _INDENT.sub("\n", html))
    html = html.replace(">\n<", "><").replace(_SVG, "")
    start = html.find('<script id="__config"')
    if start < 0:
        return html
    end = html.find("</script>", start)
    return html[:start] + _UNUSED.sub("", html[start:end]).replace(", }", "}") + html[end:]


def policy(hashes: list[str]) -> str:
    """The policy of a page whose inline scripts have these hashes."""
    return _POLICY.format(hashes="".join(f" '{each}'" for each in dict.fromkeys(hashes)))


def _runs(script: re.Match[str]) -> bool:
    attributes = script["attributes"]
    return "src=" not in attributes and "application/json" not in attributes and bool(script["text"].strip())


def _script(text: str) -> str:
    """The text without the page's depth in it."""
    return _SCOPE.sub('new URL("",location)', text)


@lru_cache(maxsize=1024)
def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _plain_title(match: re.Match[str]) -> str:
    # The theme takes the entities out of a heading and prints the rest raw: `# &lt;/title&gt;&lt;script&gt;` would run.
    return f"<title>{match['text'].replace('<', '&lt;').replace('>', '&gt;')}</title>\n"


_LASTMOD = re.compile(r"\s*<lastmod>[^<]*</lastmod>")


def finish_sitemap(text: str) -> str:
    """sitemap.xml without days: the same site has the same bytes, whenever it is built."""
    return _LASTMOD.sub("", text)
