"""Whether a server evaluates what stands in a file: the rules of `/api/v1/rules` beside ours. Pure.

Prometheus prints an expression its own way, so expressions are compared in the canonical form of `promql`; one that cannot be read there is taken
as equal, for it was checked before it was written. A label of the group is on every rule of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from tocsin.promql import Expr, canonical, parse
from tocsin.sync.grafana import WHICH
from tocsin.sync.ruler import ORDER, told_apart
from tocsin.sync.values import Group, Place, Rule, State
from tocsin.wire.grafana import Json
from tocsin.wire.live import GroupState, RuleState

_EMPTY = re.compile(r" (?:on|ignoring)\(\)(?: group_(?:left|right)\(\))?")


def differs(group: Group, found: GroupState | None) -> str:
    """What the server evaluates instead of `group`, in a few words; `""` where it is the same."""
    if found is None:
        return "does not have it"
    if group.interval and group.interval != found.interval:
        return "has another interval"
    if group.settings.get("limit", 0) != found.limit:
        return "has another limit"
    if len(group.rules) != len(found.rules):
        return f"has {len(found.rules)} rules of {len(group.rules)}"
    own = group.settings.get("labels")
    labels = _texts(own)
    for rule, state in zip(group.rules, found.rules, strict=True):
        said = _rule_differs(rule, state, labels)
        if said:
            return f"has another {said} of {rule.title}"
    return ""


def group_of(found: GroupState, folder: str, owner: str, service: str) -> Group:
    """A group that only the server has any more, as far as its answer tells."""
    place = Place(folder, found.name)
    return Group(
        place=place,
        interval=found.interval,
        rules=told_apart([_rule(each, owner, service) for each in found.rules], place),
        service=service,
        settings=dict(ORDER),
    )


def states_of(group: Group, found: GroupState) -> dict[str, State]:
    """What the rules of `group` do, by uid. A rule the server does not have is left out."""
    named = {each.uid: each for each in group.rules}
    made: dict[str, State] = {}
    own = _texts(group.settings.get("labels"))
    free = list(found.rules)
    for uid, rule in named.items():
        wanted = {**own, **_texts(rule.body.get("labels"))}
        state = next((each for each in free if each.name == rule.title and each.labels == wanted), None)
        if state is not None:
            free.remove(state)
            made[uid] = State.of(state)
    return made


def together(states: Mapping[str, State], others: Mapping[str, State]) -> dict[str, State]:
    """The states of two replicas as one: the worse health, the larger counts, for both count the same alerts."""
    made = dict(states)
    for uid, each in others.items():
        old = made.get(uid)
        if old is None:
            made[uid] = each
            continue
        worse = each if each.health == "error" or old.health == "unknown" else old
        made[uid] = State(
            health=worse.health,
            pending=max(old.pending, each.pending),
            firing=max(old.firing, each.firing),
            error=worse.error,
            evaluated=min(old.evaluated, each.evaluated),
            took=max(old.took, each.took),
        )
    return made


def _rule_differs(rule: Rule, state: RuleState, labels: Mapping[str, str]) -> str:
    if (rule.title, rule.kind) != (state.name, "alert" if state.type == "alerting" else "record"):
        return "rule in the place"
    body = rule.body
    written, read = _canonical(str(body.get("expr"))), _canonical(state.query)
    if written and read and written != read:
        return "expression"
    if {**labels, **_texts(body.get("labels"))} != dict(state.labels):
        return "set of labels"
    if rule.kind == "record":
        return ""
    if (body.get("for", 0), body.get("keep_firing_for", 0)) != (int(state.for_), int(state.keep_firing_for)):
        return "`for`"
    annotations = {name: text for name, text in state.annotations.items() if name != WHICH}
    return "set of annotations" if _texts(body.get("annotations")) != annotations else ""


def _rule(state: RuleState, owner: str, service: str) -> Rule:
    alert = state.type == "alerting"
    body: dict[str, Json] = {"expr": state.query, "labels": dict(sorted(state.labels.items()))}
    annotations = dict(sorted(state.annotations.items()))
    key = annotations.pop(WHICH, "").partition(" ")[2]
    if alert:
        body |= {
            "for": int(state.for_),
            "keep_firing_for": int(state.keep_firing_for),
            "annotations": annotations,
        }
    return Rule(
        uid="",
        title=state.name,
        kind="alert" if alert else "record",
        body=body,
        owner=owner,
        key=key,
        service=service,
        labels={"alertname": state.name, **state.labels} if alert else dict(state.labels),
    )


@lru_cache(maxsize=32_768)
def _canonical(text: str) -> str:
    """`""` for what cannot be read here. Prometheus forgets an empty `on ()` beside a number, so an empty one is left out."""
    parsed = parse(text)
    return _EMPTY.sub("", canonical(parsed)) if isinstance(parsed, Expr) else ""


def _texts(value: Json) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}
