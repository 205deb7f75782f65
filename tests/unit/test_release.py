"""Versions, ledger and changelog, without Git."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import evaluator, group, resolved, rule

from tocsin.diag.source_file import SourceFile
from tocsin.errors import UsageError
from tocsin.ir.project import Ledger, Release, ReleasedChange, ReleasePolicy
from tocsin.project import read_ledger
from tocsin.release.changelog import merged, section
from tocsin.release.entries import Why
from tocsin.release.ledger import ledger_text, next_ledger
from tocsin.release.reasons import why
from tocsin.release.versions import newest, next_version, version_of

BUMPS = ReleasePolicy().bumps


@pytest.mark.parametrize(
    ("classes", "words", "after"),
    [
        (["text"], False, "v2.3.2"),
        (["routing", "text"], False, "v2.4.0"),
        (["sensitivity"], False, "v2.4.0"),
        (["added"], False, "v2.4.0"),
        (["meaning", "sensitivity"], True, "v3.0.0"),
        (["removal"], False, "v3.0.0"),
        (["none"], True, "v2.3.2"),
        (["none"], False, None),
        ([], False, None),
    ],
)
def test_the_class_of_the_worst_change_decides(classes: list[str], words: bool, after: str | None) -> None:
    assert next_version("v2.3.1", "1.0.0", classes, BUMPS, words=words) == after


def test_a_project_counts_in_its_own_way() -> None:
    mine = {**BUMPS, "routing": "major", "text": "none"}
    assert next_version("v1.0.0", "1.0.0", ["routing"], mine, words=False) == "v2.0.0"
    assert next_version("v1.0.0", "1.0.0", ["text"], mine, words=True) is None


def test_the_first_release_and_what_is_none() -> None:
    assert next_version(None, "0.1.0", [], BUMPS, words=False) == "v0.1.0"
    with pytest.raises(UsageError):
        next_version("latest", "1.0.0", ["text"], BUMPS, words=False)
    assert [version_of(each) for each in ("v1.2", "1.2.3-rc1", "v01.2.3", "")] == [None] * 4
    assert newest(["v1.9.0", "v1.10.0", "v1.10.0-rc2", "deploy/prod/v9.9.9", "9.9.9"]) == "v1.10.0"
    assert newest(["nightly"]) is None


def test_reasons_are_lines_of_any_message() -> None:
    said = why(
        [
            "Higher limit\n\nReason: paged at every deploy\r\nTicket: INFRA-2891, INFRA-2892\nSigned-off-by: x",
            "reason:  paged   at every deploy\nTICKET: OPS-1\nno Reason: here",
        ]
    )
    assert said == Why(reasons=("paged at every deploy",), tickets=("INFRA-2891", "INFRA-2892", "OPS-1"))
    assert why(["Reason:\nTicket: ,"]) == Why()


def test_what_a_template_asks_for_is_no_answer() -> None:
    asked = "Quieter\n\n<!-- Say why:\nReason: why it had to change\nTicket: INFRA-1\n-->\nReason: it paged at every deploy\n<!-- Ticket: X-2\nTicket: X-3"
    assert why([asked]) == Why(reasons=("it paged at every deploy",))


LAG = ReleasedChange(
    rule="kafka-consumer-lag/page",
    envs=("prod", "staging"),
    class_="sensitivity",
    what=("params.limit: 10000 -> 12000", "for: 10m -> 5m"),
    direction="both",
    reasons=("paged at every <b>deploy</b> [x](javascript:y)",),
    tickets=("INFRA-2891",),
)
RELEASE = Release(version="v2.3.1", date="2026-11-21", changes=(LAG,), sops=("SOP-KAFKA-007",))


def test_a_section_names_rule_numbers_reason_and_ticket() -> None:
    assert section(RELEASE) == (
        "## v2.3.1 - 2026-11-21\n\n"
        "### Changed\n\n"
        "- `kafka-consumer-lag/page` (prod, staging), fires at other times; `params.limit: 10000 -> 12000`, `for: 10m -> 5m`; "
        "paged at every \\<b\\>deploy\\</b\\> \\[x\\](javascript:y); INFRA-2891\n\n"
        "### Procedures\n\n- SOP-KAFKA-007\n"
    )


def test_a_section_is_replaced_and_stands_below_unreleased() -> None:
    old = "# Ours\n\nWords.\n\n## Unreleased\n\n- soon\n\n## v2.3.0 - 2026-01-01\n\n- old\n\n## v2.3.10 - x\n"
    once = merged(old, [RELEASE])
    assert merged(once, [RELEASE]) == once
    heads = [line for line in once.split("\n") if line.startswith("## ")]
    assert heads == ["## Unreleased", "## v2.3.1 - 2026-11-21", "## v2.3.0 - 2026-01-01", "## v2.3.10 - x"]
    assert once.startswith("# Ours\n\nWords.\n\n## Unreleased\n\n- soon\n\n## v2.3.1")
    other = Release(version="v2.3.1", date="2026-11-22")
    again = merged(once, [other])
    assert "2026-11-21" not in again and "Nothing that could fire differently." in again and "- old" in again
    assert merged("", [RELEASE]).startswith("# Changelog\n\nEvery release")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
CHANGES = st.builds(
    ReleasedChange,
    rule=NAMES,
    envs=st.lists(NAMES, min_size=1, max_size=2).map(tuple),
    class_=st.sampled_from(["text", "routing", "removal"]),
    what=st.lists(NAMES, max_size=2).map(tuple),
    direction=st.sampled_from(["", "up"]),
    reasons=st.lists(NAMES, max_size=2).map(tuple),
    tickets=st.lists(NAMES, max_size=2).map(tuple),
)


@given(
    st.dictionaries(NAMES, st.tuples(NAMES, NAMES), max_size=3),
    st.dictionaries(NAMES.map(lambda each: f"/{each}/"), st.lists(NAMES, max_size=2).map(tuple), max_size=2),
    st.lists(
        st.builds(Release, version=NAMES, date=NAMES, changes=st.lists(CHANGES, max_size=2).map(tuple)),
        max_size=2,
    ),
)
def test_a_ledger_is_what_was_written(
    rules: dict[str, tuple[str, str]], site: dict[str, tuple[str, ...]], releases: list[Release]
) -> None:
    ledger = Ledger(release="v1.0.0", rules=rules, sops=rules, site=site, releases=tuple(releases))
    text = ledger_text(ledger)
    read, found = read_ledger(SourceFile(path="releases.json", text=text))
    assert (read, found) == (ledger, ()) and ledger_text(read) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"releases": 5}',
        '{"releases": [{"version": "v1"}]}',
        '{"releases": [{"version": "v1", "date": "x", "changes": [{"rule": "a", "class": "text", "envs": "prod"}]}]}',
        '{"releases": [[]]}',
    ],
)
def test_a_ledger_of_another_shape_is_a_finding(text: str) -> None:
    assert json.loads(text)
    read, found = read_ledger(SourceFile(path="releases.json", text=text))
    assert [each.code for each in found] == ["TOC203"] and read == Ledger()


def test_a_mirror_has_its_originals_row_and_version() -> None:
    """Or a project that tries another evaluator would release two versions of one rule."""
    one = rule(level="page", severity="P1")
    copy = replace(one, mirror=True, paused=True, evaluator=evaluator("graf", "grafana", (12, 0, 0)), uid="m")
    made = next_ledger(Ledger(), "v0.1.0", "2026-11-21", [resolved(group(one, copy))], {}, (), (), {}, {})
    assert dict(made.rules) == {f"prod/{one.key.text}": (one.digest, "v0.1.0")}
    assert made.version_of(f"prod/{copy.key.text}", copy.digest) == "v0.1.0"
