"""Changes that nobody gives a reason or a ticket for, as findings: `tocsin check --base REV`.

In: the changes since a revision and what was said about each rule. Out: at most one finding of each code for each rule, on the changed line. Words and
layout need neither; whoever is called otherwise, or sooner, or no more, may ask why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tocsin.diag import Diagnostic, diagnostic
from tocsin.diff.changes import RuleChange
from tocsin.diff.classes import CLASSES, at_least
from tocsin.diff.places import place_of
from tocsin.ir.project import Project
from tocsin.release.entries import Why

_WHAT = {
    "routing": "is routed otherwise",
    "sensitivity": "fires otherwise",
    "meaning": "means something else",
    "added": "is new",
    "removal": "is gone",
}
_ROWS = (
    ("TOC831", "reason", "Reason: why it had to change"),
    ("TOC832", "ticket", "Ticket: INFRA-2891"),
)


def unexplained(
    changes: Iterable[RuleChange], whys: Mapping[str, Why], project: Project | None, base: str
) -> tuple[Diagnostic, ...]:
    """The findings about changes since the commit `base`; `project` is tocsin.yaml as it is now."""
    worst: dict[str, RuleChange] = {}
    for change in changes:
        known = worst.get(change.key.id)
        if at_least(change.class_, "routing") and (
            known is None or CLASSES.index(change.class_) > CLASSES.index(known.class_)
        ):
            worst[change.key.id] = change
    found: list[Diagnostic] = []
    for id, change in sorted(worst.items()):
        why = whys.get(id, Why())
        for code, name, row in _ROWS:
            if why.reasons if name == "reason" else why.tickets:
                continue
            said = f"`{id}` {_WHAT[change.class_]} since {base[:12]}, and nobody names a {name}"
            help = f"write `{row}` on a line of its own in a commit's message, or in the pull request's text (--message FILE)"
            found.append(diagnostic(code, place_of(change, project), said, help=help, subject=id))
    return tuple(found)
