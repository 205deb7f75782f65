"""`tocsin canary`: what would the new rule have done, and then, does it."""

from __future__ import annotations

import importlib

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "backtest": (
        "tocsin.cli.backtest:backtest_command",
        "Replay every changed rule over history, and judge it.",
    ),
    "deploy": ("tocsin.cli.canary_stages:deploy_command", "Put a judged change on the canary scope."),
    "compare": ("tocsin.cli.canary_compare:compare_command", "Judge what the canary did while it soaked."),
    "promote": ("tocsin.cli.canary_promote:promote_command", "Put the change in the place of the old rule."),
    "watch": ("tocsin.cli.canary_watch:watch_command", "Hold what is live against what was predicted."),
    "abort": ("tocsin.cli.canary_stages:abort_command", "Take a canary away."),
    "gc": ("tocsin.cli.canary_stages:gc_command", "Take away canaries that nobody ended in time."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they run: the replay's arrays cost what no other command should pay."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group("canary", cls=_Lazy, no_args_is_help=True)
def canary_group() -> None:
    """What a changed rule would have done over the last weeks; then, staged, what it does.

    Every command writes the record that `tocsin sync` asks for, signed where TOCSIN_VERDICT_KEY is set, and ends with 7 where the answer is no.
    """
