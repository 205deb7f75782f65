"""Recognises the shapes nearly every annotation has, so that the parser is the exception.

`PLAIN` matches only texts that every served Prometheus accepts: `{{ $labels.x }}`, `{{ $value | humanize }}`,
`{{ printf "%.2f" $value }}` and their like, and text around them. A text it does not match is not wrong, it
is parsed. The law `PLAIN implies the parser accepts` is a test.
"""

from __future__ import annotations

import re

from tocsin.template.functions import GO_FUNCTIONS, PROMETHEUS_FUNCTIONS

# Those whose literals or results the caller asks about go to the parser.
_PARSED = {"index", "query", "first", "label", "value", "strvalue", "args", "call"}
_CALLS = sorted(
    (name for name, since in PROMETHEUS_FUNCTIONS.items() if since <= (2, 42) and name not in _PARSED),
    reverse=True,
) + sorted(GO_FUNCTIONS - _PARSED, reverse=True)

_S = r"[ \t\r\n]"
_ARGUMENT = r'(?:\$labels\.[A-Za-z_][A-Za-z0-9_]*+|\$value|"[^"\\\n]*+"|(?:0|[1-9][0-9]{0,8}))'
_CALL = rf"(?:{'|'.join(_CALLS)})(?:{_S}++{_ARGUMENT})*+"
_ACTION = rf"(?:-{_S})?{_S}*+(?:{_CALL}|{_ARGUMENT})(?:{_S}*+\|{_S}*+{_CALL})*+(?:{_S}++-|{_S}*+)\}}\}}"

PLAIN = re.compile(rf"[^{{]*+(?:\{{(?!\{{)[^{{]*+|\{{\{{{_ACTION}[^{{]*+)*+", re.ASCII)
ACTION = re.compile(rf"\{{\{{{_ACTION}", re.ASCII)
PART = re.compile(
    r'\$labels\.(?P<label>[A-Za-z_]\w*)|(?P<value>\$value)|"[^"\\\n]*"|(?P<call>[a-zA-Z]\w*)', re.ASCII
)
