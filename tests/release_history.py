"""A small repository with a past: twelve commits as teams make them, the same hashes on every machine.

    start -- merge -- layout -- rename -- p1 -- squash -- removal -- revert -- move      main
        \\- limit -/                         \\- window -- sop (squashed)

`History.commits` is name -> hash; `STEPS` are the ones of main, in order. Every author, date and text is fixed, and no setting of the machine is read.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = """\
version: 1
project: shop
severities:
  P1: {label: {severity: critical}, pages: true}
  P2: {label: {severity: warning}}
teams:
  team-streaming: {name: Streaming}
site: {url: "https://runbooks.example.org"}
environments:
  prod:
    evaluators: [{name: main, kind: prometheus, version: "2.53"}]
    params: {offline: 0}
  staging:
    evaluators: [{name: main, kind: prometheus, version: "2.53"}]
    params: {offline: 2}
    max_severity: P2
"""
LAG = """\
version: 1
service: kafka
owner: team-streaming
groups:
  - name: lag
    interval: 30s
    rules:
      - record: consumergroup:kafka_lag:sum
        expr: sum by (cluster, consumergroup) (max_over_time(kafka_consumergroup_lag[5m]))
      - alert: KafkaConsumerLag
        id: kafka-consumer-lag
        sop_ref: SOP-KAFKA-007
        identity: [cluster, consumergroup]
        expr: consumergroup:kafka_lag:sum > ${limit}
        levels:
          ticket: {severity: P2, limit: 5000, for: 10m}
          urgent: {severity: P2, limit: 10000, for: 5m}
        summary: "{{ $labels.consumergroup }} is {{ $value }} records behind (limit ${limit})"
"""
BROKERS = """\
version: 1
service: kafka
owner: team-streaming
groups:
  - name: brokers
    rules:
      - alert: KafkaPartitionsOffline
        id: kafka-partitions-offline
        identity: [cluster]
        expr: sum by (cluster) (kafka_controller_offline_partitions) > ${offline}
        severity: P2
        for: 2m
        summary: "{{ $labels.cluster }} has partitions without a leader"
"""
SOP = """\
---
id: SOP-KAFKA-007
title: Consumers fall behind
status: active
services: [kafka]
owner: team-streaming
---
# Consumers fall behind

## Confirm

Look at the group's lag for the last hour.
"""
STEPS = ("start", "merge", "layout", "rename", "p1", "squash", "removal", "revert", "move")
_WHO = {
    "GIT_AUTHOR_NAME": "Ann Example",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann Example",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


@dataclass(slots=True)
class History:
    """A repository at `root`, and the commits that were given names."""

    root: Path
    commits: dict[str, str] = field(default_factory=dict)
    hour: int = 0

    def git(self, *arguments: str) -> str:
        """One command, an hour after the last one. RuntimeError with git's own words where it fails."""
        self.hour += 1
        day, hour = divmod(self.hour, 24)
        at = f"2026-09-{day + 1:02}T{hour:02}:00:00+00:00"
        done = subprocess.run(
            ["git", "-c", "core.autocrlf=false", "-c", "init.defaultBranch=main", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), **_WHO, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def write(self, files: dict[str, str | None]) -> None:
        """Puts files into the work tree; None takes one away."""
        for path, text in files.items():
            if text is None:
                (self.root / path).unlink()
            else:
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_text(text, encoding="utf-8")

    def commit(self, name: str, files: dict[str, str | None], message: str) -> str:
        """One commit of these files, kept under `name`."""
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.named(name)

    def named(self, name: str) -> str:
        """Keeps HEAD under `name`."""
        self.commits[name] = self.git("rev-parse", "HEAD")
        return self.commits[name]


def make_history(root: Path) -> History:
    """The repository, made at `root`, with main checked out."""
    root.mkdir(parents=True)
    history = History(root)
    history.git("init", "-q")
    lag, brokers = "rules/kafka/lag.yaml", "rules/kafka/brokers.yaml"
    history.commit(
        "start",
        {"tocsin.yaml": PROJECT, lag: LAG, brokers: BROKERS, "sops/kafka/SOP-KAFKA-007.md": SOP},
        "Alerts for Kafka",
    )
    _merged(history, lag)
    laid_out = LAG.replace("limit: 5000", "limit: 4000").replace(
        "        levels:\n", "        # Two grades: a ticket first.\n        levels:\n"
    )
    laid_out = laid_out.replace("expr: consumergroup:kafka_lag:sum > ${limit}", "expr: (consumergroup:kafka_lag:sum) > ${limit}")  # fmt: skip
    history.commit("layout", {lag: laid_out}, "Layout and a comment")
    renamed = laid_out.replace("alert: KafkaConsumerLag\n", "alert: KafkaConsumerBehind\n")
    history.write({lag: None})
    lag = "rules/kafka/consumers.yaml"
    history.commit("rename", {lag: renamed}, "A better name\n\nReason: it is the consumer that is behind\nTicket: INFRA-2850")  # fmt: skip
    paged = renamed.replace("urgent: {severity: P2", "urgent: {severity: P1")
    history.commit("p1", {lag: paged}, "Call somebody for a long lag\n\nReason: orders were late before anybody was called\nTicket: INFRA-2891")  # fmt: skip
    windowed = _squashed(history, lag, paged)
    history.commit("removal", {brokers: None}, "Offline partitions are the operator's\n\nReason: the operator repairs them\nTicket: INFRA-2910")  # fmt: skip
    history.git("revert", "--no-edit", "HEAD")
    history.named("revert")
    moved = windowed.replace("service: kafka\n", "service: consumers\n")
    history.write({lag: None})
    history.commit(
        "move",
        {"rules/consumers/lag.yaml": moved, "tocsin.yaml": PROJECT.replace("{offline: 0}", "{offline: 1}")},
        "Consumers are a service of their own\n\nReason: one offline partition is normal during a rollout\nTicket: INFRA-2950",
    )
    return history


def _merged(history: History, lag: str) -> None:
    """A branch with one commit, merged with a commit of its own."""
    history.git("checkout", "-q", "-b", "limit")
    history.commit(
        "limit",
        {lag: LAG.replace("limit: 5000", "limit: 4000")},
        "Open a ticket sooner\n\nReason: five thousand was an afternoon of work\nTicket: INFRA-2801",
    )
    history.git("checkout", "-q", "main")
    history.git("merge", "-q", "--no-ff", "limit", "-m", "Merge branch 'limit'")
    history.named("merge")


def _squashed(history: History, lag: str, text: str) -> str:
    """A branch with two commits that becomes one on main, their messages one below the other as code hosts write them."""
    history.git("checkout", "-q", "-b", "window")
    windowed = text.replace("[5m]", "[10m]")
    messages = (
        "Look at ten minutes\n\nReason: a restart hides the lag for a while\nTicket: INFRA-2902",
        "Say where to look",
    )
    history.commit("window", {lag: windowed}, messages[0])
    sop = SOP.replace("for the last hour.", "for the last hour, and at its members.")
    history.commit("sop", {"sops/kafka/SOP-KAFKA-007.md": sop}, messages[1])
    history.git("checkout", "-q", "main")
    history.git("merge", "-q", "--squash", "window")
    history.git("commit", "-q", "-m", "Window of the lag (#12)", *(word for each in messages for word in ("-m", f"* {each}")))  # fmt: skip
    history.named("squash")
    return windowed
