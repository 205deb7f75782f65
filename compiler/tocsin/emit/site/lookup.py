"""The small file the home page finds things in before full-text search is loaded: `static/assets/tocsin/lookup.js`.

In: the model. Out: a script `window.TOCSIN_LOOKUP = {...}`, a script because a page opened from disk may not read a file of data. Its shape, which
`assets/home.js` reads (arrays and not objects: names of fields would be a third of it):

    {"v": 1,
     "sops": [[id, title, severity, owner, first safe step, [symptom], [log pattern], [error code], zh title or "", [zh symptom], status,
               [service]], ...],
     "alerts": [[alertname, index into sops or -1, severity, anchor or "", service, stub's folder where it is not the name itself], ...],
     "call": [[severity, who, within], ...],
     "marks": [[severity, label, value], ...], the label by which a fired alert tells its severity,
     "draft": "address that opens a new SOP, to which what was typed is added; or empty"}

Sorted, so that the same sources give the same bytes. Log patterns are written as they are; what a browser cannot read as one, home.js compares as
plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

from tocsin.emit.site import paths
from tocsin.emit.site.model import SiteModel, SopView
from tocsin.ir.duration import format_duration
from tocsin.ir.project import Project
from tocsin.ir.sop import Sop

FORMAT = 1
FILE = "assets/tocsin/lookup.js"
_STEP = 120
"""Characters of a first step: more does not fit under a title on a phone."""
_DRAFT = """---
id: SOP-DRAFT-000
title: ""
status: draft
services: []
owner: ""
---

## Confirm

## Mitigation

## Verification

## Symptoms

"""


def lookup_js(model: SiteModel) -> str:
    """The whole script."""
    index = {id: number for number, id in enumerate(model.sops)}
    data = {
        "v": FORMAT,
        "sops": [_sop(each) for each in model.sops.values()],
        "alerts": list(_alerts(model, index)),
        "call": call(model.project),
        "marks": [[each.name, *each.label] for each in model.project.severities],
        "draft": draft_address(model.project),
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # `</script` ends a script wherever it stands, and JavaScript once took these two for line breaks.
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    # A lone half of a surrogate pair cannot be written as UTF-8.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return f"window.TOCSIN_LOOKUP={text};\n"


def call(project: Project) -> list[list[str]]:
    """Whom to call at each severity, the most urgent first, and how soon they answer."""
    return [
        [
            each.name,
            each.who,
            format_duration(each.respond_within) if each.respond_within is not None else "",
        ]
        for each in project.severities
        if each.who
    ]


def draft_address(project: Project) -> str:
    """Where a new SOP is begun with what was typed at its end; `""` where no repository is configured."""
    if not project.site.repository:
        return ""
    base = project.site.repository.rstrip("/")
    return f"{base}/new/{quote(project.site.branch)}/sops?filename=SOP-DRAFT-000.md&value={quote(_DRAFT, safe='')}"


def first_step(sop: Sop) -> str:
    """The first thing to do that changes nothing: the first quick check, else the first command marked as reading."""
    for check in sop.quick_checks:
        return _short(check.check)
    for fence in sop.body.fences:
        if fence.kind == "read":
            return _short(fence.text.strip().partition("\n")[0].removeprefix("$ "))
    return ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _STEP else text[: _STEP - 1].rstrip() + "…"


def _sop(view: SopView) -> list[object]:
    sop, chinese = view.sop, view.languages.get("zh")
    translated = chinese if chinese is not None and chinese is not sop else None
    return [
        sop.id,
        sop.title,
        sop.severity or "",
        sop.owner,
        first_step(sop),
        list(sop.symptoms),
        list(
            dict.fromkeys(
                [*sop.log_patterns, *(each.log_pattern for each in sop.quick_checks if each.log_pattern)]
            )
        ),
        list(sop.error_codes),
        translated.title if translated is not None else "",
        list(translated.symptoms) if translated is not None else [],
        sop.status,
        list(sop.services),
    ]


def _alerts(model: SiteModel, index: dict[str, int]) -> Iterator[list[object]]:
    rows: set[tuple[str, int, str, str, str]] = set()
    for view in model.alerts.values():
        for name in view.names:
            severities = {
                each.alert.urgency: each.alert.severity for each in view.tiers if each.alert.name == name
            }
            severity = severities[min(severities)] if severities else view.source.severity
            rows.add((name, index.get(view.sop, -1), severity or "", view.anchor, view.source.service))
    for watch in model.watches:
        rows.add((watch.name, index.get(watch.sop, -1), watch.severity or "", "", ""))
    # By SOP and service, so that what repeats stands together: a fifth less after compression than by name.
    for row in sorted(rows, key=lambda each: (each[1], each[4], each)):
        folder = paths.segment(row[0])
        yield [*row, folder] if folder != row[0] else [*row]
