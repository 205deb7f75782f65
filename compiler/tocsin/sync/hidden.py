"""Evaluation errors that a server cannot show: who reads `healthy` there must know that it proves less. Pure.

tocsin lets a rule keep its last state when its query fails. A Grafana before 11.0 knows no `KeepLast`, so its rules say `execErrState: OK`, and a 9.4
then calls the failed evaluation a normal one (resultError in pkg/services/ngalert/state/state.go; seen on a running one by
tests/grafana/test_evaluation.py). The generated rule `EvaluationFailing` asks each data source by itself and is not affected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.sync.values import GroupPlan, Rule, Server
from tocsin.wire.versions import supports

SAY = "this version cannot show an evaluation error of this rule; the generated evaluation rule does"

HIDDEN = (
    "Grafana {version} cannot show an evaluation error of these rules; the generated evaluation rule does"
)


def hides_errors(server: Server, rule: Rule) -> bool:
    """Whether that server would call a failed evaluation of the rule a normal one."""
    if server.kind != "grafana" or rule.body.get("execErrState") != "OK":
        return False
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", server.version)
    if found is None:
        return False
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    return not supports("grafana", "http", "keep_last", version)


def said_of(server: Server, rules: Iterable[Rule]) -> tuple[str, ...]:
    """One sentence about all of them, none where it is about no rule."""
    hidden = any(hides_errors(server, each) for each in rules)
    return (HIDDEN.format(version=server.version),) if hidden else ()


def said_of_plans(server: Server, plans: Iterable[GroupPlan]) -> tuple[str, ...]:
    """The same about the rules that are to be written."""
    changes = (change for plan in plans if plan.writes for change in plan.changes)
    return said_of(server, (each.rule for each in changes if each.action not in ("none", "delete")))
