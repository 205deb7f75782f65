"""Severity labels become severities of the policy, and keep the label they were.

`severity: critical` on an alert says nothing about what critical demands; in the project file it can. The
generated policy gives each value found its own entry whose label is exactly that value, so not one emitted
label changes. A severity that is a template is decided at run time and stays a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tocsin.diag.origin import Map

_ORDER = (
    ("emergency", "disaster", "fatal", "blocker", "outage"),
    ("critical", "crit", "page", "pager", "pageteam", "urgent", "severe", "alert"),
    ("error", "err", "high", "major"),
    ("warning", "warn", "medium", "moderate", "average", "ticket"),
    ("minor", "low"),
    ("info", "information", "informational", "notice", "notify", "slack", "email"),
    ("debug", "trace", "none", "ok", "devnull", "null"),
)
"""Words people use, the most urgent first. The order ranks the generated policy; nobody is paged differently
for it.
"""
_RANKS = {word: rank * 100 for rank, words in enumerate(_ORDER) for word in words}
_NUMBERED = re.compile(r"(?:p|sev|severity|s|l|level|prio|priority)?[-_ ]?(\d{1,2})\Z", re.IGNORECASE)
_UNKNOWN = 450
"""A word nobody knows stands after `minor` and before `info`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`names` turns a label's value into a severity's name; `fresh` are the entries the project file lacks:
    name -> label value.
    """

    names: Mapping[str, str]
    fresh: Mapping[str, str]
    clashes: Mapping[str, str] = field(default_factory=dict)
    """Values that stay labels, with the reason."""


def rank(value: str) -> tuple[int, str]:
    """How urgent a severity's value sounds: smaller is more urgent."""
    word = value.strip().lower()
    if word in _RANKS:
        return _RANKS[word], word
    if match := _NUMBERED.match(word):
        return 90 + int(match.group(1)), word
    return _UNKNOWN, word


def plain(value: str) -> bool:
    """Whether a label's value is fixed; a template is not, and an empty value removes the label."""
    return bool(value.strip()) and "{{" not in value and "${" not in value and value == value.strip()


def policy(values: Iterable[str], existing: Map | None, renames: Mapping[str, str]) -> Policy:
    """A severity for each plain value. `existing` is the project's policy; `renames` is what `--severity-map`
    says (value -> name).
    """
    labels = _labels(existing)
    by_label = {pair: name for name, pair in labels.items()}
    names: dict[str, str] = {}
    fresh: dict[str, str] = {}
    clashes: dict[str, str] = {}
    for value in sorted(set(values), key=rank):
        wanted = renames.get(value)
        known = by_label.get(("severity", value))
        if known is not None and wanted in (None, known):
            names[value] = known
            continue
        name = wanted or value
        taken = labels[name][1] if name in labels else fresh.get(name)
        if taken is not None and taken != value:
            clashes[value] = f"the policy's `{name}` already stands for `severity: {taken}`"
            continue
        names[value] = name
        if name not in labels:
            fresh[name] = value
    return Policy(names=names, fresh=fresh, clashes=clashes)


def position(name: str, value: str, existing: Map | None) -> str:
    """The existing severity in front of which a new one belongs; `""` for the end."""
    for other, (_, label) in _labels(existing).items():
        if rank(label)[0] > rank(value)[0]:
            return other
    return ""


def _labels(existing: Map | None) -> dict[str, tuple[str, str]]:
    """Each severity's label; without one it is `severity: NAME`, as `tocsin.project` has it."""
    found: dict[str, tuple[str, str]] = {}
    for name, entry in (existing or {}).items():
        label = entry.get("label") if isinstance(entry, Map) else None
        pair = next(iter(label.items()), None) if isinstance(label, Map) else None
        found[name] = (pair[0], str(pair[1])) if pair else ("severity", name)
    return found
