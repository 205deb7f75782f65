"""SOPs and incidents as authored: front matter lowered to values, the body kept as Markdown with its sections, links and fences located."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.diag.origin import Origin
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span

_ALIAS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*\Z")
_LONGEST, _LONGEST_PART = 400, 200
"""Of an alias, and of one name in it: what every file system takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading. `anchor` is the id a link names: the fixed id of a known section, else made from the heading's words."""

    anchor: str
    heading: str
    level: int
    span: Span
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One fenced block: its language, text and first line of content."""

    language: str
    text: str
    span: Span
    kind: str = ""
    """`read`, `change` or `destructive`, from the comment above a command."""
    undo: str = ""
    """What the same comment says of undoing it: `#section`, `none`, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link or image target as written."""

    target: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The Markdown below the front matter; `first_line` is the file's line (from 1) on which `text` begins."""

    text: str
    first_line: int
    sections: tuple[Section, ...]
    fences: tuple[Fence, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickCheck:
    """One row of the table a responder reads first."""

    symptom: str
    check: str
    log_pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """When the text was last read by its owner, and how often it must be. Dates are ISO text: the clock is no business of a compiler."""

    last: str
    every: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sop:
    """One SOP in one language. `meta` holds the optional keys of the schema exactly as written (JSON-shaped), for the site."""

    id: str
    title: str
    status: str
    owner: str
    severity: str | None
    services: tuple[str, ...]
    language: str
    translation_of: str | None
    replaced_by: str | None
    manual: bool
    aliases: tuple[str, ...]
    symptoms: tuple[str, ...]
    log_patterns: tuple[str, ...]
    error_codes: tuple[str, ...]
    incidents: tuple[str, ...]
    quick_checks: tuple[QuickCheck, ...]
    review: Review | None
    rto: str | None
    stub: bool
    meta: Mapping[str, object]
    body: Body
    file: SourceFile = field(repr=False)
    origin: Origin = field(compare=False, repr=False)

    @property
    def anchors(self) -> frozenset[str]:
        """Every place a `sop_ref` may name after `#`."""
        return frozenset(each.anchor for each in self.body.sections)


SOURCE_HASH_LENGTH = 12


def alias_page(alias: str) -> str | None:
    """The page an alias takes, without slashes around it: `SOP-OLD-001` -> `sop/SOP-OLD-001`, `/old/x` -> `old/x`. None for an anchor, and for
    what would not stay inside the site's folder or is no address: `..`, a scheme, control characters, a name no file system takes."""
    if not _PATH.match(alias) or "//" in alias:
        return f"sop/{alias}" if _ALIAS_ID.match(alias) and len(alias) <= _LONGEST_PART else None
    parts = alias.strip("/").removesuffix("/index.html").split("/")
    if not all(parts) or any(part.startswith(".") or part.endswith(".") for part in parts):
        return None
    return "/".join(parts) if len(alias) < _LONGEST and max(map(len, parts)) <= _LONGEST_PART else None


def source_hash(sop: Sop) -> str:
    """What a translation of `sop`, the original, carries as `source_hash`: the first 12 hexadecimal digits of the SHA-256 of its prose. Front
    matter is not in it, so that a new review date makes no translation stale.
    """
    return hashlib.sha256(sop.body.text.encode("utf-8", "surrogatepass")).hexdigest()[:SOURCE_HASH_LENGTH]


def content_digest(sop: Sop) -> str:
    """What the release ledger knows a SOP's text by: 24 hexadecimal digits of the SHA-256 of its file, front matter included."""
    return hashlib.sha256(sop.file.text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def ledger_name(sop: Sop) -> str:
    """What the ledger calls it: its id, a translation with its language behind a dot."""
    return f"{sop.translation_of}.{sop.language}" if sop.translation_of else sop.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One blameless postmortem: the ground truth of the canary."""

    id: str
    title: str
    start: str
    detected: str | None
    mitigated: str | None
    end: str | None
    severity: str | None
    services: tuple[str, ...]
    alerts: tuple[str, ...]
    missed: tuple[str, ...]
    sops: tuple[str, ...]
    found_by: str
    labels: Mapping[str, str]
    meta: Mapping[str, object]
    body: Body
    file: SourceFile = field(repr=False)
    origin: Origin = field(compare=False, repr=False)
