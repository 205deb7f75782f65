"""The site while it is being written: the generator's pages in a working folder, renewed page by page, never published.

dist/.work/preview/site/LANG/     the tree, only changed files written
dist/.work/preview/built/LANG/    what the generator makes of it; with `--dirty` only the pages whose Markdown is newer
dist/.work/preview/search/LANG    the search index of the last whole run: a `--dirty` run writes an empty one
"""

# ruff: noqa: PTH123
from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

from tocsin.disk.process import start
from tocsin.disk.site import WARNING, Plan, mkdocs_command, tree_files, write_tree

_LIMIT = 600.0
_DIRTY = "dirty"


class Preview:
    """The working folder of one preview."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._languages: tuple[str, ...] = ()

    def update(self, plan: Plan) -> tuple[str, ...]:
        """Brings the pages up to date with the plan's tree; answers what the generator warned of. MachineError where it fails."""
        tree = self._work / "site"
        before = {each: _bytes(tree / each / "mkdocs.yml") for each in plan.languages}
        write_tree(plan, tree)
        self._languages = plan.languages
        said: list[str] = []
        with ExitStack() as stack:
            runs = []
            for language in plan.languages:
                built = self._work / "built" / language
                whole = (
                    before[language] != _bytes(tree / language / "mkdocs.yml")
                    or not (self._work / "search" / language).is_file()
                )
                if not whole:
                    self._drop_stale(plan, language, built)
                argv, env = mkdocs_command(language, strict=False)
                argv = [*argv, *([] if whole else ["--dirty"])]
                run = stack.enter_context(start("mkdocs", argv, cwd=tree / language, env=env))
                runs.append((language, whole, run))
            for language, whole, run in runs:
                done = run.wait(_LIMIT)
                warnings = (" ".join(each["text"].split()) for each in WARNING.finditer(done.out))
                said.extend(each for each in warnings if _DIRTY not in each)
                if done.code != 0:
                    said.append(done.out.strip()[-500:])
                elif whole:
                    self._keep_search(language)
        return tuple(said)

    def read(self, path: str) -> bytes | None:
        """The file at an address below the site's root (`sop/X/index.html`); None where there is none."""
        language, rest = self._languages[0], path
        first, _, below = path.partition("/")
        if first in self._languages[1:]:
            language, rest = first, below
        if rest == "search/search_index.json":
            return _bytes(self._work / "search" / language)
        return _bytes(self._work / "built" / language / rest)

    def _keep_search(self, language: str) -> None:
        source = self._work / "built" / language / "search" / "search_index.json"
        if source.is_file():
            (self._work / "search").mkdir(exist_ok=True)
            shutil.copyfile(source, self._work / "search" / language)

    def _drop_stale(self, plan: Plan, language: str, built: Path) -> None:
        """Pages whose Markdown is gone: a `--dirty` run leaves them."""
        docs = f"{language}/docs/"
        wanted = {path[len(docs) :] for path in plan.files if path.startswith(docs)}
        for path in tree_files(built):
            if path.endswith("/index.html") and path.count("/") > 1:
                page = path.removesuffix("/index.html")
                if not wanted & {f"{page}.md", f"{page}/index.md"}:
                    (built / path).unlink()


def _bytes(path: Path) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
