"""`tocsin build`: everything compiled to the output folder, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tocsin.cli.findings import exit_code, finding_options, report_of, show
from tocsin.cli.workspace import day, no_collector, read_sources, repository, root_argument, today_option
from tocsin.diag import Diagnostic, Severity
from tocsin.disk.write import Changes, compare, write
from tocsin.emit.together import emit_all
from tocsin.errors import MachineError, UsageError
from tocsin.ir.artifact import Artifact
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.report import Report


@click.command("build")
@root_argument
@click.option("--out", type=click.Path(path_type=Path), help="The output folder; default: dist/ in the repository.")
@click.option("--check", "check_only", is_flag=True, help="Write nothing; end with 1 where the output folder differs.")
@click.option("--keep-going", is_flag=True, help="Compile the services without errors; the others keep their old output and are listed as frozen.")
@click.option("--no-site", is_flag=True, help="Leave the runbook site out.")
@click.option("--alertmanager-config", type=click.Path(path_type=Path, dir_okay=False), help="Your Alertmanager configuration, to join the inhibition rules to.")
@click.option("--into", type=click.Path(path_type=Path, dir_okay=False), help="Where the joined Alertmanager configuration goes.")
@click.option("--env", "env_name", metavar="E", help="Whose inhibition rules are joined; needed where there are several environments.")
@finding_options
@today_option
def build_command(
    root: Path,
    out: Path | None,
    check_only: bool,
    keep_going: bool,
    no_site: bool,
    alertmanager_config: Path | None,
    into: Path | None,
    env_name: str | None,
    format_: str,
    fail_on: str | None,
    min_severity: str,
    today: str | None,
) -> int:
    """Compile everything to dist/: rule files, Grafana provisioning, inhibition rules, unit tests, catalog.json and manifest.json.

    With an error nothing is written, unless --keep-going.
    """
    if (alertmanager_config is None) != (into is None):
        raise UsageError("--alertmanager-config and --into go together")
    top = repository(root)
    with no_collector():
        sources = read_sources(top)
        compilation = compile_sources(sources, day(today))
        report = _report(compilation, sources, fail_on, min_severity)
        stops = _stops(compilation.diagnostics, keep_going)
        if compilation.settings is None or stops:
            show(report, format_)
            click.echo("nothing was written", err=True)
            return 1
        artifacts = tuple(emit_all(compilation, sources, keep_going=keep_going))
        target = out if out is not None else top / "dist"
        keep = _keep(compilation, keep_going)
        changes = compare(artifacts, target, keep=keep) if check_only else write(artifacts, target, root=top, keep=keep)
        if alertmanager_config is not None and into is not None:
            _join(compilation, alertmanager_config, into, env_name)
    show(report, format_)
    _tell(changes, target, check_only, compilation, keep_going)
    if check_only and not changes.nothing:
        return 1
    return exit_code(report)
