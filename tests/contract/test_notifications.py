"""What people are told, end to end: a real Prometheus with our rules, a real Alertmanager with our muting.

One consumer group climbs from 6,000 to 12,000, falls to 7,000 and to 0, while a second stays at 6,000.
`EXPECTED` was written before it was seen. Alertmanager repeats every notification at each flush, so that
silence shows: an alert that is muted is not heard in its phase.

Nothing waits for a clock. A phase begins when Alertmanager has all alerts of it; an alert that always fires
is the metronome, and what is heard during `LISTEN` of its beats is what the phase says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.builders import environment, project
from tests.contract.compiled import load, resolve
from tests.real.servers import Server

from tocsin.disk.process import run
from tocsin.emit import prometheus
from tocsin.emit.inhibit import InhibitRule, inhibit_rules
from tocsin.emit.merge import merge_inhibit

RULES = """\
version: 1
service: kafka
owner: team-streaming
groups:
  - name: lag
    interval: 1s
    rules:
      - record: consumergroup:kafka_lag:sum
        expr: sum by (cluster, consumergroup) (kafka_consumergroup_lag)
      - alert: KafkaConsumerLag
        id: kafka-consumer-lag
        identity: [cluster, consumergroup]
        expr: consumergroup:kafka_lag:sum > ${limit}
        levels:
          ticket: {severity: P2, limit: 5000, for: 1s}
          page: {severity: P1, limit: 10000, for: 1s}
      - alert: Metronome
        id: metronome
        severity: P3
        expr: vector(1)
"""
ALERTMANAGER = """\
route:
  receiver: hook
  group_by: ['...']
  group_wait: 0s
  group_interval: 250ms
  repeat_interval: 200ms   # below group_interval: every flush notifies again
receivers:
  - name: hook
    webhook_configs:
      - url: {hook}
        send_resolved: true
inhibit_rules:
  - equal: [nothing_of_ours]
    source_matchers: [nobody="x"]
    target_matchers: [nobody="y"]
"""
PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [kafka.rules.yaml]
scrape_configs:
  - job_name: lag
    static_configs: [{{targets: ['{target}']}}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ['{alertmanager}']}}]
"""
SETTLE, LISTEN = 3, 8
"""Beats before listening, which what is under way needs to arrive; beats of listening."""
PATIENCE = 300.0
"""Seconds for one phase to come about on a machine under load."""


class Told(NamedTuple):
    """One notification: `page billing firing`."""

    level: str
    group: str
    status: str


@dataclass(frozen=True, slots=True)
class Phase:
    """The lag of `billing` (that of `orders` stays), the alerts that then fire, and all that is told."""

    lag: int
    firing: frozenset[tuple[str, str]]
    told: frozenset[Told]


def phase(lag: int, firing: str, told: str) -> Phase:
    """`"ticket billing"`; `"page billing firing"`: one to a comma."""
    pairs = (tuple(each.split()) for each in firing.split(", "))
    return Phase(
        lag,
        frozenset((level, group) for level, group in pairs),
        frozenset(Told(*each.split()) for each in told.split(", ")),
    )


EXPECTED = (
    phase(6_000, "ticket billing, ticket orders", "ticket billing firing, ticket orders firing"),
    # The page mutes the ticket of its own consumer group alone.
    phase(12_000, "ticket billing, page billing, ticket orders", "page billing firing, ticket orders firing"),
    phase(
        7_000,
        "ticket billing, ticket orders",
        "page billing resolved, ticket billing firing, ticket orders firing",
    ),
    phase(0, "ticket orders", "ticket billing resolved, ticket orders firing"),
)


@dataclass
class World:
    """The scrape page, and what the webhook heard."""

    lag: int = 0
    heard: list[Told] = field(default_factory=list)
    beats: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def page(self) -> str:
        series = 'kafka_consumergroup_lag{cluster="a",consumergroup="%s"} %d\n'
        return "".join(series % row for row in (("billing", self.lag), ("orders", 6_000)))

    def hear(self, message: bytes) -> None:
        with self.changed:
            for alert in json.loads(message)["alerts"]:
                labels = alert["labels"]
                if labels["alertname"] == "Metronome":
                    self.beats += 1
                else:
                    level = labels["alertname"].removeprefix("KafkaConsumerLag").lower()
                    self.heard.append(Told(level, labels["consumergroup"], alert["status"]))
            self.changed.notify_all()

    def wait_beats(self, count: int) -> None:
        with self.changed:
            target = self.beats + count
            assert self.changed.wait_for(lambda: self.beats >= target, PATIENCE), "the metronome stopped"


@contextmanager
def answering(world: World) -> Iterator[tuple[str, str]]:
    """Where the scrape page and the webhook are. The webhook takes one message at a time, in order."""

    class Scrape(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(world.page().encode())

        def log_message(self, format: str, *args: object) -> None: ...

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            world.hear(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Scrape), HTTPServer(("127.0.0.1", 0), Hook)]
    threads = [threading.Thread(target=each.serve_forever, args=(0.05,)) for each in servers]
    for thread in threads:
        thread.start()
    try:
        scrape, hook = (f"127.0.0.1:{each.server_address[1]}" for each in servers)
        yield scrape, hook
    finally:
        for each in servers:
            each.shutdown()
            each.server_close()
        for thread in threads:
            thread.join()


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything running."""

    world: World
    alertmanager: Server

    def play(self, each: Phase) -> frozenset[Told]:
        """What people are told in a phase."""
        start = len(self.world.heard)
        self.world.lag = each.lag
        self._wait_for(each.firing)
        self.world.wait_beats(SETTLE)
        settled = len(self.world.heard)
        self.world.wait_beats(LISTEN)
        heard = self.world.heard[:]
        # An alert of the phase before may be told again while this one comes about; an end is told once.
        ends = {told for told in heard[start:settled] if told.status == "resolved"}
        return frozenset(ends | set(heard[settled:]))

    def _wait_for(self, firing: frozenset[tuple[str, str]]) -> None:
        """Until Alertmanager has exactly these alerts, muted or not."""
        deadline = time.monotonic() + PATIENCE
        while (has := self._alerts()) != firing:
            assert time.monotonic() < deadline, f"Alertmanager has {sorted(has)}, not {sorted(firing)}"
            time.sleep(0.1)

    def _alerts(self) -> frozenset[tuple[str, str]]:
        alerts = self.alertmanager.get("/api/v2/alerts")
        names = [(each["labels"]["alertname"], each["labels"].get("consumergroup", "")) for each in alerts]
        return frozenset(
            (name.removeprefix("KafkaConsumerLag").lower(), group)
            for name, group in names
            if name != "Metronome"
        )


Start = Callable[..., Server]


@contextmanager
def stage(
    rules: tuple[InhibitRule, ...], amtool: Path, folder: Path, alertmanager: Start, prometheus_: Start
) -> Iterator[Stage]:
    """Prometheus with the emitted rule file, Alertmanager with `rules` merged into a configuration that
    amtool has checked.
    """
    world = World()
    service = resolve([load(RULES)])
    (artifact,) = prometheus.emit(service, project(), environment())
    with answering(world) as (scrape, hook):
        config = merge_inhibit(ALERTMANAGER.replace("{hook}", f"http://{hook}/"), rules)
        (folder / "alertmanager.yml").write_text(config, encoding="utf-8")
        checked = run([str(amtool), "check-config", "alertmanager.yml"], cwd=folder, timeout=300)
        assert checked.code == 0, checked.out + checked.err
        assert f"- {len(rules) + 1} inhibit rules" in checked.out
        notifier = alertmanager(config)
        text = PROMETHEUS.format(target=scrape, alertmanager=notifier.url.removeprefix("http://"))
        # What fires before Prometheus has found its Alertmanager is sent again after five seconds, not a minute. Four times as long an alert lasts
        # that is not sent again: a machine that stops for a while in between ends none.
        prometheus_(text, files={"kafka.rules.yaml": artifact.text}, flags=["--rules.alert.resend-delay=5s"])
        yield Stage(world, notifier)


def emitted_rules() -> tuple[InhibitRule, ...]:
    rules = inhibit_rules([resolve([load(RULES)])])
    assert [each.equal for each in rules] == [("rule_id", "cluster", "consumergroup")]
    return rules


def test_each_phase_tells_exactly_what_was_written_down(
    amtool: Path, tmp_path: Path, alertmanager_server: Start, prometheus_server: Start
) -> None:
    with stage(emitted_rules(), amtool, tmp_path, alertmanager_server, prometheus_server) as on:
        for each in EXPECTED:
            assert on.play(each) == each.told, f"at {each.lag}"


@pytest.mark.parametrize(
    ("fault", "missing", "extra"),
    [
        # Without the identity a page for one consumer group mutes the ticket of every other.
        (lambda each: (replace(each, equal=("rule_id",)),), "ticket orders firing", None),
        # Without the rule both levels of one consumer group are told.
        (lambda each: (), None, "ticket billing firing"),
    ],
    ids=["equal without the identity", "no inhibition"],
)
def test_a_planted_fault_is_heard(
    fault: Callable[[InhibitRule], tuple[InhibitRule, ...]],
    missing: str | None,
    extra: str | None,
    amtool: Path,
    tmp_path: Path,
    alertmanager_server: Start,
    prometheus_server: Start,
) -> None:
    (rule,) = emitted_rules()
    with stage(fault(rule), amtool, tmp_path, alertmanager_server, prometheus_server) as on:
        told = on.play(EXPECTED[1])
    assert EXPECTED[1].told - told == ({Told(*missing.split())} if missing else set())
    assert told - EXPECTED[1].told == ({Told(*extra.split())} if extra else set())
