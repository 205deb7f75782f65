"""Whether the server's history reaches back to the window's start. One cheap request for a whole run.

Asked is when anything at all was there: `up`, and the series that the rules themselves read. A metric that is merely new does not shorten the
window of the others; a server whose everything begins late has a shorter retention than the window.
"""

from __future__ import annotations

from typing import Final

from tocsin.canary.decode import decode
from tocsin.canary.fetch import Fetcher, NotReplayable
from tocsin.canary.planner import Plan
from tocsin.canary.source import TooMuch, Unanswerable, Unfit
from tocsin.canary.values import Grid, Window
from tocsin.promql import Expr, canonical, parse
from tocsin.promql.tree import Selector

_TIMES: Final = 48
_SELECTORS: Final = 8


def begins_late(plan: Plan, window: Window, fetcher: Fetcher) -> bool:
    """True where history begins later than a 48th of the window after its start. False where there is none at all, or no answer."""
    selectors = _selectors(plan)
    expr = " or ".join(f"count({each})" for each in ("up", *selectors))
    # Whole seconds: a Prometheus reads a fraction as a float, and may be a millisecond beside it.
    step = max((window.end_ms - window.start_ms) // _TIMES // 1000 * 1000, 1000)
    grid = Grid(start_ms=window.start_ms, step_ms=step, count=_TIMES)
    try:
        fetcher.take()
        body = fetcher.source.range(expr, grid.start_ms, grid.end_ms, step)
        found = decode(body, grid)
    except (NotReplayable, TooMuch, Unanswerable, Unfit):
        return False
    return bool(found.at.size) and int(found.at.min()) > 1


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
