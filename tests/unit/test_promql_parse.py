"""Parsing: kinds, problems with their places, the limits, and what the library alone would get wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tocsin.promql import (
    Expr,
    PromqlProblem,
    canonical,
    experimental_functions,
    functions,
    matched_labels,
    metrics,
    opaque_names,
    parse,
    threshold_direction,
)
from tocsin.promql.regex import BadRegexError, matches_empty


def expr(text: str) -> Expr:
    found = parse(text)
    assert isinstance(found, Expr), found
    return found


def problem(text: str) -> PromqlProblem:
    found = parse(text)
    assert isinstance(found, PromqlProblem), canonical(found)
    return found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("up", "vector"),
        ("up[5m]", "matrix"),
        ("up[5m:1m]", "matrix"),
        ("1 + 2", "scalar"),
        ("-time()", "scalar"),
        ("up + 1", "vector"),
        ("1 == bool up", "vector"),
        ('"text"', "string"),
        ("scalar(up)", "scalar"),
        ("((up))", "vector"),
    ],
)
def test_the_kind_is_the_type_of_the_value(text: str, kind: str) -> None:
    assert expr(text).kind == kind


@pytest.mark.parametrize(
    ("text", "offset", "word"),
    [
        ("sum(up", 3, "not closed"),
        ("up)", 2, "closes nothing"),
        ("up{job='a'", 10, "too early"),
        ('up{job="a}', 7, "not closed"),
        (r'up{job="\z"}', 8, "escape"),
        ("up > 5x", 5, "neither a number"),
        ("up > 1 2", 7, "unexpected"),
        ("up > §", 5, "unexpected character"),
        ("1 + rat(up[5m])", 4, "did you mean `rate`"),
        ("sum(rate(up))", 4, "matrix"),
        ('up{job=~"("}', 8, "regular expression"),
        ("up{job=~`a**`}", 8, "repeats a repetition"),
        ("up{job=5}", 7, "quotes"),
        ("up[x]", 3, "duration"),
        ('up{a="1" or b="2"}', 9, "missing"),
        ("sum by (a b) (up)", 10, "missing"),
        ("up offset x", 10, "duration"),
        ("", 0, "too early"),
        ("# nothing else", 14, "too early"),
    ],
)
def test_a_problem_has_its_place(text: str, offset: int, word: str) -> None:
    found = problem(text)
    assert (found.offset, found.hostile) == (offset, False)
    assert word in found.message


@pytest.mark.parametrize(
    "text",
    [
        "up{a=~`\\d+`}",
        "sum by (a:b) (up)",
        "max_over_time(up[5m # five\n:1m])",
        "up > 1_000",
        "up > 01e3",
        "up offset 0s",
        "holt_winters(up[5m], 0.5, 0.5)",
        'up{a=~"[\\\\w-.]+"}',
        'up{a=~"\\\\w{300}"}',
        'up{a=~"\\\\Qa.b\\\\E"}',
        "up{a='it\\'s'}",
        "and and and",
        "offset offset 5m",
    ],
)
def test_what_prometheus_takes_is_taken(text: str) -> None:
    assert expr(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "up + fill(0) down",
        "up[0]",
        "up[300y]",
        "up offset 9999999y",
        "up offset NaN",
        "up offset -1e30",
        "up[1e30]",
        "up[92233720369223372036]",
        "max_over_time(up[5m:1e30])",
        "max_over_time(up[5m: 1e30])",
        "max_over_time(up[5m:0])",
        'up{a=~"a{1001}"}',
        'up{a=~"(?x)a"}',
        "+'text'",
        "up\f",
        "up > 1e999",
        "bool",
        '{a=~"b|"}',
        "{a=~`\\d*`}",
        "up{a='\ud800'}",
    ],
)
def test_what_prometheus_refuses_is_refused(text: str) -> None:
    assert not problem(text).hostile


HOSTILE = {
    "operators": "+".join(["x"] * 2_002),
    "parentheses": "(" * 501 + "x" + ")" * 501,
    "calls": "abs(" * 20_000 + "x" + ")" * 20_000,
    "minus": "-" * 50_000 + "x",
    "power": "^".join(["x"] * 20_000),
    "size": "x" * 100_001,
    "escapes": '"' + "\\\\" * 40_000 + '"',
    "braces": "{" * 90_000,
    "closed first": ")" * 2_000 + "(" * 2_000,
}
TAME = {
    "patterns": "+".join(f'x{{a=~"\\\\w{{600}}{i}"}}' for i in range(100)),
    "groups": 'x{a=~"' + "(" * 40_000 + '"}',
    "labels": "sum by (" + ",".join(f"l{i}" for i in range(10_000)) + ") (x)",
    "quotes": '"' * 90_000,
    "digits": "9" * 90_000,
    "comments": "#" * 90_000,
    "zeros": "\0" * 1_000,
    "subqueries": "max_over_time(" * 300 + "x" + "[5m:])" * 300,
    "chain": "+".join(["x"] * 500),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_refused_before_any_parser_sees_them(name: str) -> None:
    assert problem(HOSTILE[name]).hostile


def test_no_text_ends_the_process() -> None:
    """In a process of its own, because the failure to be excluded is a signal."""
    program = (
        "from tests.unit.test_promql_parse import HOSTILE, TAME\n"
        "from tocsin.promql import *\n"
        "for text in [*HOSTILE.values(), *TAME.values()]:\n"
        "    found = parse(text)\n"
        "    if isinstance(found, Expr):\n"
        "        canonical(found), labels_out(found), inject(text, 'a', '=', 'b')\n"
        "print('whole')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


def test_experimental_is_a_fact_and_no_refusal() -> None:
    assert expr("limitk(2, sort_by_label(up, 'job'))").experimental
    assert experimental_functions(expr("limitk(2, sort_by_label(up, 'job'))")) == ("limitk", "sort_by_label")
    assert not expr("topk(2, sort(up))").experimental


def test_what_is_read_is_listed() -> None:
    found = expr('rate(b{x="1"}[5m]) / sum by (y) (a{z!~"2"} offset 1h) + {__name__="c"}')
    assert metrics(found) == ("a", "b", "c")
    assert matched_labels(found) == ("x", "z")
    assert functions(found) == ("rate", "sum")
    assert not opaque_names(found)
    assert opaque_names(expr('{__name__=~"a.*"}')) and opaque_names(expr('{job="a"}'))


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("up > 7", "rising"),
        ("up >= 7", "rising"),
        ("up < 7", "falling"),
        ("7 < up", "rising"),
        ("(7) >= (up)", "falling"),
        ("a == 1 and (up > 7)", "rising"),
        ("up > 7 unless on (x) b", "rising"),
        ("b unless up > 7", None),
        ("up > 7 or b", None),
        ("up == 7", None),
        ("up > bool 7", None),
        ("up > 7 * 2", None),
        ("up > -7", None),
        ("up > -(7)", None),
        ("sum(up > 7)", None),
        ("(up > 7) > 7", None),
        ("up > 8", None),
        ("-(up > 7)", None),
    ],
)
def test_the_direction_of_a_threshold(text: str, direction: str | None) -> None:
    assert threshold_direction(expr(text), 7.0) == direction


@pytest.mark.parametrize(
    ("pattern", "empty"),
    [
        ("", True),
        ("a|", True),
        ("a*b?", True),
        ("a+", False),
        ("(a*)+", True),
        ("(a|b*){3}", True),
        ("a{0,3}", True),
        ("^$", True),
        ("\\bx?", False),
        ("[]a]", False),
        ("(?i:a)?", True),
        ("\\Q\\E", True),
        ("x|(?:)", True),
        ("{", False),
    ],
)
def test_whether_a_pattern_matches_nothing(pattern: str, empty: bool) -> None:
    assert matches_empty(pattern) is empty


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "*a",
        "a**",
        "[a",
        "[z-a]",
        "\\",
        "\\1",
        "\\u0041",
        "(?=a)",
        "a{3,1}",
        "(a{99}){99}",
        "\\p{x}",
    ],
)
def test_patterns_that_go_does_not_compile(pattern: str) -> None:
    with pytest.raises(BadRegexError):
        matches_empty(pattern)
