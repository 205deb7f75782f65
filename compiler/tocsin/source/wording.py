"""What a validator found, in sentences an author can act on.

In: `Fault`s, the four facts any JSON Schema validator knows. Out: one `Diagnostic` per mistake at the key or
value that is wrong, with what to type instead. A mistake often causes several faults (a misspelt key is
unknown, and the right one is missing); the author hears of it once. Regular expressions and words like
`oneOf` never reach a message: every pattern of the schemas has its row in `shapes`, which a test keeps full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tocsin.diag.diagnostic import Diagnostic, diagnostic, ordered
from tocsin.diag.origin import Origin
from tocsin.diag.span import Span
from tocsin.source.faults import (
    Fault,
    Path,
    cut,
    items,
    known_keys,
    mapping,
    missing_keys,
    nearest_key,
    shown,
    unknown_keys,
    words,
)
from tocsin.source.shapes import SHAPES, Shape

TOPS = {
    "rules": "a rule file",
    "project": "tocsin.yaml",
    "sop": "a SOP's front matter",
    "incident": "an incident's front matter",
}
"""What the whole of a document is called."""


_TYPES = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "array": "a list", "object": "a mapping of keys to values", "null": "nothing",
}  # fmt: skip


def worded(origin: Origin, kind: str, found: Iterable[Fault]) -> tuple[Diagnostic, ...]:
    """The findings for `found`, in the order of the file, each mistake once."""
    speaker = _Speaker(origin, kind)
    unique: dict[tuple[object, ...], Fault] = {}
    for each in found:
        unique.setdefault((each.path, each.keyword, each.named, str(each.value) if each.named else ""), each)
    return ordered(finding for each in unique.values() for finding in speaker.say(each))


class _Speaker:
    """Says what is wrong in one document."""

    def __init__(self, origin: Origin, kind: str) -> None:
        self.origin = origin
        self.kind = kind

    def say(self, fault: Fault) -> Iterator[Diagnostic]:
        if fault.named:
            yield self.bad_key(fault)
            return
        match fault.keyword:
            case "additionalProperties":
                yield from self.unknown(fault)
            case "required":
                yield from self.missing(fault)
            case "type":
                yield self.wrong_type(fault, words(fault.schema.get("type")))
            case "const":
                yield self.constant(fault)
            case "enum":
                yield self.not_one_of(fault)
            case "pattern":
                yield self.bad_shape(fault)
            case "oneOf" | "anyOf":
                yield from self.none_of(fault)
            case _:
                yield self.out_of_bounds(fault)

    def unknown(self, fault: Fault) -> Iterator[Diagnostic]:
        known = known_keys(fault.schema)
        missing = missing_keys(fault)
        here = self.noun(fault.path)
        for key in unknown_keys(fault):
            meant = nearest_key(key, known, prefer=missing)
            if meant:
                help = f"did you mean `{meant}`?"
            elif place := self.belongs(fault.path, key):
                help = f"`{key}` belongs to {place}"
            elif len(known) > 12:
                own = "patternProperties" in fault.schema
                help = "remove it; keys of your own start with `x-`" if own else "remove it"
            else:
                help = "known keys: " + ", ".join(known)
            yield self.at((*fault.path, key), "TOC201", f"`{key}` is not a key of {here}", help, key=True)

    def missing(self, fault: Fault) -> Iterator[Diagnostic]:
        here = self.noun(fault.path)
        mistaken = {
            nearest_key(key, known_keys(fault.schema), prefer=missing_keys(fault))
            for key in unknown_keys(fault)
        }
        absent = [key for key in missing_keys(fault) if key not in mistaken]
        if self.is_rule(fault.path) and "alert" in absent:
            yield self.at(
                fault.path,
                "TOC202",
                "a rule needs `alert` or `record`",
                "start it with `- alert: Name` or `- record: name`",
                key=True,
            )
            return
        for key in absent:
            yield self.at(
                fault.path, "TOC202", f"{here} has no `{key}`", self.write(fault.schema, key), key=True
            )

    def wrong_type(self, fault: Fault, allowed: tuple[str, ...]) -> Diagnostic:
        value, name = fault.value, self.name(fault.path)
        wanted = " or ".join(dict.fromkeys(_TYPES[each] for each in allowed))
        shape = SHAPES.get(str(fault.schema.get("pattern", "")))
        if value is None:
            help = f"for example {shape.example}" if shape else "or remove the key"
            return self.at(fault.path, "TOC203", f"{name} is empty", f"write {wanted}, {help}")
        if "string" in allowed and isinstance(value, int | float):
            text = self.written(fault.path)
            if shape is not None and shape.is_duration:
                wanted = f"text: {shape.what}"
                help = f'write "{text}m" or "{text}s"'
            else:
                help = f'write "{text}"'
        else:
            help = _as_type(allowed, value)
        return self.at(fault.path, "TOC203", f"{name} must be {wanted}, not {shown(value)}", help)

    def constant(self, fault: Fault) -> Diagnostic:
        wanted = shown(fault.schema.get("const"))
        if fault.path == ("version",):
            newer = isinstance(fault.value, int) and fault.value > 1
            message = (
                f"version {shown(fault.value)} of this format is unknown; this tocsin reads version {wanted}"
            )
            return self.at(
                fault.path, "TOC206", message, "update tocsin" if newer else f"write `version: {wanted}`"
            )
        return self.at(
            fault.path,
            "TOC204",
            f"{self.name(fault.path)} must be {wanted}, not {shown(fault.value)}",
            f"write {wanted}",
        )

    def not_one_of(self, fault: Fault) -> Diagnostic:
        allowed = [str(each) for each in items(fault.schema.get("enum"))]
        if fault.value is None:
            return self.at(
                fault.path,
                "TOC203",
                f"{self.name(fault.path)} is empty",
                f"write one of {', '.join(allowed)}",
            )
        meant = nearest_key(str(fault.value), allowed)
        message = f"{self.name(fault.path)} cannot be {shown(fault.value)}"
        return self.at(
            fault.path,
            "TOC204",
            message,
            (f"did you mean {meant}? " if meant else "") + f"one of {', '.join(allowed)}",
        )

    def bad_shape(self, fault: Fault) -> Diagnostic:
        shape = _shape(fault.schema)
        text = str(fault.value)
        code = "TOC205" if shape.is_duration else "TOC204"
        message = f"`{cut(text)}` is not {shape.what}" if text else f"{self.name(fault.path)} is empty"
        return self.at(fault.path, code, message, _instead(shape, text, fault.schema))

    def bad_key(self, fault: Fault) -> Diagnostic:
        names = fault.schema
        text = str(fault.value)
        shape = _shape(names)
        code = "TOC205" if shape.is_duration else "TOC204"
        what = shape.what
        if what.startswith("a label name") and fault.path and fault.path[-1] == "annotations":
            what = what.replace("a label name", "an annotation name")
        if what.startswith("a key") and fault.path:
            what = {
                "levels": "a level's key",
                "overrides": "an override's key",
                "environments": "an environment's name",
            }.get(str(fault.path[-1]), "a key") + what[5:]
        return self.at(
            (*fault.path, text),
            code,
            f"`{cut(text)}` is not {what}",
            _instead(shape, text, names),
            key=True,
        )

    def none_of(self, fault: Fault) -> Iterator[Diagnostic]:
        required = [words(mapping(each).get("required")) for each in items(fault.schema.get(fault.keyword))]
        if all(required):
            choice = " or ".join(f"`{each[0]}`" for each in required)
            yield self.at(
                fault.path, "TOC202", f"{self.noun(fault.path)} needs {choice}", f"add {choice}", key=True
            )
            return
        fitting = [
            branch
            for branch in fault.branches
            if not any(each.path == fault.path and each.keyword == "type" for each in branch)
        ]
        if fitting:
            # The value has the type of one alternative: what is wrong inside that one is what the author
            # wants to hear.
            for each in fitting[0]:
                yield from self.say(each)
            return
        types = tuple(
            word
            for each in items(fault.schema.get(fault.keyword))
            for word in words(mapping(each).get("type"))
        )
        yield self.wrong_type(fault, types)

    def out_of_bounds(self, fault: Fault) -> Diagnostic:
        name, bound, value = self.name(fault.path), fault.schema.get(fault.keyword), fault.value
        code, help = "TOC204", ""
        match fault.keyword:
            case "minLength" | "minItems" | "minProperties" if not value:
                message = f"{name} is empty"
                shape = SHAPES.get(str(fault.schema.get("pattern", "")))
                code = "TOC205" if shape and shape.is_duration else code
                help = f"write {shape.example}" if shape else "write something here, or remove the key"
            case "minimum" | "maximum":
                bounded = f"at {'least' if fault.keyword == 'minimum' else 'most'} {bound}"
                message, help = f"{name} must be {bounded}, not {shown(value)}", f"write {bound}"
            case "uniqueItems":
                values = items(value)
                twice = next((each for index, each in enumerate(values) if each in values[:index]), None)
                message, help = f"{shown(twice)} stands twice in {name}", "keep one of the two"
            case "maxProperties" | "minProperties" | "maxItems" | "minItems":
                bounded = f"at {'least' if fault.keyword.startswith('min') else 'most'} {bound}"
                count = len(value) if isinstance(value, Mapping | list) else 0
                message = f"{name} takes {bounded}, not {count}"
            case "maxLength":
                message = f"{name} is longer than {bound} characters"
                help = "shorten it"
            case _:
                message = f"{name} cannot be {shown(value)}"
                help = str(fault.schema.get("description", ""))
        return self.at(fault.path, code, message, help)

    # --- places and names

    def at(self, path: Path, code: str, message: str, help: str, *, key: bool = False) -> Diagnostic:
        span: Span = (
            self.origin.key(*path) if key and path and isinstance(path[-1], str) else self.origin.value(*path)
        )
        return diagnostic(code, span, message, help=help, subject=self.subject(path))

    def node(self, path: Path) -> object:
        node: object = self.origin.node
        for step in path:
            node = (
                node[step]
                if isinstance(node, list) and isinstance(step, int)
                else mapping(node).get(str(step))
            )
        return node

    def written(self, path: Path) -> str:
        """The value as the author typed it: `5.0` stays `5.0`."""
        return self.origin.value(*path).slice(self.origin.text).strip() or shown(self.node(path))

    def subject(self, path: Path) -> str:
        """The path without positions where a name is known, so that a moved rule keeps its subject."""
        steps: list[str] = []
        for index, step in enumerate(path):
            if isinstance(step, str):
                steps.append(step)
                continue
            node = mapping(self.node(path[: index + 1]))
            named = next(
                (
                    str(node[key])
                    for key in ("id", "record", "alert", "name")
                    if isinstance(node.get(key), str)
                ),
                str(step),
            )
            steps[-1:] = (
                [named]
                if steps[-1:] and steps[-1] in ("groups", "rules", "tests", "evaluators")
                else [*steps[-1:], named]
            )
        return ".".join(steps)

    def is_rule(self, path: Path) -> bool:
        return self.kind == "rules" and len(path) == 4 and path[0] == "groups" and path[2] == "rules"

    def noun(self, path: Path) -> str:
        """What stands at `path`, with its article."""
        if not path:
            return TOPS[self.kind]
        if self.is_rule(path):
            return "a recording rule" if "record" in mapping(self.node(path)) else "an alert"
        parent = str(path[-2]) if len(path) > 1 else ""
        named = _NOUNS.get((self.kind, parent))
        if named:
            return named
        return f"`{path[-1]}`" if isinstance(path[-1], str) else f"an item of `{parent}`"

    def name(self, path: Path) -> str:
        if not path:
            return TOPS[self.kind]
        if isinstance(path[-1], str):
            return f"`{path[-1]}`"
        return f"item {path[-1] + 1} of `{path[-2]}`" if len(path) > 1 else f"item {path[-1] + 1}"

    def belongs(self, path: Path, key: str) -> str:
        """The thing around, or inside, `path` that has a key of this name."""
        if self.kind != "rules":
            return ""
        return _HOMES.get(key, "")

    def write(self, schema: Mapping[str, object], key: str) -> str:
        """What to type for a missing key."""
        described = mapping(mapping(schema.get("properties")).get(key))
        if "const" in described:
            return f"write `{key}: {described['const']}`"
        if "enum" in described:
            return f"write `{key}:` and one of {', '.join(map(str, items(described['enum'])))}"
        about = str(described.get("description", "")).split(". ")[0].rstrip(".")
        shape = SHAPES.get(str(described.get("pattern", "")))
        if shape and re.fullmatch(r"\S+", shape.example):
            return f"write `{key}: {shape.example}`" + (f": {about[:1].lower()}{about[1:]}" if about else "")
        return f"add `{key}:`" + (f": {about[:1].lower()}{about[1:]}" if about else "")


_GRADED = "an alert or a level"
_HOMES = {
    "interval": "the group", "query_offset": "the group", "service": "the file", "version": "the file",
    "limit": "the group (or, as a parameter, to `params` or a level)", "groups": "the file",
    "tests": "the file", "alert": "a rule", "record": "a rule", "levels": "an alert", "overrides": "an alert",
    "identity": "an alert", "sop_ref": "an alert", "keep_firing_for": _GRADED, "for": _GRADED,
    "severity": _GRADED, "summary": _GRADED, "description": _GRADED,
}  # fmt: skip
"""Where a key of a rule file belongs that was written elsewhere."""
_TRUTHS = {
    **dict.fromkeys(("yes", "on", "y", "true"), "true"),
    **dict.fromkeys(("no", "off", "n", "false"), "false"),
}
_NOUNS = {
    ("rules", "groups"): "a group", ("rules", "tests"): "a test", ("rules", "levels"): "a level",
    ("rules", "overrides"): "an override", ("project", "severities"): "a severity",
    ("project", "teams"): "a team", ("project", "environments"): "an environment",
    ("project", "evaluators"): "an evaluator", ("project", "datasources"): "a data source",
}  # fmt: skip


def _as_type(allowed: tuple[str, ...], value: object) -> str:
    """What to type so that `value` gets an allowed type; empty where that needs more than a sentence."""
    if "array" in allowed and not isinstance(value, Mapping | list):
        return f"write [{value}]"
    if "object" in allowed:
        return (
            "write keys, not a list: remove the dashes"
            if isinstance(value, list)
            else "write `key: value` below it"
        )
    if isinstance(value, str) and "boolean" in allowed:
        return f"write {_TRUTHS.get(value.lower(), 'true or false')}"
    if isinstance(value, str) and {"number", "integer"} & set(allowed):
        number = re.fullmatch(r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*", value)
        return f"write {number[1]} without quotes" if number else "write a number"
    if "integer" in allowed and isinstance(value, float):
        return f"write {round(value)}"
    return ""


def _instead(shape: Shape, text: str, schema: Mapping[str, object]) -> str:
    fixed = shape.fix(text)
    if fixed and fixed != text and re.search(str(schema.get("pattern", "")), fixed):
        return f"did you mean {fixed}?"
    return f"write, for example, {shape.example}"


def _shape(schema: Mapping[str, object]) -> Shape:
    return SHAPES.get(
        str(schema.get("pattern", "")),
        Shape("allowed here", str(schema.get("description", "another value"))),
    )
