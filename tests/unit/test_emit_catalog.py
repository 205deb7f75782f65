"""catalog.json and manifest.json: valid by their published schemas, both directions of links, stable bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.builders import (
    alert_source,
    environment,
    evaluator,
    group,
    levels,
    origin,
    project,
    record,
    resolved,
    rule,
    rule_file,
)

import tocsin
from tocsin.diag import SourceFile
from tocsin.emit import catalog, manifest
from tocsin.ir.compiled import Resolved
from tocsin.ir.rule import GroupSource, RecordSource
from tocsin.load.sops import load_incident, load_sop

SCHEMAS = Path(tocsin.__file__).parent / "schemas"
SOP = """\
---
id: SOP-KAFKA-007
title: Consumer lag
status: active
owner: team-streaming
services: [kafka]
incidents: [INC-2026-001]
---
# Consumer lag
"""
INCIDENT = """\
---
id: INC-2026-004
title: Billing stood still
start: 2026-03-01T10:00:00Z
found_by: alert
services: [kafka]
alerts: [kafka-consumer-lag]
sops: [SOP-KAFKA-007]
---
# Billing stood still
"""


def valid(text: str, name: str) -> dict[str, Any]:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    read: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(schema).validate(read)
    return read


def service() -> Resolved:
    lag = record()
    page = rule(level="page", annotations={"summary": "积压"})
    mirror = replace(page, mirror=True, paused=True, evaluator=evaluator("g", "grafana", (12, 0, 0)))
    return resolved(group(lag, page, rule(level="ticket", severity="P2")), group(mirror, name="mirrors"))


def contents() -> catalog.Contents:
    lag = alert_source(sop_ref="SOP-KAFKA-007#mitigate", levels=levels("ticket", "page"))
    other = alert_source("kafka-down", "KafkaDown")
    sum_of = RecordSource(
        id="consumergroup:kafka_lag:sum",
        record="consumergroup:kafka_lag:sum",
        expr="x",
        service="kafka",
        origin=origin(),
    )
    sop, _ = load_sop(SourceFile(path="sops/kafka/SOP-KAFKA-007.md", text=SOP))
    incident, _ = load_incident(SourceFile(path="incidents/INC-2026-004.md", text=INCIDENT))
    assert sop is not None and incident is not None
    return catalog.Contents(
        files=[rule_file(GroupSource(name="lag", rules=(sum_of, lag, other), origin=origin()))],
        every=[service()],
        sops=[sop],
        incidents=[incident],
        frozen=frozenset({"broken"}),
    )


def test_the_catalog_is_valid_by_its_schema() -> None:
    (artifact,) = catalog.emit(contents(), project())
    assert artifact.path == "catalog.json"
    assert artifact.text.endswith("}\n")
    valid(artifact.text, "catalog")


def test_both_directions_of_every_link_are_in_the_catalog() -> None:
    read = valid(next(catalog.emit(contents(), project())).text, "catalog")
    assert read["alerts"]["kafka-consumer-lag"]["sop"] == "SOP-KAFKA-007"
    assert read["sops"]["SOP-KAFKA-007"]["alerts"] == ["kafka-consumer-lag"]
    assert read["sops"]["SOP-KAFKA-007"]["incidents"] == ["INC-2026-001", "INC-2026-004"]
    assert read["incidents"]["INC-2026-004"]["sops"] == ["SOP-KAFKA-007"]
    assert read["alerts"]["kafka-consumer-lag"]["incidents"] == ["INC-2026-004"]
    assert read["alerts"]["kafka-down"]["sop"] is None
    assert read["services"]["kafka"] == {
        "owners": ["team-streaming"],
        "alerts": ["kafka-consumer-lag", "kafka-down"],
        "records": ["consumergroup:kafka_lag:sum"],
        "sops": ["SOP-KAFKA-007"],
    }
    assert read["sops"]["SOP-KAFKA-007"]["url"] == "https://runbooks.example.org/sop/SOP-KAFKA-007/"


def test_every_compiled_rule_stands_under_what_it_was_compiled_from() -> None:
    read = valid(next(catalog.emit(contents(), project())).text, "catalog")
    deployed = read["alerts"]["kafka-consumer-lag"]["deployed"]
    assert [(each["level"], each["severity"], each["mirror"]) for each in deployed] == [
        ("page", "P1", False),
        ("ticket", "P2", False),
        ("page", "P1", True),
    ]
    assert len(read["records"]["kafka/consumergroup:kafka_lag:sum"]["deployed"]) == 1
    assert read["alerts"]["kafka-down"]["deployed"] == []
    assert read["frozen"] == ["broken"]
    assert "broken" in read["services"]


def test_the_manifest_has_a_row_for_every_compiled_rule() -> None:
    (artifact,) = manifest.emit([service()], project(), ["z", "a"])
    assert artifact.path == "manifest.json"
    read = valid(artifact.text, "manifest")
    assert read["frozen"] == ["a", "z"]
    assert sorted(read["rules"]) == [
        "prod/kafka-consumer-lag/page",
        "prod/kafka-consumer-lag/page@g",
        "prod/kafka-consumer-lag/ticket",
        "prod/kafka/consumergroup:kafka_lag:sum",
    ]
    page = next(each for each in service().alerts if each.key.level == "page")
    assert read["rules"]["prod/kafka-consumer-lag/page"] == {
        "digest": page.digest,
        "evaluator": "main",
        "kind": "alert",
        "service": "kafka",
        "uid": page.uid,
        "version": "unreleased",
    }


def test_the_version_of_tocsin_is_in_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [
        next(catalog.emit(contents(), project())).text,
        next(manifest.emit([service()], project())).text,
    ]
    monkeypatch.setattr(tocsin, "__version__", "999.1.2")
    after = [next(catalog.emit(contents(), project())).text, next(manifest.emit([service()], project())).text]
    assert before == after
    assert "999.1.2" not in "".join(after)


def test_the_order_in_which_services_come_changes_no_byte() -> None:
    other = resolved(group(rule("b", "B", service="b")), service="b")
    one = next(manifest.emit([service(), other], project(environment("prod")))).text
    assert one == next(manifest.emit([other, service()], project(environment("prod")))).text


def test_each_rule_has_its_own_line() -> None:
    text = next(manifest.emit([service()], project())).text
    assert sum('"digest"' in line for line in text.splitlines()) == 4
