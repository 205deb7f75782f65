"""Keys written twice, and whose mistake each one is.

Prometheus refuses a file with a duplicated key; the located reader keeps the first value and goes on. So that one slip does not cost the whole file,
each slip is laid at the door of the smallest thing it stands in: a rule, a group, or the file itself where `groups` is written twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from tocsin.diag.diagnostic import Diagnostic
from tocsin.diag.origin import Map, Seq, place_of

WHOLE_FILE = -1
_STRUCTURE = frozenset({"groups", "spec", "rules"})
"""Keys that hold rules: written twice, one of the two would be lost."""

Blame = Mapping[int, Sequence[Diagnostic]]
"""The mark of a group or a rule (or WHOLE_FILE) -> its duplicated keys."""


def blame(duplicates: Sequence[Diagnostic], groups: Iterable[Map]) -> Blame:
    """Whose each duplicate is. `groups` are all groups of the file."""
    if not duplicates:
        return {}
    starts: list[tuple[tuple[int, int], int, int]] = []
    for group in groups:
        starts.append((place_of(group.mark), group.mark, group.mark))
        rules = group.get("rules")
        for rule in rules if isinstance(rules, Seq) else []:
            if isinstance(rule, Map):
                starts.append((place_of(rule.mark), rule.mark, group.mark))
    starts.sort()
    found: dict[int, list[Diagnostic]] = {}
    for each in duplicates:
        owner = _owner(each, starts)
        if owner != WHOLE_FILE or each.subject in _STRUCTURE:
            found.setdefault(owner, []).append(each)
    return found


def _owner(duplicate: Diagnostic, starts: Sequence[tuple[tuple[int, int], int, int]]) -> int:
    """The last rule or group that begins before the key and is not indented deeper than it."""
    line, column = duplicate.span.line - 1, duplicate.span.col - 1
    at = bisect_right(starts, (line, column), key=lambda each: each[0]) - 1
    if at < 0:
        return WHOLE_FILE
    (first, indent), node, group = starts[at]
    if line == first or column >= indent:
        return node
    if node != group and column >= place_of(group)[1]:
        return group
    return WHOLE_FILE
