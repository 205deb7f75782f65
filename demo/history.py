"""Loads the history of `demo/series.py` into the data folder of a real Prometheus.

    python -m demo.history PROMTOOL FOLDER [--end 2026-08-24T00:00:00Z]

Fifteen days before `--end`, written as OpenMetrics and made into blocks by `promtool tsdb create-blocks-from openmetrics`: one file for each
stretch of 54 hours, which is the largest block promtool cuts below 72 h, so that each file is read once. A server must keep that long a past:
`--storage.tsdb.retention.time=100y`. Another end moves everything by whole days and keeps every value; the incidents move with it only in the
data, not in their files.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from demo.series import COUNT, DAYS, START, STEP, Series, series

END = START + DAYS * 86_400
"""2026-08-24T00:00:00Z: the first second after the history."""
_BLOCK = 54 * 3600


def pieces(end: int = END) -> Iterator[range]:
    """The minutes of each file: cut where promtool cuts its blocks."""
    start = end - DAYS * 86_400
    at = 0
    while at < COUNT:
        stop = min(COUNT, ((start + at * STEP) // _BLOCK + 1) * _BLOCK // STEP - start // STEP)
        yield range(at, stop)
        at = stop


def openmetrics(found: list[Series], minutes: range, end: int = END) -> Iterator[str]:
    """One file's text, series by series."""
    start = end - DAYS * 86_400
    times: dict[int, list[str]] = {}
    for each in found:
        if each.offset_ms not in times:
            second, rest = divmod(each.offset_ms, 1000)
            times[each.offset_ms] = [f" {start + at * STEP + second}.{rest:03}\n" for at in minutes]
        head = f"{each.name}{{{each.labels}}} "
        shown = _shown(each.places)
        values = each.values[minutes.start : minutes.stop]
        yield "".join(
            [
                head + shown(value) + time
                for value, time in zip(values, times[each.offset_ms], strict=True)
                if value == value
            ]
        )
    yield "# EOF\n"


def _shown(places: int) -> Callable[[float], str]:
    return f"{{:.{places}f}}".format if places else "%d".__mod__


def load(promtool: Path, folder: Path, end: int = END) -> int:
    """Write the blocks into `folder` and return how many samples there are. Raises CalledProcessError with what promtool said."""
    found = list(series())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-history-") as name:
        running: list[subprocess.Popen[str]] = []
        for number, minutes in enumerate(pieces(end)):
            path = Path(name) / f"{number}.om"
            with path.open("w", encoding="utf-8") as file:
                file.writelines(openmetrics(found, minutes, end))
            # promtool works on one file while the next is written.
            running.append(_blocks(promtool, path, folder))
            if len(running) > 1:
                _wait(running.pop(0))
        for process in running:
            _wait(process)
    return sum(COUNT - sum(map(math.isnan, each.values)) for each in found)


def _blocks(promtool: Path, path: Path, folder: Path) -> subprocess.Popen[str]:
    how = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=72h", "-q"]
    command = [str(promtool), *how, str(path), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _wait(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "promtool", said)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.history", description="two weeks of history for a Prometheus")
    parser.add_argument("promtool", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--end", default="2026-08-24T00:00:00Z", help="the first moment after it, midnight UTC"
    )
    asked = parser.parse_args()
    end = int(datetime.fromisoformat(asked.end).astimezone(UTC).timestamp())
    if end % 86_400:
        parser.error("--end is a midnight in UTC")
    print(f"{load(asked.promtool, asked.folder, end):,} samples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
