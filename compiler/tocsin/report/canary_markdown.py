"""A backtest as a comment on a pull request: the table, then each changed rule folded, the worst first, never longer than GitHub takes.

In: a `Backtest`, and where its pictures can be seen, if anywhere. Out: Markdown. Names, labels and sentences come from a stranger's branch, so all of
them go through `as_markdown.inline`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

from tocsin.canary.comparison import Comparison, Judged, Spell
from tocsin.ir.compiled import RuleKey
from tocsin.report import canary, timeline
from tocsin.report.as_markdown import LIMIT, inline
from tocsin.report.canary import Backtest
from tocsin.report.findings import count
from tocsin.report.sparkline import sparklines

_TAIL = 300
"""Room kept for the line that says what was left out."""
_OPEN = 3
"""So many failed rules are unfolded."""
_MARK = {"fail": "❌", "not-backtestable": "⚠️", "quiet": "🔇", "pass": "✅", "not-needed": "➖"}
_GATE = {"fail": "❌", "warn": "⚠️"}
_CELL = 240
"""The most characters of one cell."""


def as_markdown(backtest: Backtest, pictures: Mapping[RuleKey, str] | None = None) -> str:
    """The comment, newline-terminated, at most `LIMIT` characters. `pictures` are where the drawn timelines are: an address is shown, a path of
    this run's files is named below the sparklines."""
    pictures = pictures or {}
    parts = [f"### tocsin canary: {inline(backtest.headline)}\n\n"]
    used = len(parts[0])
    rows, shown = [_header()], 0
    for each in backtest.worst_first:
        row = "| " + " | ".join(_cell(cell) for cell in _row(each)) + " |\n"
        # Half of the comment at most is the table: evidence of the worst is worth more than the last hundred names.
        if used + sum(map(len, rows)) + len(row) > LIMIT // 2:
            break
        rows.append(row)
        shown += 1
    if backtest.judged:
        parts.extend(rows)
    if shown < len(backtest.judged):
        parts.append(f"\n{len(backtest.judged) - shown} more rules are not in this table.\n")
    if backtest.shown and not backtest.claims:
        parts.append(f"\n{inline(canary.NO_CLAIM)}\n")
    if backtest.uncaught:
        named = "; ".join(f"{span.id} {span.title}" for span in backtest.uncaught[:20])
        parts.append(f"\n**No rule catches:** {inline(named)}\n")
    used = sum(map(len, parts))
    left = 0
    for number, each in enumerate(backtest.worst_first):
        part = "".join(_details(backtest, each, number, pictures))
        if used + len(part) > LIMIT - _TAIL:
            left += 1
            continue
        parts.append(part)
        used += len(part)
    if left:
        parts.append(
            f"\n{count(left, 'rule')} left out here: the text and JSON reports of the run have them.\n"
        )
    return "".join(parts)


def _header() -> str:
    return f"| {' | '.join(canary.COLUMNS)} |\n|{'---|' * len(canary.COLUMNS)}\n"


def _row(judged: Judged) -> canary.Row:
    name, verdict, *rest = canary.row(judged)
    return name, f"{_MARK[judged.verdict]} {verdict}", *rest


def _cell(text: str) -> str:
    return inline(text if len(text) <= _CELL else text[: _CELL - 1] + "…").replace("-&#62;", "→")


def _details(
    backtest: Backtest, judged: Judged, number: int, pictures: Mapping[RuleKey, str]
) -> Iterator[str]:
    comparison = judged.comparison
    opened = " open" if number < _OPEN and judged.verdict == "fail" else ""
    summary = f"{_MARK[judged.verdict]} <code>{inline(judged.key.text)}</code> {judged.verdict}"
    yield f"\n<details{opened}><summary>{summary}</summary>\n\n"
    if judged.reason:
        yield f"- {inline(judged.reason)}\n"
    for gate in canary.gates(judged):
        if gate.verdict in _GATE:
            yield f"- {_GATE[gate.verdict]} **{gate.id}**: {inline(gate.message)}\n"
    for waiver in judged.waivers:
        said = f"waived {waiver.gate} by {waiver.by} until {waiver.expires}: {waiver.reason}"
        yield f"- {inline(said)}\n"
    if comparison is not None:
        yield from _drawn(judged, comparison, pictures)
        yield from _evidence(backtest, comparison)
    for each in canary.advice(judged):
        yield f"- next: {inline(each)}\n"
    yield "\n</details>\n"


def _drawn(judged: Judged, comparison: Comparison, pictures: Mapping[RuleKey, str]) -> Iterator[str]:
    if comparison.old is None and comparison.new is None:
        return
    where = pictures.get(judged.key, "")
    if "://" in where:
        words = inline(timeline.description(judged, comparison))
        yield f'\n<img width="100%" alt="{words}" src="{quote(where, safe=":/?&=%#.,~+@-_")}">\n\n'
        return
    old, new = sparklines(comparison.old_spells, comparison.new_spells, comparison.window)
    yield "\n```text\n"
    yield f"old  {old}\n" if comparison.old is not None else ""
    yield f"new  {new}\n" if comparison.new is not None else ""
    yield "```\n\n"
    # A forge shows no picture that lies beside a comment.
    yield f"- picture: <code>{inline(where)}</code>\n" if where else ""


def _evidence(backtest: Backtest, comparison: Comparison) -> Iterator[str]:
    for each in canary.known_figures(comparison):
        yield f"- {_cell(canary.figure(each))}\n"
    for line in canary.caught(comparison):
        yield f"- {inline(line)}\n"
    longest, number = canary.gained(comparison)
    if number:
        yield f"- gained {number}, the longest:\n"
        for spell in longest:
            yield f"  - {_episode(backtest, comparison, spell, 'new')}\n"
    lost = canary.lost_matching(comparison)
    if lost:
        yield "- lost, and an incident:\n"
        for spell in lost:
            yield f"  - {_episode(backtest, comparison, spell, 'old')}\n"
    yield f"- rests on: {_cell_all(canary.assumptions(comparison))}\n"


def _cell_all(text: str) -> str:
    return inline(text).replace("-&#62;", "→")


def _episode(backtest: Backtest, comparison: Comparison, spell: Spell, side: str) -> str:
    text = inline(canary.episode(spell, comparison.name))
    run = comparison.old_run if side == "old" else comparison.new_run
    if not backtest.web_url or run is None:
        return text
    around = max(3600, (spell.resolved_ms - spell.fired_ms) // 500)
    asked = {
        "g0.expr": run.expr,
        "g0.tab": "0",
        "g0.range_input": f"{around}s",
        "g0.end_input": canary.moment(spell.resolved_ms + around * 250),
    }
    link = f"{backtest.web_url.rstrip('/')}/graph?{urlencode(asked, quote_via=quote, safe='')}"
    return f'{text} <a href="{link.replace("&", "&amp;")}">graph</a>'
