"""A source in an older version of its format -> the same source in the present one, by the tables of `source.old_formats`.

Keys and values are spliced where they stand, so comments, order, quotes and layout stay as they were typed. What came out is read again and compared
with what the table says the data must be now: a place that cannot be spliced is a finding, and never a file that means something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.diag.origin import Origin
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span
from tocsin.source.layout import in_brackets
from tocsin.source.markdown import split
from tocsin.source.old_formats import QUIET, TABLES, VALUE, Form, Row, Rows, migrates
from tocsin.source.schema import Kind
from tocsin.source.splice import CannotSplice, Path, Splices, lifted
from tocsin.source.tree import read_document

_SOP: Final = re.compile(r"([A-Z][A-Z0-9-]*-[0-9]{3,})(?:\.md|\.html)?/?(#[^\s#]+)?\Z")
_USED: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|\{\{(?:(?!\{\{).)*?\}\}|\$threshold\b", re.DOTALL)
_LITERAL: Final = re.compile(r"\$(?=\{[A-Za-z_][A-Za-z0-9_]*\})")
_LONGEST: Final = 300
"""Characters at the end of an address in which a SOP is looked for."""
_FORMS: Final[Mapping[Form, tuple[type | tuple[type, ...], str]]] = {
    "any": (object, ""),
    "text": (str, "text"),
    "number": ((int, float), "a number"),
    "list": (list, "a list"),
    "map": (dict, "a mapping of keys to values"),
}
_UNSEEN: Final = frozenset("\x85\u2028\u2029")
"""What ends a line in YAML and in no editor: nobody can say which line a comment behind it stands in."""
_HAND: Final = "it stands where it cannot be rewritten without its surroundings: change this by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """A source in the present version. `notes` are what was left out, at its old place, with why."""

    path: str
    text: str
    notes: tuple[tuple[Span, str], ...]


def migrate(file: SourceFile, kind: Kind) -> tuple[Migrated | None, tuple[Diagnostic, ...]]:
    """`file` in the present version; None where it is in it already (or in a newer one), and where there are findings: what cannot be read, what
    its version does not know, and what cannot be moved."""
    notes: list[tuple[Span, str]] = []
    present = file
    while True:
        origin, found = _read(present, kind)
        if origin is None:
            return None, tuple(each for each in found if each.severity >= 3)
        version = origin.node.get("version")
        if not migrates(kind, version):
            break
        stop = tuple(each for each in found if each.severity >= 3 or each.span.slice(present.text) in _UNSEEN)
        if stop:
            return None, stop
        mover = _Mover(kind, int(str(version)), origin)
        text = mover.moved()
        if text is None:
            return None, tuple(mover.found)
        notes.extend(mover.notes)
        present = replace(present, text=text)
    if present is file:
        return None, ()
    return Migrated(path=file.path, text=present.text, notes=tuple(notes)), ()


def _read(file: SourceFile, kind: Kind) -> tuple[Origin | None, tuple[Diagnostic, ...]]:
    if kind in ("sop", "incident"):
        pieces, found = split(file)
        return (pieces.document.origin if pieces.document is not None else None), found
    document, found = read_document(file)
    return (document.origin if document is not None else None), found


class _Mover:
    """Moves one document up by one version."""

    def __init__(self, kind: Kind, version: int, origin: Origin) -> None:
        self.kind = kind
        self.version = version
        self.tables = TABLES[kind, version]
        self.origin = origin
        self.splices = Splices(origin)
        self.found: list[Diagnostic] = []
        self.notes: list[tuple[Span, str]] = []
        self.lift: tuple[str, str] | None = None
        """A list's key, and the list that it becomes an item of."""

    def moved(self) -> str | None:
        """The text, or None with findings."""
        wanted = self.mapping(self.origin.node, (), self.tables[""])
        if self.found:
            return None
        try:
            text = self.splices.text()
            if self.lift is not None:
                text = lifted(text, *self.lift, str(wanted["service"]))
        except CannotSplice as stopped:
            self.say("TOC204", stopped.path, "this cannot be moved to the next version", _HAND)
            return None
        if self.lift is not None:
            wanted = _lifted(wanted, *self.lift)
        origin, _ = _read(SourceFile(path=self.origin.file, text=text), self.kind)
        if origin is None or json.dumps(origin.node) != json.dumps(wanted):
            self.say("TOC204", ("version",), f"version {self.version} of this file cannot be moved", _HAND)
            return None
        return text

    def say(self, code: str, path: Path, message: str, help: str, *, key: bool = False) -> None:
        span = self.origin.key(*path) if key else self.origin.value(*path)
        self.found.append(diagnostic(code, span, message, help=help))

    def mapping(self, node: Mapping[str, object], path: Path, rows: Rows) -> dict[str, object]:
        """What the data is in the next version; where it stands in the text is changed on the way."""
        made: dict[str, object] = {}
        of: dict[str, str] = {}
        for key in (each for each, row in rows.items() if row.needed and each not in node):
            words = f"`{key}` is missing: version {self.version} needs it"
            self.say("TOC202", path, words, f"write `{key}:`")
        for key, value in node.items():
            here = (*path, key)
            row = rows.get(key)
            if row is None:
                self.unknown(here, key, rows)
                continue
            kinds, words = _FORMS[row.form]
            if not isinstance(value, kinds) or (row.form == "number" and isinstance(value, bool)):
                self.say(
                    "TOC203", here, f"`{key}` must be {words} in version {self.version}", f"write {words}"
                )
                continue
            if row.gone:
                self.splices.remove(here)
                if row.gone != QUIET:
                    self.notes.append((self.origin.key(*here), f"`{key}` is gone: {row.gone}"))
                continue
            name = row.to or key
            if name in of:
                self.say(
                    "TOC204",
                    here,
                    f"`{of[name]}` and `{key}` both become `{name}`",
                    "keep one of them",
                    key=True,
                )
                continue
            of[name] = key
            made[name] = self.value(value, here, name, row, node)
        return made

    def unknown(self, path: Path, key: str, rows: Rows) -> None:
        was = next((old for old, row in rows.items() if row.to == key), None)
        help = f"version {self.version} calls it `{was}`" if was else did_you_mean(key, rows)
        self.say("TOC201", path, f"version {self.version} of this format has no `{key}` here", help, key=True)

    def value(self, value: object, path: Path, name: str, row: Row, around: Mapping[str, object]) -> object:
        if row.wrap is not None:
            text = in_brackets(row.wrap).replace(in_brackets(VALUE), VALUE)
            before, _, after = text.partition(VALUE)
            self.splices.rename(path, name)
            self.splices.wrap(path, before, after, value)
            return _filled(row.wrap, value)
        if row.to:
            self.splices.rename(path, name)
        match row.reading:
            case "version":
                self.splices.replace(path, str(self.version + 1))
                return self.version + 1
            case "sop":
                return self.sop(str(value), path)
            case "words":
                return self.words(value, path, known="threshold" in around)
        if row.item_of:
            self.lift = (name, row.item_of)
        if row.below and isinstance(value, list):
            return [self.below(each, (*path, index), row.below) for index, each in enumerate(value)]
        if row.each and isinstance(value, dict):
            return {key: self.below(each, (*path, key), row.each) for key, each in value.items()}
        return value

    def below(self, value: object, path: Path, table: str) -> object:
        if isinstance(value, dict):
            return self.mapping(value, path, self.tables[table])
        self.say(
            "TOC203",
            path,
            "this must be a mapping of keys to values",
            f"known: {', '.join(self.tables[table])}",
        )
        return None

    def sop(self, value: str, path: Path) -> str:
        found = _SOP.search(value[-_LONGEST:])
        if found is None:
            help = "write the SOP's id here, such as SOP-KAFKA-007, or take the key out"
            self.say("TOC204", path, "this address ends with no SOP's id", help)
            return ""
        made = found[1] + (found[2] or "")
        self.splices.replace(path, made)
        return made

    def words(self, value: object, path: Path, *, known: bool) -> object:
        if isinstance(value, dict):
            return {key: self.words(each, (*path, key), known=known) for key, each in value.items()}
        if not isinstance(value, str):
            return value
        made = _parametrised(value)
        if made == value:
            return value
        if not known and any(each.group() == "$threshold" for each in _USED.finditer(value)):
            self.say(
                "TOC404",
                path,
                "`$threshold` is used, and this rule has no `threshold`",
                "write `threshold: 1`",
            )
        self.splices.rewrite(path, _parametrised)
        return made


def _parametrised(text: str) -> str:
    """`$threshold` becomes `${threshold}`, and `${x}`, which was nothing but text, `$${x}`; `$threshold` in an action of a template is a variable."""

    def each(match: re.Match[str]) -> str:
        said = match.group()
        if said == "$threshold":
            return "${threshold}"
        return _LITERAL.sub("$$", said)

    return _USED.sub(each, text)


def _filled(shape: object, value: object) -> object:
    if isinstance(shape, dict):
        return {key: _filled(each, value) for key, each in shape.items()}
    if isinstance(shape, list):
        return [_filled(each, value) for each in shape]
    return value if shape == VALUE else shape


def _lifted(data: Mapping[str, object], name: str, into: str) -> dict[str, object]:
    """With the list `name` in the one item of the list `into`."""
    return {
        (into if key == name else key): ([{"name": data["service"], name: value}] if key == name else value)
        for key, value in data.items()
    }
