"""`tocsin migrate`: sources in an older version of their format become sources in the present one, or nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from tocsin.cli.findings import report_of, show
from tocsin.cli.options import FORMATS, repository, root_argument
from tocsin.cli.terminal import echo
from tocsin.cli.workspace import read_sources
from tocsin.diag import Diagnostic, Severity, SourceFile
from tocsin.disk.write import write_together
from tocsin.errors import MachineError
from tocsin.pipeline import Sources
from tocsin.source.migrate import Migrated, migrate
from tocsin.source.schema import Kind


@click.command("migrate")
@root_argument
@click.option(
    "--check", "check_only", is_flag=True, help="Write nothing; end with 1 where something would change."
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True, help="Of findings."
)
def migrate_command(root: Path, check_only: bool, format_: str) -> int:
    """Move sources from an older version of their format to the present one.

    Comments, order and layout stay. All files are converted before the first is written; a second run changes nothing.
    """
    top = repository(root)
    sources = read_sources(top)
    found = [each for each in sources.diagnostics if each.severity is Severity.error]
    moved: list[Migrated] = []
    for kind, file in _files(sources):
        made, said = migrate(file, kind)
        found.extend(said)
        if made is not None:
            moved.append(made)
    if found:
        show(report_of(_once(found), sources, fail_on=None), format_)
        click.echo("nothing is written", err=True)
        return 1
    for each in moved:
        # What a merge key repeats is written once.
        for span, note in dict.fromkeys(each.notes):
            echo(f"{span.place}: {note}\n")
        echo(f"{each.path} {'would change' if check_only else 'is moved'}\n")
    if not check_only:
        write_together({_place(top, each.path): _bytes(top / each.path, each.text) for each in moved})
    if not moved:
        click.echo("every source is in the present version", err=True)
    elif not check_only:
        click.echo("next: tocsin check", err=True)
    return 1 if check_only and moved else 0


def _files(sources: Sources) -> Iterator[tuple[Kind, SourceFile]]:
    if sources.project is not None:
        yield "project", sources.project
    yield from (("rules", each) for each in sources.rules)
    yield from (("sop", each) for each in sources.sops)
    yield from (("incident", each) for each in sources.incidents)


def _once(found: list[Diagnostic]) -> list[Diagnostic]:
    return list(dict.fromkeys(found))


def _place(top: Path, path: str) -> Path:
    """Where a source really stands: it may be a link to another file of the repository, and stays one."""
    real = (top / path).resolve()
    if not real.is_relative_to(top.resolve()):
        raise MachineError(f"`{path}` leads out of the repository")
    return real


def _bytes(path: Path, text: str) -> bytes:
    """The text with the byte-order mark and the line ends that the file has."""
    try:
        before = path.read_bytes()
    except OSError as error:
        raise MachineError(f"cannot read {path}: {os.strerror(error.errno or 0).lower()}") from error
    if before.count(b"\r\n") == before.count(b"\n") > 0:
        text = text.replace("\n", "\r\n")
    mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    return mark + text.encode("utf-8")
