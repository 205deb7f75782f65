"""Silencing a finding in the source: `# tocsin: ignore[TOC512] until=2027-03-01 -- reason`.

In: sources and findings. Out: the findings without those that are silenced, and with one for each ignore
that is unused (TOC220), expired (TOC221) or malformed (TOC222). Today's date is an argument; the clock is
read in `cli`.

A comment behind something speaks for its line, and for the scalar that starts there. A comment that stands
alone speaks for the line below and everything indented under it: above `- alert:` that is the whole rule,
above `groups:` the whole file. In Markdown the comment is `<!-- tocsin: ignore[...] until=... -- reason
-->` and speaks for its line, or alone for the block below.

Reason and date are demanded because an ignore outlives the person who knew why. A code without which output
would be impossible or wrong (`fixed` in the table) cannot be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from tocsin.diag.codes import CODES
from tocsin.diag.comments import Comment, comments
from tocsin.diag.diagnostic import Diagnostic, Severity, diagnostic
from tocsin.diag.nearest import nearest
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span

_SHAPE = "tocsin: ignore[TOC512] until=2027-03-01 -- why"
_WORD = re.compile(r"tocsin:\s*([A-Za-z_-]*)")
_CODES = re.compile(r"tocsin:\s*ignore\s*\[([^\]]*)\](.*)\Z")
_TAIL = re.compile(r"\s*(?:until=(\S*))?\s*(?:--(.*))?\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_DOES_NOT_LOAD = ("TOC1", "TOC2")
_OURS = ("TOC220", "TOC221", "TOC222")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """One comment. `first` and `last` are the lines it speaks for; with `faults` (TOC222) it silences
    nothing.
    """

    codes: Mapping[str, Span]
    until: date | None
    reason: str
    span: Span
    first: int
    last: int
    faults: tuple[Diagnostic, ...] = ()

    def silences(self, found: Diagnostic, today: date) -> bool:
        """Whether it is about this finding and still holds; its last day is `until`."""
        return (
            self.until is not None
            and today <= self.until
            and found.code in self.codes
            and found.span.file == self.span.file
            and self.first <= found.span.line <= self.last
        )


def read_ignores(file: SourceFile) -> tuple[Ignore, ...]:
    """The ignores of one YAML or Markdown source, in order."""
    found: list[Ignore] = []
    for comment in comments(file):
        match = _WORD.match(comment.text)
        word = match.group(1) if match else ""
        if word == "ignore":
            found.append(_ignore(file.path, comment))
        elif nearest(word, ["ignore"]):
            span = _span(file.path, comment, 0, len(comment.text))
            fault = diagnostic(
                "TOC222", span, f"`{word}` is no word of tocsin", help=f"did you mean `{_SHAPE}`?"
            )
            found.append(_void(comment, span, fault))
    return tuple(found)


def apply(found: Iterable[Diagnostic], ignores: Iterable[Ignore], today: date) -> tuple[Diagnostic, ...]:
    """`found` without what is silenced on the day `today`, and with what is wrong with the ignores.

    An ignore is called unused only when the checks it speaks of have run: a source that does not load, or a
    rule that does not compile, ends before them, and deleting the comment then would be a mistake.
    """
    found = tuple(found)
    sound = [each for each in ignores if not each.faults]
    unsound = [fault for each in ignores if each.faults for fault in each.faults]
    by_file: dict[str, list[Ignore]] = {}
    for ignore in sound:
        by_file.setdefault(ignore.span.file, []).append(ignore)

    used: set[tuple[Span, str]] = set()
    kept: list[Diagnostic] = []
    for each in found:
        hits = [ignore for ignore in by_file.get(each.span.file, ()) if ignore.silences(each, today)]
        used.update((hit.span, each.code) for hit in hits)
        if not hits:
            kept.append(each)

    for ignore in sound:
        if ignore.until is not None and ignore.until < today:
            kept.append(_expired(ignore))
    if not any(each.severity is Severity.error and each.code[:4] in _DOES_NOT_LOAD for each in found):
        broken = {
            each.span.file for each in found if each.severity is Severity.error and CODES[each.code].fixed
        }
        for ignore in sound:
            if ignore.span.file in broken or ignore.until is None or ignore.until < today:
                continue
            left = [(code, span) for code, span in ignore.codes.items() if (ignore.span, code) not in used]
            kept.extend(_unused(code, span) for code, span in left)
    return (*kept, *unsound)


def _ignore(file: str, comment: Comment) -> Ignore:
    whole = _span(file, comment, 0, len(comment.text))
    shape = _CODES.match(comment.text)
    if shape is None:
        fault = diagnostic("TOC222", whole, "the ignore names no code in brackets", help=f"write `{_SHAPE}`")
        return _void(comment, whole, fault)
    codes, faults = _read_codes(file, comment, shape)
    if comment.last == 0:
        help = "put it on the line directly above the item it is about, or behind it on the same line"
        faults.append(diagnostic("TOC222", whole, "nothing stands directly below this ignore", help=help))
    tail = _TAIL.match(shape.group(2))
    if tail is None:
        faults.append(
            diagnostic(
                "TOC222",
                whole,
                f"`{shape.group(2).strip()}` is not `until=DATE -- reason`",
                help=f"write `{_SHAPE}`",
            )
        )
        return _void(comment, whole, *faults)
    written, reason = tail.group(1), (tail.group(2) or "").strip()
    until = _day(written or "")
    if written is None:
        faults.append(
            diagnostic(
                "TOC222",
                whole,
                "the ignore does not say until when",
                help="add `until=YYYY-MM-DD` after the bracket",
            )
        )
    elif until is None:
        faults.append(
            diagnostic("TOC222", whole, f"`{written}` is not a day", help="write it as `until=2027-03-01`")
        )
    if not reason:
        faults.append(
            diagnostic(
                "TOC222", whole, "the ignore gives no reason", help="add ` -- ` and the reason at its end"
            )
        )
    return Ignore(
        codes=codes,
        until=until,
        reason=reason,
        span=whole,
        first=comment.first,
        last=comment.last,
        faults=tuple(faults),
    )


def _read_codes(
    file: str, comment: Comment, shape: re.Match[str]
) -> tuple[dict[str, Span], list[Diagnostic]]:
    codes: dict[str, Span] = {}
    faults: list[Diagnostic] = []
    for piece in re.finditer(r"[^,]+", shape.group(1)):
        code = piece.group().strip()
        if not code:
            continue
        at = shape.start(1) + piece.start() + piece.group().index(code)
        span = _span(file, comment, at, at + len(code))
        known = CODES.get(code)
        if known is None:
            close = nearest(code, CODES) if code.upper() not in CODES else code.upper()
            help = f"did you mean `{close}`?" if close else "`tocsin explain` lists the codes"
            faults.append(diagnostic("TOC222", span, f"`{code}` is not a code", help=help))
        elif known.fixed:
            message = (
                f"{code} {known.slug} cannot be ignored: with it the output would be impossible or wrong"
            )
            faults.append(
                diagnostic("TOC222", span, message, help="correct what it reports, and remove the ignore")
            )
        elif code in _OURS:
            message = f"{code} {known.slug} is about ignores and cannot be ignored by one"
            faults.append(
                diagnostic(
                    "TOC222",
                    span,
                    message,
                    help=f"set its severity under `checks:` in tocsin.yaml: `{code}: off`",
                )
            )
        else:
            codes[code] = span
    if not codes and not faults:
        span = _span(file, comment, 0, len(comment.text))
        faults.append(
            diagnostic("TOC222", span, "the ignore names no code in its brackets", help=f"write `{_SHAPE}`")
        )
    return codes, faults


def _day(written: str) -> date | None:
    if not _DAY.match(written):
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None


def _void(comment: Comment, span: Span, *faults: Diagnostic) -> Ignore:
    return Ignore(
        codes={}, until=None, reason="", span=span, first=comment.first, last=comment.last, faults=faults
    )


def _span(file: str, comment: Comment, start: int, end: int) -> Span:
    return Span(file, comment.line, comment.col + start, comment.line, comment.col + end)


def _expired(ignore: Ignore) -> Diagnostic:
    codes = ", ".join(ignore.codes)
    return diagnostic(
        "TOC221",
        ignore.span,
        f"this ignore of {codes} ended on {ignore.until}",
        help="correct what it hid and remove it, or agree on a new date",
        subject=f"ignore/{codes}",
    )


def _unused(code: str, span: Span) -> Diagnostic:
    return diagnostic(
        "TOC220",
        span,
        f"nothing here raises {code} {CODES[code].slug}",
        help="remove the ignore, or move it to the line (or directly above the item) it is about",
        subject=f"ignore/{code}",
    )
