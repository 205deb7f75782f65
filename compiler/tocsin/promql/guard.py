"""What must be settled before the parser library sees a text: its size, its depth, and its foreign words.

The library overflows the stack of the process (no exception, a signal) on some 5,000 chained operators, 7,000
nested calls or 20,000 escapes in one string, so such texts are refused here, well below that. And some of
what Prometheus takes, the library does not, or only after minutes (`parse` lists it): such texts are
reworded, for the library's eyes only.
"""

from __future__ import annotations

from tocsin.promql.lex import Token, lex, plain_number, quoted, tokens, unquoted
from tocsin.promql.regex import BadRegexError, matches_empty
from tocsin.promql.scan import Scan
from tocsin.promql.tree import PromqlProblem

MAX_TEXT = 100_000
MAX_DEPTH = 500
MAX_OPERATORS = 1_000
MAX_ESCAPES = 4_000
_OPERATORS = frozenset({"==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "^"})
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})


def hostile(text: str) -> PromqlProblem | None:
    """The reason not to parse `text` at all, or None. A text shorter than MAX_DEPTH breaks no limit."""
    if len(text) <= MAX_DEPTH:
        return None
    if len(text) > MAX_TEXT:
        return _refuse(f"the expression has {len(text):,} characters, more than {MAX_TEXT:,}", MAX_TEXT)
    if text.count("\\") > MAX_ESCAPES:
        return _refuse(f"the expression has more than {MAX_ESCAPES:,} backslashes", text.index("\\"))
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


def reworded(text: str, scanned: Scan) -> str:
    """`text` in words that the library reads as Prometheus reads the author's.

    Comments go, raw strings become double-quoted, numbers lose underscores and leading zeros, labels with a
    colon get quotes, and the n-th regular expression becomes one that matches the empty text just when the
    author's does. Raises BadRegexError, with the token as second argument, for one that Go would not compile.
    """
    labels = {token.start for token in scanned.colons}
    patterns = {token.start: number for number, token in enumerate(scanned.patterns)}
    out: list[str] = []
    for token in lex(text):
        if token.start in patterns:
            out.append(f'"{patterns[token.start]}{"|" if _matches_empty(token) else ""}"')
        elif token.start in labels:
            out.append(quoted(token.text))
        else:
            out.append(_reworded(token))
    return "".join(out)


def pattern_number(placeholder: str) -> int:
    """Which of the scan's patterns a placeholder of `reworded` stands for."""
    return int(placeholder.rstrip("|"))


def _matches_empty(token: Token) -> bool:
    try:
        return matches_empty(unquoted(token))
    except BadRegexError as error:
        raise BadRegexError(f"the regular expression {token.text} is not one of Go: {error}", token) from None


def _reworded(token: Token) -> str:
    match token.kind:
        case "comment":
            return " "
        case "number":
            return plain_number(token.text)
        case "string" if token.text[0] == "`":
            return quoted(token.text[1:-1])
    return token.text
