"""Which commit changed what an alert says, and which only moved words about."""

from __future__ import annotations

import pytest

from tocsin.ir.history import Change
from tocsin.load.meaning import Version, changed_alerts, meanings

FILE = """\
version: 1
service: kafka
owner: team-streaming
params: {limit: 5000, other: 1}
groups:
  - name: lag
    interval: 30s
    rules:
      - alert: KafkaConsumerLag
        id: kafka-consumer-lag
        sop_ref: SOP-KAFKA-007
        severity: P1
        expr: sum by (group) (lag{topic="a b"}) > ${limit}
        for: 5m
        summary: behind
        levels:
          page: {severity: P1, for: 5m, summary: behind}
"""
ID = "kafka-consumer-lag"


def meaning(text: str) -> str | None:
    return meanings("rules/kafka/lag.yaml", text).get(ID)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1\n", "version: 1\n# a comment\n"),
        ("summary: behind", "summary: far behind"),
        ("owner: team-streaming", "owner: team-platform"),
        ("sop_ref: SOP-KAFKA-007", "sop_ref: SOP-KAFKA-008"),
        ("for: 5m\n", "for: 300s\n"),
        ("interval: 30s", "interval: 30000ms"),
        ("other: 1", "other: 2"),
        ("name: lag", "name: delay"),
        (
            'expr: sum by (group) (lag{topic="a b"}) > ${limit}',
            'expr: |\n          sum by(group)(\n            lag{ topic = "a b" } # the lag\n          )   >${limit}',
        ),
        ("        severity: P1\n        expr", "        severity: 'P1'\n\n        expr"),
    ],
)
def test_what_is_no_change(old: str, new: str) -> None:
    assert old in FILE
    assert meaning(FILE) is not None
    assert meaning(FILE.replace(old, new)) == meaning(FILE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit: 5000", "limit: 6000"),
        ("interval: 30s", "interval: 1m"),
        ("for: 5m\n", "for: 6m\n"),
        ("page: {severity: P1", "page: {severity: P2"),
        ('topic="a b"', 'topic="ab"'),
        ("sum by (group)", "max by (group)"),
        ("alert: KafkaConsumerLag", "alert: KafkaLag"),
        ("(lag{", '(lag{x="1", '),
        ("service: kafka", "service: queue"),
    ],
)
def test_what_is_one(old: str, new: str) -> None:
    assert old in FILE
    assert meaning(FILE.replace(old, new)) not in (None, meaning(FILE))


@pytest.mark.parametrize("text", ["", "[", "- 1", "groups: 7", "groups: [{rules: [7, {alert: X}]}]", "\t"])
def test_an_old_version_may_be_anything(text: str) -> None:
    assert meanings("rules/a.yaml", text) == {}


def change(day: int) -> Change:
    return Change(commit=f"c{day}", at=f"2026-05-{day:02}T00:00:00+00:00", author="a", subject="s")


def version(before: str | None, after: str | None, path: str = "rules/kafka/lag.yaml") -> Version:
    return Version(path, before, after)


OTHER = FILE.replace("limit: 5000", "limit: 1")


def test_the_newest_change_after_the_review_is_the_one() -> None:
    commits = [
        (change(9), (version(FILE, FILE.replace("behind", "late")),)),
        (change(8), (version(OTHER, FILE),)),
        (change(7), (version(FILE, OTHER),)),
    ]
    assert changed_alerts(commits, {ID: "2026-05-01"}) == {ID: change(8)}
    assert changed_alerts(commits, {ID: "2026-05-07"}) == {ID: change(8)}
    assert changed_alerts(commits, {ID: "2026-05-08"}) == {}, (
        "a change on the day of the review was seen by it"
    )
    assert changed_alerts(commits, {}) == {}
    assert changed_alerts(commits, {"another": "2026-05-01"}) == {}


def test_a_move_to_another_file_is_no_change_nor_is_a_beginning_or_an_end() -> None:
    moved = (version(FILE, None), version(None, FILE, "rules/kafka/new.yaml"))
    assert changed_alerts([(change(8), moved)], {ID: "2026-05-01"}) == {}
    assert changed_alerts([(change(8), moved[1:])], {ID: "2026-05-01"}) == {}
    assert changed_alerts([(change(8), moved[:1])], {ID: "2026-05-01"}) == {}
