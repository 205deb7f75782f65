"""What `bench canary` measures on: a fleet's samples and the rules that read them. Deterministic; the shapes are those of real alert rules.

Each instance has twenty series every 30 s: gauges, counters that reset, a latency histogram; scrapes jitter by milliseconds, some are lost, some
instances are silent for longer than a look-back, one in ten runs hot, one in ten has a disk that fills up, and a few incidents make many things happen
at once. The rules are noisier than a team would bear: 200 fire forty thousand times in seven days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from tocsin.canary.values import RuleVersion
from tocsin.ir.compiled import RuleKey
from tocsin.promql import PromqlProblem, inject

STEP, DAY = 30_000, 86_400_000
BEGIN = 20_000 * DAY
_BUCKETS = ("0.05", "0.1", "0.25", "0.5", "1", "+Inf")
_SHARES = (0.6, 0.9, 0.98, 0.998, 0.9998, 1.0)
_SILENT = 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much: rules, days, instances of twenty series each."""

    rules: int = 200
    days: int = 7
    instances: int = 100


def write_day(folder: Path, day: int, size: Size) -> tuple[Path, Path]:
    """One day as OpenMetrics (seconds) and as VictoriaMetrics imports it (milliseconds)."""
    ours, theirs = folder / f"day-{day}.om", folder / f"day-{day}.prom"
    families: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = {}
    for instance in range(size.instances):
        for name, labels, at, value in _series(instance, day):
            families.setdefault(name, []).append((labels, at, value))
    with ours.open("w") as seconds, theirs.open("w") as milliseconds:
        for name, rows in families.items():
            family = name.removesuffix("_total").removesuffix("_bucket")
            kind = "counter" if name.endswith("_total") else "gauge"
            # A histogram's buckets are written as what they are stored as, single series.
            seconds.write(f"# TYPE {family if kind == 'counter' else name} {kind}\n")
            for labels, at, value in rows:
                head = f"{name}{{{labels}}} "
                numbers, times = [f"{each:.6g}" for each in value.tolist()], at.tolist()
                pairs = zip(numbers, times, strict=True)
                seconds.write("".join(f"{head}{number} {t / 1000:.3f}\n" for number, t in pairs))
                pairs = zip(numbers, times, strict=True)
                milliseconds.write("".join(f"{head}{number} {t}\n" for number, t in pairs))
        seconds.write("# EOF\n")
    return ours, theirs


def _series(instance: int, day: int) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    chance = np.random.default_rng((instance, day))
    count = DAY // STEP
    jitter = instance * 293 % STEP + chance.integers(0, 40, count)
    at = BEGIN + day * DAY + np.arange(count, dtype=np.int64) * STEP + jitter
    there = chance.random(count) > 0.003
    for start in np.flatnonzero(chance.random(count) < _SILENT / 20):
        there[start : start + 15] = False
    at = at[there]
    hours = (at - BEGIN) / 3_600_000
    incident = ((hours % 37 > 20) & (hours % 37 < 20.7)) & (instance % 4 == 0)
    daily = 0.4 + 0.2 * np.sin(hours * np.pi / 12 + instance) + 0.1 * (instance % 10 == 0)
    noise = chance.normal(0, 0.05, at.size)
    where = f'instance="i{instance}",cluster="c{instance % 3}",job="app"'
    load = np.clip(daily + noise + 0.4 * incident, 0, 1)
    yield "cpu_busy_ratio", where, at, load
    grown = 100 if instance % 10 == 3 else 160
    yield "memory_used_ratio", where, at, np.clip(0.4 + (hours + 7 * instance) % 60 / grown + noise / 3, 0, 1)
    yield "up", where, at, (chance.random(at.size) > 0.0005).astype(float)
    yield "queue_depth", where, at, np.round(np.exp(3 * load + noise * 4))
    yield "temperature_celsius", where, at, np.round(40 + 30 * load, 1)
    for number, mount in enumerate(("root", "data")):
        used = (hours / (200 + 40 * number) + instance / 100) % 1
        free = 1e11 * (1 - used if instance % 10 == 7 else 0.8 - 0.1 * used)
        yield "disk_free_bytes", f'{where},mount="{mount}"', at, np.round(free)
    rate = 40 * load + 5
    for code, path in product(("200", "500"), ("a", "b")):
        share = 0.995 if code == "200" else 0.005 + 0.1 * incident + 0.02 * (chance.random(at.size) < 0.01)
        total = _counted(_life(chance, at.size), rate * share * 30, day)
        yield "http_requests_total", f'{where},code="{code}",path="{path}"', at, total
    requests = _life(chance, at.size)
    for number, le in enumerate(_BUCKETS):
        share = np.clip(_SHARES[number] - 0.3 * incident - 0.2 * (load > 0.9), 0.01, 1)
        share = 1.0 if le == "+Inf" else share
        yield "http_latency_bucket", f'{where},le="{le}"', at, _counted(requests, rate * share * 30, day)
    yield "http_latency_count", where, at, _counted(requests, rate * 30, day)
    for device in ("eth0", "eth1"):
        yield (
            "net_errors_total",
            f'{where},device="{device}"',
            at,
            _counted(_life(chance, at.size), 0.2 * incident + 0.01, day),
        )
    yield (
        "restarts_total",
        where,
        at,
        _counted(_life(chance, at.size), (chance.random(at.size) < 0.0008) * 1.0, day),
    )


def _life(chance: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """How a process's load swings from scrape to scrape, and when it begins anew: the same for all its counters of one thing."""
    return chance.uniform(0.8, 1.2, count), np.flatnonzero(chance.random(count) < 0.0003)


def _counted(life: tuple[np.ndarray, np.ndarray], added: np.ndarray | float, day: int) -> np.ndarray:
    """A counter that grows by so much a scrape and begins anew once in a while."""
    swing, resets = life
    total = np.cumsum(np.round(added * swing, 3)) + day * 1e6
    for reset in resets:
        total[reset:] -= total[reset]
    return np.round(total, 3)


_TEMPLATES = (
    "cpu_busy_ratio > {high}",
    "avg by (cluster) (cpu_busy_ratio) > {high}",
    "memory_used_ratio > {high}",
    "avg_over_time(memory_used_ratio[10m]) > {high}",
    "up == 0",
    "count by (cluster) (up == 0) > {few}",
    "max_over_time(queue_depth[5m]) > {depth}",
    "queue_depth > {depth}",
    "deriv(queue_depth[15m]) > {small}",
    "temperature_celsius > {warm}",
    "predict_linear(disk_free_bytes[6h], 86400) < 0",
    "disk_free_bytes < {bytes}",
    'sum by (instance) (rate(http_requests_total{{code="500"}}[5m])) / sum by (instance) (rate(http_requests_total[5m])) > {small}',
    'sum by (cluster) (rate(http_requests_total{{code="500"}}[5m])) / sum by (cluster) (rate(http_requests_total[5m])) > {small}',
    'sum(rate(http_requests_total{{code="500"}}[1h])) / sum(rate(http_requests_total[1h])) > {small}'
    ' and sum(rate(http_requests_total{{code="500"}}[5m])) / sum(rate(http_requests_total[5m])) > {small}',
    "histogram_quantile(0.9, sum by (cluster, le) (rate(http_latency_bucket[5m]))) > {latency}",
    "histogram_quantile(0.99, sum by (instance, le) (rate(http_latency_bucket[10m]))) > {latency}",
    "rate(net_errors_total[5m]) > {small}",
    "changes(restarts_total[1h]) > {few}",
    'absent_over_time(up{{instance=~"i{number}.*"}}[10m])',
    "cpu_busy_ratio > {high} and on (instance) memory_used_ratio > {high}",
)
_FOR = (0, 60_000, 120_000, 300_000, 600_000, 900_000)


def rules(size: Size) -> list[RuleVersion]:
    """The old versions: each template with other numbers, `for` of 0 to 15 minutes, three in ten kept firing."""
    return [_rule(number) for number in range(size.rules)]


def edited(old: RuleVersion, number: int) -> RuleVersion:
    """The new version: of twenty edits eleven change `for` or labels, four a limit, five the expression."""
    kind = number % 20
    if kind < 11:
        return replace(old, for_ms=old.for_ms + 60_000 if kind % 2 else old.for_ms, labels={"severity": "P2"})
    return replace(old, expr=_expr(number, limits=1.07 if kind < 15 else 1.0, expr=kind >= 15))


def _rule(number: int) -> RuleVersion:
    return RuleVersion(
        key=RuleKey(env="bench", id=f"r{number}"),
        digest="",
        name=f"R{number}",
        expr=_expr(number),
        for_ms=_FOR[number % len(_FOR)],
        keep_ms=300_000 if number % 10 < 3 else 0,
        labels={"severity": "P1"},
        interval_ms=STEP,
        group="bench",
    )


def _expr(number: int, *, limits: float = 1.0, expr: bool = False) -> str:
    turn = number // len(_TEMPLATES)
    text = _TEMPLATES[number % len(_TEMPLATES)].format(
        high=round((0.8 + 0.015 * turn) * limits, 4),
        depth=round((14 + turn) * limits, 3),
        small=round((0.01 + 0.004 * turn) * limits, 5),
        warm=round((60 + turn) * limits, 3),
        bytes=round((4e9 + 1e9 * turn) * limits),
        few=turn % 3 + 1,
        latency=round((0.6 + 0.03 * turn) * limits, 4),
        number=turn,
    )
    # A matcher that changes nothing makes each turn's a question of its own: sharing is to be found between versions, not in these numbers.
    apart = inject(text, "job", "=~", f"app|turn{turn}", selectors="all")
    if isinstance(apart, PromqlProblem):
        raise ValueError(f"{text}: {apart.message}")
    if not expr:
        return apart
    other = apart.replace("[5m]", "[6m]").replace("[10m]", "[12m]")
    return other if other != apart else f"{apart} + 0"
