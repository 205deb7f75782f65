"""Verdicts of people on firings: three formats, and every way a row is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.replaying import MINUTE, T0

from tocsin.canary import labels
from tocsin.canary.labels import BadRow, Said, read_said
from tocsin.diag import SourceFile

ROW = {
    "rule": "kafka-consumer-lag",
    "labels": {"cluster": "x"},
    "start": "2026-08-10T01:00:00Z",
    "end": "2026-08-10T03:10:00+02:00",
    "verdict": "noise",
    "by": "dana",
}
SAID = Said(
    rule="kafka-consumer-lag",
    alertname="",
    labels=(("cluster", "x"),),
    start_ms=T0 + 60 * MINUTE,
    end_ms=T0 + 70 * MINUTE,
    verdict="noise",
    by="dana",
)


def read(text: str, name: str = "verdicts.jsonl") -> tuple[tuple[Said, ...], tuple[BadRow, ...]]:
    return read_said([SourceFile(path=name, text=text)])


def one(row: object) -> Said | str:
    """What one row says, or why it says nothing."""
    said, bad = read(json.dumps(row))
    assert len(said) + len(bad) == 1
    return said[0] if said else bad[0].text


def test_jsonl() -> None:
    assert read(json.dumps(ROW) + "\n\n" + json.dumps({**ROW, "verdict": "TRUE", "end": ""}) + "\n")[0] == (
        SAID,
        Said(
            rule="kafka-consumer-lag",
            alertname="",
            labels=(("cluster", "x"),),
            start_ms=T0 + 60 * MINUTE,
            end_ms=None,
            verdict="true",
            by="dana",
        ),
    )


def test_csv() -> None:
    said, bad = read(
        "rule,start,end,verdict,by,cluster,zone,reason\n"
        'kafka-consumer-lag,2026-08-10T01:00:00Z,2026-08-10T01:10:00Z, noise ,dana,x,,"no, really"\n'
        "\n"
        "kafka-consumer-lag,2026-08-10T01:00:00Z,,maybe,dana,x,,\n"
        "kafka-consumer-lag,2026-08-10T01:00:00Z\n",
        "Verdicts.CSV",
    )
    assert said == (SAID,)
    assert [each.text for each in bad] == [
        "Verdicts.CSV:4: `verdict` is `maybe`, and must be true, false or noise",
        "Verdicts.CSV:5: has 2 cells, and the head 8",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rule,start,verdict\n", "1: there is no column `by`"),
        ("start,verdict,by,by\n", "1: two columns have one name"),
        ("", "1: there is no column `start`"),
        ('start,verdict,by\n"x', "2: is no CSV"),
        ("start,verdict,by\n" + "x" * 200_000 + ",true,d\n", "is no CSV"),
    ],
)
def test_what_is_no_csv(text: str, says: str) -> None:
    said, bad = read(text, "v.csv")
    assert not said and len(bad) == 1 and says in bad[0].text


def payload(**more: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "status": "resolved",
        "commonAnnotations": {"verdict_by": "dana"},
        "alerts": [
            {
                "status": "resolved",
                "labels": {
                    "alertname": "KafkaConsumerLagPage",
                    "rule_id": "kafka-consumer-lag",
                    "cluster": "x",
                },
                "annotations": {"verdict": "noise"},
                "startsAt": "2026-08-10T01:00:00Z",
                "endsAt": "2026-08-10T01:10:00Z",
            },
            {"labels": {"alertname": "Other"}, "annotations": {}, "startsAt": "2026-08-10T01:00:00Z"},
            "no alert",
        ],
    } | more


@pytest.mark.parametrize("indent", [None, 2])
def test_webhook_payloads(indent: int | None) -> None:
    said, bad = read(json.dumps(payload(), indent=indent), "hook.json")
    assert bad == ()
    assert [
        (each.rule, each.alertname, each.verdict, each.by, each.start_ms, each.end_ms) for each in said
    ] == [("kafka-consumer-lag", "KafkaConsumerLagPage", "noise", "dana", SAID.start_ms, SAID.end_ms)]
    assert dict(said[0].labels) == {"cluster": "x", "rule_id": "kafka-consumer-lag"}


def test_a_payload_of_what_still_fires_and_several_a_line() -> None:
    going = payload()
    going["alerts"][0]["endsAt"] = "0001-01-01T00:00:00Z"
    said, bad = read("\n".join([json.dumps(going), json.dumps(payload())]))
    assert [each.end_ms for each in said] == [None, SAID.end_ms] and not bad


def test_one_bad_alert_of_a_payload_hides_no_other() -> None:
    both = payload()
    both["alerts"].insert(0, {**both["alerts"][0], "startsAt": "yesterday"})
    said, bad = read(json.dumps(both))
    assert len(said) == 1 and [each.reason for each in bad] == [
        "`yesterday` is no time with a zone, like 2026-11-21T10:00:00Z"
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([], "is no object"),
        ("x", "is no object"),
        ({}, "names neither a `rule` nor an `alertname`"),
        ({**ROW, "rule": 5}, "`rule` is no text"),
        ({**ROW, "rule": ""}, "names neither"),
        ({**ROW, "labels": [1]}, "`labels` is no mapping"),
        ({**ROW, "labels": {"a": 5}}, "the label `a` is no text"),
        ({**ROW, "labels": {f"l{n}": "" for n in range(200)}}, "`labels` is no mapping"),
        ({**ROW, "verdict": None}, "`verdict` is no text"),
        ({**ROW, "verdict": "x" * 5000}, "`verdict` is longer than"),
        ({**ROW, "by": ""}, "does not say who"),
        ({**ROW, "start": None}, "has no `start`"),
        ({**ROW, "start": "2026-08-10T01:00:00"}, "no time with a zone"),
        ({**ROW, "start": "9999-12-31T23:59:59-14:00"}, "no time with a zone|lies before"),
        ({**ROW, "end": 5}, "has no `end`"),
        ({**ROW, "end": "2026-08-10T00:59:59Z"}, "`end` lies before `start`"),
    ],
)
def test_a_row_that_says_nothing_has_a_place_and_a_reason(row: object, says: str) -> None:
    found = one(row)
    assert isinstance(found, str) and found.startswith("verdicts.jsonl:1: ")
    assert any(each in found for each in says.split("|"))


def test_true_without_quotes_is_a_word() -> None:
    found = one({**ROW, "verdict": True})
    assert isinstance(found, Said) and found.verdict == "true"


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, '{"a":' * 50_000 + "1", "\x00", "{}{}", '{"alerts": 5}', '{"alerts": [[]]}']
)
def test_nothing_raises(text: str) -> None:
    for name in ("v.csv", "v.json", "v.jsonl", ""):
        said, _ = read(text, name)
        assert said == ()


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not read" in read(" " * (labels.MAX_TEXT + 1))[1][0].text
    assert len(read("x\n" * 500)[1]) == labels.MAX_BAD
    monkeypatch.setattr(labels, "MAX_ROWS", 3)
    said, bad = read((json.dumps(ROW) + "\n") * 5)
    assert len(said) == 3 and "the rest is not read" in bad[0].text


def test_files_are_read_in_their_order() -> None:
    files = [SourceFile(path=name, text=json.dumps({**ROW, "by": name})) for name in ("b.json", "a.json")]
    assert [each.by for each in read_said(files)[0]] == ["b.json", "a.json"]
