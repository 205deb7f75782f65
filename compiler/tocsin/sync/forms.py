"""What a group is compared by when it is read back: the same, on the way, or somebody else's. Pure."""

from __future__ import annotations

from tocsin.sync.compare import differences
from tocsin.sync.values import Group, Rule
from tocsin.wire.grafana import Json


def same(one: Group | None, other: Group | None) -> bool:
    """Whether two groups are the same rules, with the same interval and settings. Order is none of a Grafana before 11.5.2; a target for which
    it matters says it in the settings."""
    if one is None or other is None:
        return one is None and other is None
    forms = [list(map(_form, each.rules)) for each in (one, other)]
    if "order" not in one.settings:
        forms = [sorted(each) for each in forms]
    return (
        one.interval == other.interval and dict(one.settings) == dict(other.settings) and forms[0] == forms[1]
    )


def between(now: Group | None, before: Group | None, after: Group | None) -> bool:
    """Whether `now` is one of the two, or on the way: every rule as it was or as it shall be, whatever is there already or gone already."""
    forms = {_form(rule) for group in (before, after) if group is not None for rule in group.rules}
    return now is None or all(_form(rule) in forms for rule in now.rules)


def _form(rule: Rule) -> str:
    return repr((rule.uid, rule.title, rule.paused, rule.owner, rule.hold, _frozen(rule.body)))


def _frozen(value: Json) -> object:
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(each)) for key, each in value.items()))
    return tuple(_frozen(each) for each in value) if isinstance(value, (list, tuple)) else value


def strange(now: Group | None, before: Group | None, after: Group | None) -> str:
    """What somebody else made of the group, in a few words."""
    if now is None:
        return "the group is gone"
    wanted = {each.uid: each for group in (before, after) if group is not None for each in group.rules}
    said: list[str] = []
    for rule in now.rules:
        other = wanted.get(rule.uid)
        if other is None:
            said.append(f"{rule.title} ({rule.uid}) is new in it")
        elif _form(rule) != _form(other):
            fields = (
                ", ".join(each.path for each in differences(other.body, rule.body)[:3])
                or "its pause or owner"
            )
            said.append(f"{rule.title} differs: {fields}")
    return "; ".join(said[:3]) or "its interval or order is another one"
