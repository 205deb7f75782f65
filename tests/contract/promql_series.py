"""Series made to fit expressions, stored in a real Prometheus, one stretch of time for each expression.

In: expressions. Out: a running server in which expression number i, asked at its own moment, meets series
that its selectors match and none of the other expressions'. Time is what keeps them apart: a stretch is as
long as the expression can look back and ahead. Each expression gets several stretches (VARIANTS) with other
values and other numbers of series, since a join wants single partners and `topk` wants many, and `> 90` wants
large and `== 0` zeros.

Series carry every label the expression mentions anywhere, and some it does not mention. The tree that says
what a selector matches is the product's own; a misreading there makes results empty, which the tests count.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from tests.real.components import prometheus, promtool
from tests.real.servers import Server, running_prometheus

from tocsin.promql.tree import (
    NAME,
    Aggregate,
    Binary,
    Call,
    Expr,
    Matcher,
    Range,
    Selector,
    String,
    Subquery,
)

EPOCH = 1_577_836_800  # 2020-01-01
LOOKBACK = 300.0
EXTRA = ("zone", "instance", "job", "spare")
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
CONFIG = "global: {scrape_interval: 1m, evaluation_interval: 1m}\n"
FEATURES = "--enable-feature=promql-experimental-functions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How many series a selector gets, how their values run, and whether they carry only what matchers ask
    for.
    """

    series: int
    values: str
    bare: bool = False


VARIANTS = (
    Variant(series=0, values="none"),
    Variant(series=1, values="steep"),
    Variant(series=1, values="zero"),
    Variant(series=1, values="mixed"),
    Variant(series=1, values="mixed", bare=True),
    Variant(series=2, values="one"),
    Variant(series=6, values="mixed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One expression in one stretch of time, to be asked at `at`; `words` are the labels its series carry."""

    expr: Expr
    at: float
    words: tuple[str, ...]


def cases(expressions: Sequence[Expr], seed: int) -> tuple[list[Case], str]:
    """The cases of all expressions and variants, and the series they need as OpenMetrics text."""
    made: list[Case] = []
    samples: dict[str, dict[float, float]] = {}
    now = float(EPOCH)
    for number, expr in enumerate(expressions):
        windows = list(looks(expr))
        back = max([low for low, _ in windows], default=0.0)
        ahead = max([-high for _, high in windows], default=0.0)
        for variant in VARIANTS:
            chance = random.Random(f"{seed} {number} {variant}")
            now += max(back, 0) + 3 * LOOKBACK
            words = vocabulary(expr)
            for series in _series(expr, words, variant, chance):
                _fill(samples.setdefault(series, {}), now, windows, variant, chance)
            made.append(Case(expr=expr, at=now, words=words))
            now += max(ahead, 0) + LOOKBACK
    lines = [
        f"{series} {value!r} {when:.3f}"
        for series, points in sorted(samples.items())
        for when, value in sorted(points.items())
    ]
    return made, "\n".join([*lines, "# EOF\n"])


@contextmanager
def loaded(version: str, text: str, folder: Path) -> Iterator[Server]:
    """A Prometheus of that version that holds the series of `text`."""
    source, data = folder / "series.txt", folder / "data"
    source.write_text(text, encoding="utf-8")
    command = ["tsdb", "create-blocks-from", "--quiet", "--max-block-duration=39366h", "openmetrics"]
    done = subprocess.run(
        [str(promtool(version)), *command, str(source), str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    flags = [FEATURES] if version != "2.42" else []
    with running_prometheus(prometheus(version), CONFIG, data=data, flags=flags) as server:
        yield server


def looks(expr: Expr) -> Iterator[tuple[float, float]]:
    """For each selector, the span it reads as seconds before the moment of the query: (farthest, nearest)."""
    parents = {kid: at for at, node in enumerate(expr.tree) for kid in node.kids}
    for at, node in enumerate(expr.tree):
        if not isinstance(node, Selector):
            continue
        length, shift = 0.0, node.offset / 1000
        above: int | None = at
        while (above := parents.get(above)) is not None:  # type: ignore[arg-type]
            outer = expr.tree[above]
            if isinstance(outer, Range | Subquery):
                length += outer.range / 1000
            if isinstance(outer, Subquery):
                shift += outer.offset / 1000
        yield shift + length, shift


def vocabulary(expr: Expr) -> tuple[str, ...]:
    """Every label name the expression mentions, and a few more."""
    words = set(EXTRA)
    for node in expr.tree:
        match node:
            case Selector():
                words |= {each.label for each in node.matchers}
            case Aggregate():
                words |= node.labels
            case Binary():
                words |= node.matching.labels | node.matching.include
            case Call() if node.name.startswith("histogram_"):
                words.add("le")
            case String():
                words.add(node.value)
    return tuple(sorted(each for each in words - {NAME} if PLAIN.fullmatch(each)))


def _series(expr: Expr, words: tuple[str, ...], variant: Variant, chance: random.Random) -> Iterator[str]:
    for node in expr.tree:
        if isinstance(node, Selector):
            for number in range(variant.series):
                yield from _one(node.matchers, words, number, variant, chance)
        if isinstance(node, Call) and node.name == "info" and variant.series:
            yield from _one((Matcher(NAME, "=", "target_info"),), (*EXTRA, "version"), 0, variant, chance)


def _one(
    matchers: tuple[Matcher, ...],
    words: tuple[str, ...],
    number: int,
    variant: Variant,
    chance: random.Random,
) -> Iterator[str]:
    """A series that these matchers select, if one was found; a histogram's comes once for each bucket."""
    labels: dict[str, str] = {}
    for word in (NAME, *words):
        asked = [each for each in matchers if each.label == word]
        pool = ["a", "b", "1"] if word != "le" else ["1", "+Inf"]
        usual = "a" if variant.series == 1 else pool[number % len(pool)] if chance.random() < 0.8 else ""
        if variant.bare:
            usual = ""
        value = next((each for each in _candidates(asked, usual, pool, chance) if _fits(each, asked)), None)
        if value is None:
            return
        labels[word] = value
    if not PLAIN.fullmatch(labels[NAME].replace(":", "_")):
        return
    bounds = (
        ["0.5", "1", "+Inf"] if "le" in words and not any(each.label == "le" for each in matchers) else [None]
    )
    for bound in bounds:
        final = labels if bound is None else {**labels, "le": bound}
        pairs = ",".join(
            f"{key}={_quoted(final[key])}" for key in sorted(final) if key != NAME and final[key]
        )
        yield f"{final[NAME]}{{{pairs}}}"


def _candidates(asked: list[Matcher], usual: str, pool: list[str], chance: random.Random) -> Iterator[str]:
    yield usual
    for each in asked:
        if each.op == "=":
            yield each.value
        elif each.op == "=~":
            for _ in range(8):
                yield _example(_parser.parse(each.value), chance)
    yield from (*pool, "other", "")


def _fits(value: str, asked: list[Matcher]) -> bool:
    for each in asked:
        equal = value == each.value if each.op in ("=", "!=") else bool(re.fullmatch(each.value, value))
        if equal != (each.op in ("=", "=~")):
            return False
    return True


def _example(pattern: Any, chance: random.Random) -> str:
    """A text that the parsed pattern matches, mostly; `_fits` has the last word."""
    out = ""
    for op, value in pattern:
        if op is sre.LITERAL:
            out += chr(value)
        elif op in (sre.ANY, sre.NOT_LITERAL, sre.CATEGORY):
            out += "1"
        elif op is sre.IN:
            first = value[0]
            out += (
                chr(first[1])
                if first[0] is sre.LITERAL
                else chr(first[1][0])
                if first[0] is sre.RANGE
                else "1"
            )
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            out += "".join(_example(value[2], chance) for _ in range(max(value[0], 1)))
        elif op is sre.BRANCH:
            out += _example(chance.choice(value[1]), chance)
        elif op is sre.SUBPATTERN:
            out += _example(value[3], chance)
    return out


def _fill(
    points: dict[float, float],
    now: float,
    windows: list[tuple[float, float]],
    variant: Variant,
    chance: random.Random,
) -> None:
    """Samples inside every span that some selector of the expression reads."""
    base, slope = chance.choice([0.0, 0.4, 3.0, 95.0, 1e7]), chance.choice([0.0, 0.1, -0.1, 40.0])
    if variant.values != "mixed":
        base, slope = {"steep": (1e9, 1e5), "zero": (0.0, 0.0), "one": (1.0, 0.0)}[variant.values]
    for low, high in windows:
        for part in (0.0, 0.2, 0.4, 0.6, 0.8, 0.97):
            for before in (0.0, 20.0):
                when = round(now - high - part * (low - high or 60.0) - before, 3)
                points[when] = base + slope * (when - EPOCH) if slope else base


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
