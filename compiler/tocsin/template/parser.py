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
from tocsin.template.lexer import Token, short
from tocsin.template.literals import unquote
from tocsin.template.reader import ActionReader, Refused, Scope
from tocsin.template.tree import Pipeline, Statement, Template, TemplateProblem

GIVEN = ("$labels", "$externalLabels", "$externalURL", "$value")

_OPEN = re.compile(r"\{\{(?:-(?=[ \t\r\n]))?")
_COMMENT = re.compile(r"[ \t\r\n]/\*")
_COMMENT_END = re.compile(r"(?:[ \t\r\n]-)?\}\}")
# What Go's bytes.TrimSpace trims; str.strip() would also take U+001C to U+001F.
_BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(slots=True)
class _Block:
    kind: str
    opener: int
    start: int
    size: int
    name: str = ""
    outer: Scope | None = None
    in_else: bool = False
    blank: bool = True


def parse(text: str, language: Dialect, alert: str = "") -> Template | TemplateProblem:
    """Parse `text` in `language`. `alert` is the alert's name, which matters only to a text that defines a
    template called `__alert_<name>`, the name Prometheus gives to the text itself."""
    try:
        return _Parser(text, language, alert).run()
    except Refused as refused:
        return refused.problem


class _Parser:
    def __init__(self, text: str, language: Dialect, alert: str) -> None:
        self.text = text
        self.language = language
        self.main = f"__alert_{alert}" if alert else ""
        self.scope = Scope(("$", *GIVEN))
        self.blocks: list[_Block] = []
        self.statements: list[Statement] = []
        self.ends: dict[int, int] = {}
        self.named: dict[str, int] = {}
        self.filled: dict[str, bool] = {}

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
            self.action = ActionReader(text, inside + trimmed, self.language, self.scope)
            self._statement(opening)
            at = self.action.end
        self._filled_by(text[at:])
        if self.blocks:
            block = self.blocks[-1]
            raise Refused(f"`{block.kind}` has no `end`", block.start)
        if self.main and self.filled.get(self.main):
            raise Refused(f"the name `{self.main}` belongs to the text itself", 0)
        return Template(tuple(self.statements), self.ends, self.named)

    def _filled_by(self, between: str) -> None:
        if self.blocks and self.blocks[-1].blank and between.strip(_BLANK):
            self.blocks[-1].blank = False

    def _comment(self, opening: int, inside: int) -> int:
        end = self.text.find("*/", inside)
        if end < 0:
            raise Refused("a comment is not closed", opening)
        close = _COMMENT_END.match(self.text, end + 2)
        if close is None:
            raise Refused("a comment must end right before `}}`", end)
        return close.end()

    # -- actions

    def _statement(self, opening: int) -> None:
        first = self.action.peek()
        kind = first.kind
        if kind not in ("end", "else", "define") and self.blocks:
            self.blocks[-1].blank = False
        if kind in ("if", "with", "range"):
            self.action.next()
            size = len(self.scope.order)
            self._open(_Block(kind, len(self.statements), opening, size), self.action.pipeline(kind))
        elif kind == "end":
            self.action.next()
            self.action.expect("close", "`end`")
            self._end(first)
        elif kind == "else":
            self.action.next()
            self._else(first)
        elif kind in ("break", "continue"):
            self.action.next()
            self.action.expect("close", f"`{kind}`")
            if not self.scope.ranges:
                raise Refused(f"`{kind}` outside of `range`", first.start)
            self.statements.append(Statement(kind, opening, None, ""))
        elif kind == "template":
            self.action.next()
            name = self._template_name("template")
            pipeline = None if self.action.peek().kind == "close" else self.action.pipeline("template")
            self.statements.append(Statement(kind, opening, pipeline, name))
        elif kind == "block" or (kind == "define" and not self.blocks):
            self.action.next()
            self._named_block(kind, opening)
        else:
            self.statements.append(Statement("emit", opening, self.action.pipeline("command"), ""))

    def _open(self, block: _Block, pipeline: Pipeline | None) -> None:
        self.blocks.append(block)
        self.statements.append(Statement(block.kind, block.start, pipeline, block.name))
        if block.kind == "range":
            self.scope.ranges += 1

    def _named_block(self, kind: str, opening: int) -> None:
        name = self._template_name(kind)
        if kind == "define":
            pipeline = None
            self.action.expect("close", "`define`")
        else:
            pipeline = self.action.pipeline("block")
        self._open(_Block(kind, len(self.statements), opening, 0, name, self.scope), pipeline)
        self.scope = Scope(("$",))

    def _template_name(self, context: str) -> str:
        token = self.action.expect("string", f"`{context}`, which needs a quoted name")
        return unquote(self.text[token.start : token.end])

    def _end(self, token: Token) -> None:
        if not self.blocks:
            raise Refused("`end` without a block to end", token.start)
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
            raise Refused(f"template `{short(block.name)}` is defined twice", block.start)

    def _else(self, token: Token) -> None:
        block = self.blocks[-1] if self.blocks else None
        follower = self.action.peek().kind
        if block is None or block.outer is not None:
            raise Refused("`else` outside of `if`, `with` or `range`", token.start)
        if block.in_else:
            raise Refused(f"a second `else` in one `{block.kind}`", token.start)
        if follower == "close":
            block.in_else = True
            self.scope.ranges -= block.kind == "range"  # Go takes the else branch of a range to be outside it
            self.statements.append(Statement("else", token.start, None, block.kind))
            return
        known = follower == "if" or (follower == "with" and self.language.else_with)
        if not known or follower != block.kind:
            wrong = self.action.peek()
            raise Refused(f"unexpected {self.action.said(wrong)} after `else`", wrong.start)
        self.action.next()
        pipeline = self.action.pipeline(follower)
        self.statements.append(Statement(f"else {follower}", token.start, pipeline, block.kind))
