"""Says where a text that the parser refused is wrong, and in whose words.

The library names no place. The scanner finds what is wrong with brackets, strings, numbers and order; for the
rest, the function or regular expression the library names is looked up among the tokens; failing that, None.
"""

from __future__ import annotations

import re

from tocsin.diag.nearest import nearest
from tocsin.promql.effects import FUNCTIONS
from tocsin.promql.scan import AGGREGATIONS, Scan
from tocsin.promql.tree import PromqlProblem

_IN_CALL = re.compile(r"(?:in call to function|in call to) '(\w+)'")
_VAGUE = frozenset({"invalid promql query", "invalid syntax"})


def located(scanned: Scan, said: str) -> PromqlProblem:
    """The problem with a refused text: the scanner's where it found one, else what the library `said`."""
    if scanned.problem is not None:
        return scanned.problem
    known = FUNCTIONS.keys() | AGGREGATIONS
    for token in scanned.called:
        if token.text not in known and token.lower not in AGGREGATIONS:
            close = nearest(token.text, known)
            hint = f"; did you mean `{close}`?" if close else ""
            return PromqlProblem(message=f"there is no function `{token.text}`{hint}", offset=token.start)
    if said in _VAGUE:
        return PromqlProblem(message="the expression does not follow PromQL's grammar")
    call = _IN_CALL.search(said)
    return PromqlProblem(message=said, offset=_called(scanned, call[1]) if call else None)


def _called(scanned: Scan, name: str) -> int | None:
    """Where the one call of `name` stands; None when there are several to choose from."""
    places = [token.start for token in scanned.called if token.text == name]
    return places[0] if len(places) == 1 else None
