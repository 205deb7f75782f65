"""`tocsin plan`, `tocsin sync`, `tocsin drift`: what would change on a server, changing it, and whether somebody else did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tocsin.cli.journals import HELP, journal_at, kept_journal
from tocsin.cli.options import day, repository
from tocsin.cli.receivers import told_receivers
from tocsin.cli.records_wait import records_came
from tocsin.cli.run_plan import (
    DRIFTED,
    Stopped,
    actor_of,
    agreed,
    carried_out,
    finished,
    now_text,
    refused,
)
from tocsin.cli.sync_options import May, Where, duration_option, gathered, may_options, where_options
from tocsin.cli.targets import Compiled, compiled_for, ready, target_of, texts_of
from tocsin.cli.terminal import echo
from tocsin.cli.verdicts import gate_of
from tocsin.disk.write import write_file
from tocsin.errors import MachineError, UsageError
from tocsin.ir.duration import Duration
from tocsin.report import commands
from tocsin.report import drift as drift_report
from tocsin.report import plan as plan_report
from tocsin.report.visible import visible
from tocsin.sync.apply import OnError
from tocsin.sync.document import from_json
from tocsin.sync.drift import drift_of
from tocsin.sync.journal import Journal, overrides_of, plan_of
from tocsin.sync.plan import fingerprint, make_plan
from tocsin.sync.values import Desired, Live, Plan, Target

_RENDER = {"text": plan_report.as_text, "markdown": plan_report.as_markdown, "json": plan_report.as_json}
_BY_HAND = {"text": commands.as_text, "markdown": commands.as_markdown}
_DRIFT = {
    "text": drift_report.as_text,
    "markdown": drift_report.as_markdown,
    "json": drift_report.as_json,
    "metrics": drift_report.as_metrics,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A compiled repository beside its server."""

    top: Path
    compiled: Compiled
    desired: Desired
    version: tuple[int, int, int]
    target: Target


@contextmanager
def _sides(where: Where, *, read_only: bool) -> Iterator[_Side]:
    top = repository(where.root)
    compiled = compiled_for(top, where.env_name, where.evaluator, day(where.today), where.target)
    with target_of(compiled, where.url, where.rules_dir, read_only=read_only) as (version, target, desired):
        yield _Side(top=top, compiled=compiled, desired=desired, version=version, target=target)


@click.command("plan")
@where_options
@may_options
@click.option("--format", "format_", type=click.Choice(tuple(_RENDER)), default="text", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also save the plan, for `tocsin sync --plan FILE`.",
)
@click.option(
    "--commands",
    "script",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write, into this folder, the commands (curl, cp) that do it by hand, and the way back.",
)
@click.option(
    "--alertmanager-config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Say where a change reaches another receiver by this routing tree; else by Grafana's policies, where it notifies.",
)
@click.option("--detailed-exitcode", is_flag=True, help="End with 8 where something would change.")
@gathered(where=Where, may=May)
def plan_command(
    where: Where,
    may: May,
    format_: str,
    out: Path | None,
    script: Path | None,
    config: Path | None,
    detailed_exitcode: bool,
) -> int:
    """Say what a sync would do, and what that does to alerts. Nothing but GET can leave this process."""
    with _sides(where, read_only=True) as side:
        plan = _planned(side, side.target.read(), where, may, config)
        texts = texts_of(side.target)
    if out is not None:
        write_file(out, plan_report.as_json(plan))
    echo(_RENDER[format_](plan))
    by_hand = commands.commands(plan, texts, editable=side.compiled.environment.provenance == "editable")
    if script is not None:
        for name, text in by_hand.files.items():
            write_file(script / name, text)
    if format_ in _BY_HAND:
        echo(_BY_HAND[format_](by_hand, str(script) if script is not None else ""))
    code = refused(plan)
    return DRIFTED if not code and detailed_exitcode and any(each.writes for each in plan.groups) else code


@click.command("sync")
@where_options
@may_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--journal", metavar="WHERE", help=HELP)
@click.option(
    "--on-error", type=click.Choice(("undo", "stop", "continue")), default="stop", show_default=True
)
@click.option("--no-wait", is_flag=True, help="Do not wait for three evaluations of the changed rules.")
@click.option("--resume", "resume_", is_flag=True, help="Finish the run of that journal.")
@click.option("--undo", "undo_", is_flag=True, help="Take the run of that journal back.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Apply exactly this saved plan, or stop.",
)
@click.option(
    "--wait-records",
    metavar="T",
    default="2m",
    show_default=True,
    callback=duration_option,
    help="Wait so long for new records, if what reads them can follow then: `0s` leaves it to the next sync.",
)
@gathered(where=Where, may=May)
def sync_command(
    where: Where,
    may: May,
    yes: bool,
    journal: str | None,
    on_error: OnError,
    no_wait: bool,
    resume_: bool,
    undo_: bool,
    plan_file: Path | None,
    wait_records: Duration,
) -> int:
    """Make the server hold what the sources say: journal, write, read back. A second run in a row writes nothing."""
    if sum((resume_, undo_, plan_file is not None)) > 1:
        raise UsageError("--resume, --undo and --plan say three different runs", help="choose one")
    top = repository(where.root)
    with (
        _sides(where, read_only=False) as side,
        journal_at(journal, top, side.compiled.environment.name) as book,
    ):
        if resume_ or undo_:
            _same_server(plan_of(book), side.target)
            return finished(side.target, book, on_error, back=undo_)
        live = side.target.read()
        plan = _planned(side, live, where, may)
        if plan_file is not None:
            plan = _as_saved(_saved(plan_file, live), plan)
        how = _How(yes=yes, on_error=on_error, wait=not no_wait)
        failed = _written(side, live, plan, book, may, how)
        # A saved plan is applied and nothing else is.
        if (
            not failed
            and plan_file is None
            and records_came(plan, side.target, wait_records, may.accept_blind)
        ):
            live = side.target.read()
            plan = _planned(side, live, where, may)
            failed = _written(side, live, plan, book, may, how)
        return failed or refused(plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How a plan is carried out."""

    yes: bool
    on_error: OnError
    wait: bool


def _written(side: _Side, live: Live, plan: Plan, book: Journal, may: May, how: _How) -> int:
    """One plan shown, asked about and carried out: 0, or 4 where not all of it is there and well."""
    echo(plan_report.as_text(plan))
    if plan.stops:
        raise Stopped(plan.stops[0].message, help=plan.stops[0].help)
    if not any(each.writes for each in plan.groups):
        return 0
    by = actor_of(plan.server)
    if may.override_canary and not by:
        raise Stopped(
            "nobody is known to have overridden the canary: the token has no login and no CI names an actor",
            help="use a token whose login Grafana tells, or run this in a job that sets GITHUB_ACTOR",
        )
    agreed(yes=how.yes)
    done = carried_out(
        plan,
        side.target,
        book,
        how.on_error,
        by=by,
        override=(may.reason or "") if may.override_canary else "",
        # A folder evaluates nothing, so there is nobody to watch.
        before=None if live.server.kind == "directory" else live.states,
        wait=how.wait,
    )
    standing = overrides_of(book)
    if standing.standing:
        click.echo(visible(standing.text), err=True)
    return done


@click.command("drift")
@where_options
@click.option("--format", "format_", type=click.Choice(tuple(_DRIFT)), default="text", show_default=True)
@click.option(
    "--detailed-exitcode", is_flag=True, help="End with 8 where the server differs from the sources."
)
@click.option(
    "--journal",
    metavar="WHERE",
    help="The journal of the syncs, to count what went out without a verdict; default: dist/journal/E.jsonl where it is there.",
)
@gathered(where=Where)
def drift_command(where: Where, format_: str, detailed_exitcode: bool, journal: str | None) -> int:
    """Say where the server differs from the sources: missing, foreign, paused, divergent. Never writes."""
    with _sides(where, read_only=True) as side:
        found = drift_of(side.desired, side.target.read(), now_text(), where.scope)
        with kept_journal(journal, side.top, side.compiled.environment.name) as book:
            found = replace(found, overrides=overrides_of(book) if book is not None else None)
    echo(_DRIFT[format_](found, now_text()))
    return DRIFTED if detailed_exitcode and found.rows else 0


def _planned(side: _Side, live: Live, where: Where, may: May, config: Path | None = None) -> Plan:
    gate = gate_of(
        side.compiled,
        live,
        side.version,
        records=may.records,
        top=side.top,
        base=may.policy_base,
        today=day(where.today),
        override=may.override_canary,
    )
    plan = make_plan(side.desired, live, may.guard(side.version), gate, now_text(), where.scope)
    plan = ready(plan, side.target, may.accept_blind)
    plan = told_receivers(plan, live, side.desired, side.target, side.compiled.environment, config)
    return replace(plan, notes=(*plan.notes, *gate.said), overridden=tuple(gate.overridden))


def _saved(path: Path, live: Live) -> Plan:
    """A saved plan, if the server is still what it was made for."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MachineError(f"{path} cannot be read as a plan: {error}") from None
    plan = from_json(Plan, document.get("plan") if isinstance(document, dict) else None, str(path))
    if live.server.identity != plan.server.identity:
        raise Stopped(f"the plan is for {plan.server.identity}, and this is {live.server.identity}")
    if fingerprint(live) != plan.live:
        raise Stopped(
            "the server is not what it was when the plan was made", help="make a new plan and look at it"
        )
    return plan


def _as_saved(saved: Plan, now: Plan) -> Plan:
    """The plan of this moment, if it writes exactly what the saved one said. A file is no proof that a change was judged: guards and verdicts are
    those of this run."""
    saved_writes, writes = (
        {each.place: (each.before, each.after) for each in plan.groups if each.writes}
        for plan in (saved, now)
    )
    if (saved.environment, saved.owner, saved.folders) != (now.environment, now.owner, now.folders) or (
        saved_writes != writes and not now.stops
    ):
        raise Stopped(
            "the sources and the guards of this run do not give the saved plan",
            help="check out what the plan was made from and use its options, or make a new plan",
        )
    return now


def _same_server(plan: Plan, target: Target) -> None:
    identity = target.read().server.identity
    if plan.server.identity != identity:
        raise Stopped(f"the journal is about {plan.server.identity}, and this is {identity}")
