"""A large repository, the same bytes every time: what `make bench` measures on.

In: how many services, files and SOPs. Out: a folder tocsin can compile without a finding above a note. The shape follows what large teams have:
five rules a file at about 29 lines each with their envelope, expressions of about 150 characters, a quarter of the files with an anchor and merge
keys, SOPs of about 3 kB with a table, three fences and links.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

_PROJECT = """\
version: 1
project: bench
severities:
  P1: {label: {severity: critical}, pages: true, requires: [sop, owner, summary, identity]}
  P2: {label: {severity: warning}, requires: [owner, summary]}
teams: {team-a: {name: A}, team-b: {name: B}}
site: {url: "https://runbooks.example.com"}
environments:
  prod:
    evaluators: [{name: prometheus, kind: prometheus, version: "2.53"}]
"""
_SIGNALS = ("latency", "traffic", "errors", "saturation")
_PARTS = ("api", "worker", "gateway", "store", "queue", "cache", "index", "mailer")
_VERBS = ("Failing", "Slow", "Saturated", "Lagging", "Leaking", "Stalled", "Throttled", "Rejecting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large: `files` rule files in `services` folders, `rules` in each, and as many SOPs as files."""

    services: int = 200
    files: int = 2_000
    rules: int = 5
    sops: int = 2_000


def generate(root: Path, size: Size) -> tuple[int, int]:
    """Writes the repository anew; answers the bytes of rules and of SOPs."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "tocsin.yaml").write_text(_PROJECT, encoding="utf-8")
    dice = random.Random(20261121)  # a benchmark wants the same numbers, not secret ones
    rules = sum(_rule_file(root, dice, number, size) for number in range(size.files))
    sops = sum(_sop_file(root, dice, number, size) for number in range(size.sops))
    return rules, sops


def _service(number: int, size: Size) -> str:
    return f"{_PARTS[number % len(_PARTS)]}-{number % size.services:03d}"


def _rule_file(root: Path, dice: random.Random, number: int, size: Size) -> int:
    service = _service(number, size)
    rows = [
        "version: 1",
        f"service: {service}",
        f"owner: team-{'ab'[number % 2]}",
        "x-common: &common" if number % 4 == 0 else "x-note: rules of one topic, reviewed together",
    ]
    if number % 4 == 0:
        rows += ["  dashboard: https://grafana.example.com/d/common", "  chat: '#alerts'"]
    rows += ["groups:", f"  - name: topic-{number}", "    interval: 30s", "    rules:"]
    for index in range(size.rules):
        rows += _rule(dice, number, index, service, size)
    folder = root / "rules" / service
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(rows) + "\n"
    (folder / f"topic-{number}.yaml").write_text(text, encoding="utf-8")
    return len(text.encode())


def _rule(dice: random.Random, number: int, index: int, service: str, size: Size) -> list[str]:
    verb = _VERBS[(number + index) % len(_VERBS)]
    percent = dice.randint(1, 40)
    job = f"{service}-{index}"
    merged = (
        ["          <<: *common"]
        if number % 4 == 0
        else [f"          dashboard: https://grafana.example.com/d/{service}"]
    )
    return [
        f"      # {verb} requests of {job}: reviewed with the team in the last quarter, see the SOP for what to do.",
        f"      - alert: Bench{verb}{number}x{index}",
        f"        id: bench-{number}-{index}",
        f"        sop_ref: SOP-BENCH-{number % size.sops:04d}#mitigate",
        "        identity: [cluster, job]",
        f"        signal: {_SIGNALS[index % 4]}",
        f"        sli: {service}-availability",
        "        expr: |",
        f'          sum by (cluster, job) (rate(http_requests_total{{job="{job}", code=~"5..", handler!="/healthz"}}[5m]))',
        f'            / sum by (cluster, job) (rate(http_requests_total{{job="{job}"}}[5m])) > ${{limit}}',
        "        keep_firing_for: 5m",
        "        params:",
        f"          limit: 0.{percent:02d}",
        f"        severity: {'P1' if index == 0 else 'P2'}",
        f"        for: {dice.choice(('2m', '5m', '10m', '15m'))}",
        '        summary: "{{ $labels.job }} in {{ $labels.cluster }} fails {{ $value | humanizePercentage }} of its requests"',
        "        description: |",
        f"          More than the limit of requests to {job} in {{{{ $labels.cluster }}}} have failed for some time.",
        '          Measured: {{ printf "%.3f" $value }}. Look at the last deployment first, then at the stores it depends on.',
        "        annotations:",
        *merged,
        f"          runbook_hint: start with the latest change of {service}",
        "        labels:",
        f"          component: {_PARTS[index % len(_PARTS)]}",
        f'          tier: "{index % 3}"',
        "          region: eu",
        "",
    ]


def _sop_file(root: Path, dice: random.Random, number: int, size: Size) -> int:
    id, service = f"SOP-BENCH-{number:04d}", _service(number, size)
    words = (
        "deployment",
        "queue",
        "store",
        "certificate",
        "quota",
        "replica",
        "cache",
        "network",
        "disk",
        "token",
    )
    paragraphs = [" ".join(dice.choice(words) for _ in range(60)).capitalize() + "." for _ in range(4)]
    fence = "```"
    text = f"""---
id: {id}
title: Requests of {service} fail ({number})
status: active
services: [{service}]
owner: team-{"ab"[number % 2]}
severity: P1
symptoms: [requests fail, clients retry]
log_patterns: ['(?i)upstream timed out', 'connection reset by peer']
review: {{last: 2026-10-01, every: 180d}}
---

## Impact

{paragraphs[0]} See [the policy](https://example.com/policy) and [the next page]({f"SOP-BENCH-{number:04d}.md"}#verify).

## Confirm

| Look at | Good | Bad |
|---|---|---|
| error ratio | below 0.1 % | above 1 % |
| queue length | below 100 | growing |

{fence}promql
sum by (code) (rate(http_requests_total{{job="{service}"}}[5m]))
{fence}

{paragraphs[1]}

## Mitigation

<!-- tocsin: change undo=#rollback -->
{fence}sh
kubectl rollout undo deployment/{service}
{fence}

{paragraphs[2]}

## Verification

<!-- tocsin: read -->
{fence}sh
kubectl rollout status deployment/{service} --timeout=120s
{fence}

## Rollback

{paragraphs[3]}

## Escalation

Call the platform duty manager, and send the cluster, the job and the last deployment.
"""
    folder = root / "sops" / service
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{id}.md").write_text(text, encoding="utf-8")
    return len(text.encode())
