"""A judgement as a record: the text byte for byte, and what the gate makes of it.

`pytest tests/unit/test_canary_record.py --update` writes what comes out over what was expected: read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.replaying import KEY, WINDOW, Spans, compared, every, incident, replayed

import tocsin
from tocsin.canary.compare import Evidence, compare
from tocsin.canary.judge import judge, not_needed
from tocsin.canary.record import Job, Subject, policy_sha256, record_of
from tocsin.canary.source import SourceInfo
from tocsin.canary.values import Calibration, Exactness
from tocsin.ir.canary import DAY, DEFAULT_GATES, CanaryPolicy, GateLimits, WaivedGate
from tocsin.ir.duration import Duration
from tocsin.release.impact import of_record
from tocsin.verdict import Policy, Record, RecordProblem, admit, read_record, signed

GOLDEN = Path(__file__).parents[1] / "golden" / "canary-record.json"
SECRET = b"the protected job's key"
OLD, NEW = "0" * 24, "f" * 24
TODAY = date(2026, 11, 21)
POLICY = CanaryPolicy(complete=frozenset({"kafka"}))
JOB = Job(
    tool="0.4.0",
    created=datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    policy=POLICY,
    revision="4f2a91c",
    source=SourceInfo(id="https://prometheus.example.com", flavour="prometheus", build="3.5.0"),
    author="dana",
)
SUBJECT = Subject(old_digest=OLD, new_digest=NEW, uid="kafka-lag-1")
EVIDENCE = Evidence(incidents=(incident("INC-2026-001", 0, 5), incident("INC-2026-002", 365, 400)))
BEFORE: Spans = {"a": every(20), "b": [(3, 30), (40, 45)]}
AFTER: Spans = {"a": every(18, first=1), "c": [(100, None)]}


def judged(before: Any = None, after: Any = None, policy: CanaryPolicy = POLICY, **more: Any) -> Any:
    found = compared(
        BEFORE if before is None else before,
        AFTER if after is None else after,
        policy=policy,
        evidence=EVIDENCE,
        **more,
    )
    return judge(found, policy, TODAY, tested=True)


def read(document: Mapping[str, Any]) -> Record:
    found = read_record(json.dumps(document))
    assert isinstance(found, Record), found
    return found


def refused(document: Mapping[str, Any], policy: CanaryPolicy = POLICY, **more: Any) -> str | None:
    """Why the gate refuses the change, with all that the policy demands."""
    demands = Policy(key=SECRET, gates=policy.demanded("P1"), **more)
    why = admit(read(document), KEY, NEW, demands, TODAY)
    return None if why is None else why.reason


def test_the_text_of_a_record(request: pytest.FixtureRequest) -> None:
    known = Calibration(agreement=0.999123, n=20411, causes=())
    result = judged(of_old={"calibration": known}, of_new={"failed": [3]}, policy=POLICY)
    text = json.dumps(record_of(result, SUBJECT, JOB, SECRET), indent=2, sort_keys=True) + "\n"
    if request.config.getoption("--update"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_same_judgement_is_the_same_record() -> None:
    assert record_of(judged(), SUBJECT, JOB, SECRET) == record_of(judged(), SUBJECT, JOB, SECRET)
    other = record_of(judged(after=BEFORE), SUBJECT, JOB, SECRET)
    assert other["id"] != record_of(judged(), SUBJECT, JOB, SECRET)["id"]


def test_a_record_carries_both_versions_drawn_for_the_report_of_a_pull_request() -> None:
    drawn = ("··▁▁", "··█▁")
    document = record_of(judged(), SUBJECT, JOB, SECRET, drawn)
    schema = json.loads((Path(tocsin.__file__).parent / "schemas/canary-record.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert of_record(read(document)).drawn == drawn and signed(read(document), SECRET)
    stage = {**document["stages"][0], "drawn": {"old": "", "new": "··▁▁"}}
    assert not signed(read({**document, "stages": [stage]}), SECRET)
    for odd in ("x", ["x"], {"old": None}, {"old": 3}):
        assert of_record(read({**document, "stages": [{**stage, "drawn": odd}]})).drawn in (
            ("", ""),
            ("3", ""),
        )
    assert of_record(read(record_of(judged(), SUBJECT, JOB, SECRET))).drawn == ("", "")


CASES: dict[str, Any] = {
    "changed": lambda: judged(),
    "failed": lambda: judged(after={"a": every(50)}),
    "added": lambda: judge(compared(None, AFTER), POLICY, TODAY, tested=False),
    "removed": lambda: judge(compared(BEFORE, None), POLICY, TODAY, tested=False),
    "quiet": lambda: judged({}, {}),
    "silent": lambda: judged({"a": every(5)}, {}),
    "not needed": lambda: not_needed(KEY),
}


@pytest.mark.parametrize("case", CASES)
def test_the_reader_and_the_schema_take_every_record(case: str) -> None:
    schema = json.loads((Path(tocsin.__file__).parent / "schemas/canary-record.schema.json").read_text())
    document = record_of(CASES[case](), SUBJECT, JOB, SECRET)
    jsonschema.Draft202012Validator(schema).validate(document)
    found = read(document)
    assert found.verdict == CASES[case]().verdict and signed(found, SECRET)
    assert (found.old_digest, found.new_digest, found.key) == (OLD, NEW, KEY)


def test_a_good_record_is_admitted_by_the_policy_it_was_judged_by() -> None:
    result = judged()
    assert result.verdict == "pass"
    document = record_of(result, SUBJECT, JOB, SECRET)
    assert refused(document) is None
    assert refused({**document, "tool": "0.5.0"}) == "bad-signature"
    assert refused(record_of(result, SUBJECT, JOB)) == "unsigned"


def test_a_quiet_one_and_a_failed_one() -> None:
    assert refused(record_of(judged({}, {}), SUBJECT, JOB, SECRET)) is None
    assert refused(record_of(judged(after={"a": every(50)}), SUBJECT, JOB, SECRET)) == "failed"


def test_a_change_that_loosens_its_own_gates_is_not_admitted() -> None:
    lax = CanaryPolicy(gates={"": {**DEFAULT_GATES, "pages": GateLimits(critical=False)}})
    result = judged(after={"a": every(50)}, policy=lax)
    assert result.verdict != "fail"
    assert refused(record_of(result, SUBJECT, JOB, SECRET)) == "loosened"
    assert refused(record_of(result, SUBJECT, JOB, SECRET), lax) is None


@pytest.mark.parametrize("gate", [each for each in DEFAULT_GATES if each != "fidelity"])
def test_each_gate_is_demanded_of_the_record(gate: Any) -> None:
    """No gate of the policy can be tightened without the record noticing."""
    limits = DEFAULT_GATES[gate]
    stricter = GateLimits(
        critical=True,
        at_most={name: value - 0.001 for name, value in limits.at_most.items()},
        at_least={name: value + 0.001 for name, value in limits.at_least.items()},
    )
    today = CanaryPolicy(gates={"": {**DEFAULT_GATES, gate: stricter}})
    assert refused(record_of(judged(), SUBJECT, JOB, SECRET), today) == "loosened"


def test_a_waived_failure_is_admitted_while_the_waiver_holds() -> None:
    waived = replace(
        POLICY,
        waivers=(
            WaivedGate(rule=KEY.id, gate="pages", by="dana", reason="load test", expires=TODAY),
            WaivedGate(rule=KEY.id, gate="unmatched", by="dana", reason="load test", expires=TODAY),
        ),
    )
    document = record_of(judged(after={"a": every(50)}, policy=waived), SUBJECT, JOB, SECRET)
    assert refused(document) is None
    tomorrow = admit(read(document), KEY, NEW, Policy(key=SECRET), TODAY + timedelta(days=1))
    assert tomorrow is not None and tomorrow.reason == "waiver"


def test_what_could_not_be_replayed_waits_for_a_second_person() -> None:
    pair = replayed(BEFORE, AFTER)
    assert pair.new is not None
    why = Exactness(level="not-backtestable", why=("reads ALERTS",))
    found = compare(replace(pair, new=replace(pair.new, timeline=None, exactness=why)), WINDOW, POLICY)
    result = judge(found, POLICY, TODAY, tested=True)
    assert refused(record_of(result, SUBJECT, JOB, SECRET)) == "not-backtestable"
    assert refused(record_of(result, SUBJECT, replace(JOB, approver="dana"), SECRET)) == "not-backtestable"
    assert refused(record_of(result, SUBJECT, replace(JOB, approver="eve"), SECRET)) is None


def test_time_is_given_and_in_utc() -> None:
    local = datetime(2026, 11, 21, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    document = record_of(judged(), SUBJECT, replace(JOB, created=local), SECRET)
    assert (document["created"], document["expires"]) == ("2026-11-22T04:30:00Z", "2026-12-06")
    short = replace(JOB, policy=replace(POLICY, expires=Duration(3 * DAY)))
    assert record_of(judged(), SUBJECT, short, SECRET)["expires"] == "2026-11-24"
    with pytest.raises(ValueError, match="zone"):
        record_of(judged(), SUBJECT, replace(JOB, created=datetime(2026, 11, 21)), SECRET)  # noqa: DTZ001


def test_a_policy_is_told_by_what_a_judgement_depends_on() -> None:
    mine = policy_sha256(POLICY)
    assert policy_sha256(replace(POLICY, scope={"cluster": "x"}, rollback={})) == mine
    changes: list[dict[str, Any]] = [
        {"group_by": ("alertname",)},
        {"complete": frozenset()},
        {"gates": {"": {**DEFAULT_GATES, "pages": GateLimits(critical=False)}}},
        {"waivers": (WaivedGate(rule="a", gate="pages", by="b", reason="c", expires=TODAY),)},
    ]
    for change in changes:
        assert policy_sha256(replace(POLICY, **change)) != mine


def test_a_live_rule_that_nobody_could_decode_is_kept_as_it_was() -> None:
    subject = replace(SUBJECT, old_object={"uid": "x"})
    assert read(record_of(judged(), subject, JOB, SECRET)).old_object == {"uid": "x"}
    assert not isinstance(read_record("{}"), Record) and isinstance(read_record("{}"), RecordProblem)
