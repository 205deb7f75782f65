"""A backtest at a terminal: the table, then each changed rule with the evidence, the worst first.

In: a `Backtest`. Out: text that ends with a line break. Words of a rule, a series or an incident are made visible on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.canary.comparison import Comparison, Judged
from tocsin.report import canary
from tocsin.report.canary import Backtest
from tocsin.report.sparkline import sparklines
from tocsin.report.visible import columns, visible


def as_text(backtest: Backtest) -> str:
    """For a terminal."""
    return "\n".join(visible(each) for each in _lines(backtest)) + "\n"


def _lines(backtest: Backtest) -> Iterator[str]:
    yield backtest.headline
    if backtest.source:
        yield f"history: {backtest.source}"
    if not backtest.judged:
        return
    yield ""
    yield from table([canary.COLUMNS, *map(canary.row, backtest.worst_first)])
    if not backtest.claims:
        yield canary.NO_CLAIM
    for each in backtest.worst_first:
        yield ""
        yield from _rule(each)
    if backtest.uncaught:
        yield ""
        yield "no rule catches:"
        for span in backtest.uncaught:
            yield f"  {span.id} {canary.moment(span.start_ms)} {span.title}"


def table(rows: Sequence[canary.Row]) -> Iterator[str]:
    """Cells under each other; as wide as what is in them."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(sum(map(columns, row[at])) for row in shown) for at in range(len(shown[0]))]
    for row in shown:
        padded = [
            cell + " " * (width - sum(map(columns, cell))) for cell, width in zip(row, widths, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def _rule(judged: Judged) -> Iterator[str]:
    comparison = judged.comparison
    name = f" {comparison.name}" if comparison is not None else ""
    counted = canary.gate_counts(judged)
    yield f"{judged.verdict}: {judged.key.text}{name}" + (f" (gates: {counted})" if counted else "")
    if judged.reason:
        yield f"  {judged.reason}"
    for gate in canary.gates(judged):
        if gate.verdict in ("fail", "warn"):
            yield f"  {gate.verdict:5} {gate.id}: {gate.message}"
    for waiver in judged.waivers:
        yield f"  waived {waiver.gate} by {waiver.by} until {waiver.expires}: {waiver.reason}"
    if comparison is not None:
        yield from _evidence(comparison)
    for at, each in enumerate(canary.advice(judged)):
        yield f"  {'next' if not at else '    '}  {each}"


def _evidence(comparison: Comparison) -> Iterator[str]:
    if comparison.old is not None or comparison.new is not None:
        old, new = sparklines(comparison.old_spells, comparison.new_spells, comparison.window)
        if comparison.old is not None:
            yield f"  old  {old}"
        if comparison.new is not None:
            yield f"  new  {new}"
        for each in canary.known_figures(comparison):
            yield f"  {canary.figure(each)}"
    for line in canary.caught(comparison):
        yield f"  {line}"
    longest, number = canary.gained(comparison)
    if number:
        yield f"  gained, {f'the longest {len(longest)} of {number}' if number > len(longest) else number}:"
        for spell in longest:
            yield f"    {canary.episode(spell, comparison.name)}"
    lost = canary.lost_matching(comparison)
    if lost:
        yield "  lost, and an incident:"
        for spell in lost:
            yield f"    {canary.episode(spell, comparison.name)}"
    yield f"  rests on: {canary.assumptions(comparison)}"
