"""What is decided about all rule sets together: service and file of each, owners, severities, ids, and what
the project file needs for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tocsin.adopt.existing import Existing
from tocsin.adopt.ids import Named, alert_ids, record_ids
from tocsin.adopt.naming import Place, guess, settle
from tocsin.adopt.owners import UNOWNED, of_alert, of_groups, of_path
from tocsin.adopt.project_file import OLDEST, Needs
from tocsin.adopt.rules import Group
from tocsin.adopt.scalars import value_at
from tocsin.adopt.severities import Policy, plain, policy
from tocsin.adopt.shapes import RuleSet
from tocsin.adopt.sources import Adopted
from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.origin import Map, Seq
from tocsin.template import check as check_template

LATER = ((3, 0), (3, 6), (3, 8))
"""Versions a project file names when the rules need them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line may decide; empty means: guess."""

    service: str = ""
    owner: str = ""
    labels: tuple[str, ...] | None = None
    """What `--label` says; None where it was not given, empty for `--label none`."""
    severities: Mapping[str, str] = field(default_factory=dict)
    """A label's value -> the severity's name, of `--severity-map`."""
    without: frozenset[str] = frozenset()
    codeowners: str = ""
    tops: frozenset[str] = frozenset()
    """The folders that were named, as the foreign files' paths have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A rule set and those of its groups that are carried."""

    rule_set: RuleSet
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every rule set with its decisions, and what the project file must say."""

    sets: tuple[Adopted, ...]
    needs: Needs
    found: tuple[Diagnostic, ...]


def decide(
    judged: Sequence[Judged], existing: Existing, options: Options, oldest: tuple[int, int] = OLDEST
) -> Plan:
    """The same sets give the same decisions in any order. `oldest` is the least version a new project file
    may name.
    """
    found: list[Diagnostic] = []
    placed = _placed(judged, existing, options, found)
    severities = _policy(placed, existing, options, found)
    owners = {index: _owner(each, options) for index, (each, _) in enumerate(placed)}
    alerts = _alert_ids(placed, existing)
    records = _record_ids(placed, existing)
    sets = [
        Adopted(
            rule_set=each.rule_set,
            groups=each.groups,
            place=place,
            owner=owners[index],
            ids={(g, r): id for (i, g, r), id in {**alerts, **records}.items() if i == index},
            severities={
                (g, r): severities.names[value]
                for g, r, value in _severity_values(each)
                if value in severities.names
            },
            owners={} if options.owner else _other_owners(each, owners[index]),
        )
        for index, (each, place) in enumerate(placed)
    ]
    needs = Needs(
        severities=severities.fresh,
        unranked=any(_ranked_fewer(each, severities) for each, _ in placed),
        teams=tuple(sorted({*owners.values(), *(team for each in sets for team in each.owners.values())})),
        inject=_inject(existing, options),
        version=max((oldest, *(_version(each) for each, _ in placed))),
    )
    return Plan(sets=tuple(sets), needs=needs, found=tuple(found))


def asks_for_labels(existing: Existing, options: Options) -> bool:
    """Whether adopting would add `rule_id` to labels without anybody having said so: the project's default
    does, and its own alerts rely on it.
    """
    return options.labels is None and existing.own_alerts > 0 and not _says_inject(existing)


def contradicts_labels(existing: Existing, options: Options) -> bool:
    """Whether `--label` asks for other labels than the project file names."""
    if options.labels is None or existing.project is None or not _says_inject(existing):
        return False
    return value_at(existing.project, "labels", "inject") != list(options.labels)


def _says_inject(existing: Existing) -> bool:
    return existing.project is not None and isinstance(value_at(existing.project, "labels", "inject"), Seq)


def _inject(existing: Existing, options: Options) -> tuple[str, ...] | None:
    return None if _says_inject(existing) else options.labels or ()


def _placed(
    judged: Sequence[Judged], existing: Existing, options: Options, found: list[Diagnostic]
) -> list[tuple[Judged, Place]]:
    taken_groups = {service: set(names) for service, names in existing.groups.items()}
    taken_topics = {service: set(names) for service, names in existing.topics.items()}
    placed: list[tuple[Judged, Place]] = []
    for each in judged:
        wanted = guess(each.rule_set, each.groups, options.tops, options.service)
        groups = each.groups
        if each.rule_set.bare:
            name = (
                wanted.service
                if wanted.topic in ("alerts", "records", "rules")
                else f"{wanted.service}-{wanted.topic}"
            )
            groups = tuple(
                replace(group, name=name if index == 0 else f"{name}-{index + 1}")
                for index, group in enumerate(groups)
            )
            for group in groups:
                found.append(
                    diagnostic(
                        "TOC814",
                        group.origin.key("rules"),
                        f"the rules stand in no group; they become group `{group.name}`",
                        subject=each.rule_set.source,
                    )
                )
        if options.service:
            groups = _renamed(groups, wanted, taken_groups.get(wanted.service, set()), each.rule_set, found)
        place = settle(wanted, each.rule_set, groups, taken_groups, taken_topics)
        if place.moved:
            message = f"{place.moved}, and one file for Prometheus holds a service: these rules become the service `{place.service}`"
            found.append(
                diagnostic(
                    "TOC814",
                    groups[0].origin.value("name"),
                    message,
                    help="name one with --service",
                    subject=each.rule_set.source,
                )
            )
        if each.rule_set.namespace:
            message = f"the namespace `{each.rule_set.namespace}` becomes the service `{place.service}`: a Prometheus has no namespaces"
            found.append(
                diagnostic("TOC814", groups[0].origin.value("name"), message, subject=each.rule_set.source)
            )
        placed.append((Judged(rule_set=each.rule_set, groups=groups), place))
    return placed


def _renamed(
    groups: tuple[Group, ...], wanted: Place, taken: set[str], rule_set: RuleSet, found: list[Diagnostic]
) -> tuple[Group, ...]:
    """With `--service` every set goes to one service, so a group whose name is taken there gets its topic's
    name as well.
    """
    used = set(taken) | {group.name for group in groups}
    renamed: list[Group] = []
    for group in groups:
        if group.name not in taken:
            renamed.append(group)
            continue
        name, number = f"{group.name}-{wanted.topic}", 2
        while name in used:
            name = f"{group.name}-{wanted.topic}-{number}"
            number += 1
        used.add(name)
        message = f"the service `{wanted.service}` has a group `{group.name}` already, so this one is called `{name}`"
        found.append(
            diagnostic(
                "TOC814",
                group.origin.value("name"),
                message,
                help="leave --service out to keep the name",
                subject=rule_set.source,
            )
        )
        renamed.append(replace(group, name=name))
    return tuple(renamed)


def _severity_values(each: Judged) -> list[tuple[int, int, str]]:
    """Position and value of every fixed severity label of an alert."""
    return [
        (g, r, rule.labels["severity"])
        for g, group in enumerate(each.groups)
        for r, rule in enumerate(group.rules)
        if rule.kind == "alert" and plain(rule.labels.get("severity", ""))
    ]


def _policy(
    placed: Sequence[tuple[Judged, Place]], existing: Existing, options: Options, found: list[Diagnostic]
) -> Policy:
    known = value_at(existing.project, "severities") if existing.project is not None else None
    values = [value for each, _ in placed for _, _, value in _severity_values(each)]
    made = policy(values, known if isinstance(known, Map) else None, options.severities)
    for value, reason in made.clashes.items():
        first = next(
            rule
            for each, _ in placed
            for group in each.groups
            for rule in group.rules
            if rule.labels.get("severity") == value
        )
        message = f"`severity: {value}` stays a label: {reason}"
        found.append(
            diagnostic(
                "TOC814",
                first.origin.value("labels", "severity"),
                message,
                help="name it with --severity-map",
                subject=f"severity/{value}",
            )
        )
    return made


def _ranked_fewer(each: Judged, severities: Policy) -> bool:
    """Whether an alert of the set ends up without a severity of the policy."""
    ranked = {(g, r) for g, r, value in _severity_values(each) if value in severities.names}
    return any(
        rule.kind == "alert" and (g, r) not in ranked
        for g, group in enumerate(each.groups)
        for r, rule in enumerate(group.rules)
    )


def _owner(each: Judged, options: Options) -> str:
    return (
        options.owner
        or of_groups(each.groups)
        or of_path(each.rule_set.file.path, options.codeowners)
        or UNOWNED
    )


def _other_owners(each: Judged, owner: str) -> dict[tuple[int, int], str]:
    return {
        (g, r): team
        for g, group in enumerate(each.groups)
        for r, rule in enumerate(group.rules)
        if rule.kind == "alert" and (team := of_alert(group, rule)) and team != owner
    }


def _alert_ids(placed: Sequence[tuple[Judged, Place]], existing: Existing) -> dict[tuple[int, int, int], str]:
    rows = [
        (
            (i, g, r),
            Named(
                rule=rule, service=place.service, group=group.name, severity=rule.labels.get("severity", "")
            ),
        )
        for i, (each, place) in enumerate(placed)
        for g, group in enumerate(each.groups)
        for r, rule in enumerate(group.rules)
        if rule.kind == "alert"
    ]
    return dict(
        zip((key for key, _ in rows), alert_ids([named for _, named in rows], existing.ids), strict=True)
    )


def _record_ids(
    placed: Sequence[tuple[Judged, Place]], existing: Existing
) -> dict[tuple[int, int, int], str]:
    by_service: dict[str, list[tuple[tuple[int, int, int], Named]]] = {}
    for i, (each, place) in enumerate(placed):
        for g, group in enumerate(each.groups):
            for r, rule in enumerate(group.rules):
                if rule.kind == "record":
                    named = Named(rule=rule, service=place.service, group=group.name)
                    by_service.setdefault(place.service, []).append(((i, g, r), named))
    found: dict[tuple[int, int, int], str] = {}
    for service, rows in by_service.items():
        ids = record_ids([named for _, named in rows], existing.records.get(service, set()))
        found.update({key: id for (key, _), id in zip(rows, ids, strict=True) if id is not None})
    return found


def _version(each: Judged) -> tuple[int, int]:
    """The oldest version a project file may name for this set: group labels came with 3.0, some template
    functions later.
    """
    needed = (3, 0) if any(group.labels for group in each.groups) else OLDEST
    texts = [
        text
        for group in each.groups
        for rule in group.rules
        if rule.kind == "alert"
        for text in (*rule.labels.values(), *rule.annotations.values())
    ]
    for text in texts:
        if "{{" in text and check_template(text, needed) is not None:
            needed = next(
                (version for version in LATER if version >= needed and check_template(text, version) is None),
                needed,
            )
    return needed
