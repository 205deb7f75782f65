"""Drift for people (text), machines (JSON) and Prometheus (text metrics, for a textfile collector or a push)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from tocsin.report.findings import count
from tocsin.report.plan import field_line
from tocsin.report.visible import visible
from tocsin.sync.document import to_json
from tocsin.sync.drift import CLASSES, Drift
from tocsin.wire.grafana import Json


def as_text(drift: Drift, now: str) -> str:
    """A line for each difference, the fields below it."""
    return "\n".join(_lines(drift)) + "\n"


def as_markdown(drift: Drift, now: str) -> str:
    """For a comment or an issue: the same lines in a block that nothing in them can leave."""
    head, *lines = (each.replace("`", "'") for each in _lines(drift))
    body = "\n\n```text\n" + "\n".join(lines) + "\n```" if lines else ""
    return f"### {head}{body}\n"


def _lines(drift: Drift) -> Iterator[str]:
    counted = ", ".join(f"{drift.count(kind)} {kind}" for kind in CLASSES if drift.count(kind))
    yield f"{drift.environment} on {visible(drift.server.identity)}: {count(drift.compared, 'rule')} compared, {counted or 'no drift'}"
    for row in drift.rows:
        say = f": {visible(row.say)}" if row.say else ""
        yield f"{row.kind:9} {visible(row.title)} [{visible(row.key or row.uid)}] in {visible(row.place.folder)} / {visible(row.place.group)}{say}"
        for each in row.fields:
            yield f"          {field_line(each)}"
    for failing in drift.failing:
        yield f"failing   {visible(failing.title)} [{visible(failing.key or failing.uid)}]: {visible(failing.say)}"
    if drift.overrides is not None and drift.overrides.used:
        yield visible(drift.overrides.text)


def as_json(drift: Drift, now: str) -> str:
    """Everything, with the time it was read."""
    counts: dict[str, Json] = {kind: drift.count(kind) for kind in CLASSES}
    document: dict[str, Json] = {"format": 1, "at": now, "counts": counts, "drift": to_json(drift)}
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def as_metrics(drift: Drift, now: str) -> str:
    """Prometheus' text format. The time is when this was read: a job that stopped running shows by its age."""
    env = drift.environment.replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        "# HELP tocsin_drift_rules Rules that differ from the sources.",
        "# TYPE tocsin_drift_rules gauge",
        *(f'tocsin_drift_rules{{env="{env}",class="{kind}"}} {drift.count(kind)}' for kind in CLASSES),
        "# HELP tocsin_compared_rules Rules that were compared.",
        "# TYPE tocsin_compared_rules gauge",
        f'tocsin_compared_rules{{env="{env}"}} {drift.compared}',
        "# HELP tocsin_failing_rules Rules of ours whose evaluation fails.",
        "# TYPE tocsin_failing_rules gauge",
        f'tocsin_failing_rules{{env="{env}"}} {len(drift.failing)}',
        "# HELP tocsin_last_success_timestamp_seconds When the comparison last succeeded.",
        "# TYPE tocsin_last_success_timestamp_seconds gauge",
        f'tocsin_last_success_timestamp_seconds{{env="{env}"}} {int(datetime.fromisoformat(now).timestamp())}',
        *_override_metrics(drift, env),
    ]
    return "\n".join(lines) + "\n"


def _override_metrics(drift: Drift, env: str) -> Iterator[str]:
    if drift.overrides is None:
        return
    yield "# HELP tocsin_overrides_in_force Rules that run without a verdict."
    yield "# TYPE tocsin_overrides_in_force gauge"
    yield f'tocsin_overrides_in_force{{env="{env}"}} {len(drift.overrides.standing)}'
    yield "# HELP tocsin_overrides_used_total Rules that ever went out without a verdict."
    yield "# TYPE tocsin_overrides_used_total counter"
    yield f'tocsin_overrides_used_total{{env="{env}"}} {drift.overrides.used}'
