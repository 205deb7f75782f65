"""Wanted and live in, a plan out. Pure: nothing here can write.

A rule is found by its uid, wherever it lies. Ours is what carries our mark; everything else is foreign and left alone. What a group cannot
have is refused for that group, and the other groups go out; what makes the whole run doubtful stops it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.sync.compare import changes_meaning, differences, effect_of, silences_lost
from tocsin.sync.guard import Admit as Admit
from tocsin.sync.guard import Asked as Asked
from tocsin.sync.guard import Guard, group_refusals, stops, within_limits
from tocsin.sync.hold import lasts, too_long
from tocsin.sync.values import (
    Action,
    Change,
    Desired,
    FieldChange,
    Group,
    GroupPlan,
    Live,
    Place,
    Plan,
    Rule,
    State,
)

_UNKNOWN = State(health="unknown")
_NO_MEANING = ("paused", "hold", "group.loaded")
"""Differences that no verdict is about: who pauses, and whether a server has read what is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run is limited to; empty means everything. What lies outside is left as it is live."""

    services: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    def holds(self, rule: Rule) -> bool:
        """Whether the run is about this rule."""
        id = rule.key.partition("/")[0]
        return (not self.services or rule.service in self.services) and (
            not self.rules
            or rule.key in self.rules
            or id in self.rules
            # A record on a server is known by its series alone.
            or (rule.kind == "record" and rule.title in self.rules)
        )


@dataclass(slots=True)
class _World:
    """The live side, by uid. Lives as long as one call of `make_plan`."""

    live: Live
    rules: Mapping[str, tuple[Rule, Place]]
    keys: Mapping[str, tuple[Rule, Place]]
    """Those of ours, by key."""
    groups: Mapping[Place, Group]
    now: str
    owner: str


def make_plan(
    desired: Desired,
    live: Live,
    guard: Guard,
    admit: Admit,
    now: str,
    scope: Scope | None = None,
) -> Plan:
    """Everything a sync of `desired` would do to `live`. `now` (ISO 8601, UTC) only decides which holds have ended."""
    scope = scope or Scope()
    world = _World(
        live=live,
        rules={rule.uid: (rule, group.place) for group in live.groups for rule in group.rules},
        keys={
            rule.key: (rule, group.place)
            for group in live.groups
            for rule in group.rules
            if rule.key and rule.owner == desired.owner
        },
        groups={group.place: group for group in live.groups},
        now=now,
        owner=desired.owner,
    )
    wanted = {rule.uid for group in desired.groups for rule in group.rules}
    plans = [_planned(group, world, scope, wanted) for group in desired.groups]
    places = {each.place for each in plans}
    plans = [_with_removed(each, world, desired, scope, wanted) for each in plans]
    leaving = _leaving(plans)
    for place, group in world.groups.items():
        if place not in places:
            bare = GroupPlan(place=place, service=group.service, before=group, after=None, changes=())
            emptied = _with_removed(bare, world, desired, scope, wanted)
            if emptied.changes or place in leaving:
                plans.append(emptied)
    plans = [replace(each, leaving=leaving.get(each.place, ())) for each in plans]
    plans = [
        _judged(each, world, guard, admit, desired) for each in sorted(plans, key=lambda each: each.place)
    ]
    plans = _staying(within_limits(plans, live))
    have = {each.uid for each in live.folders}
    needed = {each.place.folder for each in plans if each.writes and each.after is not None}
    return Plan(
        environment=desired.environment,
        owner=desired.owner,
        server=live.server,
        live=fingerprint(live),
        folders=tuple(each for each in desired.folders if each.uid in needed - have),
        groups=tuple(plans),
        stops=stops(desired, live, plans, guard),
        frozen=tuple(sorted(desired.frozen)),
    )


def fingerprint(live: Live) -> str:
    """What was read, in a hash: every rule with its place, body, pause and owner. States and silences are not in it: they move by themselves."""
    rows = [
        [*group.place, int(group.interval), dict(group.settings), [_identity(rule) for rule in group.rules]]
        for group in sorted(live.groups, key=lambda each: each.place)
    ]
    text = json.dumps([live.server.identity, rows], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _identity(rule: Rule) -> list[object]:
    hold = [rule.hold.by, rule.hold.until, rule.hold.reason] if rule.hold is not None else None
    return [rule.uid, rule.title, rule.paused, rule.owner, rule.provenance, hold, rule.body]


def _planned(group: Group, world: _World, scope: Scope, wanted: set[str]) -> GroupPlan:
    """The changes of one wanted group, in its order; foreign rules of the live one counted."""
    before = world.groups.get(group.place)
    rules: list[Rule] = []
    changes: list[Change] = []
    for rule in group.rules:
        found = world.rules.get(rule.uid)
        if not scope.holds(rule):
            if found is not None and found[1] == group.place:
                rules.append(found[0])
            continue
        change = _change(rule, found, group, before, world)
        rules.append(change.rule)
        changes.append(change)
    members = before.rules if before is not None else ()
    # What is ours, frozen or out of scope, and lies in this group stays in it; a group is written whole.
    kept = [
        each
        for each in members
        if each.owner == world.owner and each.uid not in wanted and not scope.holds(each)
    ]
    foreign = sum(each.owner != world.owner and each.uid not in wanted for each in members)
    return GroupPlan(
        place=group.place,
        service=group.service,
        before=before,
        after=replace(group, rules=(*rules, *kept)),
        changes=tuple(changes),
        foreign=foreign,
    )


def _change(
    rule: Rule, found: tuple[Rule, Place] | None, group: Group, before_group: Group | None, world: _World
) -> Change:
    if found is None:
        return Change(
            action="create",
            rule=rule,
            before=None,
            place=group.place,
            effect="none" if rule.paused else "starts",
        )
    old, place = found
    new, notes = _paused(rule, old, world.now)
    fields = [*differences(old.body, new.body)]
    if old.title != new.title:
        fields.append(FieldChange(path="title", old=old.title, new=new.title))
    if old.paused != new.paused:
        fields.append(FieldChange(path="paused", old=old.paused, new=new.paused))
    if old.hold != new.hold:
        fields.append(
            FieldChange(
                path="hold",
                old=old.hold.until if old.hold else None,
                new=new.hold.until if new.hold else None,
            )
        )
    if before_group is not None and place == group.place:
        if before_group.interval != group.interval:
            fields.append(
                FieldChange(path="interval", old=int(before_group.interval), new=int(group.interval))
            )
        fields.extend(differences(dict(before_group.settings), dict(group.settings), "group"))
        fields.extend(_reordered(before_group, group))
    moved = place != group.place
    action: Action = (
        "adopt" if old.owner != rule.owner else "move" if moved else "update" if fields else "none"
    )
    state = world.live.states.get(rule.uid, _UNKNOWN)
    effect = effect_of(world.live.server.kind, old, new, fields, moved=moved) if action != "none" else "none"
    if action == "adopt" and effect == "none" and world.live.server.kind == "grafana":
        effect = "resolves-and-refires"
    if effect == "resolves-and-refires" and world.live.server.kind in ("prometheus", "mimir") and not moved:
        notes += _carried(old, new)
    if effect == "resolves-and-refires" and state.pending and not state.firing:
        effect = "for-restarts"
    return Change(
        action=action,
        rule=new,
        before=old,
        place=group.place,
        came_from=place if moved else None,
        reason=_reason(action, fields),
        fields=tuple(fields),
        effect=effect,
        pending=state.pending,
        firing=state.firing,
        silences_lost=silences_lost(world.live.silences, old, new) if action != "none" else (),
        notes=notes,
    )


def _carried(old: Rule, new: Rule) -> tuple[str, ...]:
    """What softens the effect of a changed expression."""
    if (old.title, old.labels) != (new.title, new.labels):
        return ()
    return ("an alert whose labels the new expression gives too goes on as it is",)


def _reordered(before: Group, after: Group) -> Iterator[FieldChange]:
    """The order of the rules both have, where the target keeps one (`order` in the settings) and it is another."""
    if "order" not in after.settings:
        return
    both = {each.uid for each in before.rules} & {each.uid for each in after.rules}
    old, new = ([each.title for each in group.rules if each.uid in both] for group in (before, after))
    if old != new:
        yield FieldChange(path="order", old=old, new=new)


def _paused(rule: Rule, old: Rule, now: str) -> tuple[Rule, tuple[str, ...]]:
    """The rule with the pause it should have: a hold that lasts is honoured, one that ended ends, a pause by hand stays."""
    if old.hold is not None:
        if lasts(old.hold, now):
            held = f"held by {old.hold.by} until {old.hold.until}: {old.hold.reason}"
            long = (
                ("held for more than 7 days, which no hold may be: end it with `tocsin hold --release`",)
                if too_long(old.hold, now)
                else ()
            )
            return replace(rule, paused=True, hold=old.hold), (held, *long)
        return rule, (f"the hold by {old.hold.by} ended at {old.hold.until}",)
    if old.paused and not rule.paused:
        return replace(rule, paused=True), ("paused on the server by hand: it stays paused",)
    return rule, ()


def _reason(action: str, fields: Sequence[FieldChange]) -> str:
    if action == "adopt":
        return "the rule exists under this uid and carries no mark of ours"
    tops = sorted({each.path.partition(".")[0].partition("[")[0] for each in fields})
    return ", ".join(tops)


def _with_removed(
    plan: GroupPlan, world: _World, desired: Desired, scope: Scope, wanted: set[str]
) -> GroupPlan:
    """The plan with what is ours in that group and no longer wanted: deleted, unless its service is frozen or out of scope."""
    if plan.before is None:
        return plan
    gone: list[Change] = []
    kept: list[Rule] = []
    for rule in plan.before.rules:
        if rule.uid in wanted or rule.owner != desired.owner:
            continue
        if rule.service in desired.frozen:
            kept.append(rule)
        elif scope.holds(rule):
            state = world.live.states.get(rule.uid, _UNKNOWN)
            gone.append(
                Change(
                    action="delete",
                    rule=rule,
                    before=rule,
                    place=plan.place,
                    reason="it is not in the sources any more",
                    effect="none" if rule.paused else "resolves",
                    pending=state.pending,
                    firing=state.firing,
                    silences_lost=silences_lost(world.live.silences, rule, None),
                )
            )
    if plan.after is not None:
        after: Group | None = replace(plan.after, rules=(*plan.after.rules, *kept))
    else:
        gone_uids = {each.rule.uid for each in gone}
        staying = [each for each in plan.before.rules if each.uid not in gone_uids and each.uid not in wanted]
        after = replace(plan.before, rules=tuple(staying)) if staying else None
    return replace(plan, after=after, changes=(*plan.changes, *gone))


def _leaving(plans: Iterable[GroupPlan]) -> dict[Place, tuple[str, ...]]:
    """Group -> uids that another group of the plan takes from it."""
    found: dict[Place, list[str]] = {}
    for plan in plans:
        for change in plan.changes:
            if change.came_from is not None:
                found.setdefault(change.came_from, []).append(change.rule.uid)
    return {place: tuple(uids) for place, uids in found.items()}


def _judged(plan: GroupPlan, world: _World, guard: Guard, admit: Admit, desired: Desired) -> GroupPlan:
    refusals = [*group_refusals(plan, world.live, desired, guard)]
    for change in plan.changes:
        if _needs_verdict(change) and not _only_moves(change, desired):
            refusal = admit(_asked(change, world))
            if refusal is not None:
                refusals.append(refusal)
    return (
        replace(plan, refusals=tuple(refusals))
        if any(each.action != "none" for each in plan.changes)
        else plan
    )


def _asked(change: Change, world: _World) -> Asked:
    live, place = change.before, change.came_from or change.place
    if live is None:
        # A uid may say the place, so that a rule that moves is a new one; what it takes the place of has its key.
        live, place = world.keys.get(change.rule.key, (None, place))
    return Asked(
        rule=change.rule,
        digest="" if change.action == "delete" else change.rule.digest,
        live=live,
        group=world.groups.get(place) if live is not None else None,
    )


def _staying(plans: Sequence[GroupPlan]) -> list[GroupPlan]:
    """The plans, with every rule left where it is that was to move to a group which is refused: written without it, its old group would delete it."""
    refused = {
        change.rule.uid
        for plan in plans
        if plan.refusals
        for change in plan.changes
        if change.came_from is not None
    }
    return [
        _with_stayers(each, refused & set(each.leaving)) if each.before is not None else each
        for each in plans
    ]


def _with_stayers(plan: GroupPlan, uids: set[str]) -> GroupPlan:
    if not uids or plan.before is None:
        return plan
    after = plan.after or replace(plan.before, rules=())
    stay = tuple(each for each in plan.before.rules if each.uid in uids)
    return replace(
        plan,
        after=replace(after, rules=(*after.rules, *stay)),
        leaving=tuple(each for each in plan.leaving if each not in uids),
    )


def _only_moves(change: Change, desired: Desired) -> bool:
    """A deletion that is half of a move: the rule begins again under another uid, which may say the place."""
    return (
        change.action == "delete"
        and bool(change.rule.key)
        and any(each.key == change.rule.key for group in desired.groups for each in group.rules)
    )


def _needs_verdict(change: Change) -> bool:
    """Added, removed, or another meaning than the live one. A rule that nobody runs (paused) is judged like the others; one of no service is made
    by tocsin itself. Of a record, who is asked asks about the alerts that read it."""
    if not change.rule.service:
        return False
    if change.action in ("create", "delete"):
        return True
    return changes_meaning(each for each in change.fields if each.path not in _NO_MEANING)
