"""Additions to YAML that a person wrote: new lines go in, every line that was there stays as it was typed.

Lines are spliced into the text at places the located reader knows. A round-trip library would rewrite the
file from its own model and ties the comments below an entry to that entry, so that an insertion drags the
next section's comment along with it; see `compiler/decisions/0012-additions-are-spliced.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tocsin.diag.origin import Map, place_of
from tocsin.diag.source_file import SourceFile
from tocsin.source.layout import Path, in_brackets, scalar, written
from tocsin.source.tree import read_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A value to set at a path of keys where nothing stands yet; mappings on the way are made.

    `before` names the sibling it goes in front of, `comment` is a line above it (without its `#`) where a
    section of its own is made.
    """

    path: tuple[str, ...]
    value: object
    before: str = ""
    comment: str = ""


def added(text: str, additions: Iterable[Addition]) -> str:
    """`text` with every addition whose path is still free; one that meets something else than a mapping on
    its way is left out.

    The text must be one YAML mapping: TypeError otherwise (the caller has read it already).
    """
    for each in additions:
        text = _add(text, each)
    return text


def _add(text: str, addition: Addition) -> str:
    documents, _ = read_documents(SourceFile(path="", text=text))
    top = documents[0].data if documents else None
    if not isinstance(top, Map):
        raise TypeError("only a mapping can be added to")
    holder, depth = top, 0
    for key in addition.path[:-1]:
        inner = holder.get(key)
        if not isinstance(inner, Map) or (not inner and not _in_brackets(text, inner)):
            break
        holder, depth = inner, depth + 1
    key = addition.path[depth]
    value = addition.value
    for name in reversed(addition.path[depth + 1 :]):
        value = {name: value}
    if key in holder:
        if holder[key] is None and isinstance(value, dict):
            return _under(text, holder, key, value, _flow(addition, depth + 1))
        return text
    if _in_brackets(text, holder):
        return _into_brackets(text, holder, key, value)
    lines = written({key: value}, flow=_flow(addition, depth)).rstrip("\n").split("\n")
    if addition.comment and depth == 0:
        lines.insert(0, f"# {addition.comment}")
    return _into_block(text, holder, lines, addition.before, spaced=holder is top)


def _flow(addition: Addition, depth: int) -> Callable[[Path], bool]:
    """Lists, and what is deeper than the value itself, stand on one line."""
    deep = len(addition.path) - depth
    return lambda path: len(path) > deep or (len(path) == deep and isinstance(addition.value, list))


def _under(text: str, holder: Map, key: str, value: dict[str, object], flow: Callable[[Path], bool]) -> str:
    """The entries of a section that so far is a key with nothing below it."""
    line, column = place_of(holder.keys_at[key])
    lines = text.split("\n")
    fresh = written(value, flow=flow).rstrip("\n").split("\n")
    return "\n".join([*lines[: line + 1], *(" " * (column + 2) + each for each in fresh), *lines[line + 1 :]])


def _in_brackets(text: str, node: Map) -> bool:
    line, column = place_of(node.mark)
    return text.split("\n")[line][column : column + 1] == "{"


def _into_brackets(text: str, node: Map, key: str, value: object) -> str:
    """The entry in front of the closing bracket of a mapping written as `{a: 1}`."""
    line, column = place_of(node.mark)
    start = sum(len(each) + 1 for each in text.split("\n")[:line]) + column
    depth, quote, index = 0, "", start
    while index < len(text):
        char = text[index]
        if quote:
            if quote == '"' and char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "\"'" and text[index - 1] in " \t\n,:{[":
            quote = char
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                break
        index += 1
    inside = text[start + 1 : index].rstrip()
    comma = "" if not inside or inside.endswith(",") else ","
    space = " " if inside else ""
    return f"{text[: start + 1]}{inside}{comma}{space}{scalar(key, key=True)}: {in_brackets(value)}{text[index:]}"


def _into_block(text: str, node: Map, entry: Sequence[str], before: str, *, spaced: bool) -> str:
    """The entry as lines of a mapping: in front of a sibling with its comments, else below the last entry."""
    lines = text.split("\n")
    first = min(place_of(mark) for mark in node.keys_at.values())
    margin = " " * first[1]
    fresh = [margin + each if each else each for each in entry]
    if before in node.keys_at:
        at = place_of(node.keys_at[before])[0]
        while at > 0 and lines[at - 1].startswith(f"{margin}#"):
            at -= 1
        airy = spaced and at > 0 and not lines[at - 1].strip()
        return "\n".join([*lines[:at], *fresh, *([""] if airy else []), *lines[at:]])
    at = _end(lines, first[0], first[1])
    airy = spaced and any(not each.strip() for each in lines[first[0] : at])
    rest = lines[at:] if any(lines[at:]) else [""]
    return "\n".join([*lines[:at], *([""] if airy else []), *fresh, *rest])


def _end(lines: Sequence[str], first: int, column: int) -> int:
    """One past the last line of a block mapping that starts at `first` and `column`; comments as deep as its
    keys are its own.
    """
    last = first
    for number in range(first, len(lines)):
        line = lines[number]
        indent = len(line) - len(line.lstrip(" "))
        if not line.strip():
            continue
        if line.startswith(("---", "...")) and number > first:
            break
        if indent < column:
            if line.lstrip().startswith("#"):
                continue
            break
        if not line.lstrip().startswith("#") or column > 0:
            last = number
    return last + 1
