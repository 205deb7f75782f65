"""What the machine predicts is what real evaluators do, sample by sample: promtool, live Prometheus servers, vmalert's replay. Each of them also
refuses a prediction that is wrong.
"""

from __future__ import annotations

import itertools
import json
import random
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.contract.canary_live import (
    Alert,
    Shown,
    TooBusyError,
    alerts,
    range_query,
    rule_file,
    running,
    shown,
)
from tests.oracle.cases import version
from tests.oracle.mistakes import PROMETHEUS_MISTAKES, Mistake, mistaken
from tests.real import components
from tests.real.servers import Server, running_victoria_metrics

from tocsin.canary.values import Grid, Presence, RuleVersion
from tocsin.disk.process import run

# A proxy from the environment must not stand between a test and its own server.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A server that is still there, and what it did."""

    server: Server
    alerts: Mapping[str, Alert]


@pytest.fixture(scope="module")
def runs() -> Iterator[Mapping[str, Run]]:
    """The same rules over the same samples on every version, at the same time; by themselves, and again, where the machine was too busy for that."""
    for label in components.VERSIONS:
        components.prometheus(label)
    # A server ends with the thread that started it, so the pool lasts as long as they are asked.
    with ExitStack() as stack, ThreadPoolExecutor(len(components.VERSIONS)) as pool:
        started = {label: pool.submit(_run, label) for label in components.VERSIONS}
        found: dict[str, Run] = {}
        for label, first in started.items():
            made = first.result()
            for _ in range(TRIES):
                made = made or _run(label)
            assert made is not None, f"Prometheus {label}: too busy to evaluate every second, {TRIES} times"
            found[label] = made[1]
            stack.enter_context(made[0])
        yield found


TRIES = 8


def _run(label: str) -> tuple[ExitStack, Run] | None:
    """A run and what ends its server; None where the machine left out a third of the evaluations, so that little was compared."""
    with ExitStack() as stack:
        try:
            server, versions = stack.enter_context(running(label))
        except TooBusyError:
            return None
        run = Run(server=server, alerts=alerts(server, versions))
        grid = run.alerts["AtOnce"].grid
        return (stack.pop_all(), run) if grid.missed.size < grid.count // 3 else None


# Live -------------------------------------------------------------------------------------------------------

NOT_SHOWN = {
    "(fires & (last > number))": "a flag of the spell, which no state shows",
    "if version.limit > 0:": "no rule here has a limit of one",
    "(row[1:] != row[:-1]) | ": "nothing is there at the last evaluation and something else at the first",
}
"""Mistakes that no ALERTS of these rules can show."""


@pytest.mark.parametrize("label", components.VERSIONS)
def test_a_live_prometheus_stored_what_was_predicted(label: str, runs: Mapping[str, Run]) -> None:
    for name, it in runs[label].alerts.items():
        assert it.predicted() == it.stored, (name, sorted(it.predicted() ^ it.stored))


@pytest.mark.parametrize("label", components.VERSIONS)
def test_the_live_run_holds_what_it_is_meant_to(label: str, runs: Mapping[str, Run]) -> None:
    """Both states of every alert that can have both, failed evaluations, and thousands of samples: else little was compared."""
    found = runs[label].alerts
    assert len(found) == (14 if label == "2.42" else 17)
    assert sum(len(it.stored) for it in found.values()) > 1500
    for name, it in found.items():
        states = {"firing", "pending"} if it.version.for_ms else {"firing"}
        assert {state for _, state, _ in it.stored} == states, name
        assert len({at for _, _, at in it.stored}) > 7, name
    assert found["Broken"].grid.missed.size >= 6


@pytest.mark.parametrize("label", components.VERSIONS)
def test_a_wrong_version_is_not_what_a_live_prometheus_stored(label: str, runs: Mapping[str, Run]) -> None:
    found = runs[label].alerts
    for name, it in found.items():
        # One evaluation later than the server's; where evaluations were left out, past the longest row of those.
        later = 1000 * (1 + _longest(it.grid.missed.tolist()))
        assert it.predicted(for_ms=it.version.for_ms + later) != it.stored, name
        assert it.predicted(name="Other") != it.stored, name
        assert it.predicted(labels={"team": "web"}) != it.stored, name
    for changes, has in (({"keep_ms": 0}, "keep_ms"), ({"limit": 0}, "limit")):
        those = [it for it in found.values() if getattr(it.version, has)]
        assert len([it for it in those if it.predicted(**changes) != it.stored]) > len(those) // 2, has
    it = found["Broken"]
    taken_for_absent = replace(it, grid=replace(it.grid, missed=it.grid.missed[:0]))
    assert taken_for_absent.predicted() != it.stored


def _longest(missed: Sequence[int]) -> int:
    """How many of these numbers follow one another at most."""
    there = set(missed)
    length = 0
    while any(there.issuperset(range(each, each + length + 1)) for each in there):
        length += 1
    return length


@pytest.mark.parametrize("mistake", PROMETHEUS_MISTAKES, ids=lambda each: each[1][:40])
def test_a_wrong_machine_is_not_what_a_live_prometheus_stored(
    mistake: Mistake, runs: Mapping[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    if mistake[1] in NOT_SHOWN:
        return
    room = mistaken(mistake, monkeypatch)
    assert any(_differs(it, room) for it in runs[components.NEWEST].alerts.values())


def _differs(it: Alert, room: ModuleType) -> bool:
    try:
        return it.predicted(room) != it.stored
    except (IndexError, ValueError):
        return True


# promtool ---------------------------------------------------------------------------------------------------

MINUTES = 90
HOSTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A unit test for promtool: rules, series, and every sample of ALERTS at every minute."""

    rules: str
    series: Sequence[Mapping[str, str]]
    predicted: Shown

    def write(self, folder: Path, predicted: Shown) -> Path:
        """The files, with this prediction."""
        by_time: dict[int, list[dict[str, object]]] = {number * 60_000: [] for number in range(MINUTES)}
        for labels, state, at in sorted(predicted):
            names = {"__name__": "ALERTS", "alertstate": state, **dict(labels)}
            inside = ",".join(
                f"{name}={json.dumps(value)}" for name, value in names.items() if name != "__name__"
            )
            by_time[at].append({"labels": f"ALERTS{{{inside}}}", "value": 1})
        tests = [
            {"expr": "ALERTS", "eval_time": f"{at // 60_000}m", "exp_samples": those}
            for at, those in by_time.items()
        ]
        document = {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": self.series, "promql_expr_test": tests}],
        }
        (folder / "rules.yaml").write_text(self.rules, encoding="utf-8")
        (folder / "test.yaml").write_text(json.dumps(document), encoding="utf-8")
        return folder / "test.yaml"


@pytest.fixture(scope="module")
def asked() -> Asked:
    """Twelve pairs of `for` and `keep_firing_for`, relabelled alerts and an absent one, over hosts that come and go."""
    chance = random.Random(11)
    there = np.array([_comings(chance) for _ in range(HOSTS)])
    hosts = tuple(
        (("__name__", "load"), ("host", str(host)), ("rack", "ab"[host % 2])) for host in range(HOSTS)
    )
    pairs = itertools.product((0, 60_000, 150_000, 180_000), (0, 120_000, 150_000))
    waits = [
        version(name=f"Rule{number}", for_ms=wait, keep_ms=keep) for number, (wait, keep) in enumerate(pairs)
    ]
    versions = [
        *(replace(each, expr="load > 50") for each in waits),
        version(name="Where", expr="load > 50", for_ms=120_000, labels={"host": "", "at": "{{ $labels.host }}", "rack": "{{ $labels.rack }}{{ $labels.no }}"}),
        version(name="Silent", expr='absent(load{host="0"})', for_ms=60_000, keep_ms=120_000),
    ]  # fmt: skip
    grid = Grid(start_ms=0, step_ms=60_000, count=MINUTES)
    row, at = (each.astype(np.int32) for each in np.nonzero(there))
    busy = Presence(series=hosts, row=row, at=at)
    quiet = np.flatnonzero(~there[0]).astype(np.int32)
    silent = Presence(series=((("host", "0"),),), row=np.zeros_like(quiet), at=quiet)
    return Asked(
        rules=rule_file({"all": versions}, interval="1m", clock=False),
        series=[
            {
                "series": f'load{{host="{host}",rack="{"ab"[host % 2]}"}}',
                "values": " ".join("90" if busy else _low(host, chance) for busy in there[host]),
            }
            for host in range(HOSTS)
        ],
        predicted=frozenset().union(
            *(shown(silent if each.name == "Silent" else busy, grid, each) for each in versions)
        ),
    )


def test_promtool_takes_the_prediction(promtool: Path, asked: Asked, tmp_path: Path) -> None:
    assert len(asked.predicted) > 4000
    done = run(
        [str(promtool), "test", "rules", str(asked.write(tmp_path, asked.predicted))],
        cwd=tmp_path,
        timeout=600,
    )
    assert done.code == 0, (done.out + done.err)[-2000:]


@pytest.mark.parametrize("how", ["one more", "one less", "another state", "a minute late", "another host"])
def test_promtool_refuses_a_wrong_prediction(promtool: Path, asked: Asked, tmp_path: Path, how: str) -> None:
    chance = random.Random(how)
    one = chance.choice(sorted(each for each in asked.predicted if each[1] == "pending" and each[2]))
    labels, _, at = one
    wrong = {
        "one more": asked.predicted | {((*labels, ("zone", "z")), "firing", at)},
        "one less": asked.predicted - {one},
        "another state": asked.predicted - {one} | {(labels, "firing", at)},
        "a minute late": asked.predicted - {one} | {(labels, "pending", (at + 60_000) % (MINUTES * 60_000))},
        "another host": asked.predicted - {one} | {((*labels, ("host", "9")), "pending", at)},
    }[how]
    done = run([str(promtool), "test", "rules", str(asked.write(tmp_path, wrong))], cwd=tmp_path, timeout=600)
    assert done.code == 1
    assert "FAILED" in done.out + done.err


def _low(host: int, chance: random.Random) -> str:
    """Below the threshold, or gone; the first host is always gone, for an alert says when it is."""
    return "10" if host and chance.random() < 0.5 else "stale"


def _comings(chance: random.Random) -> list[bool]:
    found: list[bool] = []
    high = chance.random() < 0.5
    while len(found) < MINUTES:
        found += [high] * chance.randint(1, 7 if high else 5)
        high = not high
    return found[:MINUTES]


# vmalert ----------------------------------------------------------------------------------------------------

REPLAYED: Sequence[RuleVersion] = (
    version(name="AtOnce", expr="load > 50"),
    version(name="Waits", expr="load > 50", for_ms=2000, labels={"team": "db"}),
    version(name="Longer", expr="load > 50", for_ms=5000),
    version(name="Silent", expr="absent(beat)", for_ms=3000),
)
"""vmalert's replay knows no keep_firing_for and keeps labels that meet apart, so none of the two is here."""


@pytest.fixture(scope="module")
def replayed(runs: Mapping[str, Run], tmp_path_factory: pytest.TempPathFactory) -> tuple[Grid, Server, Shown]:
    """What vmalert's replay says was in ALERTS, over the samples of the newest Prometheus at whole seconds."""
    source = runs[components.NEWEST]
    live = source.alerts["AtOnce"].grid
    start = -(-live.start_ms // 1000) * 1000
    grid = Grid(start_ms=start, step_ms=1000, count=live.count - 2)
    folder = tmp_path_factory.mktemp("vmalert")
    (folder / "rules.yaml").write_text(rule_file({"all": REPLAYED}, clock=False), encoding="utf-8")
    with running_victoria_metrics(components.victoria_metrics()) as sink:
        begin, end = (datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z") for at in (grid.start_ms, grid.end_ms))  # fmt: skip
        command = [
            str(components.vmalert()),
            f"-rule={folder / 'rules.yaml'}",
            f"-datasource.url={source.server.url}",
            f"-remoteWrite.url={sink.url}",
            f"-replay.timeFrom={begin}",
            f"-replay.timeTo={end}",
            "-evaluationInterval=1s",
            "-disableAlertgroupLabel",
            "-replay.rulesDelay=0s",
            "-replay.maxDatapointsPerQuery=10000",
        ]
        done = run(command, cwd=folder, timeout=600)
        assert done.code == 0, (done.out + done.err)[-2000:]
        sink.get("/internal/force_flush")
        with _OPENER.open(f"{sink.url}/api/v1/export?match[]=ALERTS", timeout=300) as answer:
            lines = answer.read().decode().splitlines()
    found = set()
    for line in lines:
        series = json.loads(line)
        labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
        state = labels.pop("alertstate")
        found |= {(tuple(sorted(labels.items())), state, at) for at in series["timestamps"]}
    return grid, source.server, frozenset(found)


def test_vmalert_replays_what_is_predicted(replayed: tuple[Grid, Server, Shown]) -> None:
    grid, server, found = replayed
    predicted = _predicted(grid, server)
    assert len(found) > 200
    assert predicted == found, sorted(predicted ^ found)[:20]


def test_a_wrong_prediction_is_not_what_vmalert_replays(replayed: tuple[Grid, Server, Shown]) -> None:
    grid, server, found = replayed
    late = replace(grid, start_ms=grid.start_ms + 1000)
    assert _predicted(late, server) != found
    for each in REPLAYED:
        mine = {it for it in found if dict(it[0])["alertname"] == each.name}
        raw = range_query(server, each.expr, grid)
        assert shown(raw, grid, each) == mine
        assert shown(raw, grid, replace(each, for_ms=each.for_ms + 1000)) != mine
        assert shown(raw, grid, replace(each, keep_ms=1000)) != mine


def _predicted(grid: Grid, server: Server) -> Shown:
    return frozenset().union(*(shown(range_query(server, each.expr, grid), grid, each) for each in REPLAYED))
