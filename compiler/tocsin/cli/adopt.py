"""`tocsin adopt`: files that exist become sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from tocsin.adopt import Adoption, Options, adopt, asks_for_labels, contradicts_labels, survey
from tocsin.adopt.naming import kebab
from tocsin.adopt.owners import PLACES
from tocsin.adopt.sources import ADOPTED
from tocsin.cli.authoring import SCHEMAS, schemas, write_sources
from tocsin.cli.findings import exit_code, report_of, show
from tocsin.cli.options import day, finding_options, today_option
from tocsin.cli.progress import watch
from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag import Diagnostic, SourceFile, Span, diagnostic
from tocsin.disk.files import decode
from tocsin.disk.write import LISTING
from tocsin.errors import MachineError, UsageError
from tocsin.pipeline import Sources
from tocsin.report.findings import count

ENDINGS = (".yaml", ".yml", ".json", ".rules", ".rule", ".alerts", ".alert")
"""What is opened when a folder is named; a file that is named itself is opened whatever it is called."""
SKIPPED = frozenset({"node_modules", "__pycache__"})
LARGEST = 20_000_000
"""A dump of a whole cluster's rules is larger than a source may be."""
LONGEST_LINE = 1_000_000
"""A place holds columns below a million (`diag.origin`)."""
_LABELS = ("rule_id", "service", "owner", "env", "level")
_COST = (
    "`{labels}` is added to the labels of every alert. The first deployment starts the state of all of them anew: pending\n"
    "alerts wait again, firing ones resolve and fire once more under their new labels."
)


@click.group("adopt")
def adopt_command() -> None:
    """Turn existing files into sources."""


@adopt_command.command("prometheus")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("rules"),
    show_default=True,
    help="The rules folder of the repository; it need not exist.",
)
@click.option(
    "--service",
    metavar="NAME",
    help="Put everything into this service; default: guessed for each file from labels, names and its path.",
)
@click.option(
    "--owner",
    metavar="TEAM",
    help="The team that owns what is adopted; default: from labels, else CODEOWNERS, else `unowned`.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    type=click.Choice([*_LABELS, "none"]),
    help="Add this label to every alert. Default: none, so that nothing on the server changes.",
)
@click.option(
    "--severity-map",
    "severity_map",
    multiple=True,
    metavar="critical=P1,...",
    help="Name a severity differently; the label keeps its value.",
)
@click.option(
    "--without",
    "without",
    multiple=True,
    metavar="FIELD",
    help="Leave a field behind that Prometheus does not know, and adopt its rules.",
)
@click.option(
    "--project", metavar="NAME", help="The name in a new tocsin.yaml; default: the repository folder's."
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@finding_options
@today_option
def prometheus_command(
    paths: tuple[Path, ...],
    into: Path,
    service: str | None,
    owner: str | None,
    labels: tuple[str, ...],
    severity_map: tuple[str, ...],
    without: tuple[str, ...],
    project: str | None,
    dry_run: bool,
    format_: str,
    fail_on: str | None,
    min_severity: str,
    today: str | None,
) -> int:
    """Adopt Prometheus rule files, Kubernetes rule objects and promtool tests, as they are.

    PATHS are files or folders. Each rule keeps its name, expression, timing, labels and annotations; what
    cannot be carried is reported with its place. Running it twice changes nothing: what was adopted before is
    left alone, edited or not.
    """
    root = _root(into)
    options = Options(
        service=_service(service),
        owner=kebab(owner or ""),
        labels=_labels(labels),
        severities=_severities(severity_map),
        without=frozenset(without),
        codeowners=_codeowners(root),
        tops=frozenset(_seen_from(root, each) for each in paths if each.is_dir()),
    )
    with no_collector():
        files, found = _foreign(paths, root)
        repository = _without(read_sources(root), files)
        existing = survey(repository.project, repository.rules, repository.promtool, files)
        if contradicts_labels(existing, options):
            raise UsageError(
                "--label says something else than `labels.inject` in tocsin.yaml",
                help="change it there: it holds for every alert of the project",
            )
        if asks_for_labels(existing, options):
            raise UsageError(
                "this project adds `rule_id` to the labels of every alert (the default), and adopted alerts would get it too",
                help="say --label rule_id to accept that, or --label none to turn it off for the whole project",
            )
        name = _project(project, root)
        result = adopt(files, repository, existing, options, project=name, today=day(today), watch=watch)
    found.extend(result.diagnostics)
    if not dry_run and result.files:
        write_sources(root, schemas(), extend={each.path for each in schemas()})
        made = {each.path for each in result.files}
        written = write_sources(root, result.files, extend={"tocsin.yaml"})
        if missed := sorted(made - set(written)):
            raise MachineError(
                f"`{missed[0]}` exists and was not overwritten", help="move it away and run this again"
            )
    texts = replace(
        repository, rules=tuple(files), project=None, ledger=None, sops=(), incidents=(), diagnostics=()
    )
    report = report_of(found, texts, fail_on=fail_on, min_severity=min_severity)
    show(report, format_)
    _tell(result, options, files, dry_run)
    return exit_code(report)


def _root(into: Path) -> Path:
    if into.name != "rules":
        raise UsageError(
            f"`{into}`: sources live in a folder called `rules`", help="say --into REPOSITORY/rules"
        )
    return into.absolute().parent.resolve()


def _service(service: str | None) -> str:
    if service is not None and kebab(service) != service:
        raise UsageError(
            f"`{service}` is no service name", help=f"write --service {kebab(service) or 'NAME'}"
        )
    return service or ""


def _labels(labels: tuple[str, ...]) -> tuple[str, ...] | None:
    if "none" in labels and len(labels) > 1:
        raise UsageError("--label none goes alone")
    return None if not labels else () if "none" in labels else tuple(dict.fromkeys(labels))


def _severities(rows: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in (each.strip() for row in rows for each in row.split(",") if each.strip()):
        value, equals, name = pair.partition("=")
        if not (value.strip() and equals and name.strip()):
            raise UsageError(
                f"`{pair}` is not VALUE=NAME", help="write --severity-map critical=P1,warning=P2"
            )
        found[value.strip()] = name.strip()
    return found


def _project(name: str | None, root: Path) -> str:
    return kebab(name or root.name) or "alerts"


def _codeowners(root: Path) -> str:
    for place in PLACES:
        path = root / place
        if path.is_file() and not path.is_symlink():
            file, _ = decode(place, path.read_bytes())
            return file.text if file is not None else ""
    return ""


def _seen_from(root: Path, path: Path) -> str:
    """How the repository calls a path: relative to its top, `..` where it lies outside."""
    return Path(os.path.relpath(path.absolute(), root)).as_posix()


def _foreign(paths: tuple[Path, ...], root: Path) -> tuple[list[SourceFile], list[Diagnostic]]:
    """The texts below `paths`, each once, named as seen from the repository."""
    files: dict[str, SourceFile] = {}
    found: list[Diagnostic] = []
    for path in paths:
        for each in _walk(path) if path.is_dir() else [path]:
            name = _seen_from(root, each)
            if name in files or (name.startswith(SCHEMAS) or name == "tocsin.yaml"):
                continue
            try:
                size = each.stat().st_size
                data = each.read_bytes() if size <= LARGEST else b""
            except OSError as error:
                found.append(
                    diagnostic(
                        "TOC816", Span(name), f"cannot be read: {error.strerror or error}", subject=name
                    )
                )
                continue
            if size > LARGEST:
                found.append(
                    diagnostic(
                        "TOC816",
                        Span(name),
                        f"has more than {LARGEST // 1_000_000} MB",
                        help="split it",
                        subject=name,
                    )
                )
                continue
            file, said = decode(name, data)
            found.extend(each for each in said if each.code == "TOC110")
            if file is not None and max(map(len, file.text.split("\n"))) >= LONGEST_LINE:
                found.append(
                    diagnostic(
                        "TOC816",
                        Span(name),
                        "has a line of more than a million characters",
                        help="format it with line breaks",
                        subject=name,
                    )
                )
            elif file is not None:
                files[name] = file
    return list(files.values()), found


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below `folder` that may hold rules, in order; no hidden folder, no link, no pipe to wait at."""
    for top, folders, names in os.walk(folder, followlinks=False):
        if (Path(top) / LISTING).is_file():
            folders[:] = []
            continue  # what tocsin itself compiled
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in SKIPPED)
        for name in sorted(names):
            path = Path(top) / name
            if name.lower().endswith(ENDINGS) and not path.is_symlink() and path.is_file():
                yield path


def _without(sources: Sources, files: list[SourceFile]) -> Sources:
    """The repository as it is but for foreign files that happen to lie in its rules folder."""
    foreign = {each.path for each in files if not _is_source(each)}
    files[:] = [each for each in files if each.path in foreign]
    return replace(sources, rules=tuple(each for each in sources.rules if each.path not in foreign))


def _is_source(file: SourceFile) -> bool:
    """Whether a file is a source already: made by an earlier run, or with the two words every rule file has."""
    if any(line.startswith(ADOPTED) for line in file.text.split("\n", 6)[:6]):
        return True
    return "\nversion: 1\n" in f"\n{file.text}\n" and "\nservice:" in file.text


def _tell(result: Adoption, options: Options, files: list[SourceFile], dry_run: bool) -> None:
    """The story of the run, on stderr."""
    verb = "would write" if dry_run else "wrote"
    click.echo(f"carried {result.carried:,} of {count(result.rules, 'rule')}", err=True)
    if result.files:
        click.echo(f"{verb} {count(len(result.files), 'file')}; services: {_some(result.services)}", err=True)
    if dry_run:
        for each in result.files:
            click.echo(f"  {each.path}", err=True)
    if result.already:
        click.echo(f"{len(result.already)} adopted before and left alone", err=True)
    if result.tests:
        click.echo(
            f"unit tests: {count(result.tests, 'file')}, {result.kept_tests} kept for promtool as they are",
            err=True,
        )
    if result.other:
        click.echo(f"{count(result.other, 'document')} without rules of a Prometheus", err=True)
    if not (result.rules or result.tests or result.other or result.already):
        click.echo(
            f"no rules were found; a folder's files are read where they end in {', '.join(ENDINGS)}", err=True
        )
    if options.labels and result.files:
        click.echo(_COST.format(labels="`, `".join(options.labels)), err=True)
    if any(each.path.startswith("rules/") for each in files) and result.files:
        click.echo(
            "the originals lie in rules/, where sources live: remove them before `tocsin check`", err=True
        )
    if result.strict:
        codes = ", ".join(result.strict)
        click.echo(f"`tocsin check` asks more of the adopted rules than they have: {codes}", err=True)
        click.echo("  mend them, or turn these codes down under `checks:` in tocsin.yaml", err=True)
    if result.files and not dry_run:
        click.echo("next: tocsin check", err=True)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
