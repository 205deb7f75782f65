"""The site of a compilation: pages from `emit.site`, images from `site/`, the package's own styles and scripts, built by `disk.site`."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tocsin
from tocsin.cli.known import own_files
from tocsin.disk import site as disk
from tocsin.disk.files import read_image
from tocsin.disk.fork import Pipe, Second, cores
from tocsin.disk.process import Running
from tocsin.emit.catalog import Contents
from tocsin.emit.site import SiteInput, emit_site, emit_static, emit_tree, sop_pages
from tocsin.emit.site.config import ASSETS, root_language
from tocsin.emit.site.finish import finish_page, finish_sitemap, theme_scripts
from tocsin.emit.site.pack import emit_pack
from tocsin.ir.artifact import Artifact
from tocsin.ir.history import History
from tocsin.pipeline import Settings, Sources
from tocsin.pipeline.site import FOLDER

_MUCH = 200
"""SOPs, from which on a second process pays for its start."""
PACKAGED = Path(tocsin.__file__).parent / "emit" / "site" / "assets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which site of one repository: everything `emit_site` needs, and the repository's folder for the images."""

    contents: Contents
    settings: Settings
    sources: Sources
    history: History
    root: Path
    public: bool = False
    team: str = ""
    """For a pack that opens from disk: whose."""


def plan_site(wanted: Wanted) -> disk.Plan:
    """The site's files and their digest. MachineError where what builds a site is not installed."""
    given = input_of(wanted)
    pages = emit_pack(given, wanted.team) if wanted.team else _both(given)
    return plan_of(wanted, given, pages, package_files())


def _both(given: SiteInput) -> Iterable[Artifact]:
    """`emit_site`; where it is much, half of it in a second process."""
    if len(given.contents.sops) < _MUCH or cores() < 2:
        return emit_site(given)

    def half(pipe: Pipe) -> None:
        pipe.send((sop_pages(given, 1, 2), [(each.path, each.text) for each in emit_static(given)]))

    child: Second[object] = Second(half)
    try:
        made = sop_pages(given, 0, 2)
        theirs = child.pipe.receive()
    except EOFError:
        return emit_site(given)  # the other process is gone: slower alone
    finally:
        child.end()
    assert isinstance(theirs, tuple)
    made.update(theirs[0])
    static = (Artifact(path=path, text=text) for path, text in theirs[1])
    return (*emit_tree(given, made=made), *static)


def input_of(wanted: Wanted) -> SiteInput:
    """What `emit_site` takes."""
    texts = ((each.path.removeprefix(FOLDER), each.text) for each in wanted.sources.site)
    return SiteInput(
        contents=wanted.contents,
        project=wanted.settings.project,
        ledger=wanted.settings.ledger,
        history=wanted.history,
        kept=tuple(sorted((*texts, *_pictures(wanted)), key=lambda each: each[0])),
        public=wanted.public,
    )


def plan_of(
    wanted: Wanted, given: SiteInput, pages: Iterable[Artifact], packaged: Mapping[str, bytes]
) -> disk.Plan:
    """The plan of these pages, with the package's files and the team's images."""
    site = wanted.settings.project.site
    root = root_language(site)
    data = {f"{root}/docs/{ASSETS}/{name}": each for name, each in packaged.items()}
    for language in site.languages:
        data.update({f"{language}/docs/{path}": each for path, each in given.kept if isinstance(each, bytes)})
    return disk.plan(pages, data, root=root, version=tocsin.__version__, maker=own_files())


def build_site(
    plan: disk.Plan,
    out: Path,
    *,
    name: str = "site",
    meanwhile: Callable[[], None] | None = None,
    ready: Running | None = None,
) -> bool:
    """Builds `out/name`; False where it is up to date. SiteError where a link leads nowhere. `meanwhile` is for the second core and `ready` a generator
    that waits: see `disk.site.build`."""
    with _working("building the site"):
        return disk.build(plan, out, finish, finish_sitemap, name=name, meanwhile=meanwhile, ready=ready)


def finish(html: str, path: str, theme: str) -> tuple[str, tuple[str, ...]]:
    """`disk.site.Finish`: the last pass over one page."""
    done = finish_page(html, path, _known(theme))
    return done.html, done.problems


@lru_cache(maxsize=8)
def _known(theme: str) -> frozenset[str]:
    return theme_scripts(theme) if theme else frozenset()


def _pictures(wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    for path in wanted.sources.images:
        data = read_image(wanted.root, path)
        if data is not None:
            yield path.removeprefix(FOLDER), data


def package_files() -> dict[str, bytes]:
    """The package's styles and scripts by name; what is packed is unpacked."""
    found: dict[str, bytes] = {}
    for path in sorted(PACKAGED.iterdir()):
        if path.suffix == ".gz":
            found[path.stem] = gzip.decompress(path.read_bytes())
        elif path.is_file():
            found[path.name] = path.read_bytes()
    return found


@contextmanager
def _working(what: str) -> Iterator[None]:
    """A sign of life on stderr where a person watches."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(file=sys.stderr).status(what):
        yield
