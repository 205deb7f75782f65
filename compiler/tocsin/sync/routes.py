"""Which receiver an alert reaches: Alertmanager's routing tree and Grafana's policy tree, walked with what is known of its labels. Pure.

A compiled alert knows its own labels and not those of its series. So a matcher has three answers, and a receiver is reached for certain, or it
depends on the labels that are named. The semantics are those of dispatch.Route.Match of prometheus/alertmanager: children in order, the first
that matches ends the search unless it says `continue`, a node whose children all fail notifies itself; Grafana runs the same code.

Nothing here decides who is notified: contact points and policies belong to the teams.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tocsin.errors import UsageError
from tocsin.sync.values import Change, Place, Plan, Rule
from tocsin.wire.grafana import Json
from tocsin.wire.live import Matcher

Time = Literal["day", "night"]
"""Two times that stand for all: a Wednesday at 14:00, and at 03:00, where the interval is."""
NOBODY = "nobody"
"""The receiver of a node that is quiet."""
Can = Callable[[str], bool]
"""Whether the series of an alert may carry a label at all; False is a proof that it is empty."""
Labels = Mapping[str, str]
_MATCHER = re.compile(
    r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*|\"(?:[^\"\\]|\\.)*\")\s*(=~|!~|!=|=)\s*(.*?)\s*\Z", re.DOTALL
)
_GO_ONLY = re.compile(r"\\[pPzQECa]|\[\[:|\(\?[a-zA-Z]*U|\(\?-|\\x\{")
"""What Python would read differently, or not at all."""
_NAMES = {"=": (False, True), "!=": (False, False), "=~": (True, True), "!~": (True, False)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One node. `receiver` is settled: what a node does not say it has from its parent."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False
    routes: tuple[Route, ...] = ()
    quiet: frozenset[Time] = frozenset()
    """When this node itself (not its children) notifies nobody: its mute intervals, or what is outside its active ones."""

    @property
    def receivers(self) -> frozenset[str]:
        """Every receiver in the tree."""
        return frozenset({self.receiver}).union(*(each.receivers for each in self.routes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One receiver an alert reaches: for certain, or as the named labels of the series turn out."""

    receiver: str
    depends: frozenset[str] = field(default_factory=frozenset)

    @property
    def text(self) -> str:
        """For people."""
        return self.receiver + (f" (depends on {', '.join(sorted(self.depends))})" if self.depends else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one `routes_to`."""

    kind: str
    """`holds`, `depends` (on labels nobody knows here), `fails`."""
    say: str = ""


def reaches(tree: Route, labels: Labels, can: Can = lambda label: True) -> tuple[Reach, ...]:
    """The receivers of an alert with these labels of its own, in the order of the tree. A value with a template in it is as good as unknown."""
    found = [*_walk(tree, labels, can, frozenset())]
    names = list(dict.fromkeys(name for name, _ in found))
    if len(names) == 1:
        return (Reach(receiver=names[0]),)
    return tuple(
        Reach(
            receiver=name,
            depends=frozenset()
            if any(not on for each, on in found if each == name)
            else frozenset().union(*(on for each, on in found if each == name)),
        )
        for name in names
    )


def at(tree: Route, time: Time) -> Route:
    """The tree as it notifies at that time."""
    routes = tuple(at(each, time) for each in tree.routes)
    return replace(tree, routes=routes, receiver=NOBODY if time in tree.quiet else tree.receiver)


def judged(tree: Route, wanted: str, reached: tuple[Reach, ...]) -> Verdict:
    """Whether an alert that reaches these receivers reaches `wanted`."""
    if wanted not in tree.receivers:
        return Verdict(kind="fails", say=f"no route notifies `{wanted}`")
    found = next((each for each in reached if each.receiver == wanted), None)
    if found is None:
        return Verdict(kind="fails", say=f"it notifies {', '.join(each.text for each in reached)}")
    if found.depends:
        return Verdict(kind="depends", say=f"depends on {', '.join(sorted(found.depends))}")
    return Verdict(kind="holds")


def receiver_change(before: Labels | None, after: Labels | None, tree: Route) -> str:
    """What changes about who is notified when an alert's own labels change, in a few words; `""` where nothing does. None is no alert."""
    old = _text(tree, before)
    new = _text(tree, after)
    if old == new:
        return ""
    if before is None:
        return f"notifies {new}"
    return f"will notify {new} instead of {old}" if after is not None else ""


def with_receivers(plan: Plan, tree: Route, titles: Mapping[str, str] | None = None) -> Plan:
    """The plan with a note at each rule that notifies somebody else afterwards. `titles` are folder uid -> title: a Grafana's alerts carry the
    title of theirs."""
    titles = (titles or {}) if plan.server.kind == "grafana" else {}

    def seen(rule: Rule | None, place: Place) -> Labels | None:
        if rule is None:
            return None
        title = titles.get(place.folder)
        return rule.labels if title is None else {**rule.labels, "grafana_folder": title}

    def noted(change: Change) -> Change:
        if change.action == "none" or change.rule.kind != "alert":
            return change
        after = None if change.action == "delete" else seen(change.rule, change.place)
        note = receiver_change(seen(change.before, change.came_from or change.place), after, tree)
        return replace(change, notes=(*change.notes, note)) if note else change

    groups = tuple(
        replace(group, changes=tuple(noted(each) for each in group.changes)) for group in plan.groups
    )
    return replace(plan, groups=groups)


def _text(tree: Route, labels: Labels | None) -> str:
    return ", ".join(each.text for each in reaches(tree, labels)) if labels is not None else ""


def _walk(
    node: Route, labels: Labels, can: Can, given: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """(receiver, labels it depends on) below a node that matched, if `given` turn out so."""
    sure, open, doubts = False, given, given
    for child in node.routes:
        state = _matches(child.matchers, labels, can)
        if state is False:
            continue
        needs = frozenset() if state is True else state
        yield from _walk(child, labels, can, open | needs)
        if state is True:
            sure = True
            if not child.goes_on:
                break
        else:
            doubts |= needs
            # What follows is reached only where this one did not match.
            open = open if child.goes_on else open | needs
    if not sure:
        yield node.receiver, doubts


def _matches(matchers: Iterable[Matcher], labels: Labels, can: Can) -> bool | frozenset[str]:
    """True, False, or the labels it depends on."""
    doubts: set[str] = set()
    for each in matchers:
        answer = _answer(each, labels, can)
        if answer is False:
            return False
        if answer is None:
            doubts.add(each.name)
    return frozenset(doubts) if doubts else True


def _answer(matcher: Matcher, labels: Labels, can: Can) -> bool | None:
    value = labels.get(matcher.name)
    if value is None:
        if can(matcher.name):
            return None
        value = ""
    if "{{" in value:
        return None
    if not matcher.is_regex:
        return (value == matcher.value) is matcher.is_equal
    if _GO_ONLY.search(matcher.value):
        return None
    try:
        return (re.fullmatch(matcher.value, value, re.ASCII) is not None) is matcher.is_equal
    except re.error:
        return None


def from_config(document: Json, name: str) -> Route:
    """The tree of an Alertmanager's configuration. UsageError where it has none, or a matcher cannot be read."""
    route = document.get("route") if isinstance(document, Mapping) else None
    if not isinstance(route, Mapping):
        raise UsageError(f"{name} has no `route`", help="is this an Alertmanager's configuration?")
    return _route(route, "", name, "route", _intervals(document))


def from_policies(document: Json, name: str) -> Route:
    """Grafana's policy tree, as its provisioning API answers it."""
    if not isinstance(document, Mapping):
        raise UsageError(f"{name} has no notification policies")
    return _route(document, "", name, "policies", {})


_TIMES: Mapping[Time, int] = {"day": 14 * 60, "night": 3 * 60}
_WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MIDWEEK = 3


def _intervals(document: Json) -> Mapping[str, frozenset[Time]]:
    """Name -> the times an interval holds, as far as times and weekdays tell. Days, months and years are passed over: they are about some days, and the
    question is about an ordinary one. `mute_time_intervals` is the older name of the same list."""
    found: dict[str, frozenset[Time]] = {}
    for key in ("mute_time_intervals", "time_intervals"):
        for each in _rows(document.get(key) if isinstance(document, Mapping) else None):
            name = each.get("name")
            spans = [one for one in _rows(each.get("time_intervals")) if _has_midweek(one.get("weekdays"))]
            held = {time for one in spans for time in _TIMES if _has(one.get("times"), _TIMES[time])}
            if isinstance(name, str):
                found[name] = frozenset(held)
    return found


def _rows(value: Json) -> list[Mapping[str, Json]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, (list, tuple)) else []


def _has_midweek(value: Json) -> bool:
    """Whether `['monday:friday']` holds a Wednesday; nothing said is every day."""
    if not isinstance(value, (list, tuple)) or not value:
        return True
    for each in value:
        first, _, last = str(each).lower().partition(":")
        if (
            first in _WEEK
            and (last or first) in _WEEK
            and _WEEK.index(first) <= _MIDWEEK <= _WEEK.index(last or first)
        ):
            return True
    return False


def _has(value: Json, minute: int) -> bool:
    """Whether `[{start_time: '09:00', end_time: '17:00'}]` holds that minute; nothing said is the whole day."""
    if not isinstance(value, (list, tuple)) or not value:
        return True
    return any(
        _minute(each.get("start_time"), 0) <= minute < _minute(each.get("end_time"), 1440)
        for each in _rows(value)
    )


def _minute(value: Json, default: int) -> int:
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", str(value))
    return int(found[1]) * 60 + int(found[2]) if found else default


def _quiet(node: Mapping[str, Json], intervals: Mapping[str, frozenset[Time]]) -> frozenset[Time]:
    def named(key: str) -> list[frozenset[Time]]:
        value = node.get(key)
        names = value if isinstance(value, (list, tuple)) else ()
        return [intervals.get(str(each), frozenset()) for each in names]

    muted = frozenset[Time]().union(*named("mute_time_intervals"))
    active = named("active_time_intervals")
    return muted | (frozenset(_TIMES) - frozenset[Time]().union(*active) if active else frozenset())


def _route(
    node: Mapping[str, Json], receiver: str, name: str, path: str, intervals: Mapping[str, frozenset[Time]]
) -> Route:
    own = node.get("receiver")
    settled = own if isinstance(own, str) and own else receiver
    if not settled:
        raise UsageError(f"{name}: {path} has no receiver")
    children = node.get("routes") or ()
    if isinstance(children, str) or not isinstance(children, (list, tuple)):
        raise UsageError(f"{name}: {path}.routes is no list")
    routes = []
    for index, each in enumerate(children):
        if not isinstance(each, Mapping):
            raise UsageError(f"{name}: {path}.routes[{index}] is no route")
        routes.append(_route(each, settled, name, f"{path}.routes[{index}]", intervals))
    return Route(
        receiver=settled,
        matchers=tuple(_matchers_of(node, f"{name}: {path}")),
        goes_on=node.get("continue") is True,
        routes=tuple(routes),
        quiet=_quiet(node, intervals),
    )


def _matchers_of(node: Mapping[str, Json], where: str) -> Iterator[Matcher]:
    for key, is_regex in (("match", False), ("match_re", True)):
        pairs = node.get(key) or {}
        if not isinstance(pairs, Mapping):
            raise UsageError(f"{where}.{key} is no mapping")
        for label, value in pairs.items():
            text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
            yield Matcher(name=label, value=text, is_regex=is_regex)
    given = node.get("matchers") or ()
    for text in (given,) if isinstance(given, str) else given if isinstance(given, (list, tuple)) else ():
        yield from read_matchers(str(text), where)
    objects = node.get("object_matchers") or ()
    for triple in objects if isinstance(objects, (list, tuple)) else ():
        if not isinstance(triple, (list, tuple)) or len(triple) != 3 or triple[1] not in _NAMES:
            raise UsageError(f"{where}: `{triple}` is no matcher")
        is_regex, is_equal = _NAMES[str(triple[1])]
        yield Matcher(name=str(triple[0]), value=str(triple[2]), is_regex=is_regex, is_equal=is_equal)


def read_matchers(text: str, where: str = "") -> Iterator[Matcher]:
    """`foo="bar"`, `{foo=~"a|b", bar!=c}`: the matchers of one text, in Alertmanager's own syntax. UsageError for anything else."""
    inner = text.strip()
    inner = inner[1:] if inner.startswith("{") else inner
    inner = inner[:-1] if inner.endswith("}") and not inner.endswith("\\}") else inner
    for part in _parts(inner):
        found = _MATCHER.match(part)
        if found is None:
            raise UsageError(f"{where}: `{part.strip()}` is no matcher".lstrip(": "))
        is_regex, is_equal = _NAMES[found[2]]
        yield Matcher(
            name=_unquoted(found[1]), value=_unquoted(found[3]), is_regex=is_regex, is_equal=is_equal
        )


def _parts(text: str) -> Iterator[str]:
    """The text between commas that stand in no quotes; an empty end is no part."""
    start, quoted, index = 0, False, 0
    while index < len(text):
        char = text[index]
        if char == "\\":
            index += 1
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            yield text[start:index]
            start = index + 1
        index += 1
    if text[start:].strip():
        yield text[start:]


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    escapes = {"n": "\n", '"': '"', "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[0]), text, flags=re.DOTALL)
