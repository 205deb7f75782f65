"""Parameters: `${name}` in authored text becomes its value.

Identifiers only: `$1` and `${1}` belong to label_replace, `{{ $labels.x }}` to the template language, `$${x}` is a literal `${x}`. A number
reads as it does in the source: 5 is `5`, 0.95 is `0.95`, 1e9 is `1000000000`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.ir.rule import ParamValue

_USE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A parameter nobody set, and where its name stands in the authored text."""

    name: str
    offset: int


def parameter_text(value: ParamValue) -> str:
    """A parameter as it is written into text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def uses(text: str) -> frozenset[str]:
    """The parameters `text` names."""
    if "${" not in text:
        return frozenset()
    return frozenset(match.group(2) for match in _USE.finditer(text) if not match.group(1))


def unknown_uses(text: str, values: Mapping[str, object]) -> tuple[Unknown, ...]:
    """The parameters `text` names and `values` lacks, in the order they stand."""
    if "${" not in text:
        return ()
    return tuple(
        Unknown(name=match.group(2), offset=match.start())
        for match in _USE.finditer(text)
        if not match.group(1) and match.group(2) not in values
    )


def fill(text: str, values: Mapping[str, ParamValue]) -> str:
    """`text` with every known parameter written in; unknown ones stay, their finding is `unknown_uses`'."""
    if "${" not in text:
        return text

    def written(match: re.Match[str]) -> str:
        if match.group(1):
            return match.group()[1:]
        value = values.get(match.group(2))
        return match.group() if value is None else parameter_text(value)

    return _USE.sub(written, text)


def authored_offset(text: str, values: Mapping[str, ParamValue], offset: int | None) -> int | None:
    """Where the character at `offset` of the filled text stands in the authored text (at the parameter's start, inside a value)."""
    if offset is None or "${" not in text:
        return offset
    shift = 0
    for match in _USE.finditer(text):
        start = match.start() + shift
        written = len(fill(match.group(), values))
        if offset < start:
            break
        if offset < start + written:
            return match.start()
        shift += written - len(match.group())
    return offset - shift
