"""What older versions of the source formats said, and what each of their keys is called now: one literal table for each kind of document.

`source.migrate` reads a document by its table and refuses what no table names. A version's table is never edited once a newer version stands: a file
climbs one version after the other. How to add the next one: `compiler/decisions/0024-formats-have-versions.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from tocsin.source.schema import Kind

VALUE: Final = "\x00"
"""In a `Row.wrap`: where the old value goes."""
QUIET: Final = "-"
"""A `Row.gone` that nobody needs to be told about."""
Form = Literal["any", "text", "number", "list", "map"]
Reading = Literal["", "version", "sop", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What becomes of one key."""

    to: str = ""
    """What it is called now; `""`: the same."""
    form: Form = "any"
    """What its value must be."""
    reading: Reading = ""
    """How the value becomes the new one: the next version's number; the SOP that an address ends with; words in which `$threshold` is a parameter."""
    wrap: object = None
    """What stands around the old value (`VALUE`) now."""
    below: str = ""
    """The table of the mapping, or of the list's mappings, below it."""
    each: str = ""
    """The table of every value of the mapping below it, whose keys are free."""
    item_of: str = ""
    """The list now belongs to the one item of this list, which is named like the service."""
    gone: str = ""
    """Why nothing is made of it."""
    needed: bool = False


Rows = Mapping[str, Row]
_SAME: Final = Row()
_COUNTED: Final = "releases count versions now"
_TRAILER: Final = "tickets are named in commits now, `Ticket: INFRA-1`"

_RULES_0: Final[Mapping[str, Rows]] = {
    "": {
        "version": Row(reading="version", needed=True),
        "service": Row(form="text", needed=True),
        "team": Row(to="owner", form="text"),
        "rules": Row(item_of="groups", below="rule", form="list", needed=True),
    },
    "rule": {
        "name": Row(to="alert", form="text"),
        "record": Row(form="text"),
        "id": Row(form="text"),
        "expr": Row(form="text", reading="words", needed=True),
        "threshold": Row(to="params", form="number", wrap={"threshold": VALUE}),
        "duration": Row(to="for"),
        "priority": Row(to="severity", form="text"),
        "team": Row(to="owner", form="text"),
        "runbook": Row(to="sop_ref", form="text", reading="sop"),
        "runbook_url": Row(to="sop_ref", form="text", reading="sop"),
        "summary": Row(form="text", reading="words"),
        "description": Row(form="text", reading="words"),
        "labels": Row(form="map", reading="words"),
        "annotations": Row(form="map", reading="words"),
        "rule_version": Row(gone=_COUNTED),
        "ticket": Row(gone=_TRAILER),
    },
}
_PROJECT_0: Final[Mapping[str, Rows]] = {
    "": {
        "version": Row(reading="version", needed=True),
        "name": Row(to="project", form="text", needed=True),
        "priorities": Row(to="severities", form="map", each="priority"),
        "teams": Row(form="map", each="team"),
        "site_url": Row(to="site", form="text", wrap={"url": VALUE}),
        "environments": Row(form="map", each="environment", needed=True),
    },
    "priority": {
        "label": Row(form="map"),
        "respond_within": _SAME,
        "rto": _SAME,
        "trigger": Row(form="text"),
        "who": Row(form="text"),
        "pages": _SAME,
    },
    "team": {"name": Row(form="text"), "chat": Row(form="text")},
    "environment": {
        "prometheus": Row(
            to="evaluators",
            wrap=[{"name": "prometheus", "kind": "prometheus", "version": VALUE}],
            form="text",
            needed=True,
        ),
    },
}
_SOP_0: Final[Mapping[str, Rows]] = {
    "": {
        "version": Row(gone=QUIET, needed=True),
        "id": Row(form="text", needed=True),
        "name": Row(to="title", form="text", needed=True),
        "status": Row(form="text", needed=True),
        "priority": Row(to="severity", form="text"),
        "service": Row(to="services", form="text", wrap=[VALUE], needed=True),
        "team": Row(to="owner", form="text", needed=True),
        "rto": _SAME,
        "symptoms": Row(form="list"),
        "log_patterns": Row(form="list"),
        "incidents": Row(form="list"),
        "sop_version": Row(gone=_COUNTED),
        "alerts": Row(gone="a SOP's alerts are found by their `sop_ref`", form="list"),
    },
}
_INCIDENT_0: Final[Mapping[str, Rows]] = {
    "": {
        "version": Row(gone=QUIET, needed=True),
        "id": Row(form="text", needed=True),
        "name": Row(to="title", form="text", needed=True),
        "priority": Row(to="severity", form="text"),
        "service": Row(to="services", form="text", wrap=[VALUE], needed=True),
        "began": Row(to="start", form="text", needed=True),
        "detected": Row(form="text"),
        "mitigated": Row(form="text"),
        "ended": Row(to="end", form="text"),
        "detected_by": Row(to="found_by", form="text", needed=True),
        "alerts": Row(form="list"),
        "runbooks": Row(to="sops", form="list"),
        "cause": Row(form="text"),
        "ticket": Row(gone=_TRAILER),
    },
}
TABLES: Final[Mapping[tuple[Kind, int], Mapping[str, Rows]]] = {
    ("rules", 0): _RULES_0,
    ("project", 0): _PROJECT_0,
    ("sop", 0): _SOP_0,
    ("incident", 0): _INCIDENT_0,
}
"""Kind and version of a document -> its tables by name, `""` for its top; each leads to the next version."""


def migrates(kind: str, version: object) -> bool:
    """Whether `tocsin migrate` knows the way from this version."""
    return isinstance(version, int) and not isinstance(version, bool) and (kind, version) in TABLES
