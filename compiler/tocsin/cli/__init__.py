"""The command line: the only room that prints, exits, reads the environment and the clock.

Commands are imported when they are called, so that `--help` costs no YAML, no Git and no Markdown. `main` is the one error door: a finding is
printed by its command, what an operator must fix ends with its exit code and one sentence, and anything else is our bug, said as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tocsin import __version__
from tocsin.cli.lazy import lazy
from tocsin.cli.streams import lost_output, protect
from tocsin.errors import MachineError, TocsinError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("tocsin.cli.init:init_command", "Make a repository tocsin can work in."),
    "new": ("tocsin.cli.new:new_command", "Add one rule, SOP or incident."),
    "check": ("tocsin.cli.check:check_command", "Say everything that is wrong with the sources."),
    "build": ("tocsin.cli.build:build_command", "Compile everything to dist/."),
    "serve": ("tocsin.cli.serve:serve_command", "Show the site on this machine while you write."),
    "render": (
        "tocsin.cli.render:render_command",
        "Print one compiled rule, with the origin of every value.",
    ),
    "test": ("tocsin.cli.test:test_command", "Run the rules' unit tests in promtool."),
    "diff": ("tocsin.cli.diff:diff_command", "Say what changed between two revisions, and what that does."),
    "plan": ("tocsin.cli.sync:plan_command", "Say what a sync would change on a server, and in its alerts."),
    "sync": ("tocsin.cli.sync:sync_command", "Make a server hold what the sources say."),
    "drift": ("tocsin.cli.sync:drift_command", "Say where a server differs from the sources."),
    "canary": (
        "tocsin.cli.canary:canary_group",
        "Say what a changed rule would have done, then stage it.",
    ),
    "rollback": (
        "tocsin.cli.rollback:rollback_command",
        "Put the stored files of a release back on a server.",
    ),
    "pull": ("tocsin.cli.pull:pull_command", "Turn what was changed in Grafana into a patch of the sources."),
    "hold": ("tocsin.cli.hold:hold_command", "Pause one rule on its server until a time, or end that."),
    "routes": ("tocsin.cli.routes:routes_command", "Say which receiver each alert reaches."),
    "adopt": ("tocsin.cli.adopt:adopt_command", "Turn existing files into sources."),
    "migrate": ("tocsin.cli.migrate:migrate_command", "Move sources to the present version of their format."),
    "release": (
        "tocsin.cli.release:release_command",
        "Compute the next version with its ledger and changelog, and tag it.",
    ),
    "post": ("tocsin.cli.post:post_command", "Say something on GitHub or GitLab, and edit it the next time."),
    "explain": ("tocsin.cli.explain:explain_command", "Why a code exists and what to type instead."),
    "schema": ("tocsin.cli.schema:schema_command", "Print the JSON Schemas of the source formats."),
}
BUG = 70
USAGE = 2
CANCELLED = 5


@click.group(
    cls=lazy(COMMANDS), context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True
)
@click.version_option(__version__, prog_name="tocsin")
def app() -> None:
    """Alert rules and the SOPs that answer them, from one repository.

    Result on stdout, progress and diagnosis on stderr. Exit codes: 0 nothing to report, 1 findings, 2 usage, 3 environment,
    4 some of it refused or failed, 5 cancelled, 6 incompatible server, 7 canary,
    8 drift (--detailed-exitcode), 9 refused as a whole, 70 a bug of tocsin.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit code; never raises."""
    protect()
    code = _run(argv)
    if (error := lost_output()) is None:
        return code
    click.echo(f"tocsin: cannot write to stdout: {(error.strerror or str(error)).lower()}", err=True)
    click.echo("  check the space where the output goes, and run it again", err=True)
    return code or MachineError.exit_code


def _run(argv: Sequence[str] | None) -> int:
    try:
        result = app.main(
            args=list(argv) if argv is not None else None, prog_name="tocsin", standalone_mode=False
        )
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return USAGE
    except click.ClickException as wrong:
        wrong.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("cancelled; nothing half-written was left behind", err=True)
        return CANCELLED
    except TocsinError as wrong:
        click.echo(f"tocsin: {wrong.message}", err=True)
        if wrong.help:
            click.echo(f"  {wrong.help}", err=True)
        return wrong.exit_code
    except Exception:
        return _bug()


def _bug() -> int:
    import platform
    import traceback

    click.echo(f"tocsin {__version__} has a bug. Please report these lines:", err=True)
    click.echo(f"  Python {platform.python_version()} on {platform.system()}", err=True)
    for line in traceback.format_exc().rstrip().splitlines():
        click.echo(f"  {line}", err=True)
    return BUG
