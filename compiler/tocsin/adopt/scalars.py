"""Text as Prometheus would have read it from somebody's YAML.

Prometheus decodes into text fields, so a label `true`, a label `0.990` or an expression `1` is the text that
was written, not a boolean or a number (yaml.v3 hands a string field the scalar's own characters). The located
reader has already resolved such a scalar; what was written is taken back from the file.
"""

from __future__ import annotations

import re

from tocsin.diag.origin import Origin
from tocsin.source.layout import scalar

_PROPERTIES = re.compile(r"(?:[&!][^\s]*\s+)+")


def text_at(origin: Origin, *path: str | int) -> str | None:
    """The text of the scalar at `path`: `""` for nothing written, None for a mapping or a list."""
    value = value_at(origin, *path)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if not isinstance(value, bool | int | float):
        return None
    written = _PROPERTIES.sub("", origin.value(*path).slice(origin.text))
    if not written or written.startswith("*"):
        # An alias: the anchor's own characters are elsewhere, the value says nearly the same.
        return scalar(value)
    return written


def value_at(origin: Origin, *path: str | int) -> object:
    """What the reader made of the node at `path`; None where there is none."""
    node: object = origin.node
    for step in path:
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node
