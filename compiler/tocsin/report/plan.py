"""A plan as a person reads it: what is refused first, then what changes and what that does to alerts. As text, as Markdown, as JSON.

In: a `Plan`. Out: text that ends with a line break. Words of a server or a source are made visible and harmless on the way.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from tocsin.ir.duration import Duration, format_duration
from tocsin.report.findings import count
from tocsin.report.visible import visible
from tocsin.sync.document import to_json
from tocsin.sync.values import Change, FieldChange, GroupPlan, Plan, Refusal
from tocsin.wire.grafana import Json

FORMAT = 1
_SIGN: Mapping[str, str] = {
    "create": "+",
    "update": "~",
    "move": ">",
    "adopt": "^",
    "delete": "-",
    "none": " ",
}
_EFFECT: Mapping[str, str] = {
    "none": "alert state stays",
    "starts": "starts evaluating",
    "for-restarts": "what is pending starts over",
    "resolves-and-refires": "what fires resolves, and fires again after `for`",
    "resolves": "what fires resolves",
}
_DURATIONS = frozenset({"for", "keep_firing_for"})
_LONGEST = 120


def as_text(plan: Plan) -> str:
    """For a terminal."""
    return "\n".join(_lines(plan)) + "\n"


def as_markdown(plan: Plan) -> str:
    """For a pull request: the same lines in a block that nothing in them can leave."""
    lines = [each.replace("`", "'") for each in _lines(plan)]
    return f"### {_headline(plan)}\n\n```text\n" + "\n".join(lines) + "\n```\n"


def as_json(plan: Plan) -> str:
    """For machines and for `tocsin sync --plan FILE`: the plan itself, with a summary."""
    document: dict[str, Json] = {"format": FORMAT, "summary": dict(counts(plan)), "plan": to_json(plan)}
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def counts(plan: Plan) -> Counter[str]:
    """How many rules of each action, and how many groups are refused."""
    found: Counter[str] = Counter(each.action for group in plan.groups for each in group.changes)
    found["refused-groups"] = sum(bool(each.refusals) for each in plan.groups)
    return found


def _headline(plan: Plan) -> str:
    found = counts(plan)
    words = [
        f"{found[action]} to {action}"
        for action in ("create", "update", "move", "adopt", "delete")
        if found[action]
    ]
    refused = f"; {count(found['refused-groups'], 'group')} refused" if found["refused-groups"] else ""
    return f"{plan.environment} on {visible(plan.server.identity)}: {', '.join(words) or 'nothing to do'}{refused}"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{_headline(plan)} ({plan.server.kind} {visible(plan.server.version)})"
    for stop in plan.stops:
        yield f"STOP {_refusal(stop)}"
    for group in plan.groups:
        if group.refusals:
            yield f"refused: {_place(group)}"
            for each in group.refusals:
                yield f"    {_refusal(each)}"
            for change in _active(group):
                yield f"    not done: {_rule(change)}"
    for folder in plan.folders:
        yield f"+ folder {visible(folder.title)} ({visible(folder.uid)})"
    for group in plan.groups:
        if not group.refusals and any(_active(group)):
            yield f"{_place(group)}{f' ({group.foreign} rules of others)' if group.foreign else ''}"
            for change in _active(group):
                yield from _change(change)
    for group in plan.groups:
        for change in group.changes:
            if change.action == "none":
                for note in change.notes:
                    yield f"note: {_rule(change)}: {visible(note)}"
    for service in plan.frozen:
        yield f"frozen: {visible(service)} does not compile; its rules stay as they are"
    for note in plan.notes:
        yield f"note: {visible(note)}"


def _active(group: GroupPlan) -> Iterator[Change]:
    return (each for each in group.changes if each.action != "none")


def _place(group: GroupPlan) -> str:
    return f"{visible(group.place.folder)} / {visible(group.place.group)}"


def _rule(change: Change) -> str:
    return f"{_SIGN[change.action]} {change.action} {visible(change.rule.title)} [{visible(change.rule.key or change.rule.uid)}]"


def _change(change: Change) -> Iterator[str]:
    why = f": {visible(change.reason)}" if change.reason else ""
    yield f"  {_rule(change)}{why}"
    if change.came_from is not None:
        yield f"      from {visible(change.came_from.folder)} / {visible(change.came_from.group)}"
    if change.action in ("update", "move", "adopt"):
        for each in change.fields:
            yield f"      {field_line(each)}"
    now = [
        f"{number} {what}"
        for number, what in ((change.firing, "firing"), (change.pending, "pending"))
        if number
    ]
    yield f"      {_EFFECT[change.effect]}{f'; now {chr(44).join(now)}' if now else ''}"
    for silence in change.silences_lost:
        yield f"      silence {visible(silence.id)} ({visible(silence.comment)}) will not match any more"
    for note in change.notes:
        yield f"      {visible(note)}"


def field_line(change: FieldChange) -> str:
    """One field, old and new."""
    show = _duration if change.path in _DURATIONS else _value
    return f"{visible(change.path)}: {show(change.old)} -> {show(change.new)}"


def _duration(value: Json) -> str:
    """Milliseconds as people write them."""
    return format_duration(Duration(value)) if isinstance(value, int) and value >= 0 else _value(value)


def _value(value: Json) -> str:
    text = visible(json.dumps(value, ensure_ascii=False)) if value is not None else "(none)"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _refusal(refusal: Refusal) -> str:
    return (
        f"{refusal.code}: {visible(refusal.message)}{f' ({visible(refusal.help)})' if refusal.help else ''}"
    )
