"""`make bench`, sync: 10,000 rules in 500 groups against the stand-in, which runs here while tocsin is a process of its own.

Said for each command: seconds of wall and of CPU of tocsin alone, its peak memory, and what it asked for by method. Both share this machine, so
the wall time of a first sync is as much the stand-in's. Nothing here asserts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.generate import Size, generate
from tests.standin import DEFAULT_TOKEN, StandIn

GROUPS, RULES, SERVICES = 500, 20, 100
_GRAFANA = """\
    evaluators: [{name: grafana, kind: grafana, version: "13.3", url_env: GRAFANA_URL}]
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    folder: "{service}"
    verdict: advised
"""


def bench_sync(root: Path, today: str, groups: int = GROUPS) -> None:
    """Prints a row for each command, on a repository made in `root`."""
    generate(root, Size(services=SERVICES, files=groups, rules=RULES, sops=1))
    shutil.rmtree(root / "sops")
    project = root / "tocsin.yaml"
    text = project.read_text(encoding="utf-8").replace("requires: [sop, ", "requires: [")
    head, _, _ = text.partition("    evaluators:")
    project.write_text(head + _GRAFANA, encoding="utf-8")
    for path in (root / "rules").glob("*/*.yaml"):
        rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = "".join(row for row in rows if not row.lstrip().startswith("sop_ref:"))
        path.write_text(kept, encoding="utf-8")
    with StandIn("13.3") as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        env = {**os.environ, "GRAFANA_URL": grafana.url, "GRAFANA_TOKEN": DEFAULT_TOKEN}
        print(
            f"\nsync: {groups * RULES:,} rules in {groups} groups\n{'':<28}{'wall s':>8}{'CPU s':>8}{'MB':>6}  requests"
        )
        sync = ("sync", "--yes", "--no-wait")
        _row("plan of everything", ("plan",), root, env, grafana, today)
        _row("first sync", sync, root, env, grafana, today)
        _row("plan, nothing to do", ("plan",), root, env, grafana, today)
        _row("sync, nothing to do", sync, root, env, grafana, today)
        _row("drift, none", ("drift",), root, env, grafana, today)
        for path in sorted((root / "rules").glob("*/*.yaml"))[:: 500 // 100]:
            rows = path.read_text(encoding="utf-8")
            path.write_text(rows.replace("limit: 0.", "limit: 0.0", 1), encoding="utf-8")
        _row("plan, 1 % changed", ("plan",), root, env, grafana, today)
        _row("sync, 1 % changed", sync, root, env, grafana, today)


def _row(
    name: str, words: tuple[str, ...], root: Path, env: dict[str, str], grafana: StandIn, today: str
) -> None:
    grafana.log.clear()
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tocsin", *words, "--today", today, str(root)],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"{name} ended with {process.returncode}: {output.read()[-800:].decode()}")
    asked = Counter(entry.method for entry in grafana.log.entries)
    said = ", ".join(f"{count:,} {method}" for method, count in sorted(asked.items()))
    print(
        f"{name:<28}{wall:>8.1f}{usage.ru_utime + usage.ru_stime:>8.1f}{usage.ru_maxrss / 1024:>6.0f}  {said}",
        flush=True,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-sync-") as folder:
        bench_sync(Path(folder), "2026-11-21", int(sys.argv[1]) if len(sys.argv) > 1 else GROUPS)
