"""`tocsin plan`, `tocsin sync`, `tocsin drift`: what would change on a server, changing it, and whether somebody else did."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from tocsin.cli.options import day, repository, root_argument, today_option
from tocsin.cli.targets import Compiled, compiled_for, desired_of, grafana_of
from tocsin.cli.terminal import echo
from tocsin.disk.journal import FileJournal
from tocsin.errors import MachineError, TocsinError, UsageError
from tocsin.report import drift as drift_report
from tocsin.report import plan as plan_report
from tocsin.report.visible import visible
from tocsin.sync.apply import OnError, Outcome, apply, resume, undo
from tocsin.sync.document import from_json
from tocsin.sync.drift import drift_of
from tocsin.sync.guard import Guard
from tocsin.sync.journal import Journal, ended, plan_of
from tocsin.sync.plan import Scope, fingerprint, make_plan
from tocsin.sync.values import Plan, Refusal, Target

_F = TypeVar("_F", bound=Callable[..., object])
_RENDER = {"text": plan_report.as_text, "markdown": plan_report.as_markdown, "json": plan_report.as_json}
_DRIFT = {"text": drift_report.as_text, "json": drift_report.as_json, "metrics": drift_report.as_metrics}
SOME, GATE, DRIFTED, ALL = 4, 7, 8, 9


class Stopped(TocsinError):
    """The whole run is refused."""

    exit_code = ALL


def _where(command: _F) -> _F:
    """The options that say which server and which rules."""
    for option in (
        root_argument,
        click.option(
            "--env", "env_name", metavar="E", help="The environment; needed where there are several."
        ),
        click.option(
            "--evaluator", metavar="NAME", help="Which Grafana of the environment; default: the first."
        ),
        click.option(
            "--service", "services", multiple=True, metavar="S", help="Only this service; repeatable."
        ),
        click.option("--rule", "rules", multiple=True, metavar="ID", help="Only this rule; repeatable."),
        click.option(
            "--url", metavar="URL", help="The server's address; default: the environment's variable."
        ),
        today_option,
    ):
        command = option(command)
    return command


def _how(command: _F) -> _F:
    """The options that say what a plan may do."""
    for option in (
        click.option(
            "--max-deletes",
            type=int,
            default=10,
            show_default=True,
            help="Stop where more rules would be deleted.",
        ),
        click.option(
            "--max-delete-percent",
            type=float,
            default=20.0,
            show_default=True,
            help="... or more of ours than this; 0 for no limit.",
        ),
        click.option(
            "--skip-foreign",
            is_flag=True,
            help="A group that holds rules of others is left out, and that is no failure.",
        ),
        click.option(
            "--override-canary", is_flag=True, help="Write rules that have no canary record; needs --reason."
        ),
        click.option("--reason", metavar="TEXT", help="Why; it is written to the journal with who you are."),
    ):
        command = option(command)
    return command


@click.command("plan")
@_where
@_how
@click.option("--format", "format_", type=click.Choice(tuple(_RENDER)), default="text", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also save the plan, for `tocsin sync --plan FILE`.",
)
@click.option("--detailed-exitcode", is_flag=True, help="End with 8 where something would change.")
def plan_command(
    root: Path,
    env_name: str | None,
    evaluator: str | None,
    services: tuple[str, ...],
    rules: tuple[str, ...],
    url: str | None,
    today: str | None,
    max_deletes: int,
    max_delete_percent: float,
    skip_foreign: bool,
    override_canary: bool,
    reason: str | None,
    format_: str,
    out: Path | None,
    detailed_exitcode: bool,
) -> int:
    """Say what a sync would do, and what that does to alerts. Nothing but GET can leave this process."""
    compiled = compiled_for(repository(root), env_name, evaluator, day(today))
    guard = Guard(
        max_deletes=max_deletes,
        max_delete_percent=max_delete_percent,
        foreign="skip" if skip_foreign else "refuse",
    )
    with grafana_of(compiled, url, read_only=True) as (client, target):
        plan = _planned(
            compiled,
            target,
            client.server.version,
            guard,
            Scope(services=frozenset(services), rules=frozenset(rules)),
            override=override_canary,
        )
    if out is not None:
        from tocsin.disk.write import write_file

        write_file(out, plan_report.as_json(plan))
    echo(_RENDER[format_](plan))
    code = refused(plan)
    return DRIFTED if not code and detailed_exitcode and any(each.writes for each in plan.groups) else code


@click.command("sync")
@_where
@_how
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the journal of this run goes; it must outlive the machine.",
)
@click.option(
    "--on-error", type=click.Choice(("undo", "stop", "continue")), default="stop", show_default=True
)
@click.option("--resume", "resume_", is_flag=True, help="Finish the run of that journal.")
@click.option("--undo", "undo_", is_flag=True, help="Take the run of that journal back.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Apply exactly this saved plan, or stop.",
)
def sync_command(
    root: Path,
    env_name: str | None,
    evaluator: str | None,
    services: tuple[str, ...],
    rules: tuple[str, ...],
    url: str | None,
    today: str | None,
    max_deletes: int,
    max_delete_percent: float,
    skip_foreign: bool,
    override_canary: bool,
    reason: str | None,
    yes: bool,
    journal: Path | None,
    on_error: OnError,
    resume_: bool,
    undo_: bool,
    plan_file: Path | None,
) -> int:
    """Make the server hold what the sources say: journal, write, read back. A second run in a row writes nothing."""
    if override_canary and not reason:
        raise UsageError("--override-canary needs --reason")
    top = repository(root)
    book = journal_of(journal, top, env_name)
    compiled = compiled_for(top, env_name, evaluator, day(today))
    with grafana_of(compiled, url, read_only=False) as (client, target):
        if resume_ or undo_:
            _same_server(plan_of(book), target)
            return tell(undo(target, book) if undo_ else resume(target, book, on_error))
        guard = Guard(
            max_deletes=max_deletes,
            max_delete_percent=max_delete_percent,
            foreign="skip" if skip_foreign else "refuse",
        )
        scope = Scope(services=frozenset(services), rules=frozenset(rules))
        plan = (
            _saved(plan_file, target)
            if plan_file is not None
            else _planned(compiled, target, client.server.version, guard, scope, override=override_canary)
        )
        echo(plan_report.as_text(plan))
        if plan.stops:
            raise Stopped(plan.stops[0].message, help=plan.stops[0].help)
        code = refused(plan)
        if not any(each.writes for each in plan.groups):
            return code
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("nobody is here to ask", help="add --yes where a plan was looked at before")
            click.confirm("Write this?", abort=True, err=True)
        by = (
            plan.server.login
            or os.environ.get("GITHUB_ACTOR", "")
            or os.environ.get("GITLAB_USER_LOGIN", "")
            or "unknown"
        )
        said = f"{by}: {reason}" if override_canary else by
        return tell(apply(plan, target, book, on_error, now_text(), said)) or code


@click.command("drift")
@_where
@click.option("--format", "format_", type=click.Choice(tuple(_DRIFT)), default="text", show_default=True)
@click.option(
    "--detailed-exitcode", is_flag=True, help="End with 8 where the server differs from the sources."
)
def drift_command(
    root: Path,
    env_name: str | None,
    evaluator: str | None,
    services: tuple[str, ...],
    rules: tuple[str, ...],
    url: str | None,
    today: str | None,
    format_: str,
    detailed_exitcode: bool,
) -> int:
    """Say where the server differs from the sources: missing, foreign, paused, divergent. Never writes."""
    compiled = compiled_for(repository(root), env_name, evaluator, day(today))
    with grafana_of(compiled, url, read_only=True) as (client, target):
        live = target.read()
        desired = desired_of(compiled, client.server.version)
        found = drift_of(desired, live, now_text(), Scope(services=frozenset(services), rules=frozenset(rules)))
    echo(_DRIFT[format_](found, now_text()))
    return DRIFTED if detailed_exitcode and found.rows else 0


def _planned(
    compiled: Compiled,
    target: Target,
    version: tuple[int, int, int],
    guard: Guard,
    scope: Scope,
    *,
    override: bool,
) -> Plan:
    from dataclasses import replace

    required = compiled.environment.verdict == "required" and not override

    def admit(key: str, digest: str, service: str) -> Refusal | None:
        if not required:
            return None
        what = "its removal" if not digest else "this change"
        return Refusal(
            code="no-verdict",
            message=f"{key} has no canary record for {what}",
            help="--override-canary --reason TEXT, with who you are in the journal",
            subject=key,
        )

    return make_plan(
        desired_of(compiled, version), target.read(), replace(guard, version=version), admit, now_text(), scope
    )


def _saved(path: Path, target: Target) -> Plan:
    """A saved plan, if the server is still what it was made for."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MachineError(f"{path} cannot be read as a plan: {error}") from None
    plan = from_json(Plan, document.get("plan") if isinstance(document, dict) else None, str(path))
    live = target.read()
    if live.server.identity != plan.server.identity:
        raise Stopped(f"the plan is for {plan.server.identity}, and this is {live.server.identity}")
    if fingerprint(live) != plan.live:
        raise Stopped(
            "the server is not what it was when the plan was made", help="make a new plan and look at it"
        )
    return plan


def _same_server(plan: Plan, target: Target) -> None:
    identity = target.read().server.identity
    if plan.server.identity != identity:
        raise Stopped(f"the journal is about {plan.server.identity}, and this is {identity}")


def journal_of(path: Path | None, top: Path, env_name: str | None) -> Journal:
    """The journal's file. On a CI runner a path that dies with it is refused."""
    chosen = path if path is not None else top / "dist" / "journal" / f"{env_name or 'default'}.jsonl"
    if os.environ.get("CI", "").lower() == "true":
        inside = [
            each
            for each in (top, Path(os.environ.get("TMPDIR", "/tmp")))
            if chosen.resolve().is_relative_to(each.resolve())
        ]
        if inside:
            raise Stopped(
                f"the journal {chosen} would be lost with this runner",
                help="name a place that outlives it: --journal /mnt/journal/prod.jsonl",
            )
    book = FileJournal(chosen)
    if path is None and book.entries() and ended(book):
        chosen.replace(chosen.with_suffix(".last.jsonl"))
    return book


def refused(plan: Plan) -> int:
    """4 where some groups are refused, 9 where all are, 7 where the canary alone says no."""
    if plan.stops:
        return ALL
    refused = [each for each in plan.groups if any(not why.skipped for why in each.refusals)]
    if not refused:
        return 0
    if any(each.writes for each in plan.groups):
        return SOME
    only_canary = all(why.code == "no-verdict" for each in refused for why in each.refusals)
    return GATE if only_canary else ALL


def tell(outcome: Outcome) -> int:
    """Says what became of each group; 4 where not all of it is there."""
    for each in outcome.results:
        click.echo(
            f"{each.state}: {each.place.folder} / {each.place.group}{f': {visible(each.say)}' if each.say else ''}",
            err=True,
        )
    if outcome.undone:
        click.echo("the run was taken back", err=True)
        return SOME
    return 0 if outcome.clean else SOME


def now_text() -> str:
    """The time of day, ISO 8601 in UTC."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
