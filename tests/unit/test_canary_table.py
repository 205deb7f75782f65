"""Both machines show the table of states that real servers are held against (tests/equivalence/expected.yaml), failed evaluations included.

The first column is what Prometheus 2.42, 2.53 and 3.5 show. The second was read in Grafana's sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from tests.equivalence.table import STALE, Labels, Series, compilation, expected, given, meaning, rows_of
from tests.oracle.cases import Case, lines, version

from tocsin.canary.machine import simulate
from tocsin.canary.values import Machine
from tocsin.ir.compiled import CompiledAlert

_SIMPLE = re.compile(r"(\w+)(?: / on \(\w+\) (\w+))? > ([0-9.]+)")


def alerts(env: str) -> Mapping[str, CompiledAlert]:
    """Those of the table whose expression is a metric, or a share, above a number."""
    (service,) = compilation().services
    (found,) = (tuple(each.alerts) for each in service.resolved if each.env == env)
    return {each.name: each for each in found if _SIMPLE.fullmatch(each.expr)}


NAMES = sorted({row.alert for row in expected().rows} & alerts("prometheus").keys())


def test_nearly_the_whole_table_is_compared() -> None:
    assert len(NAMES) == 11
    assert sum(row.alert in NAMES for row in expected().rows) == 27


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("machine", ["prometheus", "grafana"])
def test_the_table(name: str, machine: Machine) -> None:
    alert = alerts(machine)[name]
    case = case_of(alert, machine)
    timeline = simulate(case.raw, case.grid, case.version)
    shown = dict(zip(case.series, lines(timeline, len(case.series)), strict=True))
    for labels, row in rows_of(name, expected().rows).items():
        column = row.prometheus if machine == "prometheus" else row.grafana
        assert shown.pop(labels) == meaning(column[0]), (name, labels)
    assert set("".join(shown.values())) <= {"."}


def case_of(alert: CompiledAlert, machine: Machine) -> Case:
    """What the query answered at each evaluation before the restart."""
    match = _SIMPLE.fullmatch(alert.expr)
    assert match is not None
    metric, size, threshold = match.groups()
    mine = {identity(each): values(each) for each in given().series if ("__name__", metric) in each.labels}
    sizes = [
        (dict(each.labels), values(each)) for each in given().series if ("__name__", size) in each.labels
    ]
    answers: list[tuple[int, ...] | None] = []
    for number in range(given().before):
        wrong: list[int] = []
        fails = False
        for index, (labels, values_of) in enumerate(mine.items()):
            value = values_of[number]
            if size is not None:
                there = [
                    its[number] for of, its in sizes if labels[0] in of.items() and its[number] is not None
                ]
                fails = fails or len(there) > 1
                value = None if value is None or not there or there[0] is None else value / there[0]
            if value is not None and value > float(threshold):
                wrong.append(index)
        answers.append(None if fails else tuple(wrong))
    step = 10_000 if machine == "grafana" else 1000
    it = version(
        machine=machine, for_ms=int(alert.for_), keep_ms=int(alert.keep_firing_for), interval_ms=step
    )
    return Case(version=it, start_ms=0, step_ms=step, series=tuple(mine), answers=tuple(answers))


def identity(series: Series) -> Labels:
    return tuple(each for each in series.labels if each[0] != "__name__")


def values(series: Series) -> list[float | None]:
    """The value that an instant query sees at each evaluation: the newest sample of those looked back to."""
    found: list[float | None] = []
    for number in range(given().before):
        behind = series.tokens[max(0, number - given().lookback + 1) : number + 1]
        newest = next((token for token in reversed(behind) if token is not None), None)
        found.append(None if newest is None or newest == STALE else float(newest))
    return found
