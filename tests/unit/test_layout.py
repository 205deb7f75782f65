"""Authored YAML is exactly the data, for every reader, and looks as a person would have typed it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag.source_file import SourceFile
from tocsin.source.layout import Comment, Path, scalar, written
from tocsin.source.tree import read_documents

_CHARACTERS = st.one_of(
    st.sampled_from("ab: #-\n\t'\"{}[]|>&*!%@`\\,?=~yno01.e_x+$<"), st.characters(exclude_categories=["Cs"])
)
_WORDS = """
on off y No yes null ~ 1e3 0o17 0777 0x1F 12:30:45 2024-01-02 1_000 .5 1. +.inf .nan = << - --- ... true -0 0b1
"""
_SHAPES = [
    "a " * 80 + "end",
    "two\n\n",
    "two\nlines\n\n",
    "x: y",
    "x #y",
    " lead",
    "trail ",
    "? a",
    "- b",
    "\n",
    "a\r\nb",
]
_TRAPS = st.sampled_from([*_WORDS.split(), *_SHAPES])
_TEXT = st.text(alphabet=_CHARACTERS, max_size=30) | _TRAPS
_DATA = st.recursive(
    _TEXT | st.integers(-9, 10**12) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(data=st.dictionaries(_TEXT, _DATA, min_size=1, max_size=4), air=st.booleans(), flow=st.booleans())
def test_what_is_written_reads_back_as_the_same_data_in_both_yamls(
    data: dict[str, object], air: bool, flow: bool
) -> None:
    text = written(data, air=lambda path: air, flow=lambda path: flow and len(path) > 1)

    documents, _ = read_documents(SourceFile(path="x.yaml", text=text))
    assert documents[0].data == data
    assert yaml.load(text, yaml.CSafeLoader) == data  # YAML 1.1, as Prometheus' neighbours read


@settings(max_examples=100, deadline=None)
@given(
    data=st.lists(st.dictionaries(_TEXT, _TEXT, min_size=1, max_size=3), min_size=1, max_size=3),
    beside=st.booleans(),
)
def test_comments_change_no_data(data: list[dict[str, str]], beside: bool) -> None:
    paths: list[Path] = [("rows",), *((("rows", n)) for n in range(len(data)))]
    paths += [("rows", n, key) for n, row in enumerate(data) for key in row]
    comments = {path: Comment(before=("# above",), beside="# beside" if beside else "") for path in paths}

    text = written({"rows": data}, comments, head=["# head"], tail=["# tail"])

    assert yaml.load(text, yaml.CSafeLoader) == {"rows": data}
    assert text.count("# above") == len(paths)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("kafka", "kafka"),
        ("up == 0", "up == 0"),
        ('rate(x{a="b"}[5m]) > 1', 'rate(x{a="b"}[5m]) > 1'),
        ("{{ $labels.x }} is down", '"{{ $labels.x }} is down"'),
        ('{{ printf "%f" $value }}', "'{{ printf \"%f\" $value }}'"),
        ("5m", "5m"),
        ("1", '"1"'),
        ("no", '"no"'),
        ("a: b", '"a: b"'),
        ("", '""'),
        ("it's", "it's"),
    ],
)
def test_quotes_stand_only_where_a_reader_needs_them(value: str, line: str) -> None:
    assert scalar(value) == line


def test_a_text_of_several_lines_is_a_block_and_a_long_line_is_folded_without_a_change() -> None:
    data = {"expr": "a\n  and\nb\n", "description": "word " * 40 + "end"}

    text = written(data)

    assert "expr: |\n  a\n    and\n  b\n" in text
    assert "description: >-\n" in text
    assert max(map(len, text.split("\n"))) <= 110
    assert yaml.safe_load(text) == data


def test_a_text_that_ends_with_empty_lines_keeps_their_number_below_air() -> None:
    data = {"rules": [{"text": "a\nb\n\n"}, {"text": "c"}]}

    assert yaml.safe_load(written(data, air=lambda path: True)) == data


def test_comments_stand_above_and_beside_their_nodes() -> None:
    comments: dict[Path, Comment] = {
        ("rules",): Comment(before=("# all rules",)),
        ("rules", 1): Comment(before=("# the second",)),
        ("rules", 1, "alert"): Comment(beside="# its name"),
        ("rules", 1, "expr"): Comment(before=("# why",), beside="# what"),
    }
    data = {"rules": [{"alert": "A"}, {"alert": "B", "expr": "x\ny\n"}]}

    assert written(data, comments) == (
        "# all rules\nrules:\n  - alert: A\n  # the second\n  - alert: B  # its name\n"
        "    # why\n    expr: |  # what\n      x\n      y\n"
    )
