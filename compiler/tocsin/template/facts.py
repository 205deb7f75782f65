"""What a template reads: labels, the value, functions, queries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tocsin.template.flow import Read, flow
from tocsin.template.functions import newest
from tocsin.template.parser import parse
from tocsin.template.plain import PLAIN, parts
from tocsin.template.tree import TemplateProblem

_REMEMBERED = 4096
_EXTERNAL = ("ExternalLabels", "ExternalURL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one text reads of its alert.

    `labels`: each use of a label with the offset of its name (of the quoted name for `index`), in the order
    of the text. Labels of a query's result are not the alert's and are not here. `opaque_labels`: the labels
    are also used in a way that names none (`range $k, $v := $labels`, `printf "%v" $labels`, `{{ . }}`, or
    inside something that could not be followed). `external`: reads `$externalLabels` or `$externalURL`.
    `queries`: the PromQL written out for `query`. `functions`: sorted, each once.
    """

    labels: tuple[tuple[str, int], ...] = ()
    uses_value: bool = False
    functions: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    external: bool = False
    opaque_labels: bool = False


_NOTHING = Facts()


def facts(text: str) -> Facts | TemplateProblem:
    """What `text` reads, or why no Prometheus would load it. Never raises.

    Takes whatever any served Prometheus would; `check` judges for one of them.
    """
    if "{{" not in text:
        return _NOTHING
    return _remembered(text) if len(text) <= _REMEMBERED else _facts(text)


def _facts(text: str) -> Facts | TemplateProblem:
    if PLAIN.fullmatch(text):
        return _plain(text)
    template = parse(text, newest())
    if isinstance(template, TemplateProblem):
        return template
    found = flow(template)
    kinds = {read.kind for read in found.reads}
    unsure = {read.name for read in found.reads if read.kind == "unsure"}
    return Facts(
        labels=tuple((read.name, _name_at(read)) for read in found.reads if read.kind == "label"),
        uses_value=not kinds.isdisjoint(("value", "data")) or "Value" in unsure,
        functions=tuple(sorted(found.functions)),
        queries=found.queries,
        external=not kinds.isdisjoint(("external", "data")) or not unsure.isdisjoint(_EXTERNAL),
        opaque_labels=not kinds.isdisjoint(("labels", "data")) or "Labels" in unsure,
    )


def _name_at(read: Read) -> int:
    return read.end - len(read.name) if read.field else read.start


_remembered = lru_cache(maxsize=4096)(_facts)


def _plain(text: str) -> Facts:
    labels: list[tuple[str, int]] = []
    functions: set[str] = set()
    value = opaque = False
    for part in parts(text):
        kind = part.lastgroup
        if kind == "label":
            labels.append((part.group(1), part.start(1)))
        elif kind == "value":
            value = True
        elif kind == "labels":
            opaque = True
        elif kind == "call":
            functions.add(part.group())
    return Facts(
        labels=tuple(labels), uses_value=value, functions=tuple(sorted(functions)), opaque_labels=opaque
    )
