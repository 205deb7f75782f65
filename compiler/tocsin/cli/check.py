"""`tocsin check`: everything that is wrong, in one run."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.cli.known import question, tool_cache
from tocsin.cli.options import day, finding_options, repository, root_argument, today_option, within
from tocsin.cli.terminal import coloured, echo
from tocsin.errors import UsageError


@click.command("check")
@root_argument
@click.option(
    "--base",
    metavar="REV",
    help="Also ask for a reason and a ticket of each rule that behaves otherwise than where HEAD left REV.",
)
@click.option(
    "--message",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="With --base, a pull request's text: its `Reason:` and `Ticket:` lines speak for every change.",
)
@finding_options
@today_option
def check_command(
    root: Path,
    base: str | None,
    message: Path | None,
    format_: str,
    fail_on: str | None,
    min_severity: str,
    today: str | None,
) -> int:
    """Say everything that is wrong with the sources: schema, links, PromQL, templates, policy.

    Ends with 1 where a finding is as bad as --fail-on.
    """
    if message is not None and base is None:
        raise UsageError("--message says why something changed", help="add --base REV: since when")
    top, date = repository(root), day(today)
    asked = question(
        top, ("check", date.isoformat(), format_, fail_on or "", min_severity, str(coloured()), within(top))
    )
    # What commits say is in no source, so an answer about them is not kept.
    known = asked.answer() if base is None else None
    if known is None:
        # Imported only where something is to be computed: see `known`.
        from tocsin.cli.findings import exit_code, report_of, text_of
        from tocsin.cli.fleet import check
        from tocsin.cli.progress import watch
        from tocsin.cli.workspace import no_collector, past_of, read_sources

        with no_collector():
            sources = read_sources(top)
            checked = check(sources, date, tool_cache(), top, watch, past_of(top))
            found = checked.diagnostics
            if base is not None:
                from tocsin.cli.unexplained import unexplained_since

                found = (*found, *unexplained_since(top, base, message, date))
            report = report_of(
                found,
                sources,
                fail_on=fail_on,
                min_severity=min_severity,
                project_fail_on=checked.fail_on,
                within=within(top),
            )
            known = text_of(report, format_), exit_code(report)
        if base is None:
            asked.keep(*known)
    echo(known[0])
    return known[1]
