"""Text -> `Record`, or the first place where it is none.

Hand-written beside the schema, because this room lies below the one that holds the schema library; a test
feeds both the same documents and wants the same answers. Beyond the schema it refuses what is well-formed
and contradicts itself: a verdict its gates do not bear out, a duplicated key.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from tocsin.ir.compiled import RuleKey
from tocsin.verdict.record import (
    GATE_VERDICTS,
    VERDICTS,
    GateLimits,
    GateResult,
    Json,
    Record,
    Stage,
    Verdict,
    Waiver,
)
from tocsin.verdict.signature import payload_of

SCHEMA = "tocsin/canary/1"
MAX_LENGTH = 4_000_000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z")
_DIGEST = re.compile(r"([0-9a-f]{24})?")
_SIGNATURE = re.compile(r"hmac-sha256:[0-9a-f]{64}")
_TOP = {
    *(
        "schema",
        "id",
        "created",
        "expires",
        "tool",
        "rule",
        "policy",
        "stages",
        "waivers",
        "verdict",
        "signature",
    ),
    *("base", "source", "window", "exactness", "versions", "incidents"),
    *("author", "approver", "rolled_back"),
}


@dataclass(frozen=True, slots=True)
class RecordProblem:
    """Why a text is no record: the path inside it (`stages[0].gates[2].verdict`, empty for the whole) and
    the reason."""

    path: str
    reason: str


class _Wrong(Exception):
    """Carries a `RecordProblem` out of the depth of a document."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.problem = RecordProblem(path.lstrip("."), reason)


def read_record(text: str) -> Record | RecordProblem:
    """The record `text` holds. Never raises."""
    try:
        return _record(_parsed(text))
    except _Wrong as wrong:
        return wrong.problem
    except RecursionError:
        return RecordProblem("", "nested too deeply")


def _parsed(text: str) -> Mapping[str, Json]:
    def pairs(found: list[tuple[str, Json]]) -> dict[str, Json]:
        kept: dict[str, Json] = {}
        for name, value in found:
            if name in kept:
                raise _Wrong("", f"the key `{name}` stands there twice")
            kept[name] = value
        return kept

    def constant(name: str) -> Json:
        raise _Wrong("", f"`{name}` is no JSON")

    def fraction(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise _Wrong("", f"`{digits}` is too large a number")
        return number

    if len(text) > MAX_LENGTH:
        raise _Wrong("", f"longer than {MAX_LENGTH} characters")
    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=fraction)
    except ValueError as failure:
        raise _Wrong("", f"no JSON: {failure}") from None
    return _object(document, "")


def _record(document: Mapping[str, Json]) -> Record:
    _only(document, _TOP, "")
    if document.get("schema") != SCHEMA:
        raise _Wrong("schema", f"is not `{SCHEMA}`")
    rule = _object(document.get("rule"), "rule")
    _only(rule, {"env", "id", "level", "override", "uid", "old_digest", "new_digest", "old_object"}, "rule")
    _text(rule, "uid", "rule", default="")
    for name in ("base", "source", "window", "exactness", "versions", "incidents"):
        if name in document:
            _object(document[name], name)
    signature = _text(document, "signature", "", default="")
    if signature and not _SIGNATURE.fullmatch(signature):
        raise _Wrong("signature", "is not `hmac-sha256:` and 64 hexadecimal digits")
    record = Record(
        id=_text(document, "id", ""),
        created=_time(document, "created", "").date(),
        expires=_date(document, "expires", ""),
        tool=_text(document, "tool", ""),
        key=RuleKey(
            _text(rule, "env", "rule"),
            _text(rule, "id", "rule"),
            _text(rule, "level", "rule", default=""),
            _text(rule, "override", "rule", default=""),
        ),
        old_digest=_digest(rule, "old_digest"),
        new_digest=_digest(rule, "new_digest"),
        verdict=_verdict(document, ""),
        policy={
            name: _limits(value, f"policy.{name}")
            for name, value in _object(document.get("policy"), "policy").items()
        },
        stages=tuple(_stage(value, path) for value, path in _items(document.get("stages"), "stages")),
        waivers=tuple(_waiver(value, path) for value, path in _items(document.get("waivers", []), "waivers")),
        old_object=rule.get("old_object"),
        author=_text(document, "author", "", default=""),
        approver=_text(document, "approver", "", default=""),
        rolled_back=_time(document, "rolled_back", "").isoformat() if "rolled_back" in document else "",
        signature=signature,
        payload=payload_of(document),
        document=document,
    )
    _consistent(record)
    return record


def _consistent(record: Record) -> None:
    numbers = [stage.number for stage in record.stages]
    if len(set(numbers)) < len(numbers):
        raise _Wrong("stages", "the same stage stands there twice")
    for at, stage in enumerate(record.stages):
        for gate in stage.gates:
            if gate.id not in record.policy:
                raise _Wrong(f"stages[{at}].gates", f"the policy has no gate `{gate.id}`")
    if record.verdict not in ("pass", "quiet"):
        return
    if not record.stages:
        raise _Wrong("verdict", f"`{record.verdict}` without a stage")
    waived = {waiver.gate for waiver in record.waivers}
    unwaived = [gate for gate in record.failed if gate not in waived]
    if unwaived:
        raise _Wrong("verdict", f"`{record.verdict}`, and the critical gate `{unwaived[0]}` failed")
    verdicts = {stage.verdict for stage in record.stages}
    if verdicts - {"pass", "quiet"}:
        raise _Wrong("verdict", f"`{record.verdict}`, and a stage is `{min(verdicts - {'pass', 'quiet'})}`")
    thin = any(gate.verdict == "insufficient" for stage in record.stages for gate in stage.gates)
    if record.verdict == "pass" and (thin or "quiet" in verdicts):
        raise _Wrong("verdict", "`pass`, and a gate had too little to judge by: that is `quiet`")


def _limits(value: Json, path: str) -> GateLimits:
    body = _object(value, path)
    _only(body, {"critical", "at_most", "at_least"}, path)
    critical = body.get("critical")
    if not isinstance(critical, bool):
        raise _Wrong(f"{path}.critical", "is neither true nor false")
    return GateLimits(
        critical=critical,
        at_most=_numbers(body.get("at_most", {}), f"{path}.at_most"),
        at_least=_numbers(body.get("at_least", {}), f"{path}.at_least"),
    )


def _stage(value: Json, path: str) -> Stage:
    body = _object(value, path)
    number = body.get("stage")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 3:
        raise _Wrong(f"{path}.stage", "is none of 0, 1, 2, 3")
    gates = _items(body.get("gates", []), f"{path}.gates")
    hours = _number(body["hours"], f"{path}.hours") if "hours" in body else None
    if hours is not None and hours < 0:
        raise _Wrong(f"{path}.hours", "is less than nothing")
    return Stage(
        number=number,
        verdict=_verdict(body, path),
        gates=tuple(_gate(gate, at) for gate, at in gates),
        hours=hours,
    )


def _gate(value: Json, path: str) -> GateResult:
    body = _object(value, path)
    _only(body, {"id", "verdict", "old", "new", "ci", "message"}, path)
    verdict = _text(body, "verdict", path)
    if verdict not in GATE_VERDICTS:
        raise _Wrong(f"{path}.verdict", f"`{verdict}` is no verdict of a gate")
    ci = tuple(_number(end, at) for end, at in _items(body.get("ci", []), f"{path}.ci"))
    return GateResult(
        id=_text(body, "id", path),
        verdict=verdict,
        old=None if body.get("old") is None else _number(body["old"], f"{path}.old"),
        new=None if body.get("new") is None else _number(body["new"], f"{path}.new"),
        ci=ci,
        message=_text(body, "message", path, default=""),
    )


def _waiver(value: Json, path: str) -> Waiver:
    body = _object(value, path)
    _only(body, {"gate", "by", "reason", "expires"}, path)
    return Waiver(
        gate=_text(body, "gate", path),
        by=_text(body, "by", path),
        reason=_text(body, "reason", path),
        expires=_date(body, "expires", path),
    )


def _verdict(body: Mapping[str, Json], path: str) -> Verdict:
    verdict = _text(body, "verdict", path)
    if verdict not in VERDICTS:
        raise _Wrong(f"{path}.verdict", f"`{verdict}` is no verdict")
    return verdict


def _digest(rule: Mapping[str, Json], name: str) -> str:
    digest = _text(rule, name, "rule", empty=True)
    if not _DIGEST.fullmatch(digest):
        raise _Wrong(f"rule.{name}", "is no digest")
    return digest


def _date(body: Mapping[str, Json], name: str, path: str) -> date:
    text = _text(body, name, path)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _Wrong(f"{path}.{name}", f"`{text}` is no date like 2026-12-05")


def _time(body: Mapping[str, Json], name: str, path: str) -> datetime:
    text = _text(body, name, path)
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise _Wrong(f"{path}.{name}", f"`{text}` is no time like 2026-11-21T10:00:00Z")


def _text(
    body: Mapping[str, Json], name: str, path: str, *, default: str | None = None, empty: bool = False
) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or not (value or empty or name not in body):
        raise _Wrong(f"{path}.{name}", "is missing" if name not in body else "is no text")
    return value


def _numbers(value: Json, path: str) -> dict[str, float]:
    return {name: _number(each, f"{path}.{name}") for name, each in _object(value, path).items()}


def _number(value: Json, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(path, "is no number")
    return float(value)


def _object(value: Json, path: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise _Wrong(path, "is missing" if value is None and path else "is no object")
    return value


def _items(value: Json, path: str) -> Iterator[tuple[Json, str]]:
    if not isinstance(value, list):
        raise _Wrong(path, "is missing" if value is None else "is no list")
    return ((each, f"{path}[{at}]") for at, each in enumerate(value))


def _only(body: Mapping[str, Json], known: set[str], path: str) -> None:
    for name in body:
        if name not in known:
            raise _Wrong(f"{path}.{name}", "is unknown")
