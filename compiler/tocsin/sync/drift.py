"""Where a server differs from the sources, in four classes. Pure: reads a `Desired` and a `Live`, and says.

missing: in the sources, not on the server. foreign: in a folder of ours, and not ours (or marked ours and in no source). paused: stopped on
the server by hand or by a hold. divergent: there, and something else than the sources say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tocsin.sync.guard import Guard
from tocsin.sync.overrides import Overrides
from tocsin.sync.plan import Scope, make_plan
from tocsin.sync.values import CANARY, Desired, FieldChange, Live, Place, Rule, Server

Class = Literal["missing", "foreign", "paused", "divergent"]
CLASSES: tuple[Class, ...] = ("missing", "foreign", "paused", "divergent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule that is not as the sources say."""

    kind: Class
    uid: str
    title: str
    key: str
    service: str
    place: Place
    say: str = ""
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """One rule of ours that the server cannot evaluate, and what the server says of that."""

    uid: str
    title: str
    key: str
    place: Place
    say: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Everything that differs, and how many rules were compared."""

    environment: str
    server: Server
    compared: int
    rows: tuple[Row, ...]
    failing: tuple[Failing, ...] = ()
    """Rules of ours whose evaluation fails: no drift, and what a sync that does not wait so long leaves to be found here."""
    overrides: Overrides | None = None
    """What went out without a verdict, None where nobody named the journal that knows."""

    def count(self, kind: Class) -> int:
        """How many of one class."""
        return sum(each.kind == kind for each in self.rows)


def drift_of(desired: Desired, live: Live, now: str, scope: Scope | None = None) -> Drift:
    """The difference of the two, sorted by class and place."""
    scope = scope or Scope()
    rows = [*_compared(desired, live, now, scope), *_foreign(desired, live, scope)]
    ours = [
        (rule, group.place)
        for group in live.groups
        for rule in group.rules
        if rule.owner == desired.owner and scope.holds(rule)
    ]
    return Drift(
        environment=desired.environment,
        server=live.server,
        compared=sum(len(group.rules) for group in desired.groups),
        rows=tuple(
            sorted(rows, key=lambda each: (CLASSES.index(each.kind), each.place, each.title, each.uid))
        ),
        failing=tuple(_failing(ours, live)),
    )


def _failing(ours: Iterable[tuple[Rule, Place]], live: Live) -> Iterator[Failing]:
    for rule, place in sorted(ours, key=lambda each: (each[1], each[0].title, each[0].uid)):
        state = live.states.get(rule.uid)
        if state is not None and state.health == "error":
            say = state.error or "the server does not say why"
            yield Failing(uid=rule.uid, title=rule.title, key=rule.key, place=place, say=say)


def _compared(desired: Desired, live: Live, now: str, scope: Scope) -> Iterator[Row]:
    plan = make_plan(desired, live, Guard(), lambda asked: None, now, scope)
    for group in plan.groups:
        for change in group.changes:
            place = change.came_from or change.place
            if change.action == "create":
                yield _row("missing", change.rule, change.place)
            elif change.action == "delete":
                yield _row("foreign", change.rule, place, "marked as ours and in no source")
            elif change.action != "none":
                yield replace(
                    _row("divergent", change.rule, place, _why(change.action)), fields=change.fields
                )
            before = change.before
            if before is not None and before.paused and change.rule.paused and change.notes:
                yield _row("paused", change.rule, place, "; ".join(change.notes))


def _row(kind: Class, rule: Rule, place: Place, say: str = "") -> Row:
    return Row(
        kind=kind, uid=rule.uid, title=rule.title, key=rule.key, service=rule.service, place=place, say=say
    )


def _why(action: str) -> str:
    return {"move": "it lies in another group", "adopt": "it carries no mark of ours"}.get(action, "")


def _foreign(desired: Desired, live: Live, scope: Scope) -> Iterator[Row]:
    """Rules of others in the folders that hold ours. A canary there is meant to be there for its time."""
    if scope.rules:
        return
    ours = {group.place.folder for group in desired.groups}
    wanted = {rule.uid for group in desired.groups for rule in group.rules}
    for group in live.groups:
        for rule in group.rules:
            theirs = rule.owner not in (desired.owner, f"{desired.owner}{CANARY}") and rule.uid not in wanted
            if group.place.folder in ours and theirs:
                owner = f"belongs to {rule.owner}" if rule.owner else "carries no mark"
                yield _row("foreign", rule, group.place, owner)
