"""Two weeks of a small company, minute by minute: what its Kafka, its hosts and its orders-api would have measured.

Out of `series()` come the metrics that the starter's rules read, recorded ones included, as they are after fifteen days: traffic with a rhythm of
day and week, noise, deploys and restarts that look worse than they are, and the faults that people wrote down (`incidents/INC-2026-004.md` and
`demo/incidents/`). The day before the first of the fourteen is there to look back into. Every number follows from the seed and the plain arithmetic
here: the same bytes on every machine, which is what makes the answers of `demo/edits.py` known.

Times in the tables are minutes of a day, in UTC; a day is its number within the fourteen (0 is Monday, August 10th; -1 the day before).
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

START = 1_786_233_600
"""2026-08-09T00:00:00Z, a Sunday, in seconds."""
STEP = 60
DAYS = 15
COUNT = DAYS * 1440
WEEKDAYS = (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)
CLUSTERS = ("prod-a", "prod-b")
GAP = math.nan
"""No sample at this minute: the host did not answer."""

Values = Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series. `values` has a number for every minute; `offset_ms` is when in the minute it is scraped."""

    name: str
    labels: str
    values: Values
    offset_ms: int
    places: int = 0
    """Decimal places that are written."""


def at(day: int, hour: int, minute: int = 0) -> int:
    """The index of a minute."""
    return (day + 1) * 1440 + hour * 60 + minute


def series() -> Iterator[Series]:
    """Every series of the history, in a fixed order."""
    rhythm = _rhythm()
    yield from _brokers()
    yield from _lag(rhythm)
    yield from _hosts()
    yield from _orders(rhythm)


def _rhythm() -> array[float]:
    """How busy it is, 1.0 at a weekday's peak: a night, a morning, a lunch dip; weekends at six tenths."""
    hours = (
        *(0.22, 0.18, 0.16, 0.15, 0.17, 0.25, 0.42, 0.63, 0.82, 0.94, 1.0, 0.96),
        *(0.86, 0.91, 0.98, 0.97, 0.9, 0.82, 0.78, 0.8, 0.74, 0.6, 0.44, 0.31),
    )
    found = array("d")
    for index in range(COUNT):
        day, minute = divmod(index, 1440)
        hour, part = divmod(minute, 60)
        level = hours[hour] + (hours[(hour + 1) % 24] - hours[hour]) * part / 60
        found.append(level * (0.6 if day % 7 in (0, 6) else 1.0))
    return found


def _dice(*name: object) -> Callable[[], float]:
    """Numbers in [0, 1) of their own for each series, so that one more series changes no other."""
    return random.Random("tocsin demo " + " ".join(map(str, name))).random


def _flat(value: float) -> array[float]:
    return array("d", [value]) * COUNT


def _hump(
    values: array[float], start: int, minutes: int, height: float, *, rise: int = 2, fall: int = 3
) -> None:
    """Adds a plateau: up within `rise` minutes, `height` for `minutes`, down within `fall`."""
    for step in range(rise + minutes + fall):
        share = min(1.0, (step + 1) / (rise + 1), (rise + minutes + fall - step) / (fall + 1))
        if 0 <= start + step < COUNT:
            values[start + step] += height * share


def _path(values: array[float], points: Sequence[tuple[int, float]]) -> None:
    """Replaces a stretch by straight lines through (minute, value)."""
    for (begin, low), (end, high) in pairwise(points):
        for index in range(begin, end):
            values[index] = low + (high - low) * (index - begin) / (end - begin)


# Kafka: brokers ---------------------------------------------------------------------------------------------------------------------

RESTARTS = tuple((day, cluster) for day in (1, 3, 8, 10) for cluster in CLUSTERS)
"""Rolling restarts at 22:00: one broker after the other, the second takes four minutes, the partitions catch up for 19."""
BROKER_LOST = (at(3, 14, 5), at(3, 14, 55))
"""INC-2026-901, on prod-a."""


def _brokers() -> Iterator[Series]:
    for number, cluster in enumerate(CLUSTERS):
        there = _flat(3)
        behind = [_flat(0) for _ in range(9)]
        for day, where in RESTARTS:
            if where == cluster:
                begin = at(day, 22, 20 * number)
                for start, minutes in ((begin, 1), (begin + 6, 4), (begin + 14, 1)):
                    there[start : start + minutes] = array("d", [2]) * minutes
                for partition in behind[::2]:
                    partition[begin : begin + 19] = array("d", [1]) * 19
        if cluster == "prod-a":
            start, end = BROKER_LOST
            there[start + 1 : end - 7] = array("d", [2]) * (end - 7 - start - 1)
            for partition in behind[1:7]:
                partition[start + 1 : end] = array("d", [1]) * (end - start - 1)
        base = f'cluster="{cluster}"'
        yield Series(
            name="kafka_brokers",
            labels=f'{base},instance="exporter-{cluster}:9308"',
            values=there,
            offset_ms=7_213,
        )
        for index, partition in enumerate(behind):
            topic = ("orders", "payments", "mail")[index // 3]
            labels = f'{base},topic="{topic}",partition="{index % 3}"'
            yield Series(
                name="kafka_topic_partition_under_replicated_partition",
                labels=labels,
                values=partition,
                offset_ms=7_213,
            )


# Kafka: consumers -------------------------------------------------------------------------------------------------------------------

_GROUPS = {"billing": 900.0, "mail": 600.0, "search": 1_400.0, "batch-reports": 150.0}
"""Consumer groups and how many records wait at a weekday's peak."""
DEPLOYS = tuple(
    at(day, hour, 20 + 7 * (day % 4)) for day in WEEKDAYS for hour in (10, 15) if (day, hour) != (8, 10)
)
"""Of billing's consumer, on prod-a: a quarter of an hour with 5,500 to 7,500 records waiting, and nobody is hurt."""
REBALANCES = tuple(at(day, (5 + 11 * day) % 24, 37) for day in range(14))
"""Of search, on both clusters: some minutes with 3,400 to 4,600 records waiting."""
INCIDENT_004 = (at(8, 9, 12), at(8, 10, 26))
"""INC-2026-004: billing on prod-a."""
STALL = (at(1, 4, 5), at(1, 4, 55))
"""INC-2026-905: mail on prod-b reads nothing."""


def _lag(rhythm: Values) -> Iterator[Series]:
    for cluster in CLUSTERS:
        for group, waiting in _GROUPS.items():
            noise = _dice("lag", cluster, group)
            total = array("d", (waiting * level * (0.4 + 0.6 * noise()) for level in rhythm))
            _trouble(total, cluster, group)
            total = array("d", map(int, total))
            first = array("d", (int(each * 0.58) for each in total))
            parts = first, array("d", (each - part for each, part in zip(total, first, strict=True)))
            base = f'cluster="{cluster}",consumergroup="{group}"'
            for partition, values in enumerate(parts):
                labels = f'{base},partition="{partition}"'
                yield Series(name="kafka_consumergroup_lag", labels=labels, values=values, offset_ms=7_213)
            for partition, share in enumerate((0.58, 0.42)):
                labels = f'{base},partition="{partition}"'
                read = _read(rhythm, cluster, group, share)
                yield Series(
                    name="kafka_consumergroup_current_offset", labels=labels, values=read, offset_ms=7_213
                )
            yield Series(name="consumergroup:kafka_lag:sum", labels=base, values=total, offset_ms=8_000)


def _trouble(total: array[float], cluster: str, group: str) -> None:
    """What happens to one group besides its daily work."""
    dice = _dice("trouble", cluster, group)
    if group == "billing" and cluster == "prod-a":
        for start in DEPLOYS:
            _hump(total, start, 14 + int(3 * dice()), 5_000 + 1_500 * dice(), rise=1)
        start, end = INCIDENT_004
        points = (
            (0, 700),
            (6, 2_500),
            (8, 8_600),
            (17, 9_800),
            (18, 10_400),
            (41, 61_000),
            (46, 58_000),
            (72, 1_200),
            (end - start, 700),
        )
        _path(total, [(start + minute, value) for minute, value in points])
    if group == "search":
        for start in REBALANCES:
            _hump(total, start, 6 + int(4 * dice()), 3_200 + 600 * dice())
    if group == "batch-reports":
        for day in range(-1, 14):
            _hump(total, at(day, 1), 110 + int(30 * dice()), 90_000 + 40_000 * dice(), rise=15, fall=25)
    if group == "mail" and cluster == "prod-b":
        start, end = STALL
        for index in range(start, end):
            total[index] = 150 + 9 * (index - start)


def _read(rhythm: Values, cluster: str, group: str, share: float) -> array[float]:
    """The offset of one partition: it grows with the traffic, and stands where nobody reads."""
    quiet = range(*STALL) if (cluster, group) == ("prod-b", "mail") else range(0)
    slow = range(*INCIDENT_004) if (cluster, group) == ("prod-a", "billing") else range(0)

    def read(index: int) -> int:
        if index in quiet:
            return 0
        return max(1, int(24_600 * share * rhythm[index] * (0.09 if index in slow else 1.0)))

    return array("d", accumulate(read(index) for index in range(COUNT)))


# Hosts ------------------------------------------------------------------------------------------------------------------------------

HOSTS = ("app-1:9100", "app-2:9100", "db-1:9100", "db-2:9100")
REBOOTS = tuple((HOSTS[(day + turn) % 4], at(day, 20 + turn, 10)) for day in (1, 4, 8, 11) for turn in (0, 1))
"""Patched and rebooted: nine minutes without an answer."""
DISK_FULL = (at(10, 2, 40), at(10, 5, 10))
"""INC-2026-902: / of db-1."""
_GIB = 1 << 30


def _hosts() -> Iterator[Series]:
    for number, host in enumerate(HOSTS):
        offset = 20_000 + 4_100 * number
        dice = _dice("host", host)
        down = {index for who, start in REBOOTS if who == host for index in range(start, start + 9)}
        missed = {at(day, 3 + number, 44) for day in range(14) if (day + number) % 3 == 0}
        base = f'instance="{host}"'

        def seen(values: Iterable[float], away: set[int] = down | missed) -> array[float]:
            return array("d", (GAP if index in away else each for index, each in enumerate(values)))

        up = array("d", (0.0 if index in down or index in missed else 1.0 for index in range(COUNT)))
        yield Series(name="up", labels=f'job="node",{base}', values=up, offset_ms=offset)
        for mount, size in (("/", 80 * _GIB), ("/srv/backup", 900 * _GIB)):
            used = _disk(host, mount)
            labels = f'{base},mountpoint="{mount}",fstype="ext4"'
            free = array("d", (int(size * (1 - each) / 4096) * 4096 for each in used))
            exact = array("d", (1 - each / size for each in free))
            yield Series(
                name="node_filesystem_size_bytes", labels=labels, values=seen(_flat(size)), offset_ms=offset
            )
            yield Series(
                name="node_filesystem_avail_bytes", labels=labels, values=seen(free), offset_ms=offset
            )
            name = "instance:node_filesystem_used:ratio"
            yield Series(name=name, labels=labels, values=seen(exact), offset_ms=offset + 1_000, places=6)
        memory = array("d", (int(each * 16 * _GIB) for each in _memory(host, dice)))
        yield Series(
            name="node_memory_MemTotal_bytes", labels=base, values=seen(_flat(16 * _GIB)), offset_ms=offset
        )
        yield Series(
            name="node_memory_MemAvailable_bytes", labels=base, values=seen(memory), offset_ms=offset
        )
        drift = array("d", ((dice() - 0.5) * 0.004 for _ in range(COUNT)))
        yield Series(
            name="node_timex_offset_seconds", labels=base, values=seen(drift), offset_ms=offset, places=5
        )
        yield Series(name="node_timex_sync_status", labels=base, values=seen(_flat(1)), offset_ms=offset)


def _disk(host: str, mount: str) -> array[float]:
    """How full it is. Logs fill app-1 until they are rotated at midnight: above 85 % for half an hour, every night."""
    if mount == "/srv/backup":
        return array("d", (0.62 + 0.3 * ((index - 1440) % 10_080) / 10_080 for index in range(COUNT)))
    if host == "app-1:9100":
        return array("d", (0.52 + 0.337 * (index % 1440) / 1440 for index in range(COUNT)))
    used = array("d", (0.61 + 0.02 * math.sin(index / 1440 * math.tau) for index in range(COUNT)))
    if host == "db-1:9100":
        start, end = DISK_FULL
        _path(used, [(start, 0.61), (start + 40, 0.86), (start + 95, 0.955), (end - 20, 0.984), (end, 0.61)])
    return used


def _memory(host: str, dice: Callable[[], float]) -> Iterator[float]:
    """The share that is free. app-2 leaks, and is restarted at four in the morning."""
    for index in range(COUNT):
        if host == "app-2:9100":
            yield 0.55 - 0.4 * ((index - 240) % 1440) / 1440 + 0.01 * dice()
        else:
            yield 0.4 + 0.05 * dice()


# orders-api -------------------------------------------------------------------------------------------------------------------------

ERRORS = (at(5, 18, 20), at(5, 19, 0))
"""INC-2026-903: prod-b answers six of a hundred requests with an error."""
HICCUPS = tuple((CLUSTERS[day % 2], at(day, (9 + 5 * day) % 24, 11)) for day in range(14))
"""Four minutes with four errors in a hundred: not worth getting up for."""
BACKUPS = tuple(at(day, 3, 5) for day in range(14))
"""Twelve minutes in which orders-api is slow, every night."""
_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def _orders(rhythm: Values) -> Iterator[Series]:
    for number, cluster in enumerate(CLUSTERS):
        offset = 31_000 + 5_500 * number
        dice = _dice("orders", cluster)
        share = _flat(0.0002)
        for where, start in HICCUPS:
            if where == cluster:
                share[start : start + 4] = array("d", [0.04]) * 4
        if cluster == "prod-b":
            start, end = ERRORS
            share[start:end] = array("d", [0.06]) * (end - start)
        asked = [max(1, int(2_400 * level * (0.9 + 0.2 * dice()))) for level in rhythm]
        failed = [int(number * part + dice()) for number, part in zip(asked, share, strict=True)]
        good = array("d", accumulate(number - bad for number, bad in zip(asked, failed, strict=True)))
        bad = array("d", accumulate(failed))
        base = f'job="orders-api",cluster="{cluster}"'
        yield Series(name="http_requests_total", labels=f'{base},code="200"', values=good, offset_ms=offset)
        yield Series(name="http_requests_total", labels=f'{base},code="500"', values=bad, offset_ms=offset)
        for window, minutes in (("5m", 4), ("1h", 59), ("6h", 359)):
            name = f"cluster:orders_errors:ratio_rate{window}"
            ratio = _ratio(good, bad, minutes)
            yield Series(
                name=name, labels=f'cluster="{cluster}"', values=ratio, offset_ms=offset + 1_000, places=7
            )
        yield from _latency(asked, base, offset)
        yield from _instance(cluster, number, offset)


def _ratio(good: Values, bad: Values, minutes: int) -> array[float]:
    """Errors among what was answered in the minutes before; nothing where there is no such past yet."""
    found = array("d", [GAP]) * minutes
    for index in range(minutes, COUNT):
        failed = bad[index] - bad[index - minutes]
        total = failed + good[index] - good[index - minutes]
        found.append(failed / total)
    return found


def _latency(asked: Sequence[int], base: str, offset: int) -> Iterator[Series]:
    fast = (0.71, 0.93, 0.994, 0.9975, 0.9995, 1.0)
    slow = (0.5, 0.78, 0.93, 0.974, 0.999, 1.0)
    name = "http_request_duration_seconds_bucket"
    backup = bytearray(COUNT)
    for start in BACKUPS:
        backup[start : start + 12] = b"\1" * 12
    for bucket, usual, late in zip(_BUCKETS, fast, slow, strict=True):
        counts = array(
            "d",
            accumulate(
                int(each * (late if there else usual)) for each, there in zip(asked, backup, strict=True)
            ),
        )
        yield Series(name=name, labels=f'{base},le="{bucket:g}"', values=counts, offset_ms=offset)
    yield Series(
        name=name, labels=f'{base},le="+Inf"', values=array("d", accumulate(asked)), offset_ms=offset
    )


def _instance(cluster: str, number: int, offset: int) -> Iterator[Series]:
    base = f'job="orders-api",instance="orders-{number + 1}:8080"'
    dice = _dice("instance", cluster)
    yield Series(name="up", labels=f'{base},cluster="{cluster}"', values=_flat(1), offset_ms=offset)
    routines = array("d", (int(900 + 300 * dice()) for _ in range(COUNT)))
    yield Series(name="go_goroutines", labels=base, values=routines, offset_ms=offset)
    opened = array("d", (int(180 + 60 * dice()) for _ in range(COUNT)))
    yield Series(name="process_open_fds", labels=base, values=opened, offset_ms=offset)
    yield Series(name="process_max_fds", labels=base, values=_flat(1024), offset_ms=offset)
