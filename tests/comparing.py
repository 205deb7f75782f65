"""Comparisons for tests of reports, with one-word overrides: what a replay would have found, without a replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tocsin.canary.comparison import (
    Comparison,
    Detection,
    Figure,
    IncidentSpan,
    Judged,
    Metrics,
    Page,
    Ratio,
    Run,
    Spell,
)
from tocsin.canary.values import EXACT, Window
from tocsin.ir.compiled import RuleKey
from tocsin.report.canary import Backtest
from tocsin.verdict.record import GateResult, GateVerdict

DAY = 86_400_000
HOUR = 3_600_000
START = 1_786_320_000_000
"""2026-08-10T00:00:00Z."""
WINDOW = Window(start_ms=START, end_ms=START + 14 * DAY)


def spell(at: int, minutes: int = 10, kind: Any = "kept", **more: Any) -> Spell:
    """An episode that begins `at` milliseconds after the window's start."""
    labels = more.pop("labels", (("alertname", "Lag"), ("cluster", "prod-a")))
    begin = START + at
    end = begin + minutes * 60_000
    return Spell(labels=labels, active_ms=begin, fired_ms=begin, resolved_ms=end, kind=kind, **more)


def metrics(pages: int, **more: Any) -> Metrics:
    """So many pages of one episode each."""
    given: dict[str, Any] = {
        "pages_per_day": pages / 14,
        "episodes": pages,
        "carried_in": 0,
        "firing_hours": pages / 6,
        "closed": pages,
        "mean_s": 600.0 if pages else None,
        "median_s": 600.0 if pages else None,
        "p90_s": 600.0 if pages else None,
        "flaps": 0,
        "flap_rate": 0.0 if pages else None,
        "peak": min(pages, 1),
        "jump": min(pages, 1),
        "unmatched": pages,
        "unmatched_rate": 1.0 if pages else None,
        "unmatched_interval": (0.3, 1.0) if pages else None,
        "unmatched_episodes": pages,
    }
    return Metrics(pages=pages, **{**given, **more})


def run(**more: Any) -> Run:
    """An exact replay of half a minute's interval."""
    given: dict[str, Any] = {
        "exactness": EXACT,
        "digest": "0" * 24,
        "expr": "lag > 1",
        "interval_ms": 30_000,
        "evaluations": 40_320,
        "phase_ms": 1_500,
        "phase_how": "rules",
    }
    return Run(**{**given, **more})


def incident(id: str = "INC-2026-004", at: int = 9 * HOUR, hours: int = 2, **more: Any) -> IncidentSpan:
    """An incident that begins `at` milliseconds after the window's start."""
    begin = START + at
    return IncidentSpan(
        id=id, title=more.pop("title", "Late mail"), start_ms=begin, end_ms=begin + hours * HOUR, **more
    )


def comparison(old: Sequence[Spell] = (), new: Sequence[Spell] = (), **more: Any) -> Comparison:
    """A changed rule of which these episodes are known; metrics follow their number."""

    def pages(spells: Sequence[Spell]) -> tuple[Page, ...]:
        return tuple(
            Page(
                group=each.labels,
                start_ms=each.fired_ms,
                end_ms=each.resolved_ms,
                spells=(at,),
                kind=each.kind if each.kind in ("lost", "gained") else "kept",
            )
            for at, each in enumerate(spells)
        )

    given: dict[str, Any] = {
        "key": RuleKey("prod", "lag", "ticket"),
        "name": "Lag",
        "service": "kafka",
        "severity": "P2",
        "severities": ("P2",),
        "change": "changed",
        "window": WINDOW,
        "days": WINDOW.days,
        "old": metrics(len(old)),
        "new": metrics(len(new)),
        "old_run": run(),
        "new_run": run(),
        "kept": sum(each.kind == "kept" for each in old),
        "lost": sum(each.kind == "lost" for each in old),
        "gained": sum(each.kind == "gained" for each in new),
        "page_ratio": Ratio(value=0.5, low=0.25, high=0.75),
        "figures": (Figure(name="pages per day", unit="/d", old=1.0, new=0.5, percent=-50.0),),
        "old_spells": tuple(old),
        "new_spells": tuple(new),
        "old_pages": pages(old),
        "new_pages": pages(new),
    }
    return Comparison(**{**given, **more})


def judged(found: Comparison | None = None, verdict: Any = "pass", **gates: GateVerdict) -> Judged:
    """A verdict, with gates by name (`went_silent="fail"`)."""
    found = comparison() if found is None else found
    results = tuple(
        GateResult(id=name.replace("_", "-"), verdict=end, old=1.0, new=2.0, message=f"about {name}")
        for name, end in gates.items()
    )
    return Judged(key=found.key, comparison=found, verdict=verdict, gates=results)


def detection(incident: str, delay_s: float | None, **more: Any) -> Detection:
    """Of an incident: caught after so many seconds, or missed (None)."""
    return Detection(incident=incident, detected=delay_s is not None, delay_s=delay_s, **more)


def backtest(*rules: Judged, **more: Any) -> Backtest:
    """A run over `WINDOW`."""
    given: dict[str, Any] = {"environment": "prod", "base": "main", "window": WINDOW, "version": "0.1.0"}
    return Backtest(judged=rules, **{**given, **more})
