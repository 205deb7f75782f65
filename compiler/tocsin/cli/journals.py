"""Where the journal of a run is: a path, an address, or a Git ref; and that it outlives the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.cli.run_plan import Stopped
from tocsin.cli.targets import Now
from tocsin.disk.git_journal import PREFIX, GitJournal
from tocsin.disk.journal import FileJournal
from tocsin.remote.environment import access
from tocsin.remote.http import Door
from tocsin.remote.journal import HttpJournal
from tocsin.sync.journal import Journal

HELP = "Where the journal goes: a path, https://..., git:refs/..., or git:REMOTE:refs/... to push it. It must outlive the machine."


@contextmanager
def journal_at(chosen: str | None, top: Path, env_name: str) -> Iterator[Journal]:
    """The journal that the command line names; default: a file below dist/. Nothing is created before the first entry. On a CI runner one that
    dies with it is refused."""
    if chosen is not None and chosen.startswith(("http://", "https://")):
        with _door(chosen) as door:
            yield HttpJournal(door)
        return
    if chosen is not None and chosen.startswith(PREFIX):
        book = GitJournal(chosen, top)
        if not book.remote:
            _outlives(f"the journal {chosen}, which is not pushed,", on_runner=True)
        yield book
        return
    path = Path(chosen) if chosen is not None else _default(top, env_name)
    lost = (top, Path(os.environ.get("TMPDIR", "/tmp")))
    inside = any(path.resolve().is_relative_to(each.resolve()) for each in lost)
    _outlives(f"the journal {path}", on_runner=inside)
    yield FileJournal(path)


@contextmanager
def kept_journal(chosen: str | None, top: Path, env_name: str) -> Iterator[Journal | None]:
    """The journal that is there already, to be read: the one that is named, else the file below dist/; None where that is not there."""
    path = _default(top, env_name)
    if chosen is not None and (chosen.startswith(("http://", "https://", PREFIX))):
        with journal_at(chosen, top, env_name) as book:
            yield book
    else:
        path = Path(chosen) if chosen is not None else path
        yield FileJournal(path) if path.is_file() else None


def journal_of(path: Path | None, top: Path, env_name: str | None) -> Journal:
    """A journal in a file, for a command that takes no other."""
    with journal_at(str(path) if path is not None else None, top, env_name or "default") as book:
        return book


def _default(top: Path, env_name: str) -> Path:
    return top / "dist" / "journal" / f"{env_name}.jsonl"


def _outlives(what: str, *, on_runner: bool) -> None:
    if on_runner and os.environ.get("CI", "").lower() == "true":
        raise Stopped(
            f"{what} would be lost with this runner",
            help="name a place that outlives it: --journal /mnt/journal/prod.jsonl, https://..., or git:origin:refs/tocsin/journal/prod",
        )


def _door(url: str) -> Door:
    """The journal's server, with TOCSIN_JOURNAL_TOKEN and no other: it may be anybody's."""
    way = access("journal", os.environ, flag=url)
    return Door(way.url, clock=Now(), auth=way.auth, tls=way.tls, proxy=way.proxy)
