"""`tocsin rollback`: the stored bytes of a release back on the server. No compiler, no verdict; the guards and the journal stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from tocsin.cli.grafanas import grafana_at, project_of
from tocsin.cli.journals import HELP, journal_at
from tocsin.cli.options import repository
from tocsin.cli.run_plan import ALL, Stopped, actor_of, agreed, carried_out, now_text, refused
from tocsin.cli.targets import environment_of, evaluator_of, ruler_of, texts_of
from tocsin.cli.terminal import echo
from tocsin.diag.nearest import did_you_mean
from tocsin.disk.git import read_files, resolve_commit
from tocsin.errors import MachineError, UsageError
from tocsin.ir.compiled import Evaluator, Version
from tocsin.ir.project import Environment, Project
from tocsin.remote.grafana import states_by_uid
from tocsin.report import plan as plan_report
from tocsin.report.commands import as_text as commands_text
from tocsin.report.commands import commands
from tocsin.sync.apply import OnError
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.guard import Guard
from tocsin.sync.plan import Scope, make_plan
from tocsin.sync.rollback import from_release, is_stored, named_by
from tocsin.sync.rollback_rules import from_provisioning, from_rule_files
from tocsin.sync.rollback_rules import is_stored as is_stored_rules
from tocsin.sync.values import Desired, Group, Live, Target, TargetKind

_LARGEST = 64 * 1024 * 1024


@click.command("rollback")
@click.option(
    "--to",
    metavar="REV",
    help="The release: a version (v2.3.0), a tag, or a revision whose tree holds `dist/`.",
)
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="... or a kept `dist/`, or an unpacked release artifact.",
)
@click.option("--env", "env_name", metavar="E", help="The environment; needed where there are several.")
@click.option(
    "--evaluator", metavar="NAME", help="Which server of the environment; default: its first Grafana."
)
@click.option(
    "--target",
    "kind",
    type=click.Choice(("grafana", "directory", "prometheus", "mimir")),
    help="What is written; default: what the evaluator is. `directory` is a Grafana's provisioning folder.",
)
@click.option(
    "--rules-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of a Prometheus' rule files, or of a directory; default: TOCSIN_RULES_DIR.",
)
@click.option("--service", "services", multiple=True, metavar="S", help="Only this service; repeatable.")
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only this rule; repeatable.")
@click.option("--url", metavar="URL", help="The server's address; default: the environment's variable.")
@click.option(
    "--max-deletes", type=int, default=10, show_default=True, help="Stop where more rules would be deleted."
)
@click.option(
    "--max-delete-percent",
    type=float,
    default=20.0,
    show_default=True,
    help="... or more of ours than this; 0 for no limit.",
)
@click.option(
    "--on-error", type=click.Choice(("undo", "stop", "continue")), default="stop", show_default=True
)
@click.option("--journal", metavar="WHERE", help=HELP)
@click.option("--no-wait", is_flag=True, help="Do not wait for three evaluations of the changed rules.")
@click.option(
    "--plan-only", is_flag=True, help="Only say what would change; nothing but GET leaves this process."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "-C", "--root", type=click.Path(path_type=Path), default=Path(), help="The repository; default: here."
)
def rollback_command(
    to: str | None,
    folder: Path | None,
    env_name: str | None,
    evaluator: str | None,
    kind: TargetKind | None,
    rules_dir: Path | None,
    services: tuple[str, ...],
    rules: tuple[str, ...],
    url: str | None,
    max_deletes: int,
    max_delete_percent: float,
    on_error: OnError,
    journal: str | None,
    no_wait: bool,
    plan_only: bool,
    yes: bool,
    root: Path,
) -> int:
    """Push the compiled files of a release as they were stored. Only `tocsin.yaml` is read of the work tree."""
    if (to is None) == (folder is None):
        raise UsageError("say which release: --to v2.3.0, or --from DIR")
    top = repository(root)
    project = project_of(top)
    if project is None:
        raise UsageError("there is no tocsin.yaml here", help="run this inside the repository, or add -C")
    environment = environment_of(project, env_name)
    chosen = evaluator_of(environment, evaluator, kind)
    kind = kind or chosen.kind
    wanted = partial(_is_read, environment=environment.name, evaluator=chosen.name, kind=kind)
    where, files = (
        _in_folder(folder, wanted) if folder is not None else _in_git(top, to or "", environment.name, wanted)
    )
    scope = Scope(services=frozenset(services), rules=frozenset(rules))
    side = _Side(project=project, environment=environment, evaluator=chosen, kind=kind, files=files)
    with _sides(side, url, rules_dir, read_only=plan_only) as (target, live, desired, version):
        _known(rules, (*desired.groups, *live.groups), where)
        # Law 11: the way back is always open, so no verdict is asked for.
        plan = make_plan(
            desired,
            live,
            Guard(max_deletes=max_deletes, max_delete_percent=max_delete_percent, version=version),
            lambda *asked: None,
            now_text(),
            scope,
        )
        click.echo(f"rollback to {where}", err=True)
        echo(plan_report.as_text(plan))
        if plan_only:
            by_hand = commands(plan, texts_of(target), editable=environment.provenance == "editable")
            echo(commands_text(by_hand))
        if plan.stops and not plan_only:
            raise Stopped(plan.stops[0].message, help=plan.stops[0].help)
        code = ALL if plan.stops else refused(plan)
        if plan_only or not any(each.writes for each in plan.groups):
            return code
        agreed(yes=yes)
        by = f"{actor_of(plan.server) or 'unknown'}: rollback to {where}"
        before = None if kind == "directory" else live.states
        with journal_at(journal, top, environment.name) as book:
            return carried_out(plan, target, book, on_error, by=by, before=before, wait=not no_wait) or code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A release, and what it goes to."""

    project: Project
    environment: Environment
    evaluator: Evaluator
    kind: TargetKind
    files: Mapping[str, bytes]


@contextmanager
def _sides(
    side: _Side, url: str | None, rules_dir: Path | None, *, read_only: bool
) -> Iterator[tuple[Target, Live, Desired, Version]]:
    """The target, what it holds, what the release says it should hold, and the version that decides."""
    project, environment, chosen = side.project, side.environment, side.evaluator
    if side.kind != "grafana":
        owner = f"{project.name}/{environment.name}"
        with ruler_of(chosen, side.kind, owner, url, rules_dir, read_only=read_only) as target:
            live = target.read()
            desired = (
                from_provisioning(side.files, project, environment, chosen.name)
                if side.kind == "directory"
                else from_rule_files(side.files, project, environment, chosen, side.kind, live)
            )
            yield target, live, desired, chosen.version
        return
    if rules_dir is not None:
        raise UsageError("--rules-dir is for --target prometheus and directory", help="leave it out")
    with grafana_at(url, chosen, read_only=read_only) as client:
        version = client.server.version
        desired = from_release(side.files, project, environment, chosen.name, version)
        grafana = GrafanaTarget(
            client,
            states_by_uid,
            editable=environment.provenance == "editable",
            folders=frozenset(each.uid for each in desired.folders),
        )
        live = grafana.read()
        yield grafana, live, named_by(desired, live), version


def _known(names: tuple[str, ...], groups: tuple[Group, ...], where: str) -> None:
    """UsageError for a rule that neither the release nor the server has: "nothing to do" would sound as if it were undone."""
    for name in names:
        scope = Scope(rules=frozenset({name}))
        if not any(scope.holds(each) for group in groups for each in group.rules):
            keys = sorted(
                {each.key.partition("/")[0] for group in groups for each in group.rules if each.key}
            )
            raise UsageError(
                f"neither {where} nor the server has a rule `{name}`", help=did_you_mean(name, keys)
            )


def _is_read(path: str, *, environment: str, evaluator: str, kind: TargetKind) -> bool:
    """Whether that rollback reads a file of a release."""
    if kind in ("grafana", "directory"):
        return is_stored(path, environment, evaluator)
    return is_stored_rules(path, environment)


def _in_git(top: Path, to: str, env: str, wanted: Callable[[str], bool]) -> tuple[str, Mapping[str, bytes]]:
    """The stored files of a release: of its deployment tag, of its tag, or of any revision."""
    found = resolve_commit(top, (f"refs/tags/deploy/{env}/{to}", f"refs/tags/{to}", to))
    if found is None:
        raise UsageError(
            f"Git knows no release `{to}` here",
            help="is the tag fetched? `git fetch --tags`; without Git: --from DIR",
        )
    name, commit = found
    return f"{name} ({commit[:12]})", read_files(top, commit, wanted)


def _in_folder(folder: Path, wanted: Callable[[str], bool]) -> tuple[str, Mapping[str, bytes]]:
    """The stored files of a kept `dist/`, or of the folder that holds one."""
    found: dict[str, bytes] = {}
    for path in sorted((*folder.rglob("*.json"), *folder.rglob("*.rules.yaml"))):
        name = path.relative_to(folder).as_posix()
        depth = 2 if name.endswith("manifest.json") else 5
        if name.count("/") >= depth or not wanted(name):
            continue
        try:
            if path.is_file() and path.stat().st_size <= _LARGEST:
                found[name] = path.read_bytes()
        except OSError as error:
            raise MachineError(f"{path} cannot be read: {error.strerror}") from None
    return str(folder), found
