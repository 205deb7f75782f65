"""What must be settled before the parser library sees a text: its size, its depth, and its raw strings.

The library overflows the stack of the process (no exception, a signal) on some 5,000 chained operators or 7,000
nested calls, so deep texts are refused here, well below that. It also reads `\\d` inside a backtick string as an
escape, so such strings are rewritten in double quotes, for the library's eyes only.
"""

from __future__ import annotations

from collections.abc import Collection

from tocsin.promql.lex import Token, lex, quoted, tokens
from tocsin.promql.tree import PromqlProblem

MAX_TEXT = 100_000
MAX_DEPTH = 500
MAX_OPERATORS = 2_000
_OPERATORS = frozenset({"==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "^"})
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})


def hostile(text: str) -> PromqlProblem | None:
    """The reason not to parse `text` at all, or None. Texts up to MAX_DEPTH characters cannot break a limit."""
    if len(text) <= MAX_DEPTH:
        return None
    if len(text) > MAX_TEXT:
        return _refuse(f"the expression has {len(text):,} characters, more than {MAX_TEXT:,}", MAX_TEXT)
    depth = operators = 0
    for token in tokens(text):
        if token.text in ("(", "[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                return _refuse(f"the expression nests deeper than {MAX_DEPTH} levels", token.start)
        elif token.text in (")", "]", "}"):
            depth = max(0, depth - 1)
        elif token.text in _OPERATORS or token.lower in _WORD_OPERATORS:
            operators += 1
            if operators > MAX_OPERATORS:
                return _refuse(f"the expression has more than {MAX_OPERATORS:,} operators", token.start)
    return None


def _refuse(message: str, offset: int) -> PromqlProblem:
    return PromqlProblem(message=message, offset=offset, hostile=True)


def without_raw_strings(text: str) -> str:
    """`text` with every backtick string written in double quotes: same meaning, other offsets."""
    return "".join(_quoted_once(token) for token in lex(text)) if "`" in text else text


def reworded(text: str, labels: Collection[Token]) -> str:
    """`text` in words the library knows, for a second try: no comments, no raw strings, `labels` in quotes."""
    starts = {token.start for token in labels}
    return "".join(
        " " if token.kind == "comment" else quoted(token.text) if token.start in starts else _quoted_once(token)
        for token in lex(text)
    )


def _quoted_once(token: Token) -> str:
    raw = token.kind == "string" and token.text[0] == "`"
    return quoted(token.text[1:-1]) if raw else token.text
