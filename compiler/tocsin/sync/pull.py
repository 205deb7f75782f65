"""A rule that was edited on the server, as edits of its source: what can be said there, and for the rest why not. Pure.

Nothing is guessed. An edit is proposed only where one place of the source is the cause of the differing value: the parameter that was another
number, the `for` of the level that set it. Whether the edits make the source compile to the live rule, and change no other rule, is not judged
here but by compiling them (`judged`); what does not pass is withdrawn with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin.ir.compiled import CompiledAlert, CompiledGroup, OriginOf
from tocsin.ir.duration import Duration, format_duration
from tocsin.ir.project import Environment, Project
from tocsin.ir.rule import RuleFile
from tocsin.resolve import alert_origins
from tocsin.source.edit import GONE, Steps
from tocsin.source.scalars import number_of
from tocsin.sync.compare import differences
from tocsin.sync.values import Desired, FieldChange, Group, Rule
from tocsin.template import to_grafana
from tocsin.wire.grafana import Json

_TOKEN = re.compile(
    r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|[0-9][\w.]*(?:[eE][+-]?[0-9]+)?|[a-zA-Z_:][\w:.]*|\S'
)
_EXPR = re.compile(r"data\[\d+\]\.model\.expr\Z")
_THRESHOLD = re.compile(r"data\[\d+\]\.model\.conditions\[0\]\.evaluator\.params\[0\]\Z")
_DURATIONS = ("for", "keep_firing_for")
_ON_TOP = ("summary", "description")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One value to write: the file, the place in it, and which field of which rule it is for."""

    file: str
    steps: Steps
    value: object
    key: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One difference that stays on the server, and why."""

    key: str
    field: str
    why: str


Said = Edit | Left


@dataclass(frozen=True, slots=True, kw_only=True)
class Authored:
    """A compiled alert with everything around it that an edit may concern."""

    alert: CompiledAlert
    group: CompiledGroup
    file: RuleFile
    env: Environment
    project: Project

    @property
    def key(self) -> str:
        """Which rule it is."""
        return self.alert.key.text

    def steps(self, *path: str | int) -> Steps:
        """The way from the top of the file to a place in the alert."""
        for g, group in enumerate(self.file.groups):
            for r, rule in enumerate(group.rules):
                if rule is self.alert.source:
                    return ("groups", g, "rules", r, *path)
        raise ValueError(f"{self.key} is not in {self.file.file.path}")

    def group_steps(self, *path: str) -> Steps:
        """... in its group."""
        return (*self.steps()[:2], *path)


def proposed(
    authored: Authored, wanted: Rule, live: Rule, intervals: tuple[Duration, Duration]
) -> Iterator[Said]:
    """The edits that would make `wanted` the live rule, field by field; `intervals` are the wanted and the live one of the group."""
    origins = alert_origins(authored.alert.source, authored.file, authored.env, authored.project)
    mine = origins.get((authored.alert.key.level, authored.alert.key.override), {})
    if live.hold is not None:
        yield Left(key=authored.key, field="paused", why=f"held by {live.hold.by} until {live.hold.until}")
    elif live.paused and not wanted.paused:
        yield Left(
            key=authored.key,
            field="paused",
            why="paused by hand; to keep it so, write `enabled: false`, which removes the rule: that is yours to decide",
        )
    if wanted.title != live.title:
        yield _title(authored, live.title, mine)
    if intervals[0] != intervals[1]:
        yield Edit(
            file=authored.file.file.path,
            steps=authored.group_steps("interval"),
            value=format_duration(intervals[1]),
            key=authored.key,
            field="interval",
        )
    for each in differences(wanted.body, live.body):
        yield from _field(authored, each, mine)


def _field(authored: Authored, change: FieldChange, origins: Mapping[str, OriginOf]) -> Iterator[Said]:
    top, _, rest = change.path.partition(".")
    if top in _DURATIONS:
        number = change.new if isinstance(change.new, int) else 0
        yield _at_origin(authored, top, format_duration(Duration(number)), origins, change.path)
    elif _EXPR.match(change.path):
        yield from _expression(authored, str(change.old), str(change.new), origins, change.path)
    elif _THRESHOLD.match(change.path):
        yield from _tokens([(_plain(change.old), _plain(change.new))], authored, origins, change.path)
    elif top == "labels" and rest:
        yield _label(authored, rest, change, origins)
    elif top == "annotations" and rest:
        yield _annotation(authored, rest, change)
    else:
        yield _left(authored, change.path, "tocsin writes it the same way for every rule: no source says it")


def _left(authored: Authored, field: str, why: str) -> Left:
    return Left(key=authored.key, field=field, why=why)


def _edit(authored: Authored, field: str, value: object, *path: str | int) -> Edit:
    return Edit(
        file=authored.file.file.path, steps=authored.steps(*path), value=value, key=authored.key, field=field
    )


def _title(authored: Authored, title: str, origins: Mapping[str, OriginOf]) -> Said:
    level = authored.alert.key.level
    if authored.alert.key.override:
        return _left(authored, "title", "a name of one override alone: rename the alert or its level")
    if level:
        return _edit(authored, "title", title, "levels", level, "name")
    return _edit(authored, "title", title, "alert")


def _at_origin(
    authored: Authored, name: str, value: str | int | float, origins: Mapping[str, OriginOf], field: str
) -> Said:
    """An edit where the value was set; where nobody set it, on the level or the alert itself."""
    source, level = authored.alert.source, authored.alert.key.level
    param = name.startswith("${")
    plain = name[2:-1] if param else name
    origin = origins.get(name)
    layer, _, which = (origin.layer if origin is not None else "default").partition(" ")
    if layer == "override":
        override = next(each for each in source.overrides if each.key == which)
        path = f"{level}.{plain}" if f"{level}.{plain}" in override.set else plain
        return _edit(authored, field, value, "overrides", which, "set", path)
    if layer in ("file", "environment", "project"):
        where = f"{origin.layer if origin else layer} ({origin.span.place if origin else ''})"
        return _left(
            authored,
            field,
            f"`{plain}` is set for the {where}, where other rules read it; set it on this alert",
        )
    place: tuple[str, ...] = ("levels", level, plain) if level and layer in ("level", "default") else (plain,)
    if layer == "alert" and param:
        place = ("params", plain)
    written = _text_at(authored, place)
    if isinstance(written, str) and "${" in written:
        found = re.fullmatch(r"\$\{(\w+)\}", written)
        if found is None:
            return _left(authored, field, f"`{plain}` is put together from parameters: {written}")
        return _at_origin(authored, written, value, origins, field)
    return _edit(authored, field, value, *place)


def _text_at(authored: Authored, path: tuple[str, ...]) -> object:
    node: object = authored.alert.origin.node
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _expression(
    authored: Authored, old: str, new: str, origins: Mapping[str, OriginOf], field: str
) -> Iterator[Said]:
    source, level = authored.alert.source, authored.alert.key.level
    own = next((each for each in source.levels if each.key == level and each.expr is not None), None)
    text = own.expr if own is not None else source.expr
    narrowed = bool(authored.alert.key.override) or any(each.where for each in source.overrides)
    if "${" not in (text or "") and not narrowed and (own is not None or not source.levels):
        yield _edit(authored, field, new, *(("levels", level, "expr") if own is not None else ("expr",)))
        return
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    pairs = [(one, other) for one, other in zip(before, after, strict=False) if one != other]
    if len(before) != len(after) or not pairs:
        yield _left(
            authored, field, "more than values of parameters differ, and the expression is shared with others"
        )
        return
    yield from _tokens(pairs, authored, origins, field)


def _tokens(
    pairs: list[tuple[str, str]], authored: Authored, origins: Mapping[str, OriginOf], field: str
) -> Iterator[Said]:
    """Each differing word as the one parameter whose value it was."""
    found: dict[str, str] = {}
    for old, new in pairs:
        names = [
            name for name, text in authored.alert.params.items() if text == old or _same_number(text, old)
        ]
        if len(names) != 1:
            why = "is the value of no parameter" if not names else f"is the value of {' and of '.join(names)}"
            yield _left(authored, field, f"`{old}` became `{new}`, and `{old}` {why}")
            return
        if found.setdefault(names[0], new) != new:
            yield _left(authored, field, f"`{names[0]}` is used twice and differs in two ways")
            return
    for name, new in found.items():
        value = number_of(new)
        yield _at_origin(
            authored, f"${{{name}}}", value if isinstance(value, int | float) else new, origins, field
        )


def _same_number(one: str, other: str) -> bool:
    left, right = number_of(one), number_of(other)
    return isinstance(left, int | float) and isinstance(right, int | float) and left == right


def _plain(value: Json) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _label(authored: Authored, name: str, change: FieldChange, origins: Mapping[str, OriginOf]) -> Said:
    source, level = authored.alert.source, authored.alert.key.level
    policy = authored.project.severity(authored.alert.severity)
    written = next(
        (
            path
            for path in (("levels", level, "labels", name), ("labels", name))
            if source.origin.wrote(*path)
        ),
        None,
    )
    if written is None and policy is not None and name == policy.label[0]:
        fit = [each for each in authored.project.severities if each.label == (name, change.new)]
        if len(fit) != 1:
            return _left(
                authored,
                change.path,
                f"{len(fit)} severities of the policy have the label {name}={change.new}",
            )
        return _at_origin(authored, "severity", fit[0].name, origins, change.path)
    if written is None and change.old is not None:
        where = "its group" if name in authored.group.labels else "the project"
        return _left(authored, change.path, f"the label comes from {where}")
    path = written or (("levels", level, "labels", name) if level else ("labels", name))
    return _text(authored, change, path)


def _annotation(authored: Authored, name: str, change: FieldChange) -> Said:
    source, level = authored.alert.source, authored.alert.key.level
    on_level = ("levels", level, name) if name in _ON_TOP else ("levels", level, "annotations", name)
    places: list[tuple[str, ...]] = [on_level] if level else []
    places += [("annotations", name), (name,)] if name in _ON_TOP else [("annotations", name)]
    written = next((each for each in places if source.origin.wrote(*each)), None)
    if written is None and change.old is not None:
        return _left(authored, change.path, "the annotation comes from the project")
    return _text(authored, change, written or (places[0] if level else places[-1]))


def _text(authored: Authored, change: FieldChange, path: tuple[str, ...]) -> Said:
    """A text as the author would have written it: Prometheus' `$value` again, where that comes out as exactly the live text."""
    if change.new is None:
        return _edit(authored, change.path, GONE, *path)
    live, old = str(change.new), _text_at(authored, path)
    if isinstance(old, str) and re.search(r"(?<!\$)\$\{", old):
        return _left(authored, change.path, f"its source has parameters in it: {old}")
    plain = re.sub(r"\$values\.A\.Value\b", "$value", live).replace("${", "$${")
    back = to_grafana(plain.replace("$${", "${"), version=authored.alert.evaluator.version)
    if back != live:
        return _left(authored, change.path, "the template has no exact form in Prometheus' language")
    return _edit(authored, change.path, plain, *path)


def judged(
    before: Desired,
    after: Desired | None,
    live: Mapping[str, tuple[Rule, Group]],
    uid: str,
    fields: frozenset[str],
) -> str:
    """Why edits for rule `uid` cannot stay, `""` where they can: the fields are as they are live, and every other rule is as it was or as it
    is live. `after` is None where the edited sources do not compile."""
    if after is None:
        return "the edited source would not compile"
    old, new = _by_uid(before), _by_uid(after)
    if uid not in new:
        return "the rule would not be there any more"
    rule, group = new[uid]
    there, there_group = live[uid]
    left = {each.path for each in differences(rule.body, there.body)}
    if rule.title != there.title:
        left.add("title")
    if group.interval != there_group.interval:
        left.add("interval")
    if left & fields:
        return "the edited source would not compile to the live value"
    for other in old.keys() | new.keys():
        if other == uid:
            continue
        one, two = old.get(other), new.get(other)
        if one is None or two is None:
            return f"{(one or two or (rule, group))[0].key or other} would come or go with it"
        if one[0].body != two[0].body or one[0].title != two[0].title:
            found = live.get(other)
            if found is None or found[0].body != two[0].body or found[0].title != two[0].title:
                return f"{two[0].key or other} would change with it, and is not so on the server"
    return ""


def _by_uid(desired: Desired) -> dict[str, tuple[Rule, Group]]:
    return {rule.uid: (rule, group) for group in desired.groups for rule in group.rules}
