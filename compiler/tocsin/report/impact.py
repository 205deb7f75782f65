"""What a change of the sources means, as the comment of a pull request and as a document for programs.

In: an `Impact`. Out: Markdown whose first line a reviewer reads in ten seconds, then a table, then each rule folded, the gravest first, never longer
than GitHub takes; or JSON in the shape of `schemas/diff.schema.json`. Names, numbers and reasons come from a stranger's branch: all of them go
through `as_markdown.inline`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final
from urllib import parse

from tocsin.diff.changes import FieldChange, RuleChange
from tocsin.ir.compiled import CompiledAlert, CompiledRecord
from tocsin.ir.duration import format_duration
from tocsin.ir.project import Project, SeverityPolicy
from tocsin.release.impact import Canary, Facts, Receivers, Risk
from tocsin.report.as_markdown import LIMIT, inline
from tocsin.report.diff import as_json as difference_json
from tocsin.report.difference import (
    SPACES,
    Difference,
    Row,
    apart,
    class_words,
    headline,
    reroute_words,
    sentences,
    why_words,
)
from tocsin.report.sparkline import CELLS
from tocsin.report.visible import encodable
from tocsin.sync.overrides import Overridden
from tocsin.sync.values import Effect

_SHORT: Final = 12
_NAMED: Final = 10
"""Overrides that are named."""
_TAIL: Final = 4_000
"""Room kept for the lines that name what was left out."""
_AROUND: Final = 500
"""Room for what `tocsin post` puts around it, or it would cut the last lines."""
_SOPS: Final = 50
_FROZEN: Final = 20
"""Procedures and services that are named."""
_OPEN: Final = 2
_VALUE: Final = 400
"""The most characters of one value."""
_TABLE: Final = 60
"""Rows of the table; a reader of more reads the JSON."""
_MARK: Final[Mapping[str, str]] = {
    "removal": "➖",
    "meaning": "🔁",
    "sensitivity": "🎚️",
    "routing": "📣",
    "added": "➕",
    "text": "📝",
}
_VERDICT: Final[Mapping[str, str]] = {
    "pass": "✅ pass",
    "quiet": "🔇 quiet",
    "fail": "❌ fail",
    "not-backtestable": "⚠️ not-backtestable",
    "not-needed": "➖ not needed",
}
_EFFECTS: Final[Mapping[Effect, str]] = {
    "none": "alerts that fire or wait go on as they are",
    "starts": "begins to be evaluated",
    "for-restarts": "what is waiting waits again from the beginning",
    "resolves-and-refires": "what fires is resolved, and fires again",
    "resolves": "what fires is resolved",
}
_DRAWN: Final = re.compile("[·▁-█]")
"""What a drawing is made of; a file may hold anything."""
_RISKS: Final[Mapping[Risk, str]] = {
    "no-test": "no unit test makes it fire",
    "no-verdict": "no canary has judged this change yet",
    "verdict-failed": "the canary said no",
    "no-sop": "it leads to no procedure",
    "sop-unread": "its procedure was not read again with this change",
    "single": "nothing that pages is left for its service, or nothing for its SLI",
    "no-reason": "no `Reason:` or no `Ticket:` says why",
    "silences": "silences stop matching",
    "refires": "what fires now is resolved and fires again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """A difference with its facts, one for each of its rows in their order."""

    difference: Difference
    facts: tuple[Facts, ...]
    project: Project
    last: str = ""
    """The last release: what a rollback goes to."""
    overrides: tuple[Overridden, ...] = ()
    """Changes that are live on somebody's word alone, as the journals tell."""


def as_markdown(impact: Impact) -> str:
    """The comment, newline-terminated, at most `LIMIT` characters."""
    found = impact.difference
    until = found.head[:_SHORT] or "work tree"
    parts = [f"### {inline(headline(found))}\n\n", f"{found.base[:_SHORT]} → {until}\n"]
    if found.frozen:
        parts.append(f"\n⚠️ not compared, for they do not compile: {_some(found.frozen, _FROZEN)}\n")
    if found.unread:
        parts.append(f"\n⚠️ not compared, for they cannot be read: {_some(found.unread, _FROZEN)}\n")
    if impact.overrides:
        parts.append(_overridden(impact.overrides))
    rows = list(zip(found.rows, impact.facts, strict=True))
    if rows:
        parts.extend(_table(rows))
    for each in found.sops[:_SOPS]:
        parts.append(f"- procedure {inline(f'{each.id} ({each.language})')}: {each.kind}\n")
    if len(found.sops) > _SOPS:
        parts.append(f"- and {len(found.sops) - _SOPS:,} more procedures\n")
    used, left = sum(map(len, parts)), list[str]()
    for number, (row, facts) in enumerate(rows):
        part = "".join(_details(impact, row, facts, opened=number < _OPEN))
        if used + len(part) > LIMIT - _AROUND - _TAIL:
            left.append(row.rule)
            continue
        parts.append(part)
        used += len(part)
    if left:
        parts.append(_left_out(left))
    return "".join(parts)


def _left_out(rules: Sequence[str]) -> str:
    """Their names, folded, as far as there is room for them."""
    said = "1 rule is" if len(rules) == 1 else f"{len(rules)} rules are"
    head = f"\n<details><summary>{said} left out here: <code>tocsin diff --format json</code> has them</summary>\n\n"
    tail = "\n\n</details>\n"
    names: list[str] = []
    room = _TAIL - len(head) - len(tail) - 2 * _SHORT
    for each in map(_code, dict.fromkeys(rules)):
        room -= len(each) + len(", ")
        if room < 0:
            names.append("…")
            break
        names.append(each)
    return head + ", ".join(names) + tail


def _some(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return inline(", ".join(names[:most])) + more


def _table(rows: list[tuple[Row, Facts]]) -> Iterator[str]:
    yield "\n| rule | where | what happens | canary | to check |\n|---|---|---|---|---|\n"
    for row, facts in rows[:_TABLE]:
        verdicts = ", ".join(
            sorted({_VERDICT.get(each.verdict, inline(each.verdict)) for each in facts.canary.values()})
        )
        cells = (
            f"{_MARK.get(row.change.class_, '')} <code>{inline(row.rule)}</code>",
            inline(", ".join(row.envs)),
            f"{inline(_what(row.change))}{f': {_first(row)}' if _first(row) else ''}",
            verdicts or "–",
            str(len(facts.risks)) if facts.risks else "",
        )
        yield f"| {' | '.join(cells)} |\n"
    if len(rows) > _TABLE:
        yield f"\n{len(rows) - _TABLE} more rules are not in this table.\n"
    yield "\n"


def _what(change: RuleChange) -> str:
    """`more sensitive, rerouted to P1`."""
    said, also = class_words(change), reroute_words(change)
    return said if also in ("", said) else f"{said}, {also}"


def _first(row: Row) -> str:
    """The differences that made it what it is, short."""
    main = [each for each in row.change.fields if each.class_ == row.change.class_]
    shown = ", ".join(_field(each, 60) for each in main[:2])
    return shown + (f", {len(main) - 2} more" if len(main) > 2 else "")


def _field(field: FieldChange, room: int = _VALUE) -> str:
    old, new = apart(field.old, field.new, room)
    if old == new == SPACES:
        return f"{inline(field.field)} {SPACES}"
    return f"{inline(field.field)} {_code(old)} → {_code(new)}"


def _code(text: str) -> str:
    """A value as it is: a backtick in it is one of its characters."""
    return f"<code>{'&#96;'.join(map(inline, text.split('`')))}</code>" if text else "(none)"


def _details(impact: Impact, row: Row, facts: Facts, *, opened: bool) -> Iterator[str]:
    change = row.change
    name = change.side.rule.name if isinstance(change.side.rule, CompiledAlert) else change.key.id
    title = f"{_MARK.get(change.class_, '')} <code>{inline(name)}</code> {inline(_what(change))}"
    yield f"\n<details{' open' if opened else ''}><summary>{title} ({inline(', '.join(row.envs))})</summary>\n\n"
    policy = _policy(change, impact.project)
    # The severity has a line of its own, with what it asks of people.
    yield from (f"- {inline(each)}\n" for each in sentences(change) if policy is None or each != policy.name)
    yield from (f"- {_field(each)}\n" for each in change.fields)
    yield from (f"- {each}\n" for each in _who(row, facts, impact.project))
    for env, effect in sorted(facts.effects.items()):
        words = _EFFECTS[effect] if change.is_alert else _recorded(row)
        yield f"- {inline(env)}: {words}{_active(facts, env)}\n"
    for env, canary in sorted(facts.canary.items()):
        yield from _canary(env, canary)
    if facts.sop:
        link = f"[{inline(facts.sop)}]({_address(facts.sop_url)})" if facts.sop_url else inline(facts.sop)
        yield f"- procedure {link}, {'read again' if facts.sop_read else 'not read again'} with this change\n"
    for text in facts.silences:
        yield f"- silence that stops matching: {inline(text)}\n"
    if row.why.reasons or row.why.tickets:
        yield f"- {inline(why_words(row.why))}\n"
    for risk in facts.risks:
        yield f"- [ ] {inline(_RISKS[risk])}\n"
    if impact.last and change.old is not None:
        yield "\nTo take it back, once it is live:\n\n```sh\n"
        for each in row.changes:
            yield f"{_undo(impact, each)}\n"
        yield "```\n"
    yield "\n</details>\n"


def _undo(impact: Impact, change: RuleChange) -> str:
    """What a person pastes: of several servers the one that the rule is on; a record is known there by its series."""
    env, rule = impact.project.environment(change.key.env), change.side.rule
    which = f" --evaluator {rule.evaluator.name}" if env is not None and len(env.evaluators) > 1 else ""
    name = rule.record if isinstance(rule, CompiledRecord) else change.key.id
    return f"tocsin rollback --to {impact.last} --env {change.key.env}{which} --rule {quote(name)}"


def _who(row: Row, facts: Facts, project: Project) -> Iterator[str]:
    rule = row.change.side.rule
    alert = rule if isinstance(rule, CompiledAlert) else None
    team = project.team(alert.owner) if alert is not None else None
    said = [f"service {rule.service}"]
    if alert is not None and alert.source.sli:
        said.append(f"SLI {alert.source.sli}")
    if team is not None:
        said.append(
            f"{team.name}{f', rota {team.rota}' if team.rota else ''}{f', {team.chat}' if team.chat else ''}"
        )
    yield inline("; ".join(said))
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in row.changes:
        told = (*_answer(_policy(each, project)), *_notified(facts.receivers.get(each.key.env)))
        alike.setdefault(told, []).append(each.key.env)
    for told, envs in alike.items():
        # What changed alike may page in one environment and not in another.
        where = f"{inline(', '.join(envs))}: " if len(alike) > 1 else ""
        yield from (f"{where}{each}" for each in told)


def _answer(policy: SeverityPolicy | None) -> Iterator[str]:
    if policy is not None:
        within = (
            f", to be answered within {format_duration(policy.respond_within)}"
            if policy.respond_within
            else ""
        )
        who = f": {policy.who}" if policy.who else ""
        yield inline(f"{policy.name}, {'wakes somebody' if policy.pages else 'wakes nobody'}{within}{who}")


def _policy(change: RuleChange, project: Project) -> SeverityPolicy | None:
    """What its severity asks of people; where no severity says that it pages, nobody has said who is woken."""
    rule = change.side.rule
    if not isinstance(rule, CompiledAlert) or not any(each.pages for each in project.severities):
        return None
    return project.severity(rule.severity)


def _notified(receivers: Receivers | None) -> Iterator[str]:
    if receivers is None:
        return
    for when, (old, new) in (("by day", receivers.day), ("at night", receivers.night)):
        before, after = inline(old or "nobody"), inline(new or "nobody")
        yield f"notified {when}: {after}" if old == new else f"notified {when}: {before} → {after}"


def _recorded(row: Row) -> str:
    """What becomes of the series of a recording rule, which never fires."""
    if row.change.new is None:
        return "its series is no longer written"
    return "its series begins" if row.change.old is None else "its series goes on"


def _active(facts: Facts, env: str) -> str:
    pending, firing = facts.active.get(env, (0, 0))
    return f" ({pending} waiting, {firing} firing now)" if env in facts.active else ""


def _canary(env: str, canary: Canary) -> Iterator[str]:
    numbers = []
    old, new = canary.pages_per_week
    if new is not None or old is not None:
        numbers.append(f"pages a week {_number(old)} → {_number(new)}")
    old, new = canary.recall
    if new is not None or old is not None:
        numbers.append(f"incidents caught {_percent(old)} → {_percent(new)}")
    if canary.failed:
        numbers.append(inline(f"failed at {', '.join(canary.failed)}"))
    if canary.exactness:
        numbers.append(inline(f"replay {canary.exactness}"))
    unsigned = ", not signed" if canary.signed is False else ""
    yield f"- canary in {inline(env)}: {_VERDICT.get(canary.verdict, inline(canary.verdict))}{unsigned}"
    yield f"; {', '.join(numbers)}\n" if numbers else "\n"
    old_line, new_line = ("".join(_DRAWN.findall(each))[:CELLS] for each in canary.drawn)
    if old_line or new_line:
        yield f"  ```text\n  old {old_line}\n  new {new_line}\n  ```\n"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _address(url: str) -> str:
    return parse.quote(encodable(url), safe=":/?&=#.,~+@-_%")


def _overridden(found: Sequence[Overridden]) -> str:
    named = [
        f"{_code(each.key)} by {inline(each.by)}: {inline(each.reason[:_VALUE])}" for each in found[:_NAMED]
    ]
    rest = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    what = "1 rule runs" if len(found) == 1 else f"{len(found)} rules run"
    return f"\n⚠️ {what} on somebody's word alone, without a canary record: {'; '.join(named)}{rest}\n"


def as_json(impact: Impact) -> str:
    """The document of the diff (`schemas/diff.schema.json`) with an `impact` in each rule, newline-terminated."""
    document = json.loads(difference_json(impact.difference))
    document["last_release"] = impact.last or None
    document["overrides"] = [
        {"rule": each.key, "by": each.by, "at": each.at, "reason": each.reason} for each in impact.overrides
    ]
    facts = {
        change.key: (each, change.key.env)
        for row, each in zip(impact.difference.rows, impact.facts, strict=True)
        for change in row.changes
    }
    for rule, change in zip(document["rules"], impact.difference.rules, strict=True):
        rule["impact"] = _facts(*facts[change.key])
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _facts(facts: Facts, env: str) -> dict[str, object]:
    receivers, canary = facts.receivers.get(env), facts.canary.get(env)
    pending, firing = facts.active.get(env, (None, None))
    return {
        "effect": facts.effects[env],
        "pending": pending,
        "firing": firing,
        "receivers": {
            when: {"old": pair[0], "new": pair[1]}
            for when, pair in (("day", receivers.day), ("night", receivers.night))
        }
        if receivers is not None
        else None,
        "canary": {
            "verdict": canary.verdict,
            "signed": canary.signed,
            "pages_per_week": list(canary.pages_per_week),
            "recall": list(canary.recall),
            "failed": list(canary.failed),
            "exactness": canary.exactness,
        }
        if canary is not None
        else None,
        "tested": facts.tested,
        "sop": facts.sop or None,
        "sop_url": facts.sop_url or None,
        "sop_read": facts.sop_read,
        "silences": [encodable(each) for each in facts.silences],
        "risks": list(facts.risks),
    }
