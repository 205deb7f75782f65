"""The shape of a file in Grafana's `provisioning/alerting` folder.

Two traps are handled here and nowhere else. Grafana expands `$NAME` and `${NAME}` from its environment in
every string but models and annotation values, so a literal dollar in a title, group name, folder or label
is doubled; `{{ $labels.x }}` in a label would otherwise come out empty. And Grafana reads JSON files with
its YAML reader, which refuses some characters JSON allows and folds others, and which an unreadable file
stops at start: `file_text` escapes exactly those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TypeAlias

from tocsin.ir.compiled import Version
from tocsin.ir.duration import format_duration
from tocsin.template import escape_file
from tocsin.wire.grafana.http import node_json
from tocsin.wire.grafana.rule import GrafanaGroup, GrafanaRule, Json
from tocsin.wire.versions import supports

FileDocument: TypeAlias = "dict[str, Json]"

_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON may hold as they are and YAML may not, or breaks lines at. Characters beyond U+FFFF
must stay as they are: as a pair of escapes they are refused."""


def to_file(groups: Iterable[GrafanaGroup], version: Version) -> FileDocument:
    """The document that provisions these groups into a server of that version.

    ValueError for a rule this version cannot read from a file: the caller asks `emit.grafana.unsupported`
    first.
    """
    return {"apiVersion": 1, "groups": [_group(group, version) for group in groups]}


def file_text(document: FileDocument) -> str:
    """The document's bytes as text: two spaces, insertion order, a newline at the end, safe for a YAML
    reader too."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n"


def _group(group: GrafanaGroup, version: Version) -> dict[str, Json]:
    return {
        "orgId": group.org_id,
        "name": escape_file(group.name),
        "folder": escape_file(group.folder),
        "interval": format_duration(group.interval),
        "rules": [_rule(rule, version) for rule in group.rules],
    }


def _rule(rule: GrafanaRule, version: Version) -> dict[str, Json]:
    written: dict[str, Json] = {
        "uid": rule.uid,
        "title": escape_file(rule.title),
        "condition": rule.condition,
        "data": [node_json(node) for node in rule.data],
        "noDataState": rule.no_data,
        "execErrState": rule.exec_err,
        "for": format_duration(rule.for_),
    }
    if rule.keep_firing_for:
        if not supports("grafana", "file", "keep_firing_for", version):
            raise ValueError(f"{rule.uid}: keepFiringFor is not read from files by Grafana {version}")
        written["keepFiringFor"] = format_duration(rule.keep_firing_for)
    if rule.missing_series is not None and supports("grafana", "file", "missing_series", version):
        written["missing_series_evals_to_resolve"] = rule.missing_series
    written["annotations"] = dict(sorted(rule.annotations.items()))
    written["labels"] = {name: escape_file(value) for name, value in sorted(rule.labels.items())}
    written["isPaused"] = rule.paused
    return written
