"""Carrying a plan out for whoever has one (`sync`, `rollback`): who acts, asking, the bar, Ctrl-C, and the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from tocsin.cli.progress import counter
from tocsin.cli.targets import Now
from tocsin.errors import Cancelled, TocsinError, UsageError
from tocsin.remote.lanes import in_lanes
from tocsin.report.visible import visible
from tocsin.sync.apply import OnError, Outcome, Result, apply, one_by_one, resume, steps_of, undo
from tocsin.sync.journal import Journal, plan_of
from tocsin.sync.lanes import Lane
from tocsin.sync.values import Place, Plan, Server, State, Target
from tocsin.sync.watch import WANTED, Seen, watch

SOME, GATE, DRIFTED, ALL = 4, 7, 8, 9
_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID")
_WORKERS = 4


class Stopped(TocsinError):
    """The whole run is refused."""

    exit_code = ALL


def now_text() -> str:
    """The time of day, ISO 8601 in UTC."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def actor_of(server: Server) -> str:
    """Who acts, and how that is known; `""` where nobody says it. The token's own login is what the server vouches for, so it comes first."""
    if server.login:
        return f"{server.login} (login of the token)"
    name = _naming()
    return f"{os.environ[name].strip()} ({name})" if name else ""


def actor_of_job() -> str:
    """Whose change this job is about, as the CI says it; `""` where it says nothing."""
    name = _naming()
    return os.environ[name].strip() if name else ""


def _naming() -> str:
    return next((each for each in _ACTORS if os.environ.get(each, "").strip()), "")


def refused(plan: Plan) -> int:
    """4 where some groups are refused or a service does not compile, 9 where all are refused, 7 where the canary alone says no."""
    if plan.stops:
        return ALL
    groups = [each for each in plan.groups if any(not why.skipped for why in each.refusals)]
    if not groups:
        return SOME if plan.frozen else 0
    if any(each.writes for each in plan.groups):
        return SOME
    only_canary = all(why.code.startswith("verdict-") for each in groups for why in each.refusals)
    return GATE if only_canary else ALL


def agreed(*, yes: bool) -> None:
    """Asks, unless `--yes` was said. Abort where the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is here to ask", help="add --yes where a plan was looked at before")
    click.confirm("Write this?", abort=True, err=True)


def carried_out(
    plan: Plan,
    target: Target,
    book: Journal,
    on_error: OnError,
    *,
    by: str,
    override: str = "",
    before: Mapping[str, State] | None = None,
    wait: bool = True,
) -> int:
    """The plan applied, told, and watched: 0, or 4 where not all of it is there and well. `before` is how the rules fared; without it nobody is
    watched."""
    with _halfway(book), _bar(plan) as done:
        outcome = apply(
            plan,
            target,
            book,
            on_error,
            now_text(),
            by or "unknown",
            override=override,
            beside=beside(plan.server),
            done=done,
        )
    code = tell(outcome)
    if outcome.undone or before is None:
        return code
    return _watched(plan, outcome, target, book, on_error, before, wait=wait) or code


def finished(target: Target, book: Journal, on_error: OnError, *, back: bool) -> int:
    """The run of that journal finished, or with `back` taken back."""
    plan = plan_of(book)
    with _halfway(book), _bar(plan) as done:
        outcome = (
            undo(target, book, beside=beside(plan.server), done=done)
            if back
            else resume(target, book, on_error, beside=beside(plan.server), done=done)
        )
    code = tell(outcome)
    return 0 if back and outcome.clean else code


def tell(outcome: Outcome) -> int:
    """Says what became of each group; 4 where not all of it is there."""
    for each in (*outcome.failed, *outcome.results):
        place = f"{visible(each.place.folder)} / {visible(each.place.group)}"
        click.echo(f"{each.state}: {place}{f': {visible(each.say)}' if each.say else ''}", err=True)
    if outcome.undone:
        click.echo("the run was taken back", err=True)
        return SOME
    return 0 if outcome.clean else SOME


def beside(server: Server) -> Callable[[Sequence[Lane], Callable[[Lane], None]], None]:
    """Several folders at once where a server is written group by group; files are written one after another."""
    return _threads if server.kind in ("grafana", "mimir") else one_by_one


def _threads(lanes: Sequence[Lane], work: Callable[[Lane], None]) -> None:
    if len(lanes) < 2:
        return one_by_one(lanes, work)
    for each in in_lanes(lanes, work, lane=lambda lane: lane, workers=_WORKERS, stop_at_error=True):
        if each.error is not None:
            raise each.error


def _watched(
    plan: Plan,
    outcome: Outcome,
    target: Target,
    book: Journal,
    on_error: OnError,
    before: Mapping[str, State],
    *,
    wait: bool,
) -> int:
    """How the changed rules fare; with `--on-error undo` the groups of those that became an error are taken back."""
    seen = watch(plan, outcome, target, before, Now()) if wait else ()
    for each in seen:
        if each.state != "healthy":
            click.echo(
                f"{each.state}: {visible(each.title)} [{visible(each.key)}]: {visible(each.say)}", err=True
            )
    for say in told_of(seen):
        click.echo(say, err=True)
    wrong = [each for each in seen if each.state == "became-error"]
    if wrong and on_error == "undo":
        with _halfway(book):
            tell(undo(target, book, only=_places(wrong), beside=beside(plan.server)))
    return SOME if wrong else 0


def told_of(seen: Sequence[Seen]) -> Iterator[str]:
    """How many were seen well, and over how many evaluations."""
    counts = sorted(each.evaluations for each in seen if each.state == "healthy")
    if counts:
        spread = f"{counts[0]} to {counts[-1]}" if counts[0] != counts[-1] else f"{counts[0]}"
        yield (
            f"{len(counts)} of {len(seen)} changed rules were seen healthy after the write "
            f"({spread} of {WANTED} evaluations seen)"
        )
    elif seen:
        yield f"none of {len(seen)} changed rules was seen healthy after the write"


def _places(seen: Sequence[Seen]) -> frozenset[Place]:
    return frozenset(each.place for each in seen)


@contextmanager
def _halfway(book: Journal) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Cancelled(
            f"stopped halfway; what was done, and how it was before, is in the journal {book.where}",
            help="finish it with `tocsin sync --resume`, or take it back with `tocsin sync --undo`, with the same --journal",
        ) from None


@contextmanager
def _bar(plan: Plan) -> Iterator[Callable[[Result], None]]:
    with counter(len(steps_of(plan)), "writing groups") as advance:
        yield lambda result: advance()
