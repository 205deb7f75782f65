"""Each gate of stage 0: a fault planted in front of it, and silence where there is none; then the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.replaying import (
    DAY,
    HOUR,
    KEY,
    MINUTE,
    WINDOW,
    Spans,
    compared,
    every,
    incident,
    replayed,
    version,
)

from tocsin.canary.compare import Evidence, compare
from tocsin.canary.comparison import Comparison, HumanVerdict, Judged
from tocsin.canary.incidents import Firing, OtherRule
from tocsin.canary.judge import judge, not_needed
from tocsin.canary.labels import Said
from tocsin.canary.values import Calibration, Exactness, Window
from tocsin.ir.canary import DEFAULT_GATES, GATES, CanaryPolicy, GateLimits, GateName, WaivedGate
from tocsin.verdict.record import GateResult

TODAY = date(2026, 11, 21)
NOISY: Spans = {"a": every(20, apart=16 * HOUR)}
"""Twenty pages in two weeks: enough to judge by."""


def policy(gates: Mapping[GateName, GateLimits] | None = None, **more: Any) -> CanaryPolicy:
    """The defaults with some gates set otherwise."""
    return CanaryPolicy(gates={"": {**DEFAULT_GATES, **(gates or {})}}, **more)


def judged(found: Comparison, by: CanaryPolicy | None = None, *, tested: bool = False) -> Judged:
    return judge(found, by or CanaryPolicy(), TODAY, tested=tested)


def gate(id: str, found: Comparison, by: CanaryPolicy | None = None, *, tested: bool = False) -> GateResult:
    (result,) = (each for each in judged(found, by, tested=tested).gates if each.id == id)
    return result


def ends(id: str, found: Comparison, by: CanaryPolicy | None = None) -> str:
    return gate(id, found, by).verdict


def caught(*incidents: Any, **more: Any) -> Evidence:
    return Evidence(incidents=incidents, **more)


def test_every_gate_of_the_policy_but_fidelity_has_a_result() -> None:
    for old, new in ((NOISY, NOISY), (None, NOISY), (NOISY, None)):
        result = judged(compared(old, new))
        assert [each.id for each in result.gates] == [each for each in GATES if each != "fidelity"]
        assert result.limits.keys() == {each.id for each in result.gates}


def test_a_change_that_changes_nothing_passes() -> None:
    result = judged(compared(NOISY, NOISY))
    assert result.verdict == "pass" and not result.needs_test
    assert {each.verdict for each in result.gates} <= {"ok", "vacuous"}


# --- errors -----------------------------------------------------------------------------------


def test_errors() -> None:
    assert ends("errors", compared(NOISY, NOISY)) == "ok"
    found = gate("errors", compared(NOISY, NOISY, of_new={"failed": range(1008)}))
    assert (found.verdict, found.old, found.new) == ("fail", 0, 0.05)
    assert found.message == "1008 of 20160 evaluations fail"
    # Those the old version has too are not the change's fault.
    both = compared(NOISY, NOISY, of_old={"failed": range(1008)}, of_new={"failed": range(1008)})
    assert ends("errors", both) == "ok"
    lax = policy({"errors": GateLimits(critical=True, at_most={"share": 0.05})})
    assert ends("errors", compared(NOISY, NOISY, of_new={"failed": range(1008)}), lax) == "ok"
    assert ends("errors", compared(NOISY, None)) == "vacuous"


def test_what_was_sampled_claims_no_more_than_was_seen() -> None:
    found = compared(NOISY, NOISY)
    assert found.new_run is not None
    sampled = gate("errors", replace(found, new_run=replace(found.new_run, stride=11)))
    assert sampled.verdict == "ok" and gate("errors", found).message == ""
    assert sampled.message == "none of those that were looked at: one in 11, and all around what fires"


# --- pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (20, 20, "ok"),
        (20, 24, "ok"),
        (20, 25, "warn"),
        (20, 30, "warn"),
        (20, 31, "fail"),
        (10, 16, "warn"),
        (10, 17, "fail"),
        (5, 5, "ok"),
        (5, 11, "warn"),
        (5, 12, "fail"),
        (20, 4, "ok"),
        (4, 4, "insufficient"),
        (4, 10, "insufficient"),
        (4, 11, "fail"),
        (0, 0, "insufficient"),
        (0, 6, "insufficient"),
        (0, 7, "fail"),
    ],
)
def test_pages(before: int, after: int, verdict: str) -> None:
    found = gate("pages", compared({"a": every(before)}, {"a": every(after)}))
    assert (found.verdict, found.old, found.new) == (verdict, before, after)
    assert len(found.ci) == 2


def test_pages_say_what_chance_may_explain() -> None:
    assert gate("pages", compared({"a": every(10)}, {"a": every(13)})).message.endswith(
        "chance alone explains as much"
    )
    assert gate("pages", compared({"a": every(36)}, {"a": every(54)})).message.endswith(
        "more than chance explains"
    )
    removed = compared({"a": every(3)}, None, evidence=Evidence(incidents=(incident("INC-1", 0, 5),)))
    assert "3 times, 1 of them about an incident" in gate("pages", removed).message


def test_pages_are_not_series() -> None:
    storm = {name: every(6, apart=40 * HOUR) for name in "abcdefghij"}
    assert ends("pages", compared({"a": every(6, apart=40 * HOUR)}, storm)) == "ok"


@pytest.mark.parametrize(
    ("spans", "cap", "verdict"),
    [
        ({"a": every(14)}, 1.0, "ok"),
        ({"a": every(15)}, 1.0, "fail"),
        ({"a": every(15)}, 5.0, "ok"),
        ({"a": every(1)}, 5.0, "ok"),
        ({}, 5.0, "insufficient"),
        ({"a": [(-10, None)]}, 5.0, "ok"),
    ],
)
def test_pages_of_a_new_rule(spans: Spans, cap: float, verdict: str) -> None:
    limits = replace(DEFAULT_GATES["pages"], at_most={"new_per_day": cap})
    assert ends("pages", compared(None, spans), policy({"pages": limits})) == verdict


def test_a_new_rule_and_a_short_window() -> None:
    short = Window(start_ms=WINDOW.start_ms, end_ms=WINDOW.start_ms + 3 * DAY * 60_000)
    limits = replace(DEFAULT_GATES["pages"], at_most={"new_per_day": 1.0})
    found = compared(None, {"a": every(1)}, window=short)
    assert ends("pages", found, policy({"pages": limits})) == "insufficient"


# --- recall, silence, unmatched ---------------------------------------------------------------


def test_recall() -> None:
    evidence = caught(incident("INC-1", 100, 160), incident("INC-2", 5000, 5060))
    both: Spans = {"a": [(110, 120), (5010, 5020)]}
    one: Spans = {"a": [(110, 120)]}
    assert ends("recall", compared(both, both, evidence=evidence)) == "ok"
    assert ends("recall", compared(one, both, evidence=evidence)) == "ok"
    lost = gate("recall", compared(both, one, evidence=evidence))
    assert (lost.verdict, lost.old, lost.new) == ("fail", 1, 0.5)
    assert lost.message == "no longer caught: INC-2"
    assert ends("recall", compared(both, one)) == "vacuous"
    lax = policy({"recall": GateLimits(critical=True, at_most={"missed": 1})})
    assert ends("recall", compared(both, one, evidence=evidence), lax) == "warn"
    soft = policy({"recall": GateLimits(critical=False, at_most={"missed": 0})})
    assert ends("recall", compared(both, one, evidence=evidence), soft) == "warn"


def test_recall_of_what_people_called_right() -> None:
    """A person's word is as good as an incident, and one thing is missed once."""

    def word(first: int, verdict: HumanVerdict) -> Said:
        start = WINDOW.start_ms + first * MINUTE
        more = {"rule": KEY.id, "alertname": "", "labels": (), "by": "dana"}
        return Said(**more, start_ms=start, end_ms=start + MINUTE, verdict=verdict)  # type: ignore[arg-type]

    both: Spans = {"a": [(110, 120), (5010, 5020)]}
    one: Spans = {"a": [(110, 120)]}
    said = Evidence(said=(word(110, "true"), word(5010, "true")))
    assert ends("recall", compared(both, both, evidence=said)) == "ok"
    lost = gate("recall", compared(both, one, evidence=said))
    assert lost.verdict == "fail" and lost.message == "1 of 2 pages that people called right would be lost"
    noise = Evidence(said=(word(110, "true"), word(5010, "noise")))
    assert ends("recall", compared(both, one, evidence=noise)) == "ok"
    carried = Evidence(said=(word(0, "true"),))
    assert ends("recall", compared({"a": [(-5, 5)]}, {"a": [(90, 95)]}, evidence=carried)) == "vacuous"
    once = policy({"recall": GateLimits(critical=True, at_most={"missed": 1})})
    known = replace(said, incidents=(incident("INC-2", 5000, 5060),))
    assert ends("recall", compared(both, one, evidence=known), once) == "warn"


def test_went_silent() -> None:
    assert ends("went-silent", compared({"a": every(2)}, {})) == "ok"
    assert ends("went-silent", compared({"a": every(3)}, {})) == "warn"
    assert ends("went-silent", compared({"a": every(3)}, {"a": every(1)})) == "ok"
    assert ends("went-silent", compared({"a": every(3)}, {"a": [(-5, None)]})) == "ok"
    right = compared({"a": every(3)}, {}, evidence=caught(incident("INC-1", 0, 10)))
    assert ends("went-silent", right) == "fail"
    assert "INC-1" in gate("went-silent", right).message
    # An incident nobody's page belongs to is no reason.
    elsewhere = compared({"a": every(3)}, {}, evidence=caught(incident("INC-1", 5000, 5010)))
    assert ends("went-silent", elsewhere) == "warn"


OTHER = incident("INC-1", 13 * DAY, 13 * DAY + 60)
"""An incident that none of these firings belongs to: the service keeps a log."""


def mixed(right: int, wrong: int) -> tuple[Spans, Sequence[Any]]:
    """Firings of which so many belong to an incident each."""
    spans = every(right + wrong, apart=4 * HOUR)
    return {"a": spans}, [
        incident(f"INC-{n}", first, first + 5) for n, (first, _) in enumerate(spans[:right])
    ]


@pytest.mark.parametrize(
    ("old_wrong", "new_wrong", "verdict"), [(2, 2, "ok"), (2, 3, "ok"), (2, 4, "fail"), (0, 2, "fail")]
)
def test_unmatched(old_wrong: int, new_wrong: int, verdict: str) -> None:
    after, incidents = mixed(10, new_wrong)
    before = {"a": list(after["a"])[: 10 + old_wrong]}
    found = compared(before, after, evidence=caught(*incidents))
    result = gate("unmatched", found)
    assert result.verdict == verdict
    assert result.new == pytest.approx(new_wrong / (10 + new_wrong))


def test_unmatched_needs_ten_pages_and_somebody_who_knows() -> None:
    after, incidents = mixed(4, 5)
    before = {"a": list(after["a"])[:4]}
    assert ends("unmatched", compared(before, after, evidence=caught(*incidents))) == "warn"
    assert ends("unmatched", compared(before, after)) == "vacuous"
    complete = policy(complete=frozenset({"kafka"}))
    assert "false positives" in gate("unmatched", compared(before, after, policy=complete), complete).message
    found = gate("unmatched", compared(before, after, evidence=caught(*incidents)))
    assert "false" not in found.message and "without an incident" in found.message


@pytest.mark.parametrize(("right", "wrong", "verdict"), [(5, 5, "ok"), (5, 6, "fail"), (4, 5, "warn")])
def test_unmatched_of_a_new_rule(right: int, wrong: int, verdict: str) -> None:
    spans, incidents = mixed(right, wrong)
    assert ends("unmatched", compared(None, spans, evidence=caught(*incidents))) == verdict


# --- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "verdict"), [(0, "ok"), (2, "ok"), (3, "warn"), (5, "warn"), (6, "fail"), (-9, "ok")]
)
def test_detection_delay(later: int, verdict: str) -> None:
    evidence = caught(incident("INC-1", 90, 160), incident("INC-2", 5090, 5160))
    before: Spans = {"a": [(100, 150), (5100, 5150)]}
    after: Spans = {"a": [(100 + later, 150), (5100 + later, 5150)]}
    found = gate("detection-delay", compared(before, after, evidence=evidence))
    assert (found.verdict, found.old, found.new) == (verdict, 600, 600 + later * 60)


def test_detection_delay_without_an_incident_warns_at_most() -> None:
    found = gate("detection-delay", compared({"a": [(100, 150)]}, {"a": [(110, 150)]}))
    assert (found.verdict, found.new) == ("warn", 600)
    assert ends("detection-delay", compared({"a": [(100, 150)]}, {"a": [(102, 150)]})) == "ok"
    assert ends("detection-delay", compared({"a": [(100, 150)]}, {})) == "vacuous"


def test_duration() -> None:
    before: Spans = {"a": [(0, 60)]}
    assert ends("duration", compared(before, {"a": [(0, 120)]})) == "ok"
    assert ends("duration", compared(before, {"a": [(0, 121)]})) == "warn"
    assert ends("duration", compared(before, {"a": [(0, 30)]})) == "ok"
    assert ends("duration", compared(before, {"a": [(0, 29)]})) == "warn"
    limits = DEFAULT_GATES["duration"]
    mean = policy({"duration": replace(limits, at_most={**limits.at_most, "mean": 3600.0})})
    assert ends("duration", compared(before, {"a": [(0, 60)]}), mean) == "ok"
    assert ends("duration", compared(before, {"a": [(0, 61)]}), mean) == "fail"
    assert ends("duration", compared(None, {"a": [(0, 61)]}), mean) == "fail"
    assert ends("duration", compared(None, {"a": [(0, 61)]})) == "vacuous"


def test_the_mean_alone_is_no_reason() -> None:
    """Short noise goes, long episodes stay: the mean rises, and nothing is worse."""
    long = [(n * 20 * HOUR, n * 20 * HOUR + 60) for n in range(8)]
    before: Spans = {"a": long, "b": every(40, long=1)}
    found = compared(before, {"a": long})
    assert found.old is not None and found.new is not None
    assert (found.new.mean_s or 0) > 4 * (found.old.mean_s or 0)
    assert ends("duration", found) == "ok" and judged(found).verdict == "pass"


def flapping(flaps: int, of: int) -> Spans:
    firsts = [n * 24 * HOUR // 10 for n in range(of - flaps)]
    return {"a": sorted([(at, at + 5) for at in firsts] + [(at + 10, at + 15) for at in firsts[:flaps]])}


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [(0, 10, "ok"), (0, 11, "warn"), (8, 12, "ok"), (8, 14, "warn")]
)
def test_flaps(before: int, after: int, verdict: str) -> None:
    result = gate("flaps", compared(flapping(before, 100), flapping(after, 100)))
    assert (result.verdict, result.old, result.new) == (verdict, before / 100, after / 100)


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [(1, 50, "ok"), (1, 51, "fail"), (20, 60, "ok"), (20, 61, "fail")]
)
def test_peak(before: int, after: int, verdict: str) -> None:
    old, new = ({f"i{n:03}": [(0, 10)] for n in range(count)} for count in (before, after))
    result = gate("peak", compared(old, new))
    assert (result.verdict, result.old, result.new) == (verdict, before, after)
    if verdict == "fail":
        assert ends("peak", compared(None, new)) == "fail"


# --- removal, calibration, tests --------------------------------------------------------------


def test_sole_detector() -> None:
    events = (incident("INC-1", 100, 160),)
    spans: Spans = {"a": [(110, 120)]}
    start = WINDOW.start_ms + 110 * 60_000
    other = OtherRule(service="kafka", firings=(Firing(labels=(), start_ms=start, end_ms=start + 60_000),))
    silent = OtherRule(service="kafka", firings=())

    def ended(others: Mapping[str, OtherRule] | None) -> GateResult:
        return gate(
            "sole-detector", compared(spans, None, evidence=Evidence(incidents=events, others=others))
        )

    assert ended({"other": other}).verdict == "ok"
    assert ended({"other": silent}).verdict == "fail"
    assert ended({KEY.text: other}).verdict == "fail"
    assert ended(None).verdict == "fail" and "no other rule was replayed" in ended(None).message
    assert ends("sole-detector", compared(spans, None)) == "ok"
    assert ends("sole-detector", compared(spans, {}, evidence=Evidence(incidents=events))) == "vacuous"


@pytest.mark.parametrize(("agreement", "verdict"), [(0.98, "ok"), (0.979, "warn")])
def test_calibration(agreement: float, verdict: str) -> None:
    known = Calibration(agreement=agreement, n=1000, causes=("late samples",))
    result = gate("calibration", compared(NOISY, NOISY, of_old={"calibration": known}))
    assert result.verdict == verdict
    assert ("late samples" in result.message) is (verdict == "warn")
    assert ends("calibration", compared(NOISY, NOISY)) == "vacuous"


def test_a_quiet_change_needs_a_unit_test_where_the_severity_says_so() -> None:
    quiet = compared({"a": every(2)}, {"a": every(2)})
    strict = policy({"unit-test": GateLimits(critical=True)})
    lax = judged(quiet)
    assert (lax.verdict, lax.needs_test) == ("quiet", True) and gate("unit-test", quiet).verdict == "warn"
    # One that wants nothing to fire is none.
    assert "no unit test makes the rule fire" in gate("unit-test", quiet).message
    assert judged(quiet, strict).verdict == "fail"
    with_test = judged(quiet, strict, tested=True)
    assert (with_test.verdict, with_test.needs_test) == ("quiet", False)
    assert ends("unit-test", compared(NOISY, NOISY), strict) == "vacuous"


# --- verdicts ---------------------------------------------------------------------------------


WORSE = compared({"a": every(10)}, {"a": every(40)})


def waiver(rule: str = KEY.id, gate: str = "pages", expires: date = TODAY) -> WaivedGate:
    return WaivedGate(rule=rule, gate=gate, by="dana", reason="load test", expires=expires)


@pytest.mark.parametrize(
    ("waivers", "verdict"),
    [
        ((), "fail"),
        ((waiver(),), "pass"),
        ((waiver(KEY.text),), "pass"),
        ((waiver("kafka-consumer"),), "fail"),
        ((waiver(f"{KEY.id}/ticket"),), "fail"),
        ((waiver(gate="peak"),), "fail"),
        ((waiver(expires=date(2026, 11, 20)),), "fail"),
    ],
)
def test_a_waiver_lifts_its_gate_of_its_rule_until_its_day(waivers: Any, verdict: str) -> None:
    result = judged(WORSE, CanaryPolicy(waivers=waivers))
    assert result.verdict == verdict
    assert [each.gate for each in result.waivers] == (["pages"] if verdict == "pass" else [])
    # What failed is still told as a failure.
    assert next(each for each in result.gates if each.id == "pages").verdict == "fail"


def test_a_waiver_that_is_not_needed_is_not_used() -> None:
    assert judged(compared(NOISY, NOISY), CanaryPolicy(waivers=(waiver(),))).waivers == ()


def test_what_cannot_be_replayed_needs_a_second_person_and_cannot_be_waived() -> None:
    pair = replayed(NOISY, NOISY)
    assert pair.new is not None
    why = Exactness(level="not-backtestable", why=("reads ALERTS",))
    found = compare(
        replace(pair, new=replace(pair.new, timeline=None, exactness=why)), WINDOW, CanaryPolicy()
    )
    result = judged(found, CanaryPolicy(waivers=(waiver(gate="errors"),)))
    assert (result.verdict, result.needs_approver) == ("not-backtestable", True)
    assert result.reason == "the new version cannot be replayed: reads ALERTS"
    assert {each.id for each in result.gates} == result.limits.keys()


def test_only_texts_changed() -> None:
    result = not_needed(KEY)
    assert (result.verdict, result.comparison, result.gates) == ("not-needed", None, ())


def test_a_rule_cannot_move_to_a_laxer_severity_to_pass() -> None:
    lax = {**DEFAULT_GATES, "pages": GateLimits(critical=False)}
    by = CanaryPolicy(gates={"": DEFAULT_GATES, "P1": DEFAULT_GATES, "P3": lax})
    moved = version(severity="P3")
    found = compared({"a": every(10)}, {"a": every(40)}, after=moved)
    assert found.severities == ("P1", "P3")
    assert judged(found, by).verdict == "fail"
    both = compared({"a": every(10)}, {"a": every(40)}, before=moved, after=moved)
    assert judged(both, by).verdict == "pass"


def test_the_stricter_of_two_limits_is_looser_than_neither() -> None:
    one = GateLimits(critical=False, at_most={"a": 1, "b": 5}, at_least={"c": 1})
    two = GateLimits(critical=True, at_most={"a": 2}, at_least={"c": 3, "d": 1})
    both = one.and_(two)
    assert both == GateLimits(critical=True, at_most={"a": 1, "b": 5}, at_least={"c": 3, "d": 1})
    assert not both.looser_than(one) and not both.looser_than(two)


def test_fidelity_is_demanded_where_stage_two_is() -> None:
    by = CanaryPolicy()
    assert "fidelity" not in by.demanded("P1") and "fidelity" in by.demanded("P1", stages=frozenset({0, 2}))
