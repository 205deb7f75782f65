"""What a parsed template is made of. Offsets count characters of the author's text.

Blocks are kept flat: a template is one run of statements in which `{{if}}`, `{{else}}` and `{{end}}` stand
where they were written, so that 100,000 nested blocks need no recursion to build, walk or free. Nodes are
named tuples and not dataclasses because a compile builds hundreds of thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """Why Prometheus would refuse a template, and where in the text (None: nowhere in particular)."""

    message: str
    offset: int | None


class Field(NamedTuple):
    """`.name` after a term; `start` is the dot."""

    name: str
    start: int
    end: int


class Operand(NamedTuple):
    """One argument. `kind` is name, variable, field, dot, string, number, bool, nil or paren; a `field`
    operand holds its own first name in `fields`."""

    kind: str
    text: str
    start: int
    end: int
    fields: tuple[Field, ...]
    inner: Pipeline | None


class Pipeline(NamedTuple):
    """`$a, $b := command | command`."""

    start: int
    declared: tuple[str, ...]
    assigns: bool
    commands: tuple[tuple[Operand, ...], ...]


class Statement(NamedTuple):
    """One action. `op` is emit, if, with, range, else, else if, else with, end, break, continue, template,
    define or block."""

    op: str
    start: int
    pipeline: Pipeline | None
    name: str


class Template(NamedTuple):
    """A template that Prometheus accepts: its statements, which statement ends each block, and where each
    named template's own block starts."""

    statements: tuple[Statement, ...]
    ends: dict[int, int]
    named: dict[str, int]


def pipelines(template: Template) -> Iterator[Pipeline]:
    """Every pipeline of `template`, the parenthesised ones included, in the order of the text."""
    todo = [
        statement.pipeline for statement in reversed(template.statements) if statement.pipeline is not None
    ]
    while todo:
        pipeline = todo.pop()
        yield pipeline
        inner = [arg.inner for command in pipeline.commands for arg in command if arg.inner is not None]
        todo.extend(reversed(inner))


def operands(template: Template) -> Iterator[Operand]:
    """Every argument in `template`; those inside parentheses come after the pipeline that holds them."""
    for pipeline in pipelines(template):
        for command in pipeline.commands:
            yield from command
