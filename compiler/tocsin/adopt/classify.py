"""Why a foreign rule cannot be carried: another dialect, a template nobody has filled in yet, or a real
mistake.

The class decides what its owner does next: choose another evaluator, adopt the rendered file instead, or
repair the rule. Classes are told by marks that valid PromQL cannot carry; only text that has already failed
to parse comes here, so a wrong guess costs a word, never a rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Code = Literal["TOC811", "TOC812", "TOC813"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A class, one sentence, and the way out."""

    code: Code
    message: str
    help: str = ""


_HELM = re.compile(
    r"\{\{-?\s*(?:\.|\$\.|if\b|else\b|end\b|range\b|with\b|include\b|template\b|define\b|tpl\b|toYaml\b|default\b|[a-z_]+\.)|\{%"
)
_PLACEHOLDERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL), "a template expression"),
    (re.compile(r"%\([A-Za-z_]\w*\)[sdfg]"), "a jsonnet format field"),
    (re.compile(r"\$\{[^}]*\}"), "a variable to be replaced"),
    (re.compile(r"\[\[[^\]]*\]\]|\$__\w+|\$[A-Za-z_]\w*"), "a dashboard variable"),
    (re.compile(r"<[A-Za-z_][\w .-]*>"), "a placeholder"),
    (re.compile(r"@@\w+@@|__[A-Z][A-Z_]+__"), "a placeholder"),
)
_LOGQL = re.compile(
    r"\|[=~]|\}\s*!=\s*[\"`]|\|\s*(?:json|logfmt|pattern|regexp|unpack|unwrap|line_format|label_format|decolorize|drop|keep)\b|\bbytes_(?:rate|over_time)\s*\("
)
_SQL = re.compile(r"\s*(?:select\b.*\bfrom\b|with\b\s+\w+\s+as\b)", re.IGNORECASE | re.DOTALL)
_LOGSQL = re.compile(r"\|\s*stats\b|\b_time:|\b_msg:|\b_stream:")
_METRICSQL_FUNCTIONS = (
    "aggr_over_time ascent_over_time avg_over_time_sum count_eq_over_time count_gt_over_time count_le_over_time count_ne_over_time "
    "count_values_over_time decreases_over_time default_rollup delta_prometheus deriv_fast descent_over_time distinct_over_time duration_over_time "
    "first_over_time geomean_over_time histogram_over_time hoeffding_bound_lower hoeffding_bound_upper ideriv increase_prometheus increase_pure "
    "increases_over_time integrate lag lifetime median_over_time mode_over_time outlier_iqr_over_time quantiles_over_time range_over_time "
    "rate_over_sum rate_prometheus rollup rollup_candlestick rollup_delta rollup_deriv rollup_increase rollup_rate rollup_scrape_interval "
    "scrape_interval share_eq_over_time share_gt_over_time share_le_over_time stale_samples_over_time sum2_over_time sum_eq_over_time "
    "sum_gt_over_time sum_le_over_time tfirst_over_time timestamp_with_name tlast_change_over_time tlast_over_time tmax_over_time tmin_over_time "
    "zscore_over_time bitmap_and bitmap_or bitmap_xor buckets_limit drop_common_labels drop_empty_series end histogram_avg histogram_share "
    "interpolate keep_last_value keep_next_value limit_offset now prometheus_buckets rand rand_exponential rand_normal range_avg range_first "
    "range_last range_linear_regression range_mad range_max range_median range_min range_normalize range_quantile range_stddev range_stdvar "
    "range_sum range_trim_outliers range_trim_spikes range_trim_zscore range_zscore remove_resets running_avg running_max running_min running_sum "
    "ru smooth_exponential start step union vmrange_buckets alias label_copy label_del label_graphite_group label_keep label_lowercase "
    "label_map label_match label_mismatch label_move label_set label_transform label_uppercase label_value labels_equal sort_by_label_numeric "
    "any bottomk_avg bottomk_last bottomk_max bottomk_median bottomk_min distinct geomean histogram limitk mad median mode outliers_iqr "
    "outliers_mad outliersk share sum2 topk_avg topk_last topk_max topk_median topk_min zscore"
)
_METRICSQL = re.compile(
    r"\b(?:" + _METRICSQL_FUNCTIONS.replace(" ", "|") + r")\s*(?:by\b[^(]*\([^)]*\)\s*)?\("
    r"|\bkeep_metric_names\b|\b(?:default|ifnot|if)\b|\bWITH\s*\(|\b[0-9.]+(?:[KMGT]i?B?)\b|\[[0-9.]+i\]|\{[^}]*\"\s+or\s+\w"
)
_GRAPHITE = re.compile(
    r"\b(?:alias|summarize|movingAverage|scale|sumSeries|averageSeries|filterSeries|divideSeries|asPercent)\s*\(|[A-Za-z_]\w*(?:\.[\w*{}-]+){2,}"
)
_EXPERIMENTAL = re.compile(r"\b(?:anchored|smoothed)\b|\bfill(?:_left|_right)?\s*\(|\[[^\]]*[-+*/^][^\]]*\]")

_VM_TEMPLATE = re.compile(
    r"\$(?:expr|for|activeAt|alertID|groupID|isPartial|type)\b"
    r"|\b(?:crlfEscape|htmlEscape|jsonEscape|quotesEscape|queryEscape|formatTime|parseDurationTime)\b"
)

GROUP_DIALECTS: dict[str, str] = {
    "partial_response_strategy": "Thanos",
    "source_tenants": "Mimir",
    "align_evaluation_time_on_interval": "Mimir",
    "evaluation_delay": "Mimir",
    "remote_write": "Loki and cortextool",
    "type": "VictoriaMetrics",
    "concurrency": "VictoriaMetrics",
    "params": "VictoriaMetrics",
    "headers": "VictoriaMetrics",
    "notifier_headers": "VictoriaMetrics",
    "extra_filter_labels": "VictoriaMetrics",
    "tenant": "VictoriaMetrics",
    "eval_offset": "VictoriaMetrics",
    "eval_delay": "VictoriaMetrics",
    "eval_alignment": "VictoriaMetrics",
    "debug": "VictoriaMetrics",
    "tenantID": "the Loki operator",
}
RULE_DIALECTS: dict[str, str] = {
    "debug": "VictoriaMetrics",
    "update_entries_limit": "VictoriaMetrics",
    "partial_response_strategy": "Thanos",
}
"""Fields of other rule evaluators, with the name their owner knows them by."""
HARMLESS: dict[str, tuple[object, ...]] = {
    "partial_response_strategy": ("", "abort", "ABORT"),
    "type": ("prometheus",),
    "source_tenants": (None,),
    "debug": (False,),
}
"""Values that say what Prometheus does anyway: the field can be left behind with a note."""


def looks_unfilled(text: str) -> bool:
    """Whether a file that is not YAML is a template of Helm, Jinja or the like."""
    return _HELM.search(text) is not None


def old_syntax(text: str) -> bool:
    """Whether this is the rule syntax of Prometheus 1, which YAML takes for one long text."""
    return re.search(r"^\s*ALERT\s+\w+\s+IF\b", text, re.MULTILINE) is not None


def placeholder(text: str) -> str | None:
    """The first thing in `text` that somebody's tool was to replace, in words; None where there is none."""
    for pattern, word in _PLACEHOLDERS:
        if match := pattern.search(text):
            return f"`{match.group()[:60]}` is {word}"
    return None


def of_expression(expr: str, problem: str) -> Reason:
    """Why an expression that does not parse does not parse; `problem` is the parser's sentence."""
    filled = _without_strings(expr)
    if _SQL.match(expr):
        return Reason(
            "TOC811",
            "the expression is SQL, not PromQL",
            "run it where it is understood; tocsin adopts PromQL",
        )
    if _LOGQL.search(filled):
        return Reason(
            "TOC811", "the expression is LogQL, not PromQL", "a Loki ruler evaluates it; tocsin adopts PromQL"
        )
    if _LOGSQL.search(filled):
        return Reason(
            "TOC811", "the expression is LogsQL of VictoriaLogs, not PromQL", "tocsin adopts PromQL"
        )
    left = placeholder(filled) or (placeholder(expr) if "{{" in expr or "%(" in expr else None)
    if left is not None:
        return Reason(
            "TOC812",
            f"{left}, so this is not an expression yet",
            "adopt what your templating tool renders from it",
        )
    if match := _METRICSQL.search(filled):
        return Reason(
            "TOC811",
            f"`{match.group().strip().rstrip('(').strip()}` is MetricsQL, not PromQL",
            "VictoriaMetrics evaluates it; rewrite it in PromQL to adopt it",
        )
    if _EXPERIMENTAL.search(filled):
        return Reason(
            "TOC811",
            "the expression uses an experimental feature that Prometheus 3 has switched off by default",
            "write it in stable PromQL to adopt it",
        )
    if _GRAPHITE.search(filled):
        return Reason("TOC811", "the expression is a Graphite query, not PromQL", "tocsin adopts PromQL")
    return Reason(
        "TOC813", f"the expression does not parse: {problem}", "repair it in the original, then adopt again"
    )


def of_template(text: str, problem: str) -> Reason:
    """Why a label's or annotation's template does not parse."""
    if re.search(r"\.Values\b|\.Release\b|\binclude\s+\"|\.Chart\b|\btpl\b", text) or "{%" in text:
        return Reason(
            "TOC812",
            f"a chart's own template is left in it: {problem}",
            "adopt what your templating tool renders from it",
        )
    if match := _VM_TEMPLATE.search(text):
        message = f"`{match.group()}` is known to VictoriaMetrics' templates alone: {problem}"
        return Reason("TOC811", message, "rewrite it for Prometheus to adopt it")
    return Reason(
        "TOC813", f"the template does not parse: {problem}", "repair it in the original, then adopt again"
    )


def of_name(text: str, what: str, rule: str) -> Reason:
    """Why a name is none."""
    left = placeholder(text)
    if left is not None:
        return Reason(
            "TOC812", f"{left}, so this is not {what} yet", "adopt what your templating tool renders from it"
        )
    return Reason("TOC813", f"`{text}` is not {what}", rule)


def _without_strings(expr: str) -> str:
    """`expr` with the text of its quoted strings blanked, so that a mark inside a string counts for nothing."""
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`", '""', expr)
