"""`tocsin check`: everything that is wrong, in one run."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.cli.known import question, tool_cache
from tocsin.cli.options import day, finding_options, repository, root_argument, today_option
from tocsin.cli.terminal import coloured, echo


@click.command("check")
@root_argument
@finding_options
@today_option
def check_command(root: Path, format_: str, fail_on: str | None, min_severity: str, today: str | None) -> int:
    """Say everything that is wrong with the sources: schema, links, PromQL, templates, policy.

    Ends with 1 where a finding is as bad as --fail-on.
    """
    top, date = repository(root), day(today)
    asked = question(top, ("check", date.isoformat(), format_, fail_on or "", min_severity, str(coloured())))
    known = asked.answer()
    if known is None:
        # Imported only where something is to be computed: see `known`.
        from tocsin.cli.findings import exit_code, report_of, text_of
        from tocsin.cli.fleet import check
        from tocsin.cli.progress import watch
        from tocsin.cli.workspace import no_collector, past_of, read_sources

        with no_collector():
            sources = read_sources(top)
            checked = check(sources, date, tool_cache(), top, watch, past_of(top))
            report = report_of(
                checked.diagnostics,
                sources,
                fail_on=fail_on,
                min_severity=min_severity,
                project_fail_on=checked.fail_on,
            )
            known = text_of(report, format_), exit_code(report)
        asked.keep(*known)
    echo(known[0])
    return known[1]
