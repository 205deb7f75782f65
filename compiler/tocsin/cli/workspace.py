"""What every command starts with: the repository, today's date, the sources as values."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import click

from tocsin.disk.files import Tree, read_tree
from tocsin.errors import UsageError
from tocsin.pipeline import Sources

root_argument = click.argument("root", type=click.Path(path_type=Path), default=Path(), required=False)
today_option = click.option("--today", metavar="DATE", help="The day of the check, YYYY-MM-DD; default: today. For reviews and ignores that end.")


def repository(root: Path) -> Path:
    """The repository's top: `root` itself, or the nearest folder above it that has a tocsin.yaml."""
    if not root.exists():
        raise UsageError(f"there is no folder `{root}`")
    if not root.is_dir():
        raise UsageError(f"`{root}` is a file; name the repository's folder")
    here = root.resolve()
    return next((each for each in (here, *here.parents) if (each / "tocsin.yaml").is_file()), here)


def day(today: str | None) -> date:
    """The day of the check."""
    if today is None:
        return datetime.now(tz=UTC).date()
    try:
        return date.fromisoformat(today)
    except ValueError:
        raise UsageError(f"`{today}` is no day", help="write --today 2026-11-21") from None


def sources_of(tree: Tree) -> Sources:
    """The work tree as the pipeline takes it."""
    return Sources(
        project=tree.project,
        ledger=tree.ledger,
        rules=tree.rules,
        sops=tree.sops,
        incidents=tree.incidents,
        promtool=tree.promtool,
        diagnostics=tree.diagnostics,
    )


def read_sources(root: Path) -> Sources:
    """Everything the work tree says."""
    return sources_of(read_tree(root))


@contextmanager
def no_collector() -> Iterator[None]:
    """The garbage collector off: 10,000 rules make millions of small values that all live to the end, and walking them costs more than reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
