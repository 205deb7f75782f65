"""What the patterns of the schemas mean, and what an author who missed one probably meant.

Each pattern of a schema has a row here (a test keeps it so): its meaning in words, an example, and a function
that repairs a near miss. A repair is offered as `did you mean`, and only where the pattern accepts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """What a pattern asks for."""

    what: str
    example: str
    fix: Callable[[str], str] = str

    @property
    def is_duration(self) -> bool:
        """Durations have a code of their own."""
        return self.what == DURATION


DURATION = "a duration"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80].strip("-")


def _name(text: str) -> str:
    return re.sub(r"\W+", "_", text.strip(), flags=re.ASCII).strip("_")


def _lower_name(text: str) -> str:
    return _name(text).lower()


def _duration(text: str) -> str:
    """A duration as somebody meant it: `10 minutes`, `5min`, `1.5h`, `1m1h`; empty where no sense can be made
    of it.
    """
    words = {
        "milliseconds": "ms", "millis": "ms", "seconds": "s", "sec": "s", "minutes": "m", "min": "m",
        "hours": "h", "hrs": "h", "days": "d", "weeks": "w", "years": "y",
    }  # fmt: skip
    size = {
        "ms": 1,
        "s": 1000,
        "m": 60_000,
        "h": 3_600_000,
        "d": 86_400_000,
        "w": 604_800_000,
        "y": 31_536_000_000,
    }
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]+)", text)
    if not parts or re.sub(r"[0-9]+(?:\.[0-9]+)?\s*[A-Za-zµ]+|[\s,]|and", "", text):
        return ""
    total = 0.0
    for number, unit in parts:
        low = unit if unit in size else unit.lower()
        short = (
            low
            if low in size
            else next(
                (to for word, to in words.items() if len(low) > 1 and word.startswith(low.rstrip("s"))), ""
            )
        )
        if not short:
            return ""
        total += float(number) * size[short]
    left, written = round(total), ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, size[unit])
        written += f"{count}{unit}" if count else ""
    return written or "0"


def _day(text: str) -> str:
    match = re.match(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})\b", text)
    return f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}" if match else ""


def _moment(text: str) -> str:
    day, time = r"([0-9]{4}-[0-9]{2}-[0-9]{2})", r"([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    zone = r"(Z|[+-][0-9]{2}:?[0-9]{2})"
    match = re.match(rf"{day}[T ]{time}(?:\.[0-9]+)?\s*{zone}?\Z", text)
    if match is None:
        return ""
    zone = match[3] or "Z"
    return f"{match[1]}T{match[2]}{zone if len(zone) != 5 else zone[:3] + ':' + zone[3:]}"


def _reference(text: str) -> str:
    head, hash, anchor = text.strip().partition("#")
    match = re.match(r"([A-Z][A-Z0-9-]*?)-?([0-9]+)\Z", _slug(head).upper())
    return f"{match[1]}-{int(match[2]):03}{hash}{anchor}" if match else ""


def _matching(pattern: str) -> Callable[[str], str]:
    """A repair that replaces every character the pattern does not know by one it does."""
    return lambda text: re.sub(pattern, "_" if ":" in pattern and "-" not in pattern else "-", text)


def _two_names(text: str) -> str:
    return ".".join(map(_lower_name, text.split(".")[-2:]))


def _version(text: str) -> str:
    return ".".join(re.findall("[0-9]+", text)[:3])


def _variable(text: str) -> str:
    return "TOCSIN_" + _name(text).upper()


def _code(text: str) -> str:
    return text.strip().upper()


def _language(text: str) -> str:
    return text[:2].lower()


_SPAN = r"([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_KEY = Shape("a key: lower case letters, digits and dashes, at most 80", "kafka-lag", _slug)
_UID = "a Grafana uid: at most 40 letters, digits, dashes and underscores"
_RECORD_ID = "an id: at most 120 letters, digits, dashes, underscores and colons"
_VARIABLE = "the name of an environment variable that starts with TOCSIN_, GRAFANA_ or PROMETHEUS_"

SHAPES: dict[str, Shape] = {
    r"^[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?$": _KEY,
    r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|0|" + _SPAN: Shape(
        DURATION, "5m, 1h30m, or a parameter like ${window}", _duration
    ),
    r"^(0|" + _SPAN: Shape(DURATION, "30s, 5m, 1h30m or 90d", _duration),
    r"^[a-zA-Z_][a-zA-Z0-9_]*$": Shape(
        "a label name: letters, digits and underscores", "consumergroup", _name
    ),
    r"^[a-z][a-z0-9_]*$": Shape(
        "a parameter name: lower case letters, digits and underscores", "limit", _lower_name
    ),
    r"^([a-z0-9][a-z0-9-]*\.)?[a-z][a-z0-9_]*$": Shape("`KEY` or `LEVEL.KEY`", "page.limit", _two_names),
    r"^[A-Z][A-Z0-9-]*-[0-9]{3,}(#[^\s#]+)?$": Shape(
        "a reference to a SOP", "SOP-KAFKA-007 or SOP-KAFKA-007#mitigate", _reference
    ),
    r"^[A-Z][A-Z0-9-]*-[0-9]{3,}$": Shape("the id of a SOP", "SOP-KAFKA-007", _reference),
    r"^INC-[0-9]{4}-[0-9]{3,}$": Shape("the id of an incident", "INC-2026-004", _reference),
    r"^[A-Za-z0-9_-]{1,40}$": Shape(_UID, "kafka-lag", _matching(r"[^A-Za-z0-9_-]+")),
    r"^[a-zA-Z_:][a-zA-Z0-9_:]*$": Shape(
        "a metric name: letters, digits, underscores and colons",
        "job:errors:rate5m",
        _matching(r"[^a-zA-Z0-9_:]+"),
    ),
    r"^[a-zA-Z0-9_:-]{1,120}$": Shape(_RECORD_ID, "job:errors:rate5m", _matching(r"[^a-zA-Z0-9_:-]+")),
    r"^https?://[^\s]+$": Shape("an address", "https://runbooks.example.org"),
    r"^[A-Za-z0-9][A-Za-z0-9._/-]*$": Shape("the name of a branch", "main", _matching(r"[^A-Za-z0-9._/-]+")),
    r"^(?!/)(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._/-]+\.(png|jpg|jpeg|webp|gif|ico)$": Shape(
        "a picture below site/: png, jpg, webp, gif or ico", "images/logo.png"
    ),
    r"^[a-z]{2}$": Shape("a language of two letters", "en or zh", _language),
    r"^[A-Za-z0-9_-][A-Za-z0-9._-]*\.md$": Shape("a Markdown file at the top", "CHANGELOG.md"),
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$": Shape(
        "a whole version", "1.0.0", _matching(r"^v")
    ),
    r"^TOC[0-9]{3}$": Shape("the code of a check", "TOC512", _code),
    r"^[0-9]+\.[0-9]+(\.[0-9]+)?$": Shape("a version", "2.53 or 12.1.2", _version),
    r"^(TOCSIN|GRAFANA|PROMETHEUS)_[A-Z0-9_]+$": Shape(_VARIABLE, "PROMETHEUS_URL_PROD", _variable),
    _DAY + "$": Shape("a day", "2026-05-02", _day),
    _DAY + r"T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$": Shape(
        "a time with its zone", "2026-05-02T03:10:00Z", _moment
    ),
}
