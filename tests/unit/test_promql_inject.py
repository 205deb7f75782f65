"""Injection by example: where the matcher goes in the author's text, and where it is refused."""

from __future__ import annotations

import pytest

from tocsin.promql import PromqlProblem, inject


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("up", 'up{site="a"}'),
        ("up{}", 'up{site="a"}'),
        ('up{job="x"}', 'up{job="x",site="a"}'),
        ('up{job="x",}', 'up{job="x",site="a"}'),
        ('up { job="x" , # why\n }', 'up { job="x" ,site="a" # why\n }'),
        ('{__name__="up"}', '{__name__="up",site="a"}'),
        ('{"up"}', '{"up",site="a"}'),
        ('up{site!="b"} > 1', 'up{site!="b",site="a"} > 1'),
        ("rate(up[5m] offset 1m) # c", 'rate(up{site="a"}[5m] offset 1m) # c'),
        ("max by (site) (rate(up[1h:5m] @ end()))", 'max by (site) (rate(up{site="a"}[1h:5m] @ end()))'),
        ("sum / on (site) by", 'sum{site="a"} / on (site) by{site="a"}'),
        ("offset offset 5m", 'offset{site="a"} offset 5m'),
        ("a + on (site) b", 'a{site="a"} + on (site) b{site="a"}'),
        ("a * on (job) group_left (site) b", 'a * on (job) group_left (site) b{site="a"}'),
        ("a * on (job) group_left (team) b", 'a{site="a"} * on (job) group_left (team) b'),
        ("a and on (job) b", 'a{site="a"} and on (job) b'),
        ("a unless b", 'a{site="a"} unless b'),
        ("a or b", 'a{site="a"} or b{site="a"}'),
        ("a > scalar(b)", 'a{site="a"} > scalar(b)'),
        ("topk by (site) (1, a)", 'topk by (site) (1, a{site="a"})'),
        ("sum without (x) (a) / ignoring (y) b", 'sum without (x) (a{site="a"}) / ignoring (y) b{site="a"}'),
        ('label_replace(a, "b", "$1", "site", "")', 'label_replace(a{site="a"}, "b", "$1", "site", "")'),
    ],
)  # fmt: skip
def test_the_matcher_goes_where_the_label_comes_from(text: str, written: str) -> None:
    assert inject(text, "site", "=", "a") == written


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sum(up)", "one group"),
        ("sum without (site) (up)", "one group"),
        ("topk(1, up)", "one group"),
        ("absent(up)", "absent"),
        ('label_replace(up, "site", "", "", "")', "writes"),
        ('count_values("site", up)', "writes"),
        ("a or on (job) b", "hides"),
        ("a or vector(0)", "vector"),
        ("a + on (job) b", "drops"),
        ("time()", "no labels"),
        ("limitk by (site) (1, up)", "limitk"),
        ("info(up)", "other series"),
        ("1 + 2", "no labels"),
        ("up +", "too early"),
    ],
)
def test_what_would_change_the_meaning_is_refused(text: str, reason: str) -> None:
    refused = inject(text, "site", "=", "a")
    assert isinstance(refused, PromqlProblem)
    assert reason in refused.message


def test_all_selectors_can_be_asked_for() -> None:
    written = inject("absent(a) or sum(b{}) > scalar(c)", "site", "!~", "x.*", selectors="all")
    assert written == 'absent(a{site!~"x.*"}) or sum(b{site!~"x.*"}) > scalar(c{site!~"x.*"})'


def test_labels_and_values_that_cannot_be_written() -> None:
    assert isinstance(inject("up", "my-label", "=", "a"), PromqlProblem)
    assert isinstance(inject("up", "__name__", "=", "a"), PromqlProblem)
    assert isinstance(inject("up", "site", "=~", "("), PromqlProblem)
    assert inject("up", "site", "=", 'a"\\\n}') == 'up{site="a\\"\\\\\\n}"}'


def test_histograms_are_narrowed_by_all_but_their_buckets() -> None:
    text = "histogram_quantile(0.9, rate(b[5m]))"
    assert inject(text, "site", "=", "a") == 'histogram_quantile(0.9, rate(b{site="a"}[5m]))'
    assert isinstance(inject(text, "le", "=", "1"), PromqlProblem)
