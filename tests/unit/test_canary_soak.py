"""Stage 2: how long it lasts, what each question says, and what chance is not blamed for. On values alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.comparing import DAY, HOUR, comparison, judged, metrics

from tocsin.canary import soak
from tocsin.canary.fidelity import Fidelity
from tocsin.canary.stage_record import Check, Compared, body_of, compared_of, with_stage
from tocsin.canary.values import RuleVersion
from tocsin.ir.canary import DEFAULT_GATES, CanaryPolicy, GateLimits, GateName
from tocsin.ir.compiled import RuleKey
from tocsin.sync.values import State
from tocsin.verdict import Record, read_record

MINUTE = 60_000


def version(**changes: Any) -> RuleVersion:
    given: dict[str, Any] = {
        "key": RuleKey("prod", "a"),
        "digest": "",
        "name": "A",
        "expr": "up == 0",
        "for_ms": 5 * MINUTE,
        "keep_ms": 10 * MINUTE,
        "labels": {},
        "interval_ms": MINUTE,
    }
    return RuleVersion(**{**given, **changes})


@pytest.mark.parametrize(
    ("expr", "policy", "wanted"),
    [
        ("up == 0", DAY, DAY),
        ("up == 0", HOUR, HOUR),
        ("up == 0", 0, 20 * MINUTE),
        ("rate(a[12h]) > 1", DAY, 2 * DAY),
        ("max_over_time(a[2h:1m]) > predict_linear(b[3h], 60)", 0, 12 * HOUR),
    ],
)
def test_how_long(expr: str, policy: int, wanted: int) -> None:
    assert soak.soak_ms(version(expr=expr), policy) == wanted


def test_what_is_compared_begins_when_the_beginning_is_forgotten() -> None:
    window = soak.window_of(version(), 0, 60 * MINUTE)
    assert (window.start_ms, window.end_ms) == (17 * MINUTE, 58 * MINUTE)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (None, "fail"),
        (State(health="ok"), "fail"),
        (State(health="ok", evaluated="2026-11-21T10:00:00Z"), "ok"),
        (State(health="error", evaluated="2026-11-21T10:00:00Z", error="many-to-many"), "fail"),
        (State(health="nodata", evaluated="2026-11-21T10:00:00Z"), "ok"),
    ],
)
def test_health(state: State | None, wanted: str) -> None:
    assert soak.health(state).state == wanted


@pytest.mark.parametrize(
    ("new", "old", "wanted"),
    [
        (0.2, 0.1, "ok"),
        (0.21, 0.1, "fail"),
        (0.04, 0.001, "ok"),
        (9.0, None, "unknown"),
        (9.0, 0.0, "unknown"),
    ],
)
def test_cost(new: float, old: float | None, wanted: str) -> None:
    before = State(health="ok", took=old) if old is not None else None
    assert soak.cost(State(health="ok", took=new), before).state == wanted


@pytest.mark.parametrize(
    ("times", "state", "looked"), [((0.01,), "ok", 0), ((0.9, 0.9, 0.01), "ok", 2), ((0.9,) * 9, "fail", 4)]
)
def test_one_evaluation_that_waited_for_the_machine_is_no_slow_rule(
    times: tuple[float, ...], state: str, looked: int
) -> None:
    old, waited = State(health="ok", took=0.01), list[int]()
    looks = iter([soak.cost(State(health="ok", took=each), old) for each in times])
    found = soak.cost_of_several(next(looks), lambda: next(looks), lambda: waited.append(1))
    assert (found.state, len(waited)) == (state, looked)


def test_errors_that_nobody_counts_are_not_claimed() -> None:
    assert soak.errors([], known=True).state == "ok"
    assert soak.errors([], known=False).state == "unknown"
    assert soak.errors(["3 evaluations failed"], known=False).state == "fail"


@pytest.mark.parametrize(
    ("agreement", "exact", "check", "gate"),
    [
        (0.98, True, "ok", "ok"),
        (0.979, True, "fail", "fail"),
        (0.95, False, "ok", "ok"),
        (0.949, False, "fail", "fail"),
        (None, True, "vacuous", "vacuous"),
    ],
)
def test_fidelity(agreement: float | None, exact: bool, check: str, gate: str) -> None:
    found = Fidelity(agreement=agreement, n=0 if agreement is None else 1000, live=0, simulated=0)
    limits = DEFAULT_GATES["fidelity"]
    said, result = soak.faithful(found, limits, exact=exact)
    assert (said.state, result.verdict) == (check, gate)
    lenient = GateLimits(critical=False, at_least=limits.at_least)
    assert soak.faithful(found, lenient, exact=exact)[1].verdict == {"fail": "warn"}.get(gate, gate)


@pytest.mark.parametrize(
    ("agreed", "of", "check", "gate"),
    [
        (3, 4, "insufficient", "vacuous"),
        (2, 4, "fail", "fail"),
        (49, 50, "ok", "ok"),
        (98, 101, "fail", "fail"),
    ],
)
def test_one_evaluation_that_was_skipped_is_no_model_that_is_wrong(
    agreed: int, of: int, check: str, gate: str
) -> None:
    found = Fidelity(agreement=agreed / of, n=of, live=of, simulated=of)
    said, result = soak.faithful(found, DEFAULT_GATES["fidelity"], exact=True)
    assert (said.state, result.verdict) == (check, gate)


@pytest.mark.parametrize(
    ("old", "new", "state"),
    [(0, 1, "insufficient"), (0, 4, "insufficient"), (0, 5, "fail"), (3, 9, "insufficient"), (3, 10, "fail")],
)
def test_what_chance_does_is_no_failure(old: int, new: int, state: str) -> None:
    """The smallest counts that are significantly more, one-sided at five percent: 0 -> 5, 3 -> 10."""
    found = replace(comparison(), old=metrics(old), new=metrics(new))
    check, results = soak.compared(judged(found, "fail", pages="fail", peak="ok"))
    assert check.state == state
    assert [each.verdict for each in results] == [("vacuous" if state == "insufficient" else "fail"), "ok"]


def test_another_gate_that_fails_fails() -> None:
    check, _ = soak.compared(judged(None, "fail", pages="insufficient", peak="fail"))
    assert check.state == "fail" and "about peak" in check.say


# The record ------------------------------------------------------------------------------------------------------------------


def record(**changes: Any) -> Record:
    document = {
        "schema": "tocsin/canary/1",
        "id": "c-1",
        "created": "2026-11-21T10:00:00Z",
        "expires": "2026-12-05",
        "tool": "0.4.0",
        "rule": {"env": "prod", "id": "a", "old_digest": "0" * 24, "new_digest": "1" * 24},
        "policy": {"pages": {"critical": True, "at_most": {"ratio": 1.1}}},
        "stages": [{"stage": 0, "verdict": "pass", "gates": [{"id": "pages", "verdict": "ok"}]}],
        "verdict": "pass",
        **changes,
    }
    found = read_record(json.dumps(document))
    assert isinstance(found, Record), found
    return found


def test_the_policy_is_that_of_the_record() -> None:
    loose = CanaryPolicy(gates={"P2": {**DEFAULT_GATES, "pages": GateLimits(critical=False)}})
    waiver = {"gate": "pages", "by": "me", "reason": "known", "expires": "2026-12-01"}
    found = soak.judged_by(loose, record(waivers=[waiver]), "P2")
    assert found.limits("P2")["pages"] == GateLimits(critical=True, at_most={"ratio": 1.1})
    assert [(each.rule, each.gate) for each in found.waivers] == [("a", "pages")]


def test_a_lower_severity_is_no_way_around_the_fidelity_of_the_old_one() -> None:
    def agreeing(share: float) -> dict[GateName, GateLimits]:
        return {**DEFAULT_GATES, "fidelity": GateLimits(critical=True, at_least={"agreement": share})}

    policy = CanaryPolicy(gates={"P1": agreeing(0.999), "P2": agreeing(0.9)})
    found = soak.judged_by(policy, record(), "P2", "P1").limits("P2")["fidelity"]
    assert found == GateLimits(critical=True, at_least={"agreement": 0.999})


def test_a_stage_goes_into_a_record_and_comes_out() -> None:
    check = Check(id="fidelity", state="vacuous", say="nothing")
    value = Compared(since="x", until="y", hours=1.0, checks=(check,), fidelity=None, evaluations=0)
    gate: dict[str, Any] = {"id": "fidelity", "verdict": "vacuous"}
    document = with_stage(
        record(), body_of(2, "pass", value, [gate]), {"fidelity": DEFAULT_GATES["fidelity"]}
    )
    again = read_record(json.dumps(document))
    assert isinstance(again, Record), again
    assert again.verdict == "pass" and compared_of(again) == value
    failed = with_stage(again, body_of(2, "fail", value))
    assert failed["verdict"] == "fail" and len(failed["stages"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("states", "first", "wanted"),
    [
        (["ok"], "pass", "pass"),
        (["vacuous"], "quiet", "quiet"),
        (["ok", "fail"], "pass", "fail"),
        (["unknown"], "pass", "pass"),
    ],
)
def test_stage_0_carries_what_fails_nowhere(states: list[Any], first: Any, wanted: str) -> None:
    gates = [{"id": "pages", "verdict": "insufficient" if first == "quiet" else "ok"}]
    start = record(verdict=first, stages=[{"stage": 0, "verdict": first, "gates": gates}])
    assert soak.verdict_of([Check(id="health", state=each, say="") for each in states], start) == wanted
