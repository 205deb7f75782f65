"""What a sync did, written down before it does it, where it outlives the machine.

The first entry holds the whole plan with every group as it was: with nothing but the journal another machine can finish the run or take it
back. An entry is durable when `append` returns; a journal that cannot be written and read back stops the run before its first write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from tocsin.errors import MachineError
from tocsin.sync.document import from_json, to_json
from tocsin.sync.overrides import Overrides, after
from tocsin.sync.values import Place, Plan
from tocsin.wire.grafana import Json

FORMAT = 1
UNDONE = "undone"
"""What the end of a run says that was taken back as a whole."""
Kind = Literal["begin", "folder", "write", "wrote", "delete", "deleted", "failed", "undone", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `write` is written before the request leaves, `wrote` after the answer was read back; `say` is for people."""

    kind: Kind
    place: Place | None = None
    uid: str = ""
    say: str = ""
    plan: Plan | None = None
    at: str = ""
    by: str = ""
    """Who, and how that is known."""
    override: str = ""
    """Why rules went out without a verdict."""
    overrides: Overrides = field(default_factory=Overrides)
    """Of a beginning: every override in force once the run is over, those of earlier runs among them."""
    version: int = FORMAT


class Journal(Protocol):
    """A place for entries: a file, an address, a Git ref."""

    @property
    def where(self) -> str:
        """What to name to another machine."""

    def append(self, entry: Json, /) -> None:
        """Durable on return; `MachineError` where it cannot be."""

    def entries(self) -> Sequence[Json]:
        """Everything written so far, oldest first."""

    def restart(self) -> None:
        """What is there is of a run that ended: put aside, so that the next entry is the first."""


def begin(journal: Journal, plan: Plan, at: str, by: str, override: str = "") -> None:
    """The plan written, read back and found to be the same: only then may anything be changed."""
    before = Overrides()
    if journal.entries():
        before = overrides_of(journal)
        if not ended(journal):
            raise MachineError(
                f"the journal {journal.where} holds an unfinished run",
                help="finish it with `tocsin sync --resume`, take it back with `--undo`, or name another journal",
            )
        journal.restart()
    overrides = after(before, plan, by, at, override)
    # Groups that nothing happens to are most of a large plan, and no way back needs them.
    touched = tuple(each for each in plan.groups if each.writes or each.leaving)
    plan = replace(plan, groups=touched)
    entry = Entry(kind="begin", plan=plan, at=at, by=by, override=override, overrides=overrides)
    journal.append(to_json(entry))
    found = read(journal)
    if [each.plan for each in found] != [plan]:
        raise MachineError(
            f"what was written to the journal {journal.where} is not what is read from it",
            help="nothing was changed; choose a journal that keeps what it is given",
        )


def note(journal: Journal, kind: Kind, *, place: Place | None = None, uid: str = "", say: str = "") -> None:
    """One more line."""
    journal.append(to_json(Entry(kind=kind, place=place, uid=uid, say=say)))


def read(journal: Journal) -> tuple[Entry, ...]:
    """Every entry. A last line that was cut short is not there: whatever it announced had not begun."""
    return tuple(
        from_json(Entry, each, f"{journal.where}[{index}]") for index, each in enumerate(journal.entries())
    )


def plan_of(journal: Journal) -> Plan:
    """The plan of an unfinished run."""
    for each in read(journal):
        if each.kind == "begin" and each.plan is not None:
            return each.plan
    raise MachineError(
        f"the journal {journal.where} holds no run", help="name the journal of the run that was cut short"
    )


def overrides_of(journal: Journal) -> Overrides:
    """The overrides in force after the run of that journal. One whose group was not written, or was taken back, is none."""
    entries = read(journal)
    first = next((each for each in entries if each.kind == "begin"), None)
    if first is None or first.plan is None:
        return Overrides()
    there = {each.place for each in entries if each.kind in ("wrote", "deleted")}
    there -= {each.place for each in entries if each.kind == "undone"}
    if any(each.kind == "end" and each.say == UNDONE for each in entries):
        there = set()
    lost = {
        change.rule.key for group in first.plan.groups if group.place not in there for change in group.changes
    } & set(first.plan.overridden)
    kept = tuple(each for each in first.overrides.standing if each.key not in lost)
    return replace(first.overrides, standing=kept)


def ended(journal: Journal) -> bool:
    """Whether the run came to its end."""
    return any(each.kind == "end" for each in read(journal))
