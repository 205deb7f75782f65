"""In which order the groups of a plan are written. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.sync.values import GroupPlan, Place


def in_order(plans: Iterable[GroupPlan]) -> tuple[GroupPlan, ...]:
    """The groups as they are written: records before alerts, what receives a moved rule before what loses it, deletions last, and of these what
    deletes records at the very end."""

    plans = tuple(plans)
    takers: dict[Place, set[Place]] = {}
    for each in plans:
        for change in each.changes if each.writes else ():
            if change.came_from is not None:
                takers.setdefault(change.came_from, set()).add(each.place)

    def depth(place: Place, seen: frozenset[Place]) -> int:
        """How many groups must be written before this one, so that what it gives away is taken and not deleted. A circle has no order."""
        beyond = takers.get(place, set()) - seen
        return 1 + max(depth(each, seen | {place}) for each in beyond) if beyond else 0

    def rank(plan: GroupPlan) -> tuple[int, int, Place]:
        records = [each.action for each in plan.changes if each.rule.kind == "record"]
        writes = any(each not in ("delete", "none") for each in records)
        if all(each.action in ("delete", "none") for each in plan.changes):
            return (2, 1 if "delete" in records else 0, plan.place)
        return (0 if writes else 1, depth(plan.place, frozenset({plan.place})), plan.place)

    return tuple(sorted((each for each in plans if each.writes), key=rank))
