"""What the prose of a SOP says: unfinished text, names that will not be there next time, numbers and words the rules contradict.

Whatever is guessed from prose is a note. A page is searched for single words first, which is fast, and read by line only where one occurs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from tocsin.check.shell import SHELLS, typed
from tocsin.diag import Span
from tocsin.ir.duration import parse_duration
from tocsin.ir.sop import Body, Sop

_WORD = re.compile(
    r"(?<![\w$`{/.#-])(?:TODO|TBD|TBA|FIXME)(?![\w`}-])|[Ll]orem [Ii]psum|LOREM IPSUM|待补充|待完善|待定稿|此处填写"
)
_MAYBE_WORD = ("TODO", "TBD", "TBA", "FIXME", "orem ", "LOREM", "待", "此处")
_GAP = re.compile(
    r"<[ ]*(?i:insert|add|fill in|describe|write) [^<>\n]{1,80}>|\[[ ]*(?i:insert|fill in|placeholder)\b[^\[\]\n]{0,80}\](?!\()"
)
_MAYBE_GAP = ("nsert", "NSERT", "<add", "<Add", "ill in", "<desc", "<Desc", "<writ", "<Writ", "laceholder")
_MOST = 20
"""Places named of one kind on one page: whoever mends those sees the rest, and a page of nothing else costs no minutes."""
_POD = re.compile(
    r"-(?=[a-z]*[0-9])[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}(?![\w.-])"
)
"""The end that a Deployment gives to the names of its pods; the letters are those Kubernetes makes such names of."""
_POD_NAME = re.compile(r"(?<![\w./<{$-])[a-z][a-z0-9-]*\Z")
_ADDRESS = re.compile(r"1(?:0\.\d{1,3}|72\.(?:1[6-9]|2\d|3[01])|92\.168)\.\d{1,3}\.\d{1,3}(?!\.?\d|[/\w-])")
_IN_A_WORD = re.compile(r"[\w./:-]\Z")
_HOST = re.compile(
    r"(?<![\w./@<{$-])(?:ip-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}[\w.-]*|(?=[a-z0-9-]*\d)[a-z0-9][a-z0-9-]{0,60}(?:\.[a-z0-9-]{1,60}){0,4}\.(?:internal|corp|intra|lan))(?![\w-])"
)
_PERSON = re.compile(
    r"\b(?:[Aa]sk|[Pp]ing|[Cc]all|[Pp]hone|[Tt]alk to|[Ss]lack)\s(?P<who>[A-Z][a-z]{2,14})"
    r"(?=[.,;:)]|\s(?:to|for|on|if|who|or|and|before|about|first|when|in)\b|\s[A-Z][a-z]+[.,;)]|$)"
)
_VERBS = ("ask ", "Ask ", "ping ", "Ping ", " call ", "Call ", "hone ", "alk to ", "lack ")
_MAIL = re.compile(r"(?<![\w.+-])[a-z]{2,20}\.[a-z]{2,20}@[a-z0-9-]{1,60}(?:\.[a-z0-9-]{1,60})+")
_NOBODY = re.compile(
    "Support|Security|Platform|Database|Network(?:ing)?|Storage|Operations|Engineering|Product|Legal|Finance|Management|Vendor|Customer|Teams"
    "|Kafka|Grafana|Prometheus|Kubernetes|Docker|Redis|Microsoft|Google|Amazon|Oracle|Cloudflare|Datadog|Slack|The|This|That|These|Your|Our|Their"
)
"""Words with a capital behind `ask` or `call` that are no person."""
_CALM = re.compile(
    r"\bno (?:user|customer|service|business|immediate)?[ -]?impact\b|\bnot urgent\b|\bcosmetic\b|\blow priority\b"
    r"|\bcan wait (?:until|till|for) (?:the )?(?:morning|next|working|business|office)|无影响|不影响(?:用户|业务)|不紧急",
    re.I,
)
_LOUD = re.compile(
    r"\b(?:complete|full|total|major) outage\b|\ball (?:users|customers)\b|\b(?:users|customers) (?:cannot|can't|can not)\b"
    r"|\b(?:site|service) is down\b|\bpage (?:someone|immediately)\b|全部用户|所有用户|完全不可用",
    re.I,
)
_HEDGE = re.compile(
    r"\b(?:yet|until|unless|if|when|once|while|may|might|could|can lead|would|risk|eventually|later|soon|at first|so far|as long|but|however"
    r"|except|not|no longer|before)\b|如果|可能|暂时|直到|尚|但|将",
    re.I,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*_(\[]|$)|(?<=[。!?;])|\n\s*\n|\n(?=\s*(?:[-*+|#]|\d+\.)\s)")

_LONGEST = 5_000
"""Characters of a paragraph on one line."""
_DIGIT = re.compile("[0-9]")
_SUBJECTS = (
    "alert",
    "Alert",
    "fire",
    "Fire",
    "firing",
    "rigger",
    "hreshold",
    "page",
    "阈值",
    "告警",
    "触发",
    "报警",
)
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "秒"), 1),
    **dict.fromkeys(("m", "min", "minute", "分钟"), 60),
    **dict.fromkeys(("h", "hr", "hour", "小时"), 3600),
    **dict.fromkeys(("d", "day"), 86_400),
}
_TIME = r"(?P<count>\d{1,4})[ -]?(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b"
_FOR = re.compile(
    r"\b(?:alert|fires?|firing|triggers?|triggered|pages?)\b[^.。\n]{0,120}?\bfor (?:more than |at least |over |longer than |about )?"
    rf"{_TIME}(?! (?:ago|window))",
    re.I,
)
_FOR_ZH = re.compile(
    r"(?:告警|触发|报警)[^。\n]{0,40}?持续(?:超过)?\s*(?P<count>\d{1,4})\s*(?P<unit>秒|分钟|小时)|持续(?:超过)?\s*(?P<count2>\d{1,4})\s*(?P<unit2>秒|分钟|小时)[^。\n]{0,10}?(?:告警|触发|报警)"
)
_VALUE = re.compile(
    r"""(?xi) (?: \bthreshold [ ] (?:of|is|=|:) [ ]? | \bthreshold:[ ] | 阈值(?:为|是|:|:)?[ ]?
    | \b(?:alert|alerts|fires|firing|triggers|triggered) \b [^.。\n]{0,100}? (?: [<>]=?[ ]?
      | \b(?:above|over|exceeds?|more[ ]than|greater[ ]than|higher[ ]than|below|under|less[ ]than|lower[ ]than)[ ] ) )
    [`*"]{0,2} (?P<value>\d[\d,]*(?:\.\d+)?) \s?
    (?P<unit>%|(?:percent|k|ms|s|secs?|seconds?|mins?|minutes?|hours?|h|days?|d)\b|[KMGT]i?B?\b)? (?![\w.:-]*[:/])"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A number the prose gives for the rule: how long it waits, in seconds, or the value it compares with (without its unit)."""

    kind: Literal["for", "threshold"]
    number: float
    text: str
    at: Span


_FOR_EXAMPLE = re.compile(
    r"(?i)\b(?:e\.g|i\.e|for example|for instance|example|such as|looks? like)\b|例如|比如|示例"
)


def place(path: str, body: Body, start: int, end: int) -> Span:
    """Where a piece of the prose stands in its file."""
    line = body.text.count("\n", 0, start)
    col = start - (body.text.rfind("\n", 0, start) + 1) + 1
    last = body.text.count("\n", 0, end)
    end_col = end - (body.text.rfind("\n", 0, end) + 1) + 1
    return Span(path, body.first_line + line, col, body.first_line + last, end_col)


def unfinished(body: Body) -> Iterator[tuple[int, int]]:
    """The places of text somebody meant to write later."""
    text = body.text
    found: list[tuple[int, int]] = []
    for pattern, words in ((_WORD, _MAYBE_WORD), (_GAP, _MAYBE_GAP)):
        if any(each in text for each in words):
            found.extend(match.span() for match in pattern.finditer(text))
    hidden = _comments(text) if found else []
    shown = (each for each in sorted(found) if not any(first <= each[0] < last for first, last in hidden))
    yield from islice(shown, _MOST)


def _comments(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    start = text.find("<!--")
    while start >= 0 and len(found) < 1_000:
        end = text.find("-->", start)
        if end < 0:
            break
        found.append((start, end))
        start = text.find("<!--", end)
    return found


def passing_names(body: Body, teams: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """The places of pods, hosts, addresses and people that the prose or a command names, and what each is. Output is somebody's example."""
    text = body.text
    found: list[tuple[int, int, str]] = []
    for match in _POD.finditer(text):
        name = _POD_NAME.search(text, max(0, match.start() - 200), match.start())
        if name is not None:
            found.append((name.start(), match.end(), "a pod"))
    if any(each in text for each in ("10.", "172.", "192.168.")):
        found.extend(
            (match.start(), match.end(), "an address")
            for match in _ADDRESS.finditer(text)
            if not _IN_A_WORD.search(text, max(0, match.start() - 1), match.start())
        )
    if any(each in text for each in ("ip-1", ".internal", ".corp", ".intra", ".lan")):
        found.extend((match.start(), match.end(), "a host") for match in _HOST.finditer(text))
    if "@" in text:
        found.extend((match.start(), match.end(), "a person") for match in _MAIL.finditer(text))
    if any(each in text for each in _VERBS):
        found.extend(
            (match.start("who"), match.end("who"), "a person")
            for match in _PERSON.finditer(text)
            if not _NOBODY.fullmatch(match["who"]) and match["who"].lower() not in teams
        )
    shown: frozenset[int] | None = None
    for start, end, what in sorted(found)[:_MOST]:
        if shown is None:
            shown = _output_lines(body)
        near = text[max(text.rfind("\n", 0, start), start - 120) : end + 40]
        if text.count("\n", 0, start) not in shown and not _FOR_EXAMPLE.search(near):
            yield start, end, what


def _output_lines(body: Body) -> frozenset[int]:
    """The lines (from 0) of blocks that nobody types: output, configuration, recorded answers."""
    found: set[int] = set()
    for fence in body.fences:
        first = fence.span.line - body.first_line
        lines = range(first, fence.span.end_line - body.first_line + 1)
        found.update(lines)
        if fence.language.lower() in SHELLS:
            found.difference_update(first + each for each in typed(fence.text))
    return frozenset(found)


def impact_words(sop: Sop, pages: bool) -> Iterator[tuple[int, int]]:
    """Where the section on impact says the opposite of what the severity does: calm words where it wakes somebody, loud ones where it does not."""
    body = sop.body
    rows = [each for each in body.sections if each.anchor == "impact"]
    if not rows:
        return
    first = rows[0].span.line - body.first_line + 1
    after = next(
        (each.span.line - body.first_line for each in body.sections if each.span.line > rows[0].span.line and each.level <= rows[0].level), None
    )  # fmt: skip
    lines = body.text.split("\n")
    offset = sum(len(each) + 1 for each in lines[:first])
    section = "\n".join(lines[first:after])
    for match in islice((_CALM if pages else _LOUD).finditer(section), _MOST):
        if not _HEDGE.search(_sentence(section, match.start(), match.end())):
            yield offset + match.start(), offset + match.end()


def _sentence(text: str, start: int, end: int) -> str:
    """The sentence around a match, without the match."""
    begin, stop = max(0, start - 300), end + 300
    before = _SENTENCE.split(text[begin:start])[-1]
    after = _SENTENCE.split(text[end:stop])[0]
    return f"{before} {after}"


def quotes(path: str, body: Body) -> Iterator[Quote]:
    """The numbers the prose gives for the rule that leads here. Blocks of code say nothing about it."""
    blocks = [
        (each.span.line - body.first_line - 1, each.span.end_line - body.first_line + 1)
        for each in body.fences
    ]
    yield from islice(_all_quotes(path, body, blocks), _MOST)


def _all_quotes(path: str, body: Body, blocks: Sequence[tuple[int, int]]) -> Iterator[Quote]:
    offset = 0
    for number, line in enumerate(body.text.split("\n")):
        begin, offset = offset, offset + len(line) + 1
        if _DIGIT.search(line) is None or not any(each in line for each in _SUBJECTS):
            continue
        if any(first <= number <= last for first, last in blocks):
            continue
        # A unit may stand on the next line.
        for kind, seconds, start, end in _quoted(f"{line[:_LONGEST]}\n{body.text[offset : offset + 10]}"):
            at = (begin + start, begin + end)
            said = " ".join(body.text[slice(*at)].split())
            yield Quote(kind=kind, number=seconds, text=said, at=place(path, body, *at))


def _quoted(line: str) -> Iterator[tuple[Literal["for", "threshold"], float, int, int]]:
    for pattern in (_FOR, _FOR_ZH):
        for match in pattern.finditer(line):
            which = "2" if pattern is _FOR_ZH and match["count"] is None else ""
            unit = match[f"unit{which}"].lower()
            seconds = float(match[f"count{which}"]) * _UNITS[unit if unit in _UNITS else unit.rstrip("s")]
            yield "for", seconds, match.start(f"count{which}"), match.end(f"unit{which}")
    for match in _VALUE.finditer(line):
        if _FOR_EXAMPLE.search(line, match.end()):
            continue
        unit = (match["unit"] or "").lower().rstrip("s")
        number = float(match["value"].replace(",", "")) * _UNITS.get(unit or "s", 1)
        yield (
            "threshold",
            number,
            match.start("value"),
            match.end("unit") if match["unit"] else match.end("value"),
        )


_NUMBER = re.compile(r"(?<![\w.:])(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.:])")
_WINDOW = re.compile(r"(?<=[\[:])[0-9ywdhms]+(?=[\]:])")
_SCALES = (1.0, 60.0, 100.0, 3600.0, *(base**power for base in (1000.0, 1024.0) for power in (1, 2, 3, 4)))


def numbers_of(expr: str, waits: Sequence[int]) -> tuple[frozenset[float], frozenset[float]]:
    """The values an expression holds, and the times (in seconds) it and its rule speak of."""
    windows = (parse_duration(each) or 0 for each in _WINDOW.findall(expr))
    return (
        frozenset(float(each) for each in _NUMBER.findall(expr)),
        frozenset(each / 1000 for each in (*waits, *windows) if each),
    )


def agrees(quote: Quote, values: frozenset[float], times: frozenset[float]) -> bool:
    """Whether a number in prose is one of the rule's, in any usual unit."""
    if quote.kind == "for":
        return quote.number in times
    for known in values | times:
        if known == quote.number:
            return True
        if known and quote.number:
            ratio = max(known, quote.number) / min(known, quote.number)
            if any(abs(ratio / scale - 1) < 1e-6 for scale in _SCALES):
                return True
    # 95% used is 5% free.
    return any(abs(known * scale + quote.number - 100) < 1e-6 for known in values for scale in (1, 100))
