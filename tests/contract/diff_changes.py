"""Changes of made-up expressions, for whoever holds the diff's arrows against a server: one place of an expression is written anew.

The expressions are small, take every operator and the functions an arrow may go through, and ask for the metrics of `test_diff_direction`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

_VECTORS = ("foo", "bar", 'foo{env!="dev"}', 'bar{code=~"499|503"}', 'foo{x="1"}')
_AGGREGATIONS = ("sum", "max", "min", "avg", "count", "group", "stddev")
_OVER_TIME = (
    "max_over_time",
    "min_over_time",
    "avg_over_time",
    "count_over_time",
    "sum_over_time",
    "last_over_time",
    "present_over_time",
    "absent_over_time",
)
_POINTWISE = ("abs", "ceil", "floor", "sgn", "absent", "clamp_min", "sqrt")
_MATCHING = ("", "on (x) ", "ignoring (env, n) ")


class Maker:
    """Makes expressions in which one marked place `{}` stands for what changes."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def changes(self, count: int) -> Iterator[tuple[str, str]]:
        """Pairs of expressions, before and after."""
        for _ in range(count):
            text = self.condition(self.dice.randint(1, 3))
            old, new = self.place()
            yield text.replace("@", old), text.replace("@", new)

    def place(self) -> tuple[str, str]:
        """What stands at the changed place, before and after: vectors."""
        level, other = self.dice.sample(range(-3, 9), 2)
        op = self.dice.choice((">", ">=", "<", "<="))
        window = self.dice.sample(("2m", "5m", "10m", "20m"), 2)
        name = self.dice.choice(_OVER_TIME)
        filters = self.dice.sample(("", '{x="1"}', '{env!="dev"}', '{code=~"499|503"}', '{code="499"}'), 2)
        metric = self.dice.choice(("foo", "bar"))
        return self.dice.choice(
            (
                (f"({metric} {op} {level})", f"({metric} {op} {other})"),
                (f"({metric} {op} bool {level})", f"({metric} {op} bool {other})"),
                (f"({level} {op} {metric})", f"({other} {op} {metric})"),
                (f"({metric} + {level} > bar)", f"({metric} + {other} > bar)"),
                (f"({metric} > {level})", f"({metric} >= {level})"),
                (f"{name}(foo[{window[0]}])", f"{name}(foo[{window[1]}])"),
                (f"{name}((foo > 1)[{window[0]}:30s])", f"{name}((foo > 1)[{window[1]}:30s])"),
                (f"{name}((foo > {level})[10m:1m])", f"{name}((foo > {other})[10m:1m])"),
                (f"{metric}{filters[0]}", f"{metric}{filters[1]}"),
                (f"changes(a{filters[0]}[5m])", f"changes(a{filters[1]}[5m])"),
            )
        )

    def condition(self, depth: int) -> str:
        """The whole: a comparison, perhaps beside another one."""
        inner = f"({self.vector(depth)}) {self.dice.choice(('>', '>=', '<', '<='))} {self.dice.choice((-2, 0, 1, 2.5, 6))}"
        kind = self.dice.randrange(6)
        if kind < 3:
            return inner
        other = self.dice.choice(("bar > 1", "up == 1", 'foo{x="2"}'))
        pair = [f"({inner})", f"({other})"]
        if kind == 5:
            pair.reverse()
        return f" {self.dice.choice(('and', 'unless', 'or'))} {self.dice.choice(_MATCHING)}".join(pair)

    def vector(self, depth: int) -> str:
        """Something around the changed place."""
        if depth == 0:
            return "@"
        inner = self.vector(depth - 1)
        other = self.dice.choice((*_VECTORS, "2", "-3", "changes(a[5m])", "time() / 1e9"))
        by = self.dice.choice(("", " by (x)", " without (n)"))
        name = self.dice.choice(_POINTWISE)
        return self.dice.choice(
            (
                f"{self.dice.choice(_AGGREGATIONS)}{by} ({inner})",
                f"({inner}) {self.dice.choice('+-*/')} {self.dice.choice(('2', '-3', '0.5'))}",
                f"{self.dice.choice(('2', '-3'))} {self.dice.choice('+-*/')} ({inner})",
                f"({inner}) {self.dice.choice('+-*/')} ignoring (env) ({other})"
                if other[0] in "fbc"
                else f"({inner}) + ({other})",
                f"-({inner})",
                f"clamp_min({inner}, 1)" if name == "clamp_min" else f"{name}({inner})",
                f"({inner}) {self.dice.choice(('and', 'unless', 'or'))} {self.dice.choice(_MATCHING)}({self.dice.choice(_VECTORS)})",
                f"{self.dice.choice(_OVER_TIME)}(({inner})[3m:1m])",
                f"topk(3, {inner})",
                f"quantile(0.5, {inner})",
            )
        )
