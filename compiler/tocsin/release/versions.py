"""The next version of a rule set."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from tocsin.errors import UsageError

_VERSION = re.compile(r"v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
_PARTS = ("none", "patch", "minor", "major")


class Version(NamedTuple):
    """`major.minor.patch`; tuples compare as versions do."""

    major: int
    minor: int
    patch: int

    @property
    def text(self) -> str:
        """As tags and annotations spell it: `v2.3.1`."""
        return f"v{self.major}.{self.minor}.{self.patch}"

    def raised(self, part: str) -> Version:
        """With `part` one higher and what is below it at zero; itself for `none`."""
        match part:
            case "major":
                return Version(self.major + 1, 0, 0)
            case "minor":
                return Version(self.major, self.minor + 1, 0)
            case "patch":
                return Version(self.major, self.minor, self.patch + 1)
        return self


def version_of(text: str) -> Version | None:
    """`v2.3.1` or `2.3.1`; None for anything else, suffixes among it: a candidate is no release."""
    found = _VERSION.fullmatch(text)
    return Version(int(found[1]), int(found[2]), int(found[3])) if found else None


def newest(names: Iterable[str]) -> str | None:
    """The tag of the highest version among `names`."""
    found = [(version, name) for name in names if name.startswith("v") and (version := version_of(name))]
    return max(found)[1] if found else None


def next_version(
    last: str | None,
    first: str,
    classes: Iterable[str],
    bumps: Mapping[str, str],
    *,
    words: bool,
    taken: Collection[str] = (),
) -> str | None:
    """What comes after `last` (None before the first release) for changes of these classes; `words` says that SOPs changed. None where nothing
    did, or nothing that the table of `bumps` counts. What is `taken` by a tag on another branch is left out."""
    if last is None:
        found = version_of(first)
        assert found is not None, "the schema lets no other text through"
        return _free(found, "minor", taken).text
    version = version_of(last)
    if version is None:
        raise UsageError(f"`{last}` is no version", help="a release is called like v2.3.1")
    parts = [bumps.get(each, "none") for each in classes]
    if words:
        parts.append(bumps.get("text", "patch"))
    highest = max(parts, key=_PARTS.index, default="none")
    raised = version.raised(highest)
    return _free(raised, highest, taken).text if raised != version else None


def _free(version: Version, part: str, taken: Collection[str]) -> Version:
    while version.text in taken:
        version = version.raised(part)
    return version
