"""One canary record as a value. `schemas/canary-record.schema.json` describes its text.

Two closed lists are easily confused: a gate ends ok, warn, fail, insufficient or vacuous; a record, and
each stage, ends with a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final, Literal, TypeAlias, get_args

from tocsin.ir.canary import GateLimits
from tocsin.ir.compiled import RuleKey

Verdict = Literal["pass", "quiet", "fail", "not-needed", "not-backtestable"]
GateVerdict = Literal["ok", "warn", "fail", "insufficient", "vacuous"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
GATE_VERDICTS: Final[tuple[GateVerdict, ...]] = get_args(GateVerdict)
__all__ = [
    "GATE_VERDICTS",
    "VERDICTS",
    "GateLimits",
    "GateResult",
    "GateVerdict",
    "Json",
    "Record",
    "Stage",
    "Verdict",
    "Waiver",
]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """How one gate ended, with the two numbers it compared where it has them, and an interval where it has one."""

    id: str
    verdict: GateVerdict
    old: float | None = None
    new: float | None = None
    ci: tuple[float, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: 0 the replay of history, 1 the deployment to a scope, 2 the comparison there, 3 the watch
    after promotion."""

    number: int
    verdict: Verdict
    gates: tuple[GateResult, ...] = ()
    hours: float | None = None
    """How long the canary had run when stage 2 judged it; None where the stage does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Somebody's decision to accept one failed gate, through the day it ends."""

    gate: str
    by: str
    reason: str
    expires: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was judged, by which policy, how it ended, and who vouches for it.

    Digests are the semantic digests of `ir.digest`; "" is a rule that does not exist (an added one before,
    a removed one after). `old_object` is the live rule as it was, where it could not be decoded and must be
    compared byte for byte. `document` is the whole text as data, for reports and re-judging; `payload` is
    what the signature covers.
    """

    id: str
    created: date
    expires: date
    tool: str
    key: RuleKey
    old_digest: str
    new_digest: str
    verdict: Verdict
    policy: Mapping[str, GateLimits]
    stages: tuple[Stage, ...]
    waivers: tuple[Waiver, ...] = ()
    old_object: Json = None
    author: str = ""
    """Who made the change, as the job that wrote the record knows it."""
    approver: str = ""
    """Who else vouches for what could not be replayed, as that job knows it."""
    rolled_back: str = ""
    """When this digest was taken back from production, in UTC: nothing older admits it again."""
    signature: str = ""
    payload: bytes = field(default=b"", repr=False)
    document: Mapping[str, Json] = field(default_factory=dict, repr=False)

    @property
    def made(self) -> datetime:
        """When it was made, to the second or finer: `created` is the day alone."""
        said = self.document.get("created")
        return datetime.fromisoformat(said) if isinstance(said, str) else _midnight(self.created)

    @property
    def refused_at(self) -> datetime | None:
        """Until when it keeps its digest out: the moment it was taken back or failed, None where it says neither."""
        if self.rolled_back:
            return max(self.made, datetime.fromisoformat(self.rolled_back))
        return self.made if self.verdict == "fail" else None

    def stage(self, number: int) -> Stage | None:
        """The stage of that number, if it was run."""
        return next((each for each in self.stages if each.number == number), None)

    @property
    def failed(self) -> tuple[str, ...]:
        """Critical gates that failed in any stage, waived ones among them."""
        return tuple(
            gate.id
            for stage in self.stages
            for gate in stage.gates
            if gate.verdict == "fail" and gate.id in self.policy and self.policy[gate.id].critical
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
