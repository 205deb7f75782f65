"""Rewrites a Prometheus template for Grafana, or says why Grafana cannot express it.

Grafana runs the same language with the same functions, but before 12.0 its `$value` is a debug string and
there is no query, no external label and no external URL variable. So the measured value is read from the
query's node (`$values.A.Value`, a number since 9.x), and what does not exist is refused: nothing is ever left
out. Grafana's `graphLink` and `tableLink` keep their names but take JSON, so those are refused as well. The
rewrite replaces only the characters that read the value; every other character is the author's. Sources:
Grafana's pkg/services/ngalert/state/template and its documentation on annotation and label templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from tocsin.template.flow import Flow, Read, flow
from tocsin.template.functions import PROMETHEUS_FUNCTIONS, Dialect, newest
from tocsin.template.parser import parse
from tocsin.template.plain import PLAIN, parts
from tocsin.template.tree import Template, TemplateProblem, operands

Release: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TemplateRefusal:
    """Why Grafana cannot run a template, and where in the text (None: nowhere in particular)."""

    reason: str
    offset: int | None


_QUERIES = "Grafana runs no query inside a template"
_UNSUPPORTED = {
    "query": _QUERIES,
    "first": _QUERIES,
    "label": _QUERIES,
    "value": _QUERIES,
    "strvalue": _QUERIES,
    "sortByLabel": _QUERIES,
    "graphLink": "Grafana's graphLink takes JSON, not PromQL",
    "tableLink": "Grafana's tableLink takes JSON, not PromQL",
}
# Grafana takes its functions from the Prometheus it is built with; these were there in 9.3, later ones were
# not looked up.
_SHARED_UP_TO = (2, 42)
# Grafana 12.0 is built with Go 1.23; 11.2 was not, and what lies between was not looked up.
_ELSE_WITH_SINCE: Release = (12, 0, 0)
_REF = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REMEMBERED = 4096


def to_grafana(text: str, *, value_ref: str = "A", version: Release) -> str | TemplateRefusal:
    """`text` as Grafana `version` must have it, or why Grafana cannot run it. Never raises.

    `value_ref` is the refId of the query whose number is Prometheus' `$value`. `$labels` stays: in both
    products it holds the series' labels without the rule's own; Grafana adds `alertname` and
    `grafana_folder`, which shows only where a text uses all labels at once (`Facts.opaque_labels`).
    """
    if "{{" not in text:
        return text
    return (_remembered if len(text) <= _REMEMBERED else _rewritten)(text, value_ref, version)


def _rewritten(text: str, value_ref: str, version: Release) -> str | TemplateRefusal:
    if not _REF.fullmatch(value_ref):
        return TemplateRefusal(f"`{value_ref}` is not a name a template can read a value by", None)
    if PLAIN.fullmatch(text):
        return _plain(text, value_ref)
    language = Dialect(newest().functions, version >= _ELSE_WITH_SINCE, None)
    template = parse(text, language)
    if isinstance(template, TemplateProblem):
        return TemplateRefusal(template.message, template.offset)
    return _called(template) or _edited(text, flow(template), value_ref)


def _plain(text: str, value_ref: str) -> str | TemplateRefusal:
    edits: list[tuple[int, int, str]] = []
    for part in parts(text):
        if part.lastgroup == "value":
            edits.append((part.start(), part.end(), f"$values.{value_ref}.Value"))
        elif part.lastgroup == "call" and (reason := _refusal(part.group())):
            return TemplateRefusal(reason, part.start())
    return _spliced(text, edits)


def _refusal(function: str) -> str | None:
    if PROMETHEUS_FUNCTIONS.get(function, (0, 0)) > _SHARED_UP_TO:
        return f"Grafana has no template function `{function}`"
    reason = _UNSUPPORTED.get(function)
    return f"`{function}`: {reason}" if reason else None


def _called(template: Template) -> TemplateRefusal | None:
    """A refusal for a function Grafana lacks: also in a named template nobody calls, which is parsed too."""
    for operand in operands(template):
        if operand.kind == "name" and (reason := _refusal(operand.text)):
            return TemplateRefusal(reason, operand.start)
    return None


def _edited(text: str, found: Flow, value_ref: str) -> str | TemplateRefusal:
    edits: list[tuple[int, int, str]] = []
    for read in found.reads:
        if reason := _unreadable(read, found):
            return TemplateRefusal(reason, read.start)
        if read.kind == "value":
            # `.Value` and `$.Value` of the text itself read best through $values; elsewhere only the field
            # changes, because a named template knows no $values and the term before the field may be
            # anything.
            own = not read.named and text[read.whole : read.start] in ("", "$")
            start, base = (read.whole, "$values") if own else (read.start, ".Values")
            edits.append((start, read.end, f"{base}.{value_ref}.Value"))
    return _spliced(text, edits)


def _unreadable(read: Read, found: Flow) -> str | None:
    match read.kind:
        case "external":
            return f"Grafana's templates do not know `{read.name}`"
        case "data":
            return "the alert's data as a whole is another thing in Grafana"
        case "assigned":
            return f"`{read.name}` is given another value, so it cannot be followed"
        case "unsure" if read.name != "Labels":
            return f"`.{read.name}` may or may not be the alert's own: it cannot be followed"
        case "value" if "$values" in found.declared:
            return "`$values` is declared here, and Grafana needs that name for the value"
        case "value" if found.mixed and read.named:
            return (
                "a named template is called with different things, so its `.Value` is not always the alert's"
            )
    return None


def _spliced(text: str, edits: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, new in edits:
        parts += text[at:start], new
        at = end
    return "".join(parts) + text[at:]


_remembered = lru_cache(maxsize=4096)(_rewritten)


def escape_file(text: str) -> str:
    """`text` for a label value in a Grafana provisioning file, where `$name` would be read from the
    environment.

    Annotations in such files are not expanded and must stay as they are.
    """
    return text.replace("$", "$$")
