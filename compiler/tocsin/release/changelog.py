"""The changelog of a rule set, in the form of Keep a Changelog: what changed, from which number to which, why, and by which ticket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tocsin.ir.project import Release, ReleasedChange

HEADING = "# Changelog\n\nEvery release of these alert rules, the newest first. `tocsin release` writes it.\n"
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ADDRESSES = re.compile(r"(?:\A|\n)((?:\[[^\]\n]+\]:[^\n]*(?:\n+|\Z))+)\Z")
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
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_CALL = re.compile(r"((?<!\w)@\w[\w/-]*)")


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
    of its kind, and what people wrote around them stays, among it the addresses of links at the end. `""` becomes a whole file."""
    made = text if text.strip() else HEADING
    for release in reversed(list(releases)):
        heads = _heads(made)
        named = re.compile(rf"## \[?{re.escape(release.version)}\]?(?![\w.+-])")
        start = next((each for each in heads if named.match(made, each)), None)
        written = section(release)
        if start is not None:
            end = next((each for each in heads if each > start), _body_end(made))
            made = made[:start] + written + _after(made[end:])
            continue
        at = next((each for each in heads if not _unreleased(made, each)), _body_end(made))
        before = made[:at] if at in heads else made[:at].rstrip("\n") + "\n\n"
        made = before + written + _after(made[at:])
    return made


def _heads(text: str) -> list[int]:
    """Where the sections begin; a line of a code block is none."""
    found, fence, at = [], "", 0
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence) and not line[mark.end() :].strip()
            fence = "" if closes else fence
        elif mark is not None:
            fence = mark[1]
        elif line.startswith("## "):
            found.append(at)
        at += len(line) + 1
    return found


def _body_end(text: str) -> int:
    """Where the addresses of links begin that stand at the end of the file."""
    found = _ADDRESSES.search(text)
    return found.start(1) if found is not None else len(text)


def _after(rest: str) -> str:
    return "\n" + rest.lstrip("\n") if rest.strip() else ""


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
    """Somebody's words on one line, which can be nothing but words: no markup, and `@name` calls nobody, for a code host leaves code alone."""
    pieces = _CALL.split(" ".join(text.split()))
    return "".join(_code(each) if at % 2 else _SPECIAL.sub(r"\\\1", each) for at, each in enumerate(pieces))
