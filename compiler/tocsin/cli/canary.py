"""`tocsin canary`: what would the new rule have done, and then, does it. The replay's arrays cost what no other command should pay."""

from __future__ import annotations

import click

from tocsin.cli.lazy import lazy

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


@click.group("canary", cls=lazy(COMMANDS), no_args_is_help=True)
def canary_group() -> None:
    """What a changed rule would have done over the last weeks; then, staged, what it does.

    Every command writes the record that `tocsin sync` asks for, signed where TOCSIN_VERDICT_KEY is set, and ends with 7 where the answer is no.
    """
