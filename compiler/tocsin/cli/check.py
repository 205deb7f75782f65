"""`tocsin check`: everything that is wrong, in one run."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin import __version__
from tocsin.cli import fleet
from tocsin.cli.findings import exit_code, finding_options, report_of, show
from tocsin.cli.workspace import day, no_collector, read_sources, repository, root_argument, today_option
from tocsin.disk.cache import open_cache


@click.command("check")
@root_argument
@finding_options
@today_option
def check_command(root: Path, format_: str, fail_on: str | None, min_severity: str, today: str | None) -> int:
    """Say everything that is wrong with the sources: schema, links, PromQL, templates, policy.

    Ends with 1 where a finding is as bad as --fail-on.
    """
    top = repository(root)
    with no_collector():
        sources = read_sources(top)
        checked = fleet.check(sources, day(today), open_cache(__version__), top)
        report = report_of(checked.diagnostics, sources, fail_on=fail_on, min_severity=min_severity, project_fail_on=checked.fail_on)
        show(report, format_)
    return exit_code(report)
