"""YAML in, located data and findings out: the 1.2 core schema, and a place for everything a reader could trip
over.
"""

from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag import Diagnostic, Map, SourceFile
from tocsin.source.tree import Document, read_document, read_documents


def read(text: str) -> tuple[object, list[Diagnostic]]:
    document, found = read_document(SourceFile(path="x.yaml", text=text))
    return (document.data if document else None), list(found)


def places(text: str) -> list[tuple[str, int, int]]:
    return [(each.code, each.span.line, each.span.col) for each in read(text)[1]]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("x", "x"), ("5", 5), ("-5", -5), ("+5", 5), ("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0),
        ("1.5e-3", 0.0015), ("0x1F", 31), ("0o17", 15), ("0777", 777), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("on", "on"), ("no", "no"), ("Yes", "Yes"), ("y", "y"),
        ("12:30:45", "12:30:45"), ("2024-01-02", "2024-01-02"), ("1_000", "1_000"), (".inf", ".inf"),
        ("1e999", "1e999"), (".nan", ".nan"), ("=", "="), ("0b11", "0b11"), ("'5'", "5"), ('"true"', "true"),
        ("!!str 5", "5"), ("! 5", "5"), ("!!int 5", 5), ("5m", "5m"), ("[]", []), ("{}", {}),
        ("1" * 41, "1" * 41), ("nullable", "nullable"), ("5 # five", 5), ("|\n  5\n", "5\n"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(written: str, value: object) -> None:
    data, _ = read(f"a: {written}\n")
    assert data == {"a": value}
    assert isinstance(data, Map)
    assert type(data["a"]) is type(value) or isinstance(value, dict | list)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: on\n", [("TOC107", 1, 4)]),
        ("a: [no, Off]\n", [("TOC107", 1, 5), ("TOC107", 1, 9)]),
        ("on: x\n", [("TOC107", 1, 1)]),
        ("a: 1e3\n", [("TOC107", 1, 4)]),
        ("a: 12:30:45\n", [("TOC107", 1, 4)]),
        ("a: 0777\n", [("TOC107", 1, 4)]),
        ("a: 0o17\n", [("TOC107", 1, 4)]),
        ("a: 1_000\n", [("TOC107", 1, 4)]),
        ("a: .inf\n", [("TOC107", 1, 4)]),
        ('a: "on"\n"no": 1\n', []),
        ("a: 2024-01-02\n", []),
        ("y: 1\n", []),
        ("for: 5m\nexpr: up == 0\n", []),
    ],
)
def test_traps_of_yaml_1_1_are_located(text: str, found: list[tuple[str, int, int]]) -> None:
    assert places(text) == found


TRICKY = st.text("0123456789abcdefxobeEyYnNtTrRuUsSlLIiNnfF+-_.:~=", min_size=1, max_size=7)


@settings(max_examples=3000, deadline=None)
@given(TRICKY)
def test_what_a_yaml_1_1_reader_sees_otherwise_is_reported(written: str) -> None:
    """PyYAML's own loader is the 1.1 reader: where it disagrees with us about a plain scalar, there is a
    finding.
    """
    text = f"a: {written}\n"
    data, found = read(text)
    if not isinstance(data, Map) or any(each.severity == 3 for each in found):
        return
    try:
        theirs = yaml.safe_load(text)["a"]
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return
    ours = data["a"]
    same = type(ours) is type(theirs) and (ours == theirs or (isinstance(ours, float) and math.isnan(ours)))
    if not same and not hasattr(theirs, "year"):
        assert [each.code for each in found] == ["TOC107"], (written, ours, theirs)


@settings(max_examples=2000, deadline=None)
@given(TRICKY)
def test_data_is_always_json(written: str) -> None:
    data, _ = read(f"a: {written}\n")
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "code", "line", "col", "words"),
    [
        ("a: 1\na: 2\n", "TOC104", 2, 1, "`a` is already set in line 1"),
        ("a: {b: 1, b: 2}\n", "TOC104", 1, 11, "`b`"),
        ("a:\n\tb: 1\n", "TOC102", 2, 1, "a tab"),
        ("a: 1\n\tb: 1\n", "TOC102", 2, 1, "a tab"),
        ("a: b: c\n", "TOC101", 1, 5, "mapping values"),
        ("a: 'x\n", "TOC101", 2, 1, "unexpected end of stream"),
        ("a: [1, 2\nb: 3\n", "TOC101", 2, 2, "did not find expected ','"),
        ("a: *x\n", "TOC101", 1, 4, "`*x` has no anchor"),
        ("a: &x [*x]\n", "TOC101", 1, 8, "`*x` has no anchor"),
        ("a: @x\n", "TOC101", 1, 4, "`@` cannot start a value"),
        ("a: `x`\n", "TOC101", 1, 4, "``` cannot start a value"),
        ("a: \x00\n", "TOC101", 1, 4, "U+0000"),
        ("ä: 中\x07\n", "TOC101", 1, 5, "U+0007"),
        ("a: !!python/object:os.system x\n", "TOC106", 1, 4, "`!!python/object:os.system`"),
        ("a: !env HOME\n", "TOC106", 1, 4, "`!env`"),
        ("a: !!binary aGk=\n", "TOC106", 1, 4, "binary"),
        ("a: !!timestamp 2024-01-02\n", "TOC106", 1, 4, "timestamp"),
        ("a: !!set {x}\n", "TOC106", 1, 4, "set"),
        ("[a, b]: 1\n", "TOC103", 1, 1, "single word"),
        ("{a: 1}: 1\n", "TOC103", 1, 1, "single word"),
        ("a: &x b\n*x : 1\n", "TOC103", 2, 1, "single word"),
        ("<<: 5\n", "TOC103", 1, 5, "`<<` takes a mapping"),
        ("a: 1\n---\nb: 2\n", "TOC108", 3, 1, "second YAML document"),
        ("a: {b: 1\n", "TOC101", 2, 1, "expected ',' or '}'"),
        ("- a\nb: 1\n", "TOC101", 2, 1, "expected"),
        ("a: 1\n  b: 2\n", "TOC101", 2, 4, "mapping values"),
        ("a: 1\n...\n%YAML 3.0\n---\n", "TOC101", 3, 1, "incompatible"),
    ],
)
def test_what_is_wrong_has_its_place(text: str, code: str, line: int, col: int, words: str) -> None:
    _, found = read(text)
    errors = [each for each in found if each.severity == 3]
    assert [(each.code, each.span.line, each.span.col) for each in errors] == [(code, line, col)], errors
    assert words in errors[0].message
    assert "\n" not in errors[0].message


def test_a_tab_that_only_separates_is_no_fault() -> None:
    assert read("a:\t1\n") == ({"a": 1}, [])


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a remark\n", "---\n", "---\n...\n", "~\n", "---\nnull\n"]
)
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    assert read(text)[0] is None
    assert places(text) == [("TOC109", 1, 1)]


def test_the_documents_before_a_fault_are_kept() -> None:
    documents, found = read_documents(SourceFile(path="x.yaml", text="a: 1\n---\nb: 2\n---\nc: [\n"))
    assert [each.data for each in documents] == [{"a": 1}, {"b": 2}]
    assert [each.code for each in found] == ["TOC101"]


def test_all_findings_of_one_file_come_at_once() -> None:
    assert [code for code, *_ in places("a: on\na: 1\nb: no\nc: 1e3\n")] == [
        "TOC107",
        "TOC104",
        "TOC107",
        "TOC107",
    ]


def test_merge_keys_give_defaults_and_keep_their_places() -> None:
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 9\n"
    document, found = read_document(SourceFile(path="x.yaml", text=text))
    assert isinstance(document, Document) and not found and document.origin
    assert document.origin.node["z"] == {"a": 9, "b": 2, "c": 4}
    assert document.origin.value("z", "b").place == "x.yaml:1:17"
    assert document.origin.value("z", "a").place == "x.yaml:5:6"


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read('"<<": 1\n') == ({"<<": 1}, [])


def test_two_merge_keys_merge_both() -> None:
    assert read("x: &x {a: 1}\ny: &y {b: 2}\nz:\n  <<: *x\n  <<: *y\n")[0] == {
        "x": {"a": 1}, "y": {"b": 2}, "z": {"a": 1, "b": 2}
    }  # fmt: skip


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029"])
def test_an_invisible_line_break_moves_no_place_and_is_reported(odd: str) -> None:
    """libyaml ends a line there, so a key can hide behind a remark: its places would be off, and its reader
    misled.
    """
    text = f"a: 1 # x{odd}b: on\nc:\n  - 1e3\n"
    data, found = read(text)
    assert data == {"a": 1, "b": "on", "c": [1000.0]}
    assert [(each.code, each.span.line, each.span.col) for each in found] == [
        ("TOC107", 1, 9), ("TOC107", 1, 13), ("TOC107", 3, 5)
    ]  # fmt: skip
    assert [each.span.slice(text) for each in found] == [odd, "on", "1e3"]
    document, _ = read_document(SourceFile(path="x.yaml", text=text))
    assert document and document.origin
    assert document.origin.value("b").place == "x.yaml:1:13"
    assert document.origin.value("c", 0).place == "x.yaml:3:5"


def test_columns_count_characters() -> None:
    document, _ = read_document(SourceFile(path="x.yaml", text='"äß😀中": x\n'))
    assert document and document.origin
    assert document.origin.value("äß😀中").place == "x.yaml:1:9"
