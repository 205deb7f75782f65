"""Real Prometheus servers show, evaluation by evaluation, the states that were written down before."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.equivalence.compare import differences
from tests.equivalence.live import Observed, observe
from tests.equivalence.table import Row, expected, given
from tests.real import components


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Observed]:
    """The run on every version at the same time: it takes as long as its evaluations."""
    folders = {version: tmp_path_factory.mktemp(version) for version in components.VERSIONS}
    for version in folders:
        components.prometheus(version)
    with ThreadPoolExecutor(len(folders)) as pool:
        runs = {version: pool.submit(observe, version, folder) for version, folder in folders.items()}
    return {version: run.result() for version, run in runs.items()}


@pytest.mark.parametrize("version", components.VERSIONS)
def test_a_real_prometheus_shows_every_state_of_the_table(
    version: str, observed: Mapping[str, Observed]
) -> None:
    found = differences(expected().rows, observed[version])
    assert not found, "\n".join([f"Prometheus {version}:", *found])


@pytest.mark.parametrize("version", components.VERSIONS)
def test_a_state_in_the_table_that_is_wrong_is_noticed(
    version: str, observed: Mapping[str, Observed]
) -> None:
    """Every single state of every row, planted wrong: none of them passes. What ALERTS does not show (p, f) is
    planted wrong where the rules API was read.
    """
    unnoticed = [
        f"{row.alert} {row.labels} at {number} of {half}: {state} as {other}"
        for row in expected().rows
        for half in (0, 1)
        for number, state in enumerate(row.prometheus[half])
        for other in "PF."
        if other != state and (state not in "pf" or (half, number) in observed[version].held)
        if not differences([_planted(row, half, number, other)], _only(observed[version], row))
    ]
    assert not unnoticed


@pytest.mark.parametrize("version", components.VERSIONS)
def test_an_alert_that_nobody_wrote_down_is_noticed(version: str, observed: Mapping[str, Observed]) -> None:
    for row in expected().rows:
        if set(row.prometheus[0]) & set("PF"):
            others = [each for each in expected().rows if each is not row]
            assert differences(others, observed[version])


@pytest.mark.parametrize("version", components.VERSIONS)
def test_the_failing_evaluations_failed_and_no_other(version: str, observed: Mapping[str, Observed]) -> None:
    """The case `error` is about errors, not about samples that happen to be missing."""
    twice = {*range(6, 9), *range(15, 19)}
    for (half, number), failed in observed[version].failed.items():
        wanted = {"PoolFull", "PoolFullKept"} if half == 0 and number in twice else set()
        assert failed == wanted | ({"DiskFull"} if half == 0 and 15 <= number < 19 else set())


@pytest.mark.parametrize("version", components.VERSIONS)
def test_the_rules_api_was_read_at_nearly_every_evaluation(
    version: str, observed: Mapping[str, Observed]
) -> None:
    """An answer that came too late is left out; were all left out, nothing would be compared."""
    assert len(observed[version].held) > (given().before + given().after) // 2


def _planted(row: Row, half: int, number: int, state: str) -> Row:
    halves = list(row.prometheus)
    halves[half] = halves[half][:number] + state + halves[half][number + 1 :]
    return replace(row, prometheus=(halves[0], halves[1]))


def _only(observed: Observed, row: Row) -> Observed:
    """What was observed of one row's series."""
    key = (row.alert, row.labels)
    return replace(
        observed,
        shown={each: states for each, states in observed.shown.items() if each == key},
        held={
            at: {each: state for each, state in held.items() if each == key}
            for at, held in observed.held.items()
        },
    )
