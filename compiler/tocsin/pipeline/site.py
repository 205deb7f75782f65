"""What a team keeps in `site/`, judged before anything is built: front matter that cannot be read, addresses that are taken, a logo that is not there.

In: the texts and image paths of `site/`, and tocsin.yaml where it can be used. Out: findings. What does not belong there at all (a template, a
hook) `disk.files` has reported already.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.diag import Diagnostic
from tocsin.diag.diagnostic import diagnostic
from tocsin.diag.span import Span
from tocsin.ir.project import Project
from tocsin.pipeline.values import Sources
from tocsin.source.markdown import split

FOLDER = "site/"
TAKEN = frozenset(
    (
        "404",
        "a",
        "assets",
        "err",
        "inc",
        "index",
        "levels",
        "lookup",
        "report",
        "search",
        "sitemap",
        "sop",
        "svc",
        "team",
    )
)
"""First steps of addresses that the site makes itself. Not taken from `emit.site`: a check has no need of the site's pages."""


def kept_findings(sources: Sources, project: Project | None) -> Iterator[Diagnostic]:
    """Everything that is wrong in `site/`."""
    languages = frozenset(project.site.languages if project is not None else ())
    for file in sources.site:
        yield from _address(file.path, languages)
        if file.path.endswith(".md") and file.text.startswith("---"):
            # Read for its mistakes alone: nothing of it reaches the generator.
            yield from split(file)[1]
    for path in sources.images:
        yield from _address(path, languages)
    if project is not None:
        yield from _pictures(project, frozenset(sources.images))


def _address(path: str, languages: frozenset[str]) -> Iterator[Diagnostic]:
    first, _, rest = path.removeprefix(FOLDER).partition("/")
    name = first if rest else first.partition(".")[0]
    if name.lower() in TAKEN | languages:
        yield diagnostic(
            "TOC120",
            Span(path),
            f"`/{name}` is an address of the site itself",
            help="choose another name below `site/`",
            subject=path,
        )


def _pictures(project: Project, images: frozenset[str]) -> Iterator[Diagnostic]:
    for key, path in (("logo", project.site.logo), ("favicon", project.site.favicon)):
        if path and f"{FOLDER}{path}" not in images:
            yield diagnostic(
                "TOC121",
                project.origin.value("site", key),
                f"there is no image `site/{path}`",
                help="put it there, or remove the key for the theme's own",
                subject=path,
            )
