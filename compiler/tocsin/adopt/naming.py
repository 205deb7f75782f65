"""Names for what arrives: the service a rule set belongs to, the file it becomes.

Every guess is made from the set alone (its labels, its object's name, its path), so that the order in which
files are read and the other files beside it change nothing. Only a clash looks at the neighbours.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tocsin.adopt.rules import Group
from tocsin.adopt.shapes import RuleSet

SERVICE_LABELS = ("service", "app", "component", "job")
LONGEST = 80
_GENERIC = frozenset(
    re.findall(
        r"\S+",
        "rule rules alert alerts alerting alertrule alertrules record records recording prometheusrule prometheusrules mixin mixins "
        "monitoring observability manifests manifest assets config configs conf etc files templates template examples example generated gen out dist "
        "build src source test tests testdata golden base overlays charts chart deploy deployment deployments resources bundle docs data upstream "
        "yaml yml json default k8s kubernetes-manifests bindata operator controllers internal pkg cmd lib hack charts-monitoring group groups namespace",
    )
)
"""Folder and file words that say what a file is, not whom it serves."""
_EDGES = frozenset(
    re.findall(
        r"\S+",
        "rule rules alert alerts alerting alertrule alertrules record records recording prometheusrule prometheusrules mixin mixins lib libs observ custom",
    )
)
"""Words cut off the ends of a name: `kafka-alerting-rules` serves kafka."""
_WEAK = frozenset({"prometheus", "prom"})
"""Cut off too, unless nothing else is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rule set goes: `rules/<service>/<topic>.yaml`. `moved` says why the service is not the one
    first thought of.
    """

    service: str
    topic: str
    moved: str = ""


def kebab(text: str) -> str:
    """`KafkaConsumerLag` -> `kafka-consumer-lag`, `HTTPErrors5xx` -> `http-errors-5xx`; at most 80
    characters; `""` where no letter is left.
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", text)
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1-\2", spaced)
    plain = re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-")
    if len(plain) > LONGEST:
        plain = f"{plain[: LONGEST - 9].rstrip('-')}-{fingerprint(text)}"
    return plain


def fingerprint(*parts: str) -> str:
    """Eight characters that tell two texts apart and are the same on every machine."""
    return sha256("\0".join(parts).encode()).hexdigest()[:8]


def guess(rule_set: RuleSet, groups: Sequence[Group], tops: Collection[str] = (), named: str = "") -> Place:
    """The service and the topic of one set, from itself alone. `named` is the service the user names; `tops` are the folders the user pointed at:
    they hold the collection, so the files directly in them are named after themselves.
    """
    parts = [each for each in re.split(r"[\\/]", rule_set.file.path) if each not in ("", ".", "..")]
    stem = _stem(parts[-1]) if parts else ""
    key = (
        rule_set.part.split(", ")[-1]
        if rule_set.part and not re.match(r"(?:document|item) \d+$", rule_set.part)
        else ""
    )
    own = _core(_stem(key)) if key else ""
    service = (
        named
        or kebab(rule_set.namespace)
        or _by_label(groups)
        or (_core(rule_set.name) if rule_set.name else "")
        or own
        or _by_path(parts[:-1], stem, whole=posixpath.dirname(rule_set.file.path) in tops)
        or _by_groups(groups)
        or "adopted"
    )
    return Place(service=service, topic=_topic(service, _stem(key) if key else stem, groups))


def _stem(name: str) -> str:
    return re.sub(
        r"\.(?:ya?ml|json|rules?|conf|txt|alerts?|tmpl|tpl|j2|jsonnet)(?=\.|$)", "", name, flags=re.IGNORECASE
    )


def _words(name: str) -> list[str]:
    return [each for each in kebab(name).split("-") if each]


def _core(name: str) -> str:
    """`name` without the words at its ends that only say "rules"; `""` where nothing else is left."""
    words = _words(name)
    weak = list(words)
    while weak and weak[-1] in _EDGES:
        weak.pop()
    while weak and weak[0] in _EDGES:
        weak.pop(0)
    cut = len(weak) < len(words)
    while cut and weak and weak[-1] in _WEAK:
        weak.pop()
    while weak and weak[-1] in _EDGES:
        weak.pop()
    if weak and all(each in _GENERIC or each.isdigit() for each in weak):
        return ""
    if len(weak) > 1 and all(each in (_GENERIC | _WEAK) - {"operator"} for each in weak):
        return ""
    return "-".join(weak)


def _by_label(groups: Sequence[Group]) -> str:
    """A service label that every alert of the set carries with one value."""
    alerts = [(group, rule) for group in groups for rule in group.rules if rule.kind == "alert"]
    for label in SERVICE_LABELS:
        values = {rule.labels.get(label, group.labels.get(label, "")) for group, rule in alerts}
        if len(values) == 1 and (value := values.pop()) and "{{" not in value and "${" not in value:
            return kebab(value)
    return ""


def _by_path(folders: Sequence[str], stem: str, *, whole: bool) -> str:
    """The folder the file stands in, if it is named after something; else the file; else the nearest folder
    above that is.
    """
    nearest = _core(folders[-1]) if folders and not whole else ""
    if nearest and not folders[-1].startswith("."):
        return nearest
    own = _core(stem)
    if own:
        return own
    for folder in reversed(folders):
        if (word := _core(folder)) and not folder.startswith("."):
            return word
    weak = [each for each in _words(stem) if each in _WEAK]
    return "prometheus" if weak else ""


def _by_groups(groups: Sequence[Group]) -> str:
    names = {_core(group.name.split(".")[0]) for group in groups}
    return names.pop() if len(names) == 1 else ""


def _topic(service: str, stem: str, groups: Sequence[Group]) -> str:
    """The file's own words without those the service already says."""
    taken = set(service.split("-")) | _WEAK
    words = [each for each in _words(stem) if each not in taken]
    if any(each not in _EDGES for each in words):
        return kebab("-".join(words))
    kinds = {rule.kind for group in groups for rule in group.rules}
    return {frozenset({"alert"}): "alerts", frozenset({"record"}): "records"}.get(frozenset(kinds), "rules")


def settle(
    wanted: Place,
    rule_set: RuleSet,
    groups: Sequence[Group],
    taken_groups: dict[str, set[str]],
    taken_topics: dict[str, set[str]],
) -> Place:
    """The place with its clashes solved, and recorded in `taken_*`. A service is one file for Prometheus, so
    its group names are unique.

    A set whose group names clash becomes a service of its own, named after its file as well.
    """
    names = {group.name for group in groups}
    service, moved = wanted.service, ""
    if names & taken_groups.get(service, set()):
        clash = sorted(names & taken_groups[service])[0]
        moved = f"the service `{service}` has a group `{clash}` already"
        service = next(
            each for each in _other_services(wanted, rule_set) if not names & taken_groups.get(each, set())
        )
    topics = taken_topics.setdefault(service, set())
    topic = wanted.topic
    number = 2
    while topic in topics:
        topic = f"{wanted.topic}-{number}"
        number += 1
    topics.add(topic)
    taken_groups.setdefault(service, set()).update(names)
    return Place(service=service, topic=topic, moved=moved)


def _other_services(wanted: Place, rule_set: RuleSet) -> Iterable[str]:
    """Longer names: with the topic, with one folder more each time, at last with a number."""
    seen: list[str] = []
    parts = [each for each in re.split(r"[\\/]", rule_set.file.path) if each not in ("", ".", "..")]
    folders = [
        word
        for each in parts[:-1]
        if (word := _core(each)) and word not in wanted.service.split("-") and word != wanted.service
    ]
    candidates = [
        f"{wanted.service}-{wanted.topic}",
        *(f"{folder}-{wanted.service}" for folder in reversed(folders)),
    ]
    candidates.extend(f"{folder}-{wanted.service}-{wanted.topic}" for folder in reversed(folders))
    for each in candidates:
        if (name := kebab(each)) not in seen:
            seen.append(name)
            yield name
    number = 2
    while True:
        yield kebab(f"{wanted.service}-{number}")
        number += 1
