"""Grafana's state manager for one rule, one evaluation after another: plain, and without a word in common with the machine it judges.

Read in pkg/services/ngalert/state (manager.go: ProcessEvalResults, setNextStateForRule, processMissingSeriesStates; state.go: resultNormal,
resultAlerting, resultNoData, resultError, resultKeepLast) of 12 and 13. The rule is of one of the shapes that tocsin emits: a series is in the answer
while it is wrong, or (`split`) is there as normal when it is not. `apart` is how it was before an answer for all reached every instance (9.4): no data
and errors are instances of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Instance:
    """A row of the state cache. `began` is when it left Normal, `fired` when it began to alert."""

    state: str = "Normal"
    starts_at: int = 0
    last_evaluated: int = 0
    began: int | None = None
    fired: int | None = None


@dataclass(slots=True)
class Manager:
    """Durations are milliseconds."""

    interval: int
    wait: int
    keep: int
    missing_evals: int
    no_data: str
    exec_err: str
    apart: bool = False
    split: bool = False
    cache: dict[int, Instance] = field(default_factory=dict)

    def evaluate(self, now: int, answer: Sequence[int] | None) -> dict[int, tuple[str, int, int | None]]:
        """Series -> (state, since when it is not Normal, since when it alerts), after an evaluation with that answer or with an error (None)."""
        if answer is None:
            self._for_all(now, self.exec_err, own="Error")
        elif not answer and not self.split:
            self._for_all(now, self.no_data, own="NoData")
        else:
            if self.split:
                for series in self.cache.keys() - set(answer):
                    self._normal(self.cache[series], now)
                    self.cache[series].last_evaluated = now
            for series in answer:
                instance = self.cache.setdefault(series, Instance())
                self._alerting(instance, now)
                instance.last_evaluated = now
        self._drop_stale(now)
        return {
            series: (each.state, each.began, each.fired)
            for series, each in self.cache.items()
            if each.began is not None
        }

    def _for_all(self, now: int, setting: str, own: str) -> None:
        if setting == own or self.apart:
            return
        for instance in self.cache.values():
            instance.last_evaluated = now
            if setting == "Alerting":
                self._alerting(instance, now)
            elif setting == "OK":
                self._normal(instance, now)
            elif setting == "KeepLast":
                self._keep_last(instance, now)
            else:
                raise AssertionError(setting)

    def _drop_stale(self, now: int) -> None:
        allowed = self.interval * self.missing_evals
        self.cache = {
            series: each for series, each in self.cache.items() if now - each.last_evaluated < allowed
        }

    def _alerting(self, it: Instance, now: int) -> None:
        if it.state == "Alerting":
            return
        if it.state == "Recovering":
            it.state = "Alerting"
        elif it.state == "Pending":
            if now - it.starts_at >= self.wait:
                it.state, it.fired = "Alerting", now
        elif self.wait > 0:
            it.state, it.starts_at, it.began = "Pending", now, now
        else:
            it.state, it.starts_at, it.began, it.fired = "Alerting", now, now, now

    def _normal(self, it: Instance, now: int) -> None:
        if it.state == "Alerting" and self.keep > 0:
            it.state, it.starts_at = "Recovering", now
        elif it.state != "Recovering" or now - it.starts_at >= self.keep:
            it.state, it.began, it.fired = "Normal", None, None

    def _keep_last(self, it: Instance, now: int) -> None:
        if it.state == "Alerting":
            self._alerting(it, now)
        elif it.state == "Pending":
            if now - it.starts_at >= self.wait:
                self._alerting(it, now)
        else:
            self._normal(it, now)
