"""`tocsin release`: the next version of the rule set, counted from what changed; its ledger and changelog; then its tags.

tocsin release                 the ledger and the changelog of what HEAD's work tree would release   (in a CI: only said, unless --write)
tocsin release --tag           on the commit that carries the ledger: the tag, and the compiled files of each environment
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import click

from tocsin.cli.diff import main_branch
from tocsin.cli.findings import report_of, show
from tocsin.cli.options import day, repository, today_option
from tocsin.cli.reasons import reasons_of
from tocsin.cli.revisions import compiled_at, sources_at
from tocsin.cli.terminal import echo
from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag import Severity
from tocsin.diff.changes import RuleChange
from tocsin.diff.compare import compare
from tocsin.disk.git import read_commit
from tocsin.disk.git_release import (
    continue_branch,
    deploy_ref,
    is_branch,
    propose,
    push,
    store,
    tag,
    tagged,
    tags_before,
    version_tags,
)
from tocsin.disk.git_revisions import repository_of
from tocsin.disk.write import write_file
from tocsin.errors import MachineError, UsageError
from tocsin.ir.compiled import Resolved
from tocsin.ir.project import UNRELEASED, Ledger, Project, Release, ReleasedChange
from tocsin.ir.sop import content_digest, ledger_name
from tocsin.pipeline import Compilation, Settings, artifacts, compile_sources, published
from tocsin.pipeline.targets import compiles_for
from tocsin.project import LEDGER_FILE
from tocsin.release.changelog import merged, section
from tocsin.release.entries import released
from tocsin.release.ledger import ledger_text, next_ledger
from tocsin.release.versions import newest, next_version, version_of

_KEPT = ("prometheus", "grafana", "alertmanager", "kubernetes")
"""Folders of the output that go to servers; each holds one folder for each environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """What would be released. `ledger` is None where nothing changed."""

    last: str | None
    version: str | None
    ledger: Ledger | None
    release: Release | None


@click.command("release")
@click.argument("root", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option(
    "--write/--dry-run",
    "write",
    default=None,
    help="Write the ledger and the changelog; default: not in a CI.",
)
@click.option(
    "--tag",
    "make_tag",
    is_flag=True,
    help="Tag HEAD, whose ledger names the release, and keep its compiled files.",
)
@click.option(
    "--branch",
    metavar="BRANCH",
    help="Put the ledger and the changelog there, as a commit on HEAD; needs --push.",
)
@click.option(
    "--manifests", metavar="BRANCH", help="Put HEAD's compiled files there, as one commit more; needs --push."
)
@click.option(
    "--push", "remote", metavar="REMOTE", help="Where to: what --tag made, all or nothing; a branch."
)
@click.option(
    "--message",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A pull request's text: its `Reason:` and `Ticket:` lines speak for every change.",
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@today_option
def release_command(
    root: Path,
    write: bool | None,
    make_tag: bool,
    branch: str | None,
    manifests: str | None,
    remote: str | None,
    message: Path | None,
    format_: str,
    today: str | None,
) -> int:
    """Compute the next version, its ledger and its changelog; with --tag, tag it."""
    top = repository(root)
    if sum((make_tag, branch is not None, manifests is not None, write is not None)) > 1:
        raise UsageError("--write, --branch, --tag and --manifests are four things: choose one")
    if (remote is None) != (branch is None and manifests is None) and not make_tag:
        raise UsageError(
            "--branch and --manifests need --push REMOTE, and --push goes with them or with --tag"
        )
    if branch is not None or manifests is not None:
        _refuse_sources(top, str(branch or manifests))
    with no_collector():
        if make_tag or manifests is not None:
            return _kept(top, manifests, remote, day(today))
        sources = read_sources(top)
        compilation = compile_sources(sources, day(today))
        if compilation.settings is None or _broken(compilation):
            show(report_of(compilation.diagnostics, sources, fail_on=None, min_severity="error"), "text")
            click.echo("nothing can be released before this is mended", err=True)
            return 1
        said = message.read_text(encoding="utf-8", errors="replace") if message is not None else ""
        found = _next(top, compilation, said, day(today))
    project = compilation.settings.project
    if branch is not None and remote is not None:
        if found.ledger is not None and _proposed(top, project, found.ledger, remote, branch):
            click.echo(f"{branch} is pushed to {remote}", err=True)
        write = False
    if write is None:
        write = os.environ.get("CI", "").lower() != "true"
    if write and found.ledger is not None:
        for path, text in _texts(top, project, found.ledger):
            write_file(top / path, text)
    _tell(found, format_, written=write, proposed=branch is not None)
    return 0


def _refuse_sources(top: Path, branch: str) -> None:
    """What stands on the named branch is replaced, so it may be no branch that people work on."""
    if not is_branch(top, branch):
        raise UsageError(
            f"`{branch[:100]}` is no name of a branch", help="name it like `release/next` or `deploy`"
        )
    if branch.removeprefix("refs/heads/") in (main_branch(top), repository_of(top).branch):
        raise UsageError(
            f"`{branch}` holds the sources, and what stands there would be replaced",
            help="name a branch of its own: `release/next` for the ledger, `deploy` for compiled files",
        )


def _broken(compilation: Compilation) -> bool:
    return any(each.severity is Severity.error for each in compilation.diagnostics)


def _next(top: Path, compilation: Compilation, message: str, today: date) -> _Next:
    """The release that the work tree would be, counted from the last tag. The ledger of that tag is what counts, not one that an earlier run wrote: so
    a second run changes nothing, and a pull request merged in between is in it."""
    assert compilation.settings is not None
    policy = compilation.settings.project.release
    head, last = repository_of(top).head, _last(top, compilation.settings.ledger)
    base = compiled_at(top, last, today) if last is not None else None
    before = base.settings.ledger if base is not None and base.settings is not None else Ledger()
    changes = _changes(base, compilation)
    sops = _sops(compilation)
    changed = _changed_sops(base, sops)
    whys = reasons_of(top, last, head, changes, message) if last is not None else {}
    rows = released(changes, whys)
    version = next_version(
        last,
        policy.first,
        (each.class_ for each in changes),
        policy.bumps,
        words=bool(changed),
        taken=version_tags(top),
    )
    if version is None:
        return _Next(last=last, version=None, ledger=None, release=None)
    ledger = next_ledger(
        before,
        version,
        _moment(top)[:10],
        _resolved(compilation),
        sops,
        rows,
        changed,
        published(compilation),
        compiles_for(compilation),
    )
    return _Next(last=last, version=version, ledger=ledger, release=ledger.releases[0])


def _last(top: Path, ledger: Ledger) -> str | None:
    """The tag of the release before HEAD; None before the first. MachineError where this clone cannot tell."""
    repository = repository_of(top)
    last = newest(tags_before(top, repository.head))
    if last is None and repository.shallow:
        raise MachineError(
            "this shallow clone does not show the last release",
            help="fetch the past: `git fetch --unshallow --tags`, or `fetch-depth: 0` in the checkout step",
        )
    _refuse_missing_tags(ledger, last)
    return last


def _refuse_missing_tags(ledger: Ledger, last: str | None) -> None:
    """The ledger's newest release may wait for its tag; the one before it cannot."""
    names = [each.version for each in ledger.releases if version_of(each.version) is not None]
    older = names[1] if len(names) > 1 else None
    if names[:1] == [last] or older is None or older == last:
        return
    known, found = version_of(older), version_of(last or "")
    assert known is not None, "only versions are asked"
    if found is None or known > found:
        raise MachineError(
            f"the ledger knows the release {older}, and this clone has no tag of it before HEAD",
            help="fetch the tags: `git fetch --tags`",
        )


def _changes(base: Compilation | None, compilation: Compilation) -> tuple[RuleChange, ...]:
    old = _resolved(base) if base is not None else []
    return compare(old, _resolved(compilation))


def _resolved(compilation: Compilation) -> list[Resolved]:
    return [each for service in compilation.services for each in service.resolved]


def _sops(compilation: Compilation) -> dict[str, str]:
    found = (page.sop for page in compilation.pages)
    return {ledger_name(each): content_digest(each) for each in found if each is not None}


def _changed_sops(base: Compilation | None, sops: Mapping[str, str]) -> list[str]:
    # A page is what its file says: what the last release's ledger does not know is new.
    old = _sops(base) if base is not None else {}
    return sorted(name for name in {*sops, *old} if sops.get(name) != old.get(name))


def _texts(top: Path, project: Project, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """The changelog first: a ledger without its words would look finished."""
    path = top / project.release.changelog
    try:
        before = path.read_bytes().decode("utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise MachineError(f"{project.release.changelog} is not UTF-8", help="save it as UTF-8") from None
    text = merged(before.replace("\r\n", "\n"), ledger.releases[:1])
    # A file keeps the line ends that it has.
    yield project.release.changelog, text.replace("\n", "\r\n") if "\r\n" in before else text
    yield LEDGER_FILE, ledger_text(ledger)


def _proposed(top: Path, project: Project, ledger: Ledger, remote: str, branch: str) -> bool:
    prefix = repository_of(top).prefix
    files = [(prefix + path, text.encode()) for path, text in _texts(top, project, ledger)]
    return propose(top, remote, branch, files, f"Release {ledger.release}\n", _seconds(_moment(top)))


def _tell(found: _Next, format_: str, *, written: bool, proposed: bool) -> None:
    if format_ == "json":
        row = {
            "schema": "tocsin/release/1",
            "last": found.last,
            "version": found.version,
            "written": written and found.ledger is not None,
            "changes": [_as_data(each) for each in found.release.changes] if found.release else [],
            "sops": list(found.release.sops) if found.release else [],
        }
        click.echo(json.dumps(row, indent=2, ensure_ascii=False))
        return
    if found.release is None:
        click.echo(f"nothing to release since {found.last}", err=True)
        return
    _say(section(found.release))
    here = "nothing is written here" if proposed else "nothing is written; --write does"
    done = f"{LEDGER_FILE} and the changelog are written" if written else here
    click.echo(f"{found.last or 'no release'} -> {found.version}; {done}", err=True)


def _as_data(change: ReleasedChange) -> Mapping[str, object]:
    return {
        "rule": change.rule,
        "envs": list(change.envs),
        "class": change.class_,
        "direction": change.direction,
        "what": list(change.what),
        "reasons": list(change.reasons),
        "tickets": list(change.tickets),
    }


def _kept(top: Path, manifests: str | None, remote: str | None, today: date) -> int:
    """HEAD compiled as it was committed, and kept: as a release, or on a branch."""
    head = repository_of(top).head
    compilation = compiled_at(top, head, today)
    if compilation.settings is None or _broken(compilation):
        show(
            report_of(compilation.diagnostics, sources_at(top, head), fail_on=None, min_severity="error"),
            "text",
        )
        return 1
    if manifests is None or remote is None:
        return _tag(top, head, compilation, compilation.settings, remote, today)
    files = [
        row for env in compilation.settings.project.environments for row in _files(compilation, env.name)
    ]
    at = _seconds(_moment(top))
    done = continue_branch(top, remote, manifests, dict(files).items(), f"Compiled from {head}\n", at)
    _say(f"{manifests} {'has one commit more' if done else 'holds these files already'}")
    return 0


def _tag(
    top: Path, head: str, compilation: Compilation, settings: Settings, remote: str | None, today: date
) -> int:
    """The tag and the kept files of the release that HEAD's ledger names."""
    ledger = settings.ledger
    if ledger.release == UNRELEASED or not ledger.releases or version_of(ledger.release) is None:
        _say("no release is prepared in this commit; `tocsin release` prepares one")
        return 0
    release = ledger.releases[0]
    if tagged(top, release.version) not in (None, head) and release.version in tags_before(top, head):
        # Later commits carry the ledger of the last release too: that one has its tag, and there is nothing to do.
        _say(f"{release.version} is tagged already; nothing new is released in this commit")
        return 0
    if tagged(top, release.version) is None and not _tells_all(top, compilation, settings, today):
        # Something was merged after it was prepared: a tag here would hold what no changelog ever names.
        _say(
            f"{release.version} was prepared for other sources than these: nothing is tagged; `tocsin release` prepares it anew"
        )
        return 0
    moment = _moment(top)
    refs = []
    # What a rollback needs comes first: a tag without it would look finished.
    for env in settings.project.environments:
        ref = deploy_ref(env.name, release.version)
        said = f"{release.version} as compiled for {env.name}\n"
        made = store(top, ref, _files(compilation, env.name), said, _seconds(moment))
        refs.append(ref)
        _say(f"{ref} {'is made' if made else 'was there'}")
    made = tag(top, release.version, head, section(release) + "\n", moment)
    refs.append(f"refs/tags/{release.version}")
    _say(f"refs/tags/{release.version} {'is made' if made else 'was there'}")
    if remote is not None:
        push(top, remote, refs)
        _say(f"pushed to {remote}")
    return 0


def _tells_all(top: Path, compilation: Compilation, settings: Settings, today: date) -> bool:
    """Whether the ledger's newest release names what changed since the one before it, and nothing else."""
    release = settings.ledger.releases[0]
    last = _last(top, settings.ledger)
    base = compiled_at(top, last, today) if last is not None else None
    told, found = (
        [(row.rule, row.envs, row.class_, row.what) for row in rows]
        for rows in (release.changes, released(_changes(base, compilation), {}))
    )
    read = {name: row[0] for name, row in settings.ledger.sops.items()}
    return told == found and read == _sops(compilation)


def _moment(top: Path) -> str:
    """When HEAD was committed: what is made from it says no other time."""
    head = read_commit(top, "HEAD")
    return head.at if head is not None else "1970-01-01T00:00:00+00:00"


def _say(line: str) -> None:
    echo(f"{line}\n")


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _files(compilation: Compilation, env: str) -> Iterable[tuple[str, bytes]]:
    """What goes to the servers of an environment, and the manifest that tells which rule a uid is."""
    for each in artifacts(compilation):
        folder, _, rest = each.path.partition("/")
        if each.path == "manifest.json" or (folder in _KEPT and rest.startswith(f"{env}/")):
            yield each.path, each.text.encode("utf-8", "surrogatepass")
