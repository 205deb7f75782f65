"""`tocsin routes`: which receiver each alert reaches in the team's own routing tree, and whether `routes_to` of the sources holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from tocsin.cli.findings import exit_code, report_of, text_of
from tocsin.cli.grafanas import grafana_at, grafana_named
from tocsin.cli.options import day, repository, root_argument, today_option
from tocsin.cli.targets import environment_of
from tocsin.cli.terminal import echo
from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag import Diagnostic, SourceFile, diagnostic
from tocsin.emit.grafana import folder_of
from tocsin.errors import MachineError, UsageError
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, Evaluator
from tocsin.ir.project import Environment
from tocsin.pipeline import Compilation, compile_sources
from tocsin.promql import Expr, labels_out, parse
from tocsin.report import routes as report
from tocsin.source.tree import read_document
from tocsin.sync.routes import Route, from_config, from_policies, judged, reaches
from tocsin.wire.grafana import Json

_FORMATS = ("text", "json")


@click.command("routes")
@root_argument
@click.option("--env", "env_name", metavar="E", help="The environment; needed where there are several.")
@click.option(
    "--alertmanager-config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An Alertmanager's configuration file.",
)
@click.option(
    "--grafana",
    "policies",
    is_flag=True,
    help="The policy tree of the environment's Grafana; the default where `notifier` is grafana.",
)
@click.option("--evaluator", metavar="NAME", help="Which Grafana; default: the first.")
@click.option("--url", metavar="URL", help="Its address; default: the environment's variable.")
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="text", show_default=True)
@today_option
def routes_command(
    root: Path,
    env_name: str | None,
    config: Path | None,
    policies: bool,
    evaluator: str | None,
    url: str | None,
    format_: str,
    today: str | None,
) -> int:
    """Say which receiver each alert reaches, and check `routes_to`. Ends with 1 where an alert cannot reach the one its source names."""
    if config is not None and policies:
        raise UsageError("say which tree: --alertmanager-config FILE, or --grafana")
    with no_collector():
        sources = read_sources(repository(root))
        compilation = compile_sources(sources, day(today))
    if compilation.settings is None:
        raise UsageError("tocsin.yaml cannot be used", help="`tocsin check` says why")
    environment = environment_of(compilation.settings.project, env_name)
    if config is not None:
        tree, where = config_tree(config), str(config)
        rows = list(_rows(compilation, environment, tree, _alertmanaged(environment)))
        if not rows and any(_rows(compilation, environment, tree, lambda alert: True)):
            raise UsageError(
                f"no alert of {environment.name} comes to an Alertmanager: its Grafana notifies by itself",
                help="ask for that one's tree with --grafana, or set `notifier: alertmanager`",
            )
    elif policies or environment.notifier == "grafana":
        chosen = grafana_named(environment, evaluator)
        tree, where = policy_tree(url, chosen)
        rows = list(_rows(compilation, environment, tree, lambda alert: alert.evaluator.name == chosen.name))
    else:
        raise UsageError(
            f"{environment.name} notifies an Alertmanager", help="add --alertmanager-config FILE"
        )
    found = report_of(_findings(rows, where), sources, fail_on=None)
    if format_ == "json":
        echo(report.as_json(rows, where, text_of(found, "json")))
    else:
        echo((text_of(found, "text") if found.diagnostics else "") + report.as_text(rows, where))
    return exit_code(found)


def _findings(rows: Iterable[report.Row], where: str) -> Iterator[Diagnostic]:
    """The assertions that fail, and those nobody can be sure of."""
    for each in rows:
        if each.verdict is None or each.verdict.kind == "holds":
            continue
        fails = each.verdict.kind == "fails"
        yield diagnostic(
            "TOC901" if fails else "TOC902",
            each.span,
            f"{each.key} {'must' if fails else 'may'} reach `{each.wanted}`: {each.verdict.say}",
            help=f"its own labels lead there through {where}: change them, `routes_to`, or the tree"
            if fails
            else "give the alert that label itself, if it shall not depend on a series",
            subject=each.key,
        )


def config_tree(path: Path) -> Route:
    """The routing tree of a configuration file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MachineError(f"{path} cannot be read: {error}") from None
    document, found = read_document(SourceFile(path=str(path), text=text))
    wrong = next((each for each in found if each.code not in ("TOC107", "TOC109")), None)
    if wrong is not None:
        raise UsageError(f"{wrong.span.place}: {wrong.message}", help=wrong.help)
    data: Json = document.data if document is not None else None  # type: ignore[assignment]  # YAML's core schema is JSON
    return from_config(data, str(path))


def policy_tree(url: str | None, evaluator: Evaluator) -> tuple[Route, str]:
    """The policy tree of a Grafana, and its address."""
    with grafana_at(url, evaluator, read_only=True) as grafana:
        return from_policies(grafana.policies(), grafana.address), grafana.address


def _alertmanaged(environment: Environment) -> Callable[[CompiledAlert], bool]:
    """An Alertmanager gets what a Prometheus evaluates, and what a Grafana evaluates that hands its alerts on."""
    return lambda alert: alert.evaluator.kind != "grafana" or environment.notifier == "alertmanager"


def _rows(
    compilation: Compilation, environment: Environment, tree: Route, fits: Callable[[CompiledAlert], bool]
) -> Iterator[report.Row]:
    for service in compilation.services:
        for resolved in service.resolved:
            if resolved.env != environment.name:
                continue
            for group in resolved.groups:
                for alert in group.rules:
                    if isinstance(alert, CompiledAlert) and not alert.mirror and fits(alert):
                        yield _row(alert, group, environment, tree)


def _row(alert: CompiledAlert, group: CompiledGroup, environment: Environment, tree: Route) -> report.Row:
    labels = {**group.labels, **alert.labels, "alertname": alert.name}
    can: Callable[[str], bool] = lambda label: True  # noqa: E731 - a Prometheus may add any external label
    if alert.evaluator.kind == "grafana":
        labels["grafana_folder"] = folder_of(environment, alert.service)
        parsed = parse(alert.expr)
        can = labels_out(parsed).can if isinstance(parsed, Expr) else can
    reached = reaches(tree, labels, can)
    routes = alert.source.routes_to
    level = alert.key.level if alert.key.level in routes else ""
    wanted = routes.get(level, "")
    path = ("routes_to", level) if level else ("routes_to",)
    return report.Row(
        key=alert.key.text,
        name=alert.name,
        span=alert.origin.value(*path) if wanted else alert.origin.value("alert"),
        reaches=reached,
        wanted=wanted,
        verdict=judged(tree, wanted, reached) if wanted else None,
    )
