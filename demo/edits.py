"""Edits of the starter's rules, and what a canary must say of each on the history of `demo/series.py`.

The answers were worked out from what the series contain, not read off the tool: every row says why. `tests/contract/test_canary_edits.py` makes the
edits in a copy of this repository, replays both versions against a real Prometheus and compares; `demo/run.sh` tells the story of two of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAG, BROKERS = "rules/kafka/lag.yaml", "rules/kafka/brokers.yaml"
HOST, HTTP = "rules/node/host.yaml", "rules/orders-api/http.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Of one rule. `fails` are the critical gates that trip, all of them; `warns` those that must warn, among others perhaps."""

    verdict: str
    fails: frozenset[str] = frozenset()
    warns: frozenset[str] = frozenset()
    pages: tuple[int, int] | None = None
    """In the fourteen days: old, new."""
    paired_by: str = "identity"
    matched: tuple[int, int, int] | None = None
    """Episodes kept, lost and gained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit: `changes` are (file, old text, new text); each old text stands there exactly once."""

    name: str
    why: str
    changes: tuple[tuple[str, str, str], ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """Rule, as `id/level/override`, to what must be said of it; any other rule is not mentioned at all."""

    def make(self, folder: Path) -> None:
        """Edit the rules below a folder. ValueError where the text to change is not there once."""
        for file, old, new in self.changes:
            path = folder / file
            text = path.read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise ValueError(f"{file} holds {old!r} {text.count(old)} times")
            path.write_text(text.replace(old, new), encoding="utf-8")


_TICKET = "ticket: {severity: P2, limit: 5000, for: 10m}"
_REPLICAS = "sum by (cluster) (kafka_topic_partition_under_replicated_partition)"
_BEHIND = """\
      - alert: KafkaConsumerBehind
        id: kafka-consumer-behind
        sop_ref: SOP-KAFKA-007
        identity: [cluster, consumergroup]
        signal: saturation
        expr: consumergroup:kafka_lag:sum > ${waiting}
        params: {waiting: 900}
        severity: P3
        summary: "{{ $labels.consumergroup }} on {{ $labels.cluster }} is behind"
"""
_STEADY = "firing: {20m: [], 22m: [ticket], 30m: [ticket, page]}"
_STALLED = "      - alert: KafkaConsumerStalled\n"
_TESTED = "    alert: kafka-consumer-stalled\n"
_ALERTS = ' unless on (instance) ALERTS{alertname="NodeDown", alertstate="firing"}'


def _failed(*gates: str) -> frozenset[str]:
    return frozenset(gates)


EDITS = (
    Edit(
        name="noise-removed",
        why="19 deploys of billing leave 5,500 to 7,500 records waiting; INC-2026-004 jumps from 2,500 to 8,600 within two minutes.",
        changes=(
            (LAG, _TICKET, _TICKET.replace("5000", "8000")),
            (LAG, _STEADY, _STEADY.replace("22m: [ticket], ", "")),
        ),
        answers={"kafka-consumer-lag/ticket": Answer(verdict="pass", pages=(20, 1), matched=(1, 19, 0))},
    ),
    Edit(
        name="noise-added",
        why="14 rebalances of search, on both clusters, keep 3,400 to 4,600 records waiting for six to ten minutes; one falls into a deploy.",
        changes=(
            (LAG, _TICKET, "ticket: {severity: P2, limit: 3000, for: 5m}"),
            (LAG, _STEADY, _STEADY.replace("20m: [], 22m:", "10m: [], 15m:")),
        ),
        answers={
            "kafka-consumer-lag/ticket": Answer(
                verdict="fail", fails=_failed("pages"), pages=(20, 47), matched=(20, 0, 28)
            ),
            # Its limit is its own, 200,000; the shorter `for` is the level's.
            "kafka-consumer-lag/ticket/batch": Answer(verdict="quiet", pages=(0, 0)),
        },
    ),
    Edit(
        name="slower-detection",
        why="Eight restarts of a broker take four minutes, so that 14 minutes of patience hide them; INC-2026-901 is seen 12 minutes later.",
        changes=((BROKERS, "severity: P1\n        for: 2m", "severity: P1\n        for: 14m"),),
        answers={
            "kafka-brokers-missing": Answer(
                verdict="fail", fails=_failed("detection-delay"), pages=(9, 1), matched=(1, 8, 0)
            )
        },
    ),
    Edit(
        name="silenced",
        why="There are never fewer than two of three brokers, not in INC-2026-901 either.",
        changes=((BROKERS, "params: {brokers: 3}", "params: {brokers: 2}"),),
        answers={
            "kafka-brokers-missing": Answer(
                verdict="fail", fails=_failed("recall", "went-silent"), pages=(9, 0), matched=(0, 9, 0)
            )
        },
    ),
    Edit(
        name="re-aggregated",
        why="All three topics are behind in every restart and in INC-2026-901: three episodes for one, and the same nine pages. No sum reaches 50.",
        changes=(
            (BROKERS, _REPLICAS, _REPLICAS.replace("cluster", "cluster, topic")),
            (
                BROKERS,
                "identity: [cluster]\n        signal: saturation",
                "identity: [cluster, topic]\n        signal: saturation",
            ),
        ),
        answers={
            "kafka-under-replicated-partitions/ticket": Answer(
                verdict="pass", pages=(9, 9), paired_by="page"
            ),
            "kafka-under-replicated-partitions/page": Answer(verdict="quiet", pages=(0, 0)),
        },
    ),
    Edit(
        name="relabelled",
        why="Eight reboots take nine minutes each; who hears of them changes, and nothing else.",
        changes=((HOST, "severity: P2\n        for: 5m", "severity: P3\n        for: 5m"),),
        answers={"node-down": Answer(verdict="pass", pages=(8, 8), matched=(8, 0, 0))},
    ),
    Edit(
        name="removed",
        why="Nothing but this rule sees INC-2026-905.",
        changes=(
            (
                LAG,
                "params: {waiting: 100, window: 15m}\n",
                "params: {waiting: 100, window: 15m}\n        overrides: {retired: {env: prod, set: {enabled: false}}}\n",
            ),
            (LAG, f"{_TESTED}    series", f"{_TESTED}    env: [staging]\n    series"),
        ),
        answers={"kafka-consumer-stalled": Answer(verdict="fail", fails=_failed("sole-detector"))},
    ),
    Edit(
        name="added",
        why="Search has more than 900 records waiting in half of the minutes of a day's busy hours: that is no news.",
        changes=((LAG, _STALLED, _BEHIND + _STALLED),),
        answers={"kafka-consumer-behind": Answer(verdict="fail", fails=_failed("pages", "unmatched"))},
    ),
    Edit(
        name="never-fired",
        why="No clock is off by more than two milliseconds: a replay knows nothing of this rule.",
        changes=((HOST, "params: {limit: 0.05}", "params: {limit: 0.1}"),),
        answers={"node-clock-skew": Answer(verdict="quiet", pages=(0, 0))},
    ),
    Edit(
        name="text-only",
        why="The summary is not what a server evaluates.",
        changes=((HOST, "does not answer its exporter", "does not answer"),),
        answers={"node-down": Answer(verdict="not-needed")},
    ),
    Edit(
        name="reads-alerts",
        why="History holds the alerts of the old rules, not of the new ones.",
        changes=(
            (
                HOST,
                "node_memory_MemTotal_bytes < ${free}\n",
                f"node_memory_MemTotal_bytes < ${{free}}{_ALERTS}\n",
            ),
        ),
        answers={
            "node-memory-low/ticket": Answer(verdict="not-backtestable", fails=_failed("errors")),
            "node-memory-low/page": Answer(verdict="not-backtestable", fails=_failed("errors")),
        },
    ),
    Edit(
        name="impatient",
        why="A Grafana evaluates it: orders-api is slow for twelve minutes every night, in both clusters.",
        changes=(
            (
                HTTP,
                "ticket: {severity: P2, seconds: 0.8, for: 15m}",
                "ticket: {severity: P2, seconds: 0.8, for: 5m}",
            ),
        ),
        answers={
            "orders-latency-high/ticket": Answer(
                verdict="fail", fails=_failed("pages", "unmatched"), pages=(0, 28), matched=(0, 0, 28)
            )
        },
    ),
)


def main() -> int:
    """`python -m demo.edits NAME FOLDER`: make one edit."""
    name, folder = sys.argv[1:]
    edit = {each.name: each for each in EDITS}[name]
    edit.make(Path(folder))
    for file, old, new in edit.changes:
        print(f"  {file}: {' '.join(old.split())}  ->  {' '.join(new.split())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
