"""Cuts PromQL text into tokens with exact offsets.

The parser library gives no positions, so everything that needs a place in the author's text (the guards, the
injector, the offset of an error) starts here. The lexer is total: a character it does not know becomes a
`bad` token, an unclosed string an `open` token up to the end, and the tokens always add up to the text.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>\#[^\n]*)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|`[^`]*`)
    | (?P<open>["'`](?s:.*))
    | (?P<number>0[xX][0-9A-Fa-f_]+(?![0-9A-Za-z.])|(?:[0-9]|\.[0-9])(?:[eE][+-](?=[0-9])|[0-9A-Za-z_.])*)
    | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<op>==|!=|=~|!~|<=|>=|[-+*/%^<>=@])
    | (?P<mark>[](){}[,])
    | (?P<bad>.)
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """`kind` is word, number, string, op, mark, open (a string that never closes) or bad; `text[start:end]`
    is `text`.
    """

    kind: str
    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """Keywords are the same in any case."""
        return self.text.lower()


def tokens(text: str) -> list[Token]:
    """The tokens that carry meaning, white space and comments left out."""
    return [token for token in lex(text) if token.kind not in ("space", "comment")]


def lex(text: str) -> list[Token]:
    """Every token, so that joining their texts gives `text` back."""
    return [
        Token(match.lastgroup or "bad", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]


_NUMBER = re.compile(
    r"""
      0[xX](?:_?[0-9A-Fa-f])+ | [0-9](?:_?[0-9])*
    | (?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?
    | (?:[0-9]+y)?(?:[0-9]+w)?(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?
    """,
    re.VERBOSE,
)


def is_number(text: str) -> bool:
    """Whether `text`, a number token, is one that PromQL knows, or a duration. `1e999` is no number in Go."""
    return _NUMBER.fullmatch(text) is not None and not ("e" in text.lower() and _is_huge(text))


def _is_huge(text: str) -> bool:
    return text[:2] not in ("0x", "0X") and math.isinf(float(text))


def plain_number(number: str) -> str:
    """`number` as the library can read it: no underscores (`1_000`), no zeros before `1e3`, 0 for `0s`."""
    if _NOTHING.fullmatch(number):
        return "0"
    if number[:2] in ("0x", "0X"):
        return number.replace("_", "")
    return _ZEROS.sub("", number).replace("_", "")


LONGEST = (2**63 - 1) / 1e9
"""Seconds: the longest duration Go's int64 of nanoseconds holds, some 292 years."""
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")


def seconds(number: str) -> float:
    """The length that a good number token says, as a duration or as bare seconds."""
    if number[:2] in ("0x", "0X"):
        return float(int(plain_number(number), 16))
    parts = _PART.findall(number)
    return sum(float(count) * _UNITS[unit] for count, unit in parts) if parts else float(plain_number(number))


_NOTHING = re.compile(r"(?:0+[a-z]+)+")
_ZEROS = re.compile(r"^0+(?=[0-9]+[.eE])")


_ESCAPE = re.compile(r"""\\(?:[abfnrtv\\]|[0-7]{3}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})""")


def bad_escape(token: Token) -> int | None:
    """The offset in the text of the first escape that a quoted string may not hold."""
    if token.text[0] == "`":
        return None
    quote, at = token.text[0], 1
    while (at := token.text.find("\\", at)) != -1:
        match = _ESCAPE.match(token.text, at)
        if match:
            at = match.end()
        elif token.text[at + 1] == quote:
            at += 2
        else:
            return token.start + at
    return None


def unquoted(token: Token) -> str:
    """The value of a string token whose escapes are good."""
    inner = token.text[1:-1]
    return inner if token.text[0] == "`" or "\\" not in inner else _ESCAPE_OR_QUOTE.sub(_value, inner)


_ESCAPE_OR_QUOTE = re.compile(_ESCAPE.pattern + r"""|\\["']""")
_VALUES = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


def _value(match: re.Match[str]) -> str:
    escape = match.group()[1:]
    if escape[0].isdigit():
        return chr(int(escape, 8))
    if escape[0] in "xuU":
        return chr(min(int(escape[1:], 16), 0x10FFFF))
    return _VALUES.get(escape, escape)


def quoted(value: str) -> str:
    """`value` as a double-quoted PromQL string on one line."""
    if value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return '"' + "".join(_QUOTED.get(char) or _plain(char) for char in value) + '"'


_QUOTED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _plain(char: str) -> str:
    if char.isprintable() or ord(char) > 0xFFFF:
        return char
    return f"\\u{ord(char):04x}"
