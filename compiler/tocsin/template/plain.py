"""Recognises the shapes nearly every annotation has, so that the parser is the exception.

`PLAIN` matches only texts that every served Prometheus accepts: `{{ $labels.x }}`, `{{ $value | humanize }}`,
`{{ printf "%.2f" $value }}` and their like, and text around them. A text it does not match is not wrong, it
is parsed. The law `PLAIN implies the parser accepts` is a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.template.functions import GO_FUNCTIONS, PROMETHEUS_FUNCTIONS

# Those whose literals or results the caller asks about go to the parser.
_PARSED = {"index", "query", "first", "label", "value", "strvalue", "args", "call"}
_CALLS = sorted(
    (name for name, since in PROMETHEUS_FUNCTIONS.items() if since <= (2, 42) and name not in _PARSED),
    reverse=True,
) + sorted(GO_FUNCTIONS - _PARSED, reverse=True)

_S = r"[ \t\r\n]"
# No braces in strings, so that in a text that matches PLAIN the first `}}` after a `{{` closes it.
_ARGUMENT = r'(?:\$labels(?>(?:\.[A-Za-z_][A-Za-z0-9_]*+)?)|\$value|"[^"\\\n{}]*+"|(?:0|[1-9][0-9]{0,8}))'
_CALL = rf"(?:{'|'.join(_CALLS)})(?>(?:{_S}++{_ARGUMENT})*)"
_ACTION = rf"(?:-{_S})?{_S}*+(?:{_CALL}|{_ARGUMENT})(?>(?:{_S}*+\|{_S}*+{_CALL})*)(?:{_S}++-|{_S}*+)\}}\}}"

PLAIN = re.compile(rf"[^{{]*+(?>(?:\{{(?!\{{)[^{{]*+|\{{\{{{_ACTION}[^{{]*+)*)", re.ASCII)
_PART = re.compile(
    r'\$labels\.(?P<label>\w+)|(?P<value>\$value)|(?P<call>[a-zA-Z]\w*)|(?P<labels>\$labels)|"[^"]*"',
    re.ASCII,
)


def parts(text: str) -> Iterator[re.Match[str]]:
    """The uses of labels, the value and functions in a text that matches `PLAIN`; `lastgroup` says which:
    label, labels (all of them), value, call, or None for a string."""
    at = text.find("{{")
    while at >= 0:
        end = text.index("}}", at)
        yield from _PART.finditer(text, at, end)
        at = text.find("{{", end)
