"""Parses a template the way Prometheus does when it loads a rule file, without running it.

In: the text of a label or annotation. Out: a `Template`, or the first `TemplateProblem`. The grammar is Go's
text/template (https://pkg.go.dev/text/template) with the four variables Prometheus declares in front of every
alert text. Nothing here recurses: open blocks and open parentheses are lists, so hostile nesting costs memory
in proportion to the text and never the interpreter's stack. Odd verdicts that are Go's and that we keep
because promtool keeps them: a pipeline may end in `|`, `$x = 1` needs no earlier `$x`, a variable of an
`{{if}}` branch is still known in `{{else}}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tocsin.template.functions import Dialect
from tocsin.template.lexer import SPACES, Token, tokens
from tocsin.template.literals import unquote
from tocsin.template.tree import Field, Operand, Pipeline, Statement, Template, TemplateProblem

GIVEN = ("$labels", "$externalLabels", "$externalURL", "$value")

_OPEN = re.compile(r"\{\{(?:-(?=[ \t\r\n]))?")
_COMMENT = re.compile(r"[ \t\r\n]/\*")
_COMMENT_END = re.compile(r"(?:[ \t\r\n]-)?\}\}")
_OPERANDS = frozenset({"name", "variable", "field", "dot", "string", "number", "bool", "nil", "lparen"})
_CONSTANTS = frozenset({"dot", "string", "number", "bool", "nil"})
# What Go's bytes.TrimSpace trims; str.strip() would also take U+001C to U+001F.
_BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


class _Refused(Exception):
    def __init__(self, message: str, offset: int) -> None:
        self.problem = TemplateProblem(message, offset)


class _Scope:
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
class _Block:
    kind: str
    opener: int
    start: int
    size: int
    name: str = ""
    outer: _Scope | None = None
    in_else: bool = False
    blank: bool = True


@dataclass(slots=True)
class _Open:
    """A pipeline being read; the ones outside its parentheses wait on a list."""

    context: str
    start: int
    declared: tuple[str, ...]
    assigns: bool
    commands: list[tuple[Operand, ...]]
    command: list[Operand]


def parse(text: str, language: Dialect, alert: str = "") -> Template | TemplateProblem:
    """Parse `text` in `language`. `alert` is the alert's name, which matters only to a text that defines a
    template called `__alert_<name>`, the name Prometheus gives to the text itself."""
    try:
        return _Parser(text, language, alert).run()
    except _Refused as refused:
        return refused.problem


class _Parser:
    def __init__(self, text: str, language: Dialect, alert: str) -> None:
        self.text = text
        self.language = language
        self.main = f"__alert_{alert}"
        self.scope = _Scope(("$", *GIVEN))
        self.blocks: list[_Block] = []
        self.statements: list[Statement] = []
        self.ends: dict[int, int] = {}
        self.named: dict[str, int] = {}
        self.filled: dict[str, bool] = {}
        self.tokens: list[Token] = []
        self.index = 0

    # -- the text between actions

    def run(self) -> Template:
        text = self.text
        at = 0
        while (opening := text.find("{{", at)) >= 0:
            self._filled_by(text[at:opening])
            match = _OPEN.match(text, opening)
            assert match is not None
            inside = match.end()
            trimmed = inside - opening > 2
            comment = _COMMENT.match(text, inside) if trimmed else None
            if comment or text.startswith("/*", inside):
                at = self._comment(opening, comment.end() if comment else inside + 2)
                continue
            # The space after a trim marker belongs to the marker: `{{- -}}` is no trimmed end.
            cut = tokens(text, inside + 1 if trimmed else inside)
            if isinstance(cut, TemplateProblem):
                raise _Refused(cut.message, cut.offset if cut.offset is not None else opening)
            self.tokens, self.index = cut, 0
            self._action(opening)
            at = cut[-1].end
        self._filled_by(text[at:])
        if self.blocks:
            block = self.blocks[-1]
            raise _Refused(f"`{block.kind}` has no `end`", block.start)
        if self.filled.get(self.main):
            raise _Refused(f"the name `{self.main}` belongs to the text itself", 0)
        return Template(tuple(self.statements), self.ends, self.named)

    def _filled_by(self, between: str) -> None:
        if self.blocks and self.blocks[-1].blank and between.strip(_BLANK):
            self.blocks[-1].blank = False

    def _comment(self, opening: int, inside: int) -> int:
        end = self.text.find("*/", inside)
        if end < 0:
            raise _Refused("a comment is not closed", opening)
        close = _COMMENT_END.match(self.text, end + 2)
        if close is None:
            raise _Refused("a comment must end right before `}}`", end)
        return close.end()

    # -- tokens of the action at hand

    def _peek(self) -> Token:
        return self.tokens[self.index]

    def _next(self) -> Token:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def _said(self, token: Token) -> str:
        said = self.text[token.start : token.end].strip(SPACES)
        return f"`{said if len(said) <= 40 else said[:37] + '...'}`"

    def _expect(self, kind: str, context: str) -> Token:
        token = self._next()
        if token.kind != kind:
            raise _Refused(f"unexpected {self._said(token)} in {context}", token.start)
        return token

    # -- actions

    def _action(self, opening: int) -> None:
        first = self._peek()
        kind = first.kind
        if kind not in ("end", "else", "define") and self.blocks:
            self.blocks[-1].blank = False
        if kind in ("if", "with", "range"):
            self.index += 1
            size = len(self.scope.order)
            self._open(_Block(kind, len(self.statements), opening, size), self._pipeline(kind))
        elif kind == "end":
            self.index += 1
            self._expect("close", "`end`")
            self._end(first)
        elif kind == "else":
            self.index += 1
            self._else(first)
        elif kind in ("break", "continue"):
            self.index += 1
            self._expect("close", f"`{kind}`")
            if not self.scope.ranges:
                raise _Refused(f"`{kind}` outside of `range`", first.start)
            self.statements.append(Statement(kind, opening, None, ""))
        elif kind == "template":
            self.index += 1
            name = self._template_name("template")
            pipeline = None if self._peek().kind == "close" else self._pipeline("template")
            self.statements.append(Statement(kind, opening, pipeline, name))
        elif kind == "block" or (kind == "define" and not self.blocks):
            self.index += 1
            self._named_block(kind, opening)
        else:
            self.statements.append(Statement("emit", opening, self._pipeline("command"), ""))

    def _open(self, block: _Block, pipeline: Pipeline | None) -> None:
        self.blocks.append(block)
        self.statements.append(Statement(block.kind, block.start, pipeline, block.name))
        if block.kind == "range":
            self.scope.ranges += 1

    def _named_block(self, kind: str, opening: int) -> None:
        name = self._template_name(kind)
        if kind == "define":
            pipeline = None
            self._expect("close", "`define`")
        else:
            pipeline = self._pipeline("block")
        self._open(_Block(kind, len(self.statements), opening, 0, name, self.scope), pipeline)
        self.scope = _Scope(("$",))

    def _template_name(self, context: str) -> str:
        token = self._expect("string", f"`{context}`, which needs a quoted name")
        return unquote(self.text[token.start : token.end])

    def _end(self, token: Token) -> None:
        if not self.blocks:
            raise _Refused("`end` without a block to end", token.start)
        block = self.blocks.pop()
        self.ends[block.opener] = len(self.statements)
        self.statements.append(Statement("end", token.start, None, block.kind))
        if block.outer is None:
            self.scope.shrink(block.size)
            if block.kind == "range" and not block.in_else:
                self.scope.ranges -= 1
            return
        self.scope = block.outer
        if not self.filled.get(block.name):
            self.named[block.name] = block.opener
            self.filled[block.name] = not block.blank
        elif not block.blank:
            raise _Refused(f"template `{block.name}` is defined twice", block.start)

    def _else(self, token: Token) -> None:
        block = self.blocks[-1] if self.blocks else None
        follower = self._peek().kind
        if block is None or block.outer is not None:
            raise _Refused("`else` outside of `if`, `with` or `range`", token.start)
        if block.in_else:
            raise _Refused(f"a second `else` in one `{block.kind}`", token.start)
        if follower == "close":
            block.in_else = True
            self.scope.ranges -= block.kind == "range"  # Go takes the else branch of a range to be outside it
            self.statements.append(Statement("else", token.start, None, block.kind))
            return
        known = follower == "if" or (follower == "with" and self.language.else_with)
        if not known or follower != block.kind:
            raise _Refused(f"unexpected {self._said(self._peek())} after `else`", self._peek().start)
        self.index += 1
        pipeline = self._pipeline(follower)
        self.statements.append(Statement(f"else {follower}", token.start, pipeline, block.kind))

    # -- pipelines

    def _pipeline(self, context: str) -> Pipeline:
        """Read a pipeline up to the end of the action, its parenthesised ones included."""
        waiting: list[_Open] = []
        here = self._begin(context)
        while True:
            token = self._next()
            if token.kind == "lparen":
                self._separated(here, token)
                if self.language.paren_limit is not None and len(waiting) >= self.language.paren_limit:
                    raise _Refused("too many nested parentheses", token.start)
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
                raise _Refused(f"unexpected {self._said(token)} in {here.context}", token.start)

    def _separated(self, here: _Open, token: Token) -> None:
        if here.command and not token.spaced:
            raise _Refused(f"a space is missing before {self._said(token)}", token.start)

    def _begin(self, context: str, start: int | None = None) -> _Open:
        declared: list[str] = []
        assigns = False
        begin = self._peek().start if start is None else start
        while self._peek().kind == "variable":
            variable, follower = self._peek(), self.tokens[self.index + 1]
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
                raise _Refused(f"too many declarations in {context}", follower.start)
            if self._peek().kind not in ("variable", "close", "rparen"):
                raise _Refused("`range` can only declare variables", self._peek().start)
        return _Open(context, begin, tuple(declared), assigns, [], [])

    def _finish(self, here: _Open, closing: Token) -> Pipeline:
        if here.command:
            here.commands.append(tuple(here.command))
        if not here.commands:
            raise _Refused(f"a value is missing in {here.context}", closing.start)
        for command in here.commands[1:]:
            if command[0].kind in _CONSTANTS:
                raise _Refused("a value after `|` is not something to call", command[0].start)
        return Pipeline(here.start, here.declared, here.assigns, tuple(here.commands))

    def _term(self, token: Token) -> Operand:
        word = self.text[token.start : token.end]
        if token.kind == "name" and word not in self.language.functions:
            raise _Refused(f"function `{word}` does not exist", token.start)
        if token.kind == "variable" and not self.scope.known.get(word):
            raise _Refused(f"variable `{word}` is not declared", token.start)
        first = (Field(word[1:], token.start, token.end),) if token.kind == "field" else ()
        return self._chained(token.kind, word, token.start, token.end, first, None)

    def _chained(
        self, kind: str, text: str, start: int, end: int, fields: tuple[Field, ...], inner: Pipeline | None
    ) -> Operand:
        names = list(fields)
        while (token := self._peek()).kind == "field" and not token.spaced:
            if kind in _CONSTANTS:
                raise _Refused(f"a {kind} has no fields", token.start)
            names.append(Field(self.text[token.start + 1 : token.end], token.start, token.end))
            end = token.end
            self.index += 1
        return Operand(kind, text, start, end, tuple(names), inner)
