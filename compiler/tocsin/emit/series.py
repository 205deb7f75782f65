"""promtool's notation for input series: `up{job="a"}` with values like `0+500x60 _x5 stale`.

In: what an author wrote in a test. Out: None where promtool reads it, else what is wrong in a sentence. The
grammar is that of Prometheus' `ParseSeriesDesc`; a native histogram in `{{...}}` is left to promtool, as are
quoted UTF-8 names.
"""

from __future__ import annotations

import ast
import re

_ESCAPE = r"\\(?:[abfnrtv\\\"']|[0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
_VALUE_OF = rf"\"(?:[^\"\\\n]|{_ESCAPE})*\"|'(?:[^'\\\n]|{_ESCAPE})*'|`[^`]*`"
_LABEL = rf"\s*[a-zA-Z_][a-zA-Z0-9_]*\s*=\s*(?:{_VALUE_OF})\s*"
_SERIES = re.compile(
    rf"\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?(?P<labels>\{{(?:{_LABEL}(?:,{_LABEL})*,?)?\s*\}})?\s*\Z"
)
_PAIR = re.compile(rf"([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*({_VALUE_OF})")
_NAME = re.compile(rf"[{{,]\s*__name__\s*=\s*({_VALUE_OF})")
_QUOTED = re.compile(r"[{,]\s*[\"']")
_NUMBER = r"(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[iI][nN][fF]|[nN][aA][nN])"
_ITEM = re.compile(
    rf"(?:_(?:x[0-9]+)?|stale(?:x[0-9]+)?|[-+]?{_NUMBER}(?:x[0-9]+|[-+]{_NUMBER}x[0-9]+)?|\{{\{{.*?\}}\}}\S*)\Z"
)
_ITEMS = re.compile(r"\{\{.*?\}\}\S*|\S+")
HELP = "`0+500x60` counts up 60 times by 500, `5x10` stays for 10 more, `_` is a gap, `stale` ends the series"


def wrong_series(text: str) -> str | None:
    """Why `text` names no series; None where it does."""
    if _QUOTED.search(text):
        return None
    found = _SERIES.match(text)
    if found is None:
        return f'`{text}` is no series: write `name{{label="value"}}`'
    if metric_of(text) is None:
        return f"`{text}` has no metric name"
    return None


def metric_of(text: str) -> str | None:
    """The metric name of a series; None where it has none."""
    found = _SERIES.match(text)
    if found is not None and found["name"]:
        return found["name"]
    named = _NAME.search(text)
    return named[1][1:-1] if named is not None else None


def series_labels(text: str) -> tuple[tuple[str, str], ...]:
    """The labels of a series, its name as `__name__`, sorted; of a text that `wrong_series` lets pass."""
    labels = {
        each[1]: _unquoted(each[2]) for each in _PAIR.finditer(text[text.find("{") :] if "{" in text else "")
    }
    name = metric_of(text)
    return tuple(sorted({**({"__name__": name} if name is not None else {}), **labels}.items()))


def _unquoted(literal: str) -> str:
    """The text of a PromQL string literal. Its escapes are Go's, which Python reads alike; backquotes have
    none.
    """
    return literal[1:-1] if literal[0] == "`" else str(ast.literal_eval(literal))


def wrong_values(text: str) -> str | None:
    """Why `text` is no list of values; None where it is one."""
    items = _ITEMS.findall(text)
    if not items:
        return "there are no values"
    wrong = next((item for item in items if _ITEM.match(item) is None), None)
    return f"`{wrong}` is no value of promtool's notation" if wrong is not None else None
