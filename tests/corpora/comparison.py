"""Is a compiled rule the rule its author wrote? Expressions are compared as trees of the parser library,
walked here; never as printed text.

In: an original group and a compiled one. Out: sentences about what differs, and which originals were carried.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import promql_parser
from tests.corpora.originals import Group, Rule

ADDED = frozenset({"sop_ref", "runbook_url", "rule_version", "service", "owner"})
"""Annotations tocsin adds; the author's own of the same name must survive all the same."""
_UNITS = {"y": 31536000000, "w": 604800000, "d": 86400000, "h": 3600000, "m": 60000, "s": 1000, "ms": 1}


def carried(original: Group, made: Group) -> tuple[list[bool], list[str]]:
    """Which of the original's rules the compiled group holds, in order, and what is in it that the author
    never wrote.
    """
    flags: list[bool] = []
    position = 0
    for rule in original.rules:
        same = position < len(made.rules) and not difference(rule, made.rules[position])
        flags.append(same)
        position += same
    rest = made.rules[position:]
    problems = [
        f"group `{original.name}`: the {each.kind} `{each.name}` is not as its author wrote it: {_why(each, original.rules)}"
        for each in rest
    ]
    return flags, problems


def _why(made: Rule, originals: Sequence[Rule]) -> str:
    namesakes = [each for each in originals if (each.kind, each.name) == (made.kind, made.name)]
    return difference(namesakes[0], made) or "it stands elsewhere" if namesakes else "nobody wrote it"


def settings(original: Group, made: Group) -> list[str]:
    """What differs between the groups themselves."""
    pairs = (
        ("interval", milliseconds(original.interval), milliseconds(made.interval)),
        ("limit", int(original.limit or 0), int(made.limit or 0)),
        ("query_offset", milliseconds(original.offset), milliseconds(made.offset)),
        ("labels", original.labels, made.labels),
    )
    return [
        f"group `{original.name}`: {name} is {new!r}, was {old!r}" for name, old, new in pairs if old != new
    ]


def difference(original: Rule, made: Rule) -> str:
    """The first difference that matters; `""` where there is none."""
    if (original.kind, original.name) != (made.kind, made.name):
        return "another rule"
    if not same_expression(original.expr, made.expr):
        return f"expr {made.expr!r}"
    for name, old, new in (("for", original.for_, made.for_), ("keep_firing_for", original.keep, made.keep)):
        if milliseconds(old) != milliseconds(new):
            return f"{name} is {new!r}, was {old!r}"
    if original.labels != made.labels:
        return f"labels are {made.labels!r}, were {original.labels!r}"
    for name, text in original.annotations.items():
        if made.annotations.get(name) != text:
            return f"annotation {name} is {made.annotations.get(name)!r}, was {text!r}"
    extra = made.annotations.keys() - original.annotations.keys() - ADDED
    return f"annotations {sorted(extra)} were added" if extra else ""


def milliseconds(text: str) -> int:
    """A Prometheus duration; nothing and `0` are 0."""
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)(ms|[ywdhms])", text))


def same_expression(original: str, made: str) -> bool:
    """Whether two texts parse to the same tree. What the library cannot read must be the same text."""
    try:
        return _tree(promql_parser.parse(original)) == _tree(promql_parser.parse(made))
    except (ValueError, RecursionError):
        return original.strip() == made.strip()


def _tree(node: object) -> object:
    """The library's objects as nested tuples of type names and attributes; parentheses are dropped, they are
    in the shape.
    """
    if isinstance(node, promql_parser.ParenExpr):
        return _tree(node.expr)
    if isinstance(node, float):
        return repr(node)  # NaN equals itself here
    if node is None or isinstance(node, str | int | bool | timedelta | datetime):
        return node
    if isinstance(node, list | tuple):
        return tuple(_tree(each) for each in node)
    kind = type(node).__name__
    fields = [name for name in dir(node) if not name.startswith("_") and not callable(getattr(node, name))]
    if not fields or all(type(getattr(node, name)) is type(node) for name in fields):
        return (kind, str(node))  # an enumeration: each of its members is listed as its attribute
    return (kind, *((name, _tree(getattr(node, name))) for name in fields))
