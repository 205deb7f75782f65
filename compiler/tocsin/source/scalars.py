"""What a plain YAML scalar means: the 1.2 core schema, and where a 1.1 reader would disagree.

Whatever JSON cannot hold (`.inf`, `1e999`) is text.
"""

from __future__ import annotations

import math
import re

FIRST = frozenset("0123456789+-.~ntfTFNyYoO")
"""What a plain scalar starts with that may be anything but text, here or for a YAML 1.1 reader."""
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# What is taken for a number, a truth value or nothing by one of the two readers and not by the other.
TRAP = re.compile(
    r"(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)\Z"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"  # sexagesimal: 1:30 is 90
    r"|[-+]?0[0-9_]+\Z|0o[0-7]+\Z|[-+]?0b[01_]+\Z"
    r"|[-+]?0x[0-9a-fA-F_]*_[0-9a-fA-F_]*\Z|[-+]0x[0-9a-fA-F_]+\Z"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?[0-9]*\.[0-9]*_[0-9_]*(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?[0-9]+[eE][-+]?[0-9]+\Z"
    r"|[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)[eE][0-9]+\Z|[-+]\.[0-9]+(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)


def number_of(text: str) -> object:
    """The number that a plain scalar is, else the text itself. A number too large for a float stays text:
    JSON has no infinity.
    """
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        value = float(text)
        return value if math.isfinite(value) else text
    return int(text, 0) if _BASED.match(text) else text


def plain_number(value: object) -> str:
    """A number as both readers read it alike: 1e3 is 1000."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)
