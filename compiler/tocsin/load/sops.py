"""Front matter and prose in, `Sop` and `Incident` out.

A source with a mistake still gives its SOP where the id is readable: the mistake is reported, and the alerts
that point to the SOP are not reported as pointing nowhere. What has the wrong type is left out of the value,
never coerced. Pure, and picklable results: both are cached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from tocsin.diag.diagnostic import Diagnostic, diagnostic, ordered
from tocsin.diag.origin import Map, Origin
from tocsin.diag.source_file import SourceFile
from tocsin.ir.sop import Incident, QuickCheck, Review, Sop
from tocsin.source.markdown import Pieces, read_body, split
from tocsin.source.schema import Kind, conform

_SOP_ID = re.compile(r"[A-Z][A-Z0-9-]*-[0-9]{3,}\Z")
_INCIDENT_ID = re.compile(r"INC-[0-9]{4}-[0-9]{3,}\Z")
_FILE_NAME = re.compile(r"(?P<id>[^/.]+)(?:\.(?P<language>[a-z]{2}))?\.md\Z")
_LOWERED = frozenset({"id", "title", "status", "services", "owner"})
DEFAULT_LANGUAGE = "en"

Made = TypeVar("Made")


def load_sop(file: SourceFile) -> tuple[Sop | None, tuple[Diagnostic, ...]]:
    """The SOP of one file, in one language; None where no id can be read. Every finding about the file's own
    shape is among the diagnostics.
    """
    return _load(file, "sop", _sop)


def load_incident(file: SourceFile) -> tuple[Incident | None, tuple[Diagnostic, ...]]:
    """The incident of one file; None where no id can be read."""
    return _load(file, "incident", _incident)


def _load(
    file: SourceFile,
    kind: Kind,
    lower: Callable[[SourceFile, Pieces, Origin], tuple[Made | None, list[Diagnostic]]],
) -> tuple[Made | None, tuple[Diagnostic, ...]]:
    pieces, found = split(file)
    if pieces.document is None:
        return None, found
    said = conform(pieces.document, kind)
    origin = pieces.document.origin
    if origin is None:
        return None, ordered((*found, *said))
    made, more = lower(file, pieces, origin)
    return made, ordered((*found, *said, *more))


def _sop(file: SourceFile, pieces: Pieces, origin: Origin) -> tuple[Sop | None, list[Diagnostic]]:
    node = origin.node
    identity = _text(node, "id")
    if identity is None or not _SOP_ID.match(identity):
        return None, []
    found = _named(file, origin, identity, translated=True)
    suffix, written = _suffix(file.path), _text(node, "lang")
    if suffix and written and suffix != written:
        message = f"`lang` is `{written}`, but the file's name says `{suffix}`"
        found.append(
            diagnostic(
                "TOC608",
                origin.value("lang"),
                message,
                help=f"write `lang: {suffix}`, or rename the file",
                subject=identity,
            )
        )
    translation_of = _text(node, "translation_of")
    if translation_of is not None and translation_of != identity:
        message = (
            f"`translation_of` is `{translation_of}`, but a translation keeps the id: this is `{identity}`"
        )
        found.append(
            diagnostic(
                "TOC608",
                origin.value("translation_of"),
                message,
                help=f"write `id: {translation_of}` if it is one",
                subject=identity,
            )
        )
    sop = Sop(
        id=identity,
        title=_text(node, "title") or identity,
        status=_text(node, "status") or "draft",
        owner=_text(node, "owner") or "",
        severity=_text(node, "severity"),
        services=_texts(node, "services"),
        language=suffix or written or DEFAULT_LANGUAGE,
        translation_of=translation_of or (identity if suffix else None),
        replaced_by=_text(node, "replaced_by"),
        manual=node.get("manual") is True,
        aliases=_texts(node, "aliases"),
        symptoms=_texts(node, "symptoms"),
        log_patterns=_texts(node, "log_patterns"),
        error_codes=_texts(node, "error_codes"),
        incidents=_texts(node, "incidents"),
        quick_checks=_quick_checks(node),
        review=_review(node),
        rto=_text(node, "rto"),
        stub=node.get("stub") is True,
        meta=_meta(node),
        body=read_body(file, pieces.text, pieces.first_line),
        file=file,
        origin=origin,
    )
    return sop, found


def _incident(file: SourceFile, pieces: Pieces, origin: Origin) -> tuple[Incident | None, list[Diagnostic]]:
    node = origin.node
    identity = _text(node, "id")
    if identity is None or not _INCIDENT_ID.match(identity):
        return None, []
    labels = node.get("labels")
    incident = Incident(
        id=identity,
        title=_text(node, "title") or identity,
        start=_text(node, "start") or "",
        detected=_text(node, "detected"),
        mitigated=_text(node, "mitigated"),
        end=_text(node, "end"),
        severity=_text(node, "severity"),
        services=_texts(node, "services"),
        alerts=_texts(node, "alerts"),
        missed=_texts(node, "missed"),
        sops=_texts(node, "sops"),
        found_by=_text(node, "found_by") or "",
        labels={key: each for key, each in labels.items() if isinstance(each, str)}
        if isinstance(labels, Map)
        else {},
        meta=_meta(node),
        body=read_body(file, pieces.text, pieces.first_line),
        file=file,
        origin=origin,
    )
    return incident, _named(file, origin, identity, translated=False)


def _named(file: SourceFile, origin: Origin, identity: str, *, translated: bool) -> list[Diagnostic]:
    """TOC607 where the file's name is not `<id>.md` (or, for a translation, `<id>.<language>.md`)."""
    name = file.path.rpartition("/")[2]
    match = _FILE_NAME.match(name)
    if match and match["id"] == identity and (translated or not match["language"]):
        return []
    forms = f"`{identity}.md`" + (f" (or `{identity}.zh.md` for a translation)" if translated else "")
    message = f"the file is called `{name}`, but its id is `{identity}`"
    return [
        diagnostic(
            "TOC607",
            origin.value("id"),
            message,
            help=f"rename it to {forms}, or correct the id",
            subject=identity,
        )
    ]


def _suffix(path: str) -> str:
    match = _FILE_NAME.match(path.rpartition("/")[2])
    return (match["language"] or "") if match else ""


def _text(node: Mapping[str, object], key: str) -> str | None:
    value = node.get(key)
    return value if isinstance(value, str) else None


def _texts(node: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = node.get(key)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _quick_checks(node: Map) -> tuple[QuickCheck, ...]:
    rows = node.get("quick_checks")
    made = []
    for row in rows if isinstance(rows, list) else ():
        symptom, check = (
            (_text(row, "symptom"), _text(row, "check")) if isinstance(row, Map) else (None, None)
        )
        if symptom is not None and check is not None:
            made.append(QuickCheck(symptom=symptom, check=check, log_pattern=_text(row, "log_pattern") or ""))
    return tuple(made)


def _review(node: Map) -> Review | None:
    review = node.get("review")
    last, every = (_text(review, "last"), _text(review, "every")) if isinstance(review, Map) else (None, None)
    return Review(last=last, every=every) if last is not None and every is not None else None


def _meta(node: Map) -> dict[str, object]:
    return {key: _simple(value) for key, value in node.items() if key not in _LOWERED}


def _simple(value: object) -> object:
    """Plain dicts and lists: `meta` leaves the compiler as JSON and needs no marks."""
    if isinstance(value, dict):
        return {key: _simple(each) for key, each in value.items()}
    return [_simple(each) for each in value] if isinstance(value, list) else value
