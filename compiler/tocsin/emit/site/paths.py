"""Addresses of the site: the same for ever, in every language, whatever a page is called or where its source lies.

A page's file below the docs folder and its address say the same thing twice; both come from here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

HOME = ""
LEVELS = "levels"
COVERAGE = "report/coverage"
FRESHNESS = "report/freshness"
LANGUAGES = "report/languages"
RELEASES = "report/releases"
SOPS = "sop"
ALERTS = "a"
SERVICES = "svc"
TEAMS = "team"
ERRORS = "err"
INCIDENTS = "inc"
INDEXES = (SOPS, ALERTS, SERVICES, TEAMS, ERRORS, INCIDENTS)
"""Pages that list pages of one kind, in the order of the navigation."""
_LONGEST = 120
"""Bytes of one name in an address; file systems take 255."""


def segment(text: str) -> str:
    """Any text as one part of an address and the name of a file: letters, digits, `_`, `-` and inner dots as they are, every other byte as
    `~` and its two hex digits. No two texts share a segment; `%` is not used because servers and browsers disagree about it in file names.
    """
    escaped = re.sub(
        r"[^A-Za-z0-9._-]|^\.|\.$",
        lambda match: "".join(f"~{byte:02X}" for byte in match[0].encode("utf-8", "replace")),
        text,
    )
    if escaped.lower() in (
        "index",
        "readme",
        "all",
        "",
    ):  # the generator's, or our own, name of an index page
        escaped = f"~{ord(escaped[0]):02X}{escaped[1:]}" if escaped else "~"
    if len(escaped) > _LONGEST:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
        escaped = f"{escaped[: _LONGEST - 20].rstrip('.')}~~{digest}"
    return escaped


def base(language: str, languages: Sequence[str]) -> str:
    """The folder of a language below the site's root: none for English (or, without English, for the first), `zh/` for another."""
    root = "en" if "en" in languages else languages[0]
    return "" if language == root else f"{language}/"


def scripts(language: str, languages: Sequence[str]) -> str:
    """The folder of the site's own scripts as seen from a language's home page: one copy serves every language."""
    return f"{'../' if base(language, languages) else ''}assets/tocsin/"


def sop(id: str) -> str:
    """The page of one SOP."""
    return f"{SOPS}/{id}"


def alert(name: str) -> str:
    """The stub of one alertname."""
    return f"{ALERTS}/{segment(name)}"


def service(name: str) -> str:
    """The page of one service."""
    return f"{SERVICES}/{segment(name)}"


def team(id: str) -> str:
    """The page of one team."""
    return f"{TEAMS}/{segment(id)}"


def error(code: str) -> str:
    """The page of one error code."""
    return f"{ERRORS}/{segment(code)}"


def incident(id: str) -> str:
    """The page of one incident."""
    return f"{INCIDENTS}/{id}"


def markdown(page: str) -> str:
    """The Markdown file of a page, below the docs folder: index pages have a folder of their own."""
    return f"{page}.md" if page and page not in INDEXES else f"{page}/index.md".lstrip("/")


def address(page: str) -> str:
    """The address of a page below the site's root: `/sop/SOP-KAFKA-007/`."""
    return f"/{page}/" if page else "/"


def relative(page: str, of: str) -> str:
    """The link to `page`'s Markdown file as written on page `of`, which the generator turns into the right address and checks."""
    return file(markdown(page), of)


def file(target_file: str, of: str) -> str:
    """The link to any file below the docs folder as written on page `of`."""
    source, target = markdown(of).split("/"), target_file.split("/")
    while len(source) > 1 and len(target) > 1 and source[0] == target[0]:
        source, target = source[1:], target[1:]
    return "../" * (len(source) - 1) + "/".join(target)


def direct(page: str, of: str, *, files: bool = False) -> str:
    """The link from the built page `of` to the built page `page`, for what the generator does not know (stubs, another language's tree) and for
    our own HTML. Both are addresses below one folder. `files` for a site opened from disk, where only a file opens."""
    if not files:
        return "../" * len([part for part in of.split("/") if part]) + (f"{page}/" if page else "") or "./"
    source = built_file(of, files=True)
    return "../" * source.count("/") + built_file(page, files=True)


def built_file(page: str, *, files: bool = False) -> str:
    """The HTML file of an address, below the site's root."""
    parts = [part for part in page.split("/") if part]
    known = (*INDEXES, LEVELS, "report")
    own = parts if not parts or parts[0] in known else parts[1:]  # without the folder of a language
    is_folder = not own or (len(own) == 1 and own[0] in INDEXES) or own[0] == ALERTS
    return "/".join([*parts, "index.html"]) if is_folder or not files else "/".join(parts) + ".html"
