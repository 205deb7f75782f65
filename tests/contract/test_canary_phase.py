"""When a group is evaluated, read from Prometheus servers that evaluate: of each generation, with either encoding of the hash."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from tests.history_source import version
from tests.loopback import FakeClock
from tests.patience import eventually
from tests.real import servers

from tocsin.canary.actual import real_alerts
from tocsin.canary.phase import offsets_of, phase_of
from tocsin.canary.values import RuleVersion, Window
from tocsin.remote.history import History
from tocsin.remote.http import Door

CONFIG = "global: {scrape_interval: 1h}\nrule_files: [rules.yml]\n"
RULES = """\
groups:
  - name: one
    interval: 1s
    rules:
      - {alert: Fires, expr: vector(1), labels: {severity: P1}}
      - {alert: Other, expr: vector(1) > 2}
  - name: quiet
    interval: 2s
    rules:
      - {alert: Never, expr: vector(1) > 2}
"""
OFFSET = """\
  - name: shifted
    interval: 1s
    query_offset: 300ms
    rules:
      - {alert: Shifted, expr: vector(1)}
"""


@dataclass(frozen=True)
class Evaluating:
    server: servers.Server
    source: History
    encoding: str
    offsets: bool

    @property
    def file(self) -> str:
        found = self.server.get("/api/v1/rules")["data"]["groups"][0]["file"]
        assert isinstance(found, str)
        return found

    def offset(self, group: str, interval_ms: int) -> int:
        return offsets_of(group, self.file, interval_ms)[self.encoding]


@pytest.fixture(scope="module")
def evaluating(prometheus_binary: Path) -> Iterator[Evaluating]:
    label = prometheus_binary.parts
    old = any(part.endswith("2.42") for part in label) or prometheus_binary == Path("/usr/bin/prometheus")
    with servers.running_prometheus(
        prometheus_binary, CONFIG, files={"rules.yml": RULES if old else RULES + OFFSET}
    ) as server:
        door = Door(server.url, clock=FakeClock(), read_only=True, metrics=True)
        source = History(door)
        encoding = "counted" if source.info().build.startswith("3.") else "ended"
        names = ("Fires",) if old else ("Fires", "Shifted")
        eventually(
            lambda: (
                all(len(_stored(server, name)) > 2 for name in names)
                and all(group.evaluated_ms for group in source.groups())
            ),
            "each group was evaluated",
        )
        yield Evaluating(server, source, encoding, not old)
        door.close()


def _stored(server: servers.Server, name: str) -> list[tuple[float, str]]:
    found = server.query(f'ALERTS{{alertname="{name}"}}[1m]')
    return list(found[0]["values"]) if found else []


def of(name: str, group: str, interval_ms: int, **more: object) -> RuleVersion:
    return version(name=name, group=group, interval_ms=interval_ms, **more)


def now() -> int:
    return int(time.time() * 1000)


def test_stored_alerts_say_it(evaluating: Evaluating) -> None:
    found = phase_of(of("Fires", "one", 1_000), evaluating.source, now())
    assert found == (evaluating.offset("one", 1_000), "ALERTS")


def test_another_alert_of_the_group_says_it(evaluating: Evaluating) -> None:
    found = phase_of(of("Other", "one", 1_000, labels={}), evaluating.source, now())
    assert found == (evaluating.offset("one", 1_000), "ALERTS")


def test_the_last_evaluation_says_it_where_nothing_fired(evaluating: Evaluating) -> None:
    found = phase_of(of("Never", "quiet", 2_000), evaluating.source, now())
    assert found == (evaluating.offset("quiet", 2_000), "rules")


def test_a_group_that_is_not_there_yet_is_computed(evaluating: Evaluating) -> None:
    """The other groups show which encoding the build has."""
    new = of("New", "coming", 10_000, file=evaluating.file)
    assert phase_of(new, evaluating.source, now()) == (evaluating.offset("coming", 10_000), "hash")
    longer = of("Never", "quiet", 10_000)
    assert phase_of(longer, evaluating.source, now()) == (evaluating.offset("quiet", 10_000), "hash")


def test_nothing_known_is_said(evaluating: Evaluating) -> None:
    assert phase_of(of("New", "coming", 10_000), evaluating.source, now()) == (0, "assumed")


def test_an_offset_of_the_query_is_put_back(evaluating: Evaluating) -> None:
    if not evaluating.offsets:
        assert evaluating.source.info().build.startswith("2.42")
        return
    shifted = of("Shifted", "shifted", 1_000, query_offset_ms=300, labels={})
    found = phase_of(shifted, evaluating.source, now())
    assert found == (evaluating.offset("shifted", 1_000), "ALERTS")


def test_what_really_fired_lies_on_the_grid(evaluating: Evaluating) -> None:
    first = 0

    def two_in_a_row() -> bool:
        nonlocal first
        times = [round(at * 1000) for at, _ in _stored(evaluating.server, "Fires")]
        first = next((one for one, other in pairwise(times) if other - one == 1_000), 0)
        return first > 0

    eventually(two_in_a_row, "two evaluations of which none was left out between")
    fires = of("Fires", "one", 1_000)
    found = real_alerts(fires, Window(start_ms=first, end_ms=first + 3_000), evaluating.source)
    assert found.series == ((("alertname", "Fires"), ("severity", "P1")),)
    assert found.at.tolist()[:2] == [0, 1]
    none = real_alerts(
        of("Never", "quiet", 2_000), Window(start_ms=first, end_ms=first + 9_000), evaluating.source
    )
    assert none.at.size == 0
