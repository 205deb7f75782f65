"""What an expression and its labels allow a replay to claim, before anything is fetched.

A range query answers as the live evaluations did (Prometheus: no difference in thousands of samples), but for what these functions know: text
that means something else over a range, history that another rule wrote, labels that nobody can expand without the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tocsin.canary.values import EXACT, Exactness
from tocsin.emit.grafana_rule_limits import SPEAKS_PROMQL
from tocsin.ir.compiled import Datasource
from tocsin.promql import Expr, parse
from tocsin.promql.tree import NAME, Aggregate, Call, Selector, Subquery
from tocsin.template import TemplateProblem, facts

_CHOOSING = frozenset({"topk", "bottomk", "limitk"})
"""These take whichever comes first. A range query has an order of its own (measured with 2.53 and 3.5: `topk(1, a * 1)` of twelve equals has another
answer nearly every time, and `topk(1, max by (j) (a))` always one that the live rule had not)."""
_STATE_SERIES = frozenset({"ALERTS", "ALERTS_FOR_STATE", "GRAFANA_ALERTS"})
_RANGE_BOUND = ("start()", "end()")
_RANGE_CALLS = frozenset({"start", "end", "range", "step"})
_AT_BOUND = re.compile(r"@\s*(?:start|end)\s*\(\s*\)")
_RANGE_CALL = re.compile(r"(?<![\w:.])(start|end|range|step)\s*\(\s*\)")
_STEP_RELATIVE = re.compile(r"\[\s*[0-9.]*i\s*[\]:]|\boffset\s+-?[0-9.]+i\b")
_LABEL_ALONE = re.compile(r"(?:[^{]|\{(?!\{)|\{\{-?\s*\$labels\.[A-Za-z_][A-Za-z0-9_]*\s*-?\}\})*")


def exactness_of(expr: str, labels: Mapping[str, str], datasource: Datasource | None) -> Exactness:
    """How exact a replay of that expression can be: `exact`, `approx` where labels depend on more than the series or equal values are chosen from,
    or `not-backtestable` with every reason. `labels` are those of group and rule, unexpanded; `datasource` is the one a Grafana asks."""
    if datasource is not None and datasource.type not in SPEAKS_PROMQL:
        return refused(f"the data source `{datasource.name}` is of type `{datasource.type}`")
    parsed = parse(expr)
    if not isinstance(parsed, Expr):
        return refused(*(_unread(expr) or (f"the expression cannot be read: {parsed.message}",)))
    reasons = tuple(_reasons(parsed))
    if reasons:
        return refused(*reasons)
    unsure = (*_undecided(parsed), *_unexpandable(labels))
    return Exactness(level="approx", why=unsure) if unsure else EXACT


def refused(*reasons: str) -> Exactness:
    """Never fetched, for these reasons."""
    return Exactness(level="not-backtestable", why=tuple(dict.fromkeys(reasons)))


def _reasons(expr: Expr) -> Iterator[str]:
    for node in expr.tree:
        if isinstance(node, Selector | Subquery) and node.at in _RANGE_BOUND:
            yield f"`@ {node.at}` is another time in a range query"
        if isinstance(node, Call) and node.name in _RANGE_CALLS:
            yield _other_number(node.name)
        if isinstance(node, Selector):
            for each in node.matchers:
                states = [name for name in _STATE_SERIES if _may_be(each.op, each.value, name)]
                if each.label == NAME and states:
                    yield f"reads {min(states)}, the alerts of the old rules"


def _undecided(expr: Expr) -> Iterator[str]:
    """What the values alone do not decide."""
    for op in sorted({node.op for node in expr.tree if isinstance(node, Aggregate)} & _CHOOSING):
        yield f"`{op}` takes any of equal values"


def _may_be(op: str, value: str, name: str) -> bool:
    """Whether a matcher of the name selects that series on purpose: `!=` and `!~` select everything and mean nothing by it."""
    if op == "=":
        return value == name
    if op != "=~":
        return False
    try:
        return re.fullmatch(value, name) is not None and re.fullmatch(value, "up") is None
    except re.error:
        return False


def _unread(expr: str) -> tuple[str, ...]:
    """Why a text of another dialect, or of a feature that is switched on, is none that can be replayed."""
    called = _RANGE_CALL.search(_AT_BOUND.sub("", expr))
    if called is not None:
        return (_other_number(called[1]),)
    if _STEP_RELATIVE.search(expr) is not None:
        return ("a window of MetricsQL depends on the step",)
    return ()


def _other_number(name: str) -> str:
    return f"`{name}()` is another number in a range query"


def _unexpandable(labels: Mapping[str, str]) -> Iterable[str]:
    """The labels whose value a series' labels do not decide: by `$value`, by a query, or by a function nobody runs here."""
    for name, text in sorted(labels.items()):
        if "{{" not in text or _LABEL_ALONE.fullmatch(text):
            continue
        read = facts(text)
        if isinstance(read, TemplateProblem):
            yield f"label `{name}` is no template that can be read"
        elif read.queries:
            yield f"label `{name}` asks a query"
        elif read.uses_value:
            yield f"label `{name}` holds the value, so the alert is another one at every evaluation"
        else:
            yield f"label `{name}` is a template of more than `$labels`"
