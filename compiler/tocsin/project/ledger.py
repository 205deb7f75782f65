"""The release ledger: `releases.json` in, `Ledger` out. `tocsin release` alone writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from tocsin.diag import Diagnostic, SourceFile, Span, diagnostic
from tocsin.ir.project import UNRELEASED, Ledger, Release, ReleasedChange

LEDGER_FILE = "releases.json"


def read_ledger(file: SourceFile | None) -> tuple[Ledger, tuple[Diagnostic, ...]]:
    """The ledger; an empty one (everything `unreleased`) where no release was made yet."""
    if file is None:
        return Ledger(), ()
    try:
        data = json.loads(file.text)
        rules = {key: (str(row["digest"]), str(row["version"])) for key, row in data.get("rules", {}).items()}
        sops = {key: (str(row["digest"]), str(row["version"])) for key, row in data.get("sops", {}).items()}
        site = {key: _names(row) for key, row in data.get("site", {}).items()}
        return (
            Ledger(
                release=str(data.get("release", UNRELEASED)),
                rules=rules,
                sops=sops,
                site=site,
                lines=_lines(file.text, site),
                releases=tuple(map(_release, data.get("releases", []))),
            ),
            (),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        line, column = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (1, 1)
        span = Span.point(file.path, line, column)
        return Ledger(), (
            diagnostic(
                "TOC203",
                span,
                "this is not a release ledger",
                help="restore it from Git: `tocsin release` alone writes it",
            ),
        )


def _names(row: object) -> tuple[str, ...]:
    if not isinstance(row, list) or not all(isinstance(each, str) for each in row):
        raise TypeError("not a list of names")
    return tuple(row)


def _release(row: Mapping[str, object]) -> Release:
    return Release(
        version=str(row["version"]),
        date=str(row["date"]),
        sops=_names(row.get("sops", [])),
        compiles={
            str(product): {str(version): value is True for version, value in found.items()}
            for product, found in cast("Mapping[str, Mapping[str, object]]", row.get("compiles", {})).items()
        },
        changes=tuple(
            ReleasedChange(
                rule=str(each["rule"]),
                envs=_names(each["envs"]),
                class_=str(each["class"]),
                what=_names(each.get("what", [])),
                direction=str(each.get("direction", "")),
                reasons=_names(each.get("reasons", [])),
                tickets=_names(each.get("tickets", [])),
            )
            for each in cast("list[Mapping[str, object]]", row.get("changes", []))
        ),
    )


def _lines(text: str, names: Iterable[str]) -> dict[str, int]:
    """The line each name is written on. JSON without places is enough: nobody edits the ledger by hand."""
    wanted = {json.dumps(name, ensure_ascii=False): name for name in names}
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1) if wanted else ():
        name = wanted.get(line.strip().partition(": ")[0])
        if name is not None:
            found.setdefault(name, number)
    return found
