"""The order in which a group's phase is looked for, and what is not taken for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.history_source import START, FakeSource, matrix, version

from tocsin.canary.capabilities import CAPS
from tocsin.canary.phase import Phases, offsets_of, phase_of, xxhash64
from tocsin.canary.source import Seen, TooMuch

NOW = START + 123
FILE = "/etc/prometheus/rules.yml"


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_the_hash_is_the_published_one(data: bytes, digest: int) -> None:
    assert xxhash64(data) == digest


def storing(*times: int, label: str = "") -> Callable[[str, int, int], bytes]:
    """A server that stored samples at these times, for selectors with `label` in them."""

    def stored(selector: str, at_ms: int, back_ms: int) -> bytes:
        values = [[t / 1000, "1"] for t in times if at_ms - back_ms < t <= at_ms]
        return matrix([{"metric": {"n": "1"}, "values": values}] if values and label in selector else [])

    return stored


def server(**more: object) -> FakeSource:
    return FakeSource(series={(("n", "1"),): lambda t: 1.0}, **more)  # type: ignore[arg-type]


def seen(
    group: str = "g", *, late: int = 7, interval: int = 30_000, encoding: str = "counted", file: str = FILE
) -> Seen:
    at = NOW // interval * interval - interval + offsets_of(group, file, interval)[encoding] + late
    return Seen(group=group, file=file, interval_ms=interval, evaluated_ms=at, alerts=frozenset({"A", "B"}))


def test_stored_times_come_first() -> None:
    times = [NOW - NOW % 30_000 - 30_000 * each + 4_321 - 30_000 for each in range(20)]
    found = phase_of(version(), server(stored=storing(*times), seen=(seen(),)), NOW)
    assert found == (4_321, "ALERTS")


def test_a_single_stray_time_is_outvoted_and_two_groups_are_not() -> None:
    base = NOW - NOW % 30_000 - 60_000
    times = [base - 30_000 * each + 4_321 for each in range(20)]
    assert phase_of(version(), server(stored=storing(*times, base + 9)), NOW) == (4_321, "ALERTS")
    mixed = [*times, *(base - 30_000 * each + 17 for each in range(20))]
    assert phase_of(version(), server(stored=storing(*mixed)), NOW) == (0, "assumed")


def test_only_its_own_labels_count_first() -> None:
    """Another team's alert of the same name, in another group, is not asked for."""
    asked = server(stored=storing())
    phase_of(version(labels={"severity": "P1", "x": "{{ $labels.x }}"}), asked, NOW)
    assert asked.raws[0] == 'ALERTS{alertname="A",severity="P1"}'


def test_a_day_is_looked_at_where_the_last_hour_has_nothing() -> None:
    times = [NOW - NOW % 30_000 - 5 * 3_600_000 + 99]
    assert phase_of(version(), server(stored=storing(*times)), NOW) == (99, "ALERTS")


@pytest.mark.parametrize("encoding", ["ended", "counted"])
def test_how_late_the_last_evaluation_was_is_known_from_the_hash(encoding: str) -> None:
    found = phase_of(version(), server(seen=(seen(encoding=encoding, late=431),)), NOW)
    assert found == (offsets_of("g", FILE, 30_000)[encoding], "rules")


def test_a_file_under_another_name_leaves_the_time_as_it_is() -> None:
    """Mimir evaluates copies of the files, so no hash fits."""
    there = Seen(
        group="g", file="tenant/ns", interval_ms=30_000, evaluated_ms=START + 29_999, alerts=frozenset("A")
    )
    assert phase_of(version(), server(seen=(there,)), NOW) == (29_999, "rules")


def test_two_groups_of_one_name_are_told_apart_or_not_used() -> None:
    one, other = seen(file="/one"), seen(file="/other")
    assert phase_of(version(), server(seen=(one, other)), NOW) == (0, "assumed")
    found = phase_of(version(file="/other"), server(seen=(one, other)), NOW)
    assert found == (offsets_of("g", "/other", 30_000)["counted"], "rules")


def test_a_group_to_come_has_the_encoding_of_the_others() -> None:
    coming = version(group="new", file=FILE)
    for encoding in ("ended", "counted"):
        found = phase_of(coming, server(seen=(seen(encoding=encoding),), build="2.53.3"), NOW)
        assert found == (offsets_of("new", FILE, 30_000)[encoding], "hash")
    assert phase_of(coming, server(build="3.5.3"), NOW) == (
        offsets_of("new", FILE, 30_000)["counted"],
        "hash",
    )
    assert phase_of(coming, server(build="2.42.0"), NOW) == (offsets_of("new", FILE, 30_000)["ended"], "hash")
    assert phase_of(coming, server(build="2.53.3"), NOW) == (0, "assumed")


def test_a_server_whose_clock_is_ahead_is_read_all_the_same() -> None:
    """Nothing stored lies before our now: what it says of its groups is in its own time, and a phase is modulo the interval."""
    ahead = seen(late=11)
    there = Seen(
        group="g",
        file=FILE,
        interval_ms=30_000,
        evaluated_ms=ahead.evaluated_ms + 40 * 30_000,
        alerts=ahead.alerts,
    )
    found = phase_of(version(), server(seen=(there,), stored=storing(NOW + 3_600_000)), NOW)
    assert found == (offsets_of("g", FILE, 30_000)["counted"], "rules")


def test_a_grafana_evaluates_at_whole_ten_seconds() -> None:
    there = Seen(
        group="g", file="folder", interval_ms=60_000, evaluated_ms=START + 20_003, alerts=frozenset("A")
    )
    rule = version(machine="grafana", interval_ms=60_000)
    assert phase_of(rule, server(seen=(there,), caps=CAPS["grafana"]), NOW) == (20_000, "grafana")
    assert phase_of(rule, server(seen=(there,)), NOW) == (0, "assumed")
    assert phase_of(rule, server(caps=CAPS["grafana"]), NOW) == (0, "assumed")


def test_a_refusal_is_no_end() -> None:
    def stored(selector: str, at_ms: int, back_ms: int) -> bytes:
        raise TooMuch("too many samples")

    assert phase_of(version(), server(stored=stored, seen=(seen(),)), NOW)[1] == "rules"


def test_a_group_is_asked_about_once() -> None:
    asked = server(stored=storing(NOW - 30_000), seen=(seen(),))
    count: list[int] = []
    phases = Phases(asked, NOW, lambda: count.append(1))
    first = phases.of(version())
    assert phases.of(version(name="B", labels={})) == first
    assert len(asked.raws) == 1
    assert len(count) == 3
