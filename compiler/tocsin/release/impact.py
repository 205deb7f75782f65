"""What a change means for people: the facts of a pull request's report beyond the difference itself, gathered from values that others computed.

In: what changed alike, and whatever else is known (reasons, records of the canary, the routing tree, a plan against the live server, unit tests).
Out: `Facts`. Pure. What nobody asked for is None, which a report says; it is never taken for "nothing".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tocsin.diff.changes import RuleChange, Side
from tocsin.ir.compiled import CompiledAlert, RuleKey
from tocsin.ir.project import Project
from tocsin.release.entries import Why
from tocsin.sync.compare import effect_of
from tocsin.sync.routes import NOBODY, Route, Time, at, reaches
from tocsin.sync.values import Change, Effect, Plan, Rule, TargetKind
from tocsin.sync.values import FieldChange as BodyChange
from tocsin.verdict.record import Json, Record

Risk = Literal[
    "no-test",
    "no-verdict",
    "verdict-failed",
    "no-sop",
    "sop-unread",
    "single",
    "no-reason",
    "silences",
    "refires",
]
"""What a reviewer should look at: no unit test makes it fire; no record, or one that says no; no procedure, or one not read since; the last alert of its
service that pages, or of its SLI; nobody says why; silences end; firing instances resolve and fire again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """Who is notified, by day and at night, before and after; `""` for nobody."""

    day: tuple[str, str]
    night: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What a canary said: numbers before and after where there were any, and both versions drawn in characters."""

    verdict: str
    pages_per_week: tuple[float | None, float | None] = (None, None)
    recall: tuple[float | None, float | None] = (None, None)
    failed: tuple[str, ...] = ()
    exactness: str = ""
    drawn: tuple[str, str] = ("", "")
    signed: bool | None = None
    """Whether somebody signed it; None where it is no record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What else there is to say about one row of a difference."""

    effects: Mapping[str, Effect]
    """Environment -> what it does to alert state."""
    active: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Environment -> instances pending and firing now, where a plan says."""
    receivers: Mapping[str, Receivers] = field(default_factory=dict)
    """By environment; empty where no routing tree is known."""
    canary: Mapping[str, Canary] = field(default_factory=dict)
    """By environment."""
    tested: bool | None = None
    """None for a record."""
    sop: str = ""
    sop_url: str = ""
    sop_read: bool | None = None
    """Whether its SOP was read again together with this change."""
    silences: tuple[str, ...] = ()
    """Comments of silences that match before and not after; from a plan."""
    risks: tuple[Risk, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What else is known of a change. Each may be missing."""

    records: tuple[Record, ...] = ()
    canaries: Mapping[RuleKey, Canary] = field(default_factory=dict)
    """From a backtest's own report; outranks records."""
    tree: Route | None = None
    plans: tuple[Plan, ...] = ()
    tested: frozenset[tuple[str, str]] = frozenset()
    """(id, level) that some unit test makes fire."""
    read_again: frozenset[str] = frozenset()
    """SOPs whose day of review moved with this change."""


def facts_of(
    changes: Sequence[RuleChange], why: Why, project: Project, standing: Iterable[CompiledAlert], known: Known
) -> Facts:
    """The facts of one rule that changed alike in some environments. `standing` is every alert after the change."""
    change = changes[0]
    rule = change.side.rule
    alert = rule if isinstance(rule, CompiledAlert) else None
    sop = (alert.sop_ref or "").partition("#")[0] if alert is not None else ""
    found = [(plan, each) for plan in known.plans for each in _planned(plan, changes)]
    facts = Facts(
        effects={each.key.env: effect(each) for each in changes}
        | {plan.environment: each.effect for plan, each in found},
        active={plan.environment: (each.pending, each.firing) for plan, each in found},
        receivers={each.key.env: _receivers(each, known.tree) for each in changes}
        if known.tree is not None and alert is not None
        else {},
        canary=_canaries(changes, known),
        tested=None if alert is None else (change.key.id, change.key.level) in known.tested,
        sop=sop,
        # What a page asks of its address is filled in when the alert fires.
        sop_url=(alert.runbook_url or "").partition("?")[0] if alert is not None else "",
        sop_read=sop in known.read_again if sop else None,
        silences=tuple(sorted({each.comment or each.id for _, rule in found for each in rule.silences_lost})),
    )
    return replace(facts, risks=tuple(_risks(facts, changes, why, project, tuple(standing))))


def effect(change: RuleChange) -> Effect:
    """What a change does to alert state on the server that evaluates the rule, by what that server is known to do."""
    if change.old is None or change.new is None:
        return "starts" if change.old is None else "resolves"
    fields = tuple(BodyChange(path=each.field, old=each.old, new=each.new) for each in change.fields)
    kind: TargetKind = change.new.rule.evaluator.kind
    if change.old.rule.evaluator != change.new.rule.evaluator:
        return "resolves-and-refires"
    return effect_of(kind, _as_synced(change.old), _as_synced(change.new), fields, moved=change.moved)


def _as_synced(side: Side) -> Rule:
    """As much of a rule as alert state depends on."""
    rule = side.rule
    if not isinstance(rule, CompiledAlert):
        return Rule(uid="", title=rule.record, kind="record", body={"expr": rule.expr})
    labels = {**side.group.labels, **rule.labels, "alertname": rule.name}
    return Rule(
        uid=rule.uid,
        title=rule.name,
        kind="alert",
        body={"expr": rule.expr},
        labels=labels,
        paused=rule.paused,
    )


def _planned(plan: Plan, group: Sequence[RuleChange]) -> Iterator[Change]:
    keys = {each.key.text for each in group if each.key.env == plan.environment}
    for each in plan.groups:
        for change in each.changes:
            if change.action != "none" and change.rule.key in keys:
                yield change


def _receivers(change: RuleChange, tree: Route) -> Receivers:
    def notified(side: Side | None, when: Time) -> str:
        if side is None or not isinstance(side.rule, CompiledAlert):
            return ""
        labels = {**side.group.labels, **side.rule.labels, "alertname": side.rule.name}
        return ", ".join(each.text for each in reaches(at(tree, when), labels) if each.receiver != NOBODY)

    day, night = ((notified(change.old, when), notified(change.new, when)) for when in ("day", "night"))
    return Receivers(day=day, night=night)


def _canaries(group: Sequence[RuleChange], known: Known) -> dict[str, Canary]:
    found: dict[str, Canary] = {}
    for change in group:
        told = known.canaries.get(change.key)
        records = [
            each
            for each in known.records
            if each.key == change.key
            and (each.old_digest, each.new_digest) == (change.old_digest, change.new_digest)
        ]
        if told is not None:
            found[change.key.env] = told
        elif records:
            found[change.key.env] = of_record(max(records, key=lambda each: (each.created, each.id)))
    return found


def of_record(record: Record) -> Canary:
    """What a record tells a reviewer."""
    stages = record.document.get("stages")
    first = stages[0] if isinstance(stages, list) and stages else None
    metrics = first.get("metrics") if isinstance(first, dict) else None
    sides = [metrics.get(name) if isinstance(metrics, dict) else None for name in ("old", "new")]

    def number(side: Json, name: str, factor: float = 1.0) -> float | None:
        value = side.get(name) if isinstance(side, dict) else None
        return value * factor if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    pages, recall = (
        (number(sides[0], name, factor), number(sides[1], name, factor))
        for name, factor in (("pages_per_day", 7.0), ("recall", 1.0))
    )
    picture = first.get("drawn") if isinstance(first, dict) else None
    lines = [picture.get(name) if isinstance(picture, dict) else None for name in ("old", "new")]
    return Canary(
        verdict=record.verdict,
        pages_per_week=pages,
        recall=recall,
        failed=record.failed,
        drawn=(str(lines[0] or ""), str(lines[1] or "")),
        signed=bool(record.signature),
    )


def _risks(
    facts: Facts,
    changes: Sequence[RuleChange],
    why: Why,
    project: Project,
    standing: tuple[CompiledAlert, ...],
) -> Iterator[Risk]:
    change = changes[0]
    rule = change.side.rule
    alert = rule if isinstance(rule, CompiledAlert) else None
    envs = {each.key.env for each in changes}
    runs = change.class_ not in ("text", "none")
    gone = change.new is None
    if runs and not gone and facts.tested is False:
        yield "no-test"
    if alert is not None and any(each.old_digest != each.new_digest for each in changes):
        demanding = [
            each.name for each in project.environments if each.verdict == "required" and each.name in envs
        ]
        verdicts = [facts.canary[each].verdict if each in facts.canary else "" for each in demanding]
        if any(each in ("fail", "not-backtestable") for each in verdicts):
            yield "verdict-failed"
        if "" in verdicts:
            yield "no-verdict"
    if alert is not None and not gone and not facts.sop:
        yield "no-sop"
    if runs and facts.sop and facts.sop_read is False and not gone:
        yield "sop-unread"
    if gone and alert is not None and _single(alert, project, standing, envs):
        yield "single"
    if runs and change.class_ != "added" and not (why.reasons and why.tickets):
        yield "no-reason"
    if facts.silences:
        yield "silences"
    if any(
        each == "resolves-and-refires" and sum(facts.active.get(env, (0, 1)))
        for env, each in facts.effects.items()
    ):
        yield "refires"


def _single(
    gone: CompiledAlert, project: Project, standing: tuple[CompiledAlert, ...], envs: set[str]
) -> bool:
    """Whether nothing that pages is left for the service, or nothing at all for the SLI, in one of the environments."""

    def pages(alert: CompiledAlert) -> bool:
        severity = project.severity(alert.severity)
        return severity is not None and severity.pages

    for env in sorted(envs):
        left = [each for each in standing if each.key.env == env and each.service == gone.service]
        if pages(gone) and not any(map(pages, left)):
            return True
        if gone.source.sli and not any(each.source.sli == gone.source.sli for each in left):
            return True
    return False
