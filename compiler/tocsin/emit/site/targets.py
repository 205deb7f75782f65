"""Where a link written in prose leads on the site.

In: a target as written in a source file, for instance `../kafka/SOP-KAFKA-007.md#verify`. Out: the link as the generated page must have it, or
None where there is nothing to link to: a file that is no page, a page left out of a public site, a scheme that could run something.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection
from urllib.parse import unquote

from tocsin.emit.site import paths
from tocsin.emit.site.markup import safe_target
from tocsin.emit.site.model import SiteModel

KEPT_FOLDER = "site/"


def resolver(
    model: SiteModel, file: str, page: str, kept: Collection[str] = ()
) -> Callable[[str], str | None]:
    """Resolves the links of one source file. `file` is its path in the repository, `page` the page made of it, `kept` the files of `site/`."""

    def resolve(target: str) -> str | None:
        if target.startswith("#"):
            return target
        if not target or not safe_target(target):
            return None
        if ":" in target.split("/")[0].split("#")[0]:
            return target
        name, hash, anchor = target.partition("#")
        path = unquote(name.partition("?")[0])
        repository = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        found = _page(model, repository, kept, page)
        return None if found is None else f"{found}{hash}{anchor}"

    return resolve


def _page(model: SiteModel, repository: str, kept: Collection[str], of: str) -> str | None:
    folder, _, name = repository.rpartition("/")
    top = folder.partition("/")[0]
    id = name.partition(".")[0]
    if name.endswith(".md") and top == "sops":
        return paths.relative(paths.sop(id), of) if id in model.sops else None
    if name.endswith(".md") and top == "incidents":
        return paths.relative(paths.incident(id), of) if id in model.incidents else None
    if repository.startswith(KEPT_FOLDER) and repository in kept:
        return paths.file(repository.removeprefix(KEPT_FOLDER), of)
    return None
