"""A group that is over its evaluator's limit, cut into `name-1`, `name-2`, ... where that changes nothing.

Rules of one group run one after another, so a rule sees what an earlier one recorded in the same round;
across groups it sees the round before. A cut is allowed only where no rule behind it reads a series that a
rule before it writes. The order of rules never changes.
"""

from __future__ import annotations

from dataclasses import replace

from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRule
from tocsin.promql import Expr, metrics, opaque_names, parse

_ALERT_SERIES = ("ALERTS", "ALERTS_FOR_STATE")


def parts(group: CompiledGroup) -> tuple[CompiledGroup, ...]:
    """The group itself, or its parts; the group itself too where it should be cut and cannot be."""
    limit = group.evaluator.rules_per_group
    if limit is None or group.evaluator.on_limit != "split" or len(group.rules) <= limit:
        return (group,)
    rules = tuple(rule for rule in group.rules if not (isinstance(rule, CompiledAlert) and rule.mirror))
    cuts = _cuts(rules, limit)
    if len(rules) <= limit or cuts is None:
        return (group,)
    starts = (0, *cuts)
    ends = (*cuts, len(rules))
    return tuple(
        replace(group, name=f"{group.name}-{number}", rules=rules[start:end])
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    )


def _cuts(rules: tuple[CompiledRule, ...], limit: int) -> tuple[int, ...] | None:
    """The fewest positions that leave no part longer than `limit`, taking the last allowed one each time;
    None where there are none.
    """
    allowed = _allowed(rules)
    cuts: list[int] = []
    start = 0
    while len(rules) - start > limit:
        found = next((place for place in range(start + limit, start, -1) if allowed[place]), None)
        if found is None:
            return None
        cuts.append(found)
        start = found
    return tuple(cuts)


def _allowed(rules: tuple[CompiledRule, ...]) -> list[bool]:
    """For each position, whether no rule from there on reads what a rule before it writes."""
    allowed = [True] * (len(rules) + 1)
    writers: dict[str, int] = {}
    for index, rule in enumerate(rules):
        first = min((writers[name] for name in _reads(rule, writers) if name in writers), default=index)
        for place in range(first + 1, index + 1):
            allowed[place] = False
        for name in _ALERT_SERIES if isinstance(rule, CompiledAlert) else (rule.record,):
            writers.setdefault(name, index)
    return allowed


def _reads(rule: CompiledRule, writers: dict[str, int]) -> frozenset[str]:
    """The series names a rule reads; every written one where a selector without a name could read any."""
    expr = parse(rule.expr)
    if not isinstance(expr, Expr) or opaque_names(expr):
        return frozenset(writers)
    return frozenset(metrics(expr))
