"""What stages 1 to 3 write into a rule's record, and read out of it: the only memory that a staged change has.

A stage is one object of the record's `stages`, a value of this module as JSON beside its number and verdict. Whatever a later step needs to know
(what was compared with what, where it lies, how production was before) is in it, so that a machine which never saw the change carries it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from tocsin.canary.overlay import Mode
from tocsin.canary.record import limits_json
from tocsin.canary.values import RuleVersion
from tocsin.ir.canary import GateLimits
from tocsin.sync.document import from_json, to_json
from tocsin.sync.values import Group, Place, Rule
from tocsin.verdict.record import Record, Verdict
from tocsin.wire.grafana import Json

_T = TypeVar("_T")
_OWN: Final = frozenset({"stage", "verdict", "gates"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """Stage 1: the canary as it was put on its server. Times are ISO 8601 in UTC."""

    canary: str
    mode: Mode
    evaluator: str
    scope: Mapping[str, str]
    series_share: float | None
    """None at full scope."""
    applied: str
    until: str
    object_uids: tuple[str, ...]
    place: Place
    name: str
    """The canary's alertname; `labels` are its labels, those of its group among them."""
    labels: Mapping[str, str]
    old: RuleVersion | None
    """What ran beside it, on the same scope; None for a rule that is new."""
    new: RuleVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question of stage 2, in the order they are asked."""

    id: Literal["health", "errors", "evaluation-time", "fidelity", "comparison"]
    state: Literal["ok", "fail", "vacuous", "insufficient", "unknown"]
    say: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Stage 2: what the soak showed."""

    since: str
    until: str
    hours: float
    """How long the canary had run then: what the severity's soak is about. `since` to `until`, what was compared, is a little less."""
    checks: tuple[Check, ...]
    fidelity: float | None
    """None where nothing happened on either side."""
    evaluations: int
    exactness: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Stage 3: the way into production and how it went on. `before` and `rule` are the group and the rule as they were, None where there was
    none: with them production is put back, and nothing has to be compiled for it."""

    state: Literal["promoting", "watching", "stable", "alarmed", "rolling-back", "rolled-back"]
    evaluator: str
    uid: str
    place: Place
    rule: Rule | None
    before: Group | None
    evaluated: str
    """The last evaluation before the write, as the server spells it: a later one is one of the new version."""
    since: str = ""
    """When the new version was first seen evaluated."""
    until: str = ""
    by: str = ""
    alarms: tuple[str, ...] = ()
    samples: tuple[tuple[int, ...], ...] = field(default=())
    """(time in ms, alerts of the rule, alerts in all) where the server keeps no such series itself."""


def body_of(number: int, verdict: Verdict, value: object, gates: list[Json] | None = None) -> dict[str, Json]:
    """A stage as its record holds it."""
    made = to_json(value)
    assert isinstance(made, Mapping)
    return {"stage": number, "verdict": verdict, "gates": gates or [], **made}


def with_stage(
    record: Record, body: Mapping[str, Json], limits: Mapping[str, GateLimits] | None = None
) -> dict[str, Json]:
    """The record's document with that stage in it (or instead of what it had of that number), its verdict the worst of all. `limits` are those
    of the stage's own gates."""
    document: dict[str, Any] = dict(record.document)
    others = [each for each in document["stages"] if each["stage"] != body["stage"]]
    document["stages"] = sorted([*others, dict(body)], key=lambda each: int(each["stage"]))
    if limits:
        document["policy"] = {
            **document["policy"],
            **{name: limits_json(each) for name, each in limits.items()},
        }
    document["verdict"] = _worst(document["stages"])
    return document


def _worst(stages: list[Any]) -> Verdict:
    found = {each["verdict"] for each in stages}
    for verdict in ("fail", "not-backtestable"):
        if verdict in found:
            return verdict
    thin = any(gate["verdict"] == "insufficient" for each in stages for gate in each.get("gates", ()))
    return "quiet" if thin or "quiet" in found else "pass"


def deployed_of(record: Record) -> Deployed | None:
    """Stage 1 of a record; None where it was not run."""
    return _stage(Deployed, record, 1)


def compared_of(record: Record) -> Compared | None:
    """Stage 2 of a record."""
    return _stage(Compared, record, 2)


def promotion_of(record: Record) -> Promotion | None:
    """Stage 3 of a record."""
    return _stage(Promotion, record, 3)


def predicted_peak(record: Record) -> int | None:
    """The most alerts at once that stage 0 saw the new version fire at full scope; None where it was not replayed."""
    found = _raw(record, 0)
    metrics = found.get("metrics") if found is not None else None
    new = metrics.get("new") if isinstance(metrics, Mapping) else None
    peak = new.get("peak") if isinstance(new, Mapping) else None
    return int(peak) if isinstance(peak, int | float) and not isinstance(peak, bool) else None


def _stage(kind: type[_T], record: Record, number: int) -> _T | None:
    found = _raw(record, number)
    if found is None:
        return None
    return from_json(
        kind, {key: value for key, value in found.items() if key not in _OWN}, f"stages[{number}]"
    )


def _raw(record: Record, number: int) -> Mapping[str, Any] | None:
    stages = record.document.get("stages")
    for each in stages if isinstance(stages, list) else ():
        if isinstance(each, Mapping) and each.get("stage") == number:
            return each
    return None
