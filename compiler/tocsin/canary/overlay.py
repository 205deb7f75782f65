"""The canary of one rule as an object on its server: own identity, own group, own owner, muted, and gone by itself at its time.

It is made by the same emitters as every rule, from the same compiled alert with another name, expression and labels. Three things keep it from
anybody's sleep, and from sync. The owner mark is `PROJECT/ENV_canary`, which no environment can be called, so to sync it is another owner's rule
and is left alone. The label `tocsin_canary` is what a silence matches that exists before the rule does. And since a silenced alert still inhibits
others, alertname, `rule_id` and the severity's label are not those of the rule. Past its time the expression has no result any more, whether
somebody collects it or not: a forgotten canary cannot outlive its silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from tocsin.diff.changes import Side
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, Resolved, RuleKey
from tocsin.ir.project import Environment, Project
from tocsin.sync.grafana import desired_grafana
from tocsin.sync.ruler import desired_rules, told_apart
from tocsin.sync.values import CANARY, Desired, Folder, Group, Live, Rule, TargetKind
from tocsin.wire.live import Matcher, Silence

Mode = Literal["overlay", "shadow"]
LABEL: Final = "tocsin_canary"
OF: Final = "tocsin_canary_of"
"""The annotation that says which rule is tried: `SERVICE KEY`."""
UNTIL: Final = "tocsin_canary_until"
"""The annotation that says when it ends, ISO 8601 in UTC."""
MARK: Final = "tocsin canary"
"""How the comment of its silence begins."""
_UID_LENGTH: Final = 40
_LINGERS: Final = timedelta(hours=1)
"""How long a silence outlives its rule: what fired until the end still has to resolve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A canary on a server, as its marks say."""

    id: str
    key: str
    """The tried rule's `id/level/override`."""
    service: str
    until: str
    rule: Rule
    group: Group

    def past(self, now: datetime) -> bool:
        """Whether its time is over; one whose end cannot be read is."""
        try:
            return datetime.fromisoformat(self.until) <= now
        except (ValueError, TypeError):
            return True


def owner_of(project: Project, environment: Environment) -> str:
    """The owner mark of every canary of an environment."""
    return f"{project.name}/{environment.name}{CANARY}"


def id_of(key: RuleKey, digest: str) -> str:
    """The id of the canary of that rule's version: the same on every machine."""
    text = "\x1f".join((key.env, key.text, digest))
    return f"c-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def uid_of(uid: str) -> str:
    """The uid of a rule's canary, at most 40 characters."""
    plain = f"{uid}--canary"
    if len(plain) <= _UID_LENGTH:
        return plain
    return f"{uid[:23]}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}--canary"


def name_of(name: str, id: str) -> str:
    """The alertname of a canary: no rule's, for titles are unique in a folder and inhibition looks at names."""
    return f"{name}_canary_{id.removeprefix('c-')}"


def bounded(expr: str, until: datetime) -> str:
    """`expr` with the same results until that time and none after it. The lines are for an author's comment at the end."""
    return f"(\n{expr}\n) and on () (vector(time()) < {int(until.timestamp())})"


def overlay(
    side: Side,
    expr: str,
    id: str,
    until: datetime,
    *,
    project: Project,
    environment: Environment,
    kind: TargetKind,
) -> tuple[Group, Folder | None]:
    """The group that holds the canary of `side`, evaluating `expr`, and the folder it needs, where its server has folders."""
    alert = side.rule
    if not isinstance(alert, CompiledAlert):
        raise ValueError(f"{alert.key.text} is no alert")
    tried = replace(
        alert,
        uid=uid_of(alert.uid),
        name=name_of(alert.name, id),
        expr=bounded(expr, until),
        labels=_labels(alert, id, project),
        annotations={
            **alert.annotations,
            LABEL: id,
            OF: f"{alert.service} {alert.key.text}",
            UNTIL: until.isoformat(timespec="seconds"),
        },
        shape="promql",
        mirror=False,
        paused=False,
    )
    group = replace(side.group, name=f"tocsin-canary-{id}", rules=(tried,))
    wanted = _desired(group, project, environment, kind)
    (made,) = (each for each in wanted.groups if any(rule.labels.get(LABEL) == id for rule in each.rules))
    rules = tuple(replace(each, owner=owner_of(project, environment), key="") for each in made.rules)
    if kind != "grafana":
        rules = told_apart(rules, made.place)
    folder = next((each for each in wanted.folders if each.uid == made.place.folder), None)
    return replace(made, rules=rules), folder


def _desired(group: CompiledGroup, project: Project, environment: Environment, kind: TargetKind) -> Desired:
    evaluator = group.evaluator
    if kind == "grafana":
        whole = Resolved(env=environment.name, service=group.service, groups=(group,))
        return desired_grafana([whole], project, environment, evaluator.name, frozenset(), evaluator.version)
    # A ruler's rules are marked by the name of their file or namespace, which is made of the owner.
    other = replace(environment, name=f"{environment.name}{CANARY}")
    whole = Resolved(env=other.name, service=group.service, groups=(group,))
    return desired_rules([whole], project, other, evaluator.name, frozenset(), kind)


def _labels(alert: CompiledAlert, id: str, project: Project) -> dict[str, str]:
    labels = dict(alert.labels)
    policy = project.severity(alert.severity)
    if policy is not None and policy.label[0] in labels:
        labels[policy.label[0]] = "canary"
    if "rule_id" in labels:
        labels["rule_id"] = f"{labels['rule_id']}.canary"
    return {**labels, LABEL: id}


def canaries(live: Live, owner: str) -> tuple[Canary, ...]:
    """Every canary on a server, by its marks alone."""
    found = []
    for group in live.groups:
        for rule in group.rules:
            if rule.owner != owner:
                continue
            annotations = rule.body.get("annotations")
            said = annotations if isinstance(annotations, Mapping) else {}
            id = rule.labels.get(LABEL) or str(said.get(LABEL, ""))
            if id:
                service, _, key = str(said.get(OF, "")).partition(" ")
                until = str(said.get(UNTIL, ""))
                found.append(Canary(id=id, key=key, service=service, until=until, rule=rule, group=group))
    return tuple(sorted(found, key=lambda each: (each.key, each.id)))


def meant(every: Iterable[Canary], name: str) -> tuple[Canary, ...]:
    """The canaries that a name means: an id of a canary, or of a rule (all of its levels), or a whole key."""
    return tuple(each for each in every if name in (each.id, each.key) or each.key.startswith(f"{name}/"))


def silence_for(id: str, key: str, until: datetime, keep_ms: int, now: str, by: str) -> Silence:
    """The silence of a canary, on its label and nothing else."""
    ends = until + timedelta(milliseconds=keep_ms) + _LINGERS
    return Silence(
        matchers=(Matcher(name=LABEL, value=id),),
        starts_at=now,
        ends_at=ends.isoformat(timespec="seconds"),
        created_by=by,
        comment=f"{MARK} {id}: {key} is tried until {until.isoformat(timespec='seconds')}",
    )


def silences_of(every: Iterable[Silence], id: str) -> tuple[Silence, ...]:
    """The lasting silences on exactly that canary."""
    return tuple(
        each
        for each in every
        if each.state != "expired" and each.matchers == (Matcher(name=LABEL, value=id),)
    )
