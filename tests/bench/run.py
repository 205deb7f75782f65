"""`make bench`: how long tocsin takes on 10,000 rules, beside promtool on the files compiled from them, in one run.

Figures are ratios of medians measured in turns on this machine at this moment: a number of seconds says more about the machine. Nothing here
asserts; tests never time anything.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.canary import bench_canary
from tests.bench.canary_data import Size as History
from tests.bench.diff import bench_diff
from tests.bench.generate import Size, generate
from tests.bench.site import bench_site
from tests.bench.sync import GROUPS, bench_sync
from tests.real import components

TODAY = "2026-11-21"
TOCSIN = [sys.executable, "-m", "tocsin"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One timed command: seconds of wall and of CPU over all its processes."""

    wall: float
    cpu: float


def timed(argv: list[str], env: dict[str, str], accept: tuple[int, ...] = (0,)) -> Figure:
    """Runs one command to its end. RuntimeError where it fails: a broken run has no speed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(argv, env=env, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in accept:
            output.seek(0)
            raise RuntimeError(
                f"{' '.join(argv[:6])} ended with {process.returncode}: {output.read()[-800:].decode()}"
            )
    return Figure(wall, usage.ru_utime + usage.ru_stime)


def peak(argv: list[str], env: dict[str, str]) -> float:
    """Megabytes: the most that the command and its children held together (proportional set size, sampled every 20 ms)."""
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, sum(_pss(pid) for pid in _family(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    done.set()
    watcher.join()
    return most / 1024


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *(int(each) for each in children)]


def _pss(pid: int) -> int:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith("Pss:")), 0)


@dataclass(slots=True)
class Bench:
    """The repository under test and the environment its commands run in."""

    root: Path
    cache: Path
    rounds: int

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "TOCSIN_CACHE": str(self.cache)}

    def forget(self) -> None:
        """Empties the cache: the next run is cold."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def check(self, *, cold: bool = False, touch: bool = False) -> Figure:
        """One `tocsin check`."""
        if cold:
            self.forget()
        if touch:
            self._touch()
        return timed(
            [*TOCSIN, "check", "--today", TODAY, "--min-severity", "error", str(self.root)], self.env
        )

    def build(self, *, cold: bool = False, touch: bool = False) -> Figure:
        """One `tocsin build --no-site`."""
        if cold:
            self.forget()
            shutil.rmtree(self.root / "dist", ignore_errors=True)
        if touch:
            self._touch()
        return timed(
            [*TOCSIN, "build", "--no-site", "--today", TODAY, "--min-severity", "error", str(self.root)],
            self.env,
        )

    def _touch(self) -> None:
        """Changes one rule in one file, as an edit of a threshold does."""
        path = sorted((self.root / "rules").glob("*/*.yaml"))[7]
        text = path.read_text(encoding="utf-8")
        number = int(time.monotonic() * 1000) % 90 + 10
        head, mark, rest = text.partition("limit: 0.")
        path.write_text(f"{head}{mark}{number}{rest[2:]}", encoding="utf-8")


def median(figures: list[Figure]) -> Figure:
    """The middle of wall and of CPU."""
    return Figure(
        statistics.median(each.wall for each in figures), statistics.median(each.cpu for each in figures)
    )


def main() -> int:
    """Generates, measures in turns, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often each command runs; the median counts"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    options = parser.parse_args()
    size = Size(services=20, files=200, sops=200) if options.quick else Size()
    promtool = str(components.promtool("2.42"))
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        bare, full = Path(folder, "rules-only"), Path(folder, "with-sops")
        rule_bytes, _ = generate(
            bare, Size(services=size.services, files=size.files, rules=size.rules, sops=size.sops)
        )
        _drop_sops(bare)
        _, sop_bytes = generate(full, size)
        cache = Path(folder, "cache")
        rules, both = Bench(bare, cache, options.rounds), Bench(full, cache, options.rounds)
        print(
            f"{size.files * size.rules:,} rules in {size.files:,} files ({rule_bytes / 1e6:.1f} MB), {size.sops:,} SOPs ({sop_bytes / 1e6:.1f} MB)"
        )
        rules.build(cold=True)
        compiled = sorted(str(each) for each in (bare / "dist" / "prometheus").rglob("*.yaml"))
        print(
            f"promtool reads {len(compiled)} compiled files ({sum(Path(each).stat().st_size for each in compiled) / 1e6:.1f} MB)"
        )
        columns: dict[str, list[Figure]] = {}
        for _ in range(options.rounds):
            for name, run in _commands(rules, both, [promtool, "check", "rules", *compiled]):
                columns.setdefault(name, []).append(run())
        _table({name: median(each) for name, each in columns.items()})
        rules.forget()
        print(
            f"peak memory, all processes: check of the rules {peak([*TOCSIN, 'check', '--today', TODAY, str(bare)], rules.env):.0f} MB,",
            end=" ",
        )
        rules.forget()
        print(
            f"with the SOPs {peak([*TOCSIN, 'check', '--today', TODAY, str(full)], rules.env):.0f} MB,",
            end=" ",
        )
        print(f"promtool {peak([promtool, 'check', 'rules', *compiled], rules.env):.0f} MB")
        bench_diff(full, cache, TODAY, options.rounds)
        bench_site(full, cache, TODAY, max(1, options.rounds // 2))
        bench_sync(Path(folder, "sync"), TODAY, GROUPS // 10 if options.quick else GROUPS)
        bench_canary(
            Path(folder, "canary"), History(rules=42, days=1, instances=10) if options.quick else History()
        )
    return 0


def _drop_sops(root: Path) -> None:
    shutil.rmtree(root / "sops")
    project = root / "tocsin.yaml"
    project.write_text(
        project.read_text(encoding="utf-8").replace("requires: [sop, ", "requires: ["), encoding="utf-8"
    )
    for path in (root / "rules").glob("*/*.yaml"):
        rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text(
            "".join(row for row in rows if not row.lstrip().startswith("sop_ref:")), encoding="utf-8"
        )


def _commands(rules: Bench, both: Bench, promtool: list[str]) -> list[tuple[str, Callable[[], Figure]]]:
    return [
        ("promtool check rules", lambda: timed(promtool, rules.env)),
        ("check, rules, cold", lambda: rules.check(cold=True)),
        ("check, rules, nothing changed", rules.check),
        ("check, rules, one file changed", lambda: rules.check(touch=True)),
        ("check, rules and SOPs, cold", lambda: both.check(cold=True)),
        ("check, rules and SOPs, nothing changed", both.check),
        ("check, rules and SOPs, one file changed", lambda: both.check(touch=True)),
        ("build, rules, cold", lambda: rules.build(cold=True)),
        ("build, rules, nothing changed", rules.build),
        ("build, rules, one file changed", lambda: rules.build(touch=True)),
        ("--help", lambda: timed([*TOCSIN, "--help"], rules.env)),
    ]


def _table(figures: dict[str, Figure]) -> None:
    base = figures["promtool check rules"]
    print(f"\n{'':<42}{'wall s':>8}{'CPU s':>8}{'of promtool: wall':>20}{'CPU':>8}")
    for name, each in figures.items():
        print(
            f"{name:<42}{each.wall:>8.2f}{each.cpu:>8.2f}{each.wall / base.wall:>20.2f}{each.cpu / base.cpu:>8.2f}"
        )
    print()


if __name__ == "__main__":
    sys.exit(main())
