"""`tocsin check`: everything that is wrong, in one run."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.cli.findings import conclude, finding_options
from tocsin.cli.workspace import day, no_collector, read_sources, repository, root_argument, today_option
from tocsin.pipeline import compile_sources


@click.command("check")
@root_argument
@finding_options
@today_option
def check_command(root: Path, format: str, fail_on: str | None, min_severity: str, today: str | None) -> int:
    """Say everything that is wrong with the sources: schema, links, PromQL, templates, policy.

    Ends with 1 where a finding is as bad as --fail-on.
    """
    top = repository(root)
    with no_collector():
        sources = read_sources(top)
        compilation = compile_sources(sources, day(today))
        return conclude(compilation, sources, format=format, fail_on=fail_on, min_severity=min_severity)
