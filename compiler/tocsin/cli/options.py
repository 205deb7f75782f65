"""Words that several commands take, and what they mean. Light on purpose: a run whose answer is known imports nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import click

from tocsin.errors import UsageError

_F = TypeVar("_F", bound=Callable[..., object])
FORMATS = ("text", "json", "sarif", "github", "markdown")
SEVERITIES = ("note", "warning", "error")

root_argument = click.argument("root", type=click.Path(path_type=Path), default=Path(), required=False)
today_option = click.option(
    "--today",
    metavar="DATE",
    help="The day of the check, YYYY-MM-DD; default: today. For reviews and ignores that end.",
)


def finding_options(command: _F) -> _F:
    """`--format`, `--fail-on` and `--min-severity`, the same on every command that reports findings."""
    for option in (
        click.option(
            "--min-severity",
            type=click.Choice(SEVERITIES),
            default="note",
            help="Hide findings below this; they still count.",
        ),
        click.option(
            "--fail-on",
            type=click.Choice(SEVERITIES),
            help="End with 1 from this severity on; default: the project's `fail_on`.",
        ),
        click.option("--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True),
    ):
        command = option(command)
    return command


def repository(root: Path) -> Path:
    """The repository's top: `root` itself, or the nearest folder above it that has a tocsin.yaml."""
    if not root.exists():
        raise UsageError(f"there is no folder `{root}`")
    if not root.is_dir():
        raise UsageError(f"`{root}` is a file; name the repository's folder")
    here = root.resolve()
    return next((each for each in (here, *here.parents) if (each / "tocsin.yaml").is_file()), here)


def within(top: Path) -> str:
    """The folder of a project in its Git repository, `""` or ending in a slash: code hosts count paths from the repository's top. Git is not asked."""
    found = next((each for each in (top, *top.parents) if (each / ".git").exists()), top)
    return "" if found == top else f"{top.relative_to(found).as_posix()}/"


def day(today: str | None) -> date:
    """The day of the check."""
    if today is None:
        return datetime.now(tz=UTC).date()
    try:
        return date.fromisoformat(today)
    except ValueError:
        raise UsageError(f"`{today}` is no day", help="write --today 2026-11-21") from None
