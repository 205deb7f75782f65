"""Cuts one action, the text between `{{` and `}}`, into tokens.

Go's lexer tells apart what looks the same to a reader: a field must end at a space or one of `.,|:()`, a
number must not touch a letter, ` -}}` closes and trims only with its space. One regular expression says all
of it. Where Go's lexer accepts and its parser surely refuses (a lone `}`, a malformed number), we refuse
here: the verdict is the same.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.template.literals import CHARACTER, RAW, STRING, is_number
from tocsin.template.tree import TemplateProblem

SPACES = " \t\r\n"
KEYWORDS = frozenset({
    "block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with",
})  # fmt: skip

_TOKEN = re.compile(
    rf"""
      (?P<close>(?:[ \t\r\n]+-)?\}}\}})
    | (?P<space>[ \t\r\n]++)
    | (?P<variable>\$\w*+)(?=[ \t\r\n.,|:()]|\}}\}})
    | (?P<number>(?:[+\-0-9]|\.[0-9])[0-9A-Za-z_.+\-]*+)
    | (?P<field>\.\w++)(?=[ \t\r\n.,|:()]|\}}\}})
    | (?P<dot>\.)(?=[ \t\r\n.,|:()]|\}}\}})
    | (?P<name>\w++)(?=[ \t\r\n.,|:()]|\}}\}})
    | (?P<string>{STRING}|{RAW})
    | (?P<char>{CHARACTER})
    | (?P<pipe>\|)
    | (?P<lparen>\()
    | (?P<rparen>\))
    | (?P<declare>:=)
    | (?P<assign>=)
    | (?P<comma>,)
    """,
    re.VERBOSE,
)
_OPENING = {'"': "a quoted string is not closed or holds an unknown escape",
            "`": "a raw string is not closed",
            "'": "a character constant is not one character in quotes", ":": "`:` must be `:=`"}  # fmt: skip


class Token(NamedTuple):
    """`spaced`: whether white space stands before it, which is what separates arguments."""

    kind: str
    start: int
    end: int
    spaced: bool


def tokens(text: str, at: int) -> list[Token] | TemplateProblem:
    """The tokens from `at` to the closing delimiter, that one included."""
    found: list[Token] = []
    spaced = False
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            return _problem(text, at)
        kind = match.lastgroup or ""
        if kind == "space":
            spaced = True
            at = match.end()
            continue
        start, end = match.span()
        if kind in ("name", "variable", "field"):
            word = match.group()
            if not word.isascii() and not _is_word(word.lstrip("$.")):
                return TemplateProblem(f"`{short(word)}` holds a character that no name may hold", start)
            if kind == "name":
                kind = "bool" if word in ("true", "false") else word if word in KEYWORDS else "name"
        elif kind == "number" and not is_number(match.group()):
            return TemplateProblem(f"`{short(match.group())}` is not a number", start)
        found.append(Token("number" if kind == "char" else kind, start, end, spaced))
        if kind == "close":
            return found
        spaced = False
        at = end


def _is_word(word: str) -> bool:
    # Go's letters and decimal digits; Python's \w also takes numerals such as U+00B2.
    return all(c == "_" or c.isalpha() or c.isdecimal() for c in word)


def _problem(text: str, at: int) -> TemplateProblem:
    if at >= len(text):
        return TemplateProblem("an action is not closed: `}}` is missing", at)
    character = text[at]
    if character in _OPENING:
        return TemplateProblem(_OPENING[character], at)
    if character in "$." or character.isalnum() or character == "_":
        end = at + 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
        if end >= len(text):
            return TemplateProblem("an action is not closed: `}}` is missing", end)
        return TemplateProblem(f"{text[end]!r} cannot follow `{short(text[at:end])}`", end)
    return TemplateProblem(f"unexpected {character!r} inside an action", at)


def short(text: str) -> str:
    """`text`, cut to what fits in a message."""
    return text if len(text) <= 40 else text[:37] + "..."
