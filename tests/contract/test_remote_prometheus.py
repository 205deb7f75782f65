"""The Prometheus and Alertmanager clients against the real programs: the oldest and the newest that are supported.

What is pinned here is what the servers answer, not what the client makes of it: a broken rule file is refused by the server itself, which goes
on with what it had, and each of two replicas speaks for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.loopback import FakeClock
from tests.patience import eventually
from tests.real.components import NEWEST
from tests.real.servers import Server

from tocsin.errors import Refused
from tocsin.ir.duration import Duration
from tocsin.remote.alertmanager import Alertmanager
from tocsin.remote.http import Door, WriteInReadOnly
from tocsin.remote.prometheus import Prometheus
from tocsin.wire.live import Matcher, Silence

CONFIG = """\
global:
  evaluation_interval: 1s
  external_labels: {cluster: eu-1, replica: "0", shard: 7}
rule_files: [rules.yaml]
"""
RULES = """\
groups:
  - name: 'näme / with "quotes"'
    interval: 1s
    rules:
      - record: tests:one
        expr: vector(1)
        labels: {kind: record}
      - alert: AlwaysHere
        expr: vector(7) > 5
        labels: {severity: page}
        annotations: {summary: "it is {{ $value }}"}
      - alert: Waiting
        expr: vector(1) > 0
        for: 1h30m
"""
VERSIONS = ("2.42", NEWEST)
Start = Callable[..., Server]


@pytest.fixture
def open_door() -> Iterator[Callable[..., Door]]:
    with ExitStack() as stack:

        def opened(server: Server, **options: bool) -> Door:
            return stack.enter_context(Door(server.url, clock=FakeClock(), **options))  # type: ignore[arg-type]

        yield opened


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_prometheus_says(
    prometheus_server: Start, open_door: Callable[..., Door], version: str
) -> None:
    server = prometheus_server(CONFIG, files={"rules.yaml": RULES}, version=version)
    client = Prometheus(open_door(server, read_only=True, metrics=True))
    assert client.version().startswith(version) or version == NEWEST
    assert client.flags()["web.enable-lifecycle"] == "true"
    assert client.external_labels() == {"cluster": "eu-1", "replica": "0", "shard": "7"}

    eventually(lambda: len(client.alerts()) == 2, "two alerts")
    (group,) = client.rules()
    assert (group.name, group.interval) == ('näme / with "quotes"', Duration(1000))
    assert Path(group.file) == server.folder / "rules.yaml"
    record, alert, waiting = group.rules
    assert (record.type, record.name, record.labels) == ("recording", "tests:one", {"kind": "record"})
    assert (alert.name, alert.state, alert.health) == ("AlwaysHere", "firing", "ok")
    assert (alert.labels, alert.annotations["summary"]) == ({"severity": "page"}, "it is {{ $value }}")
    assert (alert.count("firing"), alert.instances[0].annotations) == (1, {"summary": "it is 7"})
    assert (waiting.for_, waiting.state, waiting.count("pending")) == (Duration(5_400_000), "pending", 1)
    assert waiting.evaluated and waiting.uid is None

    def recorded() -> bool:
        return bool(client.query("tests:one"))

    eventually(recorded, "the recorded series")
    (sample,) = client.query('tests:one{kind="record"}')
    assert (sample.labels, sample.value) == ({"__name__": "tests:one", "kind": "record"}, 1.0)
    assert [each.value for each in client.query("scalar(vector(3))", at=1_700_000_000.5)] == [3.0]
    infinite = {each.value for each in client.query("vector(1) / 0")}
    assert infinite == {math.inf} and all(math.isnan(each.value) for each in client.query("vector(NaN)"))
    (series,) = client.query_range("vector(time())", start=1_700_000_000, end=1_700_000_060, step=30)
    assert series.points == tuple((at, at) for at in (1_700_000_000.0, 1_700_000_030.0, 1_700_000_060.0))
    long = " or ".join(["tests:one"] * 5000)
    assert client.query(long)[0].value == 1.0  # longer than any URL

    with pytest.raises(WriteInReadOnly):
        client.reload()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_broken_query_is_refused_with_its_reason(
    prometheus_server: Start, open_door: Callable[..., Door], version: str
) -> None:
    server = prometheus_server(CONFIG, files={"rules.yaml": RULES}, version=version)
    client = Prometheus(open_door(server, metrics=True))
    with pytest.raises(Refused) as refused:
        client.query("rate(")
    assert (refused.value.status, refused.value.kind) == (400, "bad_data")
    assert "parse error" in refused.value.said


@pytest.mark.parametrize("version", VERSIONS)
def test_reloading(prometheus_server: Start, open_door: Callable[..., Door], version: str) -> None:
    server = prometheus_server(CONFIG, files={"rules.yaml": RULES}, version=version)
    client = Prometheus(open_door(server))
    path = server.folder / "rules.yaml"

    def names() -> list[str]:
        return [rule.name for group in client.rules() for rule in group.rules]

    path.write_text(RULES.replace("AlwaysHere", "Renamed"), encoding="utf-8")
    client.reload()
    assert names() == ["tests:one", "Renamed", "Waiting"]

    path.write_text(RULES.replace("vector(7) > 5", "vector(7) >"), encoding="utf-8")
    with pytest.raises(Refused) as refused:
        client.reload()
    assert refused.value.status == 500 and refused.value.said
    assert names() == ["tests:one", "Renamed", "Waiting"]  # what it had

    path.write_text(RULES, encoding="utf-8")
    client.reload()
    assert names() == ["tests:one", "AlwaysHere", "Waiting"]


def test_replicas_are_asked_one_by_one(prometheus_server: Start, open_door: Callable[..., Door]) -> None:
    pair = [prometheus_server(CONFIG, files={"rules.yaml": RULES}) for _ in range(2)]
    clients = [Prometheus(open_door(server)) for server in pair]
    (pair[0].folder / "rules.yaml").write_text("groups: []\n", encoding="utf-8")
    for client in clients:
        client.reload()
    assert [len(client.rules()) for client in clients] == [0, 1]


def test_a_prometheus_without_anything(prometheus_server: Start, open_door: Callable[..., Door]) -> None:
    client = Prometheus(open_door(prometheus_server("")))
    assert (client.rules(), client.alerts(), client.external_labels()) == ((), (), {})


def test_silences_of_a_real_alertmanager(alertmanager_server: Start, open_door: Callable[..., Door]) -> None:
    server = alertmanager_server("route: {receiver: none}\nreceivers: [{name: none}]\n")
    client = Alertmanager(open_door(server))
    assert client.version().startswith("0.")
    assert "receiver: none" in client.config()
    now = datetime.now(tz=UTC)
    wanted = Silence(
        matchers=(
            Matcher(name="rule_id", value="kafka-lag"),
            Matcher(name="level", value="page|warn", is_regex=True),
            Matcher(name="env", value="test", is_equal=False),
        ),
        starts_at=now.isoformat(),
        ends_at=(now + timedelta(hours=2)).isoformat(),
        created_by="änna",
        comment="held by tocsin",
    )
    id = client.create(wanted)
    (read,) = client.silences()
    assert (read.id, read.state, read.created_by, read.comment) == (id, "active", "änna", "held by tocsin")
    assert set(read.matchers) == set(wanted.matchers)
    for _ in range(2):  # the second time it is over already
        client.expire(id)
    assert [each.state for each in client.silences()] == ["expired"]
    client.expire("00000000-0000-0000-0000-000000000000")
    with pytest.raises(Refused) as refused:
        client.create(
            Silence(
                matchers=(), starts_at=wanted.starts_at, ends_at=wanted.ends_at, created_by="a", comment="c"
            )
        )
    assert refused.value.status in (400, 422)
