"""What the YAML writer must keep: every value reads back as it was, whatever the reader's YAML version."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag import SourceFile
from tocsin.emit.yamltext import Node, dump
from tocsin.source.tree import read_document

WORDS = [
    "y",
    "N",
    "yes",
    "No",
    "ON",
    "off",
    "true",
    "False",
    "NULL",
    "null",
    "~",
    "",
    "=",
    "<<",
    "---",
    "...",
    "- a",
    "? a",
    ": a",
    "a: b",
    "a:",
    "a #b",
]
NUMBERS = [
    "1",
    "007",
    "0x1F",
    "0o17",
    "1_000",
    "1e3",
    "1.5",
    ".5",
    "+1",
    "-1",
    ".inf",
    "-.INF",
    ".nan",
    "1:30",
    "2001-01-01",
    "2001-01-01T00:00:00Z",
    "0b11",
]
TEXTS = [
    *(
        "5m",
        "1h30m",
        "1m30s",
        "it's",
        'say "no"',
        "#c",
        "a\tb",
        "\ta",
        "a\n",
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\na",
    ),
    *(
        " a",
        "a ",
        "a\n  b\n",
        "a\n \nb",
        "a\n\tb",
        "a\r\nb",
        "a\u2028b",
        "\ufeffa",
        "a\x85b",
        "a\xa0b",
        "a\u200bb",
    ),
    *(
        "积压 {{ $value }}",
        "🔥 b",
        "{a}",
        "[a]",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "a\\nb",
        "\x00",
        "\x7f",
    ),
    'rate(x{a="b",c=~".+"}[5m]) > 0',
    "sum by (a) (x)\n  # a comment: with a colon\n  > 5\n",
    "{{ $labels.a }}: {{ $value | humanize }}",
]
SCALARS = [*WORDS, *NUMBERS, *TEXTS]
NUMERALS = [0, 1, -1, 10**20, 0.5, -0.25, 1e16, 1.5e300, 1e-7, True, False, None]

text = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(SCALARS)
    | st.text("ab \n\t:#-'\"{}0", max_size=12)
)
leaf = text | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False)
nodes: st.SearchStrategy[Node] = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)


def read_11(written: str) -> object:
    """As a YAML 1.1 reader sees it."""
    return yaml.load(written, Loader=yaml.CSafeLoader)


def read_12(written: str) -> object:
    """As our own YAML 1.2 reader sees it."""
    document, found = read_document(SourceFile(path="x.yaml", text=written))
    assert not found, found
    assert document is not None
    return document.data


@pytest.mark.parametrize("value", SCALARS)
def test_a_text_reads_back_in_every_position(value: str) -> None:
    node: Node = {
        "key": value,
        "list": [value, {"inner": value}],
        "deep": {"labels": {value: value}},
        "last": value,
    }
    written = dump(node, comment=["generated"])
    assert read_11(written) == node
    assert read_12(written) == node


@pytest.mark.parametrize("value", NUMERALS)
def test_a_number_reads_back_as_the_same_number(value: Node) -> None:
    written = dump({"a": value, "b": [value]})
    assert read_11(written) == {"a": value, "b": [value]}
    assert type(read_11(written)["a"]) is type(value)  # type: ignore[index]
    assert read_12(written) == {"a": value, "b": [value]}


def test_not_a_number_and_infinity_are_yaml_s_own_words() -> None:
    written = dump({"a": math.nan, "b": math.inf, "c": -math.inf})
    assert written == "a: .nan\nb: .inf\nc: -.inf\n"
    read = read_11(written)
    assert isinstance(read, dict)
    assert math.isnan(read["a"])
    assert (read["b"], read["c"]) == (math.inf, -math.inf)


@settings(max_examples=400, deadline=None)
@given(nodes)
def test_whatever_is_written_reads_back(node: Node) -> None:
    assert read_11(dump({"top": node})) == {"top": node}


@settings(max_examples=100, deadline=None)
@given(nodes)
def test_a_bare_document_reads_back(node: Node) -> None:
    assert read_11(dump(node, comment=["one", ""])) == node


def test_a_key_longer_than_libyaml_s_limit_reads_back() -> None:
    node: Node = {"a": [{"k" * 2000: "v", "b": {"é" * 1500: {"c": 1}}}]}
    assert read_11(dump(node)) == node


def test_the_layout_is_the_one_people_write() -> None:
    node: Node = {
        "groups": [
            {
                "name": "lag",
                "interval": "30s",
                "rules": [
                    {
                        "alert": "Lag",
                        "expr": "sum by (a) (x)\n  > 5\n",
                        "labels": {"severity": "critical", "on": "no"},
                        "annotations": {"summary": "{{ $value }} behind"},
                    },
                    {"alert": "Up", "expr": "up == 0", "for": "1h30m"},
                ],
            }
        ]
    }
    assert dump(node, comment=["from rules/x.yaml"]) == (
        "# from rules/x.yaml\n"
        "groups:\n"
        "  - name: lag\n"
        "    interval: 30s\n"
        "    rules:\n"
        "      - alert: Lag\n"
        "        expr: |\n"
        "          sum by (a) (x)\n"
        "            > 5\n"
        "        labels:\n"
        "          severity: critical\n"
        "          'on': 'no'\n"
        "        annotations:\n"
        "          summary: '{{ $value }} behind'\n"
        "      - alert: Up\n"
        "        expr: up == 0\n"
        "        for: 1h30m\n"
    )
