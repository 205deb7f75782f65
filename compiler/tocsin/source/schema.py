"""The only door to a JSON Schema validator: a located document in, diagnostics out.

jsonschema-rs validates 10,000 rules in about 20 ms; `jsonschema` stands behind the same door where no wheel
of the former exists. Both are asked for the same four facts (where, which keyword, which subschema, which
value), called a `Fault` here, and `wording` turns those into sentences, so an author never reads JSON
Schema's own words and never learns which of the two was asked.

The data must be JSON-shaped; `source.tree` guarantees that (jsonschema-rs raises on anything else).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Literal

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.source.faults import Fault
from tocsin.source.old_formats import migrates
from tocsin.source.tree import Document
from tocsin.source.wording import TOPS, worded

Kind = Literal["rules", "project", "sop", "incident"]
KINDS: tuple[Kind, ...] = ("rules", "project", "sop", "incident")
Validator = Callable[[object], Iterable[Fault]]


@cache
def schema_text(kind: Kind) -> str:
    """The JSON Schema of one format as an editor wants it."""
    return (resources.files("tocsin") / "schemas" / f"{kind}.schema.json").read_text(encoding="utf-8")


def conform(document: Document, kind: Kind) -> tuple[Diagnostic, ...]:
    """What `document` has that the format does not allow, and what it lacks; empty where it conforms."""
    origin = document.origin
    if origin is None:
        help = f"start {TOPS[kind]} with a key in the first column"
        return (
            diagnostic(
                "TOC203", document.start, f"{TOPS[kind]} must be a mapping of keys to values", help=help
            ),
        )
    version = origin.node.get("version")
    if migrates(kind, version):
        # By what the present version says, nearly every line of it would be wrong.
        said = f"version {version} of this format is an old one"
        help = "run `tocsin migrate`; it keeps comments and layout"
        return (diagnostic("TOC206", origin.value("version"), said, help=help),)
    found = tuple(faults(document.data, kind))
    return worded(origin, kind, found) if found else ()


def faults(data: object, kind: Kind) -> Iterable[Fault]:
    """What the validator says about plain data; `conform` says it in words."""
    return _validator(kind)(data)


@cache
def _schema(kind: Kind) -> Mapping[str, object]:
    loaded: Mapping[str, object] = json.loads(schema_text(kind))
    return loaded


@cache
def _validator(kind: Kind) -> Validator:
    try:
        return with_rust(_schema(kind))
    except ImportError:
        return with_python(_schema(kind))


def with_rust(schema: Mapping[str, object]) -> Validator:
    """The fast validator. ImportError where there is no wheel for this machine."""
    import jsonschema_rs

    iter_errors = jsonschema_rs.Draft202012Validator(dict(schema)).iter_errors

    def ask(data: object) -> Iterator[Fault]:
        for error in iter_errors(data):
            yield fault(error)

    def fault(error: jsonschema_rs.ValidationError) -> Fault:
        path, where = tuple(error.instance_path), list(error.schema_path)
        kind = error.kind
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.PropertyNames):
            inner = kind.error
            keyword = str(inner.schema_path[-1])
            return Fault(path, keyword, _opened(schema, _at(schema, where[:-1])), inner.instance, named=True)
        branches: tuple[tuple[Fault, ...], ...] = ()
        if isinstance(
            kind, jsonschema_rs.ValidationErrorKind.OneOfNotValid | jsonschema_rs.ValidationErrorKind.AnyOf
        ):
            branches = tuple(tuple(fault(each) for each in branch) for branch in kind.context)
        return Fault(
            path, kind.name, _opened(schema, _at(schema, where[:-1])), error.instance, branches=branches
        )

    return ask


def with_python(schema: Mapping[str, object]) -> Validator:
    """The slow validator, 80 times slower and everywhere to be had."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(dict(schema))

    def ask(data: object) -> Iterator[Fault]:
        for error in validator.iter_errors(data):
            yield fault(error)

    def fault(error: jsonschema.ValidationError) -> Fault:
        path = tuple(error.absolute_path)
        where = list(error.absolute_schema_path)
        named = len(where) > 1 and where[-2] == "propertyNames"
        contexts: dict[object, list[Fault]] = {}
        for each in error.context or ():
            contexts.setdefault(each.schema_path[0], []).append(fault(each))
        branches = tuple(tuple(contexts[index]) for index in sorted(contexts, key=str))
        return Fault(
            path,
            str(error.validator),
            _opened(schema, _mapping(error.schema)),
            error.instance,
            named=named,
            branches=branches,
        )

    return ask


def _at(schema: Mapping[str, object], where: list[str | int]) -> Mapping[str, object]:
    node: object = schema
    for step in where:
        node = node[int(step)] if isinstance(node, list) else _mapping(node).get(str(step))
    return _mapping(node)


def _opened(schema: Mapping[str, object], node: Mapping[str, object]) -> Mapping[str, object]:
    """`node` with the references of its properties looked up: what is missing can then be described."""
    properties = _mapping(node.get("properties"))
    opened = {key: _referred(schema, _mapping(each)) for key, each in properties.items()}
    return {**node, "properties": opened} if opened else node


def _referred(schema: Mapping[str, object], node: Mapping[str, object]) -> Mapping[str, object]:
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return node
    steps: list[str | int] = [*reference.removeprefix("#/").split("/")]
    return {**_at(schema, steps), **node}


def _mapping(node: object) -> Mapping[str, object]:
    return node if isinstance(node, Mapping) else {}
