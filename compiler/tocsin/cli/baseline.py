"""What a backtest compares: both sides of every changed alert, and the alerts beside them.

The old side is another revision, or what runs now (`--against live`). An alert whose service does not compile is left out: a mistake is no removal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.canary.live import live_version
from tocsin.canary.record import Subject
from tocsin.canary.source import Seen
from tocsin.canary.values import Pair
from tocsin.canary.versions import pairs_of, version_of, with_changed_records
from tocsin.cli.policy_base import PolicyBase, resolved_of
from tocsin.cli.targets import Compiled, target_of
from tocsin.diag.nearest import did_you_mean
from tocsin.diff import compare
from tocsin.diff.changes import RuleChange, Side
from tocsin.errors import UsageError
from tocsin.ir.compiled import CompiledAlert, CompiledRecord, Resolved, RuleKey, Version
from tocsin.sync.hold import means
from tocsin.sync.standing import Ground, digests_of, object_of
from tocsin.sync.values import Group, Live, Rule

SeenOf = Callable[[Side], tuple[Seen, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One alert that is replayed. `side` says which server knows its past; `changed` is False where it is replayed for the sake of others."""

    pair: Pair
    side: Side
    subject: Subject
    changed: bool = True

    @property
    def key(self) -> RuleKey:
        """Whose it is."""
        return self.pair.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Everything of one run. `texts` are the alerts of which only words changed."""

    cases: tuple[Case, ...]
    texts: tuple[RuleKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The alerts that the command line speaks of: ids, and one server of several. Without either: all."""

    names: tuple[str, ...] = ()
    evaluator: str | None = None

    def has(self, key: RuleKey, evaluator: str) -> bool:
        """Whether that alert, evaluated there, is meant."""
        named = not self.names or any(means(name, key.text) for name in self.names)
        return named and self.evaluator in (None, evaluator)

    def check(self, keys: Iterable[str]) -> None:
        """UsageError for a name that none of the alerts bears: a typing error would else be judged to have changed nothing."""
        known = sorted(set(keys))
        for name in self.names:
            if not any(means(name, key) for key in known):
                raise UsageError(f"there is no alert `{name}`, nor was there", help=did_you_mean(name, known))


def against_base(compiled: Compiled, base: PolicyBase, wanted: Wanted, seen: SeenOf, *, every: bool) -> Cases:
    """The alerts whose meaning differs from that of the base revision; with `every` all alerts. UsageError for a name of none."""
    env, frozen = compiled.environment.name, compiled.compilation.frozen
    before, after = base.resolved(env), resolved_of(compiled.compilation, env)
    wanted.check(side.rule.key.text for side in alerts_of((*before, *after)))
    changes = [
        each
        for each in compare(_whole(before, frozen), _whole(after, frozen))
        if not _is_mirror(each.side)
        and (not each.is_alert or wanted.has(each.key, each.side.group.evaluator.name))
    ]
    records = tuple(_records_of(after))
    by_key = {each.key: each for each in changes if each.is_alert}
    beside = [each for each in changes if not each.is_alert]
    together: dict[tuple[Seen, ...], list[RuleChange]] = {}
    for each in by_key.values():
        together.setdefault(seen(each.side), []).append(each)
    cases = [
        Case(pair=pair, side=by_key[pair.key].side, subject=_subject(by_key[pair.key]))
        for there, mine in together.items()
        for pair in pairs_of([*mine, *beside], records, there)
    ]
    texts = tuple(each.key for each in changes if each.is_alert and each.old_digest == each.new_digest)
    if not every:
        return Cases(cases=tuple(cases), texts=texts)
    changed = {each.key for each in cases}
    still = (side for side in alerts_of(_whole(after, frozen)) if side.rule.key not in changed)
    cases += [_still(side, seen) for side in still if wanted.has(side.rule.key, side.group.evaluator.name)]
    return Cases(cases=tuple(cases))


def against_live(
    compiled: Compiled,
    base: PolicyBase,
    wanted: Wanted,
    seen: SeenOf,
    *,
    url: str | None,
    folder: Path | None,
    every: bool,
) -> Cases:
    """The alerts that mean something else than what the environment's servers run. A server that evaluates none that is meant is not asked."""
    env, frozen = compiled.environment.name, compiled.compilation.frozen
    before = _whole(base.resolved(env), frozen)
    after = _whole(resolved_of(compiled.compilation, env), frozen)
    old = {side.rule.key.text: side for side in alerts_of(before)}
    new = {side.rule.key.text: side for side in alerts_of(after)}
    beside = [each for each in compare(before, after) if not each.is_alert]
    cases: list[Case] = []
    known = {*old, *new}
    here_only = {name for name in wanted.names if any(means(name, key) for key in known)} == {*wanted.names}
    for evaluator in compiled.environment.evaluators:
        mine, theirs = (
            {key: side for key, side in each.items() if side.group.evaluator.name == evaluator.name}
            for each in (new, old)
        )
        asked = any(wanted.has(side.rule.key, evaluator.name) for side in (*mine.values(), *theirs.values()))
        # What only a server knows by now may be on any of them.
        if wanted.evaluator not in (None, evaluator.name) or not (
            asked or (not here_only and (mine or theirs))
        ):
            continue
        here = replace(compiled, evaluator=evaluator, kind=evaluator.kind)
        rules_dir = folder if evaluator.kind == "prometheus" else None
        with target_of(here, url, rules_dir, read_only=True) as (version, target, desired):
            live = target.read()
            server = _Server(
                compiled=here,
                ground=ground_of(here, base, live, version),
                old=old,
                beside=beside,
                records=tuple(_records_of(after)),
                seen=seen,
            )
        for key, side, found in _beside(mine, live, desired.owner, frozen):
            known.add(key)
            if wanted.has(RuleKey(env, *_parts(key)), evaluator.name):
                case = server.case(key, side, found, every=every)
                cases += [case] if case is not None else []
    wanted.check(known)
    return Cases(cases=tuple(cases))


def others_of(
    compiled: Compiled, cases: Iterable[Case], services: frozenset[str], seen: SeenOf
) -> tuple[Case, ...]:
    """The unchanged alerts of those services, as they are: whether somebody else would have caught an incident."""
    changed = {each.key for each in cases}
    found = []
    for side in alerts_of(resolved_of(compiled.compilation, compiled.environment.name)):
        if side.group.service in services and side.rule.key not in changed:
            still = _still(side, seen)
            found.append(replace(still, pair=replace(still.pair, old=None), changed=False))
    return tuple(found)


def alerts_of(every: Iterable[Resolved]) -> Iterator[Side]:
    """Every alert that something evaluates, with its group."""
    for resolved in every:
        for group in resolved.groups:
            for rule in group.rules:
                if isinstance(rule, CompiledAlert) and not rule.mirror:
                    yield Side(rule=rule, group=group)


def ground_of(compiled: Compiled, base: PolicyBase, live: Live, version: Version) -> Ground:
    """What the live rules of that server are read against: as the gate of `sync` does."""
    env = compiled.environment
    both = (resolved_of(compiled.compilation, env.name), base.resolved(env.name))
    return Ground.of(live, version, env.datasources, both)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """What the live rules of one server are compared with. `old` are the alerts of the base by key, `beside` the records that changed since it."""

    compiled: Compiled
    ground: Ground
    old: Mapping[str, Side]
    beside: list[RuleChange]
    records: tuple[Side, ...]
    seen: SeenOf

    def case(
        self, key: str, new: Side | None, found: tuple[Rule, Group] | None, *, every: bool
    ) -> Case | None:
        """One alert; None where the server has what the sources say, or where neither revision knows it, so that nobody knows where its past is."""
        digests = digests_of(*found, self.ground) if found is not None else frozenset({""})
        wanted = new.rule.digest if new is not None else ""
        if wanted in digests:
            return _still(new, self.seen) if every and new is not None else None
        before = self.old.get(key)
        side = new or before
        if side is None or not isinstance(side.rule, CompiledAlert):
            return None
        like, seen = side.rule, self.seen(side)
        digest = _one(digests, before)
        old = None
        if found is not None:
            datasources = self.compiled.environment.datasources
            old = live_version(*found, like.key, digest, like, datasources=datasources, seen=seen)
        made = version_of(new, seen) if new is not None else None
        if made is not None:
            made = with_changed_records(made, self.beside, self.records)
        subject = Subject(
            old_digest=digest,
            new_digest=wanted,
            uid=like.uid,
            old_object=object_of(*found) if found is not None and not digests else None,
        )
        return Case(pair=Pair(key=like.key, old=old, new=made), side=side, subject=subject)


def _beside(
    mine: Mapping[str, Side], live: Live, owner: str, frozen: frozenset[str]
) -> Iterator[tuple[str, Side | None, tuple[Rule, Group] | None]]:
    """Every alert of the sources or of ours on the server, with both of its sides, by key."""
    there = {
        rule.key: (rule, group)
        for group in live.groups
        for rule in group.rules
        if rule.owner == owner and rule.kind == "alert" and rule.key and rule.service
    }
    # A rule of others under the uid of ours is what `sync` would adopt: it is replaced like one of ours.
    by_uid = {rule.uid: (rule, group) for group in live.groups for rule in group.rules}
    for key in sorted({*mine, *there}):
        if key in mine:
            side = mine[key]
            uid = side.rule.uid if isinstance(side.rule, CompiledAlert) else ""
            yield key, side, there.get(key) or by_uid.get(uid)
        elif there[key][0].service not in frozen:
            yield key, None, there[key]


def _one(digests: frozenset[str], before: Side | None) -> str:
    """One digest of several: the one of Git where it is among them, so that records of both kinds agree."""
    if before is not None and before.rule.digest in digests:
        return before.rule.digest
    return min(digests, default="")


def _subject(change: RuleChange) -> Subject:
    rule = change.side.rule
    uid = rule.uid if isinstance(rule, CompiledAlert) else ""
    return Subject(old_digest=change.old_digest, new_digest=change.new_digest, uid=uid)


def _still(side: Side, seen: SeenOf) -> Case:
    """An alert beside itself: what `--all` shows of what did not change."""
    version, digest = version_of(side, seen(side)), side.rule.digest
    return Case(
        pair=Pair(key=side.rule.key, old=version, new=version),
        side=side,
        subject=Subject(old_digest=digest, new_digest=digest),
    )


def _whole(every: Iterable[Resolved], frozen: frozenset[str]) -> tuple[Resolved, ...]:
    return tuple(each for each in every if each.service not in frozen)


def _records_of(every: Iterable[Resolved]) -> Iterator[Side]:
    for resolved in every:
        for group in resolved.groups:
            for rule in group.rules:
                if isinstance(rule, CompiledRecord):
                    yield Side(rule=rule, group=group)


def _is_mirror(side: Side) -> bool:
    return isinstance(side.rule, CompiledAlert) and side.rule.mirror


def _parts(key: str) -> tuple[str, str, str]:
    id, level, override = [*key.split("/"), "", ""][:3]
    return id, level, override
