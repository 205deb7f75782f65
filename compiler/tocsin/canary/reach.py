"""How much of the window the server's history holds. One cheap request for a whole run, one more for an end that is missing.

Asked is when anything at all was there: `up`, and the series that the rules themselves read. A metric that is merely new does not shorten the
window of the others; a server whose everything begins late has a shorter retention than the window, and one that holds nothing at all would
call every rule quiet: a wrong address, a wrong tenant, a window in the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tocsin.canary.decode import decode
from tocsin.canary.fetcher import Fetcher, NotReplayable
from tocsin.canary.planner import Plan
from tocsin.canary.source import TooMuch, Unanswerable, Unfit
from tocsin.canary.values import Grid, Ints, Window
from tocsin.promql import Expr, canonical, parse
from tocsin.promql.tree import Selector

_TIMES: Final = 48
_SELECTORS: Final = 8
_LOOKBACK_MS: Final = 300_000
"""So long the latest sample may be still on its way."""
Held = Literal["whole", "part", "nothing", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`part` where history begins later than a 48th of the window after its start, or ends as much before its end; `unknown` without an answer.
    `held_ms` is how long the part is: rates are of that, and never of days that nobody kept."""

    held: Held
    held_ms: int | None = None


def reach_of(plan: Plan, window: Window, fetcher: Fetcher) -> Reach:
    """How much of the window the server has."""
    selectors = _selectors(plan)
    expr = " or ".join(f"count({each})" for each in ("up", *selectors))
    # Whole seconds: a Prometheus reads a fraction as a float, and may be a millisecond beside it.
    step = max((window.end_ms - window.start_ms) // _TIMES // 1000 * 1000, 1000)
    # With the end: all that a server set up this morning has may lie within the last 48th.
    grid = Grid(start_ms=window.start_ms, step_ms=step, count=_TIMES + 1)
    there = _there(expr, grid, fetcher)
    if there is None:
        return Reach(held="unknown")
    if not there.size:
        # Of an expression that cannot be read nobody knows what it reads; its server will say.
        readable = all(isinstance(parse(each.expr), Expr) for each in plan.questions)
        return Reach(held="nothing" if readable else "unknown")
    first, last = int(there.min()), int(there.max())
    ends_early = (grid.count - 1 - last) * step > max(step, _LOOKBACK_MS)
    if first <= 1 and not ends_early:
        return Reach(held="whole")
    # Where in a 48th it begins and ends; a day of history in two weeks would else be a quarter off.
    finer = max(step // _TIMES // 1000 * 1000, 1000)

    def within(start_ms: int) -> list[int]:
        part = Grid(start_ms=start_ms, step_ms=finer, count=step // finer)
        more = _there(expr, part, fetcher)
        return [] if more is None else part.times()[more].tolist()

    begin, end = grid.start_ms + first * step, grid.start_ms + last * step
    begin = min([begin, *(within(begin - step) if first else ())])
    end = min(max([end, *(within(end) if last < grid.count - 1 else ())]), window.end_ms)
    return Reach(held="part", held_ms=max(end - begin, finer))


def _there(expr: str, grid: Grid, fetcher: Fetcher) -> Ints | None:
    """Where anything was; None without an answer."""
    try:
        fetcher.take()
        body = fetcher.source.range(expr, grid.start_ms, grid.end_ms, grid.step_ms)
        return decode(body, grid).at
    except (NotReplayable, TooMuch, Unanswerable, Unfit):
        return None


def _selectors(plan: Plan) -> tuple[str, ...]:
    """The first few series selectors of the questions, as they are at the time of asking."""
    found: dict[str, None] = {}
    for question in plan.questions:
        parsed = parse(question.expr)
        for node in parsed.tree if isinstance(parsed, Expr) else ():
            if isinstance(node, Selector) and node.offset == 0 and node.at is None:
                found.setdefault(_text(node))
                if len(found) == _SELECTORS:
                    return tuple(found)
    return tuple(found)


def _text(selector: Selector) -> str:
    return canonical(Expr(text="", _build=lambda: (selector,)))
