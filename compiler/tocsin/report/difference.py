"""What every report of a diff is given, and how it is said: rows of what changed alike, the words for a class, the headline.

In: `RuleChange`s and `SopChange`s with what commits say about them. Out: `Difference`, from which text, JSON, GitHub annotations and the impact report
of a pull request are made, so that no two of them count differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from tocsin.diff.changes import FieldChange, RuleChange
from tocsin.diff.classes import CLASSES, at_least
from tocsin.diff.sops import SopChange
from tocsin.ir.compiled import CompiledAlert, CompiledRecord
from tocsin.ir.duration import format_duration
from tocsin.ir.project import Project
from tocsin.release.entries import Why, rule_of
from tocsin.report.findings import count

_SENSITIVITY = {
    "up": "more sensitive",
    "down": "less sensitive",
    "both": "more and less sensitive",
    "": "of another sensitivity",
}
_LINE = 400
"""Characters of an expression that a line shows."""
_SHORT, _AROUND = 120, 24
"""Two texts that fit a line are shown whole; of others so much is shown around what differs."""
_WORD = re.compile(r"[\w:.]+|[^\w\s]")
_COMPARED = 250_000
"""So many pairs of words are compared; of larger texts everything from the first to the last difference is shown."""
_ALIKE = 0.5
SPACES = "(only spaces or line ends differ)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule that changed alike in `envs`; `changes` has one for each of them, in their order."""

    rule: str
    envs: tuple[str, ...]
    changes: tuple[RuleChange, ...]
    why: Why

    @property
    def change(self) -> RuleChange:
        """Any of them: they say the same."""
        return self.changes[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two revisions, compared. `head` is `""` for the work tree; `whys` is by rule id."""

    base: str
    head: str
    rules: tuple[RuleChange, ...]
    sops: tuple[SopChange, ...] = ()
    whys: Mapping[str, Why] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    """Services that do not compile on one side: nothing is said about them."""
    unread: tuple[str, ...] = ()
    """SOPs that cannot be read on one side, by path."""
    project: Project | None = None
    """tocsin.yaml as it is now, for places of what it sets."""
    version: str = ""
    within: str = ""
    """The project's folder in its Git repository, `""` or ending in a slash."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not self.rules and not self.sops

    @property
    def rows(self) -> tuple[Row, ...]:
        """The strongest change first, then by rule. Recording rules follow the alerts: what reads them is among those."""
        rows: dict[tuple[object, ...], list[RuleChange]] = {}
        for change in self.rules:
            rows.setdefault(_sameness(change), []).append(change)
        found = [
            Row(
                rule=rule_of(changes[0]),
                envs=tuple(sorted({each.key.env for each in changes})),
                changes=tuple(sorted(changes, key=lambda each: each.key)),
                why=self.whys.get(changes[0].key.id, Why()),
            )
            for changes in rows.values()
        ]
        return tuple(sorted(found, key=_weight))


def _weight(row: Row) -> tuple[object, ...]:
    change = row.change
    runs = at_least(change.class_, "routing")
    return (not runs, not change.is_alert, -CLASSES.index(change.class_), row.rule, row.envs)


def _sameness(change: RuleChange) -> tuple[object, ...]:
    """Equal for changes that one row may tell."""
    ends = tuple(change_side(change)) if change.old is None or change.new is None else ()
    return (
        rule_of(change), change.is_alert, change.class_, change.direction, change.fields, change.renamed,
        change.moved, ends,
    )  # fmt: skip


def change_side(change: RuleChange) -> Sequence[str]:
    """What a rule that came or went is about, in a few lines."""
    rule = change.side.rule
    if isinstance(rule, CompiledRecord):
        return (line(rule.expr),)
    waits = f" for {format_duration(rule.for_)}" if rule.for_ else ""
    return (f"{line(rule.expr)}{waits}", *([rule.severity] if rule.severity else []))


def class_words(change: RuleChange) -> str:
    """`less sensitive`, `rerouted to P1`, `removed`: the class as a reviewer says it."""
    match change.class_:
        case "added":
            return "added"
        case "removal":
            return "removed"
        case "meaning":
            return "of another meaning"
        case "sensitivity":
            return _SENSITIVITY[change.direction]
        case "routing":
            rerouted = reroute_words(change)
            return rerouted or ("renamed" if _only_renamed(change) else "rerouted")
        case "text":
            return "reworded"
    return "moved" if change.moved else "described otherwise"


def reroute_words(change: RuleChange) -> str:
    """`rerouted to P1` where the severity is another; `""` where not."""
    severity = next((each for each in change.fields if each.field == "severity"), None)
    return f"rerouted to {severity.new or 'no severity'}" if severity is not None else ""


def _only_renamed(change: RuleChange) -> bool:
    return all(each.field == "name" for each in change.fields if each.class_ == "routing")


def sentences(change: RuleChange) -> Sequence[str]:
    """What a severity means now: `lag > 10000 is now P1, was P2`. Empty where the fields say it all."""
    old, new = change.old, change.new
    if old is None or new is None:
        return change_side(change)
    rule, before = new.rule, old.rule
    if not isinstance(rule, CompiledAlert) or not isinstance(before, CompiledAlert):
        return ()
    if rule.severity == before.severity:
        return ()
    return (
        f"{line(rule.expr)} is now {rule.severity or 'of no severity'}, was {before.severity or 'of none'}",
    )


def field_words(each: FieldChange) -> str:
    """`params.limit  5000 -> 4000`; of long texts only where they differ."""
    if not each.old and not each.new:
        return f"{each.field}  changed elsewhere"
    old, new = apart(each.old, each.new)
    return f"{each.field}  {old or '(none)'} -> {new or '(none)'}" if old != new else f"{each.field}  {old}"


def apart(old: str, new: str, room: int = _LINE) -> tuple[str, str]:
    """Both texts on one line, of long ones only the places where they differ with a little around them; both alike where only spaces or line ends
    are different. At most `room` characters each."""
    whole = (_flat(old), _flat(new))
    if whole[0] == whole[1]:
        return SPACES, SPACES
    if not whole[0] or not whole[1] or len(whole[0]) + len(whole[1]) <= min(_SHORT, 2 * room):
        return line(whole[0], room), line(whole[1], room)
    words = tuple(tuple(_WORD.finditer(each)) for each in whole)
    shown = [
        _around(text, found, spans) for text, found, spans in zip(whole, words, _spans(*words), strict=True)
    ]
    return line(shown[0], room), line(shown[1], room)


_Words = tuple[re.Match[str], ...]
_Spans = list[tuple[int, int]]


def _spans(old: _Words, new: _Words) -> tuple[_Spans, _Spans]:
    """Where both differ: from one word up to another, in each, as many for the one as for the other."""
    one, other = [each.group() for each in old], [each.group() for each in new]
    least = min(len(one), len(other))
    start = next((at for at in range(least) if one[at] != other[at]), least)
    end = next((at for at in range(least - start) if one[-1 - at] != other[-1 - at]), least - start)
    whole = ([(start, len(one) - end)], [(start, len(other) - end)])
    one, other = one[start : len(one) - end], other[start : len(other) - end]
    if len(one) * len(other) > _COMPARED:
        return whole
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.ratio() < _ALIKE:
        # Nothing but confetti would be left of two texts that have little in common.
        return whole
    spans: tuple[_Spans, _Spans] = ([], [])
    for tag, *ends in matcher.get_opcodes():
        if tag != "equal":
            for side, (first, last) in zip(spans, (ends[:2], ends[2:]), strict=True):
                side.append((start + first, start + last))
    return spans


def _around(text: str, words: _Words, spans: _Spans) -> str:
    """Those words with a few before and after them, and `…` for what is left out."""
    shown: list[list[int]] = []
    for first, last in spans:
        begins = words[first].start() if first < len(words) else len(text)
        ends = words[last - 1].end() if last > first else begins
        before = next((each.start() for each in words if each.end() > begins - _AROUND), 0)
        after = next((each.end() for each in reversed(words) if each.start() < ends + _AROUND), len(text))
        if shown and before <= shown[-1][1] + _AROUND:
            shown[-1][1] = max(after, shown[-1][1])
        else:
            shown.append([before, after])
    parts = "…".join(text[before:after] for before, after in shown)
    return ("…" if shown[0][0] else "") + parts + ("…" if shown[-1][1] < len(text) else "")


def why_words(why: Why) -> str:
    """`ticket INFRA-2891: orders were late before anybody was called`; `""` where nothing is said."""
    tickets = f"ticket {', '.join(why.tickets)}" if why.tickets else ""
    reasons = "; ".join(why.reasons)
    return ": ".join(each for each in (tickets, reasons) if each)


def headline(difference: Difference) -> str:
    """What a reviewer reads in ten seconds: `2 rules more sensitive, 1 rerouted to P1, 0 removed`. Recording rules call nobody, and are counted apart."""
    rows = difference.rows
    parts = _counts([each for each in rows if each.change.is_alert], "rule")
    if parts and not any(each.endswith(" removed") for each in parts):
        parts.append("0 removed")
    recorded = ", ".join(_counts([each for each in rows if not each.change.is_alert], "recording rule"))
    if recorded:
        parts = [f"{', '.join(parts)}; {recorded}" if parts else recorded]
    if difference.sops:
        parts.append(f"{count(len({each.id for each in difference.sops}), 'SOP')} changed")
    unsaid = len(difference.frozen) + len(difference.unread)
    if unsaid:
        # Of what does not compile nothing is known: that it does not change is not, either.
        found = [count(len(difference.frozen), "service"), count(len(difference.unread), "page")]
        said = " and ".join(each for each in found if not each.startswith("0 "))
        parts.append(f"{said} not compared" if parts else f"nothing known to change, {said} not compared")
    return ", ".join(parts) or "nothing changes"


def _counts(rows: Sequence[Row], noun: str) -> list[str]:
    counted: dict[str, set[str]] = {}
    for row in rows:
        for words in filter(None, (class_words(row.change), _also(row.change))):
            counted.setdefault(words, set()).add(row.rule)
    parts = [f"{len(rules)} {words}" for words, rules in counted.items()]
    if parts:
        first = next(iter(counted))
        parts[0] = f"{count(len(counted[first]), noun)} {first}"
    return parts


def _also(change: RuleChange) -> str:
    """A new severity of a rule whose class is stronger."""
    return reroute_words(change) if change.class_ in ("sensitivity", "meaning") else ""


def line(text: str, room: int = _LINE) -> str:
    """A text on one line, of at most `room` characters."""
    flat = _flat(text)
    return flat if len(flat) <= room else f"{flat[: room - 1]}…"


def _flat(text: str) -> str:
    return " ".join(text.split())
