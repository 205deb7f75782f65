"""What people said of single firings (true, false or noise; who): read from files, laid over the spells they are about.

Three forms are read, one verdict an entry:

    CSV      rule,alertname,start,end,verdict,by and any other column, which is a label
    JSONL    {"rule": ..., "labels": {...}, "start": ..., "end": ..., "verdict": ..., "by": ...}
    webhook  an Alertmanager's payload (one JSON document, or one a line) whose alerts carry the annotations `verdict` and `verdict_by`

A verdict outranks the incident log. Files come from people and from webhooks, so nothing in them raises: a row that says nothing usable is a
`BadRow` with its place, and sizes are bounded.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from tocsin.canary.comparison import HumanVerdict
from tocsin.canary.values import Labels, Window
from tocsin.diag.source_file import SourceFile
from tocsin.ir.compiled import RuleKey

MAX_TEXT: Final = 16_000_000
MAX_ROWS: Final = 200_000
MAX_BAD: Final = 100
"""Bad rows told of one file; a file of another format has one a line."""
_LONGEST_CELL: Final = 4_096
_MOST_LABELS: Final = 128
_WORDS: Final[Mapping[str, HumanVerdict]] = {"true": "true", "false": "false", "noise": "noise"}
_BUCKET_MS: Final = 3_600_000
_ZERO_TIME: Final = "0001-01-01T00:00:00Z"
"""An Alertmanager's `endsAt` of what has not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One person's word about the firings of one rule in [start, end] that carry these labels. `rule` is a rule's id or key, `alertname` its
    name; at least one of the two is there. `end_ms` is None where only the beginning is known."""

    rule: str
    alertname: str
    labels: Labels
    start_ms: int
    end_ms: int | None
    verdict: HumanVerdict
    by: str

    def about_rule(self, key: RuleKey, names: frozenset[str]) -> bool:
        """Whether it speaks of the rule of that key, whose versions are called `names`."""
        # Levels of one alert share its id, and have names of their own.
        return (not self.rule or self.rule in (key.id, key.text)) and (
            not self.alertname or self.alertname in names
        )

    def about(self, labels: Mapping[str, str], start_ms: int, end_ms: int, slack_ms: int) -> bool:
        """Whether it speaks of this firing, [start, end); `slack_ms` is one evaluation. A label that only one of the two carries decides
        nothing: the other version may have aggregated it away."""
        last = self.start_ms if self.end_ms is None else self.end_ms
        return (
            start_ms <= last + slack_ms
            and end_ms > self.start_ms - slack_ms
            and all(labels.get(name, value) == value for name, value in self.labels)
        )


class Words:
    """What was said of one rule, found by time: files may hold a verdict for each of tens of thousands of firings."""

    def __init__(self, said: Iterable[Said], window: Window) -> None:
        self._buckets: dict[int, list[tuple[int, Said]]] = {}
        for place, each in enumerate(said):
            last = each.start_ms if each.end_ms is None else each.end_ms
            first, last = max(each.start_ms, window.start_ms - _BUCKET_MS), min(last, window.end_ms)
            for bucket in range(first // _BUCKET_MS, last // _BUCKET_MS + 1):
                self._buckets.setdefault(bucket, []).append((place, each))

    def about(self, labels: Mapping[str, str], start_ms: int, end_ms: int, slack_ms: int) -> Said | None:
        """The last word about a firing, [start, end); None where nobody said anything."""
        found: tuple[int, Said] | None = None
        if not self._buckets:
            return None
        for bucket in range((start_ms - slack_ms) // _BUCKET_MS, (end_ms + slack_ms) // _BUCKET_MS + 1):
            for place, each in reversed(self._buckets.get(bucket, ())):
                if found is not None and place <= found[0]:
                    break
                if each.about(labels, start_ms, end_ms, slack_ms):
                    found = place, each
                    break
        return None if found is None else found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row nothing could be made of. `line` counts from 1."""

    path: str
    line: int
    reason: str

    @property
    def text(self) -> str:
        """`verdicts.csv:7: ...`."""
        return f"{self.path}:{self.line}: {self.reason}"


class _Unusable(Exception):
    """Carries a reason out of one row."""


def read_said(files: Iterable[SourceFile]) -> tuple[tuple[Said, ...], tuple[BadRow, ...]]:
    """Every verdict of the files in their order (a later one outranks an earlier one about the same firing), and the rows that are none.

    A file is CSV where its name ends in `.csv`, else JSON. Never raises for what a file holds.
    """
    said: list[Said] = []
    bad: list[BadRow] = []
    for file in files:
        mine = 0
        for each in _rows(file):
            if isinstance(each, Said):
                said.append(each)
            elif mine < MAX_BAD:
                mine += 1
                bad.append(each)
    return tuple(said), tuple(bad)


def _rows(file: SourceFile) -> Iterator[Said | BadRow]:
    if len(file.text) > MAX_TEXT:
        yield BadRow(path=file.path, line=1, reason=f"longer than {MAX_TEXT} characters: not read")
        return
    reader = _csv if file.path.lower().endswith(".csv") else _json
    for count, each in enumerate(reader(file)):
        if count >= MAX_ROWS:
            yield BadRow(path=file.path, line=1, reason=f"more than {MAX_ROWS} rows: the rest is not read")
            return
        yield each


def _csv(file: SourceFile) -> Iterator[Said | BadRow]:
    lines = csv.reader(file.text.splitlines(), strict=True)
    try:
        head = [name.strip() for name in next(lines, [])]
        if missing := [name for name in ("start", "verdict", "by") if name not in head]:
            yield BadRow(path=file.path, line=1, reason=f"there is no column `{missing[0]}`")
            return
        if len(set(head)) < len(head):
            yield BadRow(path=file.path, line=1, reason="two columns have one name")
            return
        for cells in lines:
            if not any(cells):
                continue
            try:
                if len(cells) != len(head):
                    raise _Unusable(f"has {len(cells)} cells, and the head {len(head)}")
                row = {name: cell.strip() for name, cell in zip(head, cells, strict=True)}
                known = {name: row.pop(name, "") for name in ("rule", "start", "end", "verdict", "by")}
                row.pop("reason", None)
                yield _said({**known, "labels": {name: value for name, value in row.items() if value}})
            except _Unusable as why:
                yield BadRow(path=file.path, line=lines.line_num, reason=str(why))
    except csv.Error as error:
        yield BadRow(path=file.path, line=max(1, lines.line_num), reason=f"is no CSV: {error}")


def _json(file: SourceFile) -> Iterator[Said | BadRow]:
    for number, text in _documents(file.text):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            yield BadRow(path=file.path, line=number, reason="is no JSON")
            continue
        if not isinstance(found, dict):
            yield BadRow(path=file.path, line=number, reason="is no object")
            continue
        for each in _payload(found) if isinstance(found.get("alerts"), list) else (found,):
            try:
                yield _said(each)
            except _Unusable as why:
                yield BadRow(path=file.path, line=number, reason=str(why))


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """The whole where it is one document over several lines; else each line with its number."""
    first = text.lstrip()[:1]
    if first == "{" and not text.lstrip().split("\n", 1)[0].rstrip().endswith("}"):
        yield 1, text
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def _payload(document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The alerts of a webhook payload that somebody judged; the others say nothing."""
    alerts = document["alerts"]
    assert isinstance(alerts, list)
    common = document.get("commonAnnotations")
    for each in alerts:
        if not isinstance(each, dict):
            continue
        own = each.get("annotations")
        annotations = {
            **(common if isinstance(common, dict) else {}),
            **(own if isinstance(own, dict) else {}),
        }
        if "verdict" not in annotations:
            continue
        end = each.get("endsAt")
        yield {
            "labels": each.get("labels"),
            "start": each.get("startsAt"),
            "end": "" if end is None or end == _ZERO_TIME else end,
            "verdict": annotations["verdict"],
            "by": annotations.get("verdict_by", ""),
        }


def _said(row: Mapping[str, object]) -> Said:
    labels = row.get("labels") or {}
    if not isinstance(labels, dict) or len(labels) > _MOST_LABELS:
        raise _Unusable("`labels` is no mapping of label names to text")
    named = {
        _cell(name, "a label's name"): _cell(value, f"the label `{name}`") for name, value in labels.items()
    }
    alertname = named.pop("alertname", "") or _cell(row.get("alertname", ""), "`alertname`")
    rule = _cell(row.get("rule", ""), "`rule`") or named.get("rule_id", "")
    if not rule and not alertname:
        raise _Unusable("names neither a `rule` nor an `alertname`")
    word = _cell(row.get("verdict", ""), "`verdict`")
    verdict = _WORDS.get(word.lower())
    if verdict is None:
        raise _Unusable(f"`verdict` is `{word[:40]}`, and must be true, false or noise")
    by = _cell(row.get("by", ""), "`by`")
    if not by:
        raise _Unusable("does not say who judged (`by`)")
    start, end = _moment(row.get("start"), "start"), row.get("end")
    last = _moment(end, "end") if end else None
    if last is not None and last < start:
        raise _Unusable("`end` lies before `start`")
    return Said(
        rule=rule,
        alertname=alertname,
        labels=tuple(sorted(named.items())),
        start_ms=start,
        end_ms=last,
        verdict=verdict,
        by=by,
    )


def _cell(value: object, what: str) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str):
        raise _Unusable(f"{what} is no text")
    if len(value) > _LONGEST_CELL:
        raise _Unusable(f"{what} is longer than {_LONGEST_CELL} characters")
    return value


def _moment(value: object, name: Literal["start", "end"]) -> int:
    if not isinstance(value, str) or not value:
        raise _Unusable(f"has no `{name}`")
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if moment.tzinfo is not None:
            return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise _Unusable(f"`{value[:40]}` is no time with a zone, like 2026-11-21T10:00:00Z")
