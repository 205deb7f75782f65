"""A backtest as people read it: the rows, figures and sentences that text, Markdown and the picture share.

In: a `Backtest`, which is what was judged and how it was replayed. Out: words. Nothing is computed here that a gate depends on; the sole thing
found out is which incidents no rule catches, for which one comparison alone cannot know. Everything is sorted, so that the same judgement reads
the same tomorrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tocsin.canary.comparison import (
    WORST_FIRST as WORST_FIRST,
)
from tocsin.canary.comparison import (
    Comparison,
    Extent,
    Figure,
    IncidentSpan,
    Judged,
    Metrics,
    Spell,
    Spread,
)
from tocsin.canary.figures import percent_text
from tocsin.ir.canary import GATES
from tocsin.verdict.record import GateResult, Verdict

if TYPE_CHECKING:  # values of the canary that come with arrays
    from tocsin.canary.values import Labels, Window

GAINED_SHOWN = 5
NO_CLAIM = "unmatched: of pages, those of no known incident; not called false where the incident log is not declared complete and nobody judged"
_GATE_ORDER: Mapping[str, int] = {"fail": 0, "warn": 1, "insufficient": 2, "vacuous": 3, "ok": 4}
COLUMNS = (
    *("rule", "verdict", "pages/wk", "unmatched", "recall", "delay", "mean firing"),
    *("flaps", "peak", "kept/lost/gained", "exactness"),
)
_NEXT: Mapping[str, str] = {
    "errors": "find out why the expression fails at those times: two series of one identity, a join that is not one to one",
    "pages": "raise the limit or `for`, or take what pages in vain out by an override; the gained episodes say where they come from",
    "recall": "loosen the rule until it catches the incident again, or show which rule catches it instead",
    "went-silent": "see whether the expression still matches what it is about: what it caught before was real",
    "unmatched": "look at the gained episodes: most of the new ones belong to no incident that anybody wrote down",
    "detection-delay": "shorten `for` or the window of the expression: those minutes are the responder's",
    "duration": "see whether `keep_firing_for` or the limit holds it longer than the trouble lasts",
    "flaps": "a longer `keep_firing_for` joins what now fires twice",
    "peak": "aggregate by fewer labels: hundreds of notifications at once are read by nobody",
    "sole-detector": "leave it, or add the rule that catches this incident first",
    "calibration": "find out why the replayed old rule is not what really fired, before the numbers here are trusted",
    "unit-test": "add a unit test that makes it fire: history has nothing to say",
}
_LAST: Mapping[Verdict, str] = {
    "fail": "or let somebody accept it: a waiver in tocsin.yaml with a reason and a last day, in a change of its own",
    "quiet": "allowed: no gate tripped, and there was too little to say more",
    "not-backtestable": "a second person approves it, having seen why it cannot be replayed",
    "pass": "allowed: the record of this run admits exactly this version",
    "not-needed": "nothing: what a server evaluates is the same",
}
Row = tuple[str, ...]
_READ = 160
"""Characters of a label's value that are shown; a series may carry a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What one run judged. `base` is what the old side was (`main at 4f2a91c`, `live`), `source` who answered (its address without
    credentials, flavour and build). `web_url` is a Prometheus' address in a browser, `""` for no links."""

    environment: str
    base: str
    window: Window
    judged: tuple[Judged, ...]
    version: str
    """Of tocsin."""
    source: str = ""
    unchanged: int = 0
    """How many of them are shown though they mean what they meant."""
    web_url: str = ""

    @property
    def worst_first(self) -> tuple[Judged, ...]:
        """Sorted by verdict, then by the worst gate, then by key."""
        return tuple(sorted(self.judged, key=_weight))

    @property
    def shown(self) -> tuple[tuple[Judged, Comparison], ...]:
        """Those that were compared, the worst first."""
        return tuple((each, each.comparison) for each in self.worst_first if each.comparison is not None)

    def count(self, verdict: Verdict) -> int:
        """How many ended so."""
        return sum(each.verdict == verdict for each in self.judged)

    @property
    def failed(self) -> bool:
        """Whether a gate tripped."""
        return self.count("fail") > 0

    @property
    def headline(self) -> str:
        """`prod: 1 fail, 2 quiet of 3 changed rules against main, 2026-08-10 00:00 to 2026-08-24 00:00 UTC`."""
        counted = ", ".join(f"{self.count(each)} {each}" for each in WORST_FIRST if self.count(each))
        number, changed = len(self.judged), len(self.judged) - self.unchanged
        rules = f"{number} {'' if self.unchanged else 'changed '}rule{'' if number == 1 else 's'}"
        rules += f" ({changed or 'none'} changed)" if self.unchanged else ""
        span = f"{moment(self.window.start_ms)} to {moment(self.window.end_ms)} UTC"
        if not self.judged:
            return f"{self.environment}: no alert changed in meaning against {self.base}"
        return f"{self.environment}: {counted} of {rules} against {self.base}, {span}"

    @property
    def claims(self) -> bool:
        """Whether every unmatched rate may be called a false-positive rate."""
        return all(unmatched_name(each) == "false-positive rate" for _, each in self.shown)

    @property
    def uncaught(self) -> tuple[IncidentSpan, ...]:
        """Incidents of the changed rules' services that no rule catches, old ones aside; only those of which that is known."""
        spans: dict[str, IncidentSpan] = {}
        caught: set[str] = set()
        for _, comparison in self.shown:
            unknown = comparison.new_run is not None and comparison.new is None
            for span in comparison.incidents:
                if span.in_scope:
                    spans.setdefault(span.id, span)
                if unknown or span.caught_by_others is not False:
                    caught.add(span.id)
            if comparison.new is not None:
                caught.update(comparison.new.detected)
        return tuple(spans[each] for each in sorted(spans) if each not in caught)


def _weight(judged: Judged) -> tuple[object, ...]:
    found = gates(judged)
    worst = (_GATE_ORDER[found[0].verdict], _place(found[0].id)) if found else (len(_GATE_ORDER), 0)
    failing = sum(each.verdict == "fail" for each in found)
    return WORST_FIRST.index(judged.verdict), *worst, -failing, judged.key


def _place(gate: str) -> int:
    return GATES.index(gate) if gate in GATES else len(GATES)


def gates(judged: Judged) -> tuple[GateResult, ...]:
    """The gates, the worst first."""
    return tuple(sorted(judged.gates, key=lambda each: (_GATE_ORDER[each.verdict], _place(each.id), each.id)))


def row(judged: Judged) -> Row:
    """One line of the table, a cell for each of COLUMNS."""
    tripped = [each.id for each in gates(judged) if each.verdict in ("fail", "warn")]
    said = judged.verdict + (f": {', '.join(tripped)}" if tripped else "")
    comparison = judged.comparison
    if comparison is None:
        return (judged.key.text, said, *[""] * (len(COLUMNS) - 2))
    old, new = comparison.old, comparison.new
    ratio = comparison.page_ratio
    interval = (
        f" (x{ratio.low:.2g}..{ratio.high:.2g})" if ratio is not None and ratio.low < ratio.high else ""
    )
    return (
        judged.key.text,
        said,
        _sides(old, new, lambda each: f"{each.pages_per_week:.1f}") + interval,
        _sides(old, new, lambda each: share(each.unmatched_rate)),
        _sides(old, new, recall),
        _sides(old, new, lambda each: seconds(each.median_delay_s)),
        _sides(old, new, lambda each: seconds(each.mean_s)),
        _sides(old, new, lambda each: str(each.flaps)),
        _sides(old, new, lambda each: str(each.peak)),
        matched(comparison),
        _levels(comparison),
    )


def _levels(comparison: Comparison) -> str:
    """How exact both sides are, in a word; the reasons stand among what the numbers rest on."""
    runs = [each for each in (comparison.old_run, comparison.new_run) if each is not None]
    return " -> ".join(dict.fromkeys(each.exactness.level for each in runs))


def _sides(old: Metrics | None, new: Metrics | None, show: Callable[[Metrics], str]) -> str:
    """`10.0 -> 0.5`; one value where both are the same, `-` for a side that is not there."""
    first, second = (show(each) if each is not None else "-" for each in (old, new))
    return first if first == second else f"{first} -> {second}"


def recall(metrics: Metrics) -> str:
    """`2/3`: caught, of those in scope; `-` where there was no incident."""
    return f"{len(metrics.detected)}/{len(metrics.detections)}" if metrics.detections else "-"


def matched(comparison: Comparison) -> str:
    """`20/0/28`, with what was split or merged; pages where single episodes have no partner."""
    if comparison.old is None and comparison.new is None:
        return "-"
    text = f"{comparison.kept}/{comparison.lost}/{comparison.gained}"
    more = [
        f"{number} {word}"
        for number, word in ((comparison.split, "split"), (comparison.merged, "merged"))
        if number
    ]
    pages = " pages" if comparison.paired_by == "page" else ""
    return text + pages + (f" ({', '.join(more)})" if more else "")


def moment(ms: int) -> str:
    """`2026-08-18 09:12`, with seconds where there are some."""
    when = datetime.fromtimestamp(ms // 1000, UTC)
    return when.strftime("%Y-%m-%d %H:%M:%S" if when.second else "%Y-%m-%d %H:%M")


def seconds(value: float | None) -> str:
    """`45s`, `12m30s`, `2h05m`, `-3m`; `-` where there is no number."""
    if value is None:
        return "-"
    whole = round(abs(value))
    sign = "-" if value < 0 and whole else ""
    if whole < 60:
        return f"{sign}{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{sign}{minutes}m{f'{rest:02}s' if rest else ''}"
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}h{f'{minutes:02}m' if minutes else ''}"


def share(value: float | None) -> str:
    """`12.7%`; `-` where there is no rate."""
    return "-" if value is None else f"{value:.1%}"


def labels(found: Labels, name: str) -> str:
    """`{cluster="prod-a"}`, without the alert's name; a value as long as a person reads."""
    shown = ", ".join(f'{key}="{_cut(value)}"' for key, value in found if key != "alertname" or value != name)
    return f"{{{shown}}}"


def _cut(value: str) -> str:
    return value if len(value) <= _READ else f"{value[: _READ - 1]}…"


def figure(found: Figure) -> str:
    """`pages per day 1.43 -> 0.07 (-95.0%)`."""
    percent = f" ({percent_text(found.percent)})" if found.percent is not None else ""
    old, new = (_measure(each, found.unit) for each in (found.old, found.new))
    return f"{found.name} {old} -> {new}{percent}"


def known_figures(comparison: Comparison) -> tuple[Figure, ...]:
    """The figures of which at least one side is known."""
    return tuple(each for each in comparison.figures if each.old is not None or each.new is not None)


def _measure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}/d" if unit == "/d" else f"{value:.1f}%" if unit == "%" else f"{value:.0f} s"


def unmatched_name(comparison: Comparison) -> str:
    """What the unmatched rate may be called: `false-positive rate` where the log is complete, or people judged."""
    sides = [each for each in (comparison.old, comparison.new) if each is not None]
    allowed = comparison.complete or any(each.false_positive_how for each in sides)
    return "false-positive rate" if allowed else "unmatched rate"


def gained(comparison: Comparison) -> tuple[tuple[Spell, ...], int]:
    """The longest gained episodes, and how many there are."""
    found = [each for each in comparison.new_spells if each.kind == "gained" and not each.carried_in]
    longest = sorted(found, key=lambda each: (each.fired_ms - each.resolved_ms, each.fired_ms, each.labels))
    return tuple(longest[:GAINED_SHOWN]), len(found)


def lost_matching(comparison: Comparison) -> tuple[Spell, ...]:
    """All lost episodes that belonged to an incident, in order of time."""
    found = [each for each in comparison.old_spells if each.kind == "lost" and each.incidents]
    return tuple(sorted(found, key=lambda each: (each.fired_ms, each.labels)))


def episode(spell: Spell, name: str) -> str:
    """`2026-08-18 09:29, 58m, {...} in INC-2026-004`."""
    long = seconds((spell.resolved_ms - spell.fired_ms) / 1000) + ("+" if spell.open else "")
    where = f" in {', '.join(spell.incidents)}" if spell.incidents else ""
    said = f", judged {spell.verdict}" if spell.verdict else ""
    return f"{moment(spell.fired_ms)}, {long}, {labels(spell.labels, name)}{where}{said}"


def assumptions(comparison: Comparison) -> str:
    """What the numbers rest on: window, interval, phase, exactness, calibration."""
    days = comparison.window.days
    held = "" if comparison.days == days else f", of which {comparison.days:.3g} d have history"
    parts = [f"{days:g} d to {moment(comparison.window.end_ms)} UTC{held}"]
    runs = [each for each in (comparison.old_run, comparison.new_run) if each is not None]
    parts.append("every " + " -> ".join(dict.fromkeys(seconds(each.interval_ms / 1000) for each in runs)))
    phases = dict.fromkeys(
        f"{each.phase_ms / 1000:g} s {'assumed' if each.phase_how == 'assumed' else f'by {each.phase_how}'}"
        for each in runs
        if each.phase_how
    )
    if phases:
        parts.append(f"phase {' -> '.join(phases)}")
    if comparison.spread is not None:
        parts.append(_spread(comparison.spread))
    failed = dict.fromkeys(
        f"{each.failed} of {each.evaluations}"
        + (f" (one in {each.stride} looked at, and all around what fires)" if each.stride > 1 else "")
        for each in runs
        if each.evaluations
    )
    parts.extend([f"{' -> '.join(failed)} evaluations failed"] if failed else [])
    parts.append(comparison.exactness)
    calibration = comparison.calibration
    if calibration is None:
        parts.append("not calibrated against real alerts")
    elif not calibration.n:
        parts.append("nothing fired really, nor by the replay")
    else:
        causes = f" ({'; '.join(calibration.causes)})" if calibration.causes else ""
        parts.append(
            f"{calibration.agreement:.1%} of {calibration.n} firing evaluations as really seen{causes}"
        )
    parts.append("incident log complete" if comparison.complete else "incident log not declared complete")
    return "; ".join(parts)


def _spread(spread: Spread) -> str:
    """`at 3 phases 9..11 -> 2..3 pages, ...: pass, fail, pass, of which the worst counts`."""
    number = len(spread.phases)
    why = f" ({spread.left_out})" if spread.left_out else ""
    if number == 1:
        return f"at no other phase{why}"
    extents = ", ".join(f"{extent(each)} {each.name}" for each in spread.extents)
    verdicts = ", ".join(each.verdict for each in spread.phases)
    return f"at {number} phases{why} {extents}: {verdicts}, of which the worst counts"


def extent(found: Extent) -> str:
    """`9..11 -> 2..3`; one number where the phases agree, one side where there is no other."""
    sides = [each for each in (found.old, found.new) if each is not None]
    shown = [f"{least:.4g}" if least == most else f"{least:.4g}..{most:.4g}" for least, most in sides]
    return " -> ".join(shown)


def caught(comparison: Comparison) -> Iterator[str]:
    """A line for each incident that a side caught, with how soon; the others together in one."""
    missed = []
    sides = [each for each in (comparison.old, comparison.new) if each is not None]
    for span in comparison.incidents:
        # Of a rule that was not replayed nothing is known.
        if span.in_scope and sides:
            if not any(span.id in each.detected for each in sides):
                missed.append(span.id)
                continue
            others = {True: "; so did another rule", False: "; no other rule did", None: ""}
            yield f"{span.id} {span.title}: {who_caught(comparison, span)}{others[span.caught_by_others]}"
    if missed:
        yield f"not caught by this rule: {', '.join(missed)}"


def who_caught(comparison: Comparison, span: IncidentSpan) -> str:
    """`old after 3m30s, new missed`; `missed by both`."""
    sides = [
        (side, detection(metrics, span.id))
        for side, metrics in (("old", comparison.old), ("new", comparison.new))
        if metrics is not None
    ]
    if len(sides) == 2 and all(word == "missed" for _, word in sides):
        return "missed by both"
    return ", ".join(f"{side} {word}" for side, word in sides)


def detection(metrics: Metrics, incident: str) -> str:
    """`after 17m`, or that it missed it."""
    for each in metrics.detections:
        if each.incident == incident and each.detected:
            return f"after {seconds(each.delay_s)}"
    return "missed"


def advice(judged: Judged) -> Iterator[str]:
    """What to do next, the most urgent first."""
    for each in gates(judged):
        if each.verdict == "fail" and judged.verdict != "not-backtestable":
            yield f"{each.id}: {_NEXT.get(each.id, 'see the sentence of the gate')}"
    more = "; its severity wants a unit test that makes it fire" if judged.needs_test else ""
    yield _LAST[judged.verdict] + more


def gate_counts(judged: Judged) -> str:
    """`1 fail, 2 warn, 8 ok`."""
    counted = Counter[str](each.verdict for each in judged.gates)
    return ", ".join(f"{counted[each]} {each}" for each in _GATE_ORDER if counted[each])
