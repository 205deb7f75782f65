"""Whether a record admits a change: the gate between a changed rule and production.

`pass` and `quiet` admit exactly the digest they judged, signed, in time, by a policy no looser than
today's. Each refusal has its own reason, because each has its own way out. The caller asks for changed
rules alone, decides what a refusal means where verdicts are only advised, and knows about overrides; none
of that is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from tocsin.ir.compiled import RuleKey
from tocsin.verdict.record import GateLimits, Record
from tocsin.verdict.signature import signed

Reason = Literal[
    "missing",
    "unsigned",
    "no-key",
    "bad-signature",
    "environment",
    "rule",
    "digest",
    "expired",
    "failed",
    "not-backtestable",
    "not-needed",
    "loosened",
    "stage",
    "waiver",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an environment demands of a record, read from the base revision.

    `gates` are the limits of the rule's severity, `stages` those that must have been run, `max_age_days`
    how old a record may be whatever it says itself. `must_be_signed` holds where verdicts are required;
    `key` comes from the environment of the protected job.
    """

    must_be_signed: bool = True
    key: bytes = b""
    gates: Mapping[str, GateLimits] = field(default_factory=dict)
    stages: frozenset[int] = frozenset({0})
    max_age_days: int = 14


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change is not admitted, in one word and one sentence, and what to do."""

    reason: Reason
    message: str
    help: str = ""


_RERUN = "run `tocsin canary backtest` for this change"


def admit(record: Record | None, key: RuleKey, digest: str, policy: Policy, today: date) -> Refusal | None:
    """None where the rule `key` may become `digest` ("" removes it) today; else the first reason why not.

    Trust comes first: nothing an unsigned record says is believed, not even that it is about another rule.
    """
    if record is None:
        return Refusal("missing", f"`{key.text}` has no canary record for this change", _RERUN)
    return (
        _trusted(record, policy)
        or _about(record, key, digest)
        or _in_time(record, policy, today)
        or _good(record)
        or _strict(record, policy)
        or _complete(record, policy)
    )


def _trusted(record: Record, policy: Policy) -> Refusal | None:
    if not policy.must_be_signed:
        return None
    if not policy.key:
        help = "run this in the job that holds the signing key"
        return Refusal("no-key", "there is no key to check the record's signature with", help)
    if not record.signature:
        help = "take the record from the job that signs records"
        return Refusal("unsigned", f"the record `{record.id}` is not signed, so it counts as none", help)
    if not signed(record, policy.key):
        help = "take the record as the job wrote it; a changed one is void"
        return Refusal(
            "bad-signature", f"the signature of record `{record.id}` is not of this key and content", help
        )
    return None


def _about(record: Record, key: RuleKey, digest: str) -> Refusal | None:
    if record.key.env != key.env:
        message = f"the record is about `{record.key.env}`, and this change about `{key.env}`"
        return Refusal("environment", message, _RERUN)
    if record.key != key:
        return Refusal(
            "rule", f"the record is about `{record.key.text}`, and this change about `{key.text}`", _RERUN
        )
    if record.new_digest != digest:
        return Refusal("digest", f"`{key.text}` was changed after the record was made", _RERUN)
    return None


def _in_time(record: Record, policy: Policy, today: date) -> Refusal | None:
    last = min(record.expires, record.created + timedelta(days=policy.max_age_days))
    if today > last:
        return Refusal("expired", f"the record was good through {last.isoformat()}", _RERUN)
    for waiver in record.waivers:
        if waiver.gate in record.failed and today > waiver.expires:
            message = f"{waiver.by}'s waiver of `{waiver.gate}` ended on {waiver.expires.isoformat()}"
            return Refusal("waiver", message, "renew the waiver, or change the rule")
    return None


def _good(record: Record) -> Refusal | None:
    match record.verdict:
        case "pass" | "quiet":
            return None
        case "not-needed":
            if record.old_digest == record.new_digest:
                return None
            return Refusal("not-needed", "the record says that nothing changed, and something did", _RERUN)
        case "not-backtestable":
            message = f"`{record.key.text}` cannot be replayed, so nothing was judged"
            return Refusal("not-backtestable", message, "override it with a reason")
        case "fail":
            gates = ", ".join(f"`{gate}`" for gate in dict.fromkeys(record.failed)) or "a stage"
            return Refusal(
                "failed", f"the canary failed at {gates}", "change the rule, or waive the gate with a reason"
            )


def _strict(record: Record, policy: Policy) -> Refusal | None:
    if record.verdict == "not-needed":
        return None
    for name, limits in sorted(policy.gates.items()):
        judged = record.policy.get(name)
        if judged is None or judged.looser_than(limits):
            message = f"the gate `{name}` was judged more loosely than the policy now demands"
            return Refusal("loosened", message, "judge the record again: the replay itself is kept")
    return None


def _complete(record: Record, policy: Policy) -> Refusal | None:
    if record.verdict == "not-needed":
        return None
    for number in sorted(policy.stages):
        if record.stage(number) is None:
            return Refusal("stage", f"stage {number} was not run", f"run stage {number} before this change")
    judged = {gate.id for stage in record.stages for gate in stage.gates}
    unjudged = sorted(policy.gates.keys() - judged)
    if unjudged:
        return Refusal("stage", f"no stage has a result for the gate `{unjudged[0]}`", _RERUN)
    return None
