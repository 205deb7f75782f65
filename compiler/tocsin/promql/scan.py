"""Walks the tokens of an expression as Prometheus' grammar does, to say where things stand in the text.

Any word can be a metric (`sum{a="b"}`, `by`, `offset offset 5m` are selectors), so a token means something
only by its place: an operand is awaited, or one has just ended. This walk knows those two states and
brackets, no types and no precedence; whether the whole is valid PromQL is the parser's verdict. It yields the
place of every selector in the order of the text, and the first token that no valid expression has there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tocsin.promql.lex import LONGEST, Token, bad_escape, is_number, seconds, tokens
from tocsin.promql.tree import PromqlProblem

AGGREGATIONS = frozenset({
    "avg", "bottomk", "count", "count_values", "group", "limit_ratio", "limitk",
    "max", "min", "quantile", "stddev", "stdvar", "sum", "topk",
})  # fmt: skip
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
_SYMBOL_OPERATORS = frozenset({"==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "^"})
_MATCH_OPERATORS = frozenset({"=", "!=", "=~", "!~"})
_NEVER_METRICS = frozenset({"bool", "on", "ignoring", "group_left", "group_right"})
_NUMBERS = frozenset({"inf", "nan"})


class Spot(NamedTuple):
    """One selector: `text[start:end]`, and where and how a further matcher goes in."""

    start: int
    end: int
    insert: int
    form: Literal["braces", "only", "next"]

    def splice(self, matcher: str) -> str:
        """What to write at `insert` to add `matcher`."""
        return {"braces": f"{{{matcher}}}", "only": matcher, "next": f",{matcher}"}[self.form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What the walk met, in the order of the text.

    `ats`: the value of each `@` (`start()`, `end()`, a number). `colons`: words with a colon in lists of
    labels. `patterns`: the strings that are regular expressions. `called`: the names before a parenthesis.
    """

    spots: tuple[Spot, ...]
    ats: tuple[str, ...]
    colons: tuple[Token, ...]
    called: tuple[Token, ...]
    patterns: tuple[Token, ...]
    problem: PromqlProblem | None


class _Lost(Exception):
    def __init__(self, token: Token | None, message: str) -> None:
        super().__init__(message)
        self.token = token


@dataclass
class _Walk:
    """The state of one walk: `queue[at]` is the next token, `opened` the parentheses not yet closed."""

    queue: list[Token]
    at: int = 0
    opened: list[Token] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    ats: list[str] = field(default_factory=list)
    colons: list[Token] = field(default_factory=list)
    called: list[Token] = field(default_factory=list)
    patterns: list[Token] = field(default_factory=list)

    def peek(self) -> str:
        return self.queue[self.at].lower if self.at < len(self.queue) else ""

    def take(self) -> Token:
        if self.at >= len(self.queue):
            raise _Lost(None, "the expression ends too early")
        self.at += 1
        return self.queue[self.at - 1]

    def run(self) -> None:
        awaited = True
        while self.at < len(self.queue) or awaited:
            awaited = self.operand() if awaited else self.after_operand()
        if self.opened:
            raise _Lost(self.opened[-1], f"`{self.opened[-1].text}` is not closed")

    def operand(self) -> bool:
        """Takes one token where an operand may begin; returns whether an operand is still awaited."""
        token = self.take()
        if token.text == "(":
            self.opened.append(token)
            return True
        if token.text in ("+", "-"):
            if self.at < len(self.queue) and self.queue[self.at].kind == "string":
                raise _Lost(token, f"`{token.text}` before a string")
            return True
        if token.text == ")" and self.at > 1 and self.opened and self.queue[self.at - 2].text == "(":
            self.opened.pop()
            return False
        if token.text == "{":
            self.selector(token, self.at - 1)
            return False
        if token.kind in ("number", "string") or (token.kind == "word" and token.lower in _NUMBERS):
            return False
        if token.kind != "word" or token.lower in _NEVER_METRICS:
            raise _Lost(token, f"unexpected `{token.text}`")
        return self.word(token)

    def word(self, token: Token) -> bool:
        following = self.peek()
        if token.lower in AGGREGATIONS and following in ("by", "without"):
            self.take()
            self.label_list()
            following = self.peek()
            if following != "(":
                raise _Lost(self.take(), f"`{token.text}` needs its operand in parentheses")
        if following == "(":
            self.called.append(token)
            return True
        self.selector(token, self.at - 1)
        return False

    def selector(self, first: Token, begin: int) -> None:
        if first.text != "{":
            if self.peek() != "{":
                self.spots.append(Spot(first.start, first.end, first.end, "braces"))
                return
            self.take()
        opening = last = self.queue[self.at - 1]
        while self.peek() != "}":
            last = self.matcher()
            if self.peek() == ",":
                last = self.take()
            elif self.peek() != "}":
                raise _Lost(self.take(), "`,` or `}` is missing after a matcher")
        form: Literal["only", "next"] = "only" if last is opening or last.text == "," else "next"
        self.spots.append(Spot(self.queue[begin].start, self.take().end, last.end, form))

    def matcher(self) -> Token:
        """Takes `label op "value"`, or a lone string, which is the metric's name; returns its last token."""
        label = self.take()
        if label.kind not in ("word", "string") or (label.kind == "word" and ":" in label.text):
            raise _Lost(label, f"`{label.text}` is not a label name")
        if label.kind == "string" and self.peek() in (",", "}"):
            return label
        op = self.take()
        if op.text not in _MATCH_OPERATORS:
            raise _Lost(op, f"a matcher needs one of =, !=, =~ and !~, not `{op.text}`")
        value = self.take()
        if value.kind != "string":
            raise _Lost(value, f"the value of a matcher stands in quotes: `{value.text}`")
        if op.text.endswith("~"):
            self.patterns.append(value)
        return value

    def after_operand(self) -> bool:
        """Takes what may follow an operand; returns whether another operand is awaited."""
        token = self.take()
        if token.text == ")":
            if not self.opened:
                raise _Lost(token, "`)` closes nothing")
            self.opened.pop()
        elif token.text == ",":
            if not self.opened:
                raise _Lost(token, "unexpected `,`")
            return True
        elif token.text == "[":
            self.brackets(token)
        elif token.text == "@":
            self.ats.append(self.moment())
        elif token.lower == "offset":
            if self.peek() in ("+", "-"):
                self.take()
            if (amount := self.take()).kind != "number":
                raise _Lost(amount, "`offset` needs a duration")
            _check_length(amount, amount.text)
        elif token.lower in ("by", "without") and self.queue[self.at - 2].text == ")":
            self.label_list()
        elif token.text in _SYMBOL_OPERATORS or token.lower in _WORD_OPERATORS:
            self.modifiers()
            return True
        else:
            raise _Lost(token, f"unexpected `{token.text}`")
        return False

    def brackets(self, opening: Token) -> None:
        length = self.take()
        if length.kind != "number":
            raise _Lost(length, "a range needs a duration")
        _check_length(length, length.text)
        while (token := self.take()).text != "]":
            if token.kind not in ("number", "word"):
                raise _Lost(opening, "`[` is not closed")
            # The step is a word with its colon when they touch.
            _check_length(token, token.text.lstrip(":"))

    def moment(self) -> str:
        sign = self.take().text if self.peek() in ("+", "-") else ""
        token = self.take()
        if token.lower in ("start", "end") and not sign:
            for mark in "()":
                if (found := self.take()).text != mark:
                    raise _Lost(found, f"`{token.text}` after `@` needs `()`")
            return f"{token.lower}()"
        if token.kind != "number" and token.lower not in _NUMBERS:
            raise _Lost(token, "`@` needs a time")
        if token.kind == "number" and seconds(token.text) * 1000 >= 2**63:
            raise _Lost(token, f"`{token.text}` is a time out of range")
        return sign + token.text

    def modifiers(self) -> None:
        if self.peek() == "bool":
            self.take()
        if self.peek() not in ("on", "ignoring"):
            return
        self.take()
        self.label_list()
        if self.peek() in ("group_left", "group_right"):
            self.take()
            if self.peek() == "(":
                self.label_list()

    def label_list(self) -> None:
        opening = self.take()
        if opening.text != "(":
            raise _Lost(opening, "a list of labels in parentheses is needed here")
        while self.peek() != ")":
            label = self.take()
            if label.kind not in ("word", "string"):
                raise _Lost(label, f"`{label.text}` is not a label name")
            if label.kind == "word" and ":" in label.text:
                self.colons.append(label)
            if self.peek() == ",":
                self.take()
            elif self.peek() != ")":
                raise _Lost(self.take(), "`,` or `)` is missing after a label")
        self.take()


def _check_length(token: Token, text: str) -> None:
    """The library panics over lengths that Prometheus refuses."""
    if text[:1].isdigit() and is_number(text) and seconds(text) > LONGEST:
        raise _Lost(token, f"`{text}` is longer than 292 years")


def scan(text: str) -> Scan:
    """Where everything stands in `text`; `problem` is the first place that surely is wrong, if any. Never
    raises.
    """
    queue = tokens(text)
    walk = _Walk(queue)
    problem = lexical_problem(queue)
    if problem is None:
        try:
            walk.run()
        except _Lost as lost:
            problem = PromqlProblem(
                message=str(lost), offset=lost.token.start if lost.token else len(text.rstrip())
            )
    return Scan(
        spots=tuple(walk.spots),
        ats=tuple(walk.ats),
        colons=tuple(walk.colons),
        called=tuple(walk.called),
        patterns=tuple(walk.patterns),
        problem=problem,
    )


def lexical_problem(queue: list[Token]) -> PromqlProblem | None:
    """The first token that is wrong wherever it stands: an unclosed string, a bad escape, a foreign
    character.
    """
    for token in queue:
        if token.kind == "open":
            return PromqlProblem(
                message=f"the string opened by {token.text[0]} is not closed", offset=token.start
            )
        if token.kind == "bad":
            return PromqlProblem(message=f"unexpected character `{token.text}`", offset=token.start)
        if token.kind == "number" and not is_number(token.text):
            return PromqlProblem(
                message=f"`{token.text}` is neither a number nor a duration", offset=token.start
            )
        if token.kind == "string" and (at := bad_escape(token)) is not None:
            return PromqlProblem(message="unknown escape sequence in a string", offset=at)
    return None
