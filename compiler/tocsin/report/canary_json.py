"""A backtest for a program: one JSON document in the shape of `schemas/canary-report.schema.json`.

In: a `Backtest`. Out: JSON, the worst rule first. `format` is the format's: a reader that knows format 1 may meet new keys, never a key with another
meaning. Times are RFC 3339 in UTC with milliseconds, durations seconds, rates between 0 and 1; null is "there is no such number".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tocsin.canary.comparison import Comparison, Judged, Metrics, Run, Spell, Spread
from tocsin.report import canary
from tocsin.report.canary import Backtest
from tocsin.report.sparkline import sparklines
from tocsin.report.visible import encodable
from tocsin.verdict.record import Json

FORMAT = 1


def as_json(backtest: Backtest) -> str:
    """The document, newline-terminated."""
    document: dict[str, Json] = {
        "format": FORMAT,
        "tool": {"name": "tocsin", "version": backtest.version},
        "environment": backtest.environment,
        "base": encodable(backtest.base),
        "source": encodable(backtest.source),
        "window": _window(backtest.window.start_ms, backtest.window.end_ms),
        "summary": {
            "rules": len(backtest.judged),
            "failed": backtest.failed,
            "verdicts": {each: backtest.count(each) for each in canary.WORST_FIRST},
        },
        "uncaught": [{"id": each.id, "title": encodable(each.title)} for each in backtest.uncaught],
        "rules": [_rule(each) for each in backtest.worst_first],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _window(start_ms: int, end_ms: int) -> Json:
    return {"start": _time(start_ms), "end": _time(end_ms)}


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def _rule(judged: Judged) -> Json:
    comparison = judged.comparison
    return {
        "rule": {
            "env": judged.key.env,
            "id": judged.key.id,
            "level": judged.key.level,
            "override": judged.key.override,
            "name": encodable(comparison.name) if comparison is not None else "",
        },
        "verdict": judged.verdict,
        "reason": encodable(judged.reason),
        "needs_test": judged.needs_test,
        "needs_approver": judged.needs_approver,
        "gates": [
            {
                "id": each.id,
                "verdict": each.verdict,
                "old": each.old,
                "new": each.new,
                "ci": list(each.ci),
                "message": encodable(each.message),
            }
            for each in canary.gates(judged)
        ],
        "waivers": [
            {
                "gate": each.gate,
                "by": encodable(each.by),
                "reason": encodable(each.reason),
                "expires": each.expires.isoformat(),
            }
            for each in judged.waivers
        ],
        "next": list(canary.advice(judged)),
        "comparison": _comparison(comparison) if comparison is not None else None,
    }


def _comparison(comparison: Comparison) -> Json:
    old, new = sparklines(comparison.old_spells, comparison.new_spells, comparison.window)
    ratio, calibration = comparison.page_ratio, comparison.calibration
    longest, number = canary.gained(comparison)
    return {
        "change": comparison.change,
        "service": encodable(comparison.service),
        "severity": comparison.severity,
        "exactness": encodable(comparison.exactness),
        "assumptions": encodable(canary.assumptions(comparison)),
        "old": _side(comparison.old, comparison.old_run, old),
        "new": _side(comparison.new, comparison.new_run, new),
        "page_ratio": [ratio.value, ratio.low, ratio.high] if ratio is not None else None,
        "calibration": {"agreement": calibration.agreement, "evaluations": calibration.n}
        if calibration is not None
        else None,
        "spread": _spread(comparison.spread) if comparison.spread is not None else None,
        "matched": {
            "by": comparison.paired_by,
            "kept": comparison.kept,
            "lost": comparison.lost,
            "gained": comparison.gained,
            "split": comparison.split,
            "merged": comparison.merged,
            "duration_ratio": comparison.matched_duration_ratio,
            "shift": comparison.shift_s,
        },
        "unmatched_is": canary.unmatched_name(comparison),
        "figures": [
            {
                "name": each.name,
                "unit": each.unit,
                "old": each.old,
                "new": each.new,
                "percent": each.percent,
            }
            for each in comparison.figures
        ],
        "incidents": [
            {
                "id": each.id,
                "title": encodable(each.title),
                **{"start": _time(each.start_ms), "end": None if each.open else _time(each.end_ms)},
                "in_scope": each.in_scope,
                "caught_by_others": each.caught_by_others,
            }
            for each in comparison.incidents
        ],
        "gained": {"episodes": number, "longest": [_episode(each) for each in longest]},
        "lost_in_incidents": [_episode(each) for each in canary.lost_matching(comparison)],
    }


def _side(metrics: Metrics | None, run: Run | None, drawn: str) -> Json:
    if run is None:
        return None
    return {
        "digest": run.digest,
        "expr": encodable(run.expr),
        "for": run.for_ms / 1000,
        "keep_firing_for": run.keep_ms / 1000,
        "interval": run.interval_ms / 1000,
        "machine": run.machine,
        "exactness": encodable(run.exactness.text),
        "evaluations": run.evaluations,
        "failed_evaluations": run.failed,
        "phase": {"seconds": run.phase_ms / 1000, "how": run.phase_how},
        "metrics": _metrics(metrics) if metrics is not None else None,
        "sparkline": drawn if metrics is not None else "",
    }


def _spread(spread: Spread) -> Json:
    return {
        "phases": [
            {
                "old": each.old_ms / 1000 if each.old_ms is not None else None,
                "new": each.new_ms / 1000 if each.new_ms is not None else None,
                "verdict": each.verdict,
            }
            for each in spread.phases
        ],
        "metrics": [
            {
                "name": each.name,
                "old": list(each.old) if each.old is not None else None,
                "new": list(each.new) if each.new is not None else None,
            }
            for each in spread.extents
        ],
        "left_out": encodable(spread.left_out),
    }


def _metrics(metrics: Metrics) -> Json:
    interval = metrics.unmatched_interval
    return {
        "pages": metrics.pages,
        "pages_per_day": metrics.pages_per_day,
        "pages_per_week": metrics.pages_per_week,
        "episodes": metrics.episodes,
        "carried_in": metrics.carried_in,
        "firing_hours": metrics.firing_hours,
        "mean": metrics.mean_s,
        "median": metrics.median_s,
        "p90": metrics.p90_s,
        "flaps": metrics.flaps,
        "flap_rate": metrics.flap_rate,
        "peak": metrics.peak,
        "jump": metrics.jump,
        "unmatched_pages": metrics.unmatched,
        "unmatched_rate": metrics.unmatched_rate,
        "unmatched_interval": list(interval) if interval is not None else None,
        "false_positive_rate": metrics.false_positive_rate,
        "precision": metrics.precision,
        "recall": metrics.recall,
        "f1": metrics.f1,
        "judged": {name: metrics.judged[name] for name in sorted(metrics.judged)},
        "detections": [
            {
                "incident": each.incident,
                "detected": each.detected,
                "delay": each.delay_s,
                "reset": each.reset_s,
                "sole": each.sole,
            }
            for each in metrics.detections
        ],
    }


def _episode(spell: Spell) -> Json:
    return {
        "labels": {encodable(name): encodable(value) for name, value in spell.labels},
        "pending": _time(spell.active_ms),
        "firing": _time(spell.fired_ms),
        "resolved": None if spell.open else _time(spell.resolved_ms),
        "incidents": list(spell.incidents),
        "judged": spell.verdict,
    }
