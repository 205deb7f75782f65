"""Prometheus' alerting rule, one evaluation after another: slow, plain, and without a word in common with the machine it judges.

What each step does was read in rules/alerting.go (AlertingRule.Eval, sendAlerts left out). Feed it the evaluations in the order of their times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]
RETENTION_MS = 15 * 60 * 1000
"""How long a resolved alert is remembered, for its end to be sent again. It never comes back to life from there."""


@dataclass(slots=True)
class Alert:
    """One label set's alert; times in milliseconds, None where something did not happen."""

    state: str
    active_at: int
    kept_since: int | None = None
    resolved_at: int | None = None


@dataclass(slots=True)
class AlertingRule:
    """`hold` is `for`, `keep` is `keep_firing_for`, both in milliseconds; no limit is 0."""

    hold: int
    keep: int
    limit: int = 0
    alerts: dict[Labels, Alert] = field(default_factory=dict)

    def evaluate(self, now: int, answer: Sequence[Labels] | None) -> Mapping[Labels, Alert] | None:
        """What ALERTS shows after an evaluation whose query returned these alerts, or failed (None). None where the evaluation failed."""
        if answer is None:
            return None
        if any(times > 1 for times in Counter(answer).values()):
            return None
        for labels in answer:
            there = self.alerts.get(labels)
            if there is None or there.state == "inactive":
                self.alerts[labels] = Alert("pending", now)
        shown: dict[Labels, Alert] = {}
        for labels, alert in list(self.alerts.items()):
            if labels in answer:
                alert.kept_since = None
            elif not self._survives(labels, alert, now):
                continue
            if alert.state == "pending" and now - alert.active_at >= self.hold:
                alert.state = "firing"
            shown[labels] = Alert(alert.state, alert.active_at, alert.kept_since)
        if 0 < self.limit < len(shown):
            self.alerts = {}
            return None
        return shown

    def _survives(self, labels: Labels, alert: Alert, now: int) -> bool:
        """Whether an alert that the answer lacks is still active."""
        if alert.state == "pending":
            del self.alerts[labels]
            return False
        if alert.state == "inactive":
            assert alert.resolved_at is not None
            if now - alert.resolved_at > RETENTION_MS:
                del self.alerts[labels]
            return False
        if self.keep > 0:
            if alert.kept_since is None:
                alert.kept_since = now
            if now - alert.kept_since < self.keep:
                return True
        alert.state, alert.resolved_at = "inactive", now
        return False


def alert_labels(series: Labels, rule_labels: Mapping[str, str], name: str) -> Labels:
    """The labels of the alert that a sample makes. Templates know `{{ $labels.x }}` and nothing else."""
    labels = {key: value for key, value in series if key != "__name__"}
    for key, text in rule_labels.items():
        value = text
        for had, given in series:
            value = value.replace("{{ $labels." + had + " }}", given)
        # What is left of them names labels that the series does not have.
        while "{{ $labels." in value:
            before, _, rest = value.partition("{{ $labels.")
            value = before + rest.partition(" }}")[2]
        labels[key] = value
    labels["alertname"] = name
    return tuple(sorted((key, value) for key, value in labels.items() if value != ""))
