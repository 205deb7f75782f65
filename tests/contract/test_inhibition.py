"""Emitted inhibition rules in a real Alertmanager: with levels of several instances firing, who is muted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.builders import group, resolved, rule
from tests.patience import PATIENCE
from tests.real.servers import Server

from tocsin.disk.process import run
from tocsin.emit.inhibit import inhibit_rules
from tocsin.emit.merge import merge_inhibit
from tocsin.ir.compiled import CompiledAlert

CONFIG = """\
route: {receiver: nobody}
receivers:
  - name: nobody
inhibit_rules:
  - source_matchers: [witness="source"]
    target_matchers: [witness="target"]
"""
INSTANCES: tuple[Mapping[str, str], ...] = (
    {"cluster": "a", "consumergroup": "x"},
    {"cluster": "a", "consumergroup": "y"},
    {"cluster": "b", "consumergroup": "x"},
)
LADDER = [
    rule(level="page", severity="P1"),
    rule(level="ticket", severity="P2"),
    rule(level="note", severity="P3"),
]
EQUALS = [
    rule(level="a", severity="P1"),
    rule(level="b", severity="P1"),
    rule(level="c", severity="P2"),
    rule(level="d", severity="P2"),
]
ODD = [
    rule(level="a", severity="P1", name='A.b"c|d'),
    rule(level="b", severity="P2", name="A+b\\c"),
    rule(level="c", severity="P2", name="积压 (1)"),
]
CASES: dict[str, tuple[list[CompiledAlert], str, str]] = {
    # The alerts, the levels that fire at the first instance, and those that are muted there.
    "the most urgent mutes both others": (LADDER, "page ticket note", "ticket note"),
    "the middle one mutes the least urgent": (LADDER, "ticket note", "note"),
    "the most urgent mutes the least urgent": (LADDER, "page note", "note"),
    "alone nobody is muted": (LADDER, "note", ""),
    "equals leave each other alone": (EQUALS, "a b", ""),
    "equals are muted together": (EQUALS, "b c d", "c d"),
    "equals below mute nothing": (EQUALS, "c d", ""),
    "one name, told apart by severity": (
        [replace(each, name="Lag") for each in LADDER],
        "page ticket note",
        "ticket note",
    ),
    "no rule_id": (
        [replace(each, labels={"severity": each.labels["severity"], "team": "t"}) for each in LADDER],
        "page note",
        "note",
    ),
    "names full of special characters": (ODD, "a b c", "b c"),
}


@pytest.mark.parametrize(("alerts", "firing", "muted"), CASES.values(), ids=CASES.keys())
def test_who_is_muted(
    alerts: list[CompiledAlert],
    firing: str,
    muted: str,
    amtool: Path,
    tmp_path: Path,
    alertmanager_server: Callable[..., Server],
) -> None:
    config = merge_inhibit(CONFIG, inhibit_rules([resolved(group(*alerts))]))
    (tmp_path / "a.yml").write_text(config, encoding="utf-8")
    checked = run([str(amtool), "check-config", "a.yml"], cwd=tmp_path, timeout=300)
    assert checked.code == 0, checked.out
    server = alertmanager_server(config)
    first, *others = INSTANCES
    shown = [(each, first) for each in alerts if each.key.level in firing.split()]
    # The others fire too, each alone at its instance: whoever is muted there was muted by another instance.
    shown += [(each, other) for each, other in product(alerts[-1:], others)]
    posted = [
        {"labels": {**at, **each.labels, "alertname": each.name, "at": str(INSTANCES.index(at))}}
        for each, at in shown
    ]
    server.post("/api/v2/alerts", posted)
    read = settled(server)
    assert len(read) == len(posted)
    suppressed = {
        (each["labels"]["alertname"], each["labels"]["severity"], each["labels"]["at"])
        for each in read
        if each["status"]["state"] == "suppressed"
    }
    expected = {
        (each.name, each.labels["severity"], "0") for each in alerts if each.key.level in muted.split()
    }
    assert suppressed == expected


def settled(server: Server) -> list[dict[str, Any]]:
    """The alerts, once all that was posted counts for who is muted.

    An Alertmanager stores alerts at once and tells its inhibitor of them afterwards, in their order: when an alert posted last mutes another, the
    inhibitor knows all before it.
    """
    server.post("/api/v2/alerts", [{"labels": {"witness": each}} for each in ("target", "source")])
    deadline = time.monotonic() + PATIENCE
    while True:
        read: list[dict[str, Any]] = server.get("/api/v2/alerts")
        witness = {each["labels"]["witness"]: each for each in read if "witness" in each["labels"]}
        if witness["target"]["status"]["state"] == "suppressed":
            return [each for each in read if "witness" not in each["labels"]]
        assert time.monotonic() < deadline, "the inhibitor never heard of the alerts"
        time.sleep(0.02)
