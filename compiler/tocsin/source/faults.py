"""What a validator objects to, before it is a sentence: the facts of a fault, and what was probably meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tocsin.diag.nearest import nearest

Path = tuple[str | int, ...]

_MEANT = {
    "duration": "for", "query": "expr", "expression": "expr", "runbook": "sop_ref", "runbook_url": "sop_ref",
    "sop": "sop_ref", "team": "owner", "teams": "owner", "priority": "severity", "thresholds": "levels",
    "keepFiringFor": "keep_firing_for", "uid": "grafana", "postmortems": "incidents", "url": "url_env",
    "input_series": "series", "eval_time": "firing", "type": "kind", "name": "alert",
}  # fmt: skip
"""What other tools, or habit, call a key. Used only where the key meant is one of the place."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing a validator objects to: `keyword` of `schema` fails for `value` at `path`; `named` where the
    key itself is the value.
    """

    path: Path
    keyword: str
    schema: Mapping[str, object]
    value: object
    named: bool = False
    branches: tuple[tuple[Fault, ...], ...] = ()


def known_keys(schema: Mapping[str, object]) -> tuple[str, ...]:
    """The keys a mapping may have by name."""
    return tuple(mapping(schema.get("properties")))


def unknown_keys(fault: Fault) -> tuple[str, ...]:
    """The keys written that the format does not know, in the order of the file."""
    if fault.schema.get("additionalProperties") is not False:
        return ()
    free = [re.compile(each) for each in mapping(fault.schema.get("patternProperties"))]
    known = mapping(fault.schema.get("properties"))
    return tuple(
        key for key in mapping(fault.value) if key not in known and not any(each.search(key) for each in free)
    )


def missing_keys(fault: Fault) -> tuple[str, ...]:
    """The keys that must be there and are not, in the order of the schema."""
    return tuple(key for key in words(fault.schema.get("required")) if key not in mapping(fault.value))


def nearest_key(word: str, known: Iterable[str], *, prefer: Iterable[str] = ()) -> str:
    """The known word an author most likely meant; one of `prefer` wins a tie. Empty where none is near."""
    candidates = list(dict.fromkeys((*prefer, *known)))
    low = word.lower().replace("-", "_")
    for each in candidates:
        if each.lower().replace("-", "_") == low:
            return each
    if _MEANT.get(word) in candidates:
        return _MEANT[word]
    close = nearest(word, candidates)
    if close:
        return close
    return next((each for each in candidates if len(low) == len(each) and sorted(low) == sorted(each)), "")


def shown(value: object) -> str:
    """A value as a sentence shows it."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return cut(f"`{value}`" if isinstance(value, str) else json.dumps(value))


def cut(text: str) -> str:
    """Text on one line, short enough for a sentence."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def mapping(node: object) -> Mapping[str, object]:
    """`node` where it is a mapping, else an empty one."""
    return node if isinstance(node, Mapping) else {}


def items(node: object) -> list[object]:
    """The items of `node` where it is a list, else none."""
    return list(node) if isinstance(node, list) else []


def words(node: object) -> tuple[str, ...]:
    """One word or a list of words, as JSON Schema writes `type` and `required`."""
    return (node,) if isinstance(node, str) else tuple(str(each) for each in items(node))
