"""Replays by hand, for tests of what is made of them: minutes since the window's start instead of arrays.

`replayed(old={"a": [(10, 20)]}, new={"a": [(12, 20)]})` is a rule whose instance `a` fired from minute 10 to 20, and now from 12. An end of None
goes on after the window; a start below 0 was carried in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tocsin.canary.compare import NO_EVIDENCE, Evidence, compare
from tocsin.canary.comparison import Comparison
from tocsin.canary.incidents import Known
from tocsin.canary.values import (
    CARRIED_IN,
    EXACT,
    NEVER,
    OPEN,
    Grid,
    Labels,
    Pair,
    Replay,
    Replayed,
    RuleVersion,
    Timeline,
    Window,
)
from tocsin.ir.canary import CanaryPolicy
from tocsin.ir.compiled import RuleKey

MINUTE = 60_000
HOUR = 60
DAY = 24 * HOUR
T0 = 1_786_320_000_000
"""2026-08-10T00:00:00Z."""
WINDOW = Window(start_ms=T0, end_ms=T0 + 14 * DAY * MINUTE)
KEY = RuleKey("prod", "kafka-consumer-lag", "page")
POLICY = CanaryPolicy()
Spans = Mapping[Any, Sequence[tuple[int, int | None]]]
"""Instance (or whole label set) -> (first, end) in minutes."""


def version(**more: Any) -> RuleVersion:
    """A rule evaluated every minute."""
    given: dict[str, Any] = {
        "key": KEY,
        "digest": "0" * 24,
        "name": "KafkaConsumerLagPage",
        "expr": "lag > 5",
        "for_ms": 0,
        "keep_ms": 0,
        "labels": {"severity": "critical", "rule_id": "kafka-consumer-lag"},
        "interval_ms": MINUTE,
        "service": "kafka",
        "severity": "P1",
    } | more
    return RuleVersion(**given)


def labelled(instance: str | Labels, of: RuleVersion) -> Labels:
    """The alert's identity: the series' labels and those of its rule."""
    own = dict((("instance", instance),) if isinstance(instance, str) else instance)
    return tuple(sorted({**own, "alertname": of.name, **of.labels}.items()))


def timeline(spans: Spans, of: RuleVersion, window: Window = WINDOW, **more: Any) -> Timeline:
    """The spells as the machine gives them. `missed` and `failed` are minutes."""
    rows = []
    identities = tuple(sorted(labelled(instance, of) for instance in spans))
    for instance, mine in spans.items():
        row = identities.index(labelled(instance, of))
        for first, end in mine:
            fired = window.start_ms + first * MINUTE
            flags = (CARRIED_IN if first < 0 else 0) | (OPEN if end is None else 0)
            resolved = NEVER if end is None else window.start_ms + end * MINUTE
            rows.append((row, fired - of.for_ms, fired, resolved, flags))
    columns: list[Any] = list(zip(*sorted(rows), strict=True)) if rows else [()] * 5
    step = of.interval_ms
    return Timeline(
        grid=Grid(
            start_ms=window.start_ms,
            step_ms=step,
            count=(window.end_ms - window.start_ms) // step,
            missed=np.array(more.get("missed", ()), dtype=np.int32),
        ),
        identities=identities,
        row=np.array(columns[0], dtype=np.int32),
        active_ms=np.array(columns[1], dtype=np.int64),
        fired_ms=np.array(columns[2], dtype=np.int64),
        resolved_ms=np.array(columns[3], dtype=np.int64),
        flags=np.array(columns[4], dtype=np.uint8),
        failed=np.array(more.get("failed", ()), dtype=np.int32),
    )


def replay(spans: Spans, of: RuleVersion, window: Window = WINDOW, **more: Any) -> Replay:
    """One version's replay."""
    return Replay(
        version=of,
        timeline=timeline(spans, of, window, **more),
        exactness=EXACT,
        phase_ms=123,
        phase_how="ALERTS",
        requests=3,
        calibration=more.get("calibration"),
    )


def replayed(
    old: Spans | None,
    new: Spans | None,
    *,
    before: RuleVersion | None = None,
    after: RuleVersion | None = None,
    window: Window = WINDOW,
    **more: Any,
) -> Replayed:
    """Both versions; `old=None` is an added rule, `new=None` a removed one. `of_old` and `of_new` go to their replays."""
    before, after = before or version(), after or version(digest="f" * 24, expr="lag > 9")
    return Replayed(
        pair=Pair(key=KEY, old=None if old is None else before, new=None if new is None else after),
        old=None if old is None else replay(old, before, window, **more.get("of_old", {})),
        new=None if new is None else replay(new, after, window, **more.get("of_new", {})),
    )


def compared(old: Spans | None, new: Spans | None, **more: Any) -> Comparison:
    """The comparison of replays by hand: what `replayed` and `compare` take."""
    policy: CanaryPolicy = more.pop("policy", POLICY)
    evidence: Evidence = more.pop("evidence", NO_EVIDENCE)
    return compare(replayed(old, new, **more), more.get("window", WINDOW), policy, evidence)


def incident(id: str, first: int, end: int | None, **labels: str) -> Known:
    """An incident of the service kafka, in minutes since the window's start."""
    return Known(
        id=id,
        title=f"{id} happened",
        start_ms=T0 + first * MINUTE,
        end_ms=None if end is None else T0 + end * MINUTE,
        services=frozenset({"kafka"}),
        labels=tuple(sorted(labels.items())),
    )


def every(
    count: int, *, apart: int = 6 * HOUR, long: int = 10, first: int = 0
) -> list[tuple[int, int | None]]:
    """That many firings of `long` minutes, one every `apart` minutes."""
    return [(first + n * apart, first + n * apart + long) for n in range(count)]
