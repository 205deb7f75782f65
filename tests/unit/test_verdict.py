"""Canary records: reading, signing, and every way a change is not admitted."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import tocsin
from tocsin.ir.compiled import RuleKey
from tocsin.ir.duration import Duration
from tocsin.verdict import (
    GateLimits,
    Policy,
    Record,
    RecordProblem,
    Standing,
    admit,
    admit_any,
    read_record,
    sign,
    signed,
)

KEY = b"the protected job's key"
RULE = RuleKey("prod", "kafka-consumer-lag", "page")
OLD, NEW = "0" * 24, "f" * 24
TODAY = date(2026, 11, 25)
LIMITS = GateLimits(critical=True, at_most={"ratio": 1.5}, at_least={"events": 5})
POLICY = Policy(key=KEY, gates={"pages": LIMITS})


def document() -> dict[str, Any]:
    """A record that admits `RULE` -> `NEW`, not yet signed."""
    return {
        "schema": "tocsin/canary/1",
        "id": "c-7f3a",
        "created": "2026-11-21T10:00:00Z",
        "expires": "2026-12-05",
        "tool": "0.4.0",
        "rule": {
            "env": "prod",
            "id": "kafka-consumer-lag",
            "level": "page",
            "uid": "kafka-lag-1",
            "old_digest": OLD,
            "new_digest": NEW,
            "old_object": None,
        },
        "policy": {
            "pages": {"critical": True, "at_most": {"ratio": 1.5}, "at_least": {"events": 5}},
            "delay": {"critical": False},
        },
        "base": {"revision": "4f2a91c"},
        "source": {"id": "prod-mimir"},
        "window": {"evals": 40320},
        "exactness": {"old": "exact"},
        "versions": {"old": {"expr": "up == 0"}},
        "incidents": {"in_scope": 6},
        "stages": [
            {
                "stage": 0,
                "verdict": "pass",
                "metrics": {"old": {}, "new": {}},
                "gates": [
                    {"id": "pages", "verdict": "ok", "old": 12, "new": 9.5, "ci": [0.5, 1.1]},
                    {"id": "delay", "verdict": "warn", "message": "60 s later"},
                ],
            }
        ],
        "waivers": [],
        "verdict": "pass",
    }


def soaked(**hours: float) -> tuple[str, Any]:
    """Its stages with a second that lasted that long."""
    return "stages", [*document()["stages"], {"stage": 2, "verdict": "pass", **hours}]


def set_at(body: Any, path: str, value: Any) -> None:
    """Sets the value at a slash-separated path; `...` deletes it."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        body = body[step]
    if value is ...:
        del body[last]
    else:
        body[last] = value


def text(*changes: tuple[str, Any], key: bytes = KEY) -> str:
    """The record with some values changed, signed."""
    body = document()
    for path, value in changes:
        set_at(body, path, value)
    body["signature"] = sign(body, key)
    return json.dumps(body, indent=2)


def record(*changes: tuple[str, Any], key: bytes = KEY) -> Record:
    """The same, read."""
    found = read_record(text(*changes, key=key))
    assert isinstance(found, Record), found
    return found


def reason(what: Record | None, **more: Any) -> str | None:
    """Why the change is refused; None where it is admitted."""
    given: dict[str, Any] = {"key": RULE, "digest": NEW, "policy": POLICY, "today": TODAY} | more
    refusal = admit(what, **given)
    if refusal is None:
        return None
    assert refusal.message and refusal.help
    return refusal.reason


# --- admitting ----------------------------------------------------------------------------------


def test_a_good_record_admits_exactly_its_change() -> None:
    assert reason(record()) is None
    assert reason(record(), digest=OLD) == "digest"
    assert reason(record(), digest="") == "digest"


def test_quiet_is_as_good_as_pass() -> None:
    quiet = record(
        ("verdict", "quiet"), ("stages/0/verdict", "quiet"), ("stages/0/gates/0/verdict", "insufficient")
    )
    assert reason(quiet) is None
    assert reason(quiet, digest=OLD) == "digest"


def test_a_removal_is_admitted_by_its_own_record() -> None:
    removal = record(("rule/new_digest", ""))
    assert reason(removal, digest="") is None
    assert reason(removal) == "digest"


FAILED = (("verdict", "fail"), ("stages/0/verdict", "fail"), ("stages/0/gates/0/verdict", "fail"))
SOAKS = replace(POLICY, stages=frozenset({0, 2}), soak=Duration(86_400_000))
WAIVED = ("waivers", [{"gate": "pages", "by": "ada", "reason": "load test", "expires": "2026-11-25"}])


@pytest.mark.parametrize(
    ("changes", "more", "why"),
    [
        ([], {"key": RuleKey("staging", "kafka-consumer-lag", "page")}, "environment"),
        ([("rule/env", "staging")], {}, "environment"),
        ([], {"key": RuleKey("prod", "kafka-consumer-lag", "ticket")}, "rule"),
        ([], {"key": RuleKey("prod", "kafka-consumer-lag", "page", "batch")}, "rule"),
        ([], {"today": date(2026, 12, 5)}, None),
        ([], {"today": date(2026, 12, 6)}, "expired"),
        ([("expires", "2027-12-05")], {"today": date(2026, 12, 6)}, "expired"),
        (
            [("expires", "2027-12-05")],
            {"today": date(2026, 12, 6), "policy": replace(POLICY, max_age_days=30)},
            None,
        ),
        (FAILED, {}, "failed"),
        ([("verdict", "not-backtestable"), ("stages", [])], {}, "not-backtestable"),
        ([("verdict", "not-needed"), ("stages", [])], {}, "not-needed"),
        ([("verdict", "not-needed"), ("stages", []), ("rule/old_digest", NEW)], {}, None),
        ([("policy/pages/at_most/ratio", 1.6)], {}, "loosened"),
        ([("policy/pages/at_most/ratio", 1.4)], {}, None),
        ([("policy/pages/at_most", {})], {}, "loosened"),
        ([("policy/pages/at_least/events", 4)], {}, "loosened"),
        ([("policy/pages/at_least/events", 6)], {}, None),
        ([("policy/pages/critical", False)], {}, "loosened"),
        ([], {"policy": replace(POLICY, gates={"pages": LIMITS, "recall": LIMITS})}, "loosened"),
        ([], {"policy": replace(POLICY, gates={})}, None),
        ([], {"policy": replace(POLICY, stages=frozenset({0, 2}))}, "stage"),
        ([("stages/0/gates", [])], {}, "stage"),
        ([soaked(hours=24)], {"policy": SOAKS}, None),
        ([soaked(hours=23.99)], {"policy": SOAKS}, "soak"),
        ([soaked()], {"policy": SOAKS}, "soak"),
        ([soaked()], {"policy": replace(SOAKS, soak=Duration(0))}, None),
        ([soaked(hours=1)], {"policy": replace(SOAKS, stages=frozenset({0}))}, None),
        ([("stages/0/gates/0/verdict", "fail"), WAIVED], {}, None),
        ([("stages/0/gates/0/verdict", "fail"), WAIVED], {"today": date(2026, 11, 26)}, "waiver"),
        ([WAIVED], {"today": date(2026, 11, 26)}, None),
    ],
)
def test_each_refusal_has_its_own_reason(changes: Any, more: dict[str, Any], why: str | None) -> None:
    assert reason(record(*changes), **more) == why


NOT_REPLAYED = (("verdict", "not-backtestable"), ("stages", [{"stage": 0, "verdict": "not-backtestable"}]))


@pytest.mark.parametrize(
    ("changes", "policy", "why"),
    [
        ([("author", "ada"), ("approver", "ben")], POLICY, None),
        ([("author", "ada"), ("approver", "ada")], POLICY, "not-backtestable"),
        ([("author", "ada")], POLICY, "not-backtestable"),
        ([("approver", "ben")], POLICY, "not-backtestable"),
        ([("author", "ada"), ("approver", "ben")], replace(POLICY, stages=frozenset({0, 2})), "stage"),
    ],
)
def test_what_cannot_be_replayed_needs_a_second_person(changes: Any, policy: Policy, why: str | None) -> None:
    assert reason(record(*NOT_REPLAYED, *changes), policy=policy) == why


def test_quiet_needs_a_test_where_the_severity_demands_one() -> None:
    quiet = record(
        ("verdict", "quiet"), ("stages/0/verdict", "quiet"), ("stages/0/gates/0/verdict", "insufficient")
    )
    assert reason(quiet, policy=replace(POLICY, untested=True)) == "untested"
    assert reason(record(), policy=replace(POLICY, untested=True)) is None


OBJECT: dict[str, Any] = {"title": "Lag", "interval": 60000}


@pytest.mark.parametrize(
    ("changes", "live", "why"),
    [
        ([], Standing(digests=frozenset({OLD})), None),
        ([], Standing(digests=frozenset({NEW, OLD})), None),
        ([], Standing(digests=frozenset({NEW})), "live"),
        ([], Standing(digests=frozenset({""})), "live"),
        ([("rule/old_digest", "")], Standing(digests=frozenset({OLD})), "live"),
        ([("rule/old_digest", "")], Standing(digests=frozenset({""})), None),
        ([("rule/old_object", OBJECT)], Standing(digests=frozenset(), object=OBJECT), None),
        ([("rule/old_object", OBJECT)], Standing(digests=frozenset(), object={**OBJECT, "x": 1}), "live"),
        ([], Standing(digests=frozenset()), "live"),
    ],
)
def test_a_record_is_about_the_rule_that_the_server_has(
    changes: Any, live: Standing, why: str | None
) -> None:
    assert reason(record(*changes), live=live) == why


LATER = "2026-11-21T18:00:00Z"
GOOD, FAILED_LATER = record(), record(*FAILED, ("created", LATER), ("id", "c-b"))
TAKEN_BACK = record(("rolled_back", LATER), ("id", "c-b"))
NEWEST = record(("created", "2026-11-21T18:00:01Z"), ("id", "c-c"))


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], "missing"),
        ([GOOD], None),
        ([record(("rule/new_digest", OLD)), GOOD], None),
        ([record(("rule/new_digest", OLD))], "digest"),
        ([record(("rule/id", "other"))], "missing"),
        ([GOOD, FAILED_LATER], "failed"),
        ([FAILED_LATER, NEWEST], None),
        ([GOOD, TAKEN_BACK], "rolled-back"),
        ([TAKEN_BACK], "rolled-back"),
        ([TAKEN_BACK, GOOD, NEWEST], None),
        ([GOOD, record(("rolled_back", LATER), key=b"other")], None),
        ([record(key=b"other"), GOOD], None),
    ],
)
def test_of_several_records_the_newest_that_learnt_something_decides(
    records: list[Record], why: str | None
) -> None:
    for each in (records, records[::-1]):
        refusal = admit_any(each, RULE, NEW, POLICY, TODAY)
        assert (refusal.reason if refusal is not None else None) == why


def test_no_record_is_a_refusal() -> None:
    assert reason(None) == "missing"


def test_an_unsigned_record_is_none() -> None:
    found = read_record(json.dumps(document()))
    assert isinstance(found, Record)
    assert reason(found) == "unsigned"
    assert reason(found, policy=replace(POLICY, must_be_signed=False)) is None


def test_without_a_key_nothing_can_be_trusted() -> None:
    assert reason(record(), policy=replace(POLICY, key=b"")) == "no-key"


def test_another_key_signs_for_nobody() -> None:
    assert reason(record(key=b"other")) == "bad-signature"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rule/new_digest", OLD),
        ("rule/env", "staging"),
        ("expires", "2027-12-05"),
        ("stages/0/gates/0/new", 9.6),
        ("policy/pages/at_most/ratio", 1),
        ("waivers", [{"gate": "pages", "by": "eve", "reason": "x", "expires": "2030-01-01"}]),
        ("source/id", "other"),
        ("incidents", ...),
    ],
)
def test_whatever_is_changed_after_signing_voids_the_signature(path: str, value: Any) -> None:
    body = json.loads(text())
    set_at(body, path, value)
    found = read_record(json.dumps(body))
    assert isinstance(found, Record)
    assert not signed(found, KEY)
    assert reason(found) == "bad-signature"


def test_a_signature_is_of_the_data_not_of_its_layout() -> None:
    body = json.loads(text())
    turned = read_record(json.dumps(dict(reversed(body.items())), separators=(",", ":")))
    assert isinstance(turned, Record) and signed(turned, KEY)
    assert not signed(turned, b"")


def test_nobody_signs_with_an_empty_key() -> None:
    with pytest.raises(ValueError, match="empty"):
        sign(document(), b"")


def test_a_forged_record_is_not_believed_about_its_rule_either() -> None:
    assert reason(record(("rule/env", "staging"), key=b"other")) == "bad-signature"


# --- reading ------------------------------------------------------------------------------------


def test_everything_a_record_says_is_read() -> None:
    found = record(WAIVED, ("rule/override", "batch"), ("rule/old_object", {"uid": "x"}))
    assert (found.id, found.tool, found.verdict) == ("c-7f3a", "0.4.0", "pass")
    assert (found.created, found.expires) == (date(2026, 11, 21), date(2026, 12, 5))
    assert found.key == RuleKey("prod", "kafka-consumer-lag", "page", "batch")
    assert (found.old_digest, found.new_digest, found.old_object) == (OLD, NEW, {"uid": "x"})
    assert found.policy["pages"] == LIMITS
    (stage,) = found.stages
    second = record(soaked(hours=23.5)).stage(2)
    assert stage.hours is None and second is not None and second.hours == 23.5
    assert (stage.gates[0].old, stage.gates[0].new, stage.gates[1].message) == (12, 9.5, "60 s later")
    assert found.waivers[0].expires == date(2026, 11, 25)
    assert found.stage(0) is stage and found.stage(2) is None
    assert found.document["window"] == {"evals": 40320}


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ([("stages/0/gates/0/verdict", "fail")], "verdict", "`pages` failed"),
        ([("stages", [])], "verdict", "without a stage"),
        ([("stages/0/verdict", "fail")], "verdict", "a stage is `fail`"),
        ([("stages/0/verdict", "quiet")], "verdict", "that is `quiet`"),
        ([("stages/0/gates/1/verdict", "insufficient")], "verdict", "that is `quiet`"),
        ([("stages/0/gates/0/id", "typo")], "stages[0].gates", "no gate `typo`"),
        ([("stages", [{"stage": 0, "verdict": "pass"}] * 2)], "stages", "twice"),
        ([("expires", "2026-02-30")], "expires", "no date"),
        ([("created", "2026-02-30T10:00:00Z")], "created", "no time"),
    ],
)
def test_a_record_that_contradicts_itself_is_none(changes: Any, path: str, says: str) -> None:
    found = read_record(text(*changes))
    assert isinstance(found, RecordProblem)
    assert found.path == path and says in found.reason


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("", "no JSON"),
        ("[]", "no object"),
        ('"pass"', "no object"),
        ('{"verdict": "fail", "verdict": "pass"}', "twice"),
        ('{"a": NaN}', "`NaN`"),
        ('{"a": 1e999}', "too large"),
        ("[" * 200_000, ""),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, ""),
        (" " * 5_000_000, "longer than"),
        ('{"schema": "tocsin/canary/2"}', "tocsin/canary/1"),
    ],
)
def test_what_is_no_record_is_said_and_nothing_is_raised(broken: str, says: str) -> None:
    found = read_record(broken)
    assert isinstance(found, RecordProblem)
    assert says in found.reason


SCHEMA = json.loads((Path(tocsin.__file__).parent / "schemas" / "canary-record.schema.json").read_text())


def mutants(body: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every place of a document with something else there, or nothing, or one key more."""
    here: Any = list(body.items()) if isinstance(body, dict) else list(enumerate(body))
    for key, value in here:
        at = f"{path}{key}"
        for other in (..., None, True, 7, -1.5, "", "x", [], {}, ["x"], {"x": 1}):
            yield at, other
        if isinstance(value, dict):
            yield f"{at}/surplus", 1
        if isinstance(value, dict | list):
            yield from mutants(value, f"{at}/")


def test_the_reader_and_the_schema_agree_about_every_mutant() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    body = document()
    body["waivers"] = [{"gate": "delay", "by": "ada", "reason": "r", "expires": "2026-11-25"}]
    body |= {"author": "ada", "approver": "ben", "rolled_back": "2026-11-22T10:00:00Z"}
    body["signature"] = "hmac-sha256:" + "0" * 64
    body["stages"].append({"stage": 2, "verdict": "pass", "hours": 24})
    assert validator.is_valid(body)
    seen = 0
    for path, value in mutants(copy.deepcopy(body)):
        mutant = copy.deepcopy(body)
        set_at(mutant, path, value)
        found = read_record(json.dumps(mutant))
        valid = validator.is_valid(mutant)
        # Contradictions are the reader's alone; they are told by the place they are reported at.
        contradiction = isinstance(found, RecordProblem) and (
            found.path in ("verdict", "stages") or found.reason.startswith("the policy has no gate")
        )
        if valid and contradiction:
            continue
        assert isinstance(found, Record) == valid, (path, value, found)
        seen += 1
    assert seen > 300


def test_the_schema_is_one_and_explains_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    says = {"description", "const", "$ref"}
    silent = [name for name, value in SCHEMA["properties"].items() if not value.keys() & says]
    assert silent == []
