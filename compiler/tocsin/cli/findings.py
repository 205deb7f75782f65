"""How a run ends: its findings on stdout in the format asked for, its exit code."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin import __version__
from tocsin.cli.terminal import coloured, echo
from tocsin.diag import Diagnostic, Severity, SourceFile
from tocsin.pipeline import Sources
from tocsin.report import REPORTERS, Report, as_text


def report_of(
    found: Iterable[Diagnostic],
    sources: Sources,
    *,
    fail_on: str | None,
    min_severity: str = "note",
    project_fail_on: Severity | None = None,
    within: str = "",
) -> Report:
    """The findings with what a reporter needs beside them; `within` is the project's folder in its Git repository."""
    worst = Severity[fail_on] if fail_on is not None else project_fail_on or Severity.error
    return Report.of(
        found,
        texts={each.path: each.text for each in files_of(sources)},
        files=len(files_of(sources)),
        version=__version__,
        fail_on=worst,
        min_severity=Severity[min_severity],
        within=within,
    )


def files_of(sources: Sources) -> tuple[SourceFile, ...]:
    """Every file that was read."""
    single = [each for each in (sources.project, sources.ledger) if each is not None]
    return (*single, *sources.rules, *sources.sops, *sources.incidents)


def show(report: Report, format_: str) -> None:
    """Prints a report."""
    echo(text_of(report, format_))


def text_of(report: Report, format_: str) -> str:
    """A report in the format asked for; with colours where a person reads."""
    return as_text.render(report, colour=coloured()) if format_ == "text" else REPORTERS[format_](report)


def exit_code(report: Report) -> int:
    """1 where a finding is as bad as asked, else 0."""
    return 1 if report.failed else 0
