"""Changes as the ledger keeps them: one row for what changed alike in several environments, with who asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tocsin.diff.changes import FieldChange, RuleChange
from tocsin.ir.compiled import CompiledRecord
from tocsin.ir.project import ReleasedChange

_LONGEST = 160
_MOST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What commits say about a change: their `Reason:` and `Ticket:` trailers, in the order they were made."""

    reasons: tuple[str, ...] = ()
    tickets: tuple[str, ...] = ()

    def __add__(self, other: Why) -> Why:
        return Why(
            reasons=tuple(dict.fromkeys((*self.reasons, *other.reasons))),
            tickets=tuple(dict.fromkeys((*self.tickets, *other.tickets))),
        )


def rule_of(change: RuleChange) -> str:
    """How the ledger calls a rule: its key, a record below its service."""
    rule = change.side.rule
    return f"{rule.service}/{change.key.text}" if isinstance(rule, CompiledRecord) else change.key.text


def released(changes: Iterable[RuleChange], whys: Mapping[str, Why]) -> tuple[ReleasedChange, ...]:
    """The rows of a release. `whys` is by rule id. Sorted by rule; what differs between environments has a row each."""
    rows: dict[tuple[object, ...], ReleasedChange] = {}
    for change in changes:
        if change.class_ == "none":
            continue
        why = whys.get(change.key.id, Why())
        row = ReleasedChange(
            rule=rule_of(change),
            envs=(change.key.env,),
            class_=change.class_,
            what=tuple(said(each) for each in change.fields)[:_MOST],
            direction=change.direction,
            reasons=why.reasons,
            tickets=why.tickets,
        )
        same = (row.rule, row.class_, row.what, row.direction)
        known = rows.get(same)
        rows[same] = replace(known, envs=(*known.envs, change.key.env)) if known is not None else row
    found = (replace(each, envs=tuple(sorted(set(each.envs)))) for each in rows.values())
    return tuple(sorted(found, key=lambda each: (each.rule, each.envs, each.what)))


def said(field: FieldChange) -> str:
    """One field as people read it: `for: 10m -> 5m`."""
    if not field.old:
        return f"{field.field}: {_short(field.new)}"
    if not field.new:
        return f"{field.field}: {_short(field.old)} -> (none)"
    return f"{field.field}: {_short(field.old)} -> {_short(field.new)}"


def _short(text: str) -> str:
    # What no page or terminal shows would make two different texts look alike.
    line = "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(text.split())
    )
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
