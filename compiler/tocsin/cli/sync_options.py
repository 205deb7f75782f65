"""The options that `plan`, `sync` and `drift` share: which server and which rules, and what a plan may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from tocsin.cli.options import root_argument, today_option
from tocsin.cli.records import HELP as RECORDS
from tocsin.errors import UsageError
from tocsin.ir.duration import Duration, parse_duration
from tocsin.sync.guard import Guard
from tocsin.sync.plan import Scope
from tocsin.sync.values import TargetKind

_F = TypeVar("_F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which server of which repository, and which rules of it."""

    root: Path
    env_name: str | None
    evaluator: str | None
    services: tuple[str, ...]
    rules: tuple[str, ...]
    url: str | None
    today: str | None
    target: TargetKind | None
    rules_dir: Path | None

    @property
    def scope(self) -> Scope:
        """What the run is limited to."""
        return Scope(services=frozenset(self.services), rules=frozenset(self.rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    """What a plan may do."""

    max_deletes: int
    max_delete_percent: float
    skip_foreign: bool
    records: str | None
    policy_base: str | None
    override_canary: bool
    reason: str | None
    accept_blind: Duration | None

    def __post_init__(self) -> None:
        if self.override_canary and not (self.reason or "").strip():
            raise UsageError(
                "--override-canary needs --reason", help="it is written to the journal, with who you are"
            )

    def guard(self, version: tuple[int, int, int]) -> Guard:
        """The limits, for a server of that version."""
        return Guard(
            max_deletes=self.max_deletes,
            max_delete_percent=self.max_delete_percent,
            foreign="skip" if self.skip_foreign else "refuse",
            version=version,
        )


def duration_option(_context: click.Context, option: click.Parameter, text: str | None) -> Duration | None:
    """The value of an option that is a duration."""
    found = parse_duration(text) if text is not None else None
    if text is not None and found is None:
        raise UsageError(f"{option.opts[0]}: `{text}` is no duration", help="write it as 30m, 1h, 2d")
    return found


def where_options(command: _F) -> _F:
    """The options that say which server and which rules, given to the command as one `where`."""
    for option in (
        root_argument,
        click.option(
            "--env", "env_name", metavar="E", help="The environment; needed where there are several."
        ),
        click.option(
            "--evaluator", metavar="NAME", help="Which server of the environment; default: the first."
        ),
        click.option(
            "--service", "services", multiple=True, metavar="S", help="Only this service; repeatable."
        ),
        click.option("--rule", "rules", multiple=True, metavar="ID", help="Only this rule; repeatable."),
        click.option(
            "--url",
            metavar="URL",
            help="The server's address; default: the environment's variable. Replicas of a Prometheus: with commas.",
        ),
        click.option(
            "--target",
            type=click.Choice(("grafana", "directory", "prometheus", "mimir")),
            help="What is written; default: what the evaluator is. `directory` is a Grafana's provisioning folder.",
        ),
        click.option(
            "--rules-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="The folder of a Prometheus' rule files, or of a directory; default: TOCSIN_RULES_DIR.",
        ),
        today_option,
    ):
        command = option(command)
    return command


def may_options(command: _F) -> _F:
    """The options that say what a plan may do."""
    for option in (
        click.option(
            "--max-delete-percent",
            type=float,
            default=20.0,
            show_default=True,
            help="... or more of ours than this; 0 for no limit.",
        ),
        click.option(
            "--max-deletes",
            type=int,
            default=10,
            show_default=True,
            help="Stop where more rules would be deleted.",
        ),
        click.option(
            "--skip-foreign",
            is_flag=True,
            help="A group that holds rules of others is left out, and that is no failure.",
        ),
        click.option(
            "--records",
            metavar="WHERE",
            help=RECORDS,
        ),
        click.option(
            "--policy-base",
            metavar="REV",
            help="The revision whose gates count; default: the first parent of HEAD.",
        ),
        click.option(
            "--override-canary",
            is_flag=True,
            help="Write rules that no canary record admits; needs --reason.",
        ),
        click.option("--reason", metavar="TEXT", help="Why; it is written to the journal with who you are."),
        click.option(
            "--accept-blind",
            metavar="T",
            callback=duration_option,
            help="Let alerts out whose records cover less than they look back on, up to T: `0s`, `1h`.",
        ),
    ):
        command = option(command)
    return command


def gathered(**kinds: type) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Hands the options of each kind (`where=Where`) to the command as one value."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def inner(**given: Any) -> int:
            made = {
                name: kind(**{each.name: given.pop(each.name) for each in fields(kind)})
                for name, kind in kinds.items()
            }
            return command(**made, **given)

        return inner

    return decorate
