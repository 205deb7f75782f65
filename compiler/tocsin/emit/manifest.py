"""`manifest.json`: what is in the output folder, by semantic digest and version; the release ledger and sync
read it.

In: every compiled service of every environment, and the services that are frozen. Out: one row per compiled
rule. Keys are the ledger's: `<env>/<rule key>` for an alert, `<env>/<service>/<record key>` for a record (two
services may write one series), with `@<evaluator>` behind a mirror. The version of tocsin is not in it,
because a newer compiler with the same meaning changes no rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.emit.jsontext import Json, document
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import CompiledAlert, CompiledRule, Resolved
from tocsin.ir.project import Project

NAME = "manifest"
FORMAT = 1


def emit(every: Iterable[Resolved], project: Project, frozen: Iterable[str] = ()) -> Iterator[Artifact]:
    """The manifest. Frozen services are named and have no rows: what they mean is what they meant when they
    last compiled.
    """
    rules = {
        key_of(rule, resolved): _row(rule)
        for resolved in every
        for group in resolved.groups
        for rule in group.rules
    }
    entries: dict[str, Json] = {
        "version": FORMAT,
        "project": project.name,
        "environments": [each.name for each in project.environments],
        "frozen": sorted(frozen),
        "rules": rules,
    }
    yield Artifact(path="manifest.json", text=document(entries))


def key_of(rule: CompiledRule, resolved: Resolved) -> str:
    """The row of a rule."""
    if not isinstance(rule, CompiledAlert):
        return f"{resolved.env}/{resolved.service}/{rule.key.text}"
    return f"{resolved.env}/{rule.key.text}" + (f"@{rule.evaluator.name}" if rule.mirror else "")


def _row(rule: CompiledRule) -> Json:
    row: dict[str, Json] = {
        "digest": rule.digest,
        "evaluator": rule.evaluator.name,
        "kind": "record",
        "service": rule.service,
        "version": rule.version,
    }
    if isinstance(rule, CompiledAlert):
        row |= {"kind": "alert", "uid": rule.uid}
        if rule.mirror:
            row["mirror"] = True
    return row
