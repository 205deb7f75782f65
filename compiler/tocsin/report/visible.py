"""Hostile text made harmless and visible: a source is untrusted, and a report ends on a terminal or in a
browser.

In: any text, also with lone surrogates (a file name that is not UTF-8). Out: text in which a control
character, an invisible one, or one that changes the direction of writing reads as `<U+001B>`, so that
nothing is executed and nothing is hidden.
"""

from __future__ import annotations

import re
import unicodedata

_PRINTABLE_ASCII = re.compile(r"[ -~]*\Z")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode a terminal obeys or a reader cannot see."""


def visible(text: str) -> str:
    """`text` on one line with nothing hidden in it."""
    if _PRINTABLE_ASCII.match(text):
        return text
    return "".join(seen(each) for each in text)


def seen(character: str) -> str:
    """One character as it may be shown."""
    if " " <= character <= "~" or unicodedata.category(character) not in _UNSEEN:
        return character
    if character == "\n":
        return "\\n"
    return f"<U+{ord(character):04X}>"


def encodable(text: str) -> str:
    """`text` that UTF-8 can carry: the bytes of a file name that are none read as `\\xff`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def columns(character: str) -> int:
    """How many columns of a terminal one shown character takes."""
    if character < "\x7f":
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
