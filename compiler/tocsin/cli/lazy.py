"""A group of commands that are imported when they run, so that `--help` and a quick command cost nothing of the others."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click

Commands = Mapping[str, tuple[str, str]]
"""Name -> `module:command` and the one line that `--help` shows."""


class Lazy(click.Group):
    """A group over `commands`, in their order."""

    commands_of: ClassVar[Commands] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_of)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_of:
            return None
        module, _, name = self.commands_of[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands_of and not args[0].startswith("-"):
            from tocsin.diag.nearest import did_you_mean

            ctx.fail(f"there is no command `{args[0]}`; {did_you_mean(args[0], self.commands_of)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.commands_of.items()])


def lazy(commands: Commands) -> type[Lazy]:
    """The class of a group over these commands."""
    return type("LazyGroup", (Lazy,), {"commands_of": commands})
