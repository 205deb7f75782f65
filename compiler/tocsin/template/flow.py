"""Follows the alert's own data (labels, value, external labels) through a parsed template.

In: a `Template`. Out: `Flow`, every place where the text reads that data. The dot changes its meaning inside
`with` and `range`, variables get other names for it, named templates get it as their argument: `.Value` is
the alert's value at the top and a sample's value inside `{{ range query ... }}`. What cannot be followed (a
value out of `args`, a variable assigned twice) has the form UNKNOWN, and reading one of the alert's field
names from it is reported as unsure. No recursion: parentheses are walked with a list, named templates with a
queue of (name, form of the argument).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple, TypeAlias

from tocsin.template.literals import unquote
from tocsin.template.tree import Operand, Pipeline, Statement, Template, pipelines

ReadKind: TypeAlias = Literal["label", "labels", "value", "external", "data", "unsure", "assigned"]


class Form(Enum):
    """What an expression holds: all of the alert's data, one part of it, or nothing of it."""

    DATA = "data"
    LABELS = "labels"
    VALUE = "value"
    EXTERNAL = "external"
    OTHER = "other"
    UNKNOWN = "unknown"


class Thing(NamedTuple):
    form: Form
    literal: str | None = None


class Read(NamedTuple):
    """One place that reads alert data. `label`: one label, by name. `labels`, `data`: handed on as a whole.
    `value`, `external`: spelled as a variable or as a field. `unsure`: a field of that name of something
    unknown. `assigned`: one of Prometheus' own variables gets another content. `start`, `end` cover the
    variable or field read; `whole` is where its operand starts; `named` says that it stands in a named
    template."""

    kind: ReadKind
    name: str
    start: int
    end: int
    whole: int
    field: bool
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """`declared`: variables the author declares. `mixed`: some named template gets different things."""

    reads: tuple[Read, ...]
    functions: frozenset[str]
    queries: tuple[str, ...]
    declared: frozenset[str]
    mixed: bool


_FIELDS = {
    "Labels": Form.LABELS,
    "Value": Form.VALUE,
    "ExternalLabels": Form.EXTERNAL,
    "ExternalURL": Form.EXTERNAL,
}
_GIVEN = {
    "$labels": Form.LABELS,
    "$value": Form.VALUE,
    "$externalLabels": Form.EXTERNAL,
    "$externalURL": Form.EXTERNAL,
}
_OTHER = Thing(Form.OTHER)
_UNKNOWN = Thing(Form.UNKNOWN)
# These give back one of their arguments, or a container of them.
_HAND_ON = frozenset({"and", "or", "args", "index", "slice", "call"})


def flow(template: Template) -> Flow:
    """Every read of alert data in `template`; named templates count with the arguments of their calls."""
    walk = _Walk(template)
    walk.run()
    return Flow(
        reads=tuple(sorted(walk.reads, key=lambda read: (read.start, read.kind, read.name))),
        functions=frozenset(walk.functions),
        queries=tuple(query for _, query in sorted(walk.queries)),
        declared=frozenset(walk.declared),
        mixed=len({name for name, _ in walk.calls}) < len(walk.calls),
    )


class _Binding(NamedTuple):
    thing: Thing
    given: bool


class _Walk:
    def __init__(self, template: Template) -> None:
        self.template = template
        self.reads: set[Read] = set()
        self.functions: set[str] = set()
        self.queries: set[tuple[int, str]] = set()
        self.declared: set[str] = set()
        self.assigned = _assigned(template)
        self.calls: set[tuple[str, Form]] = set()
        self.waiting: deque[tuple[str, Form]] = deque()
        self.variables: dict[str, list[_Binding]] = {}
        self.order: list[str] = []
        self.dot = _OTHER
        self.named = False

    # -- statements

    def run(self) -> None:
        given = [(name, _Binding(Thing(form), True)) for name, form in _GIVEN.items()]
        self._body(0, len(self.template.statements), Thing(Form.DATA), given)
        self.named = True
        while self.waiting:
            name, form = self.waiting.popleft()
            opener = self.template.named.get(name)
            if opener is not None:
                self._body(opener + 1, self.template.ends[opener], Thing(form), [])

    def _body(self, at: int, end: int, data: Thing, given: list[tuple[str, _Binding]]) -> None:
        self.variables = {"$": [_Binding(data, True)], **{name: [binding] for name, binding in given}}
        self.order = []
        self.dot = data
        outer: list[tuple[Thing, int, int]] = []
        while at < end:
            statement = self.template.statements[at]
            if statement.op in ("if", "with", "range"):
                before = (self.dot, len(self.order))
                self._enter(statement)
                outer.append((*before, len(self.order)))
            elif statement.op.startswith("else"):
                # What the branch before declared is known to the parser here, but was never stored when this
                # one runs.
                self.dot = outer[-1][0]
                self._forget(outer[-1][2])
                if statement.op != "else":
                    self._enter(statement)
            elif statement.op == "end":
                self.dot, size, _ = outer.pop()
                self._forget(size)
            elif statement.op in ("template", "block"):
                self._call(statement)
                at = self.template.ends.get(at, at)
            elif statement.op == "define":
                at = self.template.ends[at]
            elif statement.op == "emit" and statement.pipeline is not None:
                self._emit(statement.pipeline)
            at += 1

    def _forget(self, size: int) -> None:
        while len(self.order) > size:
            self.variables[self.order.pop()].pop()

    def _enter(self, statement: Statement) -> None:
        pipeline = statement.pipeline
        if pipeline is None:
            return
        ranged = statement.op == "range"
        thing = self._value(pipeline, binds=not ranged)
        if ranged:
            self._handed_on(thing, pipeline.start, pipeline.start)
            thing = _UNKNOWN if thing.form in (Form.UNKNOWN, Form.DATA) else _OTHER
            for name in pipeline.declared:
                self._declare(name, thing, pipeline.start)
        if not statement.op.endswith("if"):
            self.dot = thing

    def _call(self, statement: Statement) -> None:
        thing = self._value(statement.pipeline) if statement.pipeline is not None else _OTHER
        call = (statement.name, thing.form)
        if call not in self.calls:
            self.calls.add(call)
            self.waiting.append(call)

    def _emit(self, pipeline: Pipeline) -> None:
        thing = self._value(pipeline)
        if not pipeline.declared:
            self._handed_on(thing, pipeline.start, pipeline.start)

    # -- expressions

    def _value(self, pipeline: Pipeline, binds: bool = True) -> Thing:
        """What `pipeline` holds; parenthesised pipelines inside it are valued first, innermost first."""
        values: dict[int, Thing] = {}
        todo: list[tuple[Pipeline, bool]] = [(pipeline, False)]
        while todo:
            here, ready = todo.pop()
            if not ready:
                todo.append((here, True))
                inner = [arg.inner for command in here.commands for arg in command if arg.inner is not None]
                todo.extend((one, False) for one in reversed(inner))
                continue
            thing: Thing | None = None
            for command in here.commands:
                thing = self._command(command, thing, values)
            values[id(here)] = thing or _OTHER
            if binds or here is not pipeline:
                for name in here.declared:
                    self._bind(name, values[id(here)], here)
        return values[id(pipeline)]

    def _bind(self, name: str, thing: Thing, pipeline: Pipeline) -> None:
        if not pipeline.assigns:
            self._declare(name, thing, pipeline.start)
            return
        bound = self.variables.get(name)
        if bound and bound[-1].given:
            self._read("assigned", name, pipeline.start, pipeline.start)
        self._handed_on(thing, pipeline.start, pipeline.start)

    def _declare(self, name: str, thing: Thing, start: int) -> None:
        self.declared.add(name)
        if name in self.assigned:
            self._handed_on(thing, start, start)
            thing = _UNKNOWN
        self.variables.setdefault(name, []).append(_Binding(thing, False))
        self.order.append(name)

    def _command(self, command: tuple[Operand, ...], piped: Thing | None, values: dict[int, Thing]) -> Thing:
        first = command[0]
        if first.kind != "name" or first.fields:
            things = [self._operand(argument, values) for argument in command]
            if len(things) == 1 and piped is None:
                return things[0]
            return _OTHER
        name = first.text
        self.functions.add(name)
        arguments = [self._operand(argument, values) for argument in command[1:]]
        if piped is not None:
            arguments.append(piped)
        if name == "query" and arguments and arguments[0].literal is not None:
            self.queries.add((first.start, arguments[0].literal))
        if name == "index" and arguments and arguments[0].form is Form.LABELS:
            key = arguments[1].literal if len(arguments) == 2 else None
            at = command[2] if len(command) > 2 else first
            kind: ReadKind = "labels" if key is None else "label"
            self._read(kind, key or "", at.start, at.end)
            return _OTHER
        for argument in arguments:
            self._handed_on(argument, first.start, first.end)
        if name not in _HAND_ON or all(argument.form in (Form.OTHER, Form.VALUE) for argument in arguments):
            return _OTHER
        return _UNKNOWN

    def _operand(self, operand: Operand, values: dict[int, Thing]) -> Thing:
        thing, fields = _OTHER, operand.fields
        if operand.kind == "string":
            return Thing(Form.OTHER, unquote(operand.text))
        if operand.kind == "name":
            self.functions.add(operand.text)
        elif operand.kind == "paren":
            thing = values[id(operand.inner)]
        elif operand.kind in ("dot", "field"):
            thing = self.dot
        elif operand.kind == "variable":
            thing = self._variable(operand)
        for field in fields:
            if thing.form is Form.LABELS:
                self._read("label", field.name, field.start, field.end, operand.start, True)
                thing = _OTHER
            elif thing.form is Form.DATA:
                thing = Thing(_FIELDS.get(field.name, Form.OTHER))
                self._part(thing.form, field.name, field.start, field.end, operand.start, True)
            elif thing.form is Form.UNKNOWN and field.name in _FIELDS:
                self._read("unsure", field.name, field.start, field.end, operand.start, True)
            elif thing.form is not Form.UNKNOWN:
                thing = _OTHER
        return thing

    def _variable(self, operand: Operand) -> Thing:
        end = operand.start + len(operand.text)
        bound = self.variables.get(operand.text)
        if (
            not bound
        ):  # a variable of an if branch seen from its else branch: nothing is stored there at run time
            return _UNKNOWN
        if bound[-1].given:
            self._part(bound[-1].thing.form, operand.text, operand.start, end, operand.start, False)
        return bound[-1].thing

    # -- reads

    def _part(self, form: Form, name: str, start: int, end: int, whole: int, field: bool) -> None:
        if form is Form.VALUE:
            self._read("value", name, start, end, whole, field)
        elif form is Form.EXTERNAL:
            self._read("external", name, start, end, whole, field)

    def _handed_on(self, thing: Thing, start: int, end: int) -> None:
        if thing.form is Form.LABELS:
            self._read("labels", "", start, end)
        elif thing.form is Form.DATA:
            self._read("data", "", start, end)

    def _read(
        self, kind: ReadKind, name: str, start: int, end: int, whole: int | None = None, field: bool = False
    ) -> None:
        self.reads.add(Read(kind, name, start, end, start if whole is None else whole, field, self.named))


def _assigned(template: Template) -> frozenset[str]:
    """Every variable some `$x = ...` of the text gives another content."""
    return frozenset(
        name for pipeline in pipelines(template) if pipeline.assigns for name in pipeline.declared
    )
