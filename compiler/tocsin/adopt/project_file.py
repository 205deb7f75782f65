"""tocsin.yaml for adopted rules: written where there is none, extended where there is one.

Extended means: an entry is added where its name is free, and nothing that stands there is changed or moved.
What adopted rules need is the policy that keeps their severity labels, the teams that own them,
`labels.inject: []` so that no alert gains a label, and, in a file of our own making, milder `checks` for
faults the rules had before they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.adopt.owners import UNOWNED
from tocsin.adopt.severities import position
from tocsin.diag.origin import Map
from tocsin.source.edit import Addition, added
from tocsin.source.layout import Comment, Path, written

MODELINE = "# yaml-language-server: $schema=.tocsin/schemas/project.schema.json"
OLDEST = (2, 53)
"""The version a new project file names unless the rules need a newer one: the oldest long-term release still
served.
"""
_INJECT = (
    "# Labels added to every alert. `rule_id` gives each one a name that survives renames, and its first arrival starts the",
    "# state of every alert anew: pending and firing alerts begin again. None is added until you ask.",
)
_CHECKS = "# The adopted rules had these faults before they came. Mend them, then take the line out: the check is an error again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the adopted rules need from the project file. `inject` is None where the project has decided
    already.
    """

    severities: Mapping[str, str] = field(default_factory=dict)
    """Name -> the label's value, the most urgent first; only those the file lacks."""
    unranked: bool = False
    teams: tuple[str, ...] = ()
    inject: tuple[str, ...] | None = None
    version: tuple[int, int] = OLDEST


def fresh(name: str, needs: Needs, checks: tuple[str, ...] = ()) -> str:
    """A new project file. `checks` are the codes to turn down."""
    data: dict[str, object] = {"version": 1, "project": name}
    if needs.severities:
        data["severities"] = {
            name: {"label": {"severity": value}} for name, value in needs.severities.items()
        }
    if needs.unranked and needs.severities:
        data["unranked"] = True
    data["teams"] = {team: {"name": _team_name(team)} for team in needs.teams or (UNOWNED,)}
    data["labels"] = {"inject": list(needs.inject or ())}
    if checks:
        data["checks"] = dict.fromkeys(checks, "warning")
    major, minor = needs.version
    evaluator = {"name": "prometheus", "kind": "prometheus", "version": f"{major}.{minor}"}
    data["environments"] = {"prod": {"evaluators": [evaluator]}}
    comments: dict[Path, Comment] = {
        ("severities",): Comment(
            before=(
                "# The response policy, the most urgent first. Add what each one demands: respond_within, rto, requires.",
            )
        ),
        ("unranked",): Comment(
            before=("# Some alerts have no severity, or one that is decided by a template.",)
        ),
        ("labels",): Comment(before=_INJECT),
        ("checks",): Comment(before=(_CHECKS,)),
        ("environments", "prod", "evaluators", 0, "version"): Comment(
            beside="# what evaluates the rules; set your own version"
        ),
    }
    return written(
        data,
        comments,
        head=[MODELINE],
        air=lambda path: len(path) == 1 and path[0] not in ("version", "project", "unranked"),
        flow=_flow,
    )


def extended(text: str, existing: Map, needs: Needs, checks: tuple[str, ...] = ()) -> str:
    """The project file with what it lacks. `checks` are the codes to turn down, where the file is silent
    about them.
    """
    policy = existing.get("severities")
    additions = [
        Addition(
            path=("severities", name),
            value={"label": {"severity": value}},
            before=position(name, value, policy if isinstance(policy, Map) else None),
        )
        for name, value in needs.severities.items()
    ]
    ranked = isinstance(policy, Map) or bool(needs.severities)
    if needs.unranked and ranked:
        additions.append(
            Addition(
                path=("unranked",),
                value=True,
                before="teams",
                comment="Some adopted alerts have no severity, or one that is decided by a template.",
            )
        )
    additions.extend(Addition(path=("teams", team), value={"name": _team_name(team)}) for team in needs.teams)
    if needs.inject is not None:
        additions.append(
            Addition(
                path=("labels", "inject"),
                value=list(needs.inject),
                comment="Labels added to every alert; adding one starts the state of all alerts anew.",
            )
        )
    additions.extend(
        Addition(path=("checks", code), value="warning", comment=_CHECKS.removeprefix("# "))
        for code in checks
    )
    return added(text, additions)


def _team_name(team: str) -> str:
    return "Nobody yet" if team == UNOWNED else team


def _flow(path: Path) -> bool:
    return path[-1] in ("label", "inject")
