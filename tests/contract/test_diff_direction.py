"""More or less sensitive, as real servers see it: where the diff says `up`, whatever fired before still fires, at every moment that is asked about.

The changes are the rows of `tests/unit/test_diff_expressions.py`. The series are made for them: values below zero, gaps, counters that reset. `foo` alone,
which windows look at, has no gap: that a window has samples throughout is what the diff takes for granted.
What `increase` adds at the ends of its window is an estimate that a longer window may lower by some percent; its rows are left to that table.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest
from tests.contract.diff_changes import Maker
from tests.contract.promql_series import loaded
from tests.real.components import NEWEST, VERSIONS
from tests.real.servers import Server, ServerFailedError
from tests.unit.test_diff_expressions import ROWS

from tocsin.diff import effects
from tocsin.diff.classes import direction_of, worst
from tocsin.diff.expressions import compare_expressions
from tocsin.promql import Expr, parse

START, STEP, SAMPLES = 1_790_000_000, 30, 300
MOMENTS = [START + STEP * number for number in range(130, SAMPLES, 6)]
LABELS = {
    "env": ("a", "b", "c", "prod", "dev", ""),
    "a": ("1", "2"),
    "x": ("1", "2"),
    "code": ("499", "503", "404"),
}
CHANGES = [
    (old, new, said.split()[1])
    for old, new, said in ROWS
    if said.endswith((" up", " down")) and "increase(" not in old
]


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with loaded(request.param, series(), tmp_path_factory.mktemp("direction")) as server:
        yield server


def series() -> str:
    """Two gauges around zero that rise and fall together, two counters that now and then begin again, and who is up; all but `foo` with gaps. A label
    set is the same in each metric, so that they pair."""
    dice = random.Random(5)  # the same series every time
    sets = [
        {**{name: dice.choice(values) for name, values in LABELS.items()}, "n": str(number)}
        for number in range(20)
    ]
    texts = [",".join(f'{name}="{value}"' for name, value in each.items() if value) for each in sets]
    rows: list[str] = []
    for metric in ("foo", "bar", "a", "b", "up"):
        rows.append(f"# TYPE {metric} gauge")
        for text in texts:
            value, own, present = 0.0, 0.0, True
            for at in range(SAMPLES):
                if metric in ("foo", "bar"):
                    own = max(-4.0, min(4.0, own + dice.choice((-1, -0.5, 0, 0.5, 1))))
                    value = own + (8 * math.sin(at / 25) if metric == "foo" else 0)
                    value = round(value * 2) / 2
                elif metric == "up":
                    value = float(dice.random() < 0.7)
                else:
                    value = 0.0 if dice.random() < 0.01 else value + dice.choice((0, 0, 10, 60, 300))
                present = metric == "foo" or present != (dice.random() < 0.02)
                if present:
                    rows.append(f"{metric}{{{text}}} {value} {START + at * STEP}")
    return "\n".join([*rows, "# EOF"]) + "\n"


def fires(server: Server, expr: str, at: float) -> frozenset[tuple[tuple[str, str], ...]]:
    found = server.query(expr, at)
    return frozenset(
        tuple(sorted((name, text) for name, text in each["metric"].items() if name != "__name__"))
        for each in found
    )


def test_an_arrow_is_what_a_real_server_does(server: Server) -> None:
    seen: set[tuple[str, str]] = set()
    for old, new, direction in CHANGES:
        for at in MOMENTS:
            before, after = fires(server, old, at), fires(server, new, at)
            fewer, more = (before, after) if direction == "up" else (after, before)
            assert fewer <= more, (
                f"{old} -> {new} is called {direction}, and at {at} {sorted(fewer - more)} is against it"
            )
            if fewer < more:
                seen.add((old, new))
    # An arrow that no series ever shows would prove nothing.
    unseen = {each[:2] for each in CHANGES} - seen
    assert len(unseen) <= len(CHANGES) // 4, sorted(unseen)
    print(f"{len(seen)} of {len(CHANGES)} arrows were seen to matter")


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with loaded(NEWEST, series(), tmp_path_factory.mktemp("made")) as server:
        yield server


def arrows(seed: int, count: int) -> Iterator[tuple[str, str, str]]:
    """Made-up changes that the diff gives an arrow."""
    for old, new in Maker(seed).changes(count):
        before, after = parse(old), parse(new)
        if isinstance(before, Expr) and isinstance(after, Expr):
            found = compare_expressions(before, after)
            direction = direction_of(each.direction for each in found)
            if worst(each.class_ for each in found) == "sensitivity" and direction in ("up", "down"):
                yield old, new, direction


def against(server: Server, old: str, new: str, direction: str) -> bool:
    """Whether the server contradicts an arrow at some moment."""
    for at in MOMENTS[::4]:
        try:
            before, after = fires(server, old, at), fires(server, new, at)
        except ServerFailedError:  # two series became one: such an alert does not fire at all
            return False
        if not (before <= after if direction == "up" else after <= before):
            return True
    return False


def test_arrows_of_made_up_changes_hold(newest: Server) -> None:
    made = list(arrows(seed=7, count=500))
    assert len(made) > 100
    assert [each for each in made if against(newest, *each)] == []


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("times", lambda one, other: one),
        ("both", lambda one, other: one or other),
        ("_never_negative", lambda tree: [True] * len(tree)),
        ("_has_holes", lambda tree, at: False),
        ("_is_above_zero", lambda node: True),
    ],
)
def test_a_wrong_rule_is_noticed(
    newest: Server, monkeypatch: pytest.MonkeyPatch, rule: str, wrong: object
) -> None:
    monkeypatch.setattr(effects, rule, wrong)
    assert any(against(newest, *each) for each in arrows(seed=7, count=4_000))
