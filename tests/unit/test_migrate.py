"""`tocsin migrate`: what each key of version 0 becomes, what is refused, and that nothing else is touched."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_hostile import HOSTILE

from tocsin.cli import main
from tocsin.diag import SourceFile
from tocsin.disk import write as disk
from tocsin.source.migrate import migrate
from tocsin.source.old_formats import QUIET, TABLES
from tocsin.source.schema import KINDS, Kind, conform, schema_text
from tocsin.source.tree import read_document

RULES = """\
# yaml-language-server: none
version: 0
service: kafka
team: streaming

# Everything about lag.
rules:
- name: KafkaLag   # page
  id: kafka-lag
  rule_version: 1.4.0
  ticket: INFRA-2891  # the big one
  # records waiting
  expr: |
    # in all
    sum by (group) (kafka_lag)
      > $threshold
  threshold: 10000   # was 5000
  duration: 5m
  priority: P1
  runbook_url: https://wiki.example.com/sops/SOP-KAFKA-007.md#confirm  # moved
  summary: "{{ $labels.group }} is behind by more than $threshold"
# between
- record: group:lag:sum
  expr: 'sum by (group) (kafka_lag)'

- {name: KafkaDown, id: kafka-down, ticket: X-1, expr: "up < $threshold", threshold: 1, priority: P2, runbook: SOP-KAFKA-007, rule_version: '2'}
# the end
"""
RULES_1 = """\
# yaml-language-server: none
version: 1
service: kafka
owner: streaming

# Everything about lag.
groups:
  - name: kafka
    rules:
    - alert: KafkaLag   # page
      id: kafka-lag
      # the big one
      # records waiting
      expr: |
        # in all
        sum by (group) (kafka_lag)
          > ${threshold}
      params: {threshold: 10000}   # was 5000
      for: 5m
      severity: P1
      sop_ref: SOP-KAFKA-007#confirm  # moved
      summary: "{{ $labels.group }} is behind by more than ${threshold}"
    # between
    - record: group:lag:sum
      expr: 'sum by (group) (kafka_lag)'

    - {alert: KafkaDown, id: kafka-down, expr: "up < ${threshold}", params: {threshold: 1}, severity: P2, sop_ref: SOP-KAFKA-007}
# the end
"""
PROJECT = """\
# The project
version: 0   # draft
name: shop  # never changes
priorities:
  # wakes
  P1: {label: {severity: critical}, pages: true}
  P2:
    label: {severity: warning}   # ticket
teams:
  streaming: {name: Streaming, chat: "#streaming"}
site_url: https://runbooks.example.com # public
environments:
  prod:
    prometheus: "3.5"   # as deployed
  dev: {prometheus: 2.53.1}
"""
PROJECT_1 = """\
# The project
version: 1   # draft
project: shop  # never changes
severities:
  # wakes
  P1: {label: {severity: critical}, pages: true}
  P2:
    label: {severity: warning}   # ticket
teams:
  streaming: {name: Streaming, chat: "#streaming"}
site: {url: "https://runbooks.example.com"} # public
environments:
  prod:
    evaluators: [{name: prometheus, kind: prometheus, version: "3.5"}]   # as deployed
  dev: {evaluators: [{name: prometheus, kind: prometheus, version: 2.53.1}]}
"""
SOP = """\
---
# front
version: 0
id: SOP-KAFKA-007
name: "A group falls behind"   # title
status: active
priority: P1
service: kafka
team: streaming
sop_version: 3
alerts:   # by hand
  - KafkaLag  # the page
  # old
  - KafkaDown
rto: 1h
---

## Confirm

version: 0 is a word here, and $threshold too.
"""
SOP_1 = """\
---
# front
id: SOP-KAFKA-007
title: "A group falls behind"   # title
status: active
severity: P1
services: [kafka]
owner: streaming
# by hand
# the page
# old
rto: 1h
---

## Confirm

version: 0 is a word here, and $threshold too.
"""
INCIDENT = """\
---
version: 0
id: INC-2026-004
name: Late
service: kafka
began: "2026-08-18T09:12Z"  # by the logs
ended: "2026-08-18T10:26Z"
priority: P1
alerts: [kafka-lag]
runbooks: [SOP-KAFKA-007]
detected_by: alert
ticket: INFRA-1
---

Text.
"""
INCIDENT_1 = """\
---
id: INC-2026-004
title: Late
services: [kafka]
start: "2026-08-18T09:12Z"  # by the logs
end: "2026-08-18T10:26Z"
severity: P1
alerts: [kafka-lag]
sops: [SOP-KAFKA-007]
found_by: alert
---

Text.
"""
PAIRS: dict[Kind, tuple[str, str, str]] = {
    "rules": ("rules/kafka/lag.yaml", RULES, RULES_1),
    "project": ("tocsin.yaml", PROJECT, PROJECT_1),
    "sop": ("sops/kafka/SOP-KAFKA-007.md", SOP, SOP_1),
    "incident": ("incidents/INC-2026-004.md", INCIDENT, INCIDENT_1),
}
HEAD = "version: 0\nservice: kafka\nrules:\n"


def moved(text: str, kind: Kind = "rules") -> str:
    made, found = migrate(SourceFile(path="f", text=text), kind)
    assert made is not None and not found, found
    return made.text


def refused(text: str, kind: Kind = "rules") -> list[tuple[str, str]]:
    """Code and place of each finding."""
    made, found = migrate(SourceFile(path="f", text=text), kind)
    assert made is None
    return [(each.code, f"{each.span.line}:{each.span.col}") for each in found]


def project(top: Path, version: int = 0) -> Path:
    for path, *texts in PAIRS.values():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(texts[version])
    return top


def texts(top: Path) -> dict[str, bytes]:
    return {str(each.relative_to(top)): each.read_bytes() for each in top.rglob("*") if each.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_moves_with_its_comments_and_layout(kind: Kind) -> None:
    _, old, new = PAIRS[kind]
    assert moved(old, kind) == new


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_present_already_is_left_alone(kind: Kind) -> None:
    assert migrate(SourceFile(path="f", text=PAIRS[kind][2]), kind) == (None, ())


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_leads_to_keys_that_exist(kind: Kind) -> None:
    schema = schema_text(kind)
    for (of, _), tables in TABLES.items():
        for rows in tables.values() if of == kind else ():
            for key, row in rows.items():
                assert row.gone or f'"{row.to or key}": {{' in schema, key
                assert not row.gone or row.gone == QUIET or len(row.gone) > 10


def test_a_whole_repository_moves_checks_and_compiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = project(tmp_path)
    before = texts(top)
    assert main(["check", str(top)]) == 1
    assert "run `tocsin migrate`" in capsys.readouterr().out
    assert main(["migrate", str(top), "--check"]) == 1
    said = capsys.readouterr().out
    assert "rules/kafka/lag.yaml:11:3: `ticket` is gone: tickets are named in commits" in said
    assert "tocsin.yaml would change" in said and texts(top) == before
    assert main(["migrate", str(top)]) == 0
    for path, _, new in PAIRS.values():
        assert (top / path).read_text() == new
    after = texts(top)
    assert main(["migrate", str(top)]) == 0 and main(["migrate", str(top), "--check"]) == 0
    assert texts(top) == after
    assert main(["build", str(top), "--no-site", "--today", "2026-11-21"]) == 0, capsys.readouterr().out
    made = (top / "dist/prometheus/prod/kafka.rules.yaml").read_text()
    assert "> 10000" in made and "for: 5m" in made and "/sop/SOP-KAFKA-007/" in made


def test_what_a_merge_key_repeats_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = project(tmp_path)
    (top / "rules/kafka/lag.yaml").write_text(
        "version: 0\nservice: kafka\nrules:\n- &one\n  name: A\n  id: a\n  expr: up == 0\n  ticket: X-1\n- <<: *one\n  name: B\n  id: b\n"
    )
    assert main(["migrate", str(top)]) == 0
    said = capsys.readouterr().out
    assert said.count("rules/kafka/lag.yaml:8:3: `ticket` is gone") == 1
    assert (top / "rules/kafka/lag.yaml").read_text().count("<<: *one") == 1


def test_one_unknown_key_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = project(tmp_path)
    path = top / "rules/kafka/lag.yaml"
    path.write_text(RULES.replace("  duration: 5m", "  durration: 5m"))
    before = texts(top)
    assert main(["migrate", str(top)]) == 1
    said = capsys.readouterr()
    assert "rules/kafka/lag.yaml:18:3: error TOC201" in said.out and "did you mean `duration`?" in said.out
    assert "nothing is written" in said.err and texts(top) == before


def test_a_disk_that_fills_up_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    top = project(tmp_path)
    before, real, seen = texts(top), disk._beside, []

    def full(path: Path, data: bytes) -> Path:
        seen.append(path)
        if len(seen) == 3:
            raise OSError(28, "No space left on device", str(path))
        return real(path, data)

    monkeypatch.setattr(disk, "_beside", full)
    assert main(["migrate", str(top)]) == 3
    assert "no space left" in capsys.readouterr().err and texts(top) == before


def test_line_ends_and_a_byte_order_mark_stay(tmp_path: Path) -> None:
    top = project(tmp_path)
    path = top / "rules/kafka/lag.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + RULES.replace("\n", "\r\n").encode())
    assert main(["migrate", str(top)]) == 0
    assert path.read_bytes() == b"\xef\xbb\xbf" + RULES_1.replace("\n", "\r\n").encode()


def test_a_link_stays_a_link_and_its_file_moves_once(tmp_path: Path) -> None:
    top = project(tmp_path)
    link = top / "rules/kafka/again.yaml"
    link.symlink_to("lag.yaml")
    assert main(["migrate", str(top)]) == 0
    assert link.is_symlink() and (top / "rules/kafka/lag.yaml").read_text() == RULES_1


def test_a_broken_file_is_a_finding_and_stops_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = project(tmp_path)
    (top / "rules/kafka/broken.yaml").write_text("version: 0\nrules: [\n")
    (top / "rules/kafka/latin.yaml").write_bytes(b"version: 0 # \xe9\n")
    before = texts(top)
    assert main(["migrate", str(top)]) == 1
    said = capsys.readouterr().out
    assert "TOC101" in said and "TOC110" in said and texts(top) == before


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD + "- {name: A, id: a, expr: up, alert: B}\n", [("TOC201", "4:30")]),
        (HEAD + "- {name: A, id: a, expr: up, groups: []}\n", [("TOC201", "4:30")]),
        (HEAD + "- {name: A, id: a}\n", [("TOC202", "4:3")]),
        (HEAD + "- up\n", [("TOC203", "4:3")]),
        (HEAD + "- {name: A, expr: up, threshold: high}\n", [("TOC203", "4:34")]),
        (HEAD + "- {name: A, expr: up, threshold: true}\n", [("TOC203", "4:34")]),
        (HEAD + "- {name: A, expr: up, labels: [a]}\n", [("TOC203", "4:31")]),
        (HEAD + "- {name: A, expr: up > $threshold}\n", [("TOC404", "4:19")]),
        (HEAD + "- {name: A, expr: up, runbook_url: https://wiki/kafka}\n", [("TOC204", "4:36")]),
        (HEAD + "- {name: A, expr: up, runbook: SOP-A-001, runbook_url: x/SOP-A-001}\n", [("TOC204", "4:43")]),
        ("version: 0\nservice: kafka\n", [("TOC202", "1:1")]),
        ("version: 0\nservice: kafka\nrules: {a: 1}\n", [("TOC203", "3:8")]),
        ("{version: 0, service: kafka, rules: []}\n", [("TOC204", "1:37")]),
        (HEAD + "- {name: A, expr: up, ticket: [\n  1]}\n", [("TOC204", "4:31")]),
        (HEAD + "- rule_version: 1  # why\n  name: A\n  expr: up\n", [("TOC204", "4:17")]),
        ("version: 0 \u2028# why\nservice: kafka\nrules: []\n", [("TOC107", "1:12")]),
        ("v: &v 0\nversion: *v\nservice: kafka\nrules: []\n", [("TOC201", "1:1")]),
    ],
)  # fmt: skip
def test_what_cannot_be_moved_is_a_finding_at_its_place(text: str, found: list[tuple[str, str]]) -> None:
    assert refused(text) == found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- ticket: A-1\n  name: A\n  expr: up\n", "    - alert: A\n      expr: up\n"),
        ("- name: A\n  expr: up\n  ticket: A-1", "    - alert: A\n      expr: up\n"),
        ("  -   name: A\n      expr: up\n", "      -   alert: A\n          expr: up\n"),
        ("- {expr: up, name: A,\n   ticket: 1}\n", "    - {expr: up, alert: A}\n"),
        ('- "name": A\n  expr: up\n', "    - alert: A\n      expr: up\n"),
        ("- name: A\n  expr: >-\n    up\n    > $threshold\n  threshold: 1.50\n",
         "    - alert: A\n      expr: >-\n        up\n        > ${threshold}\n      params: {threshold: 1.50}\n"),
        ("- name: A\n  expr: |2\n      up\n    > 1\n", "    - alert: A\n      expr: |2\n          up\n        > 1\n"),
        ("- name: A\n  expr: 'label_replace(up, \"a\", \"${x}$1\", \"b\", \".*\")'\n",
         "    - alert: A\n      expr: 'label_replace(up, \"a\", \"$${x}$1\", \"b\", \".*\")'\n"),
        ("- name: A\n  expr: up\n  summary: '{{ $threshold := 1 }}{{ $threshold }}'\n",
         "    - alert: A\n      expr: up\n      summary: '{{ $threshold := 1 }}{{ $threshold }}'\n"),
        ("- name: A\n  expr: up\n  runbook: 'x/SOP-A-001/'\n", "    - alert: A\n      expr: up\n      sop_ref: 'SOP-A-001'\n"),
        ("- &a\n  name: A\n  expr: up\n- *a\n", "    - &a\n      alert: A\n      expr: up\n    - *a\n"),
    ],
)  # fmt: skip
def test_however_it_is_written(old: str, new: str) -> None:
    assert (
        moved(HEAD + old) == "version: 1\nservice: kafka\ngroups:\n  - name: kafka\n" + "    rules:\n" + new
    )


def test_what_follows_the_list_stays_where_it_is() -> None:
    old = "rules:\n  - name: A\n    expr: up\n\n# about the team\nteam: a\nservice: kafka\nversion: 0\n"
    new = "groups:\n  - name: kafka\n    rules:\n      - alert: A\n        expr: up\n\n# about the team\nowner: a\nservice: kafka\nversion: 1\n"
    assert moved(old) == new


COMMENT = st.text(alphabet="abc #:'\"$-{}é", max_size=10).map(lambda text: f"# {text}".rstrip())
LINES = st.sampled_from(
    [
        "duration: 5m", "priority: P1", "threshold: 10", "rule_version: 1.2", "ticket: 'A # 1'", "runbook: SOP-A-001",
        'summary: "more than $threshold # of them"', "labels: {a: b}", "description: |\n      one # not a comment\n\n      two",
    ]
)  # fmt: skip


@st.composite
def rule_files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A file of version 0 and every comment in it."""
    comments: list[str] = []

    def beside() -> str:
        if not draw(st.booleans()):
            return ""
        comments.append(draw(COMMENT))
        return f"  {comments[-1]}"

    def above(margin: str) -> str:
        if not draw(st.booleans()):
            return ""
        comments.append(draw(COMMENT))
        return f"{margin}{comments[-1]}\n"

    text = above("") + f"version: 0{beside()}\nservice: kafka{beside()}\n{above('')}rules:{beside()}\n"
    for number in range(draw(st.integers(min_value=0, max_value=3)) or 1):
        lines = draw(st.lists(LINES, unique_by=lambda line: line.split(":")[0], max_size=6))
        uses = any("$threshold" in line for line in lines)
        if uses and not any(line.startswith("threshold") for line in lines):
            lines.append("threshold: 1")
        text += above("") + f"  - name: A{number}{beside()}\n"
        for line in [*lines, f"id: a{number}", "expr: up > 1"]:
            first, newline, rest = line.partition("\n")
            text += above("    ") + f"    {first}{beside()}{newline}{rest}\n"
        text += draw(st.sampled_from(["", "\n"]))
    return text + above(""), comments


def comments_of(text: str) -> list[str]:
    """Every comment as PyYAML's own scanner leaves it: what stands between two of its tokens."""
    spans = sorted(
        (each.start_mark.index, each.end_mark.index) for each in yaml.scan(text, Loader=yaml.SafeLoader)
    )
    shown = list(text)
    for start, end in spans:
        # A block scalar's token begins with its header, in whose line a comment may stand.
        header = re.match(r"[|>][-+0-9]*[^\n]*", text[start:end])
        for index in range(start + (len(header.group()) if header else 0), end):
            if shown[index] != "\n":
                shown[index] = " "
    return [line[line.index("#") :].rstrip() for line in "".join(shown).split("\n") if "#" in line]


@settings(deadline=None)
@given(rule_files())
def test_every_comment_survives_and_a_second_run_changes_nothing(made: tuple[str, list[str]]) -> None:
    text, comments = made
    new = moved(text)
    assert sorted(comments_of(new)) == sorted(comments) == sorted(comments_of(text))
    assert migrate(SourceFile(path="f", text=new), "rules") == (None, ())
    document, found = read_document(SourceFile(path="rules/kafka/lag.yaml", text=new))
    assert document is not None and not [each for each in found if each.severity >= 3]
    assert conform(document, "rules") == ()
    # What was neither renamed nor left out reads as it did.
    old = yaml.safe_load(text)["rules"]
    rules = yaml.safe_load(new)["groups"][0]["rules"]
    assert [each["id"] for each in rules] == [each["id"] for each in old]
    assert [each.get("description") for each in rules] == [each.get("description") for each in old]


@pytest.mark.parametrize("name", sorted(HOSTILE.keys() - {"line breaks that nobody sees", "50,000 traps"}))
def test_hostile_text_is_bounded(name: str) -> None:
    make: Callable[[], str] = HOSTILE[name][0]
    made, _ = migrate(SourceFile(path="rules/x/hostile.yaml", text=f"version: 0\n{make()}"), "rules")
    assert made is None


@pytest.mark.parametrize(
    "rule",
    [
        "summary: '" + "{{" * 700_000 + "$threshold'",
        "summary: '" + "${x} $threshold " * 80_000 + "'\n  threshold: 1",
        "runbook_url: " + "A" * 1_500_000,
        "labels: {" + ", ".join(f"l{number}: $threshold" for number in range(20_000)) + "}\n  threshold: 1",
        "ticket: '" + "# \n  " * 200_000 + "'",
        "ticket: |\n" + "    # x\n" * 100_000,
    ],
    ids=["braces", "parameters", "address", "labels", "quote", "block"],
)
def test_hostile_values_are_bounded(rule: str) -> None:
    made, found = migrate(SourceFile(path="f", text=f"{HEAD}- name: A\n  expr: up\n  {rule}\n"), "rules")
    assert made is not None or found


def test_many_that_are_left_out() -> None:
    made = moved(HEAD + "".join(f"- {{name: A{n}, expr: up, ticket: {n}}}\n" for n in range(5_000)))
    assert "ticket" not in made and made.count("expr: up}") == 5_000


def test_two_thousand_rules() -> None:
    rule = "- name: A{0}\n  id: a{0}\n  expr: up > $threshold\n  threshold: {0}\n  ticket: X-{0}  # {0}\n  duration: 5m\n"
    made = moved(HEAD + "".join(rule.format(number) for number in range(2000)))
    assert made.count("${threshold}") == 2000 and made.count("ticket") == 0
