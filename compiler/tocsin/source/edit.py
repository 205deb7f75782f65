"""Changes to YAML that a person wrote: the value is added, everything else stays as it was typed.

The only importer of ruamel.yaml, whose round-trip mode keeps comments, quotes and order. It is slow (10 ms a file), so nothing on the hot path
comes here. Text it would change beyond the addition is refused by `added` rather than reformatted behind its owner's back: see `Untouched`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from tocsin.source.layout import scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A value to set at a path of keys where nothing stands yet; mappings on the way are made. `before` names the sibling it goes in front of."""

    path: tuple[str, ...]
    value: object
    before: str = ""
    comment: str = ""
    """A line above it, without its `#`."""


def added(text: str, additions: Iterable[Addition]) -> str:
    """`text` with every addition whose path is still free. The text must be one YAML mapping (the caller has read it already)."""
    additions = tuple(additions)
    if not additions:
        return text
    yaml = _yaml(text)
    data = yaml.load(text)
    if not isinstance(data, CommentedMap):
        raise TypeError("only a mapping can be added to")
    changed = False
    for each in additions:
        changed = _add(data, each) or changed
    if not changed:
        return text
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _yaml(text: str) -> YAML:
    """A round-trip reader and writer with the indentation that `text` itself uses for lists."""
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    yaml.allow_unicode = True
    yaml.explicit_start = text.startswith("---")
    flush = re.search(
        r"^( *)[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:\s*(?:#[^\n]*)?\n)*( *)- ", text, re.MULTILINE
    )
    offset = len(flush.group(2)) - len(flush.group(1)) if flush else 2
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _add(data: CommentedMap, addition: Addition) -> bool:
    node = data
    for index, key in enumerate(addition.path[:-1]):
        if key not in node or node[key] is None:
            fresh = CommentedMap()
            _insert(node, key, fresh, "", addition.comment if index == 0 else "")
            node = fresh
        elif isinstance(node[key], CommentedMap):
            node = node[key]
        else:
            return False
    last = addition.path[-1]
    if last in node:
        return False
    _insert(
        node,
        last,
        _value(addition.value),
        addition.before,
        addition.comment if len(addition.path) == 1 else "",
    )
    return True


def _insert(node: CommentedMap, key: str, value: object, before: str, comment: str) -> None:
    keys = list(node)
    position = keys.index(before) if before in keys else len(keys)
    word = key if scalar(key, key=True) == key else DoubleQuotedScalarString(key)
    if position == len(keys) and keys:
        _move_tail(node, keys[-1], word, value)
    else:
        node.insert(position, word, value)
    if comment:
        node.yaml_set_comment_before_after_key(word, before=comment)


def _move_tail(node: CommentedMap, last: str, key: str, value: object) -> None:
    """Appends. ruamel ties the comments and empty lines below a mapping to its last key, so they would end up above the new one."""
    tokens = node.ca.items.pop(last, None)
    node[key] = value
    if tokens is not None:
        tail = tokens[2] if len(tokens) > 2 else None
        if (
            tail is not None
            and "\n" in tail.value.lstrip(" ").split("#", 1)[0]
            and not isinstance(value, CommentedMap | CommentedSeq)
        ):
            node.ca.items[key] = tokens
        else:
            node.ca.items[last] = tokens


def _value(value: object) -> object:
    """Plain data as ruamel writes it like the rest: short mappings of text on one line, words quoted where YAML 1.1 would misread them."""
    if isinstance(value, Mapping):
        made = CommentedMap((key, _value(each)) for key, each in value.items())
        if value and all(isinstance(each, str) for each in value.values()) and len(value) == 1:
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        listed = CommentedSeq(_value(each) for each in value)
        listed.fa.set_flow_style()
        return listed
    if isinstance(value, str) and scalar(value) != value:
        return DoubleQuotedScalarString(value)
    return value
