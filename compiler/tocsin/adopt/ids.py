"""Ids for adopted rules: the alert's own name, and where namesakes exist, what tells them apart.

An id outlives names, files and order, so it must not depend on them more than it has to: the same set of
rules gets the same ids in whatever order it is read. Only rules that are alike in everything are numbered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tocsin.adopt.naming import LONGEST, fingerprint, kebab
from tocsin.adopt.rules import Rule

LONGEST_RECORD = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A rule that needs an id, with what can tell it from its namesakes."""

    rule: Rule
    service: str
    group: str
    severity: str = ""


def alert_ids(rules: Sequence[Named], taken: Collection[str]) -> list[str]:
    """An id for each alert, unique in the repository; `taken` are the ids it uses already."""
    ids = [kebab(each.rule.name) or f"alert-{fingerprint(each.rule.name)}" for each in rules]
    services: dict[str, set[str]] = {}
    for id, each in zip(ids, rules, strict=True):
        services.setdefault(id, set()).add(each.service)
    ids = [
        _with_service(each.service, id) if len(services[id]) > 1 or id in taken else id
        for id, each in zip(ids, rules, strict=True)
    ]
    return _numbered(_told_apart(ids, rules, kebab, LONGEST), taken, LONGEST)


def record_ids(rules: Sequence[Named], taken: Collection[str]) -> list[str | None]:
    """An id for each record of one service whose name another record of it has too; None for the others,
    whose name is enough.
    """
    names = [each.rule.name for each in rules]
    repeated = Counter(names)
    alike = [index for index, name in enumerate(names) if repeated[name] > 1 or name in taken]
    ids = _told_apart(
        [names[index] for index in alike], [rules[index] for index in alike], _record_word, LONGEST_RECORD
    )
    unique = dict(zip(alike, _numbered(ids, {*taken, *names}, LONGEST_RECORD), strict=True))
    return [unique.get(index) for index in range(len(names))]


def _record_word(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_:-]+", "-", text).strip("-")


def _with_service(service: str, name: str) -> str:
    return name if name == service or name.startswith(f"{service}-") else _short(f"{service}-{name}", LONGEST)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 9].rstrip('-')}-{fingerprint(text)}"


def _told_apart(
    ids: Sequence[str], rules: Sequence[Named], word: Callable[[str], str], longest: int
) -> list[str]:
    """A suffix for every id that occurs more than once."""
    result = list(ids)
    for base in sorted(each for each, count in Counter(ids).items() if count > 1):
        members = [index for index, each in enumerate(ids) if each == base]
        for index, suffix in zip(members, _suffixes([rules[index] for index in members], word), strict=True):
            result[index] = _short(f"{base}-{suffix}", longest)
    return result


def _suffixes(rules: Sequence[Named], word: Callable[[str], str]) -> list[str]:
    """A word for each of several namesakes: one property that tells all apart, else two together, else a
    fingerprint of the rule.
    """
    labels = sorted({name for each in rules for name in each.rule.labels if name != "severity"})
    rows = [
        [each.severity for each in rules],
        *([each.rule.labels.get(name, "") for each in rules] for name in labels),
        [each.rule.for_ or "" for each in rules],
        [each.group for each in rules],
    ]
    words = [["" if "{{" in value else word(value) for value in row] for row in rows]
    for row in words:
        if _tells_apart(row):
            return row
    for second in words[1:]:
        row = [word(f"{first}-{other}") for first, other in zip(words[0], second, strict=True)]
        if _tells_apart(row):
            return row
    return [
        fingerprint(each.rule.expr, repr(sorted(each.rule.labels.items())), each.rule.for_ or "")
        for each in rules
    ]


def _tells_apart(row: Sequence[str]) -> bool:
    return len(set(row)) == len(row) and all(row)


def _numbered(ids: Sequence[str], taken: Collection[str], longest: int) -> list[str]:
    """Whatever is still the same gets a number."""
    used = set(taken)
    final: list[str] = []
    for each in ids:
        name, number = each, 2
        while name in used:
            name = _short(f"{each}-{number}", longest)
            number += 1
        used.add(name)
        final.append(name)
    return final
