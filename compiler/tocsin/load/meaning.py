"""What a version of a rule file means by each of its rules, as one digest: two versions with equal digests differ in nothing that could fire.

For looking back: was a rule changed since its SOP was last read? Old versions need not conform to the present schema, so the data is taken as it
stands and nothing is reported. Left out on purpose: comments, layout, the order of keys, the words people read (summary, description, annotations),
who owns it and where it leads. Not seen from here: the records an expression reads. Parameters of tocsin.yaml are read by `parameters`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tocsin.diag.source_file import SourceFile
from tocsin.ir.duration import parse_duration
from tocsin.ir.history import Change
from tocsin.source.tree import read_documents

_WORDS = frozenset(
    {"summary", "description", "annotations", "sop_ref", "routes_to", "owner", "signal", "sli"}
)
_DURATIONS = frozenset({"for", "keep_firing_for", "interval", "query_offset"})
_GROUP = ("interval", "limit", "query_offset", "labels")
_PARAMETER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PIECE = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|#[^\n]*|\s+|[\w.:$]+|.""", re.DOTALL)


class Version(NamedTuple):
    """One file in one commit: its text before and after, None where there was none."""

    path: str
    before: str | None
    after: str | None


def meanings(path: str, text: str) -> Mapping[str, str]:
    """Id of an alert or record -> digest of what it says; a record without an id is called as its series. Empty where the text is no rule file."""
    documents, _ = read_documents(SourceFile(path=path, text=text))
    file = documents[0].data if documents else None
    if not isinstance(file, dict):
        return {}
    written = file.get("params")
    params = written if isinstance(written, dict) else {}
    found: dict[str, str] = {}
    for group in _maps(file.get("groups")):
        around = {key: _said(group.get(key), key) for key in _GROUP}
        for rule in _maps(group.get("rules")):
            id = rule.get("id", rule.get("record"))
            if not isinstance(id, str) or not ("alert" in rule or "record" in rule):
                continue
            said = _said(rule, "")
            used = set(_PARAMETER.findall(json.dumps(said)))
            given = {name: value for name, value in params.items() if name in used}
            content = json.dumps([said, around, given, file.get("service")], sort_keys=True)
            found[id] = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return found


def parameters(text: str) -> Mapping[str, Mapping[str, str]]:
    """Environment -> parameter -> what a version of tocsin.yaml gives it there, for comparison alone. Empty where the text is no project file."""
    documents, _ = read_documents(SourceFile(path="tocsin.yaml", text=text))
    file = documents[0].data if documents else None
    if not isinstance(file, dict):
        return {}
    environments = file.get("environments")
    found: dict[str, Mapping[str, str]] = {}
    for env, said in environments.items() if isinstance(environments, dict) else ():
        layers = (file.get("params"), said.get("params") if isinstance(said, dict) else None)
        given = {name: value for each in layers if isinstance(each, dict) for name, value in each.items()}
        found[env] = {name: json.dumps(value, sort_keys=True) for name, value in given.items()}
    return found


def changed_alerts(
    commits: Iterable[tuple[Change, tuple[Version, ...]]], reviewed: Mapping[str, str]
) -> Mapping[str, Change]:
    """Alert id -> the newest of `commits` (newest first) that changed what the alert says, where it came after the day in `reviewed`.

    An alert that moved from file to file did not change, and one that is new has no past to differ from: a repository that comes into Git
    whole has not changed all its rules.
    """
    known: dict[tuple[str, str], Mapping[str, str]] = {}

    def read(path: str, text: str | None, ids: set[str]) -> Mapping[str, str]:
        # Most commits touch no alert anybody asks about, and a text is quicker searched than read.
        if text is None or not any(id in text for id in ids):
            return {}
        if (path, text) not in known:
            known[path, text] = meanings(path, text)
        return known[path, text]

    found: dict[str, Change] = {}
    for change, versions in commits:
        wanted = {id for id, day in reviewed.items() if id not in found and change.at[:10] > day}
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        for each in versions if wanted else ():
            before.update(read(each.path, each.before, wanted))
            after.update(read(each.path, each.after, wanted))
        found.update(
            (id, change) for id in sorted(wanted & after.keys()) if id in before and before[id] != after[id]
        )
    return found


def _maps(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _said(value: object, key: str) -> object:
    """Plain data without the words, and without what only the layout of a text or a duration decides."""
    if isinstance(value, dict):
        return {name: _said(each, name) for name, each in value.items() if name not in _WORDS}
    if isinstance(value, list):
        return [_said(each, "") for each in value]
    if isinstance(value, str) and key in _DURATIONS:
        return parse_duration(value) if parse_duration(value) is not None else value
    return _tight(value) if isinstance(value, str) and key == "expr" else value


def _tight(expr: str) -> str:
    """An expression without comments, and with spaces only where two words would run together."""
    pieces: list[str] = []
    for piece in _PIECE.findall(expr):
        if not piece.isspace() and not piece.startswith("#"):
            word = piece[0].isalnum() or piece[0] in "_.:$"
            if pieces and word and (pieces[-1][-1].isalnum() or pieces[-1][-1] in "_.:"):
                pieces.append(" ")
            pieces.append(piece)
    return "".join(pieces)
