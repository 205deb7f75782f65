"""From the label sets of a query's result to those of alerts.

    Presence of series -> Presence of alerts, and where two series meet in one alert

A Prometheus takes the labels of the sample without `__name__`, lays the labels of group and rule over them, then `alertname`, and forgets what is
empty (rules/alerting.go, AlertingRule.Eval). Two samples of one evaluation that come out equal fail the evaluation whole. A Grafana does the same
with two differences: `__name__` stays, and two samples that come out equal are one instance, updated twice (state/cache.go, state/manager.go).

Of templates only `{{ $labels.x }}` is written out, with Go's trim markers. Any other text stays as it is, one value for every series: `lints` has
said before that such a replay is not exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from tocsin.canary.values import Ints, Labels, Machine, Presence, RuleVersion

ALERT_NAME = "alertname"
_METRIC_NAME = "__name__"
_LABEL = re.compile(r"(?:\{\{-\s+|\{\{\s*)\$labels\.([A-Za-z_]\w*)(?:\s+-\}\}|\s*\}\})", re.ASCII)
_TRIM_BEFORE = re.compile(r"[ \t\r\n]+(?=\{\{-\s)")
_TRIM_AFTER = re.compile(r"(?<=\s-\}\})[ \t\r\n]+")
_NO_VALUE: Mapping[Machine, str] = {"prometheus": "", "grafana": "[no value]"}


def identities(raw: Presence, version: RuleVersion) -> tuple[Presence, Ints]:
    """`raw` with the label sets of alerts, series of one alert merged; and the grid indices, sorted, at which two of them are there at once, where
    a Prometheus fails the evaluation (none for a Grafana). What is merged at such an index has the value of one of them."""
    label = _labeller(version)
    known: dict[Labels, int] = {}
    target = np.fromiter(
        (known.setdefault(label(labels), len(known)) for labels in raw.series),
        dtype=np.int32,
        count=len(raw.series),
    )
    nowhere = np.zeros(0, dtype=np.int32)
    if len(known) == len(raw.series):
        return Presence(series=tuple(known), row=raw.row, at=raw.at, value=raw.value), nowhere
    row = target[raw.row]
    order = np.lexsort((raw.at, row))
    row, at = row[order], raw.at[order]
    again = np.zeros(row.size, dtype=np.bool_)
    again[1:] = (row[1:] == row[:-1]) & (at[1:] == at[:-1])
    merged = Presence(
        series=tuple(known),
        row=row[~again],
        at=at[~again],
        value=None if raw.value is None else raw.value[order][~again],
    )
    meets = nowhere if version.machine == "grafana" else np.unique(at[again]).astype(np.int32)
    return merged, meets


def _labeller(version: RuleVersion) -> Callable[[Labels], Labels]:
    """What makes an alert's labels of a series' labels."""
    own = {name: text for name, text in version.labels.items() if name != ALERT_NAME}
    written = {name: text for name, text in own.items() if "{{" in text}
    fixed = {name: text for name, text in own.items() if name not in written}
    fixed[ALERT_NAME] = version.name
    nothing = _NO_VALUE[version.machine]
    named = version.machine == "grafana"

    def label(series: Labels) -> Labels:
        had = dict(series)
        out = had if named and not written else dict(had)
        if not named:
            out.pop(_METRIC_NAME, None)
        for name, text in written.items():
            out[name] = _expanded(text, had, nothing)
        out.update(fixed)
        return tuple(sorted((name, value) for name, value in out.items() if value))

    return label


def _expanded(text: str, labels: Mapping[str, str], nothing: str) -> str:
    """The text with the series' labels in it; as it is where it reads anything else."""
    if "{{" in _LABEL.sub("", text):
        return text
    text = _TRIM_AFTER.sub("", _TRIM_BEFORE.sub("", text))
    return _LABEL.sub(lambda match: labels.get(match[1]) or nothing, text)
