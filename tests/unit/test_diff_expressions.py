"""What differs between two expressions, and which way it works: every row says why a reviewer may trust the arrow."""

from __future__ import annotations

import pytest

from tocsin.diff.classes import direction_of, worst
from tocsin.diff.expressions import compare_expressions
from tocsin.promql import Expr, parse


def expr(text: str) -> Expr:
    found = parse(text)
    assert isinstance(found, Expr), text
    return found


def verdict(old: str, new: str) -> str:
    found = compare_expressions(expr(old), expr(new))
    class_ = worst(each.class_ for each in found)
    return f"{class_} {direction_of(each.direction for each in found)}".strip() if found else "none"


ROWS = [
    # written differently at most
    ("foo > 5", "(foo) > 5.0 # five", "none"),
    ('foo{a="1",b="2"} > 5', "foo { b='2', a='1' } > 5", "none"),
    ("sum(foo) by (a, b)", "sum by (b, a) (foo)", "none"),
    ("rate(foo[300s]) > 1", "rate(foo[5m]) > 1", "none"),
    # a threshold: fewer or more series pass
    ("foo > 5", "foo > 6", "sensitivity down"),
    ("foo >= 5", "foo >= 4", "sensitivity up"),
    ("foo < 5", "foo < 6", "sensitivity up"),
    ("5 < foo", "6 < foo", "sensitivity down"),
    ("foo == 5", "foo == 6", "sensitivity"),
    ("foo > 5 and bar < 3", "foo > 6 and bar < 3", "sensitivity down"),
    ("foo > 5 and bar < 3", "foo > 6 and bar < 2", "sensitivity down"),
    ("foo > 5 and bar < 3", "foo > 6 and bar < 4", "sensitivity both"),
    ("foo unless bar > 5", "foo unless bar > 6", "sensitivity up"),
    ("foo > 5 or bar > 5", "foo > 5 or bar > 4", "sensitivity up"),
    ("count(foo > 5) > 3", "count(foo > 6) > 3", "sensitivity down"),
    ("count(foo > 5) < 3", "count(foo > 6) < 3", "sensitivity"),  # fewer counted, but no group at all fires nothing
    ("sum(foo > bool 5) > 3", "sum(foo > bool 6) > 3", "sensitivity down"),
    ("absent(foo > 5)", "absent(foo > 6)", "sensitivity up"),
    ("foo > 5 * 60", "foo > 6 * 60", "sensitivity down"),
    ("foo > 10 / 5", "foo > 10 / 4", "sensitivity down"),
    ("foo * 100 > 5", "foo * 200 > 5", "sensitivity"),  # foo may be negative
    ("rate(foo[5m]) * 100 > 5", "rate(foo[5m]) * 200 > 5", "sensitivity up"),
    ("foo - 5 > bar", "foo - 6 > bar", "sensitivity down"),
    ("foo > -5", "foo > -6", "sensitivity up"),
    ("foo > NaN", "foo > 5", "sensitivity"),
    # a comparison a little stricter
    ("foo > 5", "foo >= 5", "sensitivity up"),
    ("foo <= 5", "foo < 5", "sensitivity down"),
    ("foo > 0", "foo >= 1", "sensitivity down"),
    ("foo >= 5", "foo > 4", "sensitivity up"),
    ("foo < 5", "foo <= 4", "sensitivity down"),
    ("foo > 5", "foo < 5", "meaning"),
    ("foo > 5", "foo > bool 5", "meaning"),
    # windows: only where the function says which way
    ("rate(foo[5m]) > 5", "rate(foo[10m]) > 5", "sensitivity"),
    ("max_over_time(foo[5m]) > 5", "max_over_time(foo[10m]) > 5", "sensitivity up"),
    ("max_over_time(foo[5m]) < 5", "max_over_time(foo[10m]) < 5", "sensitivity down"),
    ("min_over_time(foo[5m]) > 5", "min_over_time(foo[10m]) > 5", "sensitivity down"),
    ("increase(foo[10m]) > 5", "increase(foo[5m]) > 5", "sensitivity down"),
    ("sum(increase(foo[5m])) > 5", "sum(increase(foo[10m])) > 5", "sensitivity up"),
    ("absent_over_time(foo[5m])", "absent_over_time(foo[10m])", "sensitivity down"),
    ("max_over_time(foo[1h:5m]) > 1", "max_over_time(foo[2h:5m]) > 1", "sensitivity up"),
    ("max_over_time(foo[1h:5m]) > 1", "max_over_time(foo[1h:1m]) > 1", "sensitivity"),
    ("count_over_time((foo > 5)[30m:1m]) > 3", "count_over_time((foo > 6)[30m:1m]) > 3", "sensitivity down"),
    ("count_over_time((foo > 5)[30m:1m]) < 3", "count_over_time((foo > 6)[30m:1m]) < 3", "sensitivity"),  # or none at all
    ("min_over_time((foo > 5)[30m:1m]) < 9", "min_over_time((foo > 6)[30m:1m]) < 9", "sensitivity down"),
    ("sum_over_time((foo > 5)[30m:1m]) > 3", "sum_over_time((foo > 6)[30m:1m]) > 3", "sensitivity"),
    ("count_over_time((foo > 5)[5m:1m]) > 3", "count_over_time((foo > 5)[10m:1m]) > 3", "sensitivity up"),
    ("count_over_time((foo > 5)[5m:1m]) < 3", "count_over_time((foo > 5)[10m:1m]) < 3", "sensitivity"),
    ("avg_over_time((foo > bool 5)[5m:1m]) > 0.5", "avg_over_time((foo > bool 6)[5m:1m]) > 0.5", "sensitivity down"),
    ("foo > 5 or on (x) bar", "foo > 4 or on (x) bar", "sensitivity"),  # one on the left puts several aside
    ("bar or on (x) foo > 5", "bar or on (x) foo > 4", "sensitivity up"),
    ("foo offset 5m > 1", "foo offset 10m > 1", "sensitivity"),
    # filters
    ("foo > 5", 'foo{env="prod"} > 5', "sensitivity down"),
    ('foo{env!="dev"} > 5', "foo > 5", "sensitivity up"),
    ('foo{env=~"a|b"} > 5', 'foo{env=~"a|b|c"} > 5', "sensitivity up"),
    ('foo{env="a"} > 5', 'foo{env=~"a|b"} > 5', "sensitivity up"),
    ('foo{env!~"a|b"} > 5', 'foo{env!~"a|b|c"} > 5', "sensitivity down"),
    ('foo{env="a"} > 5', 'foo{env="b"} > 5', "meaning"),
    ('foo{code=~"5.."} > 5', 'foo{code=~"[45].."} > 5', "sensitivity"),
    ('sum(rate(foo{code!="499"}[5m])) > 5', "sum(rate(foo[5m])) > 5", "sensitivity up"),
    ("sum(foo) > 5", 'sum(foo{a="1"}) > 5', "sensitivity"),  # a gauge may be negative
    ("max(foo) > 5", 'max(foo{a="1"}) > 5', "sensitivity down"),
    ('sum(rate(a{x="1"}[5m])) / sum(rate(b[5m])) > 1', "sum(rate(a[5m])) / sum(rate(b[5m])) > 1", "sensitivity up"),
    ("foo > 5", "foo > 5 and on() up == 1", "sensitivity down"),
    ("foo > 5 unless bar", "foo > 5", "sensitivity up"),
    ("foo > 5", "foo > 6 and on() up == 1", "sensitivity down"),
    ("foo > 5", "foo > 4 and on() up == 1", "sensitivity both"),
    # another statement
    ("foo > 5", "bar > 5", "meaning"),
    ("rate(foo[5m]) > 5", "increase(foo[5m]) > 5", "meaning"),
    ("sum by (a) (foo) > 5", "sum by (a, b) (foo) > 5", "meaning"),
    ("sum(foo) > 5", "max(foo) > 5", "meaning"),
    ("histogram_quantile(0.99, foo) > 5", "histogram_quantile(0.95, foo) > 5", "meaning"),
    ("topk(3, foo) > 5", "topk(4, foo) > 5", "meaning"),
    ("foo > 5", "foo / bar > 5", "meaning"),
    ("foo > 5", "foo > 5 or bar", "meaning"),
    ("foo @ 100 > 5", "foo @ 200 > 5", "meaning"),
    ("a / on (x) b > 1", "a / on (x, y) b > 1", "meaning"),
]  # fmt: skip
_TURNED = {"up": "down", "down": "up"}


@pytest.mark.parametrize(("old", "new", "said"), ROWS)
def test_a_change_has_its_class_and_direction(old: str, new: str, said: str) -> None:
    assert verdict(old, new) == said


@pytest.mark.parametrize(("old", "new", "said"), ROWS)
def test_seen_from_the_other_side_it_works_the_other_way(old: str, new: str, said: str) -> None:
    class_, _, direction = said.partition(" ")
    assert verdict(new, old) == f"{class_} {_TURNED.get(direction, direction)}".strip()


def test_a_chain_of_hundreds_of_operators_is_compared() -> None:
    old = " and ".join(f"m{n} > {n}" for n in range(450))
    assert verdict(old, old.replace("m7 > 7", "m7 > 8")) == "sensitivity down"
    assert verdict(old, old + " and extra > 1") == "sensitivity down"
