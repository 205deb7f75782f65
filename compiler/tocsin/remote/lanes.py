"""Several requests at once, in lanes: items with the same key run one after another, in order; lanes run beside each other.

Two writes into one Grafana folder race on the server (a rule that moves between two groups is in both transactions), so a folder is a lane.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from tocsin.errors import TocsinError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[_Item, _Result]):
    """What became of an item. `error` is an operator's matter (`TocsinError`); neither result nor error: it was not begun."""

    item: _Item
    result: _Result | None = None
    error: TocsinError | None = None
    begun: bool = True


def in_lanes(
    items: Iterable[_Item],
    work: Callable[[_Item], _Result],
    *,
    lane: Callable[[_Item], Hashable],
    workers: int = 4,
    stop_at_error: bool = False,
) -> list[Outcome[_Item, _Result]]:
    """`work` on every item; outcomes in the order of the items.

    An error of an operator's kind ends its item alone, or with `stop_at_error` keeps any further item from being begun. Any other exception,
    and Ctrl-C, does so too, waits for what is under way, and is raised.
    """
    everything = list(items)
    outcomes: list[Outcome[_Item, _Result]] = [Outcome(item, begun=False) for item in everything]
    lanes: dict[Hashable, list[int]] = {}
    for index, item in enumerate(everything):
        lanes.setdefault(lane(item), []).append(index)
    stop = threading.Event()

    def run(indexes: list[int]) -> None:
        for index in indexes:
            if stop.is_set():
                return
            item = everything[index]
            try:
                outcomes[index] = Outcome(item, result=work(item))
            except TocsinError as error:
                outcomes[index] = Outcome(item, error=error)
                if stop_at_error:
                    stop.set()
            except BaseException:
                stop.set()
                raise

    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="tocsin-lane") as pool:
        running = [pool.submit(run, indexes) for indexes in lanes.values()]
        try:
            for future in running:
                future.result()
        except BaseException:
            stop.set()
            raise
    return outcomes
