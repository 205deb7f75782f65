"""The proof before anything is written: the adopted sources are compiled, in memory, with what the repository
holds already.

What the compiler refuses outright in an adopted rule is a rule that cannot be carried; it is named by its
place in the new text, so the caller can refuse it at its foreign place. What the project may turn down (a
template naming a label the expression drops, a record below its reader) was a fault before adoption: a
project file of our own making gets these codes as warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from tocsin.diag.codes import CODES
from tocsin.diag.diagnostic import Diagnostic, Severity
from tocsin.diag.origin import Map, Origin, Seq, place_of
from tocsin.diag.source_file import SourceFile
from tocsin.pipeline import Sources, Watch, compile_sources, unwatched
from tocsin.source.tree import read_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`refused` maps (file, group, rule) to what the compiler says; `mild` are codes of faults the rules
    brought along.
    """

    refused: Mapping[tuple[str, int, int], Diagnostic]
    mild: tuple[str, ...]


def prove(
    repository: Sources, project: str, texts: Mapping[str, str], today: date, watch: Watch = unwatched
) -> Proof:
    """Compiles `texts` (path -> adopted text) with the rest of the repository under the project file
    `project`.
    """
    new = tuple(SourceFile(path=path, text=text) for path, text in texts.items())
    rules = tuple(sorted((*repository.rules, *new), key=lambda each: each.path))
    sources = replace(
        repository, project=SourceFile(path="tocsin.yaml", text=project), rules=rules, diagnostics=()
    )
    compiled = compile_sources(sources, today, watch)
    errors = [
        each for each in compiled.diagnostics if each.severity is Severity.error and each.span.file in texts
    ]
    mild = {each.code for each in errors if not CODES[each.code].fixed}
    refused: dict[tuple[str, int, int], Diagnostic] = {}
    for each in errors:
        if CODES[each.code].fixed:
            where = _rule_at(texts[each.span.file], each.span.line - 1)
            refused.setdefault((each.span.file, *where), each)
    return Proof(refused=refused, mild=tuple(sorted(mild)))


def _rule_at(text: str, line: int) -> tuple[int, int]:
    """The group and rule in which a line (from 0) of an adopted text stands; rule -1 for the group's own
    keys, (-1, -1) above all groups.
    """
    documents, _ = read_documents(SourceFile(path="", text=text))
    top = documents[0].origin if documents else None
    found = (-1, -1)
    for number, group in enumerate(_nodes(top, "groups")):
        if place_of(group.mark)[0] > line:
            break
        found = (number, -1)
        for index, rule in enumerate(_nodes(Origin("", "", group), "rules")):
            if place_of(rule.mark)[0] > line:
                break
            found = (number, index)
    return found


def _nodes(origin: Origin | None, key: str) -> Iterable[Map]:
    listed = origin.node.get(key) if origin is not None else None
    return [each for each in listed if isinstance(each, Map)] if isinstance(listed, Seq) else []
