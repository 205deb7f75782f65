"""The replay against a real Prometheus and a real VictoriaMetrics: the same episodes with each saving and without, in fewer requests.

A day and a half of six series with lost scrapes, and a flag of which there are two at times, so that a match fails there.
"""

from __future__ import annotations

import itertools
import math
import random
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from tests.history_source import Episode, episodes, pair, version
from tests.loopback import FakeClock, Reply, Seen, reply, serving
from tests.real import components, servers

from tocsin.canary.compare import NO_EVIDENCE
from tocsin.canary.planner import Budget, Savings, Watch, make_plan
from tocsin.canary.replay import replay
from tocsin.canary.source import Flavour
from tocsin.canary.spread import judged_at_worst
from tocsin.canary.values import Pair, Replay, Replayed, Window
from tocsin.disk.cache import Cache
from tocsin.ir.canary import CanaryPolicy
from tocsin.ir.compiled import RuleKey
from tocsin.remote.access import Bearer, Secret
from tocsin.remote.history import History
from tocsin.remote.http import Door

NONE = Savings(share=False, limits=False, coarse=False)
SCRAPE_NOTHING = "global: {scrape_interval: 1h}\n"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BEGIN = 19_700 * DAY
WINDOW = Window(start_ms=BEGIN + 4 * HOUR, end_ms=BEGIN + 34 * HOUR)
NOW = BEGIN + 400 * DAY
TWO = range(BEGIN + 20 * HOUR, BEGIN + 20 * HOUR + 10 * MINUTE, 30_000)
"""When there is a second flag."""

PAIRS = [
    pair(
        version("load > 0.75", for_ms=MINUTE), version("load > 0.75", for_ms=10 * MINUTE, keep_ms=5 * MINUTE)
    ),
    pair(version("load > 0.8", for_ms=2 * MINUTE), version("load > 0.85", for_ms=2 * MINUTE)),
    pair(
        version("avg by (job) (load) > 0.6"),
        version("avg by (job) (avg_over_time(load[10m])) > 0.6", for_ms=5 * MINUTE),
    ),
    pair(version("absent(load{host=~'h[0-5]'} < 2)"), version("load{host='h0'} < 0.1", limit=1)),
    pair(None, version("vector(1) * on() flag > 0", for_ms=10 * MINUTE)),
]


def samples() -> Iterator[tuple[str, int, float]]:
    """(series, ms, value), by series."""
    chance = random.Random(5)
    for host in range(6):
        offset = chance.randrange(30_000)
        for t in range(BEGIN, BEGIN + 36 * HOUR, 30_000):
            if chance.random() < 0.01 or 10 * HOUR < t - BEGIN < 10 * HOUR + 7 * MINUTE:
                continue
            value = 0.5 + 0.35 * math.sin(t / 3_000_000 + host) + chance.uniform(-0.1, 0.1)
            yield f'load{{host="h{host}",job="j"}}', t + offset, round(value, 3)
    for t in range(BEGIN, BEGIN + 36 * HOUR, 30_000):
        yield 'flag{x="1"}', t, 1.0
    for t in TWO:
        yield 'flag{x="2"}', t, 1.0
    # Twelve disks, two of which fill up and are emptied, each at hours of its own; one says nothing for three hours, and some scrapes are lost.
    for host in range(12):
        for t in range(BEGIN + host * 1_300, BEGIN + 36 * HOUR, 30_000):
            if chance.random() < 0.01 or (host == 7 and 15 * HOUR < t - BEGIN < 18 * HOUR):
                continue
            filled = (t / HOUR + host) % 9 / 9
            free = 1 - filled if host in (3, 8) else 0.7 + 0.2 * math.sin(t / 9_000_000 + host)
            team = ',team="a"' if host == 5 else ""
            yield f'disk{{host="h{host}",mount="/"{team}}}', t, round(free, 4)


@dataclass(frozen=True)
class Live:
    """A server with the samples, and a way to it that counts."""

    server: servers.Server
    source: History
    door: Door
    asked: list[str]

    def run(
        self,
        pairs: list[Pair],
        savings: Savings | None = None,
        cache: Cache | None = None,
        spread: Container[RuleKey] = (),
    ) -> tuple[Replayed, ...]:
        self.asked.clear()
        ticks = itertools.count()
        watch = Watch(now_ms=NOW, monotonic=lambda: next(ticks) / 1000)
        return replay(pairs, WINDOW, self.source, cache, Budget(), watch, savings=savings, spread=spread)

    @property
    def ranges(self) -> int:
        """Range queries of the last run but the two that ask for ALERTS and for how far history reaches."""
        return sum(each.endswith("query_range") for each in self.asked) - 3


def live(server: servers.Server) -> Live:
    asked: list[str] = []
    door = Door(
        server.url,
        clock=FakeClock(),
        read_only=True,
        metrics=True,
        watch=lambda _method, endpoint: asked.append(endpoint),
    )
    source = History(door)
    source.info()
    return Live(server, source, door, asked)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    by_name: dict[str, list[str]] = {}
    for series, t, value in samples():
        by_name.setdefault(series.partition("{")[0], []).append(f"{series} {value} {t / 1000:.3f}")
    text = "".join(f"# TYPE {name} gauge\n" + "\n".join(lines) + "\n" for name, lines in by_name.items())
    (folder / "day.om").write_text(text + "# EOF\n")
    subprocess.run(
        [
            components.promtool(),
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "-q",
            folder / "day.om",
            folder / "data",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / "data"


@pytest.fixture(scope="module")
def prometheus(blocks: Path) -> Iterator[Live]:
    with servers.running_prometheus(components.prometheus(), SCRAPE_NOTHING, data=blocks) as server:
        found = live(server)
        yield found
        found.door.close()


@pytest.fixture(scope="module")
def victoria() -> Iterator[Live]:
    with servers.running_victoria_metrics(components.victoria_metrics()) as server:
        body = "".join(f"{series} {value} {t}\n" for series, t, value in samples()).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(server.url + "/api/v1/import/prometheus", data=body, method="POST")
        with opener.open(request, timeout=300) as answer:
            answer.read()
        server.get("/internal/force_flush")
        found = live(server)
        yield found
        found.door.close()


@pytest.fixture(params=["prometheus", "victoria"])
def any_server(request: pytest.FixtureRequest) -> Live:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Live)
    return found


def both(found: tuple[Replayed, ...]) -> list[list[Episode]]:
    return [episodes(side) for each in found for side in (each.old, each.new) if side is not None]


def test_each_server_is_known(prometheus: Live, victoria: Live) -> None:
    assert prometheus.source.info().flavour == "prometheus"
    assert prometheus.source.info().build.startswith("3.")
    assert victoria.source.info().flavour == "victoriametrics"


@pytest.mark.parametrize(
    ("savings", "fewer"),
    [
        (Savings(share=True, limits=False, coarse=False), 1),
        (Savings(share=True, limits=True, coarse=False), 3),
        (Savings(share=False, limits=False, coarse=True), None),
        (Savings(), None),
    ],
    ids=["share", "limits", "coarse", "all"],
)
def test_savings_change_no_episode(any_server: Live, savings: Savings, fewer: int | None) -> None:
    plain = any_server.run(PAIRS[:4], NONE)
    before = any_server.ranges
    found = any_server.run(PAIRS[:4], savings)
    assert both(found) == both(plain)
    assert sum(map(len, both(plain))) > 100
    # One for each version, and one for a chain of short presences at the beginning.
    assert before == 9
    if fewer is not None:
        assert any_server.ranges == before - fewer


class Spy(History):
    """A source, and every expression and step it was asked for."""

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self.said: list[tuple[str, int]] = []

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        self.said.append((expr, step_ms))
        return super().range(expr, start_ms, end_ms, step_ms)


FILLING = "predict_linear(disk[1h], 7200) < 0"


@pytest.mark.parametrize(
    ("expr", "labels", "narrow"),
    [
        (FILLING, {"severity": "P1"}, True),
        # One disk has a team of its own, which the rule overwrites.
        (FILLING, {"team": "b"}, False),
        (FILLING, {"host": "any"}, False),
        ("min by (host) (predict_linear(disk[1h], 7200)) < 0", {"team": "b"}, True),
        ("predict_linear(disk[1h], 7200) < 0 and on (host) min_over_time(disk[10m]) < 0.5", {}, True),
        ("predict_linear(disk[1h], 7200) * on (host) group_left count by (host) (disk) < 0", {}, True),
        ("predict_linear(disk[1h], 7200) < on (host) 0 * disk", {}, False),
    ],
)
@pytest.mark.parametrize("keep_ms", [0, 20 * MINUTE])
def test_a_close_look_at_those_that_were_hit_changes_no_episode(
    prometheus: Live, tmp_path: Path, expr: str, labels: dict[str, str], keep_ms: int, narrow: bool
) -> None:
    one = pair(None, version(expr, for_ms=10 * MINUTE, keep_ms=keep_ms, labels=labels))
    plain = both(prometheus.run([one], NONE))
    assert 6 <= len(plain[0]) <= 12
    spy = Spy(prometheus.door)
    cache = Cache(folder=tmp_path)
    there = Live(prometheus.server, spy, prometheus.door, prometheus.asked)
    assert both(there.run([one], cache=cache)) == plain
    close = [text for text, step in spy.said if step == 30_000 and "disk" in text and "present" not in text]
    assert any('host=~"h3|h8"' in each or 'host="h' in each for each in close) == narrow
    assert (expr in close) == (not narrow or keep_ms > 0)
    spy.said.clear()
    assert both(there.run([one], cache=cache)) == plain
    assert [each for each in spy.said if each[1] == 30_000 and "disk" in each[0]] in ([], spy.said[-1:])


@pytest.mark.parametrize("seconds", [30, 600])
@pytest.mark.parametrize(
    "expr",
    [
        FILLING,
        "deriv(disk[1h]) < -0.00002",
        "avg_over_time(disk[1h]) < 0.3",
        "sum_over_time(disk[2h]) < 90",
        "count_over_time(disk[1h]) < 110",
        "min_over_time(disk[1h]) < 0.2",
        "max_over_time(disk[1h]) < 0.4",
        "quantile_over_time(0.5, disk[1h]) < 0.3",
        "stddev_over_time(disk[1h]) > 0.05",
        "stdvar_over_time(disk[1h]) > 0.002",
        "max by (host) (predict_linear(disk[1h], 7200)) < 0 and on (host) max_over_time(disk[1h] offset 5m) < 0.6",
    ],
)
def test_long_windows_are_sampled_on_a_victoriametrics(victoria: Live, expr: str, seconds: int) -> None:
    """What it says of the samples in a window is the same however far apart it is asked."""
    one = version(expr, for_ms=10 * MINUTE, keep_ms=2 * MINUTE)
    other = replace(one, for_ms=seconds * 1000 + MINUTE, labels={"severity": "P2"})
    plain = both(victoria.run([pair(one, other)], NONE))
    found = victoria.run([pair(one, other)], Savings(share=False))
    assert both(found) == plain
    assert all(plain)
    assert [each.stride for each in (found[0].old, found[0].new) if each is not None] == [
        20,
        min(seconds // 30 + 3, 20),
    ]


@pytest.mark.parametrize(
    "expr",
    [
        "load < 0.5",
        "avg_over_time(load[10m]) < 0.5",
        "predict_linear(disk[1h], 7200) < 0 and on (host) load > 0.2",
        "rate(disk[1h]) > 0.001",
        "last_over_time(disk[1h]) < 0.5",
        "max_over_time(deriv(disk[1h])[1h:]) < 0",
    ],
)
def test_all_else_is_not(victoria: Live, expr: str) -> None:
    (found,) = victoria.run([pair(None, version(expr, for_ms=10 * MINUTE))])
    assert found.new is not None and found.new.stride == 1


def test_the_levels_say_what_can_be_known(prometheus: Live, victoria: Live) -> None:
    for server, text in ((prometheus, "phase-assumed"), (victoria, "approx(vm)")):
        found = server.run(PAIRS[:1])
        assert found[0].new is not None
        assert found[0].new.exactness.text == text


def test_kept_answers_are_the_same(any_server: Live, tmp_path: Path) -> None:
    cache = Cache(folder=tmp_path)
    first = any_server.run(PAIRS[:4], cache=cache)
    assert any_server.ranges > 0
    second = any_server.run(PAIRS[:4], cache=cache)
    assert any_server.ranges == 0
    assert both(first) == both(second)


def firing(found: Replay) -> set[tuple[str, int]]:
    """(host, milliseconds) of each evaluation at which it fires."""
    assert found.timeline is not None
    step = found.timeline.grid.step_ms
    first = found.phase_ms - WINDOW.start_ms % step + WINDOW.start_ms
    return {
        (dict(identity)["host"], t)
        for identity, fired, resolved, _ in episodes(found)
        for t in range(first, WINDOW.end_ms, step)
        if fired <= t and (t < resolved or resolved == -1)
    }


def asked_outright(server: servers.Server, expr: str, phase_ms: int) -> set[tuple[str, int]]:
    """The same from the server itself, in one question."""
    times = {"start": (WINDOW.start_ms + phase_ms) / 1000, "end": (WINDOW.end_ms - 1) / 1000}
    query = urllib.parse.urlencode({"query": expr, "step": 30, **times})
    found = server.get(f"/api/v1/query_range?{query}")["data"]["result"]
    return {(each["metric"]["host"], round(t * 1000)) for each in found for t, _ in each["values"]}


def test_an_assumed_phase_is_replayed_at_three(prometheus: Live, tmp_path: Path) -> None:
    """What the server says at each of them is what is found there, and the next run has all of it."""
    # Each host is scraped at a second of its own, so when one looks decides what is compared with what.
    expr = 'load > on (job) group_left () load{host="h1"} + 0.2'
    one = pair(version(expr), version(expr, for_ms=2 * MINUTE))
    cache = Cache(folder=tmp_path)
    (found,) = prometheus.run([one], cache=cache, spread={one.key})
    every = (found, *found.elsewhere)
    seen = [firing(each.old) for each in every if each.old is not None]
    assert seen == [asked_outright(prometheus.server, expr, phase) for phase in (0, 10_000, 20_000)]
    judged = judged_at_worst(found, WINDOW, CanaryPolicy(), NO_EVIDENCE, date(2026, 11, 21), tested=True)
    assert judged.comparison is not None
    spread = judged.comparison.spread
    assert spread is not None
    counted = [
        sum(fired >= WINDOW.start_ms for _, fired, _, flags in episodes(each.old) if not flags & 1)
        for each in every
    ]
    assert len(set(counted)) == 3
    assert f"{spread.extents[1].old}" == f"({min(counted)}, {max(counted)})"
    (again,) = prometheus.run([one], cache=cache, spread={one.key})
    # The questions about ALERTS of either turn, and how far history reaches.
    assert prometheus.ranges == 1
    assert [both((each,)) for each in again.elsewhere] == [both((each,)) for each in found.elsewhere]


def test_a_failing_match_is_found_where_it_fails(prometheus: Live) -> None:
    """A look-back of five minutes is open on the left in Prometheus 3: the second flag is seen until just before."""
    found = prometheus.run(PAIRS[4:])[0].new
    assert found is not None
    assert found.timeline is not None
    missed = found.timeline.grid.times()[found.timeline.grid.missed]
    assert missed.tolist() == list(range(TWO[0], TWO[-1] + 5 * MINUTE, 30_000))
    # What fires goes on firing over evaluations that fail.
    assert [(fired, resolved) for _, fired, resolved, _ in episodes(found)] == [(WINDOW.start_ms, -1)]
    assert prometheus.ranges < 80


def test_a_query_that_no_time_answers(any_server: Live) -> None:
    found = any_server.run([pair(None, version("load * on(job) load > 0", labels={}))], NONE)[0].new
    assert found is not None
    assert found.timeline is None
    assert "at all times" in found.exactness.text
    assert any_server.ranges < 140


def test_a_query_of_no_server(any_server: Live) -> None:
    found = any_server.run([pair(None, version("nonsense_function(load) > 1"))])[0].new
    assert found is not None
    assert found.exactness.text.startswith("not-backtestable(the server does not take the query")
    assert any_server.ranges <= 1


def test_a_prometheus_with_little_room_gives_the_same(prometheus: Live, blocks: Path, tmp_path: Path) -> None:
    """`--query.max-samples` below what a day needs: the day is asked for in parts."""
    shutil.copytree(blocks, tmp_path / "data", ignore=shutil.ignore_patterns("lock", "wal", "chunks_head"))
    with servers.running_prometheus(
        components.prometheus("2.53"),
        SCRAPE_NOTHING,
        data=tmp_path / "data",
        flags=["--query.max-samples=4000"],
    ) as server:
        small = live(server)
        found = small.run(PAIRS[:2], NONE)
        small.door.close()
        assert both(found) == both(prometheus.run(PAIRS[:2], NONE))
        assert small.ranges > 20


def test_the_estimate_holds(any_server: Live) -> None:
    plan = make_plan(PAIRS[:4], WINDOW, any_server.source.info(), any_server.source.caps)
    any_server.run(PAIRS[:4])
    assert plan.requests <= any_server.ranges
    assert plan.versions == 8
    assert len(plan.questions) == 5


def test_nothing_but_reading_was_asked_for(any_server: Live) -> None:
    any_server.run(PAIRS[:1])
    assert {each.partition(" ")[0] for each in any_server.asked} == {"GET", "POST"}
    assert all("/api/v1/query" in each for each in any_server.asked if each.startswith("POST"))


def forwarding(target: str, prefix: str, demanded: dict[str, str]) -> Callable[[Seen, int], Reply]:
    """Hands everything below `prefix` on to a real server, as Grafana's proxy and Mimir's gateway do; 401 without the headers demanded."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def handler(seen: Seen, _number: int) -> Reply:
        if any(seen.headers.get(name) != value for name, value in demanded.items()):
            return reply(401, {"message": "no"})
        if not seen.target.startswith(prefix):
            return reply(404, {"message": "not found"})
        request = urllib.request.Request(
            target + seen.target.removeprefix(prefix), data=seen.body or None, method=seen.method
        )
        request.add_header("Content-Type", seen.headers.get("content-type", "text/plain"))
        try:
            with opener.open(request, timeout=300) as answer:
                return reply(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return reply(error.code, error.read())

    return handler


@pytest.mark.parametrize(
    ("flavour", "more", "prefix", "demanded"),
    [
        (
            "grafana",
            {"datasource_uid": "main"},
            "/api/datasources/proxy/uid/main",
            {"authorization": "Bearer t0ken"},
        ),
        ("mimir", {"tenant": "team-a"}, "/prometheus", {"x-scope-orgid": "team-a"}),
        ("thanos", {}, "", {}),
    ],
)
def test_every_way_to_the_same_history_finds_the_same(
    prometheus: Live, flavour: Flavour, more: dict[str, str], prefix: str, demanded: dict[str, str]
) -> None:
    """A Prometheus stands behind each of them, for Grafana, Mimir and Thanos are no part of these tests: what is shown is the way, not they."""
    with (
        serving(forwarding(prometheus.server.url, prefix, demanded)) as server,
        Door(
            server.url, clock=FakeClock(), read_only=True, metrics=True, auth=Bearer(Secret("t0ken"))
        ) as door,
    ):
        source = History(door, flavour, **more)
        found = Live(prometheus.server, source, door, []).run(PAIRS)
        assert source.info().flavour == flavour
        assert source.info().build.startswith("3.")
        assert both(found) == both(prometheus.run(PAIRS))
