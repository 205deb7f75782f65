"""`tocsin canary backtest`: both versions of every changed alert over history, compared, judged, told and recorded.

Gates, waivers, window and budget are those of the base revision. The work tree is read and never run; the server of history is asked and never told.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from tocsin.cli.backtest_run import RENDER, Asked, Backtesting
from tocsin.cli.options import day, repository
from tocsin.cli.policy_base import policy_at
from tocsin.cli.records import HELP
from tocsin.cli.revisions import base_of
from tocsin.cli.targets import compiled_for
from tocsin.errors import Cancelled

MAIN = "main"


@click.command("backtest")
@click.argument("names", metavar="[RULE]...", nargs=-1)
@click.option(
    "-C", "--root", type=click.Path(path_type=Path), default=Path(), help="The repository; default: here."
)
@click.option("--env", "env_name", metavar="E", help="The environment; needed where there are several.")
@click.option(
    "--evaluator", metavar="NAME", help="Only the alerts that this server of the environment evaluates."
)
@click.option(
    "--base",
    metavar="REV",
    help="What it is compared with, and whose gates count; default: where this branch left main.",
)
@click.option(
    "--against",
    type=click.Choice(("live",)),
    help="Compare with what the environment's servers run now; gates are the base's all the same.",
)
@click.option("--all", "every", is_flag=True, help="Also show the alerts that did not change.")
@click.option("--window", metavar="T", help="How much history: 14d; default: the base's `canary.window`.")
@click.option("--until", metavar="TIME", help="Where the window ends, ISO 8601; default: now.")
@click.option("--source-url", metavar="URL", help="Who holds history; default: the environment's variable.")
@click.option(
    "--source",
    "source_kind",
    type=click.Choice(("prometheus", "victoriametrics", "mimir", "thanos", "grafana")),
    help="What that is; default: `history.kind`, else found out.",
)
@click.option(
    "--url", metavar="URL", help="With --against live: the address of the server that runs the rules."
)
@click.option(
    "--rules-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --against live: the folder of a Prometheus' rule files; default: TOCSIN_RULES_DIR.",
)
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="What people said of firings: CSV, JSONL or Alertmanager payloads; repeatable.",
)
@click.option("--records", metavar="WHERE", help=HELP)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Also write pictures and records here."
)
@click.option(
    "--approver", metavar="NAME", help="Who, beside the author, vouches for what cannot be replayed."
)
@click.option("--dry-run", is_flag=True, help="Say what would be asked of whom, and ask nothing of history.")
@click.option("--format", "format_", type=click.Choice(tuple(RENDER)), default="text", show_default=True)
@click.option("--today", metavar="DATE", help="The day, YYYY-MM-DD; default: today.")
def backtest_command(**given: object) -> int:
    """Replay every changed rule over history, compare it with what it was, and judge it. Ends with 7 where a gate trips, or where
    nobody vouches for what cannot be replayed."""
    asked = Asked(**given)  # type: ignore[arg-type]
    top = repository(asked.root)
    compiled = compiled_for(top, asked.env_name, asked.evaluator, day(asked.today))
    base = policy_at(top, base_of(top, asked.base, MAIN), day(asked.today), compiled.compilation)
    click.echo(base.text, err=True)
    for service in sorted(compiled.compilation.frozen):
        click.echo(f"{service} does not compile, so nothing of it is judged: run `tocsin check`", err=True)
    try:
        with ExitStack() as stack:
            return Backtesting(asked=asked, top=top, compiled=compiled, base=base, stack=stack).whole()
    except KeyboardInterrupt:
        raise Cancelled(
            "stopped; what was fetched is kept", help="the same command goes on from there"
        ) from None
