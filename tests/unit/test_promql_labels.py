"""Label flow and canonical text, by example; laws and real servers say the rest."""

from __future__ import annotations

import pytest

from tocsin.promql import Expr, Labels, canonical, labels_out, parse


def expr(text: str) -> Expr:
    found = parse(text)
    assert isinstance(found, Expr), found
    return found


def closed(*named: str) -> Labels:
    return Labels(named=frozenset(named))


def opened(*named: str, dropped: tuple[str, ...] = ()) -> Labels:
    return Labels(named=frozenset(named), open=True, dropped=frozenset(dropped))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('up{job="a", env!="b", zone=""}', opened("__name__", "job", "env", dropped=("zone",))),
        ("rate(up[5m])", opened(dropped=("__name__",))),
        ("last_over_time(up[5m])", opened("__name__")),
        ("up > 1", opened("__name__")),
        ("up > bool 1", opened(dropped=("__name__",))),
        ("up * 2", opened(dropped=("__name__",))),
        ("sum(up)", closed()),
        ("sum by (a, b) (up)", closed("a", "b")),
        ("sum by (a, b) (sum by (b, c) (up))", closed("b")),
        ("sum without (a) (up)", opened(dropped=("a", "__name__"))),
        ("sum without (a) (sum by (a, b) (up))", closed("b")),
        ('count_values by (a) ("v", up)', closed("a", "v")),
        ("topk(3, sum by (a) (up))", closed("a")),
        ("foo / sum by (job) (bar)", closed("job")),
        ("foo * on (a) bar", closed("a")),
        ("foo * on (a) group_left (b) sum by (a, b) (bar)", opened("b", dropped=("__name__",))),
        ("foo * on (a) group_left (b) sum by (a) (bar)", opened(dropped=("__name__", "b"))),
        ("sum by (a) (foo) or sum by (b) (bar)", closed("a", "b")),
        ("sum by (a) (foo) or bar", opened("a", "__name__")),
        ("sum without (a, b) (foo) or sum by (a) (bar)", opened("a", dropped=("b", "__name__"))),
        ("foo and sum by (a) (bar)", closed("a", "__name__")),
        ("foo unless on (a) bar", opened("__name__")),
        ('absent(up{job="a", env=~"b", zone="z", zone!="y"})', closed("job")),
        ("absent(sum(up))", closed()),
        ("histogram_quantile(0.9, sum by (le, a) (rate(b[5m])))", closed("a")),
        ('label_replace(sum(up), "a", "$1", "b", "(.*)")', closed("a")),
        ('label_replace(sum by (a) (up), "a", "", "b", "")', closed("a")),
        ('label_join(sum by (a) (up), "a", "-")', closed()),
        ("vector(1)", closed()),
        ("hour()", closed()),
        ("-up", opened(dropped=("__name__",))),
        ("up atan2 2", opened("__name__")),
        ("time() - 1", closed()),
    ],
)
def test_labels_that_can_come_out(text: str, labels: Labels) -> None:
    assert labels_out(expr(text)) == labels


def test_labels_flow_through_recorded_series() -> None:
    recorded = {"job:up:sum": closed("job", "team")}
    assert labels_out(expr("job:up:sum"), recorded.get) == closed("job", "team", "__name__")
    assert labels_out(expr('job:up:sum{zone="a"} > 1'), recorded.get) == closed("job", "team", "__name__")
    assert labels_out(expr("foo / on (job, zone) job:up:sum"), recorded.get) == closed("job")


def test_can_is_a_bound_and_names_is_evidence() -> None:
    labels = labels_out(expr('up{job="a"} * 1'))
    assert (labels.can("job"), labels.names("job")) == (True, True)
    assert (labels.can("zone"), labels.names("zone")) == (True, False)
    assert (labels.can("__name__"), labels.names("__name__")) == (False, False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sum by (a,b) (foo)", "SUM(foo) BY (b, a,) # why"),
        ('foo{a="1",b="2"}', "foo{ b = '2', a=`1`, a=\"1\" }"),
        ('{__name__="foo"}', "((foo{}))"),
        ("foo[60s]", "foo[1m]"),
        ("foo offset 1h30m > 1e3", "foo offset 90m>1000.0"),
        ("foo > 0x10", "foo > 16"),
        ("sum by () (foo)", "sum(foo)"),
        ("foo + ignoring () bar", "foo+bar"),
        ("foo * on(b,a) group_left(d,c) bar", "foo * on (a, b) group_left (c, d) bar"),
        ("+foo", "foo"),
        ("foo @ 1h", "foo @ 3600"),
    ],
)
def test_writing_does_not_change_the_canonical_text(one: str, other: str) -> None:
    assert canonical(expr(one)) == canonical(expr(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("foo[5m:]", "foo[5m:1m]"),
        ("foo[5m:]", "foo[5m]"),
        ("foo @ -1", "foo @ 0"),
        ("foo @ start()", "foo @ end()"),
        ("foo - bar", "bar - foo"),
        ("a - (b - c)", "a - b - c"),
        ("-(2 ^ 2)", "(-2) ^ 2"),
        ("foo > 1", "foo > bool 1"),
        ("foo + bar", "foo + on () bar"),
        ("foo * on (a) bar", "foo * on (a) group_left () bar"),
        ("foo * on (a) group_left () bar", "foo * on (a) group_right () bar"),
        ("sum without () (foo)", "sum(foo)"),
        ('foo{a="1"}', 'foo{a=~"1"}'),
        ('foo{a=~"\\\\w{3}"}', 'foo{a=~"\\\\w{4}"}'),
        ("foo offset 5m", "foo offset -5m"),
        ("1 / foo == 0", "1 / foo == -0"),
        ('label_join(a, "b", "c,d")', 'label_join(a, "b", "c", "d")'),
    ],
)
def test_meaning_changes_the_canonical_text(one: str, other: str) -> None:
    assert canonical(expr(one)) != canonical(expr(other))
