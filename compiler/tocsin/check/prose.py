"""What the prose of a SOP says: unfinished text, names that will not be there next time, numbers and words the rules contradict.

Whatever is guessed from prose is a note. A page is searched for single words first, which is fast, and read by line only where one occurs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tocsin.diag import Span
from tocsin.ir.duration import parse_duration
from tocsin.ir.sop import Body, Sop

_UNFINISHED = re.compile(
    r"""(?x) (?<![\w$`{/.#-]) (?P<word> TODO | TBD | TBA | FIXME ) (?![\w`}-])
    | (?i:\blorem[ ]ipsum\b) | 待补充 | 待完善 | 待定稿 | 此处填写
    | <[ ]*(?i:insert|add|fill[ ]in|describe|write)\b[ ][^<>\n]{1,80}>
    | \[[ ]*(?i:insert|fill[ ]in|placeholder)\b[^\[\]\n]{0,80}\](?!\()"""
)
_MAYBE_UNFINISHED = ("TODO", "TBD", "TBA", "FIXME", "<", "[", "orem", "待", "此处")
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_POD = re.compile(
    r"(?<![\w./<{$-])[a-z](?:[a-z0-9]|-(?!-))*-(?=[a-z0-9]*[0-9])[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}(?![\w.-])"
)
_ADDRESS = re.compile(
    r"(?<![\w./:-])(?:10\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01])|192\.168)\.\d{1,3}\.\d{1,3}(?![\d./\w])"
)
_HOST = re.compile(
    r"(?<![\w./@<{$-])(?:ip-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}[\w.-]*|(?=[a-z0-9-]*\d)[a-z0-9][a-z0-9-]{0,60}(?:\.[a-z0-9-]{1,60}){0,4}\.(?:internal|corp|intra|lan))(?![\w-])"
)
_PERSON = re.compile(
    r"\b(?:[Aa]sk|[Pp]ing|[Cc]all|[Pp]hone|[Tt]alk to|[Ss]lack)\s(?P<who>[A-Z][a-z]{2,14})"
    r"(?=[.,;:)]|\s(?:to|for|on|if|who|or|and|before|about|first|when|in)\b|\s[A-Z][a-z]+[.,;)]|$)"
)
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
    [`*"]{0,2} (?P<value>\d[\d,]*(?:\.\d+)?) [ ]?
    (?P<unit>%|(?:percent|k|ms|s|secs?|seconds?|mins?|minutes?|hours?|h|days?|d)\b|[KMGT]i?B?\b)? (?![\w.:-]*[:/])"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A number the prose gives for the rule: how long it waits, in seconds, or the value it compares with (without its unit)."""

    kind: Literal["for", "threshold"]
    number: float
    text: str
    at: Span


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
    if not any(each in text for each in _MAYBE_UNFINISHED):
        return
    hidden: Sequence[tuple[int, int]] | None = None
    for match in _UNFINISHED.finditer(text):
        if hidden is None:
            hidden = [each.span() for each in _COMMENT.finditer(text)] if "<!--" in text else ()
        if not any(first <= match.start() < last for first, last in hidden):
            yield match.span()


def passing_names(body: Body, teams: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """The places of pods, hosts, addresses and people the prose or a command names, and what each is."""
    text = body.text
    for pattern, what in ((_POD, "a pod"), (_ADDRESS, "an address"), (_HOST, "a host"), (_MAIL, "a person")):
        if pattern is _MAIL and "@" not in text:
            continue
        for match in pattern.finditer(text):
            yield match.start(), match.end(), what
    for match in _PERSON.finditer(text):
        if not _NOBODY.fullmatch(match["who"]) and match["who"].lower() not in teams:
            yield match.start("who"), match.end("who"), "a person"


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
    for match in (_CALM if pages else _LOUD).finditer(section):
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
    text = body.text
    low = text.lower()
    if not any(
        each in low
        for each in ("threshold", "fires", "firing", "trigger", "alert", "阈值", "告警", "触发", "报警")
    ):
        return
    blocks = [
        (each.span.line - body.first_line, each.span.end_line - body.first_line) for each in body.fences
    ]

    def outside(at: int) -> bool:
        line = text.count("\n", 0, at)
        return not any(first <= line <= last for first, last in blocks)

    for pattern in (_FOR, _FOR_ZH):
        for match in pattern.finditer(text):
            which = "2" if pattern is _FOR_ZH and match["count"] is None else ""
            unit = match[f"unit{which}"].lower()
            seconds = float(match[f"count{which}"]) * _UNITS[unit if unit in _UNITS else unit.rstrip("s")]
            at = (match.start(f"count{which}"), match.end(f"unit{which}"))
            if outside(at[0]):
                yield Quote(kind="for", number=seconds, text=text[slice(*at)], at=place(path, body, *at))
    for match in _VALUE.finditer(text):
        unit = (match["unit"] or "").lower().rstrip("s")
        number = float(match["value"].replace(",", "")) * _UNITS.get(unit or "s", 1)
        at = (match.start("value"), match.end("unit") if match["unit"] else match.end("value"))
        if outside(at[0]):
            yield Quote(kind="threshold", number=number, text=text[slice(*at)], at=place(path, body, *at))


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
