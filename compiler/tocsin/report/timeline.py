"""A changed rule as one picture: the old version above the axis, the new one below, incidents shaded behind both.

In: a comparison. Out: SVG that stands alone (a file, an `<img>`, a part of a page): no script, nothing fetched, light and dark by the reader's
setting, a title and a description for who cannot see it. Everything across is a percentage and everything down is pixels, so that letters keep
their size whether the picture is 360 or 1,100 pixels wide; days are labelled as far as there is room. What is gained and lost differs by shape as
well: gained is filled and has a diamond at its tip, lost is hollow and has a ring. The same comparison is the same bytes.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from xml.sax.saxutils import escape

from tocsin.canary.comparison import Comparison, IncidentSpan, Judged, Page
from tocsin.report import canary
from tocsin.report.findings import count
from tocsin.report.sparkline import counts
from tocsin.report.visible import columns, visible

_CELLS = 480
"""Steps the window is cut into; two pixels each on a wide screen."""
_HALF = 86
"""Height of one side, in pixels."""
_TOP = 88
_MIDDLE = _TOP + _HALF
_BOTTOM = _MIDDLE + _HALF
_LINE = 18
_LINEAR_TO = 8
"""Up to so many alerts at once, height is their number; above, its square root, so that a storm does not flatten all else."""
_MARKS_APART = 1.4
"""Percent of the width: marks of one kind closer than this are one."""
_DAY = 86_400_000
_INCIDENTS = 6
_CUT = 44

_LIGHT = """--paper: #ffffff; --ink: #1f2328; --dim: #59636e; --grid: #d1d9e0; --kept: #6e7781;
  --gained: #cf222e; --lost: #0550ae; --band: #fff3c4; --edge: #9a6700;"""
_DARK = """--paper: #0d1117; --ink: #e6edf3; --dim: #9da7b1; --grid: #30363d; --kept: #8b949e;
  --gained: #ff7b72; --lost: #79c0ff; --band: #3d3000; --edge: #e3b341;"""
_STYLE = """\
#ID { LIGHT
  font: 12px/1.4 system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
@media (prefers-color-scheme: dark) { #ID { DARK } }
#ID text { fill: var(--ink); } #ID .dim { fill: var(--dim); } #ID .name { font-size: 14px; font-weight: 600; }
#ID .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
#ID .paper { fill: var(--paper); } #ID .grid { stroke: var(--grid); } #ID .axis { stroke: var(--ink); }
#ID .band { fill: var(--band); stroke: var(--edge); stroke-dasharray: 3 2; }
#ID .kept { fill: var(--kept); stroke: var(--kept); } #ID .gained { fill: var(--gained); stroke: var(--gained); }
#ID .lost { fill: var(--paper); stroke: var(--lost); stroke-width: 1.5px; }
@media (max-width: 640px) { #ID .wide { display: none; } }"""
_STYLE = _STYLE.replace("LIGHT", _LIGHT).replace("DARK", _DARK)


def file_name(judged: Judged) -> str:
    """A name for the picture's file: `kafka-consumer-lag--ticket.svg`."""
    return "--".join(re.sub(r"[^A-Za-z0-9._-]", "_", part) for part in judged.key.text.split("/")) + ".svg"


def picture(judged: Judged) -> str:
    """The SVG, newline-terminated. ValueError where the rule was not compared: then there is nothing to draw."""
    comparison = judged.comparison
    if comparison is None or (comparison.old is None and comparison.new is None):
        raise ValueError(f"{judged.key.text} was not compared")
    mark = "t" + hashlib.sha256("/".join(judged.key).encode()).hexdigest()[:10]
    shown = [each for each in comparison.incidents if each.end_ms > comparison.window.start_ms]
    listed = shown[:_INCIDENTS]
    height = _BOTTOM + 52 + _LINE * (len(listed) + (len(shown) > len(listed)))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{mark}" width="100%" height="{height}" role="img" aria-labelledby="{mark}-t {mark}-d">',
        f'<title id="{mark}-t">{_text(f"{comparison.name} ({judged.key.text}): {judged.verdict}")}</title>',
        f'<desc id="{mark}-d">{_text(description(judged, comparison))}</desc>',
        f"<style>{_STYLE.replace('#ID', f'#{mark}')}</style>",
        f'<defs><path id="{mark}-g" d="M0-5L5 0L0 5L-5 0Z"/><circle id="{mark}-l" r="3.5"/></defs>',
        f'<rect class="paper" width="100%" height="{height}" rx="6"/>',
        *_head(judged, comparison),
        *_bands(comparison, shown),
        *_days(comparison),
        *_side(comparison, mark, "old"),
        *_side(comparison, mark, "new"),
        f'<line class="axis" x1="1%" x2="99%" y1="{_MIDDLE}" y2="{_MIDDLE}"/>',
        *_names(comparison),
        *_legend(mark, bool(shown)),
        *_incidents(comparison, listed, len(shown) - len(listed)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def description(judged: Judged, comparison: Comparison) -> str:
    """The picture in words."""
    parts = [
        f"Firing episodes from {canary.moment(comparison.window.start_ms)} UTC, {comparison.window.days:g} days."
    ]
    for side, metrics in (("Old", comparison.old), ("New", comparison.new)):
        if metrics is not None:
            caught = f", {canary.recall(metrics)} incidents caught" if metrics.detections else ""
            parts.append(f"{side} version: {metrics.pages} pages, {metrics.episodes} episodes{caught}.")
    if comparison.old is not None and comparison.new is not None:
        parts.append(f"Kept {comparison.kept}, lost {comparison.lost}, gained {comparison.gained}.")
    failed, waived = _tripped(judged)
    why = [f", because of {', '.join(failed)}"] if failed else []
    why += [f", with {', '.join(waived)} waived"] if waived else []
    parts.append(f"Verdict: {judged.verdict}{''.join(why)}.")
    return " ".join(parts)


def _tripped(judged: Judged) -> tuple[list[str], list[str]]:
    """The gates that failed, and those of which somebody accepted that."""
    accepted = {each.gate for each in judged.waivers}
    found = [each.id for each in canary.gates(judged) if each.verdict == "fail"]
    return [each for each in found if each not in accepted], [each for each in found if each in accepted]


def _head(judged: Judged, comparison: Comparison) -> Iterator[str]:
    failed, waived = _tripped(judged)
    tripped = ", ".join([*failed, *(f"{each} waived" for each in waived)])
    yield _label("name", "1%", 20, _cut(comparison.name))
    yield _label("", "1%", 38, _cut(f"{judged.verdict}{f': {tripped}' if tripped else ''}", 54))
    sides = [each.pages for each in (comparison.old, comparison.new) if each is not None]
    pages = f"{' → '.join(map(str, sides))} page{'' if sides == [1] else 's'}"
    kinds = f"{comparison.kept} kept, {comparison.lost} lost, {comparison.gained} gained"
    unit = "" if comparison.paired_by == "page" else " episodes"
    yield _label("dim", "1%", 55, pages + (f":{unit} {kinds}" if len(sides) == 2 else ""))
    yield _label("dim wide", "99%", 20, _cut(judged.key.text, 70), "end")


def _at(comparison: Comparison, ms: int) -> float:
    """Percent of the width."""
    window = comparison.window
    part = (min(max(ms, window.start_ms), window.end_ms) - window.start_ms) / (
        window.end_ms - window.start_ms
    )
    return 1 + 98 * part


def _bands(comparison: Comparison, shown: Sequence[IncidentSpan]) -> Iterator[str]:
    last = -9.0
    for number, each in enumerate(shown, 1):
        left, right = _at(comparison, each.start_ms), _at(comparison, each.end_ms)
        yield f'<rect class="band" x="{left:.3f}%" y="{_TOP - 4}" width="{right - left:.3f}%" height="{2 * _HALF + 8}"/>'
        # Two that begin together would write their numbers over each other.
        step = 0 if left - last > 3 else 11
        last = left if not step else last
        yield _label("halo", f"{(left + right) / 2:.3f}%", _TOP - 8 - step, str(number), "middle")


def _days(comparison: Comparison) -> Iterator[str]:
    """A line at every midnight, or every few hours of a short window; as many labels as fit, fewer on a narrow screen."""
    window = comparison.window
    step = _DAY if window.days > 3 else _DAY // 4 if window.days > 0.75 else _DAY // 24
    ticks = range(-(-window.start_ms // step) * step, window.end_ms, step)
    each_wide, each_narrow = max(1, math.ceil(len(ticks) / 14)), max(1, math.ceil(len(ticks) / 4))
    each_narrow = -(-each_narrow // each_wide) * each_wide
    for number, ms in enumerate(ticks):
        left = f"{_at(comparison, ms):.3f}%"
        yield f'<line class="grid" x1="{left}" x2="{left}" y1="{_TOP}" y2="{_BOTTOM}"/>'
        when = datetime.fromtimestamp(ms // 1000, UTC)
        if number % each_wide == 0 and _at(comparison, ms) < 96:
            text = when.strftime("%b %d" if step == _DAY else "%d, %H:%M").replace(" 0", " ")
            yield _label("dim" if number % each_narrow == 0 else "dim wide", left, _BOTTOM + 16, text)


def _side(comparison: Comparison, mark: str, side: str) -> Iterator[str]:
    """The bars of one version: what both have, then what only this one has, outwards from the axis; then the marks."""
    old = side == "old"
    spells = comparison.old_spells if old else comparison.new_spells
    alone = "lost" if old else "gained"
    window = comparison.window
    common = counts([each for each in spells if each.kind != alone], window, _CELLS)
    single = counts([each for each in spells if each.kind == alone], window, _CELLS)
    most = _most(comparison)
    tops = [_height(first + second, most) for first, second in zip(common, single, strict=True)]
    feet = [_height(each, most) for each in common]
    for kind, low, high in (("kept", [0.0] * _CELLS, feet), (alone, feet, tops)):
        at = 0
        for (begin, end), run in groupby(zip(low, high, strict=True)):
            length = len(list(run))
            if end > begin:
                y = _MIDDLE - end if old else _MIDDLE + begin
                left, width = 1 + 98 * at / _CELLS, 98 * length / _CELLS
                yield f'<rect class="{kind}" x="{left:.3f}%" y="{y:.1f}" width="{width:.3f}%" height="{end - begin:.1f}"/>'
            at += length
    yield from _marks(comparison, mark, comparison.old_pages if old else comparison.new_pages, tops, side)


def _marks(
    comparison: Comparison, mark: str, pages: Sequence[Page], tops: Sequence[float], side: str
) -> Iterator[str]:
    kind, shape = ("lost", "l") if side == "old" else ("gained", "g")
    last = -9.0
    for page in sorted(pages, key=lambda each: (each.start_ms, each.end_ms)):
        middle = (_at(comparison, page.start_ms) + _at(comparison, page.end_ms)) / 2
        if page.kind == kind and middle - last >= _MARKS_APART:
            last = middle
            height = tops[min(_CELLS - 1, int((middle - 1) / 98 * _CELLS))] + 8
            y = _MIDDLE - height if side == "old" else _MIDDLE + height
            yield f'<use href="#{mark}-{shape}" class="{kind}" x="{middle:.3f}%" y="{y:.1f}"/>'


def _most(comparison: Comparison) -> int:
    window = comparison.window
    return max(
        1, *(max(counts(each, window, _CELLS)) for each in (comparison.old_spells, comparison.new_spells))
    )


def _height(number: int, most: int) -> float:
    """Pixels of a bar, on one scale for both sides; a single alert among few is not a whole wall."""
    room = _HALF - 16
    if most <= _LINEAR_TO:
        return number * room / max(most, 3)
    return math.sqrt(number / most) * room


def _names(comparison: Comparison) -> Iterator[str]:
    most = _most(comparison)
    step = canary.seconds(comparison.window.days * 86_400 / _CELLS)
    root = "" if most <= _LINEAR_TO else ", height: square root"
    yield _label("halo", "1.4%", _TOP + 10, "old" if comparison.old is not None else "old: no such rule")
    yield _label("halo", "1.4%", _BOTTOM - 4, "new" if comparison.new is not None else "new: removed")
    yield _label("halo dim wide", "98.6%", _TOP + 10, f"up to {most} episodes per {step}{root}", "end")


def _legend(mark: str, incidents: bool) -> Iterator[str]:
    y = _BOTTOM + 38
    yield f'<rect class="kept" x="12" y="{y - 9}" width="9" height="9"/>' + _label("dim", "27", y, "in both")
    yield f'<use href="#{mark}-l" class="lost" x="86" y="{y - 4}"/>' + _label("dim", "96", y, "lost")
    yield f'<use href="#{mark}-g" class="gained" x="138" y="{y - 4}"/>' + _label("dim", "149", y, "gained")
    if incidents:
        yield f'<rect class="band" x="206" y="{y - 10}" width="11" height="11"/>' + _label(
            "dim", "223", y, "incident"
        )
    yield _label("dim wide", "99%", y, "UTC", "end")


def _incidents(comparison: Comparison, listed: Sequence[IncidentSpan], more: int) -> Iterator[str]:
    y = _BOTTOM + 38
    for number, each in enumerate(listed, 1):
        y += _LINE
        said = canary.who_caught(comparison, each) if each.in_scope else "began before"
        yield _label("", "12", y, f"{number}  {_cut(each.id, 16)}: {said}")
        yield _label("dim wide", "99%", y, _cut(each.title, 72), "end")
    if more:
        yield _label("dim", "12", y + _LINE, f"and {count(more, 'more incident')}")


def _label(kind: str, x: str, y: float, text: str, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{kind}" x="{x}" y="{y}"{where}>{_text(text)}</text>'


def _cut(text: str, most: int = _CUT) -> str:
    """Text that fits: a Chinese character takes two places."""
    text = visible(text)
    used = 0
    for at, each in enumerate(text):
        used += columns(each)
        if used > most:
            return text[: max(0, at - 1)] + "…"
    return text


def _text(text: str) -> str:
    """Text for XML, which has no form for a control character."""
    return escape(visible(text), {'"': "&quot;"})
