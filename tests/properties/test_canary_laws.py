"""The machine over arrays says what the sequential ports say, in thousands of random histories; and would be caught saying anything else.

The ports of `tests/oracle` are the plain reading of Prometheus and Grafana; real servers judge them in tests/contract/test_canary_conformance.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from types import ModuleType

import pytest
from tests.oracle.cases import (
    Case,
    Outcome,
    grafana_case,
    grafana_oracle,
    machine,
    prometheus_case,
    prometheus_oracle,
)
from tests.oracle.mistakes import GRAFANA_MISTAKES, PROMETHEUS_MISTAKES, Mistake, mistaken

from tocsin.canary import machine as prometheus_machine

CASES = 4000
Judged = tuple[Case, Outcome]


@cache
def prometheus_judged() -> tuple[Judged, ...]:
    return tuple((case, prometheus_oracle(case)) for case in map(prometheus_case, range(CASES)))


@cache
def grafana_judged() -> tuple[Judged, ...]:
    cases = [grafana_case(seed, emitted=seed % 2 == 0) for seed in range(CASES)]
    return tuple((case, grafana_oracle(case)) for case in cases)


def first_difference(judged: Iterable[Judged], room: ModuleType = prometheus_machine) -> str | None:
    """The first case of which the machine says something else than its oracle."""
    for number, (case, wanted) in enumerate(judged):
        try:
            found = machine(case, room)
        except (AssertionError, IndexError, ValueError) as broken:
            return f"case {number}: {broken!r}"
        if found != wanted:
            return f"case {number}: {case}\nstates {found.states ^ wanted.states}\nspells {found.spells ^ wanted.spells}\nfailed {found.failed ^ wanted.failed}"
    return None


def test_the_machine_is_the_sequential_prometheus() -> None:
    assert first_difference(prometheus_judged()) is None


def test_the_machine_is_the_sequential_grafana() -> None:
    assert first_difference(grafana_judged()) is None


def test_the_cases_hold_what_they_are_meant_to() -> None:
    """Chains over keep, failures, limits, colliding identities, alerts that are still there: each in hundreds of cases."""
    outcomes = prometheus_judged()
    assert sum(any(spell[4] for spell in wanted.spells) for _, wanted in outcomes) > 300
    assert sum(case.grid.missed.size > 0 and bool(wanted.spells) for case, wanted in outcomes) > 1000
    assert sum(bool(wanted.failed) and case.version.limit > 0 for case, wanted in outcomes) > 300
    assert sum(bool(wanted.failed) and case.version.limit == 0 for case, wanted in outcomes) > 100
    assert sum(any(spell[2] == -1 for spell in wanted.spells) for _, wanted in outcomes) > 1000
    assert sum(len(wanted.states) for _, wanted in outcomes) > 60_000


def test_what_tocsin_emits_is_in_grafana_what_it_is_in_prometheus() -> None:
    """No failed evaluation, and of the shape `promql` nothing kept while another series fires: then both show the same, to the millisecond."""
    same = 0
    for case, shown in grafana_judged()[::2]:
        it = case.version
        alone = len(case.series) == 1 or it.keep_ms == 0 or it.shape == "split"
        if case.grid.missed.size == 0 and alone:
            assert prometheus_oracle(case) == shown, case
            same += 1
    assert same > 300


def test_where_only_keep_differs_grafana_fires_where_prometheus_does() -> None:
    """A kept alert ends earlier in Grafana where another series of the rule fires; it never fires longer, nor elsewhere."""
    differs = 0
    for case, shown in grafana_judged()[::2]:
        if case.grid.missed.size == 0:
            other = prometheus_oracle(case)
            fires = {state for state in shown.states if state[2] == "firing"}
            assert fires <= other.states
            differs += shown != other
    assert differs > 50


def test_a_history_may_be_cut_behind_any_evaluation() -> None:
    """What has not happened yet changes nothing that has: the states of a shorter history are the beginning of those of the whole."""
    for case, wanted in prometheus_judged()[:500]:
        short = replace(case, answers=case.answers[: len(case.answers) // 2 + 1])
        begun = {state for state in wanted.states if state[1] < len(short.answers)}
        assert machine(short, prometheus_machine).states == begun


# The proof can fail -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mistake", PROMETHEUS_MISTAKES, ids=lambda each: each[1][:40])
def test_a_mistake_in_the_machine_is_noticed(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_difference(prometheus_judged(), mistaken(mistake, monkeypatch)) is not None


@pytest.mark.parametrize("mistake", GRAFANA_MISTAKES, ids=lambda each: each[1][:40])
def test_a_mistake_in_grafanas_machine_is_noticed(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_difference(grafana_judged(), mistaken(mistake, monkeypatch)) is not None
