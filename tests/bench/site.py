"""`make bench`, the site: 2,000 SOPs with 10,000 alerts, beside bare mkdocs on the tree generated from them, in one run.

Said: the whole build against bare mkdocs in turns, the site's size as a sum of file bytes, the lookup file as a phone gets it, and how long one
changed SOP takes to be on the page of a running `tocsin serve`. Nothing here asserts.
"""

from __future__ import annotations

import gzip
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

PORT = 8517
_WAIT = 900.0


def bench_site(root: Path, cache: Path, today: str, rounds: int) -> None:
    """Prints the figures for the repository in `root`."""
    env = {**os.environ, "TOCSIN_CACHE": str(cache), "NO_MKDOCS_2_WARNING": "1"}
    tree = root / "dist" / ".work" / "site" / "en"
    whole: list[Took] = []
    bare: list[Took] = []
    for _ in range(rounds):
        shutil.rmtree(root / "dist", ignore_errors=True)
        whole.append(
            _timed(
                ["-m", "tocsin", "build", "--today", today, "--min-severity", "error", str(root)], root, env
            )
        )
        shutil.rmtree(tree / "site", ignore_errors=True)
        bare.append(_timed(["-m", "mkdocs", "build", "--strict"], tree, env))
        shutil.rmtree(tree / "site", ignore_errors=True)
    for what, ours, theirs in (
        ("wall", [each.wall for each in whole], [each.wall for each in bare]),
        ("CPU", [each.cpu for each in whole], [each.cpu for each in bare]),
    ):
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(
            f"site, {what}: tocsin build {mine:.1f} s, bare mkdocs on the same tree {other:.1f} s: {mine / other:.2f}x"
        )
    print(
        "site, load of the machine at the end of each run:", *(f"{each.load:.1f}" for each in (*whole, *bare))
    )
    site = root / "dist" / "site"
    files = [each for each in site.rglob("*") if each.is_file()]
    print(
        f"site: {sum(each.stat().st_size for each in files) / 1e6:.1f} MB in {len(files):,} files", end=", "
    )
    lookup = (site / "assets" / "tocsin" / "lookup.js").read_bytes()
    print(f"lookup file {len(gzip.compress(lookup)) / 1e3:.0f} kB gzipped")
    again = _timed(
        ["-m", "tocsin", "build", "--today", today, "--min-severity", "error", str(root)], root, env
    )
    print(
        f"site: build where nothing changed {again.wall:.1f} s; one changed SOP on the page of serve", end=" "
    )
    print(f"after {_served(root, env, today):.1f} s")


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of wall and of CPU over all processes, and how busy the machine was: others may work on it too."""

    wall: float
    cpu: float
    load: float


def _timed(words: list[str], where: Path, env: dict[str, str]) -> Took:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *words], cwd=where, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[:3])} ended with {done.returncode}: {done.stderr[-800:]}")
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(wall, cpu, os.getloadavg()[0])


def _served(root: Path, env: dict[str, str], today: str) -> float:
    """Seconds from writing one SOP to its words being served: the median of three."""
    command = [sys.executable, "-m", "tocsin", "serve", "--port", str(PORT), "--today", today, str(root)]
    server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        sops = sorted((root / "sops").rglob("*.md"))[7:10]
        _until(_page(sops[0]), "", server)
        time.sleep(5)  # the stubs that follow the first page
        took = []
        for number, path in enumerate(sops):
            words = f"Changed words number {number}."
            start = time.perf_counter()
            path.write_text(path.read_text(encoding="utf-8") + f"\n{words}\n", encoding="utf-8")
            _until(_page(path), words, server)
            took.append(time.perf_counter() - start)
            time.sleep(3)
        return statistics.median(took)
    finally:
        server.terminate()
        server.wait()


def _page(path: Path) -> str:
    found = re.search(r"^id: (\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, path
    return f"http://127.0.0.1:{PORT}/sop/{found[1]}/"


def _until(address: str, words: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _WAIT
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                if words in answer.read().decode("utf-8"):
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{address} was not served")
