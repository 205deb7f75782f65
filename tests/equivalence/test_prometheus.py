"""Real Prometheus servers show, evaluation by evaluation, the states that were written down before."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.equivalence.compare import differences
from tests.equivalence.live import MissedEvaluationError, Observed, observe
from tests.equivalence.table import Row, expected
from tests.real import components


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Observed]:
    """The run on every version at the same time: it takes as long as its evaluations. By itself, and again, where an evaluation was left out: the
    table is of evaluations that follow one another."""
    for version in components.VERSIONS:
        components.prometheus(version)
    folders = {version: tmp_path_factory.mktemp(version) for version in components.VERSIONS}
    with ThreadPoolExecutor(len(folders)) as pool:
        runs = {version: pool.submit(observe, version, folder) for version, folder in folders.items()}
    return {version: _undisturbed(version, run, tmp_path_factory) for version, run in runs.items()}


TRIES = 8


def _undisturbed(version: str, run: Future[Observed], tmp_path_factory: pytest.TempPathFactory) -> Observed:
    for _ in range(TRIES):
        try:
            return run.result()
        except MissedEvaluationError:
            run = Future()
            try:
                run.set_result(observe(version, tmp_path_factory.mktemp(version)))
            except MissedEvaluationError as busy:
                run.set_exception(busy)
    return run.result()


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
