"""What is made of two replays, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import origin
from tests.replaying import (
    DAY,
    HOUR,
    MINUTE,
    T0,
    WINDOW,
    compared,
    every,
    incident,
    labelled,
    replayed,
    version,
)

from tocsin.canary.bootstrap import more_than_chance, page_ratio, wilson
from tocsin.canary.compare import Evidence, compare
from tocsin.canary.comparison import Metrics
from tocsin.canary.incidents import Firing, OtherRule, firings_of, known
from tocsin.canary.labels import Said
from tocsin.canary.values import Exactness, Window
from tocsin.diag import SourceFile
from tocsin.ir.canary import CanaryPolicy
from tocsin.ir.sop import Body, Incident


def old(found: Any) -> Metrics:
    assert found.old is not None
    return found.old  # type: ignore[no-any-return]


def new(found: Any) -> Metrics:
    assert found.new is not None
    return found.new  # type: ignore[no-any-return]


# --- one version ------------------------------------------------------------------------------


def test_episodes_pages_and_hours_are_counted() -> None:
    found = new(compared({}, {"a": [(10, 20), (100, 130)], "b": [(15, 25)]}))
    assert (found.episodes, found.pages) == (3, 2)
    assert found.pages_per_day == pytest.approx(2 / 14)
    assert found.pages_per_week == pytest.approx(1)
    assert found.firing_hours == pytest.approx(50 / 60)
    assert (found.closed, found.mean_s, found.median_s) == (3, 1000.0, 600.0)
    assert found.p90_s == pytest.approx(600 + 0.8 * 1200)


def test_pages_are_grouped_as_notifications_are() -> None:
    spans = {
        (("cluster", "x"), ("instance", "a")): [(10, 20)],
        (("cluster", "y"), ("instance", "b")): [(10, 20)],
    }
    assert new(compared({}, spans)).pages == 2
    assert new(compared({}, spans, policy=CanaryPolicy(group_by=("alertname",)))).pages == 1


def test_one_page_ends_where_nothing_fires_any_more() -> None:
    chain = {"a": [(10, 20)], "b": [(20, 30)], "c": [(31, 40)]}
    assert new(compared({}, chain)).pages == 2


def test_what_was_carried_in_counts_in_no_rate() -> None:
    found = compared({}, {"a": [(-60, 60)], "b": [(30, 90)], "c": [(200, 210)]})
    metrics = new(found)
    assert (metrics.episodes, metrics.carried_in, metrics.pages) == (2, 1, 1)
    assert metrics.firing_hours == pytest.approx((60 + 60 + 10) / 60)
    assert metrics.peak == 2
    assert [each.carried_in for each in found.new_pages] == [True, False]
    assert found.new_spells[0].fired_ms == T0 - HOUR * MINUTE


def test_what_goes_on_has_no_duration() -> None:
    metrics = new(compared({}, {"a": [(14 * DAY - 30, None)], "b": [(5, 10)]}))
    assert (metrics.episodes, metrics.closed, metrics.mean_s) == (2, 1, 300.0)
    assert metrics.firing_hours == pytest.approx(35 / 60)


def test_what_lies_outside_the_window_is_nothing() -> None:
    metrics = new(compared({}, {"a": [(-60, -10), (14 * DAY, 14 * DAY + 5)]}))
    assert (metrics.episodes, metrics.carried_in, metrics.firing_hours) == (0, 0, 0)
    assert metrics.mean_s is None and metrics.unmatched_rate is None and metrics.flap_rate is None


def test_a_flap_comes_back_within_fifteen_minutes() -> None:
    metrics = new(compared({}, {"a": [(0, 10), (24, 30), (45, 50)], "b": [(12, 14)]}))
    assert (metrics.flaps, metrics.flap_rate) == (1, 0.25)


def test_peak_and_jump() -> None:
    metrics = new(
        compared({}, {"a": [(-5, 12)], "b": [(10, 20)], "c": [(10, 20)], "d": [(12, 20)], "e": [(30, 31)]})
    )
    assert (metrics.peak, metrics.jump) == (3, 2)


# --- incidents and verdicts -------------------------------------------------------------------


def test_detection_delay_and_reset() -> None:
    evidence = Evidence(incidents=(incident("INC-1", 100, 160), incident("INC-2", 500, 520)))
    found = compared({}, {"a": [(104, 130), (140, 170)]}, evidence=evidence)
    first, second = new(found).detections
    assert (first.incident, first.detected, first.delay_s, first.reset_s) == ("INC-1", True, 240, 600)
    assert (second.detected, second.delay_s, second.reset_s, second.others) == (False, None, None, None)
    assert new(found).recall == 0.5 and new(found).precision == 1.0
    assert new(found).f1 == pytest.approx(2 / 3)


def test_a_rule_that_fires_already_has_no_delay() -> None:
    evidence = Evidence(incidents=(incident("INC-1", 100, 160),))
    assert new(compared({}, {"a": [(90, 130)]}, evidence=evidence)).detections[0].delay_s == 0
    carried = new(compared({}, {"a": [(-90, None)]}, evidence=evidence)).detections[0]
    assert (carried.detected, carried.delay_s, carried.reset_s) == (True, 0, None)


@pytest.mark.parametrize(
    ("span", "matched"),
    [((90, 95), False), ((90, 96), True), ((175, 180), True), ((176, 180), False)],
)
def test_an_incident_reaches_a_little_beyond_its_times(span: tuple[int, int], matched: bool) -> None:
    evidence = Evidence(incidents=(incident("INC-1", 100, 160),))
    metrics = new(compared({}, {"a": [span]}, evidence=evidence))
    assert metrics.unmatched == (0 if matched else 1)
    assert metrics.detections[0].detected is matched


def test_an_incident_is_about_its_labels_and_services() -> None:
    evidence = Evidence(incidents=(incident("INC-1", 100, 160, instance="b", rack="7"),))
    found = compared({}, {"a": [(110, 120)], "b": [(110, 120)]}, evidence=evidence)
    assert [each.incidents for each in found.new_spells] == [(), ("INC-1",)]
    # A label that the alert does not carry contradicts nothing: somebody aggregated it away.
    assert compared({}, {(): [(110, 120)]}, evidence=evidence).new_spells[0].incidents == ("INC-1",)
    other = version(service="orders")
    assert compared({}, {"b": [(110, 120)]}, before=other, after=other, evidence=evidence).incidents == ()


def test_an_incident_that_goes_on_and_one_that_began_earlier() -> None:
    evidence = Evidence(incidents=(incident("INC-0", -60, 10), incident("INC-9", 14 * DAY - 60, None)))
    found = compared({}, {"a": [(5, 8), (14 * DAY - 30, None)]}, evidence=evidence)
    assert [(each.id, each.in_scope, each.open) for each in found.incidents] == [
        ("INC-0", False, False),
        ("INC-9", True, True),
    ]
    assert [each.incident for each in new(found).detections] == ["INC-9"]
    assert new(found).unmatched == 0


def test_other_rules_say_who_is_the_sole_detector() -> None:
    incidents = (incident("INC-1", 100, 160), incident("INC-2", 500, 520))
    firing = Firing(labels=(("instance", "z"),), start_ms=T0 + 505 * MINUTE, end_ms=T0 + 510 * MINUTE)
    others = {
        "other": OtherRule(service="kafka", firings=(firing,)),
        "kafka-consumer-lag/page": OtherRule(
            service="kafka", firings=(Firing(labels=(), start_ms=T0, end_ms=T0 + DAY * MINUTE),)
        ),
    }
    evidence = Evidence(incidents=incidents, others=others)
    found = new(compared({}, {"a": [(104, 130), (500, 510)]}, evidence=evidence))
    assert [each.others for each in found.detections] == [False, True]
    assert found.sole == ("INC-1",)


def said(word: str, first: int, end: int | None, by: str = "dana", **more: Any) -> Said:
    given: dict[str, Any] = {"rule": "kafka-consumer-lag", "alertname": "", "labels": ()} | more
    return Said(
        **given,
        start_ms=T0 + first * MINUTE,
        end_ms=None if end is None else T0 + end * MINUTE,
        verdict=word,  # type: ignore[arg-type]
        by=by,
    )


def test_what_people_said_outranks_the_incident_log() -> None:
    evidence = Evidence(
        incidents=(incident("INC-1", 100, 160),),
        said=(said("noise", 110, 120), said("true", 1000, 1010)),
    )
    spans = {"a": [(110, 120), (1000, 1010), (2000, 2010)]}
    found = compared({}, spans, evidence=evidence)
    assert [(each.verdict, each.judged_by, each.unmatched) for each in found.new_spells] == [
        ("noise", "dana", True),
        ("true", "dana", False),
        (None, "", True),
    ]
    metrics = new(found)
    assert metrics.judged == {"true": 1, "noise": 1} and metrics.unmatched == 2
    assert (metrics.false_positive_rate, metrics.false_positive_n) == (0.5, 2)
    assert metrics.false_positive_how == "verdicts"


def test_nobody_claims_false_positives_without_a_complete_log_or_verdicts() -> None:
    evidence = Evidence(incidents=(incident("INC-1", 100, 160),))
    spans = {"a": [(110, 120), (1000, 1010)]}
    assert new(compared({}, spans, evidence=evidence)).false_positive_rate is None
    complete = new(compared({}, spans, evidence=evidence, policy=CanaryPolicy(complete=frozenset({"kafka"}))))
    assert (complete.false_positive_rate, complete.false_positive_how) == (0.5, "incident log")


def test_a_verdict_speaks_of_its_rule_its_labels_and_its_time() -> None:
    def word(*words: Said) -> str | None:
        return compared({}, {"a": [(110, 120)]}, evidence=Evidence(said=words)).new_spells[0].verdict

    assert word(said("true", 110, 120)) == "true"
    assert word(said("true", 110, 120, rule="kafka-consumer-lag/page")) == "true"
    assert word(said("true", 110, 120, rule="kafka-consumer-lag/ticket")) is None
    assert word(said("true", 110, 120, alertname="KafkaConsumerLagTicket")) is None
    assert word(said("true", 110, 120, rule="", alertname="KafkaConsumerLagPage")) == "true"
    assert word(said("true", 110, 120, labels=(("instance", "b"),))) is None
    assert word(said("true", 130, 140)) is None
    assert word(said("true", 110, None)) == "true"
    # What a rule adds says which version fired, not what about; a later word is the one that counts.
    assert word(said("true", 110, 120, labels=(("instance", "a"), ("severity", "page")))) == "true"
    assert word(said("true", 110, 120), said("false", 110, 120)) == "false"


def test_verdicts_are_found_wherever_they_lie() -> None:
    """One about every firing, in hours of their own; and one about a day in which many lie."""
    spans = {"a": every(50, apart=100)}
    words = [said("true" if n % 2 else "noise", n * 100, n * 100 + 10) for n in range(50)]
    found = compared({}, spans, evidence=Evidence(said=tuple(words)))
    assert [each.verdict for each in found.new_spells] == ["noise", "true"] * 25
    day = said("false", 1000, 1000 + DAY)
    later = compared({}, spans, evidence=Evidence(said=(*words, day))).new_spells
    assert [n for n, each in enumerate(later) if each.verdict == "false"] == list(range(10, 25))
    earlier = compared({}, spans, evidence=Evidence(said=(day, *words))).new_spells
    assert [each.verdict for each in earlier] == ["noise", "true"] * 25


def authored(**more: Any) -> Incident:
    given: dict[str, Any] = {
        "id": "INC-2026-001",
        "title": "Lag",
        "start": "2026-08-10T01:40Z",
        "detected": None,
        "mitigated": None,
        "end": "2026-08-10T04:40:00+02:00",
        "severity": None,
        "services": ("kafka",),
        "alerts": (),
        "missed": (),
        "sops": (),
        "found_by": "alert",
        "labels": {"instance": "a"},
        "meta": {},
        "body": Body(text="", first_line=1, sections=(), fences=(), links=()),
        "file": SourceFile(path="incidents/INC-2026-001.md", text=""),
        "origin": origin(),
    } | more
    return Incident(**given)


def test_incidents_are_read_from_the_authored_ones() -> None:
    (found,) = known([authored()])
    assert (found.start_ms, found.end_ms) == (T0 + 100 * MINUTE, T0 + 160 * MINUTE)
    assert found.labels == (("instance", "a"),) and found.services == {"kafka"}
    assert known([authored(end=None)])[0].end_ms is None
    assert known([authored(end=None, mitigated="2026-08-10T02:00Z")])[0].end_ms == T0 + 120 * MINUTE
    assert known([authored(start="2026-02-30T01:40Z")]) == ()
    assert known([authored(start="2026-08-11T01:40Z")]) == ()


# --- two versions -----------------------------------------------------------------------------


def test_kept_lost_gained_split_merged() -> None:
    before = {"kept": [(0, 10)], "lost": [(0, 10)], "split": [(0, 60)], "merged": [(0, 10), (20, 30)]}
    after = {"kept": [(3, 10)], "gained": [(0, 10)], "split": [(0, 10), (20, 60)], "merged": [(0, 30)]}
    found = compared(before, after)
    assert (found.kept, found.lost, found.gained, found.split, found.merged) == (1, 1, 1, 1, 2)
    assert found.matched == 4 and found.paired_by == "identity"
    assert found.shift_s == 180.0
    assert found.matched_duration_ratio == pytest.approx((7 + 10 + 40 + 30) / (10 + 60 + 10 + 10))
    kinds = {dict(each.labels)["instance"]: each.kind for each in found.new_spells}
    assert kinds == {"kept": "kept", "gained": "gained", "split": "split", "merged": "merged"}
    for spell in found.old_spells:
        assert all(found.new_spells[each].kind == spell.kind for each in spell.partners)


def test_firing_after_the_other_resolved_is_not_the_same() -> None:
    found = compared({"a": [(0, 10)]}, {"a": [(10, 20)]})
    assert (found.kept, found.lost, found.gained) == (0, 1, 1)


def test_a_new_severity_or_name_does_not_look_like_new_series() -> None:
    after = version(labels={"severity": "warning", "team": "x"}, name="Renamed")
    found = compared({"a": [(0, 10)]}, {"a": [(0, 10)]}, after=after)
    assert (found.kept, found.lost, found.gained) == (1, 0, 0)
    assert [each.kind for each in found.new_pages] == ["kept"]


def test_another_aggregation_is_compared_by_pages() -> None:
    before = {(("cluster", "x"), ("instance", n)): [(0, 10)] for n in "abc"}
    before[(("cluster", "y"), ("instance", "a"))] = [(100, 110)]
    after = {(("cluster", "x"),): [(2, 12), (50, 60)]}
    found = compared(before, after)
    assert found.paired_by == "page" and found.matched_duration_ratio is None and found.shift_s is None
    assert (found.kept, found.lost, found.gained) == (1, 1, 1)
    assert [each.kind for each in found.old_spells] == ["kept"] * 3 + ["lost"]
    assert [each.kind for each in found.new_spells] == ["kept", "gained"]


def test_a_partner_that_was_carried_in_makes_nothing_gained() -> None:
    found = compared({"a": [(-10, 10)]}, {"a": [(5, 10)]})
    assert (found.kept, found.lost, found.gained, found.shift_s) == (0, 0, 0, None)
    assert found.new_spells[0].kind == "kept"
    # Nor does what was carried in and has no partner count, or weigh in how long things last.
    alone = compared({"b": [(-10, 100)], "c": [(0, 10)]}, {"a": [(-10, 10)], "b": [(-10, 5)], "c": [(0, 20)]})
    assert (alone.gained, alone.kept, alone.matched_duration_ratio) == (0, 1, 2.0)
    assert [each.kind for each in alone.new_spells] == ["gained", "kept", "kept"]


def test_added_and_removed_rules_have_one_side() -> None:
    added, removed = compared(None, {"a": [(0, 10)]}), compared({"a": [(0, 10)]}, None)
    assert (added.change, added.old, added.gained, added.page_ratio) == ("added", None, 1, None)
    assert (removed.change, removed.new, removed.lost, removed.page_ratio) == ("removed", None, 1, None)
    assert added.old_run is None and removed.new_run is None


def test_what_could_not_be_replayed_has_its_reason_and_no_numbers() -> None:
    pair = replayed({"a": [(0, 10)]}, {})
    assert pair.new is not None
    why = Exactness(level="not-backtestable", why=("reads ALERTS",))
    pair = replace(pair, new=replace(pair.new, timeline=None, exactness=why))
    found = compare(pair, WINDOW, CanaryPolicy())
    assert found.old is None and found.new is None
    assert found.exactness == "exact -> not-backtestable(reads ALERTS)"


def test_failed_evaluations_are_counted_inside_the_window() -> None:
    found = compared({}, {}, of_new={"missed": [3, 4], "failed": [4, 9]}, of_old={"missed": [1]})
    assert found.new_run is not None and found.old_run is not None
    assert (found.new_run.failed, found.new_run.evaluations) == (3, 14 * DAY)
    assert found.old_run.failed == 1


def test_firings_of_a_replay_are_evidence_for_others() -> None:
    of = version()
    pair = replayed({"a": [(-5, 10), (20, None)]}, {}, before=of)
    assert pair.old is not None and pair.old.timeline is not None
    assert [(each.start_ms, each.end_ms) for each in firings_of(pair.old.timeline, WINDOW)] == [
        (T0 - 5 * MINUTE, T0 + 10 * MINUTE),
        (T0 + 20 * MINUTE, WINDOW.end_ms),
    ]
    assert firings_of(pair.old.timeline, WINDOW)[0].labels == labelled("a", of)


# --- how sure ---------------------------------------------------------------------------------


def test_wilson() -> None:
    assert wilson(0, 0) is None
    low, high = wilson(0, 3) or (1, 0)
    assert low == 0 and high == pytest.approx(0.5615, abs=1e-4)
    low, high = wilson(8, 10) or (1, 0)
    assert [low, high] == [pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4)]
    assert (wilson(5, 5) or (0, 0))[1] == 1.0


@pytest.mark.parametrize(
    ("before", "after"), [(0, 5), (1, 7), (2, 9), (3, 10), (5, 13), (10, 20), (20, 33), (50, 69)]
)
def test_the_smallest_count_that_is_more_than_chance(before: int, after: int) -> None:
    """The published table of the conditional test at equal exposure."""
    assert more_than_chance(before, after) and not more_than_chance(before, after - 1)


def test_chance_and_exposure() -> None:
    # Twice the time: ten where there were five is what one expects.
    assert not more_than_chance(5, 13, exposure=2.0) and more_than_chance(5, 13, exposure=0.5)
    assert not more_than_chance(0, 0) and not more_than_chance(7, 0)
    assert more_than_chance(10_000, 11_000) and not more_than_chance(10_000, 10_100)


def test_the_interval_of_the_page_ratio_is_the_same_every_time() -> None:
    found = compared({"a": every(40)}, {"a": every(20, apart=12 * HOUR)})
    again = compared({"a": every(40)}, {"a": every(20, apart=12 * HOUR)})
    assert found.page_ratio == again.page_ratio and found.page_ratio is not None
    assert found.page_ratio.value == pytest.approx(20.5 / 40.5)
    assert found.page_ratio.low < found.page_ratio.value < found.page_ratio.high < 1


def test_a_storm_in_one_block_is_weak_evidence() -> None:
    window = Window(start_ms=0, end_ms=14 * DAY * MINUTE)
    storm = page_ratio([], range(0, 100 * MINUTE, MINUTE), window, 1)
    spread = page_ratio([], range(0, 14 * DAY * MINUTE, 14 * DAY * MINUTE // 100), window, 1)
    assert storm.value == spread.value == 201
    assert storm.low == 1.0 and spread.low > 150


def test_equal_histories_have_a_ratio_of_one() -> None:
    found = compared({"a": every(9)}, {"a": every(9)}).page_ratio
    assert found is not None and (found.value, found.low, found.high) == (1, 1, 1)
    nothing = compared({}, {}).page_ratio
    assert nothing is not None and (nothing.value, nothing.low, nothing.high) == (1, 1, 1)
