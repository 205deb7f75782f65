"""Whether a record admits a change: the gate between a changed rule and production.

`pass` and `quiet` admit exactly the digest they judged, signed, in time, by a policy no looser than
today's, for the rule that the server has. Each refusal has its own reason, because each has its own way
out. The caller asks for changed rules alone, decides what a refusal means where verdicts are only advised,
and knows about overrides; none of that is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, Literal

from tocsin.ir.compiled import RuleKey
from tocsin.ir.duration import Duration, format_duration
from tocsin.verdict.record import GateLimits, Json, Record
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
    "soak",
    "waiver",
    "live",
    "rolled-back",
    "untested",
]
NO_SOAK: Final = Duration(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an environment demands of a record, read from the base revision.

    `gates` are the limits of the rule's severity, `stages` those that must have been run, `max_age_days`
    how old a record may be whatever it says itself. `must_be_signed` holds where verdicts are required;
    `soak` how long a canary must have run where stage 2 is among them. `key` comes from the environment of
    the protected job.
    """

    must_be_signed: bool = True
    key: bytes = b""
    gates: Mapping[str, GateLimits] = field(default_factory=dict)
    stages: frozenset[int] = frozenset({0})
    soak: Duration = NO_SOAK
    max_age_days: int = 14
    untested: bool = False
    """The severity demands a unit test behind a `quiet`, and the rule has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a change would replace on the server: every digest it may have (`""` alone where there is no rule; none where it cannot be
    decoded), and the object as `old_object` holds it."""

    digests: frozenset[str]
    object: Json = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change is not admitted, in one word and one sentence, and what to do."""

    reason: Reason
    message: str
    help: str = ""


_RERUN = "run `tocsin canary backtest` for this change"
_SOAK = "let it run that long, then `tocsin canary compare` without --soak; deploy it again where it is gone"
_NEXT = {1: "run `tocsin canary deploy` for it", 2: "run `tocsin canary compare` after its soak"}


def admit_any(
    records: Iterable[Record],
    key: RuleKey,
    digest: str,
    policy: Policy,
    today: date,
    live: Standing | None = None,
) -> Refusal | None:
    """None where one of `records` admits the change; else why the newest that is about it does not.

    A record that failed, or whose digest was taken back from production, keeps out what older records admitted: a copy of a good record does not
    undo what was learnt after it.
    """
    mine = [each for each in records if each.key == key]
    exact = [each for each in mine if each.new_digest == digest]
    until = max((each for each in exact if _bars(each, policy)), key=_barred_until, default=None)
    why: Refusal | None = None
    for record in sorted(exact or mine, key=lambda each: (each.made, each.id)):
        why = admit(record, key, digest, policy, today, live)
        if why is None and (until is None or record.made > _barred_until(until)):
            return None
    if until is not None and (why is None or why.reason == "failed"):
        return _barred(until)
    return why or admit(None, key, digest, policy, today)


def admit(
    record: Record | None,
    key: RuleKey,
    digest: str,
    policy: Policy,
    today: date,
    live: Standing | None = None,
) -> Refusal | None:
    """None where the rule `key` may become `digest` ("" removes it) today; else the first reason why not. Without `live` nobody asks what it
    would replace.

    Trust comes first: nothing an unsigned record says is believed, not even that it is about another rule.
    """
    if record is None:
        return Refusal("missing", f"`{key.text}` has no canary record for this change", _RERUN)
    return (
        _trusted(record, policy)
        or _about(record, key, digest)
        or _in_time(record, policy, today)
        or _good(record, policy)
        or _staged(record, policy)
        or _soaked(record, policy)
        or _strict(record, policy)
        or _complete(record, policy)
        or _replaces(record, live)
    )


def _bars(record: Record, policy: Policy) -> bool:
    return record.refused_at is not None and _trusted(record, policy) is None


def _barred_until(record: Record) -> datetime:
    assert record.refused_at is not None
    return record.refused_at


def _barred(record: Record) -> Refusal:
    if not record.rolled_back:
        return _failed(record)
    return Refusal(
        "rolled-back",
        f"`{record.key.text}` was taken back from production at {record.rolled_back}, and no newer record says it is good",
        _RERUN,
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


def _good(record: Record, policy: Policy) -> Refusal | None:
    if record.rolled_back:
        return _barred(record)
    match record.verdict:
        case "pass":
            return None
        case "quiet":
            if not policy.untested:
                return None
            return Refusal(
                "untested",
                f"`{record.key.text}` fired too little in its window to be judged, and no unit test makes it fire",
                "add one under `tests:`: its severity demands it where history says nothing",
            )
        case "not-needed":
            if record.old_digest == record.new_digest:
                return None
            return Refusal("not-needed", "the record says that nothing changed, and something did", _RERUN)
        case "not-backtestable":
            if record.approver and record.author and record.approver != record.author:
                return None
            author = record.author or f"{record.approver}, who may be its author,"
            who = f"nobody but {author}" if record.approver else "nobody"
            message = (
                f"`{record.key.text}` cannot be replayed, so nothing was judged, and {who} vouches for it"
            )
            return Refusal(
                "not-backtestable", message, "have a second person approve it in the job that signs records"
            )
        case "fail":
            return _failed(record)


def _failed(record: Record) -> Refusal:
    gates = ", ".join(f"`{gate}`" for gate in dict.fromkeys(record.failed)) or "a stage"
    return Refusal(
        "failed", f"the canary failed at {gates}", "change the rule, or waive the gate with a reason"
    )


def _staged(record: Record, policy: Policy) -> Refusal | None:
    if record.verdict == "not-needed":
        return None
    for number in sorted(policy.stages):
        if record.stage(number) is None:
            return Refusal("stage", f"stage {number} was not run", _NEXT.get(number, _RERUN))
    return None


def _soaked(record: Record, policy: Policy) -> Refusal | None:
    """Whether stage 2 looked at as much as the severity demands: it can be told to look earlier."""
    stage = record.stage(2)
    if record.verdict == "not-needed" or stage is None or 2 not in policy.stages or not policy.soak:
        return None
    demanded = format_duration(policy.soak)
    if stage.hours is None:
        message = f"stage 2 does not say how long `{record.key.text}` was tried, and {demanded} are demanded"
        return Refusal("soak", message, _SOAK)
    had = round(stage.hours * 3_600) * 1_000
    if had >= policy.soak:
        return None
    return Refusal(
        "soak",
        f"`{record.key.text}` was tried for {format_duration(Duration(had))}, and its severity demands {demanded}",
        _SOAK,
    )


def _strict(record: Record, policy: Policy) -> Refusal | None:
    if record.verdict in ("not-needed", "not-backtestable"):
        return None  # no gate judged it
    for name, limits in sorted(policy.gates.items()):
        judged = record.policy.get(name)
        if judged is None or judged.looser_than(limits):
            message = f"the gate `{name}` was judged more loosely than the policy now demands"
            return Refusal("loosened", message, "judge the record again: the replay itself is kept")
    return None


def _complete(record: Record, policy: Policy) -> Refusal | None:
    if record.verdict == "not-needed":
        return None
    if record.verdict == "not-backtestable":
        return None
    judged = {gate.id for stage in record.stages for gate in stage.gates}
    unjudged = sorted(policy.gates.keys() - judged)
    if unjudged:
        return Refusal("stage", f"no stage has a result for the gate `{unjudged[0]}`", _RERUN)
    return None


def _replaces(record: Record, live: Standing | None) -> Refusal | None:
    """Whether the server has what the record took for the old rule: a comparison with another one says nothing about this change."""
    if live is None:
        return None
    # A record of a rule that could not be decoded has no digest of it: the object alone says which one it was.
    if (
        record.old_object == live.object
        if record.old_object is not None
        else record.old_digest in live.digests
    ):
        return None
    if "" in live.digests:
        message = f"`{record.key.text}` is not on the server, and the record is about changing it"
    elif not record.old_digest:
        message = f"`{record.key.text}` is on the server, and the record is about adding it"
    else:
        message = f"what the server has of `{record.key.text}` is not what the record compared with"
    return Refusal("live", message, "judge it against what runs: `tocsin canary backtest --against live`")
