"""Every function of Prometheus 3.5 (and what 2.x and the newest add), by what it does to the labels of its
series.

From promql/functions.go of Prometheus 3.5; the contract tests hold the table against real servers.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from tocsin.promql.tree import Call

Effect = Literal["keep", "drop_name", "no_labels", "histogram", "absent", "replace", "join", "info", "date"]
"""keep: all labels stay. drop_name: all but the metric name. no_labels: a scalar, or a vector without labels.
histogram: buckets merge, so `le` goes too. absent: the labels the selector's equality matchers name.
replace and join: one label is written. info: labels of other series are added. date: drop_name, or
no_labels without argument.
"""

_EFFECTS: dict[Effect, tuple[str, ...]] = {
    "keep": (
        *("first_over_time", "last_over_time"),
        *("sort", "sort_by_label", "sort_by_label_desc", "sort_desc"),
    ),
    "drop_name": (
        *("abs", "acos", "acosh", "asin", "asinh", "atan"),
        *("atanh", "ceil", "clamp", "clamp_max", "clamp_min", "cos"),
        *("cosh", "deg", "exp", "floor", "ln", "log10", "log2"),
        *("rad", "round", "sgn", "sin", "sinh", "sqrt", "tan"),
        *("tanh", "timestamp"),
        *("changes", "delta", "deriv", "double_exponential_smoothing"),
        *("holt_winters", "idelta", "increase", "irate"),
        *("predict_linear", "rate", "resets"),
        *("avg_over_time", "count_over_time", "mad_over_time", "max_over_time", "min_over_time"),
        *("present_over_time", "quantile_over_time", "stddev_over_time", "stdvar_over_time", "sum_over_time"),
        *("ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time"),
        *("histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum"),
    ),
    "no_labels": ("pi", "scalar", "time", "vector"),
    "histogram": ("histogram_fraction", "histogram_quantile"),
    "absent": ("absent", "absent_over_time"),
    "replace": ("label_replace",),
    "join": ("label_join",),
    "info": ("info",),
    "date": (
        *("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"),
    ),
}  # fmt: skip

FUNCTIONS: MappingProxyType[str, Effect] = MappingProxyType(
    {name: effect for effect, names in _EFFECTS.items() for name in names}
)


_LATER_ARGUMENT = {"quantile_over_time": 1, "histogram_quantile": 1, "histogram_fraction": 2}


def series_argument(call: Call) -> int:
    """Which argument of `call` holds the series whose labels the result has."""
    return _LATER_ARGUMENT.get(call.name, 0)
