"""Additions to YAML that a person wrote: new lines go in, every line that was there stays as it was typed.

Lines are spliced into the text at places the located reader knows. A round-trip library would rewrite the
file from its own model and ties the comments below an entry to that entry, so that an insertion drags the
next section's comment along with it; see `compiler/decisions/0012-additions-are-spliced.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tocsin.diag.origin import Map, Origin, Seq, in_flow, place_of
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span
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
        # The first line may begin with the dash of a list's item.
        if indent < column and number > first:
            if line.lstrip().startswith("#"):
                continue
            break
        if not line.lstrip().startswith("#") or column > 0:
            last = number
    return last + 1


class _Gone:
    """No value: what was there goes."""


GONE = _Gone()
Steps = tuple[str | int, ...]
"""Keys and list positions from the top of a document."""


def changed(text: str, steps: Steps, value: object) -> str:
    """`text` with `value` (a scalar, or a mapping of them) at `steps`, or with nothing there for `GONE`: one value is another, every other
    character stays. Mappings on the way are made. ValueError where the place cannot be written without touching more than that.
    """
    top = _top(text)
    holder, depth = _holder(top, steps)
    key = steps[depth]
    if value is GONE:
        return _without(text, top, steps)
    if depth == len(steps) - 1 and isinstance(key, str) and key in holder:
        made = _other(text, top, steps, holder, key, value)
    else:
        if not isinstance(key, str) or (key in holder and holder[key] is not None):
            raise ValueError(f"nothing can be put at {'.'.join(map(str, steps))}")
        for name in reversed(steps[depth + 1 :]):
            value = {str(name): value}
        if key in holder:
            if not isinstance(value, dict):
                raise ValueError(f"nothing can be put at {'.'.join(map(str, steps))}")
            made = _under(text, holder, key, value, lambda path: False)
        elif _in_brackets(text, holder):
            made = _into_brackets(text, holder, key, value)
        else:
            lines = written({key: value}).rstrip("\n").split("\n")
            made = _into_block(text, holder, lines, "", spaced=False)
    if not _reads(made, steps[: depth + 1], value):
        raise ValueError(f"{'.'.join(map(str, steps))} cannot be written without rewriting more of the file")
    return made


def _top(text: str) -> Map:
    documents, _ = read_documents(SourceFile(path="", text=text))
    if len(documents) != 1 or not isinstance(documents[0].data, Map):
        raise ValueError("only a file of one mapping can be changed")
    return documents[0].data


def _holder(top: Map, steps: Steps) -> tuple[Map, int]:
    """The innermost mapping on the way, and how many steps lead to it."""
    node: object = top
    holder, depth = top, 0
    for index, step in enumerate(steps[:-1], 1):
        if isinstance(node, Map) and step in node:
            node = node[str(step)]
        elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            break
        if isinstance(node, Map):
            holder, depth = node, index
    return holder, depth


def _reads(text: str, steps: Steps, value: object) -> bool:
    try:
        holder, depth = _holder(_top(text), steps)
    except ValueError:
        return False
    return depth == len(steps) - 1 and holder.get(str(steps[-1])) == value


def _other(text: str, top: Map, steps: Steps, holder: Map, key: str, value: object) -> str:
    """Another scalar where one stands, in the manner of the old one as far as it can be."""
    if isinstance(value, dict | list) or isinstance(holder[key], Map | Seq):
        raise ValueError(f"{key} is no scalar")
    span = Origin("", text, top).value(*steps)
    lines = text.split("\n")
    old = span.slice(text)
    flow = in_flow(holder.values_at[key])
    if old[:1] in ("|", ">") and not flow and isinstance(value, str):
        new = _block_text(lines, span, old, value)
    elif old[:1] == "'" and isinstance(value, str) and value.isprintable():
        new = "'" + value.replace("'", "''") + "'"
    elif old[:1] == '"' and isinstance(value, str):
        new = in_brackets(f" {value}").replace('" ', '"', 1)
    else:
        new = in_brackets(value) if flow else scalar(value)  # type: ignore[arg-type]  # a scalar by the first line
    before, after = lines[span.line - 1][: span.col - 1], lines[span.end_line - 1][span.end_col - 1 :]
    return "\n".join([*lines[: span.line - 1], before + new + after, *lines[span.end_line :]])


def _block_text(lines: Sequence[str], span: Span, old: str, value: str) -> str:
    """A text as a block with the indentation that the old one had."""
    body = value.rstrip("\n")
    kept = value[len(body) :]
    first = next((each for each in lines[span.line : span.end_line] if each.strip()), "")
    margin = first[: len(first) - len(first.lstrip(" "))]
    if len(kept) > 1 or not margin or not body or body != body.strip():
        return scalar(value)
    style = ">" if old[0] == ">" and "\n" not in body else "|"
    return "\n".join(
        [style + ("" if kept else "-"), *(margin + each if each else each for each in body.split("\n"))]
    )


def _without(text: str, top: Map, steps: Steps) -> str:
    """Without the lines of an entry that has lines of its own; a mapping that it leaves empty goes too."""
    holder, depth = _holder(top, steps)
    key = steps[-1]
    if depth != len(steps) - 1 or not isinstance(key, str) or key not in holder:
        raise ValueError(f"there is no {'.'.join(map(str, steps))}")
    if len(holder) == 1:
        return _without(text, top, steps[:-1])
    span = Origin("", text, top).value(*steps)
    line, column = place_of(holder.keys_at[key])
    lines = text.split("\n")
    last = span.end_line
    if isinstance(holder[key], Map | Seq) and not _in_brackets(text, holder[key]):  # type: ignore[arg-type]
        last = _end(lines, line + 1, column + 1)
    if _in_brackets(text, holder) or lines[line][:column].strip():
        raise ValueError(f"{key} has no line of its own")
    made = "\n".join([*lines[:line], *lines[last:]])
    left = _holder(_top(made), steps)[0]
    if key in left or set(left) != set(holder) - {key}:
        raise ValueError(f"{key} cannot be taken out without rewriting more of the file")
    return made
