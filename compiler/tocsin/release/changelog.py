"""The changelog of a rule set, in the form of Keep a Changelog: what changed, from which number to which, why, and by which ticket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tocsin.ir.project import Release, ReleasedChange

HEADING = "# Changelog\n\nEvery release of these alert rules, the newest first. `tocsin release` writes it.\n"
_SECTION = re.compile(r"^## ", re.MULTILINE)
_KINDS = (
    ("Added", ("added",)),
    ("Changed", ("meaning", "sensitivity", "routing", "text")),
    ("Removed", ("removal",)),
)
_WORDS = {
    "meaning": "asks something else",
    "routing": "reaches somebody else",
    "text": "reads differently",
    "sensitivity": "fires at other times",
}
_DIRECTIONS = {"up": "more sensitive", "down": "less sensitive"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def section(release: Release) -> str:
    """One release as Markdown, from `## ` on. Rule names and numbers are code, words of commits are escaped."""
    lines = [f"## {release.version} - {release.date}", ""]
    for title, classes in _KINDS:
        rows = [each for each in release.changes if each.class_ in classes]
        if rows:
            lines += [f"### {title}", "", *(_row(each) for each in rows), ""]
    if release.sops:
        lines += ["### Procedures", "", f"- {', '.join(release.sops)}", ""]
    if len(lines) == 2:
        lines += ["Nothing that could fire differently.", ""]
    return "\n".join(lines)


def merged(text: str, releases: Iterable[Release]) -> str:
    """The file with the section of each release, the first on top: one that is there already is replaced, one that is not is put before the others
    of its kind, and what people wrote around them stays. `""` becomes a whole file."""
    made = text if text.strip() else HEADING
    for release in reversed(list(releases)):
        start = re.search(rf"^## {re.escape(release.version)}(?![\w.]).*$", made, re.MULTILINE)
        written = section(release)
        if start is not None:
            following = _SECTION.search(made, start.end())
            rest = made[following.start() :] if following else ""
            made = made[: start.start()] + written + ("\n" + rest if rest else "")
            continue
        place = next((each for each in _SECTION.finditer(made) if not _unreleased(made, each.start())), None)
        at = place.start() if place is not None else len(made)
        before = made[:at] if place is not None else made.rstrip("\n") + "\n\n"
        made = before + written + ("\n" + made[at:] if made[at:] else "")
    return made


def _unreleased(text: str, at: int) -> bool:
    return text[at : at + 40].lower().startswith(("## unreleased", "## [unreleased"))


def _row(change: ReleasedChange) -> str:
    return f"- {'; '.join(_parts(change))}"


def _parts(change: ReleasedChange) -> Iterator[str]:
    envs = ", ".join(change.envs)
    said = _DIRECTIONS.get(change.direction) or _WORDS.get(change.class_, "")
    yield f"`{change.rule}` ({envs}){f', {said}' if said else ''}"
    if change.what and change.class_ not in ("added", "removal"):
        yield ", ".join(_code(each) for each in change.what)
    yield from map(escaped, change.reasons)
    if change.tickets:
        yield ", ".join(map(escaped, change.tickets))


def _code(text: str) -> str:
    """As code, whatever backticks it holds."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def escaped(text: str) -> str:
    """Somebody's words on one line, which can be nothing but words."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
