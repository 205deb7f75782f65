"""`tocsin build`: everything compiled to the output folder, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from tocsin.cli.before import still_inhibiting
from tocsin.cli.findings import exit_code, report_of, show
from tocsin.cli.options import day, finding_options, repository, root_argument, today_option, within
from tocsin.cli.progress import watch
from tocsin.cli.workspace import history_of, no_collector, past_of, read_sources
from tocsin.diag import Diagnostic, Severity
from tocsin.diag.nearest import did_you_mean
from tocsin.disk.process import Running
from tocsin.disk.write import Changes, admit, compare, write, write_file
from tocsin.emit import grafana
from tocsin.emit.inhibit import InhibitRule, inhibit_rules
from tocsin.emit.merge import merge_inhibit
from tocsin.errors import MachineError, UsageError
from tocsin.ir.artifact import Artifact
from tocsin.pipeline import Compilation, Sources, artifacts, compile_sources, contents_of, service_of


@click.command("build")
@root_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The output folder; default: dist/ in the repository.",
)
@click.option(
    "--check", "check_only", is_flag=True, help="Write nothing; end with 1 where the output folder differs."
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Compile the services without errors; the others keep their old output, listed as frozen.",
)
@click.option("--no-site", is_flag=True, help="Leave the runbook site out.")
@click.option(
    "--pack",
    "team",
    metavar="TEAM",
    help="Build only dist/pack/TEAM: a site of that team's SOPs which opens from disk.",
)
@click.option("--public", is_flag=True, help="Leave out of the site what is marked internal.")
@click.option(
    "--lock",
    "lock_addresses",
    is_flag=True,
    help="Record the site's addresses in releases.json as released: from then on `check` says when one is gone.",
)
@click.option(
    "--alertmanager-config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Your Alertmanager configuration, to join the inhibition rules to.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the joined Alertmanager configuration goes.",
)
@click.option(
    "--env",
    "env_name",
    metavar="E",
    help="Whose inhibition rules are joined; needed where there are several environments.",
)
@finding_options
@today_option
def build_command(
    root: Path,
    out: Path | None,
    check_only: bool,
    keep_going: bool,
    no_site: bool,
    team: str | None,
    public: bool,
    lock_addresses: bool,
    alertmanager_config: Path | None,
    into: Path | None,
    env_name: str | None,
    format_: str,
    fail_on: str | None,
    min_severity: str,
    today: str | None,
) -> int:
    """Compile everything to dist/: rule files, Grafana provisioning, inhibition rules, unit tests, catalog.json, manifest.json, and the site.

    With an error nothing is written, unless --keep-going.
    """
    if (alertmanager_config is None) != (into is None):
        raise UsageError("--alertmanager-config and --into go together")
    if lock_addresses and check_only:
        raise UsageError("--check writes nothing, and --lock writes releases.json")
    top = repository(root)
    with no_collector(), ExitStack() as early:
        sources = read_sources(top)
        ready = _early(early, top) if not (no_site or check_only) and len(sources.sops) > _MANY else None
        compilation = compile_sources(sources, day(today), watch, past_of(top))
        project_fail_on = compilation.settings.project.fail_on if compilation.settings is not None else None
        report = report_of(
            compilation.diagnostics,
            sources,
            fail_on=fail_on,
            min_severity=min_severity,
            project_fail_on=project_fail_on,
            within=within(top),
        )
        if compilation.settings is None or _stops(compilation.diagnostics, keep_going):
            show(report, format_)
            click.echo("nothing was written", err=True)
            return 1
        target = out if out is not None else top / "dist"
        frozen = compilation.frozen if keep_going else frozenset[str]()
        names = [each.name for each in compilation.settings.project.environments]
        joined = _joined_environment(names, env_name) if into is not None else ""
        still = still_inhibiting(target, frozen, names)
        made: list[Artifact] = []

        def make() -> None:
            made.extend(artifacts(compilation, keep_going=keep_going, still=still))

        if team is not None:
            site = _site(compilation, sources, top, target, keep_going, public, check_only, team)
            show(report, format_)
            click.echo(f"{target / 'pack' / team} {_SITE[site]}", err=True)
            return 1 if site == "differs" else exit_code(report)
        keep = _keep(frozen)
        site = ""
        if not no_site:
            site = _site(
                compilation, sources, top, target, keep_going, public, check_only, meanwhile=make, ready=ready
            )
        if not made:
            make()
        # The rules after the pages they link to.
        changes = compare(made, target, keep=keep) if check_only else write(made, target, root=top, keep=keep)
        if alertmanager_config is not None and into is not None and not check_only:
            every = [each for each in compilation.services if each.report.facts.service not in frozen]
            resolved = [each for service in every for each in service.resolved if each.env == joined]
            _join((*inhibit_rules(resolved), *still[joined]), alertmanager_config, into, joined)
        if lock_addresses:
            _lock(top, compilation)
    show(report, format_)
    _tell(changes, target, check_only=check_only, frozen=frozen)
    if site:
        click.echo(f"{target / 'site'} {_SITE[site]}", err=True)
    differs = not changes.nothing or site == "differs"
    return 1 if check_only and differs else exit_code(report)


def _early(stack: ExitStack, top: Path) -> Running:
    """A generator that loads itself on the other core while we compile."""
    from tocsin.disk.site import waiting

    return stack.enter_context(waiting(top))


def _lock(top: Path, compilation: Compilation) -> None:
    from tocsin.cli.lock import lock

    every, new = lock(top, compilation)
    click.echo(f"releases.json holds {every} addresses of the site, {new} of them new", err=True)


_MANY = 200
"""SOPs from which on compiling takes as long as the generator's start."""
_SITE = {
    "built": "was built",
    "same": "is up to date",
    "differs": "differs from the sources: run `tocsin build`",
}


def _site(
    compilation: Compilation,
    sources: Sources,
    top: Path,
    target: Path,
    keep_going: bool,
    public: bool,
    check_only: bool,
    team: str = "",
    meanwhile: Callable[[], None] | None = None,
    ready: Running | None = None,
) -> str:
    """Builds the site or a team's pack, or only looks whether it is the one these sources make. `meanwhile` may be called while it is built."""
    # Pages, templates and the search index: only who builds a site pays for importing that.
    from tocsin.cli.site import Wanted, build_site, plan_site
    from tocsin.disk.site import is_built

    assert compilation.settings is not None
    teams = [each.id for each in compilation.settings.project.teams]
    if team and team not in teams:
        raise UsageError(f"there is no team `{team}`", help=did_you_mean(team, teams))
    if team and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", team):
        raise UsageError(
            f"`{team}` cannot be the name of a folder",
            help="give the team an id of letters, digits and dashes",
        )
    name = f"pack/{team}" if team else "site"
    admit(target, top)
    plan = plan_site(
        Wanted(
            contents=contents_of(compilation, keep_going=keep_going),
            settings=compilation.settings,
            sources=sources,
            history=history_of(top, compilation),
            root=top,
            public=public,
            team=team,
        )
    )
    if check_only:
        return "same" if is_built(plan, target, name) else "differs"
    return "built" if build_site(plan, target, name=name, meanwhile=meanwhile, ready=ready) else "same"


def _stops(found: tuple[Diagnostic, ...], keep_going: bool) -> bool:
    """Whether an error forbids writing: any, or with --keep-going any that belongs to no single service."""
    errors = [each for each in found if each.severity is Severity.error]
    return any(
        not keep_going or not service_of(each.span.file) or not each.span.file.startswith("rules/")
        for each in errors
    )


def _keep(frozen: frozenset[str]) -> Callable[[str], bool]:
    """Which old files stay although nothing makes them now: those of frozen services, and the generated rules they need."""

    def keep(path: str) -> bool:
        name = path.rpartition("/")[2]
        if frozen and name.startswith(grafana.WATCH_FILE):
            return True
        return any(name.startswith((f"{service}.", f"alert-template-{service}-")) for service in frozen)

    return keep


def _joined_environment(names: list[str], env_name: str | None) -> str:
    """Whose inhibition rules are joined to an Alertmanager's configuration."""
    if env_name is None and len(names) > 1:
        raise UsageError("there are several environments", help=f"add --env: {', '.join(names)}")
    env = env_name or names[0]
    if env not in names:
        raise UsageError(f"there is no environment `{env}`", help=did_you_mean(env, names))
    return env


def _join(rules: Sequence[InhibitRule], config: Path, into: Path, env: str) -> None:
    try:
        text = config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MachineError(f"{config} cannot be read: {error}") from None
    write_file(into, merge_inhibit(text, rules, name=str(config)))
    click.echo(f"{len(rules)} inhibition rules of {env} joined into {into}", err=True)


def _tell(changes: Changes, target: Path, *, check_only: bool, frozen: frozenset[str]) -> None:
    for service in sorted(frozen):
        click.echo(f"frozen: {service} has errors and keeps its old output", err=True)
    rows = (("+", changes.added), ("~", changes.changed), ("-", changes.removed))
    listed = [f"  {sign} {path}" for sign, paths in rows for path in paths]
    for row in listed[:40]:
        click.echo(row, err=True)
    if len(listed) > 40:
        click.echo(f"  ... and {len(listed) - 40} more", err=True)
    total = len(changes.added) + len(changes.changed) + len(changes.same)
    if changes.nothing:
        click.echo(f"{target} is up to date: {total} files", err=True)
    elif check_only:
        click.echo(f"{target} differs from the sources: run `tocsin build`", err=True)
    else:
        counts = f"{len(changes.added)} new, {len(changes.changed)} changed, {len(changes.removed)} removed, {len(changes.same)} unchanged"
        click.echo(f"{target}: {counts}", err=True)
