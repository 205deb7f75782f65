"""What else a pull request's report needs: unit tests, procedures, receivers, canaries, a plan, the last release. Each is optional and said to be missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tocsin.check.policy import tested_levels
from tocsin.cli.journals import kept_journal
from tocsin.cli.records import place_of, read_all
from tocsin.cli.revisions import sources_at
from tocsin.cli.routes import config_tree
from tocsin.cli.workspace import read_sources
from tocsin.disk.git_release import tags_before
from tocsin.errors import MachineError
from tocsin.ir.compiled import RuleKey
from tocsin.ir.project import Project
from tocsin.ir.sop import Sop
from tocsin.pipeline import compile_sources
from tocsin.pipeline.standing import Standing
from tocsin.release.impact import Canary, Known, facts_of
from tocsin.release.versions import newest
from tocsin.report.difference import Difference
from tocsin.report.impact import Impact
from tocsin.sync.document import from_json
from tocsin.sync.journal import overrides_of
from tocsin.sync.overrides import Overridden
from tocsin.sync.values import Plan
from tocsin.verdict.record import VERDICTS
from tocsin.wire.grafana import Json

_REPORT = "`tocsin canary backtest --format json` prints one"
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the command line names beside the two revisions."""

    config: Path | None = None
    records: str | None = None
    canary: Path | None = None
    plans: tuple[Path, ...] = ()
    journals: tuple[str, ...] = ()


def impact_of(
    top: Path, difference: Difference, before: Standing, after: Standing, beside: Beside, today: date
) -> Impact:
    """The difference with everything that is known about each of its rows."""
    project = after.project or before.project
    assert project is not None, "a project without tocsin.yaml has nothing to compare"
    sources = sources_at(top, difference.head) if difference.head else read_sources(top)
    compilation = compile_sources(sources, today)
    files = [file for service in compilation.services for file in service.loaded.files]
    standing = [
        alert for service in compilation.services for each in service.resolved for alert in each.alerts
    ]
    notes: list[str] = []
    known = Known(
        records=read_all(place_of(beside.records, top), notes),
        canaries=_canaries(beside.canary) if beside.canary is not None else {},
        tree=config_tree(beside.config) if beside.config is not None else None,
        plans=tuple(map(_plan, beside.plans)),
        tested=tested_levels(files),
        read_again=_read_again(before.sops, after.sops),
    )
    return Impact(
        difference=difference,
        facts=tuple(facts_of(row.changes, row.why, project, standing, known) for row in difference.rows),
        project=project,
        last=newest(tags_before(top, difference.base)) or "",
        overrides=_overrides(beside.journals, top, project),
    )


def _overrides(journals: tuple[str, ...], top: Path, project: Project) -> tuple[Overridden, ...]:
    """What runs without a record, as these journals say; where none is named, those below dist/ that are there."""
    places: list[tuple[str | None, str]] = [(each, "") for each in journals]
    found: list[Overridden] = []
    for where, env in places or [(None, each.name) for each in project.environments]:
        with kept_journal(where, top, env) as book:
            found.extend(overrides_of(book).standing if book is not None else ())
    return tuple(found)


def _read_again(before: tuple[Sop, ...], after: tuple[Sop, ...]) -> frozenset[str]:
    """SOPs whose day of review is a later one now; a new one that has a day was read."""
    days = {each.id: each.review.last for each in before if each.review is not None}
    return frozenset(
        each.id for each in after if each.review is not None and each.review.last > days.get(each.id, "")
    )


def _json(path: Path) -> Json:
    try:
        if path.stat().st_size > _LARGEST:
            raise MachineError(f"{path} is too large to be read here")
        read: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MachineError(f"{path} cannot be read: {error}") from None
    return read


def _plan(path: Path) -> Plan:
    document = _json(path)
    return from_json(Plan, document.get("plan") if isinstance(document, Mapping) else None, str(path))


def _canaries(path: Path) -> Mapping[RuleKey, Canary]:
    """What `tocsin canary backtest --format json` printed."""
    document = _json(path)
    rules = document.get("rules") if isinstance(document, Mapping) else None
    if not isinstance(rules, list):
        raise MachineError(f"{path} is no report of a backtest", help=_REPORT)
    found: dict[RuleKey, Canary] = {}
    for each in rules:
        row = _object(each)
        rule = _object(row.get("rule"))
        compared = _object(row.get("comparison"))
        sides = [_object(compared.get(name)) for name in ("old", "new")]
        metrics = [_object(side.get("metrics")) for side in sides]
        key = RuleKey(*(str(rule.get(name) or "") for name in ("env", "id", "level", "override")))
        gates = row.get("gates")
        if row.get("verdict") not in VERDICTS:
            raise MachineError(f"{path} says of {key.text} no verdict that there is", help=_REPORT)
        found[key] = Canary(
            verdict=str(row.get("verdict") or ""),
            pages_per_week=(_number(metrics[0], "pages_per_week"), _number(metrics[1], "pages_per_week")),
            recall=(_number(metrics[0], "recall"), _number(metrics[1], "recall")),
            failed=tuple(
                str(_object(gate).get("id"))
                for gate in (gates if isinstance(gates, list) else ())
                if _object(gate).get("verdict") == "fail"
            ),
            exactness=str(compared.get("exactness") or ""),
            drawn=(str(sides[0].get("sparkline") or ""), str(sides[1].get("sparkline") or "")),
            signed=None,
        )
    return found


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _number(side: Mapping[str, Json], name: str) -> float | None:
    value = side.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
