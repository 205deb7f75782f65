"""`tocsin post`: says something on GitHub or GitLab, once. The next run edits it.

The text is a file that another job may have made from a stranger's branch: it is data. It is cut to what the host takes, and names nobody: an
`@` in it calls no one. Where to and as whom comes from the environment a CI gives, or from flags.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tocsin.cli.targets import Now
from tocsin.cli.terminal import echo
from tocsin.errors import MachineError, UsageError

if TYPE_CHECKING:
    from tocsin.remote.forge import Forge, Posted
    from tocsin.remote.http import Door

_LONGEST: Final = 65_536
"""Characters GitHub takes in a body; GitLab takes a million."""
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes."""
_CUT: Final = "\n\n*The rest is left out here: it is in the artifact of this run.*\n"
_MENTION: Final = re.compile("@(?=[A-Za-z0-9])")
_CLOSERS: Final = ("```", "</details>")


@click.group("post")
def post_command() -> None:
    """Say something on GitHub or GitLab, and edit it the next time.

    The token comes from GITHUB_TOKEN or GITLAB_TOKEN, the place from GITHUB_REPOSITORY or CI_PROJECT_ID.
    """


def _marks(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,80}", value) or "--" in value:
        raise UsageError(f"`{value}` cannot be a mark", help="letters, digits, dots and single hyphens")
    return value


_mark = click.option(
    "--mark",
    default="impact",
    show_default=True,
    callback=lambda _context, _parameter, value: _marks(value),
    help="Tells what is posted apart from other things of ours.",
)
_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
_where = click.option("--repository", metavar="OWNER/NAME", help="The repository, or GitLab's project.")
_login = click.option("--login", metavar="NAME", help="GitHub: who the token writes as.")


@post_command.command("comment")
@_file
@click.option("--on", "number", type=click.IntRange(1), help="The number of the pull request.")
@click.option("--commit", metavar="SHA", help="The pull request whose head this commit is.")
@_mark
@_where
@_login
def comment_command(
    file: Path, number: int | None, commit: str | None, mark: str, repository: str | None, login: str | None
) -> int:
    """Put FILE as the one comment with this mark on a pull request."""
    if (number is None) == (commit is None):
        raise UsageError("say which pull request: --on NUMBER, or --commit SHA")
    body = body_of(_text(file))
    with _forge(os.environ, repository, login) as forge:
        found = number if number is not None else forge.pull_of(commit or "")
        if found is None:
            echo(f"no open pull request has the head {commit}; nothing is posted\n")
            return 0
        _tell(forge.comment(found, mark, body), f"the comment on #{found}")
    return 0


@post_command.command("issue")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=False)
@click.option("--title", help="The issue's title.")
@click.option("--label", "labels", multiple=True, default=("tocsin",), show_default=True)
@click.option("--resolved", is_flag=True, help="Nothing is left to say: close it if it is open.")
@_mark
@_where
@_login
def issue_command(
    file: Path | None,
    title: str | None,
    labels: tuple[str, ...],
    resolved: bool,
    mark: str,
    repository: str | None,
    login: str | None,
) -> int:
    """Keep one issue with this mark open and equal to FILE; close it with --resolved."""
    if not resolved and (file is None or not title):
        raise UsageError("an issue needs FILE and --title; --resolved needs neither")
    with _forge(os.environ, repository, login) as forge:
        if resolved:
            _tell(forge.resolve_issue(mark, labels), "the issue")
        else:
            assert file is not None and title
            _tell(forge.issue(mark, title, body_of(_text(file)), labels), "the issue")
    return 0


@post_command.command("pull")
@_file
@click.option("--head", required=True, metavar="BRANCH", help="The branch that was pushed.")
@click.option("--base", required=True, metavar="BRANCH", help="The branch it should go into.")
@click.option("--title", required=True)
@_where
@_login
def pull_command(
    file: Path, head: str, base: str, title: str, repository: str | None, login: str | None
) -> int:
    """Open a pull request from one branch into another, or bring the open one up to date."""
    with _forge(os.environ, repository, login) as forge:
        _tell(forge.pull(head, base, title, body_of(_text(file))), "the pull request")
    return 0


@post_command.command("release")
@click.argument("tag")
@_file
@click.option(
    "--asset",
    "assets",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="A file to attach; repeatable.",
)
@_where
def release_command(tag: str, file: Path, assets: tuple[Path, ...], repository: str | None) -> int:
    """Make the release of TAG on GitHub say FILE and hold the assets."""
    from tocsin.remote.github import GitHub

    with _forge(os.environ, repository, None) as forge, _uploads(os.environ) as uploads:
        if not isinstance(forge, GitHub):
            raise UsageError(
                "releases are posted on GitHub alone", help="GitLab makes them in its own job: `release:`"
            )
        held = {each.name: each.read_bytes() for each in assets}
        _tell(forge.release(tag, body_of(_text(file)), held, uploads), f"the release {tag}")
    return 0


def body_of(text: str) -> str:
    """A text as it is posted: nobody is called by it, and it fits."""
    quiet = _MENTION.sub("@\N{ZERO WIDTH NON-JOINER}", text).replace("\0", "")
    # The mark that is put before it, and what closes an open fence, must fit, too.
    room = _LONGEST - 400
    if len(quiet) <= room:
        return quiet
    kept = quiet[:room]
    # At the end of a line, unless that would leave out most of it.
    end = kept.rfind("\n")
    kept = kept[:end] if end > room // 2 else kept
    fence, fold = _CLOSERS
    if kept.count(fence) % 2:
        kept += f"\n{fence}"
    return kept + f"\n{fold}" * max(0, kept.count("<details") - kept.count(fold)) + _CUT


def _text(file: Path) -> str:
    if file.stat().st_size > _LARGEST:
        raise UsageError(f"{file} is too large to be posted", help=f"at most {_LARGEST // 1024 // 1024} MiB")
    data = file.read_bytes()
    if b"\0" in data:
        raise UsageError(
            f"{file} is no text", help="Markdown is posted; a release takes other files with --asset"
        )
    text = data.decode("utf-8", "replace")
    if not text.strip():
        raise UsageError(f"{file} is empty", help="did what should have written it fail?")
    return text


def _tell(posted: Posted, what: str) -> None:
    done = {"none": "was not there"}.get(posted.done, f"is {posted.done}")
    echo(f"{what} {done}{f': {posted.url}' if posted.url else ''}\n")


@contextmanager
def _forge(environment: Mapping[str, str], repository: str | None, login: str | None) -> Iterator[Forge]:
    """The host this run belongs to. GitLab where its CI says so, else GitHub."""
    from tocsin.remote.access import Bearer, Secret
    from tocsin.remote.github import GitHub
    from tocsin.remote.gitlab import GitLab
    from tocsin.remote.http import Door

    gitlab = bool(environment.get("CI_API_V4_URL") or environment.get("GITLAB_TOKEN"))
    name = "GITLAB_TOKEN" if gitlab else "GITHUB_TOKEN"
    token = environment.get(name, "").strip()
    if not token:
        raise MachineError(f"{name} is not set", help="without a token nothing can be posted")
    place = repository or environment.get("CI_PROJECT_ID" if gitlab else "GITHUB_REPOSITORY", "")
    if not place:
        raise MachineError("it is not known which repository to post to", help="add --repository OWNER/NAME")
    url = (
        environment.get("CI_API_V4_URL") or "https://gitlab.com/api/v4"
        if gitlab
        else environment.get("GITHUB_API_URL") or "https://api.github.com"
    )
    with Door(url, clock=Now(), auth=Bearer(Secret(token))) as door:
        yield GitLab(door, place) if gitlab else GitHub(door, place, login or "")


@contextmanager
def _uploads(environment: Mapping[str, str]) -> Iterator[Door]:
    """The host that takes files: beside api.github.com, below the host of an enterprise's own. What an answer says about it is not asked: a token goes
    only where the environment says."""
    from tocsin.remote.access import Bearer, Secret
    from tocsin.remote.http import Door

    api = environment.get("GITHUB_API_URL") or "https://api.github.com"
    own = api.removesuffix("/v3").removesuffix("/api") + "/api/uploads"
    url = environment.get("GITHUB_UPLOADS_URL") or (
        "https://uploads.github.com" if api == "https://api.github.com" else own
    )
    with Door(url, clock=Now(), auth=Bearer(Secret(environment.get("GITHUB_TOKEN", "")))) as door:
        yield door
