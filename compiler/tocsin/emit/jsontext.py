"""JSON out: sorted keys and one line per entry, so that a diff shows which rule changed and 10,000 entries
are written by C code.

(`json.dumps(indent=...)` runs in Python and takes ten times as long.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Json = str | int | float | bool | None | Mapping[str, "Json"] | Sequence["Json"]


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False)


def document(entries: Mapping[str, Json]) -> str:
    """A JSON object, newline-terminated. An object or list inside it gets a line for each of its entries."""
    rows = [f"{json.dumps(key)}: {_table(value)}" for key, value in sorted(entries.items())]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _table(value: Json) -> str:
    if isinstance(value, Mapping) and value:
        rows = [f"  {json.dumps(key)}: {_row(entry)}" for key, entry in sorted(value.items())]
        return "{\n" + ",\n".join(rows) + "\n}"
    if isinstance(value, Sequence) and value and not isinstance(value, str):
        return "[\n" + ",\n".join(f"  {_row(entry)}" for entry in value) + "\n]"
    return _row(value)


def _row(value: Json) -> str:
    return _ENCODER.encode(value)
