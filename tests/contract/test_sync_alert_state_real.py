"""What a change does to alerts, as real Prometheus servers do it: what a plan says of alert state is held against the time an alert began.

All cases go through one reload, and each has one alert that fires and one that waits for `for`. A new time for the same rule is an alert that
began again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import FakeClock
from tests.patience import eventually as until
from tests.real.components import NEWEST
from tests.real.servers import Server
from tests.ruling import files_target, plan_of, rules, synced, wanted

from tocsin.remote.http import Door
from tocsin.remote.prometheus import Prometheus

A = "label_replace(vector(2), 'a', 'x', '', '')"
OTHER_VALUE, OTHER_NAME = A.replace("'x'", "'y'"), A.replace("'a'", "'b'")
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    # name: (before, what changes, whether its alerts stay)
    "Number": ({"expr": f"{A} > 1"}, {"expr": f"{A} >= 1.5"}, True),
    "Range": ({"expr": f"max_over_time({A}[1m:1s]) > 1"}, {"expr": f"max_over_time({A}[2m:1s]) > 1"}, True),
    "Texts": ({"expr": f"{A} > 1"}, {"summary": "another"}, True),
    "Keep": ({"expr": f"{A} > 1"}, {"keep_firing_for": "9m"}, True),
    "Value": ({"expr": f"{A} > 1"}, {"expr": f"{OTHER_VALUE} > 1"}, False),
    "Name": ({"expr": f"{A} > 1"}, {"expr": f"{OTHER_NAME} > 1"}, False),
    "Counted": ({"expr": "count_values('v', vector(2))"}, {"expr": "count_values('v', vector(3))"}, False),
    "Label": ({"expr": f"{A} > 1"}, {"labels": {"more": "yes"}}, False),
    "Made": (
        {"expr": f"{A} > 1", "labels": {"v": "{{ $value }}"}},
        {"expr": f"{A} * 2 > 1"},
        False,
    ),
}


def listed(changed: bool) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for name, (before, change, _) in CASES.items():
        body = {**before, **(change if changed else {})}
        made += [{**body, "alert": f"{name}Fires"}, {**body, "alert": f"{name}Waits", "for": "1h"}]
    # `for` itself: longer, shorter, and for one that fires already.
    waits = {"expr": f"{A} > 1"}
    made.append({**waits, "alert": "LongerWaits", "for": "2h" if changed else "1h"})
    made.append({**waits, "alert": "ShorterWaits", "for": "30m" if changed else "1h"})
    made.append({**waits, "alert": "LaterFires", **({"for": "1h"} if changed else {})})
    made.append({**waits, "alert": "RenamedFires" if changed else "NamedFires", "id": "renamed"})
    return made


def began(server: Server) -> dict[str, tuple[str, str, frozenset[tuple[str, str]]]]:
    """alertname -> (state, since when, the labels)."""
    return {
        each["labels"]["alertname"]: (each["state"], each["activeAt"], frozenset(each["labels"].items()))
        for each in server.get("/api/v1/alerts")["data"]["alerts"]
    }


def evaluations(server: Server) -> set[str]:
    groups = server.get("/api/v1/rules")["data"]["groups"]
    return {rule["lastEvaluation"] for group in groups for rule in group["rules"]}


@pytest.mark.parametrize("version", ["2.42", NEWEST])
def test_what_a_change_does_to_alerts(
    prometheus_server: Callable[..., Server], tmp_path: Path, version: str
) -> None:
    server = prometheus_server(f"rule_files: ['{tmp_path}/*.yaml']\n", version=version)
    moved = {"alert": "MovedFires", "expr": f"{A} > 1"}
    interval = {"alert": "SlowedFires", "expr": f"{A} > 1"}
    with Door(server.url, clock=FakeClock(), metrics=True) as door:
        target = files_target(tmp_path, Prometheus(door))
        synced(
            wanted(rules("web", {"main": [*listed(False), moved]}), rules("slow", {"all": [interval]})),
            target,
        )
        names = {each["alert"] for each in (*listed(False), moved, interval)}
        until(lambda: began(server).keys() == names, "every alert is there")
        before = began(server)

        slower = rules("slow", {"all": [interval]})
        slower = type(slower)(path=slower.path, text=slower.text.replace("interval: 1s", "interval: 2s"))
        after = wanted(rules("web", {"main": listed(True), "other": [moved]}), slower)
        plan = plan_of(after, target)
        synced(after, target)
        first = evaluations(server)
        until(lambda: not first & evaluations(server), "every rule evaluated again")
        now = began(server)

    effects = {
        change.rule.title: change.effect
        for group in plan.groups
        for change in group.changes
        if change.action in ("update", "none")
    }
    stays = {
        name: keeps for case, (_, _, keeps) in CASES.items() for name in (f"{case}Fires", f"{case}Waits")
    }
    stays |= dict.fromkeys(("LongerWaits", "ShorterWaits", "LaterFires", "SlowedFires"), True)
    assert {name: now[name] == before[name] for name in stays} == stays
    assert {name: effects[name] for name in stays} == {
        name: "none" if keeps else "for-restarts" if name.endswith("Waits") else "resolves-and-refires"
        for name, keeps in stays.items()
    }
    assert now["MovedFires"][1] > before["MovedFires"][1]
    assert "NamedFires" not in now and effects["RenamedFires"] == "resolves-and-refires"
