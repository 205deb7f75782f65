"""What differs between two rules, and what changing one into the other does to its alerts and to the silences on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tocsin.sync.values import Effect, FieldChange, Rule, TargetKind
from tocsin.wire.grafana import Json
from tocsin.wire.live import Silence

_TEXTS = ("annotations",)
"""What a rule says and does not do: neither a verdict nor a Prometheus' alert state depends on it."""


def differences(old: Json, new: Json, path: str = "") -> tuple[FieldChange, ...]:
    """Every leaf that differs between two bodies, by path, in order of the path."""
    return tuple(sorted(_leaves(old, new, path), key=lambda each: each.path))


def _leaves(old: Json, new: Json, path: str) -> Iterator[FieldChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            yield from _leaves(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _leaves(one, other, f"{path}[{index}]")
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield FieldChange(path=path, old=old, new=new)


def changes_meaning(fields: Iterable[FieldChange]) -> bool:
    """Whether any of the differences is one that a verdict is about: everything but texts."""
    return any(each.path.partition(".")[0] not in _TEXTS for each in fields)


def effect_of(
    kind: TargetKind, before: Rule, after: Rule, fields: Sequence[FieldChange], *, moved: bool
) -> Effect:
    """What an update does to alert state.

    Grafana drops a rule's states when it picks up a changed rule, whatever changed (grafana#61917, #53302, #93200). Prometheus and Mimir
    carry them over to a rule of the same name and labels in the same group of the same file, and lose them otherwise.
    """
    if after.paused and not before.paused:
        return "resolves"
    if before.paused:
        return "none" if after.paused else "starts"
    if kind in ("grafana", "directory"):
        return "resolves-and-refires" if fields or moved else "none"
    if before.kind == "record":
        return "none"
    if moved or before.title != after.title or before.labels != after.labels:
        return "resolves-and-refires"
    return "for-restarts" if any(each.path == "expr" for each in fields) else "none"


def silences_lost(silences: Iterable[Silence], before: Rule, after: Rule | None) -> tuple[Silence, ...]:
    """The silences that can match an alert of `before` and can match none of `after`."""
    return tuple(
        each
        for each in silences
        if _can_match(each, before.labels) and (after is None or not _can_match(each, after.labels))
    )


def _can_match(silence: Silence, labels: Mapping[str, str]) -> bool:
    """Whether some series could make this rule's alert match: a label the rule does not set itself may have any value."""
    for matcher in silence.matchers:
        value = labels.get(matcher.name)
        if value is None or "{{" in value:
            continue
        if matcher.is_regex:
            try:
                equal = re.fullmatch(matcher.value, value) is not None
            except re.error:
                continue
        else:
            equal = matcher.value == value
        if equal is not matcher.is_equal:
            return False
    return True
