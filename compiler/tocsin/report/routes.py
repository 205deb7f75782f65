"""Who is notified, for people and for machines: one row for each compiled alert, whether or not its source asserts something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tocsin.diag import Span
from tocsin.report.findings import count
from tocsin.report.visible import visible
from tocsin.sync.routes import Reach, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One compiled alert: whom it reaches, and what its source says about that (`wanted`, `""` where it says nothing)."""

    key: str
    name: str
    span: Span
    """Of the `routes_to`, or of the alert."""
    reaches: tuple[Reach, ...]
    wanted: str = ""
    verdict: Verdict | None = None


def as_text(rows: Sequence[Row], where: str) -> str:
    """For a terminal, below the findings."""
    return "\n".join(_lines(rows, where)) + "\n"


def _lines(rows: Sequence[Row], where: str) -> Iterator[str]:
    width = max((len(each.key) for each in rows), default=0)
    for each in rows:
        yield f"{each.key:<{width}}  {visible(', '.join(reach.text for reach in each.reaches))}"
    asserted = [each.verdict for each in rows if each.verdict is not None]
    counted = ", ".join(
        f"{number} {kind}"
        for kind in ("holds", "depends", "fails")
        if (number := sum(each.kind == kind for each in asserted))
    )
    yield f"{count(len(rows), 'alert')} through {where}; routes_to: {counted or 'none'}"


def as_json(rows: Sequence[Row], where: str, findings: str) -> str:
    """For machines: what every report of findings says (`findings`, as JSON), and the alerts."""
    document = {
        **json.loads(findings),
        "format": 1,
        "through": where,
        "alerts": [
            {
                "key": each.key,
                "name": each.name,
                "place": each.span.place,
                "receivers": [
                    {"name": reach.receiver, "depends": sorted(reach.depends)} for reach in each.reaches
                ],
                "routes_to": each.wanted or None,
                "verdict": each.verdict.kind if each.verdict is not None else None,
            }
            for each in rows
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
