"""`tocsin diff`: what two revisions mean differently, offline.

tocsin diff                  what this branch and the work tree change, since the branch left the main one
tocsin diff REV              the same, since it left REV
tocsin diff REV..REV         one revision and another (`...`: since they parted), without the work tree
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from tocsin import __version__
from tocsin.cli.impact import Beside, impact_of
from tocsin.cli.options import day, repository, today_option, within
from tocsin.cli.reasons import reasons_of
from tocsin.cli.records import HELP as RECORDS_HELP
from tocsin.cli.revisions import base_of, both_at
from tocsin.cli.terminal import echo
from tocsin.cli.workspace import read_sources
from tocsin.diag.nearest import did_you_mean
from tocsin.diff import compare, compare_sops
from tocsin.disk.git_revisions import commit_of, merge_base, repository_of
from tocsin.errors import UsageError
from tocsin.pipeline.standing import Standing
from tocsin.project import read_project
from tocsin.report.diff import FORMATS
from tocsin.report.difference import Difference
from tocsin.report.impact import as_json, as_markdown

CHANGED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """What is compared: commits, `head` None for the work tree."""

    base: str
    head: str | None


@click.command("diff")
@click.argument("revisions", metavar="[BASE..HEAD|BASE]", default="", required=False)
@click.option("--env", "env_name", metavar="E", help="Only what changes in this environment.")
@click.option("--service", metavar="S", help="Only this service's rules and the SOPs they name.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(sorted({*FORMATS, "markdown"})),
    default="text",
    show_default=True,
)
@click.option(
    "--message",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A pull request's text: its `Reason:` and `Ticket:` lines speak for every change.",
)
@click.option(
    "--alertmanager-config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="markdown, json: whom each change notifies, by day and at night, by this routing tree.",
)
@click.option("--records", metavar="WHERE", help=f"markdown, json: {RECORDS_HELP}")
@click.option(
    "--canary",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="markdown, json: what `tocsin canary backtest --format json` said.",
)
@click.option(
    "--plan",
    "plans",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="markdown, json: what `tocsin plan --out FILE` saved, for what fires now; repeatable.",
)
@click.option(
    "--journal",
    "journals",
    metavar="WHERE",
    multiple=True,
    help="markdown, json: the journals of the syncs, for what runs without a record; repeatable; default: those below dist/.",
)
@click.option("--detailed-exitcode", is_flag=True, help="End with 8 where something differs.")
@click.option(
    "-C", "--root", type=click.Path(path_type=Path), default=Path(), help="The repository; default: here."
)
@today_option
def diff_command(
    revisions: str,
    env_name: str | None,
    service: str | None,
    format_: str,
    message: Path | None,
    config: Path | None,
    records: str | None,
    canary: Path | None,
    plans: tuple[Path, ...],
    journals: tuple[str, ...],
    detailed_exitcode: bool,
    root: Path,
    today: str | None,
) -> int:
    """Say what changed between two revisions: rule by rule, field by field, and what that does when it runs.

    `--format markdown` is the report for a pull request: whom it wakes, what the canary said, how to take it back.
    """
    top = repository(root)
    compared = revisions_of(top, revisions)
    said = message.read_text(encoding="utf-8", errors="replace") if message is not None else ""
    difference, before, after = compared_at(
        top, compared, day(today), message=said, env=env_name, service=service
    )
    if format_ in ("markdown", "json"):
        beside = Beside(config=config, records=records, canary=canary, plans=plans, journals=journals)
        impact = impact_of(top, difference, before, after, beside, day(today))
        echo(as_markdown(impact) if format_ == "markdown" else as_json(impact))
    else:
        echo(FORMATS[format_](difference))
    return CHANGED if detailed_exitcode and not difference.is_empty else 0


def revisions_of(top: Path, text: str) -> Revisions:
    """What `BASE..HEAD`, `BASE...HEAD`, `BASE` or nothing means here. UsageError for anything else."""
    if ".." not in text:
        return Revisions(base=base_of(top, text or None, "main" if text else main_branch(top)), head=None)
    dots = "..." if "..." in text else ".."
    names = text.split(dots)
    if len(names) != 2 or not names[0]:
        raise UsageError(f"`{text}` names no two revisions", help="write BASE..HEAD, or BASE alone")
    base, head = commit_of(top, names[0]), commit_of(top, names[1] or "HEAD")
    return Revisions(base=merge_base(top, base, head) if dots == "..." else base, head=head)


def main_branch(top: Path) -> str:
    """The branch that pull requests go to, by tocsin.yaml of the work tree: `main` where it cannot be used."""
    project, _ = read_project(read_sources(top).project)
    return project.site.branch if project is not None else "main"


def difference_at(
    top: Path,
    compared: Revisions,
    today: date,
    *,
    message: str = "",
    env: str | None = None,
    service: str | None = None,
) -> Difference:
    """The difference between two revisions, with what their commits say about it. `env` and `service` narrow it to one of each; UsageError where
    neither side has it."""
    return compared_at(top, compared, today, message=message, env=env, service=service)[0]


def compared_at(
    top: Path, compared: Revisions, today: date, *, message: str, env: str | None, service: str | None
) -> tuple[Difference, Standing, Standing]:
    """The same, with both sides."""
    before, after = both_at(top, compared.base, compared.head, today)
    _known_environment(env, before, after)
    rules = tuple(
        each
        for each in compare(before.resolved, after.resolved)
        if env in (None, each.key.env) and service in (None, each.side.rule.service)
    )
    sops = compare_sops(before.sops, after.sops)
    if service is not None:
        of = {each.id for side in (before, after) for each in side.sops if service in each.services}
        sops = tuple(each for each in sops if each.id in of)
    until = compared.head or repository_of(top).head
    difference = Difference(
        base=compared.base,
        head=compared.head or "",
        rules=rules,
        sops=sops,
        whys=reasons_of(top, compared.base, until, rules, message),
        frozen=tuple(sorted(each for each in before.frozen | after.frozen if service in (None, each))),
        unread=tuple(sorted(before.unread | after.unread)),
        project=after.project,
        version=__version__,
        within=within(top),
    )
    return difference, before, after


def _known_environment(env: str | None, *sides: Standing) -> None:
    names = {each.name for side in sides if side.project is not None for each in side.project.environments}
    if env is not None and env not in names:
        raise UsageError(f"there is no environment `{env}`", help=did_you_mean(env, sorted(names)))
