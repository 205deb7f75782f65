"""The replayed old version beside what really fired, evaluation by evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.replaying import Spans, timeline, version

from tocsin.canary.calibrate import calibrate, store_labels
from tocsin.canary.machine import firing
from tocsin.canary.values import Calibration, Labels, Presence

OF = version()


def stored(spans: Spans, **added: str) -> Presence:
    """`ALERTS` as a server has it, with labels that its store adds."""
    found = timeline(spans, OF)
    row, at = firing(found)
    series: tuple[Labels, ...] = tuple(
        tuple(sorted({**dict(labels), "alertstate": "firing", **added}.items()))
        for labels in found.identities
    )
    return Presence(series=series, row=row, at=at)


def agreed(simulated: Spans, real: Spans, of: dict[str, Any] | None = None, **added: str) -> Calibration:
    return calibrate(timeline(simulated, OF, **(of or {})), stored(real, **added))


def test_the_same_agrees_with_itself() -> None:
    spans: Spans = {"a": [(10, 20), (40, 45)], "b": [(10, 12)]}
    assert agreed(spans, spans) == Calibration(agreement=1.0, n=17)


def test_one_evaluation_of_shift_is_forgiven_and_two_are_not() -> None:
    assert agreed({"a": [(10, 20)]}, {"a": [(11, 21)]}).agreement == 1.0
    found = agreed({"a": [(10, 20)]}, {"a": [(12, 22)]})
    assert found.n == 12 and found.agreement == pytest.approx(10 / 12)
    assert found.causes == (
        "firing begins or ends at other evaluations: late samples, another phase, or another `for`",
    )


def test_nothing_anywhere_is_no_agreement_to_boast_of() -> None:
    assert agreed({}, {}) == Calibration(agreement=1.0, n=0)


def test_a_live_rule_that_is_another_one() -> None:
    assert agreed({"a": [(10, 20)]}, {}).causes == (
        "nothing of it is stored: the rule was not evaluated, or is not the one in Git",
    )
    silent = agreed({}, {"a": [(10, 20)]})
    assert (silent.agreement, silent.n) == (0, 10) and "its replay never does" in silent.causes[0]
    other = agreed({"a": [(10, 20)], "b": [(0, 10)]}, {"a": [(10, 20)], "c": [(0, 10)]})
    assert other.agreement == pytest.approx(10 / 30) and "one side alone" in other.causes[0]


def test_an_episode_that_did_not_happen() -> None:
    found = agreed({"a": [(10, 20), (500, 510)]}, {"a": [(10, 20)]})
    assert found.agreement == 0.5
    assert found.causes == ("episodes that one side alone has: late or lost samples, or another threshold",)


def test_a_restart_silences_every_alert_at_once() -> None:
    whole: Spans = {name: [(0, 200)] for name in "abc"}
    found = agreed(whole, {name: [(0, 100), (150, 200)] for name in "abc"})
    # The two evaluations at the gap's edges have a neighbour on the other side.
    assert found.agreement == pytest.approx(1 - 48 / 200)
    assert found.causes == (
        "evaluations at which nothing is stored: a restart, or evaluations that were missed",
    )


def test_labels_that_the_store_adds_are_not_the_alerts() -> None:
    spans: Spans = {"a": [(10, 20)], "b": [(10, 12)]}
    assert agreed(spans, spans, replica="r1", prometheus="main").agreement == 1.0


def test_a_label_that_some_alerts_alone_have_is_theirs() -> None:
    assert store_labels([(("a", "1"), ("r", "x")), (("a", "2"),)], [(("a", "1"),)]) == frozenset()
    assert store_labels([(("a", "1"), ("r", "x")), (("a", "2"), ("r", "y"))], [(("a", "1"),)]) == frozenset()
    assert store_labels([(("a", "1"), ("r", "x")), (("a", "2"), ("r", "x"))], [(("a", "1"),)]) == {"r"}
    assert store_labels([(("a", "1"), ("r", "x"))], []) == frozenset()


def test_what_is_stored_where_the_replay_has_no_evaluation_is_not_judged() -> None:
    missed = {"missed": [12, 13, 14, 15]}
    assert agreed({"a": [(10, 20)]}, {"a": [(10, 20)]}, missed) == Calibration(agreement=1.0, n=6)


def test_alerts_never_mix() -> None:
    """The end of the one and the begin of the other are neighbours in memory only."""
    last = 14 * 24 * 60
    found = agreed({"a": [(last - 1, last)], "b": [(5, 6)]}, {"a": [(last - 1, last)], "b": [(0, 1)]})
    assert found.n == 3 and found.agreement == pytest.approx(1 / 3)


def test_it_is_symmetric() -> None:
    one: Spans = {"a": [(10, 20), (60, 90)], "b": [(3, 9)]}
    two: Spans = {"a": [(12, 24)], "b": [(3, 9)], "c": [(1, 2)]}
    assert agreed(one, two).agreement == agreed(two, one).agreement


def test_rows_in_any_order_of_series() -> None:
    presence = stored({"a": [(10, 20)], "b": [(30, 35)]})
    turned = Presence(
        series=presence.series[::-1],
        row=(1 - presence.row).astype(np.int32),
        at=presence.at,
    )
    assert calibrate(timeline({"a": [(10, 20)], "b": [(30, 35)]}, OF), turned).agreement == 1.0
