"""`tocsin test`: the sources' unit tests, run by the real promtool on what would be deployed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from tocsin import __version__
from tocsin.cli.findings import report_of, show
from tocsin.cli.options import day, finding_options, repository, root_argument, today_option, within
from tocsin.cli.progress import watch, watched
from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag import CODES, Severity
from tocsin.diag.nearest import did_you_mean
from tocsin.disk.process import find_tool, run
from tocsin.disk.write import write, write_file
from tocsin.emit.outcomes import Coverage, Printed, TestResult, coverage, read_results
from tocsin.emit.tests import TestPlan
from tocsin.errors import UsageError
from tocsin.pipeline import Compilation, compile_sources
from tocsin.report.tests import junit

TIMEOUT = 300.0
"""Seconds for one file of tests: far beyond any honest one, short of a stuck pipeline."""
_WORKERS = 2


@click.command("test")
@root_argument
@click.option("--env", "env_name", metavar="E", help="Only the tests of this environment.")
@click.option("--service", metavar="S", help="Only the tests of this service.")
@click.option(
    "--coverage", "show_coverage", is_flag=True, help="Also say which levels no test makes fire, by severity."
)
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the results as JUnit XML.",
)
@click.option(
    "--promtool",
    "promtool",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The promtool to use; default: TOCSIN_PROMTOOL, else the first on PATH.",
)
@finding_options
@today_option
def test_command(
    root: Path,
    env_name: str | None,
    service: str | None,
    show_coverage: bool,
    junit_file: Path | None,
    promtool: Path | None,
    format_: str,
    fail_on: str | None,
    min_severity: str,
    today: str | None,
) -> int:
    """Run the rules' unit tests in promtool, for every environment they name.

    A failed test is a finding at its own line. Ends with 1 where one fails.
    """
    top = repository(root)
    with no_collector():
        sources = read_sources(top)
        compilation = compile_sources(sources, day(today), watch)
    # An error that could be turned down (a missing test, say) does not keep the tests there are from running.
    errors = [
        each for each in compilation.diagnostics if each.severity is Severity.error and CODES[each.code].fixed
    ]
    if compilation.settings is None or errors:
        show(
            report_of(errors, sources, fail_on=fail_on, min_severity=min_severity, within=within(top)),
            format_,
        )
        click.echo("nothing was tested: the sources do not compile", err=True)
        return 1
    plans = _chosen(compilation, env_name, service)
    results = _run(plans, promtool or find_tool("promtool", "TOCSIN_PROMTOOL"))
    failures = [found for result in results for found in result.failures]
    report = report_of(failures, sources, fail_on=fail_on, min_severity=min_severity, within=within(top))
    if junit_file is not None:
        write_file(junit_file, junit(results, version=__version__))
    if failures or format_ != "text":
        show(report, format_)
    _summary(results, err=format_ != "text")
    if show_coverage:
        _show_coverage(
            coverage(plans, [each for every in compilation.services for each in every.resolved]),
            err=format_ != "text",
        )
    return 1 if failures else 0


def _chosen(compilation: Compilation, env: str | None, service: str | None) -> list[TestPlan]:
    assert compilation.settings is not None
    environments = [each.name for each in compilation.settings.project.environments]
    services = [each.report.facts.service for each in compilation.services]
    if env is not None and env not in environments:
        raise UsageError(f"there is no environment `{env}`", help=did_you_mean(env, environments))
    if service is not None and service not in services:
        raise UsageError(f"there is no service `{service}`", help=did_you_mean(service, services))
    plans = [plan for each in compilation.services for plan in each.plans]
    return [each for each in plans if env in (None, each.env) and service in (None, each.service)]


def _run(plans: list[TestPlan], promtool: Path) -> list[TestResult]:
    """Every plan's files through promtool, two at a time, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tocsin-test-") as folder:
        out = Path(folder)
        write((artifact for plan in plans for artifact in plan.artifacts), out)
        runs = [path for plan in plans for path in plan.runs]
        printed = dict(watched(_outputs(promtool, out, runs), len(runs), "tests"))
    return [result for plan in plans for result in read_results(plan, printed)]


def _outputs(promtool: Path, out: Path, runs: list[str]) -> Iterator[tuple[str, Printed]]:
    def one(path: str) -> tuple[str, Printed]:
        file = out / path
        finished = run([str(promtool), "test", "rules", file.name], cwd=file.parent, timeout=TIMEOUT)
        return path, Printed(finished.code, finished.out + finished.err)

    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        yield from pool.map(one, runs)


def _summary(results: list[TestResult], *, err: bool) -> None:
    failed = sum(bool(each.failures) for each in results)
    environments = len({each.test.env for each in results})
    if not results:
        click.echo("there are no tests", err=err)
    else:
        where = f"in {environments} environment{'s' if environments != 1 else ''}"
        click.echo(f"{len(results) - failed} passed, {failed} failed {where}", err=err)


def _show_coverage(rows: tuple[Coverage, ...], *, err: bool) -> None:
    for row in rows:
        percent = 100 * row.tested // row.total if row.total else 100
        click.echo(
            f"{row.severity or 'no severity'}: {row.tested} of {row.total} levels tested ({percent} %)",
            err=err,
        )
        for name in row.untested:
            click.echo(f"  no test makes {name} fire", err=err)
