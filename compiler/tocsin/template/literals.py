"""Go's literals as a template may write them: numbers, characters, quoted strings.

A template's number is what Go's `strconv` (and `fmt` for complex ones) takes: `0x1p-2`, `1_000`, `017` and
`1+2i` are numbers, `08`, `0x1.8` and 20 digits in a row are not. promtool refuses a rule file for a bad one.
"""

from __future__ import annotations

import math
import re

_DIGITS = r"[0-9](?:_?[0-9])*"
_HEX = r"[0-9a-fA-F]"
_INTEGER = re.compile(
    rf"[+-]?(?:0[xX](?:_?{_HEX})+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
_DECIMAL = rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?"
_BINARY = rf"0[xX](?:(?:_?{_HEX})+(?:\.(?:{_HEX}(?:_?{_HEX})*)?)?|\.{_HEX}(?:_?{_HEX})*)[pP][+-]?{_DIGITS}"
_FLOAT = re.compile(rf"[+-]?(?:{_BINARY}|{_DECIMAL})")
_IMAGINARY = re.compile(rf"([+-]?(?:{_BINARY}|{_DECIMAL}))i")
_COMPLEX = re.compile(rf"([+-]?(?:{_BINARY}|{_DECIMAL}))([+-](?:{_BINARY}|{_DECIMAL}))i")

_RUNE = (
    rf"x{_HEX}{{2}}|[0-3][0-7]{{2}}|u(?![dD][89a-fA-F]){_HEX}{{4}}"
    rf"|U(?:0000(?![dD][89a-fA-F])|000[1-9a-fA-F]|0010){_HEX}{{4}}"
)
STRING = rf'"(?>(?:[^"\\\n]|\\(?:[abfnrtv\\"]|{_RUNE}))*)"'
CHARACTER = rf"'(?:[^'\\\n]|\\(?:[abfnrtv\\']|{_RUNE}))'"
RAW = r"`[^`]*`"

_ESCAPE = re.compile(rf'\\([abfnrtv\\"]|{_RUNE})')
_SHORT = {
    "a": b"\a",
    "b": b"\b",
    "f": b"\f",
    "n": b"\n",
    "r": b"\r",
    "t": b"\t",
    "v": b"\v",
    "\\": b"\\",
    '"': b'"',
}
_MAX_DIGITS = 70  # 64 binary digits and a prefix; anything longer after its leading zeros is out of range


def is_number(text: str) -> bool:
    """Whether `text`, a run that starts like a number, is one to Go: right syntax and inside its range."""
    if _INTEGER.fullmatch(text):
        return _fits(text)
    if _FLOAT.fullmatch(text):
        return any(c in text for c in ".eEpP") and _finite(text)
    if found := _IMAGINARY.fullmatch(text) or _COMPLEX.fullmatch(text):
        return all(_finite(part) for part in found.groups())
    return False


def _fits(text: str) -> bool:
    # Signed numbers must fit int64, unsigned ones uint64. The length test keeps a megabyte of digits away
    # from int().
    sign = text[0] if text[0] in "+-" else ""
    digits = text[len(sign) :].replace("_", "").lower()
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 8 if digits[0] == "0" else 10)
    digits = (digits[2:] if digits[1:2] in ("x", "o", "b") else digits).lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        return False
    number = int(digits, base)
    return number <= {"": 2**64 - 1, "+": 2**63 - 1, "-": 2**63}[sign]


def _finite(text: str) -> bool:
    plain = text.replace("_", "")
    try:
        number = float.fromhex(plain) if "x" in plain[:3].lower() else float(plain)
    except OverflowError:
        return False
    return not math.isinf(number)


def unquote(literal: str) -> str:
    """The text a valid string literal stands for; bytes that are no UTF-8 (`"\\xff"`) become surrogates."""
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    body = literal[1:-1]
    if "\\" not in body:
        return body
    parts: list[bytes] = []
    at = 0
    for found in _ESCAPE.finditer(body):
        parts.append(body[at : found.start()].encode("utf-8", "surrogatepass"))
        parts.append(_escaped(found.group(1)))
        at = found.end()
    parts.append(body[at:].encode("utf-8", "surrogatepass"))
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _escaped(code: str) -> bytes:
    if code in _SHORT:
        return _SHORT[code]
    if code[0] == "x":
        return bytes([int(code[1:], 16)])
    if code[0] in "uU":
        return chr(int(code[1:], 16)).encode()
    return bytes([int(code, 8)])
