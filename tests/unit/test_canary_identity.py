"""Labels of alerts: what is laid over what, what is forgotten, and where two series are one alert."""

from __future__ import annotations

import numpy as np
import pytest
from tests.oracle.cases import version

from tocsin.canary.identity import identities
from tocsin.canary.values import Labels, Machine, Presence

NAME = ("alertname", "Busy")


def presence(*series: Labels, pairs: list[tuple[int, int]] | None = None) -> Presence:
    """Every series at index 0, or the pairs (row, at), whose value is row + at / 10."""
    where = np.array(pairs or [(row, 0) for row in range(len(series))], dtype=np.int32)
    row, at = where.T.copy()
    return Presence(series=series, row=row, at=at, value=row + at / 10)


@pytest.mark.parametrize(
    ("labels", "series", "alert"),
    [
        ({}, {"__name__": "up", "job": "a"}, {"job": "a"}),
        ({"job": "db"}, {"job": "a", "x": "1"}, {"job": "db", "x": "1"}),
        ({"alertname": "Other"}, {}, {}),
        ({"job": ""}, {"job": "a", "x": ""}, {}),
        ({"to": "{{ $labels.job }}-{{$labels.x}}"}, {"job": "a", "x": "1"}, {"to": "a-1", "job": "a", "x": "1"}),
        ({"to": "  {{- $labels.job -}}  ."}, {"job": "a"}, {"to": "a.", "job": "a"}),
        ({"of": "{{ $labels.__name__ }}"}, {"__name__": "up"}, {"of": "up"}),
        ({"to": "{{ $labels.gone }}"}, {"job": "a"}, {"job": "a"}),
        ({"to": "<{{ $labels.gone }}>"}, {}, {"to": "<>"}),
        # The rule's own labels are in no template: this is the series' job.
        ({"job": "db", "was": "{{ $labels.job }}"}, {"job": "a"}, {"job": "db", "was": "a"}),
        # What is no label alone stays as it is written; the lints have said so.
        ({"v": "{{ $value }}"}, {}, {"v": "{{ $value }}"}),
        ({"v": "{{ $labels.job | toUpper }}"}, {"job": "a"}, {"v": "{{ $labels.job | toUpper }}", "job": "a"}),
    ],
)  # fmt: skip
def test_labels(labels: dict[str, str], series: dict[str, str], alert: dict[str, str]) -> None:
    found, meets = identities(presence(tuple(sorted(series.items()))), version(labels=labels))
    assert found.series == (tuple(sorted([*alert.items(), NAME])),)
    assert meets.size == 0


def test_grafana_keeps_the_name_and_says_what_has_no_value() -> None:
    it = version(machine="grafana", labels={"to": "{{ $labels.gone }}"})
    found, _ = identities(presence((("__name__", "up"), ("job", "a"))), it)
    assert found.series == ((("__name__", "up"), NAME, ("job", "a"), ("to", "[no value]")),)


@pytest.mark.parametrize(("machine", "failing"), [("prometheus", [2, 5]), ("grafana", [])])
def test_series_of_one_alert_are_merged_and_fail_where_they_meet(
    machine: Machine, failing: list[int]
) -> None:
    raw = presence(
        (("host", "a"),),
        (("host", "c"),),
        (("host", "b"),),
        pairs=[(0, 0), (0, 2), (0, 5), (1, 1), (2, 2), (2, 3), (2, 5)],
    )
    labels = {"host": "any"}
    found, meets = identities(raw, version(machine=machine, labels=labels))
    assert found.series == ((NAME, ("host", "any")),)
    assert found.row.tolist() == [0] * 5
    assert found.at.tolist() == [0, 1, 2, 3, 5]
    assert found.value is not None
    assert found.value.tolist() == [0.0, 1.1, 0.2, 2.3, 0.5]
    assert meets.tolist() == failing


def test_what_stays_apart_is_not_copied() -> None:
    raw = presence((("host", "a"),), (("host", "b"),))
    found, _ = identities(raw, version())
    assert found.row is raw.row
    assert found.at is raw.at
