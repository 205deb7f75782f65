"""Laws of comparing and judging, over random firings; metrics against a count of single minutes, which knows nothing of intervals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.replaying import MINUTE, Spans, compared, incident, version

from tocsin.canary.bootstrap import page_ratio, wilson
from tocsin.canary.compare import Evidence
from tocsin.canary.gates import STAGE_0
from tocsin.canary.judge import judge
from tocsin.canary.labels import read_said
from tocsin.canary.values import Window
from tocsin.diag import SourceFile
from tocsin.ir.canary import DEFAULT_GATES, CanaryPolicy

LONG = 2_000
WINDOW = Window(start_ms=1_786_320_000_000, end_ms=1_786_320_000_000 + LONG * MINUTE)
POLICY = CanaryPolicy(complete=frozenset({"kafka"}))
NAMES = ("x1", "x2", "y1", "y2")
TODAY = date(2026, 11, 21)


@st.composite
def firings(draw: st.DrawFn) -> list[tuple[int, int | None]]:
    """Some firings of one alert, apart from each other; the first may be carried in, the last may go on."""
    edges = draw(st.lists(st.integers(-50, LONG + 50), max_size=12, unique=True))
    edges.sort()
    found: list[tuple[int, int | None]] = list(zip(edges[::2], edges[1::2], strict=False))
    if len(edges) % 2 and edges[-1] < LONG:
        found.append((edges[-1], None))
    return found


def spans_of(rows: Mapping[str, list[tuple[int, int | None]]]) -> Spans:
    """`x1` is instance 1 of cluster x."""
    return {(("cluster", name[0]), ("instance", name[1])): mine for name, mine in rows.items()}


ROWS = st.fixed_dictionaries({}, optional={name: firings() for name in NAMES})
INCIDENTS = st.lists(
    st.tuples(st.integers(-100, LONG), st.integers(0, 200), st.sampled_from(["", "x", "y"])), max_size=4
).map(
    lambda rows: tuple(
        incident(f"INC-{n}", first, first + long, **({"cluster": cluster} if cluster else {}))
        for n, (first, long, cluster) in enumerate(rows)
    )
)


def found(old: Any, new: Any, incidents: Any = (), **more: Any) -> Any:
    return compared(
        None if old is None else spans_of(old),
        None if new is None else spans_of(new),
        window=WINDOW,
        policy=POLICY,
        evidence=Evidence(incidents=incidents),
        **more,
    )


def minutes(mine: list[tuple[int, int | None]]) -> set[int]:
    """Every minute at which it fires, those before the window as well."""
    return {at for first, end in mine for at in range(first, LONG if end is None else min(end, LONG))}


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_metrics_are_those_of_a_count_of_minutes(rows: Any) -> None:
    metrics = found({}, rows).new
    fires = {name: minutes(mine) for name, mine in rows.items()}
    inside = [[name for name, at in fires.items() if minute in at] for minute in range(LONG)]
    assert metrics.peak == max(map(len, inside))
    assert round(metrics.firing_hours * 60) == sum(map(len, inside))
    pages = 0
    for cluster in "xy":
        group = {at for name, mine in fires.items() if name[0] == cluster for at in mine}
        pages += sum(at - 1 not in group and at >= 0 for at in group)
    assert metrics.pages == pages
    counts = [len([n for n, mine in fires.items() if -1 in mine]), *map(len, inside)]
    assert metrics.jump == max(0, *(after - before for before, after in pairwise(counts)))
    assert metrics.episodes == sum(0 <= first < LONG for mine in rows.values() for first, _ in mine)


@settings(max_examples=100, deadline=None)
@given(ROWS, INCIDENTS)
def test_a_version_is_like_itself(rows: Any, incidents: Any) -> None:
    same = found(rows, rows, incidents)
    assert (same.lost, same.gained, same.split, same.merged) == (0, 0, 0, 0)
    assert same.kept == same.old.episodes == same.new.episodes
    assert same.old == same.new and same.shift_s in (None, 0)
    assert same.matched_duration_ratio in (None, 1)
    assert {page.kind for page in (*same.old_pages, *same.new_pages)} <= {"kept"}
    assert all(figure.percent in (None, 0) for figure in same.figures)
    assert judge(same, POLICY, TODAY, tested=True).verdict in ("pass", "quiet")


@settings(max_examples=100, deadline=None)
@given(ROWS, ROWS, INCIDENTS)
def test_swapping_the_versions_swaps_lost_and_gained(one: Any, two: Any, incidents: Any) -> None:
    there, back = found(one, two, incidents), found(two, one, incidents)
    assert (there.lost, there.gained) == (back.gained, back.lost)
    # `kept` counts old episodes, and one that was carried in is none: seen from the other side it may be.
    if not any(first < 0 for rows in (one, two) for mine in rows.values() for first, _ in mine):
        assert there.kept == back.kept
    assert (there.old, there.new) == (back.new, back.old)
    assert there.shift_s == (None if back.shift_s is None else -back.shift_s)
    for mine, theirs in ((there.old_spells, back.new_spells), (there.new_spells, back.old_spells)):
        opposite = {"lost": "gained", "gained": "lost", "split": "merged", "merged": "split", "kept": "kept"}
        for left, right in zip(mine, theirs, strict=True):
            assert left.partners == right.partners
            several = {"split", "merged"}
            assert right.kind == opposite[left.kind] or {left.kind, right.kind} <= several


@settings(max_examples=100, deadline=None)
@given(ROWS, ROWS)
def test_partners_overlap_and_nothing_else_does(one: Any, two: Any) -> None:
    pair = found(one, two)
    if pair.paired_by == "page":
        return
    for index, spell in enumerate(pair.old_spells):
        partners = {
            other
            for other, each in enumerate(pair.new_spells)
            if each.labels == spell.labels
            and each.fired_ms < spell.resolved_ms
            and spell.fired_ms < each.resolved_ms
        }
        assert set(spell.partners) == partners
        assert (spell.kind == "lost") is not bool(partners)
        for other in partners:
            assert index in pair.new_spells[other].partners


@settings(max_examples=100, deadline=None)
@given(ROWS, ROWS, INCIDENTS)
def test_firing_more_never_loses_anything(one: Any, two: Any, incidents: Any) -> None:
    """Everything the old version does and more: nothing is lost, no incident is missed or caught later, nothing is quieter."""
    both = {}
    for name in {**one, **two}:
        at = sorted(minutes(one.get(name, [])) | minutes(two.get(name, [])))
        runs: list[tuple[int, int | None]] = []
        for minute in at:
            if runs and runs[-1][1] == minute:
                runs[-1] = (runs[-1][0], minute + 1)
            else:
                runs.append((minute, minute + 1))
        both[name] = [(first, None if end == LONG else end) for first, end in runs]
    pair = found(one, both, incidents)
    assert pair.lost == 0
    assert pair.new.firing_hours >= pair.old.firing_hours - 1e-9
    assert pair.new.peak >= pair.old.peak
    assert set(pair.old.detected) <= set(pair.new.detected)
    later = {each.incident: each.delay_s for each in pair.new.detections}
    assert all(later[each.incident] <= each.delay_s for each in pair.old.detections if each.detected)
    results = {each.id: each.verdict for each in judge(pair, POLICY, TODAY, tested=True).gates}
    assert results["recall"] in ("ok", "vacuous") and results["went-silent"] in ("ok", "vacuous")


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, INCIDENTS, st.randoms())
def test_the_order_of_series_means_nothing(one: Any, two: Any, incidents: Any, random: Any) -> None:
    names = list(two)
    random.shuffle(names)
    assert found(one, two, incidents) == found(one, {name: two[name] for name in names}, incidents)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, INCIDENTS)
def test_a_new_name_and_severity_change_no_number(one: Any, two: Any, incidents: Any) -> None:
    renamed = version(name="Renamed", labels={"severity": "page", "team": "x"}, digest="f" * 24)
    plain, other = found(one, two, incidents), found(one, two, incidents, after=renamed)
    assert (plain.old, plain.new) == (other.old, other.new)
    assert (plain.kept, plain.lost, plain.gained) == (other.kept, other.lost, other.gained)
    assert [page.kind for page in plain.new_pages] == [page.kind for page in other.new_pages]


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, INCIDENTS)
def test_a_stricter_limit_never_ends_better(one: Any, two: Any, incidents: Any) -> None:
    order = ("ok", "vacuous", "insufficient", "warn", "fail")
    pair = found(one, two, incidents)
    for name, gate in STAGE_0.items():
        limits = DEFAULT_GATES[name]
        tight = limits.and_(
            type(limits)(critical=True, at_most={each: limits.at_most[each] / 2 for each in limits.at_most})
        )
        before, after = gate(pair, limits), gate(pair, tight)
        assert order.index(after.verdict) >= order.index(before.verdict), name
        assert (before.old, before.new) == (after.old, after.new)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, INCIDENTS)
def test_every_comparison_has_a_verdict_that_its_gates_bear_out(one: Any, two: Any, incidents: Any) -> None:
    for pair in (found(one, two, incidents), found(None, two, incidents), found(one, None, incidents)):
        result = judge(pair, POLICY, TODAY, tested=True)
        ends = {each.verdict for each in result.gates}
        expected = "fail" if "fail" in ends else "quiet" if "insufficient" in ends else "pass"
        assert result.verdict == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, LONG - 1)), st.lists(st.integers(0, LONG - 1)), st.integers(0, 2**32 - 1))
def test_the_interval_holds_the_ratio_and_repeats(one: list[int], two: list[int], seed: int) -> None:
    old, new = ([WINDOW.start_ms + at * MINUTE for at in times] for times in (one, two))
    ratio = page_ratio(old, new, WINDOW, seed)
    assert ratio == page_ratio(reversed(old), new, WINDOW, seed)
    assert 0 < ratio.low <= ratio.high and ratio.value == (len(new) + 0.5) / (len(old) + 0.5)


@given(st.integers(0, 300), st.integers(1, 300))
def test_a_rate_lies_in_its_interval(hits: int, of: int) -> None:
    low, high = wilson(min(hits, of), of) or (1.0, 0.0)
    assert 0 <= low <= min(hits, of) / of <= high <= 1


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["a.csv", "a.json", "a.jsonl"]))
def test_no_file_of_verdicts_raises(text: str, name: str) -> None:
    head = "rule,start,end,verdict,by\n" if name == "a.csv" else ""
    said, _ = read_said([SourceFile(path=name, text=head + text)])
    assert said == ()
