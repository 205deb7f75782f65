"""YAML out: JSON-shaped values in, text that every reader understands alike.

PyYAML belongs to `source.tree`, and its dumper is slow and folds lines; what we write is a small part of
YAML, so we write it ourselves. A scalar stands plain only where a YAML 1.1 reader (PyYAML), a YAML 1.2 reader
and Go's reader (Prometheus, Alertmanager, Kubernetes) all see the same text; everything else is quoted. Text
of several lines becomes a block, so that an expression looks in the output as it does in the source.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

Node = str | int | float | bool | None | Mapping[str, "Node"] | Sequence["Node"]
"""What can be written: the data model of JSON."""

_PLAIN = re.compile(
    r"(?:[A-Za-z_/][^\x00-\x1f\x7f-\U0010ffff]*|[0-9]+(?:ms|[smhdwy])(?:[0-9]+(?:ms|[smhdwy]))*)\Z"
)
"""A letter first rules out every number, date and indicator; the other branch is a Prometheus duration, which
no reader takes for a number.
"""
_SPLITS = re.compile(r":(?:\s|\Z)|\s#|\s\Z|[\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_WORDS = frozenset(
    variant
    for word in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    for variant in (word, word.title(), word.upper())
)
"""Words that YAML 1.1 or 1.2 takes for a truth value or for nothing."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_NO_BLOCK = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]|^[ \t]+$|\A[ \t\n]",
    re.MULTILINE,
)
"""What a block would lose or misread: control characters, lines of blanks alone, and a first line whose
indentation is part of the text.
"""
_LONGEST_KEY = 1000
"""libyaml refuses `key:` of more than 1,024 characters; the form with `?` has no limit."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_ESCAPE = re.compile(r'["\\]|' + _UNPRINTABLE.pattern)


def dump(node: Node, *, comment: Sequence[str] = ()) -> str:
    """`node` as a YAML document that ends with a newline; `comment` are lines to stand above it, without
    their `#`.
    """
    lines = [f"# {line}".rstrip() for line in comment]
    if isinstance(node, Mapping) and node:
        _mapping(node, "", "", lines)
    elif isinstance(node, Sequence) and node and not isinstance(node, str):
        _sequence(node, "", lines)
    else:
        lines.append(_inline(node, ""))
    lines.append("")
    return "\n".join(lines)


def _mapping(node: Mapping[str, Node], lead: str, indent: str, lines: list[str]) -> None:
    """The entries of `node` at `indent`; the first one follows `lead`, which is `indent` itself or a list's
    dash.
    """
    for key, value in node.items():
        name = _key(key)
        if len(name) > _LONGEST_KEY:
            name = f"? {name}\n{indent}"
        if type(value) is str:
            lines.append(f"{lead}{name}: {value if _is_plain(value) else _text(value, indent)}")
        elif isinstance(value, Mapping) and value:
            lines.append(f"{lead}{name}:")
            _mapping(value, indent + "  ", indent + "  ", lines)
        elif isinstance(value, Sequence) and value and not isinstance(value, str):
            lines.append(f"{lead}{name}:")
            _sequence(value, indent + "  ", lines)
        else:
            lines.append(f"{lead}{name}: {_inline(value, indent)}")
        lead = indent


def _sequence(node: Sequence[Node], indent: str, lines: list[str]) -> None:
    for item in node:
        if isinstance(item, Mapping) and item:
            _mapping(item, indent + "- ", indent + "  ", lines)
        elif isinstance(item, Sequence) and item and not isinstance(item, str):
            lines.append(f"{indent}-")
            _sequence(item, indent + "  ", lines)
        else:
            lines.append(f"{indent}- {_inline(item, indent)}")


def _inline(node: Node, indent: str) -> str:
    if isinstance(node, str):
        return node if _is_plain(node) else _text(node, indent)
    if node is None:
        return "null"
    if isinstance(node, bool):
        return "true" if node else "false"
    if isinstance(node, float):
        return _float(node)
    if isinstance(node, int):
        return str(node)
    return "{}" if isinstance(node, Mapping) else "[]"


@lru_cache(maxsize=1024)
def _key(text: str) -> str:
    return text if _is_plain(text) else _text(text, None)


def _is_plain(text: str) -> bool:
    return _PLAIN.match(text) is not None and _SPLITS.search(text) is None and text not in _WORDS


def _text(text: str, indent: str | None) -> str:
    """Quoted text, or a block below `indent`; None where a block cannot stand."""
    if "\n" in text and indent is not None and not _NO_BLOCK.search(text):
        body = text.rstrip("\n")
        tail = len(text) - len(body)
        mark = "|-" if tail == 0 else "|" if tail == 1 else "|+"
        inner = indent + "  "
        rows = [f"{inner}{row}" if row else "" for row in body.split("\n")]
        return "\n".join([mark, *rows, *[""] * (tail - 1)])
    if _UNPRINTABLE.search(text):
        return '"' + _ESCAPE.sub(_escape, text) + '"'
    return "'" + text.replace("'", "''") + "'"


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _ESCAPES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # YAML 1.1 wants the point in 1.0e+16.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
