"""Values out of a mapping that fits its schema: what is not there is a default, never an error."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.diag import Map


def mapping(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, Map) else {}


def text(data: Mapping[str, object], key: str, default: str = "") -> str:
    value = data.get(key)
    return default if value is None else str(value)


def texts(data: Mapping[str, object], key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    value = data.get(key)
    return tuple(str(each) for each in value) if isinstance(value, list) else default
