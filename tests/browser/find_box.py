"""A home page of nothing but the find box, with a lookup file of any size: what `home.js` does, apart from the site around it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "compiler" / "tocsin" / "emit" / "site" / "assets"
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'"

CALL = [
    ["P1", "the on-call engineer of the owning team, by phone", "15m"],
    ["P2", "the owning team, by ticket", "8h"],
    ["P3", "the backlog", "7d"],
]

KAFKA = [
    "SOP-KAFKA-007",
    "A consumer group falls behind",
    "P1",
    "team-streaming",
    "number of members in --state against the number that should run",
    ["orders, mails or reports arrive late", "the consumer group rebalances again and again"],
    [
        r"Application maximum poll interval \(\d+ms\) exceeded",
        "consumer poll timeout has expired",
        r"(?i)retry|deserializ|poison",
        r"^FATAL: poller (\w+) gave up$",
    ],
    ["REBALANCE_IN_PROGRESS", "OFFSET_OUT_OF_RANGE"],
    "消费组积压持续增长",
    ["订单、邮件或报表迟到", "消费组反复重平衡"],
    "active",
    ["kafka"],
]
DISK = [
    "SOP-NODE-001",
    "A file system fills up",
    "P2",
    "team-platform",
    "df -h",
    ["writes fail", "a database turns read-only"],
    ["No space left on device", r"(\w+\s?)+disk full$", r"E[0-9]{4}:", ".*", ""],
    ["ENOSPC"],
    "磁盘空间不足",
    ["写入失败"],
    "active",
    ["node", "orders-api"],
]
RETIRED = [
    "SOP-KAFKA-001",
    "A consumer group is slow",
    "P2",
    "team-streaming",
    "",
    ["lag"],
    [],
    [],
    "",
    [],
    "retired",
    ["kafka"],
]

SMALL: dict[str, object] = {
    "v": 1,
    "sops": [KAFKA, DISK, RETIRED],
    "alerts": [
        ["KafkaConsumerLagPage", 0, "P1", "mitigate", "kafka"],
        ["KafkaConsumerLagTicket", 0, "P2", "confirm", "kafka"],
        ["NodeFilesystemFull", 1, "P2", "", "node"],
        ["HighErrorRate", 1, "P2", "mitigate", "node"],
        ["HighErrorRate", 0, "P1", "confirm", "kafka"],
        ["Null", 0, "P2", "", "kafka"],
        ["null", 1, "P2", "", "node"],
        ["NobodyWroteIt", -1, "P3", "", "orders-api"],
        ["Odd Name/1", -1, "P3", "", "orders-api", "odd-name-1~x"],
    ],
    "call": CALL,
    "marks": [["P1", "severity", "critical"], ["P2", "severity", "warning"]],
    "draft": "https://git.example.com/new?value=",
}


def write(folder: Path, lookup: dict[str, object], *, language: str = "en", before: str = "") -> Path:
    """The page and what it loads; the answer is `folder`. `before` stands above the box as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("home.js", "tocsin.css"):
        (folder / name).write_bytes((ASSETS / name).read_bytes())
    (folder / "lookup.js").write_text(f"window.TOCSIN_LOOKUP={json.dumps(lookup)};", encoding="utf-8")
    (folder / "index.html").write_text(
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>find</title><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="tocsin.css"></head>'
        f'<body class="md-typeset">{before}<h1>Start here</h1><div id="tocsin-find"></div>'
        '<script src="lookup.js"></script><script src="home.js"></script></body></html>',
        encoding="utf-8",
    )
    return folder


_THINGS = re.findall(
    r"\w+",
    "Kafka Node Disk Memory Queue Cache Orders Payment Checkout Ingress Replica Backup Scheduler Pod Volume",
)
_STATES = re.findall(
    r"\w+",
    "Lag Full Slow Down Missing Restarting Saturated Expiring Unavailable Stuck Throttled Failing Late",
)
_WORDS = re.findall(
    r"\w+",
    "the service answers late and writes fail while a replica waits for its leader after the last deploy",
)
_LINES = (
    r"connection to [\w.-]+ refused \(attempt \d+\)",
    r"context deadline exceeded while calling {}",
    r"(?i)out of memory: killed process \d+ \({}\)",
    r"{}: retry budget exhausted after .* seconds",
    r"ERR_{}_\d{{3}}",
)


def large(sops: int = 2000, alerts: int = 10_000) -> dict[str, object]:
    """A lookup file the size of a large company's, always the same."""
    dice = random.Random(7)
    rows: list[list[object]] = []
    for number in range(sops):
        thing, state = dice.choice(_THINGS), dice.choice(_STATES)
        rows.append(
            [
                f"SOP-{thing.upper()}-{number:04}",
                f"{thing} {number} is {state.lower()} in production",
                dice.choice(["P1", "P2", "P3"]),
                f"team-{number % 40}",
                "kubectl get pods and count those that are not ready",
                [" ".join(dice.sample(_WORDS, 6)) for _ in range(3)],
                [each.format(f"{thing.lower()}{number}") for each in dice.sample(_LINES, 3)],
                [f"ERR_{thing.upper()}_{number:03}"],
                f"{thing} {number} 处理延迟持续升高",
                ["请求超时", "写入失败"],
                "active",
                [f"service-{number % 300}"],
            ]
        )
    named = [
        [
            f"{dice.choice(_THINGS)}{dice.choice(_THINGS)}{dice.choice(_STATES)}{number}",
            number % sops,
            dice.choice(["P1", "P2", "P3"]),
            "mitigate",
            f"service-{number % 300}",
        ]
        for number in range(alerts)
    ]
    return {
        "v": 1,
        "sops": [KAFKA, *rows],
        "alerts": [["KafkaConsumerLagPage", 0, "P1", "mitigate", "kafka"], *named],
        "call": CALL,
        "draft": "",
    }
