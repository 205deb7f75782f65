"""Sync's values as JSON and back: a saved plan, and every entry of the journal.

One codec for all of them, from the types themselves, so that a new field cannot be forgotten. Out: plain JSON. In: anything; what is not the
value it should be raises `MachineError` naming the path, for a journal that cannot be read must stop whoever relies on it.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tocsin.errors import MachineError
from tocsin.ir.duration import Duration
from tocsin.wire.grafana import Json

_T = TypeVar("_T")


def to_json(value: object) -> Json:
    """A value of this room as JSON: dataclasses become objects, tuples lists, sets sorted lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(str(each) for each in value)
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def from_json(kind: type[_T], value: Json, path: str = "$") -> _T:
    """The value of type `kind` that `to_json` made."""
    made: _T = _read(kind, value, path)
    return made


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    # JSON inside a value is kept as it is, and its type names itself without end.
    return get_type_hints(kind, localns={"Json": object})


def _read(kind: Any, value: Json, path: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        return _object(kind, value, path)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (choice,) = (each for each in arguments if each is not type(None))
        return _read(choice, value, path)
    if origin is Literal:
        return value if value in arguments else _wrong(path, f"one of {', '.join(map(str, arguments))}")
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        items = (
            value if isinstance(value, list) and len(value) == len(kind._fields) else _wrong(path, "a place")
        )
        return kind(*(str(each) for each in items))
    if origin in (tuple, frozenset):
        items = value if isinstance(value, list) else _wrong(path, "a list")
        return origin(_read(arguments[0], each, f"{path}[{index}]") for index, each in enumerate(items))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            return _wrong(path, "an object")
        return {key: _read(arguments[1], each, f"{path}.{key}") for key, each in value.items()}
    return _scalar(kind, value, path)


def _object(kind: type, value: Json, path: str) -> Any:
    if not isinstance(value, dict):
        return _wrong(path, "an object")
    hints = _hints(kind)
    return kind(
        **{name: _read(hints[name], each, f"{path}.{name}") for name, each in value.items() if name in hints}
    )


def _scalar(kind: Any, value: Json, path: str) -> Any:
    if kind is Duration or kind is int:
        return (
            Duration(value)
            if kind is Duration and isinstance(value, int)
            else value
            if isinstance(value, int)
            else _wrong(path, "a number")
        )
    if kind is bool:
        return value if isinstance(value, bool) else _wrong(path, "true or false")
    if kind is str:
        return value if isinstance(value, str) else _wrong(path, "a text")
    return value


def _wrong(path: str, what: str) -> Any:
    raise MachineError(
        f"{path} should be {what}",
        help="the file was not written by this version of tocsin, or was cut short",
    )
