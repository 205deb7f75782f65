"""The machine of the canary against a Grafana's own state history: rules as tocsin emits them, synced to the server, evaluated over samples that are
there before they are due, and every transition that the server wrote down.

State history is read as annotations, which is where a Grafana keeps it unless it is told otherwise. Each bears the time of its evaluation.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.contract.canary_live import answers, samples
from tests.equivalence import remote_write
from tests.grafana.site import Place, Site
from tests.grafana.test_evaluation import datasource
from tests.grafana.test_sync import Syncer
from tests.oracle.cases import lines, version
from tests.real import components
from tests.real.servers import Server, running_prometheus
from tests.syncing import rule_file

from tocsin.canary.identity import identities
from tocsin.canary.machine import simulate
from tocsin.canary.values import Grid, RuleVersion

EVERY = 10_000
EVALUATIONS = 26
_CONFIG = "global: {scrape_interval: 1m, evaluation_interval: 1m}\n"
_FLAGS = ["--web.enable-remote-write-receiver", "--query.lookback-delta=30s"]
_RATIO = "load / on (host) group_left () size > 0.5"
RULES: Mapping[str, RuleVersion] = {
    "at-once": version(expr="load > 50"),
    "waits": version(expr="load > 50", for_ms=20_000),
    "waits-longer": version(expr="load > 50", for_ms=30_000),
    "alone": version(expr="absent(beat)", for_ms=20_000),
    "broken": version(expr=_RATIO, for_ms=20_000),
    "kept": version(expr="load > 50", for_ms=10_000, keep_ms=20_000),
    "kept-alone": version(expr="absent(beat)", keep_ms=30_000),
    "kept-broken": version(expr=_RATIO, keep_ms=20_000),
}
_LETTERS = {"Pending": "P", "Alerting": "F", "Recovering": "F", "Normal": "."}
_TEXT = re.compile(r"(?P<title>\w+) \{(?P<labels>.*?)\} - ")
Shown = Mapping[tuple[str, str], str]
"""Rule and host -> a letter for each evaluation: pending, firing (or Recovering), a dot. Without those that are always a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the server wrote down, and what the replay says, by the name of the rule."""

    real: Shown
    predicted: Mapping[str, Shown]
    wrong: Mapping[str, Shown]
    """What the replay says of a rule whose `for` or `keep_firing_for` is ten seconds longer."""


@pytest.fixture(scope="module")
def history(_swept: Site) -> History:
    """Four and a half minutes of them."""
    _swept.need("floor", "evaluates")
    with running_prometheus(components.prometheus(), _CONFIG, flags=_FLAGS) as prometheus:
        place = Place(_swept)
        try:
            syncer = Syncer(place)
            syncer.datasource = datasource(place, prometheus)
            rules = {
                name: each for name, each in RULES.items() if _swept.can("recovering") or not each.keep_ms
            }
            file = rule_file("db", {name: _fields(each) for name, each in rules.items()})
            syncer.sync(syncer.wanted(replace(file, text=file.text.replace("interval: 1m", "interval: 10s"))))
            first = -(-int(time.time() * 1000) // EVERY) * EVERY + 2 * EVERY
            remote_write.push(prometheus.url, samples(first, EVALUATIONS, EVERY))
            # The last evaluation is over before the next but one begins.
            time.sleep((first + (EVALUATIONS + 2) * EVERY) / 1000 - time.time())
            grid = Grid(start_ms=first - EVERY, step_ms=EVERY, count=EVALUATIONS + 1)
            return History(
                real=_real(_swept, grid, {_title(name) for name in rules}),
                predicted={
                    name: _predicted(name, each, _swept, prometheus, grid) for name, each in rules.items()
                },
                wrong={
                    name: _predicted(name, _longer(each), _swept, prometheus, grid)
                    for name, each in rules.items()
                },
            )
        finally:
            _swept.sweep()


def test_the_machine_says_what_the_state_history_says(history: History) -> None:
    assert {key: line for each in history.predicted.values() for key, line in each.items()} == dict(
        history.real
    )


def test_the_history_holds_what_it_is_meant_to(history: History) -> None:
    assert len(history.real) >= 20
    assert sum(line.count("F") for line in history.real.values()) > 150


def test_a_rule_that_waits_longer_is_not_what_the_state_history_says(history: History) -> None:
    for name, shown in history.wrong.items():
        assert shown != {key: line for key, line in history.real.items() if key[0] == _title(name)}, name


def _fields(it: RuleVersion) -> dict[str, str]:
    kept = {"keep_firing_for": f"{it.keep_ms // 1000}s"} if it.keep_ms else {}
    return {"expr": it.expr, "for": f"{it.for_ms // 1000}s", **kept}


def _title(name: str) -> str:
    return name.title().replace("-", "")


def _longer(it: RuleVersion) -> RuleVersion:
    return replace(it, keep_ms=it.keep_ms + EVERY) if it.keep_ms else replace(it, for_ms=it.for_ms + EVERY)


def _predicted(name: str, it: RuleVersion, site: Site, prometheus: Server, grid: Grid) -> Shown:
    it = replace(
        it,
        name=_title(name),
        machine="grafana",
        interval_ms=EVERY,
        missing_evals=1 if site.can("missing_series") else 2,
        exec_err="KeepLast" if site.can("keep_last") else "OK",
    )
    grid, raw = answers(prometheus, it.expr, grid)
    alerts, meets = identities(raw, it)
    assert not meets.size
    shown = lines(simulate(alerts, grid, it, meets), len(alerts.series))
    found = zip(alerts.series, shown, strict=True)
    return {(it.name, dict(each).get("host", "")): line for each, line in found if set(line) != {"."}}


def _real(site: Site, grid: Grid, titles: set[str]) -> Shown:
    """The transitions as states at each evaluation, of the rules' own instances: no data and errors may have others."""
    path = f"/api/annotations?type=alert&limit=5000&from={grid.start_ms - EVERY}&to={grid.end_ms + 1000}"
    found: dict[tuple[str, str], list[str]] = {}
    for each in sorted(site.get(path), key=lambda each: (each["time"], each["id"])):
        text = _TEXT.match(each["text"])
        if text is None or text["title"] not in titles or site.suffix not in text["labels"]:
            continue
        labels = dict(pair.split("=", 1) for pair in text["labels"].split(", "))
        if "ref_id" in labels or "datasource_uid" in labels:
            continue
        state = _LETTERS[each["newState"].partition(" (")[0]]
        line = found.setdefault((text["title"], labels.get("host", "")), ["."] * grid.count)
        at = int(np.ceil((each["time"] - grid.start_ms) / grid.step_ms))
        line[max(at, 0) :] = [state] * (grid.count - max(at, 0))
    return {key: "".join(line) for key, line in found.items() if set(line) != {"."}}
