"""A judgement as the document that `sync` demands: everything it was judged by, and everything later stages and reviewers ask of it.

The same judgement gives the same bytes: no clock (`created` is an argument), numbers rounded once, keys sorted by whoever writes the text. A record
counts when a trusted job has signed it; `verdict` reads it, and knows nothing of this module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tocsin.canary.comparison import Comparison, Judged, Metrics, Run
from tocsin.canary.source import SourceInfo
from tocsin.ir.canary import DAY, CanaryPolicy, GateLimits, WaivedGate
from tocsin.verdict import sign
from tocsin.verdict.read import SCHEMA
from tocsin.verdict.record import GateResult, Json, Waiver

_DIGITS: Final = 6
_ID_LENGTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Who judges, when, and by whose word. `created` is UTC; `revision` is the base revision that `policy` was read from; `source` is None where
    nothing was asked. `author` made the change, `approver` vouches for what could not be replayed, each as the job knows them."""

    tool: str
    created: datetime
    policy: CanaryPolicy
    revision: str = ""
    source: SourceInfo | None = None
    author: str = ""
    approver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the record is about: semantic digests (`""` where there is no rule), the rule's uid for people, and the live rule as it was where it
    could not be decoded."""

    old_digest: str
    new_digest: str
    uid: str = ""
    old_object: Json = None


def record_of(
    judged: Judged, subject: Subject, job: Job, key: bytes = b"", drawn: tuple[str, str] = ("", "")
) -> dict[str, Json]:
    """The record, signed where there is a key. `drawn` are the old and the new version as lines of characters, for whoever reads it later without
    the data. ValueError for a time without a zone."""
    if job.created.tzinfo is None:
        raise ValueError("a record's time needs a zone")
    created = job.created.astimezone(UTC)
    expires = (created + timedelta(days=max(1, job.policy.expires // DAY))).date()
    rule = {
        "env": judged.key.env,
        "id": judged.key.id,
        "level": judged.key.level,
        "override": judged.key.override,
        "uid": subject.uid,
    }
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires": expires.isoformat(),
        "tool": job.tool,
        "rule": {
            **{name: value for name, value in rule.items() if value},
            "old_digest": subject.old_digest,
            "new_digest": subject.new_digest,
            **({} if subject.old_object is None else {"old_object": subject.old_object}),
        },
        "base": {"revision": job.revision, "policy_sha256": policy_sha256(job.policy)},
        "policy": {name: limits_json(limits) for name, limits in sorted(judged.limits.items())},
        "stages": [],
        "waivers": [_waiver(each) for each in judged.waivers],
        "verdict": judged.verdict,
    }
    if judged.comparison is not None:
        document |= _circumstances(judged.comparison, job)
        old, new = drawn
        picture: dict[str, Json] = {"drawn": {"old": old, "new": new}} if old or new else {}
        document["stages"] = [{**stage_0(judged), **picture}]
    document |= {name: who for name, who in (("author", job.author), ("approver", job.approver)) if who}
    document["id"] = f"c-{hashlib.sha256(_canonical(document)).hexdigest()[:_ID_LENGTH]}"
    if key:
        document["signature"] = sign(document, key)
    return document


def stage_0(judged: Judged) -> dict[str, Json]:
    """The replay as a stage of its record: verdict, gates, and the numbers they come from."""
    found = judged.comparison
    assert found is not None
    ratio = found.page_ratio
    return {
        "stage": 0,
        "verdict": judged.verdict,
        "gates": [gate_json(each) for each in judged.gates],
        "metrics": {"old": _metrics(found.old), "new": _metrics(found.new)},
        "matched": {
            "by": found.paired_by,
            "kept": found.kept,
            "lost": found.lost,
            "gained": found.gained,
            "split": found.split,
            "merged": found.merged,
            "duration_ratio": _number(found.matched_duration_ratio),
            "shift_s": _number(found.shift_s),
        },
        "page_ratio": None
        if ratio is None
        else {"value": _number(ratio.value), "ci": [_number(ratio.low), _number(ratio.high)]},
        "figures": [
            {
                "name": each.name,
                "unit": each.unit,
                "old": _number(each.old),
                "new": _number(each.new),
                "percent": each.percent,
            }
            for each in found.figures
        ],
        **({"reason": judged.reason} if judged.reason else {}),
    }


def policy_sha256(policy: CanaryPolicy) -> str:
    """A hash of all that a judgement depends on: gates, waivers, grouping, window, complete logs. Budgets and stages are not in it."""
    gates = {
        severity: {name: limits_json(limits) for name, limits in found.items()}
        for severity, found in policy.gates.items()
    }
    waivers: list[Json] = [{**_waiver(each), "rule": each.rule} for each in policy.waivers]
    return hashlib.sha256(
        _canonical(
            {
                "gates": gates,
                "waivers": waivers,
                "group_by": list(policy.group_by),
                "window_ms": int(policy.window),
                "complete": sorted(policy.complete),
            }
        )
    ).hexdigest()


def _canonical(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _circumstances(found: Comparison, job: Job) -> dict[str, Json]:
    runs = {"old": found.old_run, "new": found.new_run}
    run = found.new_run or found.old_run
    source = job.source
    calibration = found.calibration
    return {
        "source": {
            **(
                {}
                if source is None
                else {
                    "id": source.id,
                    "flavour": source.flavour,
                    "build": source.build,
                    "lookback_s": _number(source.lookback_ms / 1000),
                }
            ),
            "phase": {
                side: {"s": _number(each.phase_ms / 1000), "how": each.phase_how}
                for side, each in runs.items()
                if each is not None
            },
        },
        "window": {
            "start": _moment(found.window.start_ms),
            "end": _moment(found.window.end_ms),
            "interval_s": _number(run.interval_ms / 1000) if run is not None else None,
            "evals": run.evaluations if run is not None else 0,
            "missed": run.failed if run is not None else 0,
        },
        "exactness": {
            **{side: each.exactness.text for side, each in runs.items() if each is not None},
            "calibration": None
            if calibration is None
            else {
                "agreement": _number(calibration.agreement),
                "n": calibration.n,
                "causes": list(calibration.causes),
            },
        },
        "incidents": {
            "in_scope": [each.id for each in found.incidents if each.in_scope],
            "complete": found.complete,
        },
        **_versions(runs),
    }


def _versions(runs: Mapping[str, Run | None]) -> dict[str, Json]:
    """What was replayed, for a reader of the record alone."""
    return {
        "versions": {
            side: {
                "digest": each.digest,
                "expr": each.expr,
                "for_s": _number(each.for_ms / 1000),
                "keep_firing_for_s": _number(each.keep_ms / 1000),
                "interval_s": _number(each.interval_ms / 1000),
                "machine": each.machine,
            }
            for side, each in runs.items()
            if each is not None
        }
    }


def _metrics(metrics: Metrics | None) -> dict[str, Json]:
    if metrics is None:
        return {}
    found: dict[str, Json] = {}
    for name, value in asdict(metrics).items():
        if name in ("detections", "unmatched_interval", "judged"):
            continue
        found[name] = _number(value) if isinstance(value, float) else value
    interval = metrics.unmatched_interval
    found["unmatched_interval"] = None if interval is None else [_number(each) for each in interval]
    found["judged"] = {str(word): count for word, count in metrics.judged.items()}
    found["detections"] = [
        {
            "incident": each.incident,
            "detected": each.detected,
            "delay_s": _number(each.delay_s),
            "reset_s": _number(each.reset_s),
            "others": each.others,
        }
        for each in metrics.detections
    ]
    return found


def gate_json(gate: GateResult) -> dict[str, Json]:
    """A gate's result as records hold it."""
    found: dict[str, Json] = {"id": gate.id, "verdict": gate.verdict}
    if gate.old is not None:
        found["old"] = _number(gate.old)
    if gate.new is not None:
        found["new"] = _number(gate.new)
    if gate.ci:
        found["ci"] = [_number(each) for each in gate.ci]
    if gate.message:
        found["message"] = gate.message
    return found


def limits_json(limits: GateLimits) -> dict[str, Json]:
    """A gate's limits as records hold them."""
    found: dict[str, Json] = {"critical": limits.critical}
    for name, side in (("at_most", limits.at_most), ("at_least", limits.at_least)):
        if side:
            found[name] = {each: side[each] for each in sorted(side)}
    return found


def _waiver(waiver: Waiver | WaivedGate) -> dict[str, Json]:
    return {
        "gate": waiver.gate,
        "by": waiver.by,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
    }


def _number(value: float | None) -> float | int | None:
    """Rounded, so that the last bit of a mean is no difference; whole numbers as such."""
    if value is None:
        return None
    rounded = round(value, _DIGITS)
    return int(rounded) if rounded == int(rounded) else rounded


def _moment(at_ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds").replace("+00:00", "Z")
