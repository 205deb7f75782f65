"""Front matter and prose become a Sop or an Incident; a mistake is reported and hides as little as it can."""

from __future__ import annotations

import json
import pickle

import pytest

from tocsin.diag import Diagnostic, SourceFile
from tocsin.ir.sop import Incident, QuickCheck, Review, Sop
from tocsin.load.sops import load_incident, load_sop

SOP = """\
---
id: SOP-KAFKA-007
title: Consumers fall behind
status: active
severity: P1
services: [kafka, orders]
owner: team-streaming
rto: 10m
review: {last: 2026-05-02, every: 90d, by: team-streaming}
aliases: [/old/lag]
symptoms: [orders late]
log_patterns: ['(?i)lease expired']
error_codes: [ERR_KAFKA_021]
incidents: [INC-2026-004]
quick_checks:
  - {symptom: lag grows, check: look at the brokers, log_pattern: rebalance}
  - {symptom: lag jumps, check: look at the producers}
escalation: [{after: 15m, to: secondary, send: [lag]}]
x-ours: {nested: [1, two]}
---
# Consumers fall behind

## Impact

See [the other](SOP-KAFKA-001.md).

## 验证

<!-- tocsin: read -->
```promql
sum(lag)
```
"""
INCIDENT = """\
---
id: INC-2026-004
title: Orders stopped
start: 2026-05-02T03:10:00Z
detected: 2026-05-02T03:19:00Z
end: 2026-05-02T05:00:00+02:00
severity: P1
services: [orders]
alerts: [kafka-consumer-lag]
missed: [kafka-no-leader]
sops: [SOP-KAFKA-007]
found_by: customer
labels: {cluster: prod-a}
metrics: [{name: lag, normal: 5, fault: 12.8 s}]
actions: [{what: alert on leaders, owner: team-streaming, done: true}]
---
## What happened

It broke.
"""


def sop(text: str = SOP, path: str = "sops/kafka/SOP-KAFKA-007.md") -> tuple[Sop | None, list[Diagnostic]]:
    made, found = load_sop(SourceFile(path=path, text=text))
    return made, list(found)


def changed(old: str, new: str, text: str = SOP) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_everything_written_arrives() -> None:
    made, found = sop()
    assert found == [] and made is not None
    assert (made.id, made.title, made.status, made.severity) == (
        "SOP-KAFKA-007",
        "Consumers fall behind",
        "active",
        "P1",
    )
    assert (made.services, made.owner, made.rto) == (("kafka", "orders"), "team-streaming", "10m")
    assert made.review == Review(last="2026-05-02", every="90d")
    assert made.quick_checks == (
        QuickCheck(symptom="lag grows", check="look at the brokers", log_pattern="rebalance"),
        QuickCheck(symptom="lag jumps", check="look at the producers"),
    )
    assert (made.aliases, made.symptoms, made.error_codes) == (
        ("/old/lag",),
        ("orders late",),
        ("ERR_KAFKA_021",),
    )
    assert (made.log_patterns, made.incidents) == (("(?i)lease expired",), ("INC-2026-004",))
    assert (made.language, made.translation_of, made.manual, made.stub) == ("en", None, False, False)
    assert made.anchors == {"consumers-fall-behind", "impact", "verify"}
    assert [each.target for each in made.body.links] == ["SOP-KAFKA-001.md"]
    assert [each.span.slice(SOP) for each in made.body.fences] == ["sum(lag)"]
    assert made.origin.value("rto").slice(SOP) == "10m"


def test_meta_holds_the_optional_keys_as_plain_data() -> None:
    made, _ = sop()
    assert made is not None
    assert made.meta["escalation"] == [{"after": "15m", "to": "secondary", "send": ["lag"]}]
    assert made.meta["x-ours"] == {"nested": [1, "two"]}
    assert made.meta["review"] == {"last": "2026-05-02", "every": "90d", "by": "team-streaming"}
    assert not {"id", "title", "status", "services", "owner"} & made.meta.keys()
    assert type(made.meta["x-ours"]) is dict
    json.dumps(made.meta)


def test_an_incident_arrives() -> None:
    made, found = load_incident(SourceFile(path="incidents/INC-2026-004.md", text=INCIDENT))
    assert found == () and isinstance(made, Incident)
    assert (made.id, made.start, made.mitigated, made.found_by) == (
        "INC-2026-004",
        "2026-05-02T03:10:00Z",
        None,
        "customer",
    )
    assert (made.alerts, made.missed, made.sops) == (
        ("kafka-consumer-lag",),
        ("kafka-no-leader",),
        ("SOP-KAFKA-007",),
    )
    assert made.labels == {"cluster": "prod-a"}
    assert made.meta["metrics"] == [{"name": "lag", "normal": 5, "fault": "12.8 s"}]


def test_both_can_be_cached() -> None:
    made, _ = sop()
    incident, _ = load_incident(SourceFile(path="incidents/INC-2026-004.md", text=INCIDENT))
    assert made is not None and incident is not None
    again, incident_again = pickle.loads(pickle.dumps((made, incident)))
    assert (again, incident_again) == (made, incident)
    assert again.origin.value("rto") == made.origin.value("rto")


@pytest.mark.parametrize(
    ("path", "lines", "language", "translation_of", "codes"),
    [
        ("SOP-KAFKA-007.md", "", "en", None, []),
        ("SOP-KAFKA-007.zh.md", "", "zh", "SOP-KAFKA-007", []),
        ("SOP-KAFKA-007.md", "lang: zh\n", "zh", None, []),
        ("SOP-KAFKA-007.zh.md", "lang: zh\ntranslation_of: SOP-KAFKA-007\n", "zh", "SOP-KAFKA-007", []),
        ("SOP-KAFKA-007.zh.md", "lang: en\n", "zh", "SOP-KAFKA-007", ["TOC608"]),
        ("SOP-KAFKA-007.zh.md", "translation_of: SOP-KAFKA-008\n", "zh", "SOP-KAFKA-008", ["TOC608"]),
        ("SOP-KAFKA-008.md", "", "en", None, ["TOC607"]),
        ("sop-kafka-007.md", "", "en", None, ["TOC607"]),
        ("lag.md", "", "en", None, ["TOC607"]),
        ("SOP-KAFKA-007.zh-CN.md", "", "en", None, ["TOC607"]),
        ("SOP-KAFKA-007.draft.md", "", "en", None, ["TOC607"]),
    ],
)
def test_language_and_file_name(
    path: str, lines: str, language: str, translation_of: str | None, codes: list[str]
) -> None:
    made, found = sop(changed("rto: 10m\n", "rto: 10m\n" + lines), f"sops/kafka/{path}")
    assert made is not None
    assert (made.language, made.translation_of) == (language, translation_of)
    assert [each.code for each in found] == codes
    assert all(each.help for each in found)


def test_an_incident_has_no_translations() -> None:
    made, found = load_incident(SourceFile(path="incidents/INC-2026-004.zh.md", text=INCIDENT))
    assert made is not None
    assert [each.code for each in found] == ["TOC607"]


@pytest.mark.parametrize(
    ("old", "new", "code", "under"),
    [
        ("severity: P1", "severtiy: P1", "TOC201", "severtiy"),
        ("title: Consumers fall behind\n", "", "TOC202", "id: SOP-KAFKA-007"),
        ("services: [kafka, orders]", "services: kafka", "TOC203", "kafka"),
        ("status: active", "status: live", "TOC204", "live"),
        ("rto: 10m", "rto: soon", "TOC205", "soon"),
        ("every: 90d", "every: 90", "TOC203", "90"),
        ("aliases: [/old/lag]", "aliases: [5]", "TOC203", "5"),
        ("review: {last", "review: {lats", "TOC201", "lats"),
    ],
)
def test_a_mistake_hides_nothing_else(old: str, new: str, code: str, under: str) -> None:
    """The SOP is there all the same: alerts that point to it are not said to point nowhere."""
    text = changed(old, new)
    made, found = sop(text)
    assert [(each.code, each.span.slice(text)) for each in found] == [(code, under)]
    assert made is not None and made.id == "SOP-KAFKA-007" and made.anchors >= {"impact", "verify"}


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("# no front matter\n", "TOC116", "1:1"),
        ("---\nid: [\n---\n", "TOC101", "3:1"),
        ("---\n- a\n---\n", "TOC203", "2:1"),
        (changed("id: SOP-KAFKA-007", "id: kafka"), "TOC204", "2:5"),
        (changed("id: SOP-KAFKA-007\n", ""), "TOC202", "2:1"),
        (changed("id: SOP-KAFKA-007", "id: 7"), "TOC203", "2:5"),
        ("", "TOC109", "1:1"),
    ],
)
def test_without_a_readable_id_there_is_no_sop(text: str, code: str, place: str) -> None:
    made, found = sop(text)
    assert made is None
    assert [(each.code, each.span.place) for each in found] == [
        (code, f"sops/kafka/SOP-KAFKA-007.md:{place}")
    ]


def test_findings_come_in_the_order_of_the_file() -> None:
    text = changed("rto: 10m", "rto: soon", changed("id: SOP-KAFKA-007", "id: SOP-KAFKA-008\nmanual: on"))
    _, found = sop(text)
    assert [each.code for each in found] == ["TOC607", "TOC107", "TOC203", "TOC205"]
    assert [each.span.line for each in found] == sorted(each.span.line for each in found)
