"""Stage 1 on a server: silence first, then the rule; the rule away first, then the silence. Every step may be repeated, by any machine.

What is there is asked of the server each time, by the marks of `overlay`, so nothing here depends on a file of this machine, nor on a record.
An Alertmanager goes on with an alert for some minutes after its rule is gone (a Prometheus that drops a rule sends no resolve), so a silence is
never ended at once: it is made to end soon.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from tocsin.canary.overlay import MARK, Canary, canaries, meant, silence_for, silences_of
from tocsin.errors import Ambiguous, MachineError, RemoteError
from tocsin.sync.forms import same
from tocsin.sync.values import Folder, Group, Target, WholeGroups
from tocsin.wire.live import Silence

SOON: Final = timedelta(minutes=15)
"""For how long after its rule is gone a silence stays."""
_COMMENT: Final = re.compile(rf"{MARK} (?P<id>c-[0-9a-f]+): (?P<key>\S+) is tried until (?P<until>\S+)")


class Silences(Protocol):
    """An Alertmanager, or Grafana's own."""

    def silences(self) -> tuple[Silence, ...]: ...
    def create(self, silence: Silence) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """A canary as its silence tells it: what is known of one whose rule is gone."""

    id: str
    key: str
    until: str


def silenced(
    keepers: Sequence[Silences], id: str, key: str, until: datetime, keep_ms: int, now: datetime, by: str
) -> tuple[str, ...]:
    """The ids of the silences that mute that canary for its whole time, made where they are not there. MachineError where one cannot be made, or
    is not there afterwards."""
    if not keepers:
        raise MachineError(
            "nobody is known who could silence the canary",
            help="export ALERTMANAGER_URL; without a silence no canary is deployed",
        )
    return tuple(_silenced(each, id, key, until, keep_ms, now, by) for each in keepers)


def _silenced(
    keeper: Silences, id: str, key: str, until: datetime, keep_ms: int, now: datetime, by: str
) -> str:
    wanted = silence_for(id, key, until, keep_ms, now.isoformat(timespec="seconds"), by)
    try:
        found = _lasting(keeper, id, wanted.ends_at)
        if found is None:
            with suppress(Ambiguous):  # looked for below: sent twice it would be there twice
                keeper.create(wanted)
            found = _lasting(keeper, id, wanted.ends_at)
    except RemoteError as error:
        raise MachineError(
            f"the canary cannot be silenced: {error.message}", help="nothing was deployed; " + error.help
        ) from None
    if found is None:
        raise MachineError("the silence was sent and is not there", help="nothing was deployed; try again")
    return found.id


def _lasting(keeper: Silences, id: str, ends_at: str) -> Silence | None:
    end = datetime.fromisoformat(ends_at)
    for each in silences_of(keeper.silences(), id):
        if _time(each.ends_at) >= end:
            return each
    return None


def began(keepers: Iterable[Silences], id: str, now: datetime) -> datetime | None:
    """Until when a deployment that was cut short after its silence meant to last; None where there is none."""
    for keeper in keepers:
        for each in silences_of(keeper.silences(), id):
            match = _COMMENT.match(each.comment)
            until = _time(match["until"]) if match is not None else now
            if until > now and _time(each.ends_at) > until:
                return until
    return None


def put(target: Target, group: Group, folder: Folder | None) -> bool:
    """The canary's group on its server, read back; whether anything had to be written."""
    there = target.read_group(group.place)
    if same(there, group):
        return False
    if folder is not None:
        target.make_folder(folder)
    known = frozenset(each.uid for each in there.rules) if there is not None else frozenset[str]()
    doubt = ""
    try:
        target.write_group(group, known)
    except Ambiguous as error:
        doubt = f" ({error.message})"
    if not same(target.read_group(group.place), group):
        raise MachineError(
            f"the canary was written and is not there as it was written{doubt}",
            help="the same command again finishes it; `tocsin canary abort` takes it away",
        )
    return True


def found(target: Target, owner: str) -> tuple[Canary, ...]:
    """Every canary of that owner on a server."""
    return canaries(target.read(), owner)


def take_down(target: Target, canary: Canary) -> None:
    """The canary's rule gone, with its group; one that is gone already is fine."""
    with suppress(Ambiguous):  # read below
        if isinstance(target, WholeGroups):
            target.delete_group(canary.group.place)
        else:
            target.delete_rule(canary.rule, canary.group.place)
    left = target.read_group(canary.group.place)
    if left is not None and any(each.uid == canary.rule.uid for each in left.rules):
        raise MachineError(f"the canary {canary.id} is still there", help="run it again")


def let_go(keepers: Iterable[Silences], id: str, now: datetime) -> int:
    """The silences of a canary whose rule is gone, made to end soon; how many were changed."""
    changed = 0
    soon = now + SOON
    for keeper in keepers:
        for each in silences_of(keeper.silences(), id):
            if _time(each.ends_at) > soon:
                keeper.create(replace(each, ends_at=soon.isoformat(timespec="seconds")))
                changed += 1
    return changed


def abort(
    target: Target, keepers: Sequence[Silences], owner: str, name: str, now: datetime
) -> tuple[tuple[Canary, ...], int]:
    """The canaries that `name` means taken away, and the silences that will end soon: also those of a run that was killed in between."""
    gone = meant(found(target, owner), name)
    for each in gone:
        take_down(target, each)
    ids = {each.id for each in gone} | {
        each.id for each in muted(keepers) if name in (each.id, each.key) or each.key.startswith(f"{name}/")
    }
    left = {each.id for each in found(target, owner)} if ids else set()
    return gone, sum(let_go(keepers, each, now) for each in sorted(ids - left))


def collect(target: Target, keepers: Sequence[Silences], owner: str, now: datetime) -> tuple[Canary, ...]:
    """The canaries whose time is over, taken away."""
    gone = tuple(each for each in found(target, owner) if each.past(now))
    for each in gone:
        take_down(target, each)
        let_go(keepers, each.id, now)
    return gone


def muted(keepers: Iterable[Silences]) -> tuple[Muted, ...]:
    """Every canary that a lasting silence is about."""
    made = []
    for keeper in keepers:
        for each in keeper.silences():
            match = _COMMENT.match(each.comment)
            if match is not None and each.state != "expired":
                made.append(Muted(id=match["id"], key=match["key"], until=match["until"]))
    return tuple(made)


def _time(text: str) -> datetime:
    """A time of an Alertmanager; one that cannot be read is long ago."""
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)
