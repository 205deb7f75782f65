"""Into production and back: one rule, by the same plan, journal and apply as a sync. Pure.

The way there is `sync.plan.make_plan` with a scope of one rule, so it needs nothing here. The way back is made of what the server has now with that
one rule as the record remembers it: what others changed in its group meanwhile stays changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tocsin.canary.stage_record import Promotion
from tocsin.ir.compiled import RuleKey
from tocsin.sync.values import Change, Desired, Group, Live, Plan, Rule, State


def promotion_for(plan: Plan, key: RuleKey, live: Live, evaluator: str, by: str) -> Promotion | None:
    """How production is before that plan; None where the plan does nothing to the rule."""
    change = change_of(plan, key)
    if change is None:
        return None
    old = _placed(live, change)
    evaluated = live.states[old[0].uid].evaluated if old is not None and old[0].uid in live.states else ""
    return Promotion(
        state="promoting",
        evaluator=evaluator,
        uid=change.rule.uid,
        place=change.place,
        rule=old[0] if old is not None else None,
        before=old[1] if old is not None else None,
        evaluated=evaluated,
        by=by,
    )


def change_of(plan: Plan, key: RuleKey) -> Change | None:
    """What the plan writes of that rule; its removal from another place is not told."""
    found = [
        change
        for group in plan.groups
        for change in group.changes
        if change.rule.key == key.text and change.action != "none"
    ]
    return min(found, key=lambda each: each.action == "delete", default=None)


def _placed(live: Live, change: Change) -> tuple[Rule, Group] | None:
    """The live rule that the change replaces: of its uid, or where a place is part of the uid, of its key."""
    both = [(rule, group) for group in live.groups for rule in group.rules]
    same = [each for each in both if each[0].uid == change.rule.uid]
    keyed = [each for each in both if each[0].key == change.rule.key and each[0].owner == change.rule.owner]
    return next(iter((*same, *keyed)), None)


def as_it_was(live: Live, owner: str, environment: str, promotion: Promotion) -> Desired:
    """What a server should hold to have the old rule back: everything of ours as it is now, and that rule as it was (or gone, where it was not)."""
    groups = {group.place: group for group in live.groups if any(rule.owner == owner for rule in group.rules)}
    index = 0
    for place, group in list(groups.items()):
        kept = tuple(rule for rule in group.rules if rule.uid != promotion.uid)
        if len(kept) < len(group.rules) and place == promotion.place:
            index = next(at for at, rule in enumerate(group.rules) if rule.uid == promotion.uid)
        groups[place] = replace(group, rules=tuple(rule for rule in kept if rule.owner == owner))
    if promotion.rule is not None and promotion.before is not None:
        before = promotion.before
        there = groups.get(before.place)
        rules = there.rules if there is not None else ()
        at = index if before.place == promotion.place else len(rules)
        groups[before.place] = replace(before, rules=(*rules[:at], promotion.rule, *rules[at:]))
    # A group that is empty now was empty but for the new rule: the plan deletes it where nobody wants it.
    kept_groups = tuple(group for _, group in sorted(groups.items()) if group.rules)
    return Desired(owner=owner, environment=environment, groups=kept_groups)


def fires(states: Mapping[str, State], uids: frozenset[str]) -> int:
    """How many alerts of these rules fire now."""
    return sum(states[uid].firing for uid in uids if uid in states)


def evaluated(states: Mapping[str, State], promotion: Promotion) -> bool:
    """Whether the new version has been evaluated since it was written."""
    state = states.get(promotion.uid)
    return state is not None and state.evaluated not in ("", promotion.evaluated)
