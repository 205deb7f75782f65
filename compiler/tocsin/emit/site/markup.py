"""Text into Markdown that says exactly that text.

Everything a rule or a SOP says is untrusted. The site's generator knows HTML, attribute lists, admonitions and raw links in Markdown;
whatever goes through here is shown, never obeyed. In: any text. Out: Markdown for Python-Markdown with tables, attr_list, admonition and superfences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_SPECIAL = re.compile(r"""[\\`*{}\[\]()#!|~<>&"']|(?<![^\W_])_|_(?![^\W_])|^[-+=:;.,?/$%@^]|^[0-9]+[.)]""")
"""What means something anywhere, and what does at the start of a line. An underscore inside a word means nothing."""
_RUNNING = re.compile(r"[\\`*{\[\]#!|~<>&]|(?<![^\W_])_|_(?![^\W_])")
_OPENING = re.compile(r"^(?:[-+=:;.,?/$%@^)\"']|[0-9]+[.)])")
_SPACE = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ALLOWED = ("http:", "https:", "mailto:")
_IN_TARGET = frozenset("-._~:/?#@!$&*+,;=%")


UNSEARCHED = "data-search-exclude=1"
"""In a heading's attribute list: full-text search leaves its section out, and the attribute is not on the page. For what is generated: it
would be two thirds of the index, and the box on the home page finds alerts by name."""


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """One line that reads as `text`. Every character that could mean something is a numeric entity, which no extension looks into."""
    return _SPECIAL.sub(_entity, _one_line(text))


def words(text: str) -> str:
    """A piece of a line that reads as `text`, with its spaces at both ends: for running text, never inside an attribute.
    The line it becomes a part of goes through `line`."""
    return _RUNNING.sub(_entity, _CONTROL.sub("\ufffd", _SPACE.sub(" ", text)))


def line(written: str) -> str:
    """A line of Markdown that begins a paragraph, whatever its first character is."""
    return _OPENING.sub(_entity, written.strip())


def code(text: str) -> str:
    """`text` in the type of code, on one line. An element and not backticks: a text of backticks alone has no form in those."""
    return f"<code>{plain(text)}</code>" if text.strip() else ""


def fence(text: str, language: str = "", classes: Iterable[str] = ()) -> str:
    """`text` as a block of code. `language` and `classes` are ours or were checked to be plain words."""
    body = _CONTROL.sub("\ufffd", text).expandtabs(4).rstrip("\n")
    marks = max([len(match[0]) for match in re.finditer(r"`+", body)], default=0)
    ticks = "`" * max(3, marks + 1)
    names = [each for each in (language, *classes) if re.fullmatch(r"[A-Za-z0-9_+-]+", each)]
    header = f"{{ {' '.join('.' + each for each in names)} }}" if len(names) > 1 else "".join(names)
    return f"{ticks}{header or 'text'}\n{body}\n{ticks}"


def link(label: str, target: str | None) -> str:
    """A link whose label is Markdown already; the label alone where the target is none or could run something."""
    if target is None or not safe_target(target):
        return label
    return f"[{label}]({quoted(target)})"


def quoted(target: str) -> str:
    """A link's target as it stands between parentheses. The ampersand is a named entity: the generator takes a numeric one's `#` for the
    start of a fragment."""
    return "".join(
        each if each.isalnum() or each in _IN_TARGET else _percent(each) for each in target
    ).replace("&", "&amp;")


def safe_target(target: str) -> bool:
    """Whether following the target can do no more than open a page: http, https, mailto, or a place on this site."""
    cleaned = re.sub(r"[\x00-\x20\x7f-\x9f]", "", target)
    if cleaned.startswith(("//", "\\", "/\\")):
        return False
    scheme = _SCHEME.match(cleaned)
    return scheme is None or scheme[0].lower() in _ALLOWED


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already."""
    lines = [_row(headers), _row(["---"] * len(headers)), *(_row(each) for each in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_one_line(each).replace("|", "&#124;") or "&#8203;" for each in cells) + " |"


def _entity(match: re.Match[str]) -> str:
    """The last character of the match as an entity, and what stands before it as it is."""
    return f"{match[0][:-1]}&#{ord(match[0][-1])};"


def _one_line(text: str) -> str:
    joined = " ".join(text.split())
    # What is printable holds no control character; a site says a million short texts, nearly all of them such.
    return joined if joined.isprintable() else _CONTROL.sub("\ufffd", joined)


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
