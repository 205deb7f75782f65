"""How a run ends: its findings on stdout in the format asked for, its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from tocsin import __version__
from tocsin.diag import Diagnostic, Severity, SourceFile
from tocsin.pipeline import Sources
from tocsin.report import REPORTERS, Report, as_text

_F = TypeVar("_F", bound=Callable[..., object])
_SEVERITIES = [each.name for each in sorted(Severity)]


def finding_options(command: _F) -> _F:
    """`--format`, `--fail-on` and `--min-severity`, the same on every command that reports findings."""
    for option in (
        click.option("--min-severity", type=click.Choice(_SEVERITIES), default="note", help="Hide findings below this; they still count."),
        click.option("--fail-on", type=click.Choice(_SEVERITIES), help="End with 1 from this severity on; default: the project's `fail_on`."),
        click.option("--format", "format_", type=click.Choice(list(REPORTERS)), default="text", show_default=True),
    ):
        command = option(command)
    return command


def report_of(
    found: Iterable[Diagnostic], sources: Sources, *, fail_on: str | None, min_severity: str = "note", project_fail_on: Severity | None = None
) -> Report:
    """The findings with what a reporter needs beside them."""
    worst = Severity[fail_on] if fail_on is not None else project_fail_on or Severity.error
    return Report.of(
        found,
        texts={each.path: each.text for each in files_of(sources)},
        files=len(files_of(sources)),
        version=__version__,
        fail_on=worst,
        min_severity=Severity[min_severity],
    )


def files_of(sources: Sources) -> tuple[SourceFile, ...]:
    """Every file that was read."""
    single = [each for each in (sources.project, sources.ledger) if each is not None]
    return (*single, *sources.rules, *sources.sops, *sources.incidents)


def show(report: Report, format_: str, *, err: bool = False) -> None:
    """Prints a report."""
    stream = sys.stderr if err else sys.stdout
    if format_ == "text":
        colour = stream.isatty() and not os.environ.get("NO_COLOR")
        click.echo(as_text.render(report, colour=colour), nl=False, file=stream, color=colour)
    else:
        click.echo(REPORTERS[format_](report), nl=False, file=stream)


def exit_code(report: Report) -> int:
    """1 where a finding is as bad as asked, else 0."""
    return 1 if report.failed else 0
