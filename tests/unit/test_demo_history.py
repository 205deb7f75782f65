"""The demo's history is what its incidents say and what its rules read, and the same bytes everywhere."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from demo import series
from demo.edits import EDITS
from demo.history import END, openmetrics, pieces

from tocsin.diag import SourceFile
from tocsin.load.sops import load_incident

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def every() -> list[series.Series]:
    return list(series.series())


def labels(each: series.Series) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in each.labels.split('",'))
    return {name: value.strip('"') for name, value in pairs}


def index(text: str | None) -> int:
    assert text is not None
    return (int(datetime.fromisoformat(text).timestamp()) - series.START) // series.STEP


def test_the_bytes_are_the_same_everywhere(every: list[series.Series]) -> None:
    found = hashlib.sha256()
    for minutes in pieces():
        for text in openmetrics(every, minutes):
            found.update(text.encode())
    assert found.hexdigest() == "f5e2a09c220ecc534ff0db8c903d0fa99202738cf4d743ca64ae3427b0c25f62"


def test_every_minute_is_in_one_file_and_no_file_crosses_a_block(every: list[series.Series]) -> None:
    found = list(pieces())
    assert [at for piece in found for at in piece] == list(range(series.COUNT))
    block = 54 * 3600
    for piece in found:
        begin, end = (series.START + at * series.STEP for at in (piece.start, piece.stop - 1))
        assert begin // block == end // block
    assert END == series.START + series.COUNT * series.STEP
    assert datetime.fromtimestamp(END, UTC).isoformat() == "2026-08-24T00:00:00+00:00"


def test_no_series_is_written_twice_and_none_lacks_a_minute(every: list[series.Series]) -> None:
    assert len({(each.name, each.labels) for each in every}) == len(every)
    assert {len(each.values) for each in every} == {series.COUNT}


def test_a_record_is_what_its_expression_says(every: list[series.Series]) -> None:
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * series.COUNT)
    for each in every:
        if each.name == "kafka_consumergroup_lag":
            own = labels(each)
            total = sums[own["cluster"], own["consumergroup"]]
            for at, value in enumerate(each.values):
                total[at] += value
    records = [each for each in every if each.name == "consumergroup:kafka_lag:sum"]
    assert len(records) == len(sums) == 8
    for each in records:
        own = labels(each)
        assert list(each.values) == sums[own["cluster"], own["consumergroup"]]


def test_counters_only_grow(every: list[series.Series]) -> None:
    counters = [each for each in every if each.name.endswith(("_total", "_bucket", "_offset"))]
    assert len(counters) > 20
    for each in counters:
        assert all(one <= other for one, other in pairwise(each.values)), each.name


@pytest.mark.parametrize(
    ("id", "span"),
    [
        ("INC-2026-004", series.INCIDENT_004),
        ("INC-2026-901", series.BROKER_LOST),
        ("INC-2026-902", series.DISK_FULL),
        ("INC-2026-903", series.ERRORS),
        ("INC-2026-905", series.STALL),
    ],
)
def test_the_faults_are_where_their_incidents_say(id: str, span: tuple[int, int]) -> None:
    (path,) = (
        each for folder in ("incidents", "demo/incidents") for each in (ROOT / folder).glob(f"{id}.md")
    )
    text = path.read_text(encoding="utf-8")
    incident, found = load_incident(SourceFile(path=f"incidents/{path.name}", text=text))
    assert incident is not None, found
    assert (index(incident.start), index(incident.end)) == span


def test_a_host_that_is_down_says_nothing_but_that(every: list[series.Series]) -> None:
    for host in series.HOSTS:
        mine = {each.name: each.values for each in every if labels(each).get("instance") == host}
        down = {at for at, value in enumerate(mine.pop("up")) if value == 0}
        assert len(down) >= 9
        for name, values in mine.items():
            assert {at for at, value in enumerate(values) if math.isnan(value)} == down, name


def test_an_edit_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (edit,) = (each for each in EDITS if each.name == "noise-removed")
    edit.make(tmp_path)
    with pytest.raises(ValueError, match="0 times"):
        edit.make(tmp_path)
