"""Our own check of a rule file before a server is told to read it, for machines without promtool. Pure.

It reads the text as any reader would and asks what a server asks: names, expressions, durations, each group and rule once named. It is no
promtool: it does not know which functions that server lacks, nor does it run templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.errors import MachineError
from tocsin.promql import Expr, parse
from tocsin.sync.prometheus_target import groups_in
from tocsin.sync.values import Group, Rule

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")


def complaint(text: str) -> str:
    """The first thing wrong with a rule file's text, `""` for nothing."""
    try:
        groups = groups_in(text, "the file", "")
    except MachineError as error:
        return error.message
    names = [each.place.group for each in groups]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        return f"the group {twice} is there twice"
    return next((said for group in groups for said in _wrong(group)), "")


def _wrong(group: Group) -> Iterator[str]:
    if not group.place.group:
        yield "a group has no name"
    for rule in group.rules:
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    if not rule.title:
        yield "a rule has no name"
    if rule.kind == "record" and not _METRIC.match(rule.title):
        yield f"{rule.title} is no name of a metric"
    parsed = parse(str(rule.body.get("expr")))
    if not isinstance(parsed, Expr):
        yield f"{rule.title}: {parsed.message}"
