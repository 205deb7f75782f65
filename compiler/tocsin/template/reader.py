"""Reads one action: its tokens, in order, and the pipelines they make.

In: the tokens between `{{` and `}}` and the variables known there. Out: a `Pipeline`; a wrong token raises
`Refused`, which `parser.parse` turns into a `TemplateProblem`. Parentheses wait on a list while the ones
inside them are read.
"""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.template.functions import Dialect
from tocsin.template.lexer import SPACES, Token, short, tokens
from tocsin.template.tree import Field, Operand, Pipeline, TemplateProblem

_OPERANDS = frozenset({"name", "variable", "field", "dot", "string", "number", "bool", "nil", "lparen"})
_CONSTANTS = frozenset({"dot", "string", "number", "bool", "nil"})


class Refused(Exception):
    """A template Prometheus would not load; leaves this room as a `TemplateProblem`."""

    def __init__(self, message: str, offset: int) -> None:
        self.problem = TemplateProblem(message, offset)


class Scope:
    """The variables one template (the main text, a define, a block) knows at this point."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.order = list(names)
        self.known = dict.fromkeys(names, 1)
        self.ranges = 0

    def add(self, name: str) -> None:
        self.order.append(name)
        self.known[name] = self.known.get(name, 0) + 1

    def shrink(self, size: int) -> None:
        while len(self.order) > size:
            self.known[self.order.pop()] -= 1


@dataclass(slots=True)
class _Open:
    """A pipeline being read; the ones outside its parentheses wait on a list."""

    context: str
    start: int
    declared: tuple[str, ...]
    assigns: bool
    commands: list[tuple[Operand, ...]]
    command: list[Operand]


class ActionReader:
    """One action of `text`, from `at`, just after `{{` and its trim marker."""

    def __init__(self, text: str, at: int, language: Dialect, scope: Scope) -> None:
        cut = tokens(text, at)
        if isinstance(cut, TemplateProblem):
            raise Refused(cut.message, at if cut.offset is None else cut.offset)
        self.text = text
        self.tokens = cut
        self.index = 0
        self.language = language
        self.scope = scope

    @property
    def end(self) -> int:
        """Where the text goes on after the action."""
        return self.tokens[-1].end

    def peek(self) -> Token:
        return self.tokens[self.index]

    def next(self) -> Token:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def said(self, token: Token) -> str:
        return f"`{short(self.text[token.start : token.end].strip(SPACES))}`"

    def expect(self, kind: str, context: str) -> Token:
        token = self.next()
        if token.kind != kind:
            raise Refused(f"unexpected {self.said(token)} in {context}", token.start)
        return token

    def pipeline(self, context: str) -> Pipeline:
        """Read a pipeline up to the end of the action, its parenthesised ones included."""
        waiting: list[_Open] = []
        here = self._begin(context)
        while True:
            token = self.next()
            if token.kind == "lparen":
                self._separated(here, token)
                if self.language.paren_limit is not None and len(waiting) >= self.language.paren_limit:
                    raise Refused("too many nested parentheses", token.start)
                waiting.append(here)
                here = self._begin("parentheses", token.start)
            elif token.kind in _OPERANDS:
                self._separated(here, token)
                here.command.append(self._term(token))
            elif token.kind == "pipe" and here.command:
                here.commands.append(tuple(here.command))
                here.command = []
            elif token.kind == ("rparen" if waiting else "close"):
                done = self._finish(here, token)
                if not waiting:
                    return done
                here = waiting.pop()
                here.command.append(self._chained("paren", "", done.start, token.end, (), done))
            else:
                raise Refused(f"unexpected {self.said(token)} in {here.context}", token.start)

    def _separated(self, here: _Open, token: Token) -> None:
        if here.command and not token.spaced:
            raise Refused(f"a space is missing before {self.said(token)}", token.start)

    def _begin(self, context: str, start: int | None = None) -> _Open:
        declared: list[str] = []
        assigns = False
        begin = self.peek().start if start is None else start
        while self.peek().kind == "variable":
            variable, follower = self.peek(), self.tokens[self.index + 1]
            if follower.kind not in ("declare", "assign", "comma"):
                break
            self.index += 2
            name = self.text[variable.start : variable.end]
            declared.append(name)
            self.scope.add(name)
            if follower.kind != "comma":
                assigns = follower.kind == "assign"
                break
            if context != "range" or len(declared) > 1:
                raise Refused(f"too many declarations in {context}", follower.start)
            if self.peek().kind not in ("variable", "close", "rparen"):
                raise Refused("`range` can only declare variables", self.peek().start)
        return _Open(context, begin, tuple(declared), assigns, [], [])

    def _finish(self, here: _Open, closing: Token) -> Pipeline:
        if here.command:
            here.commands.append(tuple(here.command))
        if not here.commands:
            raise Refused(f"a value is missing in {here.context}", closing.start)
        for command in here.commands[1:]:
            if command[0].kind in _CONSTANTS:
                raise Refused("a value after `|` is not something to call", command[0].start)
        return Pipeline(here.start, here.declared, here.assigns, tuple(here.commands))

    def _term(self, token: Token) -> Operand:
        word = self.text[token.start : token.end]
        if token.kind == "name" and word not in self.language.functions:
            raise Refused(f"function `{short(word)}` does not exist", token.start)
        if token.kind == "variable" and not self.scope.known.get(word):
            raise Refused(f"variable `{short(word)}` is not declared", token.start)
        first = (Field(word[1:], token.start, token.end),) if token.kind == "field" else ()
        return self._chained(token.kind, word, token.start, token.end, first, None)

    def _chained(
        self, kind: str, text: str, start: int, end: int, fields: tuple[Field, ...], inner: Pipeline | None
    ) -> Operand:
        names = list(fields)
        while (token := self.peek()).kind == "field" and not token.spaced:
            if kind in _CONSTANTS:
                raise Refused(f"a {kind} has no fields", token.start)
            names.append(Field(self.text[token.start + 1 : token.end], token.start, token.end))
            end = token.end
            self.index += 1
        return Operand(kind, text, start, end, tuple(names), inner)
