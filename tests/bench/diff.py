"""How long `tocsin diff` takes where 50 of 10,000 rules changed, beside a cold check of the same repository in one run."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

CHANGED = 50


def bench_diff(root: Path, cache: Path, today: str, rounds: int) -> None:
    """Commits the repository at `root`, changes one rule in each of fifty files, and prints both medians."""
    _commit(root)
    files = sorted((root / "rules").glob("*/*.yaml"))
    changed = files[:: max(1, len(files) // CHANGED)][:CHANGED]
    for path in changed:
        head, mark, rest = path.read_text(encoding="utf-8").partition("limit: 0.")
        path.write_text(f"{head}{mark}99{rest[2:]}", encoding="utf-8")
    tocsin = [sys.executable, "-m", "tocsin"]
    commands = {
        "check, rules and SOPs, cold": [
            *tocsin,
            "check",
            "--today",
            today,
            "--min-severity",
            "error",
            str(root),
        ],
        "diff, fifty rules changed": [*tocsin, "diff", "HEAD", "--today", today, "-C", str(root)],
        "diff, tocsin.yaml changed too": [*tocsin, "diff", "HEAD", "--today", today, "-C", str(root)],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    project = root / "tocsin.yaml"
    text = project.read_text(encoding="utf-8")
    for _ in range(rounds):
        for name, argv in commands.items():
            shutil.rmtree(cache, ignore_errors=True)
            project.write_text(text + ("# another comment\n" if "yaml" in name else ""), encoding="utf-8")
            taken[name].append(_seconds(argv, cache))
    project.write_text(text, encoding="utf-8")
    print(f"\n{'one rule changed in ' + str(len(changed)) + ' files':<42}{'wall s':>8}{'of the check':>20}")
    check, *_ = (statistics.median(each) for each in taken.values())
    for name, each in taken.items():
        print(f"{name:<42}{statistics.median(each):>8.2f}{statistics.median(each) / check:>20.2f}")


def _seconds(argv: list[str], cache: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        argv, env={**os.environ, "TOCSIN_CACHE": str(cache)}, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - start


def _commit(root: Path) -> None:
    """The repository as a clone has it: one commit, packed."""
    who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]

    def git(*words: str) -> None:
        subprocess.run(["git", *who, *words], cwd=root, check=True, stdout=subprocess.DEVNULL)

    git("init", "-q", "-b", "main")
    git("add", "tocsin.yaml", "rules", "sops")
    git("commit", "-q", "-m", "all of it")
    git("repack", "-a", "-d", "-q")
