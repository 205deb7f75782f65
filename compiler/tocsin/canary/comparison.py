"""What a comparison found, as plain values: nothing here knows an array, so that reports, records and later stages can use all of it.

Times are milliseconds since 1970, durations seconds, rates between 0 and 1. None is "there is no such number", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tocsin.ir.canary import GateLimits
from tocsin.ir.compiled import RuleKey
from tocsin.verdict.record import GateResult, Verdict, Waiver

if TYPE_CHECKING:  # so that a reader of comparisons loads no arrays
    from tocsin.canary.values import Calibration, Exactness, Labels, Window

SpellKind = Literal["kept", "lost", "gained", "split", "merged"]
"""Of a firing spell against the other version: the same one; the other has none there; this one has one more; one became several; several
became one. Old spells are never `gained`, new ones never `lost`."""
HumanVerdict = Literal["true", "false", "noise"]
Change = Literal["changed", "added", "removed"]
ExtentName = Literal["pages", "episodes", "firing hours", "incidents caught"]
WORST_FIRST: Sequence[Verdict] = ("fail", "not-backtestable", "quiet", "pass", "not-needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """One firing episode of one version, inside the window."""

    labels: Labels
    """The alert's identity, alertname and rule labels among them."""
    active_ms: int
    fired_ms: int
    resolved_ms: int
    """The first evaluation without it; the window's end where `open`."""
    kind: SpellKind
    open: bool = False
    """It went on after the window."""
    carried_in: bool = False
    """It fired before the window: drawn, and in no rate. `fired_ms` is the true time, before the window."""
    incidents: tuple[str, ...] = ()
    """Ids of the incidents it belongs to."""
    verdict: HumanVerdict | None = None
    """What a person said of it; outranks the incidents."""
    judged_by: str = ""
    partners: tuple[int, ...] = ()
    """Indices of the other version's spells that overlap it."""

    @property
    def unmatched(self) -> bool:
        """Whether nothing says that it was right: no person, and no incident either."""
        return self.verdict in ("false", "noise") if self.verdict is not None else not self.incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A maximal union of overlapping spells in one notification group: what wakes somebody once."""

    group: Labels
    start_ms: int
    end_ms: int
    spells: tuple[int, ...]
    """Indices into the spells of its version."""
    kind: Literal["kept", "lost", "gained"]
    carried_in: bool = False
    open: bool = False
    incidents: tuple[str, ...] = ()
    unmatched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One incident, and whether a version caught it."""

    incident: str
    detected: bool
    delay_s: float | None = None
    """From the incident's start to the first firing; 0 where it fired already."""
    reset_s: float | None = None
    """From the incident's end to the last resolve; negative where it resolved earlier, None where either is unknown."""
    others: bool | None = None
    """Whether another rule caught it; None where the others were not replayed."""

    @property
    def sole(self) -> bool:
        """Whether this version caught it and no other rule did."""
        return self.detected and self.others is False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One version over the window. What was carried in counts in no rate: only `peak`, `jump` and `firing_hours` know of it."""

    pages: int
    pages_per_day: float
    episodes: int
    carried_in: int
    firing_hours: float
    closed: int
    """Episodes that ended in the window: those that durations are of."""
    mean_s: float | None
    median_s: float | None
    p90_s: float | None
    flaps: int
    flap_rate: float | None
    peak: int
    jump: int
    """The most identities that began firing at one evaluation, net of those that ended there."""
    unmatched: int
    """Pages without an incident, or called false or noise by a person."""
    unmatched_rate: float | None
    """Of pages."""
    unmatched_interval: tuple[float, float] | None
    """Wilson's, 95 %."""
    unmatched_episodes: int
    judged: Mapping[HumanVerdict, int] = field(default_factory=dict)
    """Episodes by what people said of them."""
    false_positive_rate: float | None = None
    """Of episodes, where it may be called that: the service's incident log is complete, or people judged."""
    false_positive_n: int = 0
    """Of how many episodes."""
    false_positive_how: Literal["", "incident log", "verdicts"] = ""
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    detections: tuple[Detection, ...] = ()

    @property
    def pages_per_week(self) -> float:
        """Pages a week."""
        return self.pages_per_day * 7

    @property
    def detected(self) -> tuple[str, ...]:
        """The incidents it caught."""
        return tuple(each.incident for each in self.detections if each.detected)

    @property
    def sole(self) -> tuple[str, ...]:
        """The incidents it alone caught."""
        return tuple(each.incident for each in self.detections if each.sole)

    @property
    def median_delay_s(self) -> float | None:
        """The middle of the delays of what it caught."""
        found = sorted(each.delay_s for each in self.detections if each.delay_s is not None)
        if not found:
            return None
        middle = len(found) // 2
        return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one version was replayed."""

    exactness: Exactness
    digest: str
    expr: str
    interval_ms: int
    evaluations: int = 0
    """In the window, failed ones among them."""
    failed: int = 0
    stride: int = 1
    """Every how many-th evaluation was looked at where nothing fires: what fails between two of them is not in `failed`."""
    phase_ms: int = 0
    phase_how: str = ""
    for_ms: int = 0
    keep_ms: int = 0
    machine: str = "prometheus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """New pages to old ones, (new + 0.5) / (old + 0.5), with the 95 % interval of a block bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the three figures teams ask for: old, new, and the change in percent with one decimal (None where old is nothing)."""

    name: Literal["pages per day", "false-positive rate", "mean firing time"]
    unit: Literal["/d", "%", "s"]
    old: float | None
    new: float | None
    percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSpan:
    """An incident as the comparison used it. `end_ms` is the window's end where it goes on (`open`)."""

    id: str
    title: str
    start_ms: int
    end_ms: int
    open: bool = False
    in_scope: bool = True
    """Whether it began inside the window, and so counts in recall."""
    caught_by_others: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtPhase:
    """One of several phases at which a rule was replayed: of each version, and what would have been the verdict there."""

    old_ms: int | None
    new_ms: int | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The least and the most that a metric was at any of the phases; None for a side that is not there."""

    name: ExtentName
    old: tuple[float, float] | None
    new: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What hangs on a phase that nobody knows. The comparison that has one is that of the phase with the gravest verdict."""

    phases: tuple[AtPhase, ...]
    extents: tuple[Extent, ...]
    left_out: str = ""
    """Why there are fewer phases than there should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A changed rule, before and after, over one window. `old` is None where the rule is added, or could not be replayed; `new` likewise."""

    key: RuleKey
    name: str
    service: str
    severity: str | None
    """The new version's; the old one's where it is removed."""
    severities: tuple[str | None, ...]
    """Of both versions: a change must satisfy the gates of each, or a rule could be moved to a laxer severity to pass."""
    change: Change
    window: Window
    days: float
    """Of the window, those that the history holds: what rates are of."""
    old: Metrics | None
    new: Metrics | None
    old_run: Run | None
    """None where there is no such version."""
    new_run: Run | None
    calibration: Calibration | None = None
    paired_by: Literal["identity", "page"] = "identity"
    """`page` where an aggregation changed, so that single series have no partner."""
    kept: int = 0
    lost: int = 0
    gained: int = 0
    split: int = 0
    """Old episodes that became several."""
    merged: int = 0
    """Old episodes that became one with others."""
    matched_duration_ratio: float | None = None
    """Firing time of the new partners to that of the old ones."""
    shift_s: float | None = None
    """The middle of how much later (earlier: negative) the kept ones fire."""
    page_ratio: Ratio | None = None
    figures: tuple[Figure, ...] = ()
    old_spells: tuple[Spell, ...] = ()
    new_spells: tuple[Spell, ...] = ()
    old_pages: tuple[Page, ...] = ()
    new_pages: tuple[Page, ...] = ()
    incidents: tuple[IncidentSpan, ...] = ()
    """Those of the rule's service that touch the window."""
    complete: bool = False
    """Whether the service's incident log is declared complete."""
    spread: Spread | None = None
    """None where the phase is known."""

    @property
    def matched(self) -> int:
        """Old episodes that have a partner."""
        return self.kept + self.split + self.merged

    @property
    def exactness(self) -> str:
        """Both sides in words: `exact`, or `exact -> approx(vm)`."""
        texts = [run.exactness.text for run in (self.old_run, self.new_run) if run is not None]
        return " -> ".join(dict.fromkeys(texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A comparison with its verdict. `comparison` is None where nothing had to be replayed (`not-needed`)."""

    key: RuleKey
    comparison: Comparison | None
    verdict: Verdict
    gates: tuple[GateResult, ...] = ()
    limits: Mapping[str, GateLimits] = field(default_factory=dict)
    """What it was judged by."""
    waivers: tuple[Waiver, ...] = ()
    """Those that were used: the gate failed and somebody had accepted that."""
    needs_test: bool = False
    """`quiet`, so a unit test must speak for it where the severity demands one."""
    needs_approver: bool = False
    """`not-backtestable`, so a second person must."""
    reason: str = ""
    """Of `not-needed` and `not-backtestable`, in a sentence."""
