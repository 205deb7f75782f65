"""`make bench`, canary: rules replayed over history by tocsin and by `vmalert -replay`, on the same VictoriaMetrics and the same Prometheus.

Both are processes of their own, run in turns on the same data; said is the CPU of server and client together and the wall time, as ratios to
vmalert tuned for it (no pause between rules, 10,000 points a request, two at a time, no cache on either side). What vmalert writes goes to another
VictoriaMetrics, whose CPU is shown apart. A pair is compared with vmalert replaying old and new versions. Nothing here asserts.

    python tests/bench/canary.py [--rules 200] [--days 7] [--instances 100] [--rounds 1] [--no-prometheus]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.canary_data import BEGIN, DAY, Size, edited, rules, write_day
from tests.real import components, servers

from tocsin.canary.planner import Budget, Savings, Watch
from tocsin.canary.replay import replay
from tocsin.canary.values import NEVER, Pair, RuleVersion, Window
from tocsin.remote.history import History
from tocsin.remote.http import Door

_HERTZ = os.sysconf("SC_CLK_TCK")
_SAVINGS = {"plain": Savings(share=False, limits=False, coarse=False), "all": Savings()}
_WARM = 7 * 3_600_000
"""The window begins so long after the data: the longest look-back, and the warm-up."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU by whom, of wall, and the most megabytes the client held; what came out, for a look at it."""

    server: float
    client: float
    sink: float
    wall: float
    megabytes: float
    said: str

    @property
    def cpu(self) -> float:
        return self.server + self.client


class Clock:
    """The machine's."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def bench_canary(root: Path, size: Size, *, rounds: int = 1, prometheus: bool = True) -> None:
    """Makes the data in `root`, then prints a row for each way to replay it."""
    root.mkdir(parents=True, exist_ok=True)
    versions = {"old": rules(size), "new": [edited(each, n) for n, each in enumerate(rules(size))]}
    for side, each in versions.items():
        (root / f"{side}.yml").write_text(_rule_file(each))
    window = Window(start_ms=BEGIN + _WARM, end_ms=BEGIN + size.days * DAY)
    print(
        f"\ncanary: {size.rules} rules x {size.days} d x 30 s over {size.instances * 20:,} series\n"
        f"{'':<44}{'server':>8}{'client':>8}{'sink':>7}{'CPU s':>8}{'wall s':>8}{'MB':>6}   of vmalert: CPU, wall",
        flush=True,
    )
    with ExitStack() as stack:
        sink = stack.enter_context(servers.running_victoria_metrics(components.victoria_metrics()))
        history = stack.enter_context(
            servers.running_victoria_metrics(
                components.victoria_metrics(), flags=["-search.disableCache", "-search.maxQueryDuration=300s"]
            )
        )
        for day in range(size.days):
            ours, theirs = write_day(root, day, size)
            _import(history, theirs)
            theirs.unlink()
            if prometheus:
                _promtool(ours, root / "blocks")
            ours.unlink()
        # What was imported is not all to be seen before it is flushed.
        history.get("/internal/force_flush")
        _settle(history)
        _measure("VictoriaMetrics", history, sink, root, size, window, rounds)
        if prometheus:
            history.process.terminate()
            newest = stack.enter_context(
                servers.running_prometheus(
                    components.prometheus(), "global: {scrape_interval: 1h}\n", data=root / "blocks"
                )
            )
            _settle(newest)
            _measure("Prometheus", newest, sink, root, size, window, rounds)


def _measure(
    name: str,
    server: servers.Server,
    sink: servers.Server,
    root: Path,
    size: Size,
    window: Window,
    rounds: int,
) -> None:
    """The rows of one server, in turns."""
    rows: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for what in ("old", "pair"):
            sides = ("old", "new") if what == "pair" else ("old",)
            judge = [_vmalert(server, sink, root / f"{side}.yml", window) for side in sides]
            rows.setdefault(f"vmalert, {what}", []).append(_sum(judge))
            for savings in _SAVINGS:
                cost = _ours(server, sink, size, window, what, savings)
                rows.setdefault(f"tocsin, {what}, savings: {savings}", []).append(cost)
    for row, costs in rows.items():
        cost = sorted(costs, key=lambda each: each.cpu)[len(costs) // 2]
        base = sorted(rows[f"vmalert, {'pair' if 'pair' in row else 'old'}"], key=lambda each: each.cpu)
        middle = base[len(base) // 2]
        print(
            f"{name + ', ' + row:<44}{cost.server:>8.1f}{cost.client:>8.1f}{cost.sink:>7.1f}{cost.cpu:>8.1f}{cost.wall:>8.1f}"
            f"{cost.megabytes:>6.0f}   {cost.cpu / middle.cpu:.2f}, {cost.wall / middle.wall:.2f}"
            f" ({cost.cpu / (middle.cpu + middle.sink):.2f} with its sink)   {cost.said}",
            flush=True,
        )


def _ours(
    server: servers.Server, sink: servers.Server, size: Size, window: Window, what: str, savings: str
) -> Cost:
    words = [str(each) for each in (size.rules, window.start_ms, window.end_ms)]
    argv = [sys.executable, __file__, "client", server.url, *words, what, savings]
    return _run(argv, server, sink)


def _vmalert(server: servers.Server, sink: servers.Server, file: Path, window: Window) -> Cost:
    """As fast as it goes: see `vmalert -help`, -replay.*"""
    argv = [
        str(components.vmalert()),
        f"-rule={file}",
        f"-datasource.url={server.url}",
        f"-remoteWrite.url={sink.url}",
        f"-replay.timeFrom={_rfc3339(window.start_ms)}",
        f"-replay.timeTo={_rfc3339(window.end_ms)}",
        "-evaluationInterval=30s",
        "-disableAlertgroupLabel",
        "-replay.rulesDelay=0s",
        "-replay.maxDatapointsPerQuery=10000",
        "-replay.disableProgressBar",
        "-remoteWrite.maxQueueSize=5000000",
        f"-httpListenAddr=127.0.0.1:{servers.free_port()}",
    ]
    return _run(argv, server, sink)


def _run(argv: list[str], server: servers.Server, sink: servers.Server) -> Cost:
    """One client to its end. RuntimeError where it fails: a broken run has no speed."""
    before, held, start = _cpu(server), _cpu(sink), time.perf_counter()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(argv, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(
                f"{argv[:3]} ended with {process.returncode}: {errors.read()[-1500:].decode()}"
            )
    server_cpu = _cpu(server) - before
    return Cost(
        server=server_cpu,
        client=usage.ru_utime + usage.ru_stime,
        sink=_cpu(sink) - held,
        wall=wall,
        megabytes=usage.ru_maxrss / 1024,
        said=said.splitlines()[-1][:80] if said and said[-1] not in "%]" else "",
    )


def _sum(costs: list[Cost]) -> Cost:
    return Cost(
        sum(each.server for each in costs),
        sum(each.client for each in costs),
        sum(each.sink for each in costs),
        sum(each.wall for each in costs),
        max(each.megabytes for each in costs),
        "",
    )


def client(words: list[str]) -> None:
    """The measured process: replays, and says what came out."""
    url, count, start, end, what, savings = words
    size = Size(rules=int(count))
    old = rules(size)
    new = [edited(each, number) for number, each in enumerate(old)]
    sides: Iterator[tuple[RuleVersion | None, RuleVersion]] = zip(
        old if what == "pair" else [None] * len(old), new if what == "pair" else old, strict=True
    )
    pairs = [Pair(key=second.key, old=first, new=second) for first, second in sides]
    window = Window(start_ms=int(start), end_ms=int(end))
    watch = Watch(now_ms=int(time.time() * 1000), monotonic=time.monotonic)
    with Door(url, clock=Clock(), read_only=True, metrics=True) as door:
        found = replay(
            pairs,
            window,
            History(door),
            None,
            Budget(requests=100_000, seconds=36_000),
            watch,
            savings=_SAVINGS[savings],
            calibrated=False,
        )
        fired, refused = 0, []
        for each in found:
            for side in (each.old, each.new):
                if side is not None and side.timeline is not None:
                    fired += int((side.timeline.fired_ms != NEVER).sum())
                elif side is not None:
                    refused.append(side.exactness.text)
        print(f"{fired:,} episodes, {sum(door.sent.values()):,} requests", *refused[:1])


def _rule_file(versions: list[RuleVersion]) -> str:
    """One group, in JSON, which is YAML."""
    made = [
        {
            "alert": each.name,
            "expr": each.expr,
            "for": f"{each.for_ms}ms",
            "keep_firing_for": f"{each.keep_ms}ms",
            "labels": dict(each.labels),
        }
        for each in versions
    ]
    half = len(made) // 2
    groups = [
        {
            "name": f"bench{number}",
            "interval": "30s",
            "concurrency": 2,
            "params": {"nocache": ["1"]},
            "rules": part,
        }
        for number, part in enumerate((made[:half], made[half:]))
    ]
    return json.dumps({"groups": groups})


def _import(server: servers.Server, path: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with path.open("rb") as body:
        request = urllib.request.Request(
            server.url + "/api/v1/import/prometheus",
            data=body,
            method="POST",
            headers={"Content-Length": str(path.stat().st_size)},
        )
        with opener.open(request, timeout=600) as answer:
            answer.read()


def _promtool(path: Path, blocks: Path) -> None:
    subprocess.run(
        [
            components.promtool(),
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--max-block-duration=24h",
            "-q",
            path,
            blocks,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _settle(server: servers.Server) -> None:
    """Waits until the server does nothing by itself any more."""
    for _ in range(60):
        before = _cpu(server)
        time.sleep(2)
        if _cpu(server) - before < 0.1:
            return


def _cpu(server: servers.Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _HERTZ


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-canary-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def main() -> int:
    """Measures at the size asked for."""
    if sys.argv[1:2] == ["client"]:
        client(sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    full = Size()
    parser.add_argument("--rules", type=int, default=full.rules)
    parser.add_argument("--days", type=int, default=full.days)
    parser.add_argument("--instances", type=int, default=full.instances, help="of twenty series each")
    parser.add_argument("--rounds", type=int, default=1, help="how often each way runs; the median counts")
    parser.add_argument("--no-prometheus", action="store_true", help="measure on VictoriaMetrics alone")
    asked = parser.parse_args()
    size = Size(rules=asked.rules, days=asked.days, instances=asked.instances)
    with _folder() as folder:
        bench_canary(folder, size, rounds=asked.rounds, prometheus=not asked.no_prometheus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
