"""What forbids a write: for one group a refusal, for the whole run a stop. Pure.

The unit of refusal is the group, because a group is written whole: one service's mistake freezes that group and nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from tocsin.sync.values import Change, Desired, Group, GroupPlan, Live, Refusal, Rule
from tocsin.wire.versions import supports

Foreign = Literal["refuse", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A change that a verdict is asked about. `digest` is what the rule becomes, `""` where it goes; `live` is what the server has, with the
    group it lies in, None where it has none."""

    rule: Rule
    digest: str
    live: Rule | None
    group: Group | None


Admit = Callable[[Asked], Refusal | None]
"""Why a verdict forbids the change, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a run may do. `max_deletes` and `max_delete_percent` (of our live rules) stop it as a whole; 0 percent means no limit of that kind."""

    max_deletes: int = 10
    max_delete_percent: float = 20.0
    foreign: Foreign = "refuse"
    """A group with rules of others is never written; `skip` only says that this is expected and no failure."""
    version: tuple[int, int, int] = (0, 0, 0)
    """The live server's."""


def stops(desired: Desired, live: Live, plans: Sequence[GroupPlan], guard: Guard) -> tuple[Refusal, ...]:
    """Why nothing at all is written."""
    found: list[Refusal] = []
    ours = sum(each.owner == desired.owner for group in live.groups for each in group.rules)
    if not any(group.rules for group in desired.groups) and ours:
        found.append(
            Refusal(
                code="empty-desired",
                message=f"the sources compile to no rule for this server, which holds {ours} of ours",
                help="if they shall all go, delete them in Grafana or raise --max-deletes after looking at the sources",
            )
        )
    if desired.organisation and live.server.organisation and desired.organisation != live.server.organisation:
        found.append(
            Refusal(
                code="wrong-organisation",
                message=f"the token belongs to organisation {live.server.organisation}, the environment says {desired.organisation}",
                help="use a token of that organisation, or correct `org_id`",
            )
        )
    moved = _moved(live, plans)
    deletes = sum(
        each.action == "delete" and each.rule.key not in moved for plan in plans for each in plan.changes
    )
    share = 100.0 * deletes / ours if ours else 0.0
    over: list[str] = []
    if deletes > guard.max_deletes:
        over.append(f"--max-deletes {deletes} (now {guard.max_deletes})")
    if guard.max_delete_percent and share > guard.max_delete_percent and deletes > 1:
        over.append(f"--max-delete-percent {ceil(share)} (now {guard.max_delete_percent:g})")
    if over:
        found.append(
            Refusal(
                code="mass-delete",
                message=f"{deletes} of {ours} rules would be deleted",
                help=f"look at the plan; then say {' and '.join(over)}",
            )
        )
    return tuple(found)


def group_refusals(plan: GroupPlan, live: Live, desired: Desired, guard: Guard) -> Iterator[Refusal]:
    """Why this group is not written."""
    active = [each for each in plan.changes if each.action != "none"]
    if not active:
        return
    yield from _places(plan, live, guard)
    yield from _members(plan, active, desired)
    yield from _sources(active, live)
    yield from _limits(plan, live)
    grafana = live.server.kind in ("grafana", "directory")
    if grafana and plan.after is not None and not supports("grafana", "http", "equal_titles", guard.version):
        yield from _titles(plan, live)


def _moved(live: Live, plans: Sequence[GroupPlan]) -> frozenset[str]:
    """Keys that a deletion and a creation share: there a rule that goes to another group is a new one in it, and nothing is lost."""
    if live.server.kind not in ("prometheus", "mimir"):
        return frozenset()
    return frozenset(
        each.rule.key for plan in plans for each in plan.changes if each.action == "create" and each.rule.key
    )


def _limits(plan: GroupPlan, live: Live) -> Iterator[Refusal]:
    """What the server takes of one tenant, asked for before the first write."""
    most = live.limits.get("rules_per_group")
    if plan.after is not None and most is not None and len(plan.after.rules) > most:
        yield Refusal(
            code="too-many-rules",
            message=f"{plan.place.group} would hold {len(plan.after.rules)} rules, and the server takes {most} in a group",
            help="split the group, or set `limits` of the evaluator with `on_limit: split`",
            subject="/".join(plan.place),
        )


def within_limits(plans: Sequence[GroupPlan], live: Live) -> tuple[GroupPlan, ...]:
    """The plans, with those new groups refused that the server has no room for. What is deleted goes last, so it makes no room yet."""
    most = live.limits.get("groups")
    if most is None:
        return tuple(plans)
    made, count = [], len(live.groups)
    for plan in plans:
        new = plan.writes and plan.before is None and plan.after is not None
        count += new
        if new and count > most:
            why = Refusal(
                code="too-many-groups",
                message=f"the tenant has {len(live.groups)} groups, and the server takes {most}",
                help="delete or join groups, or raise the tenant's limit",
                subject="/".join(plan.place),
            )
            plan = replace(plan, refusals=(*plan.refusals, why))
        made.append(plan)
    return tuple(made)


def _places(plan: GroupPlan, live: Live, guard: Guard) -> Iterator[Refusal]:
    folder = next((each for each in live.folders if each.uid == plan.place.folder), None)
    if folder is not None and folder.managed:
        yield Refusal(
            code="managed-folder",
            message=f"the folder {folder.title} is managed by {folder.managed}",
            help="choose another `folder` for this environment",
            subject=plan.place.folder,
        )
    if folder is None and plan.after is not None and not live.server.can_create_folders:
        yield Refusal(
            code="folder-missing",
            message=f"the folder {plan.place.folder} does not exist, and the token may not create it",
            help="create it, or give the service account `folders:create`",
            subject=plan.place.folder,
        )
    if plan.foreign and live.server.kind != "directory":
        yield Refusal(
            code="foreign-members",
            message=f"the group {plan.place.group} holds {plan.foreign} rules of others, which writing it whole would delete",
            help="move them to another group",
            subject="/".join(plan.place),
            skipped=guard.foreign == "skip",
        )


def _members(plan: GroupPlan, active: Iterable[Change], desired: Desired) -> Iterator[Refusal]:
    for change in active:
        before = change.before
        if before is None:
            continue
        if before.provenance == "file":
            yield Refusal(
                code="provisioned-by-file",
                message=f"{before.uid} comes from a provisioning file of that Grafana",
                help="remove it there, or let a `directory` target write the file",
                subject=before.uid,
            )
        if before.owner not in ("", desired.owner):
            yield Refusal(
                code="owned-by-another",
                message=f"{before.uid} belongs to {before.owner}",
                help="give the alert another `id` or `grafana.uid`",
                subject=before.uid,
            )


def _sources(active: Iterable[Change], live: Live) -> Iterator[Refusal]:
    if live.server.kind != "grafana":
        return
    missing = {
        uid
        for each in active
        if each.action != "delete"
        for uid in each.rule.datasources
        if uid not in live.datasources
    }
    for uid in sorted(missing):
        yield Refusal(
            code="unknown-datasource",
            message=f"there is no data source with the uid {uid}",
            help="correct `datasources` of the environment in tocsin.yaml",
            subject=uid,
        )


def _titles(plan: GroupPlan, live: Live) -> Iterator[Refusal]:
    """Below 12.0 a title is unique in its folder."""
    mine = {each.rule.uid for each in plan.changes}
    taken = {
        rule.title: rule.uid
        for group in live.groups
        if group.place.folder == plan.place.folder
        for rule in group.rules
        if rule.uid not in mine
    }
    for change in plan.changes:
        other = taken.get(change.rule.title)
        if change.action not in ("none", "delete") and other is not None:
            yield Refusal(
                code="title-taken",
                message=f"{change.rule.title} is the title of {other} in the same folder, which this Grafana allows once",
                help="rename one of them",
                subject=change.rule.uid,
            )
