"""The query nodes of a rule, and back: what a live rule means, or that it cannot be told.

`promql` leaves the comparison in PromQL. Its result is then filtered, so that a series is there only while
it is wrong, whatever its value (0, NaN and infinities are values too). Node B turns "there is a value" into
1, C asks for more than 0. `split` takes a comparison with a number out of PromQL, so that Grafana sees the
values below the threshold as well.

Before 11.6 the comparison of a split is a math node in every case, also where a threshold node of that name
exists: there the threshold node prints its number with six decimals (1e-7 became 0) and lets NaN fire. In a
math node NaN operands give NaN, which Grafana takes as firing, so it is excluded by name; for `!=` that is
right as it is, because NaN is unequal to every number in PromQL too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from tocsin.ir.compiled import Datasource, Version
from tocsin.ir.duration import ZERO, Duration
from tocsin.wire.grafana.rule import (
    EXPRESSION,
    INTERVAL_MS,
    MAX_DATA_POINTS,
    GrafanaRule,
    Json,
    Node,
    canonical,
)
from tocsin.wire.versions import supports

Operator = Literal[">", "<", ">=", "<=", "==", "!="]
Models: TypeAlias = "tuple[Mapping[str, Json], ...]"

QUERY: Final = "A"
"""The refId of the measured value; templates read it as `$values.A.Value`."""
CONDITION: Final = "C"
WINDOW: Final = 600
"""Seconds of `from` before `to`: without meaning for an instant query, but the server refuses an empty
range."""
PRESENT: Final = "is_number($A) || is_nan($A) || is_inf($A)"
_EVALUATORS: Final[Mapping[Operator, str]] = {">": "gt", "<": "lt", ">=": "gte", "<=": "lte", "==": "eq"}
_OPERATORS: Final[Mapping[str, Operator]] = {name: operator for operator, name in _EVALUATORS.items()}
_NOT_NAN: Final = "is_nan($A) == 0 && "
_MATH: Final = re.compile(r"(is_nan\(\$A\) == 0 && )?\$A (>=|<=|==|!=|>|<) (-?[0-9.]+)")
_QUERY_KEYS: Final = frozenset(
    {"refId", "datasource", "expr", "instant", "range", "intervalMs", "maxDataPoints"}
)
_LOOKS: Final = frozenset({"editorMode", "legendFormat", "hide", "exemplar", "queryType", "format"})
"""What an editor adds to a query without changing what it returns."""
_PLAIN_LABEL: Final = re.compile(r"(?:[^{]|\{(?!\{)|\{\{ ?\$labels\.[A-Za-z_][A-Za-z0-9_]* ?\}\})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An expression whose root compares with a number: the left side as its author wrote it."""

    query: str
    operator: Operator
    number: float

    @property
    def text(self) -> str:
        """The comparison as PromQL. A comment that ends the left side keeps its line."""
        gap = "\n" if "#" in self.query.rsplit("\n", 1)[-1] else " "
        return f"{self.query}{gap}{self.operator} {_plain(self.number)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a rule does at run time, read from its wire form: everything `ir.digest` asks for and a rule
    itself can say."""

    name: str
    expr: str
    for_: Duration
    keep_firing_for: Duration
    labels: Mapping[str, str]
    interval: Duration
    query_offset: Duration
    shape: Literal["promql", "split"]
    states: tuple[str, str, int | None]
    """No data, execution error, evaluations until a missing series is resolved (None: the server's own)."""
    datasource_uid: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Opaque:
    """A rule tocsin did not write like this: it can be compared byte for byte, not understood."""

    reason: str


def promql_nodes(expr: str, datasource: Datasource, offset: Duration) -> tuple[Node, ...]:
    """A the query, B whether there is a value, C more than 0. The condition is `CONDITION`."""
    return (
        _query(expr, datasource, offset),
        _expression("B", {"type": "math", "expression": PRESENT}),
        _expression(CONDITION, _threshold("B", "gt", 0)),
    )


def split_nodes(
    comparison: Comparison, datasource: Datasource, offset: Duration, version: Version
) -> tuple[Node, ...]:
    """A the query, C the comparison, as the node this version computes as Prometheus does."""
    evaluator = _EVALUATORS.get(comparison.operator)
    if evaluator is not None and supports("grafana", "http", "inclusive_thresholds", version):
        model = _threshold(QUERY, evaluator, comparison.number)
    else:
        guard = "" if comparison.operator == "!=" else _NOT_NAN
        model = {"type": "math", "expression": f"{guard}$A {comparison.operator} {_plain(comparison.number)}"}
    return (_query(comparison.query, datasource, offset), _expression(CONDITION, model))


def watch_nodes(datasource: Datasource) -> tuple[Node, ...]:
    """A constant asked of the data source, and a condition no answer can meet: such a rule fires on errors
    and silence alone."""
    return (_query("vector(1)", datasource, ZERO), _expression(CONDITION, _threshold(QUERY, "lt", 1)))


def _query(expr: str, datasource: Datasource, offset: Duration) -> Node:
    to = int(offset) // 1000
    return Node(
        ref_id=QUERY,
        datasource_uid=datasource.uid,
        range_from=WINDOW + to,
        range_to=to,
        model={
            "refId": QUERY,
            "datasource": {"type": datasource.type, "uid": datasource.uid},
            "expr": expr,
            "instant": True,
            "range": False,
            "intervalMs": INTERVAL_MS,
            "maxDataPoints": MAX_DATA_POINTS,
        },
    )


def _expression(ref_id: str, model: Mapping[str, Json]) -> Node:
    return Node(
        ref_id=ref_id,
        datasource_uid=EXPRESSION,
        model={
            "refId": ref_id,
            "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
            **model,
            "intervalMs": INTERVAL_MS,
            "maxDataPoints": MAX_DATA_POINTS,
        },
    )


def _threshold(of: str, evaluator: str, number: float) -> dict[str, Json]:
    value = int(number) if number == int(number) and abs(number) < 2**53 else number
    return {
        "type": "threshold",
        "expression": of,
        "conditions": [{"evaluator": {"type": evaluator, "params": [value]}}],
    }


def _plain(number: float) -> str:
    """Without an exponent: Grafana's math and PromQL both read it."""
    text = format(Decimal(repr(number)), "f")
    return text.removesuffix(".0")


def decode(rule: GrafanaRule, interval: Duration) -> Facts | Opaque:
    """What a live rule means, if it has one of the shapes tocsin writes; the group gives its interval."""
    rule = canonical(rule)
    if rule.extra:
        return Opaque(f"it has `{min(rule.extra)}`, which tocsin never writes")
    if rule.condition != CONDITION or not rule.data or rule.data[0].ref_id != QUERY:
        return Opaque("its nodes are not tocsin's")
    odd = next((name for name, value in rule.labels.items() if not _PLAIN_LABEL.fullmatch(value)), None)
    if odd is not None:
        return Opaque(f"the template of label `{odd}` is Grafana's")
    query = rule.data[0]
    expr = _expr_of(query)
    if expr is None:
        return Opaque("its query is no instant PromQL query alone")
    shaped = _shape_of(expr, rule.data[1:])
    if shaped is None:
        return Opaque("its conditions are not tocsin's")
    shape, whole = shaped
    return Facts(
        name=rule.title,
        expr=whole,
        for_=rule.for_,
        keep_firing_for=rule.keep_firing_for,
        labels=rule.labels,
        interval=interval,
        query_offset=Duration(query.range_to * 1000) if query.range_to else ZERO,
        shape=shape,
        states=(rule.no_data, rule.exec_err, rule.missing_series),
        datasource_uid=query.datasource_uid,
        paused=rule.paused,
    )


def _expr_of(query: Node) -> str | None:
    model = query.model
    plain = (
        model.keys() <= _QUERY_KEYS | _LOOKS
        and model.get("instant") is True
        and not model.get("range")
        and model.get("intervalMs") == INTERVAL_MS
        and query.datasource_uid != EXPRESSION
        and query.query_type == ""
        and query.range_from > query.range_to
    )
    expr = model.get("expr")
    return expr if plain and isinstance(expr, str) else None


def _shape_of(expr: str, expressions: tuple[Node, ...]) -> tuple[Literal["promql", "split"], str] | None:
    if any(node.datasource_uid != EXPRESSION for node in expressions):
        return None
    match [_bare(node) for node in expressions]:
        case [
            {"refId": "B", "type": "math", "expression": math},
            {"refId": "C", "type": "threshold", "expression": "B", "conditions": conditions},
        ] if math == PRESENT and _evaluator(conditions) == (">", 0):
            return "promql", expr
        case [{"refId": "C", "type": "threshold", "expression": "A", "conditions": conditions}]:
            found = _evaluator(conditions)
            return (
                ("split", Comparison(query=expr, operator=found[0], number=found[1]).text) if found else None
            )
        case [{"refId": "C", "type": "math", "expression": str(math)}]:
            match = _MATH.fullmatch(math)
            if match is None or (match[1] is None) != (match[2] == "!="):
                return None
            operator = next(each for each in (*_EVALUATORS, "!=") if each == match[2])
            return "split", Comparison(query=expr, operator=operator, number=float(match[3])).text
    return None


def _bare(node: Node) -> Mapping[str, Json]:
    """The model without what does not decide anything. A key that is left over keeps the patterns above
    from matching by `_evaluator`."""
    known = {"refId", "type", "expression", "conditions"}
    if node.model.keys() - known - {"datasource", "intervalMs", "maxDataPoints", "hide"}:
        return {}
    return {key: value for key, value in node.model.items() if key in known}


def _evaluator(conditions: Json) -> tuple[Operator, float] | None:
    """The operator and number of a threshold node's one condition; None for any other list, hysteresis
    included."""
    match conditions:
        case [{"evaluator": {"type": str(name), "params": [int() | float() as number, *_]}} as condition] if (
            name in _OPERATORS and isinstance(condition, Mapping) and "unloadEvaluator" not in condition
        ):
            return _OPERATORS[name], float(number)
    return None
