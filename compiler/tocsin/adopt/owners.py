"""Who answers for adopted rules: what the labels say, else CODEOWNERS, else nobody yet.

CODEOWNERS is read as GitHub and GitLab read it: the last matching line wins, a pattern without a slash
matches at any depth, one with a slash is anchored at the top, a trailing slash is a folder, `*` stays within
a folder and `**` does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tocsin.adopt.naming import kebab
from tocsin.adopt.rules import Group, Rule

OWNER_LABELS = ("team", "owner", "squad")
UNOWNED = "unowned"
PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")


def of_alert(group: Group, rule: Rule) -> str:
    """The team an alert's own labels name; `""` where they name none."""
    for label in OWNER_LABELS:
        value = rule.labels.get(label, group.labels.get(label, ""))
        if value and "{{" not in value and "${" not in value:
            return kebab(value)
    return ""


def of_groups(groups: Sequence[Group]) -> str:
    """The team most alerts of a set name; the first in the alphabet of several."""
    named = Counter(
        team
        for group in groups
        for rule in group.rules
        if rule.kind == "alert" and (team := of_alert(group, rule))
    )
    return min(named, key=lambda team: (-named[team], team)) if named else ""


def of_path(path: str, codeowners: str) -> str:
    """The team CODEOWNERS names for a file: the team's own word of `@org/team-streaming`."""
    owner = ""
    for line in codeowners.splitlines():
        words = line.split("#", 1)[0].split()
        if len(words) >= 1 and not words[0].startswith(("[", "^[")) and _pattern(words[0]).match(path):
            owner = words[1] if len(words) > 1 else ""
    return kebab(owner.rsplit("/", 1)[-1].lstrip("@").split("@")[0])


def _pattern(pattern: str) -> re.Pattern[str]:
    anchored = "/" in pattern.rstrip("/")
    body = (
        re.escape(pattern.strip("/"))
        .replace(r"\*\*/", "(?:.*/)?")
        .replace(r"\*\*", ".*")
        .replace(r"\*", "[^/]*")
        .replace(r"\?", "[^/]")
    )
    tail = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return re.compile(("" if anchored else "(?:.*/)?") + body + tail + r"\Z")
