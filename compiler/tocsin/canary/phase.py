"""When a group is evaluated: at which milliseconds of its interval.

A Prometheus spreads its groups: T = k * interval + offset, the offset a hash of the group's name and file. Half a second beside it, 2 to 5 % of
the samples of a one-second rule are others (measured). So it is read, in this order:

- `ALERTS`: the times at which the server itself stored `ALERTS`, exact to the millisecond; of this alert, else of any alert of its group;
- `rules`: when the group last began, which is some milliseconds late: the hash says how many, where it fits;
- `grafana`: Grafana evaluates at whole multiples of 10 s, shifted by a jitter of its own; read from the time of the last evaluation;
- `hash`: the formula alone, where the file is known and one encoding alone is possible;
- `assumed`: 0. Then a third and two thirds of the interval are as likely (`others`).

Sources: Prometheus rules/group.go `EvalTimestamp`, `hash`; model/labels (two encodings of a label set: each text ended by 0xFF, in 2.42 and in
builds without `stringlabels`, such as Debian's 2.53; each text with its length before it, upstream since 2.44 and always in 3); predicted and
observed on 2.42, 2.53 and 3.5. vmalert writes whole intervals, which its `ALERTS` show.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np

from tocsin.canary.decode import decode, decode_raw
from tocsin.canary.source import MetricSource, Seen, SourceInfo, TooMuch, Unanswerable, Unfit
from tocsin.canary.values import Grid, RuleVersion
from tocsin.promql.lex import quoted

_HOUR: Final = 3_600_000
_TICK: Final = 10_000
"""Grafana's scheduler wakes every ten seconds."""
_AGREE: Final = 0.9
"""The share of samples at one phase below which alerts of one name are of several groups."""
_LATE_MS: Final = 2_000
_MASK: Final = (1 << 64) - 1
_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def phase_of(version: RuleVersion, source: MetricSource, now_ms: int) -> tuple[int, str]:
    """(milliseconds after each multiple of the interval at which the rule is evaluated, how that is known)."""
    return Phases(source, now_ms).of(version)


def others(version: RuleVersion) -> tuple[int, ...]:
    """The other phases at which a version is replayed whose phase is assumed: none where a Grafana, which wakes every ten seconds, has no other."""
    tick = _TICK if version.machine == "grafana" else 1
    thirds = (version.interval_ms * third // 3 // tick * tick for third in (1, 2))
    return tuple(dict.fromkeys(each for each in thirds if each))


class Phases:
    """The phases of one server's groups; what it says of its groups is asked once. `take` is called before each request."""

    def __init__(self, source: MetricSource, now_ms: int, take: Callable[[], None] = lambda: None) -> None:
        self._source = source
        self._now_ms = now_ms
        self._take = take
        self._seen: tuple[Seen, ...] | None = None
        self._any: bool | None = None
        self._known: dict[tuple[object, ...], tuple[int, str]] = {}

    def of(self, version: RuleVersion) -> tuple[int, str]:
        """As `phase_of`. What is known of a group that the server names is known for all its alerts."""
        group = self._group(version)
        where = (
            (group.group, group.file) if group is not None else (version.group, version.file, version.name)
        )
        key = (version.machine, version.interval_ms, version.query_offset_ms, *where)
        if key not in self._known:
            self._known[key] = self._find(version, group)
        return self._known[key]

    def _find(self, version: RuleVersion, group: Seen | None) -> tuple[int, str]:
        if version.machine == "grafana":
            if self._source.info().flavour == "grafana" and group is not None and group.evaluated_ms:
                return group.evaluated_ms % version.interval_ms // _TICK * _TICK, "grafana"
            return 0, "assumed"
        stored = self._stored(version, group) if self._any_stored() else None
        if stored is not None:
            return stored, "ALERTS"
        if group is not None and group.evaluated_ms and group.interval_ms == version.interval_ms:
            return self._begun(group), "rules"
        file = version.file or (group.file if group is not None else "")
        offsets = offsets_of(version.group, file, version.interval_ms) if file else {}
        encoding = self._learned() or _encoding(self._source.info())
        if encoding in offsets:
            return offsets[encoding], "hash"
        return 0, "assumed"

    def _group(self, version: RuleVersion) -> Seen | None:
        """The one group that can be the version's."""
        if self._seen is None:
            self._take()
            self._seen = tuple(self._source.groups())
        found = [each for each in self._seen if each.group == version.group]
        if version.file:
            found = [each for each in found if each.file == version.file]
        if len(found) > 1:
            found = [each for each in found if version.name in each.alerts]
        return found[0] if len(found) == 1 else None

    def _any_stored(self) -> bool:
        """Whether the server stored any `ALERTS` in the last day; asked once."""
        if self._any is None:
            self._take()
            now = self._now_ms
            try:
                body = self._source.range("count(last_over_time(ALERTS[1d]))", now, now, 60_000)
                self._any = bool(decode(body, Grid(start_ms=now, step_ms=60_000, count=1)).series)
            except (TooMuch, Unanswerable, Unfit):
                self._any = True
        return self._any

    def _stored(self, version: RuleVersion, group: Seen | None) -> int | None:
        """From the times of stored samples, which lie `query_offset` before the evaluation."""
        own = "".join(f",{name}={quoted(value)}" for name, value in plain_labels(version))
        asked = [(f"alertname={quoted(version.name)}{own}", back) for back in (_HOUR, 24 * _HOUR)]
        others = sorted(group.alerts - {version.name}) if group is not None else []
        if others and group is not None and group.interval_ms == version.interval_ms:
            names = "|".join(re.escape(each) for each in others)
            asked.append((f"alertname=~{quoted(names)}", _HOUR))
        for matchers, back in asked:
            self._take()
            try:
                body = self._source.raw(f"ALERTS{{{matchers}}}", self._now_ms, back)
            except (TooMuch, Unanswerable, Unfit):
                continue
            at = decode_raw(body).at_ms
            if not len(at):
                continue
            phases, counts = np.unique(
                (at + version.query_offset_ms) % version.interval_ms, return_counts=True
            )
            most = int(np.argmax(counts))
            if counts[most] >= _AGREE * len(at):
                return int(phases[most])
        return None

    def _begun(self, group: Seen) -> int:
        """From when the group last began, less the lateness where one encoding's hash explains it."""
        fitting = _fitting(group)
        fits = fitting[0] if len(fitting) == 1 else self._learned()
        if fits in fitting:
            return offsets_of(group.group, group.file, group.interval_ms)[fits]
        return group.evaluated_ms % group.interval_ms

    def _learned(self) -> str | None:
        """The encoding that explains this server's other groups."""
        votes = Counter(filter(None, map(self._fits, self._seen or ())))
        return votes.most_common(1)[0][0] if votes else None

    def _fits(self, group: Seen) -> str | None:
        """The encoding that alone explains a group's last beginning; None where neither or both do."""
        fitting = _fitting(group)
        return fitting[0] if len(fitting) == 1 else None


def _fitting(group: Seen) -> list[str]:
    """The encodings whose hash lies shortly before the group's last beginning: a busy server begins a little late."""
    if not (group.evaluated_ms and group.interval_ms and group.file):
        return []
    late = min(_LATE_MS, group.interval_ms // 4)
    return [
        encoding
        for encoding, offset in offsets_of(group.group, group.file, group.interval_ms).items()
        if (group.evaluated_ms - offset) % group.interval_ms <= late
    ]


def offsets_of(group: str, file: str, interval_ms: int) -> dict[str, int]:
    """Encoding -> the group's offset in milliseconds, as its server computes it: a hash of the label set {file, name}, in nanoseconds."""
    words = [word.encode() for word in ("file", file, "name", group)]
    ended = b"".join(word + b"\xff" for word in words)
    counted = b"".join(_length(word) + word for word in words)
    return {
        encoding: xxhash64(data) % (interval_ms * 1_000_000) // 1_000_000
        for encoding, data in (("ended", ended), ("counted", counted))
    }


def xxhash64(data: bytes) -> int:
    """XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md)."""
    size, at = len(data), 0
    if size >= 32:
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while at + 32 <= size:
            for lane in range(4):
                word = int.from_bytes(data[at + 8 * lane : at + 8 * lane + 8], "little")
                lanes[lane] = _round(lanes[lane], word)
            at += 32
        total = sum(_turned(each, turn) for each, turn in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for each in lanes:
            total = ((total ^ _round(0, each)) * _P1 + _P4) & _MASK
    else:
        total = _P5
    total = (total + size) & _MASK
    while at + 8 <= size:
        word = int.from_bytes(data[at : at + 8], "little")
        total = (_turned(total ^ _round(0, word), 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= size:
        word = int.from_bytes(data[at : at + 4], "little")
        total = (_turned(total ^ (word * _P1 & _MASK), 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        total = _turned(total ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    total = (total ^ (total >> 33)) * _P2 & _MASK
    total = (total ^ (total >> 29)) * _P3 & _MASK
    return total ^ (total >> 32)


def _round(lane: int, word: int) -> int:
    return _turned((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _turned(word: int, by: int) -> int:
    return ((word << by) | (word >> (64 - by))) & _MASK


def _length(word: bytes) -> bytes:
    """The length before a text: one byte below 255, else 255 and three more."""
    return bytes([len(word)]) if len(word) < 255 else b"\xff" + len(word).to_bytes(3, "little")


def _encoding(info: SourceInfo) -> str | None:
    """What the build uses, where its version decides."""
    said = re.match(r"v?(\d+)\.(\d+)", info.build)
    if said is None or info.flavour != "prometheus":
        return None
    major, minor = int(said[1]), int(said[2])
    if major >= 3:
        return "counted"
    return "ended" if minor < 44 else None


def plain_labels(version: RuleVersion) -> list[tuple[str, str]]:
    """The labels that every alert of the version carries as they are written."""
    return sorted((name, value) for name, value in version.labels.items() if value and "{{" not in value)
