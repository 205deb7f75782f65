"""GitHub and GitLab, as far as a run talks to people there: one comment on a pull request, one issue, one pull request of its own.

What is posted carries a mark that readers don't see, so that the next run edits it: there are never two. Only what the poster itself wrote is
edited: a stranger may copy the mark into a comment of their own, and would then own our words. A creation whose answer was lost is looked for
by its mark before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from tocsin.errors import Denied, MachineError, Refused

PAGE: Final = 100
PAGES: Final = 50
"""Pages that are read before giving up: 5,000 comments on one pull request are somebody's joke."""

Done = Literal["created", "edited", "unchanged", "closed", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of it, and where it can be seen."""

    done: Done
    url: str = ""


class Forge(Protocol):
    """A code host. `mark` tells our own things apart; bodies are Markdown."""

    def comment(self, number: int, mark: str, body: str) -> Posted:
        """The one comment with that mark on that pull request."""

    def issue(self, mark: str, title: str, body: str, labels: Sequence[str]) -> Posted:
        """The one open issue with that mark."""

    def resolve_issue(self, mark: str, labels: Sequence[str]) -> Posted:
        """The open issue with that mark closed; `none` where there is none."""

    def pull(self, head: str, base: str, title: str, body: str) -> Posted:
        """The open pull request from `head` into `base`."""

    def pull_of(self, commit: str) -> int | None:
        """The number of the open pull request whose head is exactly that commit."""


def hidden(mark: str) -> str:
    """The mark as it stands in a body; browsers show nothing of it."""
    return f"<!-- tocsin:{mark} -->"


def marked(mark: str, body: str) -> str:
    """A body as it is posted."""
    return f"{hidden(mark)}\n{body}"


@contextmanager
def permission(need: str, where: str) -> Iterator[None]:
    """Turns a refusal into what to do about it. A host answers 404 for what a token may not see."""
    try:
        yield
    except Refused as error:
        if not isinstance(error, Denied) and error.status != 404:
            raise
        said = error.said or "no reason given"
        if error.status == 401:
            raise MachineError(
                f"the token is not taken on {where} (401: {said})",
                help="is it mistyped, expired, or another host's?",
            ) from None
        message = f"the token may not do this on {where} ({error.status}: {said})"
        missing = error.status == 404
    else:
        return
    if "locked" in said:
        raise MachineError(message, help="nobody can comment there")
    raise MachineError(message, help=f"give it {need}" + ("; or is there no such thing?" if missing else ""))
